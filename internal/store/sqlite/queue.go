package sqlite

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pam-assistant/pam"
)

// itemOverhead stands for what an append takes beside its bytes.
const itemOverhead = 256

// item is one thing that is asked of the writer: an append, or something else
// that changes the store.
type item struct {
	append *pam.Append
	done   func(error) // of the append
	ask    *request
	size   int
	conv   *conv // found by the writer
	err    error // the outcome
	over   bool  // refused before it was looked at: there was no room
}

// finish tells the outcome. The deliverer alone calls it.
func (it *item) finish() {
	switch {
	case it.ask != nil:
		it.ask.err = it.err
		close(it.ask.done)
	case it.done != nil:
		it.done(it.err)
	}
}

// request is a change that someone waits for.
type request struct {
	run   func(*writer) error // in the transaction
	claim atomic.Uint32       // who decides whether it runs: its asker or the writer
	done  chan struct{}
	err   error // once done is closed
}

const (
	unclaimed uint32 = iota
	taken            // by the writer: its asker waits for the end
	abandoned        // by its asker: it must not run any more
)

// take claims the request for the writer, also once more.
func (r *request) take() bool {
	return r.claim.CompareAndSwap(unclaimed, taken) || r.claim.Load() == taken
}

// batch is what is committed together. Batches change hands between writer and
// deliverer, never single items.
type batch struct {
	items []item
	bytes int
}

func (b *batch) reset() {
	clear(b.items)
	b.items, b.bytes = b.items[:0], 0
}

// waiting says what the writer sleeps for.
type waiting uint8

const (
	awake     waiting = iota
	forUrgent         // something waits already, but not urgently
	forAny
)

// queue is what waits for the writer. Putting never blocks.
type queue struct {
	wake chan struct{} // capacity 1
	max  int           // bytes

	mu      sync.Mutex
	items   []item
	bytes   int
	urgent  bool
	waiting waiting
	closed  bool

	// The writer's own.
	now   func() time.Time
	began time.Time // of the last batch
	timer *time.Timer
}

func (q *queue) init(maxBytes int, now func() time.Time) {
	q.wake = make(chan struct{}, 1)
	q.max, q.now = maxBytes, now
	q.timer = time.NewTimer(time.Hour)
	q.timer.Stop()
}

// put queues it. It reports false where nobody takes anything any more.
func (q *queue) put(it item, urgent bool) bool {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return false
	}
	if it.append != nil && q.bytes+it.size > q.max && q.bytes > 0 {
		// Its bytes are let go at once; its refusal waits for its place.
		it = item{done: it.done, over: true}
	}
	q.bytes += it.size
	q.items = append(q.items, it)
	q.urgent = q.urgent || urgent
	signal := q.waiting == forAny || q.waiting == forUrgent && urgent
	if signal {
		q.waiting = awake
	}
	q.mu.Unlock()
	if signal {
		select {
		case q.wake <- struct{}{}:
		default: // a wake-up that came too late is still there
		}
	}
	return true
}

// next waits until a batch is due and fills b with it. What is urgent is due
// at once; anything else once the last batch began a spacing ago, which it did
// where the writer is idle. Once ctx is done, all that waits is due; when
// nothing does, the queue closes and next reports false.
func (q *queue) next(ctx context.Context, b *batch) bool {
	for {
		q.mu.Lock()
		var sleep <-chan time.Time
		if len(q.items) > 0 {
			now := q.now()
			wait := spacing - now.Sub(q.began)
			if q.urgent || wait <= 0 || ctx.Err() != nil {
				q.began = now
				q.fill(b)
				q.mu.Unlock()
				return true
			}
			q.waiting = forUrgent
			q.timer.Reset(wait)
			sleep = q.timer.C
		} else {
			if ctx.Err() != nil {
				q.closed = true
				q.mu.Unlock()
				return false
			}
			q.waiting = forAny
		}
		q.mu.Unlock()
		select {
		case <-q.wake:
		case <-sleep:
		case <-ctx.Done():
		}
	}
}

// fill moves what waits into b: all of it, or as much as a commit may hold.
func (q *queue) fill(b *batch) {
	q.waiting = awake
	if q.bytes <= maxBatch {
		b.items, q.items = q.items, b.items[:0]
		b.bytes, q.bytes = q.bytes, 0
		q.urgent = false
		return
	}
	n := 0
	for n < len(q.items) && (n == 0 || b.bytes+q.items[n].size <= maxBatch) {
		b.bytes += q.items[n].size
		n++
	}
	b.items = append(b.items, q.items[:n]...)
	rest := copy(q.items, q.items[n:])
	clear(q.items[rest:])
	q.items = q.items[:rest]
	q.bytes -= b.bytes
	q.urgent = rest > 0
}

func (q *queue) size() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.bytes
}

func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
}

// sizeOf estimates the bytes of memory that a holds.
func sizeOf(a *pam.Append) int {
	n := itemOverhead
	for i := range a.Events {
		n += len(a.Events[i].JSON) + itemOverhead
	}
	if a.Fold != nil {
		for i := range a.Fold.Keep {
			n += len(a.Fold.Keep[i].JSON) + itemOverhead
		}
	}
	return n
}

// Append implements [store.Journal]. Once Run has returned, nobody delivers
// any more: then a.Done is called before Append returns.
func (s *Store) Append(a *pam.Append) {
	if !s.queue.put(item{append: a, done: a.Done, size: sizeOf(a)}, a.Urgent) && a.Done != nil {
		a.Done(errStopped())
	}
}

// ask has run done by the writer, within a transaction, and waits for the
// commit. Where ctx ends before the writer has begun with it, it never runs;
// after that ask waits for the end, so that run never outlives the call.
func (s *Store) ask(ctx context.Context, op string, run func(*writer) error) error {
	r := &request{run: run, done: make(chan struct{})}
	if !s.queue.put(item{ask: r, size: itemOverhead}, true) {
		return errStopped()
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		if r.claim.CompareAndSwap(unclaimed, abandoned) {
			return fault(op, context.Cause(ctx))
		}
		<-r.done
		return r.err
	}
}
