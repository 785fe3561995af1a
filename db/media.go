package db

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sparki.app/integrations"
)

// Blob is a file in the blob store.
type Blob struct {
	PortalID, ID uuid.UUID
	SHA256       string // hexadecimal
	MimeType     string // by content
	Size         int64  // bytes
	// Stored: the object is there.
	Stored bool
}

// Key is the name of its object. It begins with the portal, as all keys do.
func (b *Blob) Key() string { return fmt.Sprintf("%s/%s-%s", b.PortalID, b.SHA256, b.ID) }

const blobColumns = `b.portal_id, b.id, b.sha256, b.mime_type, b.size, b.stored_at is not null`

// MediaCopy is a medium that a worker holds the lease to copy.
type MediaCopy struct {
	ID       uuid.UUID
	URL      string
	Attempts int // this one included
	Fence    int64
}

// DueMedia lists a bell for every portal with media to copy, or files to collect.
func (d *DB) DueMedia(ctx context.Context) (bells []sparki.Bell, err error) {
	err = d.system(ctx, func(tx pgx.Tx) error {
		bells, err = collect(ctx, tx, pgx.RowToStructByPos[sparki.Bell], `
			select 'media:copy', portal_id, portal_id from project_media where copy_due_at <= now() group by portal_id
			union all
			select 'media:collect', portal_id, portal_id from portals where collect_due_at <= now()`)
		return err
	})
	return bells, err
}

// ClaimMediaCopies takes the lease of at most limit media that are due to be copied, or whose worker
// let its lease run out.
func (d *DB) ClaimMediaCopies(ctx context.Context, portal uuid.UUID, lease time.Duration, limit int) ([]MediaCopy, error) {
	return query(ctx, d, portal, pgx.RowToStructByPos[MediaCopy], `
		with due as materialized ( -- as a subquery it could be run more than once, and the limit be lost
			select id from project_media where portal_id = $1 and copy_due_at <= now()
			order by copy_due_at limit $3 for update skip locked
		)
		update project_media m set copy_due_at = now() + $2::interval, copy_fence = m.copy_fence + 1, copy_attempts = m.copy_attempts + 1
		from due where m.portal_id = $1 and m.id = due.id
		returning m.id, m.url, m.copy_attempts, m.copy_fence`, portal, lease, limit)
}

// HoldBlob finds the file with this content, or makes its row. What no medium refers to is kept for
// the whole grace from now on: time enough to store it and let one refer to it.
func (d *DB) HoldBlob(ctx context.Context, portal uuid.UUID, sha256, mimeType string, size int64) (*Blob, error) {
	return one(ctx, d, portal, pgx.RowToAddrOfStructByPos[Blob], `
		insert into blobs as b (portal_id, id, sha256, mime_type, size) values ($1, $2, $3, $4, $5)
		on conflict (portal_id, sha256) where doomed_at is null do update set
			unused_since = case when b.unused_since is not null then now() end
		returning `+blobColumns, portal, sparki.NewID(), sha256, mimeType, size)
}

// FinishMediaCopy lets a medium refer to a file that is stored.
func (tx *Tx) FinishMediaCopy(ctx context.Context, m *MediaCopy, blob uuid.UUID) error {
	// The file first: were it doomed meanwhile, or were it to be, its row says so under our lock.
	tag, err := tx.Exec(ctx, `
		update blobs set stored_at = coalesce(stored_at, now()), unused_since = null where portal_id = $1 and id = $2 and doomed_at is null`,
		tx.portal, blob)
	if err == nil && tag.RowsAffected() == 0 {
		return sparki.Errorf(sparki.Unavailable, "the copy was collected before it was used")
	}
	if err != nil {
		return err
	}
	tag, err = tx.Exec(ctx, `
		update project_media set blob_id = $4, copy_due_at = null, copy_attempts = 0, copy_error = null where portal_id = $1 and id = $2 and copy_fence = $3`,
		tx.portal, m.ID, m.Fence, blob)
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrLeaseLost
	}
	return err
}

