//go:build unix

package devstack

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sparki.app/integrations/devstack/internal/own"
)

// sunPathMax is how long a unix socket's path may be; macOS allows the least, Linux 107.
const sunPathMax = 103

// makeDir makes dir, open to be passed through by Postgres's account whatever the umask is, and
// returns its path without symlinks: /proc tells the working directory of a server that way.
func makeDir(dir string) (string, error) {
	_, statErr := os.Stat(dir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if os.IsNotExist(statErr) {
		if err := os.Chmod(dir, 0o755); err != nil {
			return "", err
		}
	}
	return filepath.EvalSymlinks(dir)
}

// postgresHome returns the directory that holds everything of Postgres: dir/postgres, or one in
// /var/tmp when the account cannot get there, as in a checkout below /root.
func postgresHome(dir string, a account) (string, error) {
	if a.foreign && !a.canEnter(dir) {
		dir = fallbackDir(dir)
		if err := own.Dir(dir, 0o711, os.Geteuid(), os.Getegid()); err != nil {
			return "", err
		}
	}
	home := filepath.Join(dir, "postgres")
	return home, own.Dir(home, 0o700, a.uid, a.gid)
}

// fallbackDir is where root keeps the Postgres of a dir that Postgres's account cannot enter.
func fallbackDir(dir string) string { return "/var/tmp/sparki-" + shortHash(dir) }

// socketDir makes the directory for a server's unix socket: home/run, or one in /tmp when the path
// would be too long. pgx takes a comma in it for the end of a host name.
func socketDir(home, socket string, a account) (string, error) {
	dir := filepath.Join(home, "run")
	if len(filepath.Join(dir, socket)) > sunPathMax || strings.Contains(dir, ",") {
		dir = shortSocketDir(home, a)
	}
	return dir, own.Dir(dir, 0o700, a.uid, a.gid)
}

func shortSocketDir(home string, a account) string {
	return fmt.Sprintf("/tmp/sparki-%d-%s", a.uid, shortHash(home))
}

// shortHash tells paths apart in file names.
func shortHash(path string) string {
	sum := sha256.Sum256([]byte(path))
	return hex.EncodeToString(sum[:6])
}
