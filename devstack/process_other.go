//go:build unix && !linux

package devstack

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// sysProcAttr cannot ask for a signal at our death here. A server that outlives us is ended by the
// next Start.
func sysProcAttr(syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

// occupants returns the process in the pid file if it is a server; the number may have gone to
// another process by now.
func occupants(_, pidFile string) []int {
	pid := readPID(pidFile)
	if pid <= 0 {
		return nil
	}
	comm, err := exec.Command("ps", "-o", "comm=", "-p", strconv.Itoa(pid)).Output()
	if err != nil || !slices.Contains(serverNames, filepath.Base(strings.TrimSpace(string(comm)))) {
		return nil
	}
	return []int{pid}
}
