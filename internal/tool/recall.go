package tool

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/pam-assistant/pam"
)

// Recall is the tool that looks up what a user asked PAM to remember.
type Recall struct{ memory Memory }

// NewRecall returns the tool that reads memory.
func NewRecall(memory Memory) *Recall { return &Recall{memory: memory} }

// Spec says how recall is called.
func (t *Recall) Spec() pam.ToolSpec {
	return pam.ToolSpec{
		Name:        "recall",
		Description: "Looks up what the user asked to be remembered. Use it before you say that you do not know something about the user.",
		Parameters: json.RawMessage(`{"type":"object","properties":{"query":{"type":"string",` +
			`"description":"Words that the memory must have, for example: dog. Leave it out for everything."}},` +
			`"additionalProperties":false}`),
		Repeatable: true,
	}
}

// Call returns a JSON array of {"key", "value"}: those that have every word of
// the query. It is JSON because what it holds is a user's words: data.
func (t *Recall) Call(ctx context.Context, session pam.Session, args json.RawMessage) (string, error) {
	a, err := decode[struct {
		Query *string `json:"query"`
	}](args)
	if err != nil {
		return "", refuse("tool.recall", err)
	}
	memories, err := t.memory.Memories(ctx, session.User)
	if err != nil {
		return "", refuse("tool.recall", err)
	}
	var words []string
	if a.Query != nil {
		words = strings.Fields(strings.ToLower(clean(*a.Query)))
	}
	out := []byte{'['}
	for _, m := range memories {
		key, value := clean(m.Key), clean(m.Value)
		if !hasAll(strings.ToLower(key+" "+value), words) {
			continue
		}
		entry := memoryJSON(key, value)
		if len(out)+len(entry)+2 > MaxResult {
			break // what is cut must still be JSON
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, entry...)
	}
	return string(append(out, ']')), nil
}

func hasAll(text string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

func memoryJSON(key, value string) []byte {
	out := append([]byte(nil), `{"key":`...)
	out = appendQuoted(out, key)
	out = append(out, `,"value":`...)
	out = appendQuoted(out, value)
	return append(out, '}')
}

func appendQuoted(out []byte, s string) []byte {
	quoted, err := jsontext.AppendQuote(out, s)
	if err != nil { // only for bad UTF-8, which clean has removed
		return append(out, `""`...)
	}
	return quoted
}
