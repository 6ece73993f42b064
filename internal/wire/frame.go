package wire

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/pam-assistant/pam"
)

// The frames of a server that are not in the journal (docs/protocol.md, "Events
// of a conversation"). Each appends its JSON to dst and returns it.

// AppendPong answers a ping; timestamp is echoed where there is one.
func AppendPong(dst []byte, timestamp jsontext.Value, now time.Time) []byte {
	dst = append(dst, `{"type":"pong"`...)
	if len(timestamp) > 0 {
		dst = append(dst, `,"timestamp":`...)
		dst = append(dst, timestamp...)
	}
	dst = append(dst, `,"server_time":"`...)
	dst = AppendTime(dst, now)
	return append(dst, `"}`...)
}

// AppendPing is the server's heartbeat for a pam.v1 client.
func AppendPing(dst []byte, now time.Time) []byte {
	dst = append(dst, `{"type":"ping","server_time":"`...)
	dst = AppendTime(dst, now)
	return append(dst, `"}`...)
}

// Greeting is what `connected` says.
type Greeting struct {
	Connection    pam.ConnectionID
	ServerVersion string
	Heartbeat     time.Duration
	MaxOutbox     int
	Subscriptions int
}

// AppendConnected greets a pam.v1 client, once it is authenticated.
func AppendConnected(dst []byte, g Greeting) []byte {
	dst = append(dst, `{"type":"connected"`...)
	dst = appendField(dst, "connection_id", string(g.Connection))
	dst = appendField(dst, "server_version", g.ServerVersion)
	dst = appendInt(dst, "heartbeat_ms", g.Heartbeat.Milliseconds())
	dst = append(dst, `,"limits":{"frame_bytes":`...)
	dst = strconv.AppendInt(dst, MaxFrame, 10)
	dst = appendInt(dst, "message_characters", MaxMessage)
	dst = appendInt(dst, "context_bytes", MaxContext)
	dst = appendInt(dst, "outbox_bytes", int64(g.MaxOutbox))
	dst = appendInt(dst, "subscriptions", int64(g.Subscriptions))
	return append(dst, `}}`...)
}

// AppendAuthOK acknowledges `auth`.
func AppendAuthOK(dst []byte, user pam.UserID, expires time.Time) []byte {
	dst = append(dst, `{"type":"auth_ok"`...)
	dst = appendField(dst, "user_id", string(user))
	dst = append(dst, `,"expires_at":"`...)
	dst = AppendTime(dst, expires)
	return append(dst, `"}`...)
}

// AppendAuthExpiring says that the token ends soon.
func AppendAuthExpiring(dst []byte, expires time.Time) []byte {
	dst = append(dst, `{"type":"auth_expiring","expires_at":"`...)
	dst = AppendTime(dst, expires)
	return append(dst, `"}`...)
}

// AppendInitAck acknowledges `init`.
func AppendInitAck(dst []byte, session pam.SessionID, version int64) []byte {
	dst = append(dst, `{"type":"init_ack"`...)
	dst = appendField(dst, "session_id", string(session))
	dst = appendInt(dst, "context_version", version)
	return append(dst, '}')
}

// AppendContextUpdated acknowledges `context_update`.
func AppendContextUpdated(dst []byte, version int64) []byte {
	dst = append(dst, `{"type":"context_updated"`...)
	dst = appendInt(dst, "context_version", version)
	return append(dst, '}')
}

// Subscription is what `subscribed` says.
type Subscription struct {
	Conversation pam.ConversationID
	Epoch        pam.Epoch
	Seq          int64 // the end
	From         int64 // the first that comes
	Reset        bool
}

// AppendSubscribed answers `subscribe`, before any of its events.
func AppendSubscribed(dst []byte, s Subscription) []byte {
	dst = append(dst, `{"type":"subscribed"`...)
	dst = appendField(dst, "conversation_id", string(s.Conversation))
	dst = appendField(dst, "epoch", string(s.Epoch))
	dst = appendInt(dst, "seq", s.Seq)
	dst = appendInt(dst, "from", s.From)
	dst = append(dst, `,"reset":`...)
	dst = strconv.AppendBool(dst, s.Reset)
	return append(dst, '}')
}

