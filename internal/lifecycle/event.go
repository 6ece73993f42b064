package lifecycle

import (
	"time"

	"github.com/pam-assistant/pam"
)

// Event is something that happened to a connection. The set is closed. One
// that a state does not name means nothing to it; the table of testdata shows
// every event in every state.
type Event interface{ event() }

// ending is an event that ends a connection in whatever state it is; say, where
// not nil, is the error that the peer is told first.
type ending interface {
	Event
	end() (cause Cause, say *pam.Error)
}

type (
	// Accepted: the upgrade has been answered; frames may go both ways.
	Accepted struct{}

	// Authenticated: a credential was found good. On a connection that is
	// somebody's already it renews.
	Authenticated struct {
		Principal *pam.Principal // not nil; not changed afterwards
		Asked     bool           // by an auth frame, which wants its auth_ok
	}

	// AuthFailed: a credential was refused. It ends a connection that is
	// nobody's; where one is in force already, that stays.
	AuthFailed struct{ Err *pam.Error }

	// Heard: a whole control frame came that has no event of its own (a ping).
	Heard struct{}

	// Pong: a pong came. Nonce is that of the SendPing it answers; any other
	// pong, and one whose payload is no nonce, has 0, which no ping has.
	Pong struct{ Nonce uint32 }

	// Frame: a good frame came, and wants to be served.
	Frame struct{ Request Request }

	// BadFrame: a text came that is no frame. So many in a row end the
	// connection; a Frame starts the count anew.
	BadFrame struct{ Err *pam.Error }

	// RateLimited: a frame came sooner than the connection may send. The
	// first is a warning; who goes on a second later is closed.
	RateLimited struct{ Err *pam.Error }

	// Tick: the time that [Machine.Next] asked for has come. A tick too early
	// does nothing.
	Tick struct{}

	// DrainBegan: the server will stop.
	DrainBegan struct {
		After time.Duration // reconnect_after_ms, jittered by the caller
		Until time.Time     // when the connection is closed though not idle; zero: never
		Idle  bool          // no turn asked for or watched that is not over
	}

	// Idle: the last turn asked for or watched is over. It matters while
	// draining alone.
	Idle struct{}

	// Closing: the server stops now.
	Closing struct{}

	// PeerClosed: a close frame came.
	PeerClosed struct {
		Code   uint16 // wire.CloseNoStatus where the frame was empty
		Reason string // as it was sent
	}

	// ReadFailed: the connection ended, or broke, without a close frame.
	ReadFailed struct{ Detail string }

	// WriteFailed: what was sent did not go out.
	WriteFailed struct{ Detail string }

	// Violated: the peer broke RFC 6455 or its limits.
	Violated struct{ Err *pam.Error }

	// Overflowed: the peer does not read, and what waits for it is over twice
	// its bound.
	Overflowed struct{ Err *pam.Error }

	// Refused: the server will not have this connection (its origin, its
	// user, one too many, a drain, a failure of its own), and says why.
	Refused struct{ Err *pam.Error }
)

// Request says what a good frame asks for, as far as the lifecycle cares.
type Request uint8

// The requests. The zero Request is RequestOther.
const (
	RequestOther Request = iota // served only once authenticated
	RequestPing                 // always answered
	RequestAuth                 // always taken
)

func (Accepted) event()      {}
func (Authenticated) event() {}
func (AuthFailed) event()    {}
func (Heard) event()         {}
func (Pong) event()          {}
func (Frame) event()         {}
func (BadFrame) event()      {}
func (RateLimited) event()   {}
func (Tick) event()          {}
func (DrainBegan) event()    {}
func (Idle) event()          {}
func (Closing) event()       {}
func (PeerClosed) event()    {}
func (ReadFailed) event()    {}
func (WriteFailed) event()   {}
func (Violated) event()      {}
func (Overflowed) event()    {}
func (Refused) event()       {}

func (Closing) end() (Cause, *pam.Error) {
	return Cause{Code: pam.CodeGoingAway, By: ByServer}, nil
}

func (e PeerClosed) end() (Cause, *pam.Error) {
	return Cause{By: ByClient, Peer: e.Code, Detail: e.Reason}, nil
}

func (e ReadFailed) end() (Cause, *pam.Error) {
	return Cause{By: ByNetwork, Detail: e.Detail}, nil
}

func (e WriteFailed) end() (Cause, *pam.Error) {
	return Cause{By: ByNetwork, Detail: e.Detail}, nil
}

func (e Violated) end() (Cause, *pam.Error)   { return blame(e.Err) }
func (e Overflowed) end() (Cause, *pam.Error) { return blame(e.Err) }
func (e Refused) end() (Cause, *pam.Error)    { return blame(e.Err) }

// blame returns the end that the server makes for err.
func blame(err *pam.Error) (Cause, *pam.Error) {
	return Cause{Code: err.Code, By: ByServer, Detail: err.Detail}, err
}
