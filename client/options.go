package client

import (
	"context"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/pam-assistant/pam"
)

// Options are what a client may be told. The zero Options are those of a client
// without a token.
type Options struct {
	// Token is asked for a token before each connection, and before the token
	// of a live one ends. Nil: none is sent.
	Token func(context.Context) (string, error)

	// Session is the session whose context this client speaks in; empty: the
	// default one. Context is merged into it (RFC 7396) at each connection.
	Session pam.SessionID
	Context json.RawMessage

	// OnEvent is called by the client's own goroutine with each event that was
	// applied: once, in the order of its conversation, and from the start
	// again where the journal has begun another life. It must not block.
	OnEvent func(pam.Event)

	// OnState is called by the client's own goroutine with each state, none left
	// out. It must not block.
	OnState func(State)

	// Backoff spaces the attempts to connect.
	Backoff Backoff

	// Outbox bounds the messages whose answer is not over; 64 where it is 0.
	Outbox int
	// Conversations bounds those that are held; the one that was not used for
	// longest is forgotten for another. 256 where it is 0.
	Conversations int

	Header     http.Header  // of the handshake
	HTTPClient *http.Client // of the handshake; it must not have a Timeout
	Logger     *slog.Logger // nil: nothing is logged
}

// Backoff is full jitter: the n-th attempt comes after a random time of at most
// Base·2ⁿ and at most Cap.
type Backoff struct {
	Base time.Duration // 500 ms where it is 0
	Cap  time.Duration // 30 s where it is 0
}

// The client's own times.
const (
	greetingTimeout  = 15 * time.Second // from the start of an attempt to `connected`
	writeTimeout     = 10 * time.Second // of one frame
	closeTimeout     = time.Second      // for the server to echo a close
	ackTimeout       = 15 * time.Second // then a message is sent again
	refusalTime      = 2 * time.Second  // in which a cut follows the error that explains it
	holdTime         = 10 * time.Second // a connection that held so long starts the backoff anew
	defaultHeartbeat = 25 * time.Second
)

const (
	maxServerFrame = 16 << 20 // bytes: an answer twice, each byte escaped, and its tools' results
	maxTries       = 6        // of a message that the server cannot take now
	maxPending     = 1_024    // frames that wait to be written
)

func (o Options) withDefaults() Options {
	if o.Backoff.Base <= 0 {
		o.Backoff.Base = 500 * time.Millisecond
	}
	if o.Backoff.Cap <= 0 {
		o.Backoff.Cap = 30 * time.Second
	}
	if o.Outbox <= 0 {
		o.Outbox = 64
	}
	if o.Conversations <= 0 {
		o.Conversations = 256
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// delay returns when to try for the n-th time, n from 0 up. Where the server
// has asked for a time the client comes no earlier, and jitters beyond it: all
// others were asked for the same.
func (b Backoff) delay(n int, asked time.Duration) time.Duration {
	most := b.Cap
	if n < 16 { // beyond that the shift would not fit, and Cap is long reached
		most = min(b.Cap, b.Base<<n)
	}
	if asked > 0 {
		return asked + rand.N(max(most, asked/4)+1)
	}
	return rand.N(most + 1)
}
