package conversation_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/client"
	"github.com/pam-assistant/pam/internal/conversation"
)

// first is a process that some other will follow.
func first(t *testing.T, scripts map[string]script) *world {
	t.Helper()
	return begin(t, filepath.Join(t.TempDir(), "pam.db"), scripts)
}

// durable waits until the journal's last event is of that kind, and holds n of it.
func (w *world) durable(kind pam.Kind, n int) {
	w.Helper()
	w.eventually("the journal has it", func() bool {
		s, err := w.journal.Load(context.Background(), anasTalk())
		if err != nil {
			return false
		}
		found := 0
		for _, x := range s.Live {
			if x.Kind == kind {
				found++
			}
		}
		return found >= n
	})
}

// TestRestart kills the process in mid-answer: the next one takes back what was
// said, says it whole, and goes on with those that wait.
func TestRestart(t *testing.T) {
	t.Parallel()
	w := first(t, map[string]script{"runs": forever("half ", "of")})
	w.chat(request("runs"))
	for _, m := range []string{"two", "three"} {
		w.chat(request(m))
	}
	before := w.watching(anasTalk(), client.Conversation{})
	before.shown("runs", "half of")
	w.kill()
	before.leave()

	next := w.again(map[string]script{"runs": answer("all", " of it")})
	defer next.close()
	r := next.watching(anasTalk(), before.holds)
	defer r.leave()
	r.over(3)
	late := next.watching(anasTalk(), client.Conversation{})
	defer late.leave()
	want := []string{"runs completed: all of it", "two completed: echo two", "three completed: echo three"}
	records := next.settled(late, want...)
	kept, _ := next.stored(anasTalk())
	if d := cmp.Diff(kept, r.view()); d != "" {
		t.Errorf("who was there before has something else:\n%s", d)
	}
	if r.holds.View.Turns[0].Attempt != 2 {
		t.Errorf("attempt %d", r.holds.View.Turns[0].Attempt)
	}
	resets := 0
	for _, x := range records {
		if x.Kind == pam.KindReset {
			resets++
		}
	}
	if resets != 1 {
		t.Errorf("%d resets: %q", resets, kinds(records))
	}
	if d := cmp.Diff([]string{"runs", "two", "three"}, next.begun()); d != "" {
		t.Errorf("ran:\n%s", d)
	}
	if again := next.chat(request("runs")); !again.Known || again.Message.Seq != 1 {
		t.Errorf("said again after all: %+v", again)
	}
}

// TestRestartKeepsCalls keeps what a tool has done.
func TestRestartKeepsCalls(t *testing.T) {
	t.Parallel()
	w := first(t, map[string]script{"runs": func(ctx context.Context, turn *conversation.Turn) {
		if said(ctx, turn, "let me look ") &&
			turn.Append(ctx, pam.ToolCall{CallID: "c1", Name: "look", Arguments: []byte(`{}`)}) == nil &&
			turn.Append(ctx, pam.ToolCallUpdate{CallID: "c1", Status: pam.CallCompleted, Result: "42"}) == nil {
			_ = turn.Delta("it is")
			<-ctx.Done()
		}
	}})
	w.chat(request("runs"))
	w.durable(pam.KindDelta, 2)
	w.kill()
	seen := make(chan []pam.Part, 1)
	next := w.again(map[string]script{"runs": func(ctx context.Context, turn *conversation.Turn) {
		seen <- turn.Turn().Parts
		answer("it is 42")(ctx, turn)
	}})
	defer next.close()
	r := next.watching(anasTalk(), client.Conversation{})
	defer r.leave()
	next.settled(r, "runs completed: let me look it is 42")
	parts := <-seen
	if len(parts) != 2 || parts[1].Call == nil || parts[1].Call.Result != "42" {
		t.Errorf("the next attempt begins with %+v", parts)
	}
}

// TestRestartInDoubt kills the process while a tool is at work.
func TestRestartInDoubt(t *testing.T) {
	t.Parallel()
	w := first(t, map[string]script{"runs": func(ctx context.Context, turn *conversation.Turn) {
		if said(ctx, turn, "I pay") {
			_ = turn.Append(ctx, pam.ToolCall{CallID: "c1", Name: "pay", Arguments: []byte(`{}`)})
			<-ctx.Done()
		}
	}})
	w.chat(request("runs"))
	w.durable(pam.KindToolCall, 1)
	w.chat(request("then"))
	w.kill()
	next := w.again(nil)
	defer next.close()
	r := next.watching(anasTalk(), client.Conversation{})
	defer r.leave()
	next.settled(r, "runs interrupted: I pay", "then completed: echo then")
	turn := r.view().Turns[0]
	if call := turn.Parts[1].Call; call == nil || call.Status != pam.CallInDoubt || turn.Error == nil {
		t.Errorf("parts %+v, error %+v", turn.Parts, turn.Error)
	}
	if d := cmp.Diff([]string{"then"}, next.begun()); d != "" {
		t.Errorf("ran:\n%s", d)
	}
}

