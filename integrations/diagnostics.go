package integrations

import (
	"context"
	"fmt"
	"time"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
	"sparki.app/integrations/providers"
)

// quiet is how long a CRM may tell of no change before somebody should look.
const quiet = 7 * 24 * time.Hour

// Diagnose makes the checks of the troubleshooting page, in their order. It asks what decides in the
// daily work, and calls no CRM.
func (s *Service) Diagnose(ctx context.Context, i *sparki.Integration) ([]*sparki.Diagnostic, error) {
	d := &diagnosis{i: i}
	if err := d.read(ctx, s); err != nil {
		return nil, err
	}
	d.addOn()
	d.enabled()
	d.settings()
	d.connection()
	d.listings()
	d.filters()
	d.webhook()
	d.agenda()
	d.targets()
	d.links()
	d.outbound()
	d.writeBack()
	d.devMode()
	d.mock()
	return d.found, nil
}

// diagnosis is what the checks look at, and what they found.
type diagnosis struct {
	i          *sparki.Integration
	info       *providers.Info
	portal     *sparki.Portal
	values     sparki.Settings
	incomplete error // why no line can be made with the settings; nil when one can
	active     int   // items
	crawled    bool  // a run has succeeded
	told       bool  // a webhook delivery came of late
	agendas    db.AgendaSummary
	webhookURL string

	found []*sparki.Diagnostic
}

func (d *diagnosis) read(ctx context.Context, s *Service) (err error) {
	if d.info, err = s.Info(d.i.Provider); err != nil {
		return err
	}
	if d.webhookURL, err = s.WebhookURL(d.i); err != nil {
		return err
	}
	if d.portal, err = s.DB.Portal(ctx, d.i.PortalID); err != nil {
		return err
	}
	if d.values, err = s.settings(ctx, d.i); err != nil {
		return err
	}
	if _, d.incomplete = s.Connect(ctx, d.i); d.incomplete != nil && sparki.KindOf(d.incomplete) != sparki.Misconfigured {
		return d.incomplete
	}
	counts, err := s.DB.ItemCounts(ctx, d.i.PortalID, d.i.ID)
	if err != nil {
		return err
	}
	d.active = counts.Active
	if d.crawled, err = s.DB.HasSucceeded(ctx, d.i.PortalID, d.i.ID, sparki.SyncListings); err != nil {
		return err
	}
	if d.agendas, err = s.DB.AgendaSummary(ctx, d.i.PortalID, d.i.ID); err != nil {
		return err
	}
	d.told, err = s.DB.ReceivedWithin(ctx, d.i.PortalID, d.i.ID, quiet)
	return err
}

func (d *diagnosis) add(check sparki.DiagnosticCheck, outcome sparki.DiagnosticOutcome, message string, remedy *string) {
	d.found = append(d.found, &sparki.Diagnostic{Check: check, Outcome: outcome, Message: message, Remedy: remedy})
}

func (d *diagnosis) pass(check sparki.DiagnosticCheck, message string) {
	d.add(check, sparki.DiagnosticPass, message, nil)
}

func (d *diagnosis) warn(check sparki.DiagnosticCheck, message, remedy string) {
	d.add(check, sparki.DiagnosticWarn, message, &remedy)
}

func (d *diagnosis) fail(check sparki.DiagnosticCheck, message, remedy string) {
	d.add(check, sparki.DiagnosticFail, message, &remedy)
}

func (d *diagnosis) skip(check sparki.DiagnosticCheck, message, remedy string) {
	d.add(check, sparki.DiagnosticSkipped, message, &remedy)
}

// off skips a check that tells nothing while the master switch is off.
func (d *diagnosis) off(check sparki.DiagnosticCheck) bool {
	if !d.i.Enabled {
		d.skip(check, "This is not looked at while the integration is switched off", "Switch the integration on first")
	}
	return !d.i.Enabled
}

// noListings skips a check that tells nothing while listings are not read.
func (d *diagnosis) noListings(check sparki.DiagnosticCheck) bool {
	if d.off(check) {
		return true
	}
	if !d.i.ReadsListings() {
		d.skip(check, "This is not looked at while listings are switched off", "Switch Listings on first")
	}
	return !d.i.ReadsListings()
}

func (d *diagnosis) addOn() {
	if d.portal.Has(d.info.Key) {
		d.pass(sparki.CheckAddOn, fmt.Sprintf("%s is part of this portal's plan", d.info.Name))
		return
	}
	d.fail(sparki.CheckAddOn, fmt.Sprintf("%s is not part of this portal's plan: its settings cannot be changed", d.info.Name),
		"Ask Sparki support to add it to the plan")
}

