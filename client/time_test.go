package client_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/client"
	"github.com/pam-assistant/pam/internal/wire"
)

const heartbeat = 20 * time.Second

// TestRetryAfter: no earlier than the server has asked for, and not all at once.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const asked = 30 * time.Second
		c, _ := start(t, "pam.test", bubble(t,
			func(p *peer) {
				p.refuse(&pam.Error{Code: pam.CodeOverloaded, RetryAfter: asked}, wire.About{})
				p.end(wire.CloseTryAgain)
			},
			func(p *peer) { p.greet(); p.stay() }))
		began := time.Now()
		until[client.Reconnecting](t, c)
		until[client.Connected](t, c)
		if waited := time.Since(began); waited < asked || waited > 2*asked {
			t.Errorf("came back after %v", waited)
		}
	})
}

// TestBackoff: full jitter under a ceiling that doubles up to its cap.
func TestBackoff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := bubble(t, func(p *peer) { p.end(wire.CloseInternal) })
		o.Backoff = client.Backoff{}
		c, _ := start(t, "pam.test", o)
		sum := time.Duration(0)
		for n := range 200 {
			s := until[client.Reconnecting](t, c)
			if most := min(30*time.Second, 500*time.Millisecond<<min(n, 10)); s.In > most {
				t.Errorf("attempt %d in %v, at most %v", n, s.In, most)
			}
			if n >= 10 {
				sum += s.In
			}
		}
		if mean := sum / 190; mean < 12*time.Second || mean > 18*time.Second {
			t.Errorf("mean = %v; full jitter under 30 s has 15 s", mean)
		}
	})
}

// TestDeadPeer: a server that says nothing is not called connected, and is left.
func TestDeadPeer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var pinged atomic.Int64
		began := time.Now()
		c, _ := start(t, "pam.test", bubble(t,
			func(p *peer) {
				p.greetWith(heartbeat)
				for r := p.read(); r != nil; r = p.read() {
					if _, ok := r.(wire.Ping); ok { // it is not answered
						pinged.Store(int64(time.Since(began)))
					}
				}
			},
			func(p *peer) { p.greet(); p.stay() }))
		until[client.Connected](t, c)
		if s := until[client.Silent](t, c); !s.Since.Equal(began) || time.Since(began) != heartbeat*3/2 {
			t.Errorf("silent after %v, since %v", time.Since(began), s.Since)
		}
		if got := time.Duration(pinged.Load()); got != heartbeat {
			t.Errorf("pinged after %v", got)
		}
		until[client.Reconnecting](t, c)
		if d := time.Since(began); d != heartbeat*5/2 {
			t.Errorf("left after %v", d)
		}
		until[client.Connected](t, c)
	})
}

// TestAlive: any sign of life keeps a connection, and its good name.
func TestAlive(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		do   func(*peer)
	}{
		{"pong", func(p *peer) {
			for r := p.read(); r != nil; r = p.read() {
				if _, ok := r.(wire.Ping); ok {
					p.send(wire.AppendPong(nil, nil, time.Now()))
				}
			}
		}},
		{"ping frame", func(p *peer) {
			go p.stay()
			for p.pause(heartbeat) {
				p.send(wire.AppendPing(nil, time.Now()))
			}
		}},
		{"control frame", func(p *peer) {
			go p.stay()
			for p.pause(heartbeat) {
				_ = p.conn.Ping(p.ctx)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cl, _ := start(t, "pam.test", bubble(t, func(p *peer) { p.greetWith(heartbeat); c.do(p) }))
				until[client.Connected](t, cl)
				time.Sleep(time.Hour)
				for len(cl.states) > 0 {
					t.Errorf("state = %#v", <-cl.states)
				}
			})
		})
	}
}

// TestSilentSpeaksAgain: a late word makes a connection good again.
func TestSilentSpeaksAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := start(t, "pam.test", bubble(t, func(p *peer) {
			p.greetWith(heartbeat)
			go p.stay()
			p.pause(heartbeat * 2)
			p.send(wire.AppendPing(nil, time.Now()))
			<-p.ctx.Done()
		}))
		until[client.Silent](t, c)
		until[client.Connected](t, c)
		if _, ok := c.State().(client.Connected); !ok {
			t.Errorf("state = %#v", c.State())
		}
	})
}

// TestNoGreeting: a peer that accepts and says nothing is left, too.
func TestNoGreeting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		c, _ := start(t, "pam.test", bubble(t, func(p *peer) { p.stay() }))
		until[client.Reconnecting](t, c)
		if d := time.Since(began); d != 15*time.Second {
			t.Errorf("left after %v", d)
		}
	})
}

// TestUnacknowledged: a message that nothing came back for is sent again.
func TestUnacknowledged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := start(t, "pam.test", bubble(t, func(p *peer) {
			p.greetWith(time.Hour)
			first := expect[wire.Chat](p)
			again := expect[wire.Chat](p)
			if first.ID != again.ID {
				t.Errorf("sent as %q, then as %q", first.ID, again.ID)
			}
			p.subscribed(again.Conversation, "e", 1, 1, false)
			p.turn(again, 1, "at last")
			p.stay()
		}))
		if got := wait(t, ask(t, c, client.Message{Text: "?"})); got != "at last" {
			t.Errorf("answer = %q", got)
		}
	})
}
