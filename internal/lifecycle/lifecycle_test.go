package lifecycle_test

import (
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/lifecycle"
)

const heartbeat = 20 * time.Second

func settings() *lifecycle.Settings {
	return &lifecycle.Settings{
		Heartbeat:    heartbeat,
		AuthTimeout:  10 * time.Second,
		ExpiryNotice: time.Minute,
		BadFrames:    3,
	}
}

// life is a Machine and a clock to tell it.
type life struct {
	lifecycle.Machine
	now time.Time
}

func begin(v1 bool) *life {
	return &life{
		Machine: lifecycle.New(settings(), v1),
		now:     time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC),
	}
}

// on feeds events at the life's now and returns what all of them ask for.
func (l *life) on(events ...lifecycle.Event) []lifecycle.Action {
	var all []lifecycle.Action
	for _, ev := range events {
		acts := l.On(l.now, ev)
		for a := range acts.All() {
			all = append(all, a)
		}
	}
	return all
}

// pass lets d go by and ticks whenever a tick is asked for.
func (l *life) pass(d time.Duration) []lifecycle.Action {
	var all []lifecycle.Action
	end := l.now.Add(d)
	for next := l.Next(); !next.IsZero() && !next.After(end); next = l.Next() {
		if next.After(l.now) {
			l.now = next
		}
		all = append(all, l.on(lifecycle.Tick{})...)
	}
	l.now = end
	return all
}

func (l *life) principal(ttl time.Duration) *pam.Principal {
	return &pam.Principal{User: "ada", Role: pam.RoleUser, Expires: l.now.Add(ttl)}
}

// signedIn is a life that is somebody's.
func signedIn(v1 bool) *life {
	l := begin(v1)
	l.on(lifecycle.Accepted{}, lifecycle.Authenticated{Principal: l.principal(time.Hour)})
	return l
}

func refusal(code pam.Code) *pam.Error { return &pam.Error{Code: code} }

func closing(code pam.Code) lifecycle.Action {
	return lifecycle.Close{
		Cause: lifecycle.Cause{Code: code, By: lifecycle.ByServer},
		Say:   refusal(code),
	}
}

func want(t *testing.T, what string, got []lifecycle.Action, want ...lifecycle.Action) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestGreeting(t *testing.T) {
	t.Parallel()
	for _, v1 := range []bool{false, true} {
		for _, asked := range []bool{false, true} {
			l := begin(v1)
			want(t, "accepted", l.on(lifecycle.Accepted{}))
			p := l.principal(time.Hour)
			var expected []lifecycle.Action
			if asked {
				expected = append(expected, lifecycle.SendAuthOK{Principal: p})
			}
			if v1 {
				expected = append(expected, lifecycle.SendConnected{})
			}
			want(t, "authenticated", l.on(lifecycle.Authenticated{Principal: p, Asked: asked}), expected...)
			if !l.Phase().Served() || l.Principal() != p {
				t.Errorf("v1=%v asked=%v: %v, principal %v", v1, asked, l.Phase(), l.Principal())
			}
		}
	}
}

// TestBeforeAuthentication: ping is answered, auth taken, all else is
// token_missing; after 10 s it is over, unless an auth is being judged.
func TestBeforeAuthentication(t *testing.T) {
	t.Parallel()
	l := begin(true)
	l.on(lifecycle.Accepted{})
	want(t, "ping", l.on(lifecycle.Frame{Request: lifecycle.RequestPing}), lifecycle.Serve{})
	want(t, "chat", l.on(lifecycle.Frame{}), lifecycle.SendError{Err: refusal(pam.CodeTokenMissing)})
	want(t, "9.9 s", l.pass(9900*time.Millisecond))
	want(t, "10 s", l.pass(100*time.Millisecond), closing(pam.CodeAuthTimeout))

	l = begin(true)
	l.on(lifecycle.Accepted{})
	l.pass(9 * time.Second)
	want(t, "auth", l.on(lifecycle.Frame{Request: lifecycle.RequestAuth}), lifecycle.Serve{})
	want(t, "while it is judged", l.pass(9*time.Second))
	l.on(lifecycle.Frame{Request: lifecycle.RequestAuth})
	want(t, "not for ever", l.pass(time.Second), closing(pam.CodeAuthTimeout))
}

func TestRefusedFirstAuthCloses(t *testing.T) {
	t.Parallel()
	l := begin(false)
	l.on(lifecycle.Accepted{})
	want(t, "refused", l.on(lifecycle.AuthFailed{Err: refusal(pam.CodeTokenExpired)}), closing(pam.CodeTokenExpired))
}

func TestBadRenewalChangesNothing(t *testing.T) {
	t.Parallel()
	l := signedIn(true)
	p, next := l.Principal(), l.Next()
	want(t, "refused", l.on(lifecycle.AuthFailed{Err: refusal(pam.CodeTokenBadSignature)}),
		lifecycle.SendError{Err: refusal(pam.CodeTokenBadSignature)})
	if l.Principal() != p || !l.Next().Equal(next) || !l.Phase().Served() {
		t.Errorf("principal %v, next %v, %v", l.Principal(), l.Next(), l.Phase())
	}
}

