package rest_test

import (
	"strings"
	"testing"

	"sparki.app/integrations/providers/rest"
)

func TestValidJSON(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{
		`{}`: true, `[1,"a",null]`: true, `"[[["`: true, ``: false, `{`: false, `{"a":}`: false, `nul`: false,
		strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000):   true,
		strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001):   false,
		`"` + strings.Repeat("[{", 20_000) + `"`:                    true,
		`["\"` + strings.Repeat("[", 20_000) + `"]`:                 true,
		strings.Repeat("[", 5<<20):                                  false,
		"[" + strings.Repeat(`{"a":[]},`, 20_000) + "{}]":           true,
		strings.Repeat(`{"a":`, 12_000) + strings.Repeat("}", 9000): false,
	}
	for text, want := range tests {
		if got := rest.ValidJSON([]byte(text)); got != want {
			t.Errorf("ValidJSON(%.40q) = %v", text, got)
		}
	}
}
