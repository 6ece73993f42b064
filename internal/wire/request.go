package wire

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/pam-assistant/pam"
)

// Request is a frame from a client (docs/protocol.md, "Client to server").
//
//sumtype:decl
type Request interface{ request() }

// The requests. Absent fields are zero; `null` is absent.
type (
	// Ping asks for a pong; its timestamp is echoed as it came.
	Ping struct {
		Timestamp jsontext.Value // at most 256 bytes
	}

	// Pong answers a ping of the server.
	Pong struct{}

	// Auth says who speaks.
	Auth struct{ Token string }

	// Init merges a context and resumes conversations.
	Init struct {
		Session       pam.SessionID
		Context       jsontext.Value // a merge patch (RFC 7396), an object
		Conversations []Cursor
	}

	// ContextUpdate merges a context.
	ContextUpdate struct {
		Session pam.SessionID
		Context jsontext.Value
	}

	// Chat asks for a turn.
	Chat struct {
		ID           pam.ChatID
		Conversation pam.ConversationID
		Message      string
		Stream       bool
		WhenBusy     pam.WhenBusy
		Session      pam.SessionID
		Context      jsontext.Value
	}

	// Cancel ends one turn, or all of a conversation that are not over.
	Cancel struct {
		Turn         pam.TurnID
		Conversation pam.ConversationID
	}

	// Subscribe asks for a conversation's events: those missed, then live.
	Subscribe struct{ Cursor }

	// Unsubscribe ends that.
	Unsubscribe struct{ Conversation pam.ConversationID }
)

// Cursor says where a client stands in a conversation.
type Cursor struct {
	Conversation pam.ConversationID
	pam.Resume
}

func (Ping) request()          {}
func (Pong) request()          {}
func (Auth) request()          {}
func (Init) request()          {}
func (ContextUpdate) request() {}
func (Chat) request()          {}
func (Cancel) request()        {}
func (Subscribe) request()     {}
func (Unsubscribe) request()   {}
