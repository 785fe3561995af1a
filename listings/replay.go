package listings

import (
	"context"

	"github.com/google/uuid"

	"sparki.app/integrations"
	"sparki.app/integrations/tracing"
)

// Replay reads a stored delivery again, as if it had just come: as a delivery of its own, whose
// messages do not count as doubles of the first one's.
func (s *Service) Replay(ctx context.Context, who *sparki.Principal, id uuid.UUID) (*sparki.Delivery, error) {
	found, err := s.DB.DeliveriesByID(ctx, who.PortalID, []uuid.UUID{id})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, sparki.Errorf(sparki.NotFound, "no delivery with this id")
	}
	first := found[0]
	body, err := s.DB.DeliveryBody(ctx, who.PortalID, id)
	if err != nil {
		return nil, err
	}
	if body == nil {
		return nil, sparki.Refuse(sparki.CodeInvalid, "the body of this delivery is no longer kept: start a sync instead", "deliveryId")
	}
	i, err := s.DB.Integration(ctx, who.PortalID, first.IntegrationID)
	if err != nil {
		return nil, err
	}
	again := &sparki.Delivery{ID: sparki.NewID(), PortalID: who.PortalID, IntegrationID: first.IntegrationID, Body: body, Signed: first.Signed, ReplayOf: &id, Trace: tracing.Place(ctx)}
	if again.Messages, err = s.Messages(ctx, i, body); err != nil {
		again.Outcome, again.Reason = sparki.OutcomeFailed, "the body cannot be read"
	}
	for n := range again.Messages {
		if again.Messages[n].ExternalID == "" {
			continue // never a double
		}
		again.Messages[n].ExternalID += " replayed as " + again.NodeID()
	}
	if err := s.DB.KeepDeliveries(ctx, []*sparki.Delivery{again}); err != nil {
		return nil, err
	}
	s.Signals.Wake(ctx, who.PortalID)
	s.Signals.Ring(ctx, sparki.Bell{Job: sparki.ReadInbox, PortalID: who.PortalID, ID: i.ID})
	stored, err := s.DB.DeliveriesByID(ctx, who.PortalID, []uuid.UUID{again.ID})
	if err != nil || len(stored) == 0 {
		return nil, err
	}
	return stored[0], nil
}
