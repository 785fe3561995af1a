package integrations_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"sparki.app/integrations"
	"sparki.app/integrations/integrations"
)

const (
	pass    = sparki.DiagnosticPass
	warn    = sparki.DiagnosticWarn
	fail    = sparki.DiagnosticFail
	skipped = sparki.DiagnosticSkipped
)

// checks are all checks in the order in which they are shown.
var checks = []sparki.DiagnosticCheck{
	sparki.CheckAddOn, sparki.CheckEnabled, sparki.CheckSettings, sparki.CheckConnection, sparki.CheckListings,
	sparki.CheckFilters, sparki.CheckWebhook, sparki.CheckAgenda,
	sparki.CheckTargets, sparki.CheckLinks, sparki.CheckOutbound, sparki.CheckWriteBack, sparki.CheckDevMode, sparki.CheckMock,
}

// diagnosed is what a check is to find: its outcome, and a part of its message and remedy together.
type diagnosed struct {
	outcome sparki.DiagnosticOutcome
	says    string
}

// Every check fails and passes for what the services really do.
func TestDiagnose(t *testing.T) {
	t.Parallel()
	const nowhere = "11111111-2222-3333-4444-555555555555" // an office without objects
	without := func(key string) func(*integrations.SaveInput) {
		return func(in *integrations.SaveInput) {
			in.Settings = map[string]any{key: nil}
		}
	}
	tests := []struct {
		name string
		// arrange brings about what is to be found.
		arrange func(*testing.T, *bundle)
		want    map[sparki.DiagnosticCheck]diagnosed
	}{
		{"AllIsWell", func(t *testing.T, b *bundle) {
			b.save(t, nil)
			b.crawl(t)
			b.deliver(t)
			b.booked(t)
			b.push(t)
		}, map[sparki.DiagnosticCheck]diagnosed{
			sparki.CheckTargets: {pass, "linked with: 3"}, sparki.CheckLinks: {pass, ": 1"}, sparki.CheckWriteBack: {pass, ""}, sparki.CheckDevMode: {pass, ""},
			sparki.CheckAddOn: {pass, ""}, sparki.CheckEnabled: {pass, ""}, sparki.CheckSettings: {pass, ""}, sparki.CheckConnection: {pass, ""},
			sparki.CheckListings: {pass, ""}, sparki.CheckFilters: {pass, "taken over: "}, sparki.CheckWebhook: {pass, ""},
			sparki.CheckAgenda: {pass, ""}, sparki.CheckOutbound: {pass, ""}, sparki.CheckMock: {pass, ""},
		}},
		{"TheAddOnIsLocked", func(t *testing.T, b *bundle) {
			b.save(t, nil)
			b.exec(t, `update portals set add_ons = '{}'`)
			if _, err := b.Save(t.Context(), b.who, integrations.SaveInput{Provider: "kolibri"}); err == nil {
				t.Error("a locked add-on was saved")
			}
		}, map[sparki.DiagnosticCheck]diagnosed{sparki.CheckAddOn: {fail, "Sparki support"}, sparki.CheckConnection: {pass, ""}}},
		{"SwitchedOff", func(t *testing.T, b *bundle) {
			b.save(t, nil)
			b.crawl(t)
			if _, err := b.SetEnabled(t.Context(), b.who, b.saved.ID, false); err != nil {
				t.Fatal(err)
			}
		}, map[sparki.DiagnosticCheck]diagnosed{
			sparki.CheckEnabled: {fail, "Switch the integration on"}, sparki.CheckSettings: {pass, ""}, sparki.CheckConnection: {skipped, "first"},
			sparki.CheckListings: {skipped, ""}, sparki.CheckFilters: {skipped, ""}, sparki.CheckWebhook: {skipped, ""},
			sparki.CheckAgenda: {skipped, ""}, sparki.CheckOutbound: {skipped, ""}, sparki.CheckTargets: {skipped, ""}, sparki.CheckLinks: {skipped, ""},
			sparki.CheckWriteBack: {skipped, ""},
		}},
		{"FlowsSwitchedOff", func(t *testing.T, b *bundle) {
			b.save(t, func(in *integrations.SaveInput) { in.Domains = sparki.Domains{} })
		}, map[sparki.DiagnosticCheck]diagnosed{
			sparki.CheckConnection: {pass, ""}, sparki.CheckListings: {warn, "Switch Listings on"}, sparki.CheckFilters: {skipped, "Listings on first"},
			sparki.CheckWebhook: {skipped, "Listings on first"}, sparki.CheckAgenda: {warn, "Switch Agenda on"}, sparki.CheckOutbound: {warn, "Switch Outbound on"},
			sparki.CheckTargets: {skipped, "Agenda on first"}, sparki.CheckLinks: {skipped, "Agenda on first"}, sparki.CheckWriteBack: {skipped, "both on first"},
		}},
		{"ASettingIsMissing", func(t *testing.T, b *bundle) {
			b.save(t, nil)
			b.save(t, without("realEstateAgencyId"))
		}, map[sparki.DiagnosticCheck]diagnosed{
			sparki.CheckSettings: {fail, "Real estate agency ID is needed"}, sparki.CheckConnection: {skipped, "Complete the settings"},
		}},
		{"ASecretIsMissing", func(t *testing.T, b *bundle) {
			b.save(t, nil)
			b.save(t, without("clientSecret"))
		}, map[sparki.DiagnosticCheck]diagnosed{sparki.CheckSettings: {fail, "Client secret is needed"}, sparki.CheckConnection: {skipped, ""}}},
		{"NotCheckedYet", func(t *testing.T, b *bundle) {
			b.save(t, nil)
			b.exec(t, `update integrations set connection_state = 'UNCHECKED', connection_problem = null`)
		}, map[sparki.DiagnosticCheck]diagnosed{sparki.CheckConnection: {warn, "Check the connection"}}},
		{"TheCRMRefusesUs", func(t *testing.T, b *bundle) {
			b.crm.refuse.Store(401)
			b.save(t, nil)
		}, map[sparki.DiagnosticCheck]diagnosed{
			sparki.CheckConnection: {fail, "does not accept the client ID"}, sparki.CheckSettings: {pass, ""}, sparki.CheckFilters: {skipped, "No sync"},
		}},
		{"TheCRMIsAway", func(t *testing.T, b *bundle) {
			b.crm.refuse.Store(503)
			b.save(t, nil)
		}, map[sparki.DiagnosticCheck]diagnosed{sparki.CheckConnection: {fail, "tries again by itself"}}},
		{"AnotherAgency", func(t *testing.T, b *bundle) {
			b.save(t, func(in *integrations.SaveInput) { in.Settings["realEstateAgencyId"] = nowhere })
		}, map[sparki.DiagnosticCheck]diagnosed{sparki.CheckConnection: {fail, "has not given consent"}}},
		{"ConsentWasTakenBack", func(t *testing.T, b *bundle) {
			b.save(t, nil)
			b.deliver(t, sparki.Message{ExternalID: "1", Kind: sparki.MessageRevoked, Outcome: sparki.OutcomePending})
		}, map[sparki.DiagnosticCheck]diagnosed{sparki.CheckConnection: {fail, "give its consent again"}}},
		{"NothingWasReadYet", func(t *testing.T, b *bundle) {
			b.save(t, nil)
		}, map[sparki.DiagnosticCheck]diagnosed{sparki.CheckFilters: {skipped, "Wait for the first sync"}}},
		{"TheOfficeFilterMatchesNothing", func(t *testing.T, b *bundle) {
			b.save(t, func(in *integrations.SaveInput) { in.Settings["officeIds"] = []any{nowhere} })
			b.crawl(t)
		}, map[sparki.DiagnosticCheck]diagnosed{sparki.CheckFilters: {warn, "Check Office IDs in the settings"}}},
		{"TheAgencyHasNothing", func(t *testing.T, b *bundle) {
			b.save(t, nil)
			b.crawl(t)
			b.exec(t, `update items set state = 'INACTIVE', inactive_reason = 'WITHDRAWN'`)
		}, map[sparki.DiagnosticCheck]diagnosed{sparki.CheckFilters: {warn, "the right agency"}}},
		{"NoWebhookSecret", func(t *testing.T, b *bundle) {
			b.save(t, nil)
			b.deliver(t)
			b.save(t, without("webhookSecret"))
		}, map[sparki.DiagnosticCheck]diagnosed{sparki.CheckWebhook: {warn, "Agree on a webhook secret with Kolibri"}, sparki.CheckSettings: {pass, ""}}},
		{"NoWebhookEver", func(t *testing.T, b *bundle) {
			b.save(t, nil)
		}, map[sparki.DiagnosticCheck]diagnosed{sparki.CheckWebhook: {warn, "https://api.sparki.test/webhooks/kolibri/v1/integration_"}}},
		{"OnlyAReplay", func(t *testing.T, b *bundle) {
			b.save(t, nil)
			b.deliver(t)
			b.exec(t, `update deliveries set replay_of = id`)
		}, map[sparki.DiagnosticCheck]diagnosed{sparki.CheckWebhook: {warn, "Paste this webhook URL in Kolibri"}}},
		{"NoWebhookForAWeek", func(t *testing.T, b *bundle) {
			b.save(t, nil)
			b.deliver(t)
			b.exec(t, `update deliveries set received_at = now() - interval '7 days 1 minute'`)
		}, map[sparki.DiagnosticCheck]diagnosed{sparki.CheckWebhook: {warn, "Paste this webhook URL in Kolibri"}}},
		{"NoAgendaWasReadYet", func(t *testing.T, b *bundle) {
			b.save(t, nil)
		}, map[sparki.DiagnosticCheck]diagnosed{sparki.CheckTargets: {skipped, "Wait for the first sync"}, sparki.CheckLinks: {warn, "Link a parent schedule"}}},
		{"NoAgendaIsAllowed", func(t *testing.T, b *bundle) {
			b.save(t, func(in *integrations.SaveInput) { in.Settings["employeeIds"] = []any{nowhere} })
			b.readAgenda(t)
		}, map[sparki.DiagnosticCheck]diagnosed{sparki.CheckTargets: {fail, "sync the agenda again"}}},
		{"AWriteBackFailed", func(t *testing.T, b *bundle) {
			b.save(t, nil)
			b.booked(t)
			b.crm.refuse.Store(400)
			b.push(t)
		}, map[sparki.DiagnosticCheck]diagnosed{sparki.CheckWriteBack: {fail, "could not be written to the CRM: 1"}}},
		{"AnAnswerWasLost", func(t *testing.T, b *bundle) {
			b.save(t, nil)
			b.booked(t)
			b.crm.lose.Store(true)
			b.push(t)
		}, map[sparki.DiagnosticCheck]diagnosed{sparki.CheckWriteBack: {warn, "answer was lost: 1"}}},
		{"SomebodyMovedIt", func(t *testing.T, b *bundle) {
			b.save(t, nil)
			b.booked(t)
			b.push(t)
			b.exec(t, `update write_backs set drift = 'MOVED_IN_CRM'`)
		}, map[sparki.DiagnosticCheck]diagnosed{sparki.CheckWriteBack: {warn, "whose word holds"}}},
		{"DevMode", func(t *testing.T, b *bundle) {
			b.save(t, inDevMode(true))
			if _, err := b.agenda().RunSmokeTest(t.Context(), b.who, b.saved.ID); refusedWith(err) == sparki.CodeDevModeOff {
				t.Error("in dev mode a smoke test is refused")
			}
		}, map[sparki.DiagnosticCheck]diagnosed{sparki.CheckDevMode: {warn, "Switch dev mode off"}, sparki.CheckMock: {pass, "live Realworks"}}},
		{"DevModeWasSwitchedOff", func(t *testing.T, b *bundle) {
			b.save(t, inDevMode(true))
			b.save(t, inDevMode(false))
			if _, err := b.agenda().RunSmokeTest(t.Context(), b.who, b.saved.ID); refusedWith(err) != sparki.CodeDevModeOff {
				t.Errorf("without dev mode a smoke test gives %v", err)
			}
		}, map[sparki.DiagnosticCheck]diagnosed{sparki.CheckDevMode: {pass, ""}}},
		{"Mock", func(t *testing.T, b *bundle) {
			b.save(t, func(in *integrations.SaveInput) { in.Mock, in.Settings = true, nil })
		}, map[sparki.DiagnosticCheck]diagnosed{
			sparki.CheckSettings: {pass, "The mock needs no settings"}, sparki.CheckConnection: {pass, ""},
			sparki.CheckWebhook: {skipped, "Change an object"}, sparki.CheckMock: {warn, "Switch the mock off"},
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			test.arrange(t, b)
			found := b.diagnose(t)
			for check, want := range test.want {
				got := found[check]
				if said := got.Message + " " + *orEmpty(got.Remedy); got.Outcome != want.outcome || !strings.Contains(said, want.says) {
					t.Errorf("%s is %s: %s\nwant %s: …%s…", check, got.Outcome, said, want.outcome, want.says)
				}
			}
		})
	}
}

