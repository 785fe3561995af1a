package db

import (
	"context"

	"github.com/google/uuid"

	"sparki.app/integrations"
)

// pruneBatch is how many rows one statement prunes, so that no lock is held for long.
const pruneBatch = 5000

// prunes are the statements that forget what is too old, each at most $2 rows older than $3.
var prunes = []struct {
	sql  string
	keep any // an interval
}{
	{`update deliveries set body = null where portal_id = $1 and id in (
		select id from deliveries where portal_id = $1 and body is not null and outcome <> 'PENDING' and received_at < now() - $3::interval limit $2)`,
		sparki.KeepDeliveryBodies},
	{`delete from activities where portal_id = $1 and seq in (
		select seq from activities where portal_id = $1 and at < now() - $3::interval order by at limit $2)`,
		sparki.KeepActivities},
}

// Prune forgets what a portal need not keep any longer, and sets the next time: the coming night, in
// the portal's time zone, at a moment by chance. It is a job: the second id is the portal's, too. Of
// several workers that are asked at once, one works.
func (d *DB) Prune(ctx context.Context, portal, _ uuid.UUID) error {
	taken, err := d.exec(ctx, portal, `
		update portals set prune_due_at = (date_trunc('day', now() at time zone time_zone) + interval '1 day 1 hour' + random() * interval '4 hours') at time zone time_zone
		where portal_id = $1 and prune_due_at <= now()`, portal)
	if err != nil || taken == 0 {
		return err
	}
	for _, p := range prunes {
		for n := int64(pruneBatch); n == pruneBatch; {
			if n, err = d.exec(ctx, portal, p.sql, portal, pruneBatch, p.keep); err != nil {
				return err
			}
		}
	}
	return nil
}
