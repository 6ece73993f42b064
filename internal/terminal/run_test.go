package terminal_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/client"
	"github.com/pam-assistant/pam/internal/terminal"
	"github.com/pam-assistant/pam/internal/wire"
)

// answering is a server that answers each message with these events, and
// returns a client for it.
func answering(t *testing.T, bodies ...pam.EventBody) *client.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{wire.SubprotocolV1}})
		if err != nil {
			return
		}
		defer func() { _ = conn.CloseNow() }()
		send := func(frame []byte) { _ = conn.Write(r.Context(), websocket.MessageText, frame) }
		send(wire.AppendConnected(nil, wire.Greeting{ServerVersion: "1.0", Heartbeat: time.Minute}))
		seq := int64(0)
		for {
			_, frame, err := conn.Read(r.Context())
			if err != nil {
				return
			}
			request, err := wire.ParseRequest(frame)
			if err != nil {
				t.Error(err)
			}
			chat, ok := request.(wire.Chat)
			if !ok {
				continue
			}
			if seq == 0 {
				send(wire.AppendSubscribed(nil, wire.Subscription{Conversation: chat.Conversation, Epoch: "e", Seq: 1, From: 1}))
			}
			for _, body := range append([]pam.EventBody{pam.UserMessage{ID: chat.ID, Message: chat.Message}}, bodies...) {
				seq++
				send(wire.AppendEvent(nil, &pam.Event{
					Key: pam.Key{Conversation: chat.Conversation}, From: seq, Seq: seq, Turn: pam.TurnID("t" + chat.ID), Body: body,
				}))
				if _, delta := body.(pam.Delta); delta {
					time.Sleep(60 * time.Millisecond) // so that it is drawn
				}
			}
		}
	}))
	t.Cleanup(server.Close)
	c, err := client.New(server.URL, client.Options{Backoff: client.Backoff{Base: time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = c.Run(context.Background()) }()
	t.Cleanup(func() { c.Close(); <-ended })
	return c
}

// paper is a terminal that only ever grows; what was drawn anew is in it, too.
type paper struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (p *paper) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(b)
}

// stays is what is left on the screen: each drawing without its live region.
func (p *paper) stays() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := newScreen(80)
	s.write(p.out.String())
	return s.String()
}

func ask(t *testing.T, c *client.Client, question string) (string, error) {
	t.Helper()
	var p paper
	err := terminal.Run(t.Context(), terminal.Terminal{Out: &p, Size: func() (int, int) { return 80, 24 }},
		terminal.Talk{Client: c, Ask: &client.Message{Text: question}})
	return p.stays(), err
}

func TestRun(t *testing.T) {
	t.Parallel()
	running := &pam.Call{ID: "1", Name: "send_mail", Arguments: []byte(`{"to":"a@b.example"}`), Status: pam.CallInDoubt}
	for _, c := range []struct {
		name   string
		bodies []pam.EventBody
		want   string
		code   pam.Code
	}{
		{"in pieces", []pam.EventBody{
			pam.Delta{Content: "one\n\ntwo **bo"},
			pam.Delta{Content: "ld**\n\n- th"},
			pam.Delta{Content: "ree\n"},
			pam.Complete{Status: pam.TurnCompleted, Parts: []pam.Part{{Text: "one\n\ntwo **bold**\n\n- three\n"}}},
		}, "  one\n\n  two bold\n\n  • three\n", 0},
		{"with a tool", []pam.EventBody{
			pam.ToolCall{CallID: "1", Name: "calculate", Arguments: []byte(`{"expression":"12% of 340"}`)},
			pam.ToolCallUpdate{CallID: "1", Status: pam.CallCompleted, Result: "40.8"},
			pam.Delta{Content: "40.8"},
			pam.Complete{Status: pam.TurnCompleted, Parts: []pam.Part{
				{Call: &pam.Call{ID: "1", Name: "calculate", Arguments: []byte(`{"expression":"12% of 340"}`), Status: pam.CallCompleted, Result: "40.8"}},
				{Text: "40.8"},
			}},
		}, "  ✓ calculate 12% of 340 → 40.8\n\n  40.8\n", 0},
		{"taken back", []pam.EventBody{
			pam.Delta{Content: "wrong\n\nstill "},
			pam.Reset{Reason: "restart"},
			pam.Delta{Content: "right"},
			pam.Complete{Status: pam.TurnCompleted, Parts: []pam.Part{{Text: "right"}}},
		}, "  wrong\n\n  ↺ taken back; the answer begins again\n\n  right\n", 0},
		{"failed", []pam.EventBody{
			pam.Delta{Content: "half an"},
			pam.Complete{
				Status: pam.TurnFailed, Parts: []pam.Part{{Text: "half an"}},
				Error: &pam.Failure{Code: pam.CodeProviderTimeout, Message: "The model did not answer in time.", Hint: "Try again."},
			},
		}, "  half an\n", pam.CodeProviderTimeout},
		{"interrupted", []pam.EventBody{
			pam.Complete{Status: pam.TurnInterrupted, Parts: []pam.Part{{Call: running}}},
		}, "  ? send_mail a@b.example → nobody knows whether it took effect\n", pam.CodeInternal},
		{"hostile", []pam.EventBody{
			pam.Delta{Content: "\x1b]0;owned\a\x1b[2Jclean"},
			pam.Complete{Status: pam.TurnCompleted, Parts: []pam.Part{{Text: "\x1b]0;owned\a\x1b[2Jclean"}}},
		}, "  ]0;owned[2Jclean\n", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := ask(t, answering(t, c.bodies...), "?")
			if got != c.want {
				t.Errorf("the screen has\n%s\nwant\n%s", got, c.want)
			}
			if code := pam.CodeOf(err); code != c.code {
				t.Errorf("Run = %v, want %v", err, c.code)
			}
		})
	}
}

// TestRunTyped is a conversation: what is asked while an answer comes waits its
// turn, and at the end of the input all is still answered.
func TestRunTyped(t *testing.T) {
	t.Parallel()
	c := answering(t, pam.Delta{Content: "yes"}, pam.Complete{Status: pam.TurnCompleted, Parts: []pam.Part{{Text: "yes"}}})
	var p paper
	err := terminal.Run(t.Context(), terminal.Terminal{
		In: strings.NewReader("one\rtwo\r"), Out: &p, Size: func() (int, int) { return 80, 24 },
	}, terminal.Talk{Client: c, Address: "here", Conversation: "c"})
	if err != nil {
		t.Fatal(err)
	}
	got := p.stays()
	for _, want := range []string{"PAM 1.0 at here\n", "› one\n\n  yes\n\n› two\n\n  yes\n\n", "Go on with: pam chat --conversation c\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("the screen has\n%s\nwhich lacks\n%s", got, want)
		}
	}
}
