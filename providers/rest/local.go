package rest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync"
)

// Local carries calls to a handler in this process: the real client talks to a mock CRM without a
// socket between them. An answer is streamed while it is written. When the call ends early, the
// handler's context is cancelled and its writes fail, as with a real connection; a handler that
// panics breaks the connection.
func Local(h http.Handler) http.RoundTripper { return &local{h} }

type local struct{ handler http.Handler }

var errHandlerFailed = fmt.Errorf("the handler failed: %w", io.ErrUnexpectedEOF)

func (t *local) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(req.Context())
	pr, pw := io.Pipe()
	w := &localWriter{
		header: http.Header{}, body: pw, head: req.Method == http.MethodHead,
		gone: req.Context().Err, started: make(chan struct{}),
	}
	// Whoever still reads or writes learns of the end of the call.
	stop := context.AfterFunc(req.Context(), func() { w.fail(req.Context().Err()) })
	go func() {
		defer cancel()
		if req.Body != nil {
			defer func() { _ = req.Body.Close() }()
		}
		defer stop()
		defer func() {
			if recover() != nil {
				w.fail(errHandlerFailed)
			}
		}()
		if trace := httptrace.ContextClientTrace(ctx); trace != nil && trace.WroteRequest != nil {
			trace.WroteRequest(httptrace.WroteRequestInfo{})
		}
		t.handler.ServeHTTP(w, incoming(ctx, req))
		w.finish()
	}()
	<-w.started
	if w.failed != nil {
		cancel()
		return nil, w.failed
	}
	return &http.Response{
		Status: strconv.Itoa(w.status) + " " + http.StatusText(w.status), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, ContentLength: w.length, Request: req,
		Body: &localBody{PipeReader: pr, cancel: cancel},
	}, nil
}

// incoming is a client's request as a server sees it.
func incoming(ctx context.Context, req *http.Request) *http.Request {
	in := req.Clone(ctx)
	in.RequestURI = req.URL.RequestURI()
	in.Proto, in.ProtoMajor, in.ProtoMinor = "HTTP/1.1", 1, 1
	in.RemoteAddr = "127.0.0.1:0"
	if in.Host == "" {
		in.Host = req.URL.Host
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	return in
}

// localBody ends the handler's context when the client closes the answer.
type localBody struct {
	*io.PipeReader
	cancel context.CancelFunc
}

func (b *localBody) Close() error {
	b.cancel()
	return b.PipeReader.Close()
}

// localWriter is the handler's side of an answer.
type localWriter struct {
	header  http.Header
	body    *io.PipeWriter
	head    bool          // the request was HEAD: no body is sent
	gone    func() error  // why the call has ended; nil while it goes on
	started chan struct{} // closed when the status is known, or that there will be none
	once    sync.Once

	// Written before started is closed.
	status int
	sent   http.Header
	length int64 // the Content-Length that was announced; -1 for none
	failed error

	written int64
}

func (w *localWriter) Header() http.Header { return w.header }

func (w *localWriter) WriteHeader(status int) {
	if status >= 100 && status <= 199 {
		return // informational: the answer is still to come
	}
	w.once.Do(func() {
		w.status, w.sent, w.length = status, w.header.Clone(), -1
		if n, err := strconv.ParseInt(strings.TrimSpace(w.header.Get("Content-Length")), 10, 64); err == nil {
			w.length = n
		}
		close(w.started)
	})
}

func (w *localWriter) Write(p []byte) (int, error) {
	if err := w.gone(); err != nil {
		return 0, err
	}
	w.WriteHeader(http.StatusOK)
	if w.head {
		return len(p), nil
	}
	n, err := w.body.Write(p)
	w.written += int64(n)
	return n, err
}

// Flush makes the status known; what is written is sent at once anyway.
func (w *localWriter) Flush() { w.WriteHeader(http.StatusOK) }

// finish ends the answer of a handler that returned. It broke off, as with a real connection, if
// the call had ended before or if less was written than announced.
func (w *localWriter) finish() {
	if err := w.gone(); err != nil {
		w.fail(err)
		return
	}
	w.WriteHeader(http.StatusOK)
	if w.length > w.written && !w.head {
		w.fail(io.ErrUnexpectedEOF)
		return
	}
	_ = w.body.Close()
}

// fail breaks the connection off.
func (w *localWriter) fail(err error) {
	w.once.Do(func() {
		w.failed = err
		close(w.started)
	})
	_ = w.body.CloseWithError(err)
}
