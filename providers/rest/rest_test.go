package rest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sparki.app/integrations"
	"sparki.app/integrations/providers/rest"
)

const (
	clientSecret = "canary-client-secret"
	bearer       = "canary-bearer-token"
	queryValue   = "canary-query"
	bodyValue    = "canary-upstream-body"
)

// client is a Client over a handler, whose CRM explains itself with {"code":…,"message":…}.
func client(h http.HandlerFunc) *rest.Client {
	return &rest.Client{
		Name: "Acme", Base: "https://crm.example/api", Transport: rest.Local(h),
		Secrets: []sparki.Secret{clientSecret},
		Explain: func(_ int, body []byte) rest.Refusal {
			var said struct{ Kind, Code, Message string }
			_ = json.Unmarshal(body, &said)
			return rest.Refusal{Kind: sparki.Kind(said.Kind), Code: said.Code, Words: said.Message}
		},
	}
}

func do(ctx context.Context, c *rest.Client) ([]byte, error) {
	return c.Do(ctx, rest.Call{
		Method: http.MethodPost, Path: "/things", Query: url.Values{"q": {queryValue}},
		Header: http.Header{"Authorization": {"Bearer " + bearer}}, Body: []byte(`{"a":1}`),
	})
}

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// mustNotLeak fails when an error shows something that it must not, in any form it is printed.
func mustNotLeak(t *testing.T, err error) {
	t.Helper()
	shown := fmt.Sprintf("%v|%+v|%#v|%s", err, err, err, sparki.TextOf(err))
	for _, canary := range []string{clientSecret, bearer, queryValue, bodyValue} {
		if strings.Contains(shown, canary) {
			t.Errorf("error shows %q: %s", canary, shown)
		}
	}
}

func TestDoSends(t *testing.T) {
	t.Parallel()
	var got *http.Request
	var sent []byte
	body, err := do(t.Context(), client(func(w http.ResponseWriter, r *http.Request) {
		got = r
		sent, _ = io.ReadAll(r.Body)
		_, _ = io.WriteString(w, "\xef\xbb\xbf{\"ok\":true}")
	}))
	if err != nil || string(body) != `{"ok":true}` {
		t.Fatalf("Do = %s, %v", body, err)
	}
	if got.Method != "POST" || got.URL.Path != "/api/things" || got.URL.RawQuery != "q="+queryValue || string(sent) != `{"a":1}` {
		t.Errorf("sent %s %s %s", got.Method, got.URL, sent)
	}
	for key, want := range map[string]string{
		"Accept": "application/json", "Content-Type": "application/json",
		"Accept-Encoding": "identity", "Authorization": "Bearer " + bearer,
	} {
		if got.Header.Get(key) != want {
			t.Errorf("%s: %q", key, got.Header.Get(key))
		}
	}
}

func TestRawQueryIsSentAsItIs(t *testing.T) {
	t.Parallel()
	sent := ""
	c := &rest.Client{Name: "CRM", Base: "https://crm.example", Transport: rest.Local(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent = r.URL.RequestURI()
		_, _ = io.WriteString(w, "{}")
	}))}
	const query = "types=a,b&from=2026-01-01+10:00:00&x=%2E"
	if _, err := c.Do(t.Context(), rest.Call{Method: http.MethodGet, Path: "/list", RawQuery: query}); err != nil || sent != "/list?"+query {
		t.Errorf("sent %s, %v", sent, err)
	}
}

