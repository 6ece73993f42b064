// Package sqlite is the store in one file: a hot log of what is happening,
// and tables of what remains of it.
//
// An append becomes a piece of one row of the table log: one row a commit,
// with the events of all conversations in it (row.go). What outlives its turn
// moves to the table events in the transaction that ends the turn, and rows
// of the log that no conversation needs any more are deleted. So a delta
// costs a few bytes of a sequential write, and never a page of its own
// (docs/architecture.md, "The journal").
//
// Three kinds of goroutines meet here. [Store.Append] is called by anyone and
// only queues. The writer, [Store.Run], alone owns the connection that writes;
// it decides what is accepted inside the transaction, commits, and hands the
// whole batch on. The deliverer, one goroutine that Run starts and waits for,
// tells the outcomes in the order of the journal while the next batch is
// being committed. Reading goes by connections of its own and sees what is
// committed.
//
// It never interprets an event, and keeps out a second process only as far as
// SQLite's locks do: whoever opens a data folder guards it.
package sqlite

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/store"
)

// Sync says what a power cut may take.
type Sync uint8

// The ways to sync; the zero Sync is the safe one.
const (
	SyncFull   Sync = iota // nothing that was acknowledged: every commit is synced
	SyncNormal             // the last seconds; the next life of the journal has a new epoch
)

// The shape that was measured (docs/architecture.md, "The journal").
const (
	spacing         = 5 * time.Millisecond // between the beginnings of commits that nobody hurries
	maxBatch        = 1 << 20              // bytes of a commit, unless a single append is larger
	defaultQueue    = 64 << 20             // bytes that may wait
	checkpointPages = 500                  // of the write-ahead log
	trimEvery       = 256                  // commits
	readers         = 4                    // connections for reading
	busyTimeout     = 2 * time.Second      // for a lock that another program holds
)

// Options are what a Store is opened with. Only Path is required.
type Options struct {
	Path       string           // the database; its folder must exist
	Sync       Sync             // what a power cut may take
	AfterBatch func()           // called by the deliverer after the last Done of a batch
	Logger     *slog.Logger     // nil: silent
	Now        func() time.Time // it must go on, for commits are spaced by it; nil: time.Now
	VFS        string           // a registered VFS of SQLite's; empty: the system's
	MaxQueue   int              // bytes that may wait to be committed; 0: 64 MiB
}

// Store is an open database. Its methods may be called by any goroutine.
type Store struct {
	opts       Options
	log        *slog.Logger
	now        func() time.Time
	epoch      pam.Epoch
	unfinished []pam.Key

	queue   queue
	batches chan *batch // from the writer to the deliverer
	free    chan *batch // and back
	pool    pool        // connections for reading

	write writer // the writer's own, while Run runs

	mu    sync.RWMutex
	live  map[pam.Key]*conv // conversations with a live tail; the writer alone changes it
	stats store.Stats
	state runState
}

// runState says where a Store stands in its life.
type runState uint8

const (
	opened runState = iota
	running
	stopped
	closed
)

var _ store.Engine = (*Store)(nil)

// Epoch implements [store.Journal].
func (s *Store) Epoch() pam.Epoch { return s.epoch }

// Unfinished implements [store.Journal].
func (s *Store) Unfinished() []pam.Key { return s.unfinished }

// Stats implements [store.Engine].
func (s *Store) Stats() store.Stats {
	s.mu.RLock()
	st := s.stats
	st.Live = len(s.live)
	s.mu.RUnlock()
	st.Queued = s.queue.size()
	return st
}

// Run implements [store.Engine]: it is the writer.
func (s *Store) Run(ctx context.Context) error {
	if !s.enter(opened, running) {
		return errors.New("sqlite: Run is called once, on an open store")
	}
	defer s.enter(running, stopped)

	var deliverer sync.WaitGroup
	deliverer.Go(s.deliver)
	defer deliverer.Wait()
	defer close(s.batches)

	b := <-s.free
	for s.queue.next(ctx, b) {
		s.commit(b)
		s.batches <- b
		s.tend()
		b = <-s.free
	}
	return nil
}

// Close implements [store.Engine].
func (s *Store) Close() error {
	s.mu.Lock()
	if s.state == running || s.state == closed {
		s.mu.Unlock()
		return errors.New("sqlite: Close is called once, after Run has returned")
	}
	s.state = closed
	s.mu.Unlock()
	s.queue.close()
	s.pool.close()
	return s.write.close()
}

// enter takes the store from one state of its life to the next, and reports
// whether it was in the first.
func (s *Store) enter(from, to runState) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != from {
		return false
	}
	s.state = to
	return true
}

// deliver tells the outcomes of batches, in the order of the journal.
func (s *Store) deliver() {
	for b := range s.batches {
		appends := false
		for i := range b.items {
			appends = appends || b.items[i].ask == nil
			b.items[i].finish()
		}
		if appends && s.opts.AfterBatch != nil {
			s.opts.AfterBatch()
		}
		b.reset()
		s.free <- b
	}
}
