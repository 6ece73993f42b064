package wire_test

import (
	"bytes"
	stdjson "encoding/json"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"pgregory.net/rapid"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/wire"
)

func TestMain(m *testing.M) {
	flag.Bool("update", false, "rewrite the golden files")
	m.Run()
}

// frame is one frame of the server, and the fields that the protocol gives it:
// `?` ends the name of one that may be left out.
type frame struct {
	name   string
	fields string
	bytes  []byte
}

// frames are all frames of a server, in the order of the protocol's text. Beyond
// it go session_id of a user_message, omitted_turns, and the conversation_id of
// turn_progress and conversations_changed.
func frames() []frame {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_999_999, time.FixedZone("", 3600))
	about := wire.About{ID: "1736500000.123", Conversation: "c-1"}
	const errorFields = "type error_code message hint retry_after_ms? conversation_id? id? detail?"
	const responseFields = "type id message content conversation_id message_id turn_id status model error error_code? ui_actions usage processing_time_ms timestamp"
	response := wire.ChatResponse{
		Chat: "1736500000.123", Conversation: "c-1", Message: "m-1", Turn: "t-1", Model: "builtin", At: at, ProcessingTime: 1500 * time.Millisecond,
		Final: pam.Complete{Status: pam.TurnCompleted, Parts: parts(), Usage: pam.Usage{InputTokens: 12, OutputTokens: 7}},
	}
	failed, cut := response, response
	failed.Final = pam.Complete{Status: pam.TurnFailed, Error: failure()}
	cut.Final = pam.Complete{Status: pam.TurnFailed, Parts: []pam.Part{{Text: "So far."}}, Error: failure()}
	list := []frame{
		{"pong: the answer to a ping", "type timestamp? server_time", wire.AppendPong(nil, nil, at)},
		{"pong: its timestamp as it came", "type timestamp? server_time", wire.AppendPong(nil, jsontext.Value(`1736500000.1230`), at)},
		{"ping: the heartbeat of a pam.v1 client", "type server_time", wire.AppendPing(nil, at)},
		{"auth_ok: who is speaking, and until when", "type user_id expires_at", wire.AppendAuthOK(nil, "test-user-123", at)},
		{"auth_expiring: 60 s before the end of the token", "type expires_at", wire.AppendAuthExpiring(nil, at)},
		{"connected: the greeting of a pam.v1 client", "type connection_id server_version heartbeat_ms limits", wire.AppendConnected(nil, wire.Greeting{
			Connection: "k-1", ServerVersion: "1.0.0", Heartbeat: 25 * time.Second, MaxOutbox: 256 << 10, Subscriptions: 1000,
		})},
		{"init_ack: the context is merged", "type session_id context_version", wire.AppendInitAck(nil, "default", 3)},
		{"context_updated: so it is here", "type context_version", wire.AppendContextUpdated(nil, 4)},
		{"subscribed: before any event of the conversation", "type conversation_id epoch seq from reset", wire.AppendSubscribed(nil, wire.Subscription{Conversation: "c-1", Epoch: "e-1", Seq: 42, From: 40})},
		{"subscribed: forget the conversation first", "type conversation_id epoch seq from reset", wire.AppendSubscribed(nil, wire.Subscription{Conversation: "c-1", Epoch: "e-2", Seq: 42, From: 1, Reset: true})},
		{"unsubscribed: nothing more of it comes", "type conversation_id", wire.AppendUnsubscribed(nil, "c-1")},
		{"turn_progress: every 5 s, while nothing else comes", "type conversation_id turn_id phase elapsed_ms", wire.AppendProgress(nil, pam.Key{User: "u", Conversation: "c-1"}, "t-1", "model", 5*time.Second)},
		{"conversations_changed: by another of the user's connections", "type conversation_id", wire.AppendConversationsChanged(nil, "c-1")},
		{"goaway: connect anew, each client at a time of its own", "type reconnect_after_ms", wire.AppendGoAway(nil, 1234*time.Millisecond)},
		{"error: in the table's own words", errorFields, wire.AppendError(nil, &pam.Error{Code: pam.CodeTokenExpired}, wire.About{})},
		{"error: of a chat, with all that one can have", errorFields, wire.AppendError(nil, &pam.Error{
			Code: pam.CodeInvalid, Op: "never sent", Message: "Said to the person.", Hint: "Said to the author.",
			Detail: "when_busy: is none of queue, interrupt, reject", RetryAfter: 1500 * time.Millisecond, Err: os.ErrClosed,
		}, about)},
		{"chat_response: the one answer of a plain client", responseFields, wire.AppendChatResponse(nil, response)},
		{"chat_response: of a turn that failed with nothing to show", responseFields, wire.AppendChatResponse(nil, failed)},
		{"chat_response: of a turn that failed, its text kept", responseFields, wire.AppendChatResponse(nil, cut)},
	}
	return append(list, eventFrames(at)...)
}

