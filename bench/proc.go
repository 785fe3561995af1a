package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What Linux tells about processes. Elsewhere all of it is 0, which the table shows as "-".

// tick is the unit of CPU times in /proc: USER_HZ, 100 on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// stat reads fields of /proc/PID/stat by their numbers in proc(5); nil when there is no such process.
func stat(pid int, fields ...int) []int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	// Field 2 is the name in parentheses, which may hold spaces; field 3 comes behind the last one.
	words := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	values := make([]int64, len(fields))
	for i, f := range fields {
		if f-3 < len(words) {
			values[i], _ = strconv.ParseInt(words[f-3], 10, 64)
		}
	}
	return values
}

const (
	fieldParent                  = 4
	fieldUser, fieldSystem       = 14, 15
	fieldChildrenUser            = 16
	fieldChildrenSystem          = 17
	bytesInKiB             int64 = 1 << 10
)

// cpuOf is the CPU time that a process has used.
func cpuOf(pid int) time.Duration {
	var sum time.Duration
	for _, ticks := range stat(pid, fieldUser, fieldSystem) {
		sum += time.Duration(ticks) * tick
	}
	return sum
}

// cpuOfTree is the CPU time of a process and its children, those that have ended included.
func cpuOfTree(pid int) time.Duration {
	sum := cpuOf(pid)
	for _, ticks := range stat(pid, fieldChildrenUser, fieldChildrenSystem) {
		sum += time.Duration(ticks) * tick
	}
	entries, _ := filepath.Glob("/proc/[0-9]*")
	for _, entry := range entries {
		child, _ := strconv.Atoi(filepath.Base(entry))
		if parent := stat(child, fieldParent); parent != nil && int(parent[0]) == pid {
			sum += cpuOf(child)
		}
	}
	return sum
}

// peakOf is the most memory that a process ever had resident, in bytes.
func peakOf(pid int) int64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kib * bytesInKiB
		}
	}
	return 0
}

// residentOf is the memory that a process has resident, in bytes.
func residentOf(pid int) int64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	words := strings.Fields(string(text))
	if len(words) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(words[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

// busyOf is how long cores have worked, whoever for; what a hypervisor took counts as well.
func busyOf(list []int) time.Duration {
	text, _ := os.ReadFile("/proc/stat")
	var sum time.Duration
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		core, isCore := strings.CutPrefix(words[0], "cpu")
		n, err := strconv.Atoi(core)
		if !isCore || err != nil || !slices.Contains(list, n) || len(words) < 9 {
			continue
		}
		for _, i := range []int{1, 2, 3, 6, 7, 8} { // user, nice, system, irq, softirq, steal; not idle, iowait
			ticks, _ := strconv.ParseInt(words[i], 10, 64)
			sum += time.Duration(ticks) * tick
		}
	}
	return sum
}