// inDevMode saves a Realworks without a test agenda.
func inDevMode(on bool) func(*integrations.SaveInput) {
	return func(in *integrations.SaveInput) {
		in.Provider, in.Settings = "realworks", map[string]any{"devMode": on, "apiBaseUrl": "http://realworks.test", "apiToken": "geheim"}
	}
}

func refusedWith(err error) sparki.UserErrorCode {
	if refused, ok := errors.AsType[sparki.Refusal](err); ok {
		return refused[0].Code
	}
	return ""
}

// diagnose reads the checks, and wants what holds for all of them.
func (b *bundle) diagnose(t *testing.T) map[sparki.DiagnosticCheck]*sparki.Diagnostic {
	t.Helper()
	i, err := b.DB.Integration(t.Context(), b.portal.ID, b.saved.ID)
	if err != nil {
		t.Fatal(err)
	}
	calls := b.crm.calls.Load()
	list, err := b.Diagnose(t.Context(), i)
	if err != nil {
		t.Fatal(err)
	}
	if b.crm.calls.Load() != calls {
		t.Error("reading diagnostics called the CRM")
	}
	found, order := map[sparki.DiagnosticCheck]*sparki.Diagnostic{}, []sparki.DiagnosticCheck(nil)
	for _, d := range list {
		found[d.Check], order = d, append(order, d.Check)
		if d.Message == "" || (d.Remedy == nil) != (d.Outcome == pass) || *orEmpty(d.Remedy) == "" && d.Outcome != pass {
			t.Errorf("%+v", d)
		}
	}
	if !slices.Equal(order, checks) {
		t.Errorf("checks %v", order)
	}
	return found
}

func orEmpty(s *string) *string {
	if s == nil {
		return new(string)
	}
	return s
}
