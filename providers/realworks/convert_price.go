package realworks

import (
	"strings"

	"github.com/tidwall/gjson"

	"sparki.app/integrations"
	"sparki.app/integrations/providers/dutch"
	"sparki.app/integrations/providers/wire"
)

// prefixes are the words before a price. What stands instead of the amount hides it; the others say
// nothing that the amount does not.
var prefixes = map[string]string{
	"VRAAGPRIJS": "", "KOOPSOM": "", "HUURPRIJS": "",
	"PRIJS_OP_AANVRAAG": dutch.OnRequest, "PRIJS_NOTK": dutch.ToBeAgreedOn,
}

// koopcondities and huurcondities are behind a price.
var (
	koopcondities = map[string]string{"KOSTEN_KOPER": "k.k.", "VRIJ_OP_NAAM": dutch.FreeOnName}
	huurcondities = map[string]string{"PER_MAAND": "p.m.", "PER_JAAR": "p.j.", perSquareMetre: "per m² per jaar"}
)

// perSquareMetre prices the size; that is no price of the whole.
const perSquareMetre = "PER_VIERKANTE_METERS_PER_JAAR"

// overdracht reads a field of the transfer, which for business property stands one step deeper
// (contract §2.4, §3.1).
func (c *conversion) overdracht(name string) gjson.Result {
	if v := c.at("financieel.overdracht.koopEnOfHuur").Get(name); v.Type != gjson.Null {
		return v
	}
	return c.at("financieel.overdracht." + name)
}

// transactionType says what is offered: what has a price, else what the object was entered for.
func (c *conversion) transactionType() *sparki.TransactionType {
	_, sale := wire.Amount(c.overdracht("koopprijs"))
	_, rent := wire.Amount(c.overdracht("huurprijs"))
	if c.isProject() {
		offered := wire.Text(c.at("project.algemeen.koopOfHuur"))
		sale, rent = strings.Contains(offered, "KOOP"), strings.Contains(offered, "HUUR")
	} else if !sale && !rent {
		reason := wire.Text(c.overdracht("aanmeldingsreden"))
		sale, rent = strings.Contains(reason, "VERKOOP"), strings.Contains(reason, "VERHUUR")
	}
	return sparki.Offered(sale, rent)
}

// price is what is asked; nil when nothing is said about it (contract §7).
func (c *conversion) price() *sparki.Price {
	if c.isProject() {
		return c.projectPrice()
	}
	offers := []dutch.Offer{
		c.offer("koopprijs", "", "koopprijsvoorvoegsel", "koopconditie", koopcondities),
		c.offer("huurprijs", "huurprijsTot", "huurprijsvoorvoegsel", "huurconditie", huurcondities),
	}
	if c.hidesPrice() && (offers[0].Label != "" || offers[1].Label != "") {
		return dutch.HiddenPrice(hiddenLabel(offers))
	}
	return dutch.PriceOf(offers...)
}

// hidesPrice: the office shows no price (contract §3.1).
func (c *conversion) hidesPrice() bool {
	return wire.IsFalse(c.at("marketing.publicatie.prijsvermelding"))
}

// hiddenLabel is what stands for prices none of which is shown.
func hiddenLabel(offers []dutch.Offer) string {
	for _, o := range offers {
		if o.Instead {
			return o.Label
		}
	}
	return dutch.OnRequest
}

// placeholder is what offices enter where they show no price (contract §3.1).
const placeholder = "1.00"

func (c *conversion) offer(price, upTo, prefix, condition string, conditions map[string]string) dutch.Offer {
	low, ok := wire.Amount(c.overdracht(price))
	instead, _ := wire.Known(&c.gaps, prefix, c.overdracht(prefix), prefixes)
	switch {
	case instead != "":
		return dutch.Offer{Label: instead, Instead: true}
	case !ok:
		return dutch.Offer{}
	case low == placeholder:
		return dutch.Offer{Label: dutch.OnRequest, Instead: true}
	}
	words := []string{dutch.Euros(low)}
	o := dutch.Offer{Amount: &low}
	if high, ok := wire.Amount(c.overdracht(upTo)); ok && upTo != "" && high != low {
		words = append(words, "–", dutch.Euros(high))
	}
	if suffix, ok := wire.Known(&c.gaps, condition, c.overdracht(condition), conditions); ok {
		words = append(words, suffix)
	}
	if wire.Text(c.overdracht(condition)) == perSquareMetre {
		o.Amount = nil
	}
	if upTo != "" && wire.Text(c.overdracht("huurprijstype")) == "EXCL_BTW" {
		words = append(words, "excl. btw")
	}
	o.Label = strings.Join(words, " ")
	return o
}

// projectPrice is where a project's prices begin (contract §7): homes to buy are sold free on name.
func (c *conversion) projectPrice() *sparki.Price {
	var offers []dutch.Offer
	add := func(name, suffix string) {
		if low, ok := wire.Amount(c.at("project.algemeen." + name)); ok && low != placeholder {
			offers = append(offers, dutch.Offer{Amount: &low, Label: "vanaf " + dutch.Euros(low) + " " + suffix})
		}
	}
	add("koopaanneemsomVanaf", dutch.FreeOnName)
	add("huurprijsVanaf", huurcondities["PER_MAAND"])
	return dutch.PriceOf(offers...)
}
