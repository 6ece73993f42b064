package turn

import (
	"context"
	"sync"
	"time"

	"github.com/pam-assistant/pam"
)

// phaseModel is the phase of `turn_progress` while the model is waited for;
// that of a tool is "tool:" and its name.
const phaseModel = "model"

// watch ends what takes too long and tells the client that a silent turn is
// alive. It looks at the clock when its one timer fires, not when a token
// comes: a token costs two looks at the time and a lock that nobody else holds.
type watch struct {
	limits Limits
	now    func() time.Time
	say    func(phase string, elapsed time.Duration)

	mu      sync.Mutex
	timer   *time.Timer
	cancel  context.CancelCauseFunc // of the whole turn
	ends    time.Time               // of the whole turn
	phase   string
	since   time.Time // of the phase
	seen    time.Time // when the client was last told something
	abort   context.CancelCauseFunc
	alive   time.Time // the model's last sign of life, or when it was asked
	begun   bool      // whether it has begun to answer
	held    bool      // the writer is waited for, not the model or a tool
	stopped bool
}

func newWatch(l Limits, now func() time.Time, say func(string, time.Duration)) *watch {
	at := now()
	return &watch{
		limits: l, now: now, say: say,
		ends: at.Add(l.Turn), phase: phaseModel, since: at, seen: at,
	}
}

// start begins to watch; cancel ends the whole turn.
func (w *watch) start(cancel context.CancelCauseFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cancel = cancel
	w.timer = time.AfterFunc(w.next(w.now()), w.look)
}

// stop ends it: nothing is said or cancelled once it has returned.
func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	w.timer.Stop()
}

// enter says what is waited for from now on.
func (w *watch) enter(phase string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.phase, w.since = phase, w.now()
}

// await begins to wait for the model; abort ends the request.
func (w *watch) await(abort context.CancelCauseFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	w.abort, w.alive, w.begun, w.held = abort, now, false, false
	w.rearm(now)
}

// leave waits for the model no longer.
func (w *watch) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.abort = nil
}

// sign notes a sign of life, whose taking now begins, and returns the time.
func (w *watch) sign() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	w.alive, w.begun, w.held = now, true, true
	return now
}

// taken notes that the sign of life has been taken: the model's time runs again.
func (w *watch) taken(shown bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	w.alive, w.held = now, false
	if shown {
		w.seen = now
	}
}

// write notes that the writer is waited for.
func (w *watch) write() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held = true
}

// written notes that it is no longer, and that the client was told something.
func (w *watch) written() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen, w.held = w.now(), false
}

// look does what is due.
func (w *watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return
	}
	now := w.now()
	if !now.Before(w.ends) {
		w.cancel(w.overdue())
		return
	}
	if limit, waits := w.patience(); waits && now.Sub(w.alive) >= limit {
		w.abort(w.silence())
		w.abort = nil
	}
	if now.Sub(w.seen) >= w.limits.Progress {
		w.seen = now
		w.say(w.phase, now.Sub(w.since))
	}
	w.timer.Reset(w.next(now))
}

// rearm lets the timer fire for a deadline that may be nearer than the one it
// is set to.
func (w *watch) rearm(now time.Time) {
	if w.timer.Stop() {
		w.timer.Reset(w.next(now))
	}
}

// next is how long nothing can be due.
func (w *watch) next(now time.Time) time.Duration {
	next := min(w.ends.Sub(now), w.seen.Add(w.limits.Progress).Sub(now))
	if w.abort != nil {
		next = min(next, w.limits.BetweenTokens, w.limits.FirstToken)
		if limit, waits := w.patience(); waits {
			next = min(next, w.alive.Add(limit).Sub(now))
		}
	}
	return max(next, time.Millisecond)
}

// patience is how long the model may be silent, and whether it is waited for.
func (w *watch) patience() (time.Duration, bool) {
	if w.abort == nil || w.held {
		return 0, false
	}
	if w.begun {
		return w.limits.BetweenTokens, true
	}
	return w.limits.FirstToken, true
}

func (w *watch) silence() error {
	if w.begun {
		return late("turn.next_token", "The model fell silent for "+spell(w.limits.BetweenTokens)+" in the middle of its answer.")
	}
	return late("turn.first_token", "The model did not begin to answer within "+spell(w.limits.FirstToken)+".")
}

// overdue is the error of a turn whose time is over: it names what was waited
// for last.
func (w *watch) overdue() error {
	code, awaited := pam.CodeProviderTimeout, "the model"
	if name, ok := toolOf(w.phase); ok {
		awaited = "the tool " + name
	}
	if w.held {
		code, awaited = pam.CodeStoreUnavailable, "its own store"
	}
	return &pam.Error{
		Code: code, Op: "turn.deadline",
		Message: "The answer was not finished within " + spell(w.limits.Turn) + "; PAM stopped waiting for " + awaited + ".",
	}
}
