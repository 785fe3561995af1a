//go:build !linux

package main

import "testing"

func limitFiles(t *testing.T, _ *process, _ int64) {
	t.Skip("the limits of another process can be set on Linux only")
}
