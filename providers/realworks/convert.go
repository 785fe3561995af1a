package realworks

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"sparki.app/integrations"
	"sparki.app/integrations/providers/dutch"
	"sparki.app/integrations/providers/rest"
	"sparki.app/integrations/providers/wire"
)

// readFields are the fields that are looked at, of some 400, by where they stand (contract §2, §3).
// One that is an object or a list is read further inside. What must never become public is not among
// them: people, transactions, valuations, collegial and internal notes, the land register.
var readFields = fieldSet(`
	id status actief vertrouwelijk tijdstipLaatsteWijziging media bouwtypen latitude longitude lat lng
	straat huisnummer huisnummertoevoeging postcode plaats provincie land huisnummerReeksBegin huisnummerReeksEind
	adres.straat adres.huisnummer adres.huisnummertoevoeging adres.postcode adres.plaats adres.provincie adres.land
	adres.huisnummerReeksBegin adres.huisnummerReeksEind
	adres.coordinaten adres.latitude adres.longitude adres.lat adres.lng
	diversen.diversen.objectcode diversen.diversen.afdelingscode diversen.diversen.actief diversen.diversen.vertrouwelijk
	diversen.diversen.wijzigingsdatum diversen.kadaster
	object.type.objecttype object.functies
	kenmerken.hoofdfunctie
	marketing.publicatie.adresvermelding marketing.publicatie.prijsvermelding
	teksten.aanbiedingstekst teksten.eigenSiteTekst
	algemeen.aantalKamers algemeen.bouwjaar algemeen.woonoppervlakte algemeen.inhoud algemeen.totaleKadestraleOppervlakte
	algemeen.energieklasse algemeen.appartementsoort
	detail.etages detail.overigOnroerendGoed.type detail.overigOnroerendGoed.oppervlakte
	detail.buitenruimte.oppervlakteGebouwgebondenBuitenruimte detail.buitenruimte.oppervlakteExterneBergruimte
	financieel.overdracht.status financieel.overdracht.aanmeldingsreden
	financieel.overdracht.koopprijs financieel.overdracht.koopprijsvoorvoegsel financieel.overdracht.koopconditie
	financieel.overdracht.huurprijs financieel.overdracht.huurprijsvoorvoegsel financieel.overdracht.huurconditie
	financieel.overdracht.servicekosten financieel.overdracht.aanvaarding financieel.overdracht.aanvaardingsdatum
	financieel.overdracht.koopEnOfHuur
	gebouwdetails.gebouwnaam gebouwdetails.bouwjaar.bouwjaar1 gebouwdetails.energielabel.energieklasse
	gebouwdetails.lokatie.parkeren
	project.id project.algemeen.status project.algemeen.omschrijving project.algemeen.koopOfHuur
	project.algemeen.postcode project.algemeen.plaats project.algemeen.provincie project.algemeen.land
	project.algemeen.latitude project.algemeen.longitude
	project.algemeen.aantalBouwnummers project.algemeen.aantalVrijeEenheden
	project.algemeen.koopaanneemsomVanaf project.algemeen.koopaanneemsomTot
	project.algemeen.huurprijsVanaf project.algemeen.huurprijsTot
	project.algemeen.woonoppervlakteVanaf project.algemeen.woonoppervlakteTot
	project.algemeen.perceeloppervlakteVanaf project.algemeen.perceeloppervlakteTot
	project.algemeen.inhoudVanaf project.algemeen.inhoudTot
	project.algemeen.datumStartVerkoop project.algemeen.datumStartBouw project.algemeen.opleveringsdatum
	project.diversen.diversen.objectcode project.diversen.diversen.afdelingscode project.diversen.diversen.actief
	project.diversen.diversen.wijzigingsdatum
`)

// readBranches are the objects that readFields stand in.
var readBranches = func() map[string]bool {
	set := map[string]bool{}
	for field := range readFields {
		for i, c := range field {
			if c == '.' {
				set[field[:i]] = true
			}
		}
	}
	return set
}()

func fieldSet(names string) map[string]bool {
	set := map[string]bool{}
	for _, name := range strings.Fields(names) {
		set[name] = true
	}
	return set
}

// object is an object of Wonen or Business, or a project of Nieuwbouw: its readFields as Realworks
// sent them, by where they stand. All versions of all three are read by this one decoder.
type object struct {
	api    *objectAPI
	fields map[string]gjson.Result
	// unused names the other fields that have something in them.
	unused []string
}

