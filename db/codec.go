package db

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/klauspost/compress/zstd"
	"github.com/tidwall/gjson"

	"sparki.app/integrations"
)

// Listings and raw answers are only ever shown whole, so they lie in the database compressed: less
// than half of the size, and nothing for Postgres to parse or to refuse. Listings are read again and
// again and stay in the row while they are small; raw answers lie beside it and are hardly ever read,
// so for them the last quarter of the size is not worth half of the time.
var (
	zip    = newZip(false)
	zipRaw = newZip(true)
	unzip  = must(zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderMaxMemory(64<<20)))
)

func newZip(quick bool) *zstd.Encoder {
	return must(zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithNoEntropyCompression(quick),
		zstd.WithEncoderConcurrency(2), zstd.WithWindowSize(1<<17)))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // constant options
	}
	return v
}

func compress(b []byte) []byte    { return zip.EncodeAll(b, make([]byte, 0, len(b)/2)) }
func compressRaw(b []byte) []byte { return zipRaw.EncodeAll(b, make([]byte, 0, len(b)/2)) }

func decompress(b []byte) ([]byte, error) {
	if len(b) == 0 {
		return nil, nil
	}
	return unzip.DecodeAll(b, nil)
}

// EncodeListing writes a listing as it is kept. Equal listings give equal bytes.
func EncodeListing(l *sparki.Listing) ([]byte, error) {
	b, err := json.Marshal(l)
	if err != nil {
		return nil, fmt.Errorf("encode listing: %w", err)
	}
	return b, nil
}

// DiffListings is sparki.Diff of two encoded listings. It decodes only the members in which they
// differ: of most changed objects that is one.
func DiffListings(before, after []byte) ([]*sparki.FieldChange, error) {
	was, is := members(before), members(after)
	const text, heading = "longDescription", "longDescriptionHeading" // one field
	sameText := was[text] == is[text] && was[heading] == is[heading]
	for name, value := range is {
		if same := was[name] == value; same && (sameText || name != text && name != heading) {
			delete(was, name)
			delete(is, name)
		}
	}
	b, err := fromMembers(was)
	if err != nil {
		return nil, err
	}
	a, err := fromMembers(is)
	if err != nil {
		return nil, err
	}
	return sparki.Diff(b, a), nil
}

// members are the members of an encoded listing, still encoded.
func members(encoded []byte) map[string]string {
	m := make(map[string]string, 16)
	gjson.ParseBytes(encoded).ForEach(func(name, value gjson.Result) bool {
		m[name.Str] = value.Raw
		return true
	})
	return m
}

func fromMembers(members map[string]string) (*sparki.Listing, error) {
	b := []byte{'{'}
	for name, value := range members {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(strconv.AppendQuote(b, name), ':'), value...)
	}
	l := &sparki.Listing{}
	if err := json.Unmarshal(append(b, '}'), l); err != nil {
		return nil, fmt.Errorf("decode listing: %w", err)
	}
	return l, nil
}

func decompressListing(zipped []byte) ([]byte, error) {
	b, err := decompress(zipped)
	if err != nil {
		return nil, fmt.Errorf("decompress listing: %w", err)
	}
	return b, nil
}

func decodeListing(zipped []byte) (*sparki.Listing, error) {
	b, err := decompressListing(zipped)
	if err != nil {
		return nil, err
	}
	l := &sparki.Listing{}
	if err := json.Unmarshal(b, l); err != nil {
		return nil, fmt.Errorf("decode listing: %w", err)
	}
	return l, nil
}
