package main

import (
	"net/http"
	"strings"
	"testing"
)

// An imported project's pictures come from the mock CRM, are copied, and are then served by us.
func TestMediaAreCopied(t *testing.T) {
	t.Parallel()
	forKinds(t, testMediaAreCopied)
}

func testMediaAreCopied(t *testing.T, k kind) {
	b := setup(t)
	integration := b.connectMock(t, k.key)
	if state := b.waitForSync(t, integration); state != "SUCCEEDED" {
		t.Fatalf("the sync ended %s", state)
	}
	type picture struct{ ID, URL string }
	type project struct {
		ID         string
		Thumbnail  *picture
		Images     []picture
		FloorPlans []picture
	}
	var imported struct {
		ImportSyncedItem struct{ Project project }
	}
	b.query(t, b.token, `mutation ($id: ID!) { importSyncedItem(syncedItemId: $id) { project { id } } }`,
		map[string]any{"id": b.item(t, k.house).ID}, &imported)
	var pictures []picture
	eventually(t, "the pictures to be copied", func() bool {
		var out struct{ Node project }
		b.query(t, b.token, `query ($id: ID!) { node(id: $id) { ... on Project { thumbnail { id url } images { id url } floorPlans { id url } } } }`,
			map[string]any{"id": imported.ImportSyncedItem.Project.ID}, &out)
		pictures = append(out.Node.Images, out.Node.FloorPlans...)
		if out.Node.Thumbnail != nil {
			pictures = append(pictures, *out.Node.Thumbnail)
		}
		for _, p := range pictures {
			if p.URL != b.url+"/media/"+p.ID {
				return false
			}
		}
		return true
	})
	if len(pictures) < 3 {
		t.Fatalf("the project has only %v", pictures)
	}
	for _, p := range pictures {
		resp, err := http.Get(p.URL)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		kind := resp.Header.Get("Content-Type")
		if resp.StatusCode != http.StatusOK || !strings.HasPrefix(kind, "image/") && kind != "application/pdf" {
			t.Errorf("%s gives %d %s", p.URL, resp.StatusCode, resp.Header.Get("Content-Type"))
		}
	}
}