// objectFrom reads an object in one pass over its text.
func objectFrom(api *objectAPI, root gjson.Result) object {
	o := object{api: api, fields: make(map[string]gjson.Result, len(readFields))}
	o.read("", root)
	return o
}

const maxUnused = 200 // names; what is new shows among them

func (o *object) read(prefix string, branch gjson.Result) {
	wire.Each(branch, func(key string, v gjson.Result) {
		name := prefix + key
		switch {
		case readFields[name]:
			o.fields[name] = v
		case readBranches[name] && v.IsObject():
			o.read(name+".", v)
		case !wire.IsEmpty(v) && len(key) <= maxName && len(o.unused) < maxUnused:
			o.unused = append(o.unused, strings.Clone(rest.OneLine(name, len(name))))
		}
	})
}

// at is the first of some fields that is there and not null: what stands at another place in another
// version.
func (o object) at(names ...string) gjson.Result {
	for _, name := range names {
		if v := o.fields[name]; v.Type != gjson.Null {
			return v
		}
	}
	return gjson.Result{}
}

func (o object) isProject() bool  { return o.api.source == "nieuwbouw-object" }
func (o object) isBusiness() bool { return o.api.source == "business-object" }

func (o object) id() gjson.Result { return o.at("project.id", "id") }

// detail says where the object is read; false for one that lacks its codes.
func (o object) detail() (detail, bool) {
	d := detail{
		api:      o.api,
		afdeling: wire.Text(o.at("project.diversen.diversen.afdelingscode", "diversen.diversen.afdelingscode")),
		code:     objectCode(wire.Text(o.at("project.diversen.diversen.objectcode", "diversen.diversen.objectcode"))),
	}
	return d, isAfdeling(d.afdeling) && d.code != ""
}

// codes are the object codes that a notification may name it by: its own, and a project's also by
// those of its types and homes (contract §3.2).
func (o object) codes() []string {
	d, _ := o.detail()
	codes := []string{d.code}
	wire.Elements(o.at("bouwtypen"), func(kind gjson.Result) {
		codes = append(codes, objectCode(wire.Text(kind.Get("diversen.objectcode"))))
		wire.Elements(kind.Get("bouwnummers"), func(home gjson.Result) {
			codes = append(codes, objectCode(wire.Text(home.Get("diversen.diversen.objectcode"))))
		})
	})
	return codes
}

// modifiedAt is when the object changed; zero when it does not tell (contract §2.2).
func (o object) modifiedAt() time.Time {
	for _, name := range []string{"tijdstipLaatsteWijziging", "diversen.diversen.wijzigingsdatum", "project.diversen.diversen.wijzigingsdatum"} {
		if at, ok := wire.Moment(o.at(name), dutch.Time); ok {
			return at
		}
	}
	return time.Time{}
}

// status is where the offer stands. It is never derived from dates, which stay behind (contract
// §2.4); other fields named status mean something else (contract §3.1, §3.2).
func (o object) status() string {
	switch {
	case o.isProject():
		return wire.Text(o.at("project.algemeen.status"))
	case o.isBusiness():
		return wire.Text(o.at("status"))
	default:
		return wire.Text(o.at("financieel.overdracht.status", "status"))
	}
}

// archived and secret are flags of the object as a whole (contract §2.2).
func (o object) archived() bool {
	return slices.ContainsFunc([]string{"actief", "diversen.diversen.actief", "project.diversen.diversen.actief"},
		func(name string) bool { return wire.IsFalse(o.at(name)) })
}

func (o object) secret() bool {
	return o.at("vertrouwelijk").Bool() || o.at("diversen.diversen.vertrouwelijk").Bool()
}

// found is what Realworks says about one object.
func (a *account) found(o object, d detail, raw []byte) *sparki.Found {
	c := conversion{object: o}
	f := &sparki.Found{
		Ref: d.ref(), Raw: raw, Listing: c.listing(d), Inactive: a.inactive(o, d),
		ObjectCode: d.code, AfdelingCode: d.afdeling,
		ModifiedAt: o.modifiedAt(), Unknown: c.gaps, Unused: o.unused,
	}
	f.Ref.ModifiedAt = f.ModifiedAt
	return f
}

