package tool_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/tool"
)

// store keeps contexts and memories in memory.
type store struct {
	mu       sync.Mutex
	contexts map[pam.Session]string
	memories map[pam.UserID][]pam.Memory
	broken   error
}

func newStore() *store {
	return &store{contexts: make(map[pam.Session]string), memories: make(map[pam.UserID][]pam.Memory)}
}

func (s *store) Context(_ context.Context, session pam.Session) (pam.Context, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text, ok := s.contexts[session]
	if !ok {
		text = "{}"
	}
	return pam.Context{JSON: []byte(text)}, s.broken
}

func (s *store) Memories(_ context.Context, user pam.UserID) ([]pam.Memory, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]pam.Memory(nil), s.memories[user]...), s.broken
}

func (s *store) Remember(_ context.Context, user pam.UserID, key, value string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	for i, m := range s.memories[user] {
		if m.Key == key {
			s.memories[user][i].Value = value
			return nil
		}
	}
	s.memories[user] = append(s.memories[user], pam.Memory{Key: key, Value: value})
	return nil
}

func (s *store) Forget(_ context.Context, user pam.UserID, key string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, m := range s.memories[user] {
		if m.Key == key {
			s.memories[user] = append(s.memories[user][:i], s.memories[user][i+1:]...)
			return true, s.broken
		}
	}
	return false, s.broken
}

func noon() time.Time { return time.Date(2026, 11, 25, 12, 0, 5, 0, time.UTC) }

func TestMemory(t *testing.T) {
	t.Parallel()
	s := newStore()
	set, err := tool.Standard(noon, s, s, newUnits(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ user, name, args, want string }{
		{"anna", "recall", `{}`, `[]`},
		{"anna", "remember", `{"key":"dog's name","value":"Rex"}`, "Remembered: dog's name: Rex."},
		{"anna", "remember", `{"key":"dog's name","value":"Rex"}`, "Remembered: dog's name: Rex."},
		{"anna", "remember", `{"key":"Dog's Name","value":"Max"}`, "Remembered: dog's name: Max. (Before: Rex.)"},
		{"anna", "remember", `{"key":"I like tea","value":"I like tea"}`, "Remembered: I like tea."},
		{"anna", "recall", `{}`, `[{"key":"dog's name","value":"Max"},{"key":"I like tea","value":"I like tea"}]`},
		{"anna", "recall", `{"query":"NAME dog"}`, `[{"key":"dog's name","value":"Max"}]`},
		{"bert", "recall", `{}`, `[]`},
		{"bert", "forget", `{"key":"dog's name"}`, `Nothing is remembered as "dog's name".`},
		{"bert", "remember", `{"key":"a\u001b[2J\nb\u202e","value":"\u0007line\r\n\u2028two"}`, "Remembered: a[2J b: line two."},
		{"bert", "recall", `{}`, `[{"key":"a[2J b","value":"line two"}]`},
		{"anna", "forget", `{"key":"DOG'S NAME"}`, "Forgotten: dog's name."},
		{"anna", "forget", `{"key":"dog's name"}`, `Nothing is remembered as "dog's name".`},
		{"anna", "forget", `{}`, `error: The argument "key" is missing or empty.`},
		{"anna", "forget", `{"key":"x","everything":true}`, "error: Either a key or everything can be forgotten, not both."},
		{"anna", "forget", `{"everything":true}`, "Forgotten: everything, 1 in all."},
		{"anna", "forget", `{"everything":true}`, "Nothing was remembered."},
		{"bert", "recall", `{"query":"line"}`, `[{"key":"a[2J b","value":"line two"}]`},
		{"anna", "remember", `{"key":"","value":"x"}`, `error: The argument "key" is missing or empty.`},
		{"anna", "remember", `{"key":"\u0000","value":"x"}`, `error: The argument "key" is missing or empty.`},
		{"anna", "remember", `{"key":"x"}`, `error: The argument "value" is missing or empty.`},
		{"anna", "remember", `{"key":"x","value":"` + strings.Repeat("ä", tool.MaxMemoryValue+1) + `"}`, `error: The argument "value" is too long to be remembered.`},
		{"anna", "remember", `{"key":"` + strings.Repeat("ä", tool.MaxMemoryKey+1) + `","value":"x"}`, `error: The argument "key" is too long to be remembered.`},
	} {
		line, err := set.Call(t.Context(), pam.Session{User: pam.UserID(c.user)}, c.name, json.RawMessage(c.args))
		if got := lineOr(t, line, err); got != c.want {
			t.Errorf("%s: %s %.80s\n got  %s\n want %s", c.user, c.name, c.args, got, c.want)
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	s := newStore()
	session := pam.Session{User: "anna"}
	value := strings.Repeat("ä", tool.MaxMemoryValue)
	for i := range tool.MaxMemories {
		args := fmt.Sprintf(`{"key":"k%d","value":%q}`, i, value)
		if _, err := tool.NewRemember(s).Call(t.Context(), session, json.RawMessage(args)); err != nil {
			t.Fatal(i, err)
		}
	}
	line, err := tool.NewRemember(s).Call(t.Context(), session, json.RawMessage(`{"key":"more","value":"x"}`))
	if got := lineOr(t, line, err); got != "error: PAM remembers 200 things of you already: let it forget one first." {
		t.Error(got)
	}
	if _, err := tool.NewRemember(s).Call(t.Context(), session, json.RawMessage(`{"key":"k7","value":"x"}`)); err != nil {
		t.Error("what is known cannot be changed:", err)
	}
	line, err = tool.NewRecall(s).Call(t.Context(), session, json.RawMessage(`{}`))
	if err != nil || len(line) > tool.MaxResult || !json.Valid([]byte(line)) {
		t.Errorf("recall: %d bytes, valid %v, %v", len(line), json.Valid([]byte(line)), err)
	}
}

func TestBrokenStore(t *testing.T) {
	t.Parallel()
	s := newStore()
	s.broken = &pam.Error{Code: pam.CodeStoreFull, Err: errors.New("disk of anna is full")}
	set, err := tool.Standard(noon, s, s, newUnits(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string]string{
		"remember": `{"key":"k","value":"v"}`, "recall": `{}`, "forget": `{"key":"k"}`, "current_time": `{}`,
	} {
		line, err := set.Call(t.Context(), pam.Session{}, name, json.RawMessage(args))
		if pam.CodeOf(err) != pam.CodeStoreFull || strings.Contains(lineOr(t, line, err), "disk") || !errors.Is(err, s.broken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
