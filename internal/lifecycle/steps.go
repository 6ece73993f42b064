package lifecycle

import (
	"time"

	"github.com/pam-assistant/pam"
)

// Who goes on sending too fast is closed, but not before it can have read the
// warning; a warning is forgotten after a while.
const (
	warningTime   = time.Second
	warningMemory = time.Minute
)

// moment is now, as the caller said it and as the machine counts it.
type moment struct {
	now time.Time
	t   time.Duration
}

func (m *Machine) whileConnecting(s connecting, at moment, ev Event) Actions {
	switch ev.(type) {
	case Accepted:
		m.enter(s.accept())
		m.heard = at.t
		m.end = after(at.t, m.settings.AuthTimeout)
		m.pingDue = after(at.t, m.settings.Heartbeat)
	case DrainBegan:
		return m.finish(s, Closing{})
	}
	return Actions{}
}

func (m *Machine) whileConnected(s connected, at moment, ev Event) Actions {
	switch e := ev.(type) {
	case Authenticated:
		return m.authenticated(s, at, e)
	case AuthFailed:
		return m.finish(s, Refused(e))
	case Frame:
		m.hear(at.t)
		m.bad = 0
		switch e.Request {
		case RequestPing:
		case RequestAuth:
			// It came in time; judging it takes its own.
			if !m.flags.has(asking) {
				m.flags.set(asking)
				m.end = after(at.t, m.settings.AuthTimeout)
			}
		case RequestOther:
			return just(SendError{&pam.Error{Code: pam.CodeTokenMissing}})
		}
		return just(Serve{})
	case DrainBegan:
		// It asked for nothing yet, so it is idle.
		acts := Actions{}
		if m.v1() {
			acts.add(SendGoAway{e.After})
		}
		acts.add(m.over(s, Closing{}))
		return acts
	case Tick:
		if m.end != 0 && at.t >= m.end {
			return m.finish(s, Refused{&pam.Error{Code: pam.CodeAuthTimeout}})
		}
		return m.beat(s, at.t)
	}
	return m.whileOpen(s, at.t, ev)
}

func (m *Machine) whileAuthenticated(s authenticated, at moment, ev Event) Actions {
	switch e := ev.(type) {
	case Authenticated:
		if e.Principal.User != s.principal.User {
			return m.finish(s, mismatch())
		}
		m.state = s.renew(e.Principal)
		return m.renewed(s.principal, at, e)
	case DrainBegan:
		acts := Actions{}
		if m.v1() {
			acts.add(SendGoAway{e.After})
		}
		d := s.drain()
		m.enter(d)
		m.end = 0
		if !e.Until.IsZero() {
			m.end = after(at.t, max(e.Until.Sub(at.now), 1))
		}
		if e.Idle {
			acts.add(m.over(d, Closing{}))
		}
		return acts
	}
	return m.whileServed(s, s.principal, at, ev)
}

func (m *Machine) whileDraining(s draining, at moment, ev Event) Actions {
	switch e := ev.(type) {
	case Authenticated:
		if e.Principal.User != s.principal.User {
			return m.finish(s, mismatch())
		}
		m.state = s.renew(e.Principal)
		return m.renewed(s.principal, at, e)
	case Idle:
		return m.finish(s, Closing{})
	case Tick:
		if m.end != 0 && at.t >= m.end {
			return m.finish(s, Closing{})
		}
	}
	return m.whileServed(s, s.principal, at, ev)
}

// whileServed is what authenticated and draining have in common.
func (m *Machine) whileServed(s ender, p *pam.Principal, at moment, ev Event) Actions {
	switch e := ev.(type) {
	case AuthFailed:
		return just(SendError(e))
	case Frame:
		m.hear(at.t)
		m.bad = 0
		return just(Serve{})
	case Tick:
		left, ends := m.left(p, at)
		if ends && left <= 0 {
			return m.finish(s, Refused{&pam.Error{Code: pam.CodeTokenExpired}})
		}
		acts := m.beat(s, at.t)
		if ends && !m.Phase().Ended() {
			m.notice(&acts, p, left)
		}
		return acts
	}
	return m.whileOpen(s, at.t, ev)
}

// whileOpen is what all states have in common that were accepted.
func (m *Machine) whileOpen(s ender, t time.Duration, ev Event) Actions {
	switch e := ev.(type) {
	case Heard:
		m.hear(t)
	case Pong:
		m.hear(t)
		if m.flags.has(pinging) && e.Nonce == m.nonce {
			m.flags.clear(pinging)
			m.rtt = t - m.pinged
		}
	case BadFrame:
		m.hear(t)
		m.bad++
		if m.settings.BadFrames > 0 && int(m.bad) >= m.settings.BadFrames {
			return m.finish(s, Refused(e))
		}
		return just(SendError(e))
	case RateLimited:
		m.hear(t)
		if m.warned == 0 || t-m.warned > warningMemory {
			m.warned = max(t, 1)
		}
		if t-m.warned > warningTime {
			return m.finish(s, Refused(e))
		}
		return just(SendError(e))
	}
	return Actions{}
}

// authenticated makes a connection somebody's.
func (m *Machine) authenticated(s connected, at moment, e Authenticated) Actions {
	m.enter(s.authenticate(e.Principal))
	m.end = 0
	acts := Actions{}
	if e.Asked {
		acts.add(SendAuthOK{e.Principal})
	}
	if m.v1() {
		acts.add(SendConnected{})
	}
	if left, ends := m.left(e.Principal, at); ends {
		m.notice(&acts, e.Principal, left)
	}
	return acts
}

// renewed puts a new credential of the same user in force. One that ends no
// later than the old is not announced again: a client that renews with the
// token it has, whenever it is told, would be told for ever.
func (m *Machine) renewed(old *pam.Principal, at moment, e Authenticated) Actions {
	if e.Principal.Expires.After(old.Expires) {
		m.flags.clear(notified)
	}
	acts := Actions{}
	if e.Asked {
		acts.add(SendAuthOK{e.Principal})
	}
	if left, ends := m.left(e.Principal, at); ends {
		m.notice(&acts, e.Principal, left)
	}
	return acts
}

// notice adds auth_expiring where it is due and was not sent.
func (m *Machine) notice(acts *Actions, p *pam.Principal, left time.Duration) {
	if m.v1() && left <= m.settings.ExpiryNotice && !m.flags.has(notified) {
		m.flags.set(notified)
		acts.add(SendAuthExpiring{p.Expires})
	}
}

// finish ends the connection, and says so.
func (m *Machine) finish(s ender, e ending) Actions { return just(m.over(s, e)) }

// over ends the connection: the one place where that is done.
func (m *Machine) over(s ender, e ending) Close {
	cause, say := e.end()
	if _, unheard := s.(connecting); unheard {
		say = nil
	}
	kept := cause
	m.enter(s.close(&kept))
	m.end, m.expiry, m.pingDue = 0, 0, 0
	return Close{Cause: cause, Say: say}
}

func mismatch() Refused { return Refused{&pam.Error{Code: pam.CodeUserMismatch}} }
