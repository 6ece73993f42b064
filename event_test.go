package pam_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pam-assistant/pam"
)

// TestKinds holds kinds, their names on the wire and their bodies against each
// other.
func TestKinds(t *testing.T) {
	t.Parallel()
	bodies := []pam.EventBody{
		pam.UserMessage{}, pam.Start{}, pam.Delta{}, pam.ToolCall{}, pam.ToolCallUpdate{}, pam.Reset{}, pam.Complete{}, pam.ConversationUpdated{},
	}
	names := []string{
		"user_message", "chat_response_start", "chat_response_delta", "tool_call", "tool_call_update", "chat_response_reset", "chat_response_complete", "conversation_updated",
	}
	kinds := pam.Kinds()
	if len(kinds) != len(names) {
		t.Fatalf("%d kinds, the protocol has %d", len(kinds), len(names))
	}
	for i, kind := range kinds {
		if kind.String() != names[i] || bodies[i].Kind() != kind {
			t.Errorf("kind %d is %v, of %T; want %s", i, kind, bodies[i], names[i])
		}
		if parsed, ok := pam.ParseKind(names[i]); !ok || parsed != kind {
			t.Errorf("%s is parsed as %v, %v", names[i], parsed, ok)
		}
	}
	for _, name := range []string{"", "chat", "User_message", "user_message ", "kind(0)"} {
		if kind, ok := pam.ParseKind(name); ok || kind != 0 {
			t.Errorf("%q is parsed as %v", name, kind)
		}
	}
	if got := pam.Kind(0).String() + pam.Kind(9).String(); got != "kind(0)kind(9)" {
		t.Errorf("kinds that are none are named %q", got)
	}
}

// TestStatuses holds the states of turns and calls and their names, both ways.
func TestStatuses(t *testing.T) {
	t.Parallel()
	type statuses struct {
		Turns []pam.TurnStatus
		Calls []pam.CallStatus
	}
	all := statuses{
		Turns: []pam.TurnStatus{0, pam.TurnCompleted, pam.TurnCancelled, pam.TurnFailed, pam.TurnInterrupted},
		Calls: []pam.CallStatus{0, pam.CallRunning, pam.CallCompleted, pam.CallFailed, pam.CallInDoubt},
	}
	const want = `{"Turns":["","completed","cancelled","failed","interrupted"],"Calls":["","running","completed","failed","in_doubt"]}`
	text, err := json.Marshal(all)
	if err != nil || string(text) != want {
		t.Errorf("written %s, %v; want %s", text, err, want)
	}
	var read statuses
	if err := json.Unmarshal([]byte(want), &read); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(all, read); diff != "" {
		t.Error(diff)
	}
	turn, call := pam.TurnFailed, pam.CallFailed
	for _, name := range []string{"Failed", "failed ", "status(9)", "over"} {
		if turn.UnmarshalText([]byte(name)) == nil || call.UnmarshalText([]byte(name)) == nil || turn != pam.TurnFailed || call != pam.CallFailed {
			t.Errorf("%q is read as %v and %v", name, turn, call)
		}
	}
	if got := pam.TurnStatus(9).String() + pam.CallStatus(9).String(); got != "status(9)status(9)" {
		t.Errorf("states that are none are named %q", got)
	}
}
