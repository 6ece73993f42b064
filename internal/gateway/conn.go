package gateway

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/lifecycle"
	"github.com/pam-assistant/pam/internal/wire"
)

// conn is one WebSocket connection. While nothing comes it is this struct and
// one waiting goroutine: no buffer, no timer, no channel, no writer.
type conn struct {
	gateway *Gateway
	socket  net.Conn
	system  system // the socket without the runtime's waiting; empty where there is none
	id      uuid.UUID
	peer    netip.Addr
	opened  time.Time
	v1      bool
	path    pam.UserID // the user that the address names, if it names one

	place place // in the wheel; guarded by the wheel

	// The reader's alone.
	reading assembler
	frames  *rate.Limiter

	mu       sync.Mutex
	life     lifecycle.Machine
	out      outbox
	subs     map[pam.ConversationID]*subscription
	asked    []*subscription // of a plain client: turns it waits for
	session  pam.SessionID
	serving  bool          // a request waits for its commit
	speaking bool          // the actions of an event are being carried out
	behind   bool          // a subscription may lag: where not, none is asked
	dirty    bool          // will be flushed after the batch
	owner    pam.UserID    // whose it is or was
	held     chan struct{} // closed when the reader may serve again
	pumped   chan struct{} // closed when the pump has ended
	answered bool          // the upgrade has been answered; nothing may go out before
	closed   bool          // the peer's close frame has come
}

func newConn(g *Gateway, peer netip.Addr, v1 bool) *conn {
	return &conn{
		gateway: g, id: g.NewID(), peer: peer, v1: v1, opened: g.Now(),
		reading: newAssembler(wire.MaxFrame),
		life:    lifecycle.New(&g.life, v1),
		session: pam.DefaultSession,
	}
}

// own takes the socket.
func (c *conn) own(socket net.Conn) {
	c.socket = socket
	c.system = systemOf(socket)
}

// run is the connection's life, in a goroutine of its own: the handler of the
// upgrade is left, and its stack and buffers with it.
func (c *conn) run(answer []byte, ask admission, refusal *pam.Error) {
	defer c.gone()
	if c.begin(answer, ask, refusal) {
		c.feed(ask.early)
	}
	c.read() // where it was refused: so that what the peer has sent meanwhile does not reset the last words
}

// begin answers the upgrade and judges who asks; it reports whether to go on.
func (c *conn) begin(answer []byte, ask admission, refusal *pam.Error) bool {
	now := c.gateway.Now()
	if _, err := c.socket.Write(answer); err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.happened(now, lifecycle.ReadFailed{Detail: "the client left during the handshake"})
		return false
	}
	c.mu.Lock()
	c.answered = true
	c.happened(now, lifecycle.Accepted{})
	c.flush() // where a drain has ended it already
	c.schedule()
	c.mu.Unlock()
	if refusal != nil {
		return c.refuse(refusal)
	}
	if ask.origin != nil {
		return c.refuse(asError(ask.origin))
	}
	if ask.credential == nil {
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), requestTime)
	defer cancel()
	p, err := ask.credential(ctx)
	return c.judged(p, err, false)
}

