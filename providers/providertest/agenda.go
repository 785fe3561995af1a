package providertest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"sparki.app/integrations"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/rest"
)

// AgendaCase is a provider and its mock, for the suite of the agenda.
type AgendaCase struct {
	Provider providers.Provider
	// Mock makes a CRM with an agenda, and the settings that it accepts.
	Mock func(*testing.T) (http.Handler, sparki.Settings)
	// Medewerker is given to a target that names none, where the CRM needs one.
	Medewerker string
	// ReadOnly says of the calls of a Put or a Cancel which change nothing in the CRM.
	ReadOnly func(*http.Request) bool
}

// RunAgenda runs the suite of the agenda.
func RunAgenda(t *testing.T, c AgendaCase) {
	t.Run("Targets", c.targets)
	t.Run("CreateChangeCancel", c.createChangeCancel)
	t.Run("Unknown", c.unknown)
	t.Run("Guard", c.guard)
	t.Run("LostAnswers", c.lostAnswers)
	t.Run("Refusals", c.refusals)
	t.Run("LongTexts", c.longTexts)
}

// desk is a connection with a CRM's agenda whose calls a test can watch and break.
type desk struct {
	AgendaCase
	conn   providers.Agenda
	agenda []sparki.AgendaTarget
	mu     sync.Mutex
	// call is asked before each call; nil lets all through. Its answer, if any, is taken instead.
	call func(next http.RoundTripper, req *http.Request) (*http.Response, error)
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (c AgendaCase) open(t *testing.T) *desk {
	t.Helper()
	mock, settings := c.Mock(t)
	d := &desk{AgendaCase: c}
	next := rest.Local(mock)
	conn, err := c.Provider.Connect(settings, transportFunc(func(r *http.Request) (*http.Response, error) {
		d.mu.Lock()
		call := d.call
		d.mu.Unlock()
		if call == nil {
			return next.RoundTrip(r)
		}
		return call(next, r)
	}))
	if err != nil {
		t.Fatal(err)
	}
	d.conn = conn.(providers.Agenda)
	targets, err := d.conn.Targets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range targets {
		if target.Available {
			d.agenda = append(d.agenda, target)
		}
	}
	if len(d.agenda) < 2 {
		t.Fatalf("%d agendas: the suite wants two", len(d.agenda))
	}
	return d
}

func (d *desk) on(call func(http.RoundTripper, *http.Request) (*http.Response, error)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.call = call
}

// entry is an appointment in the n-th agenda.
func (d *desk) entry(n int) sparki.AgendaEntry {
	zone := time.FixedZone("CEST", 2*60*60)
	target := d.agenda[n]
	e := sparki.AgendaEntry{
		Reference: sparki.AppointmentNode.ID(sparki.NewID()), Subject: "Lindelaan 14A – Noor Beekman", Location: "Lindelaan 14A, 3981 XB Bunnik",
		Start: time.Date(2027, 4, 2, 14, 0, 0, 0, zone), End: time.Date(2027, 4, 2, 14, 30, 0, 0, zone),
		Customer: sparki.Customer{Name: "Noor Beekman"},
		Target:   sparki.EntryTarget{ExternalID: target.ExternalID, Kind: target.Kind, Name: target.Name, MedewerkerID: d.Medewerker},
	}
	if target.AfdelingCode != nil {
		e.Target.AfdelingCode = *target.AfdelingCode
	}
	if target.MedewerkerID != nil {
		e.Target.MedewerkerID = *target.MedewerkerID
	}
	e.Description = "Klant: Noor Beekman\n" + sparki.ReferenceLine(e.Reference) + "\n"
	return e
}

func (d *desk) put(t *testing.T, id string, e sparki.AgendaEntry) string {
	t.Helper()
	put, err := d.conn.Put(t.Context(), id, e)
	if err != nil || put == "" || id != "" && put != id {
		t.Fatalf("put %q: %q, %v", id, put, err)
	}
	return put
}

// stands wants the item to stand in the CRM as the entry says.
func (d *desk) stands(t *testing.T, id string, e sparki.AgendaEntry) {
	t.Helper()
	found, err := d.conn.Read(t.Context(), id, e)
	if err != nil || !found.Start.Equal(e.Start) || !found.End.Equal(e.End) || found.Target != e.Target.ExternalID || found.Cancelled || found.RemoteID != id {
		t.Errorf("the item is %+v, %v", found, err)
	}
	if at, err := d.conn.Find(t.Context(), e); err != nil || at != id {
		t.Errorf("found %q, %v, want %q", at, err, id)
	}
}

func (c AgendaCase) targets(t *testing.T) {
	t.Parallel()
	d := c.open(t)
	seen := map[string]bool{}
	for _, target := range d.agenda {
		if target.ExternalID == "" || target.Name == "" || target.Kind != sparki.TargetPerson && target.Kind != sparki.TargetOffice || seen[target.ExternalID] {
			t.Errorf("a target is %+v", target)
		}
		seen[target.ExternalID] = true
	}
}

func (c AgendaCase) createChangeCancel(t *testing.T) {
	t.Parallel()
	d := c.open(t)
	e, other := d.entry(0), d.entry(0)
	id, second := d.put(t, "", e), d.put(t, "", other)
	if id == second {
		t.Fatal("two appointments have one item")
	}
	d.stands(t, id, e)
	d.stands(t, second, other)

	e.Start, e.End = e.Start.Add(2*time.Hour), e.End.Add(2*time.Hour)
	d.put(t, id, e)
	d.stands(t, id, e)
	e.Subject, e.Location = "Brink 1 – Noor Beekman", "Brink 1, Deventer"
	e.Description = "Klant: iemand anders\n" + sparki.ReferenceLine(e.Reference) + "\n"
	d.put(t, id, e)
	d.put(t, id, e) // nothing changed
	d.stands(t, id, e)

	for range 2 {
		if err := d.conn.Cancel(t.Context(), id, e); err != nil {
			t.Fatal(err)
		}
	}
	if found, err := d.conn.Read(t.Context(), id, e); err != nil || !found.Cancelled {
		t.Errorf("cancelled, it is %+v, %v", found, err)
	}
	if at, err := d.conn.Find(t.Context(), e); sparki.KindOf(err) != sparki.NotFound {
		t.Errorf("a cancelled item is found: %q, %v", at, err)
	}
	d.stands(t, second, other)
	d.put(t, id, e) // whatever it said before
	d.stands(t, id, e)
}

func (c AgendaCase) unknown(t *testing.T) {
	t.Parallel()
	d := c.open(t)
	e := d.entry(0)
	id := d.put(t, "", e)
	gone := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '8' {
			return r + 1
		}
		return r
	}, id)
	if _, err := d.conn.Put(t.Context(), gone, e); sparki.KindOf(err) != sparki.NotFound || sparki.Lost(err) {
		t.Errorf("change an item that is not there: %v", err)
	}
	if err := d.conn.Cancel(t.Context(), gone, e); sparki.KindOf(err) != sparki.NotFound || sparki.Lost(err) {
		t.Errorf("cancel an item that is not there: %v", err)
	}
	if _, err := d.conn.Read(t.Context(), gone, e); sparki.KindOf(err) != sparki.NotFound {
		t.Errorf("read an item that is not there: %v", err)
	}
	if _, err := d.conn.Find(t.Context(), d.entry(0)); sparki.KindOf(err) != sparki.NotFound {
		t.Errorf("find an item that is not there: %v", err)
	}
}

