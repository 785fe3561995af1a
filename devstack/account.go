//go:build unix

package devstack

import (
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"sparki.app/integrations/devstack/internal/own"
)

// account is the user Postgres runs as: us or, since it refuses to run as root, somebody else.
type account struct {
	uid, gid int
	// foreign means it is not us, so files must be handed over and paths must be open to it.
	foreign bool
}

// self is the account of this process.
func self() account { return account{uid: os.Geteuid(), gid: os.Getegid()} }

// postgresAccount picks the account for data below dir. For root that is whoever owns data made
// earlier without root, else postgres, else nobody. initdb wants the account to have a name.
func postgresAccount(dir string) (account, error) {
	if os.Geteuid() != 0 {
		return self(), nil
	}
	if info, err := os.Stat(filepath.Join(dir, "postgres")); err == nil && own.Owner(info) != 0 {
		if u, err := user.LookupId(strconv.Itoa(own.Owner(info))); err == nil {
			return foreign(u)
		}
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			return foreign(u)
		}
	}
	return account{}, errors.New("it refuses to run as root, and there is no user postgres or nobody to run it as")
}

func foreign(u *user.User) (account, error) {
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return account{}, err
	}
	gid, err := strconv.Atoi(u.Gid)
	return account{uid: uid, gid: gid, foreign: true}, err
}

// credential is for SysProcAttr; nil means our own.
func (a account) credential() *syscall.Credential {
	if !a.foreign {
		return nil
	}
	return &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
}

// canEnter tells whether the account may pass through dir and everything above it.
func (a account) canEnter(dir string) bool {
	for ; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm()&a.searchBit(info) == 0 {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
	}
}

func (a account) searchBit(info os.FileInfo) os.FileMode {
	stat := info.Sys().(*syscall.Stat_t)
	switch {
	case int(stat.Uid) == a.uid:
		return 0o100
	case int(stat.Gid) == a.gid:
		return 0o010
	}
	return 0o001
}
