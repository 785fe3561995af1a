package realworks

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"

	"sparki.app/integrations/providers/mockkit"
)

// The office. It is invented, like everybody in it.
const (
	mockOfficeName = "Van Veen & Bakker Makelaars"
	mockBedrijf    = "934001"
)

type mockAfdeling struct{ Code, Name string }

var mockAfdelingen = []mockAfdeling{{"935001", "Waterstad"}, {"935002", "Bosveld"}}

func mockAfdelingCodes() []string {
	codes := make([]string, len(mockAfdelingen))
	for i, a := range mockAfdelingen {
		codes[i] = a.Code
	}
	return codes
}

// mockMedewerker is a member of the staff. Afdeling is not part of Realworks' answer.
type mockMedewerker struct {
	ID                          int64
	First, Middle, Last, Number string
}

var mockMedewerkers = []mockMedewerker{
	{39220031, "Jaap", "van", "Veen", "116001"},
	{39220044, "Noor", "", "Bakker", "116014"},
	{39220050, "", "", "Binnendienst", "116020"},
	{39220061, "Tess", "de", "Haan", "116033"},
	{39220075, "", "", "", "116040"},
}

func mockMedewerkerOf(id int64) *mockMedewerker {
	i := slices.IndexFunc(mockMedewerkers, func(p mockMedewerker) bool { return p.ID == id })
	if i < 0 {
		return nil
	}
	return &mockMedewerkers[i]
}

func (p *mockMedewerker) fields() mockFields {
	f := mockFields{
		"id": p.ID, "roepnaam": p.First, "tussenvoegsel": nil, "achternaam": p.Last,
		"overige": mockFields{"relatiecode": p.Number},
	}
	if p.Middle != "" {
		f["tussenvoegsel"] = p.Middle
	}
	if p.First != "" {
		f["relatiesoort"], f["initialen"] = "MEDEWERKER", p.First[:1]+"."
		f["emailadressen"] = []mockFields{{"email": cmp.Or(p.First, p.Last) + "@makelaardij.example"}}
		f["telefoonnummers"] = []mockFields{{"nummer": "026-0000000"}}
	}
	return f
}

// listMedewerkers lists the staff (contract §4.2).
func (m *Mock) listMedewerkers(w http.ResponseWriter, r *http.Request, s *mockState) error {
	cursor, complaints := mockCursorOf(r.URL.Query())
	if len(complaints) > 0 {
		return mockInvalid(complaints...)
	}
	var rows []mockRow
	for _, p := range mockMedewerkers {
		body, err := mockkit.Marshal(p.fields())
		if err != nil {
			return err
		}
		if !s.closed(mockRelatiesAPI) {
			rows = append(rows, mockRow{p.ID, mockBody(body)})
		}
	}
	return m.answerPage(w, r, s, rows, cursor)
}

// readMedewerker reads one of them: 400 without bedrijfscode or with an id that is no number
// (contract §6).
func (m *Mock) readMedewerker(w http.ResponseWriter, r *http.Request, _ *mockState) error {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return mockInvalid("Ongeldig relatieId.")
	}
	if r.URL.Query().Get("bedrijfscode") == "" {
		return mockInvalid("Parameter bedrijfscode is verplicht.")
	}
	p := mockMedewerkerOf(id)
	if p == nil || r.URL.Query().Get("bedrijfscode") != mockBedrijf {
		return mockNotFound("Relatie " + r.PathValue("id") + " niet gevonden.")
	}
	return mockkit.Answer(w, p.fields())
}

// readOffice answers with the office and its afdelingen. The path is in contract §1.1; the shape is
// assumed.
func (m *Mock) readOffice(w http.ResponseWriter, _ *http.Request, s *mockState) error {
	offices := []mockFields{}
	for i, a := range mockAfdelingen {
		if !s.closed(mockMakelaarsAPI) {
			offices = append(offices, mockFields{
				"id": 7001 + i, "naam": mockOfficeName + " " + a.Name, "afdelingscode": a.Code, "bedrijfscode": mockBedrijf, "plaats": a.Name,
			})
		}
	}
	return mockkit.Answer(w, mockFields{"resultaten": offices, "paginering": mockFields{"totaalAantal": len(offices)}})
}
