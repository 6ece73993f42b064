package gateway

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/time/rate"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/lifecycle"
	"github.com/pam-assistant/pam/internal/wire"
)

// read is the reader: the one goroutine of a connection. It returns when
// nothing more can be read.
func (c *conn) read() {
	for {
		buf, n, err := c.receive()
		if err != nil {
			c.mu.Lock()
			c.happened(c.gateway.Now(), lifecycle.ReadFailed{Detail: plainly(err)})
			c.mu.Unlock()
			return
		}
		open := c.feed(buf.bytes[:n])
		c.gateway.buffers.release(buf)
		if !open && c.silence() {
			return
		}
	}
}

// receive waits for bytes, without holding a buffer where that is possible.
func (c *conn) receive() (*buffer, int, error) {
	if c.system.there() {
		return c.system.read(&c.gateway.buffers)
	}
	buf := c.gateway.buffers.take()
	n, err := c.socket.Read(buf.bytes)
	if err != nil {
		c.gateway.buffers.release(buf)
		return nil, 0, err
	}
	return buf, n, nil
}

// feed handles bytes as they came; it reports whether the connection is open.
func (c *conn) feed(p []byte) (open bool) {
	for len(p) > 0 {
		var (
			got  piece
			fail *pam.Error
		)
		got, p, fail = c.reading.next(p)
		now := c.gateway.Now()
		if fail != nil {
			c.mu.Lock()
			c.happened(now, lifecycle.Violated{Err: fail})
			c.mu.Unlock()
			break
		}
		switch limited := c.limited(now, got.kind); {
		case limited != nil:
			c.mu.Lock()
			c.happened(now, lifecycle.RateLimited{Err: limited})
			c.mu.Unlock()
		case got.kind == textMessage:
			c.message(now, got.payload)
		default:
			c.control(now, got)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flush()
	return c.life.Phase().Open()
}

// control handles all that is no message.
func (c *conn) control(now time.Time, got piece) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch got.kind {
	case pingFrame:
		c.happened(now, lifecycle.Heard{})
		_ = c.sendPong(got.payload)
	case pongFrame:
		var nonce uint32
		if len(got.payload) == 4 {
			nonce = binary.BigEndian.Uint32(got.payload)
		}
		c.happened(now, lifecycle.Pong{Nonce: nonce})
	case closeFrame:
		c.closed = true
		c.happened(now, lifecycle.PeerClosed{Code: got.code, Reason: string(got.payload)})
	case fragment: // of a message that comes slowly: the peer is there
		c.happened(now, lifecycle.Heard{})
	case nothing, textMessage:
	}
}

// message handles a text message: it asks the lifecycle whether it is served.
func (c *conn) message(now time.Time, msg []byte) {
	request, err := wire.ParseRequest(msg)
	var refused *wire.RefusedError
	if err != nil && !errors.As(err, &refused) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.happened(now, lifecycle.BadFrame{Err: asError(err)})
		return
	}
	what := lifecycle.RequestOther
	switch request.(type) { //nolint:gochecksumtype // the lifecycle cares for these two alone
	case wire.Ping:
		what = lifecycle.RequestPing
	case wire.Auth:
		what = lifecycle.RequestAuth
	}
	c.mu.Lock()
	serve := c.happened(now, lifecycle.Frame{Request: what})
	if ping, ok := request.(wire.Ping); ok && serve { // the commonest: in the same breath
		_ = c.sendText(func(dst []byte) []byte { return wire.AppendPong(dst, ping.Timestamp, now) })
		serve = false
	}
	c.mu.Unlock()
	switch {
	case !serve:
	case refused != nil:
		c.mu.Lock()
		_ = c.sendError(refused.Err, wire.About{ID: refused.ID, Conversation: refused.Conversation})
		c.mu.Unlock()
	default:
		c.serve(request)
	}
}

// limited says whether the connection sends more frames than it may, whatever
// they are; the end of one is always heard.
func (c *conn) limited(now time.Time, k pieceKind) *pam.Error {
	most := c.gateway.Limits.Frames
	if most <= 0 || k == nothing || k == closeFrame {
		return nil
	}
	if c.frames == nil {
		c.frames = rate.NewLimiter(rate.Limit(most), most)
	}
	return take(c.frames, now)
}

// plainly says what ended a connection, in words that do not depend on the
// system or the address.
func plainly(err error) string {
	switch {
	case errors.Is(err, io.EOF):
		return "the peer closed without a close frame"
	case errors.Is(err, syscall.ECONNRESET):
		return "reset by the peer"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "the peer did not close in time"
	case errors.Is(err, net.ErrClosed):
		return "closed here"
	case errors.Is(err, syscall.ETIMEDOUT), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "the network gave up"
	}
	return "the connection broke"
}