// pings drops the pings, which come all the time.
func pings(actions []lifecycle.Action) (others []lifecycle.Action, n int) {
	for _, a := range actions {
		if _, ok := a.(lifecycle.SendPing); ok {
			n++
			continue
		}
		others = append(others, a)
	}
	return others, n
}

// lively lets d go by with a peer that answers every second.
func (l *life) lively(d time.Duration) (others []lifecycle.Action, n int) {
	var all []lifecycle.Action
	for range d / time.Second {
		all = append(all, l.pass(time.Second)...)
		all = append(all, l.on(lifecycle.Heard{})...)
	}
	return pings(all)
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	for _, v1 := range []bool{true, false} {
		l := begin(v1)
		p := l.principal(10 * time.Minute)
		l.on(lifecycle.Accepted{}, lifecycle.Authenticated{Principal: p})
		others, _ := l.lively(9*time.Minute - time.Second)
		want(t, "9 minutes less a second", others)
		others, _ = l.lively(59 * time.Second)
		if v1 {
			want(t, "the last minute", others, lifecycle.SendAuthExpiring{At: p.Expires})
		} else {
			want(t, "the last minute, plain", others)
		}
		others, _ = l.lively(2 * time.Second)
		want(t, "the end", others, closing(pam.CodeTokenExpired))
	}
}

func TestRenewal(t *testing.T) {
	t.Parallel()
	l := begin(true)
	first := l.principal(2 * time.Minute)
	l.on(lifecycle.Accepted{}, lifecycle.Authenticated{Principal: first})
	l.lively(90 * time.Second)
	same := *first
	want(t, "the same token again", l.on(lifecycle.Authenticated{Principal: &same, Asked: true}),
		lifecycle.SendAuthOK{Principal: &same})
	second := l.principal(2 * time.Minute)
	want(t, "a new token", l.on(lifecycle.Authenticated{Principal: second, Asked: true}),
		lifecycle.SendAuthOK{Principal: second})
	others, _ := l.lively(59 * time.Second)
	want(t, "past the first's end", others)
	others, _ = l.lively(2 * time.Second)
	want(t, "the second's last minute", others, lifecycle.SendAuthExpiring{At: second.Expires})
	if l.Principal() != second {
		t.Errorf("principal %v", l.Principal())
	}
	short := l.principal(30 * time.Second)
	want(t, "a shorter one", l.on(lifecycle.Authenticated{Principal: short, Asked: true}),
		lifecycle.SendAuthOK{Principal: short})
	others, _ = l.lively(30 * time.Second)
	want(t, "the shorter one's end", others, closing(pam.CodeTokenExpired))
}

func TestBadFramesInARow(t *testing.T) {
	t.Parallel()
	bad := lifecycle.BadFrame{Err: refusal(pam.CodeBadFrame)}
	said := lifecycle.SendError{Err: bad.Err}
	l := signedIn(false)
	want(t, "two, one good, two", l.on(bad, bad, lifecycle.Frame{}, bad, lifecycle.Heard{}, bad),
		said, said, lifecycle.Serve{}, said, said)
	want(t, "the third", l.on(bad), closing(pam.CodeBadFrame))
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	fast := lifecycle.RateLimited{Err: &pam.Error{Code: pam.CodeRateLimited, RetryAfter: time.Second}}
	said := lifecycle.SendError{Err: fast.Err}
	l := signedIn(false)
	want(t, "a burst", l.on(fast, fast, fast), said, said, said)
	l.lively(2 * time.Minute)
	want(t, "long after", l.on(fast), said)
	l.now = l.now.Add(2 * time.Second)
	want(t, "though warned", l.on(fast), lifecycle.Close{
		Cause: lifecycle.Cause{Code: pam.CodeRateLimited, By: lifecycle.ByServer}, Say: fast.Err,
	})
}

func TestDrain(t *testing.T) {
	t.Parallel()
	goodbye := lifecycle.Close{Cause: lifecycle.Cause{Code: pam.CodeGoingAway, By: lifecycle.ByServer}}
	l := signedIn(true)
	want(t, "busy", l.on(lifecycle.DrainBegan{After: 3 * time.Second, Until: l.now.Add(time.Minute)}),
		lifecycle.SendGoAway{After: 3 * time.Second})
	if !l.Phase().Draining() || !l.Phase().Served() || !l.Phase().Open() {
		t.Errorf("phase %v", l.Phase())
	}
	want(t, "cancel", l.on(lifecycle.Frame{}), lifecycle.Serve{})
	others, n := l.lively(59 * time.Second)
	want(t, "59 s", others)
	if n != 2 {
		t.Errorf("%d pings", n)
	}
	want(t, "idle", l.on(lifecycle.Idle{}), goodbye)

	l = signedIn(false)
	l.on(lifecycle.DrainBegan{Until: l.now.Add(time.Minute)})
	others, _ = l.lively(time.Minute)
	want(t, "never idle", others, goodbye)

	l = signedIn(false)
	l.on(lifecycle.DrainBegan{Until: l.now.Add(-time.Minute)})
	want(t, "too late already", l.pass(time.Second), goodbye)

	l = signedIn(false)
	l.on(lifecycle.Idle{})
	if l.Phase().Ended() {
		t.Error("closed for being idle")
	}
}

