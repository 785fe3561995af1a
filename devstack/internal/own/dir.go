//go:build unix

package own

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// Dir makes the directory path for the given user, or checks the one that is there. Under a shared
// parent such as /tmp anybody may have put something by that name, so a link, a stranger's directory
// and one that others can write to are refused.
func Dir(path string, perm os.FileMode, uid, gid int) error {
	if err := mkdir(path, perm); err != nil {
		return err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	owner := Owner(info)
	switch {
	case !info.IsDir():
		return fmt.Errorf("%s is in the way: it is not a directory", path)
	case owner != uid && owner != os.Geteuid():
		return fmt.Errorf("%s belongs to another user (uid %d)", path, owner)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("%s can be written by other users (mode %04o)", path, info.Mode().Perm())
	case owner != uid:
		return os.Lchown(path, uid, gid)
	}
	return nil
}

// mkdir makes one directory, with perm whatever the umask is. An existing one stays as it is.
func mkdir(path string, perm os.FileMode) error {
	err := os.Mkdir(path, perm)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Chmod(path, perm)
}

// Owner returns the uid a file belongs to.
func Owner(info os.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }
