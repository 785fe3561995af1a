package resolvers

import (
	"context"

	"github.com/99designs/gqlgen/graphql"

	"sparki.app/integrations"
	"sparki.app/integrations/graph"
	"sparki.app/integrations/graph/direct"
	"sparki.app/integrations/providers"
)

// Direct is a field middleware that writes pages of items and projects itself, where it knows all that is selected. The
// page is read and refused by its resolver as ever, and fields below it that have to be asked for ask theirs.
func (r *Resolver) Direct() graphql.FieldMiddleware {
	items, projects := r.pages()
	return func(ctx context.Context, next graphql.Resolver) (any, error) {
		v, err := next(ctx)
		if err != nil {
			return v, err
		}
		switch page := v.(type) {
		case *graph.SyncedItemConnection:
			return direct.Write(ctx, page, items), nil
		case *graph.ProjectConnection:
			return direct.Write(ctx, page, projects), nil
		}
		return v, nil
	}
}

// pages describes the lists of items and of projects. What is missing here and below is left to the executor: an item's
// raw answer and history, a project's fields, a provider's settings, most of an integration.
func (r *Resolver) pages() (direct.Type[*graph.SyncedItemConnection], direct.Type[*graph.ProjectConnection]) {
	item, project := r.itemAndProject()
	info := direct.NewObject[graph.PageInfo]("PageInfo").Plain("hasNextPage", "hasPreviousPage", "startCursor", "endCursor")

	itemEdge := direct.NewObject[graph.SyncedItemEdge]("SyncedItemEdge").Plain("cursor").With(direct.Fields[graph.SyncedItemEdge]{
		"node": direct.Get(func(e *graph.SyncedItemEdge) *sparki.Item { return e.Node }, item),
	})
	items := direct.NewObject[graph.SyncedItemConnection]("SyncedItemConnection").With(direct.Fields[graph.SyncedItemConnection]{
		"edges":      direct.Get(func(c *graph.SyncedItemConnection) []*graph.SyncedItemEdge { return c.Edges }, direct.List(itemEdge.Type)),
		"nodes":      direct.Get(func(c *graph.SyncedItemConnection) []*sparki.Item { return c.Nodes }, direct.List(item)),
		"pageInfo":   direct.Get(func(c *graph.SyncedItemConnection) *graph.PageInfo { return c.PageInfo }, info.Type),
		"totalCount": direct.Resolve(r.SyncedItemConnection().TotalCount, direct.Int),
	})

	projectEdge := direct.NewObject[graph.ProjectEdge]("ProjectEdge").Plain("cursor").With(direct.Fields[graph.ProjectEdge]{
		"node": direct.Get(func(e *graph.ProjectEdge) *sparki.Project { return e.Node }, project),
	})
	projects := direct.NewObject[graph.ProjectConnection]("ProjectConnection").With(direct.Fields[graph.ProjectConnection]{
		"edges":      direct.Get(func(c *graph.ProjectConnection) []*graph.ProjectEdge { return c.Edges }, direct.List(projectEdge.Type)),
		"nodes":      direct.Get(func(c *graph.ProjectConnection) []*sparki.Project { return c.Nodes }, direct.List(project)),
		"pageInfo":   direct.Get(func(c *graph.ProjectConnection) *graph.PageInfo { return c.PageInfo }, info.Type),
		"totalCount": direct.Resolve(r.ProjectConnection().TotalCount, direct.Int),
	})
	return items.Type, projects.Type
}

