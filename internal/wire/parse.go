package wire

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/pam-assistant/pam"
)

// members are the fields of all requests; raw, so that a wrong type is said of
// the field and not of the frame.
type members struct {
	Type          jsontext.Value `json:"type"`
	Timestamp     jsontext.Value `json:"timestamp"`
	Token         jsontext.Value `json:"token"`
	Context       jsontext.Value `json:"context"`
	SessionID     jsontext.Value `json:"session_id"`
	Conversations jsontext.Value `json:"conversations"`
	Message       jsontext.Value `json:"message"`
	Content       jsontext.Value `json:"content"`
	ID            jsontext.Value `json:"id"`
	Conversation  jsontext.Value `json:"conversation_id"`
	Stream        jsontext.Value `json:"stream"`
	WhenBusy      jsontext.Value `json:"when_busy"`
	TurnID        jsontext.Value `json:"turn_id"`
	After         jsontext.Value `json:"after"`
	Epoch         jsontext.Value `json:"epoch"`
}

// RefusedError is a refusal of a frame that could be read so far that its `id`
// and `conversation_id` are known: the error frame names them.
type RefusedError struct {
	Err          *pam.Error
	ID           pam.ChatID
	Conversation pam.ConversationID
}

// Error implements error.
func (e *RefusedError) Error() string { return e.Err.Error() }

// Unwrap returns the refusal.
func (e *RefusedError) Unwrap() error { return e.Err }

// ParseRequest reads a client's frame. It returns a [*pam.Error] of code
// bad_frame where it is no object with a string `type` or nested too deep,
// else a [*RefusedError] of code unknown_type or invalid.
//
// Nothing of what it returns shares memory with frame, and no error's text has
// anything in it that the sender chose.
func ParseRequest(frame []byte) (Request, error) {
	// What idle connections send, byte for byte as JavaScript and Python write
	// it: to know it needs no parser and no memory.
	switch string(frame) {
	case `{"type":"ping"}`, `{"type": "ping"}`:
		return Ping{}, nil
	case `{"type":"pong"}`, `{"type": "pong"}`:
		return Pong{}, nil
	}
	return parse(frame, "")
}

// ParseRequestAs is ParseRequest where a frame without `type` is of type kind:
// the body of an HTTP request to an address of that kind.
func ParseRequestAs(kind string, frame []byte) (Request, error) { return parse(frame, kind) }

func parse(frame []byte, kind string) (Request, error) {
	if tooDeep(frame) {
		return nil, badFrame("nested deeper than 100")
	}
	var m members
	if err := json.Unmarshal(frame, &m); err != nil {
		return nil, badFrame(syntax(err))
	}
	if jsontext.Value(frame).Kind() != '{' {
		return nil, badFrame("not a JSON object")
	}
	if absent(m.Type) && kind != "" {
		m.Type = jsontext.Value(`"` + kind + `"`)
	}
	if m.Type.Kind() != '"' {
		return nil, badFrame("type is not a string")
	}
	f := fields{}
	request := f.request(&m)
	if f.err != nil {
		f.err.Op = "wire.parse"
		refused := &RefusedError{Err: f.err}
		if id, ok := text(m.ID); ok && pam.ValidID(id) {
			refused.ID = pam.ChatID(id)
		}
		if id, ok := text(m.Conversation); ok && pam.ValidID(id) {
			refused.Conversation = pam.ConversationID(id)
		}
		return nil, refused
	}
	return request, nil
}

// badFrame has no cause: the parser's own error quotes what the sender chose,
// and names of members may be secrets.
func badFrame(detail string) *pam.Error {
	return &pam.Error{Code: pam.CodeBadFrame, Op: "wire.parse", Detail: detail}
}

// syntax says what is wrong with JSON, without quoting what the sender chose.
func syntax(err error) string {
	var s *jsontext.SyntacticError
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return "a member appears twice"
	case errors.As(err, &s):
		return fmt.Sprintf("not JSON, at byte %d", s.ByteOffset)
	}
	return "not a JSON object"
}