// inactive says why an object may not be shown; "" if it may (contract §2.2, §7.2, product.md §4).
func (a *account) inactive(o object, d detail) sparki.InactiveReason {
	switch status := o.status(); {
	case o.archived(), statusOf(status) == sparki.StatusCancelled:
		return sparki.ReasonWithdrawn
	case !a.hasAfdeling(d.afdeling):
		return sparki.ReasonFilteredOut
	case o.secret(), preparing[status]:
		return sparki.ReasonNotAvailable
	default:
		return ""
	}
}

// conversion is the work on one object. It never fails: what cannot be read is left out.
type conversion struct {
	object
	gaps wire.Gaps
}

func (c *conversion) listing(d detail) *sparki.Listing {
	place := c.place()
	prose := c.prose()
	l := &sparki.Listing{
		Description:     wire.Optional(prose.summary),
		LongDescription: wire.Optional(prose.long),
		Price:           c.price(),
		TransactionType: c.transactionType(),
		Status:          c.projectStatus(),
		Category:        c.category(),
		Address:         place.address,
		Coordinates:     place.coordinates,
		Details:         c.details(),
	}
	l.Title = cmp.Or(c.title(place), d.code)
	if prose.long != "" {
		l.LongDescriptionHeading = wire.Optional(cmp.Or(prose.heading, l.Title))
	}
	c.addMedia(l)
	return l
}

// title names the object (contract §7). An address that is hidden does not come back here.
func (c *conversion) title(p place) string {
	city := ""
	if p.address.City != nil {
		city = *p.address.City
	}
	name := wire.Line(c.at("project.algemeen.omschrijving", "gebouwdetails.gebouwnaam"))
	street := p.streetLine
	if c.isProject() {
		street = ""
	}
	return dutch.Joined(", ", cmp.Or(street, name, c.sort()), city)
}

// sort is what kind of property it is, where nothing else names it: "Kantoorruimte".
func (c *conversion) sort() string {
	return dutch.Capital(words(c.at("kenmerken.hoofdfunctie", "object.type.objecttype")))
}

// words writes an enum value in small letters: its names are Dutch already (contract §2.6: enums are
// open, and an unknown value is no reason to fail).
func words(v gjson.Result) string {
	value := wire.Line(v)
	if value == sentinel {
		return ""
	}
	return strings.ToLower(strings.ReplaceAll(value, "_", " "))
}

// sentinel stands for no value in enums (contract §2.4).
const sentinel = "EMPTY"

// preparing are the statuses of an object that is not offered yet.
var preparing = map[string]bool{"PROSPECT": true, "IN_AANMELDING": true, "IN_VOORBEREIDING": true}

// projectStatuses are where an offer stands (contract §2.6: all that there are; §7.2).
var projectStatuses = map[string]sparki.ProjectStatus{
	"BESCHIKBAAR":               sparki.StatusAvailable,
	"ONDER_BOD":                 sparki.StatusUnderOption,
	"ONDER_OPTIE":               sparki.StatusUnderOption,
	"VERKOCHT_ONDER_VOORBEHOUD": sparki.StatusUnderOption,
	"VERHUURD_ONDER_VOORBEHOUD": sparki.StatusUnderOption,
	"VERKOCHT":                  sparki.StatusCompleted,
	"VERHUURD":                  sparki.StatusCompleted,
	"GEVEILD":                   sparki.StatusCompleted,
	"VERKOCHT_BIJ_INSCHRIJVING": sparki.StatusCompleted,
	"INGETROKKEN":               sparki.StatusCancelled,
	"INGETROKKEN_TIJDELIJK":     sparki.StatusCancelled,
	"GEANNULEERD":               sparki.StatusCancelled,
	"PROSPECT":                  sparki.StatusClosed,
	"IN_AANMELDING":             sparki.StatusClosed,
	"IN_VOORBEREIDING":          sparki.StatusClosed,
}

// statusWords sort a status that is in no table by what is in its name, the first that fits: sold
// under reservation is not sold (contract §7.2).
var statusWords = []struct {
	word   string
	status sparki.ProjectStatus
}{
	{"INGETROKKEN", sparki.StatusCancelled}, {"GEANNULEERD", sparki.StatusCancelled}, {"VERVALLEN", sparki.StatusCancelled},
	{"VOORBEHOUD", sparki.StatusUnderOption}, {"BOD", sparki.StatusUnderOption}, {"OPTIE", sparki.StatusUnderOption},
	{"VERKOCHT", sparki.StatusCompleted}, {"VERHUURD", sparki.StatusCompleted}, {"GEVEILD", sparki.StatusCompleted},
}

