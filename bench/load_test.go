package bench_test

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// token is what PAM and the floor both take.
func token(user string) string {
	enc := base64.RawURLEncoding
	signed := enc.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." +
		enc.EncodeToString(fmt.Appendf(nil, `{"sub":%q,"exp":%d}`, user, time.Now().Add(time.Hour).Unix()))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(signed))
	return signed + "." + enc.EncodeToString(mac.Sum(nil))
}

// peer is a client's connection: raw frames, so that the client costs little.
type peer struct {
	net.Conn
	r *bufio.Reader
	n int // which of all
}

// dial upgrades; a server that greets has greeted once it returns.
func dial(c *child, path, token string) (*peer, error) {
	if c.role == rolePAM {
		path = "/api/v1/pam/ws"
	}
	conn, err := net.Dial("tcp", c.addr)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(conn, "GET %s?token=%s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: pam.v1\r\n\r\n", path, token, c.addr)
	if err != nil {
		return nil, err
	}
	p := &peer{Conn: conn, r: bufio.NewReaderSize(conn, 2048)}
	answer, err := http.ReadResponse(p.r, nil)
	if err != nil {
		return nil, err
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return nil, fmt.Errorf("status %s", answer.Status)
	}
	if c.role == rolePAM {
		var buf [1024]byte
		if in, err := p.read(buf[:]); err != nil || !bytes.Contains(in, []byte(`"connected"`)) {
			return nil, fmt.Errorf("not greeted but told %s: %w", in, err)
		}
	}
	return p, nil
}

// dialAll opens n connections of as many users, or of one.
func dialAll(c *child, path string, n int, oneUser bool) []*peer {
	c.b.Helper()
	peers := make([]*peer, n)
	errs := make([]error, 16)
	var all sync.WaitGroup
	for w := range errs {
		all.Go(func() {
			for i := w; i < n && errs[w] == nil; i += len(errs) {
				user := "bench"
				if !oneUser {
					user += strconv.Itoa(i)
				}
				if peers[i], errs[w] = dial(c, path, token(user)); errs[w] == nil {
					peers[i].n = i
				}
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			c.b.Fatal(err)
		}
	}
	return peers
}

func closeAll(peers []*peer) {
	for _, p := range peers {
		p.hangUp()
	}
}

// hangUp leaves no port behind that waits a minute.
func (p *peer) hangUp() {
	if tcp, ok := p.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a port more, at worst
	}
	p.Close()
}

// read returns the next frame's bytes, in buf where they fit.
func (p *peer) read(buf []byte) ([]byte, error) {
	var head [8]byte
	if _, err := io.ReadFull(p.r, head[:2]); err != nil {
		return nil, err
	}
	n := int(head[1] & 0x7f)
	switch n {
	case 126:
		if _, err := io.ReadFull(p.r, head[:2]); err != nil {
			return nil, err
		}
		n = int(binary.BigEndian.Uint16(head[:]))
	case 127:
		if _, err := io.ReadFull(p.r, head[:]); err != nil {
			return nil, err
		}
		n = int(binary.BigEndian.Uint64(head[:]))
	}
	if n > len(buf) {
		buf = make([]byte, n)
	}
	_, err := io.ReadFull(p.r, buf[:n])
	return buf[:n], err
}

// readAll hands every frame of all peers to take, until they are closed; the
// server's heartbeats are answered.
func readAll(peers []*peer, take func(p *peer, frame []byte)) {
	for _, p := range peers {
		go func() {
			buf := make([]byte, 1024)
			for {
				in, err := p.read(buf)
				if err != nil {
					return
				}
				if bytes.HasPrefix(in, []byte(`{"type":"ping"`)) {
					_ = p.send([]byte(`{"type":"pong"}`)) // a peer that is gone is told by its reads
					continue
				}
				take(p, in)
			}
		}()
	}
}

// send writes one masked text frame.
func (p *peer) send(b []byte) error {
	out := make([]byte, 0, len(b)+8)
	if len(b) < 126 {
		out = append(out, 0x81, 0x80|byte(len(b)))
	} else {
		out = binary.BigEndian.AppendUint16(append(out, 0x81, 0x80|126), uint16(len(b)))
	}
	mask := [4]byte{1, 2, 3, 4}
	_, _ = rand.Read(mask[:]) // it never fails
	out = append(out, mask[:]...)
	for i, x := range b {
		out = append(out, x^mask[i%4])
	}
	_, err := p.Write(out)
	return err
}

// between returns what stands in b between two texts.
func between(b []byte, before, after string) []byte {
	_, rest, ok := bytes.Cut(b, []byte(before))
	if !ok {
		return nil
	}
	got, _, _ := bytes.Cut(rest, []byte(after))
	return got
}

// openLoop sends at a rate, whatever has become of the last message: a message
// carries when it was due, and its latency counts from then. It returns how
// late the sender itself was.
func openLoop(rate int, d time.Duration, send func(i int, due time.Time)) (lateness time.Duration) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	start := time.Now()
	total := int(d.Seconds() * float64(rate))
	late := make([]time.Duration, 0, total)
	for i := range total {
		due := start.Add(time.Duration(i) * time.Second / time.Duration(rate))
		// The runtime's own timers round up to a millisecond.
		if wait := time.Until(due); wait > 0 {
			ts := unix.NsecToTimespec(wait.Nanoseconds())
			_ = unix.Nanosleep(&ts, nil) // sooner after a signal
		}
		late = append(late, time.Since(due))
		send(i, due)
	}
	return at(late, 99)
}

// waits collects latencies of many readers.
type waits struct {
	mu  sync.Mutex
	all []time.Duration
}

func (w *waits) add(d time.Duration) {
	w.mu.Lock()
	w.all = append(w.all, d)
	w.mu.Unlock()
}

func (w *waits) len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.all)
}

func (w *waits) take() []time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.all
	w.all = nil
	return all
}

// at returns the given percentile; 0 of none.
func at(all []time.Duration, percent int) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)*percent/100]
}
