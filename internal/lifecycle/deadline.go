package lifecycle

import (
	"time"

	"github.com/pam-assistant/pam"
)

// A peer that is not heard from for 2.5 heartbeats is dead, and is to be found
// out within them. So the machine gives up after 2.4, which leaves whoever
// keeps the deadlines a tenth of a heartbeat to be late.
const (
	silenceNum = 12
	silenceDen = 5
)

// setBack is how far a time may lie before its predecessor and still be taken
// for one that was read a little earlier, not for a clock that was set back.
const setBack = time.Second

// Next returns when a [Tick] is wanted; zero: never. Accepted, Authenticated,
// DrainBegan and Tick itself may move it to an earlier time; all other events
// only to a later one, so that who keeps deadlines need not look after them:
// the tick comes too early then, does nothing, and Next is asked again.
func (m *Machine) Next() time.Time {
	first := m.end
	for _, d := range [...]time.Duration{m.pingDue, m.silent(), m.expires()} {
		if d != 0 && (first == 0 || d < first) {
			first = d
		}
	}
	if first == 0 {
		return time.Time{}
	}
	return m.base.Add(first)
}

// silent returns when the peer is dead, if it is not heard from; 0: never.
func (m *Machine) silent() time.Duration {
	if m.pingDue == 0 {
		return 0
	}
	return m.heard + m.silence()
}

func (m *Machine) silence() time.Duration {
	return m.settings.Heartbeat * silenceNum / silenceDen
}

// expires returns when the principal's end wants attention; 0: never.
func (m *Machine) expires() time.Duration {
	if m.expiry == 0 || !m.v1() || m.flags.has(notified) || m.settings.ExpiryNotice <= 0 {
		return m.expiry
	}
	return max(m.expiry-m.settings.ExpiryNotice, 1)
}

// left returns how long p has to go by the clock on the wall, and whether it
// ends at all; and keeps when that will be. A credential ends by the wall, and
// the wall's clock may be set: so it is asked at every tick.
func (m *Machine) left(p *pam.Principal, at moment) (time.Duration, bool) {
	if p.Expires.IsZero() {
		m.expiry = 0
		return 0, false
	}
	left := p.Expires.Sub(at.now)
	m.expiry = after(at.t, max(left, 1))
	return left, true
}

// beat looks after the heartbeat: it finds a dead peer out, and pings.
func (m *Machine) beat(s ender, t time.Duration) Actions {
	if m.pingDue == 0 {
		return Actions{}
	}
	if dead := m.silent(); t >= dead {
		late := t - min(dead, m.pingDue)
		if late < m.settings.Heartbeat/2 || m.flags.has(forgiving) {
			return m.finish(s, Refused{&pam.Error{Code: pam.CodeHeartbeatTimeout}})
		}
		// The tick, or the one for a ping before it, is so late that it was
		// this process that slept, or the clock that jumped: the peer was not
		// asked, or has spoken, unread. It gets one heartbeat to answer, once.
		m.flags.set(forgiving)
		m.heard = t - m.silence() + m.settings.Heartbeat
		m.pingDue = t
	}
	if t < m.pingDue {
		return Actions{}
	}
	m.pingDue = after(t, m.settings.Heartbeat)
	m.pinged = t
	m.nonce++
	m.flags.set(pinging)
	return just(SendPing{m.nonce})
}

func (m *Machine) hear(t time.Duration) {
	m.heard = t
	m.flags.clear(forgiving)
}

// clock turns now into an offset that never goes back.
func (m *Machine) clock(now time.Time) time.Duration {
	if m.base.IsZero() {
		m.base = now
	}
	t := now.Sub(m.base)
	if t < m.last {
		if m.last-t > setBack {
			// The clock was set back: what was due in a minute still is.
			m.base = now.Add(-m.last)
		}
		t = m.last
	}
	m.last = t
	return t
}

// after returns t+d, at least 1 and never beyond what a Duration holds; 0,
// which is never, where d is none.
func after(t, d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	if sum := t + d; sum > 0 {
		return sum
	}
	return 1<<63 - 1
}
