package gateway

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/lifecycle"
	"github.com/pam-assistant/pam/internal/wire"
)

// TestIncident is the original's incident: the server closes a connection while
// its reader waits, and a hundred sends follow. There each was a panic and a
// line; here each is one typed error, and the connection has one line, with the
// first cause.
func TestIncident(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{Outbox: 256 << 10, Subscriptions: 10})
	p := w.join(wire.SubprotocolV1)
	p.say(`{"type":"subscribe","conversation_id":"c"}`)
	if f := p.frame(); f["type"] != "subscribed" {
		t.Fatalf("subscribed with %v", f)
	}
	c := w.conn()
	c.mu.Lock()
	s := c.subs["c"]
	c.mu.Unlock()

	c.refuse(&pam.Error{Code: pam.CodeOverloaded}) // the reader waits meanwhile

	r := pam.Record{From: 1, Seq: 1, Kind: pam.KindDelta, JSON: []byte(`{"type":"chat_response_delta"}`)}
	doors := map[string]func() error{
		"text":   func() error { return c.sendText(func(dst []byte) []byte { return append(dst, "{}"...) }) },
		"event":  func() error { return c.sendEvent(&r, s, 0) },
		"record": func() error { return c.sendRecord(&r) },
		"error":  func() error { return c.sendError(&pam.Error{Code: pam.CodeInternal}, wire.About{}) },
		"pong":   func() error { return c.sendPong([]byte("x")) },
		"ping":   func() error { return c.ping(time.Now(), 1) },
	}
	var sends atomic.Int64
	var wait sync.WaitGroup
	for i := range 10 {
		wait.Go(func() {
			for range 10 {
				for name, send := range doors {
					c.mu.Lock()
					err := send()
					c.flush()
					c.mu.Unlock()
					var gone *GoneError
					if !errors.As(err, &gone) || gone.Cause.Code != pam.CodeOverloaded || gone.Cause.By != lifecycle.ByServer {
						t.Errorf("%s after the end: %v", name, err)
					}
					sends.Add(1)
				}
				if s.Deliver(key("c"), []pam.Record{r}) {
					t.Error("a connection that has ended wants more")
				}
				s.Progress(key("c"), "t", "model", time.Second)
				c.mu.Lock()
				c.happened(time.Now(), lifecycle.WriteFailed{Detail: "late"})
				c.happened(time.Now(), lifecycle.Violated{Err: &pam.Error{Code: pam.CodeBadFrame}})
				c.mu.Unlock()
				if i == 5 {
					s.Deleted(key("c"))
				}
				w.Flush()
			}
		})
	}
	wait.Wait()
	if sends.Load() < 100 {
		t.Fatalf("%d sends", sends.Load())
	}

	code, said := p.closing()
	if code != uint16(wire.CloseTryAgain) || said != "overloaded" {
		t.Errorf("closed with %d after error %q", code, said)
	}
	p.leave()
	eventually(t, "the connection is gone", func() bool { return w.Stats().Open == 0 })
	lines := w.log.lines()
	if len(lines) != 1 || !strings.Contains(lines[0], `"cause":"overloaded"`) || !strings.Contains(lines[0], `"by":"server"`) {
		t.Errorf("%d lines of log, want one with the first cause:\n%s", len(lines), strings.Join(lines, "\n"))
	}
	if closed := w.Stats().Closed; len(closed) != 1 || closed["overloaded"] != 1 {
		t.Errorf("counted %v", closed)
	}
}

// TestFirstCauseWins: whatever follows, the first end is the end.
func TestFirstCauseWins(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{Outbox: 256 << 10})
	p := w.join(wire.SubprotocolV1)
	c := w.conn()
	closing := rawFrame{op: 8, fin: true, payload: []byte{0x03, 0xe8, 'b', 'y', 'e', 0x1b, '[', '2', 'J', '\n'}}
	if _, err := p.Write(closing.appendTo(nil)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the close is heard", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.life.Phase().Ended()
	})
	c.refuse(&pam.Error{Code: pam.CodeInternal})
	if code, said := p.closing(); code != 1000 || said != "" {
		t.Errorf("closed with %d after error %q", code, said)
	}
	eventually(t, "the connection is gone", func() bool { return w.Stats().Open == 0 })
	lines := w.log.lines()
	if len(lines) != 1 || !strings.Contains(lines[0], `"cause":"client close"`) || !strings.Contains(lines[0], `"peer_code":1000`) {
		t.Errorf("log:\n%s", strings.Join(lines, "\n"))
	}
	if strings.ContainsRune(strings.Join(lines, ""), 0x1b) {
		t.Errorf("a terminal escape of the peer's reason is in the log: %q", lines)
	}
}
