package lifecycle

import (
	"iter"
	"time"

	"github.com/pam-assistant/pam"
)

// Action is something that the owner of a connection is to do.
//
//sumtype:decl
type Action interface{ action() }

type (
	// Serve: handle the frame that was the event.
	Serve struct{}

	// SendError: send an error frame; the connection stays open.
	SendError struct{ Err *pam.Error }

	// SendAuthOK: answer an auth frame.
	SendAuthOK struct{ Principal *pam.Principal }

	// SendConnected: greet (pam.v1 alone).
	SendConnected struct{}

	// SendAuthExpiring: tell that the credential ends soon (pam.v1 alone).
	SendAuthExpiring struct{ At time.Time }

	// SendGoAway: tell that the server will stop (pam.v1 alone).
	SendGoAway struct{ After time.Duration }

	// SendPing: send a protocol ping whose payload is Nonce, and to a served
	// pam.v1 connection a ping frame as well.
	SendPing struct{ Nonce uint32 }

	// Close: end the connection; always the last action of all. Where the
	// server ends it: send an error frame with Say, where it is not nil, then
	// the close frame of Cause.Code. Where the client did: echo its close.
	// Where the network did: there is nobody to tell. The phase is ended
	// already; these are its last words. A connection that was not accepted
	// has none.
	Close struct {
		Cause Cause
		Say   *pam.Error
	}
)

func (Serve) action()            {}
func (SendError) action()        {}
func (SendAuthOK) action()       {}
func (SendConnected) action()    {}
func (SendAuthExpiring) action() {}
func (SendGoAway) action()       {}
func (SendPing) action()         {}
func (Close) action()            {}

// maxActions is the most that one event asks for: a renewal's auth_ok, the
// greeting and auth_expiring.
const maxActions = 3

// Actions are what one event asks for, in order: a value, so that asking costs
// nothing.
type Actions struct {
	n    int
	list [maxActions]Action
}

// Len returns how many there are.
func (a *Actions) Len() int { return a.n }

// All ranges over them in order.
func (a *Actions) All() iter.Seq[Action] {
	return func(yield func(Action) bool) {
		for i := range a.n {
			if !yield(a.list[i]) {
				return
			}
		}
	}
}

func (a *Actions) add(x Action) {
	a.list[a.n] = x
	a.n++
}

func just(x Action) Actions { return Actions{n: 1, list: [maxActions]Action{x}} }
