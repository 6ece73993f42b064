package gateway

import (
	"time"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/wire"
)

// subscription is one connection's watch on one conversation: all of it for
// pam.v1, one turn for a plain client. It takes what follows its cursor and
// nothing else; where something is missing it lags, and the pump reads that
// from the journal.
type subscription struct {
	conn  *conn
	key   pam.Key
	watch Watch

	// Guarded by conn.mu.
	cursor int64
	head   int64 // turns that open or end later are still to be counted
	open   int   // turns that are not over
	lags   bool
	plain  *plainTurn // nil for pam.v1
}

// plainTurn is what a plain client waits for.
type plainTurn struct {
	chat   pam.ChatID
	turn   pam.TurnID
	stream bool
	began  time.Time
	start  pam.Start
}

// lag says that what comes after before has to be sent again. The caller holds
// conn.mu.
func (s *subscription) lag(before int64) {
	if !s.lags || before < s.cursor {
		s.cursor = before
	}
	s.fall()
}

// fall says that s lacks something. The caller holds conn.mu.
func (s *subscription) fall() { s.lags, s.conn.behind = true, true }

// Deliver implements [Watcher].
func (s *subscription) Deliver(_ pam.Key, records []pam.Record) (more bool) {
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	more = c.open() == nil
	for i := range records {
		r := &records[i]
		switch {
		case !more || s.lags || r.Seq <= s.cursor:
			continue
		case r.From > s.cursor+1, !c.room(len(r.JSON)):
			s.fall()
			continue
		}
		before := s.cursor
		s.cursor = r.Seq // first: taking it may take it back
		more = s.take(r, before)
		s.count(r)
	}
	if !more {
		c.forget(s)
	}
	c.settled()
	c.gateway.later(c)
	return more
}

// take sends r, as its client wants it; it reports whether more is wanted.
func (s *subscription) take(r *pam.Record, before int64) (more bool) {
	c := s.conn
	if s.plain == nil {
		return c.sendEvent(r, s, before) == nil
	}
	if r.Turn != s.plain.turn {
		return true
	}
	if s.plain.stream {
		return c.sendEvent(r, s, before) == nil && r.Kind != pam.KindComplete
	}
	switch r.Kind { //nolint:exhaustive // one answer is made of these two
	case pam.KindStart:
		if e, err := wire.DecodeEvent(s.key.User, r.JSON); err == nil {
			s.plain.start, _ = e.Body.(pam.Start)
		}
	case pam.KindComplete:
		s.respond(r)
		return false
	}
	return true
}

// respond gives a plain client the one answer to its chat.
func (s *subscription) respond(r *pam.Record) {
	e, err := wire.DecodeEvent(s.key.User, r.JSON)
	final, ok := e.Body.(pam.Complete)
	if err != nil || !ok {
		_ = s.conn.sendError(&pam.Error{Code: pam.CodeInternal}, wire.About{ID: s.plain.chat, Conversation: s.key.Conversation})
		return
	}
	_ = s.conn.sendText(func(dst []byte) []byte {
		return wire.AppendChatResponse(dst, wire.ChatResponse{
			Chat: s.plain.chat, Conversation: s.key.Conversation, Message: s.plain.start.MessageID,
			Turn: s.plain.turn, Model: s.plain.start.Model, Final: final,
			ProcessingTime: final.ProcessingTime, At: e.At,
		})
	})
}

// count keeps the number of turns that are not over; what comes again, for it
// was taken back from the outbox, is counted already.
func (s *subscription) count(r *pam.Record) {
	if r.Seq <= s.head {
		return
	}
	s.head = r.Seq
	switch r.Kind { //nolint:exhaustive // the others neither begin nor end a turn
	case pam.KindUserMessage:
		s.open++
	case pam.KindComplete:
		s.open--
	}
}

// Progress implements [Watcher].
func (s *subscription) Progress(key pam.Key, turn pam.TurnID, phase string, elapsed time.Duration) {
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.lags || s.plain != nil && (!s.plain.stream || s.plain.turn != turn) {
		return
	}
	if c.sendText(func(dst []byte) []byte { return wire.AppendProgress(dst, key, turn, phase, elapsed) }) == nil {
		c.flush()
	}
}

// Deleted implements [Watcher].
func (s *subscription) Deleted(key pam.Key) {
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.take(s)
	c.forget(s)
	about := wire.About{Conversation: key.Conversation}
	if s.plain != nil {
		about.ID = s.plain.chat
	}
	_ = c.sendError(&pam.Error{Code: pam.CodeConversationDeleted}, about)
	c.settled()
	c.flush()
}

// forget drops a subscription that is over. The caller holds c.mu.
func (c *conn) forget(s *subscription) {
	if c.subs[s.key.Conversation] == s {
		delete(c.subs, s.key.Conversation)
	}
	for i, other := range c.asked {
		if other == s {
			c.asked = append(c.asked[:i:i], c.asked[i+1:]...)
			break
		}
	}
}

// subscriptions lists all. The caller holds c.mu.
func (c *conn) subscriptions() []*subscription {
	all := append([]*subscription(nil), c.asked...)
	for _, s := range c.subs {
		all = append(all, s)
	}
	return all
}
