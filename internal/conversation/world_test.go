package conversation_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/conversation"
	"github.com/pam-assistant/pam/internal/store/sqlite"
	"github.com/pam-assistant/pam/internal/wire"
)

const (
	ana     pam.UserID         = "ana"
	talk    pam.ConversationID = "talk"
	patient                    = 20 * time.Second
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tester is what a world needs of a test: rapid's and testing's have it both.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// script is one turn, as a test lets it run: it says what the model would.
type script func(ctx context.Context, t *conversation.Turn)

// gate is a journal that can refuse and hold what is asked of it, as a full
// disk and a slow one do. It leaves the rest to the store.
type gate struct {
	*sqlite.Store

	mu     sync.Mutex
	refuse func(*pam.Append) error
	hold   func(*pam.Append) bool
	held   []*pam.Append
}

// Append implements [conversation.Journal]. What is refused here still goes to
// the store, with a number that it must refuse, so that its outcome keeps its
// place among the others.
func (g *gate) Append(a *pam.Append) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.held) > 0 || g.hold != nil && g.hold(a) {
		g.held = append(g.held, a)
		return
	}
	g.pass(a)
}

// pass hands a on. The caller holds g.mu.
func (g *gate) pass(a *pam.Append) {
	if g.refuse != nil {
		if err := g.refuse(a); err != nil {
			spoilt, done := *a, a.Done
			spoilt.Events = []pam.Record{{From: 1 << 40, Seq: 1 << 40, Kind: a.Events[0].Kind, JSON: a.Events[0].JSON}}
			spoilt.Chat, spoilt.Fold = nil, nil
			spoilt.Done = func(error) { done(err) }
			a = &spoilt
		}
	}
	g.Store.Append(a)
}

// refusing lets the journal refuse what f says; nil ends it.
func (g *gate) refusing(f func(*pam.Append) error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refuse = f
}

// holding lets the journal be slow from the first append that f names on.
func (g *gate) holding(f func(*pam.Append) bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hold = f
}

// waiting is how many appends are held.
func (g *gate) waiting() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.held)
}

// letGo ends holding.
func (g *gate) letGo() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hold = nil
	for _, a := range g.held {
		g.pass(a)
	}
	g.held = nil
}

// world is one process: a store, a hub, and the script of every turn.
type world struct {
	tester

	path    string
	journal *gate
	hub     *conversation.Hub
	stop    func()

	mu      sync.Mutex
	scripts map[string]script // by message
	ran     []string          // the messages whose turns were started, in order
	most    int               // turns of one conversation that ran at once
	running map[pam.Key]int
}

// lives names a process of a store: ids of two of them differ.
func lives() string { return strconv.FormatInt(time.Now().UnixNano(), 36) }

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// begin opens the store at path and a hub over it. Messages without a script
// of their own get the one for "".
func begin(t tester, path string, scripts map[string]script, change ...func(*conversation.Options)) *world {
	t.Helper()
	var ids atomic.Int64
	life := lives()
	w := &world{tester: t, path: path, scripts: scripts, running: map[pam.Key]int{}}
	s, err := sqlite.Open(context.Background(), sqlite.Options{Path: path, Logger: discard()})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-ended, s.Close()); err != nil {
			t.Errorf("store: %v", err)
		}
	})
	w.journal = &gate{Store: s}
	o := conversation.Options{
		Journal: w.journal, Past: s, Codec: wire.EventCodec{}, Run: w.run,
		Merge:  func(context.Context, pam.Session, []byte) error { return nil },
		Logger: discard(), Now: time.Now,
		NewID: func() string { return fmt.Sprintf("id-%s-%06d", life, ids.Add(1)) },
	}
	for _, f := range change {
		f(&o)
	}
	w.hub = conversation.New(o)
	return w
}

// start is begin in a folder of the test's own, which is closed in the end.
func start(t *testing.T, scripts map[string]script, change ...func(*conversation.Options)) *world {
	t.Helper()
	w := begin(t, filepath.Join(t.TempDir(), "pam.db"), scripts, change...)
	t.Cleanup(w.close)
	return w
}

// close lets what runs end, and checks that the hub forgets all.
func (w *world) close() {
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	defer cancel()
	w.hub.Close(ctx)
	w.eventually("the hub forgets every conversation", func() bool { return w.hub.Live() == 0 })
	w.stop()
}

