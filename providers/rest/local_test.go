package rest_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"sparki.app/integrations/providers/rest"
)

func get(ctx context.Context, t *testing.T, h http.HandlerFunc) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://crm.example/a/b?c=d", nil)
	if err != nil {
		t.Fatal(err)
	}
	return rest.Local(h).RoundTrip(req)
}

func TestLocalIsARequestAsAServerSeesIt(t *testing.T) {
	t.Parallel()
	resp, err := get(t.Context(), t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if r.RequestURI != "/a/b?c=d" || r.Host != "crm.example" || r.FormValue("c") != "d" || len(body) != 0 || err != nil {
			t.Errorf("request %s %s %v", r.RequestURI, r.Host, err)
		}
		w.Header().Set("X-Test", "1")
		w.WriteHeader(http.StatusContinue) // informational
		w.WriteHeader(http.StatusTeapot)
		w.WriteHeader(http.StatusOK)
		w.Header().Set("X-Test", "too late")
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusTeapot || resp.Header.Get("X-Test") != "1" || resp.Status != "418 I'm a teapot" {
		t.Errorf("answer %s %v", resp.Status, resp.Header)
	}
}

func TestLocalStreams(t *testing.T) {
	t.Parallel()
	next := make(chan struct{})
	resp, err := get(t.Context(), t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "one\n")
		<-next
		_, _ = io.WriteString(w, "two\n")
	})
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(resp.Body)
	if line, err := lines.ReadString('\n'); line != "one\n" || err != nil {
		t.Fatalf("%q, %v", line, err)
	}
	close(next)
	if line, err := lines.ReadString('\n'); line != "two\n" || err != nil {
		t.Fatalf("%q, %v", line, err)
	}
	if _, err := lines.ReadByte(); err != io.EOF {
		t.Errorf("end: %v", err)
	}
	_ = resp.Body.Close()
}

func TestLocalCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // ends only when no goroutine is left
		ctx, cancel := context.WithCancel(t.Context())
		resp, err := get(ctx, t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "begin")
			<-r.Context().Done()
			if _, err := io.WriteString(w, "more"); err == nil {
				t.Error("written after the call ended")
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		begin := make([]byte, 5)
		if _, err := io.ReadFull(resp.Body, begin); err != nil {
			t.Fatal(err)
		}
		cancel()
		if _, err := resp.Body.Read(begin); !errors.Is(err, context.Canceled) {
			t.Errorf("read after cancel: %v", err)
		}

		if _, err := get(ctx, t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }); !errors.Is(err, context.Canceled) {
			t.Errorf("call after cancel: %v", err)
		}
	})
}

func TestLocalClosedEarly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		resp, err := get(t.Context(), t, func(w http.ResponseWriter, r *http.Request) {
			for {
				if _, err := io.WriteString(w, strings.Repeat("x", 1000)); err != nil {
					<-r.Context().Done()
					return
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	})
}

func TestLocalPanicInTheMiddle(t *testing.T) {
	t.Parallel()
	resp, err := get(t.Context(), t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "begin")
		panic("broken")
	})
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(resp.Body); string(body) != "begin" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%q, %v", body, err)
	}
	_ = resp.Body.Close()
}
