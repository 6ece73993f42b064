// Package lifecycle says what a connection may do next. It is a pure machine:
// an event goes in, the actions that follow come out. It has no clock (the
// caller says what time it is), no I/O, no goroutine and no lock; what it asks
// for is done by its one owner, internal/gateway.
//
// It promises that
//   - a connection is connecting, connected (accepted, nobody yet),
//     authenticated, draining or disconnected, and goes from one to another only
//     where the table in testdata/table.txt says so: each state is a type with
//     methods for the transitions that may leave it and no others, so that an
//     illegal one does not compile;
//   - a connection ends once, with one [Cause]: the first wins;
//   - after the end nothing is ever asked for again;
//   - a clock that jumps is never taken for a peer's silence, and no time that
//     it is told makes it ask for a tick again and again;
//   - an event that changes nothing costs no allocation, and a [Machine] is
//     small: one lies in each of 10,000 idle connections.
//
// It never looks into a frame, a token or a socket. The rules are those of
// docs/protocol.md, "Who is it" and "Accept, then explain".
package lifecycle

import (
	"time"

	"github.com/pam-assistant/pam"
)

// Settings are what all connections of a server have in common. They are
// shared, and not changed once a Machine has them.
type Settings struct {
	// Heartbeat is the distance between two pings; a peer that is not heard
	// from for 2.5 heartbeats is dead. Zero: no pings, and silence is allowed.
	Heartbeat time.Duration
	// AuthTimeout is how long a connection may be nobody's. Zero: for ever.
	AuthTimeout time.Duration
	// ExpiryNotice is how long before the end of the principal's credential
	// a pam.v1 connection is told. Zero: it is not told.
	ExpiryNotice time.Duration
	// BadFrames is how many bad frames in a row end a connection, at most
	// 255. Zero: none do.
	BadFrames int
}

// Machine is the life of one connection. Only its owner may call it; it may be
// moved while nobody does, and is not copied once in use.
type Machine struct {
	settings *Settings
	state    state
	base     time.Time // the zero of all the offsets below
	last     time.Duration
	since    time.Duration

	end     time.Duration // connected: to authenticate; draining: to be gone; 0: none
	expiry  time.Duration // the principal's end; 0: none
	pingDue time.Duration // 0: no heartbeat
	heard   time.Duration // when a whole frame last came, or what counts as that
	pinged  time.Duration // when the ping that is under way was asked for
	rtt     time.Duration
	warned  time.Duration // when rate_limited was last a warning; 0: never

	nonce uint32 // of the last ping
	bad   uint8  // bad frames in a row
	flags flags
}

// flags are the yes and no of a Machine, in one byte.
type flags uint8

const (
	speaksV1  flags = 1 << iota // the subprotocol is pam.v1
	pinging                     // a ping is under way
	asking                      // a first auth is being judged
	notified                    // auth_expiring has been sent for this expiry
	forgiving                   // a late tick has been forgiven in this silence
)

func (f flags) has(x flags) bool { return f&x != 0 }
func (f *flags) set(x flags)     { *f |= x }
func (f *flags) clear(x flags)   { *f &^= x }
func (m *Machine) v1() bool      { return m.flags.has(speaksV1) }
func (m *Machine) enter(s state) { m.state, m.since = s, m.last }

// New returns a connection that is connecting. v1 says whether it speaks
// pam.v1, and so is greeted and told what it did not ask for.
func New(settings *Settings, v1 bool) Machine {
	m := Machine{settings: settings, state: connecting{}}
	if v1 {
		m.flags.set(speaksV1)
	}
	return m
}

// On takes what happened, and when, and returns what is to be done about it,
// in this order. An event that means nothing in the present state changes
// nothing. Times need not be in order; one before its predecessor counts as
// that, unless the clock was set back.
func (m *Machine) On(now time.Time, ev Event) Actions {
	at := moment{now, m.clock(now)}
	if e, ok := ev.(ending); ok {
		if s, ok := m.state.(ender); ok {
			return m.finish(s, e)
		}
		return Actions{}
	}
	switch s := m.state.(type) {
	case connecting:
		return m.whileConnecting(s, at, ev)
	case connected:
		return m.whileConnected(s, at, ev)
	case authenticated:
		return m.whileAuthenticated(s, at, ev)
	case draining:
		return m.whileDraining(s, at, ev)
	case disconnected:
	}
	return Actions{}
}

// Phase returns where the connection stands.
func (m *Machine) Phase() Phase { return m.state.phase() }

// Since returns when the present phase began; zero before the first event.
func (m *Machine) Since() time.Time {
	if m.base.IsZero() {
		return time.Time{}
	}
	return m.base.Add(m.since)
}

// Cause returns why the connection ended, and whether it has.
func (m *Machine) Cause() (Cause, bool) {
	if s, ok := m.state.(disconnected); ok {
		return *s.cause, true
	}
	return Cause{}, false
}

// Principal returns who the connection speaks for; nil while or once it is
// nobody's. It is shared: do not change it.
func (m *Machine) Principal() *pam.Principal {
	switch s := m.state.(type) {
	case authenticated:
		return s.principal
	case draining:
		return s.principal
	case connecting, connected, disconnected:
	}
	return nil
}

// RTT returns the round trip of the last ping that was answered; zero where
// none was.
func (m *Machine) RTT() time.Duration { return m.rtt }
