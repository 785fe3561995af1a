// Package integrations connects portals with CRMs: settings, switches, sealed secrets, the
// connection check, and the line that everybody else talks to a CRM through.
package integrations

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/singleflight"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/rest"
)

// How often an integration is crawled by itself, jittered.
const (
	IncrementalEvery = 5 * time.Minute
	FullEvery        = 24 * time.Hour
)

// Service is what the program knows about integrations. Fill every field but the private ones.
type Service struct {
	DB        *db.DB
	Keys      *Keys
	Providers []providers.Provider
	// Policy says which base URLs an office may enter.
	Policy rest.Policy
	// Live carries the calls to live CRMs; every integration has the Limits and the Breaking for itself.
	Live     http.RoundTripper
	Limits   rest.Limits
	Breaking rest.Breaking
	// Watch gives what is told of each call to an integration's live CRM, see rest.Watched; nil tells nobody.
	Watch func(*sparki.Integration) func(outcome string, took time.Duration)
	// PublicURL is the absolute URL of this server, without a slash at the end.
	PublicURL string
	// MockWebhooks: mock CRMs send webhooks to PublicURL when somebody changes them.
	MockWebhooks bool
	Signals      sparki.Signals
	Log          *slog.Logger

	mu       sync.Mutex
	conns    map[uuid.UUID]*line
	mocks    map[uuid.UUID]providers.Mock
	webhooks map[uuid.UUID]*target
	reads    singleflight.Group // of targets, by integration
}

// Provider finds a kind of CRM by its key; NotFound when there is none.
func (s *Service) Provider(key string) (providers.Provider, error) {
	for _, p := range s.Providers {
		if p.Info().Key == key {
			return p, nil
		}
	}
	return nil, sparki.Errorf(sparki.NotFound, "there is no CRM %q", truncate(key, 64))
}

// Info describes a kind of CRM.
func (s *Service) Info(key string) (*providers.Info, error) {
	p, err := s.Provider(key)
	if err != nil {
		return nil, err
	}
	info := p.Info()
	return &info, nil
}

// WebhookURL is the absolute URL that an office pastes into its CRM.
func (s *Service) WebhookURL(i *sparki.Integration) (string, error) {
	info, err := s.Info(i.Provider)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s/webhooks/%s/%s/%s", s.PublicURL, info.Key, info.WebhookVersion, i.NodeID()), nil
}

// SaveInput is what an office entered.
type SaveInput struct {
	Provider string
	Enabled  bool
	Mock     bool
	Domains  sparki.Domains
	// Settings by key: a missing key keeps what is stored, nil clears it.
	Settings map[string]any
}

