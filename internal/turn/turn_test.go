package turn_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pam-assistant/pam"
)

func TestAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := steps(then(wait(2*time.Second), chunks(text("It is "), text("é\xff."), used(10, 3))))
		b := newBench(m, tools{})
		b.turn.Attempt = 1
		b.Instructions = "Be kind."
		b.Knowledge = knowledge{context: `{"a":1}`, memory: []pam.Memory{{Key: "dog", Value: "Rex"}}}
		b.run(t)
		want := []pam.EventBody{
			pam.Start{MessageID: "id-1", Model: "test/model", Attempt: 2},
			pam.Delta{Content: "It is "},
			pam.Delta{Content: "é\uFFFD."},
			pam.Complete{
				Status: pam.TurnCompleted, Parts: []pam.Part{{Text: "It is é\uFFFD."}},
				Usage: pam.Usage{InputTokens: 10, OutputTokens: 3}, ProcessingTime: 2 * time.Second,
			},
		}
		b.complete(t)
		if diff := cmp.Diff(want, b.events); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		prompt := pam.Prompt{
			Session: pam.Session{User: "anna", ID: "s1"}, Instructions: "Be kind.", Context: json.RawMessage(`{"a":1}`),
			Memory:   []pam.Memory{{Key: "dog", Value: "Rex"}},
			Messages: []pam.Message{{Role: pam.FromUser, Text: "What is it?"}},
		}
		if diff := cmp.Diff([]pam.Prompt{prompt}, m.prompts); diff != "" {
			t.Errorf("prompts (-want +got):\n%s", diff)
		}
		if d := b.done[0]; d.Status != pam.TurnCompleted || d.FirstToken != 2*time.Second || d.Steps != 1 || d.Model != "test/model" {
			t.Errorf("observed %+v", d)
		}
	})
}

// TestObserverMayBeMissing holds that nothing needs one.
func TestObserverMayBeMissing(t *testing.T) {
	t.Parallel()
	b := newBench(steps(chunks(text("hi"))), tools{})
	b.Observer = nil
	b.run(t)
	if end := b.complete(t); end.Status != pam.TurnCompleted {
		t.Errorf("%+v", end)
	}
}

func TestToolLoop(t *testing.T) {
	t.Parallel()
	m := steps(
		chunks(text("Let me see. "), call("c1", "read", `{"q":1}`), call("c1", "write", `{}`), used(10, 5)),
		chunks(call("c1", "read", `{"q":2}`), used(20, 5)),
		chunks(text("It is 3."), used(30, 5)),
	)
	var order []string
	note := func(name string) func(context.Context, pam.Session, string) (string, error) {
		return func(_ context.Context, s pam.Session, args string) (string, error) {
			order = append(order, fmt.Sprintf("%s %s %s %s", name, s.User, s.ID, args))
			return name + args, nil
		}
	}
	b := newBench(m, tools{"read": note("read"), "write": note("write")})
	committed := map[string]bool{}
	b.refuse = func(body pam.EventBody) error {
		if c, ok := body.(pam.ToolCall); ok {
			committed[string(c.Arguments)] = len(order) == len(committed)
		}
		return nil
	}
	b.run(t)
	end := b.complete(t)
	want := []pam.Part{
		{Text: "Let me see. "},
		{Call: &pam.Call{ID: "c1", Name: "read", Arguments: json.RawMessage(`{"q":1}`), Status: pam.CallCompleted, Result: `read{"q":1}`}},
		{Call: &pam.Call{ID: "id-2", Name: "write", Arguments: json.RawMessage(`{}`), Status: pam.CallCompleted, Result: `write{}`}},
		{Call: &pam.Call{ID: "id-3", Name: "read", Arguments: json.RawMessage(`{"q":2}`), Status: pam.CallCompleted, Result: `read{"q":2}`}},
		{Text: "It is 3."},
	}
	if diff := cmp.Diff(want, end.Parts); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{`read anna s1 {"q":1}`, `write anna s1 {}`, `read anna s1 {"q":2}`}, order); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	for args, before := range committed {
		if !before {
			t.Errorf("the call %s was made before its event was committed", args)
		}
	}
	if want := (pam.Usage{InputTokens: 60, OutputTokens: 15}); end.Usage != want {
		t.Errorf("usage %+v, want %+v", end.Usage, want)
	}
	last := m.prompts[2].Messages
	if len(last) != 3 || len(last[1].Calls) != 2 || last[1].Text != "Let me see. " || last[2].Calls[0].Result != `read{"q":2}` {
		t.Errorf("the third prompt is %+v", last)
	}
}

