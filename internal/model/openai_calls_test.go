package model_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/faultlab"
)

// TestOpenAICalls is what OpenAI and what compatible endpoints send for calls:
// each becomes the calls that were meant.
func TestOpenAICalls(t *testing.T) {
	t.Parallel()
	call := func(id pam.CallID, name, args string) pam.CallChunk {
		return pam.CallChunk{ID: id, Name: name, Arguments: json.RawMessage(args)}
	}
	start, piece, rest := faultlab.CallStart, faultlab.CallPiece, faultlab.CallArguments
	none := faultlab.NoIndex
	one := []pam.CallChunk{call("c1", "add", `{"a":1}`)}
	two := []pam.CallChunk{call("c1", "add", `{"a":1}`), call("c2", "add", `{"a":2}`)}
	for _, c := range []struct {
		name  string
		steps faultlab.Answer
		want  []pam.CallChunk
	}{
		{"one, in pieces", faultlab.Answer{start(0, "c1", "add"), rest(0, `{"`, `a"`, `:1`, `}`)}, one},
		{"two, one after the other", faultlab.Answer{start(0, "c1", "add"), rest(0, `{"a":1}`), start(1, "c2", "add"), rest(1, `{"a":2}`)}, two},
		{"two, interleaved", faultlab.Answer{start(0, "c1", "add"), start(1, "c2", "add"), rest(0, `{"a"`), rest(1, `{"a"`), rest(0, `:1}`), rest(1, `:2}`)}, two},
		{"Ollama: whole, one index", faultlab.Answer{piece(0, "c1", "add", `{"a":1}`), piece(0, "c2", "add", `{"a":2}`)}, two},
		{"one index, in pieces", faultlab.Answer{start(0, "c1", "add"), rest(0, `{"a"`, `:1}`), start(0, "c2", "add"), rest(0, `{"a"`, `:2}`)}, two},
		{"whole, no index", faultlab.Answer{piece(none, "c1", "add", `{"a":1}`), piece(none, "c2", "add", `{"a":2}`)}, two},
		{"no index, in pieces", faultlab.Answer{start(none, "c1", "add"), rest(none, `{"a"`, `:1}`), start(none, "c2", "add"), rest(none, `{"a":2}`)}, two},
		{"no id, no index, whole", faultlab.Answer{piece(none, "", "add", `{"a":1}`), piece(none, "", "add", `{"a":2}`)}, []pam.CallChunk{call("", "add", `{"a":1}`), call("", "add", `{"a":2}`)}},
		{"no id, one index, whole", faultlab.Answer{piece(0, "", "add", `{"a":1}`), piece(0, "", "now", `{}`)}, []pam.CallChunk{call("", "add", `{"a":1}`), call("", "now", `{}`)}},
		{"no id, two indexes, in pieces", faultlab.Answer{piece(0, "", "add", ""), rest(0, `{"a":1}`), piece(1, "", "add", ""), rest(1, `{"a":2}`)}, []pam.CallChunk{call("", "add", `{"a":1}`), call("", "add", `{"a":2}`)}},
		{"id with every piece", faultlab.Answer{piece(0, "c1", "add", `{"a"`), piece(0, "c1", "", `:1}`)}, one},
		{"id and name with every piece", faultlab.Answer{piece(0, "c1", "add", `{"a"`), piece(0, "c1", "add", `:1}`)}, one},
		{"the id comes late", faultlab.Answer{piece(0, "", "add", ""), piece(0, "c1", "", `{"a":1}`)}, one},
		{"the name in pieces", faultlab.Answer{piece(0, "c1", "a", ""), piece(0, "", "dd", ""), rest(0, `{"a":1}`)}, one},
		{"one id, two indexes", faultlab.Answer{piece(0, "c1", "add", `{"a":1}`), piece(1, "c1", "add", `{"a":2}`)}, []pam.CallChunk{call("c1", "add", `{"a":1}`), call("c1", "add", `{"a":2}`)}},
		{"a new id while the last call is open", faultlab.Answer{start(0, "c1", "now"), piece(0, "c2", "add", `{"a":2}`)}, []pam.CallChunk{call("c1", "now", `{}`), call("c2", "add", `{"a":2}`)}},
		{"two in one chunk", faultlab.Answer{faultlab.Delta(`{"tool_calls":[{"index":0,"id":"c1","function":{"name":"add","arguments":"{\"a\":1}"}},{"index":1,"id":"c2","function":{"name":"add","arguments":"{\"a\":2}"}}]}`)}, two},
		{"arguments as an object", faultlab.Answer{faultlab.Delta(`{"tool_calls":[{"id":"c1","function":{"name":"add","arguments":{"a":1}}},{"id":"c2","function":{"name":"add","arguments":{"a":2}}}]}`)}, two},
		{"arguments as objects, no ids", faultlab.Answer{faultlab.Delta(`{"tool_calls":[{"function":{"name":"add","arguments":{"a":1}}},{"function":{"name":"add","arguments":{"a":2}}}]}`)}, []pam.CallChunk{call("", "add", `{"a":1}`), call("", "add", `{"a":2}`)}},
		{"an object behind a call without any", faultlab.Answer{faultlab.Delta(`{"tool_calls":[{"function":{"name":"now"}},{"function":{"name":"add","arguments":{"a":1}}}]}`)}, []pam.CallChunk{call("", "now", `{}`), call("", "add", `{"a":1}`)}},
		{"none for a tool that takes none", faultlab.Answer{start(0, "c1", "now")}, []pam.CallChunk{call("c1", "now", `{}`)}},
		{"null for a tool that takes none", faultlab.Answer{faultlab.Delta(`{"tool_calls":[{"index":0,"id":"c1","function":{"name":"now","arguments":null}}]}`)}, []pam.CallChunk{call("c1", "now", `{}`)}},
	} {
		for _, finish := range []string{"tool_calls", "stop"} { // Ollama says stop
			t.Run(c.name+", "+finish, func(t *testing.T) {
				t.Parallel()
				p := faultlab.NewProvider(t, append(slices.Clone(c.steps), faultlab.Finish(finish), faultlab.Done()))
				prompt := ask("hi")
				prompt.Tools = tools()
				got, err := hear(t.Context(), open(t, p.URL()), prompt)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.want, got.Calls); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestOpenAIBadCalls is what never becomes a call, and takes the good calls
// beside it with it.
func TestOpenAIBadCalls(t *testing.T) {
	t.Parallel()
	piece, none := faultlab.CallPiece, faultlab.NoIndex
	good := piece(0, "c0", "add", `{"a":1}`)
	delta := func(call string) faultlab.Step { return faultlab.Delta(`{"tool_calls":[` + call + `]}`) }
	for name, steps := range map[string]faultlab.Answer{
		"no arguments":              {good, piece(1, "c1", "add", "")},
		"arguments cut off":         {good, piece(1, "c1", "add", `{"a":`)},
		"arguments are a list":      {good, piece(1, "c1", "add", `[1]`)},
		"arguments are a number":    {good, piece(1, "c1", "add", `1`)},
		"arguments twice":           {good, piece(1, "c1", "add", `{"a":1}{"a":1}`)},
		"a name twice in them":      {good, piece(1, "c1", "add", `{"a":1,"a":2}`)},
		"an unknown tool":           {good, piece(1, "c1", "shell", `{"a":1}`)},
		"no name":                   {good, piece(1, "c1", "", `{"a":1}`)},
		"two no-name pieces":        {piece(none, "", "", `{"a":`), piece(none, "", "", `1}`)},
		"an index that nobody has":  {good, piece(7, "", "", `{"a":1}`)},
		"names that run together":   {piece(0, "", "now", ""), piece(0, "", "add", `{"a":1}`)},
		"an object and more":        {delta(`{"id":"c1","function":{"name":"add","arguments":{"a":1}}}`), piece(none, "c1", "", `{"a":2}`)},
		"arguments are true":        {delta(`{"id":"c1","function":{"name":"add","arguments":true}}`)},
		"arguments without an end":  {good, piece(1, "c1", "add", `{"a":"`+strings.Repeat("x", 100_000)+`"}`)},
		"more calls than one makes": slices.Repeat(faultlab.Answer{piece(none, "", "add", `{"a":1}`)}, 100),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := faultlab.NewProvider(t, append(slices.Clone(steps), faultlab.Finish("tool_calls"), faultlab.Done()))
			prompt := ask("hi")
			prompt.Tools = tools()
			got, err := hear(t.Context(), open(t, p.URL()), prompt)
			failure{code: pam.CodeProviderProtocol, says: "nothing was called"}.check(t, err)
			if got.Calls != nil {
				t.Errorf("called %v", got.Calls)
			}
		})
	}
}
