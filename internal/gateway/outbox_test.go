package gateway

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/gobwas/ws"
	"pgregory.net/rapid"
)

// modelFrame is a frame as the model of an outbox has it.
type modelFrame struct {
	bytes  []byte
	out    int // bytes of it that are out, or that the pump has in hand
	sub    *subscription
	before int64
}

// modelOutbox is what an outbox must do, without its economies.
type modelOutbox struct {
	frames []modelFrame // not wholly out
	wire   []byte       // all that must have gone out
}

// take marks n more bytes as in hand.
func (m *modelOutbox) take(n int) {
	for i := range m.frames {
		f := &m.frames[i]
		step := min(n, len(f.bytes)-f.out)
		f.out += step
		n -= step
	}
}

// wrote puts n bytes onto the wire, from the first frame that is not out.
func (m *modelOutbox) wrote(n int) {
	var all []byte
	for _, f := range m.frames {
		all = append(all, f.bytes...)
	}
	// The first frame's bytes that went out earlier were cut off it.
	m.wire = append(m.wire, all[:n]...)
	for n > 0 {
		f := &m.frames[0]
		step := min(n, len(f.bytes))
		f.bytes, f.out = f.bytes[step:], max(0, f.out-step)
		n -= step
		if len(f.bytes) == 0 {
			m.frames = m.frames[1:]
		} else {
			f.sub = nil // begun: it stays
		}
	}
}

func (m *modelOutbox) remove(which func(modelFrame) bool) (gone []modelFrame) {
	m.frames = slices.DeleteFunc(m.frames, func(f modelFrame) bool {
		if f.out > 0 || f.sub == nil || !which(f) {
			return false
		}
		gone = append(gone, f)
		return true
	})
	return gone
}

func (m *modelOutbox) size() (n int) {
	for _, f := range m.frames {
		n += len(f.bytes)
	}
	return n
}

// TestOutbox does random things to an outbox and to the simplest thing that
// could be one: the same bytes go out, and the same is taken back.
func TestOutbox(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var (
			pool  outboxes
			o     outbox
			m     modelOutbox
			got   []byte
			hand  []byte // what the pump writes, without a lock
			subs  = []*subscription{{conn: &conn{}}, {conn: &conn{}}, {conn: &conn{}}}
			heads = make([]int64, len(subs))
		)
		put := func(f []byte, sub *subscription, before int64) {
			m.frames = append(m.frames, modelFrame{bytes: f, sub: sub, before: before})
		}
		size := rapid.OneOf(rapid.IntRange(0, 40), rapid.SampledFrom([]int{124, 125, 126, 127, 1000, 65535, 65536, 70000}))
		lagged := func(gone []modelFrame) {
			want := map[*subscription]int64{}
			for _, f := range gone {
				if _, ok := want[f.sub]; !ok {
					want[f.sub] = f.before
				}
			}
			for i, s := range subs {
				before, lost := want[s]
				if s.lags != lost || lost && s.cursor != before {
					t.Fatalf("subscription %d: lags %v from %d, want %v from %d", i, s.lags, s.cursor, lost, before)
				}
				s.lags = false
				if lost {
					heads[i] = before // the journal sends it again
				}
				s.cursor = heads[i]
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				payload := bytes.Repeat([]byte{byte(len(m.wire))}, size.Draw(t, "size"))
				i := rapid.IntRange(-1, len(subs)-1).Draw(t, "sub")
				it := item{}
				if i >= 0 {
					it = item{sub: subs[i], before: heads[i]}
					heads[i]++
					subs[i].cursor = heads[i]
				}
				o.add(&pool, ws.OpText, payload, it)
				put(append(appendHeader(nil, ws.OpText, len(payload)), payload...), it.sub, it.before)
			},
			"addText": func(t *rapid.T) {
				payload := bytes.Repeat([]byte{'t'}, size.Draw(t, "size"))
				o.addText(&pool, func(dst []byte) []byte { return append(dst, payload...) })
				put(append(appendHeader(nil, ws.OpText, len(payload)), payload...), nil, 0)
			},
			"pump takes": func(t *rapid.T) {
				if hand != nil || o.empty() {
					t.Skip("it has something, or there is nothing")
				}
				hand = o.pending()
				hand = hand[:rapid.IntRange(1, len(hand)).Draw(t, "n")]
				o.taken = len(hand)
				m.take(len(hand))
			},
			"pump wrote": func(t *rapid.T) {
				if hand == nil {
					t.Skip("it has nothing")
				}
				got = append(got, hand...) // as it is now: nobody may have touched it
				o.taken = 0
				o.wrote(&pool, len(hand))
				m.wrote(len(hand))
				hand = nil
			},
			"write": func(t *rapid.T) {
				if hand != nil || o.empty() {
					t.Skip("the pump writes")
				}
				pending := o.pending()
				n := rapid.IntRange(0, len(pending)).Draw(t, "n")
				got = append(got, pending[:n]...)
				o.wrote(&pool, n)
				m.wrote(n)
			},
			"shed": func(*rapid.T) {
				o.shed()
				lagged(m.remove(func(modelFrame) bool { return true }))
			},
			"take": func(t *rapid.T) {
				s := rapid.SampledFrom(subs).Draw(t, "sub")
				o.take(s)
				m.remove(func(f modelFrame) bool { return f.sub == s })
			},
			"": func(t *rapid.T) {
				if !bytes.Equal(got, m.wire) {
					t.Fatalf("%d bytes went out, want %d", len(got), len(m.wire))
				}
				if o.empty() != (m.size() == 0) || len(o.pending()) != m.size() {
					t.Fatalf("%d bytes wait, want %d", len(o.pending()), m.size())
				}
				behind := m.size()
				if len(m.frames) > 0 {
					behind -= len(m.frames[0].bytes)
				}
				if o.behind() != behind {
					t.Fatalf("behind %d, want %d", o.behind(), behind)
				}
			},
		})
	})
}

// TestOutboxKeepsNoGiant: memory that one great frame took is not lent again.
func TestOutboxKeepsNoGiant(t *testing.T) {
	t.Parallel()
	var (
		pool outboxes
		o    outbox
	)
	for i := range 100 {
		o.add(&pool, ws.OpText, make([]byte, 10<<10*(i%20)), item{})
		o.wrote(&pool, len(o.pending()))
		if w := pool.take(); cap(w.bytes) > keptCapacity {
			t.Fatalf("%d bytes are kept", cap(w.bytes))
		}
		if !o.empty() || o.waiting != nil {
			t.Fatal(fmt.Sprint("round ", i, ": an empty outbox has memory"))
		}
	}
}
