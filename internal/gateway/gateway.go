// Package gateway owns the sockets: it accepts WebSockets, reads their frames,
// carries out what internal/lifecycle decides, and keeps each connection's
// outbox within its bound.
//
// Its heart is conn, one connection: a struct of small state structs with one
// lock, read by one goroutine that holds no buffer while nothing comes. Every
// frame leaves through one door (conn_write.go), which asks the lifecycle
// first: what is sent on a connection that is gone is a [GoneError], never a
// panic and never a log line. Every end has one cause and one log line.
//
// It knows conversations, contexts and credentials only by the small
// interfaces below, and never encodes an event: it puts a header before the
// bytes that the journal keeps.
package gateway

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/lifecycle"
	"github.com/pam-assistant/pam/internal/wire"
)

// Conversations are what clients talk to.
type Conversations interface {
	Turns
	// Watch begins to watch; nothing comes before Replay asks for it.
	Watch(ctx context.Context, key pam.Key, w Watcher, r pam.Resume) (Watch, pam.Position, error)
}

// Turns are what clients ask for and end.
type Turns interface {
	// Chat accepts a message and returns once it is committed.
	Chat(ctx context.Context, r pam.ChatRequest) (pam.Accepted, error)
	// Cancel ends one turn and returns once that is committed.
	Cancel(ctx context.Context, user pam.UserID, turn pam.TurnID) (pam.Cancelled, error)
	// CancelAll ends all turns of a conversation.
	CancelAll(ctx context.Context, key pam.Key) (pam.Cancelled, error)
}

// Watcher is told what a conversation has come to, with the conversation
// locked: it must not block and must not call back.
type Watcher interface {
	// Deliver hands over committed events, in order; it returns whether the
	// watcher wants more.
	Deliver(key pam.Key, records []pam.Record) (more bool)
	Progress(key pam.Key, turn pam.TurnID, phase string, elapsed time.Duration)
	Deleted(key pam.Key)
}

// Watch is one watcher of one conversation.
type Watch interface {
	// Replay hands over one page of what is later than after, and reports
	// whether that was all: from then on every commit is delivered.
	Replay(ctx context.Context, after int64) (live bool, err error)
	Close()
}

// Contexts keep what clients say of their users.
type Contexts interface {
	// Merge merges a patch (RFC 7396) and returns the new version; without a
	// patch it returns the present one.
	Merge(ctx context.Context, s pam.Session, patch []byte) (version int64, err error)
}

// Doorman says who is speaking, and from where.
type Doorman interface {
	Credentials
	// Origin refuses a page that may not use this server.
	Origin(r *http.Request) error
	// Peer returns the address that a request comes from.
	Peer(r *http.Request) netip.Addr
}

// Credentials says whose word a credential is.
type Credentials interface {
	// Credential returns what a request carries; it is judged later, on the
	// open connection. It is nil where there is none.
	Credential(r *http.Request) Credential
	// Token judges the token of an auth frame.
	Token(ctx context.Context, token string) (pam.Principal, error)
}

// Credential is a credential that is not judged yet.
type Credential func(ctx context.Context) (pam.Principal, error)

// Limits bound what clients may do. Zero: no limit, but for Outbox.
type Limits struct {
	Outbox        int // bytes of frames that wait for one connection
	Connections   int // of one user
	Handshakes    int // of one address, a second
	Frames        int // of one connection, a second
	Subscriptions int // of one connection
	Chats         int // of one user, a minute
	Total         int // connections
}

// Options are what a Gateway is made of; all are needed.
type Options struct {
	Conversations Conversations
	Contexts      Contexts
	Doorman       Doorman
	Limits        Limits
	Heartbeat     time.Duration
	Version       string // of the server
	Logger        *slog.Logger
	Now           func() time.Time
	NewID         func() [16]byte // UUIDv7
}

// Gateway holds the connections of one process.
type Gateway struct {
	Options

	life     lifecycle.Settings
	wheel    *wheel
	chats    *limiters[pam.UserID]
	hands    *limiters[netip.Addr]
	buffers  buffers
	outboxes outboxes
	streams  *streams

	mu       sync.Mutex
	conns    map[*conn]struct{}
	users    map[pam.UserID][]*conn
	draining bool
	until    time.Time // when connections are closed though not idle
	work     sync.WaitGroup
	counts   counts

	dirtyMu sync.Mutex
	dirty   []*conn // have something to send since the last flush
	flushed []*conn // the other half of dirty, to be used again
}

// New returns a gateway without connections. Run must run for heartbeats.
func New(o Options) *Gateway {
	return &Gateway{
		Options: o,
		life: lifecycle.Settings{
			Heartbeat: o.Heartbeat, AuthTimeout: wire.AuthTimeout,
			ExpiryNotice: wire.ExpiryNotice, BadFrames: wire.MaxBadFrames,
		},
		wheel:  newWheel(o.Heartbeat, o.Now()),
		chats:  newLimiters[pam.UserID](o.Limits.Chats, time.Minute),
		hands:  newLimiters[netip.Addr](o.Limits.Handshakes, time.Second),
		conns:  map[*conn]struct{}{},
		users:  map[pam.UserID][]*conn{},
		counts: counts{closed: map[string]int64{}},

		streams: newStreams(o.Limits.Frames),
	}
}

// Run keeps the deadlines of all connections until ctx is done.
func (g *Gateway) Run(ctx context.Context) error {
	ticker := time.NewTicker(g.wheel.width)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		now := g.Now()
		for _, c := range g.wheel.due(now) {
			c.tick(now)
		}
		g.chats.evict(now)
		g.hands.evict(now)
		g.streams.requests.evict(now)
	}
}

// Flush sends what was delivered since the last Flush: the journal calls it
// after each batch, so that what one commit brought a connection leaves in one
// write.
func (g *Gateway) Flush() {
	g.dirtyMu.Lock()
	conns := g.dirty
	g.dirty = g.flushed[:0]
	g.dirtyMu.Unlock()
	for i, c := range conns {
		c.mu.Lock()
		c.dirty = false
		c.flush()
		c.mu.Unlock()
		conns[i] = nil
	}
	g.dirtyMu.Lock()
	g.flushed = conns
	g.dirtyMu.Unlock()
}

// later has c flushed after the batch, unless somebody writes already: then it
// was not a batch that brought it, but a replay. The caller holds c.mu.
func (g *Gateway) later(c *conn) {
	if c.dirty || c.out.pumping {
		return
	}
	c.dirty = true
	g.dirtyMu.Lock()
	g.dirty = append(g.dirty, c)
	g.dirtyMu.Unlock()
}

// Changed tells the user's connections that do not watch a conversation that
// something has happened in it (pam.v1 alone).
func (g *Gateway) Changed(key pam.Key) {
	g.mu.Lock()
	if len(g.users[key.User]) < 2 { // its own watches it
		g.mu.Unlock()
		return
	}
	conns := append([]*conn(nil), g.users[key.User]...)
	g.mu.Unlock()
	for _, c := range conns {
		c.mu.Lock()
		if c.v1 && c.subs[key.Conversation] == nil {
			_ = c.sendText(func(dst []byte) []byte { return wire.AppendConversationsChanged(dst, key.Conversation) })
			g.later(c)
		}
		c.mu.Unlock()
	}
}
