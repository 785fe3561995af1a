package kolibri

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"image/jpeg"
	"image/png"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

// mockSizes are the sizes of a picture, by the length of its longer side in pixels (contract §3.4;
// the numbers are ours).
var mockSizes = map[string]int{"original": 1200, "big": 900, "medium": 600, "preview": 240}

var mockMediaTypes = map[string]string{".jpg": "image/jpeg", ".png": "image/png", ".pdf": "application/pdf"}

// mockShape is the width and height of a picture in its original size. Some are upright; floor
// plans always are.
func mockShape(fileDataID, extension string) (width, height int) {
	if extension == ".png" {
		return 850, 1200
	}
	if mockHash(fileDataID)%7 == 0 {
		return 800, 1200
	}
	return 1200, 800
}

// mockHash is the number from which everything random in a picture follows.
func mockHash(text string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(text))
	return h.Sum64()
}

// mockMD5 stands in for a medium's md5Hash. It is not that of the bytes that are served: those are
// made when they are asked for. It changes exactly when the medium does.
func mockMD5(fileDataID, name string) string {
	sum := md5.Sum([]byte(fileDataID + "/" + name))
	return hex.EncodeToString(sum[:])
}

// media serves a picture, a floor plan or a brochure without asking who wants it (contract §3.4).
// It is drawn from its id and name, so it needs no place in the store.
func (m *Mock) media(w http.ResponseWriter, r *http.Request) {
	id, size, name := r.PathValue("fileDataId"), r.PathValue("size"), r.PathValue("name")
	extension := path.Ext(name)
	side, known := mockSizes[size]
	if mediaType := mockMediaTypes[extension]; !known || mediaType == "" || !mockIsGUID(id) || extension == ".pdf" && size != "original" {
		http.NotFound(w, r)
		return
	} else {
		w.Header().Set("Content-Type", mediaType)
	}
	etag := strconv.Quote(mockMD5(id, size+"/"+name))
	w.Header().Set("ETag", etag)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body, err := m.pictures.get(id+"/"+size+"/"+name, func() ([]byte, error) {
		return mockMedium(id, side, strings.TrimSuffix(name, extension), extension)
	})
	if err != nil {
		http.Error(w, "cannot draw", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
}

func mockMedium(id string, side int, name, extension string) ([]byte, error) {
	if extension == ".pdf" {
		return mockPDF(name), nil
	}
	width, height := mockShape(id, extension)
	longer := max(width, height)
	width, height = width*side/longer, height*side/longer
	var b bytes.Buffer
	if extension == ".png" {
		e := png.Encoder{CompressionLevel: png.BestSpeed}
		err := e.Encode(&b, mockFloorPlan(mockHash(id), width, height))
		return b.Bytes(), err
	}
	err := jpeg.Encode(&b, mockScene(name, mockHash(id), width, height), &jpeg.Options{Quality: 80})
	return b.Bytes(), err
}

// mockPictures keeps what was drawn lately.
type mockPictures struct {
	mu   sync.Mutex
	kept map[string][]byte
	size int
}

const mockPicturesSize = 16 << 20 // bytes

func (p *mockPictures) get(key string, make_ func() ([]byte, error)) ([]byte, error) {
	p.mu.Lock()
	body := p.kept[key]
	p.mu.Unlock()
	if body != nil {
		return body, nil
	}
	body, err := make_()
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept == nil {
		p.kept = map[string][]byte{}
	}
	for old, bytes := range p.kept { // any will do
		if p.size+len(body) <= mockPicturesSize {
			break
		}
		delete(p.kept, old)
		p.size -= len(bytes)
	}
	if p.kept[key] == nil {
		p.kept[key] = body
		p.size += len(body)
	}
	return body, nil
}

// mockPDF is a valid PDF of one page that says its name.
func mockPDF(name string) []byte {
	title := strings.NewReplacer("-", " ", "(", "", ")", "", `\`, "").Replace(name)
	page := "BT /F1 28 Tf 60 740 Td (" + mockAgencyName + ") Tj 0 -48 Td /F1 18 Tf (" + title + ") Tj ET\n" +
		"0.18 0.42 0.31 rg 60 420 475 240 re f 1 1 1 rg 120 420 90 150 re f 300 480 120 90 re f\n"
	objects := []string{
		"<< /Type /Catalog /Pages 2 0 R >>",
		"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
		fmt.Sprintf("<< /Length %d >>\nstream\n%sendstream", len(page), page),
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
	}
	var b bytes.Buffer
	b.WriteString("%PDF-1.4\n")
	offsets := make([]int, len(objects))
	for i, o := range objects {
		offsets[i] = b.Len()
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	xref := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, at := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", at)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, xref)
	return b.Bytes()
}
