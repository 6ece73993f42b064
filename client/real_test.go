package client_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/client"
	"github.com/pam-assistant/pam/internal/identity"
	"github.com/pam-assistant/pam/internal/server"
	"github.com/pam-assistant/pam/internal/settings"
)

// realServer runs the real server with the script model on a data folder, and
// returns its address and what makes it drain and end.
func realServer(t *testing.T, data string) (address string, stop func()) {
	t.Helper()
	set, err := settings.Load([]string{
		"PAM_ADDR=127.0.0.1:0", "PAM_DATA=" + data, "PAM_MODEL=script", "PAM_HEARTBEAT=1s", "PAM_DRAIN=10s", "PAM_MAX_HANDSHAKES=0",
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan net.Addr, 1), make(chan error, 1)
	go func() {
		ended <- server.Run(ctx, server.Options{
			Settings: set, Version: "test", Logger: slog.New(slog.DiscardHandler), Now: time.Now,
			Ready: func(s server.Started) { ready <- s.Addr },
		})
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("server: %v", err)
		}
	})
	t.Cleanup(stop)
	select {
	case addr := <-ready:
		return addr.String(), stop
	case err := <-ended:
		ended <- nil
		t.Fatalf("server: %v", err)
		return "", nil
	}
}

// developmentToken is what a client on the server's machine shows.
func developmentToken(data string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		secret, err := identity.ReadDevelopmentSecret(data)
		if err != nil {
			return "", err
		}
		v, err := identity.New(identity.Options{Secrets: [][]byte{secret}, Now: time.Now})
		if err != nil {
			return "", err
		}
		token, _, err := v.Sign(identity.DevelopmentUser, pam.RoleUser, time.Hour)
		return token, err
	}
}

// badLine is a proxy that cuts its connections when told to.
type badLine struct {
	listener net.Listener
	target   atomic.Value // string
	mu       sync.Mutex
	open     map[net.Conn]bool
	wait     sync.WaitGroup
}

func newBadLine(t *testing.T, target string) *badLine {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &badLine{listener: listener, open: map[net.Conn]bool{}}
	b.target.Store(target)
	b.wait.Go(b.run)
	t.Cleanup(func() { listener.Close(); b.cut(); b.wait.Wait() })
	return b
}

func (b *badLine) run() {
	for {
		here, err := b.listener.Accept()
		if err != nil {
			return
		}
		there, err := net.Dial("tcp", b.target.Load().(string))
		if err != nil {
			here.Close()
			continue
		}
		b.mu.Lock()
		b.open[here] = true
		b.mu.Unlock()
		for _, pair := range [][2]net.Conn{{here, there}, {there, here}} {
			b.wait.Go(func() {
				_, _ = io.Copy(pair[0], pair[1])
				here.Close()
				there.Close()
			})
		}
	}
}

func (b *badLine) cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.open {
		c.Close()
		delete(b.open, c)
	}
}

// TestRealServer: a line that is cut again and again costs nothing but time.
func TestRealServer(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	address, _ := realServer(t, data)
	line := newBadLine(t, address)
	o := quick()
	o.Token = developmentToken(data)
	c, _ := start(t, line.listener.Addr().String(), o)
	whole := wait(t, ask(t, c, client.Message{Text: "bench d=300 r=0"}))

	var answers []*client.Answer
	for i := range 4 {
		answers = append(answers, ask(t, c, client.Message{
			Text: "bench d=300 r=300", Conversation: pam.ConversationID(fmt.Sprint("c", i%2)),
		}))
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		for _, a := range answers {
			if got := wait(t, a); got != whole {
				t.Errorf("an answer of %d bytes, want the %d of an undisturbed one", len(got), len(whole))
			}
		}
	}()
	for cuts := 0; ; cuts++ {
		select {
		case <-over:
			t.Logf("%d cuts", cuts)
			if cuts < 5 {
				t.Errorf("only %d cuts", cuts)
			}
			checkConversations(t, c, answers)
			return
		case <-time.After(rand.N(100 * time.Millisecond)):
			line.cut()
		}
	}
}

// checkConversations wants each message once, in the order of asking.
func checkConversations(t *testing.T, c device, answers []*client.Answer) {
	t.Helper()
	for n := range 2 {
		w, err := c.Open(t.Context(), answers[n].Conversation())
		if err != nil {
			t.Fatal(err)
		}
		for v, err := range w.Updates(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if len(v.Turns) != 2 || v.Turns[0].Chat != answers[n].ID() || v.Turns[1].Chat != answers[n+2].ID() {
				t.Errorf("turns = %+v", v.Turns)
			}
			break
		}
		w.Close()
	}
}

// TestRealRestart: a server that is restarted under a running client.
func TestRealRestart(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	address, stop := realServer(t, data)
	line := newBadLine(t, address)
	o := quick()
	o.Token = developmentToken(data)
	c, _ := start(t, line.listener.Addr().String(), o)
	first := ask(t, c, client.Message{Text: "bench d=20 r=20"})
	for u, err := range first.Updates(t.Context()) {
		if err != nil || len(u.Turn.Parts) > 0 {
			break
		}
	}
	began := time.Now()
	stop() // drains: the running answer ends
	t.Logf("drained in %v", time.Since(began))
	second := ask(t, c, client.Message{Text: "hello again", Conversation: first.Conversation()})
	address, _ = realServer(t, data)
	line.target.Store(address)
	if got := wait(t, second); got != "hello again" {
		t.Errorf("second answer = %q", got)
	}
	if got := wait(t, first); len(got) < 20*18 {
		t.Errorf("first answer = %q", got)
	}
}

// TestRealRefusals: the refusals of the real server are what a client stops at.
func TestRealRefusals(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	address, _ := realServer(t, data)
	o := quick()
	o.Token = func(context.Context) (string, error) { return "a.b.c", nil }
	_, end := start(t, address, o)
	if err := <-end; pam.CodeOf(err) != pam.CodeTokenMalformed {
		t.Errorf("Run = %v", err)
	}
	o.Token = developmentToken(data)
	_, end = start(t, "http://"+address+"/api/v1/pam/ws/somebody-else", o)
	if err := <-end; pam.CodeOf(err) != pam.CodeUserMismatch {
		t.Errorf("Run = %v", err)
	}
	c, _ := start(t, address, o)
	w, err := c.Open(t.Context(), "unknown")
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range w.Updates(t.Context()) {
		if pam.CodeOf(err) != pam.CodeNotFound {
			t.Errorf("Open = %v", err)
		}
	}
	if _, err := c.UpdateContext(t.Context(), []byte(`{"userLocation":{"city":"Oslo"}}`)); err != nil {
		t.Errorf("UpdateContext = %v", err)
	}
	if _, err := ask(t, c, client.Message{Text: "one", ID: "same"}).Wait(t.Context()); err != nil {
		t.Errorf("Wait = %v", err)
	}
	if _, err := ask(t, c, client.Message{Text: "two", ID: "same"}).Wait(t.Context()); pam.CodeOf(err) != pam.CodeIDConflict {
		t.Errorf("the same id for another message: %v", err)
	}
}
