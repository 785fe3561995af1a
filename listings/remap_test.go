package listings

import (
	"context"
	"testing"

	"sparki.app/integrations"
	"sparki.app/integrations/providers"
)

func TestRenewMapping(t *testing.T) {
	t.Parallel()
	b, item, project := imported(t)
	b.Map = func(_ context.Context, _ *sparki.Integration, r sparki.Ref, raw []byte) (*sparki.Found, error) {
		found := *b.crm.objects[r.Key()]
		listing := *found.Listing
		listing.Category = sparki.CategoryApartment // what the newer mapping sees in the same answer
		found.Listing, found.Raw = &listing, raw
		found.Unknown, found.Unused = []string{"listingType=SpaceStation"}, []string{"internalMemo"}
		return &found, nil
	}
	version := 2
	b.Info = func(string) (*providers.Info, error) {
		return &providers.Info{Key: "kolibri", MappingVersion: version}, nil
	}
	reads := b.crm.reads

	bells, err := b.DB.OldMappings(t.Context(), map[string]int{"kolibri": version})
	if err != nil || len(bells) != 1 || bells[0] != (sparki.Bell{Job: sparki.RenewMapping, PortalID: b.portal.ID, ID: b.integration.ID}) {
		t.Fatalf("the sweep rings %v, %v", bells, err)
	}
	for range 2 { // the second time changes nothing
		if err := b.RenewMapping(t.Context(), b.portal.ID, b.integration.ID); err != nil {
			t.Fatal(err)
		}
	}
	if got := b.item(t, ref(1)); got.Listing.Category != sparki.CategoryApartment || got.Version != item.Version+1 {
		t.Errorf("the item is %s, version %d after %d", got.Listing.Category, got.Version, item.Version)
	}
	if got := b.read(t, project.ID); got.Category != sparki.CategoryApartment {
		t.Errorf("the project is %s", got.Category)
	}
	if b.crm.reads != reads {
		t.Errorf("the CRM was asked %d times", b.crm.reads-reads)
	}
	if bells, err := b.DB.OldMappings(t.Context(), map[string]int{"kolibri": version}); err != nil || len(bells) > 0 {
		t.Errorf("the sweep rings again: %v, %v", bells, err)
	}
	gaps, err := b.DB.MappingGaps(t.Context(), b.portal.ID, b.integration.ID)
	if err != nil || len(gaps) != 2 || gaps[0].Objects != 1 {
		t.Errorf("the gaps are %+v, %v", gaps, err)
	}

	// What is read afterwards wins over what was mapped again.
	b.change(t, ref(1), func(l *sparki.Listing) { l.Title = "Huis met tuin" })
	if got := b.item(t, ref(1)); got.Listing.Title != "Huis met tuin" {
		t.Errorf("a later reading lost: %q", got.Listing.Title)
	}
}
