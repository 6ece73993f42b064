package conversation

import (
	"context"

	"github.com/pam-assistant/pam"
)

// chatKey is an idempotency key.
type chatKey struct {
	user pam.UserID
	id   pam.ChatID
}

// claim is an idempotency key that someone asks for at this moment. Others who
// bring the same one wait: were it asked of the journal twice, the second would
// be refused, and with it all that streams behind it.
type claim struct {
	held int           // guarded by hub.mu
	over chan struct{} // closed when nobody holds it any more
}

// claim waits until nobody asks for key, and holds it until unclaim.
func (h *Hub) claim(ctx context.Context, key chatKey) error {
	for {
		h.mu.Lock()
		c := h.claims[key]
		if c == nil {
			h.claims[key] = &claim{held: 1, over: make(chan struct{})}
			h.mu.Unlock()
			return nil
		}
		h.mu.Unlock()
		select {
		case <-c.over:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// keep holds a key once more: for the journal's answer, which may come after
// its asker has left.
func (h *Hub) keep(key chatKey) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.claims[key].held++
}

// unclaim ends claim, or keep.
func (h *Hub) unclaim(key chatKey) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.claims[key]
	if c.held--; c.held == 0 {
		delete(h.claims, key)
		close(c.over)
	}
}
