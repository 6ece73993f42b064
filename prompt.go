package pam

import "encoding/json"

// Prompt is what a model is asked. It is data: how a provider is told, its
// adapter in internal/model decides.
type Prompt struct {
	Session      Session
	Instructions string          // the operator's, PAM_INSTRUCTIONS; trusted
	Context      json.RawMessage // an object; said by the client, so never trusted
	Memory       []Memory        // likewise
	Messages     []Message       // oldest first; the last is the question, or the results of calls
	Tools        []ToolSpec
}

// Message is one message of a prompt: exactly one of its three forms.
type Message struct {
	Role  MessageRole
	Text  string
	Calls []Call // of FromAssistant: what it asked for, each with its result
}

// MessageRole says who speaks in a prompt.
type MessageRole uint8

// The roles of a prompt.
const (
	FromUser MessageRole = iota + 1
	FromAssistant
)

// ToolSpec is a tool as a model is offered it.
type ToolSpec struct {
	Name        string          // 1 to 64 of [A-Za-z0-9_-]
	Description string          // what it does and when to use it
	Parameters  json.RawMessage // JSON Schema of an object
	// Repeatable says that to call it twice does no harm: it only reads, or
	// its second call changes nothing. After a crash only such a call is made
	// again.
	Repeatable bool
}

// Chunk is a piece of a model's answer.
//
//sumtype:decl
type Chunk interface{ chunk() }

// The chunks.
type (
	// TextChunk is text, at least one byte.
	TextChunk struct{ Text string }
	// CallChunk is a whole call: its arguments are a JSON object.
	CallChunk struct {
		ID        CallID
		Name      string
		Arguments json.RawMessage
	}
	// UsageChunk is what the provider counted for this request.
	UsageChunk struct{ Usage Usage }
	// PulseChunk is a sign of life without a word: reasoning that is not
	// shown, a piece of a call that is not whole yet.
	PulseChunk struct{}
)

func (TextChunk) chunk()  {}
func (CallChunk) chunk()  {}
func (UsageChunk) chunk() {}
func (PulseChunk) chunk() {}
