package gateway

import (
	"encoding/binary"
	"time"

	"github.com/gobwas/ws"

	"github.com/pam-assistant/pam/internal/lifecycle"
	"github.com/pam-assistant/pam/internal/wire"
)

// lingerTime is how long a connection that has ended waits for its peer to take
// its last words and to close.
const lingerTime = 2 * time.Second

// end says a connection's last words; its phase is ended already. The caller
// holds c.mu and flushes.
func (c *conn) end(now time.Time, x lifecycle.Close) {
	c.wake()
	_ = c.socket.SetDeadline(now.Add(lingerTime))
	switch x.Cause.By {
	case lifecycle.ByNetwork:
		_ = c.socket.Close()
		return
	case lifecycle.ByClient:
		c.unburden()
		c.out.add(&c.gateway.outboxes, ws.OpClose, echo(x.Cause.Peer), item{})
	case lifecycle.ByServer:
		c.unburden()
		if x.Say != nil {
			c.out.addText(&c.gateway.outboxes, func(dst []byte) []byte {
				return wire.AppendError(dst, x.Say, wire.About{})
			})
		}
		code := wire.Meaning(x.Cause.Code).Close
		if code == 0 {
			code = wire.CloseInternal
		}
		c.out.add(&c.gateway.outboxes, ws.OpClose, closePayload(uint16(code), x.Cause.Code.String()), item{})
	}
}

// unburden lets the last words through to a peer that is behind: it will resume,
// and what it has not read is in the journal.
func (c *conn) unburden() {
	if c.out.pumping {
		c.out.shed()
	}
}

// finished is called once the last words are out: the peer reads the end of the
// stream after them, and what it still sends is read, so that the system does
// not reset the connection and lose them.
func (c *conn) finished() {
	if tcp, ok := c.socket.(interface{ CloseWrite() error }); ok {
		_ = tcp.CloseWrite()
	}
}

// silence reports whether nothing more is awaited of a peer after the end: it
// closed, or the network did.
func (c *conn) silence() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	cause, _ := c.life.Cause()
	return c.closed || cause.By != lifecycle.ByServer
}

// echo is the payload of a close frame that answers one.
func echo(peer uint16) []byte {
	if peer == noStatus {
		return nil
	}
	return closePayload(peer, "")
}

func closePayload(code uint16, reason string) []byte {
	payload := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(reason)), code)
	return append(payload, reason...)
}
