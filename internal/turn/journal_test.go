package turn_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/turn"
)

// journal is a conversation in memory: it takes a turn's events as the real one
// does, refuses what breaks its rules, and builds the answer by pam.Apply.
type journal struct {
	mu     sync.Mutex
	events []pam.EventBody
	parts  []pam.Part
	faults []string
	said   []string // progress: phase and elapsed
	over   bool
	turn   pam.Turn
	past   []pam.Turn // newest first
	more   int
	asked  int // maxBytes of the last Earlier

	refuse func(pam.EventBody) error            // before an event is taken
	commit func(context.Context, pam.EventBody) // takes its time
	cancel context.CancelCauseFunc              // of the turn
	began  time.Time
}

var errOver = errors.New("the turn is over")

func (j *journal) Append(ctx context.Context, body pam.EventBody) error {
	if j.commit != nil {
		j.commit(ctx, body)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return j.take(body)
}

func (j *journal) Delta(text string) error { return j.take(pam.Delta{Content: text}) }

func (j *journal) take(body pam.EventBody) error {
	if j.refuse != nil {
		if err := j.refuse(body); err != nil {
			return err
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.over {
		return errOver
	}
	if len(j.events) == 0 && body.Kind() != pam.KindStart && body.Kind() != pam.KindComplete {
		j.faults = append(j.faults, fmt.Sprintf("%v before the start", body.Kind()))
	}
	switch b := body.(type) {
	case pam.Delta:
		if b.Content == "" {
			j.faults = append(j.faults, "an empty delta")
		}
	case pam.ToolCall:
		for _, p := range j.parts {
			if p.Call != nil && (p.Call.ID == b.CallID || p.Call.Status == pam.CallRunning) {
				j.faults = append(j.faults, "a call while another runs, or with its id")
			}
		}
	case pam.Complete:
		if b.Parts != nil {
			j.faults = append(j.faults, "a complete with parts")
		}
		b.Parts = pam.Settle(j.parts)
		body, j.over = b, true
	}
	j.events = append(j.events, body)
	j.parts = pam.Apply(j.parts, body)
	return nil
}

func (j *journal) Progress(phase string, elapsed time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.over {
		j.faults = append(j.faults, "progress of a turn that is over")
	}
	j.said = append(j.said, fmt.Sprintf("%v %s %v", time.Since(j.began), phase, elapsed))
}

func (j *journal) Earlier(_ context.Context, before int64, maxBytes int) ([]pam.Turn, int, error) {
	if before != j.turn.Seq {
		return nil, 0, fmt.Errorf("asked for turns before %d, not %d", before, j.turn.Seq)
	}
	j.asked = maxBytes
	return j.past, j.more, nil
}

// end is the user's cancel: the conversation says it, then ends the work.
func (j *journal) end() {
	_ = j.take(pam.Complete{Status: pam.TurnCancelled})
	j.cancel(errOver)
}

// complete returns the turn's end; it fails t where there is not exactly one.
func (j *journal) complete(t *testing.T) pam.Complete {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, f := range j.faults {
		t.Error(f)
	}
	n := 0
	for _, e := range j.events {
		if e.Kind() == pam.KindComplete {
			n++
		}
	}
	last, ok := pam.Complete{}, false
	if len(j.events) > 0 {
		last, ok = j.events[len(j.events)-1].(pam.Complete)
	}
	if !ok || n != 1 {
		t.Fatalf("%d ends in %v, want one, at the end", n, j.events)
	}
	return last
}

// kinds lists the events, deltas in a row as one.
func (j *journal) kinds() string {
	var b strings.Builder
	last := pam.Kind(0)
	for _, e := range j.events {
		if k := e.Kind(); k != last || k != pam.KindDelta {
			fmt.Fprintf(&b, "%v ", k)
			last = k
		}
	}
	return strings.TrimSpace(b.String())
}

// step is how a model answers one request.
type step func(ctx context.Context, p *pam.Prompt, emit func(pam.Chunk) error) error

// model answers with its steps in turn, and the last one for ever.
type model struct {
	mu      sync.Mutex
	steps   []step
	prompts []pam.Prompt
}

func steps(s ...step) *model { return &model{steps: s} }

func (m *model) Name() string { return "test/model" }

func (m *model) Stream(ctx context.Context, p *pam.Prompt, emit func(pam.Chunk) error) error {
	m.mu.Lock()
	m.prompts = append(m.prompts, *p)
	s := m.steps[min(len(m.prompts), len(m.steps))-1]
	m.mu.Unlock()
	return s(ctx, p, emit)
}

// chunks emits what it is given.
func chunks(all ...pam.Chunk) step {
	return func(_ context.Context, _ *pam.Prompt, emit func(pam.Chunk) error) error {
		for _, c := range all {
			if err := emit(c); err != nil {
				return err
			}
		}
		return nil
	}
}

func text(s string) pam.Chunk { return pam.TextChunk{Text: s} }

func call(id, name, args string) pam.Chunk {
	return pam.CallChunk{ID: pam.CallID(id), Name: name, Arguments: json.RawMessage(args)}
}

func used(in, out int64) pam.Chunk {
	return pam.UsageChunk{Usage: pam.Usage{InputTokens: in, OutputTokens: out}}
}

// then is one step after the other, in one request.
func then(all ...step) step {
	return func(ctx context.Context, p *pam.Prompt, emit func(pam.Chunk) error) error {
		for _, s := range all {
			if err := s(ctx, p, emit); err != nil {
				return err
			}
		}
		return nil
	}
}

func wait(d time.Duration) step {
	return func(ctx context.Context, _ *pam.Prompt, _ func(pam.Chunk) error) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func fails(err error) step {
	return func(context.Context, *pam.Prompt, func(pam.Chunk) error) error { return err }
}

func forever(ctx context.Context, _ *pam.Prompt, _ func(pam.Chunk) error) error {
	<-ctx.Done()
	return fmt.Errorf("wrapped: %w", ctx.Err())
}

// tools are functions by name; "read" and what begins with it is repeatable.
type tools map[string]func(ctx context.Context, s pam.Session, args string) (string, error)

func (t tools) Specs() []pam.ToolSpec {
	var specs []pam.ToolSpec
	for name := range t {
		specs = append(specs, pam.ToolSpec{
			Name: name, Parameters: json.RawMessage(`{"type":"object"}`), Repeatable: strings.HasPrefix(name, "read"),
		})
	}
	return specs
}

func (t tools) Call(ctx context.Context, s pam.Session, name string, args json.RawMessage) (string, error) {
	return t[name](ctx, s, string(args))
}

// knowledge is what is known of everybody.
type knowledge struct {
	context string
	memory  []pam.Memory
	err     error
}

func (k knowledge) Context(context.Context, pam.Session) (pam.Context, error) {
	return pam.Context{JSON: []byte(k.context)}, k.err
}

func (k knowledge) Memories(context.Context, pam.UserID) ([]pam.Memory, error) { return k.memory, nil }

// watcher keeps what an observer is told.
type watcher struct{ done []turn.Done }

func (w *watcher) TurnDone(d turn.Done) { w.done = append(w.done, d) }

// bench is a turn and all around it.
type bench struct {
	turn.Config
	*journal
	*watcher
	turn pam.Turn
	log  strings.Builder
}

func newBench(m turn.Model, all tools) *bench {
	b := &bench{
		journal: &journal{began: time.Now()},
		watcher: &watcher{},
		turn:    pam.Turn{ID: "t1", Chat: "c1", Session: "s1", Message: "What is it?", Seq: 7},
	}
	n := 0
	b.Config = turn.Config{
		Model: m, Tools: all, Knowledge: knowledge{context: "{}"}, Observer: b.watcher,
		Log: slog.New(slog.NewJSONHandler(&b.log, nil)), Now: time.Now,
		NewID: func() string { n++; return fmt.Sprintf("id-%d", n) },
	}
	return b
}

// run runs the turn to its end.
func (b *bench) run(t *testing.T) {
	t.Helper()
	b.journal.turn = b.turn
	b.journal.parts = b.turn.Parts
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	b.journal.cancel = cancel
	turn.New(b.Config).Run(ctx, b.turn, pam.Key{User: "anna", Conversation: "conv"}, b.journal)
}

// failed fails t unless the turn failed with this code and sentence.
func (b *bench) failed(t *testing.T, code pam.Code, sentence string) {
	t.Helper()
	end := b.complete(t)
	if end.Status != pam.TurnFailed || end.Error == nil || end.Error.Code != code || end.Error.Message != sentence {
		t.Errorf("the turn ended %v, %+v; want failed, %v: %q", end.Status, end.Error, code, sentence)
	}
	if len(b.done) != 1 || b.done[0].Code != code || b.done[0].Status != pam.TurnFailed {
		t.Errorf("observed %+v, want %v once", b.done, code)
	}
}
