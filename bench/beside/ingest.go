package beside

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

const maxBody = 5 << 20

// envelope is a delivery of Kolibri; each message holds JSON in a string.
type envelope struct {
	Items []struct {
		Data struct {
			Messages []struct {
				Data string `json:"data"`
			} `json:"messages"`
		} `json:"data"`
	} `json:"items"`
}

type notification struct {
	ID            string `json:"id"`
	EntityDetails struct {
		EntityType string `json:"entityType"`
		EntityID   string `json:"entityId"`
		Event      string `json:"event"`
	} `json:"entityDetails"`
}

// ingest takes a delivery in: signature, JSON, one transaction, 202.
func (s *Server) ingest(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "the body did not come whole", http.StatusBadRequest)
		return
	}
	claimed, err := base64.StdEncoding.DecodeString(r.Header.Get("Signature"))
	mac := hmac.New(sha256.New, []byte(s.WebhookSecret))
	mac.Write(body)
	if err != nil || !hmac.Equal(mac.Sum(nil), claimed) {
		http.Error(w, "the signature does not verify", http.StatusUnauthorized)
		return
	}
	notifications, err := parse(body)
	if err != nil {
		http.Error(w, "the body cannot be read", http.StatusBadRequest)
		return
	}
	delivery := uuid.Must(uuid.NewV7())
	err = pgx.BeginFunc(r.Context(), s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(r.Context(), `insert into beside_deliveries (id, body) values ($1, $2)`, delivery, body); err != nil {
			return err
		}
		for _, n := range notifications {
			if _, err := tx.Exec(r.Context(), `
				insert into beside_messages (id, delivery_id, entity_type, entity_id, event) values ($1, $2, $3, $4, $5)
				on conflict do nothing`,
				n.ID, delivery, n.EntityDetails.EntityType, n.EntityDetails.EntityID, n.EntityDetails.Event); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, http.StatusAccepted, map[string]string{"deliveryId": delivery.String()})
}

func parse(body []byte) ([]notification, error) {
	var e envelope
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, err
	}
	var all []notification
	for _, item := range e.Items {
		for _, message := range item.Data.Messages {
			var n notification
			if err := json.Unmarshal([]byte(message.Data), &n); err != nil {
				return nil, err
			}
			all = append(all, n)
		}
	}
	return all, nil
}
