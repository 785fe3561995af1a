package agenda

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
	"sparki.app/integrations/providers"
)

const (
	// smokeLease is how long a smoke test may take; after it, whoever comes cleans up.
	smokeLease = 2 * time.Minute
	smokeAgain = 5 * time.Minute
)

// RunSmokeTest creates, changes and cancels one test appointment in the CRM's agenda of dev mode. It
// cleans up after itself also when a step fails, and later when it cannot now or breaks off.
func (s *Service) RunSmokeTest(ctx context.Context, who *sparki.Principal, integration uuid.UUID) (*sparki.AgendaSmokeTest, error) {
	i, err := s.DB.Integration(ctx, who.PortalID, integration)
	if err != nil {
		return nil, err
	}
	if !i.Enabled {
		return nil, sparki.Refuse(sparki.CodeIntegrationDisabled, "the integration is switched off: switch it on first", "integrationId")
	}
	conn, err := s.Connect(ctx, i)
	if err != nil {
		return nil, asRefusal(err)
	}
	target, err := conn.TestTarget()
	if err != nil {
		return nil, asRefusal(err)
	}
	portal, err := s.DB.Portal(ctx, who.PortalID)
	if err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation(portal.TimeZone)
	if err != nil {
		return nil, err
	}
	t := &smokeTest{conn: conn, id: sparki.NewID(), result: &sparki.AgendaSmokeTest{}}
	t.entry = testEntry(t.id, target, time.Now().In(zone))
	t.db, t.portal = s.DB, who.PortalID
	if err := s.DB.BeginSmokeTest(ctx, who.PortalID, integration, t.id, &t.entry, smokeLease); err != nil {
		return nil, err
	}
	s.Log.InfoContext(ctx, "smoke test", slog.String("integration", i.NodeID()))
	// Also when whoever asked has gone: what was created is cancelled.
	run, cancel := context.WithTimeout(context.WithoutCancel(ctx), smokeLease-giveBack)
	defer cancel()
	return t.result, t.run(run)
}

// asRefusal words an error that a person can mend.
func asRefusal(err error) error {
	switch sparki.KindOf(err) {
	case sparki.Conflict:
		return sparki.Refusal{{Code: sparki.CodeDevModeOff, Message: sparki.TextOf(err), Field: []string{"integrationId"}}}
	case sparki.Misconfigured:
		return sparki.Refusal{{Code: sparki.CodeInvalid, Message: sparki.TextOf(err), Field: []string{"integrationId"}}}
	}
	return err
}

// testEntry is the appointment of a smoke test: tomorrow at noon, with nobody.
func testEntry(id uuid.UUID, target sparki.EntryTarget, now time.Time) sparki.AgendaEntry {
	start := time.Date(now.Year(), now.Month(), now.Day()+1, 12, 0, 0, 0, now.Location())
	reference := sparki.AppointmentNode.ID(id)
	return sparki.AgendaEntry{
		Reference: reference, Target: target, Test: true, Subject: "Testafspraak van Sparki",
		Description: "Deze afspraak is een test en wordt vanzelf geannuleerd.\n" + sparki.ReferenceLine(reference) + "\n",
		Start:       start, End: start.Add(sparki.DefaultAppointmentMinutes * time.Minute), Customer: sparki.Customer{Name: "Sparki"},
	}
}

// smokeTest is one that runs.
type smokeTest struct {
	conn     providers.Agenda
	db       *db.DB
	portal   uuid.UUID
	id       uuid.UUID
	entry    sparki.AgendaEntry
	remoteID string
	result   *sparki.AgendaSmokeTest
}

func (t *smokeTest) run(ctx context.Context) error {
	created := t.step(sparki.WriteBackCreate, func() (err error) {
		t.remoteID, err = t.conn.Put(ctx, "", t.entry)
		return err
	})
	if created {
		if err := t.db.KnowSmokeTest(ctx, t.portal, t.id, t.remoteID); err != nil {
			return err
		}
		t.step(sparki.WriteBackUpdate, func() (err error) {
			t.entry.Start, t.entry.End = t.entry.Start.Add(time.Hour), t.entry.End.Add(time.Hour)
			t.remoteID, err = t.conn.Put(ctx, t.remoteID, t.entry)
			return err
		})
	}
	cleaned := t.step(sparki.WriteBackCancel, func() error { return cleanUp(ctx, t.conn, t.remoteID, t.entry) })
	t.result.Succeeded = true
	for _, step := range t.result.Steps {
		t.result.Succeeded = t.result.Succeeded && step.Succeeded
	}
	if !cleaned {
		return t.db.PostponeSmokeTest(ctx, t.portal, t.id, smokeAgain)
	}
	return t.db.EndSmokeTest(ctx, t.portal, t.id)
}

func (t *smokeTest) step(action sparki.WriteBackAction, do func() error) bool {
	began := time.Now()
	err := do()
	step := &sparki.AgendaSmokeTestStep{Action: action, Succeeded: err == nil, DurationMs: int(time.Since(began).Milliseconds())}
	if t.remoteID != "" {
		id := t.remoteID
		step.ExternalID = &id
	}
	if err != nil {
		text := sparki.TextOf(err)
		if text == "" {
			text = "an internal error"
		}
		step.Message = &text
	}
	t.result.Steps = append(t.result.Steps, step)
	return err == nil
}

// cleanUp cancels what a smoke test created. Without an id it is searched for: its answer may have got lost.
func cleanUp(ctx context.Context, conn providers.Agenda, remoteID string, e sparki.AgendaEntry) error {
	if remoteID == "" {
		found, err := conn.Find(ctx, e)
		if sparki.KindOf(err) == sparki.NotFound {
			return nil
		}
		if err != nil {
			return err
		}
		remoteID = found
	}
	if err := conn.Cancel(ctx, remoteID, e); sparki.KindOf(err) != sparki.NotFound {
		return err
	}
	return nil
}

// CleanSmokeTests cancels what smoke tests left in an integration's CRM that broke off.
func (s *Service) CleanSmokeTests(ctx context.Context, portal, integration uuid.UUID) error {
	for {
		left, err := s.DB.ClaimSmokeTest(ctx, portal, integration, smokeAgain)
		if err != nil || left == nil {
			return err
		}
		i, err := s.DB.Integration(ctx, portal, integration)
		if err != nil {
			return err
		}
		if !i.Enabled || i.Parked() {
			return nil // its turn comes again
		}
		conn, err := s.Connect(ctx, i)
		if err != nil {
			return err
		}
		if err := cleanUp(ctx, conn, valueOf(left.RemoteID, ""), left.Entry); err != nil {
			return err
		}
		if err := s.DB.EndSmokeTest(ctx, portal, left.ID); err != nil {
			return err
		}
	}
}
