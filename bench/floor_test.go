package bench_test

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gobwas/ws"
	"github.com/ncruces/go-sqlite3"
)

// The floor does the essential work and no more: an upgrade, a goroutine that
// waits for a frame without holding a buffer, an answer, and where PAM's answer
// is durable, a commit before it. It knows no conversation, limit or deadline.

// floor is the bare server; the path says what it answers with.
type floor struct {
	log      *floorLog
	scratch  sync.Pool
	mu       sync.Mutex
	watchers []net.Conn
}

// scratch is what a connection needs while bytes are there.
type scratch struct {
	r   *bufio.Reader
	in  []byte
	out []byte
}

func serveFloor() {
	f := &floor{log: openFloorLog(filepath.Join(os.Args[1], "floor.db"))}
	f.scratch.New = func() any {
		return &scratch{r: bufio.NewReaderSize(nil, 4096), in: make([]byte, 4096), out: make([]byte, 0, 512)}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr())
	server := &http.Server{Handler: f, ReadHeaderTimeout: 10 * time.Second}
	go func() { panic(server.Serve(listener)) }()
	obey(func() {})
}

// ServeHTTP checks the token, upgrades, and leaves the handler.
func (f *floor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := checkToken(r.URL.Query().Get("token")); err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	c, _, _, err := ws.UpgradeHTTP(r, w)
	if err != nil {
		return
	}
	if err := c.SetDeadline(time.Time{}); err != nil {
		return
	}
	switch r.URL.Path {
	case "/ping":
		go f.park(c, pong)
	case "/first":
		go f.park(c, f.first)
	case "/stream":
		go f.park(c, f.stream)
	case "/fan":
		f.mu.Lock()
		f.watchers = append(f.watchers, c)
		f.mu.Unlock()
		go f.park(c, f.fan)
	}
}

type answer func(c net.Conn, in, out []byte) error

// park waits until the connection is readable, and takes a buffer only then.
func (f *floor) park(c net.Conn, answer answer) {
	defer c.Close()
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	asked := false
	wait := func(uintptr) bool { asked = !asked; return !asked }
	for {
		asked = false
		if raw.Read(wait) != nil || f.read(c, answer) != nil {
			return
		}
	}
}

// read answers whole frames until no byte of another is there.
func (f *floor) read(c net.Conn, answer answer) error {
	s, ok := f.scratch.Get().(*scratch)
	if !ok {
		panic("no scratch")
	}
	defer f.scratch.Put(s)
	s.r.Reset(c)
	for {
		h, err := ws.ReadHeader(s.r)
		if err != nil {
			return err
		}
		if h.Length > int64(len(s.in)) {
			return errors.New("too large")
		}
		in := s.in[:h.Length]
		if _, err := io.ReadFull(s.r, in); err != nil {
			return err
		}
		ws.Cipher(in, h.Mask, 0)
		if h.OpCode == ws.OpClose {
			return io.EOF
		}
		if err := answer(c, in, s.out[:0]); err != nil {
			return err
		}
		if s.r.Buffered() == 0 {
			return nil
		}
	}
}

type request struct {
	Type      string          `json:"type"`
	ID        string          `json:"id"`
	Timestamp json.RawMessage `json:"timestamp"`
	Message   string          `json:"message"`
	Count     int             `json:"count"`
	Rate      int             `json:"rate"`
}

func pong(c net.Conn, in, out []byte) error {
	var r request
	if err := json.Unmarshal(in, &r); err != nil {
		return err
	}
	out = append(out, `{"type":"pong","timestamp":`...)
	out = append(out, r.Timestamp...)
	out = append(out, `,"server_time":"`...)
	out = time.Now().UTC().AppendFormat(out, time.RFC3339Nano)
	_, err := c.Write(framed(append(out, `"}`...)))
	return err
}

// first commits the message and then writes it to its sender.
func (f *floor) first(c net.Conn, in, out []byte) error {
	var r request
	if err := json.Unmarshal(in, &r); err != nil {
		return err
	}
	out = append(out, `{"type":"user_message","conversation_id":"0198c0de-7000-7000-8000-000000000001","seq":1,`+
		`"turn_id":"0198c0de-7000-7000-8000-000000000002","at":"2026-11-25T10:00:00.000Z","id":"`...)
	out = append(out, r.ID...)
	out = append(out, `","message":"`...)
	out = append(out, r.Message...)
	f.log.append(c, framed(append(out, `"}`...)), true)
	return nil
}

