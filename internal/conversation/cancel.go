package conversation

import (
	"context"
	"slices"

	"github.com/pam-assistant/pam"
)

// Cancel ends one turn of user.
func (h *Hub) Cancel(ctx context.Context, user pam.UserID, turn pam.TurnID) (pam.Cancelled, error) {
	if key, ok := h.find(user, turn); ok {
		return h.cancel(ctx, key, func(q *question) bool { return q.ID == turn }, turn)
	}
	key, seq, ok, err := h.Past.FindTurn(ctx, user, turn)
	if err != nil {
		return pam.Cancelled{}, err
	}
	if !ok {
		return pam.Cancelled{}, &pam.Error{Code: pam.CodeNotFound, Op: "conversation.cancel"}
	}
	return h.ended(ctx, key, seq)
}

// CancelAll ends all turns of a conversation that are not over: so it does no
// harm to say it twice.
func (h *Hub) CancelAll(ctx context.Context, key pam.Key) (pam.Cancelled, error) {
	return h.cancel(ctx, key, func(*question) bool { return true }, "")
}

func (h *Hub) cancel(ctx context.Context, key pam.Key, which func(*question) bool, turn pam.TurnID) (pam.Cancelled, error) {
	a, err := h.acquire(ctx, key, false)
	if err != nil {
		return pam.Cancelled{}, err
	}
	defer h.release(a)
	for range 2 { // where an end that is asked for is refused, the turn is there again
		finals, err := a.cancel(ctx, which)
		if err != nil || len(finals) > 0 {
			return pam.Cancelled{Key: key, Finals: finals}, err
		}
		if err := a.settled(ctx); err != nil {
			return pam.Cancelled{}, err
		}
	}
	if turn == "" {
		return a.lastEnded(ctx)
	}
	if final, ok := a.final(turn); ok {
		return pam.Cancelled{Key: key, Finals: []pam.Record{final}, Before: true}, nil
	}
	_, seq, ok, err := h.Past.FindTurn(ctx, key.User, turn)
	switch {
	case err != nil:
		return pam.Cancelled{}, err
	case !ok:
		return pam.Cancelled{}, &pam.Error{Code: pam.CodeNotFound, Op: "conversation.cancel"}
	}
	return h.ended(ctx, key, seq)
}

// settled waits until what is asked of the journal by now, and is urgent, is
// committed or refused.
func (a *actor) settled(ctx context.Context) error {
	a.mu.Lock()
	through := a.settling
	a.mu.Unlock()
	if through == nil {
		return nil
	}
	select {
	case <-through:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// final returns the final event of a turn that is over and not folded yet.
func (a *actor) final(turn pam.TurnID) (pam.Record, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.live {
		if e := &a.live[i]; e.Kind == pam.KindComplete && e.Turn == turn && e.Seq <= a.committed {
			return e.Record, true
		}
	}
	return pam.Record{}, false
}

// ended is the answer where the turn was over before: its final event.
func (h *Hub) ended(ctx context.Context, key pam.Key, seq int64) (pam.Cancelled, error) {
	a, err := h.acquire(ctx, key, false)
	if err != nil {
		return pam.Cancelled{}, err
	}
	defer h.release(a)
	final, err := a.record(ctx, seq)
	if err != nil {
		return pam.Cancelled{}, err
	}
	return pam.Cancelled{Key: key, Finals: []pam.Record{final}, Before: true}, nil
}

// lastEnded finds the last turn's final event.
func (a *actor) lastEnded(ctx context.Context) (pam.Cancelled, error) {
	records, err := a.hub.Past.Earlier(ctx, a.key, 1<<62, page)
	if err != nil {
		return pam.Cancelled{}, err
	}
	for _, r := range records {
		if r.Kind == pam.KindComplete {
			return pam.Cancelled{Key: a.key, Finals: []pam.Record{r}, Before: true}, nil
		}
	}
	return pam.Cancelled{}, &pam.Error{Code: pam.CodeNotFound, Op: "conversation.cancel"}
}

// cancel ends the turns that are meant, and waits for the commit. The final
// event is the actor's own, so that it comes at once and once, whatever the
// model does.
func (a *actor) cancel(ctx context.Context, which func(*question) bool) ([]pam.Record, error) {
	done := make(chan error, 1)
	a.mu.Lock()
	var meant []*question // the newest first: what runs is ended last
	for _, q := range slices.Backward(a.turns) {
		if which(q) {
			meant = append(meant, q)
		}
	}
	if len(meant) == 0 {
		a.mu.Unlock()
		return nil, nil
	}
	from, x := a.head, &pam.Append{Urgent: true}
	a.finish(meant, pam.Complete{Status: pam.TurnCancelled})
	x.Events = a.seal(from)
	a.foldInto(x)
	a.ask(x, func(err error) {
		if err == nil {
			a.stop()
		}
		a.next() // after a refusal too: who worked at the turn may have left
		done <- err
	})
	a.mu.Unlock()
	select {
	case err := <-done:
		return x.Events, err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
