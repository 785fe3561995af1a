package teststack

import (
	"os"
	"syscall"
)

const (
	tmpfsMagic = 0x01021994
	// enoughSpace is for the base cluster (46 MB) and a hundred test databases of 8 to 10 MB. Docker
	// gives /dev/shm 64 MB unless told otherwise.
	enoughSpace = 1 << 30
)

// fastDir is where throw-away data is written fastest: memory, when there is plenty.
func fastDir() string {
	const shm = "/dev/shm"
	var fs syscall.Statfs_t
	if err := syscall.Statfs(shm, &fs); err != nil || fs.Type != tmpfsMagic {
		return os.TempDir()
	}
	if fs.Bavail*uint64(fs.Bsize) < enoughSpace {
		return os.TempDir()
	}
	return shm
}
