package conversation

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/pam-assistant/pam"
)

// actor is one live conversation: the only one who gives its numbers.
//
// What is asked of the journal and not yet committed is already part of its
// state, so that the next decision builds on it; where the journal refuses, the
// state is built again from what is committed.
type actor struct {
	hub  *Hub
	key  pam.Key
	held int // guarded by hub.mu

	loading sync.Mutex // taken before mu; so that one loads and the others wait

	mu         sync.Mutex
	loaded     bool
	exists     bool   // has at least one committed event
	deleted    bool   // gone; whoever still holds the actor is refused
	folded     int64  // up to here events are in the store alone
	folding    int64  // up to here a fold is asked for
	committed  int64  // up to here watchers may know
	head       int64  // up to here numbers are given
	generation int    // of the numbers: grows with every refusal of the journal
	fence      int64  // of the newest owner of a turn
	turnsOver  int    // as of head
	foldedOver int    // as of folded
	title      string // of the conversation
	live       []entry
	waiting    []entry     // user_message of the turns that are not over, as of folded
	turns      []*question // not over, in order: the first runs, the others wait
	watches    []*Watch
	run        *Turn         // the turn that works, if any
	retaking   bool          // a turn is being taken up, or will be once more
	cause      error         // of the newest refusal
	settling   chan struct{} // closed once the newest urgent append is through; nil if it is
}

// entry is an event that is not folded yet.
type entry struct {
	pam.Record
	event pam.Event
}

// question is a turn that is not over.
type question struct {
	pam.Turn
	answer answer
}

