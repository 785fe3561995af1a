package realworks

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"

	"sparki.app/integrations/providers/mockkit"
)

// Links of media in the store look like
// /servlets/images/media.objectmedia/301200102.jpg?portalid=90001 (contract §2.7).
const (
	mockMediaPath = "/servlets/images/media.objectmedia/"
	mockPortal    = "?portalid=90001"
)

var mockMediaLink = regexp.MustCompile(`"` + regexp.QuoteMeta(mockMediaPath) + `([0-9]+\.[a-z0-9]+)` + regexp.QuoteMeta(mockPortal) + `"`)

// linked makes the links of media absolute and signs them.
func (m *Mock) linked(s *mockState, entity []byte) []byte {
	return mockMediaLink.ReplaceAllFunc(entity, func(link []byte) []byte {
		name, _, _ := strings.Cut(strings.TrimPrefix(string(link), `"`+mockMediaPath), "?")
		return []byte(`"` + m.mediaURL(s, name) + `"`)
	})
}

// mediaURL is the signed link of a medium's file.
func (m *Mock) mediaURL(s *mockState, name string) string {
	return m.site.URL + mockMediaPath + name + mockPortal + "&check=" + strings.ReplaceAll(s.configs[0].check(name), ":", "%3A")
}

// check is the signature of a medium's link. It covers neither sizes nor anything else in the query.
func (c mockConfig) check(name string) string {
	mac := hmac.New(sha256.New, []byte(c.MediaKey))
	mac.Write([]byte(name))
	return "api_sha256:" + hex.EncodeToString(mac.Sum(nil))
}

// mockMedium is a medium of an object.
type mockMedium struct {
	id   string
	kind string // soort
	name string // the file's name, "301200102.jpg"
	mime string
	text string // what it shows, for the drawing; "" is anything
}

// mockMediaIn finds the media of an object, its building types and its units.
func mockMediaIn(v any, found []*mockMedium) []*mockMedium {
	switch v := v.(type) {
	case []any:
		for _, element := range v {
			found = mockMediaIn(element, found)
		}
	case mockFields:
		if link := mockText(v, "link"); strings.HasPrefix(link, mockMediaPath) {
			name, _, _ := strings.Cut(path.Base(link), "?")
			id, _, _ := strings.Cut(name, ".")
			return append(found, &mockMedium{
				id: id, kind: mockText(v, "soort"), name: name, mime: mockText(v, "mimetype"),
				text: cmp.Or(mockText(v, "omschrijving"), mockText(v, "titel")),
			})
		}
		for _, key := range []string{"media", "bouwtypen", "bouwnummers"} {
			found = mockMediaIn(v[key], found)
		}
	}
	return found
}

// The sizes of pictures, in pixels (contract §2.7).
const (
	mockThumbLong, mockThumbShort = 150, 100
	mockFullLong                  = 1591
)

// mockShape is the width and height of a picture in its original size. Some are upright; floor plans
// always are.
func (d *mockMedium) mockShape() (width, height int) {
	if d.kind == "PLATTEGROND" || mockkit.Hash(d.id)%7 == 0 {
		return 1165, mockFullLong
	}
	return mockFullLong, 1165
}

// size is the width and height that a query asks for: a thumbnail, all of it with resize=4, or what
// fits into width and height together. It is never enlarged.
func (d *mockMedium) size(r *http.Request) (width, height int) {
	width, height = d.mockShape()
	q := r.URL.Query()
	if q.Get("resize") == "4" {
		return width, height
	}
	boxWidth, _ := strconv.Atoi(q.Get("width"))
	boxHeight, _ := strconv.Atoi(q.Get("height"))
	if boxWidth <= 0 || boxHeight <= 0 {
		boxWidth, boxHeight = mockThumbLong, mockThumbShort
		if height > width {
			boxWidth, boxHeight = 110, 150
		}
	}
	if boxWidth >= width && boxHeight >= height {
		return width, height
	}
	if width*boxHeight > height*boxWidth { // wider than the box
		return boxWidth, max(1, height*boxWidth/width)
	}
	return max(1, width*boxHeight/height), boxHeight
}

// media serves a picture, a floor plan, a brochure or a video to everybody who has a signed link.
// Pictures are drawn from id and text, so they need no place in the store.
func (m *Mock) media(w http.ResponseWriter, r *http.Request, s *mockState) error {
	name := r.PathValue("name")
	check := r.URL.Query().Get("check")
	signed := false
	for _, c := range s.configs {
		signed = signed || hmac.Equal([]byte(check), []byte(c.check(name)))
	}
	if !signed {
		return &mockProblem{status: http.StatusForbidden, error: "Ongeldige controlecode."}
	}
	id, _, _ := strings.Cut(name, ".")
	d := s.media[id]
	if d == nil || d.name != name {
		return mockNoPath()
	}
	width, height := d.size(r)
	key := name + " " + strconv.Itoa(width) + "x" + strconv.Itoa(height) + " " + d.text
	body, err := m.pictures.Get(key, func() ([]byte, error) { return d.draw(width, height) })
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", d.mime)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "private, max-age=3600")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
	return nil
}

// mockMotifs are what photos without a text show.
var mockMotifs = []string{"voorgevel", "woonkamer", "keuken", "slaapkamer", "badkamer", "tuin"}

func (d *mockMedium) draw(width, height int) ([]byte, error) {
	seed := mockkit.Hash(d.id)
	switch {
	case d.mime == "application/pdf":
		return mockkit.PDF(mockOfficeName, d.text), nil
	case d.mime == "video/mp4":
		return mockVideo, nil
	case d.kind == "PLATTEGROND":
		return mockkit.FloorPlan(seed, width, height, d.mime == "image/png")
	default:
		text := strings.ToLower(cmp.Or(d.text, mockMotifs[seed%uint64(len(mockMotifs))]))
		return mockkit.Photo(strings.ReplaceAll(text, " ", "-"), seed, width, height)
	}
}

// mockVideo is the beginning of every MP4 file, and no more than that: nobody plays it.
var mockVideo = bytes.Join([][]byte{{0, 0, 0, 24}, []byte("ftypisom"), {0, 0, 2, 0}, []byte("isommp42"), {0, 0, 0, 8}, []byte("mdat")}, nil)
