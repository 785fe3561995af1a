package media

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gocloud.dev/blob/fileblob"

	"sparki.app/integrations"
	"sparki.app/integrations/providers/rest"
)

func TestCopy(t *testing.T) {
	t.Parallel()
	t.Run("ByContent", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		var zipped bytes.Buffer
		zip := gzip.NewWriter(&zipped)
		_, _ = zip.Write(picture(1))
		_ = zip.Close()
		cases := map[string]struct {
			says string
			body []byte
			want string // "": refused
		}{
			"jpeg": {"text/html", []byte("\xff\xd8\xff\xe0\x00\x10JFIF"), "image/jpeg"},
			"png":  {"application/octet-stream", picture(1), "image/png"},
			"gif":  {"", []byte("GIF89a<script>alert(1)</script>"), "image/gif"},
			"webp": {"image/png", []byte("RIFF\x00\x00\x00\x00WEBPVP8 "), "image/webp"},
			"avif": {"image/avif", []byte("\x00\x00\x00\x1cftypavif\x00\x00\x00\x00mif1miaf"), "image/avif"},
			"pdf":  {"image/jpeg", []byte("%PDF-1.4\n"), "application/pdf"},
			"html": {"image/jpeg", []byte("<!doctype html><script>alert(1)</script>"), ""},
			"svg":  {"image/svg+xml", []byte(`<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`), ""},
			"xml":  {"image/svg+xml", []byte(`<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>`), ""},
			"mp4":  {"image/jpeg", []byte("\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"), ""},
			"text": {"image/jpeg", []byte("not a picture"), ""},
			"void": {"image/jpeg", nil, ""},
			"zip":  {"image/png", zipped.Bytes(), ""},
		}
		urls := map[string]string{}
		for name, c := range cases {
			urls[name] = b.host.on("/"+name+".jpg", content(c.says, c.body))
		}
		b.manage(t, urls)
		b.copyAll(t)
		media := b.media(t)
		for name, c := range cases {
			m := media[name]
			if m.Copied != (c.want != "") {
				t.Errorf("%s: copied is %v: %+v", name, m.Copied, b.row(t, name))
				continue
			}
			if c.want == "" {
				if row := b.row(t, name); row.Waits != 0 || !strings.Contains(row.Problem, "no picture") {
					t.Errorf("%s: it is not given up: %+v", name, row)
				}
				if b.URL(m) != urls[name] {
					t.Errorf("%s: the CRM's URL does not stay: %s", name, b.URL(m))
				}
				continue
			}
			if want := "https://api.example.nl/media/" + m.NodeID(); b.URL(m) != want {
				t.Errorf("%s: it is served from %s", name, b.URL(m))
			}
			file, err := b.Find(t.Context(), m.ID)
			if err != nil {
				t.Fatal(err)
			}
			if file.MimeType != c.want || file.Size != int64(len(c.body)) {
				t.Errorf("%s: it is kept as %s of %d bytes", name, file.MimeType, file.Size)
			}
			if !strings.HasPrefix(file.Key(), b.portal.ID.String()+"/"+file.SHA256) {
				t.Errorf("%s: its key is %s", name, file.Key())
			}
			reader, err := b.Open(t.Context(), file)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(reader); err != nil || !bytes.Equal(got, c.body) {
				t.Errorf("%s: %d bytes come back, %v", name, len(got), err)
			}
			_ = reader.Close()
		}
	})
	t.Run("Size", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		fits := append(picture(1), make([]byte, maxSize-len(picture(1)))...)
		chunked := func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			_, _ = w.Write(append(fits, 0))
		}
		b.manage(t, map[string]string{
			"fits":     b.host.on("/fits", content("image/png", fits)),
			"too much": b.host.on("/much", content("image/png", append(fits, 0))),
			"chunked":  b.host.on("/chunked", chunked),
			"short": b.host.on("/short", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "1000")
				_, _ = w.Write(picture(1))
			}),
		})
		b.copyAll(t)
		if row := b.row(t, "fits"); !row.Copied {
			t.Errorf("25 MiB are not copied: %+v", row)
		}
		for _, name := range []string{"too much", "chunked"} {
			if row := b.row(t, name); row.Copied || row.Waits != 0 || row.Problem != "the medium is larger than 25 MiB" {
				t.Errorf("%s: %+v", name, row)
			}
		}
		if row := b.row(t, "short"); row.Copied || row.Waits <= 0 {
			t.Errorf("what broke off is not tried again: %+v", row)
		}
	})
	t.Run("Redirects", func(t *testing.T) {
		t.Parallel()
		b, foreign := setup(t), newHost(t)
		to := func(url string) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, url, http.StatusFound) }
		}
		b.manage(t, map[string]string{
			"own":     b.host.on("/old", to(b.host.on("/new", content("image/png", picture(1))))),
			"foreign": b.host.on("/away", to(foreign.on("/x", content("image/png", picture(2))))),
			"loop":    b.host.on("/loop", to("/loop")),
			"file":    b.host.on("/file", to("file:///etc/passwd")),
			"named":   b.host.on("/named", to(strings.Replace(b.host.URL, "http://", "http://me:secret@", 1)+"/new")),
		})
		b.copyAll(t)
		if row := b.row(t, "own"); !row.Copied {
			t.Errorf("a redirect on the same host is not followed: %+v", row)
		}
		for _, name := range []string{"foreign", "loop", "file", "named"} {
			if row := b.row(t, name); row.Copied || row.Waits != 0 {
				t.Errorf("%s: %+v", name, row)
			}
		}
		if n := len(foreign.asked()); n != 0 {
			t.Errorf("the foreign host was asked %d times", n)
		}
	})
	t.Run("SendsNoCredentials", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		url := b.host.on("/a", func(w http.ResponseWriter, _ *http.Request) {
			http.SetCookie(w, &http.Cookie{Name: "session", Value: "x"})
			_, _ = w.Write(picture(1))
		})
		b.manage(t, map[string]string{"a": url})
		b.copyAll(t)
		b.manage(t, map[string]string{
			"a": url, "again": b.host.on("/b", content("", picture(2))),
			"named": strings.Replace(url, "http://", "http://me:secret@", 1), "script": "javascript:alert(1)", "file": "file:///etc/passwd", "none": "http:///x",
		})
		b.copyAll(t)
		asked := b.host.asked()
		if len(asked) != 2 {
			t.Errorf("the host was asked %d times, want 2", len(asked))
		}
		for _, r := range asked {
			if r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != "" || r.Header.Get("Referer") != "" {
				t.Errorf("it was sent %v", r.Header)
			}
		}
		for _, name := range []string{"named", "script", "file", "none"} {
			if row := b.row(t, name); row.Copied || row.Waits != 0 || row.Problem != "media are not fetched from such a URL" {
				t.Errorf("%s: %+v", name, row)
			}
		}
	})
	t.Run("PrivateAddresses", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		strict := New(Options{DB: b.db, Bucket: b.bucket, Log: b.log})
		url := b.host.on("/a", content("image/png", picture(1)))
		if _, err := strict.client.Get(url); !errors.Is(err, rest.ErrForbiddenAddress) {
			t.Errorf("loopback gives %v", err)
		}
		b.manage(t, map[string]string{
			"http": url, "port": "https://example.nl:8443/a", "literal": "https://127.0.0.1/a", "six": "https://[::1]/a", "mapped": "https://[::ffff:10.0.0.1]/a",
		})
		if err := strict.Copy(t.Context(), b.portal.ID, b.portal.ID); err != nil {
			t.Fatal(err)
		}
		for name, m := range b.media(t) {
			if row := b.row(t, name); row.Copied || row.Waits != 0 || strict.URL(m) != m.URL {
				t.Errorf("%s: %+v", name, row)
			}
		}
		if n := len(b.host.asked()); n != 0 {
			t.Errorf("the host was asked %d times", n)
		}
	})
	t.Run("SamePictureIsKeptOnce", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		one, two := b.host.on("/one", content("", picture(1))), b.host.on("/two", content("", picture(1)))
		b.manage(t, map[string]string{"a": one, "b": two})
		b.copyAll(t)
		if keys := b.objects(t); len(keys) != 1 || b.count(t, `select count(*) from blobs where unused_since is null`) != 1 {
			t.Fatalf("the same picture is kept as %v", keys)
		}
		asked := len(b.host.asked())
		b.manage(t, map[string]string{"a": one + "?signature=new", "b": two})
		b.copyAll(t)
		if row := b.row(t, "a"); !row.Copied || len(b.host.asked()) != asked {
			t.Errorf("a new signed URL is fetched again: %+v", row)
		}
	})
	t.Run("ANewURLIsANewChance", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		url := b.host.on("/signed", func(w http.ResponseWriter, r *http.Request) {
			if r.FormValue("signature") != "new" {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			_, _ = w.Write(picture(1))
		})
		b.manage(t, map[string]string{"a": url + "?signature=old"})
		b.copyAll(t)
		if row := b.row(t, "a"); row.Copied || row.Waits != 0 {
			t.Fatalf("a refusal is tried again: %+v", row)
		}
		b.manage(t, map[string]string{"a": url + "?signature=old"})
		if row := b.row(t, "a"); row.Due {
			t.Errorf("the same URL is tried again: %+v", row)
		}
		b.manage(t, map[string]string{"a": url + "?signature=new"})
		b.copyAll(t)
		if row := b.row(t, "a"); !row.Copied {
			t.Errorf("a new URL is not tried: %+v", row)
		}
	})
	t.Run("AThumbnailWithoutAnID", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.manage(t, map[string]string{sparki.AnonymousMedium: b.host.on("/old", content("", picture(1)))})
		b.copyAll(t)
		b.manage(t, map[string]string{sparki.AnonymousMedium: b.host.on("/new", content("", picture(2)))})
		if row := b.row(t, sparki.AnonymousMedium); row.Copied || !row.Due {
			t.Fatalf("another picture keeps the old copy: %+v", row)
		}
		b.copyAll(t)
		if row := b.row(t, sparki.AnonymousMedium); !row.Copied || len(b.objects(t)) != 2 {
			t.Errorf("the new picture is not copied: %+v", row)
		}
	})
	t.Run("Retries", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		url := b.host.on("/a", status(http.StatusBadGateway))
		b.manage(t, map[string]string{"a": url, "busy": b.host.on("/busy", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "1800")
			w.WriteHeader(http.StatusTooManyRequests)
		})})
		for try := 1; try < copyTries; try++ {
			b.copyAll(t)
			row := b.row(t, "a")
			if most := firstDelay.Seconds() * float64(int(1)<<(try-1)); row.Copied || row.Attempts != try || row.Waits < min(most, longest.Seconds())/2-5 || row.Waits > most {
				t.Fatalf("after try %d: %+v", try, row)
			}
			if busy := b.row(t, "busy"); busy.Waits < 1700 || busy.Attempts != 1 {
				t.Fatalf("the host's wish counts for nothing: %+v", busy)
			}
			b.exec(t, `update project_media set copy_due_at = now() where external_id = 'a'`)
		}
		b.copyAll(t)
		if row := b.row(t, "a"); row.Copied || row.Waits != 0 || row.Problem == "" {
			t.Errorf("it is never given up: %+v", row)
		}
		b.exec(t, `update project_media set copy_due_at = now(), copy_attempts = 3 where external_id = 'a'`)
		b.host.on("/a", content("", picture(1)))
		b.copyAll(t)
		if row := b.row(t, "a"); !row.Copied || row.Waits != 0 || row.Attempts != 0 || row.Problem != "" {
			t.Errorf("a later success leaves %+v", row)
		}
	})
	t.Run("StoreFails", func(t *testing.T) {
		t.Parallel()
		folder := t.TempDir()
		store, err := fileblob.OpenBucket(folder, &fileblob.Options{NoTempDir: true, Metadata: fileblob.MetadataDontWrite})
		if err != nil {
			t.Fatal(err)
		}
		b := setupWith(t, store)
		blocked := filepath.Join(folder, b.portal.ID.String()) // a file where the portal's folder should be
		if err := os.WriteFile(blocked, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		pictures := map[string]string{}
		for n := range 10 {
			pictures[fmt.Sprint(n)] = b.host.on(fmt.Sprint("/", n), content("", picture(n)))
		}
		b.manage(t, pictures)
		if err := b.Copy(t.Context(), b.portal.ID, b.portal.ID); err == nil || !strings.Contains(err.Error(), "not a directory") {
			t.Errorf("a store that takes nothing gives %v", err)
		}
		for name := range pictures {
			if row := b.row(t, name); row.Copied || row.Attempts != 0 || !row.Due && row.Waits < 50 {
				t.Errorf("%s: it is not given back unspent: %+v", name, row)
			}
		}
		if n := len(b.host.asked()); n > parallel {
			t.Errorf("%d pictures were fetched for nothing", n)
		}
		if err := os.Remove(blocked); err != nil {
			t.Fatal(err)
		}
		b.exec(t, `update project_media set copy_due_at = now()`)
		b.copyAll(t)
		for name, m := range b.media(t) {
			if !m.Copied {
				t.Errorf("%s is not copied: %+v", name, b.row(t, name))
			}
		}
	})
	t.Run("LeaseLost", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		url := b.host.on("/a", func(w http.ResponseWriter, r *http.Request) {
			b.exec(t, `update project_media set copy_due_at = now()`) // the lease runs out
			if _, err := b.db.ClaimMediaCopies(r.Context(), b.portal.ID, time.Hour, 1); err != nil {
				t.Error(err)
			}
			_, _ = w.Write(picture(1))
		})
		b.manage(t, map[string]string{"a": url})
		b.copyAll(t)
		if row := b.row(t, "a"); row.Copied || row.Fence != 2 || row.Waits < 3500 || row.Problem != "" {
			t.Errorf("who lost the lease wrote: %+v", row)
		}
	})
	t.Run("AnotherURLWhileTheOldIsRead", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		fresh := b.host.on("/new", content("", picture(2)))
		old := b.host.on("/old", func(w http.ResponseWriter, _ *http.Request) {
			b.manage(t, map[string]string{sparki.AnonymousMedium: fresh})
			_, _ = w.Write(picture(1))
		})
		b.manage(t, map[string]string{sparki.AnonymousMedium: old})
		b.copyAll(t)
		file, err := b.Find(t.Context(), b.media(t)[sparki.AnonymousMedium].ID)
		if err != nil {
			t.Fatal(err)
		}
		reader, err := b.Open(t.Context(), file)
		if err != nil {
			t.Fatal(err)
		}
		defer reader.Close()
		if got, _ := io.ReadAll(reader); !bytes.Equal(got, picture(2)) {
			t.Error("the old picture won")
		}
	})
	t.Run("WorkerStops", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		ctx, stop := context.WithCancel(t.Context())
		b.manage(t, map[string]string{"a": b.host.on("/a", func(_ http.ResponseWriter, r *http.Request) {
			stop()
			<-r.Context().Done()
		})})
		if err := b.Copy(ctx, b.portal.ID, b.portal.ID); !errors.Is(err, context.Canceled) {
			t.Errorf("a stopped worker says %v", err)
		}
		if row := b.row(t, "a"); !row.Due || row.Attempts != 0 {
			t.Errorf("it is not given back: %+v", row)
		}
	})
	t.Run("SeveralWorkers", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		pictures := map[string]string{}
		for n := range 30 {
			pictures[fmt.Sprint(n)] = b.host.on(fmt.Sprint("/", n), content("", picture(n%7)))
		}
		b.manage(t, pictures)
		var workers sync.WaitGroup
		for range 4 {
			workers.Go(func() {
				if err := b.Copy(t.Context(), b.portal.ID, b.portal.ID); err != nil {
					t.Error(err)
				}
			})
		}
		workers.Wait()
		if n := len(b.host.asked()); n != 30 {
			t.Errorf("30 pictures were fetched %d times", n)
		}
		if n := b.count(t, `select count(*) from project_media where blob_id is not null`); n != 30 {
			t.Errorf("%d are copied", n)
		}
		if keys := b.objects(t); len(keys) != 7 {
			t.Errorf("seven pictures are kept as %d", len(keys))
		}
	})
	t.Run("Off", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.manage(t, map[string]string{"a": b.host.on("/a", content("", picture(1)))})
		b.copyAll(t)
		off := New(Options{DB: b.db, Log: b.log})
		m := b.media(t)["a"]
		if off.URL(m) != m.URL {
			t.Errorf("without a store it is served from %s", off.URL(m))
		}
		if _, err := off.Find(t.Context(), m.ID); sparki.KindOf(err) != sparki.NotFound {
			t.Errorf("without a store a copy gives %v", err)
		}
		if bells, err := off.Due(t.Context()); len(bells) != 0 || err != nil {
			t.Errorf("without a store there is work: %v, %v", bells, err)
		}
		if err := errors.Join(off.Copy(t.Context(), b.portal.ID, b.portal.ID), off.Collect(t.Context(), b.portal.ID, b.portal.ID)); err != nil {
			t.Error(err)
		}
	})
}
