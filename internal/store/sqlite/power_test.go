package sqlite_test

import (
	"path/filepath"
	"sync"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/store/sqlite"
)

// TestPowerCut cuts the power whenever something is told to be durable: with
// full syncing it is there, and so is all before it.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	d := newDisk(t, sqlite3.FULL)
	s := start(t, sqlite.Options{Path: filepath.Join(t.TempDir(), "pam.db"), VFS: d.name})
	const n = 60
	images := make([]map[string][]byte, n)
	var all sync.WaitGroup
	for i := range n {
		all.Add(1)
		a := childAppend(key("c"), int64(i+1), func(err error) {
			if err != nil {
				t.Errorf("append %d: %v", i+1, err)
			}
			images[i] = d.cut()
			all.Done()
		})
		s.Append(a)
		if i%7 == 0 { // some wait for a commit of their own
			all.Wait()
		}
	}
	all.Wait()
	for i, image := range images {
		s := start(t, sqlite.Options{Path: filepath.Join(put(t, image), "pam.db")})
		snap := s.load(key("c"))
		if told := int64(i + 1); snap.Head < told {
			t.Errorf("after %d was told the power cut leaves %d", told, snap.Head)
		}
		s.stop()
	}
}

// TestPowerCutNormal: where not every commit is synced, a power cut may take
// some, but never the sign that it may: the mark of a clean stop is gone
// before anything is appended.
func TestPowerCutNormal(t *testing.T) {
	t.Parallel()
	d := newDisk(t, sqlite3.FULL)
	opts := sqlite.Options{Path: filepath.Join(t.TempDir(), "pam.db"), VFS: d.name, Sync: sqlite.SyncNormal}
	s := start(t, opts)
	s.must(pam.Append{Key: key("c"), Events: deltas(1, 1)})
	first := s.Epoch()
	s.stop()

	closed := start(t, sqlite.Options{Path: filepath.Join(put(t, d.cut()), "pam.db"), Sync: sqlite.SyncNormal})
	same(t, "epoch after a clean stop", first, closed.Epoch())
	same(t, "head after a clean stop", int64(1), closed.load(key("c")).Head)

	s = start(t, opts)
	same(t, "epoch", first, s.Epoch())
	s.must(pam.Append{Key: key("c"), Events: deltas(2, 2)})
	lost := start(t, sqlite.Options{Path: filepath.Join(put(t, d.cut()), "pam.db"), Sync: sqlite.SyncNormal})
	if lost.Epoch() <= first {
		t.Errorf("epoch %s after a power cut in %s", lost.Epoch(), first)
	}
}
