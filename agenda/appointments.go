package agenda

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
)

// AppointmentInput is what a person enters of a new appointment.
type AppointmentInput struct {
	ScheduleID uuid.UUID
	ProjectID  *uuid.UUID
	Status     sparki.AppointmentStatus
	Times
	Customer        sparki.Customer
	Location, Notes *string
}

// Times are when an appointment is.
type Times struct {
	StartsAt time.Time
	// EndsAt is nil for the project's length of an appointment, else half an hour.
	EndsAt *time.Time
	// TimeZone is the IANA zone that the times were meant in; nil when nobody said. With it, a local time
	// that does not exist there, or that has another offset there, is refused.
	TimeZone *string
}

// AppointmentPatch is what a person changes of an appointment; nil leaves a field as it is.
type AppointmentPatch struct {
	ScheduleID *uuid.UUID
	Status     *sparki.AppointmentStatus
	// StartsAt alone moves the appointment: it keeps its length.
	StartsAt *time.Time
	EndsAt   *time.Time
	TimeZone *string
	Customer *sparki.Customer
	// Location and Notes: a pointer to nil clears.
	Location, Notes **string
}

// form collects what is wrong with what a person entered.
type form struct{ refused sparki.Refusal }

func (f *form) refuse(code sparki.UserErrorCode, message string, field ...string) {
	f.refused = append(f.refused, sparki.UserError{Code: code, Message: message, Field: append([]string{"input"}, field...)})
}

func (f *form) err() error {
	if len(f.refused) > 0 {
		return f.refused
	}
	return nil
}

// line reads a text of one line that may be missing; what is empty is missing.
func (f *form) line(value *string, field ...string) *string {
	if value == nil {
		return nil
	}
	text := oneLine(*value)
	if utf8.RuneCountInString(text) > maxLine {
		f.refuse(sparki.CodeInvalid, "this is too long: at most 500 characters", field...)
	}
	if text == "" {
		return nil
	}
	return &text
}

func (f *form) notes(value *string) *string {
	if value == nil {
		return nil
	}
	text := lines(*value)
	if utf8.RuneCountInString(text) > maxNotes {
		f.refuse(sparki.CodeInvalid, "this is too long: at most 5000 characters", "notes")
	}
	if text == "" {
		return nil
	}
	return &text
}

func (f *form) customer(c sparki.Customer) sparki.Customer {
	name := f.line(&c.Name, "customer", "name")
	if name == nil {
		f.refuse(sparki.CodeRequired, "an appointment needs the customer's name", "customer", "name")
		return c
	}
	email := f.line(c.Email, "customer", "email")
	if email != nil && !strings.Contains(*email, "@") {
		f.refuse(sparki.CodeInvalid, "this is no e-mail address", "customer", "email")
	}
	return sparki.Customer{Name: *name, Email: email, Phone: f.line(c.Phone, "customer", "phone")}
}

// earliest and latest bound the years in which an appointment can be.
const earliest, latest = 2000, 2200

// times reads when an appointment is; length is its own when nobody says another.
func (f *form) times(t Times, length time.Duration) (start, end time.Time) {
	zone := f.zone(t.TimeZone)
	start = f.moment(t.StartsAt, zone, "startsAt")
	end = start.Add(length) // time that passes, also when the clock changes
	if t.EndsAt != nil {
		end = f.moment(*t.EndsAt, zone, "endsAt")
	}
	if len(f.refused) == 0 && !start.Before(end) {
		f.refuse(sparki.CodeInvalid, "an appointment ends after it starts", "endsAt")
	}
	return start, end
}

func (f *form) zone(name *string) *time.Location {
	if name == nil {
		return nil
	}
	zone, err := time.LoadLocation(*name)
	if err != nil || *name == "" || *name == "Local" {
		f.refuse(sparki.CodeInvalid, "there is no such time zone: give an IANA name such as Europe/Amsterdam", "timeZone")
		return nil
	}
	return zone
}

// moment reads a time to the second. The clocks of its zone, if one is named, have to show it.
func (f *form) moment(t time.Time, zone *time.Location, field string) time.Time {
	if year := t.Year(); year < earliest || year > latest {
		f.refuse(sparki.CodeInvalid, "this year cannot be meant", field)
		return t
	}
	if zone != nil {
		_, there := t.In(zone).Zone()
		if _, given := t.Zone(); given != there {
			f.refuse(sparki.CodeInvalid, "the clocks of this time zone never show this time with this offset: on a day when they change, some times do not exist and some come twice", field)
		}
	}
	return t.UTC().Truncate(time.Second)
}

