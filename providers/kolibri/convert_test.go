package kolibri

import (
	"encoding/json"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"sparki.app/integrations"
	"sparki.app/integrations/providers/providertest"
	"sparki.app/integrations/providers/rest"
)

// tables are the enum tables by the contract's name of the enum.
var tables = map[string]any{
	"SaleCondition": saleConditions, "RentCondition": rentConditions, "PriceCode": priceCodes, "VatCondition": vatConditions,
	"UnitSize": unitSizes, "Acceptance": acceptances, "Furnishing": furnishings, "RentSpecification": rentSpecifications,
	"LeaseTermUnit": leaseTermUnits, "GroundOwnershipType": groundOwnerships, "BuildingType": buildingTypes,
	"ListingType": listingTypes, "TypePART": typeParts, "ResidentialSubtypeOther": residentialSubtypes, "ParkingType": parkingTypes,
	"HouseSort": houseSorts, "HouseType": houseTypes, "HouseCharacteristic": houseCharacteristics, "ApartmentSort": apartmentSorts,
	"ApartmentCharacteristic": apartmentCharacteristics, "ConstructionPeriod": constructionPeriods, "EnergyClass": energyClasses,
	"HeatingMethod": heatingMethods, "HeatingWaterMethod": hotWaterMethods, "EnergySource": energySources, "Ownership": ownerships,
	"InsulationType": insulationTypes, "ResidentialFacility": residentialFacilities, "Peculiarity": peculiarities,
	"Condition": conditions, "LocationPlace": locationPlaces, "GardenType": gardenTypes, "Orientation": orientations,
	"GarageType": garageTypes, "TypeOfParkingFacility": parkingFacilities, "AvailabilityStatus": projectStatuses,
}

// testdata/enums.json and fields.json are the parts of the contract's schema-facts.json that the
// mapping reads.
func TestTablesHoldEveryValueOfTheContract(t *testing.T) {
	t.Parallel()
	var enums map[string][]string
	if err := json.Unmarshal(providertest.Sample(t, "enums"), &enums); err != nil {
		t.Fatal(err)
	}
	if got, want := slices.Sorted(maps.Keys(tables)), slices.Sorted(maps.Keys(enums)); !slices.Equal(got, want) {
		t.Errorf("tables %v\nenums %v", got, want)
	}
	for name, table := range tables {
		var values []string
		for _, key := range reflect.ValueOf(table).MapKeys() {
			values = append(values, key.String())
		}
		slices.Sort(values)
		if want := slices.Sorted(slices.Values(enums[name])); !slices.Equal(values, want) {
			t.Errorf("%s: %v, want %v", name, values, want)
		}
	}
}

func TestFieldsAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	var types map[string][]string
	if err := json.Unmarshal(providertest.Sample(t, "fields"), &types); err != nil {
		t.Fatal(err)
	}
	var known []string
	for _, fields := range types {
		known = append(known, fields...)
	}
	for field := range readFields {
		if !slices.Contains(known, field) {
			t.Errorf("no assignment has a field %q", field)
		}
	}
}

// canary stands in every field that is looked at by nobody.
const canary = "CANARY"

