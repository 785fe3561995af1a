package memstore_test

import (
	"testing"

	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/memstore"
)

func TestStore(t *testing.T) {
	t.Parallel()
	memstore.Run(t, func(*testing.T) providers.MockStore { return memstore.New() })
}

func TestPutNeedsNames(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	if err := s.Put(t.Context(), providers.MockDoc{Kind: "object", JSON: []byte(`{}`)}); err == nil {
		t.Error("a document without an id was taken")
	}
}
