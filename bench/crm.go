package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"sparki.app/integrations"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/kolibri"
	"sparki.app/integrations/providers/memstore"
)

// crm is a mock Kolibri that is reached over HTTP, on the load's core: the world outside.
type crm struct {
	url    string
	conf   sparki.Settings
	store  *memstore.Store
	mock   providers.Mock
	server *http.Server
	ids    map[string]bool // of the made-up objects
	delay  atomic.Int64    // nanoseconds before each answer
}

// startCRM serves a mock Kolibri with its own seed and so many made-up objects.
func startCRM(ctx context.Context, objects int) (*crm, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &crm{url: "http://" + listener.Addr().String(), store: memstore.New(), ids: map[string]bool{}}
	if err := kolibri.SeedObjects(ctx, c.store, objects, 0); err != nil {
		return nil, err
	}
	for i := range objects {
		c.ids[kolibri.SeededObjectID(i)] = true
	}
	c.mock = kolibri.New().Mock(providers.MockOptions{Store: c.store, BaseURL: c.url})
	if c.conf, err = c.mock.Settings(ctx); err != nil { // reads the store, so that no load pays for it
		return nil, err
	}
	c.server = &http.Server{Handler: c, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = c.server.Serve(listener) }() // ends with stop
	return c, nil
}

// ServeHTTP answers as the mock does, after the delay.
func (c *crm) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if delay := c.delay.Load(); delay > 0 {
		sleep(r.Context(), time.Duration(delay))
	}
	c.mock.ServeHTTP(w, r)
}

func (c *crm) stop() {
	if c != nil {
		_ = c.server.Close()
	}
}

// settings are what an office enters to connect with this CRM.
func (c *crm) settings() map[string]any {
	settings := map[string]any{"clientSecret": c.conf.Secret("clientSecret").Reveal(), "webhookSecret": webhookSecret}
	for key, value := range c.conf.Text {
		settings[key] = value
	}
	return settings
}

// changeAll gives every made-up object a later modification time and this price, and lets the mock
// read that before it is asked.
func (c *crm) changeAll(ctx context.Context, at time.Time, price int) error {
	docs, err := c.store.List(ctx, "object")
	if err != nil {
		return err
	}
	changed := make([]providers.MockDoc, 0, len(c.ids))
	for _, doc := range docs {
		if !c.ids[doc.ID] {
			continue
		}
		var content map[string]map[string]any
		decoder := json.NewDecoder(bytes.NewReader(doc.JSON))
		decoder.UseNumber()
		if err := decoder.Decode(&content); err != nil {
			return fmt.Errorf("read object %s: %w", doc.ID, err)
		}
		entity := content["entity"]
		entity["dateTimeModified"] = at.UTC().Format("2006-01-02T15:04:05.0000000Z")
		if offer, ok := entity["saleOffer"].(map[string]any); ok {
			offer["salePrice"] = price
		}
		if offer, ok := entity["rentOffer"].(map[string]any); ok {
			offer["rentPrice"] = price
		}
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(content); err != nil {
			return err
		}
		changed = append(changed, providers.MockDoc{Kind: doc.Kind, ID: doc.ID, JSON: text.Bytes()})
	}
	if err := c.store.Put(ctx, changed...); err != nil {
		return err
	}
	_, err = c.mock.Settings(ctx)
	return err
}
