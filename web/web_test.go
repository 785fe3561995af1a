package web

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// site mounts everything the way the server does.
func site(t *testing.T, facts ...Fact) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/static/", Static())
	mux.Handle("/graphiql", GraphiQL())
	mux.Handle("/", Home(facts))
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// transport does not ask for gzip by itself.
var transport = &http.Transport{DisableCompression: true}

// do sends one request with the given headers, "name: value".
func do(t *testing.T, method, url string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		req.Header.Set(name, value)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func want(t *testing.T, resp *http.Response, status int, headers map[string]string) {
	t.Helper()
	if resp.StatusCode != status {
		t.Errorf("%s %s: status %d, want %d", resp.Request.Method, resp.Request.URL.Path, resp.StatusCode, status)
	}
	for name, value := range headers {
		if got := resp.Header.Get(name); got != value {
			t.Errorf("%s %s: %s is %q, want %q", resp.Request.Method, resp.Request.URL.Path, name, got, value)
		}
	}
}

var pages = map[string]string{"/": homePolicy, "/graphiql": explorerPolicy}

func TestPages(t *testing.T) {
	t.Parallel()
	s := site(t, Fact{Label: "API explorer", Text: "GraphiQL", Href: "/graphiql"})
	for page, policy := range pages {
		resp, body := do(t, "GET", s.URL+page)
		want(t, resp, 200, map[string]string{
			"Content-Type":            "text/html; charset=utf-8",
			"Content-Security-Policy": policy,
			"X-Content-Type-Options":  "nosniff",
			"Referrer-Policy":         "no-referrer",
			"Cache-Control":           "no-cache",
		})
		if !strings.Contains(body, `<html lang="en">`) {
			t.Errorf("%s: no language", page)
		}
		head, none := do(t, "HEAD", s.URL+page)
		want(t, head, 200, map[string]string{"Content-Length": resp.Header.Get("Content-Length")})
		if none != "" {
			t.Errorf("HEAD %s: has a body", page)
		}
		for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS"} {
			resp, _ := do(t, method, s.URL+page)
			want(t, resp, 405, map[string]string{"Allow": "GET, HEAD"})
		}
	}
}

func TestPolicies(t *testing.T) {
	t.Parallel()
	for page, policy := range pages {
		directives := map[string]string{}
		for directive := range strings.SplitSeq(policy, "; ") {
			name, value, _ := strings.Cut(directive, " ")
			directives[name] = value
		}
		for _, name := range []string{"default-src", "base-uri", "form-action", "frame-ancestors"} {
			if directives[name] != "'none'" {
				t.Errorf("%s: %s is %q", page, name, directives[name])
			}
		}
		for name, value := range directives {
			for source := range strings.FieldsSeq(value) {
				inlineStyle := page == "/graphiql" && name == "style-src" && source == "'unsafe-inline'"
				if !slices.Contains([]string{"'none'", "'self'", "data:"}, source) && !inlineStyle {
					t.Errorf("%s: %s allows %s", page, name, source)
				}
			}
		}
		if strings.Contains(directives["script-src"], "data:") {
			t.Errorf("%s: scripts from data URLs", page)
		}
	}
}

func TestPagesLoadOnlyWhatWeServe(t *testing.T) {
	t.Parallel()
	s := site(t)
	reference := regexp.MustCompile(`(?:src|href)="([^"]*)"`)
	inline := regexp.MustCompile(`(?i)<style|\sstyle=|\son\w+=|<script[^>]*>[^<]`)
	for page := range pages {
		_, body := do(t, "GET", s.URL+page)
		if found := inline.FindString(body); found != "" {
			t.Errorf("%s: inline script or style: %s", page, found)
		}
		references := reference.FindAllStringSubmatch(body, -1)
		if len(references) == 0 {
			t.Errorf("%s: refers to nothing", page)
		}
		for _, match := range references {
			resp, content := do(t, "GET", s.URL+match[1])
			want(t, resp, 200, map[string]string{
				"Content-Type":           contentTypes[path.Ext(match[1])],
				"X-Content-Type-Options": "nosniff",
				"Cache-Control":          "public, max-age=31536000, immutable",
			})
			if content == "" {
				t.Errorf("%s: %s is empty", page, match[1])
			}
		}
	}
}

