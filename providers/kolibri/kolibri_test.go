package kolibri

import (
	"maps"
	"strings"
	"testing"

	"sparki.app/integrations"
)

func TestBaseURLs(t *testing.T) {
	t.Parallel()
	for _, base := range []string{
		"https://sandbox-api.kolibri24.com", "https://sandbox-api.kolibri24.com/", "https://sandbox-api.kolibri24.com/v3",
		"https://sandbox-api.kolibri24.com/v3/", " https://sandbox-api.kolibri24.com/V3\n", "https://sandbox-api.kolibri24.com/",
	} {
		s := liveSettings()
		s.Text[settingBaseURL] = base
		a, err := accountFrom(s)
		if err != nil || a.baseURL != "https://sandbox-api.kolibri24.com/v3" {
			t.Errorf("%q: %q, %v", base, a.baseURL, err)
		}
	}
	s := liveSettings()
	s.Text[settingBaseURL], s.Text[settingTokenURL] = "http://127.0.0.1:8080/mock/kolibri", "http://127.0.0.1:8080/mock/kolibri/connect/token"
	if a, err := accountFrom(s); err != nil || a.baseURL != "http://127.0.0.1:8080/mock/kolibri/v3" {
		t.Errorf("%q, %v", a.baseURL, err)
	}
}

func TestTokenURLs(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"https://api.kolibri24.com/v3":           "https://id.kolibri24.com/connect/token",
		"https://SANDBOX-api.kolibri24.com":      "https://sandbox-id.kolibri24.com/connect/token",
		"https://other.kolibri24.com":            "",
		"https://api.kolibri24.com.evil.example": "",
	} {
		s := liveSettings()
		s.Text[settingBaseURL] = base
		a, err := accountFrom(s)
		if want == "" {
			if sparki.KindOf(err) != sparki.Misconfigured || !strings.HasPrefix(sparki.TextOf(err), "Token URL is needed") {
				t.Errorf("%s: %v", base, err)
			}
			continue
		}
		if err != nil || a.client.tokenURL != want {
			t.Errorf("%s: %q, %v", base, a.client.tokenURL, err)
		}
	}
}

func TestSettingsThatDoNotDo(t *testing.T) {
	t.Parallel()
	text := func(key, value string) func(*sparki.Settings) {
		return func(s *sparki.Settings) { s.Text[key] = value }
	}
	secret := func(key string, values ...sparki.Secret) func(*sparki.Settings) {
		return func(s *sparki.Settings) { s.Secrets[key] = values }
	}
	tests := map[string]struct {
		change []func(*sparki.Settings)
		text   string // how the refusal begins
	}{
		"no base URL":        {[]func(*sparki.Settings){text(settingBaseURL, " ")}, "API base URL is needed"},
		"no URL":             {[]func(*sparki.Settings){text(settingBaseURL, "kolibri")}, "API base URL cannot be used"},
		"URL with password":  {[]func(*sparki.Settings){text(settingBaseURL, "https://u:canary@api.kolibri24.com")}, "API base URL cannot be used"},
		"URL with query":     {[]func(*sparki.Settings){text(settingTokenURL, "https://id.kolibri24.com/connect/token?x=canary")}, "Token URL cannot be used"},
		"no agency":          {[]func(*sparki.Settings){text(settingAgency, "")}, "Real estate agency ID is needed"},
		"agency is a path":   {[]func(*sparki.Settings){text(settingAgency, sampleAgency[:35]+"/")}, "Real estate agency ID is needed"},
		"agency in braces":   {[]func(*sparki.Settings){text(settingAgency, "{"+sampleAgency+"}")}, "Real estate agency ID is needed"},
		"bad office":         {[]func(*sparki.Settings){func(s *sparki.Settings) { s.Lists[settingOffices] = []string{sampleOffice, "Utrecht"} }}, "Office IDs must be IDs"},
		"no credentials":     {[]func(*sparki.Settings){text(settingClientID, ""), secret(settingClientSecret)}, "Client ID and client secret are needed, or"},
		"no client secret":   {[]func(*sparki.Settings){secret(settingClientSecret, " ")}, "Client secret is needed"},
		"no client ID":       {[]func(*sparki.Settings){text(settingClientID, " ")}, "Client ID is needed"},
		"token of two words": {[]func(*sparki.Settings){secret(settingClientSecret), secret(settingToken, "canary two")}, "Authorization token holds"},
	}
	for name, test := range tests {
		s := liveSettings()
		s.Text, s.Secrets = maps.Clone(s.Text), maps.Clone(s.Secrets)
		for _, change := range test.change {
			change(&s)
		}
		_, err := New().Connect(s, nil)
		if sparki.KindOf(err) != sparki.Misconfigured || !strings.HasPrefix(sparki.TextOf(err), test.text) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFixedTokenStandsInForMissingCredentials(t *testing.T) {
	t.Parallel()
	s := liveSettings()
	s.Secrets[settingToken] = []sparki.Secret{"canary-static-token"}
	if a, err := accountFrom(s); err != nil || a.token != "" {
		t.Errorf("a client is better than a token: %v", err)
	}
	delete(s.Secrets, settingClientSecret)
	if a, err := accountFrom(s); err != nil || a.token != "canary-static-token" {
		t.Errorf("a token without a client secret: %v", err)
	}
}

func TestInfoIsNotShared(t *testing.T) {
	t.Parallel()
	New().Info().Settings[0].Key = "changed"
	if New().Info().Settings[0].Key != settingBaseURL {
		t.Error("a reader of Info changed it for all")
	}
}
