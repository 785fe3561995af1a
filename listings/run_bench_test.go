package listings

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"sparki.app/integrations"
)

const benchObjects = 1000

// lifeLike is object n in the sizes of real ones: an answer of 9 kB that made a listing of 3 kB.
func lifeLike(n int) *sparki.Found {
	r := rand.New(rand.NewPCG(uint64(n), 9))
	words := strings.Fields("woning tuin keuken badkamer zolder ruim licht zuiden straat winkels park berging schuur garage zonnepanelen isolatie")
	text := func(count int) string {
		parts := make([]string, count)
		for i := range parts {
			parts[i] = words[r.IntN(len(words))] + fmt.Sprint(r.IntN(50))
		}
		return strings.Join(parts, " ")
	}
	street, number, postalCode, city, long, unit := "Molenweg", fmt.Sprint(n), "3581 AB", "Utrecht", text(90), "m²"
	l := &sparki.Listing{
		Title: fmt.Sprintf("Gezinswoning %d", n), LongDescription: &long, Status: sparki.StatusAvailable, Category: sparki.CategoryHouse,
		Address:     sparki.Address{Label: "Molenweg " + number + ", 3581 AB Utrecht", Street: &street, HouseNumber: &number, PostalCode: &postalCode, City: &city, Physical: true},
		Coordinates: &sparki.Coordinates{Latitude: 52 + r.Float64(), Longitude: 5 + r.Float64()},
	}
	for i := range 18 {
		l.Details = append(l.Details, sparki.DetailRow{Key: fmt.Sprintf("row%d", i), Label: words[i%len(words)], Value: fmt.Sprint(r.IntN(500)), Unit: &unit})
	}
	for i := range 4 {
		id := sparki.NewID().String()
		l.Images = append(l.Images, sparki.ListingMedia{ExternalID: id, URL: "https://media.example/original/" + id + ".jpg", Position: i})
	}
	l.ThumbnailURL = &l.Images[0].URL
	return &sparki.Found{Ref: ref(n), Listing: l, Raw: fmt.Appendf(nil, `{"entity":%q}`, text(900))}
}

// change gives every object a new price and a later modification time.
func (c *crm) change(objects []*sparki.Found, version int) {
	for n, object := range objects {
		c.put(ref(n), object.Listing.Title, version)
		changed, listing := *object, *object.Listing
		amount := sparki.Decimal(fmt.Sprintf("%d.00", 300_000+version))
		listing.Price = &sparki.Price{Amount: &amount, Currency: "EUR", Label: sparki.PriceLabel("EUR", amount)}
		changed.Listing, changed.ModifiedAt = &listing, c.objects[ref(n).Key()].ModifiedAt
		changed.Raw = append(fmt.Appendf(nil, `{"price":%d,`, 300_000+version), object.Raw[1:]...)
		c.objects[ref(n).Key()] = &changed
	}
}

// BenchmarkCrawl is a full run over a CRM that answers at once: what it takes to compare and to store.
func BenchmarkCrawl(b *testing.B) {
	objects := make([]*sparki.Found, benchObjects)
	for n := range objects {
		objects[n] = lifeLike(n)
	}
	crawl := func(b *testing.B, changed bool) {
		s := setup(b)
		s.crm.change(objects, 0)
		s.sync(b)
		s.exec(b, `analyze`)
		b.ReportAllocs()
		for version := 1; b.Loop(); version++ {
			want := sparki.SyncRunCounts{Processed: benchObjects, Unchanged: benchObjects}
			if changed {
				b.StopTimer()
				s.crm.change(objects, version)
				b.StartTimer()
				want.Unchanged, want.Updated = 0, benchObjects
			}
			if run := s.sync(b); run.State != sparki.RunSucceeded || run.SyncRunCounts != want {
				b.Fatalf("%s %v %+v", run.State, run.Error, run.SyncRunCounts)
			}
		}
		b.ReportMetric(float64(b.N*benchObjects)/b.Elapsed().Seconds(), "objects/s")
	}
	b.Run("changed", func(b *testing.B) { crawl(b, true) })
	b.Run("unchanged", func(b *testing.B) { crawl(b, false) })
}
