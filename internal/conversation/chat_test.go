package conversation_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/client"
	"github.com/pam-assistant/pam/internal/conversation"
)

// settled checks that the journal is whole, ended as want says, and that a
// reader that was there all the time has the same.
func (w *world) settled(r *reader, want ...string) []pam.Record {
	w.Helper()
	got := r.over(len(want))
	kept, records := w.stored(r.key)
	if d := cmp.Diff(want, statuses(kept)); d != "" {
		w.Errorf("turns (-want +got):\n%s", d)
	}
	if d := cmp.Diff(kept, got); d != "" {
		w.Errorf("the reader has something else than the journal (-journal +reader):\n%s", d)
	}
	w.checked(r.key, r.records())
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lost != 0 {
		w.Errorf("the client's rules did not take %d of what was delivered", r.lost)
	}
	return records
}

func TestOrder(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	w := start(t, map[string]script{"one": until(release, "o", "n", "e")})
	w.chat(request("one"))
	r := w.watching(anasTalk(), client.Conversation{})
	defer r.leave()
	want := []string{"one completed: one"}
	var names []string
	for i := range 8 {
		names = append(names, fmt.Sprintf("m%d", i))
		want = append(want, fmt.Sprintf("m%d completed: echo m%d", i, i))
		w.chat(request(names[i]))
	}
	w.refused(request("ninth"), pam.CodeOverloaded)
	close(release)
	w.settled(r, want...)
	if d := cmp.Diff(append([]string{"one"}, names...), w.begun()); d != "" {
		t.Errorf("turns ran in another order:\n%s", d)
	}
	if w.most != 1 {
		t.Errorf("%d turns of one conversation ran at once", w.most)
	}
	if again := w.chat(request("ninth")); again.Known {
		t.Error("a refused message has kept its key")
	}
	r.over(10)
}

func TestInterrupt(t *testing.T) {
	t.Parallel()
	w := start(t, map[string]script{"runs": forever("half")})
	w.chat(request("runs"))
	r := w.watching(anasTalk(), client.Conversation{})
	defer r.leave()
	r.shown("runs", "half")
	for _, m := range []string{"waits", "waits too"} {
		w.chat(request(m))
	}
	var together [][]string
	w.journal.refusing(func(a *pam.Append) error {
		together = append(together, kinds(a.Events))
		return nil
	})
	got := w.chat(interrupting("now"))
	w.journal.refusing(nil)
	records := w.settled(r, "runs cancelled: half", "waits cancelled: ", "waits too cancelled: ", "now completed: echo now")
	if d := cmp.Diff([]string{"chat_response_complete", "chat_response_complete", "chat_response_complete", "user_message"}, together[0]); d != "" {
		t.Errorf("one commit (-want +got):\n%s", d)
	}
	var order []string
	view, _ := w.stored(anasTalk())
	for _, x := range records {
		if x.Kind == pam.KindComplete {
			turn, _ := view.Turn(x.Turn)
			order = append(order, turn.Message)
		}
	}
	if len(order) != 4 || order[2] != "runs" || order[3] != "now" {
		t.Errorf("ended in the order %q; all that wait, then the running one", order)
	}
	if d := cmp.Diff([]string{"runs", "now"}, w.begun()); d != "" {
		t.Errorf("ran:\n%s", d)
	}
	if got.Known || got.Message.Kind != pam.KindUserMessage {
		t.Errorf("accepted: %+v", got)
	}
}

func TestReject(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	w := start(t, map[string]script{"runs": until(release)})
	rejecting := request("no")
	rejecting.WhenBusy = pam.Reject
	w.chat(request("runs"))
	w.refused(rejecting, pam.CodeBusy)
	close(release)
	w.eventually("the turn ends", func() bool { return w.hub.Running() == 0 })
	if w.chat(rejecting).Known {
		t.Error("a refused message has kept its key")
	}
}

