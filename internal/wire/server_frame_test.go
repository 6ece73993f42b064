package wire_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/wire"
)

// TestDecodeServer reads what the server's own functions write.
func TestDecodeServer(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 25, 10, 30, 0, 123e6, time.UTC)
	key := pam.Key{Conversation: "c1"}
	event := pam.Event{Key: key, From: 3, Seq: 7, Turn: "t1", At: at, Body: pam.Complete{
		Status: pam.TurnFailed, Parts: []pam.Part{{Text: "40.8"}},
		Error: &pam.Failure{Code: pam.CodeProviderTimeout, Message: "m", Hint: "h"},
	}}
	greeting := wire.Greeting{Connection: "k1", ServerVersion: "1.2", Heartbeat: 25 * time.Second, MaxOutbox: 1 << 18, Subscriptions: 9}
	subscription := wire.Subscription{Conversation: "c1", Epoch: "e1", Seq: 9, From: 4, Reset: true}
	refusal := &pam.Error{Code: pam.CodeBusy, Message: "m", Hint: "h", Detail: "d", RetryAfter: time.Second}
	answer := wire.ChatResponse{
		Chat: "1", Conversation: "c1", Message: "m1", Turn: "t1", Model: "builtin", At: at, ProcessingTime: time.Millisecond,
		Final: pam.Complete{Status: pam.TurnCompleted, Parts: []pam.Part{{Text: "hi"}}, Usage: pam.Usage{InputTokens: 1, OutputTokens: 2}},
	}
	for _, c := range []struct {
		name  string
		frame []byte
		want  wire.ServerFrame
	}{
		{"event", wire.AppendEvent(nil, &event), wire.Event{Event: event}},
		{"connected", wire.AppendConnected(nil, greeting), wire.Connected{Greeting: greeting}},
		{"auth_ok", wire.AppendAuthOK(nil, "dev", at), wire.AuthOK{User: "dev", Expires: at}},
		{"auth_expiring", wire.AppendAuthExpiring(nil, at), wire.AuthExpiring{Expires: at}},
		{"ping", wire.AppendPing(nil, at), wire.PingFrame{ServerTime: at}},
		{"pong", wire.AppendPong(nil, jsontext.Value(`17`), at), wire.PongFrame{Timestamp: jsontext.Value(`17`), ServerTime: at}},
		{"init_ack", wire.AppendInitAck(nil, "s", 3), wire.InitAck{Session: "s", Version: 3}},
		{"context_updated", wire.AppendContextUpdated(nil, 4), wire.ContextUpdated{Version: 4}},
		{"subscribed", wire.AppendSubscribed(nil, subscription), wire.Subscribed{Subscription: subscription}},
		{"unsubscribed", wire.AppendUnsubscribed(nil, "c1"), wire.Unsubscribed{Conversation: "c1"}},
		{"turn_progress", wire.AppendProgress(nil, key, "t1", "model", 5*time.Second), wire.TurnProgress{Conversation: "c1", Turn: "t1", Phase: "model", Elapsed: 5 * time.Second}},
		{"conversations_changed", wire.AppendConversationsChanged(nil, "c1"), wire.ConversationsChanged{Conversation: "c1"}},
		{"goaway", wire.AppendGoAway(nil, time.Second), wire.GoAway{After: time.Second}},
		{"error", wire.AppendError(nil, refusal, wire.About{ID: "1", Conversation: "c1"}), wire.ErrorFrame{About: wire.About{ID: "1", Conversation: "c1"}, Err: refusal}},
		{"chat_response", wire.AppendChatResponse(nil, answer), answer},
		{"type last", []byte(`{"context_version":2,"type":"context_updated"}`), wire.ContextUpdated{Version: 2}},
		{"type escaped", []byte(`{"type":"\u0070ing"}`), wire.PingFrame{}},
		{"a later type", []byte(`{"type":"reminder","text":{}}`), wire.Unknown{Type: "reminder"}},
		{
			"a later event",
			[]byte(`{"type":"tool_approval","conversation_id":"c1","seq":5,"turn_id":"t1","status":["?"]}`),
			wire.Unknown{Type: "tool_approval", Event: pam.Event{Key: key, From: 5, Seq: 5, Turn: "t1"}},
		},
		{
			"a later code",
			[]byte(`{"type":"error","error_code":"moon_full","message":"m","hint":"h"}`),
			wire.ErrorFrame{Err: &pam.Error{Code: pam.CodeInternal, Message: "m", Hint: "h"}},
		},
		{
			"a later code in an event",
			[]byte(`{"type":"chat_response_complete","conversation_id":"c1","seq":2,"turn_id":"t1","at":"2026-11-25T10:30:00.123Z","status":"failed","error":{"error_code":"moon_full","message":"m","hint":"h"}}`),
			wire.Event{Event: pam.Event{Key: key, From: 2, Seq: 2, Turn: "t1", At: at, Body: pam.Complete{
				Status: pam.TurnFailed, Error: &pam.Failure{Code: pam.CodeInternal, Message: "m", Hint: "h"},
			}}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := wire.DecodeServer(c.frame)
			if err != nil {
				t.Fatalf("DecodeServer(%s): %v", c.frame, err)
			}
			if diff := cmp.Diff(c.want, got, cmpopts.EquateErrors()); diff != "" {
				t.Errorf("DecodeServer(%s) (-want +got):\n%s", c.frame, diff)
			}
		})
	}
}

