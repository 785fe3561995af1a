package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sparki.app/integrations"
	"sparki.app/integrations/db/dbtest"
	"sparki.app/integrations/providers/all"
	"sparki.app/integrations/providers/kolibri"
)

const webhookLimit = 5 << 20

// What is refused before its signature is looked at: size, encoding, method. Nothing is stored.
func TestWebhookRequests(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	body := kolibri.Envelope(update("", lindelaan))
	padded := func(size int) []byte { return append(bytes.Repeat([]byte(" "), size-len(body)), body...) }
	signed := func(body []byte, header ...string) http.Header {
		all := jsonHeader(kolibri.SignBody(h.secret, body))
		for n := 0; n < len(header); n += 2 {
			all[header[n]] = append(all[header[n]], header[n+1])
		}
		return all
	}
	typed := func(contentType string) http.Header {
		all := signed(body)
		all["Content-Type"] = []string{contentType}
		return all
	}
	cases := map[string]struct {
		method string
		body   []byte
		header http.Header
		status int
	}{
		"TooLarge":         {http.MethodPost, padded(webhookLimit + 1), signed(padded(webhookLimit + 1)), http.StatusRequestEntityTooLarge},
		"TooLargeUnsigned": {http.MethodPost, padded(webhookLimit + 1), jsonHeader(), http.StatusRequestEntityTooLarge},
		"Gzip":             {http.MethodPost, body, signed(body, "Content-Encoding", "gzip"), http.StatusUnsupportedMediaType},
		"GzipInCapitals":   {http.MethodPost, body, signed(body, "Content-Encoding", "GZIP"), http.StatusUnsupportedMediaType},
		"Brotli":           {http.MethodPost, body, signed(body, "Content-Encoding", "br"), http.StatusUnsupportedMediaType},
		"Deflate":          {http.MethodPost, body, signed(body, "Content-Encoding", "deflate"), http.StatusUnsupportedMediaType},
		"GzipAmongOthers":  {http.MethodPost, body, signed(body, "Content-Encoding", "identity, gzip"), http.StatusUnsupportedMediaType},
		"GzipSecondHeader": {http.MethodPost, body, signed(body, "Content-Encoding", "identity", "Content-Encoding", "gzip"), http.StatusUnsupportedMediaType},
		"MsgpackX":         {http.MethodPost, body, typed("application/x-msgpack"), http.StatusUnsupportedMediaType},
		"Msgpack":          {http.MethodPost, body, typed("application/msgpack; v=1"), http.StatusUnsupportedMediaType},
		"MsgpackCapitals":  {http.MethodPost, body, typed("Application/X-MsgPack"), http.StatusUnsupportedMediaType},
		"GET":              {http.MethodGet, nil, jsonHeader(), http.StatusMethodNotAllowed},
		"HEAD":             {http.MethodHead, nil, jsonHeader(), http.StatusMethodNotAllowed},
		"PUT":              {http.MethodPut, body, signed(body), http.StatusMethodNotAllowed},
		"PATCH":            {http.MethodPatch, body, signed(body), http.StatusMethodNotAllowed},
		"DELETE":           {http.MethodDelete, nil, jsonHeader(), http.StatusMethodNotAllowed},
		"OPTIONS":          {http.MethodOptions, nil, jsonHeader(), http.StatusMethodNotAllowed},
		"Invented":         {"INVENTED", body, signed(body), http.StatusMethodNotAllowed},
	}
	t.Run("Refused", func(t *testing.T) {
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				got := h.send(t, c.method, hookPath(h.integration), bytes.NewReader(c.body), c.header)
				if got.status != c.status {
					t.Errorf("answered %d %s, want %d", got.status, got.body, c.status)
				}
				if allow := got.header.Get("Allow"); c.status == http.StatusMethodNotAllowed && allow != http.MethodPost {
					t.Errorf("Allow: %q", allow)
				}
			})
		}
		t.Run("Endless", func(t *testing.T) {
			t.Parallel()
			endless := &counting{}
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+hookPath(h.integration), endless)
			resp, err := answerer.Do(req)
			if err == nil {
				defer resp.Body.Close()
				if resp.StatusCode != http.StatusRequestEntityTooLarge {
					t.Errorf("answered %d", resp.StatusCode)
				}
			}
			if n := endless.read(); n > 16*webhookLimit {
				t.Errorf("%d MiB were taken", n>>20)
			}
		})
	})
	if n := h.count(t, "deliveries"); n != 0 {
		t.Errorf("%d deliveries are stored", n)
	}
	for name, header := range map[string]http.Header{
		"Identity": signed(body, "Content-Encoding", "identity"), "Charset": typed("application/json; charset=utf-8"),
		"NoType": {"Signature": {kolibri.SignBody(h.secret, body)}}, "OtherType": typed("text/plain"),
	} {
		if got := h.send(t, http.MethodPost, hookPath(h.integration), bytes.NewReader(body), header); got.status != http.StatusAccepted {
			t.Errorf("%s: answered %d %s", name, got.status, got.body)
		}
	}
	if got := h.deliver(t, h.integration, h.secret, padded(webhookLimit)); got.status != http.StatusAccepted {
		t.Errorf("a body of exactly 5 MiB is answered %d %s", got.status, got.body)
	}
}

