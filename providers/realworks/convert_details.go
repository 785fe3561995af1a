package realworks

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"sparki.app/integrations"
	"sparki.app/integrations/providers/dutch"
	"sparki.app/integrations/providers/wire"
)

const maxRooms = 999

// details are the rows of the details table (contract §7): bedrooms, bathrooms and surface first. A
// row that Realworks leaves empty is left out.
func (c *conversion) details() []sparki.DetailRow {
	r := make(dutch.Rows, 0, 16)
	switch {
	case c.isProject():
		c.projectRows(&r)
	case c.isBusiness():
		c.businessRows(&r)
	default:
		c.homeRows(&r)
	}
	return r
}

func (c *conversion) homeRows(r *dutch.Rows) {
	bedrooms, bathrooms := rooms(c.at("detail.etages"))
	count(r, "bedrooms", "Slaapkamers", bedrooms)
	count(r, "bathrooms", "Badkamers", bathrooms)
	c.size(r, "livingArea", "Woonoppervlakte", "algemeen.woonoppervlakte")
	if wire.Text(c.at("object.type.objecttype")) == "OVERIG_ONROEREND_GOED" {
		c.size(r, "area", "Oppervlakte", "detail.overigOnroerendGoed.oppervlakte")
	}
	if n, ok := wire.Count(c.at("algemeen.aantalKamers"), 1, maxRooms); ok {
		count(r, "rooms", "Kamers", n)
	}
	r.Add("buildYear", "Bouwjaar", year(c.at("algemeen.bouwjaar")))
	c.size(r, "plotArea", "Perceel", "algemeen.totaleKadestraleOppervlakte")
	r.Measure("volume", "Inhoud", sizeOf(c.at("algemeen.inhoud")), dutch.CubicMetres)
	r.Add("energyLabel", "Energielabel", c.energyLabel(c.at("algemeen.energieklasse")))
	c.size(r, "outdoorArea", "Gebouwgebonden buitenruimte", "detail.buitenruimte.oppervlakteGebouwgebondenBuitenruimte")
	c.size(r, "storageArea", "Externe bergruimte", "detail.buitenruimte.oppervlakteExterneBergruimte")
	c.termRows(r)
}

func (c *conversion) businessRows(r *dutch.Rows) {
	functions := c.functions()
	total := 0.0
	for _, f := range functions {
		total += f.area
	}
	if total == 0 { // no function tells: what the land register has (contract §3.1)
		wire.Elements(c.at("diversen.kadaster"), func(v gjson.Result) {
			n, _ := wire.Number(v.Get("kadastergegevens.oppervlakte"))
			total += max(n, 0)
		})
	}
	r.Measure("area", "Oppervlakte", dutch.Size(total), dutch.SquareMetres)
	for _, f := range functions {
		if len(functions) > 1 {
			r.Measure("area:"+f.key, f.name, dutch.Size(f.area), dutch.SquareMetres)
		}
	}
	for _, f := range functions {
		n, ok := wire.Count(f.native.Get("aantalVerdiepingen"), 1, maxRooms)
		if !ok {
			n, ok = wire.Count(f.native.Get("bedrijfsruimteKantoorruimte.kantoorruimteAantalVerdiepingen"), 1, maxRooms)
		}
		if ok {
			count(r, "floors", "Verdiepingen", n)
			break
		}
	}
	var facilities []string
	for _, f := range functions {
		for _, name := range []string{"voorzieningen", "bedrijfshal.bedrijfshalVoorzieningen", "bedrijfsruimteKantoorruimte.kantoorruimteVoorzieningen"} {
			wire.Elements(f.native.Get(name), func(v gjson.Result) {
				if word := words(v); !slices.Contains(facilities, word) {
					facilities = append(facilities, word)
				}
			})
		}
	}
	r.Add("facilities", "Voorzieningen", dutch.Capital(dutch.Joined(", ", facilities...)))
	r.Add("buildYear", "Bouwjaar", year(c.at("gebouwdetails.bouwjaar.bouwjaar1")))
	r.Add("energyLabel", "Energielabel", c.energyLabel(c.at("gebouwdetails.energielabel.energieklasse")))
	places := 0
	for _, name := range []string{"overdekteParkeerplaatsenAantal", "nietOverdekteParkeerplaatsenAantal"} {
		n, _ := wire.Count(c.at("gebouwdetails.lokatie.parkeren").Get(name), 1, 99_999)
		places += n
	}
	count(r, "parkingPlaces", "Parkeerplaatsen", places)
	c.termRows(r)
}

// function is a use of business property that is active (contract §3.1).
type function struct {
	key, name string
	native    gjson.Result // its one sub-object
	area      float64      // m²; 0 when it is not filled in
}

func (c *conversion) functions() []function {
	var all []function
	wire.Elements(c.at("object.functies"), func(v gjson.Result) {
		if !isActive(v) {
			return
		}
		f := function{key: strings.ToLower(wire.Line(v.Get("type"))), name: dutch.Capital(words(v.Get("type")))}
		wire.Each(v, func(_ string, inner gjson.Result) {
			if inner.IsObject() {
				f.native, f.area = inner, f.area+areaOf(inner)
			}
		})
		all = append(all, f)
	})
	return all
}

