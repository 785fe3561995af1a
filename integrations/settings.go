package integrations

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
	"sparki.app/integrations/providers/rest"
)

// previousValid is how long a replaced secret that only verifies is accepted beside the new one.
const previousValid = 24 * time.Hour

const (
	maxSetting = 4096 // bytes of one text
	maxList    = 500  // entries of one list
)

// settingPath is where a setting stands in the input.
func settingPath(key string) []string { return []string{"input", "settings", key} }

// change is a form that is being filled in: what is stored, what was sent, what is wrong with it.
type change struct {
	fields  []sparki.SettingField
	stored  map[string]db.StoredSetting
	input   map[string]any
	policy  rest.Policy
	refused sparki.Refusal
}

func (c *change) refuse(code sparki.UserErrorCode, key, message string) {
	c.refused = append(c.refused, sparki.UserError{Code: code, Message: message, Field: settingPath(key)})
}

// check validates the input and gives the plain values to store and the secrets to seal; nil clears.
func (c *change) check() (values map[string]any, secrets map[string]*sparki.Secret) {
	values, secrets = map[string]any{}, map[string]*sparki.Secret{}
	known := map[string]bool{}
	for _, f := range c.fields {
		known[f.Key] = true
		v, sent := c.input[f.Key]
		switch {
		case !sent:
		case v == nil && f.Kind == sparki.SettingSecret:
			secrets[f.Key] = nil
		case v == nil:
			values[f.Key] = nil
		case f.Kind == sparki.SettingSecret:
			if secret, ok := c.secret(f, v); ok {
				secrets[f.Key] = &secret
			}
		default:
			if value, ok := c.value(f, v); ok {
				values[f.Key] = value
			}
		}
	}
	for key := range c.input {
		if !known[key] {
			c.refuse(sparki.CodeInvalid, key, fmt.Sprintf("there is no setting %q", truncate(key, 64)))
		}
	}
	c.needSecretsForNewHosts(values, secrets)
	slices.SortFunc(c.refused, func(a, b sparki.UserError) int { return slices.Compare(a.Field, b.Field) })
	return values, secrets
}

