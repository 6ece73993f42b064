package pam

import (
	"crypto/sha256"
	"errors"
	"time"
)

// Record is an event as the journal keeps it: what the server looks at, beside
// the bytes that clients are sent. A record is never changed once it is shared.
type Record struct {
	From int64
	Seq  int64
	Kind Kind
	Turn TurnID
	JSON []byte // the whole frame, as it goes out
}

// Append is one transaction of one conversation: all of it is committed or
// nothing is.
//
// The conversation's owner gives the numbers; the journal refuses, with
// [ErrSuperseded], what does not follow its head or carries a lower Fence than
// it has seen, and with [*ChatKnownError] a Chat whose key is taken.
type Append struct {
	Key    Key
	Fence  int64    // the owner's fencing number; 0 where no owner speaks
	Events []Record // consecutive; the first follows the head
	Chat   *Chat    // the key that a new message brings
	Fold   *Fold    // where no turn is left unfinished, or a turn has just ended
	Urgent bool     // committed at once; otherwise with the next commit, 5 ms at the latest

	// Done is called exactly once: after the commit, in the order of the
	// journal, by the one goroutine that delivers. It must not block.
	Done func(error)
}

// Fold takes a conversation's past out of the hot log: what is kept of all its
// events that are not folded yet, up to and including Through, without the
// deltas of the turn that is over, whose numbers the next kept event has taken
// over.
type Fold struct {
	Through int64
	Keep    []Record
	Waiting []Record // the user_message of each turn that is not over by Through, as in Keep or before it
	Turns   int      // how many turns are over, from the start of the conversation
	Title   string   // of the conversation; empty while it has none
}

// Chat is what an idempotency key remembers. It outlives its conversation.
type Chat struct {
	User         UserID
	ID           ChatID
	Conversation ConversationID
	Turn         TurnID
	Seq          int64 // of its user_message
	Content      ContentHash
}

// ContentHash stands for a message that is asked for again.
type ContentHash [sha256.Size]byte

// HashContent returns the hash of a message.
func HashContent(message string) ContentHash { return sha256.Sum256([]byte(message)) }

// ChatKnownError refuses an Append whose Chat the journal knows already.
type ChatKnownError struct{ Chat Chat }

// Error implements error.
func (e *ChatKnownError) Error() string { return "pam: chat id " + string(e.Chat.ID) + " is known" }

// ErrSuperseded refuses an Append whose numbers or fence are not the next: an
// append before it was refused, or another owner has taken over.
var ErrSuperseded = errors.New("pam: superseded")

// Snapshot is a conversation as it is stored.
type Snapshot struct {
	Head    int64 // the last number given
	Folded  int64 // events up to here are read page by page; later ones are Live
	Fence   int64 // the highest that was seen
	Turns   int   // turns that are over, as of Folded
	Title   string
	Created time.Time
	Updated time.Time
	Waiting []Record // the user_message of each turn that is not over, as of Folded
	Live    []Record // all later than Folded, in order, without a hole
}

// Context is what PAM knows of a user's session, as the client told it.
type Context struct {
	JSON    []byte // an object in compact JSON, at most 64 KiB; "{}" where nothing is known
	Version int64  // 0 where nothing is known; grows by one with every change
}

// Memory is one thing that a user asked PAM to remember.
type Memory struct {
	Key     string
	Value   string
	Updated time.Time
}
