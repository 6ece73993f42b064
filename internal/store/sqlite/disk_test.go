package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/store/sqlite"
)

// TestDiskFull fills the disk at many points of a turn: whatever was refused
// left no trace and burned no number, and the store goes on by itself.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	for name, full := range map[string]error{
		"SQLite's word": sqlite3.FULL,
		"the system's":  &os.PathError{Op: "write", Err: syscall.ENOSPC},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDisk(t, full)
			opts := sqlite.Options{Path: filepath.Join(t.TempDir(), "pam.db"), VFS: d.name}
			s := start(t, opts)
			refused := 0
			for round := range int64(24) {
				refused += fullRound(t, s, d, round)
			}
			if refused == 0 {
				t.Error("the disk was never full")
			}
			same(t, "failure", nil, s.Stats().Err)
			s.stop()
			s = start(t, opts)
			for round := range int64(24) {
				k := key(string(rune('a' + round)))
				same(t, "head after all", int64(4), s.load(k).Head)
			}
		})
	}
}

// fullRound runs a turn in a conversation of its own on a disk with room for a
// little less each round, then again with room.
func fullRound(t *testing.T, s *live, d *disk, round int64) (refused int) {
	t.Helper()
	k := key(string(rune('a' + round)))
	chat := &pam.Chat{User: "ana", ID: pam.ChatID(k.Conversation), Conversation: k.Conversation, Turn: "t1", Seq: 1}
	steps := []pam.Append{
		{Key: k, Events: deltas(1, 1), Chat: chat},
		{Key: k, Events: deltas(2, 3)},
		ending(k, 1, 4),
	}
	d.fill(60_000 - round*2_500)
	for i, step := range steps {
		err := s.try(step)
		if err == nil {
			continue
		}
		refused++
		wantCode(t, "on a full disk", err, pam.CodeStoreFull)
		if s.Stats().Err == nil {
			t.Error("health says nothing")
		}
		if i == 0 {
			if _, err := s.Load(t.Context(), k); pam.CodeOf(err) != pam.CodeNotFound {
				t.Errorf("a refused beginning: %v", err)
			}
			if _, found, _ := s.FindChat(t.Context(), "ana", chat.ID); found {
				t.Error("a refusal kept its key")
			}
		}
		_, err = s.UpdateContext(t.Context(), pam.Session{User: "ana", ID: "s"},
			func([]byte) ([]byte, error) { return make([]byte, 40_000), nil })
		wantCode(t, "a context on a full disk", err, pam.CodeStoreFull)
		d.free()
		s.must(step)
		d.fill(0)
	}
	d.free()
	snap := s.load(k)
	same(t, "head", int64(4), snap.Head)
	same(t, "folded", int64(4), snap.Folded)
	return refused
}

// TestSyncFails: an append whose sync failed is refused, and a later one is
// not harmed by it.
func TestSyncFails(t *testing.T) {
	t.Parallel()
	d := newDisk(t, sqlite3.FULL)
	opts := sqlite.Options{Path: filepath.Join(t.TempDir(), "pam.db"), VFS: d.name}
	s := start(t, opts)
	k := key("c")
	s.must(pam.Append{Key: k, Events: deltas(1, 1)})
	d.failSync(sqlite3.IOERR_FSYNC)
	err := s.try(pam.Append{Key: k, Events: deltas(2, 9)})
	wantCode(t, "a failing sync", err, pam.CodeStoreUnavailable)
	var e *pam.Error
	if !errors.As(err, &e) || e.Hint == "" {
		t.Errorf("no hint: %v", err)
	}
	wantCode(t, "the next one", s.try(pam.Append{Key: k, Events: deltas(2, 2)}), pam.CodeStoreUnavailable)
	d.failSync(nil)
	s.must(pam.Append{Key: k, Events: deltas(2, 3)})
	same(t, "live", deltas(1, 3), s.load(k).Live)
	s.stop()
	s = start(t, opts)
	same(t, "live after reopening", deltas(1, 3), s.load(k).Live)
}

// TestOneBadItem: what the database refuses of one append does not harm the
// others of its batch.
func TestOneBadItem(t *testing.T) {
	t.Parallel()
	opts := sqlite.Options{Path: filepath.Join(t.TempDir(), "pam.db")}
	s := start(t, opts)
	s.must(pam.Append{Key: key("bad"), Events: deltas(1, 3)})
	s.must(pam.Append{Key: key("good"), Events: deltas(1, 3)})
	s.stop()
	execute(t, opts.Path, `INSERT INTO events (conv, seq, from_seq, kind, turn, body)
SELECT id, 4, 4, 3, 't0', 'x' FROM conversations WHERE conversation_id = 'bad'`)
	s = start(t, opts)
	errs := make(chan error, 3)
	bad, good, after := ending(key("bad"), 1, 4), ending(key("good"), 1, 4), pam.Append{Key: key("good"), Events: deltas(5, 5)}
	for _, a := range []*pam.Append{&good, &bad, &after} {
		a.Done = func(err error) { errs <- err }
		s.Append(a)
	}
	if err := <-errs; err != nil {
		t.Errorf("the one before: %v", err)
	}
	wantCode(t, "the bad one", <-errs, pam.CodeInternal)
	if err := <-errs; err != nil {
		t.Errorf("the one after: %v", err)
	}
	same(t, "the bad one's tail", deltas(1, 3), s.load(key("bad")).Live)
	same(t, "the good one's tail", deltas(5, 5), s.load(key("good")).Live)
}
