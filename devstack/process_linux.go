package devstack

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

func sysProcAttr(onDeath syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: onDeath}
}

// occupants returns the servers whose working directory is dir. It does not trust pid files: their
// number may have gone to another process by now, or belong to a zombie that a container without an
// init never reaps.
func occupants(dir, _ string) []int {
	var pids []int
	procs, _ := filepath.Glob("/proc/[0-9]*")
	for _, proc := range procs {
		if cwd, err := os.Readlink(proc + "/cwd"); err != nil || cwd != dir {
			continue // a zombie's cannot be read
		}
		comm, _ := os.ReadFile(proc + "/comm")
		if slices.Contains(serverNames, strings.TrimSpace(string(comm))) {
			pid, _ := strconv.Atoi(filepath.Base(proc))
			pids = append(pids, pid)
		}
	}
	return pids
}
