//go:build unix

package gateway

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// system reaches a TCP socket without the runtime's waiting: the reader holds a
// buffer only while bytes are there, and a deliverer never waits for a peer.
type system struct{ raw syscall.RawConn }

// systemOf returns the system of a bare TCP socket; TLS has none.
func systemOf(c net.Conn) system {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return system{}
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return system{}
	}
	return system{raw}
}

func (s system) there() bool { return s.raw != nil }

// read waits until bytes are there and only then takes a buffer for them. The
// buffer is returned with what was read; release gives it back.
func (s system) read(p *buffers) (buf *buffer, n int, err error) {
	var failed error
	err = s.raw.Read(func(fd uintptr) bool {
		b := p.take()
		for {
			n, failed = syscall.Read(int(fd), b.bytes)
			if !errors.Is(failed, syscall.EINTR) {
				break
			}
		}
		if errors.Is(failed, syscall.EAGAIN) {
			p.release(b)
			failed = nil
			return false
		}
		buf = b
		return true
	})
	switch {
	case err != nil:
	case failed != nil:
		err = failed
	case n == 0:
		err = io.EOF
	}
	if err != nil && buf != nil {
		p.release(buf)
		buf = nil
	}
	return buf, max(n, 0), err
}

// write writes what the socket takes at once, perhaps nothing.
func (s system) write(b []byte) (n int, err error) {
	var failed error
	err = s.raw.Write(func(fd uintptr) bool {
		for {
			n, failed = syscall.Write(int(fd), b)
			if !errors.Is(failed, syscall.EINTR) {
				return true
			}
		}
	})
	switch {
	case err != nil:
		return 0, err
	case errors.Is(failed, syscall.EAGAIN):
		return 0, nil
	case failed != nil:
		return 0, failed
	}
	return n, nil
}
