package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

// contentTypes is fixed here because package mime also asks the machine it runs on. The empty extension is for licences.
var contentTypes = map[string]string{
	"":     "text/plain; charset=utf-8",
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".md":  "text/markdown; charset=utf-8",
	".svg": "image/svg+xml",
	".txt": "text/plain; charset=utf-8",
}

// assets are the static files as they go out, ready since start. Read-only once loaded.
type assets struct {
	hash  string           // one for all files: it changes when any file does
	files map[string]asset // by the path below static: "vendor/react/LICENSE"
}

type asset struct {
	contentType string
	plain       []byte
	gzipped     []byte // nil where gzip saves nothing
}

// static is loaded on first use, so commands that serve no pages do not pay for it.
var static = sync.OnceValue(func() *assets {
	root, err := fs.Sub(staticFiles, "static")
	if err != nil {
		panic(err)
	}
	a, err := load(root)
	if err != nil {
		panic(err) // the files are part of the binary: only a bug gets here, and the tests find it
	}
	return a
})

// load reads and compresses every file of root. A file whose extension contentTypes does not know is an error.
func load(root fs.FS) (*assets, error) {
	a := &assets{files: map[string]asset{}}
	sum := sha256.New()
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		contentType, ok := contentTypes[path.Ext(name)]
		if !ok {
			return fmt.Errorf("static file %s: no content type for its extension", name)
		}
		plain, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		gzipped, err := compress(plain)
		if err != nil {
			return fmt.Errorf("static file %s: %w", name, err)
		}
		fmt.Fprintf(sum, "%s\x00%d\x00", name, len(plain))
		sum.Write(plain)
		a.files[name] = asset{contentType: contentType, plain: plain, gzipped: gzipped}
		return nil
	})
	a.hash = hex.EncodeToString(sum.Sum(nil)[:8])
	return a, err
}

// compress returns nil where the result would not be smaller.
func compress(plain []byte) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(plain); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	if b.Len() >= len(plain) {
		return nil, nil
	}
	return b.Bytes(), nil
}

// url is the address of a file, for pages to refer to it.
func (a *assets) url(name string) (string, error) {
	if _, ok := a.files[name]; !ok {
		return "", fmt.Errorf("no static file %q", name)
	}
	return "/static/" + a.hash + "/" + name, nil
}

// Static serves /static/<hash>/…, to be cached for ever: a changed file gets a new address. Any other hash or name is 404, in
// plain text, so that a stale page fails plainly instead of running HTML as a script.
func Static() http.Handler {
	a := static()
	return readOnly(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, ok := strings.CutPrefix(r.URL.Path, "/static/"+a.hash+"/")
		file, found := a.files[name]
		if !ok || !found {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Type", file.contentType)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("Vary", "Accept-Encoding")
		body := file.plain
		if file.gzipped != nil && acceptsGzip(r.Header) {
			h.Set("Content-Encoding", "gzip")
			body = file.gzipped
		}
		h.Set("Content-Length", strconv.Itoa(len(body)))
		w.Write(body)
	}))
}

// acceptsGzip reads Accept-Encoding, RFC 9110 section 12.5.3, as far as gzip by name: "gzip;q=0" refuses it. The wildcard is
// not taken as a yes, nor is a weight we cannot read; plain is always right.
func acceptsGzip(h http.Header) bool {
	for part := range strings.SplitSeq(strings.Join(h.Values("Accept-Encoding"), ","), ",") {
		coding, weight, weighted := strings.Cut(part, ";")
		if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			continue
		}
		if !weighted {
			return true
		}
		q, err := strconv.ParseFloat(strings.TrimPrefix(strings.ToLower(strings.TrimSpace(weight)), "q="), 64)
		return err == nil && q > 0
	}
	return false
}

// readOnly answers 405 to everything but GET and HEAD. For HEAD, net/http keeps the headers and drops the body.
func readOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		next.ServeHTTP(w, r)
	})
}
