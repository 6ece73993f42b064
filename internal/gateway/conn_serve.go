package gateway

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/wire"
)

const (
	// requestTime is how long a request may take to be committed.
	requestTime = 15 * time.Second
	// pumpTime is how long one page of the past may take to be read.
	pumpTime = 15 * time.Second
)

// serve handles a request, one at a time: the reader reads no further until it
// is committed. None is served while the outbox is full, for who does not read
// is not served.
func (c *conn) serve(request wire.Request) {
	if !c.hold() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), requestTime)
	defer cancel()
	switch r := request.(type) {
	case wire.Ping, wire.Pong: // answered, or only heard
	case wire.Auth:
		p, err := c.gateway.Doorman.Token(ctx, r.Token)
		c.judged(p, err, true)
	case wire.Init:
		c.init(ctx, r)
	case wire.ContextUpdate:
		c.update(ctx, r)
	case wire.Chat:
		c.chat(ctx, r)
	case wire.Cancel:
		c.cancel(ctx, r)
	case wire.Subscribe:
		c.subscribe(ctx, r.Cursor)
	case wire.Unsubscribe:
		c.unsubscribe(r)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serving = false
	c.settled()
}

// hold waits until the outbox has room, and claims the connection for a
// request. It reports whether the connection is still open.
func (c *conn) hold() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out.behind() > c.gateway.Limits.Outbox {
		c.flush() // what waits may be this reader's own, which has not tried yet
	}
	for c.life.Phase().Open() && c.out.behind() > c.gateway.Limits.Outbox {
		if c.held == nil {
			c.held = make(chan struct{})
		}
		held := c.held
		c.mu.Unlock()
		<-held
		c.mu.Lock()
	}
	c.serving = c.life.Phase().Open()
	return c.serving
}

// refused tells the client why a request was not done.
func (c *conn) refused(err error, about wire.About) {
	e := asError(err)
	if errors.Is(err, context.DeadlineExceeded) {
		e = &pam.Error{Code: pam.CodeStoreUnavailable, Err: err}
	}
	if e.Code == pam.CodeInternal || e.Code == pam.CodeStoreUnavailable {
		c.gateway.Logger.Warn("request failed", "connection", c.id.String(), "error", err.Error())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.sendError(e, about)
}

// whose returns whose context a request means: its own session, else the
// connection's.
func (c *conn) whose(session pam.SessionID) pam.Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	if session == "" {
		session = c.session
	}
	return pam.Session{User: c.owner, ID: session}
}

func (c *conn) init(ctx context.Context, r wire.Init) {
	session := pam.Session{User: c.whose("").User, ID: r.Session}
	if session.ID == "" {
		session.ID = pam.DefaultSession
	}
	version, err := c.gateway.Contexts.Merge(ctx, session, r.Context)
	if err != nil {
		c.refused(err, wire.About{})
		return
	}
	c.mu.Lock()
	c.session = session.ID
	_ = c.sendText(func(dst []byte) []byte { return wire.AppendInitAck(dst, session.ID, version) })
	c.mu.Unlock()
	for _, cursor := range r.Conversations { // each is served as a request of its own
		if !c.hold() {
			return
		}
		c.subscribe(ctx, cursor)
	}
}

func (c *conn) update(ctx context.Context, r wire.ContextUpdate) {
	version, err := c.gateway.Contexts.Merge(ctx, c.whose(r.Session), r.Context)
	if err != nil {
		c.refused(err, wire.About{})
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.sendText(func(dst []byte) []byte { return wire.AppendContextUpdated(dst, version) })
}

func (c *conn) chat(ctx context.Context, r wire.Chat) {
	began := c.gateway.Now()
	session := c.whose(r.Session)
	if r.ID == "" {
		r.ID = pam.ChatID(uuid.UUID(c.gateway.NewID()).String())
	}
	accepted, err := c.gateway.Conversations.Chat(ctx, pam.ChatRequest{
		User: session.User, ID: r.ID, Conversation: r.Conversation, Message: r.Message,
		Session: session.ID, WhenBusy: r.WhenBusy, Context: []byte(r.Context),
	})
	if err != nil {
		c.refused(err, wire.About{ID: r.ID, Conversation: r.Conversation})
		return
	}
	if !c.v1 {
		c.await(ctx, accepted, &plainTurn{chat: r.ID, turn: accepted.Turn, stream: r.Stream, began: began})
		return
	}
	c.mu.Lock()
	s := c.subs[accepted.Key.Conversation]
	if s != nil && accepted.Known && s.cursor >= accepted.Message.Seq {
		_ = c.sendRecord(&accepted.Message)
	}
	c.mu.Unlock()
	if s == nil {
		c.watch(ctx, accepted.Key, wire.About{ID: r.ID, Conversation: accepted.Key.Conversation}, accepted.Message.Seq-1, nil)
	}
}

// await has a plain client wait for its turn, once though it asks twice.
func (c *conn) await(ctx context.Context, accepted pam.Accepted, turn *plainTurn) {
	if c.awaits(accepted.Turn) {
		return
	}
	s := &subscription{conn: c, key: accepted.Key, plain: turn, cursor: accepted.Message.Seq - 1, lags: true}
	watch, _, err := c.gateway.Conversations.Watch(ctx, accepted.Key, s, pam.Resume{})
	if err != nil {
		c.refused(err, wire.About{ID: turn.chat, Conversation: accepted.Key.Conversation})
		return
	}
	s.watch = watch
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked, c.behind = append(c.asked, s), true
	c.replay()
}

func (c *conn) awaits(turn pam.TurnID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.asked, func(s *subscription) bool { return s.plain.turn == turn })
}

