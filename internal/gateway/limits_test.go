package gateway

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/wire"
)

// most is the most memory that an outbox had while f ran.
func (w *world) most(c *conn) (bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out.waiting == nil {
		return 0
	}
	return cap(c.out.bytes)
}

// TestSlowReader grows a conversation by tens of megabytes under a peer that
// does not read: its outbox is bounded, its requests are not served, nobody
// else waits, and once it reads again it gets every event once, in order.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	for _, bound := range []int{16 << 10, 256 << 10} {
		t.Run(fmt.Sprint(bound>>10, " KiB"), func(t *testing.T) {
			t.Parallel()
			slowReader(t, bound)
		})
	}
}

func slowReader(t *testing.T, bound int) {
	t.Helper()
	w := newWorld(t, Limits{Outbox: bound, Subscriptions: 10})
	slow := w.join(wire.SubprotocolV1)
	c := w.conn()
	slow.say(`{"type":"subscribe","conversation_id":"c"}`)
	slow.frame()
	quick := w.join(wire.SubprotocolV1)
	quick.say(`{"type":"subscribe","conversation_id":"c"}`)
	quick.frame()

	const events, size = 8000, 4 << 10
	text := strings.Repeat("x", size)
	greatest := 0
	began := time.Now()
	for i := range events {
		content := text
		if i%1000 == 999 {
			content = strings.Repeat("y", 300<<10) // more than the bound by itself
		}
		w.past.say(key("c"), "t", pam.Delta{Content: content})
		if i%50 == 0 {
			quick.events("c", max(int64(i-50)+1, 0), int64(i)+1)
		}
		greatest = max(greatest, w.most(c))
	}
	quick.events("c", events-50+1, events)
	t.Logf("%d MiB in %v, the outbox had at most %d KiB of memory", events*size>>20, time.Since(began), greatest>>10)
	if most := 4*bound + 1<<20; greatest > most {
		t.Errorf("the outbox grew to %d bytes", greatest)
	}

	// It asks without reading: that is not served, but waits.
	before := w.past.asked.Load()
	for range 20 {
		slow.say(`{"type":"chat","message":"hello"}`)
	}
	time.Sleep(100 * time.Millisecond)
	if served := w.past.asked.Load() - before; served > 20 {
		t.Errorf("%d requests were served", served)
	}
	others := slow.events("c", 0, events)
	for len(others) < 20 {
		others = append(others, slow.frame())
	}
	if served := w.past.asked.Load() - before; len(others) != 20 || served != 20 {
		t.Errorf("%d answers to 20 requests, %d served", len(others), served)
	}
	w.past.say(key("c"), "t", pam.Delta{Content: "live"})
	slow.events("c", events, events+1)
}

// TestFullServesNobody: while the outbox is full no request is served.
func TestFullServesNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{Outbox: 16 << 10})
	p := w.join(wire.SubprotocolV1)
	c := w.conn()
	fill(c, 2<<20, 1)
	fill(c, 10<<10, 2)
	p.say(`{"type":"context_update","context":{}}`)
	p.say(`{"type":"context_update","context":{}}`)
	time.Sleep(100 * time.Millisecond)
	if n := w.past.asked.Load(); n != 0 {
		t.Fatalf("%d requests of a peer that does not read were served", n)
	}
	for range 3 {
		p.frame()
	}
	p.frame()
	p.frame()
	if n := w.past.asked.Load(); n != 2 {
		t.Errorf("%d requests were served, want 2", n)
	}
}

// fill sends a connection n error-like frames that no journal has.
func fill(c *conn, size, n int) {
	for range n {
		c.mu.Lock()
		_ = c.sendText(func(dst []byte) []byte {
			return fmt.Appendf(dst, `{"type":"filler","text":"%s"}`, strings.Repeat("z", size))
		})
		c.flush()
		c.mu.Unlock()
	}
}

