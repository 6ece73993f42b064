package client

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/wire"
)

// loop owns all that changes. Its goroutine is Run's.
type loop struct {
	c       *Client
	options Options
	now     time.Time // of the present turn of the loop

	conn    *conn        // the newest connection; nil between two
	dialled chan dialled // an attempt is under way; else nil
	due     time.Time    // of the next attempt
	attempt int          // that did not hold, one after the other
	renewed bool         // the last attempt had a new token
	met     bool         // a PAM has once answered at this address
	over    bool
	cause   error // of the end; nil after Close

	renewal chan string // a new token for the live connection is awaited; else nil
	wait    sync.WaitGroup

	held    map[pam.ConversationID]*held
	answers []*Answer // that are not over, in the order of Chat
	updates []*contextUpdate
}

// dialled is the outcome of an attempt.
type dialled struct {
	link  link
	heard *atomic.Int64
	epoch time.Time
	err   error
}

func newLoop(c *Client) *loop {
	return &loop{c: c, options: c.options, held: map[pam.ConversationID]*held{}}
}

// run is the client's life.
func (l *loop) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer l.wait.Wait()
	defer cancel()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for l.now = time.Now(); !l.over; {
		timer.Reset(l.tick(ctx))
		var frames <-chan []byte
		if l.conn != nil {
			frames = l.conn.frames
		}
		select {
		case <-ctx.Done():
			l.stop(Closed{}, context.Cause(ctx))
		case <-l.c.closing:
			l.stop(Closed{}, nil)
		case f := <-l.c.commands:
			l.now = time.Now()
			f(l)
		case d := <-l.dialled:
			l.now = time.Now()
			l.opened(ctx, d)
		case frame, ok := <-frames:
			l.now = time.Now()
			l.received(ctx, frame, ok)
		case token := <-l.renewal:
			l.renew(token)
		case <-timer.C:
			l.now = time.Now()
		}
	}
	if l.dialled != nil { // an attempt is under way: it ends with ctx
		cancel()
		if d := <-l.dialled; d.link != nil {
			d.link.close(false)
		}
	}
	return l.cause
}

// dial starts an attempt.
func (l *loop) dial(ctx context.Context) {
	l.say(Connecting{Attempt: l.attempt + 1})
	result := make(chan dialled, 1)
	l.dialled = result
	over, token := l.c.over, l.options.Token
	l.wait.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, greetingTimeout)
		defer cancel()
		d := dialled{heard: &atomic.Int64{}, epoch: time.Now()}
		secret := ""
		if token != nil {
			secret, d.err = token(ctx)
		}
		if d.err == nil {
			d.link, d.err = over.dial(ctx, secret, func() { d.heard.Store(int64(time.Since(d.epoch))) })
		}
		result <- d
	})
}

// opened takes the outcome of an attempt.
func (l *loop) opened(ctx context.Context, d dialled) {
	l.dialled = nil
	if d.err != nil {
		l.ended(d.err)
		return
	}
	l.conn = open(ctx, d)
}

// received takes a frame, or the end of the connection.
func (l *loop) received(ctx context.Context, frame []byte, ok bool) {
	if !ok {
		conn := l.conn
		l.drop(false)
		l.ended(l.causeOf(conn))
		return
	}
	f, err := wire.DecodeServer(frame)
	if err != nil {
		l.options.Logger.Warn("client: a frame cannot be read", "err", err)
		l.drop(false)
		l.ended(&ConnectionError{URL: l.c.url, Reached: true, Err: err})
		return
	}
	l.frame(ctx, f)
}

