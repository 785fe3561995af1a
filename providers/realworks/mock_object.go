package realworks

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sparki.app/integrations/providers/mockkit"
)

// mockAPI is one of the three kinds of objects, and where its answers hold what the mock needs.
type mockAPI struct {
	kind     string // of documents, and the first segment of the path
	resource string
	views    []mockView // the newest version first
	codes    string     // where the object code and the afdeling stand
	id       string
	status   string
	active   string
	sale     string
	rent     string
	street   string // where the street, number, postcode and place stand; "" for a project
}

// mockView is a version of an API: its number, and what makes its form of the newest one; nil is
// the newest.
type mockView struct {
	version byte // '1' to '3'
	older   func(mockFields)
}

var mockAPIs = []*mockAPI{{
	kind: mockWonenKind, resource: "objecten",
	views: []mockView{{'3', nil}, {'2', mockScalarNumber}, {'1', mockFirstWonen}},
	codes: "diversen.diversen", id: "id", status: "financieel.overdracht.status", active: "actief",
	sale: "financieel.overdracht.koopprijs", rent: "financieel.overdracht.huurprijs", street: "adres",
}, {
	kind: mockBogKind, resource: "objecten",
	views: []mockView{{'3', nil}, {'2', mockFlatAddress}, {'1', mockFlatAddress}},
	codes: "diversen.diversen", id: "id", status: "status", active: "diversen.diversen.actief",
	sale: "financieel.overdracht.koopEnOfHuur.koopprijs", rent: "financieel.overdracht.koopEnOfHuur.huurprijs", street: "adres",
}, {
	kind: mockNieuwbouwKind, resource: "projecten",
	views: []mockView{{'2', nil}, {'1', nil}},
	codes: "project.diversen.diversen", id: "project.id", status: "project.algemeen.status", active: "project.diversen.diversen.actief",
	sale: "project.algemeen.koopaanneemsomVanaf", rent: "project.algemeen.huurprijsVanaf",
}}

// mockAPIOf is the API of a kind; nil when there is none.
func mockAPIOf(kind string) *mockAPI {
	i := slices.IndexFunc(mockAPIs, func(a *mockAPI) bool { return a.kind == kind })
	if i < 0 {
		return nil
	}
	return mockAPIs[i]
}

// mockScalarNumber is the address as v2 and v1 write it (contract §2.3).
func mockScalarNumber(f mockFields) {
	if address, ok := f["adres"].(mockFields); ok {
		address["huisnummertoevoeging"] = mockAt(address, "huisnummer.toevoeging")
		address["huisnummer"] = mockAt(address, "huisnummer.hoofdnummer")
	}
}

// mockFirstWonen is Wonen v1: as v2, and 0 for a price that is not set (contract §2.4).
func mockFirstWonen(f mockFields) {
	mockScalarNumber(f)
	if transfer, ok := mockAt(f, "financieel.overdracht").(mockFields); ok {
		for _, key := range []string{"koopprijs", "huurprijs"} {
			if transfer[key] == nil {
				transfer[key] = 0
			}
		}
	}
}

// mockFlatAddress is the address of business objects before v3, at the top level (contract §3.1).
func mockFlatAddress(f mockFields) {
	mockScalarNumber(f)
	if address, ok := f["adres"].(mockFields); ok {
		maps.Copy(f, address)
		delete(f, "adres")
		delete(f, "straat2")
	}
}

// mockObject is an object as lists and the page see it. It never changes.
type mockObject struct {
	api          *mockAPI
	id           int64
	afdeling     string
	code         string
	codes        []string // its own and those of its building types and units
	status       string
	active       bool
	confidential bool
	deleted      bool
	changed      time.Time
	entity       []byte // in the newest version; media links as stored
	media        []*mockMedium
	summary      mockSummary
}

func newMockObject(api *mockAPI, stored []byte) (*mockObject, error) {
	if api == nil {
		return nil, fmt.Errorf("no such API")
	}
	var doc mockDocument
	if err := json.Unmarshal(stored, &doc); err != nil {
		return nil, err
	}
	var f mockFields
	if err := mockkit.Unmarshal(doc.Entity, &f); err != nil {
		return nil, err
	}
	o := &mockObject{
		api: api, id: mockNumber(f, api.id), deleted: doc.Deleted,
		afdeling: mockText(f, api.codes+".afdelingscode"),
		code:     mockText(f, api.codes+".objectcode"), status: mockText(f, api.status),
		active: mockAt(f, api.active) != false, changed: mockTime(mockText(f, "tijdstipLaatsteWijziging")),
		confidential: f["vertrouwelijk"] == true || mockAt(f, "diversen.diversen.vertrouwelijk") == true,
	}
	o.codes = append([]string{o.code}, mockPartCodes(f)...)
	o.media = mockMediaIn(f, nil)
	o.summary = o.summarize(f)
	o.entity = doc.Entity
	return o, nil
}

// body is the object in one of its API's views.
func (o *mockObject) body(view mockView) ([]byte, error) {
	if view.older == nil {
		return o.entity, nil
	}
	var f mockFields
	if err := mockkit.Unmarshal(o.entity, &f); err != nil {
		return nil, err
	}
	view.older(f)
	return mockkit.Marshal(f)
}

// mockPartCodes are the codes of a project's building types and units (contract §3.2).
func mockPartCodes(f mockFields) (codes []string) {
	types, _ := f["bouwtypen"].([]any)
	for _, t := range types {
		buildingType, _ := t.(mockFields)
		codes = append(codes, mockText(buildingType, "diversen.objectcode"))
		units, _ := buildingType["bouwnummers"].([]any)
		for _, u := range units {
			unit, _ := u.(mockFields)
			codes = append(codes, mockText(unit, "diversen.diversen.objectcode"))
		}
	}
	return codes
}

// place is the street with its number and the place, as people write it.
func (o *mockObject) place(f mockFields) string {
	if o.api.street == "" {
		return mockText(f, "project.algemeen.plaats")
	}
	number := fmt.Sprint(mockAt(f, "adres.huisnummer.hoofdnummer"))
	if number == "0" || number == "<nil>" {
		number = ""
	}
	if addition := mockText(f, "adres.huisnummer.toevoeging"); addition != "" && number != "" {
		number += " " + addition
	}
	street := strings.TrimSpace(mockText(f, "adres.straat") + " " + number)
	return strings.Trim(street+", "+mockText(f, "adres.plaats"), ", ")
}
