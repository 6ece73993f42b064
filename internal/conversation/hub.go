// Package conversation owns the live conversations: one actor each, which gives
// the numbers, holds what is not folded yet, tells those who watch, and starts
// the turns one at a time in the order of their messages.
//
// It promises the order of docs/protocol.md, "Order and resume": an event is
// committed before any watcher sees it, a watcher is handed what follows its
// cursor and nothing else, every accepted message ends in exactly one
// chat_response_complete. A turn belongs to its conversation and never to a
// connection: nothing here knows what a connection is.
//
// An actor is a struct behind a mutex rather than a goroutine: an idle
// conversation costs no memory at all, for it is forgotten and loaded again.
// Locks are taken in one order: actor, then hub or whatever a watcher locks. So
// a watcher never calls back from within Deliver.
package conversation

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/pam-assistant/pam"
)

// Journal is where events become true.
type Journal interface {
	// Append asks for a commit and never blocks. a.Done is called once, later.
	Append(a *pam.Append)
	// Epoch names this life of the journal.
	Epoch() pam.Epoch
	// Load returns a conversation as it is stored: not_found,
	// conversation_deleted, or the snapshot.
	Load(ctx context.Context, key pam.Key) (*pam.Snapshot, error)
}

// Past is what is already folded.
type Past interface {
	Names
	// Read returns events later than after, in order, about maxBytes of them.
	Read(ctx context.Context, key pam.Key, after int64, maxBytes int) ([]pam.Record, error)
	// Earlier returns events before a number, newest first.
	Earlier(ctx context.Context, key pam.Key, before int64, maxBytes int) ([]pam.Record, error)
}

// Names find what happened by its id.
type Names interface {
	// FindChat returns what an idempotency key remembers.
	FindChat(ctx context.Context, user pam.UserID, id pam.ChatID) (pam.Chat, bool, error)
	// FindTurn returns the conversation of a turn that is over, and the number
	// of its final event.
	FindTurn(ctx context.Context, user pam.UserID, id pam.TurnID) (pam.Key, int64, bool, error)
}

// Codec turns events into the bytes that clients see, and back.
type Codec interface {
	Encode(e *pam.Event) []byte
	Decode(user pam.UserID, frame []byte) (pam.Event, error)
}

// Options are what a Hub is made of. All but Admit, Changed and MaxTurns are needed.
type Options struct {
	Journal Journal
	Past    Past
	Codec   Codec
	// Run works at a turn until its Complete is appended or ctx is done.
	Run func(ctx context.Context, t *Turn)
	// Merge merges the context that came with a message.
	Merge func(ctx context.Context, s pam.Session, patch []byte) error
	// Admit refuses a user's new message where there are too many.
	Admit func(user pam.UserID) error
	// Changed is told of a conversation with a new message, answer or title,
	// after the commit. It must not block.
	Changed  func(key pam.Key)
	MaxTurns int // running, per user; 0: no limit
	Logger   *slog.Logger
	Now      func() time.Time
	NewID    func() string
}

// Hub holds the live conversations of all users. Its methods may be called by
// many goroutines at once.
type Hub struct {
	Options

	mu      sync.Mutex
	actors  map[pam.Key]*actor
	turns   map[turnKey]pam.Key // turns that are not over and folded
	running map[pam.UserID]int
	claims  map[chatKey]*claim
	closed  bool
	work    sync.WaitGroup // one for each running turn
}

type turnKey struct {
	user pam.UserID
	turn pam.TurnID
}

// New returns a hub without conversations; they are loaded as they are asked for.
func New(o Options) *Hub {
	if o.Admit == nil {
		o.Admit = func(pam.UserID) error { return nil }
	}
	if o.Changed == nil {
		o.Changed = func(pam.Key) {}
	}
	return &Hub{
		Options: o,
		actors:  map[pam.Key]*actor{},
		turns:   map[turnKey]pam.Key{},
		running: map[pam.UserID]int{},
		claims:  map[chatKey]*claim{},
	}
}

// Recover takes up every turn that an earlier process has left unfinished.
func (h *Hub) Recover(ctx context.Context, unfinished []pam.Key) error {
	for _, key := range unfinished {
		a, err := h.acquire(ctx, key, false)
		if err != nil {
			return err
		}
		a.resume()
		h.release(a)
	}
	return nil
}

// Running is how many turns run now.
func (h *Hub) Running() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, of := range h.running {
		n += of
	}
	return n
}

// Live is how many conversations are held in memory.
func (h *Hub) Live() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.actors)
}

// Close starts no more turns, waits for those that run until ctx is done, and
// then releases the rest: they stay unfinished in the journal, for the next
// process to take up.
func (h *Hub) Close(ctx context.Context) {
	h.mu.Lock()
	h.closed = true
	actors := make([]*actor, 0, len(h.actors))
	for _, a := range h.actors {
		actors = append(actors, a)
	}
	h.mu.Unlock()

	done := make(chan struct{})
	go func() {
		h.work.Wait()
		close(done)
	}()
	select {
	case <-done:
		return
	case <-ctx.Done():
	}
	for _, a := range actors {
		a.abandon()
	}
	<-done
}

// acquire returns the actor of key and holds it until release. With create, a
// conversation that does not exist begins; else it is not_found.
func (h *Hub) acquire(ctx context.Context, key pam.Key, create bool) (*actor, error) {
	h.mu.Lock()
	a := h.actors[key]
	if a == nil {
		a = &actor{hub: h, key: key}
		h.actors[key] = a
	}
	a.held++
	h.mu.Unlock()

	if err := a.load(ctx, create); err != nil {
		h.release(a)
		return nil, err
	}
	return a, nil
}

// release gives an actor back; the last holder forgets it, for all that it
// knows is in the journal.
func (h *Hub) release(a *actor) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if a.held--; a.held == 0 {
		delete(h.actors, a.key)
	}
}

// hold is acquire for who already has the actor.
func (h *Hub) hold(a *actor) {
	h.mu.Lock()
	defer h.mu.Unlock()
	a.held++
}

// accepting refuses new turns once the hub is closed.
func (h *Hub) accepting() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return &pam.Error{Code: pam.CodeGoingAway, Op: "conversation.chat", RetryAfter: time.Second}
	}
	return nil
}

// admit refuses a turn of a user of whom too many run.
func (h *Hub) admit(user pam.UserID) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.MaxTurns > 0 && h.running[user] >= h.MaxTurns {
		return &pam.Error{
			Code: pam.CodeOverloaded, Op: "conversation.admit",
			Message:    "Too many of your conversations are being answered at once.",
			Hint:       "Wait until one of them is done, or raise PAM_MAX_TURNS.",
			RetryAfter: time.Second,
		}
	}
	return nil
}

// began and over keep the index of turns that are not over, or whose
// end is not folded yet: that the store does not find.
func (h *Hub) began(key pam.Key, turn pam.TurnID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.turns[turnKey{key.User, turn}] = key
}

func (h *Hub) over(key pam.Key, turn pam.TurnID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.turns, turnKey{key.User, turn})
}

// find returns the conversation of a turn that is not over.
func (h *Hub) find(user pam.UserID, turn pam.TurnID) (pam.Key, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	key, ok := h.turns[turnKey{user, turn}]
	return key, ok
}

// begin counts one more running turn; it is refused once the hub is closed.
func (h *Hub) begin(user pam.UserID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.running[user]++
	h.work.Add(1)
	return true
}

func (h *Hub) end(user pam.UserID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.running[user]--; h.running[user] == 0 {
		delete(h.running, user)
	}
	h.work.Done()
}
