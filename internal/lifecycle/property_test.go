package lifecycle_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/lifecycle"
)

// drawEvent draws anything that may happen.
func drawEvent(t *rapid.T, now time.Time) lifecycle.Event {
	code := rapid.SampledFrom(pam.Codes()).Draw(t, "code")
	err := &pam.Error{Code: code}
	until := time.Time{}
	if rapid.Bool().Draw(t, "until") {
		until = now.Add(drawJump(t))
	}
	p := &pam.Principal{User: rapid.SampledFrom([]pam.UserID{"ada", "ada", "ada", "eve"}).Draw(t, "user")}
	if rapid.Bool().Draw(t, "expires") {
		p.Expires = now.Add(drawJump(t))
	}
	events := []lifecycle.Event{
		lifecycle.Accepted{},
		lifecycle.Authenticated{Principal: p, Asked: rapid.Bool().Draw(t, "asked")},
		lifecycle.AuthFailed{Err: err},
		lifecycle.Heard{},
		lifecycle.Pong{Nonce: rapid.Uint32Range(0, 3).Draw(t, "nonce")},
		lifecycle.Frame{Request: rapid.SampledFrom([]lifecycle.Request{
			lifecycle.RequestOther, lifecycle.RequestPing, lifecycle.RequestAuth,
		}).Draw(t, "request")},
		lifecycle.BadFrame{Err: err},
		lifecycle.RateLimited{Err: err},
		lifecycle.Tick{},
		lifecycle.Tick{},
		lifecycle.DrainBegan{Until: until, Idle: rapid.Bool().Draw(t, "idle")},
		lifecycle.Idle{},
	}
	if rapid.IntRange(0, 9).Draw(t, "end") == 0 {
		events = []lifecycle.Event{
			lifecycle.Closing{},
			lifecycle.PeerClosed{Code: 1000},
			lifecycle.ReadFailed{},
			lifecycle.WriteFailed{},
			lifecycle.Violated{Err: err},
			lifecycle.Overflowed{Err: err},
			lifecycle.Refused{Err: err},
		}
	}
	return rapid.SampledFrom(events).Draw(t, "event")
}

// drawJump draws a time that passes, or a clock that jumps.
func drawJump(t *rapid.T) time.Duration {
	return rapid.SampledFrom([]time.Duration{
		0, 0, time.Nanosecond, time.Second, time.Second, heartbeat, heartbeat * 5 / 2, time.Minute,
		time.Hour, -time.Millisecond, -time.Second - 1, -time.Hour, 1 << 62, -1 << 62,
	}).Draw(t, "jump")
}

// rank orders the phases: a connection never goes back.
func rank(p lifecycle.Phase) int {
	for i, name := range []string{"connecting", "connected", "authenticated", "draining", "disconnected"} {
		if p.String() == name {
			return i
		}
	}
	return -1
}

// TestAnyHistory: whatever happens, in whatever order and at whatever time, a
// connection ends at most once, with the cause that it said, and is silent
// ever after; it never goes back, asks for no tick twice at one time, and says
// nothing that its phase forbids.
func TestAnyHistory(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v1 := rapid.Bool().Draw(t, "v1")
		l := begin(v1)
		var first *lifecycle.Cause
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			before, served := rank(l.Phase()), l.Phase().Served()
			if next := l.Next(); !next.IsZero() && rapid.Bool().Draw(t, "in time") {
				l.now = next
			} else {
				l.now = l.now.Add(drawJump(t))
			}
			ev := drawEvent(t, l.now)
			acts := l.on(ev)
			after := rank(l.Phase())
			if after < before || before == 0 && after > 1 && after < 4 || before < 2 && after == 3 {
				t.Fatalf("%T: from phase %d to %d", ev, before, after)
			}
			for i, a := range acts {
				if first != nil {
					t.Fatalf("%T after the end: %T", ev, a)
				}
				switch a := a.(type) {
				case lifecycle.Close:
					if i != len(acts)-1 {
						t.Fatalf("%T: %d actions follow the close", ev, len(acts)-1-i)
					}
					first = &a.Cause
					continue
				case lifecycle.SendConnected:
					if !v1 || before != 1 {
						t.Fatalf("%T: greeted (v1 %v) in phase %d", ev, v1, before)
					}
				case lifecycle.SendGoAway, lifecycle.SendAuthExpiring:
					if !v1 {
						t.Fatalf("%T: a plain client gets %T", ev, a)
					}
				case lifecycle.Serve:
					if f, ok := ev.(lifecycle.Frame); !ok || !served && f.Request == lifecycle.RequestOther {
						t.Fatalf("%T served in phase %d", ev, before)
					}
				}
				if before == 0 {
					t.Fatalf("%T: %T before it is accepted", ev, a)
				}
			}
			judgeEnd(t, l, first)
			if _, ok := ev.(lifecycle.Tick); ok && !l.Next().IsZero() && !l.Next().After(l.now) {
				t.Fatalf("a tick at %v wants the next at %v", l.now, l.Next())
			}
		}
	})
}

// judgeEnd: the phase, the cause and the deadline agree with the close that
// was asked for.
func judgeEnd(t *rapid.T, l *life, first *lifecycle.Cause) {
	cause, ended := l.Cause()
	if ended != (first != nil) || ended != l.Phase().Ended() {
		t.Fatalf("closed %v, has a cause %v, phase %v", first != nil, ended, l.Phase())
	}
	if !ended {
		return
	}
	if diff := cmp.Diff(*first, cause); diff != "" {
		t.Fatalf("cause (-said +kept):\n%s", diff)
	}
	if cause.By.String() == "nobody" || !l.Next().IsZero() || l.Phase().Open() {
		t.Fatalf("by %v, next %v, phase %v", cause.By, l.Next(), l.Phase())
	}
}
