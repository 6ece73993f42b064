package conversation

import (
	"context"
	"errors"
	"time"

	"github.com/pam-assistant/pam"
)

// maxWaiting is how many messages wait behind a running turn.
const maxWaiting = 8

// Chat accepts a message, once for ever under its id, and returns when that is
// committed. The key is looked at before everything else: said again, a message
// is neither refused because of the turn that it asks for, nor interrupts it.
func (h *Hub) Chat(ctx context.Context, r pam.ChatRequest) (pam.Accepted, error) {
	key := chatKey{r.User, r.ID}
	if err := h.claim(ctx, key); err != nil {
		return pam.Accepted{}, err
	}
	defer h.unclaim(key)
	known, ok, err := h.Past.FindChat(ctx, r.User, r.ID)
	if err != nil {
		return pam.Accepted{}, err
	}
	if ok {
		return h.again(ctx, r, known)
	}
	accepted, err := h.begins(ctx, r)
	if race, ok := errors.AsType[*pam.ChatKnownError](err); ok {
		return h.again(ctx, r, race.Chat)
	}
	return accepted, err
}

// again answers a message that is asked for a second time.
func (h *Hub) again(ctx context.Context, r pam.ChatRequest, known pam.Chat) (pam.Accepted, error) {
	key := pam.Key{User: r.User, Conversation: known.Conversation}
	a, err := h.acquire(ctx, key, false)
	if err != nil {
		if errors.Is(err, &pam.Error{Code: pam.CodeNotFound}) {
			err = &pam.Error{Code: pam.CodeConversationDeleted, Op: "conversation.chat"}
		}
		return pam.Accepted{}, err
	}
	defer h.release(a)
	if known.Content != pam.HashContent(r.Message) || r.Conversation != "" && r.Conversation != known.Conversation {
		return pam.Accepted{}, &pam.Error{Code: pam.CodeIDConflict, Op: "conversation.chat"}
	}
	message, err := a.record(ctx, known.Seq)
	if err != nil {
		return pam.Accepted{}, err
	}
	return pam.Accepted{Key: key, Turn: known.Turn, Message: message, Known: true}, nil
}

// begins accepts a message whose id is new.
func (h *Hub) begins(ctx context.Context, r pam.ChatRequest) (pam.Accepted, error) {
	key := pam.Key{User: r.User, Conversation: r.Conversation}
	if key.Conversation == "" {
		key.Conversation = pam.ConversationID(h.NewID())
	}
	a, err := h.acquire(ctx, key, true)
	if err != nil {
		return pam.Accepted{}, err
	}
	defer h.release(a)
	if err := a.vacancy(r); err != nil {
		return pam.Accepted{}, err
	}
	if err := h.Admit(r.User); err != nil {
		return pam.Accepted{}, err
	}
	if len(r.Context) > 0 {
		if err := h.Merge(ctx, pam.Session{User: r.User, ID: r.Session}, r.Context); err != nil {
			return pam.Accepted{}, err
		}
	}
	return a.accept(ctx, r)
}

// vacancy says whether the conversation takes r now. It is asked before the
// context is merged, for a refused message changes nothing, and again when the
// message gets its number.
func (a *actor) vacancy(r pam.ChatRequest) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.room(r)
}

// room says why the conversation does not take r now. The caller holds a.mu.
func (a *actor) room(r pam.ChatRequest) error {
	if err := a.hub.accepting(); err != nil {
		return err
	}
	switch waiting := len(a.turns) - 1; {
	case a.deleted:
		return &pam.Error{Code: pam.CodeConversationDeleted, Op: "conversation.chat"}
	case waiting < 0:
		return a.hub.admit(a.key.User)
	case r.WhenBusy == pam.Reject:
		return &pam.Error{Code: pam.CodeBusy, Op: "conversation.chat"}
	case r.WhenBusy == pam.Queue && waiting >= maxWaiting:
		return &pam.Error{
			Code: pam.CodeOverloaded, Op: "conversation.chat",
			Message:    "Eight messages already wait in this conversation.",
			Hint:       "Wait for an answer, or send when_busy: interrupt.",
			RetryAfter: time.Second,
		}
	}
	return nil
}

// accept gives the message its number and waits for the commit.
func (a *actor) accept(ctx context.Context, r pam.ChatRequest) (pam.Accepted, error) {
	turn := pam.TurnID(a.hub.NewID())
	done := make(chan error, 1)

	a.mu.Lock()
	if err := a.room(r); err != nil {
		a.mu.Unlock()
		return pam.Accepted{}, err
	}
	from, x := a.head, &pam.Append{Urgent: true}
	if r.WhenBusy == pam.Interrupt && len(a.turns) > 0 {
		a.finish(a.turns[1:], pam.Complete{Status: pam.TurnCancelled})
		a.finish(a.turns[:1], pam.Complete{Status: pam.TurnCancelled})
	}
	message := a.number(turn, pam.UserMessage{ID: r.ID, Message: r.Message, Session: r.Session})
	x.Events = a.seal(from)
	a.foldInto(x)
	x.Chat = &pam.Chat{
		User: r.User, ID: r.ID, Conversation: a.key.Conversation, Turn: turn,
		Seq: message.event.Seq, Content: pam.HashContent(r.Message),
	}
	a.hub.began(a.key, turn)
	a.hub.keep(chatKey{r.User, r.ID})
	a.ask(x, func(err error) {
		if err != nil {
			a.hub.over(a.key, turn)
		} else {
			a.stop()
		}
		a.next() // after a refusal too: who worked at the turn may have left
		a.hub.unclaim(chatKey{r.User, r.ID})
		done <- err
	})
	a.mu.Unlock()

	select {
	case err := <-done:
		if err != nil {
			return pam.Accepted{}, err
		}
	case <-ctx.Done():
		return pam.Accepted{}, context.Cause(ctx)
	}
	return pam.Accepted{Key: a.key, Turn: turn, Message: x.Events[len(x.Events)-1]}, nil
}

// record returns a kept event by its number.
func (a *actor) record(ctx context.Context, seq int64) (pam.Record, error) {
	a.mu.Lock()
	for _, e := range a.live {
		if e.event.Seq == seq {
			a.mu.Unlock()
			return e.Record, nil
		}
	}
	a.mu.Unlock()
	records, err := a.hub.Past.Read(ctx, a.key, seq-1, 1)
	if err != nil {
		return pam.Record{}, err
	}
	if len(records) == 0 || records[0].Seq != seq {
		return pam.Record{}, &pam.Error{Code: pam.CodeStoreUnavailable, Op: "conversation.record", Detail: "an event is missing"}
	}
	return records[0], nil
}