// kill ends the process as a crash does: what is committed stays, nothing else
// is said.
func (w *world) kill() {
	w.stop()
	now, cancel := context.WithCancel(context.Background())
	cancel()
	w.hub.Close(now)
}

// again is the next process.
func (w *world) again(scripts map[string]script) *world {
	w.Helper()
	next := begin(w.tester, w.path, scripts)
	if err := next.hub.Recover(context.Background(), next.journal.Unfinished()); err != nil {
		w.Fatalf("recover: %v", err)
	}
	return next
}

func (w *world) run(ctx context.Context, t *conversation.Turn) {
	message := t.Turn().Message
	w.mu.Lock()
	w.ran = append(w.ran, message)
	w.running[t.Key()]++
	w.most = max(w.most, w.running[t.Key()])
	f := w.scripts[message]
	if f == nil {
		f = w.scripts[""]
	}
	w.mu.Unlock()
	if f == nil {
		f = answer("echo ", message)
	}
	f(ctx, t)
	w.mu.Lock()
	w.running[t.Key()]--
	w.mu.Unlock()
}

// begun is the messages whose turns were started, in order.
func (w *world) begun() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.ran...)
}

func (w *world) eventually(what string, f func() bool) {
	w.Helper()
	for end := time.Now().Add(patient); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			w.Fatalf("not in %v: %s", patient, what)
		}
	}
}

// request is a message to the conversation talk, with its text as its id.
func request(message string) pam.ChatRequest {
	return pam.ChatRequest{
		User: ana, ID: pam.ChatID(message), Conversation: talk,
		Message: message, Session: pam.DefaultSession,
	}
}

// interrupting is a request that ends what runs.
func interrupting(message string) pam.ChatRequest {
	r := request(message)
	r.WhenBusy = pam.Interrupt
	return r
}

func patience() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), patient)
}

// chat is a message that must be accepted.
func (w *world) chat(r pam.ChatRequest) pam.Accepted {
	w.Helper()
	ctx, cancel := patience()
	defer cancel()
	a, err := w.hub.Chat(ctx, r)
	if err != nil {
		w.Fatalf("chat %s: %v", r.ID, err)
	}
	return a
}

// refused is a message that must not be, and the code of that.
func (w *world) refused(r pam.ChatRequest, want pam.Code) {
	w.Helper()
	ctx, cancel := patience()
	defer cancel()
	if _, err := w.hub.Chat(ctx, r); pam.CodeOf(err) != want {
		w.Fatalf("chat %s: %v, want %v", r.ID, err, want)
	}
}

// opened starts the turn's attempt.
func opened(ctx context.Context, t *conversation.Turn) error {
	attempt := t.Turn().Attempt + 1
	return t.Append(ctx, pam.Start{
		MessageID: pam.MessageID(fmt.Sprintf("%s-%d", t.Turn().ID, attempt)), Model: "test", Attempt: attempt,
	})
}

// said writes an attempt without its end, and reports whether the turn goes on.
func said(ctx context.Context, t *conversation.Turn, texts ...string) bool {
	if opened(ctx, t) != nil {
		return false
	}
	for _, text := range texts {
		if t.Delta(text) != nil {
			return false
		}
	}
	return true
}

func completed(ctx context.Context, t *conversation.Turn) {
	_ = t.Append(ctx, pam.Complete{Status: pam.TurnCompleted, Usage: pam.Usage{OutputTokens: 1}})
}

// answer is a turn that says texts.
func answer(texts ...string) script {
	return func(ctx context.Context, t *conversation.Turn) {
		if said(ctx, t, texts...) {
			completed(ctx, t)
		}
	}
}

// until is a turn that says texts, waits, and completes if it may.
func until(release <-chan struct{}, texts ...string) script {
	return func(ctx context.Context, t *conversation.Turn) {
		if !said(ctx, t, texts...) {
			return
		}
		select {
		case <-release:
			completed(ctx, t)
		case <-ctx.Done():
		}
	}
}

func forever(texts ...string) script { return until(nil, texts...) }

// pause lets others come to where they wait, where nothing shows that they do:
// a test is right whether they have or not, and stronger where they have.
func pause() { time.Sleep(20 * time.Millisecond) }
