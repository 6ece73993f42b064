package tool_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/tool"
)

// speak is a tool that gives back what it is made with, or panics.
type speak struct {
	name, text string
}

func (s speak) Spec() pam.ToolSpec { return pam.ToolSpec{Name: s.name} }

func (s speak) Call(context.Context, pam.Session, json.RawMessage) (string, error) {
	if s.text == "panic" {
		panic("out of order")
	}
	return s.text, nil
}

func TestSetOrderAndNames(t *testing.T) {
	t.Parallel()
	store := newStore()
	set, err := tool.Standard(noon, store, store, newUnits(t))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, spec := range set.Specs() {
		names = append(names, spec.Name)
		var schema struct {
			Type       string                     `json:"type"`
			Properties map[string]json.RawMessage `json:"properties"`
			Additional *bool                      `json:"additionalProperties"`
		}
		if err := json.Unmarshal(spec.Parameters, &schema); err != nil || schema.Type != "object" || schema.Additional == nil {
			t.Errorf("%s: schema %s: %v", spec.Name, spec.Parameters, err)
		}
		if !spec.Repeatable || spec.Description == "" {
			t.Errorf("%s: repeatable %v, description %q", spec.Name, spec.Repeatable, spec.Description)
		}
	}
	want := []string{"calculate", "convert", "current_time", "remember", "recall", "forget"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
}

func TestSetRefusesNames(t *testing.T) {
	t.Parallel()
	for _, tools := range [][]tool.Tool{
		{speak{name: "a"}, speak{name: "a"}},
		{speak{name: ""}},
		{speak{name: "with space"}},
		{speak{name: "dot.ted"}},
		{speak{name: strings.Repeat("a", 65)}},
	} {
		if _, err := tool.NewSet(tools...); err == nil {
			t.Errorf("%v was taken", tools)
		}
	}
}

func TestSetCall(t *testing.T) {
	t.Parallel()
	long := "a" + strings.Repeat("ä", 40_000)
	set, err := tool.NewSet(speak{name: "fine", text: "fine"}, speak{name: "breaks", text: "panic"},
		speak{name: "long", text: long}, speak{name: "edge", text: strings.Repeat("a", tool.MaxResult)},
		speak{name: "bytes", text: "a\xffb"})
	if err != nil {
		t.Fatal(err)
	}
	call := func(name string) (string, error) {
		return set.Call(t.Context(), pam.Session{User: "u"}, name, json.RawMessage(`{}`))
	}
	if got, err := call("fine"); got != "fine" || err != nil {
		t.Errorf("fine: %q, %v", got, err)
	}
	_, err = call("nothing\nhere")
	if pam.CodeOf(err) != pam.CodeInvalid || lineOr(t, "", err) !=
		`error: There is no tool called "nothing here"; there are fine, breaks, long, edge, bytes.` {
		t.Errorf("unknown tool: %v", err)
	}
	got, err := call("breaks")
	var e *pam.Error
	if got != "" || !errors.As(err, &e) || e.Code != pam.CodeInternal || e.Message != "The tool breaks failed because of a mistake in it." ||
		!strings.Contains(err.Error(), "out of order") {
		t.Errorf("panic: %q, %v", got, err)
	}
	got, err = call("long")
	if err != nil || len(got) > tool.MaxResult || len(got) < tool.MaxResult-20 || !utf8.ValidString(got) || !strings.HasSuffix(got, " … (cut)") {
		t.Errorf("long: %d bytes, end %q, %v", len(got), got[max(0, len(got)-20):], err)
	}
	if got, err := call("edge"); err != nil || len(got) != tool.MaxResult || strings.Contains(got, "cut") {
		t.Errorf("edge: %d bytes, %v", len(got), err)
	}
	if got, err := call("bytes"); err != nil || got != "a�b" {
		t.Errorf("bytes: %q, %v", got, err)
	}
	if _, err := set.Call(t.Context(), pam.Session{}, "fine", bytes.Repeat([]byte(" "), tool.MaxArguments+1)); pam.CodeOf(err) != pam.CodeInvalid {
		t.Errorf("arguments that are too long: %v", err)
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ args, want string }{
		{`{"expression":"1+1"}`, "1+1 = 2"},
		{``, "error: There is nothing to calculate."},
		{`null`, "error: There is nothing to calculate."},
		{`{}`, "error: There is nothing to calculate."},
		{`[]`, "error: The arguments must be a JSON object."},
		{`"1+1"`, "error: The arguments must be a JSON object."},
		{`{"expression":"1+1"`, "error: The arguments are not a valid JSON object."},
		{`{"expression":"1+1"} x`, "error: The arguments are not a valid JSON object."},
		{`{"expression":5}`, `error: The argument "expression" must be text.`},
		{`{"Expression":"1+1"}`, `error: There is no argument called "Expression".`},
		{`{"expression":"1+1","more":1}`, `error: There is no argument called "more".`},
		{`{"expression":"1+1","expression":"2+2"}`, `error: An argument is there twice: "expression".`},
		{"{\"expression\":\"\xff\"}", "error: The arguments are not a valid JSON object."},
	} {
		line, err := tool.Calculate{}.Call(t.Context(), pam.Session{}, json.RawMessage(c.args))
		if got := lineOr(t, line, err); got != c.want {
			t.Errorf("%s\n got  %s\n want %s", c.args, got, c.want)
		}
	}
}
