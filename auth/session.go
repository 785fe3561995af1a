package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"strings"
	"time"

	"github.com/google/uuid"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
)

// sessionFor is how long a browser stays signed in at most: a working day.
const sessionFor = 12 * time.Hour

// OpenSession makes a session of a caller: the text of its cookie, and until when it holds. It ends with
// what the caller showed.
func (t *Tokens) OpenSession(ctx context.Context, who *sparki.Principal) (cookie string, until time.Time, err error) {
	until = time.Now().Add(sessionFor)
	if !who.ExpiresAt.IsZero() && who.ExpiresAt.Before(until) {
		until = who.ExpiresAt
	}
	text, id, hash := newCredential(sessionPrefix, who.PortalID)
	s := &db.Session{ID: id, Hash: hash, Subject: who.Subject, Name: who.Name, Permissions: who.Permissions, ExpiresAt: until}
	if who.TokenID != uuid.Nil {
		s.TokenID = &who.TokenID
	}
	return text, until, t.DB.CreateSession(ctx, who.PortalID, s)
}

// AuthenticateSession gives the caller of a session's cookie; Unauthenticated when it is none, or over.
func (t *Tokens) AuthenticateSession(ctx context.Context, cookie string) (*sparki.Principal, error) {
	if !strings.HasPrefix(cookie, sessionPrefix) { // an API token counts as a header only
		return nil, errUnknown
	}
	return t.recall(ctx, cookie)
}

// CloseSession ends a session for good; what is none is no error.
func (t *Tokens) CloseSession(ctx context.Context, cookie string) error {
	who, err := t.AuthenticateSession(ctx, cookie)
	if sparki.KindOf(err) == sparki.Unauthenticated {
		return nil
	}
	if err != nil {
		return err
	}
	_, id, _, _ := parseCredential(sessionPrefix, cookie) // it was just found
	t.forget(cookie)
	return t.DB.DeleteSession(ctx, who.PortalID, id)
}

func (t *Tokens) session(ctx context.Context, text string) (*sparki.Principal, error) {
	portal, id, hash, ok := parseCredential(sessionPrefix, text)
	if !ok {
		return nil, errUnknown
	}
	s, err := t.DB.Session(ctx, portal, id)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(s.Hash, hash) != 1 {
		return nil, errUnknown
	}
	who := &sparki.Principal{PortalID: portal, Subject: s.Subject, Name: s.Name, Permissions: s.Permissions, ExpiresAt: s.ExpiresAt}
	if s.TokenID != nil {
		who.TokenID = *s.TokenID
	}
	return who, nil
}

// SignInCode makes a code that signs a caller in once, in this process, for as long as it runs.
func (t *Tokens) SignInCode(who *sparki.Principal) string {
	code := rand.Text()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.codes == nil {
		t.codes = map[[sha256.Size]byte]*sparki.Principal{}
	}
	t.codes[sha256.Sum256([]byte(code))] = who
	return code
}

// TakeSignInCode gives the caller of a code, the first time that it is shown; Unauthenticated otherwise, and
// when what the caller showed has ended since.
func (t *Tokens) TakeSignInCode(ctx context.Context, code string) (*sparki.Principal, error) {
	hash := sha256.Sum256([]byte(code))
	t.mu.Lock()
	who := t.codes[hash]
	delete(t.codes, hash)
	t.mu.Unlock()
	if who == nil {
		return nil, errUnknown
	}
	return who, t.Alive(ctx, who)
}
