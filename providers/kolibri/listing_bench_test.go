package kolibri

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"sparki.app/integrations"
	"sparki.app/integrations/providers/rest"
)

// BenchmarkMapping is what a read object costs once its answer is there: the check that it is JSON, and
// the mapping.
func BenchmarkMapping(b *testing.B) {
	mock, token := benchMock(b)
	answers := make([][]byte, 100)
	size := 0
	for i := range answers {
		r := httptest.NewRequest(http.MethodGet, "/v3/"+mockAgencyID+"/ObjectAssignments?id="+SeededObjectID(i), nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		mock.ServeHTTP(w, r)
		answer, err := io.ReadAll(w.Result().Body)
		if err != nil || w.Code != http.StatusOK {
			b.Fatalf("%d %v", w.Code, err)
		}
		answers[i] = answer
		size += len(answer)
	}
	a := &account{agencyID: mockAgencyID}
	kind := findKind(func(k *assignmentKind) bool { return k.source == "object-assignment" })
	b.SetBytes(int64(size / len(answers)))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		n := i % len(answers)
		if !rest.ValidJSON(answers[n]) {
			b.Fatal("no JSON")
		}
		found, err := a.found(kind, sparki.Ref{Type: kind.source, ID: SeededObjectID(n)}, answers[n])
		if err != nil || found.Listing.Title == "" || len(found.Listing.Images) != 3 {
			b.Fatalf("%+v %v", found, err)
		}
	}
}
