package client

import "github.com/pam-assistant/pam"

// Conversation is what a client holds of one conversation, and the rules by
// which it takes events (docs/protocol.md, "Order and resume", 3 and 5): the
// reducer. It is pure: no clock, no connection; its owner alone may call it.
//
// The zero Conversation holds nothing and watches nothing. A client that is
// told `conversation_deleted`, or `not_found` with its id, forgets it.
type Conversation struct {
	View  View
	Last  int64     // View has all events up to here
	Epoch pam.Epoch // the life of the journal that Last belongs to

	watch watch
}

// Subscribed is what a server says before the first event of a subscription.
type Subscribed struct {
	Epoch pam.Epoch
	Seq   int64 // the end, at that moment
	From  int64 // the first number that comes
	Reset bool  // what the client holds is of no use: all comes from the start
}

// Step is what became of an event.
type Step uint8

// The steps.
const (
	Ignored Step = iota + 1 // seen before, or older than a subscription that was asked for
	Applied                 // the view has it
	// Lost says that numbers are missing: the caller sends `subscribe` with
	// Resume. Until the answer comes all events are ignored.
	Lost
)

// String names the step.
func (s Step) String() string {
	switch s {
	case Ignored:
		return "ignored"
	case Applied:
		return "applied"
	case Lost:
		return "lost"
	}
	return "none"
}

// watch says how the conversation stands on the newest connection.
type watch uint8

const (
	watchNone  watch = iota // nothing was asked for
	watchAsked              // `subscribe` was sent, `subscribed` has not come
	watchOn                 // `subscribed` has come
)

// Resume is the cursor for the next `subscribe`.
func (c *Conversation) Resume() pam.Resume { return pam.Resume{After: c.Last, Epoch: c.Epoch} }

// Ask says that `subscribe` with Resume is being sent on the newest connection.
func (c *Conversation) Ask() { c.watch = watchAsked }

// Leave says that the newest connection is gone, or does not watch any more.
func (c *Conversation) Leave() { c.watch = watchNone }

// Watched reports whether the newest connection has, or will have, a subscription.
func (c *Conversation) Watched() bool { return c.watch != watchNone }

// Live reports whether the newest connection has a subscription.
func (c *Conversation) Live() bool { return c.watch == watchOn }

// Subscribe takes a `subscribed`: the conversation is forgotten where the
// server says so and where the journal has begun another life. A subscription
// that a chat has made may begin later than this client needs: Lost.
func (c *Conversation) Subscribe(s Subscribed) Step {
	if s.Reset || c.Epoch != s.Epoch {
		*c = Conversation{}
	}
	c.Epoch, c.watch = s.Epoch, watchOn
	if s.From > c.Last+1 {
		return c.lost()
	}
	return Applied
}

// Event takes an event that the newest connection has delivered.
func (c *Conversation) Event(e pam.Event) Step {
	_, delta := e.Body.(pam.Delta)
	switch {
	case c.watch != watchOn: // older than the answer that is awaited
		return Ignored
	case e.Seq <= c.Last: // seen before
		return Ignored
	case e.From > c.Last+1: // a gap
		return c.lost()
	case delta && e.From <= c.Last: // an overlap: its head is shown already
		return c.lost()
	}
	c.View.Apply(e)
	c.Last = e.Seq
	return Applied
}

func (c *Conversation) lost() Step {
	c.watch = watchAsked
	return Lost
}
