package mockkit

import (
	"bytes"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Faults makes HTTP calls go wrong, for tests. The zero value lets everything pass. It is a field of
// every mock, and can stand before any other handler with Wrap.
type Faults struct {
	// Refusal is the body of a refusal with a status, in the CRM's own shape; nil is {"message": …}.
	// Set it before the first call.
	Refusal func(status int) string

	mu     sync.Mutex
	active []*Fault
}

// Fault is one thing that goes wrong, for the next calls that match.
type Fault struct {
	// Method and Path say which calls match; "" is any. Path is a part of the URL's path.
	Method, Path string
	// Times is how many matching calls fail; 0 means one, below 0 all.
	Times int
	// After lets so many matching calls pass first.
	After int
	Kind  FaultKind
	// Status is for FaultStatus, FaultStatusAfter and FaultHTML.
	Status int
	// Body is what FaultStatus and FaultStatusAfter answer with; "" is the CRM's usual refusal.
	Body string
	// RetryAfter is sent as it is, in seconds or as a date; "" sends none.
	RetryAfter string
	// Delay is for FaultSlow: before the answer; for FaultDrip: before each byte of it.
	Delay time.Duration
	// Location is for FaultRedirect.
	Location string
	// Size is for FaultHuge, in bytes; 0 means 11 MiB.
	Size int
}

// FaultKind is a way to go wrong.
type FaultKind int

const (
	// FaultStatus refuses with Status, in the CRM's error shape, and does nothing.
	FaultStatus FaultKind = iota
	// FaultHTML is a proxy's error page with status 500 (or Status), and nothing done.
	FaultHTML
	// FaultSlow answers rightly, but late. The call is carried out at once.
	FaultSlow
	// FaultDrip answers rightly, but byte by byte.
	FaultDrip
	// FaultReset carries the call out and breaks the connection instead of answering. It panics with
	// http.ErrAbortHandler, as net/http wants; a transport inside the process has to recover it.
	FaultReset
	// FaultStatusAfter carries the call out and answers with Status nevertheless.
	FaultStatusAfter
	// FaultAccepted carries the call out and answers 202 without a body.
	FaultAccepted
	// FaultGarbage answers 200 with bytes that are not JSON.
	FaultGarbage
	// FaultTruncated carries the call out and answers with the first half of the JSON.
	FaultTruncated
	// FaultEmpty answers 200 without a body.
	FaultEmpty
	// FaultRedirect answers 302 to Location.
	FaultRedirect
	// FaultHuge answers 200 with a JSON body of Size bytes.
	FaultHuge
)

// Add arms a fault, behind those that are armed already: the first that matches a call is used.
func (f *Faults) Add(fault Fault) {
	if fault.Times == 0 {
		fault.Times = 1
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.active = append(f.active, &fault)
}

// Clear disarms all.
func (f *Faults) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.active = nil
}

// Left is how many calls are still to fail, without the faults that never end.
func (f *Faults) Left() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, fault := range f.active {
		n += max(fault.Times, 0)
	}
	return n
}

// Wrap puts the faults before a handler.
func (f *Faults) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.Serve(w, r, next.ServeHTTP) })
}

// match finds the fault of a call and counts it; nil when there is none.
func (f *Faults) match(r *http.Request) *Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fault := range f.active {
		if fault.Times == 0 || !fault.Matches(r) {
			continue
		}
		if fault.After > 0 {
			fault.After--
			return nil
		}
		if fault.Times > 0 {
			fault.Times--
		}
		found := *fault
		return &found
	}
	return nil
}

// Matches says whether a call is one that the fault is meant for.
func (f *Fault) Matches(r *http.Request) bool {
	return (f.Method == "" || f.Method == r.Method) && strings.Contains(r.URL.Path, f.Path)
}

// Serve lets a call go wrong if a fault is armed for it, and passes it to next otherwise.
func (f *Faults) Serve(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
	fault := f.match(r)
	if fault == nil {
		next(w, r)
		return
	}
	if fault.Body == "" && f.Refusal != nil {
		fault.Body = f.Refusal(fault.Status)
	}
	fault.Serve(w, r, next)
}

// Serve lets a call go wrong, however often the fault was used before.
func (f *Fault) Serve(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	switch f.Kind {
	case FaultStatus:
		f.refuse(w)
	case FaultHTML:
		status := f.Status
		if status == 0 {
			status = http.StatusInternalServerError
		}
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		_, _ = w.Write([]byte("<!DOCTYPE html><html><head><title>Runtime Error</title></head><body><h1>Server Error in '/' Application.</h1></body></html>"))
	case FaultGarbage:
		Write(w, http.StatusOK, []byte("\x00\xff{]not json"))
	case FaultEmpty:
		w.WriteHeader(http.StatusOK)
	case FaultRedirect:
		w.Header().Set("Location", f.Location)
		w.WriteHeader(http.StatusFound)
	case FaultHuge:
		size := f.Size
		if size == 0 {
			size = 11 << 20
		}
		f.huge(w, size)
	default:
		done := &recorder{code: http.StatusOK, header: http.Header{}}
		next(done, r)
		f.spoil(w, r, done)
	}
}

// refuse answers with a status and the words that go with it.
func (f *Fault) refuse(w http.ResponseWriter) {
	body := f.Body
	if body == "" {
		body = `{"message":` + strconv.Quote(http.StatusText(f.Status)) + `}`
	}
	Write(w, f.Status, []byte(body))
}

// huge writes a JSON object of size bytes.
func (f *Fault) huge(w http.ResponseWriter, size int) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(size))
	const head, tail = `{"filling":"`, `"}`
	_, _ = w.Write([]byte(head))
	block := bytes.Repeat([]byte("x"), 64<<10)
	for left := size - len(head) - len(tail); left > 0; left -= len(block) {
		if _, err := w.Write(block[:min(left, len(block))]); err != nil {
			return
		}
	}
	_, _ = w.Write([]byte(tail))
}

// spoil passes on the answer of a call that was carried out, in its own way.
func (f *Fault) spoil(w http.ResponseWriter, r *http.Request, done *recorder) {
	body := done.body.Bytes()
	copyHead := func() {
		maps.Copy(w.Header(), done.header)
		w.WriteHeader(done.code)
	}
	switch f.Kind {
	case FaultReset:
		panic(http.ErrAbortHandler)
	case FaultStatusAfter:
		f.refuse(w)
	case FaultAccepted:
		w.WriteHeader(http.StatusAccepted)
	case FaultTruncated:
		copyHead()
		_, _ = w.Write(body[:len(body)/2])
	case FaultSlow:
		if pause(r, f.Delay) {
			copyHead()
			_, _ = w.Write(body)
		}
	case FaultDrip:
		copyHead()
		out := http.NewResponseController(w)
		for _, b := range body {
			if _, err := w.Write([]byte{b}); err != nil {
				return
			}
			_ = out.Flush() // where it is not supported, the bytes come together
			if !pause(r, f.Delay) {
				return
			}
		}
	}
}

// recorder keeps an answer.
type recorder struct {
	code   int
	header http.Header
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(code int)        { r.code = code }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

// pause waits, unless the client goes away first.
func pause(r *http.Request, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}
