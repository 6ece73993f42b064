package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/client"
	"github.com/pam-assistant/pam/internal/wire"
)

func TestChat(t *testing.T) {
	t.Parallel()
	var kinds []pam.Kind
	o := quick()
	o.OnEvent = func(e pam.Event) { kinds = append(kinds, e.Body.Kind()) }
	c, end := start(t, serve(t, func(p *peer) {
		if got := p.request.Header.Get("Authorization"); got != "Bearer token" {
			t.Errorf("Authorization = %q", got)
		}
		if got := p.request.URL.Path; got != "/api/v1/pam/ws" {
			t.Errorf("path = %q", got)
		}
		p.greet()
		chat := expect[wire.Chat](p)
		p.subscribed(chat.Conversation, "e", 1, 1, false)
		p.turn(chat, 1, "40.8")
		p.stay()
	}), o)
	if got := wait(t, ask(t, c, client.Message{Text: "what is 12% of 340?"})); got != "40.8" {
		t.Errorf("answer = %q", got)
	}
	until[client.Connected](t, c)
	c.Close()
	if err := <-end; err != nil {
		t.Errorf("Run = %v after Close", err)
	}
	want := []pam.Kind{pam.KindUserMessage, pam.KindStart, pam.KindDelta, pam.KindComplete}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if _, err := c.Chat(t.Context(), client.Message{Text: "more"}); !errors.Is(err, client.ErrClosed) {
		t.Errorf("Chat after Close = %v", err)
	}
}

// TestResume cuts the line in mid-answer: the cursor says where to go on.
func TestResume(t *testing.T) {
	t.Parallel()
	first := func(p *peer) {
		p.greet()
		chat := expect[wire.Chat](p)
		p.subscribed(chat.Conversation, "e", 1, 1, false)
		p.event(chat.Conversation, 1, "t", pam.UserMessage{ID: chat.ID, Message: chat.Message})
		p.event(chat.Conversation, 2, "t", pam.Start{Attempt: 1})
		p.event(chat.Conversation, 3, "t", pam.Delta{Content: "one "})
	}
	second := func(p *peer) {
		p.greet()
		init := expect[wire.Init](p)
		if len(init.Conversations) != 1 || init.Conversations[0].Resume != (pam.Resume{After: 3, Epoch: "e"}) {
			t.Errorf("init = %+v", init)
			return
		}
		id := init.Conversations[0].Conversation
		p.subscribed(id, "e", 4, 4, false)
		p.event(id, 3, "t", pam.Delta{Content: "one "}) // seen before
		p.event(id, 4, "t", pam.Delta{Content: "two "})
		p.event(id, 6, "t", pam.Delta{Content: "four "}) // a gap
		again := expect[wire.Subscribe](p)
		if again.Resume != (pam.Resume{After: 4, Epoch: "e"}) {
			t.Errorf("subscribe = %+v", again)
		}
		p.subscribed(id, "e", 6, 5, false)
		p.event(id, 5, "t", pam.Delta{Content: "three "})
		p.event(id, 6, "t", pam.Delta{Content: "four"})
		p.event(id, 7, "t", pam.Complete{Status: pam.TurnCompleted, Parts: []pam.Part{{Text: "one two three four"}}})
		p.stay()
	}
	c, _ := start(t, serve(t, first, second), quick())
	a := ask(t, c, client.Message{Text: "count"})
	seen := map[string]bool{}
	for u, err := range a.Updates(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		text := pam.Text(u.Turn.Parts)
		if !strings.HasPrefix("one two three four", strings.TrimSpace(text)) {
			t.Errorf("shown: %q", text)
		}
		seen[text] = true
	}
	if !seen["one two three four"] {
		t.Errorf("shown: %v", seen)
	}
}

// TestResend loses the message before its acknowledgement: it is sent again
// under the same id.
func TestResend(t *testing.T) {
	t.Parallel()
	var lost atomic.Value
	c, _ := start(t, serve(t,
		func(p *peer) {
			p.greet()
			lost.Store(expect[wire.Chat](p))
		},
		func(p *peer) {
			p.greet()
			chat := expect[wire.Chat](p)
			if diff := cmp.Diff(lost.Load(), any(chat)); diff != "" {
				t.Errorf("the second try differs (-first +second):\n%s", diff)
			}
			p.subscribed(chat.Conversation, "e", 1, 1, false)
			p.turn(chat, 1, "yes")
			p.stay()
		}), quick())
	if got := wait(t, ask(t, c, client.Message{Text: "are you there?"})); got != "yes" {
		t.Errorf("answer = %q", got)
	}
}