// stream commits and writes the deltas that were asked for.
func (f *floor) stream(c net.Conn, in, _ []byte) error {
	var r request
	if err := json.Unmarshal(in, &r); err != nil {
		return err
	}
	go tick(r, func(delta []byte, last bool) { f.log.append(c, framed(delta), last) })
	return nil
}

// fan writes the deltas that were asked for to all who watch; nothing is kept.
func (f *floor) fan(_ net.Conn, in, _ []byte) error {
	var r request
	if err := json.Unmarshal(in, &r); err != nil {
		return err
	}
	f.mu.Lock()
	watchers := f.watchers
	f.mu.Unlock()
	go tick(r, func(delta []byte, _ bool) {
		frame := framed(delta)
		for _, w := range watchers {
			_, _ = w.Write(frame) // who is gone is gone
		}
	})
	return nil
}

// tick makes deltas as long as PAM's, and the last event of an answer.
func tick(r request, emit func(delta []byte, last bool)) {
	t := time.NewTicker(time.Second / time.Duration(r.Rate))
	defer t.Stop()
	for n := range r.Count {
		emit(fmt.Appendf(nil, `{"type":"chat_response_delta","conversation_id":"0198c0de-7000-7000-8000-000000000001","seq":%d,`+
			`"turn_id":"0198c0de-7000-7000-8000-000000000002","at":"2026-11-25T10:00:00.000Z","content":"%05d lorem ipsum "}`, n, n+1), false)
		<-t.C
	}
	emit([]byte(`{"type":"chat_response_complete"}`), true)
}

// framed puts the header of a server's text frame before its bytes.
func framed(b []byte) []byte {
	out := make([]byte, 0, len(b)+4)
	if len(b) < 126 {
		out = append(out, 0x81, byte(len(b)))
	} else {
		out = binary.BigEndian.AppendUint16(append(out, 0x81, 126), uint16(len(b)))
	}
	return append(out, b...)
}

// checkToken is HS256 by hand: one hash, one object.
func checkToken(token string) error {
	signed, signature, _ := cutLast(token, ".")
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(signed))
	got, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil || !hmac.Equal(mac.Sum(nil), got) {
		return errors.New("bad signature")
	}
	_, payload, _ := strings.Cut(signed, ".")
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return err
	}
	var claims struct {
		Exp int64  `json:"exp"`
		Sub string `json:"sub"`
	}
	if err := json.Unmarshal(text, &claims); err != nil {
		return err
	}
	if claims.Sub == "" || time.Now().Unix() > claims.Exp {
		return errors.New("no longer valid")
	}
	return nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// floorLog is a table of blobs, one a commit, synchronous=FULL. What was
// committed is written then.
type floorLog struct {
	mu     sync.Mutex
	queue  []*owed
	urgent chan struct{}
	some   chan struct{}
	insert *sqlite3.Stmt
}

type owed struct {
	to    net.Conn
	frame []byte
}

func openFloorLog(path string) *floorLog {
	db, err := sqlite3.Open("file:" + path)
	if err != nil {
		panic(err)
	}
	if err := db.Exec(`PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE log(id INTEGER PRIMARY KEY, body BLOB NOT NULL)`); err != nil {
		panic(err)
	}
	insert, _, err := db.Prepare(`INSERT INTO log(body) VALUES(?)`)
	if err != nil {
		panic(err)
	}
	l := &floorLog{urgent: make(chan struct{}, 1), some: make(chan struct{}, 1), insert: insert}
	go l.run()
	return l
}

// append hands a frame over; an urgent one does not wait for the 5 ms.
func (l *floorLog) append(to net.Conn, frame []byte, urgent bool) {
	l.mu.Lock()
	l.queue = append(l.queue, &owed{to, frame})
	l.mu.Unlock()
	wake := l.some
	if urgent {
		wake = l.urgent
	}
	select {
	case wake <- struct{}{}:
	default:
	}
}

func (l *floorLog) run() {
	var batch []*owed
	var body []byte
	var began time.Time
	for {
		select {
		case <-l.urgent:
		case <-l.some:
			if wait := streamSpacing - time.Since(began); wait > 0 {
				select {
				case <-l.urgent:
				case <-time.After(wait):
				}
			}
		}
		began = time.Now()
		l.mu.Lock()
		batch, l.queue = l.queue, batch[:0]
		l.mu.Unlock()
		body = body[:0]
		for _, o := range batch {
			body = append(body, o.frame...)
		}
		if len(body) == 0 {
			continue
		}
		if err := errors.Join(l.insert.BindBlob(1, body), l.insert.Exec()); err != nil {
			panic(err)
		}
		for _, o := range batch {
			_, _ = o.to.Write(o.frame) // who is gone is gone
		}
		clear(batch)
	}
}
