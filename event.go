package pam

import (
	"encoding/json"
	"fmt"
	"time"
)

// Event is one entry of a conversation's journal (docs/protocol.md, "Events of
// a conversation"). It covers the numbers From to Seq: more than one only
// where deltas before it are folded or merged into it.
type Event struct {
	Key  Key
	From int64
	Seq  int64
	Turn TurnID // empty for ConversationUpdated
	At   time.Time
	Body EventBody
}

// EventBody is what an event says.
//
//sumtype:decl
type EventBody interface {
	Kind() Kind
	eventBody()
}

// Kind is the type of a durable event.
type Kind uint8

// The kinds, in the order in which a turn meets them.
const (
	KindUserMessage Kind = iota + 1
	KindStart
	KindDelta
	KindToolCall
	KindToolCallUpdate
	KindReset
	KindComplete
	KindUpdated
	kindEnd
)

func kindNames() [kindEnd]string {
	return [kindEnd]string{
		KindUserMessage:    "user_message",
		KindStart:          "chat_response_start",
		KindDelta:          "chat_response_delta",
		KindToolCall:       "tool_call",
		KindToolCallUpdate: "tool_call_update",
		KindReset:          "chat_response_reset",
		KindComplete:       "chat_response_complete",
		KindUpdated:        "conversation_updated",
	}
}

// Kinds lists every kind.
func Kinds() []Kind {
	kinds := make([]Kind, 0, kindEnd-1)
	for k := Kind(1); k < kindEnd; k++ {
		kinds = append(kinds, k)
	}
	return kinds
}

// String returns the frame type on the wire.
func (k Kind) String() string {
	if k == 0 || k >= kindEnd {
		return fmt.Sprintf("kind(%d)", uint8(k))
	}
	return kindNames()[k]
}

// ParseKind returns the kind of a frame type, and whether it is one.
func ParseKind(s string) (Kind, bool) {
	for i, name := range kindNames() {
		if i > 0 && name == s {
			return Kind(i), true
		}
	}
	return 0, false
}

// The bodies.
type (
	// UserMessage is a question: the acknowledgement to its sender, the
	// message to all others.
	UserMessage struct {
		ID      ChatID
		Message string
		Session SessionID // whose context the turn is asked with
	}

	// Start is the start of an attempt at an answer; committed before the
	// model is called.
	Start struct {
		MessageID    MessageID
		Model        string
		Attempt      int // 1, 2, 3
		OmittedTurns int // turns of the past that did not fit the model's context
	}

	// Delta is a piece of text: it continues the last part where that is
	// text, else it begins one.
	Delta struct{ Content string }

	// ToolCall is a call that is about to be made; committed before it is.
	ToolCall struct {
		CallID    CallID
		Name      string
		Arguments json.RawMessage // a JSON object
	}

	// ToolCallUpdate is what became of a call.
	ToolCallUpdate struct {
		CallID CallID
		Status CallStatus
		Result string // at most 64 KiB; empty while running
	}

	// Reset sets the answer so far: a restart or a change of provider takes
	// text back.
	Reset struct {
		Parts  []Part
		Reason string
	}

	// Complete is the one final event of a turn.
	Complete struct {
		Status         TurnStatus
		Parts          []Part
		Usage          Usage
		Error          *Failure // nil where the turn completed
		ProcessingTime time.Duration
	}

	// ConversationUpdated is a new title.
	ConversationUpdated struct{ Title string }
)

// Failure is the error of a turn, as the journal keeps it.
type Failure struct {
	Code    Code
	Message string
	Hint    string
}

// Kind implements [EventBody].
func (UserMessage) Kind() Kind { return KindUserMessage }

// Kind implements [EventBody].
func (Start) Kind() Kind { return KindStart }

// Kind implements [EventBody].
func (Delta) Kind() Kind { return KindDelta }

// Kind implements [EventBody].
func (ToolCall) Kind() Kind { return KindToolCall }

// Kind implements [EventBody].
func (ToolCallUpdate) Kind() Kind { return KindToolCallUpdate }

// Kind implements [EventBody].
func (Reset) Kind() Kind { return KindReset }

// Kind implements [EventBody].
func (Complete) Kind() Kind { return KindComplete }

// Kind implements [EventBody].
func (ConversationUpdated) Kind() Kind { return KindUpdated }

func (UserMessage) eventBody()         {}
func (Start) eventBody()               {}
func (Delta) eventBody()               {}
func (ToolCall) eventBody()            {}
func (ToolCallUpdate) eventBody()      {}
func (Reset) eventBody()               {}
func (Complete) eventBody()            {}
func (ConversationUpdated) eventBody() {}