func truncate(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

func (c *change) secret(f sparki.SettingField, v any) (sparki.Secret, bool) {
	s, ok := c.text(f, v)
	switch {
	case !ok:
		return "", false
	case strings.Trim(s, "*•●·") == "":
		c.refuse(sparki.CodeMaskedSecret, f.Key, "this is the mask of the hidden value: paste the value itself, or leave the field out to keep what is stored")
		return "", false
	case utf8.RuneCountInString(s) < f.MinLength:
		c.refuse(sparki.CodeInvalid, f.Key, fmt.Sprintf("use at least %d characters", f.MinLength))
		return "", false
	}
	return sparki.Secret(s), true
}

func (c *change) text(f sparki.SettingField, v any) (string, bool) {
	s, ok := v.(string)
	s = strings.TrimSpace(s)
	switch {
	case !ok:
		c.refuse(sparki.CodeInvalid, f.Key, "give a text")
	case s == "":
		c.refuse(sparki.CodeInvalid, f.Key, "give a value, null to clear the field, or leave it out to keep what is stored")
	case len(s) > maxSetting || !utf8.ValidString(s) || strings.ContainsRune(s, 0):
		c.refuse(sparki.CodeInvalid, f.Key, fmt.Sprintf("give at most %d bytes of valid text", maxSetting))
	default:
		return s, true
	}
	return "", false
}

func (c *change) value(f sparki.SettingField, v any) (any, bool) {
	switch f.Kind {
	case sparki.SettingToggle:
		b, ok := v.(bool)
		if !ok {
			c.refuse(sparki.CodeInvalid, f.Key, "give true or false")
		}
		return b, ok
	case sparki.SettingList:
		return c.list(f, v)
	case sparki.SettingURL:
		s, ok := c.text(f, v)
		if !ok {
			return nil, false
		}
		if err := rest.CheckBaseURL(s, c.policy); err != nil {
			c.refuse(sparki.CodeInvalid, f.Key, sparki.TextOf(err))
			return nil, false
		}
		return s, true
	default:
		s, ok := c.text(f, v)
		if !ok || f.Check == nil {
			return s, ok
		}
		if err := f.Check(s); err != nil {
			c.refuse(sparki.CodeInvalid, f.Key, sparki.TextOf(err))
			return nil, false
		}
		return s, true
	}
}

func (c *change) list(f sparki.SettingField, v any) (any, bool) {
	entries, ok := v.([]any)
	if !ok || len(entries) > maxList {
		c.refuse(sparki.CodeInvalid, f.Key, fmt.Sprintf("give a list of at most %d texts", maxList))
		return nil, false
	}
	list := make([]string, 0, len(entries))
	for _, entry := range entries {
		s, ok := c.text(f, entry)
		if !ok {
			return nil, false
		}
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list, true
}

// needSecretsForNewHosts wants a stored secret again when a host that it is sent to changes: nobody may
// have a hidden secret sent to a host of his own.
func (c *change) needSecretsForNewHosts(values map[string]any, secrets map[string]*sparki.Secret) {
	moved := map[string]bool{}
	for key, v := range values {
		moved[key] = hostOf(v) != hostOf(c.stored[key].Value)
	}
	for _, f := range c.fields {
		_, given := secrets[f.Key]
		if !given && c.stored[f.Key].Sealed != nil && slices.ContainsFunc(f.BoundTo, func(url string) bool { return moved[url] }) {
			c.refuse(sparki.CodeRequired, f.Key, "the host changes: give this secret again, so that it is sent only where you mean it to go")
		}
	}
}

// hostOf is the host and port of a stored URL; "" when there is none.
func hostOf(v any) string {
	s, _ := v.(string)
	u, err := url.Parse(s)
	if err != nil {
		return s
	}
	return strings.ToLower(u.Scheme + "://" + u.Host)
}

// store seals and lists what is to be written. A replaced secret that only verifies stays valid for a day.
func (c *change) store(keys *Keys, at place, values map[string]any, secrets map[string]*sparki.Secret, now time.Time) []db.StoredSetting {
	var out []db.StoredSetting
	for _, f := range c.fields {
		if v, changed := values[f.Key]; changed {
			out = append(out, db.StoredSetting{Key: f.Key, Value: v})
		}
		secret, changed := secrets[f.Key]
		if !changed {
			continue
		}
		s := db.StoredSetting{Key: f.Key}
		if secret != nil {
			at.field = f.Key
			s.Sealed = keys.seal(*secret, at)
			if old := c.stored[f.Key]; len(f.BoundTo) == 0 && old.Sealed != nil {
				until := now.Add(previousValid)
				s.Previous, s.PreviousUntil = old.Sealed, &until
			}
		}
		out = append(out, s)
	}
	return out
}

// open turns stored settings into values that a provider can use.
func (s *Service) open(portal, integration uuid.UUID, stored []db.StoredSetting) (sparki.Settings, error) {
	out := sparki.Settings{Text: map[string]string{}, Lists: map[string][]string{}, Toggles: map[string]bool{}, Secrets: map[string][]sparki.Secret{}}
	for _, setting := range stored {
		switch v := setting.Value.(type) {
		case string:
			out.Text[setting.Key] = v
		case bool:
			out.Toggles[setting.Key] = v
		case []any:
			for _, entry := range v {
				out.Lists[setting.Key] = append(out.Lists[setting.Key], fmt.Sprint(entry))
			}
		}
		if setting.Sealed == nil {
			continue
		}
		at := place{portal, integration, setting.Key}
		secret, err := s.Keys.open(setting.Sealed, at)
		if err != nil {
			return out, fmt.Errorf("open setting %s: %w", setting.Key, err)
		}
		out.Secrets[setting.Key] = []sparki.Secret{secret}
		if setting.Previous != nil && setting.PreviousUntil.After(time.Now()) {
			previous, err := s.Keys.open(setting.Previous, at)
			if err != nil {
				return out, fmt.Errorf("open setting %s: %w", setting.Key, err)
			}
			out.Secrets[setting.Key] = append(out.Secrets[setting.Key], previous)
		}
	}
	return out, nil
}

// Form lists a provider's fields with what is stored for them. Secrets stay closed.
func (s *Service) Form(ctx context.Context, i *sparki.Integration) ([]*sparki.Setting, error) {
	info, err := s.Info(i.Provider)
	if err != nil {
		return nil, err
	}
	stored, err := s.DB.Settings(ctx, i.PortalID, i.ID)
	if err != nil {
		return nil, err
	}
	byKey := settingsByKey(stored)
	form := make([]*sparki.Setting, len(info.Settings))
	for n, f := range info.Settings {
		form[n] = &sparki.Setting{Field: f}
		if v, ok := byKey[f.Key]; ok {
			form[n].IsSet, form[n].Value, form[n].UpdatedAt = true, v.Value, &v.UpdatedAt
			if v.PreviousUntil != nil && v.PreviousUntil.After(time.Now()) {
				form[n].PreviousValidUntil = v.PreviousUntil
			}
		}
	}
	return form, nil
}

func settingsByKey(stored []db.StoredSetting) map[string]db.StoredSetting {
	byKey := make(map[string]db.StoredSetting, len(stored))
	for _, s := range stored {
		byKey[s.Key] = s
	}
	return byKey
}
