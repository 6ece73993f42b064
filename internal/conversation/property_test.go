package conversation_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/client"
	"github.com/pam-assistant/pam/internal/conversation"
)

// story is one run of the property: what a few clients do to one conversation.
type story struct {
	*world
	t        *rapid.T
	chats    []pam.Accepted
	readers  []*reader
	accepted int
}

// chatter is a turn that says n pieces and calls a tool among them.
func chatter(ctx context.Context, t *conversation.Turn) {
	n := len(t.Turn().Message) * 7 % 13
	if !said(ctx, t) {
		return
	}
	for i := range n {
		if t.Delta(fmt.Sprintf("<%d>", i)) != nil {
			return
		}
		switch i {
		case 3:
			if t.Append(ctx, pam.ToolCall{CallID: "c", Name: "f", Arguments: []byte(`{"a":1}`)}) != nil {
				return
			}
		case 5:
			_ = t.Append(ctx, pam.ToolCallUpdate{CallID: "c", Status: pam.CallCompleted, Result: "r"})
		case 7:
			_ = t.Append(ctx, pam.Reset{Parts: []pam.Part{{Text: "anew "}}, Reason: "provider"})
			time.Sleep(time.Millisecond)
		}
	}
	completed(ctx, t)
}

func (s *story) say() {
	r := request(rapid.StringMatching(`[a-z]{1,9}`).Draw(s.t, "message"))
	r.ID = pam.ChatID(fmt.Sprintf("chat-%d", rapid.IntRange(0, 40).Draw(s.t, "id")))
	r.WhenBusy = rapid.SampledFrom([]pam.WhenBusy{pam.Queue, pam.Queue, pam.Interrupt, pam.Reject}).Draw(s.t, "busy")
	ctx, cancel := patience()
	defer cancel()
	a, err := s.hub.Chat(ctx, r)
	switch code := pam.CodeOf(err); {
	case err == nil && !a.Known:
		s.chats = append(s.chats, a)
		s.accepted++
	case err == nil, code == pam.CodeBusy, code == pam.CodeOverloaded, code == pam.CodeIDConflict:
	default:
		s.Errorf("chat: %v", err)
	}
}

func (s *story) cancelOne() {
	if len(s.chats) == 0 {
		return
	}
	turn := rapid.SampledFrom(s.chats).Draw(s.t, "turn").Turn
	c, err := s.hub.Cancel(context.Background(), ana, turn)
	if err != nil || len(c.Finals) != 1 || c.Finals[0].Turn != turn {
		s.Errorf("cancel %s: %d ends, before %v, %v", turn, len(c.Finals), c.Before, err)
	}
}

func (s *story) cancelAll() {
	if len(s.chats) == 0 {
		return
	}
	if c, err := s.hub.CancelAll(context.Background(), anasTalk()); err != nil || len(c.Finals) == 0 {
		s.Errorf("cancel all: %d ends, %v", len(c.Finals), err)
	}
}

// join lets a reader begin: at the start, or with what another holds by now.
func (s *story) join() {
	if len(s.chats) == 0 || len(s.readers) >= 6 {
		return
	}
	var holds client.Conversation
	if len(s.readers) > 0 && rapid.Bool().Draw(s.t, "resumes") {
		other := rapid.SampledFrom(s.readers).Draw(s.t, "holds")
		other.mu.Lock()
		holds = other.holds
		holds.View = holds.View.Clone()
		other.mu.Unlock()
	}
	s.readers = append(s.readers, s.watching(anasTalk(), holds))
}

func (s *story) lag() {
	if len(s.readers) > 0 {
		rapid.SampledFrom(s.readers).Draw(s.t, "reader").lag(rapid.Bool().Draw(s.t, "holding"))
	}
}

func (s *story) pass() {
	time.Sleep(time.Duration(rapid.IntRange(0, 2000).Draw(s.t, "µs")) * time.Microsecond)
}

// TestStories lets clients do anything in any order: in the end everyone has
// what the journal has.
func TestStories(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		place, err := os.MkdirTemp(dir, "")
		if err != nil {
			rt.Fatal(err)
		}
		w := begin(rt, filepath.Join(place, "pam.db"), map[string]script{"": chatter})
		s := &story{world: w, t: rt}
		steps := []func(){s.say, s.say, s.say, s.cancelOne, s.cancelAll, s.join, s.join, s.lag, s.lag, s.pass}
		for range rapid.IntRange(5, 40).Draw(rt, "steps") {
			steps[rapid.IntRange(0, len(steps)-1).Draw(rt, "step")]()
		}
		s.end()
	})
}

// end waits for the last turn, and compares.
func (s *story) end() {
	s.eventually("every turn ends", func() bool {
		if s.accepted == 0 {
			return true
		}
		watch, p, err := s.hub.Watch(context.Background(), anasTalk(), &few{}, pam.Resume{})
		if err != nil {
			s.Fatalf("watch: %v", err)
		}
		watch.Close()
		return p.Open == 0
	})
	if s.accepted > 0 {
		kept, _ := s.stored(anasTalk())
		if len(kept.Turns) != s.accepted {
			s.Errorf("%d turns of %d accepted messages", len(kept.Turns), s.accepted)
		}
		for _, turn := range kept.Turns {
			if turn.Status == 0 {
				s.Errorf("turn %s has no end", turn.ID)
			}
		}
		for i, r := range s.readers {
			r.lag(false)
			var diff string
			for range 2000 {
				if diff = cmp.Diff(kept, r.view()); diff == "" {
					break
				}
				time.Sleep(time.Millisecond)
			}
			if diff != "" || r.lost > 0 {
				s.Errorf("reader %d, of which %d did not fit (-journal +reader):\n%s", i, r.lost, diff)
			}
			r.leave()
		}
	}
	s.close()
}