// causeOf says why a connection has ended: what the server said before, where
// it fits the close, else what the close code means, else what the socket said.
func (l *loop) causeOf(c *conn) error {
	code := endOf(c.err)
	if r := c.refusal; r != nil {
		cut := code == wire.CloseAbnormal && l.now.Sub(c.refusedAt) < refusalTime
		if cut || wire.Meaning(r.Code).Close == code {
			return r
		}
	}
	switch code { //nolint:exhaustive // the others name more than one cause, or none
	case wire.CloseGoingAway:
		return explain(&pam.Error{Code: pam.CodeGoingAway, RetryAfter: c.leaveFor})
	case wire.CloseInternal:
		return explain(&pam.Error{Code: pam.CodeInternal})
	case wire.CloseTryAgain:
		return explain(&pam.Error{Code: pam.CodeOverloaded})
	case wire.CloseHeartbeatTimeout:
		return explain(&pam.Error{Code: pam.CodeHeartbeatTimeout})
	case wire.CloseTooMany:
		return explain(&pam.Error{Code: pam.CodeTooManyConnections})
	case wire.CloseRateLimited:
		return explain(&pam.Error{Code: pam.CodeRateLimited})
	case wire.CloseAbnormal:
		if c.leaving {
			return explain(&pam.Error{Code: pam.CodeGoingAway, RetryAfter: c.leaveFor})
		}
		return &ConnectionError{URL: l.c.url, Reached: true, Err: c.err}
	}
	return &ConnectionError{URL: l.c.url, Reached: true, Close: int(code), Err: c.err}
}

// ended decides what comes after an attempt or a connection that has ended by
// cause: the table of docs/protocol.md, "Accept, then explain".
func (l *loop) ended(cause error) {
	l.options.Logger.Debug("client: not connected", "err", cause, "attempt", l.attempt)
	var asked time.Duration
	switch l.advice(cause) {
	case wire.Stop, wire.Mend:
		l.stop(Refused{Cause: cause}, cause)
		return
	case wire.Renew:
		if l.renewed || l.options.Token == nil {
			l.stop(Refused{Cause: cause}, cause)
			return
		}
		l.renewed = true
		l.due = l.now
		return
	case wire.Reconnect, wire.Stay:
		if e, ok := errors.AsType[*pam.Error](cause); ok {
			asked = e.RetryAfter
		}
	}
	in := l.options.Backoff.delay(l.attempt, asked)
	l.attempt++
	l.due = l.now.Add(in)
	l.say(Reconnecting{In: in, At: l.due, Attempt: l.attempt + 1, Cause: cause})
}

// advice is what to do after cause.
func (l *loop) advice(cause error) wire.Advice {
	if e, ok := errors.AsType[*pam.Error](cause); ok {
		return wire.AfterError(e.Code)
	}
	lost, ok := errors.AsType[*ConnectionError](cause)
	if !ok {
		return wire.Reconnect // of the caller's Token
	}
	switch {
	case lost.Close != 0:
		return wire.AfterClose(wire.CloseCode(lost.Close)) //nolint:gosec // two bytes on the wire
	case l.met, lost.Status == 0, lost.Status >= http.StatusInternalServerError:
		return wire.Reconnect
	}
	return wire.Stop // something else lives there
}

// drop leaves the connection, where there is one.
func (l *loop) drop(polite bool) {
	if l.conn == nil {
		return
	}
	l.conn.end(polite)
	l.conn, l.renewal = nil, nil
	for _, h := range l.held {
		h.Leave()
	}
	for _, a := range l.answers {
		a.sentAt = time.Time{}
	}
}

// stop is the end.
func (l *loop) stop(state State, cause error) {
	l.over, l.cause = true, cause
	l.drop(true)
	if cause == nil {
		cause = ErrClosed
	}
	for _, a := range l.answers {
		a.cell.end(cause)
	}
	for _, h := range l.held {
		for _, w := range h.watches {
			w.cell.end(cause)
		}
	}
	for _, u := range l.updates {
		u.err = cause
		close(u.done)
	}
	if l.options.OnState != nil {
		l.options.OnState(state)
	}
	l.c.state.finish(state, nil)
}

// say tells how the connection stands.
func (l *loop) say(state State) {
	if l.options.OnState != nil {
		l.options.OnState(state)
	}
	l.c.state.set(state)
}