// RetryMediaCopy gives a medium back that was not copied: it is due again after the delay.
func (d *DB) RetryMediaCopy(ctx context.Context, portal uuid.UUID, m *MediaCopy, delay time.Duration, problem string) error {
	return d.giveMediaBack(ctx, portal, m, `copy_due_at = now() + $4::interval, copy_error = $5`, delay, problem)
}

// ReturnMediaCopy gives a medium back for a reason of our own: the try is not counted.
func (d *DB) ReturnMediaCopy(ctx context.Context, portal uuid.UUID, m *MediaCopy, delay time.Duration, problem string) error {
	return d.giveMediaBack(ctx, portal, m, `copy_due_at = now() + $4::interval, copy_error = $5, copy_attempts = copy_attempts - 1`, delay, problem)
}

// GiveUpMediaCopy leaves a medium as it is: the CRM's URL is served until the CRM names another.
func (d *DB) GiveUpMediaCopy(ctx context.Context, portal uuid.UUID, m *MediaCopy, problem string) error {
	return d.giveMediaBack(ctx, portal, m, `copy_due_at = null, copy_error = $4`, problem)
}

func (d *DB) giveMediaBack(ctx context.Context, portal uuid.UUID, m *MediaCopy, set string, args ...any) error {
	n, err := d.exec(ctx, portal, `update project_media set `+set+` where portal_id = $1 and id = $2 and copy_fence = $3`,
		append([]any{portal, m.ID, m.Fence}, args...)...)
	if err == nil && n == 0 {
		err = ErrLeaseLost
	}
	return err
}

// BlobOfMedia finds the copy of a medium whose portal nobody named; NotFound when there is none.
func (d *DB) BlobOfMedia(ctx context.Context, media uuid.UUID) (*Blob, error) {
	var portal uuid.UUID
	err := d.system(ctx, func(tx pgx.Tx) (err error) {
		portal, err = collectOne(ctx, tx, pgx.RowTo[uuid.UUID], `select portal_id from project_media where id = $1`, media)
		return err
	})
	if err != nil {
		return nil, err
	}
	return one(ctx, d, portal, pgx.RowToAddrOfStructByPos[Blob], `
		select `+blobColumns+` from project_media m join blobs b on b.portal_id = m.portal_id and b.id = m.blob_id
		where m.portal_id = $1 and m.id = $2`, portal, media)
}

// TakeCollection says whether a portal's unused files are to be collected now, and sets the next
// time, up to a tenth earlier. Of several workers that ask at once, one is told yes.
func (d *DB) TakeCollection(ctx context.Context, portal uuid.UUID, every time.Duration) (bool, error) {
	n, err := d.exec(ctx, portal, `
		update portals set collect_due_at = now() + $2::interval * (1 - random() / 10) where portal_id = $1 and collect_due_at <= now()`, portal, every)
	return n > 0, err
}

// DoomBlobs notes which of a portal's files no medium refers to, dooms those that were so for the
// whole grace, and lists at most limit that are doomed: their objects are to be deleted.
func (d *DB) DoomBlobs(ctx context.Context, portal uuid.UUID, grace time.Duration, limit int) ([]Blob, error) {
	const unreferenced = `doomed_at is null and not exists (select from project_media m where m.portal_id = b.portal_id and m.blob_id = b.id)`
	if _, err := d.exec(ctx, portal, `update blobs b set unused_since = now() where portal_id = $1 and unused_since is null and `+unreferenced, portal); err != nil {
		return nil, err
	}
	if _, err := d.exec(ctx, portal, `update blobs b set doomed_at = now() where portal_id = $1 and unused_since < now() - $2::interval and `+unreferenced, portal, grace); err != nil {
		return nil, err
	}
	return query(ctx, d, portal, pgx.RowToStructByPos[Blob],
		`select `+blobColumns+` from blobs b where portal_id = $1 and doomed_at is not null order by id limit $2`, portal, limit)
}

// ForgetBlob ends a doomed file whose object is deleted.
func (d *DB) ForgetBlob(ctx context.Context, b *Blob) error {
	_, err := d.exec(ctx, b.PortalID, `delete from blobs where portal_id = $1 and id = $2 and doomed_at is not null`, b.PortalID, b.ID)
	return err
}
