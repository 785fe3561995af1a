package realworks

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/mockkit"
)

// mockSeedJSON describes the objects of a new store: what differs between them. What they have in
// common is in mockSkeletonsJSON. Everything in both is invented.
//
//go:embed mock/seed.json
var mockSeedJSON []byte

// mockSkeletonsJSON has one empty entity of each kind, with all its keys.
//
//go:embed mock/skeletons.json
var mockSkeletonsJSON []byte

// mockSpec is an object, a building type or a unit in short.
type mockSpec struct {
	API          string // a document kind; "" for building types and units
	ID           int64
	Code         string
	Afdeling     string // the main one when empty
	Created      string // a day
	Changed      string
	Name         string // of a project or a building type
	Type         string // objecttype, or hoofdfunctie of a business object
	Status       string
	Inactive     bool
	Confidential bool
	Street       string
	Number       string
	Addition     string
	Postcode     string
	Town         string
	Province     string
	Sale         *int
	Rent         *int
	Area         int // of a unit, in m²
	Plot         int // in m²
	Text         string
	SiteText     string
	Floors       []mockFloor
	Photos       []string // what they show; "" is not told
	Orders       []int    // their order numbers, where they are not 1, 2, 3
	Hidden       []string // photos that are not released
	Plans        []string
	PlanPDF      string
	Brochure     bool
	Video        bool
	Tour         string // URL
	Functions    []mockFields
	Types        []mockSpec
	Units        []mockSpec
	Unit         string // number of a unit
	// Set is written over the entity, by path; Unset removes fields.
	Set   mockFields
	Unset []string
}

type mockFloor struct {
	Kind     string
	Name     string
	Rooms    int
	Bedrooms *int
	Baths    [][]string // what each has
	Other    []string
}

// mockSkeleton is a new copy of an empty entity.
func mockSkeleton(kind string) mockFields {
	var f mockFields
	// The files were read by mockSkeletons, so this cannot fail.
	_ = mockkit.Unmarshal(mockSkeletons()[kind], &f)
	return f
}

var mockSkeletons = sync.OnceValue(func() map[string]json.RawMessage {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(mockSkeletonsJSON, &all); err != nil {
		panic(fmt.Errorf("read mock skeletons: %w", err))
	}
	return all
})

// mockSeedObjects are the objects of a new store, always the same.
var mockSeedObjects = sync.OnceValues(func() (docs []providers.MockDoc, err error) {
	var specs []mockSpec
	if err := json.Unmarshal(mockSeedJSON, &specs); err != nil {
		return nil, fmt.Errorf("read mock seed: %w", err)
	}
	for _, s := range specs {
		doc, e := s.doc()
		docs, err = append(docs, doc), cmp.Or(err, e)
	}
	return docs, err
})

// mockSeed is what a new store is filled with. Only its configuration and the days of its agenda
// differ from one call to the next, so that two processes may seed one store at once.
func mockSeed(now time.Time) ([]providers.MockDoc, error) {
	objects, err := mockSeedObjects()
	if err != nil {
		return nil, err
	}
	agenda, err := mockSeedAgenda(now)
	if err != nil {
		return nil, err
	}
	config := newMockConfig(now)
	configDoc, err := mockDoc(mockConfigKind, config.ID, config)
	if err != nil {
		return nil, err
	}
	release, err := mockDoc(mockReleaseKind, mockReleaseKind, mockRelease{Closed: []string{}})
	if err != nil {
		return nil, err
	}
	return slices.Concat(objects, agenda, []providers.MockDoc{configDoc, release}), nil
}

// doc is the stored form of an object.
func (s *mockSpec) doc() (providers.MockDoc, error) {
	entity, err := mockkit.Marshal(s.entity())
	if err != nil {
		return providers.MockDoc{}, err
	}
	return mockDoc(s.API, s.Code, mockDocument{Entity: entity})
}

