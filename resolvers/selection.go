package resolvers

import (
	"context"
	"slices"

	"github.com/99designs/gqlgen/graphql"
)

// onCard are the fields of a Listing or a Project that lists are read with. Any other needs the whole
// one, which is ten times the bytes.
var onCard = []string{"title", "price", "transactionType", "status", "category", "address", "thumbnailUrl"}

// beside are a Project's fields that are no content. Its fields are not: they compare it with the listing.
var beside = []string{"id", "lifecycle", "link", "needsReview", "appointmentMinutes", "createdAt", "updatedAt", "thumbnail", "images", "floorPlans"}

// wantsListings says whether a field below the current one, at this path, asks for more of a listing
// than its card.
func wantsListings(ctx context.Context, paths ...[]string) bool {
	oc, fc := graphql.GetOperationContext(ctx), graphql.GetFieldContext(ctx)
	return slices.ContainsFunc(paths, func(path []string) bool {
		return beyond(oc, fc.Field, path)
	})
}

func beyond(oc *graphql.OperationContext, of graphql.CollectedField, path []string) bool {
	for _, field := range below(oc, of) {
		switch {
		case len(path) > 0 && field.Name == path[0] && beyond(oc, field, path[1:]):
			return true
		case len(path) == 0 && field.Name[0] != '_' && !slices.Contains(onCard, field.Name) && !slices.Contains(beside, field.Name):
			return true
		}
	}
	return false
}

// asked says whether the current field's answer is asked for a field of this name.
func asked(ctx context.Context, name string) bool {
	oc, fc := graphql.GetOperationContext(ctx), graphql.GetFieldContext(ctx)
	return slices.ContainsFunc(below(oc, fc.Field), func(f graphql.CollectedField) bool { return f.Name == name })
}

// below collects the fields that are asked for of a field, fragments on its type included.
func below(oc *graphql.OperationContext, of graphql.CollectedField) []graphql.CollectedField {
	return graphql.CollectFields(oc, of.Selections, []string{of.Definition.Type.Name(), "Node"})
}
