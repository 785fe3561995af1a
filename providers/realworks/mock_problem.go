package realworks

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"sparki.app/integrations/providers/mockkit"
)

// mockProblem is a refusal in one of Realworks' two shapes (contract §6): {"error": …}, or
// {"foutmeldingen": […]} where it has complaints.
type mockProblem struct {
	status     int
	error      string
	complaints []string
}

func (p *mockProblem) Error() string {
	return fmt.Sprintf("%d %s%s", p.status, p.error, strings.Join(p.complaints, " "))
}

// mockNoPath is the answer to a path that the API does not have.
func mockNoPath() error {
	return &mockProblem{status: http.StatusNotFound, error: "Resource not found"}
}

// mockNotFound is the answer to a path that names nothing that is there.
func mockNotFound(complaint string) error {
	return &mockProblem{status: http.StatusNotFound, complaints: []string{complaint}}
}

// mockInvalid is the answer to what is wrong in itself. That the status is 400 is assumed.
func mockInvalid(complaints ...string) error {
	return &mockProblem{status: http.StatusBadRequest, complaints: complaints}
}

// mockRefusal is the body of a refusal that a fault asks for.
func mockRefusal(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return `{"error":"Het opgegeven token is niet geldig."}`
	case http.StatusForbidden:
		return `{"error":"Voor dit token is een IP bereik opgegeven; 203.0.113.9 valt daar niet in."}`
	case http.StatusBadRequest, http.StatusConflict, http.StatusUnprocessableEntity:
		return `{"foutmeldingen":["Storing."]}`
	default:
		return `{"error":"` + http.StatusText(status) + `"}`
	}
}

// mockFail answers with an error. Only refusals say what they are about.
func mockFail(w http.ResponseWriter, err error) {
	p, ok := errors.AsType[*mockProblem](err)
	if !ok {
		p = &mockProblem{status: http.StatusInternalServerError, error: "Er is een fout opgetreden."}
	}
	body := any(map[string]string{"error": p.error})
	if len(p.complaints) > 0 {
		body = map[string]any{"foutmeldingen": p.complaints}
	}
	text, err := mockkit.Marshal(body)
	if err != nil {
		text = []byte(`{}`)
	}
	mockkit.Write(w, p.status, text)
}
