package providertest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sparki.app/integrations"
)

// verdicts is the common table for a refused read of one object.
var verdicts = map[int]sparki.Kind{
	400: sparki.Rejected, 401: sparki.Unauthorized, 402: sparki.Rejected, 403: sparki.Unauthorized,
	404: sparki.NotFound, 405: sparki.Rejected, 408: sparki.Unavailable, 409: sparki.Rejected, 410: sparki.NotFound,
	422: sparki.Rejected, 425: sparki.Unavailable, 429: sparki.Unavailable,
	500: sparki.Unavailable, 502: sparki.Unavailable, 503: sparki.Unavailable, 504: sparki.Unavailable, 599: sparki.Unavailable,
}

// statuses: every status has its verdict, in every shape the CRM may say it in, and only the read
// of an object can say that something is gone.
func (c Case) statuses(t *testing.T) {
	t.Parallel()
	for status, kind := range verdicts {
		if own, ok := c.Verdicts[status]; ok {
			kind = own
		}
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			for i, refusal := range c.Refusals {
				conn := c.connect(t, c.faulty(func(w http.ResponseWriter, r *http.Request) {
					answer(w, status, refusal("refused: "+c.everythingSecret(r)))
				}))
				for _, call := range calls {
					what := fmt.Sprintf("%s, shape %d", call.name, i)
					err := call.do(t.Context(), c, conn)
					c.check(t, what, err)
					switch got := sparki.KindOf(err); {
					case call.name == "Listing" && got != kind:
						t.Errorf("%s: %s, want %s: %v", what, got, kind, err)
					case call.name != "Listing" && got == sparki.NotFound:
						t.Errorf("%s says that something is gone: %v", what, err)
					}
				}
			}
			// A web server's own pages instead of the CRM's words.
			for _, page := range []string{"", "<!doctype html><title>%s</title>", `{"half`, `"text"`, `null`} {
				conn := c.connect(t, c.faulty(func(w http.ResponseWriter, r *http.Request) {
					answer(w, status, strings.ReplaceAll(page, "%s", c.everythingSecret(r)))
				}))
				for _, call := range calls {
					err := call.do(t.Context(), c, conn)
					c.check(t, call.name+" with a page", err)
					if call.name != "Listing" && sparki.KindOf(err) == sparki.NotFound {
						t.Errorf("%s says that something is gone: %v", call.name, err)
					}
				}
			}
		})
	}
}

// retryAfter: what a CRM asks for is kept, within an hour.
func (c Case) retryAfter(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{
		"": 0, "20": 20 * time.Second, "86400": time.Hour, "Sat, 01 Jan 2000 00:01:00 GMT": time.Minute, "later": 0,
	} {
		for _, status := range []int{429, 503} {
			synctest.Test(t, func(t *testing.T) { // where it is 2000-01-01
				conn := c.connect(t, c.faulty(func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Retry-After", header)
					w.WriteHeader(status)
				}))
				for _, call := range calls {
					e, ok := errors.AsType[*sparki.Error](call.do(t.Context(), c, conn))
					if !ok || e.Kind != sparki.Unavailable || e.RetryAfter != want {
						t.Errorf("%s, %d with Retry-After %q: %+v", call.name, status, header, e)
					}
				}
			})
		}
	}
}

// brokenAnswers: an answer that is none never counts as an object, an empty list or a success.
func (c Case) brokenAnswers(t *testing.T) {
	t.Parallel()
	good := record(t, c)
	answers := map[string][]byte{
		"empty": nil, "HTML": []byte("<html>maintenance</html>"), "JSON text": []byte(`"x"`), "null": []byte("null"),
		"number": []byte("17"), "empty object": []byte("{}"), "empty list": []byte("[]"),
		"deep":    bytes.Repeat([]byte("["), 1<<20),
		"too big": []byte(`{"x":"` + strings.Repeat("x", 10<<20) + `"}`), "gzip": zipped(good),
		"cut JSON": good[:len(good)/2], "two answers": append(bytes.Clone(good), good...),
	}
	for name, body := range answers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := c.connect(t, c.faulty(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }))
			for _, call := range calls {
				err := call.do(t.Context(), c, conn)
				c.check(t, call.name, err)
				if kind := sparki.KindOf(err); kind != sparki.Unavailable && (call.name != "Check" || kind != sparki.Misconfigured) {
					t.Errorf("%s: %s: %v", call.name, kind, err)
				}
			}
		})
	}
}

