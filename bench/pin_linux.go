package main

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"unsafe"
)

// cpuMask is the kernel's cpu_set_t: one bit a core.
type cpuMask [16]uint64

func maskOf(cores []int) (m cpuMask) {
	for _, core := range cores {
		m[core/64] |= 1 << (core % 64)
	}
	return m
}

// cores lists the cores that this process may run on.
func cores() []int {
	var m cpuMask
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, unsafe.Sizeof(m), uintptr(unsafe.Pointer(&m))); errno != 0 {
		return nil
	}
	var list []int
	for core := range len(m) * 64 {
		if m[core/64]&(1<<(core%64)) != 0 {
			list = append(list, core)
		}
	}
	return list
}

// pinThread lets a thread run on these cores only, and what it starts as well; 0 is the calling one.
// No cores mean no change.
func pinThread(tid int, list []int) error {
	if len(list) == 0 {
		return nil
	}
	m := maskOf(list)
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, uintptr(tid), unsafe.Sizeof(m), uintptr(unsafe.Pointer(&m))); errno != 0 {
		return fmt.Errorf("pin to cores %v: %w", list, errno)
	}
	return nil
}

// pinSelf lets every thread of this process run on these cores only. A thread that is made meanwhile
// has the cores of its maker, so it looks until it finds no new one.
func pinSelf(list []int) error {
	for pinned := map[string]bool{}; ; {
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return err
		}
		before := len(pinned)
		for _, thread := range threads {
			tid, err := strconv.Atoi(thread.Name())
			if err != nil || pinned[thread.Name()] {
				continue
			}
			if err := pinThread(tid, list); err != nil {
				return err
			}
			pinned[thread.Name()] = true
		}
		if len(pinned) == before {
			return nil
		}
	}
}

// childAttr puts a child in a group of its own, out of reach of a ^C in the terminal, and lets the
// kernel kill it when the thread that started it dies.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
