package kolibri

import (
	"cmp"
	"strings"

	"github.com/tidwall/gjson"

	"sparki.app/integrations"
	"sparki.app/integrations/providers/wire"
)

// blob is a picture, plan, video or brochure (contract §3.4, "media blob").
type blob struct {
	fileDataID, thirdPartyID, name, description, contentType string
	original, big, medium, preview                           gjson.Result // URLs, as they came
}

func blobFrom(v gjson.Result) blob {
	var b blob
	wire.Each(v, func(key string, v gjson.Result) {
		switch key {
		case "fileDataId":
			b.fileDataID = wire.Line(v)
		case "thirdPartyIDCode":
			b.thirdPartyID = wire.Line(v)
		case "name":
			b.name = wire.Line(v)
		case "description":
			b.description = wire.Line(v)
		case "contentType":
			b.contentType = wire.Line(v)
		case "urlOriginal":
			b.original = v
		case "urlBig":
			b.big = v
		case "urlMedium":
			b.medium = v
		case "urlPreview":
			b.preview = v
		}
	})
	return b
}

// id is the medium's own id, which outlives its URLs. Third parties give their own; failing that
// it is the URL without its changing parts.
func (b blob) id(mediumURL string) string {
	if id := cmp.Or(guid(b.fileDataID), b.fileDataID, b.thirdPartyID); id != "" {
		return id
	}
	bare, _, _ := strings.Cut(mediumURL, "?")
	return bare
}

// mediaKind says what kind of media a list holds.
type mediaKind bool

const (
	pictures mediaKind = false // their names are file names, often with the address in it
	films    mediaKind = true  // and other things that are called something
)

// media lists what can be fetched in the largest size there is, each medium once, in the CRM's
// order (contract §3.4).
func media(kind mediaKind, lists ...gjson.Result) []sparki.ListingMedia {
	var all []sparki.ListingMedia
	seen := map[string]bool{}
	for _, list := range lists {
		wire.Elements(list, func(v gjson.Result) {
			b := blobFrom(v)
			mediumURL := firstURL(b.original, b.big, b.medium, b.preview)
			id := b.id(mediumURL)
			if mediumURL == "" || seen[id] {
				return
			}
			seen[id] = true
			title := b.description
			if kind == films {
				title = cmp.Or(b.description, b.name)
			}
			all = append(all, sparki.ListingMedia{
				ExternalID: id, URL: mediumURL, Title: wire.Optional(title), Position: len(all), MimeType: wire.MimeType(b.contentType),
			})
		})
	}
	return all
}

// thumbnail is a small version of the first picture.
func thumbnail(photos gjson.Result) *string {
	var found string
	if photos.IsArray() {
		photos.ForEach(func(_, v gjson.Result) bool {
			b := blobFrom(v)
			found = firstURL(b.medium, b.preview, b.big, b.original)
			return found == ""
		})
	}
	return wire.Optional(found)
}

// publicBrochures leaves out those that must not be published; no word on it means that they may
// (contract §3.4).
func publicBrochures(brochures gjson.Result) gjson.Result {
	var public []string
	wire.Elements(brochures, func(v gjson.Result) {
		if !wire.IsFalse(v.Get("allowToPublish")) {
			public = append(public, v.Raw)
		}
	})
	return gjson.Parse("[" + strings.Join(public, ",") + "]")
}

// firstURL is the first of some values that is a URL that can be fetched; "" for none.
func firstURL(values ...gjson.Result) string {
	for _, v := range values {
		if u := wire.URL(v); u != "" {
			return u
		}
	}
	return ""
}
