package mockkit

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"image"
	"image/jpeg"
	"image/png"
	"strings"
	"sync"
)

// Hash is the number from which everything random in a picture follows.
func Hash(text string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(text))
	return h.Sum64()
}

// Photo draws what a photo's name says, as a JPEG: a facade unless it names a room or the land.
func Photo(name string, seed uint64, width, height int) ([]byte, error) {
	return encodeJPEG(scene(name, seed, width, height))
}

// FloorPlan draws the walls, doors and windows of a floor, as a PNG or else a JPEG.
func FloorPlan(seed uint64, width, height int, asPNG bool) ([]byte, error) {
	plan := floorPlan(seed, width, height)
	if !asPNG {
		return encodeJPEG(plan)
	}
	var b bytes.Buffer
	e := png.Encoder{CompressionLevel: png.BestSpeed}
	err := e.Encode(&b, plan)
	return b.Bytes(), err
}

func encodeJPEG(i image.Image) ([]byte, error) {
	var b bytes.Buffer
	err := jpeg.Encode(&b, i, &jpeg.Options{Quality: 80})
	return b.Bytes(), err
}

// PDF is a valid PDF of one page, in Latin letters without accents.
func PDF(heading, title string) []byte {
	clean := strings.NewReplacer("(", "", ")", "", `\`, "")
	page := "BT /F1 28 Tf 60 740 Td (" + clean.Replace(heading) + ") Tj 0 -48 Td /F1 18 Tf (" + clean.Replace(title) + ") Tj ET\n" +
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

// Pictures keeps what was drawn lately. The zero value is empty.
type Pictures struct {
	mu   sync.Mutex
	kept map[string][]byte
	size int
}

const picturesSize = 16 << 20 // bytes

// Get gives the picture of a key, drawn when it is not at hand.
func (p *Pictures) Get(key string, draw func() ([]byte, error)) ([]byte, error) {
	p.mu.Lock()
	body := p.kept[key]
	p.mu.Unlock()
	if body != nil {
		return body, nil
	}
	body, err := draw()
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept == nil {
		p.kept = map[string][]byte{}
	}
	for old, bytes := range p.kept { // any will do
		if p.size+len(body) <= picturesSize {
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
