package auth

import (
	"context"
	"errors"
	"fmt"

	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/time/rate"

	"sparki.app/integrations"
)

const (
	issuerTimeout = 5 * time.Second
	issuerBody    = 1 << 20 // bytes of its documents
	// keysHold is how long the issuer's keys are good without asking it again: a key that it withdrew
	// verifies nothing after it.
	keysHold = 5 * time.Minute
	// keysRetry is the pause after the issuer did not answer.
	keysRetry = 5 * time.Second
)

// asymmetric are the algorithms that a JWT may be signed with. None of them takes a key that is public
// for a shared secret, and "none" is not among them.
var asymmetric = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA}

// OIDC checks the JWTs of one identity provider. Safe for concurrent use.
type OIDC struct {
	issuer, audience string
	client           *http.Client
	hold             time.Duration // keysHold

	mu       sync.Mutex
	verifier *oidc.IDTokenVerifier // nil until the issuer answered once
	next     time.Time             // when the issuer is asked again
}

// NewOIDC takes the issuer's URL and the audience that its JWTs must name. It calls nobody: the issuer is
// asked when the first JWT comes, so that we start without it.
func NewOIDC(issuer, audience string) *OIDC {
	transport := &paced{limit: rate.NewLimiter(rate.Every(2*time.Second), 10)}
	return &OIDC{issuer: issuer, audience: audience, hold: keysHold, client: &http.Client{Timeout: issuerTimeout, Transport: transport}}
}

// claims are what a JWT says of its holder.
type claims struct {
	Subject string `json:"sub"`
	// Name stands in the activity log; without it the subject does.
	Name string `json:"name"`
	// Portal is a portal's public id.
	Portal string `json:"portal"`
	// Permissions are those of the schema; others are left out.
	Permissions []sparki.Permission `json:"permissions"`
}

// verify gives the holder of a JWT; Unauthenticated for one that is not good, Unavailable when the
// issuer, who has to be asked for its keys, does not answer.
func (o *OIDC) verify(ctx context.Context, text string) (*sparki.Principal, error) {
	verifier, err := o.current(ctx)
	if err != nil {
		return nil, errAway(err)
	}
	var away error // why the keys could not be read: go-oidc does not pass it on
	token, err := verifier.Verify(context.WithValue(ctx, awayKey{}, &away), text)
	if away != nil {
		return nil, errAway(away)
	}
	if err != nil {
		return nil, errUnknown // the cause quotes the JWT's claims
	}
	var c claims
	if err := token.Claims(&c); err != nil || !token.Expiry.After(time.Now()) {
		return nil, errUnknown
	}
	portal, err := sparki.PortalNode.Parse(c.Portal)
	if err != nil {
		return nil, errUnknown
	}
	who := &sparki.Principal{PortalID: portal, Subject: c.Subject, Name: c.Name, ExpiresAt: token.Expiry}
	if who.Name == "" {
		who.Name = c.Subject
	}
	for _, right := range sparki.Permissions {
		for _, given := range c.Permissions {
			if given == right {
				who.Permissions = append(who.Permissions, right)
				break
			}
		}
	}
	return who, nil
}

func errAway(err error) error {
	return &sparki.Error{Kind: sparki.Unavailable, Text: "the identity provider does not answer; try again", RetryAfter: keysRetry, Err: err}
}

// current gives the verifier, made anew from the issuer's own description when the old one has had its
// time. While the issuer is away, the old one serves on.
func (o *OIDC) current(ctx context.Context) (*oidc.IDTokenVerifier, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if now.Before(o.next) && o.verifier != nil {
		return o.verifier, nil
	}
	if now.Before(o.next) {
		return nil, errors.New("the issuer did not answer a moment ago")
	}
	fresh, err := o.discover(context.WithoutCancel(ctx)) // others wait for it too
	switch {
	case err == nil:
		o.verifier, o.next = fresh, now.Add(o.hold)
	default:
		o.next = now.Add(keysRetry)
	}
	if o.verifier == nil {
		return nil, err
	}
	return o.verifier, nil
}

func (o *OIDC) discover(ctx context.Context) (*oidc.IDTokenVerifier, error) {
	ctx = oidc.ClientContext(ctx, o.client)
	provider, err := oidc.NewProvider(ctx, o.issuer)
	if err != nil {
		return nil, fmt.Errorf("read the issuer's description: %w", err)
	}
	var described struct {
		Keys string `json:"jwks_uri"`
	}
	if err := provider.Claims(&described); err != nil || described.Keys == "" {
		return nil, errors.New("the issuer's description names no keys")
	}
	keys := keySet{oidc.NewRemoteKeySet(ctx, described.Keys)}
	return oidc.NewVerifier(o.issuer, keys, &oidc.Config{ClientID: o.audience, SupportedSigningAlgs: asymmetric}), nil
}

// awayKey finds where in the context to say that the keys could not be read.
type awayKey struct{}

// keySet are the issuer's keys, which are read again when a JWT names one that is new.
type keySet struct{ remote *oidc.RemoteKeySet }

func (k keySet) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	payload, err := k.remote.VerifySignature(ctx, jwt)
	if errors.Is(err, errIssuer) || err != nil && ctx.Err() != nil {
		*ctx.Value(awayKey{}).(*error) = err
	}
	return payload, err
}

// errIssuer marks what the issuer, not the JWT, is to blame for.
var errIssuer = errors.New("the issuer does not answer")

// paced bounds the calls to the issuer, so that invented JWTs do not become a flood there, and what it answers.
type paced struct{ limit *rate.Limiter }

func (p *paced) RoundTrip(r *http.Request) (*http.Response, error) {
	if !p.limit.Allow() {
		return nil, fmt.Errorf("%w: it was asked too often", errIssuer)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errIssuer, err)
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("%w: status %d", errIssuer, resp.StatusCode)
	}
	resp.Body = http.MaxBytesReader(nil, resp.Body, issuerBody)
	return resp, nil
}
