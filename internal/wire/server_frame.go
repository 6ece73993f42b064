package wire

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/pam-assistant/pam"
)

// ServerFrame is a frame from a server, as a client reads it.
//
//sumtype:decl
type ServerFrame interface{ serverFrame() }

// The frames of a server (docs/protocol.md, "Events of a conversation").
type (
	// Event is a durable event of a conversation.
	Event struct{ pam.Event }

	// Connected greets a pam.v1 client, once it is authenticated.
	Connected struct{ Greeting }

	// AuthOK acknowledges `auth`.
	AuthOK struct {
		User    pam.UserID
		Expires time.Time
	}

	// AuthExpiring says when the token ends.
	AuthExpiring struct{ Expires time.Time }

	// PingFrame is the server's heartbeat.
	PingFrame struct{ ServerTime time.Time }

	// PongFrame answers a ping.
	PongFrame struct {
		Timestamp  jsontext.Value
		ServerTime time.Time
	}

	// InitAck acknowledges `init`.
	InitAck struct {
		Session pam.SessionID
		Version int64
	}

	// ContextUpdated acknowledges `context_update`.
	ContextUpdated struct{ Version int64 }

	// Subscribed comes before any event of its conversation.
	Subscribed struct{ Subscription }

	// Unsubscribed ends a subscription.
	Unsubscribed struct{ Conversation pam.ConversationID }

	// TurnProgress says what a silent turn is doing.
	TurnProgress struct {
		Conversation pam.ConversationID
		Turn         pam.TurnID
		Phase        string
		Elapsed      time.Duration
	}

	// ConversationsChanged says that another of the user's connections has
	// changed a conversation.
	ConversationsChanged struct{ Conversation pam.ConversationID }

	// GoAway asks to connect anew after a time.
	GoAway struct{ After time.Duration }

	// ErrorFrame is an `error`; message and hint are as the server said them.
	ErrorFrame struct {
		About
		Err *pam.Error
	}

	// Unknown is a frame of a type that this version does not know. Where it
	// belongs to a journal its Event has a number, and no body: a client
	// counts it, or it would take the next event for a gap.
	Unknown struct {
		Type  string
		Event pam.Event
	}
)

func (Event) serverFrame()                {}
func (Connected) serverFrame()            {}
func (AuthOK) serverFrame()               {}
func (AuthExpiring) serverFrame()         {}
func (PingFrame) serverFrame()            {}
func (PongFrame) serverFrame()            {}
func (InitAck) serverFrame()              {}
func (ContextUpdated) serverFrame()       {}
func (Subscribed) serverFrame()           {}
func (Unsubscribed) serverFrame()         {}
func (TurnProgress) serverFrame()         {}
func (ConversationsChanged) serverFrame() {}
func (GoAway) serverFrame()               {}
func (ErrorFrame) serverFrame()           {}
func (ChatResponse) serverFrame()         {}
func (Unknown) serverFrame()              {}

// DecodeServer reads a server's frame. Fields that it does not know are
// ignored; a type or an error code that it does not know is no error.
func DecodeServer(frame []byte) (ServerFrame, error) {
	name, err := frameType(frame)
	if err != nil {
		return nil, err
	}
	if _, durable := pam.ParseKind(name); durable {
		e, err := decodeEvent(frame)
		if err != nil {
			return nil, err
		}
		if e.From < 1 || e.From > e.Seq || e.Key.Conversation == "" {
			return nil, fmt.Errorf("wire: %s: its numbers cover nothing", name)
		}
		return Event{e}, nil
	}
	if name == "error" || name == "chat_response" {
		return decodeAnswer(name, frame)
	}
	var m serverMembers
	if err := json.Unmarshal(frame, &m); err != nil {
		return nil, fmt.Errorf("wire: %s: %w", name, err)
	}
	return m.frame(name), nil
}

// serverMembers are the fields of all frames that are neither events nor answers.
type serverMembers struct {
	ConnectionID     pam.ConnectionID   `json:"connection_id"`
	ServerVersion    string             `json:"server_version"`
	HeartbeatMS      int64              `json:"heartbeat_ms"`
	UserID           pam.UserID         `json:"user_id"`
	ExpiresAt        time.Time          `json:"expires_at"`
	Timestamp        jsontext.Value     `json:"timestamp"`
	ServerTime       time.Time          `json:"server_time"`
	SessionID        pam.SessionID      `json:"session_id"`
	ContextVersion   int64              `json:"context_version"`
	ConversationID   pam.ConversationID `json:"conversation_id"`
	Epoch            pam.Epoch          `json:"epoch"`
	Seq              int64              `json:"seq"`
	From             int64              `json:"from"`
	Reset            bool               `json:"reset"`
	TurnID           pam.TurnID         `json:"turn_id"`
	Phase            string             `json:"phase"`
	ElapsedMS        int64              `json:"elapsed_ms"`
	ReconnectAfterMS int64              `json:"reconnect_after_ms"`
	Limits           struct {
		OutboxBytes   int `json:"outbox_bytes"`
		Subscriptions int `json:"subscriptions"`
	} `json:"limits"`
}

