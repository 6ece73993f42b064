package client_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/client"
	"github.com/pam-assistant/pam/internal/wire"
)

func TestMessageRefused(t *testing.T) {
	t.Parallel()
	t.Run("for good", func(t *testing.T) {
		t.Parallel()
		c, _ := start(t, serve(t, func(p *peer) {
			p.greet()
			chat := expect[wire.Chat](p)
			if chat.WhenBusy != pam.Reject {
				t.Errorf("when_busy = %v", chat.WhenBusy)
			}
			p.refuse(&pam.Error{Code: pam.CodeBusy}, wire.About{ID: chat.ID, Conversation: chat.Conversation})
			p.stay()
		}), quick())
		_, err := ask(t, c, client.Message{Text: "?", WhenBusy: pam.Reject}).Wait(t.Context())
		if pam.CodeOf(err) != pam.CodeBusy {
			t.Errorf("Wait = %v", err)
		}
	})
	t.Run("for now", func(t *testing.T) {
		t.Parallel()
		c, _ := start(t, serve(t, func(p *peer) {
			p.greet()
			chat := expect[wire.Chat](p)
			p.refuse(&pam.Error{Code: pam.CodeStoreFull, RetryAfter: 20 * time.Millisecond}, wire.About{ID: chat.ID, Conversation: chat.Conversation})
			again := expect[wire.Chat](p)
			p.subscribed(again.Conversation, "e", 1, 1, false)
			p.turn(again, 1, "there is room")
			p.stay()
		}), quick())
		var trouble *pam.Error
		var text string
		for u, err := range ask(t, c, client.Message{Text: "?"}).Updates(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if u.Trouble != nil {
				trouble = u.Trouble
			}
			text = pam.Text(u.Turn.Parts)
		}
		if trouble == nil || trouble.Code != pam.CodeStoreFull || text != "there is room" {
			t.Errorf("trouble = %v, answer = %q", trouble, text)
		}
	})
	t.Run("again and again", func(t *testing.T) {
		t.Parallel()
		c, _ := start(t, serve(t, func(p *peer) {
			p.greet()
			for r := p.read(); r != nil; r = p.read() {
				if chat, ok := r.(wire.Chat); ok {
					p.refuse(&pam.Error{Code: pam.CodeOverloaded}, wire.About{ID: chat.ID, Conversation: chat.Conversation})
				}
			}
		}), quick())
		_, err := ask(t, c, client.Message{Text: "?"}).Wait(t.Context())
		if pam.CodeOf(err) != pam.CodeOverloaded {
			t.Errorf("Wait = %v", err)
		}
	})
	t.Run("here already", func(t *testing.T) {
		t.Parallel()
		c, _ := start(t, serve(t, func(p *peer) { p.greet(); p.stay() }), quick())
		for _, m := range []client.Message{
			{Text: " \n"}, {Text: strings.Repeat("é", 32_769)}, {Text: "a\xff"}, {Text: "?", ID: "no id"}, {Text: "?", Conversation: "ü"},
		} {
			if _, err := c.Chat(t.Context(), m); pam.CodeOf(err) != pam.CodeInvalid {
				t.Errorf("Chat(%.20q) = %v", m.Text, err)
			}
		}
	})
}

func TestOutboxIsBounded(t *testing.T) {
	t.Parallel()
	o := quick()
	o.Outbox = 2
	c, _ := start(t, serve(t, func(p *peer) { p.greet(); p.stay() }), o)
	ask(t, c, client.Message{Text: "1"})
	b := ask(t, c, client.Message{Text: "2"})
	if _, err := c.Chat(t.Context(), client.Message{Text: "3"}); pam.CodeOf(err) != pam.CodeOverloaded {
		t.Errorf("Chat = %v", err)
	}
	c.Close()
	if _, err := b.Wait(t.Context()); !errors.Is(err, client.ErrClosed) {
		t.Errorf("Wait = %v", err)
	}
}
