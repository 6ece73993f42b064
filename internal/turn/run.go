package turn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pam-assistant/pam"
)

// run is one turn on its way. Its goroutine alone touches it.
type run struct {
	*Runner
	turn  pam.Turn
	key   pam.Key
	w     Conversation
	watch *watch
	began time.Time

	fixed   pam.Prompt    // what no step changes
	past    []past        // newest first
	said    []pam.Message // what this turn has come to after its question
	ids     map[pam.CallID]bool
	text    int // bytes of text in the answer
	calls   int
	steps   int
	retries int
	first   time.Duration
	usage   pam.Usage
}

func newRun(r *Runner, t pam.Turn, key pam.Key, w Conversation) *run {
	x := &run{
		Runner: r, turn: t, key: key, w: w,
		began: r.Now(),
		watch: newWatch(r.Limits, r.Now, w.Progress),
		said:  answerMessages(t.Parts),
		ids:   map[pam.CallID]bool{},
		text:  len(pam.Text(t.Parts)),
	}
	for _, p := range t.Parts {
		if p.Call != nil {
			x.ids[p.Call.ID] = true
			x.calls++
		}
	}
	return x
}

// answer goes from the question to the end of the answer.
func (x *run) answer(ctx context.Context) error {
	omitted, err := x.learn(ctx)
	if err != nil {
		return err
	}
	start := pam.Start{
		MessageID:    pam.MessageID(x.NewID()),
		Model:        x.Model.Name(),
		Attempt:      x.turn.Attempt + 1,
		OmittedTurns: omitted,
	}
	if err := x.append(ctx, start); err != nil {
		return err
	}
	for {
		if x.steps == x.Limits.Steps {
			return &pam.Error{
				Code: pam.CodeAnswerTooLong, Op: "turn.step",
				Message: fmt.Sprintf("The model asked for tools %d times in a row and came to no answer.", x.steps),
				Hint:    "Ask for less at once.",
			}
		}
		x.steps++
		got, err := x.ask(ctx)
		if err != nil {
			return err
		}
		if len(got.calls) == 0 {
			return x.whole(got)
		}
		made, err := x.callAll(ctx, got.calls)
		if err != nil {
			return err
		}
		x.said = append(x.said, pam.Message{Role: pam.FromAssistant, Text: got.text.String(), Calls: made})
	}
}

// whole refuses an answer that is none.
func (x *run) whole(last *reply) error {
	if len(x.said) == 0 && last.text.Len() == 0 {
		return &pam.Error{
			Code: pam.CodeProviderProtocol, Op: "turn.answer",
			Message: "The model ended its answer without a word.",
			Hint:    "Try again; if it goes on, try another PAM_MODEL.",
		}
	}
	return nil
}

// finish says how the turn ended, unless it is not ours to say.
func (x *run) finish(ctx context.Context, err error) {
	done := Done{
		Key: x.key, Turn: x.turn.ID, Model: x.Model.Name(), Status: pam.TurnCompleted,
		Steps: x.steps, Retries: x.retries, FirstToken: x.first,
		Duration: x.Now().Sub(x.began), Usage: x.usage,
	}
	switch {
	case err == nil:
	case ctx.Err() != nil, over(err):
		done.Status = pam.TurnCancelled
	default:
		done.Status, done.Code = pam.TurnFailed, pam.CodeOf(err)
		x.Log.LogAttrs(ctx, level(done.Code), "turn failed", logged(x, err)...)
	}
	if done.Status != pam.TurnCancelled {
		complete := pam.Complete{
			Status: done.Status, Usage: done.Usage, Error: failure(err), ProcessingTime: done.Duration,
		}
		if err := x.w.Append(ctx, complete); err != nil && ctx.Err() == nil {
			x.Log.LogAttrs(ctx, level(pam.CodeOf(err)), "end of turn not written", logged(x, err)...)
		}
	}
	if x.Observer != nil {
		x.Observer.TurnDone(done)
	}
}

// append writes body and keeps apart what the writer refuses and what is no
// fault of its: that the turn's time is over.
func (x *run) append(ctx context.Context, body pam.EventBody) error {
	x.watch.write()
	defer x.watch.written()
	if err := x.w.Append(ctx, body); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return &refusedError{err}
	}
	return nil
}

// refusedError is what the writer said no with.
type refusedError struct{ err error }

func (e *refusedError) Error() string { return "turn: not written: " + e.err.Error() }
func (e *refusedError) Unwrap() error { return e.err }

// over reports whether err means that the turn is no longer ours to end.
func over(err error) bool {
	refused, ok := errors.AsType[*refusedError](err)
	if !ok {
		return false
	}
	e, ok := errors.AsType[*pam.Error](refused.err)
	return !ok || e.Code != pam.CodeStoreUnavailable && e.Code != pam.CodeStoreFull
}
