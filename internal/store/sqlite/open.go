package sqlite

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"
	"github.com/pressly/goose/v3"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/store"
)

//go:embed migrations/*.sql
var migrations embed.FS // go:embed knows no other place

// The values of meta's `life`: how the journal's last life ended, or that it
// has not.
const (
	lifeClean  = "clean"  // it was closed
	lifeFull   = "full"   // it runs, or ended unasked, and synced every commit
	lifeNormal = "normal" // it runs, or ended unasked, and a power cut may have taken commits
)

// Open opens the database, brings its schema up to date, reads the log and
// decides the epoch. A database that cannot be opened, is held by another
// program, is damaged or of a newer version of PAM is a *pam.Error with a
// hint.
func Open(ctx context.Context, opts Options) (*Store, error) {
	s := &Store{
		opts:    opts,
		log:     opts.Logger,
		now:     opts.Now,
		batches: make(chan *batch, 1),
		free:    make(chan *batch, 3),
		live:    map[pam.Key]*conv{},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now //nolint:forbidigo // the writer is the loop that reads it
	}
	for range cap(s.free) {
		s.free <- &batch{}
	}
	s.queue.init(cmp.Or(opts.MaxQueue, defaultQueue), s.now)
	if err := s.open(ctx); err != nil {
		return nil, fault("store.open", err)
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) error {
	if s.opts.VFS == "" {
		if err := touch(s.opts.Path); err != nil {
			return err
		}
	}
	name, err := registerVFS(s.opts.VFS)
	if err != nil {
		return err
	}
	if err := migrate(ctx, s.opts.Path, name); err != nil {
		return err
	}
	uri, err := dsn(s.opts.Path, name)
	if err != nil {
		return err
	}
	s.pool.init(uri)
	c, err := openConn(uri)
	if err != nil {
		return err
	}
	s.write = writer{conn: c, now: s.now, fresh: map[pam.Key]*conv{}}
	if err := s.prepare(ctx); err != nil {
		c.close() // the first error counts
		return err
	}
	return nil
}

// prepare makes the writer's connection ready.
func (s *Store) prepare(ctx context.Context) error {
	w := &s.write
	defer w.SetInterrupt(w.SetInterrupt(ctx))
	err := w.Exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;
PRAGMA journal_size_limit = 16777216; PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY;`)
	if err != nil {
		return err
	}
	if w.insert, err = w.prepare(sqlInsertLog); err != nil {
		return err
	}
	if err := s.readLog(); err != nil {
		return err
	}
	if err := s.startLife(); err != nil {
		return err
	}
	w.WALHook(func(_ *sqlite3.Conn, _ string, pages int) error {
		w.pages = pages
		return nil
	})
	if s.opts.Sync == SyncNormal {
		return w.Exec("PRAGMA synchronous = NORMAL")
	}
	return nil
}

// touch makes the database's file where there is none, for its owner alone to
// read: SQLite would leave that to the umask.
func touch(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		return &pam.Error{
			Code: pam.CodeStoreUnavailable, Op: "store.open",
			Hint: "make the folder of the database first", Err: err,
		}
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// migrate brings the schema up to date, and refuses one that is newer than
// what this program knows, which goose would take without a word.
func migrate(ctx context.Context, path, vfs string) error {
	uri, err := dsn(path, vfs, "busy_timeout(2000)", "journal_mode(wal)", "synchronous(full)")
	if err != nil {
		return err
	}
	db, err := driver.Open(uri)
	if err != nil {
		return err
	}
	defer db.Close() // all that it wrote was committed
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	has, knows, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	if has > knows {
		return &pam.Error{
			Code: pam.CodeStoreUnavailable, Op: "store.open",
			Message: fmt.Sprintf("the database is of a newer version of PAM (its schema is %d, this one knows %d)", has, knows),
			Hint:    "start the version of PAM that was used last, or put an older backup in its place",
		}
	}
	_, err = p.Up(ctx)
	return err
}

const sqlWaiting = "SELECT user_id, conversation_id FROM conversations WHERE waiting IS NOT NULL AND deleted = 0"

// readLog reads the live tails out of the log. What it cannot read it never
// passes over: what is missing might have been acknowledged.
func (s *Store) readLog() error {
	w := &s.write
	convs := map[int64]*conv{}
	w.nextRow, w.oldestRow = 1, 0
	var bad error
	err := w.query("SELECT id, body FROM log ORDER BY id", func(st *sqlite3.Stmt) bool {
		id := st.ColumnInt64(0)
		if bad = s.readRow(convs, id, st.ColumnBlob(1, nil)); bad != nil {
			bad = &pam.Error{
				Code: pam.CodeStoreUnavailable, Op: "store.open",
				Message: fmt.Sprintf("row %d of the table log is damaged", id),
				Hint:    "put a backup in the place of pam.db", Err: bad,
			}
			return false
		}
		w.nextRow = id + 1
		return true
	})
	if err = cmp.Or(err, bad); err != nil {
		return err
	}
	for _, c := range convs {
		if len(c.tail) > 0 {
			s.live[c.key] = c
			s.unfinished = append(s.unfinished, c.key)
		}
	}
	err = w.query(sqlWaiting, func(st *sqlite3.Stmt) bool {
		key := pam.Key{User: pam.UserID(st.ColumnText(0)), Conversation: pam.ConversationID(st.ColumnText(1))}
		if s.live[key] == nil {
			s.unfinished = append(s.unfinished, key)
		}
		return true
	})
	if err != nil {
		return err
	}
	slices.SortFunc(s.unfinished, func(a, b pam.Key) int {
		return cmp.Or(cmp.Compare(a.User, b.User), cmp.Compare(a.Conversation, b.Conversation))
	})
	return nil
}

// readRow adds one row of the log to the live tails of convs, which it fills.
func (s *Store) readRow(convs map[int64]*conv, id int64, body []byte) error {
	entries, err := decodeRow(body)
	if err != nil {
		return err
	}
	for _, e := range entries {
		c := convs[e.conv]
		if c == nil {
			if c, err = s.write.readConv(sqlConvByID, e.conv); err != nil {
				return err
			}
			if c == nil {
				return fmt.Errorf("it holds events of conversation %d, which does not exist", e.conv)
			}
			convs[e.conv] = c
		}
		if c.deleted {
			continue
		}
		c.now.fence = max(c.now.fence, e.fence)
		for _, r := range e.events {
			switch {
			case r.Seq <= c.now.folded:
			case r.Seq == c.now.head+1:
				r.JSON = slices.Clone(r.JSON) // the rest of the row is let go
				c.keep([]pam.Record{r}, id)
				c.now.head = r.Seq
			default:
				return fmt.Errorf("it holds event %d of conversation %d, whose last is %d", r.Seq, e.conv, c.now.head)
			}
		}
	}
	return nil
}

// startLife decides the epoch and takes away the mark of a clean stop, synced
// before anything is appended (docs/protocol.md, "Order and resume", 5).
func (s *Store) startLife() error {
	w := &s.write
	last, err := w.meta("epoch")
	if err != nil {
		return err
	}
	life, err := w.meta("life")
	if err != nil {
		return err
	}
	s.epoch = pam.Epoch(last)
	if last == "" || life != lifeClean && life != lifeFull {
		if s.epoch, err = store.NextEpoch(s.epoch, s.now()); err != nil {
			return err
		}
	}
	life = lifeFull
	if s.opts.Sync == SyncNormal {
		life = lifeNormal
	}
	if err := w.setMeta("epoch", string(s.epoch)); err != nil {
		return err
	}
	return w.setMeta("life", life)
}

// close marks a clean stop, synced, and lets the database go.
func (w *writer) close() error {
	err := w.Exec("PRAGMA synchronous = FULL")
	if err == nil {
		err = w.setMeta("life", lifeClean)
	}
	return fault("store.close", errors.Join(err, w.conn.close()))
}

func (c *conn) meta(name string) (value string, err error) {
	err = c.query("SELECT value FROM meta WHERE name = ?", func(st *sqlite3.Stmt) bool {
		value = st.ColumnText(0)
		return false
	}, name)
	return value, err
}

func (c *conn) setMeta(name, value string) error {
	return c.exec("INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
		name, value)
}