// TestOverflow: over twice the bound the connection ends with 1013, and the
// peer that reads again is told so.
func TestOverflow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{Outbox: 16 << 10})
	p := w.join(wire.SubprotocolV1)
	c := w.conn()
	fill(c, 2<<20, 1)
	fill(c, 8<<10, 3)
	c.mu.Lock()
	open := c.life.Phase().Open()
	c.mu.Unlock()
	if !open {
		t.Fatal("ended before twice the bound")
	}
	fill(c, 8<<10, 40)
	if got := w.most(c); got > 20<<20 {
		t.Errorf("%d bytes wait", got)
	}
	code, said := p.closing()
	if code != uint16(wire.CloseTryAgain) || said != "overloaded" {
		t.Errorf("closed with %d after error %q", code, said)
	}
	p.leave()
	eventually(t, "the connection is gone", func() bool { return w.Stats().Open == 0 })
	if lines := w.log.lines(); len(lines) != 1 || !strings.Contains(lines[0], `"cause":"overloaded"`) {
		t.Errorf("log:\n%s", strings.Join(lines, "\n"))
	}
}

// TestManySubscriptions opens 10,000 at once, by one init, and hears of each.
func TestManySubscriptions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{Outbox: 64 << 10, Subscriptions: 9_000})
	p := w.join(wire.SubprotocolV1)
	var text strings.Builder
	text.WriteString(`{"type":"init","conversations":[`)
	for i := range 10_000 {
		if i > 0 {
			text.WriteByte(',')
		}
		fmt.Fprintf(&text, `{"id":"c%d"}`, i)
	}
	text.WriteString(`]}`)
	go p.say(text.String()) //nolint:staticcheck // ends with the test: the peer is closed by then
	if f := p.frame(); f["type"] != "init_ack" {
		t.Fatalf("%v", f)
	}
	for i := range 10_000 {
		f := p.frame()
		if i < 9_000 && f["type"] != "subscribed" || i >= 9_000 && f["error_code"] != "overloaded" || f["conversation_id"] != fmt.Sprint("c", i) {
			t.Fatalf("conversation %d: %v", i, f)
		}
	}
	w.past.say(key("c17"), "t", pam.Delta{Content: "live"})
	p.events("c17", 0, 1)
	p.say(`{"type":"unsubscribe","conversation_id":"c17"}`)
	if f := p.frame(); f["type"] != "unsubscribed" || f["conversation_id"] != "c17" {
		t.Errorf("%v", f)
	}
	w.past.say(key("c17"), "t", pam.Delta{Content: "unheard"})
	p.say(`{"type":"unsubscribe","conversation_id":"c17"}`)
	if f := p.frame(); f["type"] != "unsubscribed" {
		t.Errorf("after unsubscribing: %v", f)
	}
}

// TestPipelined: a peer that reads may ask for much at once, though its answers
// together are more than the bound.
func TestPipelined(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{Outbox: 16 << 10})
	p := w.join(wire.SubprotocolV1)
	var all []byte
	for _, text := range []string{`{"type":"ping"}`, `{"type":"unsubscribe","conversation_id":"c"}`} {
		for range 1000 {
			all = rawFrame{op: 1, fin: true, payload: []byte(text)}.appendTo(all)
		}
	}
	go func() { _, _ = p.Write(all) }()
	for i := range 2000 {
		if f := p.frame(); f["type"] != "pong" && i < 1000 || f["type"] != "unsubscribed" && i >= 1000 {
			t.Fatalf("answer %d: %v", i, f)
		}
	}
}

// TestSubscribeTwice: the second takes the place of the first; nothing comes
// twice.
func TestSubscribeTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{Outbox: 64 << 10, Subscriptions: 1})
	for range 100 {
		w.past.say(key("c"), "t", pam.Delta{Content: "past"})
	}
	p := w.join(wire.SubprotocolV1)
	for range 3 {
		p.say(`{"type":"subscribe","conversation_id":"c"}`)
		if f := p.frame(); f["type"] != "subscribed" || f["from"] != 1.0 {
			t.Fatalf("%v", f)
		}
		p.events("c", 0, 100)
	}
	p.say(`{"type":"subscribe","conversation_id":"d"}`)
	if f := p.frame(); f["error_code"] != "overloaded" || f["conversation_id"] != "d" {
		t.Errorf("one too many: %v", f)
	}
	w.past.say(key("c"), "t", pam.Delta{Content: "live"})
	p.events("c", 100, 101)
	p.say(`{"type":"ping"}`)
	if f := p.frame(); f["type"] != "pong" {
		t.Errorf("then %v", f)
	}
}

