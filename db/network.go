package db

import (
	"errors"
	"io"
	"net"
)

// isNetwork recognises a connection that broke under a statement.
func isNetwork(err error) bool {
	_, ok := errors.AsType[net.Error](err)
	return ok || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}
