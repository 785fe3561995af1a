package media

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"sparki.app/integrations"
	"sparki.app/integrations/db/dbtest"
)

func TestDue(t *testing.T) {
	t.Parallel()
	b := setup(t)
	due := func() []string {
		bells, err := b.Due(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var jobs []string
		for _, bell := range bells {
			if bell.PortalID != b.portal.ID || bell.ID != b.portal.ID {
				t.Errorf("a bell of %v", bell)
			}
			jobs = append(jobs, string(bell.Job))
		}
		return jobs
	}
	b.collect(t)
	if got := due(); len(got) != 0 {
		t.Errorf("with nothing to do: %v", got)
	}
	b.manage(t, map[string]string{"a": b.host.on("/a", content("", picture(1)))})
	if got := due(); !slices.Equal(got, []string{"media:copy"}) {
		t.Errorf("with a new picture: %v", got)
	}
	b.copyAll(t)
	b.exec(t, `update portals set collect_due_at = now()`)
	if got := due(); !slices.Equal(got, []string{"media:collect"}) {
		t.Errorf("an hour later: %v", got)
	}
}

// collect lets the hour come, and collects.
func (b *bundle) collect(t *testing.T) {
	t.Helper()
	b.exec(t, `update portals set collect_due_at = now()`)
	if err := b.Collect(t.Context(), b.portal.ID, b.portal.ID); err != nil {
		t.Fatal(err)
	}
}

// aDayLater moves what waits for its grace.
func (b *bundle) aDayLater(t *testing.T) {
	t.Helper()
	b.exec(t, `update blobs set unused_since = unused_since - interval '24 hours 1 second'`)
}

func TestCollect(t *testing.T) {
	t.Parallel()
	t.Run("AfterADay", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		a, z := b.host.on("/a", content("", picture(1))), b.host.on("/z", content("", picture(2)))
		b.manage(t, map[string]string{"a": a, "z": z})
		b.copyAll(t)
		b.collect(t)
		b.aDayLater(t)
		b.collect(t)
		if n := len(b.objects(t)); n != 2 {
			t.Fatalf("of two that are used, %d are left", n)
		}
		b.manage(t, map[string]string{"a": a})
		b.collect(t) // sees it for the first time
		b.exec(t, `update blobs set unused_since = unused_since - interval '23 hours'`)
		b.collect(t)
		if n := len(b.objects(t)); n != 2 {
			t.Fatalf("the grace is not kept: %d are left", n)
		}
		b.aDayLater(t)
		if err := b.Collect(t.Context(), b.portal.ID, b.portal.ID); err != nil { // the hour has not come
			t.Fatal(err)
		}
		if n := len(b.objects(t)); n != 2 {
			t.Fatalf("it was collected before the hour: %d are left", n)
		}
		b.collect(t)
		file, err := b.Find(t.Context(), b.media(t)["a"].ID)
		if err != nil {
			t.Fatal(err)
		}
		if keys := b.objects(t); !slices.Equal(keys, []string{file.Key()}) || b.count(t, `select count(*) from blobs`) != 1 {
			t.Errorf("after the grace there are %v", keys)
		}
	})
	t.Run("BackWithinTheGrace", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		a := b.host.on("/a", content("", picture(1)))
		b.manage(t, map[string]string{"a": a})
		b.copyAll(t)
		keys := b.objects(t)
		b.manage(t, nil)
		b.collect(t)
		b.manage(t, map[string]string{"a": a})
		b.copyAll(t)
		b.aDayLater(t)
		b.collect(t)
		if got := b.objects(t); !slices.Equal(got, keys) {
			t.Errorf("%v became %v", keys, got)
		}
	})
	// A picture comes back after its file was doomed and before its object was deleted.
	t.Run("BackTooLate", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		a := b.host.on("/a", content("", picture(1)))
		b.manage(t, map[string]string{"a": a})
		b.copyAll(t)
		b.manage(t, nil)
		b.collect(t)
		b.aDayLater(t)
		doomed, err := b.db.DoomBlobs(t.Context(), b.portal.ID, grace, 10)
		if err != nil || len(doomed) != 1 {
			t.Fatal(doomed, err)
		}
		b.manage(t, map[string]string{"a": a})
		b.copyAll(t)
		b.collect(t) // goes on where the crash left it
		file, err := b.Find(t.Context(), b.media(t)["a"].ID)
		if err != nil {
			t.Fatal(err)
		}
		reader, err := b.Open(t.Context(), file)
		if err != nil {
			t.Fatalf("the copy that came back was deleted: %v", err)
		}
		_ = reader.Close()
		if keys := b.objects(t); !slices.Equal(keys, []string{file.Key()}) {
			t.Errorf("there are %v", keys)
		}
	})
	// A worker that died between the row and the object, or between the object and the medium.
	t.Run("NeverUsed", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		if _, err := b.db.HoldBlob(t.Context(), b.portal.ID, strings.Repeat("a", 64), "image/png", 1); err != nil {
			t.Fatal(err)
		}
		file, err := b.db.HoldBlob(t.Context(), b.portal.ID, strings.Repeat("b", 64), "image/png", 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.store(t.Context(), file, []byte("x")); err != nil {
			t.Fatal(err)
		}
		b.collect(t)
		if n := b.count(t, `select count(*) from blobs`); n != 2 {
			t.Fatalf("what is being stored is collected: %d rows", n)
		}
		b.aDayLater(t)
		b.collect(t)
		if n := b.count(t, `select count(*) from blobs`); n != 0 || len(b.objects(t)) != 0 {
			t.Errorf("%d rows and %v are left", n, b.objects(t))
		}
	})
	t.Run("StoreFails", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		if _, err := b.db.HoldBlob(t.Context(), b.portal.ID, strings.Repeat("a", 64), "image/png", 1); err != nil {
			t.Fatal(err)
		}
		b.aDayLater(t)
		_ = b.bucket.Close()
		if err := b.Collect(t.Context(), b.portal.ID, b.portal.ID); err == nil {
			t.Error("a store that is away is no error")
		}
		if n := b.count(t, `select count(*) from blobs where doomed_at is not null`); n != 1 {
			t.Errorf("%d rows wait for the store", n)
		}
	})
}

