package main

import (
	"testing"

	"golang.org/x/sys/unix"
)

// limitFiles lets no file that a process writes grow beyond so many bytes, as on a full disk; below 0: any.
func limitFiles(t *testing.T, s *process, size int64) {
	t.Helper()
	limit := unix.Rlimit{Cur: uint64(size), Max: unix.RLIM_INFINITY}
	if size < 0 {
		limit.Cur = unix.RLIM_INFINITY
	}
	if err := unix.Prlimit(s.cmd.Process.Pid, unix.RLIMIT_FSIZE, &limit, nil); err != nil {
		t.Fatal(err)
	}
}