// load reads the conversation, once.
func (a *actor) load(ctx context.Context, create bool) error {
	a.loading.Lock()
	defer a.loading.Unlock()
	a.mu.Lock()
	known, exists, deleted := a.loaded, a.exists, a.deleted
	a.mu.Unlock()
	switch {
	case deleted:
		return &pam.Error{Code: pam.CodeConversationDeleted, Op: "conversation.load"}
	case known && (exists || create):
		return nil
	case known:
		return &pam.Error{Code: pam.CodeNotFound, Op: "conversation.load"}
	}
	snapshot, err := a.hub.Journal.Load(ctx, a.key)
	switch {
	case create && errors.Is(err, &pam.Error{Code: pam.CodeNotFound}):
		snapshot = &pam.Snapshot{}
	case err != nil:
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.restore(snapshot)
}

// restore makes s the state. The caller holds a.mu.
func (a *actor) restore(s *pam.Snapshot) error {
	a.folded, a.folding, a.head, a.committed = s.Folded, s.Folded, s.Head, s.Head
	a.fence, a.foldedOver, a.title = s.Fence, s.Turns, s.Title
	var err error
	if a.waiting, err = a.entries(s.Waiting); err != nil {
		return err
	}
	if a.live, err = a.entries(s.Live); err != nil {
		return err
	}
	a.loaded, a.exists = true, s.Head > 0
	a.rebuild()
	for _, q := range a.turns {
		a.hub.began(a.key, q.ID)
	}
	for _, e := range a.live {
		if e.Kind == pam.KindComplete {
			a.hub.began(a.key, e.Turn) // until it is folded
		}
	}
	return nil
}

func (a *actor) entries(records []pam.Record) ([]entry, error) {
	entries := make([]entry, 0, len(records))
	for _, r := range records {
		e, err := a.hub.Codec.Decode(a.key.User, r.JSON)
		if err != nil {
			return nil, &pam.Error{Code: pam.CodeStoreUnavailable, Op: "conversation.load", Err: err}
		}
		entries = append(entries, entry{Record: r, event: e})
	}
	return entries, nil
}

// rebuild derives the turns from the journal's events: at the start, and where
// the journal has refused what was asked. The caller holds a.mu.
func (a *actor) rebuild() {
	a.turns, a.turnsOver = nil, a.foldedOver
	for _, e := range a.waiting {
		a.note(&e.event)
	}
	for _, e := range a.live {
		a.note(&e.event)
	}
}

// note keeps the turns in step with e.
func (a *actor) note(e *pam.Event) {
	switch b := e.Body.(type) {
	case pam.UserMessage:
		a.turns = append(a.turns, &question{Turn: pam.Turn{
			ID: e.Turn, Chat: b.ID, Session: b.Session, Message: b.Message, Seq: e.Seq, At: e.At,
		}})
	case pam.Start:
		if q := a.question(e.Turn); q != nil {
			q.Attempt = b.Attempt
		}
	case pam.Complete:
		a.drop(e.Turn)
		a.turnsOver++
	case pam.ConversationUpdated:
		a.title = b.Title
	case pam.Delta, pam.ToolCall, pam.ToolCallUpdate, pam.Reset:
		if q := a.question(e.Turn); q != nil {
			q.answer.apply(e.Body)
		}
	}
}

// question returns a turn that is not over, or nil.
func (a *actor) question(id pam.TurnID) *question {
	for _, q := range a.turns {
		if q.ID == id {
			return q
		}
	}
	return nil
}

func (a *actor) drop(id pam.TurnID) {
	for i, q := range a.turns {
		if q.ID == id {
			a.turns = append(a.turns[:i:i], a.turns[i+1:]...)
			return
		}
	}
}

// number gives body the next number and makes it part of the state. The caller
// holds a.mu, and asks the journal for it before it lets go.
func (a *actor) number(turn pam.TurnID, body pam.EventBody) entry {
	a.head++
	e := pam.Event{Key: a.key, From: a.head, Seq: a.head, Turn: turn, At: a.hub.Now(), Body: body}
	n := entry{event: e}
	a.live = append(a.live, n)
	a.note(&e)
	return n
}

// seal encodes the entries that were given numbers after from, and returns
// them as the journal wants them.
func (a *actor) seal(from int64) []pam.Record {
	start := len(a.live) - int(a.head-from)
	records := make([]pam.Record, 0, len(a.live)-start)
	for i := start; i < len(a.live); i++ {
		a.live[i].seal(a.hub.Codec)
		records = append(records, a.live[i].Record)
	}
	return records
}

func (e *entry) seal(codec Codec) {
	e.Record = pam.Record{
		From: e.event.From, Seq: e.event.Seq, Kind: e.event.Body.Kind(), Turn: e.event.Turn,
		JSON: codec.Encode(&e.event),
	}
}

// ask asks the journal for x, which holds the numbers that the caller has just
// given. Then, after the commit or the refusal, then is called with a.mu held.
// The caller holds a.mu.
func (a *actor) ask(x *pam.Append, then func(error)) {
	generation := a.generation
	a.hub.hold(a) // who asked may have left by then
	x.Key = a.key
	var through chan struct{}
	if x.Urgent {
		through = make(chan struct{})
		a.settling = through
	}
	x.Done = func(err error) {
		a.mu.Lock()
		switch {
		case err == nil:
			a.commit(x)
		case generation == a.generation:
			a.refused(err)
		case errors.Is(err, pam.ErrSuperseded):
			err = a.cause // it went down with the one before it
		}
		then(err)
		if through != nil {
			if a.settling == through {
				a.settling = nil
			}
			close(through)
		}
		a.mu.Unlock()
		a.hub.release(a)
	}
	a.hub.Journal.Append(x)
}

// commit tells the watchers of what x made true. The caller holds a.mu.
func (a *actor) commit(x *pam.Append) {
	a.exists = true
	for _, r := range x.Events {
		a.committed = r.Seq
	}
	if x.Fold != nil {
		a.forget(x.Fold)
	}
	a.watches = slices.DeleteFunc(a.watches, func(w *Watch) bool {
		if !w.live || w.watcher.Deliver(a.key, x.Events) {
			return false
		}
		w.closed = true
		a.hub.release(a)
		return true
	})
	for _, r := range x.Events {
		switch r.Kind { //nolint:exhaustive // the others change no list of conversations
		case pam.KindUserMessage, pam.KindComplete, pam.KindUpdated:
			a.hub.Changed(a.key)
		}
	}
}

// refused takes back every number that is not committed. The caller holds a.mu.
func (a *actor) refused(err error) {
	a.generation++
	a.cause = pam.ErrSuperseded
	if known := (*pam.ChatKnownError)(nil); !errors.As(err, &known) { // which is about one message alone
		a.cause = err
	}
	keep := len(a.live)
	for keep > 0 && a.live[keep-1].event.Seq > a.committed {
		keep--
	}
	clear(a.live[keep:])
	a.live = a.live[:keep]
	a.head, a.folding = a.committed, a.folded
	a.rebuild()
}
