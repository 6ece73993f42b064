package conversation

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/pam-assistant/pam"
)

const (
	maxAttempts = 3
	// maxUnsent is how many bytes of deltas a turn may be ahead of the
	// journal, before it waits. They are counted as the journal does, whose
	// queue is bounded: a delta of one letter weighs far more than the letter.
	maxUnsent      = 256 << 10
	recordOverhead = 256
	// settleFrom and settleMost are the pause before a final event that the
	// journal refused is tried again.
	settleFrom = 100 * time.Millisecond
	settleMost = 5 * time.Second
)

// ErrOver says that a turn is over for its owner: it was cancelled, another
// owner has taken it up, or the process ends.
var ErrOver = errors.New("conversation: the turn is over")

// Turn is a turn that runs: what its owner writes through. It satisfies the
// interfaces that internal/turn declares.
type Turn struct {
	actor  *actor
	turn   pam.Turn
	fence  int64
	cancel context.CancelCauseFunc

	// Guarded by actor.mu.
	room     sync.Cond // Delta waits here
	unsent   int       // bytes of delta events that are not committed
	refusal  error     // why the journal refused a delta
	released bool      // left unfinished, for the next process
}

// Key returns the turn's conversation.
func (t *Turn) Key() pam.Key { return t.actor.key }

// Turn returns the turn as the journal had it when it was started: on a restart
// with the attempts so far and the parts that are kept.
func (t *Turn) Turn() pam.Turn { return t.turn }

// Append asks for body and returns when it is committed. The parts of a
// [pam.Complete] are the conversation's own: those of body are not looked at.
func (t *Turn) Append(ctx context.Context, body pam.EventBody) error {
	a := t.actor
	done := make(chan error, 1)
	a.mu.Lock()
	if err := t.mayWrite(body); err != nil {
		a.mu.Unlock()
		return err
	}
	from, x := a.head, &pam.Append{Urgent: true, Fence: t.fence}
	if final, ok := body.(pam.Complete); ok {
		final.Parts = pam.Settle(a.question(t.turn.ID).answer.parts())
		body = final
	}
	a.number(t.turn.ID, body)
	x.Events = a.seal(from)
	a.foldInto(x)
	a.ask(x, func(err error) {
		a.next() // the owner may have left
		done <- err
	})
	a.mu.Unlock()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Delta asks for a piece of text and does not wait for its commit, unless the
// turn is far ahead of the journal.
func (t *Turn) Delta(text string) error {
	a := t.actor
	body := pam.Delta{Content: text}
	a.mu.Lock()
	defer a.mu.Unlock()
	for t.unsent > maxUnsent && t.mayWrite(body) == nil {
		t.room.Wait()
	}
	if err := t.mayWrite(body); err != nil {
		return err
	}
	from, x := a.head, &pam.Append{Fence: t.fence}
	a.number(t.turn.ID, body)
	x.Events = a.seal(from)
	size := len(x.Events[0].JSON) + recordOverhead
	t.unsent += size
	a.ask(x, func(err error) {
		t.unsent -= size
		if err != nil && t.refusal == nil {
			t.refusal = err
		}
		t.room.Broadcast()
	})
	return nil
}

// Progress tells the watchers what the turn waits for.
func (t *Turn) Progress(phase string, elapsed time.Duration) {
	a := t.actor
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.run != t {
		return
	}
	for _, w := range a.watches {
		w.watcher.Progress(a.key, t.turn.ID, phase, elapsed)
	}
}

// Earlier returns the turns whose message came before the number before, newest
// first, of together about maxBytes, and how many there are beyond them. They
// are over, for turns run in that order.
func (t *Turn) Earlier(ctx context.Context, before int64, maxBytes int) ([]pam.Turn, int, error) {
	t.actor.mu.Lock()
	all := t.actor.foldedOver
	t.actor.mu.Unlock()
	if all == 0 {
		return nil, 0, nil
	}
	turns, err := t.actor.earlier(ctx, maxBytes)
	later := 0 // cancelled while they waited behind t
	for later < len(turns) && turns[later].Seq >= before {
		later++
	}
	return turns[later:], max(0, all-len(turns)), err
}

// mayWrite says why t may not append body. The caller holds actor.mu.
func (t *Turn) mayWrite(body pam.EventBody) error {
	a := t.actor
	switch {
	case a.run != t || t.released || a.question(t.turn.ID) == nil:
		return ErrOver
	case body.Kind() == pam.KindComplete:
		return nil // also after a refusal: it is how the turn ends truthfully
	}
	return t.refusal
}

// finish gives each of questions its one final event. The caller holds a.mu.
func (a *actor) finish(questions []*question, final pam.Complete) {
	for _, q := range questions {
		final.Parts = pam.Settle(q.answer.parts())
		final.ProcessingTime = a.hub.Now().Sub(q.At)
		a.number(q.ID, final)
	}
}

// foldInto lets x take the past out of the hot log, where no turn is left that
// has deltas there. The caller holds a.mu and has sealed x.Events.
func (a *actor) foldInto(x *pam.Append) {
	for _, q := range a.turns {
		if q.Attempt > 0 {
			return
		}
	}
	for _, v := range slices.Backward(x.Events) {
		if v.Kind == pam.KindComplete {
			x.Fold = a.fold(v.Seq)
			return
		}
	}
}

// stop ends the work of the turn that ran, once its final event is committed.
// The caller holds a.mu.
func (a *actor) stop() {
	if t := a.run; t != nil && a.question(t.turn.ID) == nil {
		a.run = nil
		t.room.Broadcast()
		t.cancel(ErrOver)
	}
}

// resume starts what an earlier process has left unfinished.
func (a *actor) resume() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.next()
}

