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

// Accepted is a message that the journal has.
type Accepted struct {
	Key     Key
	Turn    TurnID
	Message Record // its user_message, as it is stored
	Known   bool   // it was asked for before; nothing new was started
}

// Cancelled is what a cancel came to.
type Cancelled struct {
	Key    Key
	Finals []Record // the chat_response_complete of each turn that it ended
	// Before says that all was over already: Finals holds the one that was.
	Before bool
}

// Position is where a reader begins: the fields of `subscribed`.
type Position struct {
	Epoch Epoch
	Head  int64 // the end
	From  int64 // the first that comes
	Reset bool  // the cursor did not count
	Open  int   // turns that are not over, as of Head
}
