// Package agenda writes appointments into CRM agendas: schedules and what they are linked with,
// appointments, and for each of them the work of making the CRM's agenda say what it should.
//
// It is state-based: what an appointment should be in the CRM is compared with what the CRM confirmed
// last, and the one action is sent that closes the difference. Many changes make one send, a send that
// was interrupted is found out about before anything else is sent, and the switches are asked when
// work is queued and again at the moment a call begins.
//
//   - next.go: what is to be done about an appointment, and what forbids it; pure
//   - entry.go: what the CRM's agenda is to say; pure
//   - schedules.go, appointments.go: what people do
//   - decide.go: a change and the decision about it, in one transaction
//   - push.go: what workers do
//   - targets.go: the agendas of a CRM
//   - smoke.go: the smoke test
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

// Service is what the program knows about agendas. Fill every field but the private ones.
type Service struct {
	DB *db.DB
	// Connect gives the line to the agenda of an integration's CRM; Misconfigured while its settings are
	// not complete.
	Connect func(context.Context, *sparki.Integration) (providers.Agenda, error)
	// Info describes a kind of CRM by its key.
	Info    func(provider string) (*providers.Info, error)
	Signals sparki.Signals
	Log     *slog.Logger
	// Settle is how long a create whose answer was lost may still take effect: the agenda is searched
	// after it. 0 means settle.
	Settle time.Duration
	// Between is how long an update waits after the last send of its appointment, so that many quick
	// changes make few sends. 0 means between.
	Between time.Duration
	guards  chan struct{}
}

// New makes the service.
func New(s Service) *Service {
	if s.Settle == 0 {
		s.Settle = settle
	}
	if s.Between == 0 {
		s.Between = between
	}
	s.guards = make(chan struct{}, maxGuards)
	return &s
}

// office is an integration and what its gates need to know of its settings.
type office struct {
	*sparki.Integration
	info *providers.Info
	// incomplete says which setting is missing; nil when none is.
	incomplete error
}

// offices reads the portal's integrations.
func (s *Service) offices(ctx context.Context, portal uuid.UUID) ([]*office, error) {
	integrations, err := s.DB.Integrations(ctx, portal)
	if err != nil {
		return nil, err
	}
	offices := make([]*office, len(integrations))
	for n, i := range integrations {
		if offices[n], err = s.office(ctx, i); err != nil {
			return nil, err
		}
	}
	return offices, nil
}

func (s *Service) office(ctx context.Context, i *sparki.Integration) (*office, error) {
	info, err := s.Info(i.Provider)
	if err != nil {
		return nil, err
	}
	o := &office{Integration: i, info: info}
	if _, err := s.Connect(ctx, i); sparki.KindOf(err) == sparki.Misconfigured {
		o.incomplete = err
	} else if err != nil {
		return nil, err
	}
	return o, nil
}

// find gives the office with this id; nil when there is none.
func find(offices []*office, id *uuid.UUID) *office {
	for _, o := range offices {
		if id != nil && o.ID == *id {
			return o
		}
	}
	return nil
}
