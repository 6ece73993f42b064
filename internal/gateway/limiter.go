package gateway

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/pam-assistant/pam"
)

// limiters hold one token bucket for each key: n in every per, all at once
// where none came before. Those that are full again are forgotten.
type limiters[K comparable] struct {
	n   int
	per time.Duration

	mu      sync.Mutex
	buckets map[K]*rate.Limiter
	swept   time.Time
}

func newLimiters[K comparable](n int, per time.Duration) *limiters[K] {
	return &limiters[K]{n: n, per: per, buckets: map[K]*rate.Limiter{}}
}

// allow takes one token of key, or says when there will be one.
func (l *limiters[K]) allow(now time.Time, key K) *pam.Error {
	if l.n <= 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets[key]
	if b == nil {
		b = rate.NewLimiter(rate.Every(l.per/time.Duration(l.n)), l.n)
		l.buckets[key] = b
	}
	return take(b, now)
}

// AdmitChat counts a new message of user, and refuses it where there were too
// many in the last minute.
func (g *Gateway) AdmitChat(user pam.UserID) error {
	if limited := g.chats.allow(g.Now(), user); limited != nil {
		limited.Message = "You have sent too many messages in the last minute."
		limited.Hint = "Wait retry_after_ms, or raise PAM_MAX_CHATS."
		return limited
	}
	return nil
}

// take takes one token of b, or says when there will be one.
func take(b *rate.Limiter, now time.Time) *pam.Error {
	if b.AllowN(now, 1) {
		return nil
	}
	wait := time.Duration(float64(time.Second) * (1 - b.TokensAt(now)) / float64(b.Limit()))
	return &pam.Error{Code: pam.CodeRateLimited, RetryAfter: max(wait, time.Millisecond)}
}

// evict forgets the buckets that are full, at most once in per.
func (l *limiters[K]) evict(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.swept) < l.per {
		return
	}
	l.swept = now
	for key, b := range l.buckets {
		if b.TokensAt(now) >= float64(l.n) {
			delete(l.buckets, key)
		}
	}
}