// TestRestart holds that what was called is not called again, and is told.
func TestRestart(t *testing.T) {
	t.Parallel()
	kept := &pam.Call{ID: "c1", Name: "write", Arguments: json.RawMessage(`{}`), Status: pam.CallCompleted, Result: "done"}
	m := steps(chunks(call("c1", "read", `{}`)), chunks(text("Good.")))
	b := newBench(m, tools{"read": func(context.Context, pam.Session, string) (string, error) { return "r", nil }})
	b.turn.Attempt = 2
	b.turn.Parts = []pam.Part{{Text: "First. "}, {Call: kept}}
	b.run(t)
	if end := b.complete(t); len(end.Parts) != 4 || end.Parts[2].Call.ID == "c1" || end.Parts[3].Text != "Good." {
		t.Errorf("parts %+v", end.Parts)
	}
	want := []pam.Message{
		{Role: pam.FromUser, Text: "What is it?"},
		{Role: pam.FromAssistant, Text: "First. ", Calls: []pam.Call{*kept}},
	}
	if diff := cmp.Diff(want, m.prompts[0].Messages); diff != "" {
		t.Errorf("prompt (-want +got):\n%s", diff)
	}
	if start, ok := b.events[0].(pam.Start); !ok || start.Attempt != 3 {
		t.Errorf("start %+v, want the third attempt", b.events[0])
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	again := chunks(call("", "read", `{}`))
	one := tools{"read": func(context.Context, pam.Session, string) (string, error) { return "r", nil }}
	t.Run("steps", func(t *testing.T) {
		t.Parallel()
		m := steps(again)
		b := newBench(m, one)
		b.run(t)
		b.failed(t, pam.CodeAnswerTooLong, "The model asked for tools 8 times in a row and came to no answer.")
		if len(m.prompts) != 8 {
			t.Errorf("%d requests, want 8", len(m.prompts))
		}
	})
	t.Run("calls", func(t *testing.T) {
		t.Parallel()
		b := newBench(steps(again), one)
		b.Limits.Calls = 3
		b.run(t)
		b.failed(t, pam.CodeAnswerTooLong, "The model asked for more than 3 calls of tools in one answer.")
		if len(b.complete(t).Parts) != 3 {
			t.Errorf("parts %+v, want three calls", b.parts)
		}
	})
	t.Run("calls of a step", func(t *testing.T) {
		t.Parallel()
		var many []pam.Chunk
		for range 17 {
			many = append(many, call("", "read", `{}`))
		}
		b := newBench(steps(chunks(many...)), one)
		b.run(t)
		b.failed(t, pam.CodeProviderProtocol, "The model asked for too many tools at once.")
	})
	t.Run("answer", func(t *testing.T) {
		t.Parallel()
		b := newBench(steps(chunks(text("12345"), text("678é9"), text("never"))), tools{})
		b.Limits.Answer = 9
		b.run(t)
		b.failed(t, pam.CodeAnswerTooLong, "")
		if got := pam.Text(b.parts); got != "12345678" { // é would be the ninth and the tenth byte
			t.Errorf("the text is %q", got)
		}
	})
	t.Run("answer over steps", func(t *testing.T) {
		t.Parallel()
		b := newBench(steps(chunks(text("12345"), call("", "read", `{}`)), chunks(text("67890"))), one)
		b.Limits.Answer = 9
		b.turn.Parts = []pam.Part{{Text: "ab"}}
		b.run(t)
		b.failed(t, pam.CodeAnswerTooLong, "")
		if got := pam.Text(b.parts); got != "ab1234567" {
			t.Errorf("the text is %q", got)
		}
	})
	t.Run("one byte more", func(t *testing.T) {
		t.Parallel()
		b := newBench(steps(chunks(text("1234567890"))), tools{})
		b.Limits.Answer = 9
		b.run(t)
		b.failed(t, pam.CodeAnswerTooLong, "")
		if got := pam.Text(b.parts); got != "123456789" {
			t.Errorf("the text is %q", got)
		}
	})
	t.Run("just the limit", func(t *testing.T) {
		t.Parallel()
		b := newBench(steps(chunks(text("123456789"))), tools{})
		b.Limits.Answer = 9
		b.run(t)
		if end := b.complete(t); end.Status != pam.TurnCompleted {
			t.Errorf("%+v", end)
		}
	})
}

// TestBadAnswers is what no model should say; none of it is called.
func TestBadAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		chunks []pam.Chunk
		says   string
	}{
		"nothing":               {nil, "The model ended its answer without a word."},
		"empty text":            {[]pam.Chunk{text("")}, "The model ended its answer without a word."},
		"an unknown tool":       {[]pam.Chunk{call("", "shell", `{}`)}, "The model asked for a tool that it was not offered."},
		"no arguments":          {[]pam.Chunk{call("", "write", ``)}, "The model called a tool with arguments that cannot be read."},
		"arguments are a list":  {[]pam.Chunk{call("", "write", `[]`)}, "The model called a tool with arguments that cannot be read."},
		"a name twice":          {[]pam.Chunk{call("", "write", `{"a":1,"a":2}`)}, "The model called a tool with arguments that cannot be read."},
		"long arguments":        {[]pam.Chunk{call("", "write", `{"a":"`+strings.Repeat("x", 1<<16)+`"}`)}, "The model called a tool with arguments that are too long."},
		"a good and a bad call": {[]pam.Chunk{call("", "write", `{}`), call("", "shell", `{}`)}, "The model asked for a tool that it was not offered."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(steps(chunks(c.chunks...)), tools{"write": func(context.Context, pam.Session, string) (string, error) {
				t.Error("called")
				return "", nil
			}})
			b.run(t)
			b.failed(t, pam.CodeProviderProtocol, c.says)
		})
	}
}

