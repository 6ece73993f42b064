package gateway

import (
	"sync"
	"time"

	"github.com/pam-assistant/pam"
)

// streams are the requests that are held open: answers that are waited for, and
// events that are read live. They count beside a user's connections, against
// the same limits.
type streams struct {
	requests *limiters[pam.UserID]
	closing  chan struct{} // closed at the end of all

	mu     sync.Mutex
	users  map[pam.UserID]int
	total  int
	closed bool
}

func newStreams(frames int) *streams {
	return &streams{
		requests: newLimiters[pam.UserID](frames, time.Second),
		closing:  make(chan struct{}),
		users:    map[pam.UserID]int{},
	}
}

// hold counts one more held request of user until leave, or says why there may
// not be one more.
func (s *streams) hold(user pam.UserID, most Limits) (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, &pam.Error{Code: pam.CodeGoingAway, RetryAfter: jitter(reconnectSpread)}
	case most.Total > 0 && s.total >= most.Total:
		return nil, &pam.Error{Code: pam.CodeOverloaded, RetryAfter: jitter(30 * time.Second)}
	case most.Connections > 0 && s.users[user] >= most.Connections:
		return nil, &pam.Error{Code: pam.CodeTooManyConnections}
	}
	s.users[user]++
	s.total++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.total--
		if s.users[user]--; s.users[user] == 0 {
			delete(s.users, user)
		}
	}, nil
}

// close ends all that are held, once they have said what has come; more are
// refused.
func (s *streams) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		close(s.closing)
	}
}

// heldUntil is when a request that is held open for p must end: with its token.
func (g *Gateway) heldUntil(p pam.Principal) time.Time {
	if p.Expires.IsZero() {
		return g.Now().Add(longest)
	}
	return p.Expires
}

// longest is how long a request is held open for one whose token has no end.
const longest = 24 * time.Hour
