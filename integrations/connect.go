package integrations

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"

	"sparki.app/integrations"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/rest"
)

// line is a connection that is kept while the settings stay: it holds the CRM's access token.
type line struct {
	conn     providers.Conn
	saved    time.Time // of the settings that it was made from
	provider string
	breaker  *rest.Breaker // nil for a mock
}

// Connect gives an integration's line to its CRM: to the live one, or with the very same client to
// the built-in mock. Misconfigured says which setting is missing.
func (s *Service) Connect(ctx context.Context, i *sparki.Integration) (providers.Conn, error) {
	s.mu.Lock()
	kept := s.conns[i.ID]
	s.mu.Unlock()
	if kept != nil && kept.saved.Equal(i.UpdatedAt) {
		return kept.conn, nil
	}
	provider, err := s.Provider(i.Provider)
	if err != nil {
		return nil, err
	}
	settings, err := s.settings(ctx, i)
	if err != nil {
		return nil, err
	}
	made := &line{saved: i.UpdatedAt, provider: i.Provider}
	var transport http.RoundTripper
	if i.Mock {
		transport = rest.Local(s.Mock(provider, i))
	} else {
		made.breaker = rest.NewBreaker(s.Live, s.Breaking)
		transport = rest.Limited(made.breaker, s.Limits)
		if s.Watch != nil {
			transport = rest.Watched(transport, s.Watch(i))
		}
	}
	if made.conn, err = provider.Connect(settings, transport); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns == nil {
		s.conns = map[uuid.UUID]*line{}
	}
	s.conns[i.ID] = made
	return made.conn, nil
}

// Breaker is how this process's line to a live CRM is.
type Breaker struct {
	IntegrationID uuid.UUID
	Provider      string
	State         rest.BreakerState
}

// Breakers lists those of the lines to live CRMs that this process has.
func (s *Service) Breakers() (breakers []Breaker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, l := range s.conns {
		if l.breaker != nil {
			breakers = append(breakers, Breaker{id, l.provider, l.breaker.State()})
		}
	}
	return breakers
}

// Agenda gives the line to the agenda of an integration's CRM. Misconfigured also says that the CRM has none.
func (s *Service) Agenda(ctx context.Context, i *sparki.Integration) (providers.Agenda, error) {
	conn, err := s.Connect(ctx, i)
	if err != nil {
		return nil, err
	}
	agenda, ok := conn.(providers.Agenda)
	if !ok {
		return nil, sparki.Errorf(sparki.Misconfigured, "appointments cannot be written to this CRM")
	}
	return agenda, nil
}

// settings are the integration's own, or those of its mock, with the office's word on dev mode.
func (s *Service) settings(ctx context.Context, i *sparki.Integration) (sparki.Settings, error) {
	if i.Mock {
		provider, err := s.Provider(i.Provider)
		if err != nil {
			return sparki.Settings{}, err
		}
		settings, err := s.Mock(provider, i).Settings(ctx)
		if err != nil {
			return settings, err
		}
		return settings, s.devMode(ctx, i, provider.Info().DevModeSetting, &settings)
	}
	stored, err := s.DB.Settings(ctx, i.PortalID, i.ID)
	if err != nil {
		return sparki.Settings{}, err
	}
	return s.open(i.PortalID, i.ID, stored)
}

// devMode takes the toggle of dev mode over from what is stored: so the smoke test can be tried on a mock.
func (s *Service) devMode(ctx context.Context, i *sparki.Integration, toggle string, settings *sparki.Settings) error {
	if toggle == "" {
		return nil
	}
	stored, err := s.DB.Settings(ctx, i.PortalID, i.ID)
	for _, setting := range stored {
		if on, ok := setting.Value.(bool); ok && setting.Key == toggle {
			settings.Toggles[toggle] = on
		}
	}
	return err
}

