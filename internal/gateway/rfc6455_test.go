package gateway

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/wire"
)

// nobodyKnown is a doorman to whom everybody is a stranger: what RFC 6455 says
// holds before anybody is known.
type nobodyKnown struct{}

func (nobodyKnown) Origin(*http.Request) error          { return nil }
func (nobodyKnown) Credential(*http.Request) Credential { return nil }
func (nobodyKnown) Peer(*http.Request) netip.Addr       { return netip.IPv6Loopback() }
func (nobodyKnown) Token(context.Context, string) (pam.Principal, error) {
	return pam.Principal{}, &pam.Error{Code: pam.CodeTokenMalformed}
}

// serveStrangers serves a gateway on loopback and returns its address.
func serveStrangers(t *testing.T) string {
	t.Helper()
	g := New(Options{
		Doorman:   nobodyKnown{},
		Limits:    Limits{Outbox: 256 << 10},
		Heartbeat: 25 * time.Second,
		Logger:    slog.New(slog.DiscardHandler),
		Now:       time.Now,
		NewID:     func() [16]byte { return uuid.New() },
	})
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- g.Run(ctx) }()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { g.ServeHTTP(w, r, "") }))
	t.Cleanup(func() {
		server.Close()
		closing, done := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer done()
		g.Close(closing)
		stop()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
	return server.Listener.Addr().String()
}

// raw is a client that sends what it likes.
type raw struct {
	net.Conn
	read *bufio.Reader
}

func dialRaw(address string) (*raw, error) {
	socket, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		return nil, err
	}
	c := &raw{Conn: socket, read: bufio.NewReaderSize(socket, 1<<10)}
	if err := socket.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return nil, err
	}
	request := "GET /ws HTTP/1.1\r\nHost: " + address + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	if _, err := socket.Write([]byte(request)); err != nil {
		return nil, err
	}
	answer, err := http.ReadResponse(c.read, nil)
	if err != nil {
		return nil, err
	}
	if err := answer.Body.Close(); err != nil { // it has none
		return nil, err
	}
	if answer.StatusCode != http.StatusSwitchingProtocols || answer.Header.Get("Sec-Websocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		return nil, fmt.Errorf("answered %s, %v", answer.Status, answer.Header)
	}
	return c, nil
}

// leave closes without the state that a system keeps of a connection that was
// closed in order: there are thousands of them.
func (c *raw) leave() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// heard is what a server says to a case: one line a frame, so that they can be
// compared.
type heard []string

// said is what must be said to c: an error to each text (it is no JSON) and
// for a fault, a pong to each ping, and the close; where nothing ends the
// connection the client does, with 1000, to show that it is still there.
func said(c rfcCase) heard {
	var all heard
	for _, s := range c.Seen {
		switch s.What {
		case "text":
			all = append(all, "error bad_frame")
		case "ping":
			all = append(all, fmt.Sprintf("pong %q", s.Payload))
		case "close":
			echo := fmt.Sprintf("close %d", s.Code)
			if s.Code == noStatus {
				echo = `close ""` // which may not be sent: the answer is empty too
			}
			return append(all, echo, "end of stream")
		}
	}
	if c.Fault != 0 {
		return append(all, "error "+c.Fault.String(), fmt.Sprintf("close %d", wire.Meaning(c.Fault).Close), "end of stream")
	}
	return append(all, "close 1000", "end of stream")
}

// hear reads all that the server says, to the end of the stream.
func (c *raw) hear() (heard, error) {
	var all heard
	for {
		h, err := ws.ReadHeader(c.read)
		if errors.Is(err, io.EOF) {
			return append(all, "end of stream"), nil
		}
		if err != nil {
			return all, err
		}
		if h.Masked || h.Rsv != 0 || !h.Fin || h.Length > 1<<16 {
			return all, fmt.Errorf("the server sent %+v", h)
		}
		payload := make([]byte, h.Length)
		if _, err := io.ReadFull(c.read, payload); err != nil {
			return all, err
		}
		switch h.OpCode {
		case ws.OpText:
			_, code, _ := strings.Cut(string(payload), `"error_code":"`)
			code, _, _ = strings.Cut(code, `"`)
			all = append(all, "error "+code)
		case ws.OpPong:
			all = append(all, fmt.Sprintf("pong %q", payload))
		case ws.OpClose:
			if len(payload) < 2 {
				all = append(all, fmt.Sprintf("close %q", payload))
				continue
			}
			all = append(all, fmt.Sprintf("close %d", binary.BigEndian.Uint16(payload)))
		default:
			all = append(all, fmt.Sprintf("opcode %d", h.OpCode))
		}
	}
}