// counting is a body without an end that counts what is taken of it.
type counting struct{ taken atomic.Int64 }

func (c *counting) Read(p []byte) (int, error) {
	c.taken.Add(int64(len(p)))
	return copy(p, bytes.Repeat([]byte(" "), len(p))), nil
}

func (c *counting) read() int64 { return c.taken.Load() }

// connection speaks to the server byte by byte.
func (b *bundle) connection(t *testing.T, text string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn
}

// ended reads what is left of a connection, which must end within a time; it gives the statuses of
// the answers.
func ended(t *testing.T, conn net.Conn, within time.Duration) (statuses []int) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(within))
	reader := bufio.NewReader(conn)
	for {
		resp, err := http.ReadResponse(reader, nil)
		if err != nil {
			if netErr, ok := errors.AsType[net.Error](err); ok && netErr.Timeout() {
				t.Fatalf("the connection still stands after %v; answers so far: %v", within, statuses)
			}
			return statuses
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		statuses = append(statuses, resp.StatusCode)
	}
}

// Connections that bring no request, or only a part of one, end by themselves (B12–B16).
func TestWebhookConnections(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	body := kolibri.Envelope(update("", lindelaan))
	post := "POST " + hookPath(h.integration) + " HTTP/1.1\r\nHost: sparki\r\nContent-Type: application/json\r\n"
	signature := "Signature: " + kolibri.SignBody(h.secret, body) + "\r\n"
	length := fmt.Sprintf("Content-Length: %d\r\n", len(body))
	const busy = 5 * time.Second // that a busy machine may add to a bound
	t.Run("End", func(t *testing.T) {
		for name, c := range map[string]struct {
			text   string
			within time.Duration
			status int // of the one answer; 0 when none is needed
		}{
			"BodyNeverComes":    {post + signature + length + "\r\n", 15*time.Second + busy, 0},
			"BodyStopsHalfWay":  {post + signature + length + "\r\n" + string(body[:100]), 15*time.Second + busy, 0},
			"ChunksStop":        {post + signature + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 15*time.Second + busy, 0},
			"HeadersNeverEnd":   {post, 5*time.Second + busy, 0},
			"NothingComes":      {"", 5*time.Second + busy, 0},
			"ManyHeaders":       {post + strings.Repeat("X-Filling: "+strings.Repeat("x", 1000)+"\r\n", 64) + "\r\n", 5*time.Second + busy, http.StatusRequestHeaderFieldsTooLarge},
			"SplitSignature":    {post + "Connection: close\r\n" + signature[:30] + "\r\n " + signature[30:] + length + "\r\n" + string(body), busy, http.StatusUnauthorized},
			"TwoLengths":        {post + signature + length + "Content-Length: 3\r\n\r\n" + string(body), busy, http.StatusBadRequest},
			"BadChunk":          {post + "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n" + string(body), busy, 0},
			"UnknownEncoding":   {post + "Transfer-Encoding: gzip\r\n\r\n" + string(body), busy, http.StatusNotImplemented},
			"LengthWithPlus":    {post + "Content-Length: +5\r\n\r\nhello", busy, http.StatusBadRequest},
			"SpaceBeforeColon":  {post + "Content-Length : 5\r\n\r\nhello", busy, http.StatusBadRequest},
			"NoHost":            {strings.Replace(post, "Host: sparki\r\n", "", 1) + length + "\r\n" + string(body), busy, http.StatusBadRequest},
			"TwoHosts":          {post + "Host: elsewhere\r\n" + length + "\r\n" + string(body), busy, http.StatusBadRequest},
			"AbsoluteElsewhere": {"POST http://[::1 HTTP/1.1\r\nHost: sparki\r\n\r\n", busy, http.StatusBadRequest},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				statuses := ended(t, h.connection(t, c.text), c.within)
				if len(statuses) > 1 || c.status != 0 && (len(statuses) != 1 || statuses[0] != c.status) {
					t.Errorf("answered %v, want one %d", statuses, c.status)
				}
				for _, status := range statuses {
					if status/100 == 2 {
						t.Errorf("answered %d", status)
					}
				}
			})
		}
		t.Run("BodyDrips", func(t *testing.T) {
			t.Parallel()
			conn := h.connection(t, post+signature+length+"\r\n")
			stop := make(chan struct{})
			defer close(stop)
			go func() {
				tick := time.NewTicker(100 * time.Millisecond)
				defer tick.Stop()
				for n := range body {
					select {
					case <-tick.C:
						if _, err := conn.Write(body[n : n+1]); err != nil {
							return
						}
					case <-stop:
						return
					}
				}
			}()
			ended(t, conn, 15*time.Second+busy)
		})
		t.Run("ClientLeaves", func(t *testing.T) {
			t.Parallel()
			conn := h.connection(t, post+signature+length+"\r\n"+string(body[:len(body)-1]))
			_ = conn.(*net.TCPConn).CloseWrite()
			for _, status := range ended(t, conn, busy) {
				if status/100 == 2 {
					t.Errorf("half a body is answered %d", status)
				}
			}
		})
		t.Run("SmuggledBehindChunks", func(t *testing.T) {
			t.Parallel()
			// Whoever goes by the length sees one request, whoever goes by the chunks sees two.
			inner := "POST " + hookPath(h.integration) + " HTTP/1.1\r\nHost: sparki\r\n" + signature + length + "\r\n" + string(body)
			chunks := "0\r\n\r\n" + inner
			statuses := ended(t, h.connection(t, post+"Transfer-Encoding: chunked\r\nContent-Length: "+itoa(len(chunks))+"\r\n\r\n"+chunks), 5*time.Second+busy)
			if len(statuses) != 1 || statuses[0]/100 != 4 {
				t.Errorf("answered %v, want one refusal", statuses)
			}
		})
	})
	if n := h.count(t, "deliveries"); n != 0 {
		t.Errorf("%d deliveries are stored", n)
	}
}

