package beside

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Backfill asks for a backfill, and says where from.
type Backfill struct {
	URL          string `json:"url"` // of the CRM, without /v3
	TokenURL     string `json:"tokenUrl"`
	AgencyID     string `json:"agencyId"`
	ClientID     string `json:"clientId"`
	ClientSecret string `json:"clientSecret"`
}

// Backfilled says what was done.
type Backfilled struct {
	Objects int `json:"objects"`
}

// object is what is kept of an object, beside the whole of it.
type object struct {
	ID                 string    `json:"id"`
	DateTimeModified   time.Time `json:"dateTimeModified"`
	AvailabilityStatus *string   `json:"availabilityStatus"`
	ListingType        *string   `json:"listingType"`
	DisplayName        string    `json:"displayName"`
	TitleText          []text    `json:"titleText"`
	AdvertisementText  []text    `json:"advertisementText"`
	NumberOfBedRooms   *int      `json:"numberOfBedRooms"`
	UsableArea         *struct {
		Area *float64 `json:"area"`
	} `json:"usableArea"`
	EnergyLabel *struct {
		EnergyClass *string `json:"energyClass"`
	} `json:"energyLabel"`
	SaleOffer *struct {
		SalePrice *float64 `json:"salePrice"`
	} `json:"saleOffer"`
	RentOffer *struct {
		RentPrice *float64 `json:"rentPrice"`
	} `json:"rentOffer"`
	Address *struct {
		HouseNumberDisplayName *string `json:"houseNumberDisplayName"`
		PostalCode             *string `json:"postalCode"`
		Street                 *named  `json:"street"`
		Locality               *named  `json:"locality"`
	} `json:"address"`
	Photos []struct {
		URLMedium string `json:"urlMedium"`
	} `json:"photos"`
}

type named struct {
	Name string `json:"name"`
}

type text struct {
	Language string `json:"language"`
	Text     string `json:"text"`
}

func dutch(texts []text) string {
	for _, t := range texts {
		if t.Language == "Dutch" {
			return t.Text
		}
	}
	return ""
}

// resources says under which path and key each kind of assignment is read.
var resources = map[string][2]string{
	"Object":     {"ObjectAssignments", "objectAssignment"},
	"ObjectType": {"ObjectTypeAssignments", "objectTypeAssignment"},
	"Project":    {"ProjectAssignments", "projectAssignment"},
}

// backfill reads the list of a CRM and each object, and stores them one by one.
func (s *Server) backfill(w http.ResponseWriter, r *http.Request) {
	var from Backfill
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&from); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c := &crawl{Server: s, Backfill: from, client: &http.Client{Timeout: 15 * time.Second}}
	done, err := c.run(r.Context())
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, http.StatusOK, done)
}

type crawl struct {
	*Server
	Backfill
	client *http.Client
	token  string
}

func (c *crawl) run(ctx context.Context) (done Backfilled, err error) {
	if err := c.signIn(ctx); err != nil {
		return done, err
	}
	for skip := 0; ; {
		var page struct {
			Results []struct {
				ID               string `json:"id"`
				TypeOfAssignment string `json:"typeOfAssignment"`
			} `json:"results"`
			TotalResults int `json:"totalResults"`
		}
		request, _ := json.Marshal(map[string]any{ // constants
			"skip": skip, "take": 100, "order": "Ascending", "orderBy": "CreationDate", "filterByActive": "ActiveOrInactive",
			"forSale": true, "forRent": true, "includeStatistics": false, "ignoreOldVersions": true, "culture": "nl-NL",
			"filterByAssignmentTypes": []string{"Object", "ObjectType", "Project"},
		})
		if err := c.call(ctx, http.MethodPost, "Assignments/Search", request, &page); err != nil {
			return done, err
		}
		for _, row := range page.Results {
			if err := c.object(ctx, row.TypeOfAssignment, row.ID); err != nil {
				return done, err
			}
			done.Objects++
		}
		if skip += len(page.Results); len(page.Results) == 0 || skip >= page.TotalResults {
			return done, nil
		}
	}
}

// object reads one object and stores it.
func (c *crawl) object(ctx context.Context, kind, id string) error {
	resource, known := resources[kind]
	if !known {
		return fmt.Errorf("object %s is of an unknown kind %q", id, kind)
	}
	var wrapped map[string]json.RawMessage
	if err := c.call(ctx, http.MethodGet, resource[0]+"?id="+url.QueryEscape(id), nil, &wrapped); err != nil {
		return err
	}
	raw := wrapped[resource[1]]
	var o object
	if err := json.Unmarshal(raw, &o); err != nil {
		return fmt.Errorf("read object %s: %w", id, err)
	}
	return pgx.BeginFunc(ctx, c.pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			insert into beside_items (id, source_type, title, status, category, price, street, house_number, postal_code, city,
				thumbnail_url, description, bedrooms, area, energy_label, modified_at, raw)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
			on conflict (id) do update set source_type = excluded.source_type, title = excluded.title, status = excluded.status,
				category = excluded.category, price = excluded.price, street = excluded.street, house_number = excluded.house_number,
				postal_code = excluded.postal_code, city = excluded.city, thumbnail_url = excluded.thumbnail_url,
				description = excluded.description, bedrooms = excluded.bedrooms, area = excluded.area,
				energy_label = excluded.energy_label, modified_at = excluded.modified_at, raw = excluded.raw, synced_at = now()
			where beside_items.modified_at <= excluded.modified_at`, o.columns(kind, raw)...)
		return err
	})
}

// columns are the values of a row.
func (o *object) columns(kind string, raw []byte) []any {
	title := dutch(o.TitleText)
	if title == "" {
		title = o.DisplayName
	}
	var price, area *float64
	var street, number, postalCode, city, thumbnail, label *string
	switch {
	case o.SaleOffer != nil:
		price = o.SaleOffer.SalePrice
	case o.RentOffer != nil:
		price = o.RentOffer.RentPrice
	}
	if o.UsableArea != nil {
		area = o.UsableArea.Area
	}
	if o.EnergyLabel != nil {
		label = o.EnergyLabel.EnergyClass
	}
	if a := o.Address; a != nil {
		number, postalCode = a.HouseNumberDisplayName, a.PostalCode
		if a.Street != nil {
			street = &a.Street.Name
		}
		if a.Locality != nil {
			city = &a.Locality.Name
		}
	}
	if len(o.Photos) > 0 {
		thumbnail = &o.Photos[0].URLMedium
	}
	return []any{o.ID, kind, title, o.AvailabilityStatus, o.ListingType, price, street, number, postalCode, city,
		thumbnail, dutch(o.AdvertisementText), o.NumberOfBedRooms, area, label, o.DateTimeModified, raw}
}

func (c *crawl) signIn(ctx context.Context) error {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.ClientID}, "client_secret": {c.ClientSecret}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var granted struct {
		AccessToken string `json:"access_token"`
	}
	if err := c.do(req, &granted); err != nil {
		return err
	}
	c.token = granted.AccessToken
	return nil
}

func (c *crawl) call(ctx context.Context, method, path string, body []byte, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.URL+"/v3/"+c.AgencyID+"/"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return c.do(req, into)
}

func (c *crawl) do(req *http.Request, into any) error {
	resp, err := c.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s %.200s", req.Method, req.URL.Path, resp.Status, content)
	}
	return json.Unmarshal(content, into)
}
