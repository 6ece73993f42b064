package gateway

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/google/uuid"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/wire"
)

// world is a gateway on loopback whose conversations a test writes itself.
type world struct {
	*Gateway
	t       *testing.T
	past    *past
	address string
	log     *lockedLog
}

// lockedLog is a log that is read while it is written.
type lockedLog struct {
	mu    sync.Mutex
	bytes bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes.Write(p)
}

func (l *lockedLog) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.FieldsFunc(l.bytes.String(), func(r rune) bool { return r == '\n' })
}

// everybody is a doorman to whom everybody is alice.
type everybody struct{}

func (everybody) Origin(*http.Request) error    { return nil }
func (everybody) Peer(*http.Request) netip.Addr { return netip.IPv6Loopback() }
func (everybody) Credential(*http.Request) Credential {
	return func(ctx context.Context) (pam.Principal, error) { return everybody{}.Token(ctx, "") }
}

func (everybody) Token(context.Context, string) (pam.Principal, error) {
	return pam.Principal{User: "alice"}, nil
}

// past is a conversation store: what is appended is delivered to who watches.
type past struct {
	mu      sync.Mutex
	all     map[pam.Key]*told
	asked   atomic.Int64 // requests that came through
	flush   func()
	chats   func(pam.ChatRequest) pam.Accepted
	cancels func(key pam.Key) pam.Cancelled
}

type told struct {
	records []pam.Record
	watches []*told1
}

type told1 struct {
	past    *past
	told    *told
	key     pam.Key
	watcher Watcher
	live    bool
	closed  bool
}

// pageSize is about how much of the past is read at once, as the product does.
const pageSize = 64 << 10

func (p *past) of(key pam.Key) *told {
	if p.all[key] == nil {
		p.all[key] = &told{}
	}
	return p.all[key]
}

// say appends an event to a conversation and delivers it.
func (p *past) say(key pam.Key, turn pam.TurnID, body pam.EventBody) {
	p.mu.Lock()
	t := p.of(key)
	e := pam.Event{Key: key, Turn: turn, Body: body, At: time.Unix(0, 0)}
	e.Seq = int64(len(t.records)) + 1
	e.From = e.Seq
	r := pam.Record{From: e.From, Seq: e.Seq, Kind: body.Kind(), Turn: turn, JSON: wire.EventCodec{}.Encode(&e)}
	t.records = append(t.records, r)
	t.watches = slices.DeleteFunc(t.watches, func(w *told1) bool {
		return w.live && !w.watcher.Deliver(key, []pam.Record{r})
	})
	p.mu.Unlock()
	p.flush()
}

func (p *past) Chat(_ context.Context, r pam.ChatRequest) (pam.Accepted, error) {
	p.asked.Add(1)
	if p.chats != nil {
		return p.chats(r), nil
	}
	return pam.Accepted{}, &pam.Error{Code: pam.CodeBusy}
}

func (p *past) Cancel(context.Context, pam.UserID, pam.TurnID) (pam.Cancelled, error) {
	return pam.Cancelled{}, &pam.Error{Code: pam.CodeNotFound}
}

func (p *past) CancelAll(_ context.Context, key pam.Key) (pam.Cancelled, error) {
	if p.cancels == nil {
		return pam.Cancelled{}, &pam.Error{Code: pam.CodeNotFound}
	}
	return p.cancels(key), nil
}

func (p *past) Watch(_ context.Context, key pam.Key, w Watcher, r pam.Resume) (Watch, pam.Position, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.of(key)
	watch := &told1{past: p, told: t, key: key, watcher: w}
	t.watches = append(t.watches, watch)
	return watch, pam.Position{Epoch: "e", Head: int64(len(t.records)), From: r.After + 1}, nil
}

func (w *told1) Replay(_ context.Context, after int64) (bool, error) {
	w.past.mu.Lock()
	defer w.past.mu.Unlock()
	if w.closed {
		return true, nil
	}
	var page []pam.Record
	for n := 0; after < int64(len(w.told.records)) && n < pageSize; after++ {
		page = append(page, w.told.records[after])
		n += len(w.told.records[after].JSON)
	}
	w.live = after == int64(len(w.told.records))
	if len(page) > 0 && !w.watcher.Deliver(w.key, page) {
		w.closed = true
	}
	return w.live, nil
}

func (w *told1) Close() {
	w.past.mu.Lock()
	defer w.past.mu.Unlock()
	w.closed = true
	w.told.watches = slices.DeleteFunc(w.told.watches, func(other *told1) bool { return other == w })
}

// Merge implements [Contexts].
func (p *past) Merge(context.Context, pam.Session, []byte) (int64, error) {
	p.asked.Add(1)
	return p.asked.Load(), nil
}

