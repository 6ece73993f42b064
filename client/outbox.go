package client

import (
	"slices"
	"time"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/wire"
)

// The outbox is the answers that are not acknowledged: each message is sent
// once connected, and again after each reconnect, in the order of Chat, until
// its user_message comes or a refusal that does not pass. (An outbox that
// outlives the process keeps Message values by their ID, and gives them to Chat
// again: nothing here has to change for it.)

// chat takes a message.
func (l *loop) chat(a *Answer) error {
	if len(l.answers) >= l.options.Outbox {
		return explain(&pam.Error{
			Code: pam.CodeOverloaded, Op: "client.chat", Message: "Too many messages wait for an answer.", Hint: "Wait for some of them.",
		})
	}
	l.answers = append(l.answers, a)
	return nil // the next tick sends it
}

// flush sends what is due, and returns the time to the next.
func (l *loop) flush() time.Duration {
	wait := idle
	if len(l.updates) > 0 && !l.conn.contextUp {
		l.conn.contextUp = true
		l.conn.send(wire.ContextUpdate{Session: l.options.Session, Context: []byte(l.updates[0].patch)})
	}
	if l.conn.leaving {
		return wait // its successor is asked
	}
	for _, a := range l.answers {
		if a.acked {
			continue
		}
		due := a.retryAt
		if !a.sentAt.IsZero() {
			due = a.sentAt.Add(ackTimeout) // lost on the way: the same id does no harm
		}
		if left := due.Sub(l.now); left > 0 {
			wait = min(wait, left)
			continue
		}
		a.sent, a.sentAt = true, l.now
		l.conn.send(a.frame(l.options.Session))
		wait = min(wait, ackTimeout)
	}
	return wait
}

// busy reports whether the connection still serves an answer.
func (l *loop) busy() bool {
	return slices.ContainsFunc(l.answers, func(a *Answer) bool { return a.acked || !a.sentAt.IsZero() })
}

// awaits reports whether an answer of the conversation is not over.
func (l *loop) awaits(id pam.ConversationID) bool {
	return slices.ContainsFunc(l.answers, func(a *Answer) bool { return a.message.Conversation == id })
}

// acknowledge clears the outbox of the message that e acknowledges.
func (l *loop) acknowledge(e pam.Event) {
	m, ok := e.Body.(pam.UserMessage)
	if !ok {
		return
	}
	for _, a := range l.answers {
		if a.message.ID != m.ID || a.acked {
			continue
		}
		a.acked, a.turn = true, e.Turn
		if a.cancelled {
			l.conn.send(wire.Cancel{Turn: a.turn})
		}
	}
}

// show tells who waits for the turn how far it is.
func (l *loop) show(h *held, turn pam.TurnID) {
	over := false
	for _, a := range l.answers {
		if !a.acked || a.turn != turn {
			continue
		}
		t, ok := h.View.Turn(turn)
		if !ok {
			continue
		}
		if t.Status == 0 {
			a.cell.set(Update{Turn: t})
			continue
		}
		over = true
		a.cell.finish(Update{Turn: t}, nil)
	}
	if over {
		l.answers = slices.DeleteFunc(l.answers, func(a *Answer) bool { return a.acked && a.turn == turn })
	}
}

// progress tells who waits what the server is doing.
func (l *loop) progress(p wire.TurnProgress) {
	for _, a := range l.answers {
		if a.acked && a.turn == p.Turn {
			u := a.cell.load().value
			u.Phase, u.Elapsed = p.Phase, p.Elapsed
			a.cell.set(u)
		}
	}
}

// fail ends an answer without a turn.
func (l *loop) fail(a *Answer, err error) {
	a.cell.end(err)
	l.answers = slices.DeleteFunc(l.answers, func(other *Answer) bool { return other == a })
}

// sendAgain puts an acknowledged message back: its acknowledgement is gone with
// the journal's epoch, or with its conversation.
func (l *loop) sendAgain(a *Answer) {
	if a.tries++; a.tries > maxTries {
		l.fail(a, explain(&pam.Error{Code: pam.CodeNotFound, Op: "client.resume"}))
		return
	}
	a.acked, a.turn, a.sentAt, a.retryAt = false, "", time.Time{}, time.Time{}
}

// cancelAnswer ends an answer, or asks for its end.
func (l *loop) cancelAnswer(a *Answer) {
	if !slices.Contains(l.answers, a) {
		return // over
	}
	a.cancelled = true
	switch {
	case a.acked:
		if l.conn != nil && l.conn.live {
			l.conn.send(wire.Cancel{Turn: a.turn})
		}
	case !a.sent:
		l.takeBack(a)
	}
}

// takeBack ends an answer whose message the server does not have.
func (l *loop) takeBack(a *Answer) {
	u := a.cell.load().value
	u.Turn.Message, u.Turn.Chat, u.Turn.Status = a.message.Text, a.message.ID, pam.TurnCancelled
	a.cell.finish(u, nil)
	l.answers = slices.DeleteFunc(l.answers, func(other *Answer) bool { return other == a })
}

// refused takes an `error`: of a message, of a conversation, of a context, or
// the one that says why the connection is about to end.
func (l *loop) refused(f wire.ErrorFrame) {
	err := explain(f.Err)
	if f.ID == "" && wire.AfterError(err.Code) != wire.Stay {
		l.conn.refusal, l.conn.refusedAt = err, l.now
	}
	i := slices.IndexFunc(l.answers, func(a *Answer) bool { return f.ID != "" && a.message.ID == f.ID && !a.acked })
	gone := err.Code == pam.CodeConversationDeleted || err.Code == pam.CodeNotFound
	switch {
	case i >= 0:
		l.refusedMessage(l.answers[i], err)
	case f.ID == "" && f.Conversation == "" && l.conn.contextUp && isContext(err.Code):
		l.contextDone(0, err)
	}
	if gone && f.Conversation != "" {
		l.lostConversation(f.Conversation, err)
	}
}

// isContext reports whether code may answer a context_update.
func isContext(code pam.Code) bool {
	switch code { //nolint:exhaustive // the others have nothing to do with a context
	case pam.CodeInvalid, pam.CodeFrameTooLarge, pam.CodeStoreUnavailable, pam.CodeStoreFull, pam.CodeOverloaded, pam.CodeInternal:
		return true
	}
	return false
}

// refusedMessage ends an answer, or tries again later where the refusal passes.
func (l *loop) refusedMessage(a *Answer, err *pam.Error) {
	switch err.Code { //nolint:exhaustive // all others are final
	case pam.CodeOverloaded, pam.CodeRateLimited, pam.CodeGoingAway, pam.CodeStoreUnavailable, pam.CodeStoreFull:
	default:
		l.fail(a, err)
		return
	}
	if a.cancelled {
		l.takeBack(a)
		return
	}
	if a.tries++; a.tries >= maxTries {
		l.fail(a, err)
		return
	}
	a.sent, a.sentAt = false, time.Time{}
	a.retryAt = l.now.Add(l.options.Backoff.delay(a.tries, err.RetryAfter))
	u := a.cell.load().value
	u.Trouble = err
	a.cell.set(u)
}

// lostConversation is rule 7. What was acknowledged in a conversation that the
// server does not know (a power cut, a restored backup) is asked again.
func (l *loop) lostConversation(id pam.ConversationID, err *pam.Error) {
	for _, a := range slices.Clone(l.answers) {
		if a.message.Conversation != id || !a.acked {
			continue
		}
		if err.Code == pam.CodeConversationDeleted {
			l.fail(a, err)
		} else {
			l.sendAgain(a)
		}
	}
	l.forget(id, err)
}
