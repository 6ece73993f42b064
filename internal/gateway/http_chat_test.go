package gateway_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestHTTPChat(t *testing.T) {
	t.Parallel()
	a := serveAPI(t)
	answer, body := a.whole(http.MethodPost, "/chat", `{"message":"a word","id":"m1","conversation_id":"c1"}`)
	f := a.parse(body)
	if answer.StatusCode != http.StatusOK || f.Type != "chat_response" || f.Message != "a word" || f.ID != "m1" || f.Conversation != "c1" || f.Status != "completed" {
		t.Errorf("%s: %s", answer.Status, body)
	}
	if got := answer.Header.Get("Cache-Control"); !strings.Contains(got, "no-store") {
		t.Errorf("Cache-Control is %q", got)
	}
	_, again := a.whole(http.MethodPost, "/chat", `{"type":"chat","message":"a word","id":"m1"}`)
	if g := a.parse(again); g.Turn != f.Turn || g.Message != "a word" {
		t.Errorf("said again, it is answered by %s", again)
	}
	a.whole(http.MethodPost, "/frames", `{"type":"chat","message":"bench d=20 r=100","conversation_id":"c1"}`)
	_, behind := a.whole(http.MethodPost, "/chat", `{"message":"waits","conversation_id":"c1"}`)
	if g := a.parse(behind); g.Message != "waits" {
		t.Errorf("behind another turn, it is answered by %s", behind)
	}
}

func TestHTTPChatStreams(t *testing.T) {
	t.Parallel()
	a := serveAPI(t)
	answer := a.ask(t.Context(), http.MethodPost, "/chat", `{"message":"bench d=30 r=200","conversation_id":"c1"}`, "Accept", "text/event-stream")
	defer func() { _ = answer.Body.Close() }()
	for name, want := range map[string]string{
		"Content-Type": "text/event-stream", "X-Accel-Buffering": "no", "Cache-Control": "private, no-store, no-transform",
	} {
		if got := answer.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	var got []string
	var text strings.Builder
	last, full := int64(0), ""
	for read := readEvents(t, answer); ; {
		e, ok := read.next()
		if !ok {
			break
		}
		f := a.parse(e.data)
		if f.Seq != last+1 && f.From != last+1 {
			t.Errorf("after %d comes %s", last, e.data)
		}
		last = f.Seq
		if len(got) == 0 || got[len(got)-1] != f.Type {
			got = append(got, f.Type)
		}
		if f.Type == "chat_response_delta" {
			text.WriteString(f.Content)
		}
		full = f.Full
	}
	if want := "[user_message chat_response_start chat_response_delta chat_response_complete]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
	if len(full) != 30*18 || text.String() != full {
		t.Errorf("the deltas make %d bytes, the answer has %d", text.Len(), len(full))
	}
}

// The turn belongs to its conversation, not to who asked for it.
func TestHTTPChatOutlivesItsAsker(t *testing.T) {
	t.Parallel()
	a := serveAPI(t)
	const ask = `{"message":"bench d=40 r=100","id":"m1","conversation_id":"c1"}`
	ctx, leave := context.WithCancel(t.Context())
	answer := a.ask(ctx, http.MethodPost, "/chat", ask, "Accept", "text/event-stream")
	if _, ok := readEvents(t, answer).next(); !ok {
		t.Error("nothing came")
	}
	leave()
	_ = answer.Body.Close()
	_, body := a.whole(http.MethodPost, "/chat", ask)
	if f := a.parse(body); f.Status != "completed" || len(f.Message) != 40*18 {
		t.Errorf("the answer is %s", body)
	}
}

func TestHTTPFrames(t *testing.T) {
	t.Parallel()
	a := serveAPI(t)
	_, body := a.whole(http.MethodPost, "/frames", `{"type":"init","context":{"locale":"de"},"session_id":"s1"}`)
	if f := a.parse(body); f.Type != "init_ack" || f.Session != "s1" || f.Version != 1 {
		t.Errorf("init: %s", body)
	}
	_, body = a.whole(http.MethodPost, "/frames", `{"type":"context_update","context":{"locale":"fr"},"session_id":"s1"}`)
	if f := a.parse(body); f.Type != "context_updated" || f.Version != 2 {
		t.Errorf("context_update: %s", body)
	}
	_, body = a.whole(http.MethodPost, "/frames", `{"type":"chat","message":"bench d=1000 r=10","id":"m1","conversation_id":"c1"}`)
	asked := a.parse(body)
	if asked.Type != "user_message" || asked.Seq != 1 || asked.ID != "m1" {
		t.Errorf("chat: %s", body)
	}
	for range 2 { // the second time it is over
		_, body = a.whole(http.MethodPost, "/frames", `{"type":"cancel","conversation_id":"c1"}`)
		inner, ok := strings.CutPrefix(strings.TrimSuffix(body, "]"), "[")
		if f := a.parse(inner); !ok || f.Type != "chat_response_complete" || f.Status != "cancelled" || f.Turn != asked.Turn {
			t.Errorf("cancel: %s", body)
		}
	}
	for _, kind := range []string{"ping", "pong", "auth", "subscribe", "unsubscribe"} {
		answer, body := a.whole(http.MethodPost, "/frames", `{"type":"`+kind+`","token":"x","conversation_id":"c1"}`)
		if f := a.parse(body); answer.StatusCode != http.StatusBadRequest || f.Code != "invalid" {
			t.Errorf("%s: %s: %s", kind, answer.Status, body)
		}
	}
}

func TestHTTPRefusals(t *testing.T) {
	t.Parallel()
	a := serveAPI(t)
	for name, c := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
		code               string
	}{
		"no token":          {"POST", "/chat", `{"message":"x"}`, []string{"Authorization", ""}, 401, "token_missing"},
		"a bad token":       {"POST", "/frames", `{"message":"x"}`, []string{"Authorization", "Bearer x"}, 401, "token_malformed"},
		"a stranger's page": {"POST", "/chat", `{"message":"x"}`, []string{"Origin", "https://evil.example"}, 403, "origin_not_allowed"},
		"not JSON by type":  {"POST", "/chat", `{"message":"x"}`, []string{"Content-Type", "text/plain"}, 415, "invalid"},
		"no type at all":    {"POST", "/frames", `{"type":"ping"}`, []string{"Content-Type", ""}, 415, "invalid"},
		"too large":         {"POST", "/chat", `{"message":"` + strings.Repeat("x", 513<<10) + `"}`, nil, 413, "frame_too_large"},
		"not JSON":          {"POST", "/chat", `{"message"`, nil, 400, "bad_frame"},
		"an array":          {"POST", "/frames", `[]`, nil, 400, "bad_frame"},
		"no frame's type":   {"POST", "/frames", `{"message":"x"}`, nil, 400, "bad_frame"},
		"unknown":           {"POST", "/frames", `{"type":"x"}`, nil, 400, "unknown_type"},
		"not a chat":        {"POST", "/chat", `{"type":"cancel","turn_id":"x"}`, nil, 400, "invalid"},
		"an empty message":  {"POST", "/chat", `{"message":" "}`, nil, 400, "invalid"},
		"an unknown turn":   {"POST", "/frames", `{"type":"cancel","turn_id":"x"}`, nil, 404, "not_found"},
		"another method":    {"GET", "/chat", "", nil, 405, "invalid"},
		"DELETE":            {"DELETE", "/frames", "", nil, 405, "invalid"},
	} {
		answer, body := a.whole(c.method, c.path, c.body, c.headers...)
		if f := a.parse(body); answer.StatusCode != c.status || f.Type != "error" || f.Code != c.code {
			t.Errorf("%s: %s: %s; want %d, %s", name, answer.Status, body, c.status, c.code)
		}
		if c.status == http.StatusMethodNotAllowed && answer.Header.Get("Allow") != http.MethodPost {
			t.Errorf("%s: Allow is %q", name, answer.Header.Get("Allow"))
		}
	}
}

