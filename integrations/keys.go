package integrations

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/google/uuid"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
)

// Keys seal secrets with AES-256-GCM. The first key seals, all open, so that keys can be rotated.
type Keys struct {
	first string
	aead  map[string]cipher.AEAD
}

const keyBytes = 32

// keyID is plain: the database reads it in front of a seal.
var keyID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// ParseKeys reads a comma list of id:base64, 32 bytes each. The error names the key's id, never its value.
func ParseKeys(list string) (*Keys, error) {
	k := &Keys{aead: map[string]cipher.AEAD{}}
	for _, entry := range strings.Split(list, ",") {
		id, encoded, found := strings.Cut(strings.TrimSpace(entry), ":")
		if !found || !keyID.MatchString(id) {
			return nil, errors.New("want a comma list of id:base64-of-32-bytes, an id of at most 64 letters, digits, dots and dashes")
		}
		key, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || len(key) != keyBytes {
			return nil, fmt.Errorf("key %q is not the base64 of %d bytes (openssl rand -base64 32)", id, keyBytes)
		}
		if _, double := k.aead[id]; double {
			return nil, fmt.Errorf("key id %q stands twice", id)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, fmt.Errorf("key %q: %w", id, err)
		}
		if k.aead[id], err = cipher.NewGCM(block); err != nil {
			return nil, fmt.Errorf("key %q: %w", id, err)
		}
		if k.first == "" {
			k.first = id
		}
	}
	return k, nil
}

// place is what a seal is bound to: moved to another portal, integration or field, it does not open.
type place struct {
	portal, integration uuid.UUID
	field               string
}

func (p place) bytes() []byte {
	return []byte(p.portal.String() + "|" + p.integration.String() + "|" + p.field)
}

// seal encrypts a secret: one byte with the length of the key id, key id, nonce, ciphertext.
func (k *Keys) seal(secret sparki.Secret, at place) []byte {
	aead := k.aead[k.first]
	out := append([]byte{byte(len(k.first))}, k.first...)
	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	out = append(out, nonce...)
	return aead.Seal(out, nonce, []byte(secret.Reveal()), at.bytes())
}

var errSealed = errors.New("a stored secret cannot be opened with SECRET_KEYS")

// open decrypts what seal made at the same place.
func (k *Keys) open(sealed []byte, at place) (sparki.Secret, error) {
	if len(sealed) == 0 || len(sealed) < 1+int(sealed[0]) {
		return "", errSealed
	}
	id, rest := string(sealed[1:1+sealed[0]]), sealed[1+sealed[0]:]
	aead, known := k.aead[id]
	if !known || len(rest) < aead.NonceSize() {
		return "", fmt.Errorf("%w: key id %q", errSealed, id)
	}
	plain, err := aead.Open(nil, rest[:aead.NonceSize()], rest[aead.NonceSize():], at.bytes())
	if err != nil {
		return "", fmt.Errorf("%w: key id %q", errSealed, id)
	}
	return sparki.Secret(plain), nil
}

// CanOpen fails when one of an integration's stored secrets does not open with these keys.
func (k *Keys) CanOpen(i *sparki.Integration, stored []db.StoredSetting) error {
	for _, s := range stored {
		if s.Sealed == nil {
			continue
		}
		if _, err := k.open(s.Sealed, place{i.PortalID, i.ID, s.Key}); err != nil {
			return fmt.Errorf("setting %s of %s: %w", s.Key, i.NodeID(), err)
		}
	}
	return nil
}
