package db_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
	"sparki.app/integrations/db/dbtest"
)

// Whatever stands in a filter or a cursor, a list answers or says that it cannot be used.
func TestListsOfOddArguments(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	d := dbtest.Open(t, db.Options{URL: url})
	portal := dbtest.Portal(t, d, "kolibri")
	seed(t, superuser(t, url), portal, connect(t, d, portal), 30)
	items := func(f sparki.ItemFilter, field, after string) error {
		_, err := d.Items(t.Context(), portal.ID, f, sparki.Order{Field: field}, sparki.PageArgs{First: 1, After: after}, false)
		return err
	}
	nul, odd := "a\x00b", "\\%_'é🏡\u202e"
	for what, err := range map[string]error{
		"provider": items(sparki.ItemFilter{Provider: &nul}, "TITLE", ""),
		"search":   items(sparki.ItemFilter{Search: nul}, "TITLE", ""),
		"short":    items(sparki.ItemFilter{Search: "\x00"}, "TITLE", ""),
		"title":    items(sparki.ItemFilter{}, "TITLE", cursor("i.title asc", nul)),
		"city":     items(sparki.ItemFilter{}, "CITY", cursor("i.city asc", nul)),
		"price":    items(sparki.ItemFilter{}, "PRICE", cursor("i.price_amount asc", "veel")),
		"time":     items(sparki.ItemFilter{}, "SYNCED_AT", cursor("i.synced_at asc", "gisteren om 25:00")),
		"year":     items(sparki.ItemFilter{}, "SYNCED_AT", cursor("i.synced_at asc", "300000-01-01T00:00:00Z")),
	} {
		if sparki.KindOf(err) != sparki.Invalid || sparki.TextOf(err) == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := items(sparki.ItemFilter{Provider: &odd, Search: odd}, "TITLE", cursor("i.title asc", odd)); err != nil {
		t.Error(err)
	}
}

// cursor forges one.
func cursor(order, value string) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"o":%q,"v":%s,"i":"01a22d37-8c83-7e1a-b5bc-504382e2b7d9"}`, order, jsonText(value)))
}

func jsonText(s string) []byte {
	b, _ := json.Marshal(s) // a text
	return b
}