// The switches decide what becomes of a delivery; a sender is never refused for them (A10).
func TestWebhookSwitches(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	body := func() []byte { return kolibri.Envelope(update("", lindelaan)) }
	var turned struct{ SetIntegrationEnabled saved }
	turn := func(on bool) {
		h.query(t, h.token, `mutation ($id: ID!, $on: Boolean!) { setIntegrationEnabled(integrationId: $id, enabled: $on) { integration { id enabled } userErrors { code } } }`,
			map[string]any{"id": h.integration, "on": on}, &turned)
		if turned.SetIntegrationEnabled.Integration.Enabled != on {
			t.Fatalf("the switch is not turned: %+v", turned)
		}
	}
	ignored := func(why string) {
		t.Helper()
		calls := h.office.called("")
		s := h.settled(t, h.accepted(t, body()))
		if s.Outcome != "IGNORED" || !strings.Contains(s.Reason, why) {
			t.Errorf("the delivery is %s %q, want IGNORED because %s", s.Outcome, s.Reason, why)
		}
		if n := h.count(t, "fetches"); n != 0 || h.office.called("") != calls {
			t.Errorf("%d objects wait to be read, %d calls were made", n, h.office.called("")-calls)
		}
	}
	turn(false)
	ignored("switched off")
	turn(true)
	h.waitForSync(t, h.integration)
	if s := h.settled(t, h.accepted(t, body())); s.Outcome != "PROCESSED" {
		t.Errorf("switched on again, the delivery is %s %q", s.Outcome, s.Reason)
	}
	h.save(t, map[string]any{}, func(input map[string]any) {
		input["domains"] = map[string]any{"listings": false, "agenda": false, "outbound": false}
	})
	ignored("listings are switched off")
	if got := h.deliver(t, h.integration, "not-the-secret-at-all", body()); got.status != http.StatusUnauthorized {
		t.Errorf("with listings off a bad signature is answered %d", got.status)
	}
}