func (c *conn) subscribe(ctx context.Context, cursor wire.Cursor) {
	key := pam.Key{User: c.whose("").User, Conversation: cursor.Conversation}
	c.watch(ctx, key, wire.About{Conversation: key.Conversation}, cursor.After, &cursor.Resume)
}

// watch subscribes to key from after, in place of an older subscription. With
// resume, the cursor is a client's own and must be of this epoch.
func (c *conn) watch(ctx context.Context, key pam.Key, about wire.About, after int64, resume *pam.Resume) {
	if full := c.replace(key.Conversation); full != nil {
		c.refused(full, about)
		return
	}
	s := &subscription{conn: c, key: key, lags: true}
	from := pam.Resume{}
	if resume != nil {
		from = *resume
	}
	watch, position, err := c.gateway.Conversations.Watch(ctx, key, s, from)
	if err != nil {
		c.refused(err, about)
		return
	}
	if resume == nil {
		position.From = after + 1
	}
	s.watch, s.head, s.open, s.cursor = watch, position.Head, position.Open, position.From-1
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.subs == nil {
		c.subs = map[pam.ConversationID]*subscription{}
	}
	c.subs[key.Conversation], c.behind = s, true
	_ = c.sendText(func(dst []byte) []byte {
		return wire.AppendSubscribed(dst, wire.Subscription{
			Conversation: key.Conversation, Epoch: position.Epoch,
			Seq: position.Head, From: position.From, Reset: position.Reset,
		})
	})
	c.replay()
}

// replace ends an older subscription to id, and takes back what it has left in
// the outbox; it refuses one more where there are too many.
func (c *conn) replace(id pam.ConversationID) error {
	c.mu.Lock()
	old := c.subs[id]
	full := old == nil && c.gateway.Limits.Subscriptions > 0 && len(c.subs) >= c.gateway.Limits.Subscriptions
	if old != nil {
		c.out.take(old)
		delete(c.subs, id)
	}
	c.mu.Unlock()
	if old != nil {
		old.watch.Close()
	}
	if full {
		return &pam.Error{
			Code:    pam.CodeOverloaded,
			Message: "This connection watches too many conversations.",
			Hint:    "Unsubscribe from some, or raise PAM_MAX_SUBSCRIPTIONS.",
		}
	}
	return nil
}

func (c *conn) unsubscribe(r wire.Unsubscribe) {
	_ = c.replace(r.Conversation)
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.sendText(func(dst []byte) []byte { return wire.AppendUnsubscribed(dst, r.Conversation) })
}

func (c *conn) cancel(ctx context.Context, r wire.Cancel) {
	user := c.whose("").User
	about := wire.About{Conversation: r.Conversation}
	streams := c.streaming()
	var (
		cancelled pam.Cancelled
		err       error
	)
	if r.Turn != "" {
		cancelled, err = c.gateway.Conversations.Cancel(ctx, user, r.Turn)
	} else {
		cancelled, err = c.gateway.Conversations.CancelAll(ctx, pam.Key{User: user, Conversation: r.Conversation})
	}
	if err != nil {
		c.refused(err, about)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.subs[cancelled.Key.Conversation]
	for i := range cancelled.Finals {
		final := &cancelled.Finals[i]
		if slices.Contains(streams, final.Turn) {
			continue // its plain stream ends with it
		}
		if s == nil || cancelled.Before && s.cursor >= final.Seq {
			_ = c.sendRecord(final)
		}
	}
}

// streaming lists the turns that a plain client is sent the events of.
func (c *conn) streaming() (turns []pam.TurnID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.asked {
		if s.plain.stream {
			turns = append(turns, s.plain.turn)
		}
	}
	return turns
}