func (m *serverMembers) frame(name string) ServerFrame {
	switch name {
	case "connected":
		return Connected{Greeting{
			Connection: m.ConnectionID, ServerVersion: m.ServerVersion, Heartbeat: millis(m.HeartbeatMS),
			MaxOutbox: m.Limits.OutboxBytes, Subscriptions: m.Limits.Subscriptions,
		}}
	case "auth_ok":
		return AuthOK{User: m.UserID, Expires: m.ExpiresAt}
	case "auth_expiring":
		return AuthExpiring{Expires: m.ExpiresAt}
	case "ping":
		return PingFrame{ServerTime: m.ServerTime}
	case "pong":
		return PongFrame{Timestamp: m.Timestamp, ServerTime: m.ServerTime}
	case "init_ack":
		return InitAck{Session: m.SessionID, Version: m.ContextVersion}
	case "context_updated":
		return ContextUpdated{Version: m.ContextVersion}
	case "subscribed":
		return Subscribed{Subscription{
			Conversation: m.ConversationID, Epoch: m.Epoch, Seq: m.Seq, From: m.From, Reset: m.Reset,
		}}
	case "unsubscribed":
		return Unsubscribed{Conversation: m.ConversationID}
	case "turn_progress":
		return TurnProgress{
			Conversation: m.ConversationID, Turn: m.TurnID, Phase: m.Phase, Elapsed: millis(m.ElapsedMS),
		}
	case "conversations_changed":
		return ConversationsChanged{Conversation: m.ConversationID}
	case "goaway":
		return GoAway{After: millis(m.ReconnectAfterMS)}
	}
	return m.unknown(name)
}

func (m *serverMembers) unknown(name string) ServerFrame {
	u := Unknown{Type: name}
	if m.ConversationID != "" && m.Seq > 0 {
		u.Event = pam.Event{
			Key: pam.Key{Conversation: m.ConversationID}, From: m.From, Seq: m.Seq, Turn: m.TurnID,
		}
		if u.Event.From == 0 {
			u.Event.From = m.Seq
		}
	}
	return u
}

// decodeEvent is DecodeEvent, but takes a failure whose code it does not know.
func decodeEvent(frame []byte) (pam.Event, error) {
	e, err := DecodeEvent("", frame)
	if err == nil {
		return e, nil
	}
	var f EventFrame
	lenient := json.WithUnmarshalers(json.UnmarshalFunc(func(text []byte, code *pam.Code) error {
		*code = codeOrInternal(string(bytes.Trim(text, `"`)))
		return nil
	}))
	if json.Unmarshal(frame, &f, lenient) != nil {
		return pam.Event{}, err
	}
	body, err := f.body()
	if err != nil {
		return pam.Event{}, err
	}
	e = pam.Event{
		Key: pam.Key{Conversation: f.ConversationID}, From: f.From, Seq: f.Seq, Turn: f.TurnID, At: f.At, Body: body,
	}
	if e.From == 0 {
		e.From = e.Seq
	}
	return e, nil
}

// answerMembers are the fields of `error` and `chat_response`: what answers a
// chat.
type answerMembers struct {
	ErrorCode        string             `json:"error_code"`
	Message          string             `json:"message"`
	Hint             string             `json:"hint"`
	RetryAfterMS     int64              `json:"retry_after_ms"`
	ConversationID   pam.ConversationID `json:"conversation_id"`
	ID               pam.ChatID         `json:"id"`
	Detail           string             `json:"detail"`
	MessageID        pam.MessageID      `json:"message_id"`
	TurnID           pam.TurnID         `json:"turn_id"`
	Status           pam.TurnStatus     `json:"status"`
	Model            string             `json:"model"`
	Error            bool               `json:"error"`
	Usage            UsageFrame         `json:"usage"`
	ProcessingTimeMS int64              `json:"processing_time_ms"`
	Timestamp        time.Time          `json:"timestamp"`
}

func decodeAnswer(name string, frame []byte) (ServerFrame, error) {
	var m answerMembers
	if err := json.Unmarshal(frame, &m); err != nil {
		return nil, fmt.Errorf("wire: %s: %w", name, err)
	}
	if name == "error" {
		return ErrorFrame{
			About: About{ID: m.ID, Conversation: m.ConversationID},
			Err: &pam.Error{
				Code: codeOrInternal(m.ErrorCode), Message: m.Message, Hint: m.Hint, Detail: m.Detail,
				RetryAfter: millis(m.RetryAfterMS),
			},
		}, nil
	}
	r := ChatResponse{
		Chat: m.ID, Conversation: m.ConversationID, Message: m.MessageID, Turn: m.TurnID, Model: m.Model,
		Final:          pam.Complete{Status: m.Status, Parts: []pam.Part{{Text: m.Message}}, Usage: pam.Usage(m.Usage)},
		ProcessingTime: millis(m.ProcessingTimeMS),
		At:             m.Timestamp,
	}
	if m.Error {
		r.Final.Error = &pam.Failure{Code: codeOrInternal(m.ErrorCode), Message: m.Message}
	}
	return r, nil
}

// codeOrInternal reads a code; one that a newer server has added is internal.
func codeOrInternal(name string) pam.Code {
	var code pam.Code
	if code.UnmarshalText([]byte(name)) != nil {
		return pam.CodeInternal
	}
	return code
}

// frameType returns the `type` of a frame. The protocol has it first, so that
// it is read without reading the rest.
func frameType(frame []byte) (string, error) {
	if rest, ok := bytes.CutPrefix(frame, []byte(`{"type":"`)); ok {
		if end := bytes.IndexAny(rest, `"\`); end > 0 && rest[end] == '"' {
			return string(rest[:end]), nil
		}
	}
	var m struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(frame, &m); err != nil {
		return "", fmt.Errorf("wire: server's frame: %w", err)
	}
	if m.Type == "" {
		return "", errors.New("wire: server's frame: no type")
	}
	return m.Type, nil
}
