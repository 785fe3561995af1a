package listings

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/google/uuid"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
)

// reading is what was found at one moment.
type reading struct {
	found *sparki.Found
	at    time.Time // when the read began, by the database's clock
}

// save brings items, and the active projects that follow them, up to what was read: in the caller's
// transaction, and only where it is newer than what is stored. What is unchanged writes nothing.
func (s *Service) save(ctx context.Context, tx *db.Tx, i *sparki.Integration, cause sparki.ChangeCause, readings []reading) (sparki.SyncRunCounts, error) {
	counts := sparki.SyncRunCounts{Processed: len(readings)}
	info, err := s.Info(i.Provider)
	if err != nil {
		return counts, err
	}
	refs := make([]sparki.Ref, len(readings))
	for n, r := range readings {
		refs[n] = r.found.Ref
	}
	known, err := tx.KnownItems(ctx, i.ID, refs)
	if err != nil {
		return counts, err
	}
	var writes []db.ItemWrite
	var gone []reading
	for _, r := range readings {
		before, stored := known[r.found.Ref.Key()]
		if r.found.Listing == nil {
			if stored && (before.State == sparki.ItemActive || *before.InactiveReason != r.found.Inactive) {
				gone = append(gone, r)
			}
			continue
		}
		if !stored && r.found.Inactive == sparki.ReasonFilteredOut {
			continue // never was one of ours
		}
		r.found.Listing.KeepMedia(s.MayShow)
		write, err := itemWrite(r, info.MappingVersion)
		if err != nil {
			return counts, err
		}
		if stored && string(before.ContentHash) == string(write.ContentHash) {
			if before.SyncError != nil {
				if err := tx.SetSyncError(ctx, i.ID, r.found.Ref, nil); err != nil {
					return counts, err
				}
			}
			continue
		}
		writes = append(writes, write)
	}
	t := &telling{tx: tx, integration: i, cause: cause, known: known, history: map[uuid.UUID][]*sparki.FieldChange{}, gaps: map[sparki.MappingGap]int{}}
	if err := s.saveChanged(ctx, t, writes); err != nil {
		return counts, err
	}
	if err := s.saveGone(ctx, t, gone); err != nil {
		return counts, err
	}
	if err := tx.WriteHistory(ctx, cause, t.history); err != nil {
		return counts, err
	}
	if err := tx.CountGaps(ctx, i.ID, t.gaps); err != nil {
		return counts, err
	}
	counts.Created, counts.Updated, counts.Deactivated = t.created, t.updated, t.deactivated
	counts.Unchanged = counts.Processed - counts.Created - counts.Updated - counts.Deactivated
	return counts, nil
}

// itemWrite prepares what is stored of a reading.
func itemWrite(r reading, mappingVersion int) (db.ItemWrite, error) {
	f := r.found
	encoded, err := db.EncodeListing(f.Listing)
	if err != nil {
		return db.ItemWrite{}, err
	}
	content, listing := sha256.New(), sha256.New()
	content.Write(f.Raw)
	content.Write([]byte(f.Inactive))
	content.Write(binary.LittleEndian.AppendUint32(nil, uint32(mappingVersion)))
	listing.Write(encoded)
	listing.Write([]byte(f.Inactive))
	return db.ItemWrite{
		ID: sparki.NewID(), Found: f, Encoded: encoded, ContentHash: content.Sum(nil), ListingHash: listing.Sum(nil),
		MappingVersion: mappingVersion, ReadAt: r.at,
	}, nil
}

// telling counts, notes and announces what happens to items.
type telling struct {
	tx                            *db.Tx
	integration                   *sparki.Integration
	cause                         sparki.ChangeCause
	known                         map[string]db.KnownItem
	history                       map[uuid.UUID][]*sparki.FieldChange // by item
	gaps                          map[sparki.MappingGap]int
	created, updated, deactivated int
}

func (t *telling) item(what sparki.ActivityType, id uuid.UUID, title string) {
	t.tx.Tell(sparki.Activity{Type: what, Actor: sparki.SyncActor, Params: map[string]string{"title": title},
		IntegrationID: &t.integration.ID, SubjectKind: sparki.ItemNode, SubjectID: id})
}

func (s *Service) saveChanged(ctx context.Context, t *telling, writes []db.ItemWrite) error {
	if len(writes) == 0 {
		return nil
	}
	before, err := t.before(ctx, writes)
	if err != nil {
		return err
	}
	written, err := t.tx.UpsertItems(ctx, t.integration.ID, writes)
	if err != nil {
		return err
	}
	byKey := make(map[string]*db.ItemWrite, len(writes))
	for n := range writes {
		byKey[writes[n].Found.Ref.Key()] = &writes[n]
	}
	follow := map[uuid.UUID]*sparki.Listing{}
	var toReview, settled, objects []uuid.UUID
	for _, w := range written {
		write := byKey[w.Key]
		t.countGaps(write.Found)
		was, title := t.known[w.Key], write.Found.Listing.Title
		active := write.Found.Inactive == ""
		if w.Created {
			t.created++
			t.item(sparki.ItemCreated, w.ID, title)
			continue
		}
		if err := t.note(w.ID, was, before[w.ID], write); err != nil {
			return err
		}
		if was.State != db.StateOf(write.Found) || was.ObjectCode != write.Found.ObjectCode || was.AfdelingCode != write.Found.AfdelingCode {
			objects = append(objects, w.ID)
		}
		switch {
		case was.State == sparki.ItemActive && !active:
			t.deactivated++
			toReview = append(toReview, w.ID)
			t.item(sparki.ItemDeactivated, w.ID, title)
		case was.State == sparki.ItemInactive && active:
			t.updated++
			settled = append(settled, w.ID)
			follow[w.ID] = write.Found.Listing
			t.item(sparki.ItemReactivated, w.ID, title)
		case string(was.ListingHash) != string(write.ListingHash):
			t.updated++
			t.item(sparki.ItemUpdated, w.ID, title)
			if active {
				follow[w.ID] = write.Found.Listing
			}
		}
	}
	if err := setReview(ctx, t.tx, toReview, settled); err != nil {
		return err
	}
	if err := refreshProjects(ctx, t, follow); err != nil || len(objects) == 0 {
		return err
	}
	return t.tx.CompareObjects(ctx, objects)
}