// TestCallsOfACutReply holds that a call is made only once its reply is whole.
func TestCallsOfACutReply(t *testing.T) {
	t.Parallel()
	cut := &pam.Error{Code: pam.CodeProviderUnavailable, Message: "Cut off."}
	m := steps(then(chunks(call("", "write", `{}`)), fails(cut)))
	b := newBench(m, tools{"write": func(context.Context, pam.Session, string) (string, error) {
		t.Error("called")
		return "", nil
	}})
	b.run(t)
	b.failed(t, pam.CodeProviderUnavailable, "Cut off.")
	if len(m.prompts) != 1 {
		t.Errorf("%d requests, want 1", len(m.prompts))
	}
}

func TestRetry(t *testing.T) {
	t.Parallel()
	down := &pam.Error{Code: pam.CodeProviderUnavailable, Message: "Down."}
	limited := func(d time.Duration) error { return &pam.Error{Code: pam.CodeProviderRateLimited, RetryAfter: d} }
	good := chunks(text("hi"))
	for name, c := range map[string]struct {
		steps    []step
		requests int
		fails    pam.Code
		least    time.Duration // of the pause
	}{
		"down once":                 {[]step{fails(down), good}, 2, 0, 500 * time.Millisecond},
		"wrapped":                   {[]step{fails(fmt.Errorf("x: %w", down)), good}, 2, 0, 500 * time.Millisecond},
		"down twice":                {[]step{fails(down), fails(down), good}, 2, pam.CodeProviderUnavailable, 500 * time.Millisecond},
		"limited":                   {[]step{fails(limited(2 * time.Second)), good}, 2, 0, 2500 * time.Millisecond},
		"limited for long":          {[]step{fails(limited(6 * time.Second)), good}, 1, pam.CodeProviderRateLimited, 0},
		"usage, then down":          {[]step{then(chunks(used(1, 1), text("")), fails(down)), good}, 2, 0, 500 * time.Millisecond},
		"down after a token":        {[]step{then(chunks(text("h")), fails(down)), good}, 1, pam.CodeProviderUnavailable, 0},
		"down after a pulse":        {[]step{then(chunks(pam.PulseChunk{}), fails(down)), good}, 1, pam.CodeProviderUnavailable, 0},
		"the key":                   {[]step{fails(&pam.Error{Code: pam.CodeProviderAuth}), good}, 1, pam.CodeProviderAuth, 0},
		"the quota":                 {[]step{fails(&pam.Error{Code: pam.CodeProviderQuota}), good}, 1, pam.CodeProviderQuota, 0},
		"late":                      {[]step{forever, good}, 1, pam.CodeProviderTimeout, time.Minute},
		"an error without a code":   {[]step{fails(errors.New("?")), good}, 1, pam.CodeInternal, 0},
		"each step has its own one": {[]step{fails(down), chunks(call("", "read", `{}`)), fails(down), good}, 4, 0, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := steps(c.steps...)
				b := newBench(m, tools{"read": func(context.Context, pam.Session, string) (string, error) { return "r", nil }})
				b.run(t)
				end := b.complete(t)
				switch {
				case c.fails == 0 && end.Status != pam.TurnCompleted, c.fails != 0 && (end.Error == nil || end.Error.Code != c.fails):
					t.Errorf("%v, %+v; want %v", end.Status, end.Error, c.fails)
				}
				if len(m.prompts) != c.requests || b.done[0].Retries != len(m.prompts)-b.done[0].Steps {
					t.Errorf("%d requests, observed %+v; want %d", len(m.prompts), b.done[0], c.requests)
				}
				if d := time.Since(b.began); d < c.least || d > 2*c.least+time.Second {
					t.Errorf("it took %v, want about %v", d, c.least)
				}
				if name == "usage, then down" && end.Usage != (pam.Usage{InputTokens: 1, OutputTokens: 1}) {
					t.Errorf("usage %+v, want that of the first try too", end.Usage)
				}
			})
		})
	}
}

