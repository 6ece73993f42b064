package wire_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/wire"
)

// TestParseRequest holds the table "Client to server": what each request may
// say, and what it then means.
func TestParseRequest(t *testing.T) {
	t.Parallel()
	id64 := strings.Repeat("a", 64)
	for _, c := range []struct {
		name, frame string
		want        wire.Request
	}{
		{"ping", `{"type":"ping"}`, wire.Ping{}},
		{"ping as Python writes it", `{"type": "ping"}`, wire.Ping{}},
		{"ping among white space", " \t\r\n{ \"type\" : \"ping\" } \n", wire.Ping{}},
		{"ping with a number", `{"type":"ping","timestamp":1736500000.123}`, wire.Ping{Timestamp: jsontext.Value(`1736500000.123`)}},
		{"ping with a number beyond floats", `{"type":"ping","timestamp":1e400}`, wire.Ping{Timestamp: jsontext.Value(`1e400`)}},
		{"ping with a string", `{"type":"ping","timestamp":"\u0041"}`, wire.Ping{Timestamp: jsontext.Value(`"\u0041"`)}},
		{"ping with an object", `{"type":"ping","timestamp":{"t":[1]}}`, wire.Ping{Timestamp: jsontext.Value(`{"t":[1]}`)}},
		{"ping with the longest timestamp", `{"type":"ping","timestamp":` + strings.Repeat("1", 256) + `}`, wire.Ping{Timestamp: jsontext.Value(strings.Repeat("1", 256))}},
		{"type after the rest", `{"timestamp":1,"type":"ping"}`, wire.Ping{Timestamp: jsontext.Value(`1`)}},
		{"type in escapes", `{"t\u0079pe":"p\u0069ng"}`, wire.Ping{}},
		{"names are case-sensitive", `{"type":"ping","TYPE":"chat","Timestamp":1}`, wire.Ping{}},
		{"fields of other types are not looked at", `{"type":"ping","message":1,"id":[],"after":-1}`, wire.Ping{}},
		{"pong", `{"type":"pong"}`, wire.Pong{}},
		{"pong with more", `{"type":"pong","timestamp":` + strings.Repeat("1", 300) + `}`, wire.Pong{}},

		{"auth", `{"type":"auth","token":"a.b.c"}`, wire.Auth{Token: "a.b.c"}},
		{"auth without a token", `{"type":"auth"}`, wire.Auth{}},

		{"init", `{"type":"init"}`, wire.Init{}},
		{"init with a context", `{"type":"init","context":{"a":1}}`, wire.Init{Context: jsontext.Value(`{"a":1}`)}},
		{"init with a session", `{"type":"init","session_id":"s"}`, wire.Init{Session: "s"}},
		{"init with a session inside context", `{"type":"init","context":{"session_id":"s"}}`, wire.Init{Session: "s", Context: jsontext.Value(`{"session_id":"s"}`)}},
		{"init with both sessions", `{"type":"init","session_id":"outer","context":{"session_id":5}}`, wire.Init{Session: "outer", Context: jsontext.Value(`{"session_id":5}`)}},
		{"init with a null session and one inside", `{"type":"init","session_id":null,"context":{"session_id":"s"}}`, wire.Init{Session: "s", Context: jsontext.Value(`{"session_id":"s"}`)}},
		{"init with a null session inside", `{"type":"init","context":{"session_id":null}}`, wire.Init{Context: jsontext.Value(`{"session_id":null}`)}},
		{"init with no conversations", `{"type":"init","conversations":[]}`, wire.Init{}},
		{"init with conversations", `{"type":"init","conversations":[{"id":"a","after":3,"epoch":"e"},{"id":"b","more":[]}]}`, wire.Init{
			Conversations: []wire.Cursor{
				{Conversation: "a", Resume: pam.Resume{After: 3, Epoch: "e"}},
				{Conversation: "b"},
			},
		}},

		{"context_update", `{"type":"context_update","context":{}}`, wire.ContextUpdate{Context: jsontext.Value(`{}`)}},
		{"context_update keeps big numbers", `{"type":"context_update","context":{"n":12345678901234567890123}}`, wire.ContextUpdate{Context: jsontext.Value(`{"n":12345678901234567890123}`)}},
		{"context_update with a session", `{"type":"context_update","session_id":"s","context":{"a":null}}`, wire.ContextUpdate{Session: "s", Context: jsontext.Value(`{"a":null}`)}},
		{"context_update with a session inside", `{"type":"context_update","context":{"session_id":"s"}}`, wire.ContextUpdate{Session: "s", Context: jsontext.Value(`{"session_id":"s"}`)}},

		{"chat", `{"type":"chat","message":"hi"}`, wire.Chat{Message: "hi"}},
		{"chat by content", `{"type":"chat","content":"hi"}`, wire.Chat{Message: "hi"}},
		{"chat by both", `{"type":"chat","message":"hi","content":"h\u0069"}`, wire.Chat{Message: "hi"}},
		{"chat with an empty content", `{"type":"chat","message":"hi","content":""}`, wire.Chat{Message: "hi"}},
		{"chat with an empty message", `{"type":"chat","message":"","content":"hi"}`, wire.Chat{Message: "hi"}},
		{"chat keeps its white space", `{"type":"chat","message":" \n hi\t"}`, wire.Chat{Message: " \n hi\t"}},
		{"chat with control characters", `{"type":"chat","message":"a\u0000b\u001b[2J\u2028"}`, wire.Chat{Message: "a\x00b\x1b[2J\u2028"}},
		{"chat with a surrogate pair", `{"type":"chat","message":"\ud83d\ude00"}`, wire.Chat{Message: "😀"}},
		{"chat of a zero width space", "{\"type\":\"chat\",\"message\":\"\u200b\"}", wire.Chat{Message: "\u200b"}},
		{"chat with all", `{"type":"chat","id":"1736500000.123","conversation_id":"c:1","message":"hi","stream":true,"when_busy":"interrupt","session_id":"s","context":{"a":1}}`, wire.Chat{
			ID: "1736500000.123", Conversation: "c:1", Message: "hi", Stream: true, WhenBusy: pam.Interrupt, Session: "s", Context: jsontext.Value(`{"a":1}`),
		}},
		{"chat with the longest ids", `{"type":"chat","message":"hi","id":"` + id64 + `","conversation_id":"` + id64 + `"}`, wire.Chat{Message: "hi", ID: pam.ChatID(id64), Conversation: pam.ConversationID(id64)}},
		{"chat that does not stream", `{"type":"chat","message":"hi","stream":false}`, wire.Chat{Message: "hi"}},
		{"chat that queues", `{"type":"chat","message":"hi","when_busy":"queue"}`, wire.Chat{Message: "hi", WhenBusy: pam.Queue}},
		{"chat that wants to be refused", `{"type":"chat","message":"hi","when_busy":"reject"}`, wire.Chat{Message: "hi", WhenBusy: pam.Reject}},

		{"cancel of a turn", `{"type":"cancel","turn_id":"t"}`, wire.Cancel{Turn: "t"}},
		{"cancel of a conversation", `{"type":"cancel","conversation_id":"c"}`, wire.Cancel{Conversation: "c"}},
		{"cancel with both", `{"type":"cancel","turn_id":"t","conversation_id":"c"}`, wire.Cancel{Turn: "t", Conversation: "c"}},

		{"subscribe", `{"type":"subscribe","conversation_id":"c"}`, wire.Subscribe{Cursor: wire.Cursor{Conversation: "c"}}},
		{"subscribe after none", `{"type":"subscribe","conversation_id":"c","after":0}`, wire.Subscribe{Cursor: wire.Cursor{Conversation: "c"}}},
		{"subscribe beyond a float's whole numbers", `{"type":"subscribe","conversation_id":"c","after":9007199254740993,"epoch":"e"}`, wire.Subscribe{
			Cursor: wire.Cursor{Conversation: "c", Resume: pam.Resume{After: 9007199254740993, Epoch: "e"}},
		}},
		{"subscribe after the greatest", `{"type":"subscribe","conversation_id":"c","after":9223372036854775807}`, wire.Subscribe{
			Cursor: wire.Cursor{Conversation: "c", Resume: pam.Resume{After: 1<<63 - 1}},
		}},
		{"unsubscribe", `{"type":"unsubscribe","conversation_id":"c"}`, wire.Unsubscribe{Conversation: "c"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			frame := []byte(c.frame)
			got, err := wire.ParseRequest(frame)
			if err != nil {
				t.Fatal(err)
			}
			for i := range frame { // a reader takes its buffer again
				frame[i] = 'X'
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestParseRequestRefusals holds which field a refusal names, and why.
func TestParseRequestRefusals(t *testing.T) {
	t.Parallel()
	id65 := strings.Repeat("a", 65)
	const idForm = "is not 1 to 64 of [A-Za-z0-9._:-]"
	for _, c := range []struct{ frame, detail string }{
		{`{"type":"ping","timestamp":` + strings.Repeat("1", 257) + `}`, "timestamp: longer than 256 bytes"},
		{`{"type":"auth","token":5}`, "token: is not a string"},
		{`{"type":"init","context":[]}`, "context: is not an object"},
		{`{"type":"init","context":"{}"}`, "context: is not an object"},
		{`{"type":"init","session_id":5}`, "session_id: is not a string"},
		{`{"type":"init","session_id":""}`, "session_id: " + idForm},
		{`{"type":"init","context":{"session_id":"a b"}}`, "session_id: " + idForm},
		{`{"type":"init","context":{"session_id":{}}}`, "session_id: is not a string"},
		{`{"type":"init","conversations":{}}`, "conversations: is not a list"},
		{`{"type":"init","conversations":"a"}`, "conversations: is not a list"},
		{`{"type":"init","conversations":["a"]}`, "conversations: has an entry that is not an object"},
		{`{"type":"init","conversations":[{"id":"a"},[]]}`, "conversations: has an entry that is not an object"},
		{`{"type":"init","conversations":[null]}`, "conversations.id: is missing"},
		{`{"type":"init","conversations":[{}]}`, "conversations.id: is missing"},
		{`{"type":"init","conversations":[{"id":"a"},{"id":"/"}]}`, "conversations.id: " + idForm},
		{`{"type":"init","conversations":[{"id":"a","after":"1"}]}`, "conversations.after: is not a number"},
		{`{"type":"init","conversations":[{"id":"a","epoch":1}]}`, "conversations.epoch: is not a string"},
		{`{"type":"context_update"}`, "context: is missing"},
		{`{"type":"context_update","context":null}`, "context: is missing"},
		{`{"type":"context_update","context":1}`, "context: is not an object"},

		{`{"type":"chat"}`, "message: is empty"},
		{`{"type":"chat","message":""}`, "message: is empty"},
		{`{"type":"chat","message":null,"content":null}`, "message: is empty"},
		{`{"type":"chat","message":" \t\r\n\u00a0\u2003\u3000\u2028\u0085"}`, "message: is empty"},
		{`{"type":"chat","message":5}`, "message: is not a string"},
		{`{"type":"chat","content":["a"]}`, "content: is not a string"},
		{`{"type":"chat","message":"a","content":5}`, "content: is not a string"},
		{`{"type":"chat","message":"a","content":"b"}`, "content: differs from message; send one of the two"},
		{`{"type":"chat","message":" ","content":"b"}`, "content: differs from message; send one of the two"},
		{`{"type":"chat","message":"a","id":5}`, "id: is not a string"},
		{`{"type":"chat","message":"a","id":""}`, "id: " + idForm},
		{`{"type":"chat","message":"a","id":"` + id65 + `"}`, "id: " + idForm},
		{`{"type":"chat","message":"a","id":"a\u0000"}`, "id: " + idForm},
		{`{"type":"chat","message":"a","id":"é"}`, "id: " + idForm},
		{`{"type":"chat","message":"a","conversation_id":"../x"}`, "conversation_id: " + idForm},
		{`{"type":"chat","message":"a","stream":"true"}`, "stream: is not true or false"},
		{`{"type":"chat","message":"a","stream":1}`, "stream: is not true or false"},
		{`{"type":"chat","message":"a","when_busy":"QUEUE"}`, "when_busy: is none of queue, interrupt, reject"},
		{`{"type":"chat","message":"a","when_busy":0}`, "when_busy: is not a string"},
		{`{"type":"chat","message":"a","context":[]}`, "context: is not an object"},
		{`{"type":"chat","message":"a","session_id":"a/b"}`, "session_id: " + idForm},

		{`{"type":"cancel"}`, "turn_id: is missing, and conversation_id too"},
		{`{"type":"cancel","turn_id":5}`, "turn_id: is not a string"},
		{`{"type":"cancel","turn_id":"t","conversation_id":" "}`, "conversation_id: " + idForm},

		{`{"type":"subscribe"}`, "conversation_id: is missing"},
		{`{"type":"subscribe","conversation_id":{}}`, "conversation_id: is not a string"},
		{`{"type":"subscribe","conversation_id":"c","after":"1"}`, "after: is not a number"},
		{`{"type":"subscribe","conversation_id":"c","after":true}`, "after: is not a number"},
		{`{"type":"subscribe","conversation_id":"c","after":-1}`, "after: is not a whole number from 0 up"},
		{`{"type":"subscribe","conversation_id":"c","after":1.5}`, "after: is not a whole number from 0 up"},
		{`{"type":"subscribe","conversation_id":"c","after":1e400}`, "after: is not a whole number from 0 up"},
		{`{"type":"subscribe","conversation_id":"c","after":9223372036854775808}`, "after: is not a whole number from 0 up"},
		{`{"type":"subscribe","conversation_id":"c","after":` + strings.Repeat("9", 10_000) + `}`, "after: is not a whole number from 0 up"},
		{`{"type":"subscribe","conversation_id":"c","epoch":"a b"}`, "epoch: " + idForm},
		{`{"type":"unsubscribe"}`, "conversation_id: is missing"},
		{`{"type":"unsubscribe","conversation_id":null}`, "conversation_id: is missing"},
	} {
		request, err := wire.ParseRequest([]byte(c.frame))
		var refused *wire.RefusedError
		if !errors.As(err, &refused) {
			t.Errorf("%.120s: got %v, %v; want a refusal", c.frame, request, err)
			continue
		}
		want := &pam.Error{Code: pam.CodeInvalid, Op: "wire.parse", Detail: c.detail}
		if diff := cmp.Diff(want, refused.Err); diff != "" {
			t.Errorf("%.120s: %s", c.frame, diff)
		}
	}
}

// TestParseRequestUnknownType holds that a frame which says a type that is none
// is told so, whatever else it says.
func TestParseRequestUnknownType(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"", "Ping", "ping ", "ping\x00", "chat_response", "user_message", "error", "пинг", strings.Repeat("x", 100_000)} {
		frame := append([]byte(`{"id":"i","message":5,"type":`), quote(kind)...)
		_, err := wire.ParseRequest(append(frame, '}'))
		if pam.CodeOf(err) != pam.CodeUnknownType {
			t.Errorf("type %.20q: got %v, want unknown_type", kind, err)
		}
		var refused *wire.RefusedError
		if !errors.As(err, &refused) || refused.ID != "i" {
			t.Errorf("type %.20q: the refusal does not name the id: %v", kind, err)
		}
	}
}

// TestParseRequestRefusalNamesIDs holds that a refusal carries the ids of the
// frame where they are ids.
func TestParseRequestRefusalNamesIDs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fields       string
		id           pam.ChatID
		conversation pam.ConversationID
	}{
		{`"id":"i","conversation_id":"c"`, "i", "c"},
		{`"id":"\u0069","conversation_id":"\u0063"`, "i", "c"},
		{`"id":"i"`, "i", ""},
		{`"conversation_id":"c"`, "", "c"},
		{`"id":null,"conversation_id":"c"`, "", "c"},
		{`"id":"a b","conversation_id":"c"`, "", "c"},
		{`"id":"i","conversation_id":""`, "i", ""},
		{`"id":5,"conversation_id":[]`, "", ""},
		{`"id":"` + strings.Repeat("i", 65) + `","conversation_id":"` + strings.Repeat("c", 64) + `"`, "", pam.ConversationID(strings.Repeat("c", 64))},
	} {
		_, err := wire.ParseRequest([]byte(`{"type":"chat",` + c.fields + `}`))
		var refused *wire.RefusedError
		if !errors.As(err, &refused) {
			t.Errorf("%s: got %v", c.fields, err)
			continue
		}
		if refused.ID != c.id || refused.Conversation != c.conversation {
			t.Errorf("%s: names %q and %q, want %q and %q", c.fields, refused.ID, refused.Conversation, c.id, c.conversation)
		}
		if !errors.Is(err, &pam.Error{Code: pam.CodeInvalid}) || err.Error() != refused.Err.Error() {
			t.Errorf("%s: %v is not the refusal itself", c.fields, err)
		}
	}
}

// TestParseRequestLengthOfMessage holds that characters are code points.
func TestParseRequestLengthOfMessage(t *testing.T) {
	t.Parallel()
	for _, character := range []string{"a", "é", "漢", "😀", `\ud83d\ude00`, `\u0000`, `\n`} {
		whole := `{"type":"chat","message":"a` + strings.Repeat(character, 32_767) + `"}`
		if _, err := wire.ParseRequest([]byte(whole)); err != nil {
			t.Errorf("32,768 of %s: %v", character, err)
		}
		over := `{"type":"chat","content":"a` + strings.Repeat(character, 32_768) + `"}`
		_, err := wire.ParseRequest([]byte(over))
		var e *pam.Error
		if !errors.As(err, &e) || e.Detail != "message: has 32769 characters, at most 32,768 are taken" {
			t.Errorf("32,769 of %s: %v", character, err)
		}
	}
}

// TestParseRequestManyConversations holds the bound of a list, and that a list
// beyond it costs no more than the bound.
func TestParseRequestManyConversations(t *testing.T) {
	t.Parallel()
	list := func(n int, entry string) []byte {
		return []byte(`{"type":"init","conversations":[` + strings.TrimSuffix(strings.Repeat(entry+",", n), ",") + `]}`)
	}
	request, err := wire.ParseRequest(list(wire.MaxConversations, `{"id":"a"}`))
	if err != nil {
		t.Fatal(err)
	}
	if init, ok := request.(wire.Init); !ok || len(init.Conversations) != wire.MaxConversations {
		t.Errorf("got %T with another number of conversations", request)
	}
	_, err = wire.ParseRequest(list(wire.MaxConversations+1, `{"id":"a"}`))
	var e *pam.Error
	if !errors.As(err, &e) || e.Detail != "conversations: has more than 10,000 entries" {
		t.Errorf("10,001 conversations: %v", err)
	}
}

// TestParseRequestNull holds that `null` is absent, for every field of every
// request.
func TestParseRequestNull(t *testing.T) {
	t.Parallel()
	for kind, valid := range validFields() {
		for _, field := range fieldNames() {
			without, with := frameOf(kind, valid, field, ""), frameOf(kind, valid, field, "null")
			want, wantErr := wire.ParseRequest([]byte(without))
			got, err := wire.ParseRequest([]byte(with))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s", with, diff)
			}
			if fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Errorf("%s: %v, want %v", with, err, wantErr)
			}
		}
	}
}