// Create adds an appointment. A confirmed one is written into the agenda that its schedule is linked with.
func (s *Service) Create(ctx context.Context, who *sparki.Principal, in AppointmentInput) (*sparki.Appointment, error) {
	a := &sparki.Appointment{ID: sparki.NewID(), ScheduleID: in.ScheduleID, ProjectID: in.ProjectID, Status: in.Status}
	err := s.change(ctx, who.PortalID, func(tx *db.Tx, lock lock) ([]uuid.UUID, error) {
		f := &form{}
		schedule, err := tx.Schedule(ctx, in.ScheduleID)
		if err != nil {
			return nil, err
		}
		minutes, err := place(ctx, tx, f, a, schedule)
		if err != nil {
			return nil, err
		}
		a.StartsAt, a.EndsAt = f.times(in.Times, time.Duration(minutes)*time.Minute)
		a.Customer, a.Location, a.Notes = f.customer(in.Customer), f.line(in.Location, "location"), f.notes(in.Notes)
		if err := f.err(); err != nil {
			return nil, err
		}
		if err := lock(in.ScheduleID); err != nil {
			return nil, err
		}
		tell(tx, sparki.AppointmentCreated, who.Name, a.ID, nil, nil)
		return []uuid.UUID{a.ID}, tx.InsertAppointment(ctx, a)
	})
	return s.after(ctx, who, a.ID, err)
}

// place says what an appointment is about: its own project, or the one that its schedule is for. It
// gives the length of an appointment there.
func place(ctx context.Context, tx *db.Tx, f *form, a *sparki.Appointment, schedule *sparki.Schedule) (minutes int, err error) {
	if a.ProjectID == nil {
		a.ProjectID = schedule.ProjectID
	}
	if a.ProjectID == nil {
		return sparki.DefaultAppointmentMinutes, nil
	}
	if schedule.ProjectID != nil && *schedule.ProjectID != *a.ProjectID {
		f.refuse(sparki.CodeInvalid, "this schedule is for another project", "projectId")
	}
	project, err := tx.Project(ctx, *a.ProjectID)
	if err != nil {
		return 0, err
	}
	if project.Lifecycle == sparki.Archived {
		f.refuse(sparki.CodeProjectArchived, "this project is archived", "projectId")
	}
	return project.AppointmentMinutes, nil
}

// Update changes an appointment; its item in the CRM follows.
func (s *Service) Update(ctx context.Context, who *sparki.Principal, id uuid.UUID, patch AppointmentPatch) (*sparki.Appointment, error) {
	before, err := s.DB.Appointment(ctx, who.PortalID, id)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, who.PortalID, func(tx *db.Tx, lock lock) ([]uuid.UUID, error) {
		schedules := []uuid.UUID{before.ScheduleID}
		f := &form{}
		if patch.ScheduleID != nil {
			schedule, err := tx.Schedule(ctx, *patch.ScheduleID)
			if err != nil {
				return nil, err
			}
			if schedule.ProjectID != nil && (before.ProjectID == nil || *schedule.ProjectID != *before.ProjectID) {
				f.refuse(sparki.CodeInvalid, "this schedule is for another project", "scheduleId")
			}
			schedules = append(schedules, schedule.ID)
		}
		if err := lock(schedules...); err != nil {
			return nil, err
		}
		a, err := tx.LockAppointment(ctx, id)
		if err != nil {
			return nil, err
		}
		was := *a
		patch.apply(f, a)
		if err := f.err(); err != nil || sameAppointment(&was, a) {
			return nil, err
		}
		what := sparki.AppointmentUpdated
		if was.Status != a.Status && a.Status == sparki.AppointmentCancelled {
			what = sparki.AppointmentEnded
		}
		tell(tx, what, who.Name, id, nil, nil)
		return []uuid.UUID{id}, tx.UpdateAppointment(ctx, a)
	})
	return s.after(ctx, who, id, err)
}