// areaOf sums up the surfaces of a function, which stand at different places (contract §3.1).
func areaOf(native gjson.Result) float64 {
	sum := 0.0
	add := func(v gjson.Result) {
		if n, ok := wire.Number(v); ok && dutch.Size(n) != "" {
			sum += n
		}
	}
	for _, name := range []string{
		"oppervlakte", "bedrijfshal.oppervlakte", "bedrijfsruimteKantoorruimte.kantoorruimteOppervlakte", "terrein.terreinOppervlakte",
	} {
		add(native.Get(name))
	}
	wire.Elements(native.Get("instellingen"), func(v gjson.Result) { add(v.Get("oppervlakte")) })
	return sum
}

func (c *conversion) projectRows(r *dutch.Rows) {
	r.Measure("livingArea", "Woonoppervlakte", c.span("woonoppervlakte"), dutch.SquareMetres)
	for _, row := range []struct{ key, label, name string }{
		{"units", "Aantal woningen", "aantalBouwnummers"}, {"freeUnits", "Nog beschikbaar", "aantalVrijeEenheden"},
	} {
		if n, ok := wire.Count(c.at("project.algemeen."+row.name), 0, 99_999); ok {
			r.Add(row.key, row.label, strconv.Itoa(n))
		}
	}
	r.Measure("plotArea", "Perceel", c.span("perceeloppervlakte"), dutch.SquareMetres)
	r.Measure("volume", "Inhoud", c.span("inhoud"), dutch.CubicMetres)
	r.Add("saleStart", "Start verkoop", date(c.at("project.algemeen.datumStartVerkoop")))
	r.Add("buildingStart", "Start bouw", date(c.at("project.algemeen.datumStartBouw")))
	r.Add("delivery", "Oplevering", date(c.at("project.algemeen.opleveringsdatum")))
}

// termRows are the terms of a sale or a rent.
func (c *conversion) termRows(r *dutch.Rows) {
	acceptance := dutch.Capital(words(c.overdracht("aanvaarding")))
	if on := date(c.overdracht("aanvaardingsdatum")); on != "" && (acceptance == "" || strings.Contains(acceptance, "datum")) {
		acceptance = "Per " + on
	}
	r.Add("acceptance", "Aanvaarding", acceptance)
	if costs, ok := wire.Amount(c.overdracht("servicekosten")); ok {
		per, known := huurcondities[wire.Text(c.overdracht("servicekostenconditie"))]
		if !known {
			per = huurcondities["PER_MAAND"] // assumed where nothing is said
		}
		r.Add("serviceCosts", "Servicekosten", dutch.Euros(costs)+" "+per)
	}
}

// rooms sums up bedrooms and bathrooms over the floors, which come in any order (contract §2.5).
func rooms(floors gjson.Result) (bedrooms, bathrooms int) {
	wire.Elements(floors, func(floor gjson.Result) {
		n, _ := wire.Count(floor.Get("aantalSlaapkamers"), 0, maxRooms)
		bedrooms += n
		wire.Elements(floor.Get("badkamers"), func(gjson.Result) { bathrooms++ })
	})
	return bedrooms, bathrooms
}

func count(r *dutch.Rows, key, label string, n int) {
	if n > 0 {
		r.Add(key, label, strconv.Itoa(n))
	}
}

func (c *conversion) size(r *dutch.Rows, key, label, name string) {
	r.Measure(key, label, sizeOf(c.at(name)), dutch.SquareMetres)
}

// sizeOf writes a surface or volume; "" for none.
func sizeOf(v gjson.Result) string {
	n, _ := wire.Number(v)
	return dutch.Size(n)
}

// span is what a project's homes range over: "112 - 151".
func (c *conversion) span(name string) string {
	low, high := sizeOf(c.at("project.algemeen."+name+"Vanaf")), sizeOf(c.at("project.algemeen."+name+"Tot"))
	if low == high {
		return low
	}
	return dutch.Joined(" - ", low, high)
}

func year(v gjson.Result) string {
	if n, ok := wire.Count(v, 1000, 2200); ok {
		return strconv.Itoa(n)
	}
	return ""
}

func date(v gjson.Result) string {
	if t, ok := wire.Moment(v, dutch.Time); ok {
		return dutch.Date(t)
	}
	return ""
}

// energyLabel writes a class: A_PP is A++ (contract §2.5).
func (c *conversion) energyLabel(v gjson.Result) string {
	class := wire.Line(v)
	letter, pluses, _ := strings.Cut(class, "_")
	if class == "" || class == sentinel {
		return ""
	}
	if len(letter) != 1 || letter < "A" || letter > "G" || strings.Trim(pluses, "P") != "" || letter != "A" && pluses != "" || len(pluses) > 5 {
		c.gaps.Note("energieklasse", class)
		return ""
	}
	return letter + strings.Repeat("+", len(pluses))
}
