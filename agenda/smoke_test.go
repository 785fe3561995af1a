package agenda

import (
	"context"
	"net/http"
	"testing"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
	"sparki.app/integrations/providers"
)

// devMode is a CRM whose smoke test writes into an agenda.
type devMode struct {
	providers.Agenda
	target sparki.EntryTarget
	broken *bool // its Cancel does not work
}

func (d devMode) TestTarget() (sparki.EntryTarget, error) { return d.target, nil }

func (d devMode) Cancel(ctx context.Context, id string, e sparki.AgendaEntry) error {
	if *d.broken {
		return sparki.Errorf(sparki.Unavailable, "the CRM is away")
	}
	return d.Agenda.Cancel(ctx, id, e)
}

// dev puts the CRM into dev mode.
func (b *bundle) dev() (broken *bool) {
	broken = new(bool)
	connect := b.Connect
	target := sparki.EntryTarget{ExternalID: b.targets[0].ExternalID, Kind: b.targets[0].Kind, AfdelingCode: valueOf(b.targets[0].AfdelingCode, ""),
		MedewerkerID: valueOf(b.targets[0].MedewerkerID, b.crm.medewerker)}
	b.Connect = func(ctx context.Context, i *sparki.Integration) (providers.Agenda, error) {
		conn, err := connect(ctx, i)
		return devMode{conn, target, broken}, err
	}
	return broken
}

func TestSmokeTest(t *testing.T) {
	t.Run("LeavesNothing", func(t *testing.T) {
		each(t, func(t *testing.T, b *bundle) {
			b.dev()
			test, err := b.RunSmokeTest(t.Context(), b.who, b.integration.ID)
			if err != nil || !test.Succeeded || len(test.Steps) != 3 {
				t.Fatalf("%+v, %v", test, err)
			}
			for n, action := range []sparki.WriteBackAction{sparki.WriteBackCreate, sparki.WriteBackUpdate, sparki.WriteBackCancel} {
				if step := test.Steps[n]; step.Action != action || !step.Succeeded || step.ExternalID == nil || step.Message != nil {
					t.Errorf("step %d is %+v", n, step)
				}
			}
			if items := b.agenda.live(t); len(items) != 0 {
				t.Errorf("it left %+v", items)
			}
		})
	})
	t.Run("CleansUpLater", func(t *testing.T) {
		each(t, func(t *testing.T, b *bundle) {
			broken := b.dev()
			*broken = true
			test, err := b.RunSmokeTest(t.Context(), b.who, b.integration.ID)
			if err != nil || test.Succeeded || test.Steps[2].Succeeded || *test.Steps[2].Message != "the CRM is away" {
				t.Fatalf("%+v, %v", test, err)
			}
			*broken = false
			b.cleanSmokeTests(t)
			if items := b.agenda.live(t); len(items) != 0 {
				t.Errorf("it left %+v", items)
			}
		})
	})
	t.Run("CleansUpAfterACrash", func(t *testing.T) {
		each(t, func(t *testing.T, b *bundle) {
			b.dev()
			b.line.mu.Lock()
			b.line.sends = b.crm.sends
			inner := b.line.RoundTripper
			b.line.mu.Unlock()
			b.line.RoundTripper = crashing{inner, b.crm.sends}
			done := make(chan struct{})
			go func() {
				defer close(done)
				_, _ = b.RunSmokeTest(t.Context(), b.who, b.integration.ID) // does not return
			}()
			<-done
			b.line.RoundTripper = inner
			if items := b.agenda.live(t); len(items) != 1 {
				t.Fatalf("the crash left %+v", items)
			}
			b.cleanSmokeTests(t)
			if items := b.agenda.live(t); len(items) != 0 {
				t.Errorf("it left %+v", items)
			}
		})
	})
	t.Run("NeedsDevMode", func(t *testing.T) {
		each(t, func(t *testing.T, b *bundle) {
			if _, err := b.RunSmokeTest(t.Context(), b.who, b.integration.ID); code(err) != sparki.CodeDevModeOff {
				t.Errorf("without dev mode: %v", err)
			}
		})
	})
}

// crashing ends the program, as far as the caller is concerned, right after the first send was done.
type crashing struct {
	http.RoundTripper
	sends func(*http.Request) bool
}

func (c crashing) RoundTrip(req *http.Request) (*http.Response, error) {
	if c.sends(req) {
		return after(kill)(c.RoundTripper, req)
	}
	return c.RoundTripper.RoundTrip(req)
}

// cleanSmokeTests does what a worker does once their time is over.
func (b *bundle) cleanSmokeTests(t *testing.T) {
	t.Helper()
	err := b.DB.Tx(t.Context(), b.portal.ID, func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), `update smoke_tests set lease_until = now() - interval '1 s'`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	bells, err := b.DB.Due(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, bell := range bells {
		if bell.Job == sparki.CleanSmokeTests && bell.ID == b.integration.ID {
			if err := b.CleanSmokeTests(t.Context(), bell.PortalID, bell.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	n := 1
	err = b.DB.Tx(t.Context(), b.portal.ID, func(tx *db.Tx) error {
		return tx.QueryRow(t.Context(), `select count(*) from smoke_tests`).Scan(&n)
	})
	if err != nil || n != 0 {
		t.Errorf("%d smoke tests are remembered, %v", n, err)
	}
}