// sameAppointment says whether a change of an appointment changed anything.
func sameAppointment(a, b *sparki.Appointment) bool {
	same := func(x, y *string) bool { return valueOf(x, "") == valueOf(y, "") }
	return a.ScheduleID == b.ScheduleID && a.Status == b.Status && a.StartsAt.Equal(b.StartsAt) && a.EndsAt.Equal(b.EndsAt) &&
		a.Customer.Name == b.Customer.Name && same(a.Customer.Email, b.Customer.Email) && same(a.Customer.Phone, b.Customer.Phone) &&
		same(a.Location, b.Location) && same(a.Notes, b.Notes)
}

// apply changes an appointment, and says what is wrong with it then.
func (p AppointmentPatch) apply(f *form, a *sparki.Appointment) {
	if p.ScheduleID != nil {
		a.ScheduleID = *p.ScheduleID
	}
	if p.Status != nil {
		a.Status = *p.Status
	}
	if p.StartsAt != nil || p.EndsAt != nil {
		t := Times{StartsAt: a.StartsAt, EndsAt: p.EndsAt, TimeZone: p.TimeZone}
		if p.StartsAt != nil {
			t.StartsAt = *p.StartsAt
		} else if p.TimeZone != nil {
			t.StartsAt = inZone(a.StartsAt, *p.TimeZone) // nobody meant it anew
		}
		a.StartsAt, a.EndsAt = f.times(t, a.EndsAt.Sub(a.StartsAt))
	}
	if p.Customer != nil {
		a.Customer = f.customer(*p.Customer)
	}
	if p.Location != nil {
		a.Location = f.line(*p.Location, "location")
	}
	if p.Notes != nil {
		a.Notes = f.notes(*p.Notes)
	}
}

// inZone is a time as the clocks of a zone show it; as it is when there is no such zone.
func inZone(t time.Time, name string) time.Time {
	if zone, err := time.LoadLocation(name); err == nil {
		return t.In(zone)
	}
	return t
}

// Cancel cancels an appointment; its item in the CRM is cancelled, if there is one.
func (s *Service) Cancel(ctx context.Context, who *sparki.Principal, id uuid.UUID) (*sparki.Appointment, error) {
	return s.Update(ctx, who, id, AppointmentPatch{Status: new(sparki.AppointmentCancelled)})
}

// CancelUpcoming cancels the appointments of a project that are not over.
func (s *Service) CancelUpcoming(ctx context.Context, who *sparki.Principal, project uuid.UUID) error {
	var upcoming []uuid.UUID
	err := s.DB.Tx(ctx, who.PortalID, func(tx *db.Tx) (err error) {
		upcoming, err = tx.UpcomingOfProject(ctx, project)
		return err
	})
	for _, id := range upcoming {
		if err == nil {
			_, err = s.Cancel(ctx, who, id)
		}
	}
	return err
}

// Retry lets an appointment that did not get to the CRM be sent again, at once.
func (s *Service) Retry(ctx context.Context, who *sparki.Principal, id uuid.UUID) (*sparki.Appointment, error) {
	before, err := s.DB.Appointment(ctx, who.PortalID, id)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, who.PortalID, func(tx *db.Tx, lock lock) ([]uuid.UUID, error) {
		if err := lock(before.ScheduleID); err != nil {
			return nil, err
		}
		a, err := tx.LockAppointment(ctx, id)
		if err != nil {
			return nil, err
		}
		switch a.WriteBack.State {
		case sparki.WriteBackFailed, sparki.WriteBackSkipped, sparki.WriteBackUnknown:
		case sparki.WriteBackQueued:
			if err := tx.HurryWriteBack(ctx, id); err != nil {
				return nil, err
			}
		default:
			return nil, sparki.Refuse(sparki.CodeNothingToRetry, "nothing of this appointment waits to be sent", "appointmentId")
		}
		return []uuid.UUID{id}, nil
	})
	return s.after(ctx, who, id, err)
}