func newWorld(t *testing.T, limits Limits) *world {
	t.Helper()
	w := &world{t: t, past: &past{all: map[pam.Key]*told{}}, log: &lockedLog{}}
	w.Gateway = New(Options{
		Conversations: w.past, Contexts: w.past, Doorman: everybody{}, Limits: limits, Heartbeat: 25 * time.Second,
		Logger: slog.New(slog.NewJSONHandler(w.log, nil)), Now: time.Now,
		NewID: func() [16]byte { return uuid.New() },
	})
	w.past.flush = w.Flush
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- w.Run(ctx) }()
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.ServeHTTP(rw, r, "") }))
	w.address = server.Listener.Addr().String()
	t.Cleanup(func() {
		server.Close()
		closing, done := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer done()
		w.Close(closing)
		stop()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
	return w
}

// peer is a client of the world, as slow as a test wants it.
type peer struct {
	t *testing.T
	*raw
}

// join connects as a pam.v1 client, or a plain one, and reads the greeting.
func (w *world) join(protocol string) *peer {
	w.t.Helper()
	socket, err := net.DialTimeout("tcp", w.address, 10*time.Second)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = socket.Close() })
	_ = socket.(*net.TCPConn).SetReadBuffer(512 << 10)
	_ = socket.SetDeadline(time.Now().Add(30 * time.Second))
	p := &peer{w.t, &raw{Conn: socket, read: bufio.NewReaderSize(socket, 4<<10)}}
	request := "GET /ws HTTP/1.1\r\nHost: " + w.address + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: " + protocol + "\r\n\r\n"
	if _, err := socket.Write([]byte(request)); err != nil {
		w.t.Fatal(err)
	}
	answer, err := http.ReadResponse(p.read, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	_ = answer.Body.Close()
	if protocol == wire.SubprotocolV1 {
		if f := p.frame(); f["type"] != "connected" {
			w.t.Fatalf("greeted with %v", f)
		}
	}
	return p
}

// conn is the newest connection, as the gateway has it.
func (w *world) conn() *conn {
	w.mu.Lock()
	var newest *conn
	for c := range w.conns {
		if newest == nil || c.opened.After(newest.opened) {
			newest = c
		}
	}
	w.mu.Unlock()
	_ = newest.socket.(*net.TCPConn).SetWriteBuffer(16 << 10) // so that a peer that does not read is soon felt
	return newest
}

// say sends a text frame.
func (p *peer) say(text string) {
	p.t.Helper()
	f := rawFrame{op: 1, fin: true, payload: []byte(text)}
	if _, err := p.Write(f.appendTo(nil)); err != nil {
		p.t.Fatal(err)
	}
}

// next reads one frame, whatever it is.
func (p *peer) next() (ws.OpCode, []byte) {
	p.t.Helper()
	h, err := ws.ReadHeader(p.read)
	if err != nil {
		p.t.Fatalf("the next frame: %v", err)
	}
	payload := make([]byte, h.Length)
	if _, err := io.ReadFull(p.read, payload); err != nil {
		p.t.Fatal(err)
	}
	return h.OpCode, payload
}

// frame reads the next text frame.
func (p *peer) frame() map[string]any {
	p.t.Helper()
	for {
		op, payload := p.next()
		switch op {
		case ws.OpText:
			var f map[string]any
			if err := json.Unmarshal(payload, &f); err != nil {
				p.t.Fatalf("%v: %s", err, payload)
			}
			if f["type"] != "ping" {
				return f
			}
		case ws.OpClose:
			p.t.Fatalf("closed with %d", binary.BigEndian.Uint16(payload))
		}
	}
}

// closing reads to the close frame, and returns its code and the error before it.
func (p *peer) closing() (code uint16, said string) {
	p.t.Helper()
	for {
		op, payload := p.next()
		switch op {
		case ws.OpText:
			var f struct {
				Type string
				Code string `json:"error_code"`
			}
			if err := json.Unmarshal(payload, &f); err == nil && f.Type == "error" {
				said = f.Code
			}
		case ws.OpClose:
			return binary.BigEndian.Uint16(payload), said
		}
	}
}

// events reads to event seq of a conversation and holds each to rule 3: it
// follows the last. It returns the other frames.
func (p *peer) events(id string, last, seq int64) (others []map[string]any) {
	p.t.Helper()
	for last < seq {
		f := p.frame()
		if f["conversation_id"] != id || f["seq"] == nil || f["type"] == "subscribed" {
			others = append(others, f)
			continue
		}
		got := int64(f["seq"].(float64))
		from := got
		if f["from"] != nil {
			from = int64(f["from"].(float64))
		}
		if from != last+1 {
			p.t.Fatalf("event %d..%d after %d", from, got, last)
		}
		last = got
	}
	return others
}

func key(id pam.ConversationID) pam.Key { return pam.Key{User: "alice", Conversation: id} }

// eventually waits for what other goroutines do.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 2000 {
		if is() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("never: " + what)
}
