package resolvers

import (
	"cmp"

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

func pageInfo[T any](p *sparki.Page[T]) *graph.PageInfo {
	info := &graph.PageInfo{HasNextPage: p.HasNext, HasPreviousPage: p.HasPrevious}
	if n := len(p.Nodes); n > 0 {
		first, last := p.Cursor(p.Nodes[0]), p.Cursor(p.Nodes[n-1])
		info.StartCursor, info.EndCursor = &first, &last
	}
	return info
}

// edges pairs each node of a page with its cursor.
func edges[T, E any](p *sparki.Page[T], edge func(cursor string, node T) *E) []*E {
	out := make([]*E, len(p.Nodes))
	for i, node := range p.Nodes {
		out[i] = edge(p.Cursor(node), node)
	}
	return out
}

func itemConnection(p *sparki.Page[*sparki.Item], err error) (*graph.SyncedItemConnection, error) {
	if err != nil {
		return nil, err
	}
	return &graph.SyncedItemConnection{Nodes: p.Nodes, PageInfo: pageInfo(p), Count: p.Count,
		Edges: edges(p, func(c string, n *sparki.Item) *graph.SyncedItemEdge { return &graph.SyncedItemEdge{Cursor: c, Node: n} })}, nil
}

func projectConnection(p *sparki.Page[*sparki.Project], err error) (*graph.ProjectConnection, error) {
	if err != nil {
		return nil, err
	}
	return &graph.ProjectConnection{Nodes: p.Nodes, PageInfo: pageInfo(p), Count: p.Count,
		Edges: edges(p, func(c string, n *sparki.Project) *graph.ProjectEdge { return &graph.ProjectEdge{Cursor: c, Node: n} })}, nil
}

func runConnection(p *sparki.Page[*sparki.SyncRun], err error) (*graph.SyncRunConnection, error) {
	if err != nil {
		return nil, err
	}
	return &graph.SyncRunConnection{Nodes: p.Nodes, PageInfo: pageInfo(p), Count: p.Count,
		Edges: edges(p, func(c string, n *sparki.SyncRun) *graph.SyncRunEdge { return &graph.SyncRunEdge{Cursor: c, Node: n} })}, nil
}

func activityConnection(p *sparki.Page[*sparki.Activity], err error) (*graph.ActivityConnection, error) {
	if err != nil {
		return nil, err
	}
	return &graph.ActivityConnection{Nodes: p.Nodes, PageInfo: pageInfo(p), Count: p.Count,
		Edges: edges(p, func(c string, n *sparki.Activity) *graph.ActivityEdge { return &graph.ActivityEdge{Cursor: c, Node: n} })}, nil
}

func historyConnection(p *sparki.Page[*sparki.ItemChange], err error) (*graph.SyncedItemChangeConnection, error) {
	if err != nil {
		return nil, err
	}
	return &graph.SyncedItemChangeConnection{Nodes: p.Nodes, PageInfo: pageInfo(p), Count: p.Count,
		Edges: edges(p, func(c string, n *sparki.ItemChange) *graph.SyncedItemChangeEdge {
			return &graph.SyncedItemChangeEdge{Cursor: c, Node: n}
		})}, nil
}

func outcomeOf(filter *graph.WebhookDeliveryFilter) *sparki.DeliveryOutcome {
	return orAll(filter).Outcome.Value()
}

func deliveryConnection(p *sparki.Page[*sparki.Delivery], err error) (*graph.WebhookDeliveryConnection, error) {
	if err != nil {
		return nil, err
	}
	return &graph.WebhookDeliveryConnection{Nodes: p.Nodes, PageInfo: pageInfo(p), Count: p.Count,
		Edges: edges(p, func(c string, n *sparki.Delivery) *graph.WebhookDeliveryEdge {
			return &graph.WebhookDeliveryEdge{Cursor: c, Node: n}
		})}, nil
}
