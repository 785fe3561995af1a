package resolvers

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/uuid"

	"sparki.app/integrations"
	"sparki.app/integrations/agenda"
	"sparki.app/integrations/graph"
)

// optional parses an id that may be left out; NotFound for one of another kind.
func optional(kind sparki.NodeKind, id graphql.Omittable[*string]) (*uuid.UUID, error) {
	text := id.Value()
	if text == nil {
		return nil, nil
	}
	parsed, err := kind.Parse(*text)
	return &parsed, err
}

func scheduleInput(in graph.ScheduleInput) (agenda.ScheduleInput, error) {
	out := agenda.ScheduleInput{Name: in.Name}
	var err error
	if out.ParentID, err = optional(sparki.ScheduleNode, in.ParentID); err != nil {
		return out, err
	}
	out.ProjectID, err = optional(sparki.ProjectNode, in.ProjectID)
	return out, err
}

func customerInput(in *graph.CustomerInput) sparki.Customer {
	return sparki.Customer{Name: in.Name, Email: in.Email.Value(), Phone: in.Phone.Value()}
}

func appointmentInput(in graph.AppointmentInput) (agenda.AppointmentInput, error) {
	out := agenda.AppointmentInput{
		Status: in.Status, Customer: customerInput(in.Customer), Location: in.Location.Value(), Notes: in.Notes.Value(),
		Times: agenda.Times{StartsAt: in.StartsAt, EndsAt: in.EndsAt.Value(), TimeZone: in.TimeZone.Value()},
	}
	var err error
	if out.ScheduleID, err = sparki.ScheduleNode.Parse(in.ScheduleID); err != nil {
		return out, err
	}
	out.ProjectID, err = optional(sparki.ProjectNode, in.ProjectID)
	return out, err
}

func appointmentPatch(in graph.AppointmentPatch) (agenda.AppointmentPatch, error) {
	out := agenda.AppointmentPatch{
		Status: in.Status.Value(), StartsAt: in.StartsAt.Value(), EndsAt: in.EndsAt.Value(), TimeZone: in.TimeZone.Value(),
		Location: clearable(in.Location), Notes: clearable(in.Notes),
	}
	if customer := in.Customer.Value(); customer != nil {
		out.Customer = new(customerInput(customer))
	}
	var err error
	out.ScheduleID, err = optional(sparki.ScheduleNode, in.ScheduleID)
	return out, err
}

// clearable tells a field that is left out from one that is null.
func clearable(field graphql.Omittable[*string]) **string {
	if value, set := field.ValueOK(); set {
		return &value
	}
	return nil
}

func appointmentPayload(a *sparki.Appointment, err error) (*graph.AppointmentPayload, error) {
	refused, err := payload(err)
	return &graph.AppointmentPayload{Appointment: a, UserErrors: refused}, err
}

// linkPayload gives a link together with its schedule as it is now.
func linkPayload(ctx context.Context, link *sparki.ScheduleLink, err error) (*graph.ScheduleLinkPayload, error) {
	refused, err := payload(err)
	out := &graph.ScheduleLinkPayload{ScheduleLink: link, UserErrors: refused}
	if err == nil && link != nil {
		out.Schedule, err = load(ctx).schedules.load(link.ScheduleID)
	}
	return out, err
}

// announcedLinks announces what links may be asked for, unless reading them failed.
func announcedLinks(ctx context.Context) func([]*sparki.ScheduleLink, error) ([]*sparki.ScheduleLink, error) {
	return func(links []*sparki.ScheduleLink, err error) ([]*sparki.ScheduleLink, error) {
		load(ctx).announceLinks(links)
		return links, err
	}
}

func appointmentConnection(ctx context.Context) func(*sparki.Page[*sparki.Appointment], error) (*graph.AppointmentConnection, error) {
	return connection(func(p *sparki.Page[*sparki.Appointment]) *graph.AppointmentConnection {
		load(ctx).announceAppointments(p.Nodes)
		return &graph.AppointmentConnection{Nodes: p.Nodes, PageInfo: pageInfo(ctx, p), Count: p.Count,
			Edges: edges(ctx, p, func(c string, n *sparki.Appointment) *graph.AppointmentEdge {
				return &graph.AppointmentEdge{Cursor: c, Node: n}
			})}
	})
}

