package lifecycle_test

import (
	"testing"
	"time"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/lifecycle"
)

// TestDeadPeer: whenever a peer falls silent, it is found out within 2.5
// heartbeats, a tenth of one left to be late in, and not before it was asked.
func TestDeadPeer(t *testing.T) {
	t.Parallel()
	for silent := time.Duration(0); silent < 3*heartbeat; silent += time.Second {
		l := signedIn(true)
		l.lively(silent)
		others, asked := pings(l.pass(heartbeat*5/2 - heartbeat/10))
		want(t, "within 2.4 heartbeats", others, closing(pam.CodeHeartbeatTimeout))
		if asked < 2 {
			t.Errorf("silent after %v: closed after %d pings", silent, asked)
		}
		l = signedIn(true)
		l.lively(silent)
		others, _ = pings(l.pass(heartbeat*5/2 - heartbeat/10 - time.Millisecond))
		want(t, "before", others)
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	l := signedIn(true)
	want(t, "a heartbeat", l.pass(heartbeat), lifecycle.SendPing{Nonce: 1})
	l.now = l.now.Add(70 * time.Millisecond)
	l.on(lifecycle.Pong{Nonce: 9}, lifecycle.Pong{})
	if l.RTT() != 0 {
		t.Errorf("by a pong to no ping: %v", l.RTT())
	}
	l.on(lifecycle.Pong{Nonce: 1})
	l.now = l.now.Add(time.Second)
	l.on(lifecycle.Pong{Nonce: 1})
	if l.RTT() != 70*time.Millisecond {
		t.Errorf("round trip %v", l.RTT())
	}
	_, n := l.lively(10 * heartbeat)
	if n != 10 {
		t.Errorf("%d pings in 10 heartbeats", n)
	}
}

func TestNoHeartbeat(t *testing.T) {
	t.Parallel()
	l := &life{Machine: lifecycle.New(&lifecycle.Settings{}, true), now: time.Unix(0, 0)}
	l.on(lifecycle.Accepted{})
	want(t, "nobody's, for a year", l.pass(365*24*time.Hour))
	l.on(lifecycle.Authenticated{Principal: &pam.Principal{User: "ada"}})
	want(t, "for ever", l.pass(365*24*time.Hour))
	if !l.Next().IsZero() {
		t.Errorf("next %v", l.Next())
	}
}

// TestClockJumps: no jump, back or forth, ends a connection that is somebody's
// and lives, nor makes it ask for ticks without end.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	for _, jump := range []time.Duration{
		-time.Hour, -time.Minute, -time.Millisecond, time.Millisecond,
		heartbeat * 12 / 5 * 2, time.Minute, time.Hour,
	} {
		l := begin(true)
		l.on(lifecycle.Accepted{}, lifecycle.Authenticated{Principal: l.principal(24 * time.Hour)})
		l.lively(30 * time.Second)
		l.now = l.now.Add(jump)
		got, n := pings(l.on(lifecycle.Tick{}))
		others, m := l.lively(time.Minute)
		want(t, "after "+jump.String(), append(got, others...))
		if n+m < 2 || n+m > 5 {
			t.Errorf("after %v: %d pings in a minute", jump, n+m)
		}
		// And a dead peer is still found out.
		others, _ = pings(l.pass(heartbeat * 5 / 2))
		want(t, "dead, after "+jump.String(), others, closing(pam.CodeHeartbeatTimeout))
	}
}

// TestLateTickIsForgivenOnce: who slept is not to blame the peer; but a peer
// that stays silent is dead even where every tick is late.
func TestLateTickIsForgivenOnce(t *testing.T) {
	t.Parallel()
	l := signedIn(true)
	l.now = l.now.Add(10 * heartbeat)
	want(t, "10 heartbeats late", l.on(lifecycle.Tick{}), lifecycle.SendPing{Nonce: 1})
	l.now = l.now.Add(10 * heartbeat)
	want(t, "late again", l.on(lifecycle.Tick{}), closing(pam.CodeHeartbeatTimeout))
}

// TestForgivenAgain: a peer that spoke in between is given its time again.
func TestForgivenAgain(t *testing.T) {
	t.Parallel()
	l := signedIn(true)
	for nonce := range uint32(3) {
		l.now = l.now.Add(10 * heartbeat)
		want(t, "10 heartbeats late", l.on(lifecycle.Tick{}), lifecycle.SendPing{Nonce: nonce + 1})
		l.on(lifecycle.Heard{})
	}
}

// TestMissedPings: pings that were not asked for in time are not made up for.
func TestMissedPings(t *testing.T) {
	t.Parallel()
	l := signedIn(true)
	for range 10 {
		l.now = l.now.Add(heartbeat)
		l.on(lifecycle.Heard{})
	}
	want(t, "10 heartbeats late", l.on(lifecycle.Tick{}), lifecycle.SendPing{Nonce: 1})
	if next := l.Next(); !next.Equal(l.now.Add(heartbeat)) {
		t.Errorf("next in %v", next.Sub(l.now))
	}
}

// TestOutOfOrder: a time read a little before its predecessor counts as that.
func TestOutOfOrder(t *testing.T) {
	t.Parallel()
	l := signedIn(true)
	l.pass(heartbeat)
	l.now = l.now.Add(-time.Millisecond)
	l.on(lifecycle.Pong{Nonce: 1})
	if l.RTT() != 0 {
		t.Errorf("round trip %v", l.RTT())
	}
}

// TestDeadPeerIsToldOnce: what else is due at that very moment is not said.
func TestDeadPeerIsToldOnce(t *testing.T) {
	t.Parallel()
	l := begin(true)
	p := l.principal(heartbeat*12/5 + time.Minute)
	l.on(lifecycle.Accepted{}, lifecycle.Authenticated{Principal: p})
	others, _ := pings(l.pass(time.Minute))
	want(t, "silence", others, closing(pam.CodeHeartbeatTimeout))
}
