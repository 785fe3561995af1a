package dutch

import (
	"strings"

	"sparki.app/integrations"
)

// currency is assumed: no CRM names one.
const currency = "EUR"

// What stands in place of an amount that is not shown, or behind one.
const (
	OnRequest    = "Prijs op aanvraag"
	ToBeAgreedOn = "Prijs nader overeen te komen"
	FreeOnName   = "v.o.n."
)

// Offer is the price of a sale or of a rent.
type Offer struct {
	Amount *sparki.Decimal // nil when there is none to show
	Label  string          // "€ 585.000 k.k."; "" says nothing
	// Instead: the label stands in place of an amount.
	Instead bool
}

// PriceOf joins the offers that say something; nil if none does.
func PriceOf(offers ...Offer) *sparki.Price {
	p := &sparki.Price{Currency: currency}
	var labels []string
	for _, o := range offers {
		if p.Amount == nil {
			p.Amount = o.Amount
		}
		if o.Label != "" && (len(labels) == 0 || labels[0] != o.Label) {
			labels = append(labels, o.Label)
		}
	}
	if len(labels) == 0 {
		return nil
	}
	p.Label = strings.Join(labels, " of ")
	return p
}

// HiddenPrice is a price of which only words are shown.
func HiddenPrice(label string) *sparki.Price { return &sparki.Price{Currency: currency, Label: label} }
