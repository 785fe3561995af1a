package kolibri

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"sparki.app/integrations/providers"
)

// SeedObjects puts n made-up objects of about 8 kB each into a store, for load tests. Object number
// i, counted from from, is always the same, so a range may be put twice. The mock adds its own seed
// when it first uses the store.
func SeedObjects(ctx context.Context, store providers.MockStore, n, from int) error {
	const batch = 250
	for first := from; first < from+n; first += batch {
		docs := make([]providers.MockDoc, 0, batch)
		for i := first; i < min(first+batch, from+n); i++ {
			s := mockMadeUp(i)
			doc, err := mockEntityDoc(mockObjectKind, s.id(), s.entity(""))
			if err != nil {
				return err
			}
			docs = append(docs, doc)
		}
		if err := store.Put(ctx, docs...); err != nil {
			return fmt.Errorf("put made-up objects: %w", err)
		}
	}
	return nil
}

// SeededObjectID is the id of object number i of SeedObjects.
func SeededObjectID(i int) string { return mockMadeID(fmt.Sprintf("SYN-%06d", i)) }

// mockTowns are places with a postcode and coordinates in them.
var mockTowns = []struct {
	name, province, postcode string
	latitude, longitude      float64
}{
	{"Utrecht", "Utrecht", "3581", 52.0853, 5.1390}, {"Amersfoort", "Utrecht", "3814", 52.1615, 5.3970},
	{"Zeist", "Utrecht", "3702", 52.0906, 5.2413}, {"Houten", "Utrecht", "3994", 52.0330, 5.1760},
	{"Nieuwegein", "Utrecht", "3433", 52.0290, 5.0810}, {"Woerden", "Utrecht", "3443", 52.0890, 4.8900},
	{"Deventer", "Overijssel", "7415", 52.2600, 6.1720}, {"Zwolle", "Overijssel", "8023", 52.5120, 6.1130},
	{"Enschede", "Overijssel", "7522", 52.2290, 6.8790}, {"Almelo", "Overijssel", "7607", 52.3560, 6.6620},
	{"Arnhem", "Gelderland", "6824", 51.9890, 5.9280}, {"Nijmegen", "Gelderland", "6523", 51.8390, 5.8770},
	{"Apeldoorn", "Gelderland", "7311", 52.2130, 5.9610}, {"Ede", "Gelderland", "6711", 52.0440, 5.6650},
	{"Culemborg", "Gelderland", "4102", 51.9530, 5.2330}, {"Haarlem", "Noord-Holland", "2012", 52.3760, 4.6300},
	{"Alkmaar", "Noord-Holland", "1815", 52.6320, 4.7360}, {"Hilversum", "Noord-Holland", "1213", 52.2180, 5.1860},
	{"Leiden", "Zuid-Holland", "2313", 52.1510, 4.4980}, {"Gouda", "Zuid-Holland", "2803", 52.0160, 4.6890},
	{"Delft", "Zuid-Holland", "2613", 52.0150, 4.3570}, {"Dordrecht", "Zuid-Holland", "3312", 51.8090, 4.6790},
	{"Breda", "Noord-Brabant", "4818", 51.5810, 4.7820}, {"Tilburg", "Noord-Brabant", "5038", 51.5570, 5.0840},
	{"Eindhoven", "Noord-Brabant", "5615", 51.4340, 5.4680}, {"Maastricht", "Limburg", "6213", 50.8430, 5.6790},
	{"Groningen", "Groningen", "9717", 53.2280, 6.5560}, {"Leeuwarden", "Friesland", "8921", 53.2000, 5.7970},
	{"Assen", "Drenthe", "9404", 52.9990, 6.5590}, {"Middelburg", "Zeeland", "4331", 51.4990, 3.6110},
}

