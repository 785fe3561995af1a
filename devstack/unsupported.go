//go:build !unix

package devstack

import (
	"context"
	"errors"
)

func startPostgres(context.Context, Options) (service, error) {
	return service{}, errors.New("it can only be started on Linux and macOS (WSL is Linux); set DATABASE_URL")
}

func startRedis(context.Context, Options) (service, error) {
	return service{}, errors.New("it can only be started on Linux and macOS (WSL is Linux); set REDIS_URL")
}

// Reset has nothing to delete where nothing can be started.
func Reset(string) error { return nil }
