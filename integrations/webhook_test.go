package integrations_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"sparki.app/integrations/db"
	"sparki.app/integrations/db/dbtest"
	"sparki.app/integrations/integrations"
	"sparki.app/integrations/providers"
)

// lookups counts how often an integration is looked up by its id alone, as a webhook names it.
type lookups struct{ n atomic.Int64 }

func (l *lookups) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	if strings.Contains(q.SQL, "select portal_id from integrations") {
		l.n.Add(1)
	}
	return ctx
}
func (l *lookups) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func signed(body, secret string) http.Header {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return http.Header{"Signature": {base64.StdEncoding.EncodeToString(mac.Sum(nil))}}
}

// A burst of webhooks reads its integration once; a sender that leaves takes nobody along, and a refusal is never told
// from memory.
func TestWebhooksShareWhatIsRead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	saved, err := b.Save(t.Context(), b.who, integrations.SaveInput{Provider: "kolibri", Enabled: true, Settings: b.live})
	if err != nil {
		t.Fatal(err)
	}
	counted := &lookups{}
	s := &integrations.Service{
		DB: dbtest.Open(t, db.Options{URL: b.url, Tracer: counted}), Keys: b.Keys, Providers: b.Providers, Signals: silent{}, Log: b.Log,
	}
	t.Cleanup(s.Close)
	const body = `{"items": []}`
	receive := func(ctx context.Context, secret string) error {
		_, _, err := s.Webhook(ctx, b.Providers[0], saved.NodeID(), signed(body, secret), []byte(body))
		return err
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if err := receive(gone, "a secret of some length"); !errors.Is(err, context.Canceled) {
		t.Errorf("a sender that has left got %v", err)
	}
	counted.n.Store(0)
	var senders sync.WaitGroup
	for i := range 50 {
		senders.Go(func() {
			ctx := t.Context()
			if i%10 == 0 {
				ctx = gone
			}
			if err := receive(ctx, "a secret of some length"); err != nil && ctx != gone {
				t.Errorf("sender %d got %v", i, err)
			}
		})
	}
	senders.Wait()
	if n := counted.n.Load(); n == 0 || n > 20 {
		t.Errorf("fifty deliveries made %d look-ups", n)
	}
	if err := receive(t.Context(), "another secret"); !errors.Is(err, providers.ErrUnverified) {
		t.Errorf("a wrong signature got %v", err)
	}
	b.live["webhookSecret"] = "a secret that is new"
	if _, err := b.Save(t.Context(), b.who, integrations.SaveInput{Provider: "kolibri", Enabled: true, Settings: b.live}); err != nil {
		t.Fatal(err)
	}
	if err := receive(t.Context(), "a secret that is new"); err != nil {
		t.Errorf("the new secret, which another process stored, got %v", err)
	}
}
