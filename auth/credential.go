package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/google/uuid"

	"sparki.app/integrations"
)

// A credential of our own is a prefix and the base64url of portal id, its own id and 32 random bytes: it
// leads to its row inside its own portal, and only the hash of the whole is stored.
const (
	tokenPrefix   = "sparki_"
	sessionPrefix = "session_"
	secretBytes   = 32
	bareBytes     = 16 + 16 + secretBytes
)

func newCredential(prefix string, portal uuid.UUID) (text string, id uuid.UUID, hash []byte) {
	id = sparki.NewID()
	raw := make([]byte, 0, bareBytes)
	raw = append(append(raw, portal[:]...), id[:]...)
	raw = raw[:bareBytes]
	_, _ = rand.Read(raw[32:]) // never fails
	text = prefix + base64.RawURLEncoding.EncodeToString(raw)
	sum := sha256.Sum256([]byte(text))
	return text, id, sum[:]
}

// parseCredential says where a credential's row lies, and the hash that stands there if it is good.
func parseCredential(prefix, text string) (portal, id uuid.UUID, hash []byte, ok bool) {
	encoded, ok := strings.CutPrefix(text, prefix)
	raw, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if !ok || err != nil || len(raw) != bareBytes {
		return uuid.Nil, uuid.Nil, nil, false
	}
	sum := sha256.Sum256([]byte(text))
	return uuid.UUID(raw[:16]), uuid.UUID(raw[16:32]), sum[:], true
}