// entity is the full object.
func (s *mockSpec) entity() mockFields {
	s.Afdeling = cmp.Or(s.Afdeling, mockAfdelingen[0].Code)
	s.Created, s.Changed = cmp.Or(s.Created, "2026-01-20"), cmp.Or(s.Changed, "2026-02-20 12:00:00")
	var f mockFields
	switch s.API {
	case mockBogKind:
		f = s.business()
	case mockNieuwbouwKind:
		f = s.project()
	default:
		f = s.home()
	}
	f["tijdstipLaatsteWijziging"] = s.Changed
	s.finish(f)
	return f
}

// finish writes what all entities have, and what the spec adds.
func (s *mockSpec) finish(f mockFields) {
	f["media"] = s.media()
	mockSet(f, "teksten.aanbiedingstekst", s.Text)
	if s.SiteText != "" {
		mockSet(f, "teksten.eigenSiteTekst", s.SiteText)
	}
	for _, path := range slices.Sorted(maps.Keys(s.Set)) {
		mockSet(f, path, s.Set[path])
	}
	for _, path := range s.Unset {
		mockUnset(f, path)
	}
}

// home is a Wonen object.
func (s *mockSpec) home() mockFields {
	f := mockSkeleton(mockWonenKind)
	f["id"], f["actief"], f["vertrouwelijk"] = s.ID, !s.Inactive, s.Confidential
	s.identify(f, "diversen.diversen")
	s.address(f)
	mockSet(f, "object.type.objecttype", s.Type)
	mockSet(f, "marketing.publicatiedatum", s.Created+" 06:00:00")
	s.price(f, "financieel.overdracht", nil)
	mockSet(f, "detail.etages", s.floors())
	mockSet(f, "algemeen.totaleKadestraleOppervlakte", s.Plot)
	if s.Plot > 0 {
		mockSet(f, "detail.kadaster", []any{s.cadastre()})
	}
	return f
}

// business is a Bog object.
func (s *mockSpec) business() mockFields {
	f := mockSkeleton(mockBogKind)
	f["id"], f["status"] = s.ID, s.Status
	s.identify(f, "diversen.diversen")
	mockUnset(f, "diversen.diversen.bedrijfscode") // which these do not have
	mockSet(f, "diversen.diversen.actief", !s.Inactive)
	mockSet(f, "diversen.diversen.vertrouwelijk", s.Confidential)
	if s.Plot > 0 {
		mockSet(f, "diversen.kadaster", []any{s.cadastre()})
	}
	s.address(f)
	mockSet(f, "kenmerken.hoofdfunctie", s.Type)
	s.price(f, "financieel.overdracht.koopEnOfHuur", 0)
	var functions []any
	for _, function := range s.Functions {
		function["wijzigingsdatum"], function["invoerdatum"] = s.Changed, s.Created+" 09:00:00"
		if _, told := function["actief"]; !told {
			function["actief"] = true
		}
		functions = append(functions, function)
	}
	mockSet(f, "object.functies", functions)
	return f
}

// project is a new-build project with its building types and their units.
func (s *mockSpec) project() mockFields {
	f := mockSkeleton(mockNieuwbouwKind)
	mockSet(f, "project.id", s.ID)
	mockSet(f, "project.diversen.diversen.id", s.ID)
	s.identify(f, "project.diversen.diversen")
	mockSet(f, "project.diversen.diversen.projectnummer", s.Code)
	mockSet(f, "project.diversen.diversen.actief", !s.Inactive)
	for key, value := range (mockFields{
		"omschrijving": s.Name, "status": s.Status, "postcode": s.Postcode, "plaats": s.Town, "provincie": s.Province,
	}) {
		mockSet(f, "project.algemeen."+key, value)
	}
	types := []any{}
	for i := range s.Types {
		types = append(types, s.Types[i].buildingType(s))
	}
	f["bouwtypen"] = types
	return f
}

