package client

import (
	"fmt"
	"time"

	"github.com/pam-assistant/pam"
)

// State is how the connection stands, truthfully.
//
//sumtype:decl
type State interface{ state() }

// The states.
type (
	// Connecting: a connection is being made; nothing was heard on it yet.
	Connecting struct{ Attempt int } // 1 for the first, and after each connection that held

	// Connected: the server has greeted us and was heard from within one and
	// a half heartbeats.
	Connected struct {
		Connection    pam.ConnectionID
		ServerVersion string
	}

	// Silent: the connection is open, but the server was not heard from for
	// one and a half heartbeats. After two and a half it is given up.
	Silent struct{ Since time.Time }

	// Reconnecting: there is no connection; the next attempt is made then.
	Reconnecting struct {
		In      time.Duration // from the moment this state began
		At      time.Time
		Attempt int   // the one that is waited for
		Cause   error // a *pam.Error where the server said it, else a *ConnectionError
	}

	// Refused: the server does not want this client, and another attempt would
	// not change that. It is final.
	Refused struct{ Cause error }

	// Closed: Close was called, or Run's context has ended. It is final.
	Closed struct{}
)

func (Connecting) state()   {}
func (Connected) state()    {}
func (Silent) state()       {}
func (Reconnecting) state() {}
func (Refused) state()      {}
func (Closed) state()       {}

// ConnectionError says that no connection could be made, or that one ended
// without the server saying why.
type ConnectionError struct {
	URL     string
	Reached bool // there was a connection, and it was lost
	Status  int  // of an HTTP answer that was no upgrade; 0 where there was none
	Close   int  // the close code (RFC 6455, section 7.4); 0 where there was none
	Err     error
}

// Error implements error.
func (e *ConnectionError) Error() string {
	s := "no server reached at " + e.URL
	if e.Reached {
		s = "connection to " + e.URL + " lost"
	}
	if e.Status != 0 {
		s += fmt.Sprintf(" (HTTP status %d)", e.Status)
	}
	if e.Close != 0 {
		s += fmt.Sprintf(" (close code %d)", e.Close)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *ConnectionError) Unwrap() error { return e.Err }
