package realworks

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"sparki.app/integrations"
	"sparki.app/integrations/providers/providertest"
)

// convert maps an object that has these fields.
func convert(t *testing.T, segment, fields string) (*sparki.Listing, []string) {
	t.Helper()
	if !gjson.Valid("{" + fields + "}") {
		t.Fatalf("not JSON: %s", fields)
	}
	c := conversion{object: objectFrom(apiOfSample(t, segment+"_"), gjson.Parse("{"+fields+"}"))}
	return c.listing(detail{code: "LM100231"}), c.gaps
}

func overdracht(fields string) string { return `"financieel":{"overdracht":{` + fields + `}}` }

func TestStatuses(t *testing.T) {
	t.Parallel()
	want := map[string]sparki.ProjectStatus{
		"PROSPECT": sparki.StatusClosed, "IN_AANMELDING": sparki.StatusClosed, "IN_VOORBEREIDING": sparki.StatusClosed, "BESCHIKBAAR": sparki.StatusAvailable,
		"ONDER_BOD": sparki.StatusUnderOption, "ONDER_OPTIE": sparki.StatusUnderOption, "VERKOCHT_ONDER_VOORBEHOUD": sparki.StatusUnderOption,
		"VERHUURD_ONDER_VOORBEHOUD": sparki.StatusUnderOption, "VERKOCHT": sparki.StatusCompleted, "VERHUURD": sparki.StatusCompleted, "GEVEILD": sparki.StatusCompleted,
		"VERKOCHT_BIJ_INSCHRIJVING": sparki.StatusCompleted, "INGETROKKEN": sparki.StatusCancelled, "INGETROKKEN_TIJDELIJK": sparki.StatusCancelled, "GEANNULEERD": sparki.StatusCancelled,
	}
	if len(want) != 15 || !maps.Equal(want, projectStatuses) {
		t.Errorf("%v", projectStatuses)
	}
	unknown := map[string]sparki.ProjectStatus{
		"": sparki.StatusClosed, "NIEUW": sparki.StatusClosed, "GEVEILD_ONDER_VOORBEHOUD": sparki.StatusUnderOption, "VERKOCHT_ONDER_VOORBEHOUD_FINANCIERING": sparki.StatusUnderOption,
		"INGESCHREVEN_BOD": sparki.StatusUnderOption, "VERKOCHT_STIL": sparki.StatusCompleted, "verhuurd_nu": sparki.StatusCompleted, "OPDRACHT_VERVALLEN": sparki.StatusCancelled,
		"VERKOOP_INGETROKKEN": sparki.StatusCancelled, "ruimteschip": sparki.StatusClosed,
	}
	for status, want := range unknown {
		l, gaps := convert(t, "wonen", overdracht(`"status":"`+status+`","transactiedatum":"2026-01-01"`))
		if l.Status != want || (len(gaps) == 0) != (status == "") {
			t.Errorf("%q: %s, unknown %v", status, l.Status, gaps)
		}
	}
	for _, flag := range []string{`"actief":false`, `"vertrouwelijk":true`, `"actief":"false"`} {
		for status, want := range want {
			if want == sparki.StatusAvailable || want == sparki.StatusUnderOption {
				want = sparki.StatusClosed
			}
			if l, _ := convert(t, "wonen", flag+","+overdracht(`"status":"`+status+`"`)); l.Status != want {
				t.Errorf("%s %s: %s", flag, status, l.Status)
			}
		}
	}
	// What else is named status is something else.
	for segment, fields := range map[string]string{
		"bog":       `"status":"VERKOCHT","diversen":{"diversen":{"status":"GEEN_WOONRUIMTE_AANWEZIG"}}`,
		"nieuwbouw": `"project":{"algemeen":{"status":"VERKOCHT"},"diversen":{"status":"Lopend"}}`,
	} {
		if l, gaps := convert(t, segment, fields); l.Status != sparki.StatusCompleted || len(gaps) > 0 {
			t.Errorf("%s: %s, %v", segment, l.Status, gaps)
		}
	}
}