func (s *mockSpec) buildingType(project *mockSpec) mockFields {
	s.Afdeling, s.Created, s.Changed = project.Afdeling, project.Created, project.Changed
	f := mockSkeleton("bouwtype")
	f["id"], f["projectid"] = s.ID, project.ID
	s.identify(f, "diversen")
	for key, value := range (mockFields{"id": s.ID, "projectnummer": project.Code, "objectcodeBouwtype": s.Code, "status": cmp.Or(s.Status, project.Status)}) {
		mockSet(f, "diversen."+key, value)
	}
	mockSet(f, "algemeen.omschrijving", s.Name)
	mockSet(f, "algemeen.objecttype", s.Type)
	mockSet(f, "algemeen.wijzigingsdatum", s.Changed)
	mockSet(f, "detail.etages", s.floors())
	units := []any{}
	for i := range s.Units {
		units = append(units, s.Units[i].unit(s, project))
	}
	f["bouwnummers"] = units
	s.finish(f)
	return f
}

// unit is a home of a building type, with the address in the form of v2 (contract §3.2).
func (s *mockSpec) unit(t, project *mockSpec) mockFields {
	s.Afdeling, s.Created, s.Changed = project.Afdeling, project.Created, project.Changed
	s.Postcode, s.Town, s.Province, s.Type = project.Postcode, project.Town, project.Province, t.Type
	s.Text, s.Photos = "Bouwnummer "+s.Unit+". "+t.Text, []string{"Impressie gevel"}
	f := mockSkeleton("bouwnummer")
	f["id"], f["projectid"], f["bouwtypeid"] = s.ID, project.ID, t.ID
	s.identify(f, "diversen.diversen")
	for key, value := range (mockFields{"objectcodeProject": project.Code, "objectcodeBouwtype": t.Code, "bouwnummer": s.Unit}) {
		mockSet(f, "diversen.diversen."+key, value)
	}
	s.address(f)
	mockScalarNumber(f)
	mockSet(f, "adres.huisnummertoevoeging", s.Addition)
	mockSet(f, "object.type.objecttype", s.Type)
	s.price(f, "financieel.overdracht", nil)
	if s.Sale != nil {
		mockSet(f, "financieel.overdracht.koopconditie", "VRIJ_OP_NAAM")
		mockSet(f, "financieel.overdracht.koopprijsvoorvoegsel", "KOOPSOM")
	}
	mockSet(f, "algemeen.woonoppervlakte", s.Area)
	mockSet(f, "detail.etages", t.floors())
	s.finish(f)
	return f
}

// identify writes the codes and dates.
func (s *mockSpec) identify(f mockFields, at string) {
	for key, value := range (mockFields{
		"objectcode": s.Code, "afdelingscode": s.Afdeling, "bedrijfscode": mockBedrijf, "invoerdatum": s.Created,
		"wijzigingsdatum": s.Changed,
	}) {
		mockSet(f, at+"."+key, value)
	}
}

func (s *mockSpec) address(f mockFields) {
	var addition any
	if s.Addition != "" {
		addition = s.Addition
	}
	for key, value := range (mockFields{
		"straat": s.Street, "postcode": s.Postcode, "plaats": s.Town, "provincie": s.Province,
		"huisnummer": mockFields{"hoofdnummer": s.Number, "toevoeging": addition},
	}) {
		mockSet(f, "adres."+key, value)
	}
}

// price writes status, prices and their conditions. unset is what stands for no price.
func (s *mockSpec) price(f mockFields, at string, unset any) {
	set := func(key string, value any) { mockSet(f, at+"."+key, value) }
	if at == "financieel.overdracht" {
		set("status", s.Status)
	}
	set("aanmeldingsreden", "IN_VERKOOP_GENOMEN")
	set("koopprijs", unset)
	set("huurprijs", unset)
	if s.Sale != nil {
		set("koopprijs", *s.Sale)
		set("koopconditie", "KOSTEN_KOPER")
		set("koopprijsvoorvoegsel", "VRAAGPRIJS")
	}
	if s.Rent != nil {
		set("huurprijs", *s.Rent)
		set("huurconditie", "PER_MAAND")
		set("huurprijsvoorvoegsel", "HUURPRIJS")
		if s.Sale == nil {
			set("aanmeldingsreden", "IN_VERHUUR_GENOMEN")
		}
	}
}

