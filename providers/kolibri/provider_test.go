package kolibri

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
		Secrets:  []string{tokenPrefix + "1"},
		Upstream: func(objects int) http.Handler { return newUpstream(objects) },
		Ref:      sparki.Ref{Type: "object-assignment", ID: objectID(0)},
		SignIn:   isSignIn,
		Refusals: []func(string) string{errorResponse("Other"), httpError},
		Verdicts: map[int]sparki.Kind{http.StatusForbidden: sparki.Misconfigured}, // consent or permission is missing
		Delivery: providertest.Sample(t, "webhook-envelope"),
		Sign: func(secret string, body []byte) http.Header {
			return http.Header{"Signature": {base64Of(sign(secret, body))}}
		},
		SecretKey: settingWebhookSecret,
	})
}

// errorResponse and httpError are the two shapes of a refusal (contract §7).
func errorResponse(code string) func(string) string {
	return func(message string) string {
		body, _ := json.Marshal(map[string]any{
			"errorCode": code, "message": message, "brokenBusinessRules": map[string]string{"a.b": message}, "requestId": "1",
		})
		return string(body)
	}
}

func httpError(message string) string {
	body, _ := json.Marshal(map[string]any{"message": message, "messageDetail": nil, "exceptionMessage": message, "stackTrace": message})
	return string(body)
}
