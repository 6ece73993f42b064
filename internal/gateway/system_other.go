//go:build !unix

package gateway

import (
	"errors"
	"net"
)

// system is what there is of it where sockets cannot be reached: nothing. The
// reader holds a buffer, and all writes go through the pump.
type system struct{}

func systemOf(net.Conn) system { return system{} }

func (system) there() bool { return false }

func (system) read(*buffers) (*buffer, int, error) { return nil, 0, errors.ErrUnsupported }

func (system) write([]byte) (int, error) { return 0, nil }
