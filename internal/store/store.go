// Package store is all of PAM that outlives its process: the journal of every
// conversation, the idempotency keys, each session's context and what a user
// asked to be remembered.
//
// It holds what every engine shares: [Engine], the contract that
// internal/store/storetest turns into tests; the limits; the checks that an
// engine makes before it writes. An engine (internal/store/sqlite) owns every
// SQL statement, and promises that what it has acknowledged is there after a
// kill -9, and after a power cut where it syncs fully.
//
// It never interprets the bytes of an event: those are the wire's.
package store

import (
	"context"
	"time"

	"github.com/pam-assistant/pam"
)

// The limits of what a user may ask to be remembered.
const (
	MaxMemories    = 200     // keys a user
	MaxMemoryKey   = 128     // bytes, UTF-8
	MaxMemoryValue = 4 << 10 // bytes, UTF-8
)

// MaxContext is the greatest length of a session's context, in bytes of
// compact JSON (docs/protocol.md, "Client to server").
const MaxContext = 64 << 10

// Journal takes what happens.
type Journal interface {
	// Append asks for a to be committed and returns at once. The outcome
	// comes through a.Done: nil once it is durable; else a *pam.Error,
	// [pam.ErrSuperseded] or a *pam.ChatKnownError, and then nothing of a was
	// kept. One goroutine calls all of them, in the order of the journal.
	Append(a *pam.Append)
	// Epoch names this life of the journal.
	Epoch() pam.Epoch
	// Unfinished lists the conversations that a turn was left open in, as
	// they were found when the engine was opened: those with a live tail or
	// with messages that wait.
	Unfinished() []pam.Key
}

// Past gives back what happened. Every method fails with CodeNotFound for a
// conversation that is unknown and CodeConversationDeleted for one that was
// deleted.
type Past interface {
	// Load returns a conversation with its live tail.
	Load(ctx context.Context, key pam.Key) (*pam.Snapshot, error)
	// Read returns folded events with a Seq greater than after, ascending:
	// at most maxBytes of JSON, yet at least one; none at the end.
	Read(ctx context.Context, key pam.Key, after int64, maxBytes int) ([]pam.Record, error)
	// Earlier returns folded events with a Seq less than before, newest
	// first, bounded as Read is.
	Earlier(ctx context.Context, key pam.Key, before int64, maxBytes int) ([]pam.Record, error)
}

// Names finds what a user's names stand for.
type Names interface {
	// FindChat returns what an idempotency key remembers, and whether it is known.
	FindChat(ctx context.Context, user pam.UserID, id pam.ChatID) (pam.Chat, bool, error)
	// FindTurn returns the conversation of a turn of the user's that is over
	// and folded, the number of its final event, and whether there is one.
	FindTurn(ctx context.Context, user pam.UserID, id pam.TurnID) (pam.Key, int64, bool, error)
}

// Sessions keeps the context of sessions.
type Sessions interface {
	// Context returns a session's context: "{}" with version 0 where nothing is known.
	Context(ctx context.Context, session pam.Session) (pam.Context, error)
	// UpdateContext sets a session's context to what change makes of the old
	// one, in one transaction. An error of change changes nothing and is
	// returned as it is; more than [MaxContext] is CodeInvalid. change runs in
	// the goroutine that writes: it must be quick and call nothing of the
	// engine; it may run again where its transaction has to be repeated.
	UpdateContext(ctx context.Context, session pam.Session, change func(old []byte) ([]byte, error)) (pam.Context, error)
}

// Memories keeps what users asked to be remembered, within the limits above:
// beyond them it is CodeInvalid.
type Memories interface { //nolint:interfacebloat // a contract to test; users declare what they need
	// Memories lists what is remembered of a user, by key.
	Memories(ctx context.Context, user pam.UserID) ([]pam.Memory, error)
	// Remember sets the value of a key.
	Remember(ctx context.Context, user pam.UserID, key, value string) error
	// Forget removes a key and reports whether it was there.
	Forget(ctx context.Context, user pam.UserID, key string) (bool, error)
	// ForgetAll removes all that is remembered of a user and reports how many
	// keys that were.
	ForgetAll(ctx context.Context, user pam.UserID) (int, error)
}

// Engine is a whole store. Run must be running for Append and whatever
// changes something to get anywhere; the rest works as soon as it is open.
type Engine interface { //nolint:interfacebloat // a contract to test; users declare what they need
	Journal
	Past
	Names
	Sessions
	Memories
	// Run commits what is asked for until ctx is done, and returns after
	// everything asked has been committed or refused. It is called once.
	Run(ctx context.Context) error
	Stats() Stats
	// Close marks a clean stop. It is called once Run has returned, or where
	// it never ran.
	Close() error
}

// Stats is how an engine fares, for health and metrics. Counters count since
// it was opened.
type Stats struct {
	Commits   int64         // transactions that were committed
	Failures  int64         // transactions that were not
	Appends   int64         // appends that were committed
	Refused   int64         // appends that were refused, for whatever reason
	Events    int64         // events that were committed
	Batch     int           // events of the last commit
	Latency   time.Duration // of the last commit
	Committed time.Time     // when the last one was; zero before the first
	Queued    int           // bytes that wait to be committed
	Live      int           // conversations with a live tail
	Err       error         // why the last commit failed; nil once one has succeeded since
	ErrSince  time.Time     // since when commits have been failing
}
