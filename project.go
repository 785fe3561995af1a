package sparki

import (
	"time"

	"github.com/google/uuid"
)

// ProjectLifecycle says who sees a project.
type ProjectLifecycle string

// DRAFT and PUBLISHED projects are active; ARCHIVED ones are never refreshed.
const (
	Draft     ProjectLifecycle = "DRAFT"
	Published ProjectLifecycle = "PUBLISHED"
	Archived  ProjectLifecycle = "ARCHIVED"
)

// DefaultAppointmentMinutes is how long an appointment takes unless somebody says otherwise.
const DefaultAppointmentMinutes = 30

// Project is a customer-facing page about one property.
type Project struct {
	ID uuid.UUID
	// Listing is the project's own content: whole, or only its card, as in Item.
	*Listing
	Lifecycle ProjectLifecycle
	// Overrides are the fields that belong to a person; empty while the project follows nothing.
	Overrides Overrides
	// Version rises with every change.
	Version int64
	// Link is nil for a project that follows no CRM object.
	Link               *ProjectLink
	NeedsReview        bool
	AppointmentMinutes int
	CreatedAt          time.Time
	UpdatedAt          time.Time
}

// NodeID is the project's public id.
func (p *Project) NodeID() string { return ProjectNode.ID(p.ID) }

// ProjectLink is the hidden link that keeps a project connected to a CRM object.
type ProjectLink struct {
	ItemID       uuid.UUID
	Provider     string
	SourceType   string
	ExternalID   string
	ObjectCode   *string
	AfdelingCode *string
	LinkedAt     time.Time
	// RefreshedAt is when the project last took something over from the CRM.
	RefreshedAt *time.Time
}

// MediaKind is the place of a medium on a project.
type MediaKind string

// The places of media.
const (
	MediaThumbnail MediaKind = "THUMBNAIL"
	MediaImage     MediaKind = "IMAGE"
	MediaFloorPlan MediaKind = "FLOOR_PLAN"
)

// MediaOrigin says who owns a medium.
type MediaOrigin string

// MANAGED media follow the CRM; MANUAL media are never touched by a refresh.
const (
	MediaManaged MediaOrigin = "MANAGED"
	MediaManual  MediaOrigin = "MANUAL"
)

// ProjectMedia is one picture of a project.
type ProjectMedia struct {
	ID         uuid.UUID
	ProjectID  uuid.UUID
	Kind       MediaKind
	Origin     MediaOrigin
	ExternalID *string // the CRM's media id; nil for MANUAL
	URL        string
	Title      *string
	Position   int
	MimeType   *string
	// Copied: we serve it ourselves. Until then, and if it cannot be copied, it is served from URL.
	Copied bool
}

// AnonymousMedium is the external id of a medium to which the CRM gave none: a thumbnail without images.
const AnonymousMedium = "thumbnail"

// NodeID is the medium's public id.
func (m *ProjectMedia) NodeID() string { return MediaNode.ID(m.ID) }

// ManagedMedia lists the media that a project takes over from a listing.
func ManagedMedia(l *Listing) []ProjectMedia {
	media := make([]ProjectMedia, 0, len(l.Images)+len(l.FloorPlans)+1)
	add := func(kind MediaKind, from ListingMedia) {
		media = append(media, ProjectMedia{
			Kind: kind, Origin: MediaManaged, ExternalID: &from.ExternalID,
			URL: from.URL, Title: from.Title, Position: from.Position, MimeType: from.MimeType,
		})
	}
	if l.ThumbnailURL != nil {
		thumbnail := ListingMedia{URL: *l.ThumbnailURL, ExternalID: AnonymousMedium}
		if len(l.Images) > 0 {
			thumbnail.ExternalID, thumbnail.Title = l.Images[0].ExternalID, l.Images[0].Title
		}
		add(MediaThumbnail, thumbnail)
	}
	for _, image := range l.Images {
		add(MediaImage, image)
	}
	for _, plan := range l.FloorPlans {
		add(MediaFloorPlan, plan)
	}
	return media
}
