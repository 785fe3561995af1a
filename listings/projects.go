package listings

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
)

// Import makes a project from an item, once. An item that was imported before gives a Refusal with
// ALREADY_LINKED and that project.
func (s *Service) Import(ctx context.Context, who *sparki.Principal, itemID uuid.UUID) (*sparki.Project, error) {
	var project uuid.UUID
	err := s.DB.Tx(ctx, who.PortalID, func(tx *db.Tx) error {
		item, err := tx.Item(ctx, itemID)
		if err != nil {
			return err
		}
		if before, err := tx.ImportedProject(ctx, itemID); sparki.KindOf(err) != sparki.NotFound {
			if err == nil {
				project = before.ID
				err = sparki.Refuse(sparki.CodeAlreadyLinked, "this item was imported before", "syncedItemId")
			}
			return err
		}
		if item.State != sparki.ItemActive {
			return sparki.Refuse(sparki.CodeItemInactive, "this item is inactive in the CRM: it cannot be imported", "syncedItemId")
		}
		project = sparki.NewID()
		if err := tx.InsertProject(ctx, project, &itemID, sparki.DefaultAppointmentMinutes, item.Listing); err != nil {
			return err
		}
		tellProject(tx, sparki.ProjectImported, who, project, item.Listing.Title, &item.IntegrationID)
		media, kinds := sparki.MediaToFollow(item.Listing, nil)
		return tx.ReplaceManagedMedia(ctx, project, media, kinds)
	})
	return s.after(ctx, who, project, err)
}

// Preview says what Link would change, and gives the token that binds it to the versions it looked at.
func (s *Service) Preview(ctx context.Context, who *sparki.Principal, projectID, itemID uuid.UUID) (*sparki.LinkPreview, error) {
	var preview *sparki.LinkPreview
	err := s.DB.Tx(ctx, who.PortalID, func(tx *db.Tx) error {
		project, item, media, err := pair(ctx, tx, projectID, itemID)
		if err == nil {
			preview = sparki.Preview(project, media, item)
		}
		return err
	})
	return preview, err
}

// pair reads and locks a project with its media and an item.
func pair(ctx context.Context, tx *db.Tx, projectID, itemID uuid.UUID) (*sparki.Project, *sparki.Item, []*sparki.ProjectMedia, error) {
	item, err := tx.Item(ctx, itemID)
	if err != nil {
		return nil, nil, nil, err
	}
	project, err := tx.Project(ctx, projectID)
	if err != nil {
		return nil, nil, nil, err
	}
	media, err := tx.MediaOf(ctx, projectID)
	return project, item, media, err
}

// Link lets a project follow an item, and fills it from the item. With the token of a preview, only
// if neither has changed since.
func (s *Service) Link(ctx context.Context, who *sparki.Principal, projectID, itemID uuid.UUID, token *string) (*sparki.Project, error) {
	err := s.DB.Tx(ctx, who.PortalID, func(tx *db.Tx) error {
		project, item, media, err := pair(ctx, tx, projectID, itemID)
		if err != nil {
			return err
		}
		switch {
		case token != nil && *token != sparki.Preview(project, media, item).Token:
			return sparki.Refuse(sparki.CodeStalePreview, "the project or the item changed since the preview: look at it again", "previewToken")
		case project.Link != nil && project.Link.ItemID == itemID:
			return nil
		case project.Link != nil:
			return sparki.Refuse(sparki.CodeAlreadyLinked, "this project follows another item: disconnect it first", "projectId")
		case project.Lifecycle == sparki.Archived:
			return sparki.Refuse(sparki.CodeProjectArchived, "this project is archived", "projectId")
		case item.State != sparki.ItemActive:
			return sparki.Refuse(sparki.CodeItemInactive, "this item is inactive in the CRM: it cannot be linked", "syncedItemId")
		}
		if err := tx.SetProjectLink(ctx, projectID, &itemID); err != nil {
			return err
		}
		project.Listing, project.Overrides = sparki.Follow(project.Listing, item.Listing, nil), nil
		if err := tx.UpdateProject(ctx, project, true); err != nil {
			return err
		}
		tellProject(tx, sparki.ProjectLinked, who, projectID, item.Listing.Title, &item.IntegrationID)
		managed, kinds := sparki.MediaToFollow(item.Listing, nil)
		return tx.ReplaceManagedMedia(ctx, projectID, managed, kinds)
	})
	return s.after(ctx, who, projectID, err)
}