// TestNothingElseShows puts a canary into every field that the mapping has no business with, at
// the top and inside of what it reads, and looks for it in what is made of the object.
func TestNothingElseShows(t *testing.T) {
	t.Parallel()
	var types map[string][]string
	if err := json.Unmarshal(providertest.Sample(t, "fields"), &types); err != nil {
		t.Fatal(err)
	}
	never := strings.Fields(`purchasePrice targetPurchasePrice targetRentPrice internalBudget customerBudget realizedPerMonth
		valueAssignment saleCommissionTotal rentCommissionTotal commissionContactNote commissionCustomerNote commissionOwnerNote
		commissionPaidBy commissionType commissionScales commissionOwnerGross keyNr keyNote internalMemo email phoneMobile
		certificateNumber claimInProgress cadastralCode fileName md5Hash priceHistory valuationOfImmovablePropertyAct`)
	for _, name := range slices.Concat(providertest.Samples(t, "object-"), providertest.Samples(t, "project-")) {
		body := providertest.Sample(t, name)
		kind, ref := kindOfSample(t, body)
		var doc map[string]map[string]any
		if err := json.Unmarshal(body, &doc); err != nil {
			t.Fatal(err)
		}
		entity := doc[kind.wrapper]
		for _, inner := range []string{"saleOffer", "rentOffer", "address", "energyLabel", "linkedOffice", "linkedEmployee", "linkedProjectAssignment"} {
			if object, ok := entity[inner].(map[string]any); ok {
				for _, field := range never {
					object[field] = canary
				}
			}
		}
		for _, field := range slices.Concat(types["ObjectAssignment"], types["ObjectTypeAssignment"], types["ProjectAssignment"], never) {
			if !readFields[field] {
				entity[field] = []any{canary, map[string]any{"id": canary, "displayName": canary, "text": canary}}
			}
		}
		planted, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		before, err := sampleAccount.found(kind, ref, body)
		if err != nil {
			t.Fatal(err)
		}
		after, err := sampleAccount.found(kind, ref, planted)
		if err != nil {
			t.Fatal(err)
		}
		after.Raw = before.Raw // the raw answer holds all of it, for the office only
		shown, _ := json.Marshal(after)
		if strings.Contains(string(shown), canary) {
			t.Errorf("%s shows what must not show: %s", name, shown)
		}
		after.Unused = before.Unused // their names, which are all that is kept of them
		if !reflect.DeepEqual(before, after) {
			t.Errorf("%s: other fields change the listing", name)
		}
	}
}

func TestHiddenPricesShowNowhere(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"object-assignment-sale-house", "object-sale-and-rent", "project-assignment", "object-commercial", "object-parking"} {
		body := providertest.Sample(t, name)
		kind, ref := kindOfSample(t, body)
		body = []byte(strings.Replace(string(body), `"forSale":`, `"hidePrice": true, "forSale":`, 1))
		body = []byte(strings.Replace(string(body), `"hidePrice": false`, `"hidePrice": true`, 1))
		f, err := sampleAccount.found(kind, ref, body)
		if err != nil {
			t.Fatal(err)
		}
		if p := f.Listing.Price; p == nil || p.Amount != nil || p.Label != "Prijs op aanvraag" {
			t.Errorf("%s: price %+v", name, p)
		}
		shown, _ := json.Marshal(f.Listing)
		for _, price := range []string{"585", "2395", "2.395", "449", "725", "135", "145", "4.791"} {
			if strings.Contains(string(shown), `"`+price) || strings.Contains(string(shown), "€ "+price) {
				t.Errorf("%s shows %s: %s", name, price, shown)
			}
		}
	}
}

// convert maps an object assignment that has the given fields.
func convert(t *testing.T, fields string) (*sparki.Listing, []string) {
	t.Helper()
	if !gjson.Valid("{" + fields + "}") {
		t.Fatalf("not JSON: %s", fields)
	}
	c := conversion{assignment: read(fields), kind: &assignmentKinds[0]}
	return c.listing(), c.gaps
}

