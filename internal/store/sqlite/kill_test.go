package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/store/sqlite"
)

// childVariable names the database that a child of this test writes to until
// it is killed.
const childVariable = "PAM_TEST_STORE_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childVariable); path != "" {
		if err := child(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child appends to several conversations for ever, and writes a line for
// everything that it was told is durable.
func child(path string) error {
	ctx := context.Background()
	s, err := sqlite.Open(ctx, sqlite.Options{Path: path})
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	for c := range 6 {
		k := key("c" + strconv.Itoa(c))
		head := int64(0)
		if snap, err := s.Load(ctx, k); err == nil {
			head = snap.Head
		}
		var told func(error)
		told = func(err error) {
			if err != nil {
				failed <- err
				return
			}
			fmt.Printf("event %s %d\n", k.Conversation, head)
			head++
			s.Append(childAppend(k, head, told))
		}
		head++
		s.Append(childAppend(k, head, told))
	}
	go remember(ctx, s, failed)
	go func() { failed <- s.Run(ctx) }()
	return <-failed
}

// remember changes a context and a memory for ever.
func remember(ctx context.Context, s *sqlite.Store, failed chan<- error) {
	for {
		got, err := s.UpdateContext(ctx, pam.Session{User: "ana", ID: "s"}, func(old []byte) ([]byte, error) {
			return append([]byte(nil), old...), nil
		})
		if err != nil {
			failed <- err
			return
		}
		fmt.Printf("context %d\n", got.Version)
		value := strconv.FormatInt(got.Version, 10)
		if err := s.Remember(ctx, "ana", "k", value); err != nil {
			failed <- err
			return
		}
		fmt.Printf("memory %s\n", value)
	}
}

// childAppend makes the event seq: each tenth ends a turn, each first of ten
// brings an idempotency key.
func childAppend(k pam.Key, seq int64, done func(error)) *pam.Append {
	a := &pam.Append{Key: k, Events: deltas(seq, seq)}
	switch seq % 10 {
	case 0:
		*a = ending(k, seq-9, seq)
	case 1:
		a.Chat = &pam.Chat{
			User: k.User, ID: pam.ChatID(fmt.Sprintf("%s-%d", k.Conversation, seq)),
			Conversation: k.Conversation, Turn: "t1", Seq: seq,
		}
	}
	a.Urgent = seq%3 == 0
	a.Done = done
	return a
}

// TestKill kills a writing process again and again: everything that it was
// told is durable is there, whole and in order.
func TestKill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pam.db")
	for round := range 8 {
		told := killed(t, path, 150+round*67)
		s := start(t, sqlite.Options{Path: path})
		for c := range 6 {
			checkConversation(t, s, key("c"+strconv.Itoa(c)), told)
		}
		got, err := s.Context(t.Context(), pam.Session{User: "ana", ID: "s"})
		if err != nil || got.Version < told["context"] {
			t.Errorf("context version %d after %d was told, %v", got.Version, told["context"], err)
		}
		list, err := s.Memories(t.Context(), "ana")
		if err != nil {
			t.Fatal(err)
		}
		var value int64
		if len(list) > 0 {
			value, _ = strconv.ParseInt(list[0].Value, 10, 64)
		}
		if value < told["memory"] {
			t.Errorf("memory %d after %d was told", value, told["memory"])
		}
		s.stop()
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
}

// killed runs a child until it has told so many things, kills it, and returns
// the last number of each.
func killed(t *testing.T, path string, lines int) map[string]int64 {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	told := map[string]int64{}
	in := bufio.NewReader(out)
	for n := 0; ; n++ {
		line, err := in.ReadString('\n')
		if err != nil { // what was written before the kill has all been read
			if !errors.Is(err, io.EOF) {
				t.Error(err)
			}
			break
		}
		i := strings.LastIndexByte(line, ' ')
		if told[line[:i]], err = strconv.ParseInt(strings.TrimSpace(line[i+1:]), 10, 64); err != nil {
			t.Fatal(err)
		}
		if n == lines {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	cmd.Wait() //nolint:errcheck // it was killed
	if len(told) == 0 {
		t.Fatal("the child told nothing")
	}
	return told
}

// checkConversation wants a conversation whole up to what was told of it.
func checkConversation(t *testing.T, s *live, k pam.Key, told map[string]int64) {
	t.Helper()
	snap := s.load(k)
	if last := told["event "+string(k.Conversation)]; snap.Head < last {
		t.Errorf("%s ends at %d after %d was told", k.Conversation, snap.Head, last)
	}
	folded, err := s.Read(t.Context(), k, 0, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	covered := int64(0)
	for _, r := range append(folded, snap.Live...) {
		want := record(r.From, r.Seq, r.Kind)
		if r.From != covered+1 || string(r.JSON) != string(want.JSON) {
			t.Errorf("%s: after %d comes %+v", k.Conversation, covered, r)
		}
		covered = r.Seq
	}
	same(t, "the last event", snap.Head, covered)
	for seq := int64(1); seq <= snap.Head; seq += 10 {
		id := pam.ChatID(fmt.Sprintf("%s-%d", k.Conversation, seq))
		if _, found, err := s.FindChat(t.Context(), k.User, id); err != nil || !found {
			t.Errorf("key %s: %v, %v", id, found, err)
		}
	}
}
