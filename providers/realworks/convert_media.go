package realworks

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"sparki.app/integrations"
	"sparki.app/integrations/providers/wire"
)

// medium is an element of media (contract §2.7).
type medium struct {
	kind, mimeType, title, link string
	order                       float64
}

// mediaFrom reads a list's media that may be shown: those that are released, or of which nothing is
// said (contract §2.7).
func mediaFrom(list gjson.Result) []medium {
	var all []medium
	wire.Elements(list, func(v gjson.Result) {
		m := medium{
			kind: wire.Text(v.Get("soort")), mimeType: strings.ToLower(wire.Line(v.Get("mimetype"))),
			title: cmp.Or(wire.Line(v.Get("omschrijving")), wire.Line(v.Get("titel"))), link: wire.URL(v.Get("link")),
		}
		m.order, _ = wire.Number(v.Get("volgnummer"))
		if m.link != "" && !wire.IsFalse(v.Get("vrijgave")) {
			all = append(all, m)
		}
	})
	return all
}

// id is the medium's own id, the last step of its path; its signature and size change (contract
// §2.7). A partner's link has no id but itself.
func (m medium) id() string {
	bare, _, _ := strings.Cut(m.link, "?")
	if strings.Contains(bare, "/media.objectmedia/") {
		name := path.Base(bare)
		return strings.TrimSuffix(name, path.Ext(name))
	}
	return bare
}

// isPicture: what is no picture keeps its link as it is. No word on it means a picture.
func (m medium) isPicture() bool {
	return m.mimeType == "" || strings.HasPrefix(m.mimeType, "image/")
}

// sized adds parameters to a link: without any, it leads to a thumbnail. The signature does not cover
// them (contract §2.7).
func sized(link, parameters string) string {
	separator := "?"
	if strings.Contains(link, "?") {
		separator = "&"
	}
	return link + separator + parameters
}

const (
	full      = "resize=4"
	thumbnail = "width=640&height=640"
)

// addMedia sorts the media: pictures with the main one first, plans, and films. Documents stay out,
// they are not for everybody (contract §7).
func (c *conversion) addMedia(l *sparki.Listing) {
	lists := [][]medium{mediaFrom(c.at("media"))}
	wire.Elements(c.at("bouwtypen"), func(kind gjson.Result) {
		lists = append(lists, mediaFrom(kind.Get("media")))
	})
	// A project's own pictures, or else those of its first type; the plans of all (contract §7).
	pictures := pick(lists[0], isPhoto)
	if len(pictures) == 0 && len(lists) > 1 {
		pictures = pick(lists[1], isPhoto)
	}
	l.Images = listed(pictures)
	if len(pictures) > 0 {
		l.ThumbnailURL = wire.Optional(sized(pictures[0].link, thumbnail))
	}
	var plans []medium
	for _, list := range lists {
		plans = append(plans, pick(list, func(m medium) bool { return m.kind == "PLATTEGROND" })...)
	}
	l.FloorPlans = listed(plans)
	l.OtherMedia = listed(pick(lists[0], func(m medium) bool { return m.kind == "VIDEO" || m.kind == "CONNECTED_PARTNER" }))
	for _, list := range lists {
		for _, m := range list {
			if !mediaKinds[m.kind] {
				c.gaps.Note("media.soort", m.kind)
			}
		}
	}
}

var mediaKinds = fieldSet(`HOOFDFOTO FOTO PLATTEGROND DOCUMENT VIDEO CONNECTED_PARTNER`)

func isPhoto(m medium) bool {
	return (m.kind == "HOOFDFOTO" || m.kind == "FOTO") && m.isPicture()
}

// pick takes some media in the order of their numbers, the main picture first. The list is in no
// order, and numbers come twice (contract §2.7).
func pick(list []medium, is func(medium) bool) []medium {
	var picked []medium
	for _, m := range list {
		if is(m) {
			picked = append(picked, m)
		}
	}
	slices.SortStableFunc(picked, func(a, b medium) int {
		if first := isMain(b) - isMain(a); first != 0 {
			return first
		}
		return cmp.Compare(a.order, b.order)
	})
	return picked
}

func isMain(m medium) int {
	if m.kind == "HOOFDFOTO" {
		return 1
	}
	return 0
}

// listed writes media down, each once.
func listed(media []medium) []sparki.ListingMedia {
	var all []sparki.ListingMedia
	seen := map[string]bool{}
	for _, m := range media {
		id := m.id()
		if seen[id] {
			continue
		}
		seen[id] = true
		link := m.link
		if m.isPicture() && m.kind != "VIDEO" && m.kind != "CONNECTED_PARTNER" {
			link = sized(link, full)
		}
		all = append(all, sparki.ListingMedia{
			ExternalID: id, URL: link, Title: wire.Optional(m.title), Position: len(all), MimeType: wire.MimeType(m.mimeType),
		})
	}
	return all
}
