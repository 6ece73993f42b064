package conversation_test

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/client"
)

// cancelled is a cancel that must be answered with the end of that turn.
func (w *world) cancelled(turn pam.TurnID, before bool) pam.Cancelled {
	w.Helper()
	ctx, cancel := patience()
	defer cancel()
	c, err := w.hub.Cancel(ctx, ana, turn)
	if err != nil {
		w.Fatalf("cancel %s: %v", turn, err)
	}
	if c.Before != before || len(c.Finals) != 1 || c.Finals[0].Turn != turn || c.Finals[0].Kind != pam.KindComplete {
		w.Errorf("cancel %s: before %v, %d finals %+v", turn, c.Before, len(c.Finals), c.Finals)
	}
	return c
}

func TestCancel(t *testing.T) {
	t.Parallel()
	w := start(t, map[string]script{"runs": forever("half")})
	turn := w.chat(request("runs")).Turn
	r := w.watching(anasTalk(), client.Conversation{})
	defer r.leave()
	r.shown("runs", "half")
	first := w.cancelled(turn, false)
	second := w.cancelled(turn, true)
	if first.Finals[0].Seq != second.Finals[0].Seq {
		t.Error("said again, a cancel is answered with another end")
	}
	w.settled(r, "runs cancelled: half")
	if _, err := w.hub.Cancel(t.Context(), "eve", turn); pam.CodeOf(err) != pam.CodeNotFound {
		t.Errorf("another user's turn: %v", err)
	}
	if _, err := w.hub.Cancel(t.Context(), ana, "none"); pam.CodeOf(err) != pam.CodeNotFound {
		t.Errorf("no turn: %v", err)
	}
}

// TestCancelWaiting ends a turn that waits: what streams goes on, and its
// deltas are not folded.
func TestCancelWaiting(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	w := start(t, map[string]script{"runs": until(release, "a", "b")})
	running := w.chat(request("runs")).Turn
	r := w.watching(anasTalk(), client.Conversation{})
	defer r.leave()
	r.shown("runs", "ab")
	waits := w.chat(request("waits")).Turn
	w.cancelled(waits, false)
	w.cancelled(waits, true) // while its end is in the live part of the journal
	late := w.watching(anasTalk(), client.Conversation{})
	defer late.leave()
	late.shown("runs", "ab")
	close(release)
	w.settled(r, "runs completed: ab", "waits cancelled: ")
	w.settled(late, "runs completed: ab", "waits cancelled: ")
	w.cancelled(waits, true)
	w.cancelled(running, true)
	if d := cmp.Diff([]string{"runs"}, w.begun()); d != "" {
		t.Errorf("ran:\n%s", d)
	}
}

func TestCancelAll(t *testing.T) {
	t.Parallel()
	w := start(t, map[string]script{"": forever("half")})
	for _, m := range []string{"one", "two", "three"} {
		w.chat(request(m))
	}
	r := w.watching(anasTalk(), client.Conversation{})
	defer r.leave()
	r.shown("one", "half")
	first, err := w.hub.CancelAll(t.Context(), anasTalk())
	if err != nil || first.Before || len(first.Finals) != 3 {
		t.Fatalf("cancel all: %+v, %v", first, err)
	}
	w.settled(r, "one cancelled: half", "two cancelled: ", "three cancelled: ")
	second, err := w.hub.CancelAll(t.Context(), anasTalk())
	if err != nil || !second.Before || len(second.Finals) != 1 || second.Finals[0].Seq != first.Finals[2].Seq {
		t.Errorf("again: %+v, %v", second, err)
	}
	if _, err := w.hub.CancelAll(t.Context(), pam.Key{User: ana, Conversation: "none"}); pam.CodeOf(err) != pam.CodeNotFound {
		t.Errorf("no conversation: %v", err)
	}
	if d := cmp.Diff([]string{"one"}, w.begun()); d != "" {
		t.Errorf("ran:\n%s", d)
	}
}

// TestCancelAtOnce says a cancel twice while its commit takes time: both are
// answered with the same end, and not with that of an older turn.
func TestCancelAtOnce(t *testing.T) {
	t.Parallel()
	w := start(t, map[string]script{"runs": forever("half")})
	w.chat(request("older"))
	r := w.watching(anasTalk(), client.Conversation{})
	defer r.leave()
	r.over(1)
	turn := w.chat(request("runs")).Turn
	r.shown("runs", "half")
	w.journal.holding(func(*pam.Append) bool { return true })
	var all sync.WaitGroup
	answers := make(chan pam.Cancelled, 3)
	for range 2 {
		all.Go(func() {
			c, err := w.hub.Cancel(t.Context(), ana, turn)
			if err != nil {
				t.Errorf("cancel: %v", err)
			}
			answers <- c
		})
	}
	w.eventually("the first is asked for", func() bool { return w.journal.waiting() == 1 })
	all.Go(func() {
		c, err := w.hub.CancelAll(t.Context(), anasTalk())
		if err != nil {
			t.Errorf("cancel all: %v", err)
		}
		answers <- c
	})
	pause() // so that the others have looked
	w.journal.letGo()
	all.Wait()
	close(answers)
	ended := 0
	for c := range answers {
		if len(c.Finals) != 1 || c.Finals[0].Turn != turn {
			t.Errorf("answered with %+v", c)
		}
		if !c.Before {
			ended++
		}
	}
	if ended != 1 {
		t.Errorf("%d cancels ended the turn", ended)
	}
	w.settled(r, "older completed: echo older", "runs cancelled: half")
}
