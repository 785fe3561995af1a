package kolibri

import (
	"strings"

	"github.com/tidwall/gjson"

	"sparki.app/integrations"
)

// currency is assumed: no field names one.
const currency = "EUR"

const onRequest = "Prijs op aanvraag"

// transactionType says what is offered; where neither flag is set, by the offers themselves.
func (c *conversion) transactionType() *sparki.TransactionType {
	sale, rent := c.offered()
	switch {
	case sale && rent:
		return new(sparki.SaleOrRent)
	case sale:
		return new(sparki.Sale)
	case rent:
		return new(sparki.Rent)
	default:
		return nil
	}
}

func (c *conversion) offered() (sale, rent bool) {
	sale, rent = c.assignment["forSale"].Bool(), c.assignment["forRent"].Bool()
	if !sale && !rent {
		sale, rent = c.assignment["saleOffer"].IsObject(), c.assignment["rentOffer"].IsObject()
	}
	return sale, rent
}

// price is what is asked; nil when nothing is said about it (contract §3.4).
func (c *conversion) price() *sparki.Price {
	if c.assignment["hidePrice"].Bool() {
		return &sparki.Price{Currency: currency, Label: onRequest}
	}
	sale, rent := c.offered()
	var offers []offer
	if sale {
		offers = append(offers, c.saleOffer())
	}
	if rent {
		offers = append(offers, c.rentOffer())
	}
	p := &sparki.Price{Currency: currency}
	var labels []string
	for _, o := range offers {
		if p.Amount == nil {
			p.Amount = o.amount
		}
		if o.label != "" && (len(labels) == 0 || labels[0] != o.label) {
			labels = append(labels, o.label)
		}
	}
	if len(labels) == 0 {
		return nil
	}
	p.Label = strings.Join(labels, " of ")
	return p
}

// offer is the price of a sale or of a rent. amount is nil when there is none to show.
type offer struct {
	amount *sparki.Decimal
	label  string
}

func (c *conversion) saleOffer() offer {
	sale := c.assignment["saleOffer"]
	condition, _ := known(c, "saleCondition", sale.Get("saleCondition"), saleConditions)
	return c.offer(offerFields{
		price: sale.Get("salePrice"), priceMax: sale.Get("salePriceMax"),
		perUnit: sale.Get("pricePerUnit"), unit: sale.Get("pricePerUnitSize"),
		code: sale.Get("priceCode"), vat: sale.Get("vatCondition"), condition: condition,
	})
}

func (c *conversion) rentOffer() offer {
	rent := c.assignment["rentOffer"]
	price := rent.Get("rentPrice")
	if price.Type == gjson.Null {
		price = rent.Get("basicRent")
	}
	condition, _ := known(c, "rentCondition", rent.Get("rentCondition"), rentConditions)
	return c.offer(offerFields{
		price: price, priceMax: rent.Get("rentPriceMax"),
		perUnit: rent.Get("rentPricePerUnit"), unit: rent.Get("rentPricePerUnitSize"),
		code: rent.Get("priceCode"), vat: rent.Get("vatCondition"), condition: condition,
	})
}

// offerFields are what the two kinds of offers have in common.
type offerFields struct {
	price, priceMax, perUnit, unit, code, vat gjson.Result
	condition                                 string // in words
}

func (c *conversion) offer(f offerFields) offer {
	code, _ := known(c, "priceCode", f.code, priceCodes)
	if code.insteadOfPrice {
		return offer{label: code.words}
	}
	low, hasLow := amount(f.price)
	high, hasHigh := amount(f.priceMax)
	var words []string
	var o offer
	switch {
	case hasLow:
		o.amount = &low
		words = append(words, euros(low))
		if hasHigh && high != low {
			words = append(words, "–", euros(high))
		}
	case hasHigh:
		words = append(words, "tot", euros(high))
	default:
		// Business space is often priced by its size alone; that is no price of the whole.
		perUnit, ok := amount(f.perUnit)
		unit, known := known(c, "pricePerUnitSize", f.unit, unitSizes)
		if !ok || !known {
			return offer{label: code.words}
		}
		words = append(words, euros(perUnit), "per", unit)
	}
	if code.words != "" {
		words = append([]string{code.words}, words...)
	}
	if f.condition != "" {
		words = append(words, f.condition)
	}
	// New homes are sold "vrij op naam", which includes VAT.
	if vat, ok := known(c, "vatCondition", f.vat, vatConditions); ok && f.condition != freeOnName {
		words = append(words, vat)
	}
	o.label = strings.Join(words, " ")
	return o
}

// amount reads a price. One that is zero or less is none.
func amount(v gjson.Result) (sparki.Decimal, bool) {
	s := v.Raw
	switch v.Type {
	case gjson.Number:
	case gjson.String:
		s = strings.TrimSpace(v.Str)
	default:
		return "", false
	}
	if s == "" || s[0] == '-' || strings.Trim(s, "0123456789.eE+-") != "" {
		return "", false
	}
	d, ok := sparki.ParseDecimal(s)
	return d, ok && d != "0.00"
}

// euros writes an amount for a person: "€ 585.000", "€ 1.395,50".
func euros(d sparki.Decimal) string {
	return "€ " + dutchDigits(strings.TrimSuffix(string(d), ".00"))
}
