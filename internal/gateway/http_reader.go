package gateway

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/pam-assistant/pam"
)

// quietTime is how often a stream that has nothing to say shows that it lives.
const quietTime = 15 * time.Second

// errTime ends a reader whose time is up.
var errTime = errors.New("gateway: the time is up")

// reader is a request's watch on one conversation. It holds at most limit bytes
// of what nobody has taken yet, or one event; what comes beyond that it drops,
// and reads it again from the journal. As a subscription it takes what follows
// its cursor and nothing else.
type reader struct {
	limit  int
	want   func(*pam.Record) bool // what to keep; nil: everything
	watch  Watch
	signal chan struct{} // something has happened

	mu      sync.Mutex
	cursor  int64 // the last that was kept, or need not be
	queue   []pam.Record
	bytes   int
	lags    bool
	deleted bool
}

// read opens a reader of key. It is handed nothing before it takes, and the
// caller closes its watch.
func (g *Gateway) read(ctx context.Context, key pam.Key, from pam.Resume, want func(*pam.Record) bool) (*reader, pam.Position, error) {
	r := &reader{limit: g.Limits.Outbox, want: want, signal: make(chan struct{}, 1), cursor: from.After, lags: true}
	watch, position, err := g.Conversations.Watch(ctx, key, r, from)
	if err != nil {
		return nil, pam.Position{}, err
	}
	r.watch = watch
	return r, position, nil
}

// Deliver implements [Watcher].
func (r *reader) Deliver(_ pam.Key, records []pam.Record) (more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range records {
		e := &records[i]
		switch wanted := r.want == nil || r.want(e); {
		case e.Seq <= r.cursor:
			continue
		case e.From > r.cursor+1, wanted && len(r.queue) > 0 && r.bytes+len(e.JSON) > r.limit:
			r.lags = true
			continue
		case wanted:
			r.queue = append(r.queue, *e)
			r.bytes += len(e.JSON)
		}
		r.cursor = e.Seq
	}
	r.wake()
	return true
}

// Progress implements [Watcher]. It is not for readers: it is in no journal.
func (r *reader) Progress(pam.Key, pam.TurnID, string, time.Duration) {}

// Deleted implements [Watcher].
func (r *reader) Deleted(pam.Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.deleted = true
	r.wake()
}

func (r *reader) wake() {
	select {
	case r.signal <- struct{}{}:
	default:
	}
}

// take returns what has come since the last take, and whether that is all there
// is: then a signal says when there is more. Where something was dropped it is
// read from the journal first.
func (r *reader) take(ctx context.Context) (records []pam.Record, live bool, err error) {
	for {
		r.mu.Lock()
		if r.deleted {
			r.mu.Unlock()
			return nil, true, &pam.Error{Code: pam.CodeConversationDeleted, Op: "gateway.read"}
		}
		if len(r.queue) > 0 || !r.lags {
			records, r.queue, r.bytes = r.queue, nil, 0
			live = !r.lags
			r.mu.Unlock()
			return records, live, nil
		}
		after := r.cursor
		r.lags = false // a delivery says so anew
		r.mu.Unlock()
		if err := r.replay(ctx, after); err != nil {
			return nil, false, err
		}
	}
}

// replay reads one page of what is later than after.
func (r *reader) replay(ctx context.Context, after int64) error {
	ctx, cancel := context.WithTimeout(ctx, pumpTime)
	defer cancel()
	live, err := r.watch.Replay(ctx, after)
	if err != nil || !live {
		r.mu.Lock()
		r.lags = true
		r.mu.Unlock()
	}
	return err
}

// follower is told what a reader takes.
type follower struct {
	// take is handed what has come, which may be nothing; live says that there
	// is no more yet. It returns whether more is wanted.
	take func(records []pam.Record, live bool) (more bool, err error)
	// quiet is called where nothing has come for quietTime; nil: never.
	quiet func() error
}

// follow tells f what r takes until f has enough, the client has left (ctx), the
// time is up ([errTime]) or the gateway closes (going_away).
func (g *Gateway) follow(ctx context.Context, r *reader, until time.Time, f follower) error {
	up := time.NewTimer(until.Sub(g.Now()))
	defer up.Stop()
	quiet := time.NewTicker(quietTime)
	defer quiet.Stop()
	closing, last := g.streams.closing, false
	for {
		records, live, err := r.take(ctx)
		if err != nil {
			return err
		}
		more, err := f.take(records, live)
		switch {
		case err != nil || !more:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !live:
			continue
		case last:
			return &pam.Error{Code: pam.CodeGoingAway, RetryAfter: jitter(reconnectSpread)}
		}
		select {
		case <-r.signal:
			quiet.Reset(quietTime)
		case <-quiet.C:
			if f.quiet == nil {
				continue
			}
			if err := f.quiet(); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-up.C:
			return errTime
		case <-closing: // what has come by now is said
			closing, last = nil, true
		}
	}
}
