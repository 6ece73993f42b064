package conversation

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/pam-assistant/pam"
)

// page is about how many bytes of the past are read at once.
const page = 64 << 10

// Watcher is told what a conversation has come to. Its methods are called with
// the conversation locked: they never block and never call back.
type Watcher interface {
	// Deliver hands over committed events, in order. A watcher takes only
	// what follows its own cursor; what it has dropped it asks for again by
	// [Watch.Replay]. One that wants no more says so, and its watch is closed.
	Deliver(key pam.Key, records []pam.Record) (more bool)
	// Progress says what a turn waits for. It is not in the journal.
	Progress(key pam.Key, turn pam.TurnID, phase string, elapsed time.Duration)
	// Deleted says that the conversation is gone, and the watch with it.
	Deleted(key pam.Key)
}

// Watch is one watcher of one conversation, until Close.
type Watch struct {
	actor   *actor
	watcher Watcher

	// Guarded by actor.mu.
	live   bool // handed every commit
	closed bool
}

// Watch begins to watch a conversation. The watcher is handed nothing before it
// asks with [Watch.Replay] for what is later than its cursor.
func (h *Hub) Watch(ctx context.Context, key pam.Key, w Watcher, r pam.Resume) (*Watch, pam.Position, error) {
	a, err := h.acquire(ctx, key, false)
	if err != nil {
		return nil, pam.Position{}, err
	}
	watch := &Watch{actor: a, watcher: w}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.deleted {
		defer h.release(a)
		return nil, pam.Position{}, &pam.Error{Code: pam.CodeConversationDeleted, Op: "conversation.watch"}
	}
	a.watches = append(a.watches, watch)
	epoch := h.Journal.Epoch()
	p := pam.Position{Epoch: epoch, Head: a.committed, From: r.After + 1, Open: a.open()}
	if r.After > 0 && (r.Epoch != epoch || r.After > a.committed) {
		p.Reset, p.From = true, 1
	}
	return watch, p, nil
}

// Replay hands the watcher one page of what is later than after. It reports
// whether that was all: then the watch is live, and every later commit is
// delivered, with no window in between. It may read the store; ctx bounds that.
func (w *Watch) Replay(ctx context.Context, after int64) (live bool, err error) {
	a := w.actor
	a.mu.Lock()
	if after >= a.folded {
		defer a.mu.Unlock()
		return w.join(after), nil
	}
	w.live = false
	a.mu.Unlock()

	records, err := a.hub.Past.Read(ctx, a.key, after, page)
	if err != nil {
		if errors.Is(err, &pam.Error{Code: pam.CodeConversationDeleted}) {
			return true, nil // its watchers have been told
		}
		return false, err
	}
	if len(records) == 0 {
		return false, &pam.Error{Code: pam.CodeStoreUnavailable, Op: "conversation.replay", Detail: "the past has a hole"}
	}
	if !w.watcher.Deliver(a.key, records) {
		w.Close()
		return true, nil
	}
	return false, nil
}

// join hands over a page of the live events. The caller holds actor.mu.
func (w *Watch) join(after int64) bool {
	a := w.actor
	if a.deleted || w.closed {
		return true
	}
	var records []pam.Record
	bytes := 0
	for i := 0; i < len(a.live); {
		e := &a.live[i]
		if e.event.Seq > a.committed || bytes >= page {
			break
		}
		if e.event.Seq <= after {
			i++
			continue
		}
		merged, n := a.merge(i)
		records = append(records, merged)
		bytes += len(merged.JSON)
		i += n
	}
	w.live = len(records) == 0 || records[len(records)-1].Seq == a.committed
	if len(records) > 0 && !w.watcher.Deliver(a.key, records) {
		w.leave()
		return true
	}
	return w.live
}

// open counts the turns that are not over as of what is committed. The caller
// holds actor.mu.
func (a *actor) open() int {
	n := len(a.waiting)
	for i := range a.live {
		e := &a.live[i]
		if e.event.Seq > a.committed {
			break
		}
		switch e.Kind { //nolint:exhaustive // the others neither begin nor end a turn
		case pam.KindUserMessage:
			n++
		case pam.KindComplete:
			n--
		}
	}
	return n
}

// merge returns the live event at i with the neighbouring deltas of its turn
// that are committed merged into it, and how many events that is.
func (a *actor) merge(i int) (pam.Record, int) {
	const most = 16 << 10 // of content in one merged delta
	first := &a.live[i]
	delta, ok := first.event.Body.(pam.Delta)
	if !ok {
		return first.Record, 1
	}
	content, n := []byte(delta.Content), 1
	for i+n < len(a.live) && len(content) < most {
		next := &a.live[i+n]
		d, ok := next.event.Body.(pam.Delta)
		if !ok || next.event.Turn != first.event.Turn || next.event.Seq > a.committed {
			break
		}
		content = append(content, d.Content...)
		n++
	}
	if n == 1 {
		return first.Record, 1
	}
	merged := entry{event: a.live[i+n-1].event}
	merged.event.From = first.event.From
	merged.event.Body = pam.Delta{Content: string(content)}
	merged.seal(a.hub.Codec)
	return merged.Record, n
}

// Close ends the watch. Afterwards the watcher is not called again.
func (w *Watch) Close() {
	w.actor.mu.Lock()
	defer w.actor.mu.Unlock()
	w.leave()
}

// leave is Close. The caller holds actor.mu.
func (w *Watch) leave() {
	if w.closed {
		return
	}
	w.closed = true
	a := w.actor
	a.watches = slices.DeleteFunc(a.watches, func(other *Watch) bool { return other == w })
	a.hub.release(a)
}