func TestNoOutsideHosts(t *testing.T) {
	t.Parallel()
	s := site(t)
	ours := map[string]string{}
	for page := range pages {
		_, ours[page] = do(t, "GET", s.URL+page)
	}
	for name, file := range static().files {
		if !strings.HasPrefix(name, "vendor/") {
			ours[name] = string(file.plain)
		}
	}
	host := regexp.MustCompile(`(?i)\b(?:https?|wss?):|["'(=]//`)
	for name, content := range ours {
		content = strings.ReplaceAll(content, `xmlns="http://www.w3.org/2000/svg"`, "")
		if found := host.FindString(content); found != "" {
			t.Errorf("%s: names a host: %s", name, found)
		}
	}
}

func TestHome(t *testing.T) {
	t.Parallel()
	s := site(t,
		Fact{Label: "Database", Text: "Postgres <16> & up"},
		Fact{Label: `<script>alert(1)</script>`, Text: `"><img src=x>`, Href: `/x"onclick="y`},
		Fact{Label: "Bare", Href: "/schema.graphqls"},
		Fact{Label: "Bad", Text: "bad", Href: "javascript:alert(1)"},
	)
	_, body := do(t, "GET", s.URL+"/")
	for _, line := range []string{
		`<tr><th scope="row">Database</th><td>Postgres &lt;16&gt; &amp; up</td></tr>`,
		`<tr><th scope="row">&lt;script&gt;alert(1)&lt;/script&gt;</th><td><a href="/x%22onclick=%22y">&#34;&gt;&lt;img src=x&gt;</a></td></tr>`,
		`<tr><th scope="row">Bare</th><td><a href="/schema.graphqls">/schema.graphqls</a></td></tr>`,
	} {
		if !strings.Contains(body, line) {
			t.Errorf("no line %s in\n%s", line, body)
		}
	}
	if strings.Contains(body, "javascript:") {
		t.Error("a javascript: address is a link")
	}

	_, body = do(t, "GET", site(t).URL+"/")
	if strings.Contains(body, "<table") {
		t.Error("a table without facts")
	}
	resp, body := do(t, "GET", s.URL+"/projects")
	want(t, resp, 404, map[string]string{"Content-Type": "text/plain; charset=utf-8"})
	if strings.Contains(body, "<") {
		t.Errorf("an unknown path answers %q", body)
	}
}

