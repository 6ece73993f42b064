package sqlite_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/store/sqlite"
)

// TestGroupCommit: producers that each wait for their commit share commits.
func TestGroupCommit(t *testing.T) {
	t.Parallel()
	const producers, each = 50, 40
	var batches atomic.Int64
	s := start(t, sqlite.Options{
		Path:       filepath.Join(t.TempDir(), "pam.db"),
		AfterBatch: func() { batches.Add(1) },
	})
	var all sync.WaitGroup
	for p := range producers {
		all.Go(func() {
			k := key(string(rune('A' + p)))
			for seq := int64(1); seq <= each; seq++ {
				if err := s.try(pam.Append{Key: k, Events: deltas(seq, seq)}); err != nil {
					t.Errorf("append: %v", err)
				}
			}
		})
	}
	all.Wait()
	s.stop()
	st := s.Stats()
	same(t, "events", int64(producers*each), st.Events)
	if st.Commits > producers*each/4 {
		t.Errorf("%d commits for %d events", st.Commits, st.Events)
	}
	same(t, "AfterBatch", st.Commits, batches.Load())
}

// TestOverload: beyond the bound appends are refused at their place, and the
// conversations that lost one lose no number.
func TestOverload(t *testing.T) {
	t.Parallel()
	s := open(t, sqlite.Options{Path: filepath.Join(t.TempDir(), "pam.db"), MaxQueue: 10_000})
	var told []int
	var errs []error
	const n = 40
	for i := range n { // nobody writes yet
		seq := int64(i + 1)
		s.Append(&pam.Append{Key: key("c"), Events: deltas(seq, seq), Done: func(err error) {
			told, errs = append(told, i), append(errs, err)
		}})
	}
	if queued := s.Stats().Queued; queued > 10_000 {
		t.Errorf("%d bytes wait", queued)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx); err != nil {
		t.Fatal(err)
	}
	taken := 0
	for i := range n {
		if told[i] != i {
			t.Fatalf("outcomes in the order %v", told)
		}
		if errs[i] == nil {
			taken++
			continue
		}
		if code := pam.CodeOf(errs[i]); code != pam.CodeOverloaded && !errors.Is(errs[i], pam.ErrSuperseded) {
			t.Errorf("append %d: %v", i, errs[i])
		}
	}
	if taken == 0 || taken == n {
		t.Errorf("%d of %d were taken", taken, n)
	}
	snap, err := s.Load(t.Context(), key("c"))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "head", int64(taken), snap.Head)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestAbandoned: a change whose asker has left is never made.
func TestAbandoned(t *testing.T) {
	t.Parallel()
	s := open(t, sqlite.Options{Path: filepath.Join(t.TempDir(), "pam.db")})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.UpdateContext(ctx, pam.Session{User: "ana", ID: "s"}, func([]byte) ([]byte, error) {
		t.Error("it ran")
		return []byte("{}"), nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("update: %v", err)
	}
	if err := s.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Run(ctx); err == nil {
		t.Error("Run ran twice")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Context(t.Context(), pam.Session{User: "ana", ID: "s"}); pam.CodeOf(err) != pam.CodeStoreUnavailable {
		t.Errorf("a closed store: %v", err)
	}
	if err := s.Close(); err == nil {
		t.Error("closed twice")
	}
}

// TestLogIsTrimmed: the log holds no more than what live tails need.
func TestLogIsTrimmed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pam.db")
	s := start(t, sqlite.Options{Path: path})
	for seq := int64(1); seq <= 600; seq++ {
		if seq%10 == 0 {
			s.must(ending(key("c"), seq-9, seq))
			continue
		}
		s.must(pam.Append{Key: key("c"), Events: deltas(seq, seq)})
		if seq == 101 {
			s.must(pam.Append{Key: key("d"), Events: deltas(1, 1)})
		}
	}
	s.stop()
	if first := count(t, path, "SELECT min(id) FROM log"); first < 80 || first > 101 {
		t.Errorf("the log begins with row %d", first)
	}
	s = start(t, sqlite.Options{Path: path})
	same(t, "a tail that the log holds", deltas(1, 1), s.load(key("d")).Live)
	s.must(ending(key("d"), 1, 2))
	for seq := int64(601); seq <= 1200; seq++ {
		s.must(pam.Append{Key: key("e"), Events: deltas(seq-600, seq-600)})
	}
	s.must(ending(key("e"), 1, 601))
	for seq := int64(1); seq <= 256; seq++ {
		s.must(pam.Append{Key: key("f"), Events: deltas(seq, seq)})
	}
	s.stop()
	if rows := count(t, path, "SELECT count(*) FROM log"); rows > 2*256 {
		t.Errorf("%d rows are left", rows)
	}
}

// TestSpacing: what nobody hurries is committed at most once in 5 ms, however
// it trickles in.
func TestSpacing(t *testing.T) {
	t.Parallel()
	s := start(t, sqlite.Options{Path: filepath.Join(t.TempDir(), "pam.db")})
	began := time.Now()
	var all sync.WaitGroup
	for seq := int64(1); seq <= 100; seq++ {
		all.Add(1)
		s.Append(&pam.Append{Key: key("c"), Events: deltas(seq, seq), Done: func(err error) {
			if err != nil {
				t.Errorf("append: %v", err)
			}
			all.Done()
		}})
		time.Sleep(time.Millisecond)
	}
	all.Wait()
	most := int64(time.Since(began)/(5*time.Millisecond)) + 2
	if commits := s.Stats().Commits; commits > most {
		t.Errorf("%d commits where %d were due", commits, most)
	}
}