func TestDecodeServerRefuses(t *testing.T) {
	t.Parallel()
	for _, frame := range []string{
		``, `[]`, `17`, `{}`, `{"type":`, `{"type":7}`, `{"type":""}`, `{"type":"ping"`,
		`{"type":"connected","heartbeat_ms":"soon"}`,
		`{"type":"chat_response_complete","status":"done"}`,
		"{\"type\":\"ping\xff\"}",
		`{"type":"chat_response_delta","conversation_id":"c","seq":2,"from":3,"at":"2026-11-25T10:30:00Z","content":"x"}`,
		`{"type":"chat_response_delta","conversation_id":"c","seq":0,"at":"2026-11-25T10:30:00Z","content":"x"}`,
	} {
		if got, err := wire.DecodeServer([]byte(frame)); err == nil {
			t.Errorf("DecodeServer(%s) = %#v, want an error", frame, got)
		}
	}
}

// FuzzDecodeServer wants no panic, and of each event the rule that it covers
// what it says.
func FuzzDecodeServer(f *testing.F) {
	f.Add(wire.AppendPing(nil, time.Time{}))
	f.Add([]byte(`{"type":"chat_response_delta","conversation_id":"c","seq":4,"from":2,"turn_id":"t","content":"x"}`))
	f.Fuzz(func(t *testing.T, frame []byte) {
		got, err := wire.DecodeServer(frame)
		if (got == nil) == (err == nil) {
			t.Errorf("DecodeServer(%q) = %v, %v", frame, got, err)
		}
		if e, ok := got.(wire.Event); ok && e.Body == nil {
			t.Errorf("DecodeServer(%q): an event without a body", frame)
		}
	})
}

// TestAppendRequest: the server reads what the client writes.
func TestAppendRequest(t *testing.T) {
	t.Parallel()
	id := rapid.StringMatching(`[A-Za-z0-9._:-]{1,64}`)
	maybe := rapid.OneOf(rapid.Just(""), id)
	context := rapid.SampledFrom([]jsontext.Value{nil, jsontext.Value(`{"a":{"b":null}}`)})
	cursor := rapid.Custom(func(t *rapid.T) wire.Cursor {
		return wire.Cursor{
			Conversation: pam.ConversationID(id.Draw(t, "conversation")),
			Resume:       pam.Resume{After: rapid.Int64Min(0).Draw(t, "after"), Epoch: pam.Epoch(maybe.Draw(t, "epoch"))},
		}
	})
	request := rapid.OneOf(
		rapid.Just[wire.Request](wire.Ping{Timestamp: jsontext.Value(`12`)}),
		rapid.Just[wire.Request](wire.Pong{}),
		rapid.Map(rapid.StringN(1, 20, -1), func(s string) wire.Request { return wire.Auth{Token: s} }),
		rapid.Custom(func(t *rapid.T) wire.Request {
			r := wire.Init{Session: pam.SessionID(maybe.Draw(t, "session")), Context: context.Draw(t, "context")}
			if cursors := rapid.SliceOfN(cursor, 0, 4).Draw(t, "cursors"); len(cursors) > 0 {
				r.Conversations = cursors
			}
			return r
		}),
		rapid.Just[wire.Request](wire.ContextUpdate{Session: "s", Context: jsontext.Value(`{}`)}),
		rapid.Custom(func(t *rapid.T) wire.Request {
			return wire.Chat{
				ID: pam.ChatID(maybe.Draw(t, "id")), Conversation: pam.ConversationID(maybe.Draw(t, "conversation")),
				Message: "x" + rapid.String().Draw(t, "message"), Stream: rapid.Bool().Draw(t, "stream"),
				WhenBusy: rapid.SampledFrom([]pam.WhenBusy{pam.Queue, pam.Interrupt, pam.Reject}).Draw(t, "busy"),
				Session:  pam.SessionID(maybe.Draw(t, "session")), Context: context.Draw(t, "context"),
			}
		}),
		rapid.Map(id, func(s string) wire.Request { return wire.Cancel{Turn: pam.TurnID(s)} }),
		rapid.Map(id, func(s string) wire.Request { return wire.Cancel{Conversation: pam.ConversationID(s)} }),
		rapid.Map(cursor, func(c wire.Cursor) wire.Request { return wire.Subscribe{Cursor: c} }),
		rapid.Map(id, func(s string) wire.Request { return wire.Unsubscribe{Conversation: pam.ConversationID(s)} }),
	)
	rapid.Check(t, func(t *rapid.T) {
		want := request.Draw(t, "request")
		frame := wire.AppendRequest(nil, want)
		if !json.Valid(frame) {
			t.Fatalf("not JSON: %s", frame)
		}
		got, err := wire.ParseRequest(frame)
		if err != nil {
			t.Fatalf("ParseRequest(%s): %v", frame, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", frame, diff)
		}
	})
}