// agendaLoaders batch what belongs to agendas.
type agendaLoaders struct {
	schedules    *batch[*sparki.Schedule]
	targets      *batch[*sparki.AgendaTarget]
	links        *batch[[]*sparki.ScheduleLink] // by schedule; at most one
	appointments *batch[*sparki.Appointment]
	gates        *batch[[]*sparki.WriteBackGate] // by appointment
	upcoming     counts                          // appointments, by project
}

func (r *Resolver) agendaLoaders(ctx context.Context, portal uuid.UUID) agendaLoaders {
	l := agendaLoaders{}
	l.schedules = each(ctx, func(ctx context.Context, ids []uuid.UUID) ([]*sparki.Schedule, error) {
		return r.DB.SchedulesByID(ctx, portal, ids)
	}, func(s *sparki.Schedule) uuid.UUID { return s.ID })
	l.targets = each(ctx, func(ctx context.Context, ids []uuid.UUID) ([]*sparki.AgendaTarget, error) {
		return r.DB.AgendaTargetsByID(ctx, portal, ids)
	}, func(t *sparki.AgendaTarget) uuid.UUID { return t.ID })
	l.links = many(ctx, func(ctx context.Context, ids []uuid.UUID) ([]*sparki.ScheduleLink, error) {
		return r.DB.LinksOfSchedules(ctx, portal, ids)
	}, func(link *sparki.ScheduleLink) uuid.UUID { return link.ScheduleID })
	l.appointments = each(ctx, func(ctx context.Context, ids []uuid.UUID) ([]*sparki.Appointment, error) {
		return r.DB.AppointmentsByID(ctx, portal, ids)
	}, func(a *sparki.Appointment) uuid.UUID { return a.ID })
	l.gates = newBatch(ctx, func(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID][]*sparki.WriteBackGate, error) {
		return r.Agenda.Gates(ctx, portal, ids)
	}, valuesOf)
	l.upcoming = counts{newBatch(ctx, func(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]int, error) {
		return r.DB.UpcomingAppointments(ctx, portal, ids)
	}, valuesOf)}
	return l
}

// counts is a loader of numbers; what is not counted is none.
type counts struct{ *batch[int] }

func (c counts) count(id uuid.UUID) (int, error) { return c.load(id) }

// announceSchedules says that schedules will be looked at.
func (l *loaders) announceSchedules(schedules []*sparki.Schedule) {
	for _, s := range schedules {
		l.links.announce(s.ID)
		if s.ParentID != nil {
			l.schedules.announce(*s.ParentID)
		}
		if s.ProjectID != nil {
			l.wholeProjects.announce(*s.ProjectID)
		}
	}
}

// announceLinks says that links will be looked at.
func (l *loaders) announceLinks(links []*sparki.ScheduleLink) {
	for _, link := range links {
		l.schedules.announce(link.ScheduleID)
		l.targets.announce(link.TargetID)
		l.integrations.announce(link.IntegrationID)
	}
}

// announceAppointments says that appointments will be looked at.
func (l *loaders) announceAppointments(appointments []*sparki.Appointment) {
	for _, a := range appointments {
		l.schedules.announce(a.ScheduleID)
		l.gates.announce(a.ID)
		if a.ProjectID != nil {
			l.wholeProjects.announce(*a.ProjectID)
		}
	}
}

// review settles what to do with a project whose item went inactive, and with its appointments.
func (r *Resolver) review(ctx context.Context, who *sparki.Principal, project uuid.UUID, decision sparki.ReviewDecision, cancelToo bool) (*sparki.Project, error) {
	if cancelToo {
		if err := who.Need(sparki.EditAgendas); err != nil {
			return nil, err
		}
	}
	reviewed, err := r.Listings.Review(ctx, who, project, decision)
	if err != nil || !cancelToo {
		return reviewed, err
	}
	return reviewed, r.Agenda.CancelUpcoming(ctx, who, project)
}