// tooDeep reports whether brackets nest deeper than MaxDepth. It reads each
// byte once and keeps nothing, so it may come before the parser.
func tooDeep(frame []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(frame); i++ {
		switch c := frame[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

func absent(v jsontext.Value) bool { return len(v) == 0 || v.Kind() == 'n' }

func text(v jsontext.Value) (string, bool) {
	if v.Kind() != '"' {
		return "", false
	}
	if bytes.IndexByte(v, '\\') < 0 { // the parser has checked it: nothing else needs decoding
		return string(v[1 : len(v)-1]), true
	}
	s, err := jsontext.AppendUnquote(nil, v)
	return string(s), err == nil
}

// fields reads members one by one and keeps the first fault.
type fields struct {
	err    *pam.Error
	within string // before the name of a field: the list that it stands in
}

func (f *fields) invalid(field, why string) {
	if f.err == nil {
		f.err = &pam.Error{Code: pam.CodeInvalid, Detail: f.within + field + ": " + why}
	}
}

func (f *fields) request(m *members) Request {
	kind, _ := text(m.Type)
	switch kind {
	case "ping":
		if len(m.Timestamp) > MaxTimestamp {
			f.invalid("timestamp", "longer than 256 bytes")
		}
		if absent(m.Timestamp) {
			return Ping{}
		}
		return Ping{Timestamp: m.Timestamp}
	case "pong":
		return Pong{}
	case "auth":
		return Auth{Token: f.string("token", m.Token)}
	case "init":
		return f.init(m)
	case "context_update":
		if absent(m.Context) {
			f.invalid("context", "is missing")
		}
		return ContextUpdate{Session: f.session(m), Context: f.object("context", m.Context)}
	case "chat":
		return f.chat(m)
	case "cancel":
		return f.cancel(m)
	case "subscribe":
		return Subscribe{Cursor: f.cursor("conversation_id", m.Conversation, m.After, m.Epoch)}
	case "unsubscribe":
		return Unsubscribe{Conversation: pam.ConversationID(f.id("conversation_id", m.Conversation, true))}
	}
	f.err = &pam.Error{Code: pam.CodeUnknownType}
	return nil
}

func (f *fields) init(m *members) Request {
	return Init{
		Session:       f.session(m),
		Context:       f.object("context", m.Context),
		Conversations: f.conversations(m.Conversations),
	}
}

// conversations reads entry by entry, so that a list of a hundred thousand empty
// ones costs no more than its first.
func (f *fields) conversations(v jsontext.Value) []Cursor {
	if absent(v) || f.err != nil {
		return nil
	}
	if v.Kind() != '[' {
		f.invalid("conversations", "is not a list")
		return nil
	}
	decoder := jsontext.NewDecoder(bytes.NewReader(v))
	if _, err := decoder.ReadToken(); err != nil {
		f.invalid("conversations", "is not a list")
		return nil
	}
	var cursors []Cursor
	for decoder.PeekKind() != ']' {
		if len(cursors) == MaxConversations {
			f.invalid("conversations", "has more than 10,000 entries")
			return nil
		}
		var e struct {
			ID    jsontext.Value `json:"id"`
			After jsontext.Value `json:"after"`
			Epoch jsontext.Value `json:"epoch"`
		}
		if err := json.UnmarshalDecode(decoder, &e); err != nil {
			f.invalid("conversations", "has an entry that is not an object")
			return nil
		}
		f.within = "conversations."
		cursors = append(cursors, f.cursor("id", e.ID, e.After, e.Epoch))
		f.within = ""
		if f.err != nil {
			return nil
		}
	}
	return cursors
}

func (f *fields) chat(m *members) Request {
	return Chat{
		ID:           pam.ChatID(f.id("id", m.ID, false)),
		Conversation: pam.ConversationID(f.id("conversation_id", m.Conversation, false)),
		Message:      f.message(m),
		Stream:       f.bool("stream", m.Stream),
		WhenBusy:     f.whenBusy(m.WhenBusy),
		Session:      f.session(m),
		Context:      f.object("context", m.Context),
	}
}

func (f *fields) message(m *members) string {
	message, content := f.string("message", m.Message), f.string("content", m.Content)
	switch {
	case message == "":
		message = content
	case content != "" && content != message:
		f.invalid("content", "differs from message; send one of the two")
	}
	switch n := utf8.RuneCountInString(message); {
	case strings.TrimSpace(message) == "":
		f.invalid("message", "is empty")
	case n > MaxMessage:
		f.invalid("message", fmt.Sprintf("has %d characters, at most 32,768 are taken", n))
	}
	return message
}

func (f *fields) cancel(m *members) Request {
	r := Cancel{
		Turn:         pam.TurnID(f.id("turn_id", m.TurnID, false)),
		Conversation: pam.ConversationID(f.id("conversation_id", m.Conversation, false)),
	}
	if r.Turn == "" && r.Conversation == "" {
		f.invalid("turn_id", "is missing, and conversation_id too")
	}
	return r
}

func (f *fields) whenBusy(v jsontext.Value) pam.WhenBusy {
	switch f.string("when_busy", v) {
	case "", "queue":
		return pam.Queue
	case "interrupt":
		return pam.Interrupt
	case "reject":
		return pam.Reject
	}
	f.invalid("when_busy", "is none of queue, interrupt, reject")
	return pam.Queue
}

// cursor reads where a client stands; name is what the conversation's id is
// called there.
func (f *fields) cursor(name string, id, after, epoch jsontext.Value) Cursor {
	c := Cursor{Conversation: pam.ConversationID(f.id(name, id, true))}
	c.Epoch = pam.Epoch(f.id("epoch", epoch, false))
	if absent(after) {
		return c
	}
	if after.Kind() != '0' {
		f.invalid("after", "is not a number")
		return c
	}
	if err := json.Unmarshal(after, &c.After); err != nil || c.After < 0 {
		f.invalid("after", "is not a whole number from 0 up")
	}
	return c
}

// session is `session_id`, also inside `context`.
func (f *fields) session(m *members) pam.SessionID {
	v := m.SessionID
	if absent(v) && m.Context.Kind() == '{' {
		var inside struct {
			SessionID jsontext.Value `json:"session_id"`
		}
		if err := json.Unmarshal(m.Context, &inside); err == nil {
			v = inside.SessionID
		}
	}
	return pam.SessionID(f.id("session_id", v, false))
}

func (f *fields) object(field string, v jsontext.Value) jsontext.Value {
	switch {
	case absent(v):
		return nil
	case v.Kind() != '{':
		f.invalid(field, "is not an object")
		return nil
	}
	return v
}

func (f *fields) id(field string, v jsontext.Value, required bool) string {
	s := f.string(field, v)
	switch {
	case s == "" && absent(v):
		if required {
			f.invalid(field, "is missing")
		}
	case !pam.ValidID(s):
		f.invalid(field, "is not 1 to 64 of [A-Za-z0-9._:-]")
		return ""
	}
	return s
}

func (f *fields) string(field string, v jsontext.Value) string {
	if absent(v) {
		return ""
	}
	s, ok := text(v)
	if !ok {
		f.invalid(field, "is not a string")
	}
	return s
}

func (f *fields) bool(field string, v jsontext.Value) bool {
	if absent(v) {
		return false
	}
	kind := v.Kind()
	if kind != 't' && kind != 'f' {
		f.invalid(field, "is not true or false")
	}
	return kind == 't'
}