// guard: every call that changes something asks the guard first, once, and no other one does.
func (c AgendaCase) guard(t *testing.T) {
	t.Parallel()
	d := c.open(t)
	e := d.entry(0)
	asked, forbidden := 0, false
	no := sparki.Errorf(sparki.Conflict, "not any more")
	ctx := sparki.WithGuard(t.Context(), func(context.Context) (func(), error) {
		if asked++; forbidden {
			return nil, no
		}
		return func() {}, nil
	})
	id, err := d.conn.Put(ctx, "", e)
	if err != nil || asked != 1 {
		t.Fatalf("create asks %d times: %v", asked, err)
	}
	e.Start, e.End = e.Start.Add(time.Hour), e.End.Add(time.Hour)
	if _, err := d.conn.Put(ctx, id, e); err != nil || asked != 2 {
		t.Errorf("change asks %d times: %v", asked-1, err)
	}
	_, _ = d.conn.Read(ctx, id, e)
	_, _ = d.conn.Find(ctx, e)
	_, _ = d.conn.Targets(ctx)
	if asked != 2 {
		t.Errorf("reading asks %d times", asked-2)
	}
	forbidden = true
	later := e
	later.Start, later.End = e.Start.Add(time.Hour), e.End.Add(time.Hour)
	_, putErr := d.conn.Put(ctx, id, later)
	_, createErr := d.conn.Put(ctx, "", d.entry(1))
	cancelErr := d.conn.Cancel(ctx, id, e)
	for what, err := range map[string]error{"change": putErr, "create": createErr, "cancel": cancelErr} {
		if !errors.Is(err, no) || sparki.Lost(err) {
			t.Errorf("a forbidden %s: %v", what, err)
		}
	}
	d.stands(t, id, e)
	if err := d.conn.Cancel(t.Context(), id, e); err != nil {
		t.Error(err)
	}
}

