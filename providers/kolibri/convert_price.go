package kolibri

import (
	"strings"

	"github.com/tidwall/gjson"

	"sparki.app/integrations"
	"sparki.app/integrations/providers/dutch"
	"sparki.app/integrations/providers/wire"
)

// transactionType says what is offered; where neither flag is set, by the offers themselves.
func (c *conversion) transactionType() *sparki.TransactionType {
	sale, rent := c.offered()
	return sparki.Offered(sale, rent)
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
		return dutch.HiddenPrice(dutch.OnRequest)
	}
	sale, rent := c.offered()
	var offers []dutch.Offer
	if sale {
		offers = append(offers, c.saleOffer())
	}
	if rent {
		offers = append(offers, c.rentOffer())
	}
	return dutch.PriceOf(offers...)
}

func (c *conversion) saleOffer() dutch.Offer {
	sale := c.assignment["saleOffer"]
	condition, _ := wire.Known(&c.gaps, "saleCondition", sale.Get("saleCondition"), saleConditions)
	return c.offer(offerFields{
		price: sale.Get("salePrice"), priceMax: sale.Get("salePriceMax"),
		perUnit: sale.Get("pricePerUnit"), unit: sale.Get("pricePerUnitSize"),
		code: sale.Get("priceCode"), vat: sale.Get("vatCondition"), condition: condition,
	})
}

func (c *conversion) rentOffer() dutch.Offer {
	rent := c.assignment["rentOffer"]
	price := rent.Get("rentPrice")
	if price.Type == gjson.Null {
		price = rent.Get("basicRent")
	}
	condition, _ := wire.Known(&c.gaps, "rentCondition", rent.Get("rentCondition"), rentConditions)
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

func (c *conversion) offer(f offerFields) dutch.Offer {
	code, _ := wire.Known(&c.gaps, "priceCode", f.code, priceCodes)
	if code.insteadOfPrice {
		return dutch.Offer{Label: code.words, Instead: true}
	}
	low, hasLow := wire.Amount(f.price)
	high, hasHigh := wire.Amount(f.priceMax)
	var words []string
	var o dutch.Offer
	switch {
	case hasLow:
		o.Amount = &low
		words = append(words, dutch.Euros(low))
		if hasHigh && high != low {
			words = append(words, "–", dutch.Euros(high))
		}
	case hasHigh:
		words = append(words, "tot", dutch.Euros(high))
	default:
		// Business space is often priced by its size alone; that is no price of the whole.
		perUnit, ok := wire.Amount(f.perUnit)
		unit, known := wire.Known(&c.gaps, "pricePerUnitSize", f.unit, unitSizes)
		if !ok || !known {
			return dutch.Offer{Label: code.words}
		}
		words = append(words, dutch.Euros(perUnit), "per", unit)
	}
	if code.words != "" {
		words = append([]string{code.words}, words...)
	}
	if f.condition != "" {
		words = append(words, f.condition)
	}
	// New homes are sold "vrij op naam", which includes VAT.
	if vat, ok := wire.Known(&c.gaps, "vatCondition", f.vat, vatConditions); ok && f.condition != dutch.FreeOnName {
		words = append(words, vat)
	}
	o.Label = strings.Join(words, " ")
	return o
}
