package client

import (
	"context"
	"time"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/wire"
)

// idle is how long the loop sleeps where nothing is due.
const idle = time.Minute

// tick does what is due, and returns the time to the next.
func (l *loop) tick(ctx context.Context) time.Duration {
	if l.over {
		return idle
	}
	switch {
	case l.dialled != nil:
		return idle // the attempt has a deadline of its own
	case l.conn == nil:
		if wait := l.due.Sub(l.now); wait > 0 {
			return wait
		}
		l.dial(ctx)
		return idle
	case !l.conn.live:
		if wait := greetingTimeout - l.now.Sub(l.conn.epoch); wait > 0 {
			return wait
		}
		return l.lose(&ConnectionError{URL: l.c.url, Reached: true, Err: errNoGreeting})
	}
	if l.conn.leaving && !l.busy() {
		return l.lose(explain(&pam.Error{Code: pam.CodeGoingAway, RetryAfter: l.conn.leaveFor}))
	}
	wait := l.pulse()
	if l.conn == nil {
		return 0
	}
	if l.attempt > 0 || l.renewed {
		if held := l.now.Sub(l.conn.greeted); held < holdTime {
			wait = min(wait, holdTime-held)
		} else {
			l.attempt, l.renewed = 0, false
		}
	}
	return max(0, min(wait, l.flush()))
}

// lose gives the connection up.
func (l *loop) lose(cause error) time.Duration {
	l.drop(false)
	l.ended(cause)
	return 0
}

// pulse judges when the server was last heard from, and returns the time to the
// next judgement. Whoever was not heard from for a heartbeat is asked.
func (l *loop) pulse() time.Duration {
	c := l.conn
	beat := c.heartbeat()
	quiet := l.now.Sub(c.lastHeard())
	switch {
	case quiet >= beat*5/2:
		return l.lose(&ConnectionError{URL: l.c.url, Reached: true, Err: errSilent})
	case quiet >= beat*3/2:
		if _, silent := l.c.State().(Silent); !silent {
			l.say(Silent{Since: c.lastHeard()})
		}
		return beat*5/2 - quiet
	}
	if _, connected := l.c.State().(Connected); !connected {
		l.say(Connected{Connection: c.greeting.Connection, ServerVersion: c.greeting.ServerVersion})
	}
	if quiet < beat {
		return beat - quiet
	}
	if l.now.Sub(c.pinged) >= beat {
		c.pinged = l.now
		c.send(wire.Ping{})
	}
	return beat*3/2 - quiet
}
