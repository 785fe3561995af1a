package integrations

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"sparki.app/integrations"
)

func key(b byte) string { return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, keyBytes)) }

func keys(t *testing.T, list string) *Keys {
	t.Helper()
	k, err := ParseKeys(list)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeys(t *testing.T) {
	t.Parallel()
	at := place{portal: sparki.NewID(), integration: sparki.NewID(), field: "apiToken"}
	old := keys(t, "old:"+key(1))
	sealed := old.seal("canary-secret", at)
	if bytes.Contains(sealed, []byte("canary")) {
		t.Fatal("the secret can be read in its seal")
	}
	if bytes.Equal(sealed, old.seal("canary-secret", at)) {
		t.Error("the same secret gives the same seal twice")
	}

	t.Run("OpensWhereItWasSealed", func(t *testing.T) {
		t.Parallel()
		if got, err := old.open(sealed, at); err != nil || got.Reveal() != "canary-secret" {
			t.Errorf("%q, %v", got.Reveal(), err)
		}
	})
	t.Run("NowhereElse", func(t *testing.T) {
		t.Parallel()
		for name, other := range map[string]place{
			"Portal":      {sparki.NewID(), at.integration, at.field},
			"Integration": {at.portal, sparki.NewID(), at.field},
			"Field":       {at.portal, at.integration, "agendaToken"},
		} {
			if _, err := old.open(sealed, other); err == nil {
				t.Errorf("it opens at another %s", name)
			}
		}
	})
	t.Run("Rotation", func(t *testing.T) {
		t.Parallel()
		both := keys(t, "new:"+key(2)+", old:"+key(1))
		if got, err := both.open(sealed, at); err != nil || got.Reveal() != "canary-secret" {
			t.Errorf("with both keys: %v", err)
		}
		if _, err := old.open(both.seal("x", at), at); err == nil {
			t.Error("the first key does not seal")
		}
		_, err := keys(t, "new:"+key(2)).open(sealed, at)
		if err == nil || !strings.Contains(err.Error(), `"old"`) || strings.Contains(err.Error(), "canary") {
			t.Errorf("without the old key: %v", err)
		}
	})
	t.Run("Damaged", func(t *testing.T) {
		t.Parallel()
		for n := range sealed {
			broken := bytes.Clone(sealed)
			broken[n] ^= 1
			if _, err := old.open(broken, at); err == nil {
				t.Fatalf("it opens with byte %d changed", n)
			}
			if _, err := old.open(sealed[:n], at); err == nil {
				t.Fatalf("its first %d bytes open", n)
			}
		}
	})
}

func TestParseKeysRefuses(t *testing.T) {
	t.Parallel()
	for name, list := range map[string]string{
		"Empty": "", "NoID": key(1), "EmptyID": ":" + key(1), "Short": "a:" + base64.StdEncoding.EncodeToString([]byte("short")),
		"NoBase64": "a:!!!", "Twice": "a:" + key(1) + ",a:" + key(2), "EmptyEntry": "a:" + key(1) + ",",
	} {
		if _, err := ParseKeys(list); err == nil {
			t.Errorf("%s is taken", name)
		} else if strings.Contains(err.Error(), key(1)) || strings.Contains(err.Error(), key(2)) {
			t.Errorf("%s: the error shows the key: %v", name, err)
		}
	}
}