// A replaced secret is good for a day beside the new one, and no longer (A9).
func TestWebhookSecretRotation(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	first, second, third := h.secret, "the-second-secret-0002", "the-third-secret-00003"
	status := func(secret string) int {
		return h.deliver(t, h.integration, secret, kolibri.Envelope(update("", lindelaan))).status
	}
	replace := func(secret any) {
		t.Helper()
		if got := h.save(t, map[string]any{"webhookSecret": secret}); len(got.UserErrors) > 0 {
			t.Fatalf("%+v", got.UserErrors)
		}
	}
	validUntil := func() string {
		var out struct {
			Node struct {
				Settings []struct {
					Field              struct{ Key string }
					IsSet              bool
					PreviousValidUntil string
				}
			}
		}
		h.query(t, h.token, `query ($id: ID!) { node(id: $id) { ... on Integration { settings { field { key } isSet previousValidUntil } } } }`, map[string]any{"id": h.integration}, &out)
		for _, s := range out.Node.Settings {
			if s.Field.Key == "webhookSecret" {
				return s.PreviousValidUntil
			}
		}
		return "no such setting"
	}
	if got := validUntil(); got != "" {
		t.Errorf("before any change a previous secret is valid until %q", got)
	}
	replace(second)
	if s1, s2, s3 := status(first), status(second), status(third); s1 != 202 || s2 != 202 || s3 != 401 {
		t.Errorf("within the day: first %d, second %d, third %d", s1, s2, s3)
	}
	until, err := time.Parse(time.RFC3339, validUntil())
	if left := time.Until(until); err != nil || left < 23*time.Hour || left > 24*time.Hour {
		t.Errorf("the previous secret is valid until %q", validUntil())
	}
	h.exec(t, `update settings set previous_until = now() - interval '1 second' where key = 'webhookSecret'`)
	eventually(t, "the previous secret to be refused", func() bool { return status(first) == 401 })
	if s2, got := status(second), validUntil(); s2 != 202 || got != "" {
		t.Errorf("after the day the second is answered %d, and the first is said to be valid until %q", s2, got)
	}
	replace(third)
	if s1, s2, s3 := status(first), status(second), status(third); s1 != 401 || s2 != 202 || s3 != 202 {
		t.Errorf("after another change: first %d, second %d, third %d", s1, s2, s3)
	}
	replace(nil)
	if s2, s3, none := status(second), status(third), status(""); s2 != 401 || s3 != 401 || none != 401 {
		t.Errorf("cleared: second %d, third %d, none %d", s2, s3, none)
	}
}

// One secret in two portals: each takes only what is about its own agency (A17).
func TestWebhookOfAnotherPortal(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	portal := dbtest.Portal(t, h.db, all.Keys()...)
	settings := h.office.settings(t)
	settings["realEstateAgencyId"] = "00000000-0000-4000-8000-00000000000b"
	other := h.saveAs(t, h.newToken(t, portal, sparki.Permissions...), settings).Integration.ID
	body := kolibri.Envelope(update("the same", lindelaan))
	mine := h.settled(t, h.accepted(t, body))
	theirs := h.settled(t, deliveryID(t, h.deliver(t, other, h.secret, body)))
	if mine.Outcome != "PROCESSED" || theirs.Outcome != "IGNORED" || !strings.Contains(theirs.Reason, "another agency") {
		t.Errorf("ours is %s, theirs %s %q", mine.Outcome, theirs.Outcome, theirs.Reason)
	}
}