// Mock gives the mock CRM of an integration. Its state is in the database, so all processes see one.
func (s *Service) Mock(provider providers.Provider, i *sparki.Integration) providers.Mock {
	s.mu.Lock()
	defer s.mu.Unlock()
	if mock, ok := s.mocks[i.ID]; ok {
		return mock
	}
	options := providers.MockOptions{
		Store:   s.DB.MockStore(i.PortalID, i.ID),
		BaseURL: fmt.Sprintf("%s/mock/%s/%s", s.PublicURL, i.Provider, i.NodeID()),
		Client:  &http.Client{Timeout: 15 * time.Second},
	}
	if s.MockWebhooks {
		options.WebhookURL, _ = s.WebhookURL(i) // the provider is known
	}
	if s.mocks == nil {
		s.mocks = map[uuid.UUID]providers.Mock{}
	}
	s.mocks[i.ID] = provider.Mock(options)
	return s.mocks[i.ID]
}

// MockByID finds the mock CRM of an integration that is in mock mode; NotFound otherwise.
func (s *Service) MockByID(ctx context.Context, provider, publicID string) (http.Handler, error) {
	id, err := sparki.IntegrationNode.Parse(publicID)
	if err != nil {
		return nil, err
	}
	portal, err := s.DB.PortalOfIntegration(ctx, id)
	if err != nil {
		return nil, err
	}
	i, err := s.DB.Integration(ctx, portal, id)
	if err != nil {
		return nil, err
	}
	p, err := s.Provider(provider)
	if err != nil || i.Provider != provider || !i.Mock {
		return nil, sparki.Errorf(sparki.NotFound, "no mock CRM with this id")
	}
	return s.Mock(p, i), nil
}

// target is what a webhook needs to know of its integration.
type target struct {
	integration *sparki.Integration
	settings    sparki.Settings
	read        time.Time
}

// webhookMemory is how long a webhook's integration is remembered. Refusals are never given from
// memory, and a worker judges the switches again, so nothing is lost or done wrongly by it.
const webhookMemory = time.Second

// Webhook reads a delivery for an integration. The errors are those of Provider.Changes; an id that
// does not exist, or is another provider's, is ErrUnverified like a wrong signature, and NotFound
// where the CRM does not sign.
func (s *Service) Webhook(ctx context.Context, provider providers.Provider, publicID string, header http.Header, body []byte) (*sparki.Integration, []sparki.Message, error) {
	id, err := sparki.IntegrationNode.Parse(publicID)
	if err != nil {
		return nil, nil, s.unknown(provider, header, body)
	}
	find := s.target
	for fresh := false; ; fresh, find = true, s.readTarget {
		t, err := find(ctx, id)
		switch {
		case sparki.KindOf(err) == sparki.NotFound:
			return nil, nil, s.unknown(provider, header, body)
		case err != nil && !fresh:
			continue // whoever read for all may have left
		case err != nil:
			return nil, nil, err
		case t.integration.Provider != provider.Info().Key:
			return nil, nil, s.unknown(provider, header, body)
		}
		messages, err := provider.Changes(t.settings, header, body)
		if err == nil || fresh {
			return t.integration, messages, err
		}
	}
}

// target gives what is remembered of an integration, or else reads it, once for all who ask meanwhile: they may see what
// was true shortly before they asked.
func (s *Service) target(ctx context.Context, id uuid.UUID) (*target, error) {
	s.mu.Lock()
	t := s.webhooks[id]
	s.mu.Unlock()
	if t != nil && time.Since(t.read) <= webhookMemory {
		return t, nil
	}
	read, err, _ := s.reads.Do(id.String(), func() (any, error) { return s.readTarget(ctx, id) })
	if err != nil {
		return nil, err
	}
	return read.(*target), nil
}