func TestInactive(t *testing.T) {
	t.Parallel()
	for fields, want := range map[string]sparki.InactiveReason{
		``: "", `"actief":true,"vertrouwelijk":false`: "", `"actief":null`: "", overdracht(`"status":"VERKOCHT"`): "",
		`"actief":false`: sparki.ReasonWithdrawn, overdracht(`"status":"INGETROKKEN"`): sparki.ReasonWithdrawn, overdracht(`"status":"GEANNULEERD"`): sparki.ReasonWithdrawn,
		`"diversen":{"diversen":{"actief":false}}`:             sparki.ReasonWithdrawn,
		`"project":{"diversen":{"diversen":{"actief":false}}}`: sparki.ReasonWithdrawn,
		`"vertrouwelijk":true`:                                 sparki.ReasonNotAvailable,
		`"diversen":{"diversen":{"vertrouwelijk":true}}`:       sparki.ReasonNotAvailable,
		overdracht(`"status":"PROSPECT"`):                      sparki.ReasonNotAvailable,
		overdracht(`"status":"IN_VOORBEREIDING"`):              sparki.ReasonNotAvailable,
	} {
		o := objectFrom(&objectAPIs[0], gjson.Parse("{"+fields+"}"))
		a := sampleAccount
		if got := a.inactive(o, detail{afdeling: "935001"}); got != want {
			t.Errorf("%s: %q, want %q", fields, got, want)
		}
		a.afdelingen = []string{"935002"}
		if got := a.inactive(o, detail{afdeling: "935001"}); want != sparki.ReasonWithdrawn && got != sparki.ReasonFilteredOut {
			t.Errorf("%s in another afdeling: %q", fields, got)
		}
	}
}

func TestCategories(t *testing.T) {
	t.Parallel()
	object := func(kind, more string) string { return `"object":{"type":{"objecttype":"` + kind + `"}}` + more }
	other := func(kind string) string {
		return object("OVERIG_ONROEREND_GOED", `,"detail":{"overigOnroerendGoed":{"type":"`+kind+`"}}`)
	}
	types := func(kinds ...string) string {
		var list []string
		for _, kind := range kinds {
			list = append(list, `{"algemeen":{"objecttype":"`+kind+`"}}`)
		}
		return `"bouwtypen":[` + strings.Join(list, ",") + `]`
	}
	for _, test := range []struct {
		segment, fields string
		want            sparki.ProjectCategory
	}{
		{"wonen", object("WOONHUIS", ""), sparki.CategoryHouse}, {"wonen", object("APPARTEMENT", ""), sparki.CategoryApartment},
		{"wonen", object("APPARTEMENT", `,"algemeen":{"appartementsoort":"STUDENTENKAMER"}`), sparki.CategoryStudio},
		{"wonen", object("APPARTEMENT", `,"algemeen":{"appartementsoort":"PENTHOUSE"}`), sparki.CategoryApartment},
		{"wonen", object("BOUWGROND", ""), sparki.CategoryOther}, {"wonen", object("RUIMTESCHIP", ""), sparki.CategoryOther}, {"wonen", ``, sparki.CategoryOther},
		{"wonen", other("PARKEERPLAATS"), sparki.CategoryParking}, {"wonen", other("PARKEERKELDER"), sparki.CategoryParking}, {"wonen", other("GARAGEBOX"), sparki.CategoryParking},
		{"wonen", other("INPANDIGE_GARAGE"), sparki.CategoryParking}, {"wonen", other("BERGING"), sparki.CategoryStorage}, {"wonen", other("OPSLAGRUIMTE"), sparki.CategoryStorage},
		{"wonen", other("LIGPLAATS"), sparki.CategoryOther}, {"wonen", other("EMPTY"), sparki.CategoryOther},
		{"bog", `"kenmerken":{"hoofdfunctie":"KANTOORRUIMTE"}`, sparki.CategoryOther}, {"bog", `"kenmerken":{"hoofdfunctie":"MAANBASIS"}`, sparki.CategoryOther},
		{"bog", `"object":{"functies":[{"overige":{"categorie":"GARAGEBOX"}}]}`, sparki.CategoryParking},
		{"bog", `"object":{"functies":[{"actief":false,"overige":{"categorie":"GARAGEBOX"}}]}`, sparki.CategoryOther},
		{"nieuwbouw", types("APPARTEMENT", "APPARTEMENT"), sparki.CategoryApartment}, {"nieuwbouw", types("WOONHUIS", "APPARTEMENT"), sparki.CategoryHouse},
		{"nieuwbouw", types("APPARTEMENT", "WOONHUIS"), sparki.CategoryHouse}, {"nieuwbouw", types(), sparki.CategoryOther}, {"nieuwbouw", `"bouwtypen":null`, sparki.CategoryOther},
	} {
		if l, _ := convert(t, test.segment, test.fields); l.Category != test.want {
			t.Errorf("%s %s: %s, want %s", test.segment, test.fields, l.Category, test.want)
		}
	}
}

