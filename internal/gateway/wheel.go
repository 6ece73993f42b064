package gateway

import (
	"sync"
	"time"
)

// wheel keeps the deadlines of all connections: slots of equal width, each a
// list that runs through the connections themselves, so that a connection has
// no timer and costs two pointers. A deadline further away than a turn of the
// wheel is looked at once a turn.
//
// It counts from the time that it was made at, by the monotonic clock: a clock
// on the wall that is set moves no deadline.
type wheel struct {
	width time.Duration
	zero  time.Time

	mu    sync.Mutex
	slots [wheelSlots]*conn // the first of each list
	at    int64             // the slot that was looked at last, counted from zero
}

const wheelSlots = 512

// place is where a connection hangs in the wheel.
type place struct {
	next, prev *conn
	slot       int16
	in         bool
	when       time.Duration // after the wheel's zero
}

// newWheel returns a wheel fine enough for a heartbeat: a dead peer must be
// found out within 2.5 of them, of which the lifecycle leaves a tenth for this.
func newWheel(heartbeat time.Duration, now time.Time) *wheel {
	const finest, coarsest = 2 * time.Millisecond, 250 * time.Millisecond
	width := coarsest
	if heartbeat > 0 {
		width = min(max(heartbeat/50, finest), coarsest)
	}
	return &wheel{width: width, zero: now}
}

// set wants c.tick at when; zero takes c out.
func (w *wheel) set(c *conn, when time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unlink(c)
	if when.IsZero() {
		return
	}
	c.place.when = when.Sub(w.zero)
	slot := min(max(w.index(c.place.when)+1, w.at+1), w.at+wheelSlots-1)
	w.link(c, int16(slot%wheelSlots))
}

// remove takes c out for good.
func (w *wheel) remove(c *conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unlink(c)
}

// due takes out and returns the connections whose time has come.
func (w *wheel) due(now time.Time) []*conn {
	w.mu.Lock()
	defer w.mu.Unlock()
	until := w.index(now.Sub(w.zero))
	w.at = max(w.at, until-wheelSlots) // it slept: each slot once is enough
	var due, later []*conn
	for ; w.at < until; w.at++ {
		slot := (w.at + 1) % wheelSlots
		for c := w.slots[slot]; c != nil; c = w.slots[slot] {
			w.unlink(c)
			if w.index(c.place.when) >= until { // it was beyond a turn of the wheel
				later = append(later, c)
			} else {
				due = append(due, c)
			}
		}
	}
	for _, c := range later {
		slot := min(w.index(c.place.when)+1, w.at+wheelSlots-1)
		w.link(c, int16(slot%wheelSlots))
	}
	return due
}

func (w *wheel) index(after time.Duration) int64 { return int64(max(after, 0) / w.width) }

func (w *wheel) link(c *conn, slot int16) {
	first := w.slots[slot]
	c.place.next, c.place.prev, c.place.slot, c.place.in = first, nil, slot, true
	if first != nil {
		first.place.prev = c
	}
	w.slots[slot] = c
}

func (w *wheel) unlink(c *conn) {
	p := &c.place
	if !p.in {
		return
	}
	if p.prev != nil {
		p.prev.place.next = p.next
	} else {
		w.slots[p.slot] = p.next
	}
	if p.next != nil {
		p.next.place.prev = p.prev
	}
	p.next, p.prev, p.in = nil, nil, false
}
