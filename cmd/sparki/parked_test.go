package main

import (
	"testing"
	"time"

	"sparki.app/integrations/providers/kolibri"
	"sparki.app/integrations/providers/mockkit"
)

// What a refusal parked goes on as soon as a check finds that the CRM takes us again.
func TestCheckWakesWhatIsParked(t *testing.T) {
	t.Parallel()
	forKinds(t, func(t *testing.T, k kind) {
		h := newHookOf(t, k)
		h.office.change(t, k.house, `{"price": 765432}`)
		h.office.faults.Add(mockkit.Fault{Path: k.apiPath, Status: 401, Times: -1})
		delivery := h.told(t, k.house)[0]
		eventually(t, "the fetch to be parked", func() bool { return h.parked(t) == 1 })
		if state, _, _ := h.line(t); state != "UNAUTHORIZED" || h.outcome(t, delivery) != "PENDING" {
			t.Errorf("refused, the connection is %s, the delivery %s", state, h.outcome(t, delivery))
		}
		h.office.faults.Clear()
		var out struct{ CheckConnection saved }
		h.query(t, h.token, `mutation ($id: ID!) { checkConnection(integrationId: $id) { integration { connection { state problem } } userErrors { code } } }`,
			map[string]any{"id": h.integration}, &out)
		if got := out.CheckConnection.Integration; got == nil || got.Connection.State != "OK" {
			t.Fatalf("checked, the connection is %+v", out)
		}
		if s := h.settled(t, delivery); s.Outcome != "PROCESSED" || h.item(t, k.house).Listing.Price.Amount != "765432.00" {
			t.Errorf("checked, the delivery is %s %q", s.Outcome, s.Reason)
		}
	})
}

// parked counts the fetches that wait for a person.
func (b *bundle) parked(t *testing.T) int {
	t.Helper()
	return b.count(t, "fetches where state = 'WAITING' and due_at > now() + interval '1 hour'")
}

// Consent that is taken back stops every call to the CRM, also those whose time has come; one save
// makes up for what was missed, once. Messages about people and offices have the agendas read again.
func TestConsentTakenBack(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	h.save(t, map[string]any{}, func(in map[string]any) {
		in["domains"] = map[string]any{"listings": true, "agenda": true, "outbound": false}
	})
	agendas := "sync_runs where domain = 'AGENDA' and state = 'SUCCEEDED'"
	eventually(t, "everything to be read", func() bool {
		return h.count(t, agendas) == 1 && h.count(t, "sync_runs where state in ('QUEUED', 'RUNNING')") == 0
	})
	for n, entity := range []string{"Employee", "Office"} {
		s := h.settled(t, h.accepted(t, kolibri.Envelope(kolibri.WebhookMessage{EntityType: entity, EntityID: lindelaan, Event: "Update"})))
		if s.Outcome != "PROCESSED" {
			t.Errorf("a message about an %s is %s %q", entity, s.Outcome, s.Reason)
		}
		eventually(t, "the agendas to be read again", func() bool { return h.count(t, agendas) == n+2 })
	}

	s := h.settled(t, h.accepted(t, kolibri.Envelope(kolibri.WebhookMessage{Category: "Authorization", EntityType: "Consent", Event: "Deleted"})))
	if state, problem, sum := h.line(t); s.Outcome != "PROCESSED" || state != "REVOKED" || problem == "" || sum != "FAILING" {
		t.Errorf("the message is %s, the connection %s %q, the sum %s", s.Outcome, state, problem, sum)
	}
	calls, runs := h.office.called(""), h.count(t, "sync_runs")
	delivery := h.told(t, lindelaan)[0]
	eventually(t, "the fetch to be parked", func() bool { return h.parked(t) == 1 })
	h.exec(t, `update integrations set incremental_due_at = now(), full_due_at = now(), targets_due_at = now()`)
	since := time.Now()
	eventually(t, "three sweeps to pass", func() bool { return time.Since(since) > 3*h.sweepEvery })
	if n := h.office.called("") - calls; n != 0 || h.outcome(t, delivery) != "PENDING" || h.count(t, "sync_runs") != runs {
		t.Errorf("without consent there were %d calls, %d runs, the delivery is %s", n, h.count(t, "sync_runs")-runs, h.outcome(t, delivery))
	}

	read := "Assignments?id=" + lindelaan
	reads := h.office.called(read)
	if got := h.save(t, map[string]any{}); got.Integration.Connection.State != "OK" {
		t.Errorf("saved anew the connection is %+v", got)
	}
	if s := h.settled(t, delivery); s.Outcome != "PROCESSED" {
		t.Errorf("saved anew the delivery is %s %q", s.Outcome, s.Reason)
	}
	if state := h.waitForSync(t, h.integration); state != "SUCCEEDED" || h.count(t, "sync_runs where domain = 'LISTINGS'") != 3 {
		t.Errorf("saved anew the crawl is %s, one of %d", state, h.count(t, "sync_runs where domain = 'LISTINGS'"))
	}
	if n := h.office.called(read) - reads; n != 1 {
		t.Errorf("the object was read %d times", n)
	}
}
