package main

import (
	"context"
	"log/slog"
	"time"

	"sparki.app/integrations"
	"sparki.app/integrations/agenda"
)

// demoPoll is how often dev looks whether the mock CRMs' agendas have been read.
const demoPoll = 250 * time.Millisecond

// showAgendas gives the demo portal schedules and appointments, once the agendas of its mock CRMs are
// read. A portal that has schedules keeps what it has.
func (a *app) showAgendas(ctx context.Context, d *demo) {
	err := a.makeAgendas(ctx, d)
	if err != nil && ctx.Err() == nil {
		a.log.Warn("the demo's appointments could not be made", slog.Any("error", err))
	}
}

func (a *app) makeAgendas(ctx context.Context, d *demo) error {
	schedules, err := a.db.Schedules(ctx, d.portal.ID)
	if err != nil || len(schedules) > 0 {
		return err
	}
	for _, i := range d.integrations {
		if _, err := a.integrations.Agenda(ctx, i); err != nil {
			continue // this CRM has none
		}
		target, err := a.firstTarget(ctx, i)
		if err != nil {
			return err
		}
		if err := a.makeAgenda(ctx, d, i, target); err != nil {
			return err
		}
	}
	return nil
}

// firstTarget waits until a CRM's agendas are read, and gives the first that names whom it is for.
func (a *app) firstTarget(ctx context.Context, i *sparki.Integration) (*sparki.AgendaTarget, error) {
	info, err := a.integrations.Info(i.Provider)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(demoPoll)
	defer tick.Stop()
	for {
		targets, err := a.db.AgendaTargets(ctx, i.PortalID, i.ID)
		if err != nil {
			return nil, err
		}
		for _, target := range targets {
			if target.Available && (target.MedewerkerID != nil || !info.NeedsMedewerker) {
				return target, nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// demoBookings are the demo's appointments: so many days from today, at this hour, in this status.
var demoBookings = []struct {
	days, hour     int
	status         sparki.AppointmentStatus
	customer, mail string
}{
	{1, 10, sparki.AppointmentConfirmed, "Noor Beekman", "noor.beekman@mail.example"},
	{2, 14, sparki.AppointmentConfirmed, "Jan Smit", "jan.smit@mail.example"},
	{3, 11, sparki.AppointmentPending, "Fatima el Amrani", "fatima@mail.example"},
}

func (a *app) makeAgenda(ctx context.Context, d *demo, i *sparki.Integration, target *sparki.AgendaTarget) error {
	info, err := a.integrations.Info(i.Provider)
	if err != nil {
		return err
	}
	parent, err := a.agenda.CreateSchedule(ctx, d.who, agenda.ScheduleInput{Name: "Bezichtigingen " + info.Name})
	if err != nil {
		return err
	}
	if _, err := a.agenda.CreateSchedule(ctx, d.who, agenda.ScheduleInput{Name: "Open huis " + info.Name, ParentID: &parent.ID}); err != nil {
		return err
	}
	if _, err := a.agenda.LinkSchedule(ctx, d.who, agenda.LinkInput{ScheduleID: parent.ID, TargetID: target.ID}); err != nil {
		return err
	}
	zone, err := time.LoadLocation(d.portal.TimeZone)
	if err != nil {
		return err
	}
	today := time.Now().In(zone)
	for _, b := range demoBookings {
		_, err := a.agenda.Create(ctx, d.who, agenda.AppointmentInput{
			ScheduleID: parent.ID, Status: b.status, Customer: sparki.Customer{Name: b.customer, Email: &b.mail},
			Times: agenda.Times{StartsAt: time.Date(today.Year(), today.Month(), today.Day()+b.days, b.hour, 0, 0, 0, zone)},
		})
		if err != nil {
			return err
		}
	}
	return nil
}
