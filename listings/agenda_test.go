package listings

import (
	"testing"

	"github.com/google/uuid"

	"sparki.app/integrations"
)

// appointed gives a project appointments that are in the CRM's agenda: one that comes and one that is
// over, one that comes and is not confirmed, and one that comes and was refused.
func (b *bundle) appointed(t *testing.T, project uuid.UUID) {
	t.Helper()
	schedule := sparki.NewID()
	b.exec(t, `insert into schedules (portal_id, id, name) values ($1, $2, 'Bezichtigingen')`, b.portal.ID, schedule)
	for _, a := range []struct {
		name, status, in, state string
		live                    bool
	}{{"comes", "CONFIRMED", "1 day", "SYNCED", true}, {"over", "CONFIRMED", "-1 day", "SYNCED", true},
		{"asked", "PENDING", "1 day", "NOT_NEEDED", false}, {"cancelled", "CANCELLED", "1 day", "SYNCED", false}, {"refused", "CONFIRMED", "1 day", "FAILED", false}} {
		id := sparki.NewID()
		b.exec(t, `insert into appointments (portal_id, id, schedule_id, project_id, status, starts_at, ends_at, customer_name, search)
			values ($1, $2, $3, $4, $5, now() + $6::interval, now() + $6::interval + interval '1 hour', $7, '')`, b.portal.ID, id, schedule, project, a.status, a.in, a.name)
		b.exec(t, `insert into write_backs (portal_id, appointment_id, state, integration_id, item_integration_id, live) values ($1, $2, $3, $4, $4, $5)`,
			b.portal.ID, id, a.state, b.integration.ID, a.live)
	}
}

// compared says whether what comes, and nothing else, was queued since it was asked last.
func (b *bundle) compared(t *testing.T) bool {
	t.Helper()
	queued := b.count(t, `select count(*) from write_backs where state = 'QUEUED' and due_at <= now()`)
	wrong := b.count(t, `select count(*) from write_backs w join appointments a on a.id = w.appointment_id where w.state = 'QUEUED' and a.customer_name not in ('comes', 'refused')`)
	if wrong > 0 || queued != 0 && queued != 2 {
		t.Errorf("%d are queued, %d of them wrongly", queued, wrong)
	}
	b.exec(t, `update write_backs w set state = case when a.customer_name = 'refused' then 'FAILED' else 'SYNCED' end
		from appointments a where a.id = w.appointment_id and w.state = 'QUEUED'`)
	return queued > 0
}

