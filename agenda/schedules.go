package agenda

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
	"sparki.app/integrations/providers/rest"
)

// Bounds of what a person may enter, in characters.
const (
	maxName  = 200
	maxLine  = 500
	maxNotes = 5000
)

// ScheduleInput is what a person enters of a schedule.
type ScheduleInput struct {
	Name      string
	ParentID  *uuid.UUID
	ProjectID *uuid.UUID
}

// CreateSchedule adds a schedule: a parent, or one that is separated from a parent.
func (s *Service) CreateSchedule(ctx context.Context, who *sparki.Principal, in ScheduleInput) (*sparki.Schedule, error) {
	name := oneLine(in.Name)
	switch {
	case name == "":
		return nil, sparki.Refuse(sparki.CodeRequired, "a schedule needs a name", "input", "name")
	case utf8.RuneCountInString(name) > maxName:
		return nil, sparki.Refuse(sparki.CodeInvalid, "this is too long: at most 200 characters", "input", "name")
	}
	schedule := &sparki.Schedule{ID: sparki.NewID(), Name: name, ParentID: in.ParentID, ProjectID: in.ProjectID}
	err := s.DB.Tx(ctx, who.PortalID, func(tx *db.Tx) error {
		if in.ParentID != nil {
			parent, err := tx.Schedule(ctx, *in.ParentID)
			if err != nil {
				return err
			}
			if parent.ParentID != nil {
				return sparki.Refuse(sparki.CodeNotParentSchedule, "this schedule is itself separated from another one: choose its parent", "input", "parentId")
			}
		}
		if in.ProjectID != nil {
			if _, err := tx.Project(ctx, *in.ProjectID); err != nil {
				return err
			}
		}
		tx.Tell(sparki.Activity{Type: sparki.ScheduleCreated, Actor: who.Name, Params: map[string]string{"title": name},
			SubjectKind: sparki.ScheduleNode, SubjectID: schedule.ID})
		if err := tx.InsertSchedule(ctx, schedule); err != nil {
			return err
		}
		var err error
		schedule, err = tx.Schedule(ctx, schedule.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.Signals.Wake(ctx, who.PortalID)
	return schedule, nil
}

// oneLine makes a single line of what a person entered, without control characters.
func oneLine(text string) string { return rest.OneLine(text, len(text)) }

// lines keeps the lines of what a person entered, without other control characters.
func lines(text string) string {
	var out []string
	for line := range strings.Lines(text) {
		out = append(out, oneLine(line))
	}
	return strings.TrimSpace(strings.Join(out, "\n"))
}

// LinkInput is what a person enters to link a schedule.
type LinkInput struct {
	ScheduleID uuid.UUID
	TargetID   uuid.UUID
	// MedewerkerID is needed by a CRM whose target has none; nil otherwise.
	MedewerkerID *string
}

// LinkSchedule lets a parent schedule's appointments be written into an agenda of a CRM. One that is
// linked with another agenda changes over: what stands there is cancelled there and created here.
func (s *Service) LinkSchedule(ctx context.Context, who *sparki.Principal, in LinkInput) (*sparki.ScheduleLink, error) {
	var link *sparki.ScheduleLink
	err := s.change(ctx, who.PortalID, func(tx *db.Tx, lock lock) ([]uuid.UUID, error) {
		schedule, err := tx.LockSchedule(ctx, in.ScheduleID)
		if err != nil {
			return nil, err
		}
		target, err := tx.AgendaTarget(ctx, in.TargetID)
		if err != nil {
			return nil, err
		}
		if err := lock(); err != nil {
			return nil, err
		}
		integration, err := tx.ShareIntegration(ctx, target.IntegrationID)
		if err != nil {
			return nil, err
		}
		if link, err = s.newLink(schedule, target, integration, in.MedewerkerID); err != nil {
			return nil, err
		}
		before, err := tx.LinkOfSchedule(ctx, schedule.ID)
		if err != nil && sparki.KindOf(err) != sparki.NotFound {
			return nil, err
		}
		if before != nil && before.TargetID == link.TargetID && valueOf(before.MedewerkerID, "") == valueOf(link.MedewerkerID, "") {
			link = before
			return nil, nil
		}
		if err := tx.PutLink(ctx, link); err != nil {
			return nil, err
		}
		tellSchedule(tx, sparki.ScheduleLinked, who, schedule, link.IntegrationID, target.Name)
		return tx.UnsettledOfSchedule(ctx, schedule.ID)
	})
	if err != nil {
		return nil, err
	}
	return s.DB.ScheduleLink(ctx, who.PortalID, link.ID)
}

// newLink is the link that is asked for; a Refusal when it cannot be made.
func (s *Service) newLink(schedule *sparki.Schedule, target *sparki.AgendaTarget, i *sparki.Integration, given *string) (*sparki.ScheduleLink, error) {
	info, err := s.Info(i.Provider)
	if err != nil {
		return nil, err
	}
	medewerker := target.MedewerkerID
	if medewerker == nil && given != nil && info.NeedsMedewerker {
		if id := oneLine(*given); id != "" {
			medewerker = &id
		}
	}
	switch {
	case schedule.ParentID != nil:
		return nil, sparki.Refuse(sparki.CodeNotParentSchedule, "this schedule writes back through its parent: link the parent", "input", "scheduleId")
	case !i.Domains.Agenda:
		return nil, sparki.Refuse(sparki.CodeDomainOff, "the agenda is switched off: switch it on first", "input", "agendaTargetId")
	case !target.Available:
		return nil, sparki.Refuse(sparki.CodeTargetUnavailable, "this agenda is not available in the CRM any more: choose another one", "input", "agendaTargetId")
	case medewerker == nil && info.NeedsMedewerker:
		return nil, sparki.Refuse(sparki.CodeMedewerkerRequired, "this agenda names no employee: give the medewerker id that its appointments are for", "input", "medewerkerId")
	case medewerker != nil && !isNumber(*medewerker):
		return nil, sparki.Refuse(sparki.CodeInvalid, "a medewerker id is a number", "input", "medewerkerId")
	}
	return &sparki.ScheduleLink{ID: sparki.NewID(), IntegrationID: i.ID, ScheduleID: schedule.ID, TargetID: target.ID,
		AfdelingCode: target.AfdelingCode, MedewerkerID: medewerker}, nil
}

func isNumber(s string) bool { return s != "" && len(s) <= 18 && strings.Trim(s, "0123456789") == "" }

// Disconnect ends a schedule's link. Nothing is sent for its appointments from then on, not even a
// cancellation: what stands in the CRM stays there.
func (s *Service) Disconnect(ctx context.Context, who *sparki.Principal, linkID uuid.UUID) (*sparki.Schedule, error) {
	link, err := s.DB.ScheduleLink(ctx, who.PortalID, linkID)
	if err != nil {
		return nil, err
	}
	var schedule *sparki.Schedule
	err = s.change(ctx, who.PortalID, func(tx *db.Tx, lock lock) (_ []uuid.UUID, err error) {
		if schedule, err = tx.LockSchedule(ctx, link.ScheduleID); err != nil {
			return nil, err
		}
		if err := lock(); err != nil {
			return nil, err
		}
		now, err := tx.LinkOfSchedule(ctx, schedule.ID)
		if err != nil || now.ID != link.ID {
			return nil, cmpNotFound(err) // somebody ended or replaced it
		}
		target, err := tx.AgendaTarget(ctx, link.TargetID)
		if err != nil {
			return nil, err
		}
		touched, err := tx.UnsettledOfSchedule(ctx, schedule.ID)
		if err != nil {
			return nil, err
		}
		tellSchedule(tx, sparki.ScheduleDisconnected, who, schedule, link.IntegrationID, target.Name)
		return touched, tx.DropLink(ctx, schedule.ID)
	})
	return schedule, err
}

// cmpNotFound is err, or that there is no such object when err is nil.
func cmpNotFound(err error) error {
	if err != nil {
		return err
	}
	return sparki.Errorf(sparki.NotFound, "no object with this id")
}

func tellSchedule(tx *db.Tx, what sparki.ActivityType, who *sparki.Principal, schedule *sparki.Schedule, integration uuid.UUID, target string) {
	tx.Tell(sparki.Activity{Type: what, Actor: who.Name, Params: map[string]string{"title": schedule.Name, "target": target},
		IntegrationID: &integration, SubjectKind: sparki.ScheduleNode, SubjectID: schedule.ID})
}