func statusOf(value string) sparki.ProjectStatus {
	if status, ok := projectStatuses[value]; ok {
		return status
	}
	for _, w := range statusWords {
		if strings.Contains(strings.ToUpper(value), w.word) {
			return w.status
		}
	}
	return sparki.StatusClosed
}

func (c *conversion) projectStatus() sparki.ProjectStatus {
	value := c.status()
	if _, ok := projectStatuses[value]; !ok && value != "" {
		c.gaps.Note("status", value)
	}
	status := statusOf(value)
	if open := status == sparki.StatusAvailable || status == sparki.StatusUnderOption; open && (c.archived() || c.secret()) {
		return sparki.StatusClosed
	}
	return status
}

// categories sort object types (contract §7.1).
var categories = map[string]sparki.ProjectCategory{
	"WOONHUIS":    sparki.CategoryHouse,
	"APPARTEMENT": sparki.CategoryApartment,
	"BOUWGROND":   sparki.CategoryOther,
}

// otherCategories sort what is neither house, flat nor land. The names are those of the XML feed.
var otherCategories = map[string]sparki.ProjectCategory{
	"PARKEERPLAATS": sparki.CategoryParking, "PARKEERKELDER": sparki.CategoryParking,
	"GARAGEBOX": sparki.CategoryParking, "INPANDIGE_GARAGE": sparki.CategoryParking,
	"BERGING": sparki.CategoryStorage, "OPSLAGRUIMTE": sparki.CategoryStorage,
	"LIGPLAATS": sparki.CategoryOther, "ONDERSTUK": sparki.CategoryOther,
	"WOONWAGENSTANDPLAATS": sparki.CategoryOther, "STACARAVANSTANDPLAATS": sparki.CategoryOther,
}

// functions are the main functions of business property (contract §3.1). None has a category of its
// own but a garage.
var functions = fieldSet(`KANTOORRUIMTE BEDRIJFSRUIMTE WINKELRUIMTE HORECA BELEGGING BOUWGROND LEISURE
	MAATSCHAPPELIJK_VASTGOED VERHARD_BUITENTERREIN OVERIGE`)

func (c *conversion) category() sparki.ProjectCategory {
	switch {
	case c.isProject():
		return c.projectCategory()
	case c.isBusiness():
		if f := wire.Text(c.at("kenmerken.hoofdfunctie")); f != "" && !functions[f] {
			c.gaps.Note("hoofdfunctie", f)
		}
		category := sparki.CategoryOther
		wire.Elements(c.at("object.functies"), func(f gjson.Result) {
			if isActive(f) && wire.Text(f.Get("overige.categorie")) == "GARAGEBOX" {
				category = sparki.CategoryParking
			}
		})
		return category
	}
	objectType := wire.Text(c.at("object.type.objecttype"))
	if other := c.at("detail.overigOnroerendGoed.type"); objectType == "OVERIG_ONROEREND_GOED" {
		category, ok := otherCategories[wire.Text(other)]
		if !ok {
			c.gaps.Note("overigOnroerendGoed.type", wire.Text(other))
			return sparki.CategoryOther
		}
		return category
	}
	category, ok := wire.Known(&c.gaps, "objecttype", c.at("object.type.objecttype"), categories)
	switch {
	case !ok:
		return sparki.CategoryOther
	case category == sparki.CategoryApartment && wire.Text(c.at("algemeen.appartementsoort")) == "STUDENTENKAMER":
		return sparki.CategoryStudio
	}
	return category
}

// projectCategory is that of the first type of homes; several kinds make houses (contract §7).
func (c *conversion) projectCategory() sparki.ProjectCategory {
	var kinds []sparki.ProjectCategory
	wire.Elements(c.at("bouwtypen"), func(kind gjson.Result) {
		category, ok := wire.Known(&c.gaps, "objecttype", kind.Get("algemeen.objecttype"), categories)
		if !ok {
			category = sparki.CategoryOther
		}
		if !slices.Contains(kinds, category) {
			kinds = append(kinds, category)
		}
	})
	switch len(kinds) {
	case 0:
		return sparki.CategoryOther
	case 1:
		return kinds[0]
	default:
		return sparki.CategoryHouse
	}
}

// isActive says whether a function of a business property is in use: an inactive one says nothing
// (contract §3.1).
func isActive(function gjson.Result) bool { return !wire.IsFalse(function.Get("actief")) }
