package pam

import "encoding/json"

// ChatRequest is a message that asks for a turn. Its fields have been checked
// against the protocol's limits.
type ChatRequest struct {
	User         UserID
	ID           ChatID         // never empty: the server makes one where the client brought none
	Conversation ConversationID // empty: a new conversation
	Message      string
	Session      SessionID
	WhenBusy     WhenBusy
	Context      json.RawMessage // a merge patch to merge first; nil where there is none
}

// WhenBusy says what a message wants where a turn is running.
type WhenBusy uint8

// The ways; the zero WhenBusy queues.
const (
	Queue     WhenBusy = iota // wait, behind at most eight
	Interrupt                 // cancel all that wait, then the running one, then start
	Reject                    // be refused: busy
)

// Resume says where a reader stands in a conversation. The zero Resume is the
// start.
type Resume struct {
	After int64
	Epoch Epoch
}
