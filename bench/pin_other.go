//go:build !linux

package main

import "syscall"

// Without sched_setaffinity nothing is pinned; the table says so.

func cores() []int { return nil }

func pinThread(int, []int) error { return nil }

func pinSelf([]int) error { return nil }

func childAttr() *syscall.SysProcAttr { return nil }