func parts() []pam.Part {
	return []pam.Part{
		{Text: "Let me see. "},
		{Call: &pam.Call{ID: "call-1", Name: "calculate", Arguments: stdjson.RawMessage(`{"expression":"12% * 340"}`), Status: pam.CallCompleted, Result: "40.8"}},
		{Text: "It is 40.8."},
	}
}

func failure() *pam.Failure {
	m := wire.Meaning(pam.CodeProviderTimeout)
	return &pam.Failure{Code: pam.CodeProviderTimeout, Message: m.Message, Hint: m.Hint}
}

// eventFrames are the durable events, in the order in which a turn meets them.
func eventFrames(at time.Time) []frame {
	const envelope = "type conversation_id seq from? turn_id at "
	const completeFields = envelope + "status parts full_response usage error? processing_time_ms"
	event := func(from, seq int64, body pam.EventBody) []byte {
		turn := pam.TurnID("t-1")
		if body.Kind() == pam.KindUpdated {
			turn = ""
		}
		return wire.AppendEvent(nil, &pam.Event{Key: pam.Key{User: "u", Conversation: "c-1"}, From: from, Seq: seq, Turn: turn, At: at, Body: body})
	}
	calculate := stdjson.RawMessage(`{"expression":"12% * 340"}`)
	return []frame{
		{"user_message: the acknowledgement to its sender, the message to all others", envelope + "id message session_id?", event(1, 1, pam.UserMessage{ID: "1736500000.123", Message: "What is 12% of 340?", Session: pam.DefaultSession})},
		{"user_message: in a session of its own", envelope + "id message session_id?", event(9, 9, pam.UserMessage{ID: "i", Message: "And of 350?", Session: "car"})},
		{"chat_response_start: committed before the model is called", envelope + "message_id model attempt omitted_turns", event(2, 2, pam.Start{MessageID: "m-1", Model: "builtin", Attempt: 1, OmittedTurns: 4})},
		{"chat_response_delta: a piece of text", envelope + "content", event(3, 3, pam.Delta{Content: "Let me "})},
		{"chat_response_delta: several, merged by a replay", envelope + "content", event(3, 5, pam.Delta{Content: "Let me see. \"So\"\n\u2028"})},
		{"tool_call: committed before the call is made", envelope + "call_id name arguments", event(6, 6, pam.ToolCall{CallID: "call-1", Name: "calculate", Arguments: calculate})},
		{"tool_call_update: what became of it", envelope + "call_id status result", event(7, 7, pam.ToolCallUpdate{CallID: "call-1", Status: pam.CallCompleted, Result: "40.8"})},
		{"chat_response_reset: the answer so far is now exactly this", envelope + "parts reason", event(8, 8, pam.Reset{Parts: parts()[:2], Reason: "restarted"})},
		{"chat_response_complete: the one end of a turn, with the numbers of its deltas", completeFields, event(8, 12, pam.Complete{Status: pam.TurnCompleted, Parts: parts(), Usage: pam.Usage{InputTokens: 12, OutputTokens: 7}, ProcessingTime: 1500 * time.Millisecond})},
		{"chat_response_complete: of a turn that failed", completeFields, event(12, 12, pam.Complete{Status: pam.TurnFailed, Error: failure()})},
		{"conversation_updated: a title, of no turn", "type conversation_id seq from? at title", event(13, 13, pam.ConversationUpdated{Title: "Percentages"})},
	}
}

// TestFrames holds every frame of the server against the golden file, which is
// also where to read what they look like.
func TestFrames(t *testing.T) {
	t.Parallel()
	const path = "testdata/frames.txtar"
	golden, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	archive := &txtar.Archive{Comment: golden.Comment}
	for _, f := range frames() {
		archive.Files = append(archive.Files, txtar.File{Name: f.name, Data: append(f.bytes, '\n')})
	}
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(path, txtar.Format(archive), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(txtar.Format(golden)), string(txtar.Format(archive))); diff != "" {
		t.Errorf("%s (-update rewrites it): %s", path, diff)
	}
}

