package words_test

import (
	"context"
	"strings"
	"testing"

	"sparki.app/integrations/words"
)

func TestLanguageOfTheHeader(t *testing.T) {
	t.Parallel()
	const english, dutch = "Check the connection", "Test de verbinding"
	for header, want := range map[string]string{
		"": english, "en": english, "en-GB": english, "*": english,
		"nl": dutch, "NL": dutch, "nl-NL": dutch, "nl-BE;q=0.9, en;q=0.8": dutch, "nl-BE,nl;q=0.9,en-US;q=0.8": dutch,
		"en;q=0.5, nl": dutch, "en;q=0.9, nl;q=0.3": english, "nl;q=0, en": english,
		"fr": english, "ja, zh;q=0.5": english, "ja, nl;q=0.1": dutch, "xx-unknown": english,
		"nl;q=": english, ";;,,": english, "nl;q=high": english, "\x00": english, "én": english,
		strings.Repeat("a-", 5000): english,
	} {
		if got := words.In(words.With(t.Context(), header), english); got != want {
			t.Errorf("Accept-Language %.60q: %q, want %q", header, got, want)
		}
	}
	if got := words.In(context.Background(), english); got != english {
		t.Errorf("without a language: %q", got)
	}
}

func TestIn(t *testing.T) {
	t.Parallel()
	ctx := words.With(t.Context(), "nl")
	for english, want := range map[string]string{
		"a CRM's own words": "a CRM's own words",
		"":                  "",
		"Kolibri refuses the credentials (status 401)":         "Kolibri weigert de inloggegevens (status 401)",
		"Kolibri refuses the call (status 400): no such price": "Kolibri weigert de aanroep (status 400): no such price",
		// A text inside a text, and a label.
		"API base URL cannot be used: the URL must begin with https://": "API-basis-URL is niet te gebruiken: de URL moet met https:// beginnen",
		`there is no setting "pass\"word"`:                              `er is geen instelling "pass\"word"`,
		"Objects that are taken over: 42":                               "Overgenomen objecten: 42",
		// Almost a text is none.
		"Objects that are taken over: many": "Objects that are taken over: many",
	} {
		if got := words.In(ctx, english); got != want {
			t.Errorf("%q: %q, want %q", english, got, want)
		}
	}
	if words.InOrNil(ctx, nil) != nil {
		t.Error("no text is a text")
	}
	if got := words.InOrNil(ctx, new("Check the connection")); *got != "Test de verbinding" {
		t.Error(*got)
	}
}

func BenchmarkIn(b *testing.B) {
	ctx := words.With(b.Context(), "nl")
	for b.Loop() {
		words.In(ctx, "Kolibri refuses the call (status 400): no such price")
	}
}