// While draining new turns are refused, running ones go on to their end, and a
// cancel is heard.
func TestHTTPDrain(t *testing.T) {
	t.Parallel()
	a := serveAPI(t)
	streaming := a.ask(t.Context(), http.MethodPost, "/chat", `{"message":"bench d=60 r=50","conversation_id":"c1"}`, "Accept", "text/event-stream")
	defer func() { _ = streaming.Body.Close() }()
	long := a.ask(t.Context(), http.MethodPost, "/chat", `{"message":"bench d=9000 r=50","conversation_id":"c2"}`, "Accept", "text/event-stream")
	defer func() { _ = long.Body.Close() }()
	stopped := make(chan struct{})
	go func() { defer close(stopped); a.stop() }()
	for { // a message that came just before is kept for the next process
		if answer, _ := a.whole(http.MethodPost, "/frames", `{"type":"chat","message":"x"}`); answer.StatusCode == http.StatusServiceUnavailable {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	answer, body := a.whole(http.MethodPost, "/chat", `{"message":"x"}`)
	if f := a.parse(body); answer.StatusCode != http.StatusServiceUnavailable || f.Code != "going_away" || answer.Header.Get("Retry-After") == "" {
		t.Errorf("%s, %v: %s", answer.Status, answer.Header, body)
	}
	if answer, body := a.whole(http.MethodPost, "/frames", `{"type":"cancel","conversation_id":"c2"}`); answer.StatusCode != http.StatusOK || !strings.Contains(body, `"cancelled"`) {
		t.Errorf("cancel: %s: %s", answer.Status, body)
	}
	for name, answer := range map[string]*http.Response{"completed": streaming, "cancelled": long} {
		last := event{}
		for read := readEvents(t, answer); ; {
			e, ok := read.next()
			if !ok {
				break
			}
			last = e
		}
		if f := a.parse(last.data); f.Type != "chat_response_complete" || f.Status != name {
			t.Errorf("the last that was said: %s", last.data)
		}
	}
	<-stopped
}

// A user holds no more requests open than connections.
func TestHTTPHeldRequestsAreCounted(t *testing.T) {
	t.Parallel()
	a := serveAPI(t, "PAM_MAX_CONNECTIONS=1")
	ctx, leave := context.WithCancel(t.Context())
	held := a.ask(ctx, http.MethodPost, "/chat", `{"message":"bench d=9000 r=10","conversation_id":"c1"}`, "Accept", "text/event-stream")
	answer, body := a.whole(http.MethodPost, "/chat", `{"message":"x"}`)
	if f := a.parse(body); answer.StatusCode != http.StatusTooManyRequests || f.Code != "too_many_connections" {
		t.Errorf("%s: %s", answer.Status, body)
	}
	leave()
	_ = held.Body.Close()
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if answer, body := a.whole(http.MethodPost, "/chat", `{"message":"x"}`); answer.StatusCode == http.StatusOK {
			break
		} else if time.Now().After(until) {
			t.Fatalf("who has left is still counted: %s", body)
		}
	}
	a.whole(http.MethodPost, "/frames", `{"type":"cancel","conversation_id":"c1"}`)
}
