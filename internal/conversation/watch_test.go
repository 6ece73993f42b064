package conversation_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/client"
	"github.com/pam-assistant/pam/internal/conversation"
)

// few is a watcher that has enough after some records.
type few struct {
	enough   int64
	taken    atomic.Int64
	progress atomic.Int64
}

// Deliver implements [conversation.Watcher].
func (f *few) Deliver(_ pam.Key, records []pam.Record) bool {
	return f.taken.Add(int64(len(records))) < f.enough
}

// Progress implements [conversation.Watcher].
func (f *few) Progress(_ pam.Key, _ pam.TurnID, phase string, elapsed time.Duration) {
	if phase == "thinking" && elapsed == time.Second {
		f.progress.Add(1)
	}
}

// Deleted implements [conversation.Watcher].
func (f *few) Deleted(pam.Key) {}

// TestEnough ends the watch of who wants no more, in a replay and live, and
// lets the conversation be forgotten.
func TestEnough(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	w := start(t, map[string]script{"runs": until(release, "a")})
	w.chat(request("before"))
	w.eventually("it ends", func() bool { return w.hub.Running() == 0 })
	replayed := &few{enough: 1}
	watch, _, err := w.hub.Watch(t.Context(), anasTalk(), replayed, pam.Resume{})
	if err != nil {
		t.Fatal(err)
	}
	if live, err := watch.Replay(t.Context(), 0); err != nil || !live {
		t.Errorf("replay: %v, %v", live, err)
	}
	w.eventually("it is forgotten", func() bool { return w.hub.Live() == 0 })

	w.chat(request("runs"))
	r := w.watching(anasTalk(), client.Conversation{})
	r.shown("runs", "a")
	live := &few{enough: 1}
	if watch, _, err = w.hub.Watch(t.Context(), anasTalk(), live, pam.Resume{}); err != nil {
		t.Fatal(err)
	}
	if ok, err := watch.Replay(t.Context(), 1<<30); err != nil || !ok {
		t.Errorf("replay: %v, %v", ok, err)
	}
	w.chat(request("more"))
	w.chat(request("and more"))
	if n := live.taken.Load(); n != 1 {
		t.Errorf("%d records to one who wants one", n)
	}
	watch.Close() // once more does no harm
	close(release)
	w.settled(r, "before completed: echo before", "runs completed: a", "more completed: echo more", "and more completed: echo and more")
	r.leave()
	w.eventually("it is forgotten", func() bool { return w.hub.Live() == 0 })
}

func TestOpen(t *testing.T) {
	t.Parallel()
	w := start(t, map[string]script{"runs": forever("a")})
	w.chat(request("before"))
	w.eventually("it ends", func() bool { return w.hub.Running() == 0 })
	open := func(want int) {
		t.Helper()
		watch, p, err := w.hub.Watch(t.Context(), anasTalk(), &few{}, pam.Resume{})
		if err != nil {
			t.Fatal(err)
		}
		defer watch.Close()
		if p.Open != want {
			t.Errorf("%d open turns, want %d", p.Open, want)
		}
	}
	open(0)
	w.chat(request("runs"))
	waits := w.chat(request("waits")).Turn
	open(2)
	w.cancelled(waits, false)
	open(1)
	if _, err := w.hub.CancelAll(t.Context(), anasTalk()); err != nil {
		t.Fatal(err)
	}
	open(0)
}

func TestProgress(t *testing.T) {
	t.Parallel()
	begin := make(chan struct{})
	w := start(t, map[string]script{"runs": func(ctx context.Context, turn *conversation.Turn) {
		<-begin
		turn.Progress("thinking", time.Second)
		answer("x")(ctx, turn)
		turn.Progress("thinking", time.Second) // it is over: nobody is told
	}})
	w.chat(request("runs"))
	f := &few{enough: 1 << 30}
	watch, _, err := w.hub.Watch(t.Context(), anasTalk(), f, pam.Resume{})
	if err != nil {
		t.Fatal(err)
	}
	close(begin)
	w.eventually("it ends", func() bool { return w.hub.Running() == 0 })
	watch.Close()
	if n := f.progress.Load(); n == 0 || n > 2 {
		t.Errorf("told %d times", n)
	}
}