// record gives the CRM's answer to the read of Ref.
func record(t *testing.T, c Case) []byte {
	t.Helper()
	var last []byte
	good := c.Upstream(1)
	conn := c.connect(t, c.faulty(func(w http.ResponseWriter, r *http.Request) {
		recorded := httptest.NewRecorder()
		good.ServeHTTP(recorded, r)
		last = recorded.Body.Bytes()
		w.WriteHeader(recorded.Code)
		_, _ = w.Write(last)
	}))
	if _, err := conn.Listing(t.Context(), c.Ref); err != nil {
		t.Fatalf("read of the object: %v", err)
	}
	return last
}

func zipped(body []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(body)
	_ = z.Close()
	return b.Bytes()
}

// redirects: none is followed, so no credentials travel.
func (c Case) redirects(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, target := range []string{"https://canary.example/stolen", "/stolen"} {
			conn := c.connect(t, c.faulty(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/stolen") {
					t.Errorf("a redirect to %s was followed", target)
				}
				http.Redirect(w, r, target, status)
			}))
			for _, call := range calls {
				err := call.do(t.Context(), c, conn)
				c.check(t, call.name, err)
				if kind := sparki.KindOf(err); kind != sparki.Misconfigured && kind != sparki.Unavailable {
					t.Errorf("%s, status %d: %s: %v", call.name, status, kind, err)
				}
			}
		}
	}
}

// silent are CRMs that keep the line open and say nothing more.
var silent = map[string]http.HandlerFunc{
	"no answer": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	"half an answer": func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"a":`)
		<-r.Context().Done()
	},
	"half a refusal": func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"a":`)
		<-r.Context().Done()
	},
}

// deadlines: a call ends within 15 seconds, or at its caller's deadline.
func (c Case) deadlines(t *testing.T) {
	t.Parallel()
	for name, crm := range silent {
		for _, call := range calls {
			for _, bound := range []time.Duration{2 * time.Second, time.Minute} {
				synctest.Test(t, func(t *testing.T) {
					conn := c.connect(t, c.faulty(crm))
					ctx, cancel := context.WithTimeout(t.Context(), bound)
					defer cancel()
					start := time.Now()
					err := call.do(ctx, c, conn)
					c.check(t, call.name, err)
					if took := time.Since(start); took > min(bound, 15*time.Second) || sparki.KindOf(err) != sparki.Unavailable {
						t.Errorf("%s, %s: %s after %v: %v", call.name, name, sparki.KindOf(err), took, err)
					}
				})
			}
		}
	}
}

// cancelled: a call whose caller gives up ends at once, leaves nothing behind (synctest waits for
// every goroutine), and says nothing about the CRM.
func (c Case) cancelled(t *testing.T) {
	t.Parallel()
	for name, crm := range silent {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			conn := c.connect(t, c.faulty(crm))
			start := time.Now()
			time.AfterFunc(time.Second, cancel)
			_, err := conn.Listing(ctx, c.Ref)
			if name != "half a refusal" && !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", name, err)
			}
			if took := time.Since(start); took != time.Second {
				t.Errorf("%s: ended after %v", name, took)
			}
			if _, err := conn.Listing(ctx, c.Ref); !errors.Is(err, context.Canceled) {
				t.Errorf("%s, already cancelled: %v", name, err)
			}
			if _, about := sparki.ConnectionAfter(err, time.Now()); about && name != "half a refusal" {
				t.Errorf("%s: a cancelled call says something about the connection: %v", name, err)
			}
		})
	}
}