func TestRetry(t *testing.T) {
	t.Parallel()
	var admitted atomic.Int32
	w := start(t, nil, func(o *conversation.Options) {
		o.Admit = func(pam.UserID) error { admitted.Add(1); return nil }
	})
	first := w.chat(request("one"))
	r := w.watching(anasTalk(), client.Conversation{})
	defer r.leave()
	r.over(1)
	check := func(change func(*pam.ChatRequest)) {
		t.Helper()
		asked := request("one")
		change(&asked)
		again := w.chat(asked)
		if !again.Known || again.Turn != first.Turn || again.Key != first.Key || again.Message.Seq != first.Message.Seq {
			t.Errorf("said again: %+v, first %+v", again, first)
		}
	}
	check(func(*pam.ChatRequest) {})
	check(func(r *pam.ChatRequest) { r.Conversation = "" })
	check(func(r *pam.ChatRequest) { r.WhenBusy = pam.Interrupt })
	if n := admitted.Load(); n != 1 {
		t.Errorf("admitted %d times; a message that is known asks for nothing", n)
	}
	other := request("one")
	other.Message = "something else"
	w.refused(other, pam.CodeIDConflict)
	other = request("one")
	other.Conversation = "elsewhere"
	w.refused(other, pam.CodeIDConflict)
	w.settled(r, "one completed: echo one")
}

// TestRetryDoesNotInterrupt says a message again that would end what runs.
func TestRetryDoesNotInterrupt(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	w := start(t, map[string]script{"runs": until(release, "whole")})
	w.chat(interrupting("runs"))
	if !w.chat(interrupting("runs")).Known {
		t.Error("not known")
	}
	close(release)
	r := w.watching(anasTalk(), client.Conversation{})
	defer r.leave()
	w.settled(r, "runs completed: whole")
}

// TestRetryAtOnce says one message from many sides while an answer streams: it
// is asked once, and the answer that streams does not suffer.
func TestRetryAtOnce(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	w := start(t, map[string]script{"streams": func(ctx context.Context, turn *conversation.Turn) {
		if !said(ctx, turn) {
			return
		}
		for {
			select {
			case <-release:
				completed(ctx, turn)
				return
			default:
				if turn.Delta("x") != nil {
					return
				}
			}
		}
	}})
	w.chat(request("streams"))
	r := w.watching(anasTalk(), client.Conversation{})
	defer r.leave()
	for round := range 4 {
		var all sync.WaitGroup
		var fresh atomic.Int32
		for range 8 {
			all.Go(func() {
				a, err := w.hub.Chat(context.Background(), request(fmt.Sprintf("many %d", round)))
				if err != nil {
					t.Errorf("chat: %v", err)
				} else if !a.Known {
					fresh.Add(1)
				}
			})
		}
		all.Wait()
		if n := fresh.Load(); n != 1 {
			t.Errorf("%d of them were new", n)
		}
	}
	close(release)
	v := r.over(5)
	for _, turn := range v.Turns {
		if turn.Status != pam.TurnCompleted {
			t.Errorf("%s: %v, %+v", turn.Message, turn.Status, turn.Error)
		}
	}
	if n := len(w.begun()); n != 5 {
		t.Errorf("%d turns", n)
	}
}

func TestNewConversation(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	r := request("hello")
	r.Conversation = ""
	a := w.chat(r)
	if a.Key.Conversation == "" || a.Key.User != ana {
		t.Errorf("key %+v", a.Key)
	}
	reads := w.watching(a.Key, client.Conversation{})
	defer reads.leave()
	w.settled(reads, "hello completed: echo hello")
	_, _, err := w.hub.Watch(t.Context(), pam.Key{User: "eve", Conversation: a.Key.Conversation}, reads, pam.Resume{})
	if pam.CodeOf(err) != pam.CodeNotFound {
		t.Errorf("another user's conversation: %v", err)
	}
}

