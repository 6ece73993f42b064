package client_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/client"
)

func delta(from, seq int64, text string) pam.Event {
	return pam.Event{From: from, Seq: seq, Turn: "t1", Body: pam.Delta{Content: text}}
}

func question(seq int64, turn pam.TurnID) pam.Event {
	return pam.Event{From: seq, Seq: seq, Turn: turn, Body: pam.UserMessage{ID: pam.ChatID(turn), Message: "?"}}
}

// TestConversation is rule 3, and rule 5's half of it, case by case.
func TestConversation(t *testing.T) {
	t.Parallel()
	start := func() *client.Conversation {
		c := &client.Conversation{}
		c.Subscribe(client.Subscribed{Epoch: "e1", From: 1})
		c.Event(question(1, "t1"))
		c.Event(delta(2, 2, "ab"))
		return c // holds 1 and 2
	}
	for _, c := range []struct {
		name string
		do   func(*client.Conversation) client.Step
		want client.Step
		last int64
		text string
	}{
		{"next", func(c *client.Conversation) client.Step { return c.Event(delta(3, 3, "c")) }, client.Applied, 3, "abc"},
		{"seen", func(c *client.Conversation) client.Step { return c.Event(delta(2, 2, "ab")) }, client.Ignored, 2, "ab"},
		{"gap", func(c *client.Conversation) client.Step { return c.Event(delta(4, 4, "d")) }, client.Lost, 2, "ab"},
		{"overlap of a delta", func(c *client.Conversation) client.Step { return c.Event(delta(2, 3, "abc")) }, client.Lost, 2, "ab"},
		{"overlap of the final event", func(c *client.Conversation) client.Step {
			return c.Event(pam.Event{From: 2, Seq: 4, Turn: "t1", Body: pam.Complete{Parts: []pam.Part{{Text: "abcd"}}, Status: pam.TurnCompleted}})
		}, client.Applied, 4, "abcd"},
		{"one gap is one subscribe", func(c *client.Conversation) client.Step {
			c.Event(delta(4, 4, "d"))
			return c.Event(delta(3, 3, "c"))
		}, client.Ignored, 2, "ab"},
		{"after the answer to a gap", func(c *client.Conversation) client.Step {
			c.Event(delta(4, 4, "d"))
			c.Subscribe(client.Subscribed{Epoch: "e1", Seq: 4, From: 3})
			return c.Event(delta(3, 4, "cd"))
		}, client.Applied, 4, "abcd"},
		{"a subscription that begins too late", func(c *client.Conversation) client.Step {
			return c.Subscribe(client.Subscribed{Epoch: "e1", Seq: 9, From: 9})
		}, client.Lost, 2, "ab"},
		{"another epoch", func(c *client.Conversation) client.Step {
			return c.Subscribe(client.Subscribed{Epoch: "e2", Seq: 9, From: 1})
		}, client.Applied, 0, ""},
		{"another epoch that begins too late", func(c *client.Conversation) client.Step {
			return c.Subscribe(client.Subscribed{Epoch: "e2", Seq: 9, From: 3})
		}, client.Lost, 0, ""},
		{"reset", func(c *client.Conversation) client.Step {
			return c.Subscribe(client.Subscribed{Epoch: "e1", Seq: 1, From: 1, Reset: true})
		}, client.Applied, 0, ""},
		{"nobody asked", func(c *client.Conversation) client.Step {
			c.Leave()
			return c.Event(delta(3, 3, "c"))
		}, client.Ignored, 2, "ab"},
		{"a type of later", func(c *client.Conversation) client.Step {
			return c.Event(pam.Event{From: 3, Seq: 3, Turn: "t1"})
		}, client.Applied, 3, "ab"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := start()
			if step := c.do(got); step != c.want {
				t.Errorf("step = %v, want %v", step, c.want)
			}
			if got.Last != c.last {
				t.Errorf("last = %d, want %d", got.Last, c.last)
			}
			turn, _ := got.View.Turn("t1")
			if text := pam.Text(turn.Parts); text != c.text {
				t.Errorf("text = %q, want %q", text, c.text)
			}
		})
	}
}