// Disconnect ends a project's link. It keeps all its data; managed media become manual.
func (s *Service) Disconnect(ctx context.Context, who *sparki.Principal, projectID uuid.UUID) (*sparki.Project, error) {
	err := s.DB.Tx(ctx, who.PortalID, func(tx *db.Tx) error {
		project, err := tx.Project(ctx, projectID)
		if err != nil || project.Link == nil {
			return err
		}
		return disconnect(ctx, tx, who, project)
	})
	return s.after(ctx, who, projectID, err)
}

func disconnect(ctx context.Context, tx *db.Tx, who *sparki.Principal, project *sparki.Project) error {
	if err := tx.SetProjectLink(ctx, project.ID, nil); err != nil {
		return err
	}
	tellProject(tx, sparki.ProjectDisconnected, who, project.ID, project.Title, nil)
	return tx.FreeManagedMedia(ctx, project.ID)
}

// Create adds a project by hand.
func (s *Service) Create(ctx context.Context, who *sparki.Principal, patch sparki.ProjectPatch) (*sparki.Project, error) {
	project := &sparki.Project{ID: sparki.NewID(), AppointmentMinutes: sparki.DefaultAppointmentMinutes, Listing: &sparki.Listing{
		Status: sparki.StatusAvailable, Category: sparki.CategoryOther,
	}}
	patch.Apply(project)
	if project.Title == "" {
		return nil, sparki.Refuse(sparki.CodeRequired, "a project needs a title", "input", "title")
	}
	err := s.DB.Tx(ctx, who.PortalID, func(tx *db.Tx) error {
		tellProject(tx, sparki.ProjectCreated, who, project.ID, project.Title, nil)
		return tx.InsertProject(ctx, project.ID, nil, project.AppointmentMinutes, project.Listing)
	})
	return s.after(ctx, who, project.ID, err)
}

// Update changes a project. A field of a linked project that is changed belongs to the person from now on.
func (s *Service) Update(ctx context.Context, who *sparki.Principal, projectID uuid.UUID, patch sparki.ProjectPatch) (*sparki.Project, error) {
	return s.change(ctx, who, projectID, sparki.ProjectUpdated, func(tx *db.Tx, project *sparki.Project) error {
		patch.Apply(project)
		if project.Link != nil {
			project.Overrides = project.Overrides.Take(patch.Fields(), who.Name, time.Now())
		}
		return tx.UpdateProject(ctx, project, false)
	})
}

// ResetFields gives fields of a linked project back to the CRM: they take over what it says now.
func (s *Service) ResetFields(ctx context.Context, who *sparki.Principal, projectID uuid.UUID, fields []sparki.ProjectField) (*sparki.Project, error) {
	return s.change(ctx, who, projectID, sparki.ProjectUpdated, func(tx *db.Tx, project *sparki.Project) error {
		if project.Link == nil {
			return sparki.Refuse(sparki.CodeInvalid, "this project follows no CRM object: there is nothing to give its fields back to", "projectId")
		}
		item, err := tx.Item(ctx, project.Link.ItemID)
		if err != nil {
			return err
		}
		project.Overrides = project.Overrides.Return(fields)
		others := sparki.AllBut(fields) // of a project that is not refreshed they stay as well
		project.Listing = sparki.Follow(project.Listing, item.Listing, others)
		if err := tx.UpdateProject(ctx, project, true); err != nil {
			return err
		}
		media, kinds := sparki.MediaToFollow(item.Listing, others)
		return tx.ReplaceManagedMedia(ctx, projectID, media, kinds)
	})
}

// SetLifecycle moves a project to another stage. One that leaves the archive takes over what it missed.
func (s *Service) SetLifecycle(ctx context.Context, who *sparki.Principal, projectID uuid.UUID, to sparki.ProjectLifecycle) (*sparki.Project, error) {
	return s.change(ctx, who, projectID, sparki.ProjectUpdated, func(tx *db.Tx, project *sparki.Project) error {
		from := project.Lifecycle
		if err := tx.SetLifecycle(ctx, projectID, to); err != nil || from != sparki.Archived || to == sparki.Archived || project.Link == nil {
			return err
		}
		item, err := tx.Item(ctx, project.Link.ItemID)
		if err != nil {
			return err
		}
		if item.State != sparki.ItemActive {
			return tx.SetNeedsReview(ctx, []uuid.UUID{item.ID}, true)
		}
		_, err = refreshProject(ctx, tx, project, item.Listing)
		return err
	})
}

// Review settles what to do with a project whose item went inactive.
func (s *Service) Review(ctx context.Context, who *sparki.Principal, projectID uuid.UUID, decision sparki.ReviewDecision) (*sparki.Project, error) {
	return s.change(ctx, who, projectID, sparki.ProjectReviewed, func(tx *db.Tx, project *sparki.Project) error {
		switch decision {
		case sparki.ReviewArchive:
			return tx.SetLifecycle(ctx, projectID, sparki.Archived)
		case sparki.ReviewDisconnect:
			if project.Link == nil {
				return tx.SettleReview(ctx, projectID)
			}
			return disconnect(ctx, tx, who, project)
		default:
			return tx.SettleReview(ctx, projectID)
		}
	})
}

