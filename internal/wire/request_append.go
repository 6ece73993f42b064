package wire

import (
	"strconv"

	"github.com/pam-assistant/pam"
)

// AppendRequest appends a client's frame to dst: what ParseRequest reads.
func AppendRequest(dst []byte, r Request) []byte {
	switch r := r.(type) {
	case Ping:
		dst = append(dst, `{"type":"ping"`...)
		if len(r.Timestamp) > 0 {
			dst = append(dst, `,"timestamp":`...)
			dst = append(dst, r.Timestamp...)
		}
	case Pong:
		dst = append(dst, `{"type":"pong"`...)
	case Auth:
		dst = append(dst, `{"type":"auth"`...)
		dst = appendField(dst, "token", r.Token)
	case Init:
		dst = append(dst, `{"type":"init"`...)
		dst = appendSession(dst, r.Session)
		dst = appendContext(dst, r.Context)
		dst = appendCursors(dst, r.Conversations)
	case ContextUpdate:
		dst = append(dst, `{"type":"context_update"`...)
		dst = appendSession(dst, r.Session)
		dst = appendContext(dst, r.Context)
	case Chat:
		dst = append(dst, `{"type":"chat"`...)
		dst = appendChat(dst, &r)
	case Cancel:
		dst = append(dst, `{"type":"cancel"`...)
		dst = appendID(dst, "turn_id", string(r.Turn))
		dst = appendID(dst, "conversation_id", string(r.Conversation))
	case Subscribe:
		dst = append(dst, `{"type":"subscribe"`...)
		dst = appendField(dst, "conversation_id", string(r.Conversation))
		dst = appendResume(dst, r.Resume)
	case Unsubscribe:
		dst = append(dst, `{"type":"unsubscribe"`...)
		dst = appendField(dst, "conversation_id", string(r.Conversation))
	}
	return append(dst, '}')
}

func appendChat(dst []byte, r *Chat) []byte {
	dst = appendID(dst, "id", string(r.ID))
	dst = appendID(dst, "conversation_id", string(r.Conversation))
	dst = appendField(dst, "message", r.Message)
	if r.Stream {
		dst = append(dst, `,"stream":true`...)
	}
	switch r.WhenBusy {
	case pam.Queue: // the default
	case pam.Interrupt:
		dst = append(dst, `,"when_busy":"interrupt"`...)
	case pam.Reject:
		dst = append(dst, `,"when_busy":"reject"`...)
	}
	dst = appendSession(dst, r.Session)
	return appendContext(dst, r.Context)
}

func appendCursors(dst []byte, cursors []Cursor) []byte {
	if len(cursors) == 0 {
		return dst
	}
	dst = append(dst, `,"conversations":[`...)
	for i, c := range cursors {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"id":`...)
		dst = appendString(dst, string(c.Conversation))
		dst = appendResume(dst, c.Resume)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

func appendResume(dst []byte, r pam.Resume) []byte {
	if r.After > 0 {
		dst = append(dst, `,"after":`...)
		dst = strconv.AppendInt(dst, r.After, 10)
	}
	return appendID(dst, "epoch", string(r.Epoch))
}

func appendSession(dst []byte, s pam.SessionID) []byte { return appendID(dst, "session_id", string(s)) }

func appendContext(dst, context []byte) []byte {
	if len(context) == 0 {
		return dst
	}
	return appendRaw(dst, "context", context)
}

// appendID appends a field that is left out where it is empty.
func appendID(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	return appendField(dst, name, value)
}
