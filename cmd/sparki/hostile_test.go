package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// speaker says something about an object in a CRM's own fields. The values are JSON as it stands in
// the answer, broken texts included; media are a list of URLs.
type speaker struct {
	title, text, price, latitude, media func(entity map[string]any, value string)
	// changed says that the object was changed just now: in 2027.
	changed func(entity map[string]any)
	// unknown gives it the status "Ruimteschip", which nobody knows.
	unknown func(entity map[string]any)
}

// speakers are all CRMs: a new one says here how its objects name these things.
var speakers = map[string]speaker{
	"kolibri": {
		title: func(e map[string]any, v string) { e["titleText"] = kolibriText(v) },
		text:  func(e map[string]any, v string) { e["advertisementText"] = kolibriText(v) },
		price: func(e map[string]any, v string) {
			e["hidePrice"], e["forSale"], e["forRent"] = false, true, false
			e["saleOffer"] = map[string]any{"salePrice": json.RawMessage(v)}
		},
		latitude: func(e map[string]any, v string) {
			e["hideAddress"] = false
			e["address"].(map[string]any)["geoLocation"] = map[string]any{"latitude": json.RawMessage(v), "longitude": 5.1}
		},
		media: func(e map[string]any, v string) {
			var photos []map[string]any
			var urls []json.RawMessage
			_ = json.Unmarshal([]byte(v), &urls) // the table's own
			for n, u := range urls {
				photos = append(photos, map[string]any{"fileDataId": fmt.Sprintf("b10b0001-1111-4222-8333-%012d", n), "urlOriginal": u, "contentType": "image/jpeg"})
			}
			e["photos"] = photos
		},
		changed: func(e map[string]any) { e["dateTimeModified"] = "2027-01-01T12:00:00Z" },
		unknown: func(e map[string]any) { e["availabilityStatus"] = "Ruimteschip" },
	},
	// A title is made of the address.
	"realworks": {
		title: func(e map[string]any, v string) {
			e["adres"] = map[string]any{"straat": json.RawMessage(v), "huisnummer": nil, "plaats": "", "postcode": ""}
		},
		text: func(e map[string]any, v string) {
			e["teksten"] = map[string]any{"aanbiedingstekst": json.RawMessage(v)}
		},
		price: func(e map[string]any, v string) {
			e["financieel"] = map[string]any{"overdracht": map[string]any{"koopprijs": json.RawMessage(v), "koopconditie": "KOSTEN_KOPER"}}
		},
		latitude: func(e map[string]any, v string) {
			e["adres"].(map[string]any)["latitude"], e["adres"].(map[string]any)["longitude"] = json.RawMessage(v), 5.1
		},
		media: func(e map[string]any, v string) {
			var media []map[string]any
			var urls []json.RawMessage
			_ = json.Unmarshal([]byte(v), &urls) // the table's own
			for n, u := range urls {
				media = append(media, map[string]any{"link": u, "soort": "FOTO", "vrijgave": true, "volgnummer": n + 1, "mimetype": "image/jpeg"})
			}
			e["media"] = media
		},
		changed: func(e map[string]any) { e["tijdstipLaatsteWijziging"] = "2027-01-01 12:00:00" },
		unknown: func(e map[string]any) {
			e["financieel"].(map[string]any)["overdracht"].(map[string]any)["status"] = "Ruimteschip"
		},
	},
}

func kolibriText(value string) []map[string]any {
	return []map[string]any{{"language": "Dutch", "text": json.RawMessage(value)}}
}

// shown is what the API shows of an item, and of the project that is made of it.
type shown struct {
	Title, LongDescription string
	Price                  *struct{ Amount, Label string }
	Coordinates            *struct{ Latitude, Longitude float64 }
	Images                 []struct {
		URL      string
		Position int
	}
}

const shownFields = `title longDescription price { amount label } coordinates { latitude longitude } images { url position }`

const maxShownTitle = 1000 // bytes; far more than anybody reads

