//go:build unix

package devstack

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// postgresSocket is the file Postgres makes in its socket directory for port 5432.
const postgresSocket = ".s.PGSQL.5432"

// cluster is one Postgres data directory and what it takes to run it.
type cluster struct {
	binaries
	as account
	// home holds a data directory per major version, as none can read another's.
	home    string
	sockets string
	logFile string
	// settings are extra "name=value" arguments.
	settings []string
}

// ephemeralSettings lose data when the machine crashes and nothing when only the server does.
var ephemeralSettings = []string{
	"fsync=off", "full_page_writes=off",
	"max_connections=300",             // every test package has its pools
	"dynamic_shared_memory_type=mmap", // in the data directory, so nothing stays in /dev/shm after a kill -9
}

func (c cluster) data() string { return filepath.Join(c.home, strconv.Itoa(c.major)) }

func postmasterPID(data string) string { return filepath.Join(data, "postmaster.pid") }

// url is for pgx, and for psql, which does not take a plus sign for a space.
func (c cluster) url() string {
	host := strings.ReplaceAll(url.QueryEscape(c.sockets), "+", "%20")
	return "postgres://postgres@/postgres?host=" + host + "&port=5432&sslmode=disable"
}

// create makes the data directory unless it is there already.
func (c cluster) create(ctx context.Context) error {
	c.removeUnfinished()
	if _, err := os.Stat(c.data()); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	// initdb works for half a second and writes PG_VERSION early, so only the rename at the end
	// tells a finished directory from one whose making was interrupted.
	unfinished := c.data() + ".new-" + rand.Text()
	if err := c.initdb(ctx, unfinished); err != nil {
		c.removeUnfinished()
		return fmt.Errorf("create data directory: %w", err)
	}
	return os.Rename(unfinished, c.data())
}

func (c cluster) initdb(ctx context.Context, dir string) error {
	args := []string{"-D", dir, "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N"}
	cmd := exec.Command(c.program("initdb"), append(args, locale()...)...)
	cmd.Dir = c.home
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	p, err := launch(cmd, c.as, syscall.SIGINT)
	if err != nil {
		return err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		p.stop(ctx, syscall.SIGINT)
		return ctx.Err()
	}
	if !cmd.ProcessState.Success() {
		return fmt.Errorf("initdb: %s\n%s", cmd.ProcessState, strings.TrimSpace(output.String()))
	}
	return nil
}

// locale names one that sorts by bytes, knows letters beyond ASCII, and is always installed.
func locale() []string {
	if runtime.GOOS == "darwin" {
		return []string{"--locale=en_US.UTF-8"}
	}
	return []string{"--locale=C.UTF-8"}
}

func (c cluster) removeUnfinished() {
	dirs, _ := filepath.Glob(filepath.Join(c.home, "*.new-*"))
	for _, dir := range dirs {
		os.RemoveAll(dir) // what stays is in nobody's way
	}
}

// clustersIn returns the data directories in home.
func clustersIn(home string) []string {
	dirs, _ := filepath.Glob(filepath.Join(home, "[0-9][0-9]"))
	return dirs
}

// evictClusters ends what runs in home, of whatever version: all share one socket.
func evictClusters(ctx context.Context, home string) error {
	for _, data := range clustersIn(home) {
		if err := evict(ctx, data, postmasterPID(data), syscall.SIGINT, syscall.SIGQUIT); err != nil {
			return err
		}
	}
	return nil
}

// otherMajors lists data directories of other Postgres versions in the same home.
func (c cluster) otherMajors() []string {
	var others []string
	for _, dir := range clustersIn(c.home) {
		if dir != c.data() {
			others = append(others, filepath.Base(dir))
		}
	}
	return others
}

// clear ends a server left over in home and removes its lock files. Postgres would do the latter if
// it could be sure that the process they name is gone; it asks with kill(pid, 0), which a zombie and
// a stranger with the same number answer too.
func (c cluster) clear(ctx context.Context) error {
	if err := evictClusters(ctx, c.home); err != nil {
		return err
	}
	socket := filepath.Join(c.sockets, postgresSocket)
	for _, stale := range []string{postmasterPID(c.data()), socket, socket + ".lock"} {
		if err := os.Remove(stale); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// start runs the server. It ends by itself, cleanly, when this process dies (Linux).
func (c cluster) start() (*process, error) {
	log, err := openLog(c.logFile)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	settings := append([]string{"listen_addresses=", "unix_socket_directories=" + c.sockets, "port=5432"}, c.settings...)
	cmd := exec.Command(c.program("postgres"), "-D", c.data())
	for _, s := range settings {
		cmd.Args = append(cmd.Args, "-c", s)
	}
	cmd.Dir = c.data()
	cmd.Stdout, cmd.Stderr = log, log
	return launch(cmd, c.as, syscall.SIGINT)
}

// stop asks for a fast shutdown, then an immediate one. The children of a server that had to be
// killed notice a moment later; it waits for them too.
func (c cluster) stop(ctx context.Context, p *process) error {
	p.stop(ctx, syscall.SIGINT, syscall.SIGQUIT)
	return evict(context.WithoutCancel(ctx), c.data(), postmasterPID(c.data()))
}