// next starts the first of the turns that are not over, unless one runs. The
// caller holds a.mu.
func (a *actor) next() {
	if a.run != nil || a.deleted || len(a.turns) == 0 || a.awaits() {
		return
	}
	switch q := a.turns[0]; {
	case q.Attempt == 0:
		a.start(q)
	case !a.retaking:
		a.retake(q)
	}
}

// awaits reports whether a message or the end of a turn is asked for and not
// committed: then that decides what is next, and calls next. The caller holds
// a.mu.
func (a *actor) awaits() bool {
	for i := len(a.live) - 1; i >= 0 && a.live[i].Seq > a.committed; i-- {
		if a.live[i].Kind == pam.KindComplete || a.live[i].Turn == a.turns[0].ID && a.live[i].Kind == pam.KindUserMessage {
			return true
		}
	}
	return false
}

// retake takes up a turn whose process died: what was said since the last call
// is taken back and said again, unless a call is out whose end nobody knows, or
// it has been tried often enough. The caller holds a.mu.
func (a *actor) retake(q *question) {
	parts := q.answer.parts()
	a.retaking = true
	a.fence++
	from, x := a.head, &pam.Append{Urgent: true, Fence: a.fence}
	switch call := outstanding(parts); {
	case call != nil:
		a.finish([]*question{q}, pam.Complete{Status: pam.TurnInterrupted, Error: &pam.Failure{
			Code:    pam.CodeInternal,
			Message: "The server stopped while " + call.Name + " was at work; nobody knows whether it took effect.",
			Hint:    "Look whether " + call.Name + " took effect before you ask again.",
		}})
	case q.Attempt >= maxAttempts:
		a.finish([]*question{q}, pam.Complete{Status: pam.TurnFailed, Error: &pam.Failure{
			Code:    pam.CodeInternal,
			Message: "The server stopped three times in the midst of this answer.",
			Hint:    "Look in the server's log for why it stopped.",
		}})
	default:
		a.number(q.ID, pam.Reset{Parts: kept(parts), Reason: "restart"})
	}
	x.Events = a.seal(from)
	a.foldInto(x)
	a.ask(x, func(err error) {
		a.retaking = err != nil
		switch {
		case err != nil:
			a.hub.hold(a)
			time.AfterFunc(settleMost, func() {
				a.mu.Lock()
				a.retaking = false
				a.mu.Unlock()
				a.resume()
				a.hub.release(a)
			})
		case x.Fold != nil:
			a.next()
		case a.run == nil && len(a.turns) > 0 && a.turns[0].ID == q.ID:
			a.start(a.turns[0])
		}
	})
}

// outstanding returns a call whose end nobody knows.
func outstanding(parts []pam.Part) *pam.Call {
	for _, p := range parts {
		if p.Call != nil && p.Call.Status == pam.CallRunning {
			return p.Call
		}
	}
	return nil
}

// kept is what a restart does not take back: all up to the last tool call,
// whose result is known.
func kept(parts []pam.Part) []pam.Part {
	for i, part := range slices.Backward(parts) {
		if part.Call != nil {
			return parts[:i+1]
		}
	}
	return nil
}

// start lets q run. The caller holds a.mu.
func (a *actor) start(q *question) {
	if !a.hub.begin(a.key.User) {
		return // the process ends; the next one takes it up
	}
	a.hub.hold(a)
	a.fence++
	ctx, cancel := context.WithCancelCause(context.Background())
	t := &Turn{actor: a, turn: q.Turn, fence: a.fence, cancel: cancel}
	t.turn.Parts = q.answer.parts()
	t.room.L = &a.mu
	a.run = t
	go func() {
		defer a.hub.end(a.key.User)
		defer a.hub.release(a)
		defer cancel(nil)
		a.hub.Run(ctx, t)
		t.settle(ctx)
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.run == t {
			a.run = nil
		}
		if !t.released {
			a.next()
		}
	}()
}

// settle gives the turn its final event where its owner could not: the journal
// refused it. It is tried until the journal takes it or the process ends.
func (t *Turn) settle(ctx context.Context) {
	for pause := settleFrom; ; pause = min(2*pause, settleMost) {
		t.actor.mu.Lock()
		over, refusal := t.mayWrite(pam.Complete{}), t.refusal
		t.actor.mu.Unlock()
		if over != nil {
			return
		}
		code := pam.CodeOf(refusal)
		if code == 0 {
			code = pam.CodeInternal
		}
		if t.Append(ctx, pam.Complete{Status: pam.TurnFailed, Error: &pam.Failure{Code: code}}) == nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// abandon leaves the turn that runs unfinished, for the next process.
func (a *actor) abandon() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t := a.run; t != nil {
		t.released = true
		t.room.Broadcast()
		t.cancel(ErrOver)
	}
}