func TestPrices(t *testing.T) {
	t.Parallel()
	type want struct {
		amount, label string
		kind          sparki.TransactionType
	}
	business := func(fields string) string { return overdracht(`"koopEnOfHuur":{` + fields + `}`) }
	project := func(fields string) string { return `"project":{"algemeen":{` + fields + `}}` }
	for _, test := range []struct {
		segment, fields string
		want            want
	}{
		{"wonen", ``, want{}}, {"wonen", `"financieel":null`, want{}}, {"wonen", overdracht(`"koopprijs":0,"huurprijs":null`), want{}},
		{"wonen", overdracht(`"koopprijs":489000,"koopconditie":"KOSTEN_KOPER","koopprijsvoorvoegsel":null`), want{"489000.00", "€ 489.000 k.k.", sparki.Sale}},
		{"wonen", overdracht(`"koopprijs":"489000","koopconditie":"VRIJ_OP_NAAM","koopprijsvoorvoegsel":"KOOPSOM"`), want{"489000.00", "€ 489.000 v.o.n.", sparki.Sale}},
		{"wonen", overdracht(`"huurprijs":1475.5,"huurconditie":"PER_MAAND"`), want{"1475.50", "€ 1.475,50 p.m.", sparki.Rent}},
		{"wonen", overdracht(`"huurprijs":18000,"huurconditie":"PER_JAAR"`), want{"18000.00", "€ 18.000 p.j.", sparki.Rent}},
		{"wonen", overdracht(`"koopprijs":300000,"huurprijs":1500,"huurconditie":"PER_MAAND"`), want{"300000.00", "€ 300.000 of € 1.500 p.m.", sparki.SaleOrRent}},
		{"wonen", overdracht(`"huurprijs":1500,"huurprijsvoorvoegsel":"PRIJS_OP_AANVRAAG"`), want{"", "Prijs op aanvraag", sparki.Rent}},
		{"wonen", overdracht(`"koopprijs":1`), want{"", "Prijs op aanvraag", sparki.Sale}},
		{"wonen", overdracht(`"aanmeldingsreden":"IN_VERKOOP_GENOMEN"`), want{"", "", sparki.Sale}}, {"wonen", overdracht(`"aanmeldingsreden":"IN_VERHUUR_GENOMEN"`), want{"", "", sparki.Rent}},
		{"wonen", overdracht(`"aanmeldingsreden":"IN_VERKOOP_OF_VERHUUR_GENOMEN"`), want{"", "", sparki.SaleOrRent}},
		{"wonen", overdracht(`"koopprijs":1e300`), want{}}, {"wonen", overdracht(`"koopprijs":-5`), want{}}, {"wonen", overdracht(`"koopprijs":{"x":1}`), want{}},
		{"wonen", overdracht(`"koopprijs":500000,"transactieprijs":400000,"status":"VERKOCHT"`), want{"500000.00", "€ 500.000", sparki.Sale}},
		{"bog", business(`"koopprijs":0,"huurprijs":165,"huurconditie":"PER_VIERKANTE_METERS_PER_JAAR","huurprijstype":"EXCL_BTW"`), want{"", "€ 165 per m² per jaar excl. btw", sparki.Rent}},
		{"bog", business(`"huurprijs":1000,"huurprijsTot":2500,"huurprijstype":"VAN","huurconditie":"PER_MAAND"`), want{"1000.00", "€ 1.000 – € 2.500 p.m.", sparki.Rent}},
		{"bog", business(`"koopprijs":1,"koopprijsvoorvoegsel":"PRIJS_NOTK"`), want{"", "Prijs nader overeen te komen", sparki.Sale}},
		{"bog", business(`"koopprijs":750000,"koopprijsvoorvoegsel":"PRIJS_OP_AANVRAAG"`), want{"", "Prijs op aanvraag", sparki.Sale}},
		{"bog", business(`"koopprijs":750000`) + `,"marketing":{"publicatie":{"prijsvermelding":false}}`, want{"", "Prijs op aanvraag", sparki.Sale}},
		{"nieuwbouw", project(`"koopOfHuur":"KOOP","koopaanneemsomVanaf":412500,"koopaanneemsomTot":539000`), want{"412500.00", "vanaf € 412.500 v.o.n.", sparki.Sale}},
		{"nieuwbouw", project(`"koopOfHuur":"HUUR","huurprijsVanaf":1100`), want{"1100.00", "vanaf € 1.100 p.m.", sparki.Rent}},
		{"nieuwbouw", project(`"koopOfHuur":"KOOP_EN_HUUR","koopaanneemsomVanaf":300000,"huurprijsVanaf":1100`), want{"300000.00", "vanaf € 300.000 v.o.n. of vanaf € 1.100 p.m.", sparki.SaleOrRent}},
		{"nieuwbouw", project(`"koopaanneemsomVanaf":1`), want{}},
	} {
		l, _ := convert(t, test.segment, test.fields)
		var got want
		if l.TransactionType != nil {
			got.kind = *l.TransactionType
		}
		if l.Price != nil {
			got.label = l.Price.Label
			if l.Price.Amount != nil {
				got.amount = string(*l.Price.Amount)
			}
		}
		if got != test.want {
			t.Errorf("%s %s: %+v, want %+v", test.segment, test.fields, got, test.want)
		}
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	adres := func(fields string) string { return `"adres":{` + fields + `}` }
	for fields, want := range map[string]struct {
		title, label string
		physical     bool
	}{
		adres(`"straat":"Lindehof","huisnummer":{"hoofdnummer":"12","toevoeging":"A"},"postcode":"3812kl","plaats":"BOSVELD"`): {"Lindehof 12A, Bosveld", "Lindehof 12A, 3812 KL Bosveld", true},
		adres(`"straat":"Lindehof","huisnummer":{"hoofdnummer":12,"toevoeging":null},"plaats":"'S-GRAVENHAGE"`):                {"Lindehof 12, 's-Gravenhage", "Lindehof 12, 's-Gravenhage", true},
		adres(`"straat":"Lindehof","huisnummer":12,"huisnummertoevoeging":"2","plaats":"Bosveld"`):                             {"Lindehof 12-2, Bosveld", "Lindehof 12-2, Bosveld", true},
		`"straat":"Lindehof","huisnummer":"12","huisnummertoevoeging":"","plaats":"ALPHEN AAN DEN RIJN"`:                       {"Lindehof 12, Alphen aan den Rijn", "Lindehof 12, Alphen aan den Rijn", true},
		adres(`"straat":"Heideweg","huisnummer":{"hoofdnummer":"0","toevoeging":"ong"},"plaats":"EIKENDAL GEM. BOSVELD"`):      {"Heideweg, Eikendal", "Heideweg, Eikendal", true},
		adres(`"straat":"Heideweg","huisnummer":0,"plaats":"Eikendal gem Bosveld"`):                                            {"Heideweg, Eikendal", "Heideweg, Eikendal", true},
		`"straat":"Spoorlaan","huisnummer":"41","huisnummerReeksBegin":"41","huisnummerReeksEind":"45","plaats":"Waterstad"`:   {"Spoorlaan 41-45, Waterstad", "Spoorlaan 41-45, Waterstad", true},
		adres(`"straat":"Lindehof","huisnummer":{"hoofdnummer":"12"},"postcode":"3812 KL","plaats":"BOSVELD"`) +
			`,"marketing":{"publicatie":{"adresvermelding":false}},"object":{"type":{"objecttype":"WOONHUIS"}}`: {"Woonhuis, Bosveld", "Bosveld", true},
		adres(`"land":"Nederland"`): {"LM100231", "", false},
		`"adres":null`:              {"LM100231", "", false},
		adres(`"coordinaten":{"latitude":52.1,"longitude":"5.2"}`): {"LM100231", "", true},
		`"lat":52.1,"lng":5.2`:    {"LM100231", "", true},
		`"lat":0,"lng":0`:         {"LM100231", "", false},
		`"latitude":91,"lng":5.2`: {"LM100231", "", false},
	} {
		l, _ := convert(t, "wonen", fields)
		if l.Title != want.title || l.Address.Label != want.label || l.Address.Physical != want.physical || (l.Coordinates != nil) != strings.Contains(fields, "52.1") {
			t.Errorf("%s: %q %+v %v", fields, l.Title, l.Address, l.Coordinates)
		}
	}
	for raw, want := range map[string]string{
		"NOORD_HOLLAND": "Noord-Holland", "FRIESLAND": "Friesland", "Noord-Brabant": "Noord-Brabant", "EMPTY": "", "": "", "VLAAMS_BRABANT": "Vlaams brabant",
	} {
		l, _ := convert(t, "wonen", adres(`"plaats":"Edam","provincie":"`+raw+`"`))
		if got := l.Address.StateOrProvince; got == nil && want != "" || got != nil && *got != want {
			t.Errorf("%s: %v", raw, got)
		}
	}
	for raw, want := range map[string]string{"Nederland": "NL", "NL": "NL", "België": "BE", "Atlantis": "", "": ""} {
		l, _ := convert(t, "wonen", adres(`"plaats":"Edam","land":"`+raw+`"`))
		if got := l.Address.Country; got == nil && want != "" || got != nil && *got != want {
			t.Errorf("%s: %v", raw, got)
		}
	}
}

func TestTexts(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("woord ", 60)
	for name, test := range map[string]struct{ own, offered, heading, summary, long string }{
		"none":              {"", "", "", "", ""},
		"blank":             {"<br />&nbsp;<br/>", " \n ", "", "", ""},
		"one sentence":      {"", "Fijn huis.", "", "Fijn huis.", "Fijn huis."},
		"one short line":    {"", "Fijn huis", "", "Fijn huis", "Fijn huis"},
		"bold heading":      {"", "**Kop.**\n\nFijn huis.", "Kop.", "Fijn huis.", "Fijn huis."},
		"short heading":     {"", "Kop van het huis\nFijn huis.", "Kop van het huis", "Fijn huis.", "Fijn huis."},
		"bullets":           {"", "Kop\n- een\n- twee\n\nFijn huis, met **grote** tuin.", "Kop", "Fijn huis, met grote tuin.", "- een\n- twee\n\nFijn huis, met grote tuin."},
		"only bullets":      {"", "- een\n- twee", "", "- een - twee", "- een\n- twee"},
		"English":           {"", "Fijn huis.\n\n**English**\nNice house.", "", "Fijn huis.", "Fijn huis."},
		"English text":      {"", "Fijn huis.\nEnglish text:\nNice house.", "", "Fijn huis.", "Fijn huis."},
		"English inside":    {"", "Fijn English tea huis.", "", "Fijn English tea huis.", "Fijn English tea huis."},
		"own site":          {"<strong>Kop</strong><br />\n<br />\nEigen&nbsp;tekst<br />\n- een", "Fijn huis.", "Kop", "Fijn huis.", "Eigen tekst\n- een"},
		"own site alone":    {"<p>Eigen tekst.</p><ul><li>een</li><li>twee</li></ul>", "", "", "Eigen tekst.", "Eigen tekst.\n\n- een\n- twee"},
		"cut at a word":     {"", long, "", strings.TrimSuffix(strings.Repeat("woord ", 46), " ") + "…", strings.TrimSpace(long)},
		"script":            {"<script>alert(1)</script>Fijn huis.<style>x</style>", "", "", "Fijn huis.", "Fijn huis."},
		"handlers":          {`<img src=x onerror=alert(1)>Fijn <b>huis</b>.<a href="javascript:x">klik</a>`, "", "", "Fijn huis.klik", "Fijn huis.klik"},
		"behind entities":   {"", "&lt;script&gt;alert(1)&lt;/script&gt;Fijn &amp;lt;b&amp;gt;huis&amp;lt;/b&amp;gt;.", "", "Fijn huis.", "Fijn huis."},
		"half a tag":        {"", "Fijn huis. <img src=x", "", "Fijn huis.", "Fijn huis."},
		"entities for ever": {"", "Fijn " + strings.Repeat("&amp;", 1) + strings.Repeat("amp;", 20) + "lt;b huis.", "", "", ""},
		"less than":         {"", "Lasten < 100 euro & goed.", "", "Lasten < 100 euro & goed.", "Lasten < 100 euro & goed."},
		"windows lines":     {"", "Kop\r\n\r\nFijn huis.\x00", "Kop", "Fijn huis.", "Fijn huis."},
	} {
		own, _ := json.Marshal(test.own)
		offered, _ := json.Marshal(test.offered)
		c := conversion{object: objectFrom(&objectAPIs[0], gjson.Parse(`{"teksten":{"eigenSiteTekst":`+string(own)+`,"aanbiedingstekst":`+string(offered)+`}}`))}
		got := c.prose()
		if name == "entities for ever" {
			if mayBeTag.MatchString(got.long) {
				t.Errorf("%s: %q", name, got.long)
			}
			continue
		}
		if got.heading != test.heading || got.summary != test.summary || got.long != test.long {
			t.Errorf("%s: %+q", name, got)
		}
	}
	for _, text := range []string{`null`, `17`, `[]`, `{}`, `false`} {
		if l, _ := convert(t, "wonen", `"teksten":{"aanbiedingstekst":`+text+`}`); l.LongDescription != nil && *l.LongDescription != "17" {
			t.Errorf("%s: %q", text, *l.LongDescription)
		}
	}
}

func TestMedia(t *testing.T) {
	t.Parallel()
	medium := func(kind, id, order, more string) string {
		return `{"soort":"` + kind + `","link":"https://images.realworks.nl/servlets/images/media.objectmedia/` + id + `?portalid=1&check=x","volgnummer":` + order + more + `}`
	}
	l, gaps := convert(t, "wonen", `"media":[`+strings.Join([]string{
		medium("FOTO", "3.jpg", "584099", ""), medium("FOTO", "2.jpg", "1", `,"mimetype":"image/jpeg"`), medium("HOOFDFOTO", "1.png", "4", `,"mimetype":"image/png","vrijgave":true`),
		medium("FOTO", "4.jpg", "1", ""), medium("FOTO", "5.jpg", "2", `,"vrijgave":false`), medium("FOTO", "2.jpg", "9", ""), medium("FOTO", "6.pdf", "2", `,"mimetype":"application/pdf"`),
		medium("PLATTEGROND", "7.pdf", "200", `,"mimetype":"application/pdf"`), medium("DOCUMENT", "8.pdf", "1000", `,"titel":"Taxatierapport"`), medium("HOLOGRAM", "9.jpg", "1", ""),
		`{"soort":"CONNECTED_PARTNER","link":"https://tours.example.com/t/1","volgnummer":3000,"mimetype":"text/html"}`,
		`{"soort":"CONNECTED_PARTNER","link":"javascript:alert(1)"}`, `{"soort":"FOTO","link":"https://u:p@images.realworks.nl/x.jpg"}`, `{"soort":"FOTO","link":null}`, `null`, `17`,
	}, ",")+`]`)
	ids := func(media []sparki.ListingMedia) (ids []string) {
		for _, m := range media {
			ids = append(ids, m.ExternalID)
		}
		return ids
	}
	if got := ids(l.Images); !slices.Equal(got, []string{"1", "2", "4", "3"}) {
		t.Errorf("images %v", got)
	}
	if got := ids(l.FloorPlans); !slices.Equal(got, []string{"7"}) || strings.Contains(l.FloorPlans[0].URL, "resize") {
		t.Errorf("plans %v", l.FloorPlans)
	}
	if got := ids(l.OtherMedia); !slices.Equal(got, []string{"https://tours.example.com/t/1"}) || l.OtherMedia[0].URL != "https://tours.example.com/t/1" {
		t.Errorf("others %v", l.OtherMedia)
	}
	if !slices.Equal(gaps, []string{"media.soort=HOLOGRAM"}) || !strings.HasSuffix(*l.ThumbnailURL, "1.png?portalid=1&check=x&width=640&height=640") || !strings.HasSuffix(l.Images[0].URL, "check=x&resize=4") {
		t.Errorf("%v, %s, %s", gaps, *l.ThumbnailURL, l.Images[0].URL)
	}
	// A partner's link may have no query (contract §2.7).
	if got := sized("https://pictures.example.com/1.jpg", full); got != "https://pictures.example.com/1.jpg?resize=4" {
		t.Error(got)
	}
	// A project without pictures of its own has those of its first type.
	l, _ = convert(t, "nieuwbouw", `"media":[],"bouwtypen":[{"media":[`+medium("FOTO", "1.jpg", "1", "")+`]},{"media":[`+medium("FOTO", "2.jpg", "1", "")+","+medium("PLATTEGROND", "3.jpg", "1", "")+`]}]`)
	if !slices.Equal(ids(l.Images), []string{"1"}) || !slices.Equal(ids(l.FloorPlans), []string{"3"}) {
		t.Errorf("%v %v", l.Images, l.FloorPlans)
	}
}

func TestDetails(t *testing.T) {
	t.Parallel()
	for fields, want := range map[string]string{
		``: "",
		`"algemeen":{"aantalKamers":"5","bouwjaar":"1974","woonoppervlakte":124.5,"inhoud":"1438","energieklasse":"A_PPPPP"}`:                                           "Woonoppervlakte 124,5; Kamers 5; Bouwjaar 1974; Inhoud 1.438; Energielabel A+++++",
		`"algemeen":{"aantalKamers":"","bouwjaar":null,"woonoppervlakte":0,"inhoud":1e12,"energieklasse":"EMPTY"}`:                                                      "",
		`"algemeen":{"aantalKamers":"0","bouwjaar":"oud","woonoppervlakte":-5,"energieklasse":"B_P"}`:                                                                   "",
		`"detail":{"etages":[{"aantalSlaapkamers":3,"badkamers":[{},{}]},{"aantalSlaapkamers":null,"badkamers":null},{"aantalSlaapkamers":"1","badkamers":[{}]},null]}`: "Slaapkamers 4; Badkamers 3",
		`"detail":{"etages":null}`: "",
		overdracht(`"aanvaarding":"PER_DATUM","aanvaardingsdatum":"2026-04-01","servicekosten":336.72`): "Aanvaarding Per 1 april 2026; Servicekosten € 336,72 p.m.",
		overdracht(`"aanvaarding":"IN_OVERLEG","aanvaardingsdatum":"2020-04-01","servicekosten":0`):     "Aanvaarding In overleg",
		overdracht(`"aanvaarding":"EMPTY"`): "",
	} {
		l, _ := convert(t, "wonen", fields)
		var rows []string
		for _, row := range l.Details {
			rows = append(rows, row.Label+" "+row.Value)
		}
		if got := strings.Join(rows, "; "); got != want {
			t.Errorf("%s: %s, want %s", fields, got, want)
		}
	}
	l, _ := convert(t, "bog", `"object":{"functies":[{"type":"WINKELRUIMTE","winkelruimte":{"oppervlakte":100}},{"type":"KANTOORRUIMTE","actief":true,"kantoorruimte":{"oppervlakte":"50"}},
		{"type":"HORECA","actief":false,"horeca":{"oppervlakte":999}},{"type":"MAATSCHAPPELIJK_VASTGOED","maatschappelijkvastgoed":{"instellingen":[{"oppervlakte":10},{"oppervlakte":5}]}}]}`)
	if len(l.Details) != 4 || l.Details[0].Value != "165" || l.Details[3].Label != "Maatschappelijk vastgoed" || l.Details[3].Value != "15" {
		t.Errorf("%+v", l.Details)
	}
	if l, _ := convert(t, "bog", `"diversen":{"kadaster":[{"kadastergegevens":{"oppervlakte":640}}]}`); len(l.Details) != 1 || l.Details[0].Value != "640" {
		t.Errorf("%+v", l.Details)
	}
}

// plant puts a canary into everything that the mapping has no business with: every field of an object
// that is not read, and new ones at each level.
func plant(prefix string, branch map[string]any) {
	for key, v := range branch {
		switch name := prefix + key; {
		case readFields[name]:
			plantInside(v)
		case readBranches[name]:
			if inner, ok := v.(map[string]any); ok {
				plant(name+".", inner)
			}
		default:
			branch[key] = []any{canary, map[string]any{"id": canary, "naam": canary}}
		}
	}
	branch["geheim"] = canary
}

// plantInside puts it into the new fields of what is read further inside.
func plantInside(v any) {
	switch v := v.(type) {
	case []any:
		for _, element := range v {
			plantInside(element)
		}
	case map[string]any:
		for _, inner := range v {
			plantInside(inner)
		}
		for _, name := range []string{"verkoper", "memo", "telefoon", "transactieprijs", "taxatie", "collegialeInformatie", "opdrachtgever", "bankrekening"} {
			v[name] = canary
		}
	}
}

// TestNothingElseShows looks for the canary in what is made of an object.
func TestNothingElseShows(t *testing.T) {
	t.Parallel()
	for _, name := range objectSamples(t) {
		body := providertest.Sample(t, name)
		var doc map[string]any
		if err := json.Unmarshal(body, &doc); err != nil {
			t.Fatal(err)
		}
		plant("", doc)
		planted, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		before, after := foundIn(t, name, body), foundIn(t, name, planted)
		after.Raw = before.Raw // the raw answer holds all of it, for the office only
		if shown, _ := json.Marshal(after); strings.Contains(string(shown), canary) {
			t.Errorf("%s shows what must not show: %s", name, shown)
		}
		after.Unused, before.Unused = nil, nil // their names, which are all that is kept of them
		if !reflect.DeepEqual(before, after) {
			t.Errorf("%s: other fields change the listing", name)
		}
	}
}

// Sections may be missing, null, or of another kind altogether (contract §2.2): nothing fails.
func TestShapesDrift(t *testing.T) {
	t.Parallel()
	for _, name := range objectSamples(t) {
		var doc map[string]any
		if err := json.Unmarshal(providertest.Sample(t, name), &doc); err != nil {
			t.Fatal(err)
		}
		for _, key := range slices.Sorted(maps.Keys(doc)) {
			if key == "id" || key == "project" {
				continue
			}
			for _, value := range []any{nil, 17, "", []any{}, []any{nil, "x"}, map[string]any{}, map[string]any{"diversen": 1, "type": []any{}}} {
				drifted := maps.Clone(doc)
				drifted[key] = value
				body, _ := json.Marshal(drifted)
				o := objectFrom(apiOfSample(t, name), gjson.ParseBytes(body))
				if f := sampleAccount.found(o, detail{api: o.api, afdeling: "935001", code: "LM1"}, body); f.Listing.Title == "" || f.Listing.Status == "" {
					t.Errorf("%s, %s %v: %+v", name, key, value, f.Listing)
				}
			}
		}
	}
}

func FuzzFound(f *testing.F) {
	for _, name := range objectSamples(f) {
		f.Add(providertest.Sample(f, name))
	}
	f.Add([]byte(`{"id":1,"na\u0000me\ud800":1,"diversen":{"\u0007":2}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if !gjson.ValidBytes(body) {
			return
		}
		for i := range objectAPIs {
			o := objectFrom(&objectAPIs[i], gjson.ParseBytes(body))
			o.codes()
			found := sampleAccount.found(o, detail{api: o.api, afdeling: "935001", code: "LM1"}, body)
			text, err := json.Marshal(found.Listing)
			if err != nil || !utf8.Valid(text) || found.Listing.Title == "" || found.Listing.Status == "" || found.Listing.Category == "" || len(found.Listing.Title) > 2000 {
				t.Errorf("%s, %v", text, err)
			}
			for _, name := range slices.Concat(found.Unknown, found.Unused) {
				if !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
					t.Errorf("name %q", name)
				}
			}
			for _, s := range []*string{found.Listing.Description, found.Listing.LongDescription, found.Listing.LongDescriptionHeading} {
				if s != nil && (mayBeTag.MatchString(*s) || strings.ContainsRune(*s, 0)) {
					t.Errorf("text %q", *s)
				}
			}
		}
	})
}

func FuzzPlain(f *testing.F) {
	for _, text := range []string{"**Kop**\n- x", "<b>x</b>", "&lt;script&gt;", "&amp;amp;lt;b", "<<b>b>", "a < b", "<scr<script>ipt>"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		start := time.Now()
		if got := plain(text); mayBeTag.MatchString(got) {
			t.Errorf("%q becomes %q", text, got)
		}
		if len(text) < 1<<16 && time.Since(start) > 10*time.Second {
			t.Errorf("%d bytes took %v", len(text), time.Since(start))
		}
	})
}