// The same picture in two portals is two files, and neither reaches the other's.
func TestPortalsAreApart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	url := b.host.on("/a", content("", picture(1)))
	other := dbtest.Portal(t, b.db)
	theirs := addProject(t, b.db, other)
	b.manage(t, map[string]string{"a": url})
	manage(t, b.db, other, theirs, sparki.MediaImage, map[string]string{"a": url})
	b.copyAll(t)
	if err := b.Copy(t.Context(), other.ID, other.ID); err != nil {
		t.Fatal(err)
	}
	if keys := b.objects(t); len(keys) != 2 {
		t.Fatalf("two portals keep %v", keys)
	}
	_, err := b.super.Exec(t.Context(), `update project_media m set blob_id = b.id from blobs b where m.portal_id = $1 and b.portal_id <> m.portal_id`, b.portal.ID)
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); !ok || pgErr.Code != "23503" {
		t.Errorf("a medium may refer to another portal's file: %v", err)
	}
	mine, err := b.Find(t.Context(), b.media(t)["a"].ID)
	if err != nil || mine.PortalID != b.portal.ID || !strings.HasPrefix(mine.Key(), b.portal.ID.String()+"/") {
		t.Errorf("%+v, %v", mine, err)
	}
	manage(t, b.db, other, theirs, sparki.MediaImage, nil)
	b.exec(t, `update blobs set unused_since = now() - interval '2 days' where portal_id = $1`, other.ID)
	if err := b.Collect(t.Context(), other.ID, other.ID); err != nil {
		t.Fatal(err)
	}
	if keys := b.objects(t); !slices.Equal(keys, []string{mine.Key()}) {
		t.Errorf("collecting one portal's leaves %v", keys)
	}
	if _, err := b.Find(t.Context(), sparki.NewID()); sparki.KindOf(err) != sparki.NotFound {
		t.Errorf("an unknown id gives %v", err)
	}
}

func TestOpenStore(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"media", "/var/lib/media", "file://", "file:///", "file://media", "file:relative", "mem://", "s3://", "https://bucket", "s3://b?region=x&nonsense=1", "::"} {
		if store, err := OpenStore(t.Context(), url); err == nil || store != nil || !strings.HasPrefix(err.Error(), "MEDIA_URL") {
			t.Errorf("%q gives %v", url, err)
		}
	}
	if store, err := OpenStore(t.Context(), ""); store != nil || err != nil {
		t.Errorf("no URL gives %v, %v", store, err)
	}
	for _, url := range []string{"file://" + filepath.Join(t.TempDir(), "new", "folder"), "s3://bucket?region=eu-west-1", "s3://bucket?region=auto&endpoint=https://s3.example.nl&use_path_style=true&request_checksum_calculation=when_required"} {
		store, err := OpenStore(t.Context(), url)
		if err != nil {
			t.Errorf("%q gives %v", url, err)
			continue
		}
		_ = store.Close()
	}
}

// A bucket that speaks S3, as far as it is used here: the line works with what .env.example shows.
func TestS3(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	objects := map[string][]byte{}
	s3 := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		object, there := objects[r.URL.Path]
		switch {
		case r.Method == http.MethodPut:
			objects[r.URL.Path], _ = io.ReadAll(r.Body)
		case !there:
			w.WriteHeader(http.StatusNotFound)
		case r.Method == http.MethodDelete:
			delete(objects, r.URL.Path)
			w.WriteHeader(http.StatusNoContent)
		default:
			http.ServeContent(w, r, "", time.Now(), bytes.NewReader(object))
		}
	}))
	t.Cleanup(s3.Close)
	store, err := OpenStore(t.Context(), "s3://pictures?region=auto&anonymous=true&use_path_style=true&request_checksum_calculation=when_required&endpoint="+s3.URL)
	if err != nil {
		t.Fatal(err)
	}
	b := setupWith(t, store)
	b.manage(t, map[string]string{"a": b.host.on("/a", content("", picture(1)))})
	b.copyAll(t)
	file, err := b.Find(t.Context(), b.media(t)["a"].ID)
	if err != nil {
		t.Fatalf("%v: %+v", err, b.row(t, "a"))
	}
	if got := objects["/pictures/"+file.Key()]; !bytes.Equal(got, picture(1)) {
		t.Errorf("the bucket holds %q of %v", got, objects)
	}
	reader, err := b.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(reader); err != nil || !bytes.Equal(got, picture(1)) {
		t.Errorf("it gives %q, %v", got, err)
	}
	_ = reader.Close()
	b.manage(t, nil)
	b.collect(t)
	b.aDayLater(t)
	b.collect(t)
	if len(objects) != 0 {
		t.Errorf("the bucket keeps %v", objects)
	}
}