func TestTooMany(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	limited := errors.New("limited")
	var full atomic.Bool
	w := start(t, map[string]script{"": until(release)}, func(o *conversation.Options) {
		o.MaxTurns = 2
		o.Admit = func(pam.UserID) error {
			if full.Load() {
				return limited
			}
			return nil
		}
	})
	in := func(c pam.ConversationID) pam.ChatRequest {
		r := request("to " + string(c))
		r.Conversation = c
		return r
	}
	w.chat(in("a"))
	w.chat(in("b"))
	w.refused(in("c"), pam.CodeOverloaded)
	full.Store(true)
	more := in("a")
	more.ID = "more"
	if _, err := w.hub.Chat(t.Context(), more); !errors.Is(err, limited) {
		t.Errorf("a message that is not admitted: %v", err)
	}
	full.Store(false)
	close(release)
	w.eventually("both end", func() bool { return w.hub.Running() == 0 })
	w.chat(in("c"))
}

// TestFold looks at what is kept: the numbers of deltas go to the next event
// that is, also where that is a message of another turn.
func TestFold(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	step := make(chan struct{})
	w := start(t, map[string]script{"one": func(ctx context.Context, turn *conversation.Turn) {
		if !said(ctx, turn, "a", "b") {
			return
		}
		close(step)
		<-release
		_ = turn.Delta("c")
		completed(ctx, turn)
	}})
	w.chat(request("one"))
	r := w.watching(anasTalk(), client.Conversation{})
	defer r.leave()
	<-step
	w.chat(request("two"))
	close(release)
	records := w.settled(r, "one completed: abc", "two completed: echo two")
	type covers struct {
		Kind      string
		From, Seq int64
	}
	var got []covers
	for _, x := range records {
		got = append(got, covers{x.Kind.String(), x.From, x.Seq})
	}
	want := []covers{
		{"user_message", 1, 1},
		{"chat_response_start", 2, 2},
		{"user_message", 3, 5},
		{"chat_response_complete", 6, 7},
		{"chat_response_start", 8, 8},
		{"chat_response_complete", 9, 11},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("kept (-want +got):\n%s", d)
	}
	for after := range int64(12) { // whoever stands anywhere comes to the same
		late := w.watching(anasTalk(), client.Conversation{Last: after, Epoch: w.journal.Epoch()})
		w.eventually("the reader has it all", func() bool {
			taken := late.records()
			return after == 11 || len(taken) > 0 && taken[len(taken)-1].Seq == 11
		})
		if taken := late.records(); len(taken) > 0 && (taken[0].Seq <= after || taken[0].From > after+1) {
			t.Errorf("after %d comes %d..%d", after, taken[0].From, taken[0].Seq)
		}
		late.leave()
	}
}

// TestReset sends readers to the start whose cursor is not of this journal.
func TestReset(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.chat(request("one"))
	for _, c := range []client.Conversation{
		{Last: 2, Epoch: "another"},
		{Last: 1 << 40, Epoch: w.journal.Epoch()},
		{Last: 1},
	} {
		r := w.watching(anasTalk(), c)
		w.settled(r, "one completed: echo one")
		r.leave()
	}
}

// TestPages replays a past that is longer than a page, folded and live.
func TestPages(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 20<<10)
	w := start(t, map[string]script{"": answer(long, long), "live": forever(long, long, long, "end")})
	var want []string
	for i := range 3 {
		m := fmt.Sprintf("m%d", i)
		w.chat(request(m))
		want = append(want, m+" completed: "+long+long)
	}
	w.chat(request("live"))
	r := w.watching(anasTalk(), client.Conversation{})
	defer r.leave()
	r.shown("live", long+long+long+"end")
	if _, err := w.hub.CancelAll(t.Context(), anasTalk()); err != nil {
		t.Fatal(err)
	}
	w.settled(r, append(want, "live cancelled: "+long+long+long+"end")...)
}