// TestLostEpoch: the journal has lost what it had acknowledged. The message is
// asked again, in the new epoch.
func TestLostEpoch(t *testing.T) {
	t.Parallel()
	var id atomic.Value
	c, _ := start(t, serve(t,
		func(p *peer) {
			p.greet()
			chat := expect[wire.Chat](p)
			id.Store(chat.ID)
			p.subscribed(chat.Conversation, "e1", 1, 1, false)
			p.event(chat.Conversation, 1, "t", pam.UserMessage{ID: chat.ID, Message: chat.Message})
		},
		func(p *peer) {
			p.greet()
			p.subscribed(expect[wire.Init](p).Conversations[0].Conversation, "e2", 0, 1, true)
			chat := expect[wire.Chat](p)
			if chat.ID != id.Load() {
				t.Errorf("asked again as %q, not as %q", chat.ID, id.Load())
			}
			p.turn(chat, 1, "again")
			p.stay()
		}), quick())
	if got := wait(t, ask(t, c, client.Message{Text: "?"})); got != "again" {
		t.Errorf("answer = %q", got)
	}
}

// TestRefused: which refusals end a client at once, and which after a new token.
func TestRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code   pam.Code
		tokens int64
	}{
		{pam.CodeTokenExpired, 2},
		{pam.CodeTokenBadSignature, 2},
		{pam.CodeTicketInvalid, 2},
		{pam.CodeOriginNotAllowed, 1},
		{pam.CodeUserMismatch, 1},
		{pam.CodeTooManyConnections, 1},
		{pam.CodeBadFrame, 1},
	} {
		t.Run(c.code.String(), func(t *testing.T) {
			t.Parallel()
			var tokens atomic.Int64
			o := quick()
			o.Token = func(context.Context) (string, error) { tokens.Add(1); return "token", nil }
			cl, end := start(t, serve(t, func(p *peer) {
				p.refuse(&pam.Error{Code: c.code}, wire.About{})
				p.end(wire.Meaning(c.code).Close)
			}), o)
			err := <-end
			if pam.CodeOf(err) != c.code {
				t.Errorf("Run = %v, want %v", err, c.code)
			}
			var e *pam.Error
			if !errors.As(err, &e) || e.Message == "" || e.Hint == "" {
				t.Errorf("Run = %#v: a message and a hint are wanted", err)
			}
			if _, ok := cl.State().(client.Refused); !ok {
				t.Errorf("state = %#v", cl.State())
			}
			if got := tokens.Load(); got != c.tokens {
				t.Errorf("%d tokens were asked for, want %d", got, c.tokens)
			}
		})
	}
}

// TestRefusalPasses: what is the server's to mend is tried again.
func TestRefusalPasses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		do   func(*peer)
		code pam.Code // zero: a ConnectionError
	}{
		{"keys not there", func(p *peer) {
			p.refuse(&pam.Error{Code: pam.CodeJWKSUnavailable}, wire.About{})
			p.end(wire.CloseUnauthorized)
		}, pam.CodeJWKSUnavailable},
		{"restarting", func(p *peer) { p.end(wire.CloseGoingAway) }, pam.CodeGoingAway},
		{"internal", func(p *peer) { p.end(wire.CloseInternal) }, pam.CodeInternal},
		{"overloaded", func(p *peer) { p.end(wire.CloseTryAgain) }, pam.CodeOverloaded},
		{"heartbeat", func(p *peer) { p.end(wire.CloseHeartbeatTimeout) }, pam.CodeHeartbeatTimeout},
		{"limited", func(p *peer) { p.end(wire.CloseRateLimited) }, pam.CodeRateLimited},
		{"cut", func(p *peer) { _ = p.conn.CloseNow() }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cl, _ := start(t, serve(t, c.do, func(p *peer) { p.greet(); p.stay() }), quick())
			state := until[client.Reconnecting](t, cl)
			var lost *client.ConnectionError
			if c.code == 0 && !errors.As(state.Cause, &lost) || c.code != 0 && pam.CodeOf(state.Cause) != c.code {
				t.Errorf("cause = %v", state.Cause)
			}
			until[client.Connected](t, cl)
		})
	}
}