// before reads the listings that are about to be replaced, encoded.
func (t *telling) before(ctx context.Context, writes []db.ItemWrite) (map[uuid.UUID][]byte, error) {
	var ids []uuid.UUID
	for _, w := range writes {
		if was, stored := t.known[w.Found.Ref.Key()]; stored {
			ids = append(ids, was.ID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	return t.tx.EncodedListings(ctx, ids)
}

// note adds to an item's history what its write changed; nothing when only the CRM's stamp did.
func (t *telling) note(id uuid.UUID, was db.KnownItem, before []byte, write *db.ItemWrite) error {
	var changes []*sparki.FieldChange
	if before != nil {
		var err error
		if changes, err = db.DiffListings(before, write.Encoded); err != nil {
			return err
		}
	}
	t.keep(id, was, write.Found, changes)
	return nil
}

// keep adds to an item's history what changed of its listing, and its state if that did.
func (t *telling) keep(id uuid.UUID, was db.KnownItem, found *sparki.Found, changes []*sparki.FieldChange) {
	if is := db.StateOf(found); was.State != is {
		changes = append(changes, &sparki.FieldChange{Field: "STATE", Before: was.State, After: is})
	}
	if len(changes) > 0 {
		t.history[id] = changes
	}
}

// countGaps counts what the mapping did not know of an object.
func (t *telling) countGaps(f *sparki.Found) {
	for _, value := range f.Unknown {
		t.gaps[sparki.MappingGap{Kind: sparki.GapValue, Name: value}]++
	}
	for _, field := range f.Unused {
		t.gaps[sparki.MappingGap{Kind: sparki.GapField, Name: field}]++
	}
}

func setReview(ctx context.Context, tx *db.Tx, toReview, settled []uuid.UUID) error {
	if len(toReview) > 0 {
		if err := tx.SetNeedsReview(ctx, toReview, true); err != nil {
			return err
		}
	}
	if len(settled) > 0 {
		return tx.SetNeedsReview(ctx, settled, false)
	}
	return nil
}

// saveGone deactivates items whose object the CRM says does not exist. Their listing stays.
func (s *Service) saveGone(ctx context.Context, t *telling, gone []reading) error {
	for _, r := range gone {
		before := t.known[r.found.Ref.Key()]
		changed, err := t.tx.DeactivateItems(ctx, []uuid.UUID{before.ID}, r.found.Inactive, r.at)
		if err != nil {
			return err
		}
		if len(changed) == 0 || before.State != sparki.ItemActive {
			continue
		}
		t.deactivated++
		t.keep(before.ID, before, r.found, nil)
		t.item(sparki.ItemDeactivated, before.ID, before.Title)
		if err := t.tx.SetNeedsReview(ctx, changed, true); err != nil {
			return err
		}
		if err := t.tx.CompareObjects(ctx, changed); err != nil {
			return err
		}
	}
	return nil
}

// refreshProjects lets the active projects that follow these items take over what changed.
func refreshProjects(ctx context.Context, t *telling, follow map[uuid.UUID]*sparki.Listing) error {
	if len(follow) == 0 {
		return nil
	}
	items := make([]uuid.UUID, 0, len(follow))
	for id := range follow {
		items = append(items, id)
	}
	projects, err := t.tx.FollowingProjects(ctx, items)
	if err != nil {
		return err
	}
	for _, p := range projects {
		changed, err := refreshProject(ctx, t.tx, p, follow[p.Link.ItemID])
		if err != nil {
			return err
		}
		if changed {
			t.tx.Tell(sparki.Activity{Type: sparki.ProjectRefreshed, Actor: sparki.SyncActor, Params: map[string]string{"title": follow[p.Link.ItemID].Title},
				IntegrationID: &t.integration.ID, SubjectKind: sparki.ProjectNode, SubjectID: p.ID})
		}
	}
	return nil
}

// refreshProject lets a project take over from a listing what belongs to the CRM; false when it has it already.
func refreshProject(ctx context.Context, tx *db.Tx, p *sparki.Project, l *sparki.Listing) (bool, error) {
	next := sparki.Follow(p.Listing, l, p.Overrides)
	have, err := db.EncodeListing(p.Listing)
	if err != nil {
		return false, err
	}
	want, err := db.EncodeListing(next)
	if err != nil || string(have) == string(want) {
		return false, err
	}
	p.Listing = next
	if err := tx.UpdateProject(ctx, p, true); err != nil {
		return false, err
	}
	media, kinds := sparki.MediaToFollow(l, p.Overrides)
	return true, tx.ReplaceManagedMedia(ctx, p.ID, media, kinds)
}
