package db

import (
	"encoding/json"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"sparki.app/integrations"
)

// Listings and raw answers are only ever shown whole, so they lie in the database compressed: a
// quarter of the size, and nothing for Postgres to parse or to refuse.
var (
	zip   = must(zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2), zstd.WithWindowSize(1<<17)))
	unzip = must(zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderMaxMemory(64<<20)))
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // constant options
	}
	return v
}

func compress(b []byte) []byte { return zip.EncodeAll(b, make([]byte, 0, len(b)/3)) }

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

func decodeListing(zipped []byte) (*sparki.Listing, error) {
	b, err := decompress(zipped)
	if err != nil {
		return nil, fmt.Errorf("decompress listing: %w", err)
	}
	l := &sparki.Listing{}
	if err := json.Unmarshal(b, l); err != nil {
		return nil, fmt.Errorf("decode listing: %w", err)
	}
	return l, nil
}
