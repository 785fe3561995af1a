package rest_test

import (
	"testing"
	"unicode"
	"unicode/utf8"

	"sparki.app/integrations/providers/rest"
)

func TestOneLine(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text  string
		limit int
		want  string
	}{
		{"", 9, ""}, {" ", 9, ""}, {"a b", 9, "a b"}, {" a  b ", 9, "a b"}, {"a\x00b\r\nc\u00a0\u2028d", 20, "a b c d"},
		{"a\xffb\ufffdc", 9, "abc"}, {"één", 9, "één"}, {"één", 3, "é"}, {"één", 0, ""}, {"a bc", 2, "a"},
	}
	for _, test := range tests {
		if got := rest.OneLine(test.text, test.limit); got != test.want {
			t.Errorf("OneLine(%q, %d) = %q, want %q", test.text, test.limit, got, test.want)
		}
	}
}

func FuzzOneLine(f *testing.F) {
	f.Add("a  b\x00\xff", 3)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = max(limit%1000, 0)
		got := rest.OneLine(text, limit)
		if len(got) > limit || !utf8.ValidString(got) || rest.OneLine(got, limit) != got {
			t.Errorf("OneLine(%q, %d) = %q", text, limit, got)
		}
		for _, r := range got {
			if unicode.IsControl(r) || unicode.IsSpace(r) && r != ' ' {
				t.Errorf("OneLine(%q, %d) = %q", text, limit, got)
			}
		}
	})
}