func TestPrices(t *testing.T) {
	t.Parallel()
	type want struct{ amount, label string }
	tests := map[string]want{
		``:                                  {},
		`"forSale":true`:                    {},
		`"forSale":true,"saleOffer":null`:   {},
		`"forSale":true,"saleOffer":{}`:     {},
		`"forSale":true,"saleOffer":"x"`:    {},
		`"saleOffer":{"salePrice":1}`:       {"1.00", "€ 1"},
		`"saleOffer":{"salePrice":0}`:       {},
		`"saleOffer":{"salePrice":-5}`:      {},
		`"saleOffer":{"salePrice":1e300}`:   {},
		`"saleOffer":{"salePrice":"abc"}`:   {},
		`"saleOffer":{"salePrice":"0x10"}`:  {},
		`"saleOffer":{"salePrice":true}`:    {},
		`"saleOffer":{"salePrice":5.85e5}`:  {"585000.00", "€ 585.000"},
		`"saleOffer":{"salePrice":" 999 "}`: {"999.00", "€ 999"},
		`"saleOffer":{"salePrice":1234567.891,"saleCondition":"CostsBuyer"}`:                    {"1234567.89", "€ 1.234.567,89 k.k."},
		`"saleOffer":{"salePrice":1000,"salePriceMax":1000,"saleCondition":"FreeOnName"}`:       {"1000.00", "€ 1.000 v.o.n."},
		`"saleOffer":{"salePrice":1000,"salePriceMax":2000,"saleCondition":"CostsSplit"}`:       {"1000.00", "€ 1.000 – € 2.000 kosten gedeeld"},
		`"saleOffer":{"salePriceMax":2000}`:                                                     {"", "tot € 2.000"},
		`"saleOffer":{"salePrice":1000,"vatCondition":"Included"}`:                              {"1000.00", "€ 1.000 incl. btw"},
		`"saleOffer":{"salePrice":1000,"vatCondition":"Included","saleCondition":"FreeOnName"}`: {"1000.00", "€ 1.000 v.o.n."},
		`"saleOffer":{"salePrice":1000,"priceCode":"OnRequest"}`:                                {"", "Prijs op aanvraag"},
		`"saleOffer":{"salePrice":1000,"priceCode":"InConsultation"}`:                           {"", "Prijs in overleg"},
		`"saleOffer":{"salePrice":1000,"priceCode":"ToBeNegotiated"}`:                           {"", "Prijs nader overeen te komen"},
		`"saleOffer":{"salePrice":1000,"priceCode":"PublicAuction"}`:                            {"", "Openbare veiling"},
		`"saleOffer":{"priceCode":"ByTender"}`:                                                  {"", "Bij inschrijving"},
		`"saleOffer":{"priceCode":"FixedPrice"}`:                                                {"", "Vaste prijs"},
		`"saleOffer":{"priceCode":"AskingPrice"}`:                                               {},
		`"saleOffer":{"pricePerUnit":9.5,"pricePerUnitSize":"Hectare"}`:                         {"", "€ 9,50 per hectare"},
		`"saleOffer":{"pricePerUnit":9.5,"pricePerUnitSize":"Acre"}`:                            {},
		`"rentOffer":{"rentPrice":900,"rentCondition":"PricePerQuarter"}`:                       {"900.00", "€ 900 per kwartaal"},
		`"rentOffer":{"rentPrice":900}`:                                                         {"900.00", "€ 900"},
		`"rentOffer":{"basicRent":850.5,"rentCondition":"PricePerMonth"}`:                       {"850.50", "€ 850,50 per maand"},
		`"rentOffer":{"rentPrice":900,"priceCode":"HigherBudget","rentCondition":"PricePerYear"}`: {
			"900.00", "Bieden vanaf € 900 per jaar",
		},
		`"forRent":true,"saleOffer":{"salePrice":1},"rentOffer":{"rentPrice":2}`:                {"2.00", "€ 2"},
		`"forRent":true,"forSale":true,"saleOffer":{"salePrice":1},"rentOffer":{"rentPrice":2}`: {"1.00", "€ 1 of € 2"},
		`"forRent":true,"forSale":true,"saleOffer":{},"rentOffer":{"rentPrice":2}`:              {"2.00", "€ 2"},
		`"forRent":true,"forSale":true,"saleOffer":{"priceCode":"OnRequest"},"rentOffer":{"priceCode":"OnRequest"}`: {
			"", "Prijs op aanvraag",
		},
	}
	for fields, want := range tests {
		l, _ := convert(t, fields)
		switch p := l.Price; {
		case p == nil:
			if want.label != "" {
				t.Errorf("%s: no price, want %+v", fields, want)
			}
		case p.Label != want.label, p.Currency != "EUR", (p.Amount == nil) != (want.amount == ""), p.Amount != nil && string(*p.Amount) != want.amount:
			t.Errorf("%s: %+v, want %+v", fields, p, want)
		}
	}
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	tests := map[string]sparki.ProjectStatus{
		``:                                        sparki.StatusClosed,
		`"assignmentPhase":"Initiated"`:           sparki.StatusAvailable,
		`"assignmentPhase":"Completed"`:           sparki.StatusCompleted,
		`"assignmentPhase":"Concept"`:             sparki.StatusClosed,
		`"availabilityStatus":"Available"`:        sparki.StatusAvailable,
		`"availabilityStatus":"UnderBid"`:         sparki.StatusUnderOption,
		`"availabilityStatus":"Sold"`:             sparki.StatusCompleted,
		`"availabilityStatus":"Withdrawn"`:        sparki.StatusCancelled,
		`"availabilityStatus":"available"`:        sparki.StatusClosed, // unknown, and no phase
		`"calculatedAvailabilityStatus":"Rented"`: sparki.StatusCompleted,
		`"availabilityStatus":null,"calculatedAvailabilityStatus":"UnderOption"`: sparki.StatusUnderOption,
		`"availabilityStatus":"Sold","calculatedAvailabilityStatus":"Available"`: sparki.StatusCompleted,
		`"availabilityStatus":"New","assignmentPhase":"Initiated"`:               sparki.StatusAvailable,
		`"availabilityStatus":"Available","isActive":false`:                      sparki.StatusClosed,
		`"availabilityStatus":"Sold","isActive":false`:                           sparki.StatusCompleted,
	}
	for fields, want := range tests {
		if l, _ := convert(t, fields); l.Status != want {
			t.Errorf("%s: %s, want %s", fields, l.Status, want)
		}
	}
}

