package sparki

import (
	"maps"
	"reflect"
	"slices"
	"time"
)

// ProjectField is a part of a project's content that is owned as a whole.
type ProjectField string

// The fields, in the order in which they are shown.
const (
	FieldTitle           ProjectField = "TITLE"
	FieldDescription     ProjectField = "DESCRIPTION"
	FieldLongDescription ProjectField = "LONG_DESCRIPTION"
	FieldPrice           ProjectField = "PRICE"
	FieldTransactionType ProjectField = "TRANSACTION_TYPE"
	FieldStatus          ProjectField = "STATUS"
	FieldCategory        ProjectField = "CATEGORY"
	FieldAddress         ProjectField = "ADDRESS"
	FieldCoordinates     ProjectField = "COORDINATES"
	FieldDetails         ProjectField = "DETAILS"
	FieldThumbnail       ProjectField = "THUMBNAIL"
	FieldImages          ProjectField = "IMAGES"
	FieldFloorPlans      ProjectField = "FLOOR_PLANS"
)

// longText is the value of LONG_DESCRIPTION: a heading and a text are one thing to their reader.
type longText struct {
	Heading *string `json:"heading"`
	Text    *string `json:"text"`
}

// contentFields says how each field lies in a listing.
var contentFields = []struct {
	field ProjectField
	get   func(*Listing) any
	copy  func(to, from *Listing)
}{
	{FieldTitle, func(l *Listing) any { return l.Title }, func(to, from *Listing) { to.Title = from.Title }},
	{FieldDescription, func(l *Listing) any { return l.Description }, func(to, from *Listing) { to.Description = from.Description }},
	{FieldLongDescription, func(l *Listing) any { return longText{l.LongDescriptionHeading, l.LongDescription} }, func(to, from *Listing) {
		to.LongDescriptionHeading, to.LongDescription = from.LongDescriptionHeading, from.LongDescription
	}},
	{FieldPrice, func(l *Listing) any { return l.Price }, func(to, from *Listing) { to.Price = from.Price }},
	{FieldTransactionType, func(l *Listing) any { return l.TransactionType }, func(to, from *Listing) { to.TransactionType = from.TransactionType }},
	{FieldStatus, func(l *Listing) any { return l.Status }, func(to, from *Listing) { to.Status = from.Status }},
	{FieldCategory, func(l *Listing) any { return l.Category }, func(to, from *Listing) { to.Category = from.Category }},
	{FieldAddress, func(l *Listing) any { return l.Address }, func(to, from *Listing) { to.Address = from.Address }},
	{FieldCoordinates, func(l *Listing) any { return l.Coordinates }, func(to, from *Listing) { to.Coordinates = from.Coordinates }},
	{FieldDetails, func(l *Listing) any { return l.Details }, func(to, from *Listing) { to.Details = from.Details }},
	{FieldThumbnail, func(l *Listing) any { return l.ThumbnailURL }, func(to, from *Listing) { to.ThumbnailURL = from.ThumbnailURL }},
	{FieldImages, func(l *Listing) any { return l.Images }, func(to, from *Listing) { to.Images = from.Images }},
	{FieldFloorPlans, func(l *Listing) any { return l.FloorPlans }, func(to, from *Listing) { to.FloorPlans = from.FloorPlans }},
}

// ProjectFields lists every field, in the order in which they are shown.
func ProjectFields() []ProjectField {
	fields := make([]ProjectField, len(contentFields))
	for i, f := range contentFields {
		fields[i] = f.field
	}
	return fields
}

// Overrides are the fields of a linked project that belong to a person. All others are the CRM's.
type Overrides map[ProjectField]Override

// Override is when a person took a field over, and who.
type Override struct {
	At time.Time `json:"at"`
	By string    `json:"by"`
}

// Follow gives the content that a project has when it takes over from a listing everything that
// belongs to the CRM, and leaves what belongs to a person.
func Follow(own, listing *Listing, mine Overrides) *Listing {
	next := *own
	for _, f := range contentFields {
		if _, overridden := mine[f.field]; !overridden {
			f.copy(&next, listing)
		}
	}
	next.OtherMedia = listing.OtherMedia
	return &next
}

