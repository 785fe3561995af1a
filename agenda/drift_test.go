package agenda

import (
	"maps"
	"strings"
	"testing"
	"time"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
)

// told lets the CRM tell of a change of an appointment's item.
func (b *bundle) told(t *testing.T, a *sparki.Appointment) {
	t.Helper()
	err := b.DB.Tx(t.Context(), b.portal.ID, func(tx *db.Tx) error {
		_, err := tx.LookAtItems(t.Context(), b.integration.ID, []db.InboxMessage{{Ref: sparki.Ref{ID: *b.read(t, a).WriteBack.ExternalID}}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	b.push(t)
}

// watching runs a test against the CRMs that tell of changes of agenda items, with an appointment that stands there.
func watching(t *testing.T, test func(t *testing.T, b *bundle, a *sparki.Appointment)) {
	t.Helper()
	watched := maps.Clone(crms)
	maps.DeleteFunc(watched, func(_ string, c *crm) bool { return !c.provider.Info().WatchesAgenda })
	if len(watched) == 0 {
		t.Fatal("no CRM tells of changes of agenda items")
	}
	eachOf(t, watched, func(t *testing.T, b *bundle) {
		a := b.book(t, b.linked(t, "Bezichtigingen", 0), sparki.AppointmentConfirmed)
		b.push(t)
		test(t, b, b.read(t, a))
	})
}

func TestDrift(t *testing.T) {
	t.Run("OurOwnEchoIsNone", func(t *testing.T) {
		watching(t, func(t *testing.T, b *bundle, a *sparki.Appointment) {
			b.told(t, a)
			b.change(t, a, AppointmentPatch{StartsAt: new(noon(1))})
			b.push(t)
			b.told(t, a)
			if w := b.wants(t, a, sparki.WriteBackSynced, sparki.WriteBackUpdate, ""); w.Drift != sparki.InSync {
				t.Errorf("drift %s", w.Drift)
			}
			if _, err := b.ResolveDrift(t.Context(), b.who, a.ID, sparki.KeepCRM); code(err) != sparki.CodeNothingToResolve {
				t.Errorf("resolve nothing: %v", err)
			}
		})
	})
	for _, keep := range []sparki.DriftSide{sparki.KeepSparki, sparki.KeepCRM} {
		t.Run("MovedKeep"+string(keep), func(t *testing.T) {
			watching(t, func(t *testing.T, b *bundle, a *sparki.Appointment) {
				there := a.StartsAt.Add(3 * time.Hour)
				b.agenda.move(t, *a.WriteBack.ExternalID, there, there.Add(time.Hour))
				b.told(t, a)
				if w := b.wants(t, a, sparki.WriteBackSynced, sparki.WriteBackCreate, ""); w.Drift != sparki.MovedInCRM {
					t.Fatalf("drift %s", w.Drift)
				}
				b.change(t, a, AppointmentPatch{Customer: &sparki.Customer{Name: "Jan Smit"}}) // waits
				b.push(t)
				b.wants(t, a, sparki.WriteBackSkipped, sparki.WriteBackUpdate, sparki.ReasonUnresolved)
				if _, err := b.ResolveDrift(t.Context(), b.who, a.ID, keep); err != nil {
					t.Fatal(err)
				}
				b.push(t)
				now := b.read(t, a)
				want := map[sparki.DriftSide]time.Time{sparki.KeepSparki: a.StartsAt, sparki.KeepCRM: there}[keep]
				items := b.agenda.live(t)
				if len(items) != 1 || !items[0].start.Equal(want) || !now.StartsAt.Equal(want) || !strings.Contains(items[0].subject, "Jan Smit") || now.WriteBack.Drift != sparki.InSync {
					t.Errorf("%+v, the agenda has %+v", now, items)
				}
			})
		})
		for what, do := range map[string]func(*testing.T, *bundle, string){
			"Cancelled": func(t *testing.T, b *bundle, id string) { b.agenda.cancel(t, id) },
			"Deleted":   func(t *testing.T, b *bundle, id string) { b.agenda.remove(t, id) },
		} {
			t.Run(what+"Keep"+string(keep), func(t *testing.T) {
				watching(t, func(t *testing.T, b *bundle, a *sparki.Appointment) {
					do(t, b, *a.WriteBack.ExternalID)
					b.told(t, a)
					if drift := b.read(t, a).WriteBack.Drift; !strings.HasPrefix(string(drift), strings.ToUpper(what)) {
						t.Fatalf("drift %s", drift)
					}
					if _, err := b.ResolveDrift(t.Context(), b.who, a.ID, keep); err != nil {
						t.Fatal(err)
					}
					b.push(t)
					now, items := b.read(t, a), b.agenda.live(t)
					kept := keep == sparki.KeepSparki
					if kept != (len(items) == 1) || kept != (now.Status == sparki.AppointmentConfirmed) || now.WriteBack.Drift != sparki.InSync || now.WriteBack.State != sparki.WriteBackSynced {
						t.Errorf("%+v, the agenda has %+v", now, items)
					}
				})
			})
		}
	}
	for name, keep := range map[string]sparki.DriftSide{"GivenAwayKeepSPARKI": sparki.KeepSparki, "GivenAwayKeepCRM": sparki.KeepCRM} {
		t.Run(name, func(t *testing.T) {
			watching(t, func(t *testing.T, b *bundle, a *sparki.Appointment) {
				b.agenda.give(t, *a.WriteBack.ExternalID, b.targets[1].ExternalID)
				b.told(t, a)
				if drift := b.read(t, a).WriteBack.Drift; drift != sparki.MovedInCRM {
					t.Fatalf("drift %s", drift)
				}
				if keep == sparki.KeepCRM {
					if _, err := b.ResolveDrift(t.Context(), b.who, a.ID, keep); code(err) != sparki.CodeTargetUnavailable {
						t.Errorf("an agenda that no schedule is linked with: %v", err)
					}
				}
				second := b.linked(t, "Tweede", 1)
				if _, err := b.ResolveDrift(t.Context(), b.who, a.ID, keep); err != nil {
					t.Fatal(err)
				}
				b.push(t)
				now, items := b.read(t, a), b.agenda.live(t)
				schedule, target := a.ScheduleID, b.targets[0].ExternalID
				if keep == sparki.KeepCRM {
					schedule, target = second.ID, b.targets[1].ExternalID
				}
				if len(items) != 1 || items[0].target != target || now.ScheduleID != schedule || now.WriteBack.Drift != sparki.InSync || now.WriteBack.State != sparki.WriteBackSynced {
					t.Errorf("%+v, the agenda has %+v", now, items)
				}
			})
		})
	}
	t.Run("IsSeenBeforeItIsOverwritten", func(t *testing.T) {
		watching(t, func(t *testing.T, b *bundle, a *sparki.Appointment) {
			there := a.StartsAt.Add(3 * time.Hour)
			b.agenda.move(t, *a.WriteBack.ExternalID, there, there.Add(time.Hour)) // and nobody tells
			b.change(t, a, AppointmentPatch{StartsAt: new(noon(2))})
			b.push(t)
			if w := b.wants(t, a, sparki.WriteBackSkipped, sparki.WriteBackUpdate, sparki.ReasonUnresolved); w.Drift != sparki.MovedInCRM {
				t.Errorf("drift %s", w.Drift)
			}
			if items := b.agenda.live(t); len(items) != 1 || !items[0].start.Equal(there) {
				t.Errorf("the agenda has %+v", items)
			}
		})
	})
	t.Run("BothCancelled", func(t *testing.T) {
		watching(t, func(t *testing.T, b *bundle, a *sparki.Appointment) {
			b.agenda.cancel(t, *a.WriteBack.ExternalID)
			b.told(t, a)
			if _, err := b.Cancel(t.Context(), b.who, a.ID); err != nil {
				t.Fatal(err)
			}
			b.push(t)
			if w := b.wants(t, a, sparki.WriteBackSynced, sparki.WriteBackCancel, ""); w.Drift != sparki.InSync {
				t.Errorf("drift %s", w.Drift)
			}
		})
	})
}
