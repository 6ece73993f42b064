package lifecycle_test

import (
	"testing"
	"time"

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
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b error) bool { return a == b })); diff != "" {
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
