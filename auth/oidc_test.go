package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sparki.app/integrations"
)

// issuer is a stand-in identity provider.
type issuer struct {
	*httptest.Server
	away  atomic.Bool
	asked atomic.Int32 // for its keys

	mu   sync.Mutex
	keys map[string]*rsa.PrivateKey // by kid
	ec   *ecdsa.PrivateKey          // kid "ec"; nil for none
}

const audience = "sparki-api"

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{keys: map[string]*rsa.PrivateKey{"one": newRSA(t)}}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		i.answer(w, map[string]any{"issuer": i.URL, "jwks_uri": i.URL + "/keys", "id_token_signing_alg_values_supported": []string{"none", "HS256", "RS256"}})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		i.asked.Add(1)
		i.answer(w, map[string]any{"keys": i.jwks()})
	})
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

func newRSA(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (i *issuer) answer(w http.ResponseWriter, v any) {
	if i.away.Load() {
		http.Error(w, "away", http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func (i *issuer) jwks() (keys []any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for kid, key := range i.keys {
		keys = append(keys, map[string]string{"kty": "RSA", "use": "sig", "kid": kid, "n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes())})
	}
	if i.ec != nil {
		x, y := make([]byte, 32), make([]byte, 32)
		public, _ := i.ec.PublicKey.Bytes() // 4, x, y
		copy(x, public[1:33])
		copy(y, public[33:])
		keys = append(keys, map[string]string{"kty": "EC", "crv": "P-256", "use": "sig", "kid": "ec", "x": b64(x), "y": b64(y)})
	}
	return keys
}

// rotate replaces a key.
func (i *issuer) rotate(t *testing.T, old, kid string) {
	t.Helper()
	fresh := newRSA(t)
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.keys, old)
	i.keys[kid] = fresh
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// unsigned writes the part of a JWT that is signed.
func unsigned(header, claims map[string]any) string {
	h, _ := json.Marshal(header)
	c, _ := json.Marshal(claims)
	return b64(h) + "." + b64(c)
}

func (i *issuer) sign(t *testing.T, kid string, claims map[string]any) string {
	t.Helper()
	i.mu.Lock()
	key := i.keys[kid]
	i.mu.Unlock()
	return signRSA(t, key, unsigned(map[string]any{"alg": "RS256", "typ": "JWT", "kid": kid}, claims))
}

func signRSA(t *testing.T, key *rsa.PrivateKey, text string) string {
	t.Helper()
	digest := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + b64(signature)
}

// person gives the claims of somebody in a portal; the changes replace claims, nil removes one.
func (i *issuer) person(portal *sparki.Portal, changes map[string]any) map[string]any {
	claims := map[string]any{
		"iss": i.URL, "aud": audience, "sub": "auth0|1", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
		"name": "Sanne", "portal": portal.NodeID(), "permissions": []string{"VIEW", "EDIT_PROJECTS", "FLY"},
	}
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return claims
}

func withIssuer(t *testing.T) (*Tokens, *sparki.Portal, *issuer) {
	t.Helper()
	tokens, portal, _, _ := setup(t)
	i := newIssuer(t)
	tokens.OIDC = NewOIDC(i.URL, audience)
	return tokens, portal, i
}

func TestJWT(t *testing.T) {
	t.Parallel()
	tokens, portal, i := withIssuer(t)
	i.ec, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	good := i.sign(t, "one", i.person(portal, nil))
	who, err := tokens.Authenticate(t.Context(), "Bearer "+good)
	if err != nil || who.PortalID != portal.ID || who.Name != "Sanne" || !slices.Equal(who.Permissions, []sparki.Permission{sparki.View, sparki.EditProjects}) {
		t.Fatalf("%+v, %v", who, err)
	}
	if left := time.Until(who.ExpiresAt); left < 59*time.Minute || left > time.Hour {
		t.Errorf("it holds for %v", left)
	}
	for name, changes := range map[string]map[string]any{
		"SeveralAudiences": {"aud": []string{"other", audience}}, "NoName": {"name": nil}, "NoPermissions": {"permissions": nil}, "NotBeforePast": {"nbf": time.Now().Unix()},
	} {
		if who, err := tokens.Authenticate(t.Context(), "Bearer "+i.sign(t, "one", i.person(portal, changes))); err != nil || who.Name == "" {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}
	text := unsigned(map[string]any{"alg": "ES256", "kid": "ec"}, i.person(portal, nil))
	digest := sha256.Sum256([]byte(text))
	r, s, _ := ecdsa.Sign(rand.Reader, i.ec, digest[:])
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	if _, err := tokens.Authenticate(t.Context(), "Bearer "+text+"."+b64(signature)); err != nil {
		t.Errorf("ES256: %v", err)
	}

	hmacWith := func(key []byte, header map[string]any) string {
		text := unsigned(header, i.person(portal, nil))
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(text))
		return text + "." + b64(mac.Sum(nil))
	}
	der, _ := x509.MarshalPKIXPublicKey(&i.keys["one"].PublicKey)
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	stranger := newRSA(t)
	parts := strings.Split(good, ".")
	other, _ := json.Marshal(i.person(portal, map[string]any{"name": "Mallory"}))
	for name, jwt := range map[string]string{
		"AlgNone":          unsigned(map[string]any{"alg": "none", "kid": "one"}, i.person(portal, nil)) + ".",
		"AlgNoneCapitals":  unsigned(map[string]any{"alg": "nOnE"}, i.person(portal, nil)) + ".",
		"NoAlg":            unsigned(map[string]any{"kid": "one"}, i.person(portal, nil)) + "." + parts[2],
		"HSWithPEM":        hmacWith(public, map[string]any{"alg": "HS256", "kid": "one"}),
		"HSWithDER":        hmacWith(der, map[string]any{"alg": "HS256", "kid": "one"}),
		"HSWithModulus":    hmacWith(i.keys["one"].N.Bytes(), map[string]any{"alg": "HS256", "kid": "one"}),
		"HSEmptyKey":       hmacWith(nil, map[string]any{"alg": "HS256"}),
		"OwnKeyInHeader":   signRSA(t, stranger, unsigned(map[string]any{"alg": "RS256", "jwk": map[string]string{"kty": "RSA", "n": b64(stranger.N.Bytes()), "e": "AQAB"}}, i.person(portal, nil))),
		"KeyURLInHeader":   signRSA(t, stranger, unsigned(map[string]any{"alg": "RS256", "kid": "one", "jku": "https://evil.example/keys"}, i.person(portal, nil))),
		"StrangersKey":     signRSA(t, stranger, unsigned(map[string]any{"alg": "RS256", "kid": "one"}, i.person(portal, nil))),
		"UnknownKid":       signRSA(t, stranger, unsigned(map[string]any{"alg": "RS256", "kid": "../../etc/passwd"}, i.person(portal, nil))),
		"ClaimsReplaced":   parts[0] + "." + b64(other) + "." + parts[2],
		"NoSignature":      parts[0] + "." + parts[1] + ".",
		"LastCharacter":    good[:len(good)-3] + "AAA",
		"OtherIssuer":      i.sign(t, "one", i.person(portal, map[string]any{"iss": "https://evil.example"})),
		"IssuerPlusSlash":  i.sign(t, "one", i.person(portal, map[string]any{"iss": i.URL + "/"})),
		"NoIssuer":         i.sign(t, "one", i.person(portal, map[string]any{"iss": nil})),
		"OtherAudience":    i.sign(t, "one", i.person(portal, map[string]any{"aud": "other-api"})),
		"NoAudience":       i.sign(t, "one", i.person(portal, map[string]any{"aud": nil})),
		"EmptyAudience":    i.sign(t, "one", i.person(portal, map[string]any{"aud": []string{}})),
		"Expired":          i.sign(t, "one", i.person(portal, map[string]any{"exp": time.Now().Add(-time.Second).Unix()})),
		"NoExpiry":         i.sign(t, "one", i.person(portal, map[string]any{"exp": nil})),
		"NotYet":           i.sign(t, "one", i.person(portal, map[string]any{"nbf": time.Now().Add(time.Hour).Unix()})),
		"NoPortal":         i.sign(t, "one", i.person(portal, map[string]any{"portal": nil})),
		"PortalWildcard":   i.sign(t, "one", i.person(portal, map[string]any{"portal": "*"})),
		"PortalUUID":       i.sign(t, "one", i.person(portal, map[string]any{"portal": portal.ID.String()})),
		"PortalOfNobody":   i.sign(t, "one", i.person(portal, map[string]any{"portal": sparki.PortalNode.ID(sparki.NewID())})),
		"PermissionsText":  i.sign(t, "one", i.person(portal, map[string]any{"permissions": "VIEW"})),
		"FourParts":        good + ".x",
		"OtherIssuersGood": newIssuer(t).sign(t, "one", i.person(portal, nil)),
	} {
		who, err := tokens.Authenticate(t.Context(), "Bearer "+jwt)
		if sparki.KindOf(err) != sparki.Unauthenticated || strings.Contains(err.Error(), "Sanne") {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}
	if _, err := (&Tokens{DB: tokens.DB}).Authenticate(t.Context(), "Bearer "+good); sparki.KindOf(err) != sparki.Unauthenticated {
		t.Errorf("without an identity provider: %v", err)
	}
}

// The issuer replaces its keys: the new one is good at once, and the old one not for longer than keysHold.
func TestJWTKeysRotate(t *testing.T) {
	t.Parallel()
	tokens, portal, i := withIssuer(t)
	old := i.sign(t, "one", i.person(portal, nil))
	who, err := tokens.Authenticate(t.Context(), "Bearer "+old)
	if err != nil {
		t.Fatal(err)
	}
	i.rotate(t, "one", "two")
	if _, err := tokens.Authenticate(t.Context(), "Bearer "+i.sign(t, "two", i.person(portal, nil))); err != nil {
		t.Errorf("the new key: %v", err)
	}
	tokens.OIDC.next = time.Now() // as if its time had come
	if err := tokens.Alive(t.Context(), who); sparki.KindOf(err) != sparki.Unauthenticated {
		t.Errorf("a socket of a withdrawn key lives on: %v", err)
	}
	if _, err := (&Tokens{DB: tokens.DB, OIDC: tokens.OIDC}).Authenticate(t.Context(), "Bearer "+old); sparki.KindOf(err) != sparki.Unauthenticated {
		t.Errorf("the old key: %v", err)
	}
}

func TestJWTExpires(t *testing.T) {
	t.Parallel()
	tokens, portal, i := withIssuer(t)
	soon := time.Now().Add(time.Second)
	who, err := tokens.Authenticate(t.Context(), "Bearer "+i.sign(t, "one", i.person(portal, map[string]any{"exp": soon.Unix()})))
	if sparki.KindOf(err) == sparki.Unauthenticated { // the second was nearly over
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); tokens.Alive(t.Context(), who) == nil; {
		if time.Now().After(deadline) {
			t.Fatal("it does not expire")
		}
	}
	if _, err := tokens.Authenticate(t.Context(), "Bearer "+who.Credential.Reveal()); sparki.KindOf(err) != sparki.Unauthenticated {
		t.Errorf("it is remembered for longer than it holds: %v", err)
	}
}

// An issuer that does not answer turns nobody away for good, and is not asked again for every JWT.
func TestIssuerAway(t *testing.T) {
	t.Parallel()
	tokens, portal, i := withIssuer(t)
	jwt := i.sign(t, "one", i.person(portal, nil))
	i.away.Store(true)
	for range 20 {
		if _, err := tokens.Authenticate(t.Context(), "Bearer "+jwt); sparki.KindOf(err) != sparki.Unavailable {
			t.Fatalf("while it is away: %v", err)
		}
	}
	i.away.Store(false)
	tokens.OIDC.next = time.Now()
	who, err := tokens.Authenticate(t.Context(), "Bearer "+jwt)
	if err != nil {
		t.Fatalf("when it is back: %v", err)
	}
	i.away.Store(true)
	tokens.OIDC.next = time.Now()
	if err := tokens.Alive(t.Context(), who); err != nil {
		t.Errorf("its keys are known: %v", err)
	}
	stranger := signRSA(t, newRSA(t), unsigned(map[string]any{"alg": "RS256", "kid": "new"}, i.person(portal, nil)))
	if _, err := tokens.Authenticate(t.Context(), "Bearer "+stranger); sparki.KindOf(err) != sparki.Unavailable {
		t.Errorf("a key that may be new: %v", err)
	}
	i.away.Store(false)
	before := i.asked.Load()
	for range 200 {
		_, _ = tokens.Authenticate(t.Context(), "Bearer "+stranger)
	}
	if n := i.asked.Load() - before; n > 15 {
		t.Errorf("200 invented JWTs ask the issuer %d times", n)
	}
}
