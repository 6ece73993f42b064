package turn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/pam-assistant/pam"
)

const (
	maxResult = 64 << 10               // bytes of one result: docs/protocol.md, "Order and resume", 6
	grace     = 250 * time.Millisecond // for a tool to return once it was told to
	maxStuck  = 128                    // calls that may hang at once before no more are made
	toolPhase = "tool:"
	inDoubt   = " Nobody knows whether it took effect."
	resultCut = "\n[cut by PAM: the result was longer than 64 KiB]"
)

// toolOf returns the tool of a phase.
func toolOf(phase string) (string, bool) { return strings.CutPrefix(phase, toolPhase) }

// callAll makes the calls of one step one after the other, in the model's
// order: what one changes the next one sees, and after a crash at most one is
// in doubt.
func (x *run) callAll(ctx context.Context, chunks []pam.CallChunk) ([]pam.Call, error) {
	made := make([]pam.Call, 0, len(chunks))
	for _, c := range chunks {
		if x.calls == x.Limits.Calls {
			return nil, &pam.Error{
				Code: pam.CodeAnswerTooLong, Op: "turn.call",
				Message: fmt.Sprintf("The model asked for more than %d calls of tools in one answer.", x.Limits.Calls),
				Hint:    "Ask for less at once.",
			}
		}
		x.calls++
		call, err := x.call(ctx, c)
		if err != nil {
			return nil, err
		}
		made = append(made, call)
	}
	return made, nil
}

// call makes one call: committed, made, its end committed.
func (x *run) call(ctx context.Context, c pam.CallChunk) (pam.Call, error) {
	call := pam.Call{ID: x.callID(c.ID), Name: c.Name, Arguments: slices.Clone(c.Arguments)}
	err := x.append(ctx, pam.ToolCall{CallID: call.ID, Name: call.Name, Arguments: call.Arguments})
	if err != nil {
		return call, err
	}
	x.watch.enter(toolPhase + call.Name)
	result, err := x.invoke(ctx, call)
	if ctx.Err() != nil && err != nil {
		// Cancelled, or the turn's time is over: whether the call took effect
		// nobody knows, and the end of the turn settles it.
		return call, context.Cause(ctx)
	}
	call.Status, call.Result = x.outcome(ctx, call, result, err)
	err = x.append(ctx, pam.ToolCallUpdate{CallID: call.ID, Status: call.Status, Result: call.Result})
	if err != nil {
		return call, err
	}
	call.Result = told(call)
	return call, nil
}

// callID returns the provider's id where it can stand for this call alone, else
// one of ours: some send none, some the same one with every step.
func (x *run) callID(id pam.CallID) pam.CallID {
	const most = 40 // what OpenAI takes back
	if !pam.ValidID(string(id)) || len(id) > most || x.ids[id] {
		id = pam.CallID(x.NewID())
	}
	x.ids[id] = true
	return id
}

// lostError is the end of a call that nobody has seen: too late, or a panic.
type lostError struct {
	sentence string
	err      error // for the log; may be nil
}

func (e *lostError) Error() string {
	if e.err != nil {
		return e.sentence + " " + e.err.Error()
	}
	return e.sentence
}

// invoke runs the tool within its time. A tool that does not return though its
// context has ended is left behind.
func (x *run) invoke(ctx context.Context, call pam.Call) (string, error) {
	if x.stuck.Load() >= maxStuck {
		return "", &pam.Error{Code: pam.CodeOverloaded, Op: "turn.call", Message: "Too many calls of tools hang; this one was not made."}
	}
	type end struct {
		result string
		err    error
	}
	ctx, cancel := context.WithTimeout(ctx, x.Limits.Tool)
	defer cancel()
	ended := make(chan end, 1)
	x.stuck.Add(1)
	go func() {
		defer x.stuck.Add(-1)
		var e end
		defer func() {
			if p := recover(); p != nil {
				e = end{err: &lostError{"The tool failed unexpectedly.", panicked("tool."+call.Name, p, debug.Stack())}}
			}
			ended <- e
		}()
		e.result, e.err = x.Tools.Call(ctx, pam.Session{User: x.key.User, ID: x.session()}, call.Name, slices.Clone(call.Arguments))
	}()
	select {
	case e := <-ended:
		return e.result, inTime(ctx, x.Limits.Tool, e.err)
	case <-ctx.Done():
	}
	select {
	case e := <-ended:
		return e.result, inTime(ctx, x.Limits.Tool, e.err)
	case <-time.After(grace):
		return "", inTime(ctx, x.Limits.Tool, ctx.Err())
	}
}

// inTime is err, or the sentence of a call whose time was over.
func inTime(ctx context.Context, limit time.Duration, err error) error {
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &lostError{"The tool did not answer within " + spell(limit) + ".", err}
	}
	return err
}

// outcome says what became of a call.
func (x *run) outcome(ctx context.Context, call pam.Call, result string, err error) (pam.CallStatus, string) {
	if err == nil {
		result = strings.ToValidUTF8(clip(result), "\uFFFD")
		return pam.CallCompleted, clip(result)
	}
	x.Log.LogAttrs(ctx, slog.LevelWarn, "tool failed",
		append(logged(x, err), slog.String("tool", call.Name))...)
	if lost, ok := errors.AsType[*lostError](err); ok {
		if x.specs[call.Name].Repeatable {
			return pam.CallFailed, lost.sentence
		}
		return pam.CallInDoubt, lost.sentence + inDoubt
	}
	sentence := "The tool failed."
	e, _ := errors.AsType[*pam.Error](err)
	if e != nil && e.Message != "" {
		sentence = clip(strings.ToValidUTF8(e.Message, "\uFFFD"))
	}
	if e != nil && e.Code == pam.CodeInternal && !x.specs[call.Name].Repeatable {
		// A mistake in the tool: it may lie behind the effect.
		return pam.CallInDoubt, clip(sentence + inDoubt)
	}
	return pam.CallFailed, sentence
}

// clip cuts a result at its limit and says so in it.
func clip(result string) string {
	if len(result) <= maxResult {
		return result
	}
	return cut(result, maxResult-len(resultCut)) + resultCut
}

// session is whose context the turn is asked with.
func (x *run) session() pam.SessionID {
	if x.turn.Session == "" {
		return pam.DefaultSession
	}
	return x.turn.Session
}