func TestGoAway(t *testing.T) {
	t.Parallel()
	t.Run("idle", func(t *testing.T) {
		t.Parallel()
		c, _ := start(t, serve(t,
			func(p *peer) { p.greet(); p.send(wire.AppendGoAway(nil, 50*time.Millisecond)); p.stay() },
			func(p *peer) { p.greetWith(time.Minute); p.stay() }), quick())
		state := until[client.Reconnecting](t, c)
		if pam.CodeOf(state.Cause) != pam.CodeGoingAway || state.In < 50*time.Millisecond {
			t.Errorf("state = %+v", state)
		}
		until[client.Connected](t, c)
	})
	t.Run("in mid-answer", func(t *testing.T) {
		t.Parallel()
		c, _ := start(t, serve(t,
			func(p *peer) {
				p.greet()
				chat := expect[wire.Chat](p)
				p.subscribed(chat.Conversation, "e", 1, 1, false)
				p.event(chat.Conversation, 1, "t", pam.UserMessage{ID: chat.ID, Message: chat.Message})
				p.send(wire.AppendGoAway(nil, time.Millisecond))
				time.Sleep(50 * time.Millisecond) // the client stays for its answer
				p.complete(chat.Conversation, 2, "t", "done")
				p.stay()
			},
			func(p *peer) { // the next message goes to the successor
				p.greet()
				id := expect[wire.Init](p).Conversations[0].Conversation
				p.subscribed(id, "e", 2, 3, false)
				p.turn(expect[wire.Chat](p), 3, "here")
				p.stay()
			}), quick())
		a := ask(t, c, client.Message{Text: "first"})
		for u, err := range a.Updates(t.Context()) {
			if err != nil || u.Turn.ID != "" {
				break
			}
		}
		time.Sleep(10 * time.Millisecond)
		b := ask(t, c, client.Message{Text: "second", Conversation: a.Conversation()})
		if got := wait(t, a); got != "done" {
			t.Errorf("first answer = %q", got)
		}
		if got := wait(t, b); got != "here" {
			t.Errorf("second answer = %q", got)
		}
	})
}

func TestCancel(t *testing.T) {
	t.Parallel()
	t.Run("running", func(t *testing.T) {
		t.Parallel()
		c, _ := start(t, serve(t, func(p *peer) {
			p.greet()
			chat := expect[wire.Chat](p)
			p.subscribed(chat.Conversation, "e", 1, 1, false)
			p.event(chat.Conversation, 1, "t", pam.UserMessage{ID: chat.ID, Message: chat.Message})
			if got := expect[wire.Cancel](p); got.Turn != "t" {
				t.Errorf("cancel = %+v", got)
			}
			p.event(chat.Conversation, 2, "t", pam.Complete{Status: pam.TurnCancelled})
			p.stay()
		}), quick())
		a := ask(t, c, client.Message{Text: "?"})
		if err := a.Cancel(t.Context()); err != nil { // acknowledged or not: it is cancelled once it is
			t.Fatal(err)
		}
		turn, err := a.Wait(t.Context())
		if err != nil || turn.Status != pam.TurnCancelled {
			t.Errorf("Wait = %v, %v", turn.Status, err)
		}
	})
	t.Run("not sent", func(t *testing.T) {
		t.Parallel()
		c, _ := start(t, "127.0.0.1:1", quick())
		a := ask(t, c, client.Message{Text: "?"})
		if err := a.Cancel(t.Context()); err != nil {
			t.Fatal(err)
		}
		turn, err := a.Wait(t.Context())
		if err != nil || turn.Status != pam.TurnCancelled || turn.Message != "?" {
			t.Errorf("Wait = %+v, %v", turn, err)
		}
	})
}

