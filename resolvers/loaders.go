package resolvers

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/vikstrous/dataloadgen"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
)

// loaderWait is how long a loader collects ids before it asks the database.
const loaderWait = 200 * time.Microsecond

type loadersKey struct{}

// loaders batch what many fields of one answer ask for one by one. They live for one answer, so
// nothing that they remember grows stale.
type loaders struct {
	integrations  func(uuid.UUID) (*sparki.Integration, error)
	runs          func(uuid.UUID) (*sparki.SyncRun, error)
	deliveries    func(uuid.UUID) (*sparki.Delivery, error)
	items         func(uuid.UUID) (*sparki.Item, error)
	wholeItems    func(uuid.UUID) (*sparki.Item, error)
	wholeProjects func(uuid.UUID) (*sparki.Project, error)
	linked        func(item uuid.UUID) ([]*sparki.Project, error)
	wholeLinked   func(item uuid.UUID) ([]*sparki.Project, error)
	media         func(project uuid.UUID) ([]*sparki.ProjectMedia, error)
}

// WithLoaders gives one answer its loaders.
func (r *Resolver) WithLoaders(ctx context.Context) context.Context {
	portal := portalOf(ctx)
	l := &loaders{
		integrations: each(ctx, func(ctx context.Context, _ []uuid.UUID) ([]*sparki.Integration, error) {
			return r.DB.Integrations(ctx, portal) // a portal has a handful
		}, func(i *sparki.Integration) uuid.UUID { return i.ID }),
		runs: each(ctx, func(ctx context.Context, ids []uuid.UUID) ([]*sparki.SyncRun, error) {
			return r.DB.RunsByID(ctx, portal, ids)
		}, func(run *sparki.SyncRun) uuid.UUID { return run.ID }),
		deliveries: each(ctx, func(ctx context.Context, ids []uuid.UUID) ([]*sparki.Delivery, error) {
			return r.DB.DeliveriesByID(ctx, portal, ids)
		}, func(d *sparki.Delivery) uuid.UUID { return d.ID }),
		items:      each(ctx, itemsByID(r.DB, portal, false), itemID),
		wholeItems: each(ctx, itemsByID(r.DB, portal, true), itemID),
		wholeProjects: each(ctx, func(ctx context.Context, ids []uuid.UUID) ([]*sparki.Project, error) {
			return r.DB.ProjectsByID(ctx, portal, ids)
		}, func(p *sparki.Project) uuid.UUID { return p.ID }),
		linked:      many(ctx, linkedProjects(r.DB, portal, false), linkedItem),
		wholeLinked: many(ctx, linkedProjects(r.DB, portal, true), linkedItem),
		media: many(ctx, func(ctx context.Context, ids []uuid.UUID) ([]*sparki.ProjectMedia, error) {
			return r.DB.MediaOfProjects(ctx, portal, ids)
		}, func(m *sparki.ProjectMedia) uuid.UUID { return m.ProjectID }),
	}
	return context.WithValue(ctx, loadersKey{}, l)
}

// load gives the loaders of this answer.
func load(ctx context.Context) *loaders { return ctx.Value(loadersKey{}).(*loaders) }

func itemID(i *sparki.Item) uuid.UUID        { return i.ID }
func linkedItem(p *sparki.Project) uuid.UUID { return p.Link.ItemID }

func itemsByID(d *db.DB, portal uuid.UUID, whole bool) func(context.Context, []uuid.UUID) ([]*sparki.Item, error) {
	return func(ctx context.Context, ids []uuid.UUID) ([]*sparki.Item, error) {
		return d.ItemsByID(ctx, portal, ids, whole)
	}
}

func linkedProjects(d *db.DB, portal uuid.UUID, whole bool) func(context.Context, []uuid.UUID) ([]*sparki.Project, error) {
	return func(ctx context.Context, items []uuid.UUID) ([]*sparki.Project, error) {
		return d.ProjectsOfItems(ctx, portal, items, whole)
	}
}

// each loads one row an id; an id without a row is NotFound.
func each[T any](ctx context.Context, read func(context.Context, []uuid.UUID) ([]T, error), id func(T) uuid.UUID) func(uuid.UUID) (T, error) {
	return loader(ctx, read, func(ids []uuid.UUID, rows []T) ([]T, []error) {
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
func many[T any](ctx context.Context, read func(context.Context, []uuid.UUID) ([]T, error), id func(T) uuid.UUID) func(uuid.UUID) ([]T, error) {
	return loader(ctx, read, func(ids []uuid.UUID, rows []T) ([][]T, []error) {
		byID := make(map[uuid.UUID][]T, len(ids))
		for _, row := range rows {
			byID[id(row)] = append(byID[id(row)], row)
		}
		out := make([][]T, len(ids))
		for i, want := range ids {
			out[i] = byID[want]
		}
		return out, nil
	})
}

func loader[T, V any](ctx context.Context, read func(context.Context, []uuid.UUID) ([]T, error), sort func([]uuid.UUID, []T) ([]V, []error)) func(uuid.UUID) (V, error) {
	l := dataloadgen.NewLoader(func(ctx context.Context, ids []uuid.UUID) ([]V, []error) {
		rows, err := read(ctx, ids)
		if err != nil {
			return nil, []error{err}
		}
		return sort(ids, rows)
	}, dataloadgen.WithWait(loaderWait))
	return func(id uuid.UUID) (V, error) { return l.Load(ctx, id) }
}