// Save creates the portal's integration with a CRM or changes it, checks the line and starts a crawl.
// A Refusal wrote nothing.
func (s *Service) Save(ctx context.Context, who *sparki.Principal, in SaveInput) (*sparki.Integration, error) {
	info, err := s.Info(in.Provider)
	if err != nil {
		return nil, sparki.Refuse(sparki.CodeInvalid, sparki.TextOf(err), "input", "provider")
	}
	portal, err := s.DB.Portal(ctx, who.PortalID)
	if err != nil {
		return nil, err
	}
	if !portal.Has(info.Key) {
		return nil, sparki.Refuse(sparki.CodeAddOnLocked, fmt.Sprintf("%s is not part of this portal's plan: ask Sparki support to add it", info.Name), "input", "provider")
	}
	var saved *sparki.Integration
	err = s.DB.Tx(ctx, who.PortalID, func(tx *db.Tx) error {
		saved, err = s.save(ctx, tx, who, info, in)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.forget(saved.ID)
	s.Signals.Wake(ctx, who.PortalID)
	s.Signals.Ring(ctx, sparki.Bell{Job: sparki.PushAppointments, PortalID: who.PortalID, ID: saved.ID})
	if !saved.Enabled {
		return saved, nil
	}
	return s.CheckAndSync(ctx, who, saved)
}

func (s *Service) save(ctx context.Context, tx *db.Tx, who *sparki.Principal, info *providers.Info, in SaveInput) (*sparki.Integration, error) {
	i, created, err := tx.UpsertIntegration(ctx, &sparki.Integration{
		ID: sparki.NewID(), Provider: in.Provider, Enabled: in.Enabled, Mock: in.Mock, Domains: in.Domains,
	})
	if err != nil {
		return nil, err
	}
	stored, err := tx.Settings(ctx, i.ID)
	if err != nil {
		return nil, err
	}
	form := &change{fields: info.Settings, stored: settingsByKey(stored), input: in.Settings, policy: s.Policy}
	values, secrets := form.check()
	if len(form.refused) > 0 {
		return nil, form.refused
	}
	at := place{portal: who.PortalID, integration: i.ID}
	if err := tx.PutSettings(ctx, i.ID, form.store(s.Keys, at, values, secrets, time.Now())); err != nil {
		return nil, err
	}
	i.Connection = sparki.Connection{State: sparki.Unchecked}
	if _, err := tx.SetConnection(ctx, i.ID, i.Connection); err != nil {
		return nil, err
	}
	if err := s.restart(ctx, tx, i); err != nil {
		return nil, err
	}
	tell(tx, i, sparki.SettingsSaved, who.Name, nil)
	if created && in.Enabled {
		tell(tx, i, sparki.IntegrationEnabled, who.Name, nil)
	}
	return i, nil
}

// restart lets an integration's background work begin anew after its settings or switches changed:
// what runs was started under other ones.
func (s *Service) restart(ctx context.Context, tx *db.Tx, i *sparki.Integration) error {
	stopped, err := tx.CancelRuns(ctx, i.ID)
	if err != nil {
		return err
	}
	for _, run := range stopped {
		tell(tx, i, sparki.SyncRunFinished, sparki.SyncActor, map[string]string{"run": run.NodeID(), "state": string(sparki.RunCancelled)})
	}
	if err := tx.QueueWriteBacks(ctx, i.ID); err != nil { // the worker asks the switches anew
		return err
	}
	if !i.ReadsListings() {
		return tx.DropFetches(ctx, i.ID, "listings are switched off")
	}
	if err := tx.UnparkFetches(ctx, i.ID); err != nil {
		return err
	}
	return tx.ScheduleCrawls(ctx, i.ID, IncrementalEvery, time.Minute) // should we crash before the check, the schedule crawls
}

func tell(tx *db.Tx, i *sparki.Integration, what sparki.ActivityType, actor string, params map[string]string) {
	tx.Tell(sparki.Activity{
		Type: what, Actor: actor, Params: params, IntegrationID: &i.ID, SubjectKind: sparki.IntegrationNode, SubjectID: i.ID,
	})
}

// SetEnabled turns the master switch.
func (s *Service) SetEnabled(ctx context.Context, who *sparki.Principal, id uuid.UUID, enabled bool) (*sparki.Integration, error) {
	var i *sparki.Integration
	turned := false
	err := s.DB.Tx(ctx, who.PortalID, func(tx *db.Tx) (err error) {
		if i, err = tx.LockIntegration(ctx, id); err != nil || i.Enabled == enabled {
			return err
		}
		turned = true
		if err := tx.SetEnabled(ctx, id, enabled); err != nil {
			return err
		}
		if i, err = tx.LockIntegration(ctx, id); err != nil { // as it is from now on
			return err
		}
		tell(tx, i, map[bool]sparki.ActivityType{true: sparki.IntegrationEnabled, false: sparki.IntegrationDisabled}[enabled], who.Name, nil)
		return s.restart(ctx, tx, i)
	})
	if err != nil {
		return nil, err
	}
	s.forget(id)
	if !turned {
		return i, nil
	}
	s.Signals.Wake(ctx, who.PortalID)
	s.Signals.Ring(ctx, sparki.Bell{Job: sparki.PushAppointments, PortalID: who.PortalID, ID: id})
	if !enabled {
		return s.DB.Integration(ctx, who.PortalID, id)
	}
	return s.CheckAndSync(ctx, who, i)
}

// Check tries the line to the CRM and stores how it is.
func (s *Service) Check(ctx context.Context, who *sparki.Principal, id uuid.UUID) (*sparki.Integration, error) {
	i, err := s.DB.Integration(ctx, who.PortalID, id)
	if err != nil {
		return nil, err
	}
	if err := s.check(ctx, who, i, false); err != nil {
		return nil, err
	}
	return s.DB.Integration(ctx, who.PortalID, id)
}

// CheckAndSync tries the line, stores how it is, and starts a crawl of each enabled domain unless a
// person has to mend the settings first.
func (s *Service) CheckAndSync(ctx context.Context, who *sparki.Principal, i *sparki.Integration) (*sparki.Integration, error) {
	if err := s.check(ctx, who, i, true); err != nil {
		return nil, err
	}
	return s.DB.Integration(ctx, who.PortalID, i.ID)
}

// checkWithin bounds a check: whoever asked for it is waiting.
const checkWithin = 7 * time.Second

func (s *Service) tryLine(ctx context.Context, i *sparki.Integration) error {
	ctx, cancel := context.WithTimeout(ctx, checkWithin)
	defer cancel()
	conn, err := s.Connect(ctx, i)
	if err != nil {
		return err
	}
	return conn.Check(ctx)
}

func (s *Service) check(ctx context.Context, who *sparki.Principal, i *sparki.Integration, thenSync bool) error {
	err := s.tryLine(ctx, i)
	found, ok := sparki.ConnectionAfter(err, time.Now())
	if !ok {
		if sparki.KindOf(err) == sparki.Internal || errors.Is(err, context.Canceled) {
			return fmt.Errorf("check connection of %s: %w", i.NodeID(), err)
		}
		text := sparki.TextOf(err)
		found.State, found.Problem = sparki.ConnectionMisconfigured, &text
	}
	var bells []sparki.Bell
	err = s.DB.Tx(ctx, who.PortalID, func(tx *db.Tx) error {
		bells = nil
		current, err := tx.LockIntegration(ctx, i.ID)
		if err != nil || !current.UpdatedAt.Equal(i.UpdatedAt) {
			return err // saved again meanwhile: that save checks for itself
		}
		if _, err := tx.SetConnection(ctx, i.ID, found); err != nil {
			return err
		}
		tell(tx, i, sparki.ConnectionChecked, who.Name, map[string]string{"state": string(found.State)})
		if found.State == sparki.ConnectionOK && current.Connection.State != sparki.ConnectionOK {
			if err := tx.QueueWriteBacks(ctx, i.ID); err != nil { // what was parked
				return err
			}
			if err := tx.UnparkFetches(ctx, i.ID); err != nil {
				return err
			}
			for _, job := range []sparki.JobKind{sparki.PushAppointments, sparki.FetchItems} {
				bells = append(bells, sparki.Bell{Job: job, PortalID: who.PortalID, ID: i.ID})
			}
		}
		mendable := found.State == sparki.ConnectionUnauthorized || found.State == sparki.ConnectionMisconfigured
		if !thenSync || mendable {
			return nil
		}
		runs, err := s.startRuns(ctx, tx, who, current)
		bells = append(bells, runs...)
		return err
	})
	if err != nil {
		return err
	}
	s.Signals.Wake(ctx, who.PortalID)
	s.Signals.Ring(ctx, bells...)
	return nil
}

// startRuns starts a run of each enabled domain, and gives the bells to ring for them.
func (s *Service) startRuns(ctx context.Context, tx *db.Tx, who *sparki.Principal, i *sparki.Integration) (bells []sparki.Bell, err error) {
	start := func(domain sparki.SyncDomain, job sparki.JobKind) error {
		run, started, err := tx.StartRun(ctx, i.ID, domain, sparki.TriggerSettingsSaved, true)
		if err != nil || !started {
			return err
		}
		tx.Tell(sparki.Activity{Type: sparki.SyncRunStarted, Actor: who.Name, Params: map[string]string{"domain": string(domain)},
			IntegrationID: &i.ID, SubjectKind: sparki.SyncRunNode, SubjectID: run.ID})
		bells = append(bells, sparki.Bell{Job: job, PortalID: who.PortalID, ID: run.ID})
		return nil
	}
	if i.ReadsAgenda() {
		if err := start(sparki.SyncAgenda, sparki.SyncTargets); err != nil {
			return nil, err
		}
		if err := tx.ScheduleTargets(ctx, i.ID, FullEvery); err != nil {
			return nil, err
		}
	}
	if !i.ReadsListings() {
		return bells, nil
	}
	if err := start(sparki.SyncListings, sparki.ContinueRun); err != nil {
		return nil, err
	}
	return bells, tx.ScheduleCrawls(ctx, i.ID, IncrementalEvery, FullEvery)
}
