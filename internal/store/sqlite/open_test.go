package sqlite_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"golang.org/x/sys/unix"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/store/sqlite"
)

// refusedOpen wants Open to fail with a code, a hint, and a word in its text.
func refusedOpen(t *testing.T, opts sqlite.Options, word string) {
	t.Helper()
	s, err := sqlite.Open(t.Context(), opts)
	if err == nil {
		s.Close() // it should not be open
		t.Fatalf("opened, want a refusal that says %q", word)
	}
	wantRefusal(t, err, word)
}

func wantRefusal(t *testing.T, err error, word string) {
	t.Helper()
	e, ok := err.(*pam.Error) //nolint:errorlint // the outermost error is for the person at the screen
	if !ok || e.Code != pam.CodeStoreUnavailable || e.Hint == "" {
		t.Errorf("refused by %#v, want store_unavailable with a hint", err)
		return
	}
	if !strings.Contains(e.Error()+e.Hint, word) {
		t.Errorf("refused by %v (hint: %s), want %q", err, e.Hint, word)
	}
}

// TestOpenRefused: every way to be refused says why, and what to do.
func TestOpenRefused(t *testing.T) {
	t.Parallel()
	t.Run("no folder", func(t *testing.T) {
		t.Parallel()
		refusedOpen(t, sqlite.Options{Path: filepath.Join(t.TempDir(), "none", "pam.db")}, "make the folder")
	})
	t.Run("read-only folder", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		if err := os.Chmod(dir, 0o555); err != nil { // that is the case
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Chmod(dir, 0o755) }) //nolint:errcheck // so that it can be removed
		done := make(chan struct{})
		go func() {
			defer close(done)
			// Root may write everywhere; a thread of another user's may not. It
			// is never unlocked, so it ends with this goroutine.
			runtime.LockOSThread()
			if os.Getuid() == 0 {
				if err := unix.Setfsuid(65534); err != nil {
					t.Error(err)
					return
				}
			}
			_, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(dir, "pam.db")})
			wantRefusal(t, err, "let PAM's user write")
		}()
		<-done
	})
	t.Run("read-only disk", func(t *testing.T) {
		t.Parallel()
		d := newDisk(t, sqlite3.FULL)
		d.open = unix.EROFS
		refusedOpen(t, sqlite.Options{Path: filepath.Join(t.TempDir(), "pam.db"), VFS: d.name}, "write")
	})
	t.Run("no database", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "pam.db")
		if err := os.WriteFile(path, []byte(strings.Repeat("no database at all ", 100)), 0o600); err != nil {
			t.Fatal(err)
		}
		refusedOpen(t, sqlite.Options{Path: path}, "backup")
	})
	t.Run("locked", func(t *testing.T) {
		t.Parallel()
		opts := closedStore(t)
		c, err := sqlite3.Open(opts.Path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close() // a lock's holder
		if err := c.Exec("BEGIN IMMEDIATE"); err != nil {
			t.Fatal(err)
		}
		refusedOpen(t, opts, "another program")
	})
	t.Run("newer schema", func(t *testing.T) {
		t.Parallel()
		opts := closedStore(t)
		execute(t, opts.Path, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)")
		refusedOpen(t, opts, "newer version")
	})
}

// closedStore makes a store with a live tail of three rows, and closes it.
func closedStore(t *testing.T) sqlite.Options {
	t.Helper()
	opts := sqlite.Options{Path: filepath.Join(t.TempDir(), "pam.db")}
	s := start(t, opts)
	s.must(pam.Append{Key: key("c"), Events: deltas(1, 1)})
	s.must(pam.Append{Key: key("c"), Events: deltas(2, 2)})
	s.must(pam.Append{Key: key("c"), Events: deltas(3, 3)})
	s.stop()
	return opts
}

// TestTornLog: a row of the log that cannot be read is named, never passed
// over.
func TestTornLog(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]string{
		"cut":         "UPDATE log SET body = substr(body, 1, length(body) - 1) WHERE id = 2",
		"cut short":   "UPDATE log SET body = substr(body, 1, 3) WHERE id = 2",
		"empty":       "UPDATE log SET body = x'' WHERE id = 2",
		"a bit":       "UPDATE log SET body = substr(body, 1, 20) || x'ff' || substr(body, 22) WHERE id = 2",
		"a version":   "UPDATE log SET body = x'02' || substr(body, 2) WHERE id = 2",
		"no owner":    "UPDATE conversations SET id = 77",
		"gone":        "DELETE FROM log WHERE id = 2",
		"out of turn": "UPDATE log SET id = 9 WHERE id = 2",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := closedStore(t)
			execute(t, opts.Path, damage)
			refusedOpen(t, opts, "of the table log is damaged")
		})
	}
}

// TestEpoch: an unclean stop begins a new epoch where a power cut may have
// taken something.
func TestEpoch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name           string
		before, after  sqlite.Sync
		clean, renewed bool
	}{
		{"full, killed", sqlite.SyncFull, sqlite.SyncFull, false, false},
		{"full, closed", sqlite.SyncFull, sqlite.SyncNormal, true, false},
		{"normal, killed", sqlite.SyncNormal, sqlite.SyncNormal, false, true},
		{"normal, killed, then full", sqlite.SyncNormal, sqlite.SyncFull, false, true},
		{"normal, closed", sqlite.SyncNormal, sqlite.SyncNormal, true, false},
		{"full, killed, then normal", sqlite.SyncFull, sqlite.SyncNormal, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "pam.db")
			s := start(t, sqlite.Options{Path: path, Sync: c.before})
			s.must(pam.Append{Key: key("c"), Events: deltas(1, 1)})
			first := s.Epoch()
			if c.clean {
				s.stop()
			} else {
				path = crash(t, path)
			}
			s = start(t, sqlite.Options{Path: path, Sync: c.after})
			if second := s.Epoch(); (second != first) != c.renewed || second < first {
				t.Errorf("epoch %s after %s", second, first)
			}
			same(t, "live", deltas(1, 1), s.load(key("c")).Live)
		})
	}
}

// crash copies a database as it lies on the disk: what a killed process leaves.
func crash(t *testing.T, path string) string {
	t.Helper()
	dir := t.TempDir()
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "pam.db"+suffix), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "pam.db")
}

// TestPath: odd names are names, and the file is for its owner alone.
func TestPath(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a b?c=d&e%20#f")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "pam.db")
	s := start(t, sqlite.Options{Path: path})
	s.must(pam.Append{Key: key("c"), Events: deltas(1, 1)})
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "mode", os.FileMode(0o600), info.Mode().Perm())
}
