package turn

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/pam-assistant/pam"
)

const (
	backoff       = 500 * time.Millisecond // before the one retry; up to as much again by chance
	patientest    = 5 * time.Second        // a provider that asks for longer is not asked again
	maxCallsAStep = 16
	maxArguments  = 64 << 10 // bytes of one call
)

// reply is what one request came to.
type reply struct {
	text   strings.Builder
	calls  []pam.CallChunk
	usage  pam.Usage
	silent bool  // nothing came: to ask again does no harm
	stop   error // why nothing more is taken
}

// ask asks the model for the next step: once, and once more where nothing came
// and the failure may pass by itself.
func (x *run) ask(ctx context.Context) (*reply, error) {
	for try := 1; ; try++ {
		got, err := x.request(ctx)
		x.usage = x.usage.Add(got.usage)
		if err == nil {
			return got, nil
		}
		pause, may := again(err)
		if !got.silent || try > 1 || !may {
			return nil, err
		}
		x.retries++
		if err := sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// again says whether a failure may pass by itself, and how long to give it.
func again(err error) (time.Duration, bool) {
	e, ok := errors.AsType[*pam.Error](err)
	if !ok || e.Code != pam.CodeProviderUnavailable && e.Code != pam.CodeProviderRateLimited {
		return 0, false
	}
	if e.RetryAfter > patientest {
		return 0, false
	}
	return e.RetryAfter + backoff + rand.N(backoff), true
}

// sleep waits for d or the end of ctx, whose cause it returns.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// request is one request to the model. The reply is never nil.
func (x *run) request(ctx context.Context) (*reply, error) {
	got := &reply{silent: true}
	ctx, abort := context.WithCancelCause(ctx)
	defer abort(nil)
	x.watch.enter(phaseModel)
	x.watch.await(abort)
	err := x.stream(ctx, func(c pam.Chunk) error {
		if got.stop == nil && ctx.Err() != nil {
			got.stop = context.Cause(ctx)
		}
		if got.stop == nil {
			got.stop = x.take(got, c)
		}
		return got.stop
	})
	x.watch.leave()
	switch {
	case got.stop != nil:
		return got, got.stop
	case err != nil && ctx.Err() != nil:
		return got, context.Cause(ctx)
	}
	return got, err
}

// stream is the model's Stream, with its panic as an error.
func (x *run) stream(ctx context.Context, emit func(pam.Chunk) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked("model.stream", p, debug.Stack())
		}
	}()
	return x.Model.Stream(ctx, x.prompt(), emit)
}

// take takes a chunk.
func (x *run) take(got *reply, c pam.Chunk) error {
	now := x.watch.sign()
	shown := false
	defer func() { x.watch.taken(shown) }()
	switch c := c.(type) {
	case pam.TextChunk:
		if c.Text == "" {
			return nil
		}
		x.begins(got, now)
		shown = true
		return x.takeText(got, c.Text)
	case pam.CallChunk:
		x.begins(got, now)
		return x.takeCall(got, c)
	case pam.UsageChunk:
		got.usage = c.Usage
	case pam.PulseChunk:
		got.silent = false
	}
	return nil
}

// begins notes that the model has said something.
func (x *run) begins(got *reply, now time.Time) {
	got.silent = false
	if x.first == 0 {
		x.first = now.Sub(x.began)
	}
}

// takeText hands text on, as far as the answer's limit lets it.
func (x *run) takeText(got *reply, text string) error {
	text = strings.ToValidUTF8(text, "\uFFFD")
	var over error
	if room := x.Limits.Answer - x.text; len(text) > room {
		text = cut(text, room)
		over = &pam.Error{Code: pam.CodeAnswerTooLong, Op: "turn.text"}
	}
	if text != "" {
		if err := x.w.Delta(text); err != nil {
			return &refusedError{err}
		}
		x.text += len(text)
		got.text.WriteString(text)
	}
	return over
}

// takeCall keeps a call for when the reply is whole: of a reply that is cut
// off no call is made.
func (x *run) takeCall(got *reply, c pam.CallChunk) error {
	fault := ""
	switch _, known := x.specs[c.Name]; {
	case !known:
		fault = "The model asked for a tool that it was not offered."
	case len(c.Arguments) > maxArguments:
		fault = "The model called a tool with arguments that are too long."
	case !object(c.Arguments):
		fault = "The model called a tool with arguments that cannot be read."
	case len(got.calls) == maxCallsAStep:
		fault = "The model asked for too many tools at once."
	}
	if fault != "" {
		return &pam.Error{Code: pam.CodeProviderProtocol, Op: "turn.call", Message: fault, Detail: cut(c.Name, pam.MaxIDLength)}
	}
	got.calls = append(got.calls, c)
	return nil
}

// object reports whether b is a JSON object, each name once.
func object(b []byte) bool {
	v := jsontext.Value(b)
	return v.Kind() == '{' && v.IsValid()
}

// cut returns the first n bytes of s at most, whole characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	n = max(n, 0)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