// hostile is what a CRM may say, and what has to become of it. The item is never lost for it.
var hostile = map[string]struct {
	say  func(s speaker, entity map[string]any)
	good func(l shown) bool
}{
	"Script":       {sayTitle(`"<script>alert(1)</script> Villa"`), func(l shown) bool { return strings.HasSuffix(l.Title, "Villa") }},
	"LongTitle":    {sayTitle(quoted(strings.Repeat("lang ", 2000))), func(l shown) bool { return strings.HasPrefix(l.Title, "lang lang") }},
	"LongEmoji":    {sayTitle(quoted(strings.Repeat("🏡", 10_000))), func(l shown) bool { return strings.HasPrefix(l.Title, "🏡🏡") }},
	"Emoji":        {sayTitle(`"Villa 👨‍👩‍👧‍👦 🏡"`), func(l shown) bool { return l.Title == "Villa 👨‍👩‍👧‍👦 🏡" }},
	"RightToLeft":  {sayTitle(`"\u202eVilla\u200f בית"`), func(l shown) bool { return strings.Contains(l.Title, "בית") }},
	"NUL":          {sayTitle(`"Vil\u0000la"`), func(l shown) bool { return strings.HasPrefix(l.Title, "Vil") }},
	"Surrogate":    {sayTitle(`"Villa \ud800 \udc00"`), func(l shown) bool { return strings.HasPrefix(l.Title, "Villa") }},
	"BrokenUTF8":   {sayTitle("\"Villa \xff\xc3\x28\""), func(l shown) bool { return strings.HasPrefix(l.Title, "Villa") }},
	"Controls":     {sayTitle(`"Villa\u0007\u001b[31m\r\nrood"`), func(l shown) bool { return strings.HasPrefix(l.Title, "Villa") }},
	"BlankTitle":   {sayTitle(`" \t "`), nil},
	"NumberTitle":  {sayTitle(`12`), nil},
	"ObjectTitle":  {sayTitle(`{"a": ["b"]}`), nil},
	"LongText":     {sayText(quoted(strings.Repeat("tekst ", 50_000))), func(l shown) bool { return strings.HasPrefix(l.LongDescription, "tekst tekst") }},
	"NULText":      {sayText(`"voor\u0000na \ud800"`), func(l shown) bool { return strings.HasPrefix(l.LongDescription, "voor") }},
	"MarkupText":   {sayText(`"<img src=x onerror=alert(1)> tuin"`), func(l shown) bool { return strings.Contains(l.LongDescription, "tuin") }},
	"Negative":     {sayPrice(`-250000`), noAmount},
	"TinyExponent": {sayPrice(`1e-400`), noAmount},
	"HugeExponent": {sayPrice(`1e400`), noAmount},
	"Billions":     {sayPrice(`99999999999999999999`), noAmount},
	"TextPrice":    {sayPrice(`"veel"`), noAmount},
	"ObjectPrice":  {sayPrice(`{"amount": 1}`), noAmount},
	"NumberText":   {sayPrice(`"350000"`), func(l shown) bool { return l.Price != nil && l.Price.Amount == "350000.00" }},
	"NorthOfNorth": {sayLatitude(`90.1`), nowhere},
	"FarAway":      {sayLatitude(`1e9`), nowhere},
	"TextLatitude": {sayLatitude(`"noord"`), nowhere},
	"NullLatitude": {sayLatitude(`null`), nowhere},
	"FieldNames": {func(_ speaker, e map[string]any) {
		e["nieuw\x00veld"], e["nieuwveld"], e["\a"], e["\u2028\u202e"], e[strings.Repeat("lang", 1000)], e["'; drop table items;--"] = 1, 2, 3, 4, 5, 6
	}, nil},
	"ThousandMedia": {func(s speaker, e map[string]any) {
		urls := make([]string, 1000)
		for n := range urls {
			urls[n] = fmt.Sprintf("https://fotos.example/%d.jpg", n)
		}
		all, _ := json.Marshal(urls) // texts only
		s.media(e, string(all))
	}, func(l shown) bool { return len(l.Images) == 1000 && l.Images[999].Position == 999 }},
	"BadURLs": {func(s speaker, e map[string]any) {
		s.media(e, `["javascript:alert(1)", "data:text/html,<script>", "file:///etc/passwd", "//fotos.example/a", "ftp://fotos.example/a",
			"https://u:p@fotos.example/a", "https://", "", 12, null, {}, "https://fotos.example/\u0000", "https://fotos.example/\ud800", "JAVASCRIPT:alert(1)",
			" https://fotos.example/spatie", "https://fotos.example/goed.jpg"]`)
	}, func(l shown) bool {
		return len(l.Images) > 0 && strings.Contains(l.Images[len(l.Images)-1].URL, "/goed.jpg")
	}},
}

