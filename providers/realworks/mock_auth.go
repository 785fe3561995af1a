package realworks

import (
	"cmp"
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
)

// The APIs that are no objects; mockAPIs has those that are.
const (
	mockAgendaAPI    = "agenda"
	mockRelatiesAPI  = "relaties"
	mockMakelaarsAPI = "makelaars"
)

// mockSegments are the first path segments that the gateway knows (contract §1.1), each an API.
var mockSegments = map[string]bool{
	mockWonenKind: true, mockBogKind: true, mockNieuwbouwKind: true, mockAgendaAPI: true, mockRelatiesAPI: true,
	mockMakelaarsAPI: true, "aankoop": true, "taken": true,
}

// mockConfig is the mock's own configuration, a document of its store. Two processes that fill an
// empty store at the same moment may both leave one: both stay good, and the elder is handed out.
type mockConfig struct {
	ID            string    `json:"id"`
	APIToken      string    `json:"apiToken"` // for objects
	AgendaToken   string    `json:"agendaToken"`
	RelatiesToken string    `json:"relatiesToken"`
	MediaKey      string    `json:"mediaKey"` // signs the links of media
	CreatedAt     time.Time `json:"createdAt"`
}

func newMockConfig(now time.Time) mockConfig {
	return mockConfig{
		ID:       uuid.NewString(),
		APIToken: uuid.NewString(), AgendaToken: uuid.NewString(), RelatiesToken: uuid.NewString(),
		MediaKey:  rand.Text(),
		CreatedAt: now.UTC(),
	}
}

func compareMockConfigs(a, b mockConfig) int {
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.ID, b.ID))
}

// tokens are those that open an API. Makelaars is in every token (contract §1).
func (c mockConfig) tokens(api string) []string {
	switch api {
	case mockAgendaAPI:
		return []string{c.AgendaToken}
	case mockRelatiesAPI:
		return []string{c.RelatiesToken}
	case mockMakelaarsAPI:
		return []string{c.APIToken, c.AgendaToken, c.RelatiesToken}
	default:
		return []string{c.APIToken}
	}
}

// authorized wants the token of an API behind "rwauth ": 401 for another scheme, an unknown token,
// and a token of another API (contract §8.1; that the last is no 403 is assumed).
func (m *Mock) authorized(api string, h mockHandler) http.HandlerFunc {
	return m.open(func(w http.ResponseWriter, r *http.Request, s *mockState) error {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "rwauth ")
		if !ok || !s.accepts(api, token) {
			return &mockProblem{status: http.StatusUnauthorized, error: "Het opgegeven token is niet geldig."}
		}
		return h(w, r, s)
	})
}

func (s *mockState) accepts(api, token string) bool {
	for _, c := range s.configs {
		for _, good := range c.tokens(api) {
			if subtle.ConstantTimeCompare([]byte(token), []byte(good)) == 1 {
				return true
			}
		}
	}
	return false
}
