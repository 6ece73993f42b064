package tool

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/pam-assistant/pam"
)

// Remember is the tool that stores what a user asks PAM to remember.
type Remember struct{ memory Memory }

// NewRemember returns the tool that writes to memory.
func NewRemember(memory Memory) *Remember { return &Remember{memory: memory} }

// Spec says how remember is called.
func (t *Remember) Spec() pam.ToolSpec {
	return pam.ToolSpec{
		Name: "remember",
		Description: "Remembers something about the user for all later conversations. " +
			"Use it only when the user asks for it; a key that is known is overwritten.",
		Parameters: json.RawMessage(`{"type":"object","properties":{` +
			`"key":{"type":"string","description":"What it is about, short, for example: dog's name"},` +
			`"value":{"type":"string","description":"What to remember, for example: Rex"}},` +
			`"required":["key","value"],"additionalProperties":false}`),
		Repeatable: true, // the same value again changes nothing
	}
}

// Call stores one memory and returns a line that says what, and what it
// replaced.
func (t *Remember) Call(ctx context.Context, session pam.Session, args json.RawMessage) (string, error) {
	line, err := t.remember(ctx, session.User, args)
	if err != nil {
		return "", refuse("tool.remember", err)
	}
	return line, nil
}

func (t *Remember) remember(ctx context.Context, user pam.UserID, args json.RawMessage) (string, error) {
	a, err := decode[struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	}](args)
	if err != nil {
		return "", err
	}
	key, err := memoryText("key", a.Key, MaxMemoryKey)
	if err != nil {
		return "", err
	}
	value, err := memoryText("value", a.Value, MaxMemoryValue)
	if err != nil {
		return "", err
	}
	memories, err := t.memory.Memories(ctx, user)
	if err != nil {
		return "", err
	}
	before, had := known(memories, key)
	switch {
	case had:
		key = before.Key
	case len(memories) >= MaxMemories:
		return "", fault(fmt.Sprintf("PAM remembers %d things of you already: let it forget one first.", len(memories)))
	}
	if err := t.memory.Remember(ctx, user, key, value); err != nil {
		return "", err
	}
	line := "Remembered: " + memoryLine(key, value) + "."
	if had && before.Value != value {
		line += " (Before: " + clean(before.Value) + ".)"
	}
	return line, nil
}
