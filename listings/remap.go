package listings

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
)

const remapBatch = 100

// RenewMapping maps the stored answers of an integration again that an older mapping has read. Nobody
// is asked, and what comes out the same is not told. A second time finds nothing to do.
func (s *Service) RenewMapping(ctx context.Context, portal, integration uuid.UUID) error {
	i, err := s.DB.Integration(ctx, portal, integration)
	if err != nil {
		return err
	}
	info, err := s.Info(i.Provider)
	if err != nil {
		return err
	}
	for n := remapBatch; n == remapBatch && ctx.Err() == nil; {
		err := s.DB.Tx(ctx, portal, func(tx *db.Tx) error {
			old, err := tx.OldItems(ctx, integration, info.MappingVersion, remapBatch)
			if n = len(old); err != nil || n == 0 {
				return err
			}
			return s.remap(ctx, tx, i, info.MappingVersion, old)
		})
		if err != nil {
			return err
		}
		s.Signals.Wake(ctx, portal)
	}
	return ctx.Err()
}

func (s *Service) remap(ctx context.Context, tx *db.Tx, i *sparki.Integration, version int, old []db.OldItem) error {
	ids := make([]uuid.UUID, len(old))
	var readings []reading
	for n, item := range old {
		ids[n] = item.ID
		if len(item.Raw) == 0 {
			continue
		}
		found, err := s.Map(ctx, i, item.Ref, item.Raw)
		if err != nil { // it stays as it is until it is read again
			s.Log.WarnContext(ctx, "stored answer could not be mapped", slog.String("integration", i.NodeID()), slog.String("object", item.Ref.ID), slog.Any("error", err))
			continue
		}
		// A hair newer than what is stored, and older than whatever is read meanwhile.
		readings = append(readings, reading{found, item.ReadAt.Add(time.Microsecond)})
	}
	if _, err := s.save(ctx, tx, i, sparki.CauseRun, readings); err != nil {
		return err
	}
	return tx.SetMappingVersion(ctx, ids, version)
}