// lostAnswers: an answer that gets lost after the CRM did it says so, and the item is found by its
// reference; a call that breaks before anything was done does not.
func (c AgendaCase) lostAnswers(t *testing.T) {
	t.Parallel()
	d := c.open(t)
	d.put(t, "", d.entry(1)) // signed in, and whatever else comes first
	e := d.entry(0)
	d.on(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(r)
		if err == nil && !d.ReadOnly(r) {
			_ = resp.Body.Close()
			return nil, io.ErrUnexpectedEOF
		}
		return resp, err
	})
	if _, err := d.conn.Put(t.Context(), "", e); !sparki.Lost(err) || sparki.KindOf(err) != sparki.Unavailable {
		t.Errorf("an answer that was lost: %v", err)
	}
	d.on(nil)
	id, err := d.conn.Find(t.Context(), e)
	if err != nil {
		t.Fatalf("it was done, and is not found: %v", err)
	}
	d.stands(t, id, e)

	reads := 0
	d.on(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
		if d.ReadOnly(r) {
			reads++
			return nil, io.ErrUnexpectedEOF
		}
		return next.RoundTrip(r)
	})
	_, err = d.conn.Put(t.Context(), "", d.entry(0))
	if reads > 0 && (err == nil || sparki.Lost(err)) {
		t.Errorf("a call that broke before anything was done: %v", err)
	}
}

// refusals: what the CRM's status says of whether something was done.
func (c AgendaCase) refusals(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]struct {
		kind sparki.Kind
		lost bool
	}{
		400: {sparki.Rejected, false}, 401: {sparki.Unauthorized, false}, 422: {sparki.Rejected, false},
		408: {sparki.Unavailable, true}, 429: {sparki.Unavailable, false}, 500: {sparki.Unavailable, true}, 503: {sparki.Unavailable, true},
	} {
		d := c.open(t)
		d.put(t, "", d.entry(1))
		d.on(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			if d.ReadOnly(r) {
				return next.RoundTrip(r)
			}
			return &http.Response{StatusCode: status, Header: http.Header{"Retry-After": {"7"}}, Body: http.NoBody, Request: r}, nil
		})
		_, err := d.conn.Put(t.Context(), "", d.entry(0))
		if sparki.KindOf(err) != want.kind || sparki.Lost(err) != want.lost {
			t.Errorf("%d: %v, lost %v", status, err, sparki.Lost(err))
		}
		if status == 429 && sparki.RetryAfter(err) != 7*time.Second {
			t.Errorf("429 waits %v", sparki.RetryAfter(err))
		}
	}
}

// longTexts: whatever people write fits, and is found again.
func (c AgendaCase) longTexts(t *testing.T) {
	t.Parallel()
	d := c.open(t)
	e := d.entry(0)
	e.Subject = strings.Repeat("🏠 <b>Ünal</b> \"x\" ", 600)
	e.Customer.Name = e.Subject
	e.Description = strings.Repeat("é", 10_000) + "\n" + sparki.ReferenceLine(e.Reference) + "\n"
	if !utf8.ValidString(e.Subject) {
		t.Fatal("the test itself is wrong")
	}
	d.stands(t, d.put(t, "", e), e)
}
