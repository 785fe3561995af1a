package agenda

import (
	"sparki.app/integrations"
	"sparki.app/integrations/db"
)

// action is what is to be done next about an appointment.
type action int

const (
	nothing action = iota
	search         // the agenda, for an item whose creation nobody answered for
	look           // at the item: somebody may have changed it in the CRM
	create
	update
	cancel
)

// facts are all that decides what is to be done. Pure booleans, so that a test can try them all.
type facts struct {
	confirmed bool // the appointment is to stand in the CRM's agenda
	linked    bool // its schedule, or the parent of that, is linked with an agenda
	live      bool // an item of it stands in a CRM
	unsure    bool // one may stand there: the answer to its creation was lost
	changed   bool // the CRM says that somebody changed the item
	elsewhere bool // the item stands in another agenda than the one that is linked
	left      bool // the item was made for another schedule than the appointment's, which is still linked
	stale     bool // the item says something else than it should, or may
}

// next says what makes the CRM's agenda agree with the appointment.
func next(f facts) action {
	switch {
	case f.unsure:
		return search
	case f.live && f.changed:
		return look
	case f.live && !f.confirmed:
		return cancel
	case f.live && f.linked && f.elsewhere, f.live && !f.linked && f.left:
		return cancel // there; then it is created here
	case f.live && f.stale:
		return update
	case !f.live && f.confirmed:
		return create
	}
	return nothing
}

// gates are the conditions for write-back.
type gates struct {
	enabled, complete, agenda, outbound, linked, confirmed bool
}

// gate is one condition: the reason why it is closed, whether it is open, and what to do about it.
type gate struct {
	reason sparki.WriteBackReason
	open   bool
	remedy string
}

// inOrder lists the conditions in the order in which they are checked.
func (g gates) inOrder() []gate {
	return []gate{
		{sparki.ReasonDisabled, g.enabled, remedyOf(sparki.ReasonDisabled)},
		{sparki.ReasonSettings, g.complete, remedyOf(sparki.ReasonSettings)},
		{sparki.ReasonAgendaOff, g.agenda, remedyOf(sparki.ReasonAgendaOff)},
		{sparki.ReasonOutbound, g.outbound, remedyOf(sparki.ReasonOutbound)},
		{sparki.ReasonNotLinked, g.linked, remedyOf(sparki.ReasonNotLinked)},
		{sparki.ReasonStatus, g.confirmed, remedyOf(sparki.ReasonStatus)},
	}
}

// closed is the first gate that forbids an action; "" when none does. Only what puts an item into the
// agenda needs a confirmed appointment.
func (g gates) closed(a action) sparki.WriteBackReason {
	for _, gate := range g.inOrder() {
		if !gate.open && (gate.reason != sparki.ReasonStatus || a == create || a == update) {
			return gate.reason
		}
	}
	return ""
}

// remedyOf says what to do about a reason.
func remedyOf(reason sparki.WriteBackReason) (remedy string) {
	switch reason {
	case sparki.ReasonDisabled:
		remedy = "Switch the integration on"
	case sparki.ReasonSettings:
		remedy = "Complete the settings of the integration and save them"
	case sparki.ReasonAgendaOff:
		remedy = "Switch Agenda on and save"
	case sparki.ReasonOutbound:
		remedy = "Switch Outbound on and save"
	case sparki.ReasonNotLinked:
		remedy = "Link the schedule, or the parent that it belongs to, with an agenda"
	case sparki.ReasonStatus:
		remedy = "Confirm the appointment"
	case sparki.ReasonUnresolved:
		remedy = "Somebody changed this appointment in the CRM: say first whose word holds"
	}
	return remedy
}

// plan is what is to be done about one appointment.
type plan struct {
	do action
	// then is what is to be done if a look finds that nobody changed anything; do itself otherwise.
	then action
	// office is where it is to be done; nil when the portal has no integration.
	office *office
	gates  gates
	// entry is what the CRM is to say after a create or an update.
	entry *sparki.AgendaEntry
}

