// Package pam is the vocabulary that every part of PAM shares: who speaks
// ([Principal]), what is said ([Event], [Turn]), what is kept ([Record],
// [Append]) and what went wrong ([Error]).
//
// It owns nouns, never I/O: no goroutine, no clock, no file. It imports the
// standard library alone, so that every other package may import it. Nothing
// here locks; a value is shared only after its last change.
package pam

import "time"

// The ids of the wire (docs/protocol.md): 1 to 64 of [A-Za-z0-9._:-]. Those
// that PAM makes are UUIDv7; a client may bring its own ChatID and
// ConversationID. A ConversationID and a ChatID are a user's own: where two
// users bring the same one, there are two conversations.
type (
	// ConversationID names a conversation of one user.
	ConversationID string
	// TurnID names one question and its answer.
	TurnID string
	// ChatID is the idempotency key of a message: for ever, per user.
	ChatID string
	// MessageID names one attempt at an answer.
	MessageID string
	// CallID names one call of a tool.
	CallID string
	// ConnectionID names one connection, of whatever transport.
	ConnectionID string
	// SessionID names what a user's context is kept under.
	SessionID string
	// UserID is a token's `sub`: 1 to 128 characters, no control characters.
	UserID string
	// Epoch names one life of the journal (docs/protocol.md, "Order and resume", 5).
	Epoch string
)

// DefaultSession is the session of a client that names none.
const DefaultSession SessionID = "default"

// MaxIDLength is the greatest length of an id, in bytes.
const MaxIDLength = 64

// ValidID reports whether s may be an id: 1 to 64 of [A-Za-z0-9._:-].
func ValidID(s string) bool {
	if s == "" || len(s) > MaxIDLength {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9',
			c == '.', c == '_', c == ':', c == '-':
		default:
			return false
		}
	}
	return true
}

// Key names a conversation among those of all users.
type Key struct {
	User         UserID
	Conversation ConversationID
}

// Principal is who speaks, once a credential has been checked.
type Principal struct {
	User UserID
	Role Role
	// Expires is the end of the credential, its leeway included.
	Expires time.Time
}

// Role says what a principal may see beyond its own.
type Role uint8

// The roles. The zero Role is none.
const (
	RoleUser     Role = iota + 1
	RoleOperator      // sees figures, alerts and every connection; claim `role: "operator"`
)

// String returns the role's name in a token.
func (r Role) String() string {
	switch r {
	case RoleUser:
		return "user"
	case RoleOperator:
		return "operator"
	}
	return "none"
}

// MarshalText writes the role's name.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Session is whose context and memory a turn is asked with.
type Session struct {
	User UserID
	ID   SessionID
}
