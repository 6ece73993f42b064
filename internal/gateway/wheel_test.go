package gateway

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestWheel holds the wheel against a map of deadlines: nothing fires early,
// nothing later than two slots after its time when it is looked at, nothing
// twice and nothing is lost, however long nobody looks.
func TestWheel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		zero := time.Unix(1_800_000_000, 0)
		heartbeat := rapid.SampledFrom([]time.Duration{0, time.Second, 25 * time.Second, time.Hour, time.Millisecond}).Draw(t, "heartbeat")
		w := newWheel(heartbeat, zero)
		turn := w.width * wheelSlots
		now := zero
		conns := make([]*conn, 12)
		for i := range conns {
			conns[i] = &conn{}
		}
		want, since := map[*conn]time.Time{}, map[*conn]time.Time{}
		one := rapid.Custom(func(t *rapid.T) *conn { return rapid.SampledFrom(conns).Draw(t, "conn") })
		span := rapid.OneOf(
			rapid.Int64Range(-int64(turn), int64(turn)*3), rapid.Int64Range(0, int64(w.width)*4),
			rapid.SampledFrom([]int64{0, 1, int64(w.width), int64(turn) - 1, int64(turn), int64(turn) + 1, int64(turn - w.width), int64(24 * time.Hour)}),
		)
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				c := one.Draw(t, "c")
				when := now.Add(time.Duration(span.Draw(t, "in")))
				w.set(c, when)
				want[c], since[c] = when, now
			},
			"clear": func(t *rapid.T) {
				c := one.Draw(t, "c")
				w.set(c, time.Time{})
				delete(want, c)
			},
			"remove": func(t *rapid.T) {
				c := one.Draw(t, "c")
				w.remove(c)
				delete(want, c)
			},
			"sleep": func(t *rapid.T) {
				now = now.Add(time.Duration(max(0, span.Draw(t, "for"))))
				for _, c := range w.due(now) {
					when, ok := want[c]
					if !ok {
						t.Fatal("one fired that was not set, or twice")
					}
					if when.After(now) {
						t.Fatalf("fired %v early", when.Sub(now))
					}
					delete(want, c)
				}
				for c, when := range want {
					if late := min(now.Sub(when), now.Sub(since[c])); late >= 2*w.width {
						t.Fatalf("not fired, %v after its time, slots have %v", late, w.width)
					}
				}
			},
			"": func(t *rapid.T) {
				in := map[*conn]bool{}
				for i, first := range w.slots {
					var prev *conn
					for c := first; c != nil; c = c.place.next {
						if in[c] || c.place.prev != prev || int(c.place.slot) != i || !c.place.in {
							t.Fatal("a list of the wheel is broken")
						}
						in[c], prev = true, c
					}
				}
				for _, c := range conns {
					if _, ok := want[c]; ok != in[c] {
						t.Fatalf("in the wheel: %v, want %v", in[c], ok)
					}
				}
			},
		})
	})
}