// TestPanics holds that a panic ends the turn, or the call, and nothing else.
func TestPanics(t *testing.T) {
	t.Parallel()
	t.Run("model", func(t *testing.T) {
		t.Parallel()
		b := newBench(steps(then(chunks(text("half")), func(context.Context, *pam.Prompt, func(pam.Chunk) error) error { panic("boom") })), tools{})
		b.run(t)
		b.failed(t, pam.CodeInternal, "")
		if pam.Text(b.parts) != "half" || !strings.Contains(b.log.String(), "boom") {
			t.Errorf("text %q, log %s", pam.Text(b.parts), b.log.String())
		}
	})
	t.Run("knowledge", func(t *testing.T) {
		t.Parallel()
		b := newBench(steps(chunks(text("hi"))), tools{})
		b.Knowledge = nil
		b.run(t)
		b.failed(t, pam.CodeInternal, "")
	})
	for name, want := range map[string]pam.Call{
		"read":  {Status: pam.CallFailed, Result: "The tool failed unexpectedly."},
		"write": {Status: pam.CallInDoubt, Result: "The tool failed unexpectedly. Nobody knows whether it took effect."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(steps(chunks(call("c1", name, `{}`)), chunks(text("Sorry."))), tools{
				name: func(context.Context, pam.Session, string) (string, error) { panic("boom") },
			})
			b.run(t)
			end := b.complete(t)
			want.ID, want.Name, want.Arguments = "c1", name, json.RawMessage(`{}`)
			if diff := cmp.Diff(&want, end.Parts[0].Call); diff != "" || end.Status != pam.TurnCompleted {
				t.Errorf("%v (-want +got):\n%s", end.Status, diff)
			}
		})
	}
}