// TestRestartAgainAndAgain gives up a turn that no process survives.
func TestRestartAgainAndAgain(t *testing.T) {
	t.Parallel()
	scripts := map[string]script{"runs": forever("half")}
	w := first(t, scripts)
	w.chat(request("runs"))
	w.chat(request("behind"))
	for attempt := 1; attempt <= 3; attempt++ {
		w.durable(pam.KindStart, attempt)
		w.durable(pam.KindDelta, attempt)
		w.kill()
		w = w.again(scripts)
	}
	defer w.close()
	r := w.watching(anasTalk(), client.Conversation{})
	defer r.leave()
	w.settled(r, "runs failed: half", "behind completed: echo behind")
	if d := cmp.Diff([]string{"behind"}, w.begun()); d != "" {
		t.Errorf("ran:\n%s", d)
	}
}

// TestClose waits for what ends in time and leaves the rest to the next.
func TestClose(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	w := first(t, map[string]script{"ends": until(release, "whole"), "stays": forever("half")})
	w.chat(request("stays"))
	elsewhere := request("ends")
	elsewhere.Conversation = "elsewhere"
	ends := w.chat(elsewhere)
	w.durable(pam.KindDelta, 1)
	ctx, cancel := context.WithCancel(t.Context())
	closed, tries := make(chan struct{}), 0
	go func() { w.hub.Close(ctx); close(closed) }()
	w.eventually("no more is taken", func() bool {
		tries++
		try := request(fmt.Sprintf("try %d", tries))
		try.Conversation = pam.ConversationID(fmt.Sprintf("tries-%d", tries))
		_, err := w.hub.Chat(t.Context(), try)
		return pam.CodeOf(err) == pam.CodeGoingAway
	})
	close(release)
	w.eventually("one ends", func() bool { return w.hub.Running() == 1 })
	select {
	case <-closed:
		t.Error("closed while a turn ran")
	default:
	}
	cancel()
	<-closed
	w.eventually("all is forgotten", func() bool { return w.hub.Live() == 0 })
	w.stop()

	next := w.again(map[string]script{"stays": answer("all")})
	defer next.close()
	r := next.watching(anasTalk(), client.Conversation{})
	defer r.leave()
	next.settled(r, "stays completed: all")
	other := next.watching(ends.Key, client.Conversation{})
	defer other.leave()
	next.settled(other, "ends completed: whole")
}

// full is a disk that takes nothing of a kind.
func full(kinds ...pam.Kind) func(*pam.Append) error {
	return func(a *pam.Append) error {
		if slices.Contains(kinds, a.Events[0].Kind) {
			return &pam.Error{Code: pam.CodeStoreFull, Op: "test"}
		}
		return nil
	}
}

// TestFullDelta refuses text in mid-answer: the turn fails with what it has.
func TestFullDelta(t *testing.T) {
	t.Parallel()
	step := make(chan struct{})
	w := start(t, map[string]script{"runs": func(ctx context.Context, turn *conversation.Turn) {
		if !said(ctx, turn, "kept") {
			return
		}
		<-step
		for turn.Delta(" lost") == nil {
			time.Sleep(time.Millisecond)
		}
	}})
	w.chat(request("runs"))
	r := w.watching(anasTalk(), client.Conversation{})
	defer r.leave()
	r.shown("runs", "kept")
	w.journal.refusing(full(pam.KindDelta, pam.KindComplete, pam.KindUserMessage))
	w.refused(request("no room"), pam.CodeStoreFull)
	close(step)
	time.Sleep(3 * 100 * time.Millisecond) // some tries to end it
	w.journal.refusing(nil)
	w.settled(r, "runs failed: kept")
	if e := r.view().Turns[0].Error; e == nil || e.Code != pam.CodeStoreFull {
		t.Errorf("error %+v", e)
	}
	if again := w.chat(request("no room")); again.Known || again.Message.Seq == 0 {
		t.Errorf("again: %+v", again)
	}
	w.settled(r, "runs failed: kept", "no room completed: echo no room")
}

