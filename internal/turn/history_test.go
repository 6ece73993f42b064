package turn_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pam-assistant/pam"
)

// TestPastAsItWas holds how turns of the past are told, by how they ended.
func TestPastAsItWas(t *testing.T) {
	t.Parallel()
	ok := &pam.Call{ID: "c1", Name: "read", Arguments: json.RawMessage(`{}`), Status: pam.CallCompleted, Result: "r"}
	lost := &pam.Call{ID: "c2", Name: "write", Status: pam.CallInDoubt}
	user := func(s string) pam.Message { return pam.Message{Role: pam.FromUser, Text: s} }
	said := func(s string, calls ...pam.Call) pam.Message {
		return pam.Message{Role: pam.FromAssistant, Text: s, Calls: calls}
	}
	doubt := *lost
	doubt.Result = "Nobody knows whether this call took effect."
	m := steps(chunks(text("hi")))
	b := newBench(m, tools{})
	b.past = []pam.Turn{ // newest first
		{Message: "q5", Status: pam.TurnFailed, Parts: []pam.Part{{Text: "a5"}, {Call: ok}}},
		{Message: "q4", Status: pam.TurnInterrupted, Parts: []pam.Part{{Call: lost}}},
		{Message: "q3", Status: pam.TurnFailed},
		{Message: "q2", Status: pam.TurnCancelled, Parts: []pam.Part{{Text: "half"}}},
		{Message: "q1", Status: pam.TurnCompleted, Parts: []pam.Part{{Text: "let me"}, {Call: ok}, {Call: lost}, {Text: "so"}}},
	}
	b.run(t)
	want := []pam.Message{
		user("q1"), said("let me", *ok, doubt), said("so"),
		user("q2"), said("half\n[the user stopped this answer here]"),
		user("q3"), said("[this answer broke off here]"),
		user("q4"), said("", doubt), said("[this answer broke off here]"),
		user("q5"), said("a5", *ok), said("[this answer broke off here]"),
		user("What is it?"),
	}
	if diff := cmp.Diff(want, m.prompts[0].Messages); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if b.past[3].Parts[0].Text != "half" || lost.Result != "" {
		t.Error("the past itself was changed")
	}
}

// TestFitting holds that the past is fitted newest first, without a hole, and
// that what was left out is counted.
func TestFitting(t *testing.T) {
	t.Parallel()
	// 4,000 tokens less a quarter are 12,000 bytes; a turn is 1,000.
	turns := func(n int) []pam.Turn {
		var past []pam.Turn
		for i := range n {
			past = append(past, pam.Turn{
				Message: fmt.Sprintf("q%d", n-i), Status: pam.TurnCompleted,
				Parts: []pam.Part{{Text: strings.Repeat("x", 1000-2*16-2)}},
			})
		}
		return past
	}
	for name, c := range map[string]struct {
		past    int
		more    int
		fixed   int // bytes of instructions
		context int
		want    int // turns that are told
	}{
		"nothing":      {0, 0, 0, 0, 0},
		"all":          {5, 0, 0, 0, 5},
		"just":         {11, 0, 900, 0, 11},
		"one too many": {12, 3, 900, 0, 11},
		"instructions": {12, 0, 6000, 0, 5},
		"context":      {12, 7, 0, 6000, 5},
		"no room":      {12, 100, 50_000, 0, 0},
		"none read":    {0, 100, 50_000, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := steps(chunks(text("hi")))
			b := newBench(m, tools{})
			b.Limits.Context = 4000
			b.Instructions = strings.Repeat("i", c.fixed)
			b.Knowledge = knowledge{context: `{"a":"` + strings.Repeat("c", c.context) + `"}`}
			b.past, b.more = turns(c.past), c.more
			b.run(t)
			start, ok := b.events[0].(pam.Start)
			if !ok {
				t.Fatalf("%+v", b.events)
			}
			omitted := c.past + c.more - c.want
			if start.OmittedTurns != omitted {
				t.Errorf("%d turns omitted, want %d", start.OmittedTurns, omitted)
			}
			messages := m.prompts[0].Messages
			if len(messages) != 2*c.want+1 {
				t.Fatalf("%d messages, want %d turns and the question", len(messages), c.want)
			}
			for i := range c.want {
				if want := fmt.Sprintf("q%d", c.past-c.want+i+1); messages[2*i].Text != want {
					t.Errorf("turn %d is %q, want %q", i, messages[2*i].Text, want)
				}
			}
			if messages[len(messages)-1].Text != "What is it?" {
				t.Error("the question is missing")
			}
		})
	}
}

// TestFittingGivesWay holds that what the tools say takes the room of the past,
// and that no result is ever left out.
func TestFittingGivesWay(t *testing.T) {
	t.Parallel()
	m := steps(chunks(call("", "read", `{}`)), chunks(call("", "read", `{}`)), chunks(text("ok")))
	b := newBench(m, tools{"read": func(context.Context, pam.Session, string) (string, error) {
		return strings.Repeat("r", 5000), nil
	}})
	b.Limits.Context = 4000
	for range 10 {
		b.past = append(b.past, pam.Turn{Message: strings.Repeat("q", 900), Status: pam.TurnCompleted, Parts: []pam.Part{{Text: "a"}}})
	}
	b.run(t)
	var got []int
	for _, p := range m.prompts {
		got = append(got, len(p.Messages))
		for _, msg := range p.Messages {
			for _, c := range msg.Calls {
				if c.Result == "" {
					t.Error("a call without its result")
				}
			}
		}
	}
	// Ten turns and the question; seven, the question and a call; one and two calls.
	if diff := cmp.Diff([]int{21, 16, 5}, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}