// An answer without a body is one only where the call says so; what is no JSON never is.
func TestAnswerMayBeEmpty(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		body       string
		mayBeEmpty bool
		kind       sparki.Kind
	}{{"", true, ""}, {" \r\n", true, ""}, {"{}", true, ""}, {"<html>", true, sparki.Unavailable}, {"", false, sparki.Unavailable}} {
		c := client(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/things/7")
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, test.body)
		})
		answer, err := c.Answer(t.Context(), rest.Call{Method: http.MethodPost, Path: "/things", MayBeEmpty: test.mayBeEmpty})
		if sparki.KindOf(err) != test.kind || err == nil && (answer.Location != "/things/7" || string(answer.Body) != strings.TrimSpace(test.body)) {
			t.Errorf("%q, %v: %+v, %v", test.body, test.mayBeEmpty, answer, err)
		}
	}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	kinds := map[int]sparki.Kind{
		301: sparki.Misconfigured, 302: sparki.Misconfigured, 307: sparki.Misconfigured,
		400: sparki.Rejected, 401: sparki.Unauthorized, 402: sparki.Rejected, 403: sparki.Unauthorized,
		404: sparki.NotFound, 405: sparki.Rejected, 408: sparki.Unavailable, 409: sparki.Rejected,
		410: sparki.NotFound, 415: sparki.Rejected, 418: sparki.Rejected, 422: sparki.Rejected,
		425: sparki.Unavailable, 429: sparki.Unavailable, 451: sparki.Rejected,
		500: sparki.Unavailable, 501: sparki.Unavailable, 502: sparki.Unavailable,
		503: sparki.Unavailable, 504: sparki.Unavailable, 599: sparki.Unavailable,
	}
	for status, kind := range kinds {
		for _, body := range []string{"", bodyValue, `{"x":"` + bodyValue + `"}`} {
			_, err := do(t.Context(), client(answer(status, body)))
			if sparki.KindOf(err) != kind || rest.StatusOf(err) != status {
				t.Errorf("status %d: %s (status %d), want %s", status, sparki.KindOf(err), rest.StatusOf(err), kind)
			}
			for _, part := range []string{"POST", "/api/things", fmt.Sprint(status)} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("status %d: %q lacks %q", status, err, part)
				}
			}
			mustNotLeak(t, err)
		}
	}
}

func TestExplanation(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 600)
	tests := map[string]struct {
		status int
		body   string
		kind   sparki.Kind
		code   string
		text   string // what stands at the end of the text
	}{
		"words are shown": {
			400, `{"code":"Broken","message":"End\u0000 must\n\tbe later."}`,
			sparki.Rejected, "Broken", "(status 400): End must be later.",
		},
		"secrets in words are masked": {
			422, `{"message":"bad ` + bearer + ` and ` + clientSecret + `"}`,
			sparki.Rejected, "", "(status 422): bad *** and ***",
		},
		"a kind overrules the status": {400, `{"kind":"NOT_FOUND","message":"gone"}`, sparki.NotFound, "", "(status 400)"},
		"words are cut at a character": {
			400, `{"message":"x` + long + `"}`, sparki.Rejected, "", "(status 400): x" + strings.Repeat("é", 255),
		},
		"a 5xx says nothing":  {500, `{"code":"Boom","message":"` + bodyValue + `"}`, sparki.Unavailable, "Boom", "(status 500)"},
		"a 401 says nothing":  {401, `{"message":"` + bodyValue + `"}`, sparki.Unauthorized, "", "(status 401)"},
		"a code is no secret": {400, `{"code":"` + bearer + `"}`, sparki.Rejected, "***", "(status 400)"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := do(t.Context(), client(answer(test.status, test.body)))
			if sparki.KindOf(err) != test.kind || rest.CodeOf(err) != test.code {
				t.Errorf("kind %s, code %q", sparki.KindOf(err), rest.CodeOf(err))
			}
			if !strings.HasSuffix(sparki.TextOf(err), test.text) {
				t.Errorf("text %q, want …%q", sparki.TextOf(err), test.text)
			}
			if _, words, _ := strings.Cut(test.text, "): "); words != "" && strings.Contains(err.Error(), words) {
				t.Errorf("a log gets the CRM's own words: %s", err)
			}
			mustNotLeak(t, err)
		})
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	tests := map[string]time.Duration{
		"": 0, "20": 20 * time.Second, " 0 ": 0, "-5": 0, "soon": 0, "1.5": 0,
		"3600": time.Hour, "99999": time.Hour, "99999999999999999999999": time.Hour,
		"Sat, 01 Jan 2000 00:00:30 GMT":    30 * time.Second,
		"Sat, 01 Jan 2000 05:00:00 GMT":    time.Hour,
		"Fri, 31 Dec 1999 00:00:00 GMT":    0,
		"Saturday, 01-Jan-00 00:01:00 GMT": time.Minute,
	}
	for header, want := range tests {
		synctest.Test(t, func(t *testing.T) { // where it is 2000-01-01
			_, err := do(t.Context(), client(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", header)
				w.WriteHeader(http.StatusTooManyRequests)
			}))
			e, ok := errors.AsType[*sparki.Error](err)
			if !ok || e.RetryAfter != want {
				t.Errorf("Retry-After %q: %v, want %v", header, e.RetryAfter, want)
			}
		})
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	big := `{"a":"` + strings.Repeat("x", 10<<20) + `"}`
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, _ = io.WriteString(z, big)
	_ = z.Close()

	tests := map[string]struct {
		handler http.HandlerFunc
		cause   error
	}{
		"empty":         {answer(200, ""), rest.ErrNotJSON},
		"no content":    {answer(204, ""), rest.ErrNotJSON},
		"html":          {answer(200, "<html>"+bodyValue+"</html>"), rest.ErrNotJSON},
		"cut JSON":      {answer(200, `{"a":"`+bodyValue), rest.ErrNotJSON},
		"nested deeply": {answer(200, strings.Repeat("[", 5<<20)), rest.ErrNotJSON},
		"too large":     {answer(200, big), nil},
		"too large, announced": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(big)))
			_, _ = io.WriteString(w, big)
		}, nil},
		"gzip bomb": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb.Bytes())
		}, rest.ErrNotJSON},
		"broken off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"a":1}`)
		}, io.ErrUnexpectedEOF},
		"broken off before the status": {func(http.ResponseWriter, *http.Request) {
			panic(http.ErrAbortHandler)
		}, io.ErrUnexpectedEOF},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := do(t.Context(), client(test.handler))
			if sparki.KindOf(err) != sparki.Unavailable {
				t.Errorf("kind %s: %v", sparki.KindOf(err), err)
			}
			if test.cause != nil && !errors.Is(err, test.cause) {
				t.Errorf("error %v, want %v", err, test.cause)
			}
			mustNotLeak(t, err)
		})
	}
}