// journal is a tiny server: a history, the epoch it belongs to, and one client
// that watches it over a line that loses things.
type journal struct {
	epoch  pam.Epoch
	events []pam.Event // all, as they were appended
	folded []bool      // by number: a delta that is gone

	running pam.TurnID
	turns   int
	epochs  int

	client  client.Conversation
	line    []any // what is on its way down: pam.Event, client.Subscribed
	watched bool
}

// kept is the history as a replay has it: folded deltas gone, their numbers
// taken over by the next event kept.
func (j *journal) kept() []pam.Event {
	var out []pam.Event
	from := int64(1)
	for i, e := range j.events {
		if j.folded[i] {
			continue
		}
		e.From = from
		from = e.Seq + 1
		out = append(out, e)
	}
	return out
}

func (j *journal) append(turn pam.TurnID, body pam.EventBody) {
	n := int64(len(j.events) + 1)
	e := pam.Event{From: n, Seq: n, Turn: turn, Body: body}
	j.events = append(j.events, e)
	j.folded = append(j.folded, false)
	if j.watched {
		j.line = append(j.line, e)
	}
}

// step appends one event, as a turn would.
func (j *journal) step(t *rapid.T) {
	if j.running == "" {
		j.turns++
		j.running = pam.TurnID(fmt.Sprintf("%d.%d", j.epochs, j.turns))
		j.append(j.running, pam.UserMessage{ID: pam.ChatID(j.running), Message: "?"})
		return
	}
	switch rapid.SampledFrom([]string{"delta", "delta", "delta", "delta", "delta", "delta", "delta", "delta", "call", "reset", "title", "end"}).Draw(t, "kind") {
	case "delta":
		j.append(j.running, pam.Delta{Content: fmt.Sprintf("%d ", len(j.events)+1)})
	case "call":
		j.append(j.running, pam.ToolCall{CallID: pam.CallID(fmt.Sprint(len(j.events))), Name: "time"})
	case "reset":
		j.append(j.running, pam.Reset{Parts: []pam.Part{{Text: "again "}}})
	case "title":
		j.append("", pam.ConversationUpdated{Title: fmt.Sprint(len(j.events))})
	case "end":
		j.finish()
	}
}

// finish ends the running turn; its deltas are folded in the same transaction.
func (j *journal) finish() {
	var parts []pam.Part
	for _, e := range j.events {
		if e.Turn == j.running {
			parts = pam.Apply(parts, e.Body)
		}
	}
	j.append(j.running, pam.Complete{Status: pam.TurnCompleted, Parts: parts})
	for i, e := range j.events {
		if _, ok := e.Body.(pam.Delta); ok && e.Turn == j.running {
			j.folded[i] = true
		}
	}
	j.running = ""
}

// crash begins another life, perhaps without the newest events.
func (j *journal) crash(t *rapid.T) {
	keep := rapid.IntRange(0, len(j.events)).Draw(t, "keep")
	if slices.Contains(j.folded[:keep], true) && keep < len(j.events) {
		keep = len(j.events) // a fold is never half undone
	}
	j.events, j.folded = j.events[:keep], j.folded[:keep]
	j.running = ""
	j.epochs++
	j.epoch = pam.Epoch(fmt.Sprint(j.epochs))
	j.disconnect()
}

func (j *journal) disconnect() {
	j.line, j.watched = nil, false
	j.client.Leave()
}

// subscribe is the server's side: replay, perhaps merged, then live.
func (j *journal) subscribe(t *rapid.T, r pam.Resume) {
	s := client.Subscribed{Epoch: j.epoch, Seq: int64(len(j.events)), From: r.After + 1}
	if r.Epoch != j.epoch || r.After > s.Seq {
		s.From, s.Reset, r.After = 1, true, 0
	}
	j.watched = true
	j.line = append(j.line, s)
	for _, e := range merge(t, j.kept(), r.After) {
		if e.Seq > r.After {
			j.line = append(j.line, e)
		}
	}
}

