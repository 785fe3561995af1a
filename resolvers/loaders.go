package resolvers

import (
	"context"
	"sync"

	"github.com/google/uuid"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
)

type loadersKey struct{}

// loaders batch what many fields of one answer ask for one by one. They live for one answer, so
// nothing that they remember grows stale. Whoever reads a list announces what its elements may ask
// for: the first who asks has it read in one statement. No clock decides how many there are, as it does
// in loaders that collect ids for a while: on a busy machine the elements of a long list ask too late.
type loaders struct {
	integrations  *batch[*sparki.Integration]
	runs          *batch[*sparki.SyncRun]
	deliveries    *batch[*sparki.Delivery]
	items         *batch[*sparki.Item]
	wholeItems    *batch[*sparki.Item]
	raw           *batch[*db.RawAnswer]
	wholeProjects *batch[*sparki.Project]
	linked        *batch[[]*sparki.Project] // by item
	wholeLinked   *batch[[]*sparki.Project]
	media         *batch[[]*sparki.ProjectMedia] // by project
	agendaLoaders
}

// WithLoaders gives one answer its loaders, which are made when the first is asked for: a subscription that
// waits for an event has none.
func (r *Resolver) WithLoaders(ctx context.Context) context.Context {
	return context.WithValue(ctx, loadersKey{}, sync.OnceValue(func() *loaders { return r.newLoaders(ctx) }))
}

func (r *Resolver) newLoaders(ctx context.Context) *loaders {
	portal := portalOf(ctx)
	l := &loaders{agendaLoaders: r.agendaLoaders(ctx, portal)}
	l.integrations = each(ctx, func(ctx context.Context, _ []uuid.UUID) ([]*sparki.Integration, error) {
		return r.DB.Integrations(ctx, portal) // a portal has a handful
	}, func(i *sparki.Integration) uuid.UUID { return i.ID })
	l.runs = each(ctx, func(ctx context.Context, ids []uuid.UUID) ([]*sparki.SyncRun, error) {
		return r.DB.RunsByID(ctx, portal, ids)
	}, func(run *sparki.SyncRun) uuid.UUID { return run.ID })
	l.deliveries = each(ctx, func(ctx context.Context, ids []uuid.UUID) ([]*sparki.Delivery, error) {
		return r.DB.DeliveriesByID(ctx, portal, ids)
	}, func(d *sparki.Delivery) uuid.UUID { return d.ID })
	readItems := func(whole bool) *batch[*sparki.Item] {
		return each(ctx, func(ctx context.Context, ids []uuid.UUID) ([]*sparki.Item, error) {
			items, err := r.DB.ItemsByID(ctx, portal, ids, whole)
			l.announceItems(items)
			return items, err
		}, func(i *sparki.Item) uuid.UUID { return i.ID })
	}
	l.items, l.wholeItems = readItems(false), readItems(true)
	l.raw = each(ctx, func(ctx context.Context, ids []uuid.UUID) ([]*db.RawAnswer, error) {
		return r.DB.RawItems(ctx, portal, ids)
	}, func(a *db.RawAnswer) uuid.UUID { return a.ItemID })
	l.wholeProjects = each(ctx, func(ctx context.Context, ids []uuid.UUID) ([]*sparki.Project, error) {
		projects, err := r.DB.ProjectsByID(ctx, portal, ids)
		l.announceProjects(projects)
		return projects, err
	}, func(p *sparki.Project) uuid.UUID { return p.ID })
	readLinked := func(whole bool) *batch[[]*sparki.Project] {
		return many(ctx, func(ctx context.Context, items []uuid.UUID) ([]*sparki.Project, error) {
			projects, err := r.DB.ProjectsOfItems(ctx, portal, items, whole)
			l.announceProjects(projects)
			return projects, err
		}, func(p *sparki.Project) uuid.UUID { return p.Link.ItemID })
	}
	l.linked, l.wholeLinked = readLinked(false), readLinked(true)
	l.media = many(ctx, func(ctx context.Context, ids []uuid.UUID) ([]*sparki.ProjectMedia, error) {
		return r.DB.MediaOfProjects(ctx, portal, ids)
	}, func(m *sparki.ProjectMedia) uuid.UUID { return m.ProjectID })
	return l
}

// load gives the loaders of this answer.
func load(ctx context.Context) *loaders { return ctx.Value(loadersKey{}).(func() *loaders)() }

// announceItems says that items will be looked at.
func (l *loaders) announceItems(items []*sparki.Item) {
	for _, i := range items {
		l.integrations.announce(i.IntegrationID)
		l.linked.announce(i.ID)
		l.wholeLinked.announce(i.ID)
		l.raw.announce(i.ID)
	}
}

// announceProjects says that projects will be looked at.
func (l *loaders) announceProjects(projects []*sparki.Project) {
	for _, p := range projects {
		l.media.announce(p.ID)
		l.upcoming.announce(p.ID)
		if p.Link != nil {
			l.items.announce(p.Link.ItemID)
			l.wholeItems.announce(p.Link.ItemID)
		}
	}
}