// Without a Postgres that takes writes nothing is promised: 503 and Retry-After, and the sender's next try is taken
// (B18, M11).
func TestWebhookWithoutPostgres(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]struct {
		begin, end func(*testing.T, *hook, *gate)
	}{
		"Gone":   {func(_ *testing.T, _ *hook, g *gate) { g.shut() }, func(_ *testing.T, _ *hook, g *gate) { g.open() }},
		"Silent": {func(_ *testing.T, _ *hook, g *gate) { g.hold() }, func(_ *testing.T, _ *hook, g *gate) { g.open() }},
		"ReadOnly": {func(t *testing.T, h *hook, _ *gate) { // as a replica, or one whose disk is full
			h.readOnly(t, "on")
		}, func(t *testing.T, h *hook, _ *gate) { h.readOnly(t, "off") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var gate *gate
			h := newHook(t, func(c *config) { gate, c.DatabaseURL = postgresGate(t, c.DatabaseURL) })
			t.Cleanup(gate.open)
			body := kolibri.Envelope(update("kept at last", lindelaan))
			fault.begin(t, h, gate)
			client := http.Client{Timeout: 15 * time.Second} // as long as Kolibri waits
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+hookPath(h.integration), bytes.NewReader(body))
			req.Header = jsonHeader(kolibri.SignBody(h.secret, body))
			resp, err := client.Do(req)
			if err != nil {
				t.Fatalf("no answer: %v", err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
				t.Errorf("answered %d, Retry-After %q", resp.StatusCode, resp.Header.Get("Retry-After"))
			}
			if got := h.send(t, http.MethodGet, "/readyz", nil, nil); got.status != http.StatusServiceUnavailable {
				t.Errorf("/readyz: %d %s", got.status, got.body)
			}
			fault.end(t, h, gate)
			var last answered
			eventually(t, "the next try to be taken", func() bool {
				last = h.deliver(t, h.integration, h.secret, body)
				return last.status == http.StatusAccepted
			})
			h.settled(t, deliveryID(t, last))
			if n := h.count(t, "messages where outcome = 'PROCESSED'"); n != 1 {
				t.Errorf("%d messages are processed", n)
			}
		})
	}
}

// readOnly lets the database take no writes, or take them again.
func (b *bundle) readOnly(t *testing.T, onOff string) {
	t.Helper()
	b.superuser(t, func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, `set default_transaction_read_only = off`)
		if err == nil {
			_, err = c.Exec(ctx, `do $$ begin execute format('alter database %I set default_transaction_read_only = `+onOff+`', current_database()); end $$`)
		}
		if err == nil {
			_, err = c.Exec(ctx, `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`)
		}
		return err
	})
}

// Without Redis a sender notices nothing, and what was stored is worked off when it is back (B19).
func TestWebhookWithoutRedis(t *testing.T) {
	t.Parallel()
	for name, close := range map[string]func(*gate){"Gone": (*gate).shut, "Silent": (*gate).hold} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var gate *gate
			h := newHook(t, func(c *config) { gate, c.RedisURL = redisGate(t, c.RedisURL) })
			t.Cleanup(gate.open)
			close(gate)
			h.office.change(t, lindelaan, `{"price": 777777}`)
			delivery := h.accepted(t, kolibri.Envelope(update("", lindelaan)))
			if got := h.send(t, http.MethodGet, "/readyz", nil, nil); got.status != http.StatusOK || !strings.Contains(got.body, `"redis":"degraded"`) {
				t.Errorf("/readyz: %d %s", got.status, got.body)
			}
			gate.open()
			if s := h.settled(t, delivery); s.Outcome != "PROCESSED" {
				t.Errorf("the delivery is %s %q", s.Outcome, s.Reason)
			}
			if i := h.item(t, lindelaan); i.Listing.Price.Amount != "777777.00" {
				t.Errorf("the item's price is %s", i.Listing.Price.Amount)
			}
		})
	}
}