// TestFullStart refuses the first word of an owner.
func TestFullStart(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	ends := make(chan struct{}, 100)
	refuse := full(pam.KindStart, pam.KindComplete)
	w.journal.refusing(func(a *pam.Append) error {
		if a.Events[0].Kind == pam.KindComplete {
			ends <- struct{}{}
		}
		return refuse(a)
	})
	w.chat(request("runs"))
	<-ends
	w.eventually("what is asked right behind a refusal may be refused with it", func() bool {
		_, err := w.hub.Chat(t.Context(), request("behind"))
		if err != nil && pam.CodeOf(err) != pam.CodeStoreFull {
			t.Fatalf("chat: %v", err)
		}
		return err == nil
	})
	w.journal.refusing(nil)
	r := w.watching(anasTalk(), client.Conversation{})
	defer r.leave()
	w.settled(r, "runs failed: ", "behind completed: echo behind")
}

// TestFullComplete refuses the end of an answer that is whole: its text is kept.
func TestFullComplete(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	failures := 0
	w.journal.refusing(func(a *pam.Append) error {
		if a.Events[0].Kind == pam.KindComplete && failures < 2 {
			failures++
			return &pam.Error{Code: pam.CodeStoreFull, Op: "test"}
		}
		return nil
	})
	w.chat(request("runs"))
	r := w.watching(anasTalk(), client.Conversation{})
	defer r.leave()
	w.settled(r, "runs failed: echo runs")
}

// TestFullNumbers refuses every other append of any kind: no number is burnt.
func TestFullNumbers(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	n := 0
	w.journal.refusing(func(_ *pam.Append) error {
		if n++; n%3 == 2 {
			return &pam.Error{Code: pam.CodeStoreFull, Op: "test"}
		}
		return nil
	})
	accepted := 0
	for i := range 12 {
		ctx, cancel := patience()
		_, err := w.hub.Chat(ctx, request(fmt.Sprintf("m%d", i)))
		cancel()
		switch {
		case err == nil:
			accepted++
		case pam.CodeOf(err) != pam.CodeStoreFull && pam.CodeOf(err) != pam.CodeOverloaded:
			t.Errorf("chat: %v", err)
		}
	}
	w.journal.refusing(nil)
	r := w.watching(anasTalk(), client.Conversation{})
	defer r.leave()
	v := r.over(accepted)
	if len(v.Turns) != accepted || accepted == 0 {
		t.Errorf("%d turns of %d accepted messages", len(v.Turns), accepted)
	}
	w.stored(anasTalk())
}

// TestFullCancel refuses a cancel after the turn's owner has left because of
// it: the turn is not left to nobody.
func TestFullCancel(t *testing.T) {
	t.Parallel()
	for _, interrupts := range []bool{false, true} {
		t.Run(fmt.Sprint("interrupts ", interrupts), func(t *testing.T) {
			t.Parallel()
			write, left := make(chan struct{}), make(chan error, 4)
			w := start(t, map[string]script{"runs": func(ctx context.Context, turn *conversation.Turn) {
				if turn.Turn().Attempt > 0 {
					answer("again")(ctx, turn)
					return
				}
				if said(ctx, turn, "half") {
					<-write
					left <- turn.Delta("more")
				}
			}})
			turn := w.chat(request("runs")).Turn
			r := w.watching(anasTalk(), client.Conversation{})
			defer r.leave()
			r.shown("runs", "half")
			w.journal.holding(func(*pam.Append) bool { return true })
			said := make(chan error, 1)
			go func() {
				ctx, cancel := patience()
				defer cancel()
				var err error
				if interrupts {
					_, err = w.hub.Chat(ctx, interrupting("now"))
				} else {
					_, err = w.hub.Cancel(ctx, ana, turn)
				}
				said <- err
			}()
			w.eventually("it is asked for", func() bool { return w.journal.waiting() == 1 })
			close(write)
			if err := <-left; !errors.Is(err, conversation.ErrOver) {
				t.Errorf("delta behind the end: %v", err)
			}
			w.eventually("its owner has left", func() bool { return w.hub.Running() == 0 })
			w.journal.refusing(full(pam.KindComplete))
			w.journal.letGo()
			if err := <-said; pam.CodeOf(err) != pam.CodeStoreFull {
				t.Errorf("answered with %v", err)
			}
			w.journal.refusing(nil)
			w.settled(r, "runs completed: again")
		})
	}
}
