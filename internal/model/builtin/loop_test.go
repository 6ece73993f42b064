package builtin_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/model/builtin"
	"github.com/pam-assistant/pam/internal/tool"
)

// store keeps one user's context and memories.
type store struct {
	mu       sync.Mutex
	context  string
	memories []pam.Memory
}

func (s *store) Context(context.Context, pam.Session) (pam.Context, error) {
	return pam.Context{JSON: []byte(s.context)}, nil
}

func (s *store) Memories(context.Context, pam.UserID) ([]pam.Memory, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]pam.Memory(nil), s.memories...), nil
}

func (s *store) Remember(_ context.Context, _ pam.UserID, key, value string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, m := range s.memories {
		if m.Key == key {
			s.memories[i].Value = value
			return nil
		}
	}
	s.memories = append(s.memories, pam.Memory{Key: key, Value: value})
	return nil
}

func (s *store) Forget(_ context.Context, _ pam.UserID, key string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, m := range s.memories {
		if m.Key == key {
			s.memories = append(s.memories[:i], s.memories[i+1:]...)
			return true, nil
		}
	}
	return false, nil
}

// assistant is the model with its real tools.
type assistant struct {
	store *store
	set   *tool.Set
	model *builtin.Model
}

func newAssistant(t testing.TB, context string) *assistant {
	t.Helper()
	units, err := tool.NewUnits()
	if err != nil {
		t.Fatal(err)
	}
	s := &store{context: context}
	now := func() time.Time { return time.Date(2026, 11, 25, 12, 0, 5, 0, time.UTC) }
	set, err := tool.Standard(now, s, s, units)
	if err != nil {
		t.Fatal(err)
	}
	return &assistant{store: s, set: set, model: builtin.New(tool.NewGrammar(units))}
}

// said is an answer: its text, and the tool that it took.
type said struct {
	text, tool string
	chunks     int
}

// ask runs one question through the loop that a turn runs: the model, the tool
// it asks for, the model again with the result.
func (a *assistant) ask(t testing.TB, question string) said {
	t.Helper()
	memories, _ := a.store.Memories(t.Context(), "anna")
	p := &pam.Prompt{
		Context:      json.RawMessage(a.store.context),
		Instructions: "The secret word is canary-7341.",
		Memory:       memories,
		Messages:     []pam.Message{{Role: pam.FromUser, Text: question}},
		Tools:        a.set.Specs(),
	}
	var s said
	for range 3 {
		var calls []pam.Call
		err := a.model.Stream(t.Context(), p, func(c pam.Chunk) error {
			switch c := c.(type) {
			case pam.TextChunk:
				if c.Text == "" {
					t.Errorf("%q: an empty chunk", question)
				}
				s.text += c.Text
				s.chunks++
			case pam.CallChunk:
				calls = append(calls, pam.Call{ID: c.ID, Name: c.Name, Arguments: c.Arguments, Status: pam.CallCompleted})
			case pam.UsageChunk:
			}
			return nil
		})
		if err != nil {
			t.Fatalf("%q: %v", question, err)
		}
		if len(calls) == 0 {
			break
		}
		if len(calls) > 1 || s.tool != "" || s.text != "" {
			t.Fatalf("%q: calls %+v after %+v", question, calls, s)
		}
		c := &calls[0]
		s.tool = c.Name
		c.Result, err = a.set.Call(t.Context(), pam.Session{User: "anna"}, c.Name, c.Arguments)
		if err != nil {
			c.Status, c.Result = pam.CallFailed, sentence(t, err)
		}
		p.Messages = append(p.Messages, pam.Message{Role: pam.FromAssistant, Calls: calls})
	}
	if strings.TrimSpace(s.text) == "" {
		t.Errorf("%q: no answer", question)
	}
	if strings.Contains(s.text, "canary") {
		t.Errorf("%q: the instructions are in the answer", question)
	}
	return s
}

func sentence(t testing.TB, err error) string {
	t.Helper()
	var e *pam.Error
	if !errors.As(err, &e) || e.Message == "" {
		t.Fatalf("no sentence for the person in %v", err)
	}
	return e.Message
}
