package server

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
	"sparki.app/integrations/db/dbtest"
	"sparki.app/integrations/devstack/teststack"
	"sparki.app/integrations/media"
	"sparki.app/integrations/resolvers"
)

func TestMain(m *testing.M) { teststack.Main(m) }

func TestMedia(t *testing.T) {
	t.Parallel()
	png, pdf := append([]byte("\x89PNG\r\n\x1a\n"), bytes.Repeat([]byte("0123456789"), 100)...), []byte("%PDF-1.4\n")
	crm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(map[string][]byte{"/a": png, "/b": pdf, "/c": []byte("<html>")}[r.URL.Path])
	}))
	t.Cleanup(crm.Close)
	d, folder := dbtest.New(t), t.TempDir()
	store, err := media.OpenStore(t.Context(), "file://"+folder)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	service := media.New(media.Options{DB: d, Bucket: store, AllowPrivate: true, Log: log})
	t.Cleanup(func() { _ = service.Close() })
	portal, project := dbtest.Portal(t, d), sparki.NewID()
	ids := map[string]uuid.UUID{}
	err = d.Tx(t.Context(), portal.ID, func(tx *db.Tx) error {
		if err := tx.InsertProject(t.Context(), project, nil, 30, &sparki.Listing{Title: "Dorpsstraat 1", Status: sparki.StatusAvailable, Category: sparki.CategoryHouse}); err != nil {
			return err
		}
		for _, name := range []string{"a", "b", "c"} {
			ids[name] = sparki.NewID()
			if err := tx.AddMedia(t.Context(), &sparki.ProjectMedia{ID: ids[name], ProjectID: project, Kind: sparki.MediaImage, URL: crm.URL + "/" + name}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := service.Copy(t.Context(), portal.ID, portal.ID); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer((&Server{DB: d, Media: service, Resolver: &resolvers.Resolver{}, Log: log}).Handler())
	t.Cleanup(server.Close)
	ask := func(t *testing.T, method, id string, headers ...string) (*http.Response, []byte) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, server.URL+"/media/"+id, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, body
	}
	a := sparki.MediaNode.ID(ids["a"])
	sum := sha256.Sum256(png)
	etag := `"` + hex.EncodeToString(sum[:]) + `"`

	t.Run("Headers", func(t *testing.T) {
		t.Parallel()
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			resp, body := ask(t, method, a)
			if method == http.MethodGet && !bytes.Equal(body, png) || resp.ContentLength != int64(len(png)) || resp.StatusCode != http.StatusOK {
				t.Errorf("%s gives %d and %d of %d bytes", method, resp.StatusCode, len(body), resp.ContentLength)
			}
			for name, want := range map[string]string{
				"Content-Type": "image/png", "Content-Disposition": `inline; filename="` + a + `.png"`, "Cache-Control": "public, max-age=3600",
				"ETag": etag, "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
				"Accept-Ranges": "bytes", "Cross-Origin-Resource-Policy": "cross-origin", "Set-Cookie": "",
			} {
				if got := resp.Header.Get(name); got != want {
					t.Errorf("%s: %s is %q, want %q", method, name, got, want)
				}
			}
		}
		b := sparki.MediaNode.ID(ids["b"])
		resp, _ := ask(t, http.MethodGet, b)
		if got := resp.Header.Get("Content-Type") + " " + resp.Header.Get("Content-Disposition"); got != `application/pdf attachment; filename="`+b+`.pdf"` {
			t.Errorf("a PDF is served as %s", got)
		}
	})
	t.Run("NotModified", func(t *testing.T) {
		t.Parallel()
		for _, match := range []string{etag, "W/" + etag, `"other", ` + etag, "*"} {
			resp, body := ask(t, http.MethodGet, a, "If-None-Match", match)
			if resp.StatusCode != http.StatusNotModified || len(body) != 0 || resp.Header.Get("ETag") != etag || resp.Header.Get("Cache-Control") == "" {
				t.Errorf("If-None-Match %s gives %d, %v", match, resp.StatusCode, resp.Header)
			}
		}
		if resp, _ := ask(t, http.MethodGet, a, "If-None-Match", `"other"`); resp.StatusCode != http.StatusOK {
			t.Errorf("another ETag gives %d", resp.StatusCode)
		}
	})
	t.Run("Range", func(t *testing.T) {
		t.Parallel()
		resp, body := ask(t, http.MethodGet, a, "Range", "bytes=8-12", "If-Range", etag)
		if resp.StatusCode != http.StatusPartialContent || string(body) != "01234" || resp.Header.Get("Content-Range") != fmt.Sprintf("bytes 8-12/%d", len(png)) {
			t.Errorf("a range gives %d %q %v", resp.StatusCode, body, resp.Header)
		}
		if resp, body := ask(t, http.MethodGet, a, "Range", "bytes=-3"); resp.StatusCode != http.StatusPartialContent || string(body) != "789" {
			t.Errorf("the end gives %d %q", resp.StatusCode, body)
		}
		if resp, _ := ask(t, http.MethodGet, a, "Range", "bytes=9999999-"); resp.StatusCode != http.StatusRequestedRangeNotSatisfiable {
			t.Errorf("behind the end gives %d", resp.StatusCode)
		}
	})
	t.Run("NotFound", func(t *testing.T) {
		t.Parallel()
		for _, id := range []string{
			sparki.MediaNode.ID(ids["c"]), sparki.MediaNode.ID(sparki.NewID()), sparki.ProjectNode.ID(project), sparki.ProjectNode.ID(ids["a"]),
			ids["a"].String(), a + ".png", "media_", "x", portal.ID.String() + "%2F" + hex.EncodeToString(sum[:]), "..%2F..%2Fetc%2Fpasswd",
		} {
			if resp, body := ask(t, http.MethodGet, id); resp.StatusCode != http.StatusNotFound || resp.Header.Get("ETag") != "" {
				t.Errorf("%s gives %d %s", id, resp.StatusCode, body)
			}
		}
	})
	t.Run("StoreFails", func(t *testing.T) { // not in parallel: the store is whole before and after
		if err := os.Rename(filepath.Join(folder, portal.ID.String()), filepath.Join(folder, "away")); err != nil {
			t.Fatal(err)
		}
		resp, _ := ask(t, http.MethodGet, a)
		if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || resp.Header.Get("ETag") != "" || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("a store without it gives %d %v", resp.StatusCode, resp.Header)
		}
		if resp, _ := ask(t, http.MethodGet, a, "If-None-Match", etag); resp.StatusCode != http.StatusNotModified {
			t.Errorf("what the reader has gives %d", resp.StatusCode)
		}
		if err := os.Rename(filepath.Join(folder, "away"), filepath.Join(folder, portal.ID.String())); err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(folder, portal.ID.String(), "*"))
		if err != nil || len(files) != 2 {
			t.Fatalf("the store holds %v, %v", files, err)
		}
		whole := map[string][]byte{}
		for _, file := range files { // broken by a full disk
			if whole[file], err = os.ReadFile(file); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, whole[file][:5], 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if resp, _ := ask(t, http.MethodGet, a); resp.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("half a file gives %d", resp.StatusCode)
		}
		for file, content := range whole {
			if err := os.WriteFile(file, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	})
}