// TestParseRequestUnknownFields holds that they are ignored, whatever they are.
func TestParseRequestUnknownFields(t *testing.T) {
	t.Parallel()
	for kind, valid := range validFields() {
		want, err := wire.ParseRequest([]byte(frameOf(kind, valid, "", "")))
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		for _, value := range []string{`null`, `"x"`, `[{"a":[1]}]`, `{"type":"chat","type2":1}`, `-0.0e-99999`, strings.Repeat("9", 100_000)} {
			for _, name := range []string{`later`, `Type`, ``, `\u0000`, `\ud83d\ude00`, `__proto__`} {
				frame := strings.TrimSuffix(frameOf(kind, valid, "", ""), "}") + `,"` + name + `":` + value + `}`
				got, err := wire.ParseRequest([]byte(frame))
				if err != nil {
					t.Fatalf("%.200s: %v", frame, err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%.200s: %s", frame, diff)
				}
			}
		}
	}
}

// TestParseRequestAs holds what an HTTP body may leave out.
func TestParseRequestAs(t *testing.T) {
	t.Parallel()
	for _, frame := range []string{`{"message":"hi"}`, `{"type":null,"message":"hi"}`, `{"type":"chat","message":"hi"}`} {
		got, err := wire.ParseRequestAs("chat", []byte(frame))
		if err != nil {
			t.Errorf("%s: %v", frame, err)
		}
		if diff := cmp.Diff(wire.Request(wire.Chat{Message: "hi"}), got); diff != "" {
			t.Errorf("%s: %s", frame, diff)
		}
	}
	if got, err := wire.ParseRequestAs("chat", []byte(`{"type":"ping"}`)); err != nil || !cmp.Equal(got, wire.Request(wire.Ping{})) {
		t.Errorf("a type that is given counts: got %v, %v", got, err)
	}
	for frame, want := range map[string]pam.Code{
		`[]`: pam.CodeBadFrame, ``: pam.CodeBadFrame, `null`: pam.CodeBadFrame, `{"type":5}`: pam.CodeBadFrame,
		`{}`: pam.CodeInvalid, `{"type":"x"}`: pam.CodeUnknownType,
	} {
		if _, err := wire.ParseRequestAs("chat", []byte(frame)); pam.CodeOf(err) != want {
			t.Errorf("%s: got %v, want %v", frame, err, want)
		}
	}
}

// fieldNames are all fields of all requests, but type.
func fieldNames() []string {
	return []string{
		"timestamp", "token", "context", "session_id", "conversations", "message", "content", "id",
		"conversation_id", "stream", "when_busy", "turn_id", "after", "epoch",
	}
}

// validFields has, for each type, fields that make a whole request.
func validFields() map[string]map[string]string {
	return map[string]map[string]string{
		"ping": {"timestamp": `1`}, "pong": {}, "auth": {"token": `"t"`},
		"init":           {"context": `{"a":1}`, "session_id": `"s"`, "conversations": `[{"id":"c","after":1,"epoch":"e"}]`},
		"context_update": {"context": `{"a":1}`, "session_id": `"s"`},
		"chat":           {"message": `"m"`, "content": `"m"`, "id": `"i"`, "conversation_id": `"c"`, "stream": `true`, "when_busy": `"reject"`, "session_id": `"s"`, "context": `{}`},
		"cancel":         {"turn_id": `"t"`, "conversation_id": `"c"`},
		"subscribe":      {"conversation_id": `"c"`, "after": `1`, "epoch": `"e"`},
		"unsubscribe":    {"conversation_id": `"c"`},
	}
}

// frameOf is a frame of fields with field set to value, or left out where value
// is empty.
func frameOf(kind string, fields map[string]string, field, value string) string {
	var b strings.Builder
	b.WriteString(`{"type":"` + kind + `"`)
	for _, name := range fieldNames() {
		v := fields[name]
		if name == field {
			v = value
		}
		if v != "" {
			b.WriteString(`,"` + name + `":` + v)
		}
	}
	return b.String() + "}"
}

func quote(s string) []byte {
	quoted, err := jsontext.AppendQuote(nil, s)
	if err != nil {
		return []byte(`"` + err.Error() + `"`)
	}
	return quoted
}
