// Package rest is the HTTP line that every CRM client talks through: JSON calls with bounds, one
// verdict for every answer, and errors that give nothing away.
//
// It retries nothing, logs nothing and follows no redirect. What differs from CRM to CRM (paths,
// credentials, the shape of an error) comes from the provider.
package rest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"sparki.app/integrations"
	"sparki.app/integrations/tracing"
)

// Bounds of one call (product.md §7, reliability.md K3, K4, K6).
const (
	callTimeout  = 15 * time.Second // from the first byte sent to the last byte read
	maxBody      = 10 << 20         // bytes of an answer; nothing is ever decompressed
	maxErrorBody = 64 << 10         // bytes of a refusal that are looked at
	maxDrain     = 64 << 10         // bytes read away so that a connection can be used again
)

// Client makes JSON calls to one CRM. It holds no state and is safe for concurrent use.
type Client struct {
	// Name is the CRM's name in texts for persons, for example "Kolibri".
	Name string
	// Base is the absolute URL that every path is appended to, without a slash at the end.
	Base string
	// Transport carries the calls: a Transport or a Local, or one of them behind a Breaker or Limited.
	Transport http.RoundTripper
	// Secrets are taken out of whatever the CRM says, should it repeat them. The credentials in a
	// call's Authorization header are taken out in any case.
	Secrets []sparki.Secret
	// Explain reads the body of a refusal; nil leaves every verdict to the status.
	Explain func(status int, body []byte) Refusal
}

// Refusal is what the body of a refusal says, in the CRM's own terms.
type Refusal struct {
	// Kind overrules the verdict of the status; "" leaves it.
	Kind sparki.Kind
	// Code is the CRM's name for the error; it is kept in CallError.
	Code string
	// Words are what the CRM says to persons. They are shown when the call is Rejected, and only then.
	Words string
}

// Call is one call.
type Call struct {
	Method string
	// Path comes behind the client's base. It stands in errors, so it holds neither secrets nor
	// personal data. Its segments are escaped.
	Path  string
	Query url.Values
	// RawQuery is sent as it is, in place of Query: what a CRM wrote itself.
	RawQuery string
	// Header is sent beside Accept and Content-Type; credentials belong here.
	Header http.Header
	Body   []byte
	// ContentType is that of Body; "" means application/json.
	ContentType string
	// Changes: the call changes something in the CRM. The context's sparki.Guard is asked first.
	Changes bool
	// MayBeEmpty: an answer without a body is one too.
	MayBeEmpty bool
}

// Answer is what a CRM answered to a call that succeeded.
type Answer struct {
	// Body is valid JSON; empty only where Call.MayBeEmpty allows it.
	Body []byte
	// Location is the header of that name, as it came; "" when there was none.
	Location string
	status   int
}

// CallError says which call went wrong, in terms that a log may show: no query, no header, no body.
type CallError struct {
	Method string
	Path   string
	// Status is the answer's; 0 when there was none.
	Status int
	// Code is the CRM's own name for the error; "" when it gave none.
	Code string
	// Err is the fault of the network or of the answer's form; nil when the CRM refused.
	Err error
}

