package sparki

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// anyListing makes a listing in which every field may be there or not.
func anyListing(r *rand.Rand) *Listing {
	word := func() string { return fmt.Sprintf("w%d", r.IntN(4)) }
	opt := func() *string {
		if r.IntN(3) == 0 {
			return nil
		}
		w := word()
		return &w
	}
	media := func(kind string) []ListingMedia {
		var out []ListingMedia
		for n := range r.IntN(4) {
			out = append(out, ListingMedia{ExternalID: fmt.Sprintf("%s-%d", kind, r.IntN(6)*10+n), URL: "https://media.example/" + word(), Position: n})
		}
		return out
	}
	kind := []TransactionType{Sale, Rent, SaleOrRent}[r.IntN(3)]
	l := &Listing{
		Title: word(), Description: opt(), LongDescriptionHeading: opt(), LongDescription: opt(), TransactionType: &kind,
		Status: []ProjectStatus{StatusAvailable, StatusClosed}[r.IntN(2)], Category: []ProjectCategory{CategoryHouse, CategoryOther}[r.IntN(2)],
		Address: Address{Label: word(), City: opt()}, ThumbnailURL: opt(), Images: media("i"), FloorPlans: media("f"), OtherMedia: media("o"),
	}
	if r.IntN(2) == 0 {
		l.Price = &Price{Currency: "EUR", Label: word()}
	}
	if r.IntN(2) == 0 {
		l.Coordinates = &Coordinates{Latitude: float64(r.IntN(3))}
	}
	if r.IntN(2) == 0 {
		l.Details = []DetailRow{{Key: word()}}
	}
	return l
}

// No refresh ever changes a USER field, and after it every PROVIDER field equals the listing.
func TestFollowKeepsOwnership(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 7))
		own, mine := anyListing(r), Overrides{}
		for range 5 {
			switch r.IntN(3) {
			case 0: // a person changes fields
				edited := anyListing(r)
				var taken []ProjectField
				for _, f := range contentFields {
					if r.IntN(4) == 0 {
						f.copy(own, edited)
						taken = append(taken, f.field)
					}
				}
				mine = mine.Take(taken, "Sanne", time.Now())
			case 1: // and gives some back
				var returned []ProjectField
				for _, f := range contentFields {
					if r.IntN(4) == 0 {
						returned = append(returned, f.field)
					}
				}
				mine = mine.Return(returned)
			}
			listing := anyListing(r)
			next := Follow(own, listing, mine)
			for _, f := range contentFields {
				_, overridden := mine[f.field]
				if overridden && !same(f.get(next), f.get(own)) {
					t.Fatalf("seed %d: a refresh changed %s, which is the person's", seed, f.field)
				}
				if !overridden && !same(f.get(next), f.get(listing)) {
					t.Fatalf("seed %d: %s does not follow the listing", seed, f.field)
				}
			}
			for _, state := range FieldStates(next, listing, mine) {
				if state.Owner == OwnerProvider && state.Differs {
					t.Fatalf("seed %d: %s is the CRM's and differs", seed, state.Field)
				}
			}
			if changes := Diff(next, Follow(next, listing, mine)); len(changes) > 0 {
				t.Fatalf("seed %d: the same listing again changes %v", seed, changes)
			}
			own = next
		}
	}
}

// Every field of a listing belongs to a field that can be owned, or is known not to.
func TestEveryListingFieldIsOwned(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	for range 500 {
		a, b := anyListing(r), anyListing(r)
		if next := Follow(a, b, nil); !same(*next, *b) {
			t.Fatalf("following leaves something out:\n%+v\n%+v", *next, *b)
		}
	}
}

func TestMediaToFollow(t *testing.T) {
	t.Parallel()
	url := "https://media.example/t.jpg"
	l := &Listing{ThumbnailURL: &url, Images: []ListingMedia{{ExternalID: "1"}, {ExternalID: "2"}}, FloorPlans: []ListingMedia{{ExternalID: "3"}}}
	media, kinds := MediaToFollow(l, Overrides{FieldImages: {}})
	if len(media) != 2 || slices.Contains(kinds, MediaImage) || len(kinds) != 2 {
		t.Errorf("with IMAGES overridden %d media of %v follow", len(media), kinds)
	}
}
