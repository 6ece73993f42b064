package gateway

import (
	"context"
	"maps"
	"math/rand/v2"
	"time"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/lifecycle"
)

// counts are the figures of all connections since the start.
type counts struct {
	opened int64
	closed map[string]int64 // by cause
}

// Stats are the figures of all connections.
type Stats struct {
	Opened int64            // since the start
	Open   int              // now
	Closed map[string]int64 // since the start, by cause
}

// Stats returns the figures as they are now.
func (g *Gateway) Stats() Stats {
	g.mu.Lock()
	defer g.mu.Unlock()
	return Stats{Opened: g.counts.opened, Open: len(g.conns), Closed: maps.Clone(g.counts.closed)}
}

// enter takes up a connection, and says why it may not stay. It is the
// connection's to say so to its client.
func (g *Gateway) enter(c *conn) *pam.Error {
	g.mu.Lock()
	defer g.mu.Unlock()
	full := g.Limits.Total > 0 && len(g.conns) >= g.Limits.Total
	g.conns[c] = struct{}{}
	g.counts.opened++
	g.work.Add(1)
	switch {
	case g.draining:
		return &pam.Error{Code: pam.CodeGoingAway, RetryAfter: jitter(reconnectSpread)}
	case full:
		return &pam.Error{Code: pam.CodeOverloaded, RetryAfter: jitter(30 * time.Second)}
	}
	return nil
}

// belong counts a connection as user's, unless there are too many.
func (g *Gateway) belong(c *conn, user pam.UserID) *pam.Error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if most := g.Limits.Connections; most > 0 && len(g.users[user]) >= most {
		return &pam.Error{Code: pam.CodeTooManyConnections}
	}
	g.users[user] = append(g.users[user], c)
	return nil
}

// leave forgets a connection that has ended.
func (g *Gateway) leave(c *conn, user pam.UserID, cause lifecycle.Cause) {
	g.wheel.remove(c)
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, c)
	g.counts.closed[cause.String()]++
	of := g.users[user]
	for i, other := range of {
		if other != c {
			continue
		}
		if len(of) == 1 {
			delete(g.users, user)
			break
		}
		last := len(of) - 1
		of[i], of[last] = of[last], nil
		g.users[user] = of[:last]
		break
	}
	g.work.Done()
}

// reconnectSpread is over how long clients come back after a drain.
const reconnectSpread = 5 * time.Second

// Drain tells every connection that the server will stop: the idle ones are
// closed, the others once they are idle, and by until in any case.
func (g *Gateway) Drain(until time.Time) {
	for _, c := range g.begin(until) {
		now := g.Now()
		c.mu.Lock()
		c.happened(now, lifecycle.DrainBegan{After: jitter(reconnectSpread), Until: until, Idle: c.idle()})
		c.flush()
		c.schedule()
		c.mu.Unlock()
	}
}

func (g *Gateway) begin(until time.Time) []*conn {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.draining, g.until = true, until
	return g.all()
}

func (g *Gateway) all() []*conn {
	conns := make([]*conn, 0, len(g.conns))
	for c := range g.conns {
		conns = append(conns, c)
	}
	return conns
}

// Close ends every connection with 1001 and waits until they are gone or ctx is
// done. It ends the requests that are held open too; their server waits for
// them.
func (g *Gateway) Close(ctx context.Context) {
	g.streams.close()
	for _, c := range g.begin(g.Now()) {
		c.mu.Lock()
		c.happened(g.Now(), lifecycle.Closing{})
		c.flush()
		c.mu.Unlock()
	}
	done := make(chan struct{})
	go func() {
		g.work.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		g.mu.Lock()
		conns := g.all()
		g.mu.Unlock()
		for _, c := range conns {
			_ = c.socket.Close()
		}
		<-done
	}
}

// jitter returns a random time up to most.
func jitter(most time.Duration) time.Duration {
	return time.Duration(rand.Int64N(int64(most)))
}
