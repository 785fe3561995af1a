package gql

import (
	"syscall"
	"unsafe"
)

const canTry = true

// writeNow writes what a socket that does not block takes now, and gives how much that was; below 1 when it takes nothing.
func writeNow(fd uintptr, b []byte) int {
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if errno != 0 {
		return -1
	}
	return int(n)
}