// ask sends a case, in the given segments, and returns what was said to it.
func ask(address string, c rfcCase, segments [][]byte) (heard, error) {
	client, err := dialRaw(address)
	if err != nil {
		return nil, err
	}
	defer client.leave()
	ended := c.Fault != 0 || slices.ContainsFunc(c.Seen, func(s seen) bool { return s.What == "close" })
	if !ended {
		bye := rawFrame{op: 8, fin: true, payload: []byte{1000 >> 8, 1000 & 0xff}}
		segments = append(segments, bye.appendTo(nil))
	}
	for _, s := range segments {
		if _, err := client.Write(s); err != nil && !ended {
			return nil, err
		}
	}
	return client.hear()
}

// askAll asks about all cases, a few at a time.
func askAll(t *testing.T, cases []rfcCase, cut func(i int, p []byte) [][]byte) {
	t.Helper()
	address := serveStrangers(t)
	next := make(chan int)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range next {
				c := cases[i]
				segments := cut(i, c.Sent)
				got, err := ask(address, c, segments)
				if err != nil {
					t.Errorf("%s, in %d segments: %v, after %q", c.Name, len(segments), err, got)
				} else if diff := cmp.Diff(said(c), got); diff != "" {
					t.Errorf("%s, in %d segments (-want +got):\n%s", c.Name, len(segments), diff)
				}
			}
		})
	}
	for i := range cases {
		next <- i
		if t.Failed() {
			break
		}
	}
	close(next)
	all.Wait()
	t.Logf("%d cases", len(cases))
}

func whole(_ int, p []byte) [][]byte { return [][]byte{p} }

// TestRawHeaders asks a server over raw sockets about every opcode × FIN ×
// reserved bits × mask × form of length, fresh and within a message.
func TestRawHeaders(t *testing.T) {
	t.Parallel()
	askAll(t, append(headerCases(), limitCases()...), whole)
}

// TestRawUTF8 asks about every class of UTF-8 error, at every split into
// fragments, and the segments cut at another place each time.
func TestRawUTF8(t *testing.T) {
	t.Parallel()
	askAll(t, utf8Cases(), func(i int, p []byte) [][]byte {
		at := i % (len(p) + 1)
		return [][]byte{p[:at], p[at:]}
	})
}

// TestRawEarly sends no byte more than it takes to know that a text is not
// UTF-8, in a frame that announces more, and a frame's header alone where that
// is too long: the server says so without waiting for the rest.
func TestRawEarly(t *testing.T) {
	t.Parallel()
	var cases []rfcCase
	for _, s := range utf8Texts() {
		for i := range len(s.bytes) {
			if viable([]byte(s.bytes[:i+1])) {
				continue
			}
			sent := rawFrame{op: 1, fin: true, payload: []byte(s.bytes + "and more")}.appendTo(nil)
			cases = append(cases, rfcCase{Name: s.name, Sent: sent[:2+4+i+1], Fault: pam.CodeInvalidUTF8})
			break
		}
	}
	tooLong := rawFrame{op: 1, fin: true, payload: make([]byte, wire.MaxFrame+1)}.appendTo(nil)
	cases = append(cases, rfcCase{Name: "too long by its header", Sent: tooLong[:10], Fault: pam.CodeFrameTooLarge})
	askAll(t, cases, whole)
}

// TestRawClose asks about the close codes at every edge, and about reasons.
func TestRawClose(t *testing.T) {
	t.Parallel()
	edges := []int{0, 1, 999, 1099, 1999, 2000, 2999, 3000, 3999, 4000, 4400, 4999, 5000, 9999, 32768, 65535}
	var cases []rfcCase
	for i, c := range closeCases() {
		if i >= 1000 && i <= 1030 || i > 65535 || slices.Contains(edges, i) {
			cases = append(cases, c)
		}
	}
	askAll(t, cases, whole)
}

// TestRawBytewise sends a message in fragments, a ping in between, one byte a
// segment.
func TestRawBytewise(t *testing.T) {
	t.Parallel()
	text := bytes.Repeat([]byte("a\u00e9\u20ac\U0001f600"), 4)
	ping := rawFrame{op: 9, fin: true, payload: []byte("between")}
	var cases []rfcCase
	for at := range len(text) {
		cases = append(cases, newCase(fmt.Sprintf("split at %d", at),
			rawFrame{op: 1, payload: text[:at]}, ping, rawFrame{op: 0, fin: true, payload: text[at:]}, ping))
	}
	askAll(t, cases, func(_ int, p []byte) [][]byte { return bytewise(p) })
}