func TestExactlyAsLargeAsAllowed(t *testing.T) {
	t.Parallel()
	body := `"` + strings.Repeat("x", 10<<20-2) + `"`
	got, err := do(t.Context(), client(answer(200, body)))
	if err != nil || len(got) != 10<<20 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	calls := 0
	_, err := do(t.Context(), client(func(w http.ResponseWriter, r *http.Request) {
		calls++
		http.Redirect(w, r, "https://elsewhere.example/?token="+bodyValue, http.StatusFound)
	}))
	if calls != 1 || sparki.KindOf(err) != sparki.Misconfigured || !strings.Contains(sparki.TextOf(err), "base URL") {
		t.Errorf("%d calls, %v", calls, err)
	}
	mustNotLeak(t, err)
}

func TestTimeOut(t *testing.T) {
	t.Parallel()
	handlers := map[string]http.HandlerFunc{
		"no status": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"no end": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, `{"a":`)
			<-r.Context().Done()
		},
	}
	for name, handler := range handlers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				_, err := do(t.Context(), client(handler))
				if took := time.Since(start); took != 15*time.Second {
					t.Errorf("took %v", took)
				}
				if sparki.KindOf(err) != sparki.Unavailable || !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
			})
		})
	}
}

func TestCancelledCallsSayNothingOfTheCRM(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	_, err := do(ctx, client(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	if !errors.Is(err, context.Canceled) || sparki.KindOf(err) != sparki.Internal {
		t.Errorf("%s: %v", sparki.KindOf(err), err)
	}
	if _, about := sparki.ConnectionAfter(err, time.Now()); about {
		t.Error("a cancelled call says something about the connection")
	}
	mustNotLeak(t, err)
}

func TestUnreadableBase(t *testing.T) {
	t.Parallel()
	c := client(answer(200, `{}`))
	c.Base = "https://crm.example:port"
	_, err := do(t.Context(), c)
	if sparki.KindOf(err) != sparki.Misconfigured {
		t.Error(err)
	}
	mustNotLeak(t, err)
}

// What was surely not done may be sent again blindly; everything else may not.
func TestLost(t *testing.T) {
	t.Parallel()
	status := func(code int) http.RoundTripper {
		return rest.Local(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code); _, _ = io.WriteString(w, "{}") }))
	}
	body := func(text string) http.RoundTripper {
		return rest.Local(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }))
	}
	fails := func(err error) http.RoundTripper {
		return roundTrip(func(*http.Request) (*http.Response, error) { return nil, err })
	}
	for name, c := range map[string]struct {
		transport http.RoundTripper
		lost      bool
	}{
		"Done":        {body(`{}`), false},
		"BadRequest":  {status(400), false},
		"Refused":     {status(401), false},
		"Gone":        {status(404), false},
		"TimedOut":    {status(408), true},
		"SlowDown":    {status(429), false},
		"Broken":      {status(500), true},
		"BadGateway":  {status(502), true},
		"NoJSON":      {body(`<html>`), true},
		"Reset":       {fails(&net.OpError{Op: "read", Err: syscall.ECONNRESET}), true},
		"BrokeOff":    {fails(io.ErrUnexpectedEOF), true},
		"Deadline":    {fails(context.DeadlineExceeded), true},
		"NoListener":  {fails(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}), false},
		"NoSuchHost":  {fails(&net.DNSError{IsNotFound: true}), false},
		"Certificate": {fails(&tls.CertificateVerificationError{}), false},
		"Busy":        {fails(rest.ErrBusy), false},
		"Forbidden":   {fails(rest.ErrForbiddenAddress), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := rest.Client{Name: "CRM", Base: "http://crm.example", Transport: c.transport}
			_, err := client.Do(t.Context(), rest.Call{Method: http.MethodPost, Path: "/items", Body: []byte("{}")})
			if sparki.Lost(err) != c.lost {
				t.Errorf("Lost is %v for %v", sparki.Lost(err), err)
			}
			if sparki.Lost(sparki.Undone(err)) || sparki.KindOf(sparki.Undone(err)) != sparki.KindOf(err) {
				t.Errorf("undone, it is %v", sparki.Undone(err))
			}
		})
	}
	t.Run("Cancelled", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		client := rest.Client{Name: "CRM", Base: "http://crm.example", Transport: body("{}")}
		if _, err := client.Do(ctx, rest.Call{Method: http.MethodPost}); !sparki.Lost(err) {
			t.Errorf("a call that we broke off is not lost: %v", err)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A call that changes something passes the guard, and the guard holds until the CRM has the call.
func TestGuard(t *testing.T) {
	t.Parallel()
	released := make(chan struct{})
	arrived := false
	c := client(func(w http.ResponseWriter, _ *http.Request) {
		select {
		case <-released:
			t.Error("the guard was released before the call arrived")
		default:
		}
		arrived = true
		_, _ = io.WriteString(w, "{}")
	})
	ctx := sparki.WithGuard(t.Context(), func(context.Context) (func(), error) { return func() { close(released) }, nil })
	if _, err := c.Do(ctx, rest.Call{Method: http.MethodPost, Changes: true}); err != nil || !arrived {
		t.Fatal(err, arrived)
	}
	<-released

	forbids := sparki.Errorf(sparki.Conflict, "not any more")
	ctx = sparki.WithGuard(t.Context(), func(context.Context) (func(), error) { return nil, forbids })
	c = client(func(w http.ResponseWriter, _ *http.Request) { arrived = true; _, _ = io.WriteString(w, "{}") })
	arrived = false
	if _, err := c.Do(ctx, rest.Call{Method: http.MethodPost, Changes: true}); !errors.Is(err, forbids) || sparki.Lost(err) || arrived {
		t.Errorf("a forbidden call: %v, arrived: %v", err, arrived)
	}
	if _, err := c.Do(ctx, rest.Call{Method: http.MethodPost}); err != nil || !arrived {
		t.Errorf("a call that changes nothing asks the guard: %v", err)
	}
}

// A CRM that does not answer does not hold the guard.
func TestGuardIsReleased(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		released := make(chan struct{})
		c := client(func(_ http.ResponseWriter, r *http.Request) {
			<-released
			<-r.Context().Done()
		})
		ctx := sparki.WithGuard(t.Context(), func(context.Context) (func(), error) { return func() { close(released) }, nil })
		if _, err := c.Do(ctx, rest.Call{Method: http.MethodPost, Changes: true}); sparki.KindOf(err) != sparki.Unavailable {
			t.Error(err)
		}
	})
}

// A CRM that repeats what it was sent does not get it into what is kept (reliability.md I11).
func TestAnswerWithoutSecrets(t *testing.T) {
	t.Parallel()
	c := rest.Client{Name: "CRM", Base: "http://crm.test", Secrets: []sparki.Secret{"canary-client-secret", "short", ""}, Transport: rest.Local(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "canary=1")
		_, _ = fmt.Fprintf(w, `{"title": "short", "you said": %q, "and": ["canary-client-secret", "x canary-client-secret y"]}`, r.Header.Get("Authorization"))
	}))}
	body, err := c.Do(t.Context(), rest.Call{Method: http.MethodGet, Path: "/", Header: http.Header{"Authorization": {"Bearer canary-access-token"}}})
	if want := `{"title": "short", "you said": "Bearer ***", "and": ["***", "x *** y"]}`; err != nil || string(body) != want {
		t.Errorf("%s, %v", body, err)
	}
}
