package gateway

import (
	"context"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/lifecycle"
)

// pumpSize is how much the pump writes at once.
const pumpSize = 64 << 10

// replayTime is how long one page of the past may take.
const replayTime = pumpTime

// inlinePages is how many pages of the past the reader sends by itself before
// it leaves the rest to the pump.
const inlinePages = 4

// pump writes what the socket does not take at once and reads the past for
// subscriptions that lag, page by page, as the peer takes them. It exists only
// while there is something of either; c.out.pumping is its claim.
func (c *conn) pump() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.step() {
	}
	c.out.pumping = false
	if c.pumped != nil {
		close(c.pumped)
		c.pumped = nil
	}
}

// step does one thing that the pump is for; it reports whether there was one.
func (c *conn) step() bool {
	if !c.out.empty() {
		return c.push()
	}
	if s := c.lagging(); s != nil && c.life.Phase().Open() {
		c.catchUp(s)
		return true
	}
	return false
}

// push writes a piece, and waits for the peer to take it.
func (c *conn) push() bool {
	chunk := c.out.pending()
	chunk = chunk[:min(len(chunk), pumpSize)]
	c.out.taken = len(chunk)
	c.mu.Unlock()
	n, err := c.socket.Write(chunk)
	c.mu.Lock()
	c.out.taken = 0
	if err != nil {
		c.happened(c.gateway.Now(), lifecycle.WriteFailed{Detail: plainly(err)})
		c.out.waiting = nil
		return false
	}
	if c.held != nil { // nobody reads its frames, but it takes ours
		c.happened(c.gateway.Now(), lifecycle.Heard{})
	}
	c.wrote(n)
	return true
}

// catchUp sends one page of what s lacks. The caller has the pump's claim.
func (c *conn) catchUp(s *subscription) {
	s.lags = false
	after, watch := s.cursor, s.watch
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), replayTime)
	live, err := watch.Replay(ctx, after)
	cancel()
	c.mu.Lock()
	switch {
	case err != nil:
		c.happened(c.gateway.Now(), lifecycle.Refused{Err: &pam.Error{Code: pam.CodeInternal, Detail: "the past cannot be read", Err: err}})
	case !live:
		s.fall()
	}
}

// lagging returns a subscription that lacks something.
func (c *conn) lagging() *subscription {
	if !c.behind {
		return nil
	}
	for _, s := range c.subs {
		if s.lags {
			return s
		}
	}
	for _, s := range c.asked {
		if s.lags {
			return s
		}
	}
	c.behind = false
	return nil
}

// replay sends what subscriptions lack, in the reader itself while that is
// quick; what is more, or must wait for the peer, the pump does. The caller
// holds c.mu.
func (c *conn) replay() {
	if c.out.pumping {
		return
	}
	c.out.pumping = true
	for range inlinePages {
		s := c.lagging()
		if s == nil || !c.life.Phase().Open() {
			break
		}
		c.catchUp(s)
		if c.out.empty() || c.write() && c.out.empty() {
			continue
		}
		break
	}
	if c.out.empty() && (c.lagging() == nil || !c.life.Phase().Open()) {
		c.out.pumping = false
		return
	}
	go c.pump()
}

// unpumped waits until the pump has ended: its socket has a deadline by then.
// The caller holds c.mu.
func (c *conn) unpumped() {
	for c.out.pumping {
		if c.pumped == nil {
			c.pumped = make(chan struct{})
		}
		pumped := c.pumped
		c.mu.Unlock()
		<-pumped
		c.mu.Lock()
	}
}
