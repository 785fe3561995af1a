package db

import (
	"strconv"
	"strings"

	"sparki.app/integrations"
)

// The card of a listing are the columns that items and projects share: what lists show, filter and
// sort by. All travel as text and are cast by Postgres, so that one array per column writes any
// number of rows.
var cardColumns = []struct{ name, cast string }{
	{"title", "text"}, {"status", "text"}, {"category", "text"}, {"transaction_type", "text"},
	{"price_amount", "numeric"}, {"price_currency", "text"}, {"price_label", "text"},
	{"address_label", "text"}, {"street", "text"}, {"house_number", "text"}, {"house_number_addition", "text"},
	{"postal_code", "text"}, {"city", "text"}, {"state_or_province", "text"}, {"country", "text"},
	{"physical_address", "boolean"}, {"thumbnail_url", "text"}, {"search", "text"},
}

// cardNames lists the columns; each has the prefix, for example "i.".
func cardNames(prefix string) string {
	names := make([]string, len(cardColumns))
	for i, c := range cardColumns {
		names[i] = prefix + c.name
	}
	return strings.Join(names, ", ")
}

// cardCasts lists the columns of t, a set of text columns, cast to their types.
func cardCasts() string {
	casts := make([]string, len(cardColumns))
	for i, c := range cardColumns {
		casts[i] = "t." + c.name + "::" + c.cast
	}
	return strings.Join(casts, ", ")
}

// selectCard lists what scanCard reads: every card column but the search text.
func selectCard(prefix string) string {
	names := cardNames(prefix)
	names = names[:strings.LastIndex(names, ",")]
	return strings.Replace(names, prefix+"price_amount", prefix+"price_amount::text", 1)
}

// cardValues gives a listing's values in the order of cardColumns; codes are searched for as well.
func cardValues(l *sparki.Listing, codes ...string) []*string {
	var amount, currency, label *string
	if l.Price != nil {
		amount, currency, label = (*string)(l.Price.Amount), &l.Price.Currency, &l.Price.Label
	}
	physical := strconv.FormatBool(l.Address.Physical)
	a := &l.Address
	search := strings.ToLower(strings.Join(append([]string{l.Title, a.Label, text(a.PostalCode)}, codes...), " "))
	return []*string{
		&l.Title, (*string)(&l.Status), (*string)(&l.Category), (*string)(l.TransactionType),
		amount, currency, label,
		&a.Label, a.Street, a.HouseNumber, a.HouseNumberAddition,
		a.PostalCode, a.City, a.StateOrProvince, a.Country, &physical, l.ThumbnailURL, &search,
	}
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// card receives the columns of selectCard.
type card struct {
	listing         sparki.Listing
	amount          *string
	currency, label *string
}

// rowColumns is room for every column that an item or a project is read from.
const rowColumns = 40

// appendTargets appends where Scan puts the columns of selectCard.
func (c *card) appendTargets(targets []any) []any {
	l, a := &c.listing, &c.listing.Address
	return append(targets,
		&l.Title, &l.Status, &l.Category, &l.TransactionType,
		&c.amount, &c.currency, &c.label,
		&a.Label, &a.Street, &a.HouseNumber, &a.HouseNumberAddition,
		&a.PostalCode, &a.City, &a.StateOrProvince, &a.Country, &a.Physical, &l.ThumbnailURL,
	)
}

// read gives the listing that was scanned.
func (c *card) read() *sparki.Listing {
	if c.label != nil {
		c.listing.Price = &sparki.Price{Amount: (*sparki.Decimal)(c.amount), Currency: text(c.currency), Label: *c.label}
	}
	return &c.listing
}
