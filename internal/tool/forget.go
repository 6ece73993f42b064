package tool

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/pam-assistant/pam"
)

// Forget is the tool that removes what a user asked PAM to remember.
type Forget struct{ memory Memory }

// NewForget returns the tool that removes from memory.
func NewForget(memory Memory) *Forget { return &Forget{memory: memory} }

// Spec says how forget is called.
func (t *Forget) Spec() pam.ToolSpec {
	return pam.ToolSpec{
		Name:        "forget",
		Description: "Forgets one thing that the user asked to be remembered, or, only where the user says so, everything.",
		Parameters: json.RawMessage(`{"type":"object","properties":{` +
			`"key":{"type":"string","description":"The key of the memory, as recall shows it"},` +
			`"everything":{"type":"boolean","description":"Forget all of them"}},` +
			`"additionalProperties":false}`),
		Repeatable: true, // what is gone stays gone
	}
}

// Call removes one memory or all, and returns a line that says what was
// removed. That nothing was there is no error.
func (t *Forget) Call(ctx context.Context, session pam.Session, args json.RawMessage) (string, error) {
	line, err := t.forget(ctx, session.User, args)
	if err != nil {
		return "", refuse("tool.forget", err)
	}
	return line, nil
}

func (t *Forget) forget(ctx context.Context, user pam.UserID, args json.RawMessage) (string, error) {
	a, err := decode[struct {
		Key        string `json:"key"`
		Everything bool   `json:"everything"`
	}](args)
	if err != nil {
		return "", err
	}
	if a.Everything {
		if a.Key != "" {
			return "", fault("Either a key or everything can be forgotten, not both.")
		}
		return t.everything(ctx, user)
	}
	key, err := memoryText("key", a.Key, MaxMemoryKey)
	if err != nil {
		return "", err
	}
	memories, err := t.memory.Memories(ctx, user)
	if err != nil {
		return "", err
	}
	m, ok := known(memories, key)
	if !ok {
		return "Nothing is remembered as " + quote(key) + ".", nil
	}
	if _, err := t.memory.Forget(ctx, user, m.Key); err != nil {
		return "", err
	}
	return "Forgotten: " + clean(m.Key) + ".", nil
}

func (t *Forget) everything(ctx context.Context, user pam.UserID) (string, error) {
	memories, err := t.memory.Memories(ctx, user)
	if err != nil {
		return "", err
	}
	n := 0
	for _, m := range memories {
		gone, err := t.memory.Forget(ctx, user, m.Key)
		if err != nil {
			return "", err
		}
		if gone {
			n++
		}
	}
	if n == 0 {
		return "Nothing was remembered.", nil
	}
	return fmt.Sprintf("Forgotten: everything, %d in all.", n), nil
}
