package gql

import (
	"bytes"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// Header values are shared between answers.
var (
	noStore   = []string{"no-store"}
	identity  = []string{"identity"}
	bearer    = []string{"Bearer"}
	allowPost = []string{"POST"}
	allowBoth = []string{"GET, POST"}
)

// serveHTTP serves one request (GraphQL over HTTP §5 and §6). What the headers alone decide comes before Authenticate,
// and the body after it, so that a stranger's is never read.
func (h *Handler) serveHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header()["Cache-Control"] = noStore
	accept := negotiate(r.Header["Accept"])
	a := answer{w: w, media: max(accept.single, mediaJSON)}
	if accept == (accepted{}) {
		a.refuse(http.StatusNotAcceptable, failure(codeBadInput, "answers come as %s, %s or %s", typeGraphQL, typeJSON, typeEvents))
		return
	}
	if !h.readable(a, r) {
		return
	}
	ctx, err := h.authenticate(r.Context(), r, r.Header.Get("Authorization"))
	if err != nil {
		a.unauthenticated(err)
		return
	}
	began := time.Now()
	if retryAfter, err := h.admit(ctx); err != nil {
		h.done("", gqlerror.List{err}, began)
		a.limited(retryAfter, err)
		return
	}
	params, err := h.params(w, r)
	if err != nil {
		a.malformed(err, h.limits.Body)
		return
	}
	params.Headers = r.Header
	e, errs := h.prepare(ctx, params)
	if errs != nil {
		h.done("", errs, began)
	}
	switch {
	case errs != nil && accept.single == mediaNone:
		serveRefusal(w, errs)
	case errs != nil:
		a.invalid(errs)
	case e.kind() != ast.Query && r.Method == http.MethodGet:
		w.Header()["Allow"] = allowPost
		a.refuse(http.StatusMethodNotAllowed, failure(codeBadInput, "a %s needs POST", e.kind()))
	case accept.single == mediaNone, accept.events && e.kind() == ast.Subscription:
		h.serveEvents(a, e)
	case e.kind() == ast.Subscription:
		a.refuse(http.StatusBadRequest, failure(codeBadInput, "a subscription needs Accept: %s or a WebSocket", typeEvents))
	default:
		defer e.stop()
		a.result(e.next())
	}
}

// readable refuses a request by its method and headers alone.
func (h *Handler) readable(a answer, r *http.Request) bool {
	switch {
	case r.Method == http.MethodGet:
		return true
	case r.Method != http.MethodPost:
		a.w.Header()["Allow"] = allowBoth
		a.refuse(http.StatusMethodNotAllowed, failure(codeBadInput, "use POST, or GET for a query"))
	case !isJSON(r.Header.Get("Content-Type")):
		a.refuse(http.StatusUnsupportedMediaType, failure(codeBadInput, "the request body must be %s in UTF-8", typeJSON))
	case compressed(r.Header["Content-Encoding"]):
		a.w.Header()["Accept-Encoding"] = identity
		a.refuse(http.StatusUnsupportedMediaType, failure(codeBadInput, "the request body must not be compressed"))
	case r.ContentLength > h.limits.Body:
		a.tooLarge(h.limits.Body)
	default:
		return true
	}
	return false
}

// compressed reports whether a body is encoded in any way. We have no decoder, so there are no decompression bombs.
func compressed(encodings []string) bool {
	for _, e := range encodings {
		if e != "" && !strings.EqualFold(e, "identity") {
			return true
		}
	}
	return false
}

func (h *Handler) params(w http.ResponseWriter, r *http.Request) (*graphql.RawParams, error) {
	if r.Method == http.MethodGet {
		return urlParams(r)
	}
	return bodyParams(w, r, h.limits.Body)
}

// answer writes one response in the media type that was negotiated.
type answer struct {
	w     http.ResponseWriter
	media media // mediaJSON or mediaGraphQL
}

func (a answer) refuse(status int, errs ...*gqlerror.Error) {
	a.send(status, &graphql.Response{Errors: errs})
}

func (a answer) unauthenticated(err error) {
	if errors.Is(err, ErrUnavailable) {
		a.unavailable(failure(codeInternal, "cannot tell who is asking right now, try again"))
		return
	}
	a.w.Header()["Www-Authenticate"] = bearer
	a.refuse(http.StatusUnauthorized, failure(codeUnauthenticated, "sign in first"))
}

func (a answer) unavailable(err *gqlerror.Error) {
	a.w.Header().Set("Retry-After", "1")
	a.refuse(http.StatusServiceUnavailable, err)
}

// limited refuses a caller who asks for too much. Retry-After is in whole seconds (RFC 9110 §10.2.3).
func (a answer) limited(retryAfter time.Duration, err *gqlerror.Error) {
	a.w.Header().Set("Retry-After", strconv.FormatInt(int64(math.Ceil(max(retryAfter.Seconds(), 1))), 10))
	a.refuse(http.StatusTooManyRequests, err)
}

func (a answer) malformed(err error, limit int64) {
	if tooLarge(err) {
		a.tooLarge(limit)
		return
	}
	a.refuse(http.StatusBadRequest, failure(codeBadInput, "%v", err))
}

func (a answer) tooLarge(limit int64) {
	a.refuse(http.StatusRequestEntityTooLarge, failure(codeTooComplex, "the request body is above %d bytes", limit))
}

// invalid refuses a document that cannot be parsed, is not valid, asks for too much or whose variables do not fit:
// application/json has 200 for it (GraphQL over HTTP §6.4.1), application/graphql-response+json 400 (§6.4.2).
func (a answer) invalid(errs gqlerror.List) {
	status := http.StatusBadRequest
	if a.media == mediaJSON {
		status = http.StatusOK
	}
	a.refuse(status, errs...)
}

// result answers an executed operation: 200 as soon as there is a data entry, be it null.
func (a answer) result(r *graphql.Response) {
	switch {
	case r == nil:
		// The client left, so nobody reads this.
		a.refuse(http.StatusServiceUnavailable, failure(codeInternal, "the request was cancelled"))
	case len(r.Data) == 0 && len(r.Errors) > 0 && r.Errors[0].Extensions["code"] == codeBadInput:
		a.invalid(r.Errors)
	case len(r.Data) == 0:
		a.send(http.StatusServiceUnavailable, r)
	case len(r.Errors) == 0 && len(r.Extensions) == 0:
		a.header(http.StatusOK, len(dataOnly)+len(r.Data)+1)
		_, _ = a.w.Write(dataOnly)
		_, _ = a.w.Write(r.Data)
		_, _ = a.w.Write(closing)
	default:
		a.send(http.StatusOK, r)
	}
}

// The usual answer is the executor's bytes between these two.
var (
	dataOnly = []byte(`{"data":`)
	closing  = []byte(`}`)
)

func (a answer) send(status int, r *graphql.Response) {
	buf := scratch.Get().(*bytes.Buffer)
	defer release(buf)
	buf.Write(appendResponse(buf.AvailableBuffer(), r))
	a.header(status, buf.Len())
	_, _ = a.w.Write(buf.Bytes())
}

func (a answer) header(status, length int) {
	header := a.w.Header()
	header["Content-Type"] = contentType[a.media]
	header["Content-Length"] = []string{strconv.Itoa(length)}
	a.w.WriteHeader(status)
}