// planOf decides what is to be done about an appointment, from everything that was read about it.
func planOf(s *db.Situation, offices []*office) (plan, error) {
	p := plan{}
	entry, err := entryOf(s)
	if err != nil {
		return p, err
	}
	p.entry = entry
	item := &s.Item
	f := facts{
		confirmed: s.Status == sparki.AppointmentConfirmed,
		linked:    s.Link != nil, live: item.Live, unsure: item.Intent != nil,
		changed: item.Look && find(offices, item.IntegrationID).reads(),
		left:    item.OriginLinked && item.ScheduleID != nil && *item.ScheduleID != s.RootID,
	}
	if item.Live {
		f.elsewhere = f.linked && (*item.IntegrationID != s.Link.IntegrationID || !item.Sent.Target.Same(entry.Target))
		f.stale = len(item.Tried) > 0 || !sameContent(item.Sent, entry) // it may say what was tried
	}
	p.do = next(f)
	f.changed = false
	p.then = next(f)
	p.office = placeOf(s, p.do, offices)
	p.gates = gates{linked: f.linked || f.live && f.left, confirmed: f.confirmed}
	if o := p.office; o != nil {
		p.gates.enabled, p.gates.complete = o.Enabled, o.incomplete == nil
		p.gates.agenda, p.gates.outbound = o.Domains.Agenda, o.Domains.Outbound
	}
	return p, nil
}

// placeOf says which integration an action is about: the item's own, or the one that is linked. Without
// either it is the one of the portal that is nearest to working, so that its gates can be shown.
func placeOf(s *db.Situation, do action, offices []*office) *office {
	if (do == search || do == look || do == cancel || do == update) && s.Item.IntegrationID != nil {
		return find(offices, s.Item.IntegrationID)
	}
	if s.Link != nil {
		return find(offices, &s.Link.IntegrationID)
	}
	if s.Item.IntegrationID != nil {
		return find(offices, s.Item.IntegrationID)
	}
	var best *office
	for _, o := range offices {
		if best == nil || o.openGates() > best.openGates() {
			best = o
		}
	}
	return best
}

// reads says whether the agenda may be read.
func (o *office) reads() bool {
	return o != nil && o.Enabled && o.incomplete == nil && o.Domains.Agenda && !o.Parked()
}

func (o *office) openGates() (n int) {
	for _, open := range []bool{o.Enabled, o.incomplete == nil, o.Domains.Agenda, o.Domains.Outbound} {
		if open {
			n++
		}
	}
	return n
}

// verdict is what a plan means for the appointment's state. Looking at an item is nothing that shows.
func (p plan) verdict(s *db.Situation) db.Verdict {
	v := db.Verdict{Action: p.then.sent()}
	if p.office != nil {
		v.IntegrationID = &p.office.ID
	}
	closed := p.gates.closed(p.then)
	switch {
	case p.then == nothing && s.WriteBack.ExternalID != nil:
		v.State = sparki.WriteBackSynced
	case p.then == nothing:
		v.State, v.Reason = sparki.WriteBackNotNeeded, new(sparki.ReasonStatus)
	case closed != "":
		v.State, v.Reason, v.Message = sparki.WriteBackSkipped, &closed, new(remedyOf(closed))
	case p.office.Parked():
		v.State, v.Reason, v.Message = sparki.WriteBackSkipped, new(sparki.ReasonRefused), p.office.Connection.Problem
	case p.held(s):
		v.State, v.Reason, v.Message = sparki.WriteBackSkipped, new(sparki.ReasonUnresolved), new(remedyOf(sparki.ReasonUnresolved))
	case p.then == search:
		v.State = sparki.WriteBackUnknown
	default:
		v.State = sparki.WriteBackQueued
	}
	return v
}

// held says whether a person has to say first whose word holds: somebody changed the item in the CRM,
// and what we would send undoes that.
func (p plan) held(s *db.Situation) bool {
	agreed := p.then == search || p.then == cancel && !p.gates.confirmed && s.WriteBack.Drift != sparki.MovedInCRM
	return s.WriteBack.Drift != sparki.InSync && !agreed
}

// sent is an action's public name; nil for one that sends nothing.
func (a action) sent() *sparki.WriteBackAction {
	switch a {
	case create:
		return new(sparki.WriteBackCreate)
	case update:
		return new(sparki.WriteBackUpdate)
	case cancel:
		return new(sparki.WriteBackCancel)
	default:
		return nil
	}
}
