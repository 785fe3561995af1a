//go:build !unix

package teststack

import (
	"context"
	"errors"
)

type meeting struct{ dir string }

func newMeeting() (meeting, error) { return meeting{dir: "none"}, nil }

func (meeting) join(context.Context) (urls, error) {
	return urls{}, errors.New("can only be started on Linux and macOS (WSL is Linux); set TEST_DATABASE_URL and TEST_REDIS_URL")
}

func keep(meeting) int { return 1 }
