package pam

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Turn is one question and its answer, as the journal's events build it.
type Turn struct {
	ID      TurnID
	Chat    ChatID
	Session SessionID
	Message string
	Seq     int64 // of its user_message
	At      time.Time
	Attempt int
	Parts   []Part
	Status  TurnStatus // zero until it is over
	Usage   Usage
	Error   *Failure
}

// Part is a piece of an answer, in the order of the screen: text, or a tool
// call where Call is set.
type Part struct {
	Text string
	Call *Call
}

// Call is a tool call as an answer shows it. It is never changed in place:
// events and views share it.
type Call struct {
	ID        CallID
	Name      string
	Arguments json.RawMessage
	Status    CallStatus
	Result    string
}

// Usage counts tokens.
type Usage struct {
	InputTokens  int64
	OutputTokens int64
}

// Add returns the sum of u and v.
func (u Usage) Add(v Usage) Usage {
	return Usage{InputTokens: u.InputTokens + v.InputTokens, OutputTokens: u.OutputTokens + v.OutputTokens}
}

// TurnStatus is how a turn ended.
type TurnStatus uint8

// The ends of a turn. The zero TurnStatus is a turn that is not over.
const (
	TurnCompleted TurnStatus = iota + 1
	TurnCancelled
	TurnFailed
	TurnInterrupted // its process died while a call was out whose end nobody knows
)

func turnStatusNames() [TurnInterrupted + 1]string {
	return [...]string{
		TurnCompleted:   "completed",
		TurnCancelled:   "cancelled",
		TurnFailed:      "failed",
		TurnInterrupted: "interrupted",
	}
}

// String returns the status on the wire; it is empty for a turn that is not over.
func (s TurnStatus) String() string {
	if s > TurnInterrupted {
		return fmt.Sprintf("status(%d)", uint8(s))
	}
	return turnStatusNames()[s]
}

// MarshalText writes the status as the wire has it.
func (s TurnStatus) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a status as the wire has it.
func (s *TurnStatus) UnmarshalText(text []byte) error {
	names := turnStatusNames()
	i := slices.Index(names[:], string(text))
	if i < 0 {
		return fmt.Errorf("pam: %q is no status of a turn", text)
	}
	*s = TurnStatus(i) //nolint:gosec // an index of five names
	return nil
}

// CallStatus is how a tool call stands.
type CallStatus uint8

// The states of a call.
const (
	CallRunning CallStatus = iota + 1
	CallCompleted
	CallFailed
	CallInDoubt // nobody knows whether it took effect
)

func callStatusNames() [CallInDoubt + 1]string {
	return [...]string{
		CallRunning:   "running",
		CallCompleted: "completed",
		CallFailed:    "failed",
		CallInDoubt:   "in_doubt",
	}
}

// String returns the status on the wire.
func (s CallStatus) String() string {
	if s > CallInDoubt {
		return fmt.Sprintf("status(%d)", uint8(s))
	}
	return callStatusNames()[s]
}

// MarshalText writes the status as the wire has it.
func (s CallStatus) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a status as the wire has it.
func (s *CallStatus) UnmarshalText(text []byte) error {
	names := callStatusNames()
	i := slices.Index(names[:], string(text))
	if i < 0 {
		return fmt.Errorf("pam: %q is no status of a call", text)
	}
	*s = CallStatus(i) //nolint:gosec // an index of five names
	return nil
}

// Apply returns the parts of an answer after body. It never changes parts in
// place beyond its own copy: events and views share them.
func Apply(parts []Part, body EventBody) []Part {
	switch b := body.(type) {
	case Delta:
		parts = slices.Clone(parts)
		if last := len(parts) - 1; last >= 0 && parts[last].Call == nil {
			parts[last].Text += b.Content
			return parts
		}
		return append(parts, Part{Text: b.Content})
	case ToolCall:
		call := &Call{ID: b.CallID, Name: b.Name, Arguments: b.Arguments, Status: CallRunning}
		return append(slices.Clone(parts), Part{Call: call})
	case ToolCallUpdate:
		parts = slices.Clone(parts)
		for i, p := range parts {
			if p.Call != nil && p.Call.ID == b.CallID {
				call := *p.Call
				call.Status, call.Result = b.Status, b.Result
				parts[i].Call = &call
			}
		}
		return parts
	case Reset:
		return slices.Clone(b.Parts)
	case Complete:
		return slices.Clone(b.Parts)
	case UserMessage, Start, ConversationUpdated:
		return parts
	}
	return parts
}

// Text returns the text of parts, one after the other: an answer's
// `full_response`.
func Text(parts []Part) string {
	if len(parts) == 1 {
		return parts[0].Text
	}
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.Text)
	}
	return b.String()
}

// Settle returns parts with no call left running: where nobody knows its end,
// it is in doubt for ever.
func Settle(parts []Part) []Part {
	settled := slices.Clone(parts)
	for i, p := range settled {
		if p.Call != nil && p.Call.Status == CallRunning {
			call := *p.Call
			call.Status = CallInDoubt
			settled[i].Call = &call
		}
	}
	return settled
}
