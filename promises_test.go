package pam_test

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/pam-assistant/pam/internal/faultlab"
)

// TestOriginTranscript holds a conversation as the original's clients do, with
// the library that they use.
func TestOriginTranscript(t *testing.T) {
	t.Parallel()
	python := faultlab.NeedPython(t, "websockets")
	pam := build(t)
	env := []string{"PAM_DATA=" + t.TempDir(), "PAM_ADDR=127.0.0.1:0"}
	server := pam.serve(t, env...)
	url := "ws" + strings.TrimPrefix(server.url, "http")
	out, err := exec.CommandContext(t.Context(), python, "testdata/origin.py", url, tokenFor(t, pam, env, "test-user-123")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, server.log)
	}
}

// tokenFor makes a token for user.
func tokenFor(t *testing.T, pam product, env []string, user string) string {
	t.Helper()
	out, err := pam.command(t.Context(), env, "token", "--user", user).Output()
	if err != nil {
		t.Fatalf("pam token: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// frame is any frame of a server.
type frame map[string]any

func (f frame) is(kind string) bool { return f["type"] == kind }

// dial connects as a pam.v1 client and reads the greeting.
func dial(t *testing.T, server *running, token string) *websocket.Conn {
	t.Helper()
	conn, _, err := websocket.Dial(t.Context(), server.url+"/api/v1/pam/ws", &websocket.DialOptions{
		Subprotocols: []string{"pam.v1", "bearer." + token},
	})
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(4 << 20)
	if f := receive(t, conn); !f.is("connected") {
		t.Fatalf("greeted with %v", f)
	}
	return conn
}

func receive(t *testing.T, conn *websocket.Conn) frame {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var f frame
	if err := wsjson.Read(ctx, conn, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func send(t *testing.T, conn *websocket.Conn, f frame) {
	t.Helper()
	if err := wsjson.Write(t.Context(), conn, f); err != nil {
		t.Fatal(err)
	}
}

// until reads to the first frame of a kind, and returns it.
func until(t *testing.T, conn *websocket.Conn, kind string) frame {
	t.Helper()
	for {
		if f := receive(t, conn); f.is(kind) {
			return f
		}
	}
}

// script is the whole answer of the script model to `bench d=N`.
func script(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%05d lorem ipsum ", i+1)
	}
	return b.String()
}

// TestKillInMidAnswer kills the process while it answers: what was acknowledged
// is there, and the next process ends the answer, whole and once.
func TestKillInMidAnswer(t *testing.T) {
	t.Parallel()
	pam := build(t)
	env := []string{"PAM_DATA=" + t.TempDir(), "PAM_ADDR=127.0.0.1:0", "PAM_MODEL=script"}
	first := pam.serve(t, env...)
	token := tokenFor(t, pam, env, "alice")
	conn := dial(t, first, token)
	send(t, conn, frame{"type": "init", "context": frame{"locale": "de-CH"}})
	until(t, conn, "init_ack")
	send(t, conn, frame{"type": "chat", "id": "once", "message": "bench d=40 r=40"})
	subscribed := until(t, conn, "subscribed")
	var last frame
	for range 12 {
		last = receive(t, conn)
	}
	first.stop(syscall.SIGKILL)

	second := pam.serve(t, env...)
	conn = dial(t, second, token)
	send(t, conn, frame{"type": "subscribe", "conversation_id": subscribed["conversation_id"], "after": last["seq"], "epoch": subscribed["epoch"]})
	again := until(t, conn, "subscribed")
	if again["reset"] != false || again["epoch"] != subscribed["epoch"] {
		t.Errorf("subscribed with %v after %v", again, last)
	}
	next := last["seq"].(float64) + 1
	var final frame
	for final == nil {
		f := receive(t, conn)
		from, merged := f["from"]
		if !merged {
			from = f["seq"]
		}
		if from != next {
			t.Fatalf("%v, want number %v", f, next)
		}
		next = f["seq"].(float64) + 1
		if f.is("chat_response_complete") {
			final = f
		}
	}
	if final["status"] != "completed" || final["full_response"] != script(40) {
		t.Errorf("the answer ended with %v", final)
	}

	// The same message again starts nothing, and what was known still is.
	send(t, conn, frame{"type": "chat", "id": "once", "message": "bench d=40 r=40"})
	if f := receive(t, conn); !f.is("user_message") || f["seq"] != 1.0 {
		t.Errorf("asked again: %v", f)
	}
	send(t, conn, frame{"type": "chat", "id": "once", "message": "something else"})
	if f := receive(t, conn); f["error_code"] != "id_conflict" || f["id"] != "once" {
		t.Errorf("another message under the same id: %v", f)
	}
	send(t, conn, frame{"type": "context_update", "context": frame{"timezone": "Europe/Zurich"}})
	if f := receive(t, conn); f["context_version"] != 2.0 {
		t.Errorf("context: %v", f)
	}
}

// TestDrain ends a process that answers: it tells its clients, takes no new
// turns, ends the running answer, and the successor on the same data folder and
// port takes over.
func TestDrain(t *testing.T) {
	t.Parallel()
	pam := build(t)
	env := []string{"PAM_DATA=" + t.TempDir(), "PAM_MODEL=script"}
	first := pam.serve(t, append(env, "PAM_ADDR=127.0.0.1:0")...)
	token := tokenFor(t, pam, env, "alice")
	busy, idle := dial(t, first, token), dial(t, first, token)
	send(t, busy, frame{"type": "chat", "message": "bench d=40 r=20"})
	until(t, busy, "chat_response_delta")

	out, err := pam.command(t.Context(), append(env, "PAM_ADDR=127.0.0.1:0"), "serve").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "process "+strconv.Itoa(first.cmd.Process.Pid)) {
		t.Errorf("a second process beside the first: %v\n%s", err, out)
	}

	if err := first.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if f := until(t, idle, "goaway"); f["reconnect_after_ms"] == nil {
		t.Errorf("goaway: %v", f)
	}
	_, _, err = idle.Read(t.Context())
	if code := websocket.CloseStatus(err); code != websocket.StatusGoingAway {
		t.Errorf("an idle client was closed with %v: %v", code, err)
	}
	send(t, busy, frame{"type": "chat", "message": "one more", "id": "late"})
	for {
		f := receive(t, busy)
		if f.is("error") {
			if f["error_code"] != "going_away" || f["id"] != "late" {
				t.Errorf("a new turn while draining: %v", f)
			}
			break
		}
		if f.is("chat_response_complete") {
			t.Fatal("the answer ended before the new turn was refused")
		}
	}
	started := make(chan *running, 1)
	go func() { started <- pam.serve(t, append(env, "PAM_ADDR="+strings.TrimPrefix(first.url, "http://"))...) }()

	if f := until(t, busy, "chat_response_complete"); f["status"] != "completed" || f["full_response"] != script(40) {
		t.Errorf("the running answer ended with %v", f)
	}
	_, _, err = busy.Read(t.Context())
	if code := websocket.CloseStatus(err); code != websocket.StatusGoingAway {
		t.Errorf("the busy client was closed with %v: %v", code, err)
	}
	<-first.done
	var exit *exec.ExitError
	if err := first.cmd.Wait(); errors.As(err, &exit) {
		t.Errorf("it ended with %v\n%s", err, first.log)
	}
	second := <-started
	dial(t, second, token)
	second.stop(syscall.SIGTERM)
}

// TestDrainReleases ends a process whose answer takes longer than it may: the
// next one ends it.
func TestDrainReleases(t *testing.T) {
	t.Parallel()
	pam := build(t)
	env := []string{"PAM_DATA=" + t.TempDir(), "PAM_MODEL=script", "PAM_ADDR=127.0.0.1:0", "PAM_DRAIN=300ms"}
	first := pam.serve(t, env...)
	token := tokenFor(t, pam, env, "alice")
	conn := dial(t, first, token)
	send(t, conn, frame{"type": "chat", "message": "bench d=60 r=30"})
	subscribed := until(t, conn, "subscribed")
	until(t, conn, "chat_response_delta")
	first.stop(syscall.SIGTERM)

	conn = dial(t, pam.serve(t, env...), token)
	send(t, conn, frame{"type": "subscribe", "conversation_id": subscribed["conversation_id"]})
	if f := until(t, conn, "chat_response_complete"); f["status"] != "completed" || f["full_response"] != script(60) {
		t.Errorf("the answer ended with %v", f)
	}
}

// TestHeartbeatTimeout shows that a peer that does not answer is found out
// within 2.5 heartbeats, and told why it is closed.
func TestHeartbeatTimeout(t *testing.T) {
	t.Parallel()
	pam := build(t)
	env := []string{"PAM_DATA=" + t.TempDir(), "PAM_ADDR=127.0.0.1:0", "PAM_HEARTBEAT=1s"}
	server := pam.serve(t, env...)
	conn, _, err := websocket.Dial(t.Context(), server.url+"/api/v1/pam/ws", &websocket.DialOptions{
		Subprotocols:   []string{"pam.v1", "bearer." + tokenFor(t, pam, env, "alice")},
		OnPingReceived: func(context.Context, []byte) bool { return false }, // never answers
	})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if f := until(t, conn, "error"); f["error_code"] != "heartbeat_timeout" {
		t.Errorf("told %v", f)
	}
	_, _, err = conn.Read(t.Context())
	took := time.Since(began)
	if code := websocket.CloseStatus(err); code != 4408 {
		t.Errorf("closed with %v: %v", code, err)
	}
	if took > 2500*time.Millisecond {
		t.Errorf("found out after %v, 2.5 heartbeats are 2.5 s", took)
	}
}