// unknown refuses a delivery for an id that is nobody's. Where the CRM signs, it verifies against a
// secret that nobody has, so that the answer and the time it takes tell nothing.
func (s *Service) unknown(provider providers.Provider, header http.Header, body []byte) error {
	info := provider.Info()
	if !info.Signed {
		return sparki.Errorf(sparki.NotFound, "no integration with this id")
	}
	decoy := sparki.Settings{Secrets: map[string][]sparki.Secret{}}
	for _, f := range info.Settings {
		if f.Kind == sparki.SettingSecret {
			decoy.Secrets[f.Key] = []sparki.Secret{sparki.Secret(rand.Text())}
		}
	}
	_, _ = provider.Changes(decoy, header, body)
	return providers.ErrUnverified
}

// Widget verifies the address with which a CRM asks for its page inside the CRM. Its only error is
// ErrUnverified: whatever is wrong, also on our side, the answer has to be the same.
func (s *Service) Widget(ctx context.Context, provider providers.Provider, publicID, rawQuery string) (*sparki.Integration, providers.Widget, error) {
	i, w, err := s.widget(ctx, provider, publicID, rawQuery)
	if err != nil && !errors.Is(err, providers.ErrUnverified) && sparki.KindOf(err) != sparki.NotFound && ctx.Err() == nil {
		s.Log.WarnContext(ctx, "widget not verified", slog.String("provider", provider.Info().Key), slog.Any("error", err))
	}
	if err != nil {
		return nil, w, providers.ErrUnverified
	}
	return i, w, nil
}

func (s *Service) widget(ctx context.Context, provider providers.Provider, publicID, rawQuery string) (i *sparki.Integration, w providers.Widget, err error) {
	id, err := sparki.IntegrationNode.Parse(publicID)
	if err != nil {
		return nil, w, err
	}
	portal, err := s.DB.PortalOfIntegration(ctx, id)
	if err != nil {
		return nil, w, err
	}
	if i, err = s.DB.Integration(ctx, portal, id); err != nil {
		return nil, w, err
	}
	if i.Provider != provider.Info().Key {
		return nil, w, providers.ErrUnverified
	}
	conn, err := s.Connect(ctx, i)
	if err != nil {
		return nil, w, err
	}
	widgets, ok := conn.(providers.Widgets)
	if !ok {
		return nil, w, providers.ErrUnverified
	}
	w, err = widgets.Widget(ctx, rawQuery, time.Now())
	return i, w, err
}

func (s *Service) readTarget(ctx context.Context, id uuid.UUID) (*target, error) {
	portal, err := s.DB.PortalOfIntegration(ctx, id)
	if err != nil {
		return nil, err
	}
	i, err := s.DB.Integration(ctx, portal, id)
	if err != nil {
		return nil, err
	}
	settings, err := s.settings(ctx, i)
	if err != nil {
		return nil, err
	}
	t := &target{i, settings, time.Now()}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.webhooks == nil {
		s.webhooks = map[uuid.UUID]*target{}
	}
	s.webhooks[id] = t
	return t, nil
}

// forget drops what is remembered of an integration whose settings were saved.
func (s *Service) forget(id uuid.UUID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, id)
	delete(s.webhooks, id)
}

// Close ends what the mock CRMs still have under way.
func (s *Service) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, mock := range s.mocks {
		if closer, ok := mock.(io.Closer); ok {
			_ = closer.Close() // nothing is lost with a mock's webhooks
		}
	}
}

// Map maps a stored answer again, with the settings as they are now.
func (s *Service) Map(ctx context.Context, i *sparki.Integration, ref sparki.Ref, raw []byte) (*sparki.Found, error) {
	conn, err := s.Connect(ctx, i)
	if err != nil {
		return nil, err
	}
	return conn.Map(ref, raw)
}

// Messages reads a verified delivery's body again.
func (s *Service) Messages(ctx context.Context, i *sparki.Integration, body []byte) ([]sparki.Message, error) {
	provider, err := s.Provider(i.Provider)
	if err != nil {
		return nil, err
	}
	settings, err := s.settings(ctx, i)
	if err != nil {
		return nil, err
	}
	return provider.Messages(settings, body)
}