// What CRM agendas say of a project is compared anew when it changes, and only then.
func TestAgendasFollowProjects(t *testing.T) {
	t.Parallel()
	b, item, project := imported(t)
	b.appointed(t, project.ID)
	patch := func(field sparki.ProjectField, set func(*sparki.Listing)) func(*testing.T) error {
		return func(t *testing.T) error {
			_, err := b.Update(t.Context(), b.who, project.ID, sparki.ProjectPatch{Set: map[sparki.ProjectField]func(*sparki.Listing){field: set}})
			return err
		}
	}
	inCRM := func(f func(*sparki.Found, *sparki.Listing)) func(*testing.T) error {
		return func(t *testing.T) error {
			found := *b.crm.objects[ref(1).Key()]
			listing := *found.Listing
			found.Listing = &listing
			f(&found, &listing)
			b.crm.mu.Lock()
			b.crm.objects[ref(1).Key()] = &found
			b.crm.mu.Unlock()
			b.change(t, ref(1), func(*sparki.Listing) {})
			return nil
		}
	}
	for _, step := range []struct {
		what    string
		do      func(*testing.T) error
		compare bool
	}{
		{"a title in the CRM", inCRM(func(_ *sparki.Found, l *sparki.Listing) { l.Title = "Villa" }), true},
		{"an address in the CRM", inCRM(func(_ *sparki.Found, l *sparki.Listing) { l.Address.Label = "Brink 1, Deventer" }), true},
		{"a status in the CRM", inCRM(func(_ *sparki.Found, l *sparki.Listing) { l.Status = sparki.StatusUnderOption }), false},
		{"a code in the CRM", inCRM(func(f *sparki.Found, _ *sparki.Listing) { f.ObjectCode = "LM7" }), true},
		{"an afdeling in the CRM", inCRM(func(f *sparki.Found, _ *sparki.Listing) { f.AfdelingCode = "935001" }), true},
		{"a person's title", patch(sparki.FieldTitle, func(l *sparki.Listing) { l.Title = "Ons huis" }), true},
		{"the same title", patch(sparki.FieldTitle, func(l *sparki.Listing) { l.Title = "Ons huis" }), false},
		{"a person's category", patch(sparki.FieldCategory, func(l *sparki.Listing) { l.Category = sparki.CategoryOther }), false},
		{"a title in the CRM that a person's replaces", inCRM(func(_ *sparki.Found, l *sparki.Listing) { l.Title = "Landhuis" }), false},
		{"the title given back", func(t *testing.T) error {
			_, err := b.ResetFields(t.Context(), b.who, project.ID, []sparki.ProjectField{sparki.FieldTitle})
			return err
		}, true},
		{"withdrawn", inCRM(func(f *sparki.Found, _ *sparki.Listing) { f.Inactive = sparki.ReasonWithdrawn }), true},
		{"back", inCRM(func(f *sparki.Found, _ *sparki.Listing) { f.Inactive = "" }), true},
		{"disconnected", func(t *testing.T) error { _, err := b.Disconnect(t.Context(), b.who, project.ID); return err }, true},
		{"a title in a CRM that it does not follow", inCRM(func(_ *sparki.Found, l *sparki.Listing) { l.Title = "Kasteel" }), false},
		{"linked", func(t *testing.T) error { _, err := b.Link(t.Context(), b.who, project.ID, item.ID, nil); return err }, true},
		{"gone", func(t *testing.T) error { b.crm.remove(ref(1)); b.deliver(t, ref(1)); b.process(t); return nil }, true},
	} {
		if err := step.do(t); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		if got := b.compared(t); got != step.compare {
			t.Errorf("%s: compared %v, want %v", step.what, got, step.compare)
		}
	}
}

// What the CRM tells of its agendas lets them be read again, and of an item that is ours lets it be looked
// at; while the agenda is off, neither.
func TestAgendaMessages(t *testing.T) {
	t.Parallel()
	for _, on := range []bool{true, false} {
		b, _, project := imported(t)
		b.appointed(t, project.ID)
		b.exec(t, `update integrations set agenda = $1, targets_due_at = now() + interval '1 day'`, on)
		b.exec(t, `update write_backs w set external_id = a.customer_name from appointments a where a.id = w.appointment_id`)
		outcomes := map[string]string{}
		for name, m := range map[string]sparki.Message{
			"targets": {Kind: sparki.MessageTargets}, "ours": {Kind: sparki.MessageAgendaItem, Ref: sparki.Ref{Type: "agenda-item", ID: "comes"}},
			"another's": {Kind: sparki.MessageAgendaItem, Ref: sparki.Ref{Type: "agenda-item", ID: "nobody"}},
		} {
			m.ExternalID, m.Outcome = sparki.NewID().String(), sparki.OutcomePending
			d := &sparki.Delivery{ID: sparki.NewID(), PortalID: b.portal.ID, IntegrationID: b.integration.ID, Body: []byte(`{}`), Messages: []sparki.Message{m}}
			if err := b.DB.KeepDeliveries(t.Context(), []*sparki.Delivery{d}); err != nil {
				t.Fatal(err)
			}
			b.process(t)
			outcomes[name] = b.outcome(t, d)
		}
		taken := map[bool]string{true: "PROCESSED", false: "IGNORED"}[on]
		if outcomes["targets"] != taken || outcomes["ours"] != taken || outcomes["another's"] != "IGNORED" {
			t.Errorf("agenda on: %v, the deliveries end %v", on, outcomes)
		}
		if due := b.count(t, `select count(*) from integrations where targets_due_at <= now()`) == 1; due != on {
			t.Errorf("agenda on: %v, the agendas are due: %v", on, due)
		}
		if looked := b.count(t, `select count(*) from write_backs where look`); looked != map[bool]int{true: 1, false: 0}[on] {
			t.Errorf("agenda on: %v, %d items are looked at", on, looked)
		}
	}
}