func (e *CallError) Error() string {
	var b strings.Builder
	b.WriteString(e.Method + " " + e.Path)
	if e.Status != 0 {
		fmt.Fprintf(&b, ": status %d", e.Status)
	}
	if e.Code != "" {
		b.WriteString(" " + e.Code)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

func (e *CallError) Unwrap() error { return e.Err }

// StatusOf is the status that the CRM answered a failed call with; 0 when there was no answer.
func StatusOf(err error) int {
	if e, ok := errors.AsType[*CallError](err); ok {
		return e.Status
	}
	return 0
}

// CodeOf is the CRM's own name for the error of a failed call; "" when it gave none.
func CodeOf(err error) string {
	if e, ok := errors.AsType[*CallError](err); ok {
		return e.Code
	}
	return ""
}

// Do makes one call and gives the body of its answer, which is valid JSON. Its errors are
// *sparki.Error of the kinds that providers.Conn lists, and wrap a *CallError. Only a call that
// its caller cancelled fails with the context's own error: it says nothing about the CRM.
func (c *Client) Do(ctx context.Context, call Call) ([]byte, error) {
	answer, err := c.Answer(ctx, call)
	return answer.Body, err
}

// Answer is Do for a caller who needs more of the answer than its body.
func (c *Client) Answer(ctx context.Context, call Call) (Answer, error) {
	route := routeOf(call.Path)
	ctx, span := tracing.Call(ctx, call.Method+" "+route, slog.String("crm", c.Name), slog.String("http.request.method", call.Method), slog.String("url.template", route))
	answer, err := c.answer(ctx, call)
	if status := cmp.Or(answer.status, StatusOf(err)); status != 0 {
		tracing.Note(ctx, slog.Int("http.response.status_code", status))
	}
	tracing.End(span, err)
	return answer, err
}

func (c *Client) answer(ctx context.Context, call Call) (Answer, error) {
	bounded, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req, err := c.request(bounded, call)
	if err != nil {
		return Answer{}, err
	}
	trace := &CallError{Method: req.Method, Path: req.URL.Path}
	resp, err := c.send(req, call.Changes)
	if _, ours := errors.AsType[*sparki.Error](err); ours {
		return Answer{}, err
	}
	if err != nil {
		return Answer{}, c.broken(ctx, trace, err)
	}
	defer finish(resp.Body)
	trace.Status = resp.StatusCode
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return Answer{}, c.refused(call, trace, resp)
	}
	body, err := read(resp, call.MayBeEmpty)
	if err != nil {
		return Answer{}, c.broken(ctx, trace, err)
	}
	return Answer{Body: c.withoutSecrets(call, body), Location: resp.Header.Get("Location"), status: resp.StatusCode}, nil
}

// version is a segment of a path that has a digit and is no id.
var version = regexp.MustCompile(`^v[0-9]+$`)

// routeOf is a path without the ids in it: whatever has a digit is taken for one.
func routeOf(path string) string {
	segments := strings.Split(path, "/")
	for n, s := range segments {
		if strings.ContainsAny(s, "0123456789") && !version.MatchString(s) {
			segments[n] = "{id}"
		}
	}
	return strings.Join(segments, "/")
}

// minSecret is how long a text is at least to be taken out of an answer: a shorter one may be a part of its data.
const minSecret = 8

// withoutSecrets takes out of an answer what we sent, should the CRM repeat it: answers are kept.
func (c *Client) withoutSecrets(call Call, body []byte) []byte {
	_, credentials, _ := strings.Cut(call.Header.Get("Authorization"), " ")
	for _, secret := range append([]sparki.Secret{sparki.Secret(credentials)}, c.Secrets...) {
		text := []byte(secret.Reveal())
		// Its end is looked for first: long texts are searched for a byte at a time, and many begin alike.
		if len(text) >= minSecret && bytes.Contains(body, text[max(0, len(text)-32):]) {
			body = bytes.ReplaceAll(body, text, []byte(secret.String()))
		}
	}
	return body
}

// handedOver is how long after it was written a request is taken to have arrived.
const handedOver = time.Second

// send makes the call. One that changes something passes the guard first, which is held until the CRM
// has the request: it answers, or the request was written a while ago.
func (c *Client) send(req *http.Request, changes bool) (*http.Response, error) {
	if !changes {
		return c.Transport.RoundTrip(req)
	}
	release, err := sparki.GuardOf(req.Context())(req.Context())
	if err != nil {
		return nil, err
	}
	release = sync.OnceFunc(release)
	defer release()
	trace := &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { time.AfterFunc(handedOver, release) }}
	return c.Transport.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
}

func (c *Client) request(ctx context.Context, call Call) (*http.Request, error) {
	target := c.Base + call.Path
	if query := cmp.Or(call.RawQuery, call.Query.Encode()); query != "" {
		target += "?" + query
	}
	req, err := http.NewRequestWithContext(ctx, call.Method, target, bytes.NewReader(call.Body))
	if err != nil {
		// The cause quotes the URL, query and all.
		return nil, sparki.Errorf(sparki.Misconfigured, "the address of %s cannot be read", c.Name)
	}
	maps.Copy(req.Header, call.Header)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", "Sparki-Integrations/1")
	if call.Body != nil {
		contentType := call.ContentType
		if contentType == "" {
			contentType = "application/json"
		}
		req.Header.Set("Content-Type", contentType)
	}
	return req, nil
}

// byteOrderMark begins some answers of .NET servers.
var byteOrderMark = []byte("\xef\xbb\xbf")

// buffers are what answers are read into, of which a copy is kept that is just large enough.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// maxKeptBuffer is up to which size a buffer is used again.
const maxKeptBuffer = 1 << 20

// read reads a whole answer and checks that it is JSON, or empty where that will do.
func read(resp *http.Response, mayBeEmpty bool) ([]byte, error) {
	if resp.ContentLength > maxBody {
		return nil, errTooLarge
	}
	b := buffers.Get().(*bytes.Buffer)
	b.Reset()
	defer func() {
		if b.Cap() <= maxKeptBuffer {
			buffers.Put(b)
		}
	}()
	if _, err := b.ReadFrom(io.LimitReader(resp.Body, maxBody+1)); err != nil {
		return nil, err
	}
	if b.Len() > maxBody {
		return nil, errTooLarge
	}
	body := bytes.TrimPrefix(b.Bytes(), byteOrderMark)
	if mayBeEmpty && len(bytes.TrimSpace(body)) == 0 {
		return nil, nil
	}
	if !ValidJSON(body) {
		return nil, ErrNotJSON
	}
	return bytes.Clone(body), nil
}

// finish reads away what is left of an answer, within bounds, and closes it.
func finish(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, maxDrain)
	_ = body.Close()
}
