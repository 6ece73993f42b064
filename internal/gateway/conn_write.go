package gateway

import (
	"encoding/binary"
	"time"

	"github.com/gobwas/ws"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/lifecycle"
	"github.com/pam-assistant/pam/internal/wire"
)

// The door. Every frame of a connection passes open, which asks the lifecycle
// whether it may be sent; only the last words of a connection (conn_close.go)
// come after its end. All of this is called with c.mu held, and by c.flush what
// was sent goes out.

// open says why nothing may be sent.
func (c *conn) open() error {
	if c.speaking || c.life.Phase().Open() {
		return nil
	}
	cause, _ := c.life.Cause()
	return &GoneError{Cause: cause}
}

// sendText sends a text frame that f appends.
func (c *conn) sendText(f func(dst []byte) []byte) error {
	if err := c.open(); err != nil {
		return err
	}
	c.out.addText(&c.gateway.outboxes, f)
	c.bound()
	return nil
}

// sendEvent sends an event of a subscription, whose cursor was before, as the
// journal keeps it.
func (c *conn) sendEvent(r *pam.Record, s *subscription, before int64) error {
	if err := c.open(); err != nil {
		return err
	}
	c.out.add(&c.gateway.outboxes, ws.OpText, r.JSON, item{sub: s, before: before})
	c.bound()
	return nil
}

// sendRecord sends an event as the answer to a request: no subscription sent
// it, and it is not taken back.
func (c *conn) sendRecord(r *pam.Record) error {
	if err := c.open(); err != nil {
		return err
	}
	c.out.add(&c.gateway.outboxes, ws.OpText, r.JSON, item{})
	c.bound()
	return nil
}

// sendError sends an error frame.
func (c *conn) sendError(e *pam.Error, about wire.About) error {
	return c.sendText(func(dst []byte) []byte { return wire.AppendError(dst, e, about) })
}

// sendPong answers a protocol ping.
func (c *conn) sendPong(payload []byte) error {
	if err := c.open(); err != nil {
		return err
	}
	c.out.add(&c.gateway.outboxes, ws.OpPong, payload, item{})
	c.bound()
	return nil
}

// ping asks whether the peer is there.
func (c *conn) ping(now time.Time, nonce uint32) error {
	if err := c.open(); err != nil {
		return err
	}
	var payload [4]byte
	binary.BigEndian.PutUint32(payload[:], nonce)
	c.out.add(&c.gateway.outboxes, ws.OpPing, payload[:], item{})
	if c.v1 && c.life.Phase().Served() {
		return c.sendText(func(dst []byte) []byte { return wire.AppendPing(dst, now) })
	}
	c.bound()
	return nil
}

// room reports whether an event of n bytes may be sent now: one that would bring
// the outbox over its bound is not put in at all, but read from the journal
// later. So a peer that reads slowly gets on, however large a page of the past.
func (c *conn) room(n int) bool {
	return c.out.empty() || c.out.behind()+n <= c.gateway.Limits.Outbox
}

// bound holds the outbox to its bound (docs/protocol.md, "Order and resume",
// 6): over it the subscriptions' events are dropped, to be read from the
// journal again; over twice that the connection ends.
func (c *conn) bound() {
	most := c.gateway.Limits.Outbox
	if c.out.behind() <= most {
		return
	}
	if c.flush(); c.out.behind() <= most { // many small answers to one read, perhaps
		return
	}
	c.out.shed()
	if c.out.behind() > 2*most {
		c.happened(c.gateway.Now(), lifecycle.Overflowed{Err: &pam.Error{
			Code:       pam.CodeOverloaded,
			Message:    "This connection does not read what is sent to it.",
			Hint:       "Read faster, or ask for less at once; then resume.",
			RetryAfter: time.Second,
		}})
	}
}

// flush writes what the socket takes at once. What it does not take, the pump
// writes. The caller holds c.mu.
func (c *conn) flush() {
	if !c.answered || c.out.pumping || c.out.empty() && c.lagging() == nil {
		return
	}
	if !c.out.empty() && !c.write() {
		return
	}
	if !c.out.empty() || c.lagging() != nil {
		c.out.pumping = true
		go c.pump()
	}
}

// write writes once, without waiting. It reports whether the connection is
// fit for more.
func (c *conn) write() bool {
	if !c.system.there() {
		return true
	}
	n, err := c.system.write(c.out.pending())
	if err != nil {
		c.happened(c.gateway.Now(), lifecycle.WriteFailed{Detail: plainly(err)})
		c.out.waiting = nil
		return false
	}
	c.wrote(n)
	return true
}

// wrote notes that n more bytes are out.
func (c *conn) wrote(n int) {
	c.out.wrote(&c.gateway.outboxes, n)
	if c.held != nil && c.out.behind() <= c.gateway.Limits.Outbox {
		c.wake()
	}
	if c.out.empty() && !c.life.Phase().Open() {
		c.finished()
	}
}

// wake lets a reader go on that waits for the outbox.
func (c *conn) wake() {
	if c.held != nil {
		close(c.held)
		c.held = nil
	}
}
