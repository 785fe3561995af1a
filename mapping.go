package sparki

import "time"

// MappingGapKind is the kind of a thing that a mapping does not know.
type MappingGapKind string

// A VALUE of an enum that has no meaning here, or a FIELD that is not looked at.
const (
	GapValue MappingGapKind = "VALUE"
	GapField MappingGapKind = "FIELD"
)

// MappingGap is something that a mapping does not know.
type MappingGap struct {
	Kind MappingGapKind
	Name string // "listingType=SpaceStation"; "internalMemo"
}

// MappingGapCount is how often it was met.
type MappingGapCount struct {
	MappingGap
	// Objects counts how often an object was stored with it.
	Objects                 int
	FirstSeenAt, LastSeenAt time.Time
}