// TestEarlier gives a turn what was said before it, newest first.
func TestEarlier(t *testing.T) {
	t.Parallel()
	type past struct {
		Said   []string
		Beyond int
	}
	got := make(chan past, 1)
	w := start(t, map[string]script{"last": func(ctx context.Context, turn *conversation.Turn) {
		var p past
		turns, beyond, err := turn.Earlier(ctx, turn.Turn().Seq, 3500)
		if err != nil {
			t.Error(err)
		}
		for _, old := range turns {
			p.Said = append(p.Said, old.Message+": "+pam.Text(old.Parts))
		}
		p.Beyond = beyond
		got <- p
		answer("x")(ctx, turn)
	}})
	release := make(chan struct{})
	w.mu.Lock()
	w.scripts["m3"] = until(release, "echo m3")
	w.mu.Unlock()
	for i := range 5 {
		w.chat(request(fmt.Sprintf("m%d", i)))
	}
	w.chat(request("last")) // its message is older than the answers before it
	w.cancelled(w.chat(request("never")).Turn, false)
	close(release)
	p := <-got
	if len(p.Said) < 2 || len(p.Said) > 4 || len(p.Said)+p.Beyond != 5 {
		t.Fatalf("%+v", p)
	}
	var want []string
	for i := range p.Said {
		want = append(want, fmt.Sprintf("m%d: echo m%d", 4-i, 4-i))
	}
	if d := cmp.Diff(want, p.Said); d != "" {
		t.Error(d)
	}
}

// TestAhead lets a turn wait that is far ahead of the journal, and wakes it
// both by a commit and by a cancel.
func TestAhead(t *testing.T) {
	t.Parallel()
	var deltas atomic.Int64
	w := start(t, map[string]script{"runs": func(ctx context.Context, turn *conversation.Turn) {
		if !said(ctx, turn) {
			return
		}
		for turn.Delta("x") == nil {
			deltas.Add(1)
		}
	}})
	turn := w.chat(request("runs")).Turn
	w.eventually("it talks", func() bool { return deltas.Load() > 0 })
	w.journal.holding(func(*pam.Append) bool { return true })
	stands := func() int64 {
		w.eventually("it stands", func() bool {
			n := deltas.Load()
			time.Sleep(50 * time.Millisecond)
			return n == deltas.Load()
		})
		return deltas.Load()
	}
	stood := stands()
	if n := w.journal.waiting(); n > 2000 {
		t.Errorf("%d deltas wait for the journal", n)
	}
	w.journal.letGo()
	w.eventually("it talks again", func() bool { return deltas.Load() > stood })
	w.cancelled(turn, false)
	w.eventually("it ends", func() bool { return w.hub.Running() == 0 })
}

// TestContext merges what came with a message before its turn, and only for a
// message that is taken.
func TestContext(t *testing.T) {
	t.Parallel()
	var merged atomic.Int64
	full := &pam.Error{Code: pam.CodeInvalid, Op: "test"}
	release := make(chan struct{})
	w := start(t, map[string]script{"runs": until(release)}, func(o *conversation.Options) {
		o.Merge = func(_ context.Context, s pam.Session, patch []byte) error {
			if s.User != ana || s.ID != pam.DefaultSession {
				t.Errorf("session %+v", s)
			}
			if string(patch) != `{"a":1}` {
				return full
			}
			merged.Add(1)
			return nil
		}
	})
	with := func(message, patch string) pam.ChatRequest {
		r := request(message)
		r.Context, r.WhenBusy = []byte(patch), pam.Reject
		return r
	}
	w.refused(with("bad", `{}`), pam.CodeInvalid)
	if w.hub.Live() != 0 {
		t.Error("a refused message keeps its conversation in memory")
	}
	w.chat(with("runs", `{"a":1}`))
	w.refused(with("busy", `{"a":1}`), pam.CodeBusy)
	w.chat(with("runs", `{"a":1}`))
	if n := merged.Load(); n != 1 {
		t.Errorf("merged %d times", n)
	}
	close(release)
}

// TestCommittedFirst shows nobody what the journal does not have yet.
func TestCommittedFirst(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	w := start(t, map[string]script{"runs": until(release, "a")})
	w.chat(request("runs"))
	r := w.watching(anasTalk(), client.Conversation{})
	defer r.leave()
	r.shown("runs", "a")
	w.journal.holding(func(*pam.Append) bool { return true })
	accepted := make(chan struct{})
	go func() {
		defer close(accepted)
		if _, err := w.hub.Chat(t.Context(), request("more")); err != nil {
			t.Errorf("chat: %v", err)
		}
	}()
	w.eventually("it is asked for", func() bool { return w.journal.waiting() == 1 })
	late := w.watching(anasTalk(), client.Conversation{})
	defer late.leave()
	late.shown("runs", "a")
	for _, watcher := range []*reader{r, late} {
		if v := watcher.view(); len(v.Turns) != 1 {
			t.Errorf("shows %q", statuses(v))
		}
	}
	w.journal.letGo()
	<-accepted
	close(release)
	w.settled(late, "runs completed: a", "more completed: echo more")
}
