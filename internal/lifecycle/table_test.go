package lifecycle_test

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/lifecycle"
)

var update = flag.Bool("update", false, "rewrite testdata/table.txt") //nolint:gochecknoglobals // a flag of the test

// column is a state, and how a connection comes to it.
type column struct {
	name  string
	begin func(v1 bool) *life
}

func columns() []column {
	return []column{
		{"connecting", begin},
		{"connected", func(v1 bool) *life {
			l := begin(v1)
			l.on(lifecycle.Accepted{})
			return l
		}},
		{"authenticated", signedIn},
		{"draining", func(v1 bool) *life {
			l := signedIn(v1)
			l.on(lifecycle.DrainBegan{After: time.Second, Until: l.now.Add(90 * time.Second)})
			return l
		}},
		{"disconnected", func(v1 bool) *life {
			l := signedIn(v1)
			l.on(lifecycle.Closing{})
			return l
		}},
	}
}

// row is an event; do makes it, after what must go before.
type row struct {
	name string
	do   func(l *life) lifecycle.Event
}

func plainly(name string, ev lifecycle.Event) row {
	return row{name, func(*life) lifecycle.Event { return ev }}
}

func rows() []row {
	return append(append(credentialRows(), frameRows()...), endRows()...)
}

func credentialRows() []row {
	goodToken := func(asked bool) func(l *life) lifecycle.Event {
		return func(l *life) lifecycle.Event {
			return lifecycle.Authenticated{Principal: l.principal(2 * time.Hour), Asked: asked}
		}
	}
	return []row{
		plainly("Accepted", lifecycle.Accepted{}),
		{"Authenticated, by the handshake", goodToken(false)},
		{"Authenticated, by a frame", goodToken(true)},
		{"Authenticated, with 30 s to go", func(l *life) lifecycle.Event {
			return lifecycle.Authenticated{Principal: l.principal(30 * time.Second), Asked: true}
		}},
		{"Authenticated, another user", func(l *life) lifecycle.Event {
			p := &pam.Principal{User: "eve", Expires: l.now.Add(time.Hour)}
			return lifecycle.Authenticated{Principal: p, Asked: true}
		}},
		plainly("AuthFailed", lifecycle.AuthFailed{Err: refusal(pam.CodeTokenBadSignature)}),
		{"Tick, after 10 s", tick(10 * time.Second)},
		{"Tick, 30 s before the credential's end", heardTick(time.Hour - 30*time.Second)},
		{"Tick, at the credential's end", heardTick(time.Hour)},
	}
}

func frameRows() []row {
	badFrame := lifecycle.BadFrame{Err: refusal(pam.CodeBadFrame)}
	tooFast := lifecycle.RateLimited{Err: refusal(pam.CodeRateLimited)}
	return []row{
		plainly("Heard", lifecycle.Heard{}),
		plainly("Pong", lifecycle.Pong{Nonce: 1}),
		plainly("Frame, ping", lifecycle.Frame{Request: lifecycle.RequestPing}),
		plainly("Frame, auth", lifecycle.Frame{Request: lifecycle.RequestAuth}),
		plainly("Frame, any other", lifecycle.Frame{Request: lifecycle.RequestOther}),
		plainly("BadFrame", badFrame),
		{"BadFrame, the third in a row", func(l *life) lifecycle.Event {
			l.on(badFrame, badFrame)
			return badFrame
		}},
		plainly("RateLimited", tooFast),
		{"RateLimited, 2 s after the warning", func(l *life) lifecycle.Event {
			l.on(tooFast)
			l.now = l.now.Add(2 * time.Second)
			return tooFast
		}},
		{"Tick, too early", tick(time.Second)},
		{"Tick, after a heartbeat", tick(heartbeat)},
		{"Tick, after 2.4 silent heartbeats", tick(heartbeat * 12 / 5)},
	}
}

