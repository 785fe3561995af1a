package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"

	"sparki.app/integrations/bench/beside"
)

const (
	listConns = 16
	listItems = 20_000
	listDepth = 15_000 // items before the deep page
)

// listQuery is what a dashboard asks for; beside answers the same fields.
const listQuery = `query Items($after: String) { syncedItems(first: 50, after: $after) {
	nodes {
		id
		listing { title status thumbnailUrl address { label street houseNumber houseNumberAddition postalCode city } }
		linkedProjects { id title }
	}
	pageInfo { hasNextPage }
} }`

// list measures the page that people open most: the latest 50 of 20,000 items with their projects.
func list(ctx context.Context, b *bench) ([]*row, error) {
	p, err := b.program(ctx, "list", false)
	defer p.stop()
	if err != nil {
		return nil, err
	}
	if p.databaseURL != "" {
		if err := seedItems(ctx, b, p, listItems); err != nil {
			return nil, err
		}
	}
	options := beside.Options{DatabaseURL: p.databaseURL, Token: p.token, Portal: p.portal}
	theirs, err := b.rival(ctx, "list_beside", options)
	defer theirs.stop()
	if err != nil {
		return nil, err
	}
	options.PlanOnce = true
	tuned, err := b.rival(ctx, "list_beside_tuned", options)
	defer tuned.stop()
	if err != nil {
		return nil, err
	}
	cursor, err := deepCursor(ctx, p)
	if err != nil {
		return nil, err
	}
	first, err := newLister(ctx, p.url, p.token, "")
	if err != nil {
		return nil, fmt.Errorf("ours: %w", err)
	}
	deep, err := newLister(ctx, p.url, p.token, cursor)
	if err != nil {
		return nil, fmt.Errorf("ours, deep: %w", err)
	}
	plain, err := newPlainLister(ctx, theirs.url, p.token, first)
	if err != nil {
		return nil, fmt.Errorf("beside: %w", err)
	}
	fast, err := newPlainLister(ctx, tuned.url, p.token, first)
	if err != nil {
		return nil, fmt.Errorf("beside, tuned: %w", err)
	}
	main := &row{load: "list", what: fmt.Sprintf("50 of %d items, %d bytes", listItems, len(first.want)), unit: "requests/s", floor: 0.4, beside: "one JOIN, encoding/json"}
	best := &row{load: "list", what: "the same", unit: "requests/s", beside: "the JOIN, planned once"}
	far := &row{load: "list", what: fmt.Sprintf("the page behind item %d", listDepth), unit: "requests/s", beside: "our own first page"}
	for range b.rounds {
		for _, s := range []struct {
			into *[]sample
			l    *lister
			of   meterOf
		}{{&main.ours, first, p.cpu}, {&main.theirs, plain, theirs.cpu}, {&best.theirs, fast, tuned.cpu}, {&far.ours, deep, p.cpu}} {
			if err := b.slice(ctx, s.into, s.of, s.l.shooters()); err != nil {
				return nil, err
			}
		}
	}
	best.ours, far.theirs = main.ours, main.ours
	err = b.profiled(ctx, "list", p.serve, func() error { return b.slice(ctx, new([]sample), p.cpu, first.shooters()) })
	main.serve, main.worker = p.peaks()
	return []*row{main, best, far}, err
}

// lister asks for one page, over and over.
type lister struct {
	request func(context.Context) (*http.Request, error)
	want    []byte // the answer
}

func newLister(ctx context.Context, url, token, after string) (*lister, error) {
	variables := map[string]any{}
	if after != "" {
		variables["after"] = after
	}
	body, err := json.Marshal(map[string]any{"query": listQuery, "variables": variables})
	if err != nil {
		return nil, err
	}
	l := &lister{request: func(ctx context.Context) (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/graphql", bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+token)
		return req, nil
	}}
	return l, l.learn(ctx)
}

// newPlainLister asks the plain server, whose answer must say the same as ours.
func newPlainLister(ctx context.Context, url, token string, ours *lister) (*lister, error) {
	l := &lister{request: func(ctx context.Context) (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/list", nil)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer "+token)
		return req, nil
	}}
	if err := l.learn(ctx); err != nil {
		return nil, err
	}
	var a, b any
	if err := errors.Join(json.Unmarshal(ours.want, &a), json.Unmarshal(l.want, &b)); err != nil {
		return nil, err
	}
	if !reflect.DeepEqual(a, b) {
		return nil, fmt.Errorf("the answers differ:\n%.600s\n%.600s", ours.want, l.want)
	}
	return l, nil
}

// learn asks once and looks at the answer closely; later ones must be the same.
func (l *lister) learn(ctx context.Context) error {
	var scratch bytes.Buffer
	if err := l.ask(ctx, http.DefaultClient, &scratch); err != nil {
		return err
	}
	var answer struct {
		Data struct {
			SyncedItems struct {
				Nodes []struct {
					ID      string
					Listing struct {
						Title, Status, ThumbnailURL string
						Address                     struct{ Label, City string }
					}
					LinkedProjects []struct{ ID, Title string }
				}
				PageInfo struct{ HasNextPage bool }
			}
		}
		Errors []any
	}
	if err := json.Unmarshal(scratch.Bytes(), &answer); err != nil {
		return err
	}
	page, seen, linked := answer.Data.SyncedItems, map[string]bool{}, 0
	for _, n := range page.Nodes {
		if n.Listing.Title == "" || n.Listing.Status == "" || n.Listing.ThumbnailURL == "" || n.Listing.Address.Label == "" || n.Listing.Address.City == "" {
			return fmt.Errorf("an item without content: %+v", n)
		}
		seen[n.ID] = true
		linked += len(n.LinkedProjects)
	}
	if len(answer.Errors) > 0 || len(seen) != 50 || linked != 10 || !page.PageInfo.HasNextPage {
		return fmt.Errorf("want 50 items, a fifth of them linked, got %d with %d links: %.300s", len(seen), linked, &scratch)
	}
	l.want = scratch.Bytes()
	return nil
}

func (l *lister) ask(ctx context.Context, client *http.Client, scratch *bytes.Buffer) error {
	req, err := l.request(ctx)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	scratch.Reset()
	if _, err := scratch.ReadFrom(resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("answer: %s %.300s", resp.Status, scratch)
	}
	return nil
}

func (l *lister) shooters() []shooter {
	all := make([]shooter, listConns)
	for i := range all {
		all[i] = func(ctx context.Context, client *http.Client, scratch *bytes.Buffer) error {
			if err := l.ask(ctx, client, scratch); err != nil {
				return err
			}
			if !bytes.Equal(scratch.Bytes(), l.want) {
				return fmt.Errorf("another answer than the first: %.300s", scratch)
			}
			return nil
		}
	}
	return all
}

// deepCursor turns pages until it is deep in the list.
func deepCursor(ctx context.Context, p *program) (cursor string, err error) {
	for range listDepth / 100 {
		var out struct {
			SyncedItems struct{ PageInfo struct{ EndCursor string } }
		}
		variables := map[string]any{}
		if cursor != "" {
			variables["after"] = cursor
		}
		if err := p.graphQL(ctx, `query ($after: String) { syncedItems(first: 100, after: $after) { pageInfo { endCursor } } }`, variables, &out); err != nil {
			return "", err
		}
		cursor = out.SyncedItems.PageInfo.EndCursor
	}
	return cursor, nil
}