// FieldOwner says whom a field belongs to.
type FieldOwner string

// PROVIDER fields follow the CRM. A USER field was changed by a person: a refresh leaves it alone.
const (
	OwnerProvider FieldOwner = "PROVIDER"
	OwnerUser     FieldOwner = "USER"
)

// ProjectFieldState is who owns a field of a linked project, and what the CRM says beside it.
type ProjectFieldState struct {
	Field         ProjectField
	Owner         FieldOwner
	ProviderValue any
	// Differs: the project shows something else than the CRM says. A PROVIDER field does so while the
	// project is not refreshed: archived, or its item inactive.
	Differs   bool
	ChangedAt *time.Time
	ChangedBy *string
}

// FieldStates says of each field of a project that follows a listing who owns it.
func FieldStates(own, listing *Listing, mine Overrides) []*ProjectFieldState {
	states := make([]*ProjectFieldState, len(contentFields))
	for i, f := range contentFields {
		value := f.get(listing)
		states[i] = &ProjectFieldState{Field: f.field, Owner: OwnerProvider, ProviderValue: value, Differs: !same(value, f.get(own))}
		if override, ok := mine[f.field]; ok {
			states[i].Owner, states[i].ChangedAt, states[i].ChangedBy = OwnerUser, &override.At, &override.By
		}
	}
	return states
}

// FieldChange is one part of a listing that changed.
type FieldChange struct {
	Field  string `json:"field"`
	Before any    `json:"before"`
	After  any    `json:"after"`
}

// Diff lists the fields in which two listings differ.
func Diff(before, after *Listing) []*FieldChange {
	changes := []*FieldChange{}
	for _, f := range contentFields {
		if was, is := f.get(before), f.get(after); !same(was, is) {
			changes = append(changes, &FieldChange{string(f.field), was, is})
		}
	}
	return changes
}

// same compares values as they are shown: an empty list is one whether it is nil or not.
func same(a, b any) bool {
	va, vb := reflect.ValueOf(a), reflect.ValueOf(b)
	if va.Kind() == reflect.Slice && va.Len() == 0 && vb.Len() == 0 {
		return true
	}
	return reflect.DeepEqual(a, b)
}

// Take gives overrides with more fields that belong to a person from now on.
func (o Overrides) Take(fields []ProjectField, by string, at time.Time) Overrides {
	next := maps.Clone(o)
	if next == nil {
		next = Overrides{}
	}
	for _, field := range fields {
		next[field] = Override{At: at, By: by}
	}
	return next
}

// AllBut are the overrides of a project of which only these fields follow the CRM.
func AllBut(fields []ProjectField) Overrides {
	return Overrides{}.Take(ProjectFields(), "", time.Time{}).Return(fields)
}

// Return gives overrides without fields that belong to the CRM again.
func (o Overrides) Return(fields []ProjectField) Overrides {
	next := maps.Clone(o)
	maps.DeleteFunc(next, func(field ProjectField, _ Override) bool { return slices.Contains(fields, field) })
	return next
}

// mediaFields says which field a kind of medium belongs to.
var mediaFields = map[MediaKind]ProjectField{MediaThumbnail: FieldThumbnail, MediaImage: FieldImages, MediaFloorPlan: FieldFloorPlans}

// MediaField is the field that a kind of medium belongs to.
func MediaField(kind MediaKind) ProjectField { return mediaFields[kind] }

// MediaToFollow lists the managed media that a project takes over from a listing: of the kinds that
// belong to the CRM.
func MediaToFollow(l *Listing, mine Overrides) (media []ProjectMedia, kinds []MediaKind) {
	for _, kind := range []MediaKind{MediaThumbnail, MediaImage, MediaFloorPlan} {
		if _, overridden := mine[mediaFields[kind]]; !overridden {
			kinds = append(kinds, kind)
		}
	}
	for _, m := range ManagedMedia(l) {
		if slices.Contains(kinds, m.Kind) {
			media = append(media, m)
		}
	}
	return media, kinds
}