func (s *mockSpec) floors() []any {
	floors := []any{}
	for _, floor := range s.Floors {
		f := mockSkeleton("etage")
		f["etagesoort"], f["etageomschrijving"] = floor.Kind, floor.Name
		f["aantalKamers"], f["aantalSlaapkamers"] = floor.Rooms, floor.Bedrooms
		baths := []any{}
		for _, facilities := range floor.Baths {
			baths = append(baths, mockFields{"lengte": nil, "breedte": nil, "oppervlakte": nil, "voorzieningen": facilities})
		}
		f["badkamers"] = baths
		if floor.Other != nil {
			mockSet(f, "etagegegevens.overigeRuimtes", floor.Other)
		}
		floors = append(floors, f)
	}
	return floors
}

func (s *mockSpec) cadastre() mockFields {
	f := mockSkeleton("kadaster")
	mockSet(f, "kadastergegevens.gemeente", s.Town)
	mockSet(f, "kadastergegevens.sectie", string(rune('A'+s.ID%26)))
	mockSet(f, "kadastergegevens.perceel", strconv.FormatInt(s.ID%9000+100, 10))
	mockSet(f, "kadastergegevens.oppervlakte", s.Plot)
	return f
}

// media are all media, not in order: the main photo is the second one (contract §2.7).
func (s *mockSpec) media() []any {
	list := []any{}
	add := func(number, order int, kind, extension, text string, more mockFields) {
		f := mockSkeleton("media")
		f["soort"], f["volgnummer"], f["mimetype"] = kind, order, mockMimes[extension]
		f["wijzigingstijdstip"] = s.Created + " 09:15:21"
		if text != "" {
			f["omschrijving"] = text
		}
		f["link"] = mockMediaPath + strconv.FormatInt(s.ID*100+int64(number), 10) + "." + extension + mockPortal
		maps.Copy(f, more)
		list = append(list, f)
	}
	for i, text := range s.Photos {
		order, kind := i+1, "FOTO"
		if i < len(s.Orders) {
			order = s.Orders[i]
		}
		if i == 0 {
			kind = "HOOFDFOTO"
		}
		add(i+1, order, kind, "jpg", text, nil)
	}
	for i, text := range s.Hidden {
		add(40+i, len(s.Photos)+i+1, "FOTO", "jpg", text, mockFields{"vrijgave": false})
	}
	for i, text := range s.Plans {
		add(50+i, 200+i, "PLATTEGROND", []string{"jpg", "png"}[i%2], text, nil)
	}
	if s.PlanPDF != "" {
		add(60, 200+len(s.Plans), "PLATTEGROND", "pdf", s.PlanPDF, nil)
	}
	if s.Brochure {
		add(70, 1000, "DOCUMENT", "pdf", "", mockFields{"titel": "Brochure"})
	}
	if s.Video {
		add(80, 2000, "VIDEO", "mp4", "", mockFields{"titel": "Woningvideo"})
	}
	if s.Tour != "" {
		add(90, 3000, "CONNECTED_PARTNER", "html", "", mockFields{"titel": "360 graden tour", "link": s.Tour})
	}
	if len(s.Photos) > 1 {
		list[0], list[1] = list[1], list[0]
	}
	return list
}

var mockMimes = map[string]string{
	"jpg": "image/jpeg", "png": "image/png", "pdf": "application/pdf", "mp4": "video/mp4", "html": "text/html",
}
