package gateway

import (
	"encoding/binary"
	"sync"

	"github.com/gobwas/ws"
)

// outbox is what waits for one connection: frames, one after the other, in one
// piece of memory that is borrowed while there are any. What a subscription
// sent can be taken back from it, as long as its first byte is not out: the
// journal has it.
type outbox struct {
	*waiting      // nil while nothing waits
	taken    int  // bytes that the pump is writing, after sent
	pumping  bool // somebody writes until all is out
}

// waiting is the memory of an outbox.
type waiting struct {
	bytes []byte
	items []item // the frames that are not wholly out, in order
	head  int    // where the first item begins
	sent  int    // bytes of bytes that are out
}

// item is one frame in an outbox.
type item struct {
	end    int           // in bytes
	sub    *subscription // whose event it is; nil for all that is no event
	before int64         // the subscription's cursor before it
}

// outboxes lend the memory.
type outboxes struct{ pool sync.Pool }

// keptCapacity is the most memory of an outbox that is lent again.
const keptCapacity = 64 << 10

func (p *outboxes) take() *waiting {
	if w, ok := p.pool.Get().(*waiting); ok {
		return w
	}
	return &waiting{bytes: make([]byte, 0, 1<<10), items: make([]item, 0, 8)}
}

func (p *outboxes) release(w *waiting) {
	if cap(w.bytes) > keptCapacity {
		return
	}
	clear(w.items[:cap(w.items)])
	w.bytes, w.items, w.head, w.sent = w.bytes[:0], w.items[:0], 0, 0
	p.pool.Put(w)
}

// add puts a frame behind the others.
func (o *outbox) add(p *outboxes, op ws.OpCode, payload []byte, it item) {
	if o.waiting == nil {
		o.waiting = p.take()
	}
	o.bytes = appendHeader(o.bytes, op, len(payload))
	o.bytes = append(o.bytes, payload...)
	it.end = len(o.bytes)
	o.items = append(o.items, it)
}

// addText puts a text frame behind the others that f appends in place.
func (o *outbox) addText(p *outboxes, f func(dst []byte) []byte) {
	if o.waiting == nil {
		o.waiting = p.take()
	}
	const guess = 4 // header bytes of 126 to 65,535 bytes, most frames
	start := len(o.bytes)
	o.bytes = f(append(o.bytes, 0, 0, 0, 0))
	n := len(o.bytes) - start - guess
	var header [10]byte
	h := appendHeader(header[:0], ws.OpText, n)
	if len(h) > guess {
		o.bytes = binary.BigEndian.AppendUint64(o.bytes, 0)[:len(o.bytes)+len(h)-guess]
	}
	if len(h) != guess {
		copy(o.bytes[start+len(h):], o.bytes[start+guess:start+guess+n])
		o.bytes = o.bytes[:start+len(h)+n]
	}
	copy(o.bytes[start:], h)
	o.items = append(o.items, item{end: len(o.bytes)})
}

// empty reports whether nothing waits.
func (o *outbox) empty() bool { return o.waiting == nil || o.sent == len(o.bytes) }

// behind is how many bytes wait behind the frame that is being written.
func (o *outbox) behind() int {
	if o.waiting == nil || len(o.items) == 0 {
		return 0
	}
	return len(o.bytes) - o.items[0].end
}

// pending is what is not out.
func (o *outbox) pending() []byte {
	if o.waiting == nil {
		return nil
	}
	return o.bytes[o.sent:]
}

// wrote notes that n more bytes are out, and gives the memory back with the
// last.
func (o *outbox) wrote(p *outboxes, n int) {
	o.sent += n
	done := 0
	for done < len(o.items) && o.items[done].end <= o.sent {
		done++
	}
	switch {
	case o.sent == len(o.bytes):
		p.release(o.waiting)
		o.waiting = nil
	case done > 0:
		o.head = o.items[done-1].end
		o.items = o.items[:copy(o.items, o.items[done:])]
		if o.sent > len(o.bytes)/2 {
			o.shift()
		}
	}
}

// shift moves what is not out to the front of the memory. Nobody may be
// writing from it.
func (o *outbox) shift() {
	for i := range o.items {
		o.items[i].end -= o.sent
	}
	o.bytes = o.bytes[:copy(o.bytes, o.bytes[o.sent:])]
	o.head, o.sent = o.head-o.sent, 0
}

// shed takes back what subscriptions sent and of which nothing is out: each
// lags then, from before the first frame that it lost.
func (o *outbox) shed() {
	if o.waiting == nil {
		return
	}
	o.remove(func(it item) bool {
		if it.sub != nil {
			it.sub.lag(it.before)
		}
		return it.sub != nil
	})
}

// take takes back what s sent and of which nothing is out.
func (o *outbox) take(s *subscription) {
	if o.waiting != nil {
		o.remove(func(it item) bool { return it.sub == s })
	}
}

// remove removes the frames that which names, as far as nothing of them is out.
func (o *outbox) remove(which func(item) bool) {
	begun := o.sent + o.taken
	from, to, kept := o.head, o.head, 0
	for _, it := range o.items {
		start := from
		from = it.end
		if start >= begun && which(it) {
			continue
		}
		if to != start {
			copy(o.bytes[to:], o.bytes[start:it.end])
		}
		to += it.end - start
		it.end = to
		o.items[kept] = it
		kept++
	}
	clear(o.items[kept:])
	o.items = o.items[:kept]
	o.bytes = o.bytes[:max(to, begun)]
}

// drop forgets all that waits.
func (o *outbox) drop() {
	if !o.pumping {
		o.waiting = nil
	}
}
