package gql

import (
	"mime"
	"strconv"
	"strings"
)

// media is a media type that answers come in.
type media uint8

const (
	mediaNone media = iota
	mediaJSON
	mediaGraphQL
	mediaEvents
)

const (
	typeJSON    = "application/json"
	typeGraphQL = "application/graphql-response+json"
	typeEvents  = "text/event-stream"
)

// contentType is shared between answers: header maps take the slice as it is. Index it by media.
var contentType = [...][]string{
	mediaNone:    {typeJSON + "; charset=utf-8"},
	mediaJSON:    {typeJSON + "; charset=utf-8"},
	mediaGraphQL: {typeGraphQL + "; charset=utf-8"},
	mediaEvents:  {typeEvents},
}

// accepted is what a client can read.
type accepted struct {
	single media // for one answer; mediaNone when it can read none
	events bool  // an event stream, which has to be named: */* does not ask for one
}

// negotiate reads the Accept header (GraphQL over HTTP §6.1 Body, RFC 9110 §12.5.1). Without one, and for */*, JSON is meant.
func negotiate(accept []string) accepted {
	if len(accept) == 0 {
		return accepted{single: mediaJSON}
	}
	if len(accept) == 1 {
		switch accept[0] {
		case "", "*/*", typeJSON:
			return accepted{single: mediaJSON}
		case typeGraphQL, typeGraphQL + ", " + typeJSON:
			return accepted{single: mediaGraphQL}
		case typeEvents:
			return accepted{events: true}
		}
	}
	return preferred(accept)
}

// wish is how much a client wants a media type; rank 0 means that it was not named.
type wish struct {
	quality float64
	rank    int
}

func (a wish) before(b wish) bool {
	switch {
	case a.quality != b.quality:
		return a.quality > b.quality
	case (a.rank == 0) != (b.rank == 0):
		return a.rank != 0
	}
	return a.rank < b.rank
}

func preferred(accept []string) accepted {
	var json, graphQL, events, any wish
	rank := 0
	for _, line := range accept {
		for item := range strings.SplitSeq(line, ",") {
			name, quality := mediaRange(item)
			rank++
			switch w := (wish{quality, rank}); name {
			case typeJSON:
				json = w
			case typeGraphQL:
				graphQL = w
			case typeEvents:
				events = w
			case "*/*", "application/*":
				any.quality = max(any.quality, quality)
			}
		}
	}
	if json.rank == 0 {
		json.quality = any.quality
	}
	if graphQL.rank == 0 {
		graphQL.quality = any.quality
	}
	out := accepted{events: events.quality > 0}
	switch {
	case graphQL.quality > 0 && graphQL.before(json):
		out.single = mediaGraphQL
	case json.quality > 0:
		out.single = mediaJSON
	}
	return out
}

// mediaRange reads one element of an Accept header: its type in lower case, "" when it is not UTF-8, and its q.
func mediaRange(item string) (name string, quality float64) {
	name, params, _ := strings.Cut(item, ";")
	quality = 1
	for p := range strings.SplitSeq(params, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		switch strings.ToLower(key) {
		case "q":
			if q, err := strconv.ParseFloat(value, 64); err == nil {
				quality = q
			}
		case "charset":
			if !isUTF8(strings.Trim(value, `"`)) {
				return "", 0
			}
		}
	}
	return strings.ToLower(strings.TrimSpace(name)), quality
}

// isJSON reports whether a request's Content-Type is JSON in UTF-8, the only one served (GraphQL over HTTP §5.4 POST). Types
// that a browser sends without asking first, such as text/plain, must never run anything.
func isJSON(contentType string) bool {
	if contentType == typeJSON {
		return true
	}
	name, params, err := mime.ParseMediaType(contentType)
	if err != nil || name != typeJSON {
		return false
	}
	charset, named := params["charset"]
	return !named || isUTF8(charset)
}

func isUTF8(charset string) bool {
	return strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "utf8")
}