func (r *Resolver) itemAndProject() (direct.Type[*sparki.Item], direct.Type[*sparki.Project]) {
	item, project := direct.NewObject[sparki.Item]("SyncedItem", "Node"), direct.NewObject[sparki.Project]("Project", "Node")
	provider := direct.NewObject[providers.Info]("Provider").Plain("key", "name", "devMode")

	provenance := direct.NewObject[sparki.Provenance]("Provenance").Plain("sourceUrl", "webhookName", "webhookEvent", "webhookTimestamp", "apiVersion")
	listing := direct.NewObject[sparki.Listing]("Listing").With(content(func(l *sparki.Listing) *sparki.Listing { return l }))
	listingMedia := direct.NewObject[sparki.ListingMedia]("ListingMedia").Plain("externalId", "url", "title", "position", "mimeType")
	listing.With(direct.Fields[sparki.Listing]{
		"images":     direct.Get(func(l *sparki.Listing) []sparki.ListingMedia { return l.Images }, direct.Structs(listingMedia.Type)),
		"floorPlans": direct.Get(func(l *sparki.Listing) []sparki.ListingMedia { return l.FloorPlans }, direct.Structs(listingMedia.Type)),
		"otherMedia": direct.Get(func(l *sparki.Listing) []sparki.ListingMedia { return l.OtherMedia }, direct.Structs(listingMedia.Type)),
	}).Plain("thumbnailUrl")
	item.Plain("sourceType", "externalId", "objectCode", "afdelingCode", "agencyId", "officeId", "employeeIds", "state", "inactiveReason",
		"sourceModifiedAt", "syncedAt")
	item.With(direct.Fields[sparki.Item]{
		"id":             direct.Get((*sparki.Item).NodeID, direct.Text),
		"integration":    direct.Resolve(r.SyncedItem().Integration, r.integration(provider.Type)),
		"provider":       direct.Resolve(r.SyncedItem().Provider, provider.Type),
		"listing":        direct.Get(func(i *sparki.Item) *sparki.Listing { return i.Listing }, listing.Type),
		"linkedProjects": direct.Resolve(r.SyncedItem().LinkedProjects, direct.List(project.Type)),
		"syncError":      direct.Resolve(r.SyncedItem().SyncError, direct.OptionalText),
		"provenance":     direct.Get(func(i *sparki.Item) *sparki.Provenance { return i.Provenance }, direct.Nullable(provenance.Type)),
	})

	link := direct.NewObject[sparki.ProjectLink]("ProjectLink").Plain("externalId", "sourceType", "objectCode", "afdelingCode", "linkedAt", "refreshedAt")
	link.With(direct.Fields[sparki.ProjectLink]{
		"provider":   direct.Resolve(r.ProjectLink().Provider, provider.Type),
		"syncedItem": direct.Resolve(r.ProjectLink().SyncedItem, item.Type),
	})
	media := direct.NewObject[sparki.ProjectMedia]("ProjectMedia", "Node").Plain("title", "position", "origin")
	media.With(direct.Fields[sparki.ProjectMedia]{
		"id":  direct.Get((*sparki.ProjectMedia).NodeID, direct.Text),
		"url": direct.Resolve(r.ProjectMedia().URL, direct.Text),
	})
	project.Plain("lifecycle", "needsReview", "appointmentMinutes", "createdAt", "updatedAt")
	project.With(content(func(p *sparki.Project) *sparki.Listing { return p.Listing })).With(direct.Fields[sparki.Project]{
		"id":         direct.Get((*sparki.Project).NodeID, direct.Text),
		"link":       direct.Get(func(p *sparki.Project) *sparki.ProjectLink { return p.Link }, direct.Nullable(link.Type)),
		"thumbnail":  direct.Resolve(r.Project().Thumbnail, direct.Nullable(media.Type)),
		"images":     direct.Resolve(r.Project().Images, direct.List(media.Type)),
		"floorPlans": direct.Resolve(r.Project().FloorPlans, direct.List(media.Type)),
	})
	return item.Type, project.Type
}

// content are the fields that a listing and a project have in common.
func content[T any](of func(*T) *sparki.Listing) direct.Fields[T] {
	price := direct.NewObject[sparki.Price]("Price").Plain("amount", "currency", "label")
	address := direct.NewObject[sparki.Address]("Address").Plain("label", "street", "houseNumber", "houseNumberAddition", "postalCode", "city",
		"stateOrProvince", "country", "physical")
	coordinates := direct.NewObject[sparki.Coordinates]("Coordinates").Plain("latitude", "longitude")
	row := direct.NewObject[sparki.DetailRow]("DetailRow").Plain("key", "label", "value", "unit")
	fields := direct.Fields[T]{
		"price":       direct.Get(func(v *T) *sparki.Price { return of(v).Price }, direct.Nullable(price.Type)),
		"address":     direct.Get(func(v *T) *sparki.Address { return &of(v).Address }, address.Type),
		"coordinates": direct.Get(func(v *T) *sparki.Coordinates { return of(v).Coordinates }, direct.Nullable(coordinates.Type)),
		"details":     direct.Get(func(v *T) []sparki.DetailRow { return of(v).Details }, direct.Structs(row.Type)),
	}
	for _, name := range []string{"title", "description", "longDescriptionHeading", "longDescription", "transactionType", "status", "category"} {
		fields[name] = direct.Plain[T](name)
	}
	return fields
}

// integration describes an integration as far as its row tells.
func (r *Resolver) integration(provider direct.Type[*providers.Info]) direct.Type[*sparki.Integration] {
	domains := direct.NewObject[sparki.Domains]("SyncDomains").Plain("listings", "agenda", "outbound")
	connection := direct.NewObject[sparki.Connection]("Connection").Plain("state", "checkedAt").With(direct.Fields[sparki.Connection]{
		"problem": direct.Resolve(r.Connection().Problem, direct.OptionalText),
	})
	integration := direct.NewObject[sparki.Integration]("Integration", "Node").Plain("enabled", "mock", "createdAt", "updatedAt")
	return integration.With(direct.Fields[sparki.Integration]{
		"id":         direct.Get((*sparki.Integration).NodeID, direct.Text),
		"provider":   direct.Resolve(r.Integration().Provider, provider),
		"domains":    direct.Get(func(i *sparki.Integration) *sparki.Domains { return &i.Domains }, domains.Type),
		"connection": direct.Get(func(i *sparki.Integration) *sparki.Connection { return &i.Connection }, connection.Type),
	}).Type
}
