package realworks

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"sparki.app/integrations/providers"
)

// SeedObjects fills a store with n made-up Wonen objects more than the seed has, numbered from
// first, for tests with many objects. The same numbers always give the same objects.
func SeedObjects(ctx context.Context, store providers.MockStore, n, first int) error {
	docs, err := mockSeed(time.Now())
	if err != nil {
		return err
	}
	for i := first; i < first+n; i++ {
		doc, err := mockMadeUp(i).doc()
		if err != nil {
			return err
		}
		docs = append(docs, doc)
	}
	return store.Put(ctx, docs...)
}

type mockTown struct{ name, province, postcode string }

var mockTowns = []mockTown{
	{"Waterstad", "GELDERLAND", "6811"}, {"Bosveld", "UTRECHT", "3812"}, {"Eikendal", "GELDERLAND", "8072"},
	{"Duinrade", "NOORD_HOLLAND", "1861"}, {"Zuiderhaven", "ZUID_HOLLAND", "3224"}, {"Heidebroek", "NOORD_BRABANT", "5051"},
	{"Maasoord", "LIMBURG", "6051"}, {"Terpsum", "FRIESLAND", "9045"},
}

func mockTownNames() []string {
	names := make([]string, len(mockTowns))
	for i, t := range mockTowns {
		names[i] = t.name
	}
	return names
}

var mockStreets = strings.Fields("Kastanjelaan Beukenstraat Molenweg Kerkstraat Schoolstraat Dorpsstraat Stationsweg Parklaan Nieuwstraat Lijsterhof Merelpad Wilgenhof Dijkweg Havenkade Zuidersingel Meidoornweg")

// mockMadeUp is made-up Wonen object number i.
func mockMadeUp(i int) *mockSpec {
	r := rand.New(rand.NewPCG(uint64(i), 9))
	town := mockTowns[i%len(mockTowns)]
	created := time.Date(2024, 1, 1, 8, 0, 0, 0, time.UTC).Add(time.Duration(i%20000) * 57 * time.Minute)
	bedrooms := 1 + r.IntN(5)
	area := 42 + 21*bedrooms + r.IntN(30)
	s := &mockSpec{
		API: mockWonenKind, ID: 20_000_000 + int64(i), Code: fmt.Sprintf("SY%06d", i%1_000_000),
		Created: created.Format("2006-01-02"), Changed: created.Add(time.Duration(r.IntN(90*24)) * time.Hour).Format(mockStampLayout),
		Type: "WOONHUIS", Status: []string{"BESCHIKBAAR", "BESCHIKBAAR", "ONDER_BOD", "VERKOCHT_ONDER_VOORBEHOUD"}[r.IntN(4)],
		Street: mockStreets[r.IntN(len(mockStreets))], Number: fmt.Sprint(1 + r.IntN(240)),
		Postcode: fmt.Sprintf("%s %c%c", town.postcode, 'A'+rune(r.IntN(26)), 'A'+rune(r.IntN(26))),
		Town:     strings.ToUpper(town.name), Province: town.province, Plot: 90 + r.IntN(400),
		Text:   fmt.Sprintf("Gezinswoning met %d slaapkamers.\n\nWinkels, scholen en een bushalte liggen op loopafstand.", bedrooms),
		Floors: []mockFloor{{Kind: "BEGANE_GROND_OF_FLAT", Name: "Begane grond", Rooms: 1}, {Kind: "VERDIEPING", Name: "1e verdieping", Rooms: bedrooms, Bedrooms: &bedrooms, Baths: [][]string{{"DOUCHE", "TOILET"}}}},
		Photos: []string{"Voorgevel", "Woonkamer", "Keuken"}, Plans: []string{"Begane grond"},
		Set: mockFields{
			"algemeen.woonhuissoort": "EENGEZINSWONING", "algemeen.woonhuistype": "TUSSENWONING", "algemeen.woonoppervlakte": area,
			"algemeen.inhoud": area * 33 / 10, "algemeen.bouwjaar": fmt.Sprint(1900 + r.IntN(124)), "algemeen.aantalKamers": fmt.Sprint(bedrooms + 1),
			"algemeen.energieklasse": []string{"A", "B", "C", "D", "A_P"}[r.IntN(5)],
		},
	}
	price := 1000 * (180 + 3*area + r.IntN(120))
	s.Sale = &price
	return s
}

// becomeShop makes a shop of a made-up home.
func (s *mockSpec) becomeShop() {
	s.API, s.Type, s.Text, s.Floors = mockBogKind, "WINKELRUIMTE", "Winkelruimte in het centrum.", nil
	s.Photos, s.Set = []string{"Winkelpui", "Winkel"}, nil
	s.Functions = []mockFields{{"type": "WINKELRUIMTE", "winkelruimte": mockFields{"oppervlakte": 120, "aantalVerdiepingen": 1}}}
}