func sayTitle(v string) func(speaker, map[string]any) {
	return func(s speaker, e map[string]any) { s.title(e, v) }
}
func sayText(v string) func(speaker, map[string]any) {
	return func(s speaker, e map[string]any) { s.text(e, v) }
}
func sayPrice(v string) func(speaker, map[string]any) {
	return func(s speaker, e map[string]any) { s.price(e, v) }
}
func sayLatitude(v string) func(speaker, map[string]any) {
	return func(s speaker, e map[string]any) { s.latitude(e, v) }
}
func noAmount(l shown) bool { return l.Price == nil || l.Price.Amount == "" }
func nowhere(l shown) bool  { return l.Coordinates == nil }

// Whatever a CRM says is stored safely or left out field by field, in the item and in its project.
func TestHostileListings(t *testing.T) {
	t.Parallel()
	forKinds(t, testHostileListings)
}

func testHostileListings(t *testing.T, k kind) {
	says, speaks := speakers[k.key]
	if !speaks {
		t.Fatal("say in speakers how its objects name a title, a text, a price, a place and media")
	}
	h := newBigHookOf(t, k, len(hostile))
	objects, told := map[string]string{}, []string{}
	for name, c := range hostile {
		object := k.made(len(objects))
		objects[name], told = object, append(told, object)
		h.office.respells(object, func(e map[string]any) {
			says.changed(e)
			c.say(says, e)
		})
	}
	for _, delivery := range h.told(t, told...) {
		if s := h.settled(t, delivery); s.Outcome != "PROCESSED" {
			t.Errorf("a delivery is %s %q", s.Outcome, s.Reason)
		}
	}
	for name, c := range hostile {
		var out struct {
			SyncedItems struct {
				Nodes []struct {
					ID, State, SyncError, SourceModifiedAt string
					Listing                                shown
				}
			}
		}
		h.query(t, h.token, `query ($o: String) { syncedItems(first: 2, filter: {search: $o}) { nodes { id state syncError sourceModifiedAt listing { `+shownFields+` } } } }`,
			map[string]any{"o": objects[name]}, &out)
		if len(out.SyncedItems.Nodes) != 1 {
			t.Errorf("%s: %d items", name, len(out.SyncedItems.Nodes))
			continue
		}
		i := out.SyncedItems.Nodes[0]
		if i.State != "ACTIVE" || i.SyncError != "" || !strings.HasPrefix(i.SourceModifiedAt, "2027-01-01") {
			t.Errorf("%s: the item is %s %q, of %s", name, i.State, i.SyncError, i.SourceModifiedAt)
		}
		var made struct {
			ImportSyncedItem struct {
				Project    shown
				UserErrors []userError
			}
		}
		h.query(t, h.token, `mutation ($id: ID!) { importSyncedItem(syncedItemId: $id) { project { `+shownFields+` } userErrors { code } } }`, map[string]any{"id": i.ID}, &made)
		for what, l := range map[string]shown{"item": i.Listing, "project": made.ImportSyncedItem.Project} {
			if why := unsafe(l); why != "" || c.good != nil && !c.good(l) {
				t.Errorf("%s: the %s is not as it should be: %s\n%.300q %.300q %+v %+v %d pictures", name, what, why, l.Title, l.LongDescription, l.Price, l.Coordinates, len(l.Images))
			}
		}
	}
	// And there is nothing in it that a later sync would stumble over.
	if r := h.succeed(t); r.Failed != 0 || r.Deactivated != 0 {
		t.Errorf("the next crawl is %+v", r)
	}
}

// unsafe says what must not be in a listing, whatever its CRM says; "" when nothing is wrong.
func unsafe(l shown) string {
	if l.Title == "" || len(l.Title) > maxShownTitle {
		return fmt.Sprintf("a title of %d bytes", len(l.Title))
	}
	for _, s := range []string{l.Title, l.LongDescription} {
		if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }) {
			return "a character that nobody can show"
		}
	}
	if l.Price != nil && (strings.HasPrefix(l.Price.Amount, "-") || len(l.Price.Amount) > 15) {
		return "the price " + l.Price.Amount
	}
	if c := l.Coordinates; c != nil && (c.Latitude < -90 || c.Latitude > 90 || c.Longitude < -180 || c.Longitude > 180) {
		return "a place outside the earth"
	}
	for _, m := range l.Images {
		if u, err := url.Parse(m.URL); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
			return "a medium at " + m.URL
		}
	}
	return ""
}
