package providertest

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"sparki.app/integrations"
	"sparki.app/integrations/providers"
)

// sprintAll prints a value in every way that a careless log line could.
func sprintAll(v any) string { return fmt.Sprintf("%v %+v %#v %s", v, v, v, v) }

// headers are those of a delivery, signed where the CRM signs.
func (c Case) headers(body []byte) http.Header {
	if c.Sign == nil {
		return http.Header{}
	}
	return c.Sign(c.Settings.Secret(c.SecretKey).Reveal(), body)
}

// deliveries: a good delivery asks for fetches, the same ones each time; what cannot be read is
// told apart from what is not authentic.
func (c Case) deliveries(t *testing.T) {
	t.Parallel()
	messages, err := c.Provider.Changes(c.Settings, c.headers(c.Delivery), c.Delivery)
	if err != nil {
		t.Fatal(err)
	}
	pending := 0
	for _, m := range messages {
		if (m.ExternalID == "") == c.Provider.Info().Signed || m.Kind == "" { // what nobody signs could be made a double by anybody
			t.Errorf("message %+v", m)
		}
		if m.Outcome == sparki.OutcomePending {
			pending++
			if m.Ref.Type == "" || m.Ref.ID == "" {
				t.Errorf("fetch of nothing: %+v", m)
			}
		} else if m.Reason == "" {
			t.Errorf("no reason: %+v", m)
		}
	}
	if pending == 0 {
		t.Errorf("no fetch is asked for: %+v", messages)
	}
	again, err := c.Provider.Changes(c.Settings, c.headers(c.Delivery), c.Delivery)
	if err != nil || fmt.Sprint(again) != fmt.Sprint(messages) {
		t.Errorf("another reading of the same delivery: %+v, %v", again, err)
	}
	for _, body := range []string{"", "x", "[", "<html>", "null", "17", strings.Repeat("[", 1<<20)} {
		messages, err := c.Provider.Changes(c.Settings, c.headers([]byte(body)), []byte(body))
		if !errors.Is(err, providers.ErrUnreadable) || messages != nil {
			t.Errorf("body %.20q: %+v, %v", body, messages, err)
		}
	}
}

// signatures: exactly one signature, in exactly one spelling, over exactly these bytes, with a
// secret that is in force. All else looks the same.
func (c Case) signatures(t *testing.T) {
	t.Parallel()
	good := c.headers(c.Delivery)
	if len(good) != 1 {
		t.Fatalf("one header signs, not %v", good)
	}
	var name, signature string
	for key, values := range good {
		name, signature = key, values[0]
	}
	with := func(values ...string) http.Header { return http.Header{name: values} }
	mac, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		t.Fatalf("the suite knows base64 signatures only: %v", err)
	}
	refused := map[string]http.Header{
		"missing":        {},
		"empty":          with(""),
		"doubled":        with(signature, signature),
		"joined":         with(signature + "," + signature),
		"good and bad":   with(signature, strings.Repeat("A", len(signature))),
		"respelled":      with(respelled(signature)),
		"with a newline": with(signature[:8] + "\n" + signature[8:]),
		"with spaces":    with(" " + signature + " "),
		"hex":            with(hex.EncodeToString(mac)),
		"base64url":      with(base64.URLEncoding.EncodeToString(append([]byte{0xfb, 0xff}, mac[2:]...))),
		"prefixed":       with("sha256=" + signature),
		"cut":            with(base64.StdEncoding.EncodeToString(mac[:20])),
		"other header":   {"X-" + name: {signature}},
		"other secret":   c.Sign("another-secret-altogether", c.Delivery),
		"empty secret":   c.Sign("", c.Delivery),
		"other body":     c.Sign(c.Settings.Secret(c.SecretKey).Reveal(), append([]byte(" "), c.Delivery...)),
	}
	for what, header := range refused {
		if messages, err := c.Provider.Changes(c.Settings, header, c.Delivery); err != providers.ErrUnverified || messages != nil {
			t.Errorf("%s: %d messages, %v", what, len(messages), err)
		}
	}

	secret := c.Settings.Secret(c.SecretKey)
	for what, test := range map[string]struct {
		secrets []sparki.Secret
		signer  string
		ok      bool
	}{
		"previous secret":        {[]sparki.Secret{"the-new-secret-0001", secret}, secret.Reveal(), true},
		"new secret":             {[]sparki.Secret{"the-new-secret-0001", secret}, "the-new-secret-0001", true},
		"secret of before":       {[]sparki.Secret{"the-new-secret-0001"}, secret.Reveal(), false},
		"no secret":              {nil, secret.Reveal(), false},
		"no secret, empty key":   {nil, "", false},
		"empty secret is stored": {[]sparki.Secret{""}, "", false},
	} {
		s := c.Settings
		s.Secrets = maps.Clone(s.Secrets)
		s.Secrets[c.SecretKey] = test.secrets
		_, err := c.Provider.Changes(s, c.Sign(test.signer, c.Delivery), c.Delivery)
		if ok := err == nil; ok != test.ok || !ok && err != providers.ErrUnverified {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// respelled is another base64 text for the same bytes: its last digit carries bits without meaning.
func respelled(signature string) string {
	digits := strings.TrimRight(signature, "=")
	padding := signature[len(digits):]
	last := digits[len(digits)-1]
	for _, other := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" {
		spelt := digits[:len(digits)-1] + string(other) + padding
		a, _ := base64.StdEncoding.DecodeString(spelt)
		b, _ := base64.StdEncoding.DecodeString(signature)
		if byte(other) != last && string(a) == string(b) {
			return spelt
		}
	}
	return signature + "=" // no padding, so no second spelling
}
