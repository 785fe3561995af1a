package listings

import (
	"context"

	"sparki.app/integrations"
)

// Status is the live state of an integration.
func (s *Service) Status(ctx context.Context, i *sparki.Integration) (*sparki.SyncStatus, error) {
	status := &sparki.SyncStatus{IntegrationID: i.ID}
	var err error
	if status.ActiveRuns, status.LastSucceededAt, status.LastFailure, err = s.DB.RunSummary(ctx, i.PortalID, i.ID); err != nil {
		return nil, err
	}
	if status.ItemCounts, err = s.DB.ItemCounts(ctx, i.PortalID, i.ID); err != nil {
		return nil, err
	}
	if status.PendingDeliveries, err = s.DB.PendingDeliveries(ctx, i.PortalID, i.ID); err != nil {
		return nil, err
	}
	if status.PendingWriteBacks, err = s.DB.PendingWriteBacks(ctx, i.PortalID, i.ID); err != nil {
		return nil, err
	}
	status.State = status.Summarise(i)
	return status, nil
}
