// Package providertest is the suite that every provider passes: verdicts, bounds, paging, secrets
// and signatures, against a fake of its CRM that the provider's own tests supply.
package providertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"sparki.app/integrations"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/rest"
)

// Case is one provider and a fake of its CRM.
type Case struct {
	Provider providers.Provider
	// Settings are good for Upstream. Their secrets must show nowhere.
	Settings sparki.Settings
	// Secrets are further values that must show nowhere, such as the access tokens of Upstream.
	Secrets []string
	// Upstream makes a CRM that holds this many objects and accepts Settings. Ref is its first.
	Upstream func(objects int) http.Handler
	Ref      sparki.Ref
	// SignIn tells the requests that fetch credentials: faults leave these alone. Nil for a CRM
	// whose credentials are in the settings.
	SignIn func(*http.Request) bool
	// Refusals write a message in each of the CRM's shapes of an error body.
	Refusals []func(message string) string
	// Verdicts are the kinds of a refused read where the CRM differs from the common table.
	Verdicts map[int]sparki.Kind

	// Delivery is a webhook body with at least one message that asks for a fetch.
	Delivery []byte
	// Sign makes the headers of a delivery; nil for a CRM that does not sign. SecretKey is the
	// setting that holds the secret.
	Sign      func(secret string, body []byte) http.Header
	SecretKey string
}

// Run runs the suite.
func Run(t *testing.T, c Case) {
	t.Run("Info", c.info)
	t.Run("Connect", c.connecting)
	t.Run("Reads", c.reads)
	t.Run("Pages", c.pages)
	t.Run("Statuses", c.statuses)
	t.Run("RetryAfter", c.retryAfter)
	t.Run("BrokenAnswers", c.brokenAnswers)
	t.Run("Redirects", c.redirects)
	t.Run("Deadlines", c.deadlines)
	t.Run("Cancelled", c.cancelled)
	t.Run("Parallel", c.parallel)
	t.Run("Deliveries", c.deliveries)
	if c.Sign != nil {
		t.Run("Signatures", c.signatures)
	}
}

// connect makes a line to a CRM.
func (c Case) connect(t *testing.T, upstream http.Handler) providers.Conn {
	t.Helper()
	conn, err := c.Provider.Connect(c.Settings, rest.Local(upstream))
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	return conn
}

// faulty is a good CRM that lets everybody sign in and answers all else with fault.
func (c Case) faulty(fault http.HandlerFunc) http.Handler {
	good := c.Upstream(1)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.SignIn != nil && c.SignIn(r) {
			good.ServeHTTP(w, r)
			return
		}
		fault(w, r)
	})
}

// calls are the calls of a Conn.
var calls = []struct {
	name string
	do   func(context.Context, Case, providers.Conn) error
}{
	{"Check", func(ctx context.Context, _ Case, conn providers.Conn) error { return conn.Check(ctx) }},
	{"Page", func(ctx context.Context, _ Case, conn providers.Conn) error {
		_, err := conn.Page(ctx, providers.Crawl{})
		return err
	}},
	{"Listing", func(ctx context.Context, c Case, conn providers.Conn) error {
		_, err := conn.Listing(ctx, c.Ref)
		return err
	}},
}

// check checks what holds for every error of a Conn: it has a kind and a text, and shows no secret
// in any form in which it could be printed.
func (c Case) check(t *testing.T, what string, err error) {
	t.Helper()
	e, ok := errors.AsType[*sparki.Error](err)
	if !ok || e.Kind == "" || e.Text == "" {
		t.Errorf("%s: %T without kind or text: %v", what, err, err)
		return
	}
	if e.RetryAfter < 0 {
		t.Errorf("%s: waits %v", what, e.RetryAfter)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Error("failed", "error", err)
	slog.New(slog.NewJSONHandler(&log, nil)).Error("failed", "error", err)
	c.checkShown(t, what, fmt.Sprintf("%s\n%v\n%+v\n%#v\n%s", e.Text, err, err, err, log.String()))
}

func (c Case) checkShown(t *testing.T, what, shown string) {
	t.Helper()
	for _, secret := range c.allSecrets() {
		if strings.Contains(shown, secret) {
			t.Errorf("%s shows the secret %q: %s", what, secret, shown)
		}
	}
}

func (c Case) allSecrets() []string {
	all := c.Secrets
	for _, values := range c.Settings.Secrets {
		for _, secret := range values {
			all = append(all, secret.Reveal())
		}
	}
	return all
}

// everythingSecret is what a careless CRM could say: all secrets, and what it was sent.
func (c Case) everythingSecret(r *http.Request) string {
	return fmt.Sprintf("%s %s %s", strings.Join(c.allSecrets(), " "), r.Header.Get("Authorization"), r.URL.RawQuery)
}

func answer(w http.ResponseWriter, status int, body string) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}
