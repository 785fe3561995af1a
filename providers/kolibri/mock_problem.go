package kolibri

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"sparki.app/integrations/providers/mockkit"
)

// mockProblem is a refusal in one of Kolibri's two shapes (contract §7): an ErrorResponse when it
// has a code, an HttpError otherwise.
type mockProblem struct {
	status  int
	code    string
	message string
	rules   map[string]string // brokenBusinessRules
}

func (p *mockProblem) Error() string { return fmt.Sprintf("%d %s", p.status, p.message) }

// mockInvalid is the answer to a request that cannot be read: one field and what is wrong with it.
func mockInvalid(field, text string) error {
	return mockInvalidFields(map[string]string{"request." + field: text})
}

func mockInvalidFields(fields map[string]string) error {
	return &mockProblem{http.StatusBadRequest, "InvalidModelState", "The request is invalid.", fields}
}

// mockNullModel is the answer to an empty body.
func mockNullModel() error {
	return &mockProblem{http.StatusBadRequest, "NullModelState", "The request is empty.", map[string]string{}}
}

// mockBroken is the answer to a request that can be read but breaks rules.
func mockBroken(rules map[string]string) error {
	return &mockProblem{http.StatusBadRequest, "BrokenBusinessRules", "One or more business rules are broken.", rules}
}

func mockNotFound(message string) error {
	return &mockProblem{status: http.StatusNotFound, message: message}
}

func mockQuote(s string) string { return strconv.Quote(s) }

// fail answers with an error. Only refusals say what they are about.
func (m *Mock) fail(w http.ResponseWriter, err error) {
	p, ok := errors.AsType[*mockProblem](err)
	if !ok {
		p = &mockProblem{status: http.StatusInternalServerError, message: "An error has occurred."}
	}
	var body any
	switch {
	case p.code != "":
		body = map[string]any{
			"errorCode": p.code, "message": p.message, "brokenBusinessRules": p.rules,
			"requestId": fmt.Sprintf("0HN4K2C9V7T1L:%08X", m.requests.Add(1)),
		}
	case p.status == http.StatusNotFound:
		body = struct {
			Message          string  `json:"message"`
			MessageDetail    *string `json:"messageDetail"`
			ModelState       *string `json:"modelState"`
			ExceptionMessage *string `json:"exceptionMessage"`
			ExceptionType    *string `json:"exceptionType"`
			StackTrace       *string `json:"stackTrace"`
			InnerException   *string `json:"innerException"`
		}{Message: p.message}
	default:
		body = map[string]string{"message": p.message}
	}
	if p.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	text, err := mockkit.Marshal(body)
	if err != nil {
		text = []byte(`{}`)
	}
	mockkit.Write(w, p.status, text)
}

// mockRefusal is the body of a refusal that a fault asks for.
func mockRefusal(status int) string {
	if status == http.StatusBadRequest {
		return `{"errorCode":"Other","message":"Fault.","brokenBusinessRules":{},"requestId":"0HN4K2C9V7T1L:FFFFFFFF"}`
	}
	return `{"message":` + mockQuote(http.StatusText(status)) + `}`
}
