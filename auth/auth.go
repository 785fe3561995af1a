// Package auth turns what a caller shows into a Principal.
package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
)

// An API token is "sparki_" and the base64url of portal id, token id and 32 random bytes: it leads
// to its row inside its own portal, and only the hash of the whole is stored.
const (
	tokenPrefix = "sparki_"
	secretBytes = 32
	tokenBytes  = 16 + 16 + secretBytes
)

// memory is how long a token that was good is taken for good. A revoked one is refused after it at
// the latest.
const memory = 5 * time.Second

var errUnknown = sparki.Errorf(sparki.Unauthenticated, "this API token is not valid: it is mistyped, expired or revoked")

// NewToken makes a token for a portal: what the caller is given, and what is stored.
func NewToken(portal uuid.UUID, name string, permissions []sparki.Permission) (text string, stored *db.Token) {
	id := sparki.NewID()
	raw := make([]byte, 0, tokenBytes)
	raw = append(append(raw, portal[:]...), id[:]...)
	raw = raw[:tokenBytes]
	_, _ = rand.Read(raw[32:]) // never fails
	text = tokenPrefix + base64.RawURLEncoding.EncodeToString(raw)
	hash := sha256.Sum256([]byte(text))
	return text, &db.Token{ID: id, Name: name, Hash: hash[:], Permissions: permissions}
}

// Tokens checks API tokens.
type Tokens struct {
	DB *db.DB

	mu   sync.Mutex
	good map[[sha256.Size]byte]known
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
	hash := sha256.Sum256([]byte(text))
	t.mu.Lock()
	remembered, ok := t.good[hash]
	t.mu.Unlock()
	if ok && time.Now().Before(remembered.until) {
		return remembered.who, nil
	}
	who, err := t.check(ctx, text, hash)
	if err != nil {
		return nil, err
	}
	t.remember(hash, who)
	return who, nil
}

func (t *Tokens) check(ctx context.Context, text string, hash [sha256.Size]byte) (*sparki.Principal, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(strings.TrimPrefix(text, tokenPrefix))
	if err != nil || len(raw) != tokenBytes {
		return nil, errUnknown
	}
	portal, id := uuid.UUID(raw[:16]), uuid.UUID(raw[16:32])
	stored, err := t.DB.Token(ctx, portal, id)
	if sparki.KindOf(err) == sparki.NotFound {
		return nil, errUnknown
	}
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(stored.Hash, hash[:]) != 1 || !valid(stored) {
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

// Alive says whether a caller's token still holds; it asks the database each time.
func (t *Tokens) Alive(ctx context.Context, who *sparki.Principal) error {
	stored, err := t.DB.Token(ctx, who.PortalID, who.TokenID)
	if sparki.KindOf(err) == sparki.NotFound || err == nil && !valid(stored) {
		return errUnknown
	}
	return err
}