// judged makes the connection p's, or says why not; it reports whether it is
// still open.
func (c *conn) judged(p pam.Principal, err error, asked bool) bool {
	var refusal *pam.Error
	if err != nil {
		refusal = asError(err)
	}
	c.mu.Lock()
	first := c.life.Principal() == nil
	c.mu.Unlock()
	if refusal == nil && first {
		switch {
		case c.path != "" && c.path != p.User:
			return c.refuse(&pam.Error{Code: pam.CodeUserMismatch, Detail: "the address names another user than the token"})
		default:
			if full := c.gateway.belong(c, p.User); full != nil {
				return c.refuse(full)
			}
			c.mu.Lock()
			c.owner = p.User
			c.mu.Unlock()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if refusal != nil {
		c.happened(c.gateway.Now(), lifecycle.AuthFailed{Err: refusal})
	} else {
		c.happened(c.gateway.Now(), lifecycle.Authenticated{Principal: &p, Asked: asked})
	}
	c.flush()
	c.schedule()
	return c.life.Phase().Open()
}

// refuse ends the connection with an error; it reports that it is not open.
func (c *conn) refuse(e *pam.Error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.happened(c.gateway.Now(), lifecycle.Refused{Err: e})
	c.flush()
	return false
}

// happened tells the lifecycle and carries out what it asks for. It returns
// whether the frame that was the event is to be served. The caller holds c.mu
// and flushes.
func (c *conn) happened(now time.Time, ev lifecycle.Event) (serve bool) {
	before := c.speaking
	c.speaking = c.life.Phase().Open() // what comes before a close in one breath is still said
	defer func() { c.speaking = before }()
	acts := c.life.On(now, ev)
	for act := range acts.All() {
		switch x := act.(type) {
		case lifecycle.Serve:
			serve = true
		case lifecycle.SendError:
			_ = c.sendError(x.Err, wire.About{})
		case lifecycle.SendAuthOK:
			_ = c.sendText(func(dst []byte) []byte { return wire.AppendAuthOK(dst, x.Principal.User, x.Principal.Expires) })
		case lifecycle.SendConnected:
			c.greet()
		case lifecycle.SendAuthExpiring:
			_ = c.sendText(func(dst []byte) []byte { return wire.AppendAuthExpiring(dst, x.At) })
		case lifecycle.SendGoAway:
			_ = c.sendText(func(dst []byte) []byte { return wire.AppendGoAway(dst, x.After) })
		case lifecycle.SendPing:
			_ = c.ping(now, x.Nonce)
		case lifecycle.Close:
			c.end(now, x)
		}
	}
	return serve
}

func (c *conn) greet() {
	g := c.gateway
	_ = c.sendText(func(dst []byte) []byte {
		return wire.AppendConnected(dst, wire.Greeting{
			Connection: pam.ConnectionID(c.id.String()), ServerVersion: g.Version, Heartbeat: g.Heartbeat,
			MaxOutbox: g.Limits.Outbox, Subscriptions: g.Limits.Subscriptions,
		})
	})
}

// schedule hangs the connection into the wheel for what the lifecycle waits
// for. The caller holds c.mu.
func (c *conn) schedule() { c.gateway.wheel.set(c, c.life.Next()) }

// tick is called by the wheel.
func (c *conn) tick(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.serving {
		c.life.On(now, lifecycle.Heard{}) // it may have spoken; nobody has looked
	}
	c.happened(now, lifecycle.Tick{})
	c.flush()
	c.schedule()
}

// idle reports whether no turn that was asked for or is watched is open. The
// caller holds c.mu.
func (c *conn) idle() bool {
	if c.serving || len(c.asked) > 0 {
		return false
	}
	for _, s := range c.subs {
		if s.open > 0 {
			return false
		}
	}
	return true
}

// settled ends a draining connection that has become idle. The caller holds c.mu.
func (c *conn) settled() {
	if c.life.Phase().Draining() && c.idle() {
		c.happened(c.gateway.Now(), lifecycle.Idle{})
	}
}

// gone is the end of the reader and of all: the one log line of a connection.
func (c *conn) gone() {
	c.mu.Lock()
	c.happened(c.gateway.Now(), lifecycle.ReadFailed{Detail: "the reader ended"}) // where nothing else has ended it
	cause, _ := c.life.Cause()
	c.unpumped()
	user, rtt := c.owner, c.life.RTT()
	subs := c.subscriptions()
	c.subs, c.asked = nil, nil
	c.out.drop()
	c.mu.Unlock()
	_ = c.socket.Close()

	for _, s := range subs {
		s.watch.Close()
	}
	c.gateway.leave(c, user, cause)
	c.gateway.Logger.LogAttrs(context.Background(), slog.LevelInfo, "connection ended",
		slog.String("connection", c.id.String()),
		slog.String("cause", cause.String()),
		slog.String("by", cause.By.String()),
		slog.Int("peer_code", int(cause.Peer)),
		slog.String("detail", cause.Detail),
		slog.String("user", string(user)),
		slog.String("peer", c.peer.String()),
		slog.Int64("open_ms", c.gateway.Now().Sub(c.opened).Milliseconds()),
		slog.Float64("rtt_ms", float64(rtt.Microseconds())/1000),
	)
}