// TestOpenTurnsAreCountedOnce: what was taken back from the outbox and comes
// again begins no second turn, so that a draining connection becomes idle.
func TestOpenTurnsAreCountedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{Outbox: 16 << 10, Subscriptions: 1})
	p := w.join(wire.SubprotocolV1)
	c := w.conn()
	p.say(`{"type":"subscribe","conversation_id":"c"}`)
	p.frame()
	fill(c, 2<<20, 1)
	w.past.say(key("c"), "t", pam.UserMessage{ID: "1", Message: "hi"})
	fill(c, 9<<10, 2) // over the bound: the message is taken back
	for range 20 {
		w.past.say(key("c"), "t", pam.Delta{Content: strings.Repeat("x", 4<<10)})
	}
	w.past.say(key("c"), "t", pam.Complete{Status: pam.TurnCompleted})
	p.events("c", 0, 22)
	eventually(t, "the connection is idle", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.idle()
	})
}

// TestCancelIsAnsweredOnce: by the stream where there is one, else directly.
func TestCancelIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	for _, over := range []bool{false, true} {
		var before atomic.Bool
		before.Store(over)
		w := newWorld(t, Limits{Outbox: 64 << 10, Subscriptions: 1})
		w.past.say(key("c"), "t", pam.UserMessage{ID: "1", Message: "hi"})
		w.past.cancels = func(k pam.Key) pam.Cancelled {
			if !before.Load() {
				w.past.say(k, "t", pam.Complete{Status: pam.TurnCancelled})
			}
			all := w.past.of(k).records
			return pam.Cancelled{Key: k, Finals: all[len(all)-1:], Before: before.Load()}
		}
		if over {
			w.past.say(key("c"), "t", pam.Complete{Status: pam.TurnCancelled})
		}
		watching, not := w.join(wire.SubprotocolV1), w.join(wire.SubprotocolPlain)
		watching.say(`{"type":"subscribe","conversation_id":"c"}`)
		watching.frame()
		if over {
			watching.events("c", 0, 2)
		} else {
			watching.events("c", 0, 1)
		}
		for _, p := range []*peer{watching, not} {
			p.say(`{"type":"cancel","conversation_id":"c"}`)
			if f := p.frame(); f["type"] != "chat_response_complete" || f["status"] != "cancelled" {
				t.Errorf("answered %v", f)
			}
			before.Store(true) // by now
			p.say(`{"type":"ping"}`)
			if f := p.frame(); f["type"] != "pong" {
				t.Errorf("answered again: %v", f)
			}
		}
	}
}

// TestStreamedCancelIsAnsweredOnce: a plain client that streams the turn has
// its end from the stream, and not once more as the answer.
func TestStreamedCancelIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{Outbox: 64 << 10})
	w.past.chats = func(r pam.ChatRequest) pam.Accepted {
		k := key("c")
		w.past.say(k, "t", pam.UserMessage{ID: r.ID, Message: r.Message})
		return pam.Accepted{Key: k, Turn: "t", Message: w.past.of(k).records[0]}
	}
	w.past.cancels = func(k pam.Key) pam.Cancelled {
		w.past.say(k, "t", pam.Complete{Status: pam.TurnCancelled})
		return pam.Cancelled{Key: k, Finals: w.past.of(k).records[1:]}
	}
	p := w.join(wire.SubprotocolPlain)
	p.say(`{"type":"chat","message":"hi","stream":true}`)
	p.say(`{"type":"cancel","conversation_id":"c"}`)
	p.say(`{"type":"ping"}`)
	for _, want := range []string{"user_message", "chat_response_complete", "pong"} {
		if f := p.frame(); f["type"] != want {
			t.Errorf("%v, want %s", f, want)
		}
	}
}

// TestEndBeforeTheAnswer: a connection that is ended before its upgrade is
// answered says its last words after the answer, not before it.
func TestEndBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{Outbox: 64 << 10})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	there, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	here, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c := newConn(w.Gateway, everybody{}.Peer(nil), true)
	c.own(here)
	if refusal := w.enter(c); refusal != nil {
		t.Fatal(refusal)
	}
	w.Drain(time.Now().Add(time.Minute))
	go c.run([]byte("HTTP/1.1 101 and so on\r\n\r\n"), admission{}, nil)
	_ = there.SetDeadline(time.Now().Add(10 * time.Second))
	all, err := io.ReadAll(there)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(all); !strings.HasPrefix(got, "HTTP/1.1 101") || !strings.HasSuffix(got, "\r\n\r\n\x88\x0c\x03\xe9going_away") {
		t.Errorf("said %q", got)
	}
}