// TestFirstCauseWins is the original's incident: the server closes while its
// reader waits, and a hundred sends follow. There is one end and one cause.
func TestFirstCauseWins(t *testing.T) {
	t.Parallel()
	l := signedIn(true)
	l.now = l.now.Add(time.Second)
	want(t, "the server closes", l.on(lifecycle.Refused{Err: refusal(pam.CodeTooManyConnections)}),
		closing(pam.CodeTooManyConnections))
	for range 100 {
		want(t, "a send fails", l.on(lifecycle.WriteFailed{Detail: "use of closed network connection"}))
	}
	want(t, "the reader wakes", l.on(lifecycle.ReadFailed{}, lifecycle.PeerClosed{Code: 1000}, lifecycle.Tick{}))
	cause, ended := l.Cause()
	if diff := cmp.Diff(lifecycle.Cause{Code: pam.CodeTooManyConnections, By: lifecycle.ByServer}, cause); diff != "" || !ended {
		t.Errorf("ended %v, cause (-want +got):\n%s", ended, diff)
	}
	if l.Phase().Open() || !l.Phase().Ended() || !l.Next().IsZero() || l.Principal() != nil || !l.Since().Equal(l.now) {
		t.Errorf("%v, next %v, principal %v, since %v", l.Phase(), l.Next(), l.Principal(), l.Since())
	}
}

func TestCauseOfPeer(t *testing.T) {
	t.Parallel()
	l := signedIn(true)
	l.on(lifecycle.PeerClosed{Code: 4321, Reason: "bye"})
	cause, _ := l.Cause()
	if diff := cmp.Diff(lifecycle.Cause{By: lifecycle.ByClient, Peer: 4321, Detail: "bye"}, cause); diff != "" {
		t.Errorf("cause (-want +got):\n%s", diff)
	}
	if cause.String() != "client close" {
		t.Errorf("cause %v", cause)
	}
}

// TestOddExpiries: a credential that is over already ends at once, one that
// ends after all times that can be reckoned with does not, and one without an
// end never.
func TestOddExpiries(t *testing.T) {
	t.Parallel()
	for name, expires := range map[string]time.Time{
		"the year 9999": time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		"no end":        {},
	} {
		l := begin(true)
		l.on(lifecycle.Accepted{})
		l.pass(time.Second)
		p := &pam.Principal{User: "ada", Expires: expires}
		want(t, name, l.on(lifecycle.Authenticated{Principal: p}), lifecycle.SendConnected{})
		others, n := l.lively(10 * heartbeat)
		want(t, name, others)
		if n != 10 {
			t.Errorf("%s: %d pings", name, n)
		}
	}
	l := begin(true)
	l.on(lifecycle.Accepted{})
	p := l.principal(-time.Second)
	want(t, "over already", l.on(lifecycle.Authenticated{Principal: p}),
		lifecycle.SendConnected{}, lifecycle.SendAuthExpiring{At: p.Expires})
	want(t, "over already", l.pass(time.Millisecond), closing(pam.CodeTokenExpired))
}

// TestSmall: 10,000 of them lie about, and most events change nothing.
//
//nolint:paralleltest // AllocsPerRun counts the allocations of the whole process
func TestSmall(t *testing.T) {
	if size := unsafe.Sizeof(lifecycle.Machine{}); size > 160 {
		t.Errorf("a Machine has %d bytes", size)
	}
	l := begin(true)
	l.on(lifecycle.Accepted{}, lifecycle.Authenticated{Principal: l.principal(time.Hour)})
	for name, ev := range map[string]lifecycle.Event{
		"heard": lifecycle.Heard{},
		"pong":  lifecycle.Pong{Nonce: 7},
		"frame": lifecycle.Frame{},
		"tick":  lifecycle.Tick{},
		"idle":  lifecycle.Idle{},
	} {
		allocs := testing.AllocsPerRun(100, func() {
			l.now = l.now.Add(time.Millisecond)
			acts := l.On(l.now, ev)
			for range acts.All() {
				_ = l.Next()
			}
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
	allocs := testing.AllocsPerRun(100, func() { l.On(l.now, lifecycle.Pong{Nonce: 1 << 20}) })
	if allocs != 0 {
		t.Errorf("a new pong: %v allocations", allocs)
	}
}

func BenchmarkFrame(b *testing.B) {
	l := begin(true)
	l.on(lifecycle.Accepted{}, lifecycle.Authenticated{Principal: l.principal(time.Hour)})
	b.ReportAllocs()
	for b.Loop() {
		acts := l.On(l.now, lifecycle.Frame{Request: lifecycle.RequestPing})
		if acts.Len() != 1 {
			b.Fatal(acts)
		}
	}
}
