package sparki

import (
	"encoding/base64"
	"fmt"
)

// LinkPreview is what linking a project to an item would change, before anything is saved.
type LinkPreview struct {
	// Token stands for the versions of the two that the preview looked at.
	Token                               string
	Item                                *Item
	Changes                             []*FieldChange
	MediaAdded, MediaRemoved, MediaKept int
}

// Preview says what linking would change: nothing when the project follows the item already. Manual
// media stay; the item's come beside them.
func Preview(p *Project, media []*ProjectMedia, item *Item) *LinkPreview {
	preview := &LinkPreview{
		Token:   base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s.%d.%s.%d", p.ID, p.Version, item.ID, item.Version)),
		Item:    item,
		Changes: []*FieldChange{},
	}
	if p.Link != nil && p.Link.ItemID == item.ID { // it follows this item already
		preview.MediaKept = len(media)
		return preview
	}
	preview.Changes = Diff(p.Listing, Follow(p.Listing, item.Listing, nil))
	type key struct {
		kind MediaKind
		id   string
	}
	wanted := map[key]bool{}
	for _, m := range ManagedMedia(item.Listing) {
		wanted[key{m.Kind, *m.ExternalID}] = true
	}
	for _, m := range media {
		switch {
		case m.Origin == MediaManual:
			preview.MediaKept++
		case wanted[key{m.Kind, *m.ExternalID}]:
			preview.MediaKept++
			delete(wanted, key{m.Kind, *m.ExternalID})
		default:
			preview.MediaRemoved++
		}
	}
	preview.MediaAdded = len(wanted)
	return preview
}

// ReviewDecision is what a person decides about a project whose item went inactive.
type ReviewDecision string

// KEEP leaves it as it is, ARCHIVE puts it away, DISCONNECT ends the link.
const (
	ReviewKeep       ReviewDecision = "KEEP"
	ReviewArchive    ReviewDecision = "ARCHIVE"
	ReviewDisconnect ReviewDecision = "DISCONNECT"
)

// ProjectPatch changes a project by hand: the content fields that it names, and the appointment length.
type ProjectPatch struct {
	Set                map[ProjectField]func(*Listing)
	AppointmentMinutes *int
}

// Apply changes the project.
func (p ProjectPatch) Apply(project *Project) {
	for _, set := range p.Set {
		set(project.Listing)
	}
	if p.AppointmentMinutes != nil {
		project.AppointmentMinutes = *p.AppointmentMinutes
	}
}

// Fields lists what the patch changes.
func (p ProjectPatch) Fields() []ProjectField {
	fields := make([]ProjectField, 0, len(p.Set))
	for field := range p.Set {
		fields = append(fields, field)
	}
	return fields
}
