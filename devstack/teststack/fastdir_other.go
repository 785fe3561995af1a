//go:build unix && !linux

package teststack

import "os"

func fastDir() string { return os.TempDir() }