func (d *diagnosis) enabled() {
	if d.i.Enabled {
		d.pass(sparki.CheckEnabled, "The integration is switched on")
		return
	}
	d.fail(sparki.CheckEnabled, "The integration is switched off: nothing is read, and no webhook is processed", "Switch the integration on")
}

func (d *diagnosis) settings() {
	switch {
	case d.incomplete != nil:
		d.fail(sparki.CheckSettings, sparki.TextOf(d.incomplete), "Fill this in in the settings and save them")
	case d.i.Mock:
		d.pass(sparki.CheckSettings, "The mock needs no settings")
	default:
		d.pass(sparki.CheckSettings, fmt.Sprintf("Every setting is there that %s needs", d.info.Name))
	}
}

// remedies say what to do about a connection that does not work.
var remedies = map[sparki.ConnectionState]string{
	sparki.ConnectionUnreachable:   "Sparki tries again by itself. If this goes on, check the addresses in the settings",
	sparki.ConnectionUnauthorized:  "Paste new credentials into the settings and save them; a hidden value may be out of date",
	sparki.ConnectionRevoked:       "Let the office give its consent again in the CRM, and save the settings",
	sparki.ConnectionMisconfigured: "Mend the settings and save them",
}

func (d *diagnosis) connection() {
	if d.off(sparki.CheckConnection) {
		return
	}
	switch c := d.i.Connection; {
	case d.incomplete != nil:
		d.skip(sparki.CheckConnection, "The connection cannot be tried with incomplete settings", "Complete the settings first")
	case c.State == sparki.ConnectionOK:
		d.pass(sparki.CheckConnection, fmt.Sprintf("%s answered as it should when it was asked last", d.info.Name))
	case c.Problem == nil:
		d.warn(sparki.CheckConnection, "The connection was not tried yet with these settings", "Check the connection")
	default:
		d.fail(sparki.CheckConnection, *c.Problem, remedies[c.State])
	}
}

func (d *diagnosis) listings() {
	switch {
	case d.off(sparki.CheckListings):
	case d.i.ReadsListings():
		d.pass(sparki.CheckListings, "Listings are switched on")
	default:
		d.warn(sparki.CheckListings, "Listings are switched off: no objects are read, and linked projects are not refreshed",
			fmt.Sprintf("Switch Listings on and save, if the listings are to come from %s", d.info.Name))
	}
}

func (d *diagnosis) filters() {
	if d.noListings(sparki.CheckFilters) {
		return
	}
	switch filter := d.filter(); {
	case d.active > 0:
		d.pass(sparki.CheckFilters, fmt.Sprintf("Objects that are taken over: %d", d.active))
	case !d.crawled:
		d.skip(sparki.CheckFilters, "No sync of the listings has succeeded yet", "Wait for the first sync; if it fails, look at the connection")
	case filter != "":
		d.warn(sparki.CheckFilters, fmt.Sprintf("The sync succeeded, but no object passes the filter %s", filter),
			fmt.Sprintf("Check %s in the settings, or clear it to take over all objects", filter))
	default:
		d.warn(sparki.CheckFilters, "The sync succeeded, but found no object that may be shown",
			fmt.Sprintf("Check that the right agency stands in the settings, and that it has objects in %s that are not withdrawn", d.info.Name))
	}
}

// filter is the label of the first filter that is filled in; "" when none is.
func (d *diagnosis) filter() string {
	for _, f := range d.info.Settings {
		if f.Narrows && len(d.values.Lists[f.Key]) > 0 {
			return f.Label
		}
	}
	return ""
}

func (d *diagnosis) webhook() {
	if d.noListings(sparki.CheckWebhook) {
		return
	}
	switch name := d.info.Name; {
	case d.info.WebhookSecret != "" && d.values.Secret(d.info.WebhookSecret) == "":
		d.warn(sparki.CheckWebhook, fmt.Sprintf("No webhook secret is stored: every notification of %s is refused, and changes arrive minutes later", name),
			fmt.Sprintf("Agree on a webhook secret with %s, save it in the settings, and let the notifications be sent to %s", name, d.webhookURL))
	case d.told:
		d.pass(sparki.CheckWebhook, fmt.Sprintf("%s told of changes in the last seven days", name))
	case d.i.Mock:
		d.skip(sparki.CheckWebhook, "The mock tells of changes only when somebody makes one", "Change an object in the mock")
	default:
		d.warn(sparki.CheckWebhook, fmt.Sprintf("%s told of no changes in the last seven days: they arrive minutes later", name),
			fmt.Sprintf("Paste this webhook URL in %s: %s", name, d.webhookURL))
	}
}