// announceActivities says that activities will be looked at.
func (l *loaders) announceActivities(activities []*sparki.Activity) {
	for _, a := range activities {
		if a.IntegrationID != nil {
			l.integrations.announce(*a.IntegrationID)
		}
		switch a.SubjectKind {
		case sparki.IntegrationNode:
			l.integrations.announce(a.SubjectID)
		case sparki.SyncRunNode:
			l.runs.announce(a.SubjectID)
		case sparki.DeliveryNode:
			l.deliveries.announce(a.SubjectID)
		case sparki.ItemNode:
			l.wholeItems.announce(a.SubjectID)
		case sparki.ProjectNode:
			l.wholeProjects.announce(a.SubjectID)
		case sparki.ScheduleNode:
			l.schedules.announce(a.SubjectID)
		case sparki.AppointmentNode:
			l.appointments.announce(a.SubjectID)
		}
	}
}

// announceDeliveries says that deliveries will be looked at.
func (l *loaders) announceDeliveries(deliveries []*sparki.Delivery) {
	for _, d := range deliveries {
		l.integrations.announce(d.IntegrationID)
		if d.ReplayOf != nil {
			l.deliveries.announce(*d.ReplayOf)
		}
	}
}

// batch is a loader that is told what will be asked of it.
type batch[V any] struct {
	read func([]uuid.UUID) ([]V, []error)

	reading sync.Mutex
	known   map[uuid.UUID]result[V]

	// Never held while something is read: readers of one batch announce to others, and others to them.
	announcing sync.Mutex
	announced  []uuid.UUID
}

type result[V any] struct {
	value V
	err   error
}

// announce says that somebody may ask for an id. Nothing is read before the first one asks.
func (b *batch[V]) announce(id uuid.UUID) {
	b.announcing.Lock()
	defer b.announcing.Unlock()
	b.announced = append(b.announced, id)
}

// load gives what belongs to an id, read together with everything that was announced.
func (b *batch[V]) load(id uuid.UUID) (V, error) {
	b.reading.Lock()
	defer b.reading.Unlock()
	if _, known := b.known[id]; !known {
		b.readAll(append(b.takeAnnounced(), id))
	}
	return b.known[id].value, b.known[id].err
}

func (b *batch[V]) takeAnnounced() []uuid.UUID {
	b.announcing.Lock()
	defer b.announcing.Unlock()
	announced := b.announced
	b.announced = nil
	return announced
}

func (b *batch[V]) readAll(ids []uuid.UUID) {
	var missing []uuid.UUID
	for _, id := range ids {
		if _, known := b.known[id]; !known {
			b.known[id] = result[V]{}
			missing = append(missing, id)
		}
	}
	values, errs := b.read(missing)
	for i, id := range missing {
		b.known[id] = result[V]{values[i], errs[i]}
	}
}

// each loads one row an id; an id without a row is NotFound.
func each[T any](ctx context.Context, read func(context.Context, []uuid.UUID) ([]T, error), id func(T) uuid.UUID) *batch[T] {
	return newBatch(ctx, read, func(ids []uuid.UUID, rows []T) ([]T, []error) {
		byID := make(map[uuid.UUID]T, len(rows))
		for _, row := range rows {
			byID[id(row)] = row
		}
		out, errs := make([]T, len(ids)), make([]error, len(ids))
		for i, want := range ids {
			row, ok := byID[want]
			if out[i] = row; !ok {
				errs[i] = sparki.Errorf(sparki.NotFound, "no object with this id")
			}
		}
		return out, errs
	})
}

// many loads any number of rows an id.
func many[T any](ctx context.Context, read func(context.Context, []uuid.UUID) ([]T, error), id func(T) uuid.UUID) *batch[[]T] {
	return newBatch(ctx, read, func(ids []uuid.UUID, rows []T) ([][]T, []error) {
		byID := make(map[uuid.UUID][]T, len(ids))
		for _, row := range rows {
			byID[id(row)] = append(byID[id(row)], row)
		}
		out := make([][]T, len(ids))
		for i, want := range ids {
			out[i] = byID[want]
		}
		return out, make([]error, len(ids))
	})
}

// valuesOf gives what was read by id; an id without a value has the zero value.
func valuesOf[V any](ids []uuid.UUID, byID map[uuid.UUID]V) ([]V, []error) {
	out := make([]V, len(ids))
	for i, id := range ids {
		out[i] = byID[id]
	}
	return out, make([]error, len(ids))
}

func newBatch[R, V any](ctx context.Context, read func(context.Context, []uuid.UUID) (R, error), sort func([]uuid.UUID, R) ([]V, []error)) *batch[V] {
	return &batch[V]{known: map[uuid.UUID]result[V]{}, read: func(ids []uuid.UUID) ([]V, []error) {
		rows, err := read(ctx, ids)
		values, errs := sort(ids, rows)
		if err != nil {
			for i := range errs {
				errs[i] = err
			}
		}
		return values, errs
	}}
}
