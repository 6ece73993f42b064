package client

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/wire"
)

var (
	errNoGreeting = errors.New("the server did not greet in time")
	errSilent     = errors.New("the server was not heard from for two and a half heartbeats")
)

// held is a conversation that is held, and who looks at it.
type held struct {
	Conversation
	watches []*Watch
	used    time.Time
	end     int64 // of the replay that is coming in
	behind  bool  // Last is before end
}

// frame takes a frame of the newest connection.
func (l *loop) frame(ctx context.Context, f wire.ServerFrame) {
	switch f := f.(type) {
	case wire.Connected:
		l.connected(f.Greeting)
	case wire.Event:
		l.event(f.Event)
	case wire.Unknown:
		if f.Event.Seq > 0 {
			l.event(f.Event)
		}
	case wire.Subscribed:
		l.subscribed(f.Subscription)
	case wire.ErrorFrame:
		l.refused(f)
	case wire.PingFrame:
		l.conn.send(wire.Pong{})
	case wire.TurnProgress:
		l.progress(f)
	case wire.GoAway:
		l.conn.leaving, l.conn.leaveFor = true, f.After
	case wire.AuthExpiring:
		l.renewToken(ctx)
	case wire.ContextUpdated:
		if l.conn.contextUp {
			l.contextDone(f.Version, nil)
		}
	case wire.PongFrame, wire.AuthOK, wire.InitAck, wire.Unsubscribed, wire.ConversationsChanged, wire.ChatResponse:
		// to be heard from was all
	}
}

// connected resumes: all that is held, then all that is not acknowledged.
func (l *loop) connected(g wire.Greeting) {
	l.conn.live, l.conn.greeting, l.conn.greeted, l.met = true, g, l.now, true
	init := wire.Init{Session: l.options.Session, Context: []byte(l.options.Context)}
	for id, h := range l.held {
		h.Ask()
		init.Conversations = append(init.Conversations, wire.Cursor{Conversation: id, Resume: h.Resume()})
	}
	if init.Session != "" || len(init.Context) > 0 || len(init.Conversations) > 0 {
		l.conn.send(init)
	}
	for _, a := range l.answers {
		if a.acked && a.cancelled {
			l.conn.send(wire.Cancel{Turn: a.turn})
		}
	}
	l.pulse()
}

// renewToken asks for a token while the connection goes on.
func (l *loop) renewToken(ctx context.Context) {
	if l.options.Token == nil || l.renewal != nil {
		return
	}
	renewal := make(chan string, 1)
	l.renewal = renewal
	token, log := l.options.Token, l.options.Logger
	l.wait.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, greetingTimeout)
		defer cancel()
		secret, err := token(ctx)
		if err != nil {
			log.Warn("client: no new token", "err", err)
		}
		renewal <- secret
	})
}

func (l *loop) renew(token string) {
	l.renewal = nil
	if token != "" && l.conn != nil {
		l.conn.send(wire.Auth{Token: token})
	}
}

// event is rule 3, and the acknowledgement of what was asked.
func (l *loop) event(e pam.Event) {
	l.acknowledge(e)
	id := e.Key.Conversation
	h := l.held[id]
	if h == nil {
		return // forgotten; it was on its way
	}
	h.used = l.now
	switch h.Event(e) {
	case Applied:
		if l.options.OnEvent != nil && e.Body != nil {
			l.options.OnEvent(e)
		}
		l.show(h, e.Turn)
		l.caughtUp(id, h)
	case Lost:
		l.conn.send(wire.Subscribe{Cursor: wire.Cursor{Conversation: id, Resume: h.Resume()}})
	case Ignored:
		if _, asked := e.Body.(pam.UserMessage); asked {
			l.show(h, e.Turn)
		}
	}
}

// subscribed is rule 5.
func (l *loop) subscribed(s wire.Subscription) {
	id := s.Conversation
	h := l.held[id]
	if h == nil {
		h = l.hold(id)
	}
	h.used = l.now
	step := h.Subscribe(Subscribed{Epoch: s.Epoch, Seq: s.Seq, From: s.From, Reset: s.Reset})
	h.end, h.behind = s.Seq, true
	if step == Lost {
		l.conn.send(wire.Subscribe{Cursor: wire.Cursor{Conversation: id, Resume: h.Resume()}})
		return
	}
	l.caughtUp(id, h)
}

// caughtUp looks, once a replay is in, for what the journal has lost: a message
// that was acknowledged in an epoch which is gone is sent again.
func (l *loop) caughtUp(id pam.ConversationID, h *held) {
	if !h.Live() || h.Last < h.end {
		return
	}
	if h.behind {
		h.behind = false
		for _, a := range l.answers {
			if a.acked && a.message.Conversation == id {
				if _, known := h.View.Asked(a.message.ID); !known {
					l.sendAgain(a)
				}
			}
		}
	}
	if len(h.watches) == 0 {
		return
	}
	v := h.View.Clone()
	if v.Turns == nil {
		v.Turns = []pam.Turn{}
	}
	for _, w := range h.watches {
		w.cell.set(v)
	}
}

// hold makes room for a conversation, and holds it.
func (l *loop) hold(id pam.ConversationID) *held {
	for len(l.held) >= l.options.Conversations {
		var oldest pam.ConversationID
		for id, h := range l.held {
			if len(h.watches) == 0 && !l.awaits(id) && (oldest == "" || h.used.Before(l.held[oldest].used)) {
				oldest = id
			}
		}
		if oldest == "" {
			break // all are looked at: their number is bounded by who looks
		}
		l.forget(oldest, nil)
	}
	h := &held{used: l.now}
	l.held[id] = h
	return h
}

// forget holds a conversation no longer. Where err is nil nobody looks at it,
// and the server is told.
func (l *loop) forget(id pam.ConversationID, err error) {
	h := l.held[id]
	if h == nil {
		return
	}
	delete(l.held, id)
	if err == nil && l.conn != nil && l.conn.live && h.Watched() {
		l.conn.send(wire.Unsubscribe{Conversation: id})
	}
	for _, w := range h.watches {
		w.cell.end(err)
	}
}

// open begins a watch.
func (l *loop) open(w *Watch) {
	h := l.held[w.conversation]
	if h == nil {
		h = l.hold(w.conversation)
	}
	h.used = l.now
	h.watches = append(h.watches, w)
	if !h.Watched() && l.conn != nil && l.conn.live {
		h.Ask()
		l.conn.send(wire.Subscribe{Cursor: wire.Cursor{Conversation: w.conversation, Resume: h.Resume()}})
	}
	l.caughtUp(w.conversation, h)
}

// closeWatch ends a watch.
func (l *loop) closeWatch(w *Watch) {
	w.cell.end(ErrClosed)
	h := l.held[w.conversation]
	if h == nil {
		return
	}
	h.watches = slices.DeleteFunc(h.watches, func(other *Watch) bool { return other == w })
	if len(h.watches) == 0 && !l.awaits(w.conversation) {
		l.forget(w.conversation, nil)
	}
}

// updateContext queues a patch.
func (l *loop) updateContext(u *contextUpdate) {
	if len(l.updates) >= l.options.Outbox {
		u.err = explain(&pam.Error{Code: pam.CodeOverloaded, Op: "client.context"})
		close(u.done)
		return
	}
	l.updates = append(l.updates, u)
}

// contextDone answers the patch that is out.
func (l *loop) contextDone(version int64, err error) {
	l.conn.contextUp = false
	u := l.updates[0]
	l.updates = l.updates[1:]
	u.version, u.err = version, err
	close(u.done)
}