func (d *diagnosis) agenda() {
	switch {
	case d.off(sparki.CheckAgenda):
	case d.i.Domains.Agenda:
		d.pass(sparki.CheckAgenda, "The agenda is switched on")
	default:
		d.warn(sparki.CheckAgenda, "The agenda is switched off: schedules cannot be linked",
			fmt.Sprintf("Switch Agenda on and save, to link schedules with agendas in %s", d.info.Name))
	}
}

// noAgenda skips a check that tells nothing while the agenda is not read.
func (d *diagnosis) noAgenda(check sparki.DiagnosticCheck) bool {
	if d.off(check) {
		return true
	}
	if !d.i.Domains.Agenda {
		d.skip(check, "This is not looked at while the agenda is switched off", "Switch Agenda on first")
	}
	return !d.i.Domains.Agenda
}

func (d *diagnosis) targets() {
	switch {
	case d.noAgenda(sparki.CheckTargets):
	case d.agendas.Targets > 0:
		d.pass(sparki.CheckTargets, fmt.Sprintf("Agendas that schedules can be linked with: %d", d.agendas.Targets))
	case !d.agendas.Read:
		d.skip(sparki.CheckTargets, "No sync of the agenda has succeeded yet", "Wait for the first sync; if it fails, look at the connection")
	default:
		d.fail(sparki.CheckTargets, fmt.Sprintf("The sync of the agenda succeeded, but %s has no agenda that appointments can be written to", d.info.Name),
			"Check the settings that limit the employees or departments, and their state in the CRM; then sync the agenda again")
	}
}

func (d *diagnosis) links() {
	switch {
	case d.noAgenda(sparki.CheckLinks):
	case d.agendas.Links > 0:
		d.pass(sparki.CheckLinks, fmt.Sprintf("Schedules that are linked: %d", d.agendas.Links))
	default:
		d.warn(sparki.CheckLinks, fmt.Sprintf("No schedule is linked with an agenda in %s: no appointment is written there", d.info.Name),
			"Link a parent schedule with an agenda")
	}
}

func (d *diagnosis) writeBack() {
	if d.off(sparki.CheckWriteBack) {
		return
	}
	switch a := d.agendas; {
	case a.Failed > 0:
		d.fail(sparki.CheckWriteBack, fmt.Sprintf("Appointments that could not be written to the CRM: %d", a.Failed),
			"Look at the message of each of them, mend what it says, and try again")
	case a.Unsure > 0:
		d.warn(sparki.CheckWriteBack, fmt.Sprintf("Appointments whose answer was lost: %d", a.Unsure),
			"The agenda is searched for them before anything is sent again; if this goes on, look at the connection")
	case a.Drifted > 0:
		d.warn(sparki.CheckWriteBack, fmt.Sprintf("Appointments that somebody changed in the CRM: %d", a.Drifted), "Say for each of them whose word holds")
	case !d.i.Domains.Agenda || !d.i.Domains.Outbound:
		d.skip(sparki.CheckWriteBack, "Nothing is written while the agenda or outbound is switched off", "Switch both on first")
	default:
		d.pass(sparki.CheckWriteBack, fmt.Sprintf("Every appointment was written as it should; on their way: %d", a.Waiting))
	}
}

func (d *diagnosis) devMode() {
	if !d.info.DevMode || d.info.DevModeSetting == "" || !d.values.Toggles[d.info.DevModeSetting] {
		d.pass(sparki.CheckDevMode, "Dev mode is off")
		return
	}
	d.warn(sparki.CheckDevMode, "Dev mode is on: the smoke test writes test appointments to the agenda of the settings",
		"Switch dev mode off before the office works with it")
}

func (d *diagnosis) outbound() {
	switch {
	case d.off(sparki.CheckOutbound):
	case d.i.Domains.Outbound:
		d.pass(sparki.CheckOutbound, "Outbound is switched on")
	default:
		d.warn(sparki.CheckOutbound, "Outbound is switched off: appointments stay in Sparki",
			fmt.Sprintf("Switch Outbound on and save, to have confirmed appointments written to %s", d.info.Name))
	}
}

func (d *diagnosis) mock() {
	if !d.i.Mock {
		d.pass(sparki.CheckMock, fmt.Sprintf("The live %s is used", d.info.Name))
		return
	}
	d.warn(sparki.CheckMock, fmt.Sprintf("The built-in mock stands in for %s: its objects are not real", d.info.Name),
		fmt.Sprintf("Switch the mock off and save, to use the live %s", d.info.Name))
}
