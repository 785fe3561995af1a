package db_test

import (
	"reflect"
	"testing"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
)

// What DiffListings finds without decoding all is what Diff finds in the whole.
func TestDiffListings(t *testing.T) {
	t.Parallel()
	text := func(s string) *string { return &s }
	amount, sale := sparki.Decimal("425000.00"), sparki.Sale
	whole := func() *sparki.Listing {
		return &sparki.Listing{
			Title: "Villa", Description: text("Licht"), LongDescriptionHeading: text("Ruim"), LongDescription: text("Met \"tuin\" & <zolder>"),
			Price: &sparki.Price{Amount: &amount, Currency: "EUR", Label: "€ 425.000"}, TransactionType: &sale,
			Status: sparki.StatusAvailable, Category: sparki.CategoryHouse,
			Address:      sparki.Address{Label: "Molenweg 1, Bunnik", Street: text("Molenweg"), City: text("Bunnik"), Physical: true},
			Coordinates:  &sparki.Coordinates{Latitude: 52.1, Longitude: 5.1},
			Details:      []sparki.DetailRow{{Key: "rooms", Label: "Kamers", Value: "5"}},
			ThumbnailURL: text("https://x.example/1"), Images: []sparki.ListingMedia{{ExternalID: "1", URL: "https://x.example/1"}},
		}
	}
	tests := map[string]func(*sparki.Listing){
		"nothing":          func(*sparki.Listing) {},
		"a price":          func(l *sparki.Listing) { l.Price = &sparki.Price{Currency: "EUR", Label: "Prijs op aanvraag"} },
		"the heading":      func(l *sparki.Listing) { l.LongDescriptionHeading = text("Licht") },
		"no heading":       func(l *sparki.Listing) { l.LongDescriptionHeading = nil },
		"the text":         func(l *sparki.Listing) { l.LongDescription = text("Zonder") },
		"no text":          func(l *sparki.Listing) { l.LongDescription = nil },
		"a part of it":     func(l *sparki.Listing) { l.Address.City = text("Odijk") },
		"fewer, and more":  func(l *sparki.Listing) { l.Price, l.Details, l.FloorPlans = nil, nil, l.Images },
		"almost all of it": func(l *sparki.Listing) { *l = sparki.Listing{Title: "Loods", Status: l.Status} },
	}
	for name, change := range tests {
		before, after := whole(), whole()
		change(after)
		for _, pair := range [][2]*sparki.Listing{{before, after}, {after, before}} {
			encoded := [2][]byte{}
			for i, l := range pair {
				var err error
				if encoded[i], err = db.EncodeListing(l); err != nil {
					t.Fatal(err)
				}
			}
			got, err := db.DiffListings(encoded[0], encoded[1])
			if want := sparki.Diff(pair[0], pair[1]); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %d changes instead of %d, %v", name, len(got), len(want), err)
			}
		}
	}
	if _, err := db.DiffListings([]byte(`{"title":1}`), []byte(`{"title":"Villa"}`)); err == nil {
		t.Error("a title that is a number was read")
	}
}
