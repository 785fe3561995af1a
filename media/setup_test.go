package media

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/png"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
	"sparki.app/integrations/db/dbtest"
	"sparki.app/integrations/devstack/teststack"
)

func TestMain(m *testing.M) { teststack.Main(m) }

// bundle is a Service over a database and a store of its own, with a host of pictures that a test scripts.
type bundle struct {
	*Service
	portal  *sparki.Portal
	project uuid.UUID
	host    *host
	super   *pgx.Conn // past row-level security
}

func setup(t *testing.T) *bundle { return setupWith(t, memblob.OpenBucket(nil)) }

func setupWith(t *testing.T, store *blob.Bucket) *bundle {
	t.Helper()
	url := dbtest.URL(t)
	d := dbtest.Open(t, db.Options{URL: url})
	super, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = super.Close(context.Background()) })
	b := &bundle{portal: dbtest.Portal(t, d), super: super, host: newHost(t)}
	b.Service = New(Options{DB: d, Bucket: store, AllowPrivate: true, PublicURL: "https://api.example.nl", Log: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() { _ = b.Close() })
	b.project = addProject(t, d, b.portal)
	return b
}

func addProject(t *testing.T, d *db.DB, portal *sparki.Portal) uuid.UUID {
	t.Helper()
	id := sparki.NewID()
	err := d.Tx(t.Context(), portal.ID, func(tx *db.Tx) error {
		return tx.InsertProject(t.Context(), id, nil, 30, &sparki.Listing{Title: "Dorpsstraat 1", Status: sparki.StatusAvailable, Category: sparki.CategoryHouse})
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// manage makes the project's pictures these: URLs by external id.
func (b *bundle) manage(t *testing.T, pictures map[string]string) {
	t.Helper()
	manage(t, b.db, b.portal, b.project, sparki.MediaImage, pictures)
}

func manage(t *testing.T, d *db.DB, portal *sparki.Portal, project uuid.UUID, kind sparki.MediaKind, pictures map[string]string) {
	t.Helper()
	var media []sparki.ProjectMedia
	for id, url := range pictures {
		media = append(media, sparki.ProjectMedia{Kind: kind, Origin: sparki.MediaManaged, ExternalID: &id, URL: url})
	}
	err := d.Tx(t.Context(), portal.ID, func(tx *db.Tx) error {
		return tx.ReplaceManagedMedia(t.Context(), project, media, []sparki.MediaKind{kind})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (b *bundle) copyAll(t *testing.T) {
	t.Helper()
	if err := b.Copy(t.Context(), b.portal.ID, b.portal.ID); err != nil {
		t.Fatal(err)
	}
}

// media reads the project's media by external id.
func (b *bundle) media(t *testing.T) map[string]*sparki.ProjectMedia {
	t.Helper()
	all, err := b.db.MediaOfProjects(t.Context(), b.portal.ID, []uuid.UUID{b.project})
	if err != nil {
		t.Fatal(err)
	}
	media := map[string]*sparki.ProjectMedia{}
	for _, m := range all {
		media[*m.ExternalID] = m
	}
	return media
}

// row is what becomes of a medium's copy.
type row struct {
	Copied   bool
	Due      bool    // now
	Waits    float64 // seconds until it is due; 0: never
	Fence    int
	Attempts int
	Problem  string
}

func (b *bundle) row(t *testing.T, externalID string) (r row) {
	t.Helper()
	err := b.super.QueryRow(t.Context(), `
		select blob_id is not null, coalesce(copy_due_at <= now(), false), coalesce(extract(epoch from copy_due_at - now()), 0)::float8,
			copy_fence, copy_attempts, coalesce(copy_error, '')
		from project_media where external_id = $1 and project_id = $2`, externalID, b.project).Scan(&r.Copied, &r.Due, &r.Waits, &r.Fence, &r.Attempts, &r.Problem)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// exec changes rows behind the program's back, as time or a crash would.
func (b *bundle) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := b.super.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

func (b *bundle) count(t *testing.T, sql string, args ...any) (n int) {
	t.Helper()
	if err := b.super.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// objects lists the keys in the store.
func (b *bundle) objects(t *testing.T) (keys []string) {
	t.Helper()
	for list := b.bucket.List(nil); ; {
		object, err := list.Next(t.Context())
		if err != nil {
			return keys
		}
		keys = append(keys, object.Key)
	}
}

// host serves pictures, and remembers who asked.
type host struct {
	*httptest.Server
	mu       sync.Mutex
	answer   map[string]http.HandlerFunc // by path
	requests []*http.Request
}

func newHost(t *testing.T) *host {
	h := &host{answer: map[string]http.HandlerFunc{}}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h
}

func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	h.requests = append(h.requests, r)
	answer := h.answer[r.URL.Path]
	h.mu.Unlock()
	if answer == nil {
		http.NotFound(w, r)
		return
	}
	answer(w, r)
}

// on sets the answer of a path, and gives its URL.
func (h *host) on(path string, answer http.HandlerFunc) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answer[path] = answer
	return h.URL + path
}

func (h *host) asked() []*http.Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]*http.Request{}, h.requests...)
}

func content(mimeType string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mimeType)
		_, _ = w.Write(body)
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// picture draws the nth picture.
func picture(n int) []byte {
	img := image.NewGray(image.Rect(0, 0, 2, 2))
	img.SetGray(0, 0, color.Gray{Y: uint8(n)})
	var out bytes.Buffer
	_ = png.Encode(&out, img) // never fails in memory
	return out.Bytes()
}
