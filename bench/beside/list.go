package beside

import (
	"crypto/subtle"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"sparki.app/integrations"
)

// The list answers what Sparki's GraphQL answers to bench's query, field by field.

type listAnswer struct {
	Data struct {
		SyncedItems struct {
			Nodes    []*listItem `json:"nodes"`
			PageInfo struct {
				HasNextPage bool `json:"hasNextPage"`
			} `json:"pageInfo"`
		} `json:"syncedItems"`
	} `json:"data"`
}

type listItem struct {
	ID      string `json:"id"`
	Listing struct {
		Title        string  `json:"title"`
		Status       string  `json:"status"`
		ThumbnailURL *string `json:"thumbnailUrl"`
		Address      struct {
			Label               string  `json:"label"`
			Street              *string `json:"street"`
			HouseNumber         *string `json:"houseNumber"`
			HouseNumberAddition *string `json:"houseNumberAddition"`
			PostalCode          *string `json:"postalCode"`
			City                *string `json:"city"`
		} `json:"address"`
	} `json:"listing"`
	LinkedProjects []listProject `json:"linkedProjects"`
}

type listProject struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

const listQuery = `
	select i.id, i.title, i.status, i.thumbnail_url, i.address_label, i.street, i.house_number, i.house_number_addition,
		i.postal_code, i.city, p.id, p.title
	from (
		select portal_id, id, title, status, thumbnail_url, address_label, street, house_number, house_number_addition, postal_code, city, synced_at
		from items where portal_id = $1 order by synced_at desc, id desc limit LIMIT
	) i
	left join projects p on p.portal_id = i.portal_id and p.item_id = i.id
	order by i.synced_at desc, i.id desc, p.id`

const pageSize = 50

var (
	limited = strings.Replace(listQuery, "LIMIT", "$2", 1)
	planned = strings.Replace(listQuery, "LIMIT", strconv.Itoa(pageSize+1), 1)
)

// list answers the latest 50 items with the projects that follow them.
func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+s.Token)) != 1 {
		http.Error(w, "sign in first", http.StatusUnauthorized)
		return
	}
	sql, args := limited, []any{s.Portal, pageSize + 1} // one more tells whether a page follows
	if s.PlanOnce {
		sql, args = planned, args[:1]
	}
	rows, err := s.pool.Query(r.Context(), sql, args...)
	if err != nil {
		fail(w, err)
		return
	}
	defer rows.Close()
	var out listAnswer
	page := &out.Data.SyncedItems
	var last uuid.UUID
	for rows.Next() {
		var (
			id      uuid.UUID
			project *uuid.UUID
			title   *string
			item    listItem
		)
		l := &item.Listing
		a := &l.Address
		if err := rows.Scan(&id, &l.Title, &l.Status, &l.ThumbnailURL, &a.Label, &a.Street, &a.HouseNumber, &a.HouseNumberAddition,
			&a.PostalCode, &a.City, &project, &title); err != nil {
			fail(w, err)
			return
		}
		if len(page.Nodes) == 0 || id != last {
			last, item.ID, item.LinkedProjects = id, sparki.ItemNode.ID(id), []listProject{}
			page.Nodes = append(page.Nodes, &item)
		}
		if project != nil {
			node := page.Nodes[len(page.Nodes)-1]
			node.LinkedProjects = append(node.LinkedProjects, listProject{sparki.ProjectNode.ID(*project), *title})
		}
	}
	if err := rows.Err(); err != nil {
		fail(w, err)
		return
	}
	if len(page.Nodes) > pageSize {
		page.Nodes, page.PageInfo.HasNextPage = page.Nodes[:pageSize], true
	}
	answer(w, http.StatusOK, &out)
}
