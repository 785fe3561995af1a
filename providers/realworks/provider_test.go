package realworks

import (
	"encoding/json"
	"net/http"
	"testing"

	"sparki.app/integrations"
	"sparki.app/integrations/providers/providertest"
)

func TestProvider(t *testing.T) {
	t.Parallel()
	providertest.Run(t, providertest.Case{
		Provider: New(),
		Settings: liveSettings(),
		Upstream: func(objects int) http.Handler { return newUpstream(objects) },
		Ref:      sparki.Ref{Type: "wonen-object", ID: objectID(0)},
		Refusals: []func(string) string{refusal("error"), refusal("message"), foutmeldingen},
		Verdicts: map[int]sparki.Kind{http.StatusForbidden: sparki.Misconfigured}, // the address, the IP range or the release
		Delivery: providertest.Sample(t, "webhook_v2_object_update_active"),
	})
}

// refusal and foutmeldingen are the shapes of a refusal (contract §6).
func refusal(key string) func(string) string {
	return func(message string) string {
		body, _ := json.Marshal(map[string]any{key: message})
		return string(body)
	}
}

func foutmeldingen(message string) string {
	body, _ := json.Marshal(map[string]any{"foutmeldingen": []any{message, message, 17, nil}})
	return string(body)
}