// TestFramesHaveTheirFields holds that a frame is one line of strict JSON with
// `type` first, and that it has the fields of the protocol and no other.
func TestFramesHaveTheirFields(t *testing.T) {
	t.Parallel()
	seen := map[string]map[string]bool{}
	for _, f := range frames() {
		kind, _, _ := strings.Cut(f.name, ":")
		if !bytes.HasPrefix(f.bytes, []byte(`{"type":"`+kind+`"`)) {
			t.Errorf("%s: type is not first: %s", f.name, f.bytes)
		}
		var members map[string]jsontext.Value
		if err := json.Unmarshal(f.bytes, &members); err != nil || bytes.ContainsAny(f.bytes, "\r\n") {
			t.Errorf("%s: %v: %q", f.name, err, f.bytes)
			continue
		}
		if seen[kind] == nil {
			seen[kind] = map[string]bool{}
		}
		known := strings.Fields(f.fields)
		for name := range members {
			seen[kind][name] = true
			if !slices.Contains(known, name) && !slices.Contains(known, name+"?") {
				t.Errorf("%s: %q is no field of it: %s", f.name, name, f.bytes)
			}
		}
		for _, name := range known {
			if _, there := members[name]; !there && !strings.HasSuffix(name, "?") {
				t.Errorf("%s: %q is missing: %s", f.name, name, f.bytes)
			}
		}
	}
	for _, f := range frames() { // each field that may be left out is shown once
		kind, _, _ := strings.Cut(f.name, ":")
		for name := range strings.FieldsSeq(f.fields) {
			if name != "from?" && !seen[kind][strings.TrimSuffix(name, "?")] { // from is TestEventRoundTrip's
				t.Errorf("no %s shows %q", kind, name)
			}
		}
	}
	for _, kind := range pam.Kinds() {
		if seen[kind.String()] == nil {
			t.Errorf("no frame shows %v", kind)
		}
	}
}

// TestFramesOfHostileText holds that whatever a frame is made of, it is one line
// of strict JSON.
func TestFramesOfHostileText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := func(name string) string { return hostile().Draw(t, name) }
		code := pam.Code(rapid.Byte().Draw(t, "code"))
		now, text := time.Unix(rapid.Int64Range(0, 1<<37).Draw(t, "now"), 0), s("text")
		conversation := pam.ConversationID(s("conversation"))
		e := &pam.Error{Code: code, Message: s("message"), Hint: s("hint"), Detail: s("detail"), RetryAfter: time.Duration(rapid.Int64().Draw(t, "retry"))}
		for _, frame := range [][]byte{
			wire.AppendConnected(nil, wire.Greeting{Connection: pam.ConnectionID(text), ServerVersion: s("version")}),
			wire.AppendAuthOK(nil, pam.UserID(text), now),
			wire.AppendInitAck(nil, pam.SessionID(text), 1),
			wire.AppendSubscribed(nil, wire.Subscription{Conversation: conversation, Epoch: pam.Epoch(text)}),
			wire.AppendUnsubscribed(nil, conversation),
			wire.AppendConversationsChanged(nil, conversation),
			wire.AppendProgress(nil, pam.Key{Conversation: conversation}, pam.TurnID(text), s("phase"), 0),
			wire.AppendError(nil, e, wire.About{ID: pam.ChatID(text), Conversation: conversation}),
			wire.AppendChatResponse(nil, wire.ChatResponse{
				Chat: pam.ChatID(text), Conversation: conversation, Message: pam.MessageID(text), Turn: pam.TurnID(text), Model: s("model"), At: now, Final: drawComplete(t),
			}),
		} {
			if !jsontext.Value(frame).IsValid() || bytes.ContainsAny(frame, "\r\n") {
				t.Fatalf("not one line of strict JSON: %q", frame)
			}
		}
	})
}

// TestTimes holds how the wire writes a time.
func TestTimes(t *testing.T) {
	t.Parallel()
	for want, at := range map[string]time.Time{
		"2026-01-02T03:04:05.000Z": time.Date(2026, 1, 2, 3, 4, 5, 999_999, time.UTC),
		"2026-01-01T18:04:05.120Z": time.Date(2026, 1, 2, 3, 4, 5, 120e6, time.FixedZone("JST", 9*3600)),
		"1970-01-01T00:00:00.000Z": time.Unix(0, 0),
		"0001-01-01T00:00:00.000Z": {},
	} {
		if got := wire.FormatTime(at); got != want || string(wire.AppendTime([]byte("x"), at)) != "x"+want {
			t.Errorf("%v is written %s, want %s", at, got, want)
		}
	}
}