var (
	mockStreets = strings.Fields("Kastanjelaan Beukenstraat Molenweg Kerkstraat Schoolstraat Dorpsstraat Stationsweg Parklaan Nieuwstraat Lijsterhof Merelpad Zonnebloemstraat Wilgenhof Esdoornlaan Acaciastraat Dijkweg Havenkade Zuidersingel Noorderhof Meidoornweg")

	mockPraise = []string{
		"De woonkamer ligt op het zuiden en heeft een brede schuifpui naar de tuin.",
		"De keuken is in 2021 vernieuwd en voorzien van inductie, oven en vaatwasser.",
		"Op de verdieping liggen ruime slaapkamers en een badkamer met ligbad en inloopdouche.",
		"De zolder is bereikbaar met een vaste trap en biedt plaats aan een werkkamer.",
		"Winkels, scholen en een halte van de bus liggen op loopafstand.",
		"De gehele woning is voorzien van dubbele beglazing en vloerisolatie.",
		"De berging in de tuin heeft elektra en een achterom.",
		"Parkeren kan voor de deur, zonder vergunning.",
		"Het dak is in 2019 vervangen en draagt twaalf zonnepanelen.",
		"In de wijk zijn een park, een zwembad en sportvelden te vinden.",
	}
	mockPraiseEnglish = []string{
		"The living room faces south and has wide sliding doors to the garden.",
		"The kitchen was renewed in 2021 with induction hob, oven and dishwasher.",
		"Upstairs are spacious bedrooms and a bathroom with bath and walk-in shower.",
		"A fixed staircase leads to the attic, which has room for a study.",
		"Shops, schools and a bus stop are within walking distance.",
	}
)

// mockMadeUp is made-up object number i.
func mockMadeUp(i int) *mockSpec {
	r := rand.New(rand.NewPCG(uint64(i), 8))
	town := mockTowns[i%len(mockTowns)]
	created := time.Date(2024, 1, 1, 8, 0, 0, 0, time.UTC).Add(time.Duration(i%20000) * 67 * time.Minute)
	modified := created.Add(time.Duration(1+r.IntN(60*24)) * time.Minute)
	bedrooms := 1 + r.IntN(5)
	area := float64(42 + 21*bedrooms + r.IntN(30))
	status := []string{"Available", "Available", "Available", "UnderOption", "SoldUnderCondition", "UnderBid"}[r.IntN(6)]
	s := &mockSpec{
		Ref: fmt.Sprintf("SYN-%06d", i), By: []string{"sanne", "jelle", "marit"}[i%3], Office: []string{"utrecht", "deventer"}[i%2],
		Created: created.Format(time.RFC3339), Modified: modified.Format(mockStampLayout),
		Group: "Residential", Type: "House", Status: &status,
		Street: mockStreets[r.IntN(len(mockStreets))], Number: 900 + r.IntN(900),
		Postcode: fmt.Sprintf("%s %c%c", town.postcode, 'A'+rune(r.IntN(26)), 'A'+rune(r.IntN(26))),
		Town:     town.name, Province: town.province,
		At:    [2]float64{town.latitude + (r.Float64()-0.5)/80, town.longitude + (r.Float64()-0.5)/80},
		Rooms: bedrooms + 2, Bedrooms: &bedrooms, Bathrooms: 1 + bedrooms/4, Toilets: 2,
		Area: area, Plot: area * (1 + r.Float64()), Volume: area * 3.3, Living: area / 4,
		Year: 1900 + r.IntN(124), Energy: []string{"A", "B", "C", "D", "Aplus"}[r.IntN(5)],
		Photos: []string{"voorgevel", "woonkamer", "keuken"}, Plans: []string{"begane-grond"},
		Set: mockFields{"houseType": "RowHouseMiddle", "houseSort": "SingleFamilyHouse"},
	}
	price := float64(1000 * (180 + int(area)*3 + r.IntN(120)))
	if r.IntN(5) == 0 {
		price = float64(600 + int(area)*9)
		s.Rent = &price
	} else {
		s.Sale = &price
	}
	if r.IntN(3) == 0 {
		s.Type, s.Plot = "Apartment", 0
		s.Set = mockFields{"apartmentSort": "UpstairsApartment", "floorLevel": 1 + r.IntN(6)}
	}
	noun, english := "Gezinswoning", "Family home"
	if s.Type == "Apartment" {
		noun, english = "Appartement", "Flat"
	}
	s.Title = map[string]string{
		"nl": fmt.Sprintf("%s met %d slaapkamers in %s", noun, bedrooms, town.name),
		"en": fmt.Sprintf("%s with %d bedrooms in %s", english, bedrooms, town.name),
	}
	shuffled := func(sentences []string) string {
		text := make([]string, 0, len(sentences))
		for _, j := range r.Perm(len(sentences)) {
			text = append(text, sentences[j])
		}
		return strings.Join(text, " ")
	}
	s.Text = map[string]string{"nl": shuffled(mockPraise), "en": shuffled(mockPraiseEnglish)}
	return s
}
