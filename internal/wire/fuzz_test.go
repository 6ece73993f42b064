package wire_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/wire"
)

// FuzzParseRequest holds that no frame brings the parser down, that what it
// takes is within the protocol's limits, that what it refuses is refused by one
// of three codes, and that the short way for heartbeats judges as the long one.
func FuzzParseRequest(f *testing.F) {
	f.Fuzz(func(t *testing.T, frame []byte) {
		given := bytes.Clone(frame)
		request, err := wire.ParseRequest(frame)
		if !bytes.Equal(frame, given) {
			t.Fatalf("%q was changed in place", given)
		}
		// With no kind, ParseRequestAs is the parser alone, without the short way.
		long, longErr := wire.ParseRequestAs("", frame)
		if !cmp.Equal(request, long) || (err == nil) != (longErr == nil) || pam.CodeOf(err) != pam.CodeOf(longErr) {
			t.Fatalf("%q: %v, %v; by the long way %v, %v", frame, request, err, long, longErr)
		}
		if err != nil {
			checkRefusal(t, request, err)
			return
		}
		if !jsontext.Value(frame).IsValid() {
			t.Fatalf("%q is not strict JSON, and taken for %v", frame, request)
		}
		var kind struct {
			Type string `json:"type"`
		}
		if err := json.Unmarshal(frame, &kind); err != nil || deepest(frame) > wire.MaxDepth {
			t.Fatalf("%q (%v) is taken for %v", frame, err, request)
		}
		checkRequest(t, kind.Type, request)
	})
}

func checkRefusal(t *testing.T, request wire.Request, err error) {
	t.Helper()
	var e *pam.Error
	if request != nil || !errors.As(err, &e) || e.Err != nil || e.Op == "" {
		t.Fatalf("refused by %v, with %v", err, request)
	}
	var refused *wire.RefusedError
	switch e.Code {
	case pam.CodeBadFrame:
		if errors.As(err, &refused) {
			t.Fatalf("bad_frame names ids: %v", err)
		}
	case pam.CodeUnknownType, pam.CodeInvalid:
		if !errors.As(err, &refused) || !idOrNone(string(refused.ID)) || !idOrNone(string(refused.Conversation)) {
			t.Fatalf("refused by %v, which does not name ids", err)
		}
	default:
		t.Fatalf("refused by %v", err)
	}
	if (e.Code == pam.CodeUnknownType) != (e.Detail == "") || len(e.Detail) > 100 {
		t.Fatalf("detail %q of %v", e.Detail, err)
	}
	if !jsontext.Value(wire.AppendError(nil, e, wire.About{})).IsValid() {
		t.Fatalf("the error frame of %v is not JSON", err)
	}
}

func checkRequest(t *testing.T, kind string, request wire.Request) {
	t.Helper()
	var want string
	whole := true
	switch r := request.(type) {
	case wire.Ping:
		want, whole = "ping", len(r.Timestamp) <= wire.MaxTimestamp && (r.Timestamp == nil || r.Timestamp.IsValid()) && r.Timestamp.Kind() != 'n'
	case wire.Pong:
		want = "pong"
	case wire.Auth:
		want, whole = "auth", utf8.ValidString(r.Token)
	case wire.Init:
		want, whole = "init", idOrNone(string(r.Session)) && objectOrNone(r.Context) && len(r.Conversations) <= wire.MaxConversations
		for _, c := range r.Conversations {
			whole = whole && cursor(c)
		}
	case wire.ContextUpdate:
		want, whole = "context_update", idOrNone(string(r.Session)) && r.Context != nil && objectOrNone(r.Context)
	case wire.Chat:
		n := utf8.RuneCountInString(r.Message)
		want, whole = "chat", n >= 1 && n <= wire.MaxMessage && strings.TrimSpace(r.Message) != "" && utf8.ValidString(r.Message) &&
			idOrNone(string(r.ID)) && idOrNone(string(r.Conversation)) && idOrNone(string(r.Session)) && r.WhenBusy <= pam.Reject && objectOrNone(r.Context)
	case wire.Cancel:
		want, whole = "cancel", idOrNone(string(r.Turn)) && idOrNone(string(r.Conversation)) && string(r.Turn)+string(r.Conversation) != ""
	case wire.Subscribe:
		want, whole = "subscribe", cursor(r.Cursor)
	case wire.Unsubscribe:
		want, whole = "unsubscribe", pam.ValidID(string(r.Conversation))
	}
	if kind != want || !whole {
		t.Fatalf("a %q is taken for %+v", kind, request)
	}
}

func idOrNone(id string) bool { return id == "" || pam.ValidID(id) }

func objectOrNone(v jsontext.Value) bool { return v == nil || (v.Kind() == '{' && v.IsValid()) }

func cursor(c wire.Cursor) bool {
	return pam.ValidID(string(c.Conversation)) && c.After >= 0 && idOrNone(string(c.Epoch))
}

// FuzzDecodeEvent holds that no frame brings the decoder down, and that what it
// takes is written and read again as it is.
func FuzzDecodeEvent(f *testing.F) {
	f.Fuzz(func(t *testing.T, frame []byte) {
		e, err := wire.DecodeEvent("u", frame)
		if err != nil {
			return
		}
		if e.Key.User != "u" || e.Body == nil || e.From < 1 || e.From > e.Seq {
			t.Fatalf("%q is taken for %+v", frame, e)
		}
		if year := e.At.Year(); year < 0 || year > 9999 {
			return // in another zone it was a year of four digits
		}
		written := wire.AppendEvent(nil, &e)
		if !jsontext.Value(written).IsValid() || bytes.ContainsAny(written, "\r\n") {
			t.Fatalf("%q is written again as %q, which is not one line of strict JSON", frame, written)
		}
		read, err := wire.DecodeEvent("u", written)
		if err != nil {
			t.Fatalf("%q is written again as %q: %v", frame, written, err)
		}
		if again := wire.AppendEvent(nil, &read); !bytes.Equal(written, again) {
			t.Fatalf("%q is written again as %q, and then as %q", frame, written, again)
		}
	})
}