// AppendUnsubscribed answers `unsubscribe`.
func AppendUnsubscribed(dst []byte, id pam.ConversationID) []byte {
	dst = append(dst, `{"type":"unsubscribed"`...)
	dst = appendField(dst, "conversation_id", string(id))
	return append(dst, '}')
}

// AppendConversationsChanged tells the user's other connections.
func AppendConversationsChanged(dst []byte, id pam.ConversationID) []byte {
	dst = append(dst, `{"type":"conversations_changed"`...)
	dst = appendField(dst, "conversation_id", string(id))
	return append(dst, '}')
}

// AppendGoAway asks a pam.v1 client to connect anew after the given time.
func AppendGoAway(dst []byte, after time.Duration) []byte {
	dst = append(dst, `{"type":"goaway"`...)
	dst = appendInt(dst, "reconnect_after_ms", after.Milliseconds())
	return append(dst, '}')
}

// AppendProgress is `turn_progress`.
func AppendProgress(dst []byte, key pam.Key, turn pam.TurnID, phase string, elapsed time.Duration) []byte {
	dst = append(dst, `{"type":"turn_progress"`...)
	dst = appendField(dst, "conversation_id", string(key.Conversation))
	dst = appendField(dst, "turn_id", string(turn))
	dst = appendField(dst, "phase", phase)
	dst = appendInt(dst, "elapsed_ms", elapsed.Milliseconds())
	return append(dst, '}')
}

// About names what an error frame is about; empty ids are left out.
type About struct {
	ID           pam.ChatID
	Conversation pam.ConversationID
}

// AppendError is the `error` frame, by WebSocket and by HTTP. Message and hint
// are the error's own or, where it has none, the table's.
func AppendError(dst []byte, e *pam.Error, about About) []byte {
	m := Meaning(e.Code)
	if e.Message != "" {
		m.Message = e.Message
	}
	if e.Hint != "" {
		m.Hint = e.Hint
	}
	dst = append(dst, `{"type":"error"`...)
	dst = appendField(dst, "error_code", e.Code.String())
	dst = appendField(dst, "message", m.Message)
	dst = appendField(dst, "hint", m.Hint)
	if e.RetryAfter > 0 {
		dst = appendInt(dst, "retry_after_ms", e.RetryAfter.Milliseconds())
	}
	if about.Conversation != "" {
		dst = appendField(dst, "conversation_id", string(about.Conversation))
	}
	if about.ID != "" {
		dst = appendField(dst, "id", string(about.ID))
	}
	if e.Detail != "" {
		dst = appendField(dst, "detail", e.Detail)
	}
	return append(dst, '}')
}

// ChatResponse is the one answer that a plain client gets.
type ChatResponse struct {
	Chat           pam.ChatID
	Conversation   pam.ConversationID
	Message        pam.MessageID
	Turn           pam.TurnID
	Model          string
	Final          pam.Complete
	ProcessingTime time.Duration
	At             time.Time
}

// AppendChatResponse is `chat_response`.
func AppendChatResponse(dst []byte, r ChatResponse) []byte {
	text := pam.Text(r.Final.Parts)
	if text == "" && r.Final.Error != nil {
		text = r.Final.Error.Message
	}
	dst = append(dst, `{"type":"chat_response"`...)
	dst = appendField(dst, "id", string(r.Chat))
	dst = appendField(dst, "message", text)
	dst = appendField(dst, "content", text)
	dst = appendField(dst, "conversation_id", string(r.Conversation))
	dst = appendField(dst, "message_id", string(r.Message))
	dst = appendField(dst, "turn_id", string(r.Turn))
	dst = appendField(dst, "status", r.Final.Status.String())
	dst = appendField(dst, "model", r.Model)
	dst = append(dst, `,"error":`...)
	dst = strconv.AppendBool(dst, r.Final.Error != nil)
	if r.Final.Error != nil {
		dst = appendField(dst, "error_code", r.Final.Error.Code.String())
	}
	dst = append(dst, `,"ui_actions":[]`...)
	dst = appendUsage(dst, r.Final.Usage)
	dst = appendInt(dst, "processing_time_ms", r.ProcessingTime.Milliseconds())
	dst = append(dst, `,"timestamp":"`...)
	dst = AppendTime(dst, r.At)
	return append(dst, `"}`...)
}