// ResolveDrift settles whose word holds about an item that somebody changed in the CRM: ours is sent
// again, or the CRM's is taken over.
func (s *Service) ResolveDrift(ctx context.Context, who *sparki.Principal, id uuid.UUID, keep sparki.DriftSide) (*sparki.Appointment, error) {
	before, err := s.DB.Appointment(ctx, who.PortalID, id)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, who.PortalID, func(tx *db.Tx, lock lock) ([]uuid.UUID, error) {
		if err := lock(before.ScheduleID); err != nil {
			return nil, err
		}
		a, err := tx.LockAppointment(ctx, id)
		if err != nil {
			return nil, err
		}
		if a.WriteBack.Drift == sparki.InSync {
			return nil, sparki.Refuse(sparki.CodeNothingToResolve, "the CRM's agenda says what was sent: there is nothing to decide", "appointmentId")
		}
		situations, err := tx.Situations(ctx, []uuid.UUID{id})
		if err != nil {
			return nil, err
		}
		tell(tx, sparki.DriftResolved, who.Name, id, situations[0].Item.IntegrationID, nil)
		if keep == sparki.KeepCRM {
			return []uuid.UUID{id}, takeOver(ctx, tx, situations[0])
		}
		return []uuid.UUID{id}, keepOurs(ctx, tx, situations[0])
	})
	return s.after(ctx, who, id, err)
}

// keepOurs takes the CRM to say what it says now, so that what we want is another thing, and is sent.
func keepOurs(ctx context.Context, tx *db.Tx, s *db.Situation) error {
	if s.WriteBack.Drift != sparki.MovedInCRM {
		return tx.ResolveDrift(ctx, s.ID, nil, nil) // there is none any more: it is created anew
	}
	return tx.ResolveDrift(ctx, s.ID, asFound(s), s.Item.ScheduleID)
}

// asFound is what we sent, where and when somebody put it in the CRM.
func asFound(s *db.Situation) *sparki.AgendaEntry {
	sent := *s.Item.Sent
	sent.Start, sent.End = s.Item.Drift.Start, s.Item.Drift.End
	if sent.Target.ExternalID != s.Item.Drift.Target {
		sent.Target = sparki.EntryTarget{ExternalID: s.Item.Drift.Target, Kind: sent.Target.Kind}
	}
	return &sent
}

// takeOver makes the appointment what it is in the CRM.
func takeOver(ctx context.Context, tx *db.Tx, s *db.Situation) error {
	a := s.Appointment
	if s.WriteBack.Drift != sparki.MovedInCRM {
		a.Status = sparki.AppointmentCancelled
		if err := tx.UpdateAppointment(ctx, a); err != nil {
			return err
		}
		return tx.ResolveDrift(ctx, a.ID, nil, nil)
	}
	sent := asFound(s)
	a.StartsAt, a.EndsAt = sent.Start, sent.End
	if moved := s.Item.Drift.Target; moved != s.Item.Sent.Target.ExternalID {
		schedule, err := tx.ScheduleOfTarget(ctx, *s.Item.IntegrationID, moved)
		if sparki.KindOf(err) == sparki.NotFound {
			return sparki.Refuse(sparki.CodeTargetUnavailable, "it stands in an agenda now that no schedule is linked with: link one first", "keep")
		}
		if err != nil {
			return err
		}
		a.ScheduleID = schedule
	}
	if err := tx.UpdateAppointment(ctx, a); err != nil {
		return err
	}
	now, err := tx.Situations(ctx, []uuid.UUID{a.ID})
	if err != nil {
		return err
	}
	sent.Target = targetOf(now[0])
	return tx.ResolveDrift(ctx, a.ID, sent, &now[0].RootID)
}

// after reads an appointment as it is now.
func (s *Service) after(ctx context.Context, who *sparki.Principal, id uuid.UUID, err error) (*sparki.Appointment, error) {
	if err != nil {
		return nil, err
	}
	return s.DB.Appointment(ctx, who.PortalID, id)
}

// Gates says of each appointment which conditions for its write-back hold, in the order in which they
// are checked: by the code that decides when it is queued and when it is sent.
func (s *Service) Gates(ctx context.Context, portal uuid.UUID, ids []uuid.UUID) (map[uuid.UUID][]*sparki.WriteBackGate, error) {
	offices, err := s.offices(ctx, portal)
	if err != nil {
		return nil, err
	}
	situations, err := s.DB.Situations(ctx, portal, ids)
	if err != nil {
		return nil, err
	}
	all := make(map[uuid.UUID][]*sparki.WriteBackGate, len(situations))
	for _, sit := range situations {
		p, err := planOf(sit, offices)
		if err != nil {
			return nil, err
		}
		for _, g := range p.gates.inOrder() {
			shown := &sparki.WriteBackGate{Gate: g.reason, Open: g.open}
			if !g.open {
				shown.Remedy = &g.remedy
			}
			all[sit.ID] = append(all[sit.ID], shown)
		}
	}
	return all, nil
}