// merge joins neighbouring deltas of one turn that are later than after.
func merge(t *rapid.T, events []pam.Event, after int64) []pam.Event {
	if !rapid.Bool().Draw(t, "merge") {
		return events
	}
	var out []pam.Event
	for _, e := range events {
		d, ok := e.Body.(pam.Delta)
		if n := len(out); ok && n > 0 && e.From > after && out[n-1].From > after && out[n-1].Turn == e.Turn {
			if last, ok := out[n-1].Body.(pam.Delta); ok {
				out[n-1].Body = pam.Delta{Content: last.Content + d.Content}
				out[n-1].Seq = e.Seq
				continue
			}
		}
		out = append(out, e)
	}
	return out
}

// read is the client's side of one frame.
func (j *journal) read(t *rapid.T) {
	if len(j.line) == 0 {
		return
	}
	frame := j.line[0]
	j.line = j.line[1:]
	var step client.Step
	switch f := frame.(type) {
	case client.Subscribed:
		step = j.client.Subscribe(f)
	case pam.Event:
		step = j.client.Event(f)
	}
	if step == client.Lost {
		j.subscribe(t, j.client.Resume())
	}
}

// TestConversationHoldsTheJournal: whatever the line loses, merges and repeats,
// whatever is folded meanwhile and however often the journal begins another
// life, a client that is as far as the journal holds the journal's turns, the
// running one's text so far included, and one that ends connected is that far.
func TestConversationHoldsTheJournal(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		j := &journal{epoch: "0"}
		for range rapid.IntRange(10, 100).Draw(t, "steps") {
			j.happen(t)
			if j.client.Epoch == j.epoch && j.client.Last == int64(len(j.events)) {
				j.compare(t)
			}
		}
		settle(t, j)
	})
}

// happen does one thing of those that may happen.
func (j *journal) happen(t *rapid.T) {
	switch rapid.SampledFrom([]string{
		"append", "append", "append", "read", "read", "read", "burst", "resume", "resume", "overflow", "drop", "crash", "chat", "chat",
	}).Draw(t, "action") {
	case "append":
		j.step(t)
	case "burst":
		for range rapid.SampledFrom([]int{2, 4, 8}).Draw(t, "n") {
			j.step(t)
		}
	case "read":
		for n := rapid.SampledFrom([]int{1, 3, len(j.line)}).Draw(t, "n"); n > 0; n-- {
			j.read(t)
		}
	case "resume":
		if !j.client.Watched() && !j.watched {
			j.client.Ask()
			j.subscribe(t, j.client.Resume())
		}
	case "chat": // on a new line: its subscription begins at its user_message, wherever the client stands
		if n := len(j.events); n > 0 {
			j.disconnect()
			j.subscribe(t, pam.Resume{Epoch: j.epoch, After: int64(rapid.SampledFrom([]int{0, 1, n / 2, n - 1}).Draw(t, "after"))})
		}
	case "overflow": // events are dropped, acks stay
		at := rapid.IntRange(0, len(j.line)).Draw(t, "at")
		j.line = append(j.line[:at:at], slices.DeleteFunc(slices.Clone(j.line[at:]), func(f any) bool {
			_, ok := f.(pam.Event)
			return ok
		})...)
	case "drop":
		j.disconnect()
	case "crash":
		j.crash(t)
	}
}

func settle(t *rapid.T, j *journal) {
	j.disconnect()
	j.client.Ask()
	j.subscribe(t, j.client.Resume())
	for i := 0; len(j.line) > 0; i++ {
		if i > 10_000 {
			t.Fatal("the client subscribes for ever")
		}
		j.read(t)
	}
	j.compare(t) // the running turn, too, is held to the letter
	if j.running != "" {
		j.finish()
	}
	for len(j.line) > 0 {
		j.read(t)
	}
	j.compare(t)
}

func (j *journal) compare(t *rapid.T) {
	t.Helper()
	var want client.View
	for _, e := range j.kept() {
		want.Apply(e)
	}
	if diff := cmp.Diff(want, j.client.View, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("the view is not the journal's (-want +got):\n%s", diff)
	}
	if got := j.client.Last; got != int64(len(j.events)) {
		t.Fatalf("last = %d, want %d", got, len(j.events))
	}
}
