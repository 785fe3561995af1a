package kolibri

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/memstore"
)

func BenchmarkMockSeed(b *testing.B) {
	for b.Loop() {
		if _, err := mockSeed(time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}

// benchMock is a mock with 5,000 made-up objects.
func benchMock(b *testing.B) (*Mock, string) {
	b.Helper()
	store := memstore.New()
	if err := SeedObjects(b.Context(), store, 5000, 0); err != nil {
		b.Fatal(err)
	}
	m := newMock(providers.MockOptions{Store: store, BaseURL: "http://mock.example"}).(*Mock)
	token, err := m.StaticToken(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return m, token
}

func BenchmarkMockLoad(b *testing.B) {
	first, _ := benchMock(b)
	for b.Loop() {
		m := newMock(providers.MockOptions{Store: first.mirror.Store}).(*Mock)
		if _, err := m.load(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMockChange(b *testing.B) {
	m, _ := benchMock(b)
	price := json.Number("500000")
	for i := 0; b.Loop(); i++ {
		price = json.Number([]string{"500000", "500001"}[i%2])
		if err := m.fulfil(b.Context(), SeededObjectID(i%5000), mockWish{Price: &price}); err != nil {
			b.Fatal(err)
		}
	}
}

// benchHTTP reads over real connections.
func benchHTTP(b *testing.B, method string, path func(i int) string, body []byte) {
	m, token := benchMock(b)
	server := httptest.NewServer(m)
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	defer client.CloseIdleConnections()
	var size atomic.Int64
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			req, err := http.NewRequest(method, server.URL+"/v3/"+mockAgencyID+"/"+path(i), bytes.NewReader(body))
			if err != nil {
				b.Error(err)
				return
			}
			req.Header.Set("Authorization", "Bearer "+token)
			res, err := client.Do(req)
			if err != nil {
				b.Error(err)
				return
			}
			n, err := io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			if err != nil || res.StatusCode != http.StatusOK || n < 4096 {
				b.Errorf("%d, %d bytes, %v", res.StatusCode, n, err)
				return
			}
			size.Store(n)
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reads/s")
	b.ReportMetric(float64(size.Load()), "bytes")
}

func BenchmarkMockRead(b *testing.B) {
	benchHTTP(b, "GET", func(i int) string { return "ObjectAssignments?id=" + SeededObjectID(i*7%5000) }, nil)
}

func BenchmarkMockSearchPage(b *testing.B) {
	body, err := json.Marshal(mockQuery(mockFields{"skip": 2000}))
	if err != nil {
		b.Fatal(err)
	}
	benchHTTP(b, "POST", func(int) string { return "Assignments/Search" }, body)
}

func BenchmarkMockPicture(b *testing.B) {
	for i := 0; b.Loop(); i++ {
		name, extension := "voorgevel", ".jpg"
		if i%2 == 1 {
			name, extension = "begane-grond", ".png"
		}
		if _, err := mockMedium(SeededObjectID(i), mockSizes["original"], name, extension); err != nil {
			b.Fatal(err)
		}
	}
}
