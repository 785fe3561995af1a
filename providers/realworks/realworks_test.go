package realworks

import (
	"slices"
	"strings"
	"testing"

	"sparki.app/integrations"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	s := liveSettings()
	s.Text[settingBaseURL] = " https://api.realworks.nl/\n"
	s.Lists[settingAfdelingen] = []string{" 935001 ", ""}
	s.Secrets[settingToken] = []sparki.Secret{" rwauth " + sampleToken + "\n"}
	s.Secrets[settingRelatiesToken] = []sparki.Secret{"canary-relaties"}
	a, err := accountFrom(s)
	if err != nil || a.baseURL != sampleBase || a.token != sampleToken || a.agendaToken != sampleToken || a.relatiesToken != "canary-relaties" ||
		!slices.Equal(a.afdelingen, []string{"935001"}) {
		t.Errorf("%+v, %v", a, err)
	}
	s.Text[settingBaseURL] = "http://127.0.0.1:8080/mock/realworks/x"
	if a, err := accountFrom(s); err != nil || a.baseURL != s.Text[settingBaseURL] {
		t.Errorf("%q, %v", a.baseURL, err)
	}
}

func TestSettingsThatDoNotDo(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*sparki.Settings)
		text   string // how the refusal begins
	}{
		"no base URL":        {func(s *sparki.Settings) { s.Text[settingBaseURL] = " " }, "API base URL is needed"},
		"no URL":             {func(s *sparki.Settings) { s.Text[settingBaseURL] = "realworks" }, "API base URL cannot be used"},
		"URL with password":  {func(s *sparki.Settings) { s.Text[settingBaseURL] = "https://u:canary@api.realworks.nl" }, "API base URL cannot be used"},
		"no token":           {func(s *sparki.Settings) { delete(s.Secrets, settingToken) }, "API token is needed"},
		"blank token":        {func(s *sparki.Settings) { s.Secrets[settingToken] = []sparki.Secret{" rwauth  "} }, "API token is needed"},
		"token of two words": {func(s *sparki.Settings) { s.Secrets[settingToken] = []sparki.Secret{"canary two"} }, "API token holds"},
		"agenda token":       {func(s *sparki.Settings) { s.Secrets[settingAgendaToken] = []sparki.Secret{"canary\x00"} }, "Agenda token holds"},
		"relaties token":     {func(s *sparki.Settings) { s.Secrets[settingRelatiesToken] = []sparki.Secret{"canaryé"} }, "Relaties token holds"},
		"afdeling by name":   {func(s *sparki.Settings) { s.Lists[settingAfdelingen] = []string{"935001", "Utrecht"} }, "Afdeling codes must be"},
	} {
		s := liveSettings()
		test.change(&s)
		_, err := New().Connect(s, nil)
		if sparki.KindOf(err) != sparki.Misconfigured || !strings.HasPrefix(sparki.TextOf(err), test.text) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestInfoIsNotShared(t *testing.T) {
	t.Parallel()
	New().Info().Settings[0].Key = "changed"
	if New().Info().Settings[0].Key != settingBaseURL {
		t.Error("a reader of Info changed it for all")
	}
}
