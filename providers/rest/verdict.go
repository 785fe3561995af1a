package rest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"sparki.app/integrations"
)

// Faults of the line or of an answer's form.
var (
	// ErrNotJSON: the answer is no JSON, or only a part of it.
	ErrNotJSON = errors.New("the answer is not JSON")
	// ErrForbiddenAddress: the host's address is none that may be called; see Transport.
	ErrForbiddenAddress = errors.New("the address is not a public one")
	// ErrBusy: our own limit of calls to this CRM is reached; see Limited.
	ErrBusy = errors.New("too many calls at once")

	errTooLarge = errors.New("the answer is larger than 10 MiB")
	errBroken   = errors.New("the connection failed")
)

const (
	// maxRetryAfter bounds how long a CRM can make us wait (reliability.md K1).
	maxRetryAfter = time.Hour
	maxWords      = 512 // bytes of the CRM's own words that are shown
	maxCode       = 64  // bytes of the CRM's own error code that are kept
)

// verdict is the kind of a status that is no success. It is the one table for all CRMs.
func verdict(status int) sparki.Kind {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return sparki.Unauthorized
	case status == http.StatusNotFound, status == http.StatusGone:
		return sparki.NotFound
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests:
		return sparki.Unavailable
	case status >= 400 && status <= 499:
		return sparki.Rejected
	case status >= 300 && status <= 399:
		return sparki.Misconfigured // a CRM's API does not move; its base URL is wrong
	default:
		return sparki.Unavailable
	}
}

// StatusError is the error for an answer whose status is no success, to a call that no Client made.
// name says who answered.
func StatusError(name string, resp *http.Response) error {
	trace := &CallError{Method: resp.Request.Method, Path: resp.Request.URL.Path, Status: resp.StatusCode}
	return (&Client{Name: name}).refused(Call{}, trace, resp)
}

// refused is the error for an answer whose status is no success.
func (c *Client) refused(call Call, trace *CallError, resp *http.Response) error {
	e := &sparki.Error{Kind: verdict(resp.StatusCode), Err: trace}
	words := ""
	if c.Explain != nil && resp.StatusCode >= 400 {
		// A refusal that breaks off is a refusal still.
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
		refusal := c.Explain(resp.StatusCode, body)
		if refusal.Kind != "" {
			e.Kind = refusal.Kind
		}
		trace.Code = OneLine(c.redact(call, refusal.Code), maxCode)
		words = OneLine(c.redact(call, refusal.Words), maxWords)
	}
	if e.Kind == sparki.Unavailable {
		e.RetryAfter = retryAfter(resp.Header.Get("Retry-After"))
		// A server that fails, or gives up waiting, may have done it before (reliability.md L5).
		e.Lost = resp.StatusCode >= 500 || resp.StatusCode == http.StatusRequestTimeout
	}
	e.Text = fmt.Sprintf(saying(e.Kind, resp.StatusCode), c.Name, resp.StatusCode)
	if e.Kind == sparki.Rejected && words != "" {
		e.Logged = e.Text
		e.Text = fmt.Sprintf("%s refuses the call (status %d): %s", c.Name, resp.StatusCode, words)
	}
	return e
}

// saying words a verdict for a person; it wants the CRM's name and the status.
func saying(kind sparki.Kind, status int) (format string) {
	switch {
	case kind == sparki.Unauthorized:
		return "%s refuses the credentials (status %d)"
	case kind == sparki.NotFound:
		return "%s does not have this object (status %d)"
	case status == http.StatusTooManyRequests:
		return "%s asks for fewer calls (status %d)"
	case kind == sparki.Unavailable:
		return "%s cannot answer at the moment (status %d)"
	case status >= 300 && status <= 399:
		return "%s answers at another address, which is not followed; check the base URL (status %d)"
	case kind == sparki.Misconfigured:
		return "%s does not accept these settings (status %d)"
	default:
		return "%s refuses the call (status %d)"
	}
}

// broken is the error for a call without a usable answer. ctx is the caller's.
func (c *Client) broken(ctx context.Context, trace *CallError, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("%s %s: %w", trace.Method, trace.Path, ctx.Err())
	}
	format, cause := fault(err)
	trace.Err = cause
	e := &sparki.Error{Kind: sparki.Unavailable, Text: fmt.Sprintf(format, c.Name), Lost: !unsent(err), Err: trace}
	if open, ok := errors.AsType[*openError](err); ok {
		e.Unasked, e.RetryAfter = true, open.wait
	}
	return e
}

// unsent says whether a call surely never reached the CRM.
func unsent(err error) bool {
	op, isOp := errors.AsType[*net.OpError](err)
	_, isDNS := errors.AsType[*net.DNSError](err)
	_, isCert := errors.AsType[*tls.CertificateVerificationError](err)
	return isDNS || isCert || isOp && op.Op == "dial" || errors.Is(err, ErrForbiddenAddress) || errors.Is(err, ErrBusy) || errors.Is(err, ErrOpen)
}

// fault words what went wrong for a person, wanting the CRM's name, and keeps of the cause what a log may show: other
// errors of net/http quote what the CRM sent.
func fault(err error) (format string, cause error) {
	dns, isDNS := errors.AsType[*net.DNSError](err)
	cert, isCert := errors.AsType[*tls.CertificateVerificationError](err)
	errno, isErrno := errors.AsType[syscall.Errno](err)
	switch {
	case errors.Is(err, ErrForbiddenAddress):
		return "%s has an address that is not public; check the base URL", ErrForbiddenAddress
	case errors.Is(err, ErrBusy):
		return "%s is asked for more than our limit of calls allows; it is tried again later", ErrBusy
	case errors.Is(err, ErrOpen):
		return "%s failed many times in a row; it is asked again in a moment", ErrOpen
	case errors.Is(err, ErrNotJSON):
		return "%s sent an answer that cannot be read; if this goes on, the base URL is wrong", ErrNotJSON
	case errors.Is(err, errTooLarge):
		return "%s sent an answer that is too large", errTooLarge
	case isCert:
		return "%s has a certificate that is not valid for its address", cert
	case isDNS && dns.IsNotFound:
		return "%s cannot be found; check the base URL", dns
	case isTimeout(err):
		return "%s does not answer in time", context.DeadlineExceeded
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "%s broke off its answer", io.ErrUnexpectedEOF
	case isErrno:
		return "%s cannot be reached", errno
	default:
		return "%s cannot be reached", errBroken
	}
}

func isTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	netErr, ok := errors.AsType[net.Error](err)
	return ok && netErr.Timeout()
}

// retryAfter reads a Retry-After header, seconds or a date (RFC 9110 §10.2.3). It is at most an
// hour; 0 stands for none.
func retryAfter(header string) time.Duration {
	header = strings.TrimSpace(header)
	if header == "" {
		return 0
	}
	if strings.Trim(header, "0123456789") == "" {
		seconds, err := strconv.ParseInt(header, 10, 64)
		if err != nil || seconds > int64(maxRetryAfter/time.Second) {
			return maxRetryAfter
		}
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(header)
	if err != nil {
		return 0
	}
	return min(max(time.Until(at), 0), maxRetryAfter)
}

// redact takes secrets out of a CRM's words.
func (c *Client) redact(call Call, words string) string {
	_, credentials, _ := strings.Cut(call.Header.Get("Authorization"), " ")
	for _, secret := range append([]sparki.Secret{sparki.Secret(credentials)}, c.Secrets...) {
		if text := strings.TrimSpace(secret.Reveal()); text != "" {
			words = strings.ReplaceAll(words, text, secret.String())
		}
	}
	return words
}