func endRows() []row {
	return []row{
		plainly("DrainBegan, busy", lifecycle.DrainBegan{After: time.Second}),
		plainly("DrainBegan, idle", lifecycle.DrainBegan{After: time.Second, Idle: true}),
		plainly("Idle", lifecycle.Idle{}),
		{"Tick, at the end of the drain", heardTick(90 * time.Second)},
		plainly("Closing", lifecycle.Closing{}),
		plainly("PeerClosed", lifecycle.PeerClosed{Code: 1000}),
		plainly("ReadFailed", lifecycle.ReadFailed{Detail: "end of stream"}),
		plainly("WriteFailed", lifecycle.WriteFailed{Detail: "broken pipe"}),
		plainly("Violated", lifecycle.Violated{Err: refusal(pam.CodeInvalidUTF8)}),
		plainly("Overflowed", lifecycle.Overflowed{Err: refusal(pam.CodeOverloaded)}),
		plainly("Refused", lifecycle.Refused{Err: refusal(pam.CodeOriginNotAllowed)}),
	}
}

// tick lets d go by in silence.
func tick(d time.Duration) func(l *life) lifecycle.Event {
	return func(l *life) lifecycle.Event {
		l.now = l.now.Add(d)
		return lifecycle.Tick{}
	}
}

// heardTick lets d go by, at the end of which the peer is heard.
func heardTick(d time.Duration) func(l *life) lifecycle.Event {
	return func(l *life) lifecycle.Event {
		l.now = l.now.Add(d)
		l.on(lifecycle.Heard{})
		return lifecycle.Tick{}
	}
}

// show names an action as the table does.
func show(a lifecycle.Action) string {
	switch a := a.(type) {
	case lifecycle.Serve:
		return "serve"
	case lifecycle.SendError:
		return "error " + a.Err.Code.String()
	case lifecycle.SendAuthOK:
		return "auth_ok"
	case lifecycle.SendConnected:
		return "connected"
	case lifecycle.SendAuthExpiring:
		return "auth_expiring"
	case lifecycle.SendGoAway:
		return "goaway"
	case lifecycle.SendPing:
		return "ping"
	case lifecycle.Close:
		s := "close (" + a.Cause.String() + ", by " + a.Cause.By.String() + ")"
		if a.Say != nil {
			return "error " + a.Say.Code.String() + ", " + s
		}
		return s
	}
	return fmt.Sprintf("%T", a)
}

// cell says what an event does: its actions, and the state after it where that
// is another.
func cell(c column, r row, v1 bool) string {
	l := c.begin(v1)
	ev := r.do(l)
	before := l.Phase().String()
	var parts []string
	for _, a := range l.on(ev) {
		parts = append(parts, show(a))
	}
	if after := l.Phase().String(); after != before {
		parts = append(parts, "→ "+after)
	}
	if len(parts) == 0 {
		return "·"
	}
	return strings.Join(parts, ", ")
}

func line(r row, v1 bool) string {
	s := "| " + r.name + " |"
	for _, c := range columns() {
		s += " " + cell(c, r, v1) + " |"
	}
	return s + "\n"
}

// TestTable prints states × events, for the documents too.
func TestTable(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	head := func(title string) {
		b.WriteString(title + "\n\n| event |")
		for _, c := range columns() {
			b.WriteString(" " + c.name + " |")
		}
		b.WriteString("\n|" + strings.Repeat(" --- |", len(columns())+1) + "\n")
	}
	head("What an event does in each state (pam.v1; · is nothing):")
	for _, r := range rows() {
		b.WriteString(line(r, true))
	}
	b.WriteByte('\n')
	head("Where a plain client differs:")
	for _, r := range rows() {
		if s := line(r, false); s != line(r, true) {
			b.WriteString(s)
		}
	}
	const golden = "testdata/table.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s (-want +got; -update rewrites it):\n%s", golden, diff)
	}
}

// TestTableIsWhole: every event that the package declares has a row.
func TestTableIsWhole(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, r := range rows() {
		seen[reflect.TypeOf(r.do(signedIn(true))).Name()] = true
	}
	for _, name := range implementers(t, "Event") {
		if !seen[name] {
			t.Errorf("event %s has no row", name)
		}
		delete(seen, name)
	}
	for name := range seen {
		t.Errorf("%s is no event", name)
	}
}
