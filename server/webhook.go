package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"sparki.app/integrations"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/tracing"
)

// webhookRead bounds how long a sender may take over its body; Kolibri itself gives up after 15 s
// (contract §8.3).
const webhookRead = 14 * time.Second

// storeWithin bounds how long a sender waits for a database that does not answer; the delivery may
// then still be stored, and its repetition is left out as a double.
const storeWithin = 2 * time.Second

// webhook takes a CRM's notifications in. The order is product.md §3: method and encoding, size,
// signature, one transaction, answer. Nothing is fetched while the sender waits.
func (s *Server) webhook(provider providers.Provider) http.HandlerFunc {
	info := provider.Info()
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			refuse(w, http.StatusMethodNotAllowed, "send notifications with POST")
			return
		}
		if encoding := strings.Join(r.Header.Values("Content-Encoding"), ","); encoding != "" && !strings.EqualFold(encoding, "identity") {
			refuse(w, http.StatusUnsupportedMediaType, "send the body uncompressed")
			return
		}
		if strings.Contains(strings.ToLower(r.Header.Get("Content-Type")), "msgpack") {
			refuse(w, http.StatusUnsupportedMediaType, "send JSON")
			return
		}
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(webhookRead)) // a recorder in a test has none
		body, err := readBody(http.MaxBytesReader(w, r.Body, info.WebhookBodyLimit), r.ContentLength)
		if err != nil {
			s.unread(w, err)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), storeWithin)
		defer cancel()
		delivery, err := s.delivery(ctx, r, provider, info.Signed, body)
		if err == nil {
			err = s.Inbox.Receive(ctx, delivery)
		}
		answer := ""
		switch {
		case err == nil:
			answer = taken(delivery)
			s.accepted(ctx, delivery)
			writeJSON(w, http.StatusAccepted, receipt{delivery.NodeID()})
		case unknownSender(err) && s.webhooks.add(s.clientIP(r)+" "+short(r.PathValue("id"))):
			answer = "too_many"
			tooMany(w, s.webhooks)
		case errors.Is(err, providers.ErrUnverified):
			answer = "unverified"
			refuse(w, http.StatusUnauthorized, "the signature does not verify")
		case errors.Is(err, providers.ErrUnreadable):
			answer = "unreadable"
			refuse(w, http.StatusBadRequest, "the body is not a JSON object")
		case sparki.KindOf(err) == sparki.NotFound:
			answer = "unknown"
			refuse(w, http.StatusNotFound, "there is no integration with this id")
		case r.Context().Err() != nil: // the sender is gone
			answer = "gone"
		default:
			answer = "not_stored"
			s.Log.ErrorContext(ctx, "webhook not stored", slog.String("provider", info.Key), slog.Any("error", err))
			w.Header().Set("Retry-After", "5")
			refuse(w, http.StatusServiceUnavailable, "the delivery could not be stored: send it again")
		}
		if s.Told.Delivery != nil {
			s.Told.Delivery(info.Key, answer)
		}
	}
}

// taken is what became of a delivery that was kept.
func taken(d *sparki.Delivery) string {
	switch d.Outcome {
	case sparki.OutcomeIgnored:
		return "ignored"
	case sparki.OutcomeFailed:
		return "failed"
	default:
		return "accepted"
	}
}

// receipt is the answer to a delivery that is stored.
type receipt struct {
	DeliveryID string `json:"deliveryId"`
}

// accepted notes a delivery on its trace and in the log.
func (s *Server) accepted(ctx context.Context, d *sparki.Delivery) {
	id, from := slog.String("delivery", d.NodeID()), slog.String("integration", sparki.IntegrationNode.ID(d.IntegrationID))
	tracing.Note(ctx, id, from)
	s.Log.DebugContext(ctx, "webhook accepted", id, from, slog.Int("messages", len(d.Messages)), slog.String("outcome", string(d.Outcome)))
}

// readBody reads a whole body. The length is what the sender says, and believed up to a bound: room for it is made at once.
func readBody(body io.Reader, length int64) ([]byte, error) {
	const most = 64 << 10
	buf := bytes.NewBuffer(make([]byte, 0, min(max(length, 0), most)+bytes.MinRead))
	_, err := buf.ReadFrom(body)
	return buf.Bytes(), err
}

// unknownSender says whether a delivery was refused for who sent it, or to whom. Only those are counted:
// all offices' good deliveries come from the same few addresses of a CRM.
func unknownSender(err error) bool {
	return errors.Is(err, providers.ErrUnverified) || sparki.KindOf(err) == sparki.NotFound
}

// short keeps as much of an id as any id of ours has.
func short(id string) string { return id[:min(len(id), 64)] }

// unread answers a body that did not come whole.
func (s *Server) unread(w http.ResponseWriter, err error) {
	w.Header().Set("Connection", "close")
	if tooBig, ok := errors.AsType[*http.MaxBytesError](err); ok {
		refuse(w, http.StatusRequestEntityTooLarge, "the body is larger than "+humanBytes(tooBig.Limit))
		return
	}
	refuse(w, http.StatusRequestTimeout, "the body did not come whole")
}

// delivery reads what a request hints at. What is authentic but cannot be read is kept as FAILED: a
// refusal would be sent again for ever. What nobody signed and cannot be read is ErrUnreadable.
func (s *Server) delivery(ctx context.Context, r *http.Request, provider providers.Provider, signed bool, body []byte) (*sparki.Delivery, error) {
	integration, messages, err := s.Integrations.Webhook(ctx, provider, r.PathValue("id"), r.Header, body)
	if err != nil && !(signed && errors.Is(err, providers.ErrUnreadable)) {
		return nil, err
	}
	d := &sparki.Delivery{ID: sparki.NewID(), PortalID: integration.PortalID, IntegrationID: integration.ID, Body: body, Trace: tracing.Place(ctx)}
	if signed {
		d.Signed = &signed
	}
	switch {
	case err != nil:
		d.Outcome, d.Reason = sparki.OutcomeFailed, "the body cannot be read"
	case !integration.Enabled:
		d.Outcome, d.Reason = sparki.OutcomeIgnored, "the integration is switched off"
	case !integration.Domains.Listings:
		d.Outcome, d.Reason = sparki.OutcomeIgnored, "listings are switched off"
	default:
		d.Messages = messages
	}
	return d, nil
}
