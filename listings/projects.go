package listings

import (
	"context"

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
		if _, err := tx.ImportProject(ctx, project, itemID, item.Listing); err != nil {
			return err
		}
		tellProject(tx, sparki.ProjectImported, who, project, item.Listing.Title, &item.IntegrationID)
		return tx.ReplaceManagedMedia(ctx, project, sparki.ManagedMedia(item.Listing))
	})
	return s.after(ctx, who, project, err)
}

// Link lets a project follow an item, and fills it from the item.
func (s *Service) Link(ctx context.Context, who *sparki.Principal, projectID, itemID uuid.UUID) (*sparki.Project, error) {
	err := s.DB.Tx(ctx, who.PortalID, func(tx *db.Tx) error {
		item, err := tx.Item(ctx, itemID)
		if err != nil {
			return err
		}
		project, err := tx.Project(ctx, projectID)
		if err != nil {
			return err
		}
		switch {
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
		if err := tx.RefreshProject(ctx, projectID, item.Listing); err != nil {
			return err
		}
		tellProject(tx, sparki.ProjectLinked, who, projectID, item.Listing.Title, &item.IntegrationID)
		return tx.ReplaceManagedMedia(ctx, projectID, sparki.ManagedMedia(item.Listing))
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
		if err := tx.SetProjectLink(ctx, projectID, nil); err != nil {
			return err
		}
		tellProject(tx, sparki.ProjectDisconnected, who, projectID, project.Title, nil)
		return tx.FreeManagedMedia(ctx, projectID)
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
