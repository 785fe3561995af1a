package resolvers

import (
	"cmp"
	"context"

	"sparki.app/integrations"
	"sparki.app/integrations/graph"
)

func pageArgs(first *int, after *string) sparki.PageArgs {
	args := sparki.PageArgs{First: 50}
	if first != nil {
		args.First = *first
	}
	if after != nil {
		args.After = *after
	}
	return args
}

func itemOrder(o *graph.SyncedItemOrder) sparki.Order {
	if o == nil {
		return sparki.Order{Field: "SYNCED_AT", Desc: true}
	}
	return sparki.Order{Field: string(o.Field), Desc: o.Direction == graph.OrderDirectionDesc}
}

func projectOrder(o *graph.ProjectOrder) sparki.Order {
	if o == nil {
		return sparki.Order{Field: "UPDATED_AT", Desc: true}
	}
	return sparki.Order{Field: string(o.Field), Desc: o.Direction == graph.OrderDirectionDesc}
}

// orAll gives the filter, or one that lets all pass.
func orAll[T any](filter *T) T {
	var all T
	return *cmp.Or(filter, &all)
}

func pageInfo[T any](ctx context.Context, p *sparki.Page[T]) *graph.PageInfo {
	if !asked(ctx, "pageInfo") {
		return nil
	}
	info := &graph.PageInfo{HasNextPage: p.HasNext, HasPreviousPage: p.HasPrevious}
	if n := len(p.Nodes); n > 0 {
		first, last := p.Cursor(p.Nodes[0]), p.Cursor(p.Nodes[n-1])
		info.StartCursor, info.EndCursor = &first, &last
	}
	return info
}

// edges pairs each node of a page with its cursor, if anybody asked for that.
func edges[T, E any](ctx context.Context, p *sparki.Page[T], edge func(cursor string, node T) *E) []*E {
	if !asked(ctx, "edges") {
		return nil
	}
	out := make([]*E, len(p.Nodes))
	for i, node := range p.Nodes {
		out[i] = edge(p.Cursor(node), node)
	}
	return out
}

// connection makes a connection of a page, unless reading it failed.
func connection[T, C any](of func(*sparki.Page[T]) *C) func(*sparki.Page[T], error) (*C, error) {
	return func(p *sparki.Page[T], err error) (*C, error) {
		if err != nil {
			return nil, err
		}
		return of(p), nil
	}
}

func itemConnection(ctx context.Context) func(*sparki.Page[*sparki.Item], error) (*graph.SyncedItemConnection, error) {
	return connection(func(p *sparki.Page[*sparki.Item]) *graph.SyncedItemConnection {
		load(ctx).announceItems(p.Nodes)
		return &graph.SyncedItemConnection{Nodes: p.Nodes, PageInfo: pageInfo(ctx, p), Count: p.Count,
			Edges: edges(ctx, p, func(c string, n *sparki.Item) *graph.SyncedItemEdge { return &graph.SyncedItemEdge{Cursor: c, Node: n} })}
	})
}

func projectConnection(ctx context.Context) func(*sparki.Page[*sparki.Project], error) (*graph.ProjectConnection, error) {
	return connection(func(p *sparki.Page[*sparki.Project]) *graph.ProjectConnection {
		load(ctx).announceProjects(p.Nodes)
		return &graph.ProjectConnection{Nodes: p.Nodes, PageInfo: pageInfo(ctx, p), Count: p.Count,
			Edges: edges(ctx, p, func(c string, n *sparki.Project) *graph.ProjectEdge { return &graph.ProjectEdge{Cursor: c, Node: n} })}
	})
}

func runConnection(ctx context.Context) func(*sparki.Page[*sparki.SyncRun], error) (*graph.SyncRunConnection, error) {
	return connection(func(p *sparki.Page[*sparki.SyncRun]) *graph.SyncRunConnection {
		for _, run := range p.Nodes {
			load(ctx).integrations.announce(run.IntegrationID)
		}
		return &graph.SyncRunConnection{Nodes: p.Nodes, PageInfo: pageInfo(ctx, p), Count: p.Count,
			Edges: edges(ctx, p, func(c string, n *sparki.SyncRun) *graph.SyncRunEdge { return &graph.SyncRunEdge{Cursor: c, Node: n} })}
	})
}

func activityConnection(ctx context.Context) func(*sparki.Page[*sparki.Activity], error) (*graph.ActivityConnection, error) {
	return connection(func(p *sparki.Page[*sparki.Activity]) *graph.ActivityConnection {
		load(ctx).announceActivities(p.Nodes)
		return &graph.ActivityConnection{Nodes: p.Nodes, PageInfo: pageInfo(ctx, p), Count: p.Count,
			Edges: edges(ctx, p, func(c string, n *sparki.Activity) *graph.ActivityEdge { return &graph.ActivityEdge{Cursor: c, Node: n} })}
	})
}

func historyConnection(ctx context.Context) func(*sparki.Page[*sparki.ItemChange], error) (*graph.SyncedItemChangeConnection, error) {
	return connection(func(p *sparki.Page[*sparki.ItemChange]) *graph.SyncedItemChangeConnection {
		return &graph.SyncedItemChangeConnection{Nodes: p.Nodes, PageInfo: pageInfo(ctx, p), Count: p.Count,
			Edges: edges(ctx, p, func(c string, n *sparki.ItemChange) *graph.SyncedItemChangeEdge {
				return &graph.SyncedItemChangeEdge{Cursor: c, Node: n}
			})}
	})
}

func outcomeOf(filter *graph.WebhookDeliveryFilter) *sparki.DeliveryOutcome {
	return orAll(filter).Outcome.Value()
}

func deliveryConnection(ctx context.Context) func(*sparki.Page[*sparki.Delivery], error) (*graph.WebhookDeliveryConnection, error) {
	return connection(func(p *sparki.Page[*sparki.Delivery]) *graph.WebhookDeliveryConnection {
		load(ctx).announceDeliveries(p.Nodes)
		return &graph.WebhookDeliveryConnection{Nodes: p.Nodes, PageInfo: pageInfo(ctx, p), Count: p.Count,
			Edges: edges(ctx, p, func(c string, n *sparki.Delivery) *graph.WebhookDeliveryEdge {
				return &graph.WebhookDeliveryEdge{Cursor: c, Node: n}
			})}
	})
}
