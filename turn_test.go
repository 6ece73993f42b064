package pam_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pam-assistant/pam"
)

func TestApply(t *testing.T) {
	t.Parallel()
	call := func(id pam.CallID, status pam.CallStatus, result string) pam.Part {
		return pam.Part{Call: &pam.Call{ID: id, Name: "n", Arguments: json.RawMessage(`{}`), Status: status, Result: result}}
	}
	asked := func(id pam.CallID) pam.ToolCall {
		return pam.ToolCall{CallID: id, Name: "n", Arguments: json.RawMessage(`{}`)}
	}
	for _, c := range []struct {
		name   string
		bodies []pam.EventBody
		want   []pam.Part
	}{
		{"nothing", nil, nil},
		{"a delta begins a part", []pam.EventBody{pam.Delta{Content: "a"}}, []pam.Part{{Text: "a"}}},
		{"a delta continues it", []pam.EventBody{pam.Delta{Content: "a"}, pam.Delta{Content: "b"}}, []pam.Part{{Text: "ab"}}},
		{"a delta after a call begins another", []pam.EventBody{pam.Delta{Content: "a"}, asked("1"), pam.Delta{Content: "b"}}, []pam.Part{
			{Text: "a"}, call("1", pam.CallRunning, ""), {Text: "b"},
		}},
		{"calls stand side by side", []pam.EventBody{asked("1"), asked("2")}, []pam.Part{call("1", pam.CallRunning, ""), call("2", pam.CallRunning, "")}},
		{"an update is of its call", []pam.EventBody{asked("1"), asked("2"), pam.ToolCallUpdate{CallID: "1", Status: pam.CallFailed, Result: "no"}}, []pam.Part{
			call("1", pam.CallFailed, "no"), call("2", pam.CallRunning, ""),
		}},
		{"an update of no call does nothing", []pam.EventBody{asked("1"), pam.ToolCallUpdate{CallID: "2", Status: pam.CallFailed}}, []pam.Part{call("1", pam.CallRunning, "")}},
		{"a reset sets", []pam.EventBody{pam.Delta{Content: "a"}, asked("1"), pam.Reset{Parts: []pam.Part{{Text: "b"}}}}, []pam.Part{{Text: "b"}}},
		{"a reset to nothing", []pam.EventBody{pam.Delta{Content: "a"}, pam.Reset{}, pam.Delta{Content: "b"}}, []pam.Part{{Text: "b"}}},
		{"an end sets", []pam.EventBody{pam.Delta{Content: "a"}, pam.Complete{Parts: []pam.Part{{Text: "b"}}}}, []pam.Part{{Text: "b"}}},
		{"the rest changes nothing", []pam.EventBody{pam.UserMessage{Message: "q"}, pam.Start{}, pam.Delta{Content: "a"}, pam.ConversationUpdated{Title: "t"}}, []pam.Part{{Text: "a"}}},
	} {
		var got []pam.Part
		for _, body := range c.bodies {
			got = pam.Apply(got, body)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

// TestApplyChangesNothingInPlace builds answers at random, branching from any
// earlier one, and holds that none of them ever changes: events and views share
// them.
func TestApplyChangesNothingInPlace(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		answers, copies := [][]pam.Part{nil}, [][]pam.Part{nil}
		keep := func(parts []pam.Part) {
			answers, copies = append(answers, parts), append(copies, deepCopy(parts))
		}
		// A reset's parts as an event holds them: with room behind, so that an
		// append in place would show in its neighbour.
		shared := make([]pam.Part, 2, 8)
		shared[0], shared[1] = pam.Part{Call: &pam.Call{ID: "1", Status: pam.CallRunning}}, pam.Part{Text: "s"}
		keep(shared)
		keep(shared[:1])
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			from := answers[rapid.IntRange(0, len(answers)-1).Draw(t, "from")]
			id := rapid.SampledFrom([]pam.CallID{"1", "2"}).Draw(t, "id")
			body := rapid.SampledFrom([]pam.EventBody{
				pam.Delta{Content: "d"},
				pam.ToolCall{CallID: id},
				pam.ToolCallUpdate{CallID: id, Status: pam.CallCompleted, Result: "r"},
				pam.Reset{Parts: shared},
				pam.Complete{Parts: shared[:1]},
				pam.Start{},
				pam.UserMessage{},
				pam.ConversationUpdated{},
			}).Draw(t, "body")
			keep(pam.Apply(from, body))
			if rapid.Bool().Draw(t, "settle") {
				keep(pam.Settle(answers[len(answers)-1]))
			}
			if diff := cmp.Diff(copies, answers); diff != "" {
				t.Fatalf("after %T: %s", body, diff)
			}
		}
	})
}

func deepCopy(parts []pam.Part) []pam.Part {
	parts = slices.Clone(parts)
	for i, p := range parts {
		parts[i].Text = strings.Clone(p.Text)
		if p.Call != nil {
			call := *p.Call
			parts[i].Call = &call
		}
	}
	return parts
}

func TestText(t *testing.T) {
	t.Parallel()
	call := pam.Part{Call: &pam.Call{ID: "1", Result: "not said"}}
	for _, c := range []struct {
		parts []pam.Part
		want  string
	}{
		{nil, ""},
		{[]pam.Part{{Text: "a"}}, "a"},
		{[]pam.Part{call}, ""},
		{[]pam.Part{{Text: "a "}, call, {Text: "b"}, {Text: ""}, {Text: "c"}}, "a bc"},
	} {
		if got := pam.Text(c.parts); got != c.want {
			t.Errorf("the text of %v is %q, want %q", c.parts, got, c.want)
		}
	}
}

// TestSettle holds that no call is left running, and that what is known of the
// others stays.
func TestSettle(t *testing.T) {
	t.Parallel()
	call := func(status pam.CallStatus) pam.Part {
		return pam.Part{Call: &pam.Call{ID: "1", Name: "n", Arguments: json.RawMessage(`{}`), Status: status, Result: "r"}}
	}
	given := []pam.Part{{Text: "a"}, call(pam.CallRunning), call(pam.CallCompleted), call(pam.CallFailed), call(pam.CallInDoubt), call(pam.CallRunning)}
	want := []pam.Part{{Text: "a"}, call(pam.CallInDoubt), call(pam.CallCompleted), call(pam.CallFailed), call(pam.CallInDoubt), call(pam.CallInDoubt)}
	before := deepCopy(given)
	if diff := cmp.Diff(want, pam.Settle(given)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(before, given); diff != "" {
		t.Errorf("changed in place: %s", diff)
	}
	if got := pam.Settle(nil); got != nil {
		t.Errorf("nothing settles to %v", got)
	}
}

func TestUsageAdd(t *testing.T) {
	t.Parallel()
	if got := (pam.Usage{InputTokens: 1, OutputTokens: 2}).Add(pam.Usage{InputTokens: 10, OutputTokens: 20}); got != (pam.Usage{InputTokens: 11, OutputTokens: 22}) {
		t.Errorf("got %+v", got)
	}
}