func TestNoServer(t *testing.T) {
	t.Parallel()
	c, _ := start(t, "127.0.0.1:1", quick())
	state := until[client.Reconnecting](t, c)
	var e *client.ConnectionError
	if !errors.As(state.Cause, &e) || e.Reached || e.Status != 0 {
		t.Errorf("cause = %#v", state.Cause)
	}
}

// TestNotPAM: something else lives at the address. A server error may pass.
func TestNotPAM(t *testing.T) {
	t.Parallel()
	for status, refused := range map[int]bool{
		http.StatusNotFound: true, http.StatusOK: true, http.StatusUnauthorized: true, http.StatusBadGateway: false, http.StatusTooManyRequests: false,
	} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
			t.Cleanup(server.Close)
			c, _ := start(t, server.URL, quick())
			if refused {
				until[client.Refused](t, c)
			} else {
				until[client.Reconnecting](t, c)
			}
		})
	}
}

func TestUpdateContext(t *testing.T) {
	t.Parallel()
	o := quick()
	o.Session, o.Context = "car", json.RawMessage(`{"locale":"de"}`)
	c, _ := start(t, serve(t, func(p *peer) {
		p.greet()
		if init := expect[wire.Init](p); init.Session != "car" || string(init.Context) != `{"locale":"de"}` {
			t.Errorf("init = %+v", init)
		}
		p.send(wire.AppendInitAck(nil, "car", 1))
		if u := expect[wire.ContextUpdate](p); string(u.Context) != `{"a":1}` || u.Session != "car" {
			t.Errorf("context_update = %+v", u)
		}
		p.send(wire.AppendContextUpdated(nil, 2))
		expect[wire.ContextUpdate](p)
		p.refuse(&pam.Error{Code: pam.CodeInvalid, Detail: "context: is too large"}, wire.About{})
		p.stay()
	}), o)
	if v, err := c.UpdateContext(t.Context(), json.RawMessage(`{"a":1}`)); v != 2 || err != nil {
		t.Errorf("UpdateContext = %d, %v", v, err)
	}
	if _, err := c.UpdateContext(t.Context(), json.RawMessage(`{"a":2}`)); pam.CodeOf(err) != pam.CodeInvalid {
		t.Errorf("UpdateContext = %v", err)
	}
}

func TestRenewal(t *testing.T) {
	t.Parallel()
	var tokens atomic.Int64
	o := quick()
	o.Token = func(context.Context) (string, error) { return []string{"old", "new"}[tokens.Add(1)-1], nil }
	renewed := make(chan string, 1)
	c, _ := start(t, serve(t, func(p *peer) {
		p.greet()
		p.send(wire.AppendAuthExpiring(nil, time.Now().Add(time.Minute)))
		renewed <- expect[wire.Auth](p).Token
		p.stay()
	}), o)
	if got := <-renewed; got != "new" {
		t.Errorf("auth with %q", got)
	}
	until[client.Connected](t, c)
}

func TestOpen(t *testing.T) {
	t.Parallel()
	c, _ := start(t, serve(t, func(p *peer) {
		p.greet()
		p.read() // `init` where it was opened before `connected`, else `subscribe`
		id := pam.ConversationID("c1")
		p.subscribed(id, "e", 2, 1, false)
		p.event(id, 1, "t", pam.UserMessage{ID: "1", Message: "hi"})
		p.complete(id, 2, "t", "hello")
		p.event(id, 3, "", pam.ConversationUpdated{Title: "Greetings"})
		p.refuse(&pam.Error{Code: pam.CodeConversationDeleted}, wire.About{Conversation: id})
		p.stay()
	}), quick())
	w, err := c.Open(t.Context(), "c1")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	var last error
	for v, err := range w.Updates(t.Context()) {
		if len(v.Turns) != 1 || pam.Text(v.Turns[0].Parts) != "hello" {
			t.Errorf("view = %+v", v)
		}
		last = err
	}
	if pam.CodeOf(last) != pam.CodeConversationDeleted {
		t.Errorf("the watch ended with %v", last)
	}
}

func TestAddress(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "ftp://x", "http://", "http://a b", "::"} {
		if _, err := client.New(address, client.Options{}); err == nil {
			t.Errorf("New(%q) has no objection", address)
		}
	}
}
