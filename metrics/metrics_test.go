package metrics

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func scrape(m *Metrics) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return answer
}

func TestRead(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	m := New(slog.New(slog.NewTextHandler(&log, nil)))
	m.Read([]string{"kind"}, func(context.Context) ([]Row, error) {
		return []Row{{[]string{"VALUE"}, []float64{3, 70}}, {[]string{"FIELD"}, []float64{1, 2}}}, nil
	}, Gauge{"sparki_names", "Names."}, Gauge{"sparki_objects", "Objects."})
	m.Read(nil, func(context.Context) ([]Row, error) { return nil, errors.New("the database is away") }, Gauge{"sparki_lost", "Lost."})
	answer := scrape(m)
	if answer.Code != http.StatusOK {
		t.Errorf("answered %d", answer.Code)
	}
	for _, want := range []string{
		`sparki_names{kind="VALUE"} 3`, `sparki_objects{kind="VALUE"} 70`, `sparki_names{kind="FIELD"} 1`, `sparki_objects{kind="FIELD"} 2`,
		"# HELP sparki_names Names.", "go_goroutines ", "process_resident_memory_bytes ",
	} {
		if !strings.Contains(answer.Body.String(), want) {
			t.Errorf("no %q in\n%s", want, answer.Body)
		}
	}
	if strings.Contains(answer.Body.String(), "database") || !strings.Contains(log.String(), "the database is away") {
		t.Errorf("the failure belongs into the log: %s", log.String())
	}
}

func TestServe(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- New(slog.New(slog.DiscardHandler)).Serve(ctx, listener) }()
	url := "http://" + listener.Addr().String()
	for path, want := range map[string]int{"/metrics": http.StatusOK, "/": http.StatusNotFound, "/debug/pprof/": http.StatusNotFound} {
		resp, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, resp.StatusCode, want)
		}
	}
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it does not end")
	}
}
