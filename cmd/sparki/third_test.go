package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"sparki.app/integrations"
	"sparki.app/integrations/db/dbtest"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/all"
	"sparki.app/integrations/providers/rest"
)

// villa is a CRM that nobody has heard of, in as few lines as one takes. It has one villa, whose price
// its mock keeps in the store.
type villa struct{}

func (villa) Info() providers.Info {
	return providers.Info{
		Key: "villa", Name: "Villa", WebhookVersion: "v7", WebhookBodyLimit: 1 << 10, MappingVersion: 1,
		Settings: []sparki.SettingField{{Key: "url", Kind: sparki.SettingURL, Label: "URL", Help: "Where Villa is.", Required: true}},
	}
}

func (v villa) Changes(s sparki.Settings, _ http.Header, body []byte) ([]sparki.Message, error) {
	return v.Messages(s, body)
}

func (villa) Messages(_ sparki.Settings, body []byte) ([]sparki.Message, error) {
	var said struct{ Villa string }
	if json.Unmarshal(body, &said) != nil {
		return nil, providers.ErrUnreadable
	}
	return []sparki.Message{{Kind: sparki.MessageRefresh, Ref: sparki.Ref{Type: "villa", ID: said.Villa}, Outcome: sparki.OutcomePending}}, nil
}

func (villa) Connect(s sparki.Settings, transport http.RoundTripper) (providers.Conn, error) {
	if s.Text["url"] == "" {
		return nil, sparki.Errorf(sparki.Misconfigured, "URL is needed")
	}
	return villaLine{api: &rest.Client{Name: "Villa", Base: s.Text["url"], Transport: transport}}, nil
}

func (villa) Mock(o providers.MockOptions) providers.Mock { return villaMock{o} }

type villaLine struct{ api *rest.Client }

func (c villaLine) Check(ctx context.Context) error {
	_, err := c.Listing(ctx, sparki.Ref{Type: "villa", ID: "1"})
	return err
}

func (c villaLine) Page(ctx context.Context, _ providers.Crawl) (providers.Page, error) {
	return providers.Page{Refs: []sparki.Ref{{Type: "villa", ID: "1"}}, Total: 1}, nil
}

func (c villaLine) Listing(ctx context.Context, ref sparki.Ref) (*sparki.Found, error) {
	raw, err := c.api.Do(ctx, rest.Call{Method: http.MethodGet, Path: "/villas/" + ref.ID})
	if err != nil {
		return nil, err
	}
	return c.Map(ref, raw)
}

func (c villaLine) Map(ref sparki.Ref, raw []byte) (*sparki.Found, error) {
	amount := sparki.Decimal(string(raw) + ".00")
	return &sparki.Found{Ref: ref, Raw: raw, Listing: &sparki.Listing{
		Title: "Villa " + ref.ID, Status: sparki.StatusAvailable, Category: sparki.CategoryHouse,
		Price: &sparki.Price{Amount: &amount, Currency: "EUR", Label: "€ " + string(raw)},
	}}, nil
}

type villaMock struct{ providers.MockOptions }

func (m villaMock) Settings(context.Context) (sparki.Settings, error) {
	return sparki.Settings{Text: map[string]string{"url": m.BaseURL}}, nil
}

// ServeHTTP gives the villa's price, or takes a new one and tells of it.
func (m villaMock) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		var q struct{ Price json.Number }
		_ = json.NewDecoder(r.Body).Decode(&q)
		_ = m.Store.Put(r.Context(), providers.MockDoc{Kind: "price", ID: "1", JSON: []byte(q.Price)})
		if resp, err := http.Post(m.WebhookURL, "application/json", strings.NewReader(`{"villa": "1"}`)); err == nil {
			_ = resp.Body.Close()
		}
		return
	}
	price := "100000"
	if docs, _ := m.Store.List(r.Context(), "price"); len(docs) > 0 {
		price = string(docs[0].JSON)
	}
	_, _ = fmt.Fprint(w, price)
}

// A third CRM is its own code and one more in the list of all: everything else takes it as it is.
func TestThirdCRM(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *config) { c.providers = append(all.List(), villa{}) })
	b.portal = dbtest.Portal(t, b.db, "villa")
	b.token = b.newToken(t, b.portal, sparki.Permissions...)
	integration := b.connectMock(t, "villa")
	if state := b.waitForSync(t, integration); state != "SUCCEEDED" {
		t.Fatalf("the sync ended %s", state)
	}
	p := b.imported(t, "villa 1")
	if p.Price.Amount != "100000.00" {
		t.Errorf("%+v", p)
	}
	b.changeMock(t, "villa", integration, "1", `{"price": 654321}`)
	eventually(t, "the project to be refreshed", func() bool { return b.project(t, p.ID).Price.Amount == "654321.00" })

	var out struct {
		Node struct {
			WebhookURL string
			Settings   []struct{ Field struct{ Key string } }
		}
	}
	b.query(t, b.token, `query ($id: ID!) { node(id: $id) { ... on Integration { webhookUrl settings { field { key } } } } }`, map[string]any{"id": integration}, &out)
	if want := b.url + "/webhooks/villa/v7/" + integration; out.Node.WebhookURL != want || len(out.Node.Settings) != 1 {
		t.Errorf("%+v", out)
	}
}
