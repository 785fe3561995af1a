// Package auth turns what a caller shows into a Principal: an API token, the cookie of a session, or a
// JWT of an identity provider.
package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
)

// memory is how long what was good is taken for good. What has ended is refused after it at the latest.
const memory = 5 * time.Second

var errUnknown = sparki.Errorf(sparki.Unauthenticated, "this API token is not valid: it is mistyped, expired or revoked")

// NewToken makes a token for a portal: what the caller is given, and what is stored.
func NewToken(portal uuid.UUID, name string, permissions []sparki.Permission) (text string, stored *db.Token) {
	text, id, hash := newCredential(tokenPrefix, portal)
	return text, &db.Token{ID: id, Name: name, Hash: hash, Permissions: permissions}
}

// Tokens checks what callers show.
type Tokens struct {
	DB *db.DB
	// OIDC checks JWTs; nil when there is no identity provider.
	OIDC *OIDC

	mu    sync.Mutex
	good  map[[sha256.Size]byte]known
	codes map[[sha256.Size]byte]*sparki.Principal // that sign in once
}

type known struct {
	who   *sparki.Principal
	until time.Time
}

// Authenticate gives the caller of an Authorization header's value; Unauthenticated when it is none of ours.
func (t *Tokens) Authenticate(ctx context.Context, authorization string) (*sparki.Principal, error) {
	scheme, text, _ := strings.Cut(authorization, " ")
	if text = strings.TrimSpace(text); !strings.EqualFold(scheme, "Bearer") || text == "" {
		return nil, sparki.Errorf(sparki.Unauthenticated, "send an API token: Authorization: Bearer …")
	}
	if strings.HasPrefix(text, sessionPrefix) { // a cookie counts as a cookie only
		return nil, errUnknown
	}
	return t.recall(ctx, text)
}

// Alive says whether what a caller showed still holds; it asks anew each time.
func (t *Tokens) Alive(ctx context.Context, who *sparki.Principal) error {
	_, err := t.check(ctx, who.Credential.Reveal())
	return err
}

// recall checks a credential, or remembers that it was good a moment ago.
func (t *Tokens) recall(ctx context.Context, text string) (*sparki.Principal, error) {
	hash := sha256.Sum256([]byte(text))
	t.mu.Lock()
	remembered, ok := t.good[hash]
	t.mu.Unlock()
	if ok && time.Now().Before(remembered.until) {
		return remembered.who, nil
	}
	who, err := t.check(ctx, text)
	if err != nil {
		return nil, err
	}
	t.remember(hash, who)
	return who, nil
}

// check asks whoever knows whether a credential is good, which its form tells.
func (t *Tokens) check(ctx context.Context, text string) (who *sparki.Principal, err error) {
	switch {
	case strings.HasPrefix(text, tokenPrefix):
		who, err = t.token(ctx, text)
	case strings.HasPrefix(text, sessionPrefix):
		who, err = t.session(ctx, text)
	case t.OIDC != nil && strings.Count(text, ".") == 2:
		who, err = t.jwt(ctx, text)
	default:
		return nil, errUnknown
	}
	if sparki.KindOf(err) == sparki.NotFound {
		return nil, errUnknown
	}
	if err != nil {
		return nil, err
	}
	who.Credential = sparki.Secret(text)
	return who, nil
}

func (t *Tokens) token(ctx context.Context, text string) (*sparki.Principal, error) {
	portal, id, hash, ok := parseCredential(tokenPrefix, text)
	if !ok {
		return nil, errUnknown
	}
	stored, err := t.DB.Token(ctx, portal, id)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(stored.Hash, hash) != 1 || !valid(stored) {
		return nil, errUnknown
	}
	who := &sparki.Principal{PortalID: portal, TokenID: id, Name: stored.Name, Permissions: stored.Permissions}
	if stored.ExpiresAt != nil {
		who.ExpiresAt = *stored.ExpiresAt
	}
	return who, nil
}

func valid(t *db.Token) bool {
	return t.RevokedAt == nil && (t.ExpiresAt == nil || time.Now().Before(*t.ExpiresAt))
}

// jwt checks a JWT, and that its portal is one of ours.
func (t *Tokens) jwt(ctx context.Context, text string) (*sparki.Principal, error) {
	who, err := t.OIDC.verify(ctx, text)
	if err != nil {
		return nil, err
	}
	_, err = t.DB.Portal(ctx, who.PortalID)
	return who, err
}

func (t *Tokens) remember(hash [sha256.Size]byte, who *sparki.Principal) {
	until := time.Now().Add(memory)
	if !who.ExpiresAt.IsZero() && who.ExpiresAt.Before(until) {
		until = who.ExpiresAt
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.good == nil || len(t.good) > 10_000 {
		t.good = map[[sha256.Size]byte]known{} // forgetting costs one look-up each
	}
	t.good[hash] = known{who, until}
}

func (t *Tokens) forget(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.good, sha256.Sum256([]byte(text)))
}
