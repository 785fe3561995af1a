package kolibri

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"sparki.app/integrations/providers/mockkit"
)

// mockScope is the scope of contract §1; asking for another one is refused.
const mockScope = "kolibri_api_sandbox"

// mockConfig is the mock's own configuration, a document of its store. Two processes that fill an
// empty store at the same moment may both leave one: both stay good, and the elder is handed out.
type mockConfig struct {
	ClientID      string    `json:"clientId"`
	ClientSecret  string    `json:"clientSecret"`
	StaticToken   string    `json:"staticToken"`
	TokenKey      string    `json:"tokenKey"` // signs access tokens
	WebhookSecret string    `json:"webhookSecret"`
	CreatedAt     time.Time `json:"createdAt"`
}

func newMockConfig(now time.Time) mockConfig {
	return mockConfig{
		ClientID:      "sparki-mock-" + strings.ToLower(rand.Text()[:8]),
		ClientSecret:  rand.Text(),
		StaticToken:   "mock-" + rand.Text(),
		TokenKey:      rand.Text(),
		WebhookSecret: rand.Text(),
		CreatedAt:     now.UTC(),
	}
}

func compareMockConfigs(a, b mockConfig) int {
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.ClientID, b.ClientID))
}

// token is the identity server's token endpoint (contract §1): form-encoded client credentials in,
// a bearer token out. Errors are those of RFC 6749 §5.2.
func (m *Mock) token(w http.ResponseWriter, r *http.Request, s *mockState) error {
	refuse := func(status int, code string) error {
		w.Header().Set("Cache-Control", "no-store")
		mockkit.Write(w, status, []byte(`{"error":"`+code+`"}`))
		return nil
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/x-www-form-urlencoded" {
		return refuse(http.StatusBadRequest, "invalid_request")
	}
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		return refuse(http.StatusBadRequest, "invalid_request")
	}
	if r.PostForm.Get("grant_type") != "client_credentials" {
		return refuse(http.StatusBadRequest, "unsupported_grant_type")
	}
	if scope := r.PostForm.Get("scope"); scope != "" && scope != mockScope {
		return refuse(http.StatusBadRequest, "invalid_scope")
	}
	for _, c := range s.configs {
		if mockEqual(r.PostForm.Get("client_id"), c.ClientID) && mockEqual(r.PostForm.Get("client_secret"), c.ClientSecret) {
			w.Header().Set("Cache-Control", "no-store")
			return mockkit.Answer(w, map[string]any{
				"access_token": m.newToken(c),
				"expires_in":   int(m.TokenLifetime / time.Second),
				"token_type":   "Bearer",
				"scope":        mockScope,
			})
		}
	}
	return refuse(http.StatusBadRequest, "invalid_client")
}

func mockEqual(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// mockClaims is what the mock's tokens carry.
type mockClaims struct {
	Issuer   string `json:"iss"`
	ClientID string `json:"client_id"`
	Scope    string `json:"scope"`
	ID       string `json:"jti"`
	Expires  int64  `json:"exp"` // Unix milliseconds, so that tests can have short ones
}

const mockTokenHead = `{"alg":"HS256","typ":"JWT"}`

// newToken makes a token in the form of a JWT. It carries all that is needed to check it, so every
// process of the mock accepts the tokens of the others.
func (m *Mock) newToken(c mockConfig) string {
	claims, _ := json.Marshal(mockClaims{
		Issuer: m.site.URL, ClientID: c.ClientID, Scope: mockScope, ID: uuid.NewString(),
		Expires: m.now().Add(m.TokenLifetime).UnixMilli(),
	})
	text := base64.RawURLEncoding.EncodeToString([]byte(mockTokenHead)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	return text + "." + c.tokenSignature(text)
}

func (c mockConfig) tokenSignature(text string) string {
	mac := hmac.New(sha256.New, []byte(c.TokenKey))
	mac.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// authorized wants a bearer token: 401 for a missing, unknown or expired one (contract §10.1).
func (m *Mock) authorized(h mockHandler) http.HandlerFunc {
	return m.open(func(w http.ResponseWriter, r *http.Request, s *mockState) error {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") || !m.accepts(s, token) {
			return &mockProblem{status: http.StatusUnauthorized, message: "Authorization has been denied for this request."}
		}
		return h(w, r, s)
	})
}

func (m *Mock) accepts(s *mockState, token string) bool {
	cut := strings.LastIndexByte(token, '.')
	for _, c := range s.configs {
		if mockEqual(token, c.StaticToken) {
			return true
		}
		if cut > 0 && mockEqual(token[cut+1:], c.tokenSignature(token[:cut])) {
			_, payload, _ := strings.Cut(token[:cut], ".")
			text, err := base64.RawURLEncoding.DecodeString(payload)
			var claims mockClaims
			return err == nil && json.Unmarshal(text, &claims) == nil && m.now().UnixMilli() < claims.Expires
		}
	}
	return false
}
