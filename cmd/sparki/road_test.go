package main

import (
	"strings"
	"testing"

	"sparki.app/integrations/providers/all"
)

// The first road, for every CRM: sync → item → import → a change in the CRM → webhook → the project is refreshed.
func TestRoad(t *testing.T) {
	t.Parallel()
	for _, provider := range all.Keys() {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			integration := b.connectMock(t, provider)
			if state := b.waitForSync(t, integration); state != "SUCCEEDED" {
				t.Fatalf("the sync ended %s", state)
			}
			var items struct {
				SyncedItems struct {
					TotalCount int
					Nodes      []struct{ ID, ExternalID string }
				}
			}
			b.query(t, b.token, `{ syncedItems(first: 1, filter: {state: ACTIVE, category: APARTMENT}) { totalCount nodes { id externalId } } }`, nil, &items)
			if items.SyncedItems.TotalCount < 5 {
				t.Fatalf("%d apartments", items.SyncedItems.TotalCount)
			}
			item := items.SyncedItems.Nodes[0]
			var imported struct {
				ImportSyncedItem struct{ Project struct{ ID string } }
			}
			b.query(t, b.token, `mutation ($id: ID!) { importSyncedItem(syncedItemId: $id) { project { id } } }`, map[string]any{"id": item.ID}, &imported)

			b.changeMock(t, provider, integration, item.ExternalID, `{"price": 654321}`)
			eventually(t, "the project to be refreshed", func() bool {
				var out struct {
					Node struct{ Price struct{ Amount string } }
				}
				b.query(t, b.token, `query ($id: ID!) { node(id: $id) { ... on Project { price { amount } } } }`,
					map[string]any{"id": imported.ImportSyncedItem.Project.ID}, &out)
				return out.Node.Price.Amount == "654321.00"
			})
		})
	}
}

// A list is read with its cards only, unless somebody asks for more: in whatever way it is asked for.
func TestListsReadWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.waitForSync(t, b.connectMock(t, "kolibri"))
	for name, document := range map[string]string{
		"Plain":          `{ syncedItems(first: 100) { nodes { listing { details { key } images { url } } } } }`,
		"Edges":          `{ syncedItems(first: 100) { nodes: edges { node { listing { details { key } images { url } } } } } }`,
		"InlineFragment": `{ syncedItems(first: 100) { ... on SyncedItemConnection { nodes { ... on SyncedItem { listing { ... on Listing { details { key } images { url } } } } } } } }`,
		"Fragment":       `query { syncedItems(first: 100) { nodes { ...i } } } fragment i on SyncedItem { listing { ...l } } fragment l on Listing { details { key } images { url } }`,
		"OnNode":         `{ syncedItems(first: 100) { nodes { ... on Node { ... on SyncedItem { listing { details { key } images { url } } } } } } }`,
		"Integration":    `{ integrations { syncedItems(first: 100) { nodes { listing { details { key } images { url } } } } } }`,
	} {
		t.Run(name, func(t *testing.T) {
			got := string(b.ask(t, b.token, document, nil).Data)
			if !strings.Contains(got, `"livingArea"`) || !strings.Contains(got, `"url"`) {
				t.Errorf("no details or images in %.300s", got)
			}
		})
	}
}
