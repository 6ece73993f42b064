package client

import (
	"context"
	"encoding/json"
	"iter"

	"github.com/pam-assistant/pam"
)

// Watch is an open conversation: its past, and what is said from now on, by
// whatever device.
type Watch struct {
	client       *Client
	conversation pam.ConversationID
	cell         cell[View]
}

// Open watches a conversation. Where there is none, Updates ends with a
// *pam.Error of code not_found.
func (c *Client) Open(ctx context.Context, id pam.ConversationID) (*Watch, error) {
	if !pam.ValidID(string(id)) {
		return nil, explain(&pam.Error{Code: pam.CodeInvalid, Op: "client.open", Detail: "conversation_id: is not 1 to 64 of [A-Za-z0-9._:-]"})
	}
	w := &Watch{client: c, conversation: id}
	if err := c.do(ctx, func(l *loop) { l.open(w) }); err != nil {
		return nil, err
	}
	return w, nil
}

// Updates yields the whole conversation, and again after each change, until the
// watch is closed. The first comes once all its past is there. An error ends
// it: not_found, conversation_deleted, ErrClosed, or the cause of ctx.
func (w *Watch) Updates(ctx context.Context) iter.Seq2[View, error] {
	return func(yield func(View, error) bool) {
		known := false
		for v, err := range w.cell.all(ctx) {
			if !known && err == nil && v.Turns == nil { // nothing has come yet
				continue
			}
			known = true
			if !yield(v, err) {
				return
			}
		}
	}
}

// Close ends the watch.
func (w *Watch) Close() {
	_ = w.client.do(context.Background(), func(l *loop) { l.closeWatch(w) })
}

// UpdateContext merges patch (RFC 7396) into the session's context and returns
// its version. It waits for the server, over reconnects too.
func (c *Client) UpdateContext(ctx context.Context, patch json.RawMessage) (version int64, err error) {
	u := &contextUpdate{patch: patch, done: make(chan struct{})}
	if err := c.do(ctx, func(l *loop) { l.updateContext(u) }); err != nil {
		return 0, err
	}
	select {
	case <-u.done:
		return u.version, u.err
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// contextUpdate is a patch on its way. The answer to one names nothing, so that
// only one is out at a time.
type contextUpdate struct {
	patch   json.RawMessage
	version int64
	err     error
	done    chan struct{} // closed once version and err are set
}