func TestCategories(t *testing.T) {
	t.Parallel()
	tests := map[string]sparki.ProjectCategory{
		``:                              sparki.CategoryOther,
		`"listingType":"SummerCottage"`: sparki.CategoryHouse,
		`"listingType":"Apartment"`:     sparki.CategoryApartment,
		`"listingType":"Apartment","apartmentSort":"StudentRoom"`:        sparki.CategoryStudio,
		`"listingType":"Parking"`:                                        sparki.CategoryParking,
		`"listingType":"Other","residentialSubtypeOther":"StorageSpace"`: sparki.CategoryStorage,
		`"listingType":"Other","residentialSubtypeOther":"ParkingSpace"`: sparki.CategoryParking,
		`"listingType":"Other","residentialSubtypeOther":"Berth"`:        sparki.CategoryOther,
		`"listingType":"Warehouse"`:                                      sparki.CategoryOther,
		`"typePART":"ResidentialBuilding"`:                               sparki.CategoryHouse,
		`"typePART":"BuildingGround"`:                                    sparki.CategoryOther,
	}
	for fields, want := range tests {
		if l, unknown := convert(t, fields); l.Category != want || unknown != nil {
			t.Errorf("%s: %s %v, want %s", fields, l.Category, unknown, want)
		}
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	const street = `"street":{"name":"Kade"},"locality":{"name":"EDAM"},"postalCode":"1135ab","geoLocation":{"latitude":52.5,"longitude":5.05}`
	tests := map[string]struct{ label, number, addition string }{
		`"houseNumber":14,"houseNumberPostfix":"A","houseLetter":"A"`:                            {"Kade 14A, 1135 AB Edam", "14", "A"},
		`"houseNumber":14,"houseNumberPostfix":"A2","houseLetter":"A","houseNumberAddendum":"2"`: {"Kade 14A2, 1135 AB Edam", "14", "A2"},
		`"houseNumber":14,"houseLetter":"A","houseNumberAddendum":"2"`:                           {"Kade 14A2, 1135 AB Edam", "14", "A2"},
		`"houseNumber":203,"houseNumberAddendum":"2","houseNumberDisplayName":"203-2"`:           {"Kade 203-2, 1135 AB Edam", "203", "2"},
		`"houseNumber":203,"houseNumberPostfix":"2"`:                                             {"Kade 203-2, 1135 AB Edam", "203", "2"},
		`"houseNumber":"7","houseNumberPostfix":null`:                                            {"Kade 7, 1135 AB Edam", "7", ""},
		`"houseNumber":0`: {"Kade, 1135 AB Edam", "", ""},
		`"houseNumber":3,"usesHouseNumberRange":true,"startOfHouseNumberRange":3,"endOfHouseNumberRange":9`:  {"Kade 3-9, 1135 AB Edam", "3-9", ""},
		`"houseNumber":3,"usesHouseNumberRange":true,"startOfHouseNumberRange":3`:                            {"Kade 3, 1135 AB Edam", "3", ""},
		`"houseNumber":3,"usesHouseNumberRange":false,"startOfHouseNumberRange":3,"endOfHouseNumberRange":9`: {"Kade 3, 1135 AB Edam", "3", ""},
	}
	for fields, want := range tests {
		l, _ := convert(t, `"address":{`+street+`,`+fields+`}`)
		a := l.Address
		if a.Label != want.label || deref(a.HouseNumber) != want.number || deref(a.HouseNumberAddition) != want.addition || !a.Physical {
			t.Errorf("%s: %+v (%s, %s), want %+v", fields, a.Label, deref(a.HouseNumber), deref(a.HouseNumberAddition), want)
		}
		if l.Coordinates == nil || *l.Coordinates != (sparki.Coordinates{Latitude: 52.5, Longitude: 5.05}) {
			t.Errorf("%s: coordinates %v", fields, l.Coordinates)
		}
	}
	l, _ := convert(t, `"hideHouseNumber":true,"displayName":"Kade 14A, EDAM","address":{`+street+`,"houseNumber":14,"houseNumberDisplayName":"14A"}`)
	if a := l.Address; a.Label != "Kade, 1135 AB Edam" || a.HouseNumber != nil || l.Coordinates != nil || l.Title != "Kade, Edam" {
		t.Errorf("hidden number: %q, %+v", l.Title, l)
	}
	l, _ = convert(t, `"hideAddress":true,"displayName":"Kade 14A, EDAM","listingType":"House","address":{`+street+`,"houseNumber":14}`)
	if a := l.Address; a.Label != "Edam" || a.Street != nil || a.HouseNumber != nil || a.PostalCode != nil || deref(a.City) != "Edam" ||
		!a.Physical || l.Coordinates != nil || l.Title != "Woonhuis in Edam" {
		t.Errorf("hidden address: %q, %+v", l.Title, l)
	}
	for _, none := range []string{`null`, `{}`, `"x"`, `[]`, `{"street":null,"locality":null,"geoLocation":{"latitude":200,"longitude":5}}`} {
		l, _ = convert(t, `"address":`+none)
		if l.Address != (sparki.Address{}) || l.Coordinates != nil {
			t.Errorf("address %s: %+v %v", none, l.Address, l.Coordinates)
		}
	}
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func TestTexts(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		`[{"language":"English","text":"E"},{"language":"Dutch","text":"N"}]`:  "N",
		`[{"language":"English","text":"E"},{"language":"Dutch","text":null}]`: "E",
		`[{"language":"German","text":"D"},{"language":"English","text":" "}]`: "D",
		`[{"language":"German","text":"D"},{"language":"French","text":"F"}]`:  "D",
		`[{"text":"?"}]`: "?", `"plain"`: "plain", `[]`: "", `null`: "", `[null,"x",{}]`: "", `{}`: "",
		`[{"language":"Dutch","text":"a\u0000b\r\nc\u0007\td\ud800"}]`: "ab\nc\td",
	}
	for raw, want := range tests {
		if got := translated(gjson.Parse(raw)); got != want {
			t.Errorf("translated(%s) = %q, want %q", raw, got, want)
		}
	}
}

func TestSectionTexts(t *testing.T) {
	t.Parallel()
	l, _ := convert(t, `"gardensText":[{"language":"Dutch","text":"Tuin."}],"groundFloorText":[{"language":"Dutch","text":"Hal."}]`)
	if deref(l.LongDescription) != "Hal.\n\nTuin." {
		t.Errorf("%q", deref(l.LongDescription))
	}
}

func FuzzListing(f *testing.F) {
	for _, name := range slices.Concat(providertest.Samples(f, "object-"), providertest.Samples(f, "project-")) {
		f.Add(providertest.Sample(f, name))
	}
	f.Add([]byte(`{"objectAssignment":{"id":"` + sampleOffice + `","titleText":"\ud800","photos":[{"urlOriginal":"https://x/\u0000"}],"na\u0000me\ud800":1}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if !rest.ValidJSON(body) { // the client takes nothing else
			return
		}
		for i := range assignmentKinds {
			kind := &assignmentKinds[i]
			ref := sparki.Ref{Type: kind.source, ID: gjson.GetBytes(body, kind.wrapper+".id").String()}
			found, err := sampleAccount.found(kind, ref, body)
			if err != nil {
				continue
			}
			checkListing(t, found)
		}
	})
}

// checkListing checks what holds for every listing, whatever it was made from.
func checkListing(t *testing.T, f *sparki.Found) {
	t.Helper()
	raw := f.Raw
	f.Raw = nil
	defer func() { f.Raw = raw }()
	out, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	l := f.Listing
	if l.Title == "" || len(l.Title) > 350 {
		t.Errorf("title %q", l.Title)
	}
	if l.Status == "" || l.Category == "" {
		t.Errorf("status %q, category %q", l.Status, l.Category)
	}
	texts := slices.Concat([]string{l.Title, l.Address.Label, f.ObjectCode}, f.Unknown, f.Unused)
	for _, row := range l.Details {
		texts = append(texts, row.Value)
		if row.Key == "" || row.Label == "" || row.Value == "" {
			t.Errorf("row %+v", row)
		}
	}
	for _, text := range append(texts, deref(l.LongDescription)) {
		if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }) {
			t.Errorf("dirty text %q", text)
		}
	}
	if p := l.Price; p != nil && (p.Label == "" || p.Amount != nil && (strings.HasPrefix(string(*p.Amount), "-") || *p.Amount == "0.00")) {
		t.Errorf("price %+v", p)
	}
	for _, list := range [][]sparki.ListingMedia{l.Images, l.FloorPlans, l.OtherMedia} {
		seen := map[string]bool{}
		for i, m := range list {
			u, err := url.Parse(m.URL)
			if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || m.Position != i || m.ExternalID == "" || seen[m.ExternalID] {
				t.Errorf("medium %d: %+v", i, m)
			}
			seen[m.ExternalID] = true
		}
	}
	if strings.Contains(string(out), `\u0000`) {
		t.Errorf("NUL in %s", out)
	}
}

func BenchmarkListing(b *testing.B) {
	for _, name := range []string{"object-assignment-sale-house", "object-assignment-withdrawn"} {
		b.Run(name, func(b *testing.B) {
			body := providertest.Sample(b, name)
			kind, ref := kindOfSample(b, body)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := sampleAccount.found(kind, ref, body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// read is an assignment with these fields.
func read(fields string) assignment {
	a, _ := assignmentFrom(gjson.Parse("{" + fields + "}"))
	return a
}

// What is not looked at and says something is named, and only named.
func TestUnusedFields(t *testing.T) {
	t.Parallel()
	_, unused := assignmentFrom(gjson.Parse(`{"titleText":[],"internalMemo":"Sleutel op kantoor","keyNr":0,"tags":null,"linkedBids":[],"isTopper":false,"webAddress":"https://x.example"}`))
	if len(unused) != 2 || unused[0] != "internalMemo" || unused[1] != "webAddress" {
		t.Errorf("%q", unused)
	}
}
