package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/client"
)

// Times of a question that nobody looks at.
const (
	lostFor    = time.Minute     // without a connection, once there was one
	cancelTime = 2 * time.Second // for the server to say that it has stopped
)

// CancelledError says that a turn was stopped before its end.
type CancelledError struct{}

// Error implements error.
func (CancelledError) Error() string { return "cancelled" }

// Ask asks one question and returns its whole answer, for scripts: it shows
// nothing. A server that cannot be reached at once is an error at once; one
// that is lost later is waited for, for a minute. Where ctx is done the turn is
// cancelled. A turn that did not complete is an error beside its text: a
// *pam.Error, or CancelledError.
func Ask(ctx context.Context, c *client.Client, m client.Message) (pam.Turn, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go watch(ctx, c, stop)
	a, err := c.Chat(ctx, m)
	if err != nil {
		return pam.Turn{}, refusal(c, err)
	}
	turn, err := a.Wait(ctx)
	if err != nil && ctx.Err() != nil {
		return cancel(ctx, a, turn)
	}
	if err != nil {
		return turn, refusal(c, err)
	}
	return turn, outcome(turn)
}

// refusal is why the client has ended, where that is why err came.
func refusal(c *client.Client, err error) error {
	if r, ok := c.State().(client.Refused); ok && errors.Is(err, client.ErrClosed) {
		return r.Cause
	}
	return err
}

// outcome is the error of a turn that is over.
func outcome(turn pam.Turn) error {
	switch turn.Status {
	case pam.TurnCompleted:
		return nil
	case pam.TurnCancelled:
		return CancelledError{}
	case pam.TurnInterrupted:
		return &pam.Error{
			Code: pam.CodeInternal, Message: "The server stopped in the middle of the answer.",
			Hint: "Nobody knows whether its last tool call took effect. Look, then ask again.",
		}
	case pam.TurnFailed:
		if f := turn.Error; f != nil {
			return &pam.Error{Code: f.Code, Message: f.Message, Hint: f.Hint}
		}
	}
	return &pam.Error{Code: pam.CodeInternal, Message: "The answer failed."}
}

// watch ends a question that cannot be answered: the first attempt to connect
// has failed, or the connection is gone for too long.
func watch(ctx context.Context, c *client.Client, stop context.CancelCauseFunc) {
	met := false
	for state := range c.States(ctx) {
		switch s := state.(type) {
		case client.Connected:
			met = true
		case client.Reconnecting:
			if !met {
				stop(s.Cause)
				return
			}
			patience, done := context.WithTimeout(ctx, lostFor)
			for state := range c.States(patience) {
				if _, ok := state.(client.Connected); ok {
					break
				}
			}
			expired := patience.Err() != nil && ctx.Err() == nil
			done()
			if expired {
				stop(s.Cause)
				return
			}
		case client.Connecting, client.Silent, client.Refused, client.Closed:
		}
	}
}

// cancel ends the turn of a question that is given up, and says why it was.
func cancel(ctx context.Context, a *client.Answer, turn pam.Turn) (pam.Turn, error) {
	cause := context.Cause(ctx)
	after, done := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
	defer done()
	if err := a.Cancel(after); err == nil {
		if ended, err := a.Wait(after); err == nil {
			turn = ended
		}
	}
	if errors.Is(cause, context.Canceled) {
		return turn, CancelledError{}
	}
	return turn, cause
}

// PrintText prints an answer's text, clean, as lines.
func PrintText(w io.Writer, turn pam.Turn) error {
	text := Clean(pam.Text(turn.Parts))
	if text == "" {
		return nil
	}
	if text[len(text)-1] != '\n' {
		text += "\n"
	}
	_, err := fmt.Fprint(w, text)
	return err
}

// Lines returns what writes the events of one message's turn to w, a line of
// JSON each. It is for client.Options.OnEvent.
func Lines(w io.Writer, id pam.ChatID, encode func(*pam.Event) []byte) func(pam.Event) {
	var turn pam.TurnID
	return func(e pam.Event) {
		if m, ok := e.Body.(pam.UserMessage); ok && m.ID == id {
			turn = e.Turn
		}
		if _, title := e.Body.(pam.ConversationUpdated); turn == "" || !title && e.Turn != turn {
			return
		}
		_, _ = w.Write(append(encode(&e), '\n')) // a reader that has gone: the answer goes on
	}
}