func TestStatic(t *testing.T) {
	t.Parallel()
	s := site(t)
	css, err := static().url("home.css")
	if err != nil {
		t.Fatal(err)
	}

	t.Run("NotFound", func(t *testing.T) {
		t.Parallel()
		hash := "/static/" + static().hash
		for _, name := range []string{
			"/static/", "/static/home.css", "/static/0000000000000000/home.css", "/static/" + static().hash + "0/home.css",
			hash, hash + "/", hash + "/nothing.js", hash + "/vendor", hash + "/vendor/", hash + "/home.css/",
			hash + "/home.html", hash + "/%2e%2e/web_test.go", hash + "/HOME.CSS",
		} {
			resp, body := do(t, "GET", s.URL+name)
			want(t, resp, 404, map[string]string{
				"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff", "Cache-Control": "",
			})
			if strings.Contains(body, "<") {
				t.Errorf("%s answers %q", name, body)
			}
		}
	})

	t.Run("Methods", func(t *testing.T) {
		t.Parallel()
		resp, _ := do(t, "POST", s.URL+css)
		want(t, resp, 405, map[string]string{"Allow": "GET, HEAD"})
		resp, body := do(t, "HEAD", s.URL+css)
		want(t, resp, 200, map[string]string{"Content-Type": "text/css; charset=utf-8"})
		if body != "" || resp.ContentLength != int64(len(static().files["home.css"].plain)) {
			t.Errorf("HEAD: body %q, length %d", body, resp.ContentLength)
		}
	})

	t.Run("Gzip", func(t *testing.T) {
		t.Parallel()
		plain := string(static().files["home.css"].plain)
		for accept, zipped := range map[string]bool{
			"gzip": true, "GZIP": true, "br, gzip, deflate": true, "gzip;q=0.5": true, "br , gzip ; q=1": true,
			"": false, "identity": false, "br": false, "gzip;q=0": false, "gzip; Q=0.000": false, "x-gzip": false,
			"*": false, "gzip;q=much": false,
		} {
			resp, body := do(t, "GET", s.URL+css, "Accept-Encoding: "+accept)
			want(t, resp, 200, map[string]string{"Content-Type": "text/css; charset=utf-8", "Vary": "Accept-Encoding"})
			if resp.ContentLength != int64(len(body)) {
				t.Errorf("%q: length %d of a body of %d", accept, resp.ContentLength, len(body))
			}
			if got := resp.Header.Get("Content-Encoding"); (got == "gzip") != zipped {
				t.Errorf("%q: encoding %q", accept, got)
				continue
			}
			if zipped {
				body = gunzip(t, body)
			}
			if body != plain {
				t.Errorf("%q: another body", accept)
			}
		}
	})

	t.Run("EveryFile", func(t *testing.T) {
		t.Parallel()
		for name, file := range static().files {
			url, err := static().url(name)
			if err != nil {
				t.Fatal(err)
			}
			resp, body := do(t, "GET", s.URL+url, "Accept-Encoding: gzip")
			want(t, resp, 200, map[string]string{"Content-Type": contentTypes[path.Ext(name)]})
			if resp.Header.Get("Content-Encoding") == "gzip" {
				body = gunzip(t, body)
			}
			if body != string(file.plain) {
				t.Errorf("%s: another body", name)
			}
		}
	})
}

func gunzip(t *testing.T, body string) string {
	t.Helper()
	z, err := gzip.NewReader(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

func TestLoad(t *testing.T) {
	t.Parallel()
	hash := func(files map[string]string) string {
		root := fstest.MapFS{}
		for name, content := range files {
			root[name] = &fstest.MapFile{Data: []byte(content)}
		}
		a, err := load(root)
		if err != nil {
			t.Fatal(err)
		}
		return a.hash
	}
	seen := map[string]bool{}
	for _, files := range []map[string]string{
		{}, {"a.js": "1"}, {"a.js": "2"}, {"b.js": "1"}, {"a.js": "1", "b.js": ""}, {"a.js": "", "b.js": "1"},
	} {
		if hash(files) != hash(maps.Clone(files)) {
			t.Errorf("%v: the hash is not stable", files)
		}
		if seen[hash(files)] {
			t.Errorf("%v: the hash of other files", files)
		}
		seen[hash(files)] = true
	}

	if _, err := load(fstest.MapFS{"font.woff2": {}}); err == nil {
		t.Error("a file without a content type is accepted")
	}
	a, err := load(fstest.MapFS{"tiny.js": {Data: []byte("1")}})
	if err != nil {
		t.Fatal(err)
	}
	if a.files["tiny.js"].gzipped != nil {
		t.Error("gzip kept although it saves nothing")
	}
	if _, err := a.url("other.js"); err == nil {
		t.Error("a page may refer to a file that is not there")
	}
}

// TestVendor holds the third-party files to the table in their README.
func TestVendor(t *testing.T) {
	t.Parallel()
	vendor, err := fs.Sub(staticFiles, "static/vendor")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := fs.ReadFile(vendor, "README.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\|.*\\| `(.+)` \\| `([0-9a-f]{64})` \\|$").FindAllStringSubmatch(string(readme), -1) {
		listed[row[1]] = row[2]
	}
	found := map[string]string{}
	err = fs.WalkDir(vendor, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || name == "README.md" {
			return err
		}
		content, err := fs.ReadFile(vendor, name)
		sum := sha256.Sum256(content)
		found[name] = hex.EncodeToString(sum[:])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(listed, found) {
		t.Errorf("vendor/README.md lists\n%v\nbut there is\n%v", listed, found)
	}
}