// maxMedia bounds what one project may hold, by hand and by CRM together.
const maxMedia = 500

// AddMedia adds a manual medium. A thumbnail takes the CRM's place from now on.
func (s *Service) AddMedia(ctx context.Context, who *sparki.Principal, projectID uuid.UUID, kind sparki.MediaKind, url string, title *string) (*sparki.Project, error) {
	return s.change(ctx, who, projectID, sparki.ProjectUpdated, func(tx *db.Tx, project *sparki.Project) error {
		if !s.MayShow(url) {
			return sparki.Refuse(sparki.CodeInvalid, "give an https URL that everybody can open", "input", "url")
		}
		media, err := tx.MediaOf(ctx, projectID)
		if err != nil {
			return err
		}
		if len(media) >= maxMedia {
			return sparki.Refuse(sparki.CodeInvalid, fmt.Sprintf("a project holds at most %d pictures: remove one first", maxMedia), "input")
		}
		if kind == sparki.MediaThumbnail {
			project.ThumbnailURL = &url
			if project.Link != nil {
				project.Overrides = project.Overrides.Take([]sparki.ProjectField{sparki.FieldThumbnail}, who.Name, time.Now())
			}
		}
		if err := tx.UpdateProject(ctx, project, false); err != nil { // a new version: previews of the old one are stale
			return err
		}
		return tx.AddMedia(ctx, &sparki.ProjectMedia{ID: sparki.NewID(), ProjectID: projectID, Kind: kind, URL: url, Title: title})
	})
}

// RemoveMedia takes a medium off its project. A managed one would come back with the next refresh, so
// its kind belongs to the person from now on.
func (s *Service) RemoveMedia(ctx context.Context, who *sparki.Principal, mediaID uuid.UUID) (*sparki.Project, error) {
	medium, err := s.DB.Media(ctx, who.PortalID, mediaID)
	if err != nil {
		return nil, err
	}
	return s.change(ctx, who, medium.ProjectID, sparki.ProjectUpdated, func(tx *db.Tx, project *sparki.Project) error {
		medium, err := tx.Media(ctx, mediaID) // as it is now, under the project's lock
		if err != nil {
			return err
		}
		if medium.Kind == sparki.MediaThumbnail {
			project.ThumbnailURL = nil
		}
		if medium.Origin == sparki.MediaManaged {
			project.DropMedium(*medium.ExternalID, medium.Kind)
			project.Overrides = project.Overrides.Take([]sparki.ProjectField{sparki.MediaField(medium.Kind)}, who.Name, time.Now())
		}
		if err := tx.UpdateProject(ctx, project, false); err != nil {
			return err
		}
		return tx.RemoveMedia(ctx, mediaID)
	})
}

// change runs a person's change of a project under its lock, and tells of it.
func (s *Service) change(ctx context.Context, who *sparki.Principal, projectID uuid.UUID, what sparki.ActivityType, f func(*db.Tx, *sparki.Project) error) (*sparki.Project, error) {
	err := s.DB.Tx(ctx, who.PortalID, func(tx *db.Tx) error {
		project, err := tx.Project(ctx, projectID)
		if err != nil {
			return err
		}
		if err := f(tx, project); err != nil {
			return err
		}
		tellProject(tx, what, who, projectID, project.Title, nil)
		return nil
	})
	return s.after(ctx, who, projectID, err)
}

// after wakes subscribers of a change and reads the project as it is now, also beside ALREADY_LINKED.
func (s *Service) after(ctx context.Context, who *sparki.Principal, project uuid.UUID, err error) (*sparki.Project, error) {
	if err == nil {
		s.Signals.Wake(ctx, who.PortalID)
	}
	refused, _ := err.(sparki.Refusal)
	if project == uuid.Nil || err != nil && (refused == nil || refused[0].Code != sparki.CodeAlreadyLinked) {
		return nil, err
	}
	read, readErr := s.DB.Project(ctx, who.PortalID, project)
	if readErr != nil {
		return nil, readErr
	}
	return read, err
}

func tellProject(tx *db.Tx, what sparki.ActivityType, who *sparki.Principal, project uuid.UUID, title string, integration *uuid.UUID) {
	tx.Tell(sparki.Activity{Type: what, Actor: who.Name, Params: map[string]string{"title": title}, IntegrationID: integration,
		SubjectKind: sparki.ProjectNode, SubjectID: project})
}
