package turn_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pam-assistant/pam"
)

// repeat does s n times.
func repeat(n int, s step) step {
	all := make([]step, n)
	for i := range all {
		all[i] = s
	}
	return then(all...)
}

// TestDeadlines is each wait that is too long: it ends after its time, says what
// was waited for, and keeps the text.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	hangs := tools{"read": func(ctx context.Context, _ pam.Session, _ string) (string, error) {
		<-ctx.Done()
		return "", ctx.Err()
	}}
	ask := chunks(call("", "read", `{}`))
	for name, c := range map[string]struct {
		steps []step
		says  string
		text  string
		after time.Duration
	}{
		"first token":  {[]step{forever}, "The model did not begin to answer within 60 seconds.", "", time.Minute},
		"second step":  {[]step{then(wait(50*time.Second), ask), then(wait(59*time.Second), forever)}, "The model did not begin to answer within 60 seconds.", "", 140 * time.Second},
		"next token":   {[]step{then(wait(50*time.Second), chunks(text("half")), forever)}, "The model fell silent for 30 seconds in the middle of its answer.", "half", 80 * time.Second},
		"after pulses": {[]step{then(repeat(5, then(wait(29*time.Second), chunks(pam.PulseChunk{}))), forever)}, "The model fell silent for 30 seconds in the middle of its answer.", "", 175 * time.Second},
		"the whole, model": {
			[]step{repeat(100, then(wait(21*time.Second), chunks(text("x"))))},
			"The answer was not finished within 10 minutes; PAM stopped waiting for the model.", "xxxxxxxxxxxxxxxxxxxxxxxxxxxx", 10 * time.Minute,
		},
		"the whole, tool": {
			[]step{then(repeat(22, then(wait(27*time.Second), chunks(text("x")))), ask)},
			"The answer was not finished within 10 minutes; PAM stopped waiting for the tool read.", "xxxxxxxxxxxxxxxxxxxxxx", 10 * time.Minute,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(steps(c.steps...), hangs)
				b.run(t)
				b.failed(t, pam.CodeProviderTimeout, c.says)
				if got := pam.Text(b.parts); got != c.text {
					t.Errorf("the text is %q, want %q", got, c.text)
				}
				if d := time.Since(b.began); d < c.after || d > c.after+20*time.Millisecond {
					t.Errorf("it took %v, want %v", d, c.after)
				}
			})
		})
	}
}

// TestShortDeadlines holds that a deadline shorter than the pace of progress is
// kept to the moment.
func TestShortDeadlines(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]step{"first": forever, "next": then(chunks(text("a")), forever)} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(steps(answer), tools{})
			b.Limits.FirstToken, b.Limits.BetweenTokens = time.Second, time.Second
			b.run(t)
			if d := time.Since(b.began); b.complete(t).Status != pam.TurnFailed || d < time.Second || d > 1010*time.Millisecond {
				t.Errorf("%s token: it took %v, want a second", name, d)
			}
		})
	}
}

// TestNoDeadlineForTheReader holds that a slow journal is not taken for a silent
// model.
func TestNoDeadlineForTheReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(steps(repeat(3, then(chunks(text("abc")), wait(20*time.Second)))), tools{})
		b.refuse = func(body pam.EventBody) error {
			if body.Kind() == pam.KindDelta {
				time.Sleep(2 * time.Minute)
			}
			return nil
		}
		b.run(t)
		if end := b.complete(t); end.Status != pam.TurnCompleted || pam.Text(end.Parts) != "abcabcabc" {
			t.Errorf("%+v", end)
		}
	})
}

// TestStoreHangs holds that a store that does not answer is not taken for a
// silent model either.
func TestStoreHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(steps(chunks(text("a"), call("", "read", `{}`))), tools{"read": nil})
		b.commit = func(ctx context.Context, body pam.EventBody) {
			if body.Kind() == pam.KindToolCall {
				<-ctx.Done()
			}
		}
		b.run(t)
		b.failed(t, pam.CodeStoreUnavailable, "The answer was not finished within 10 minutes; PAM stopped waiting for its own store.")
	})
}

// TestSilentAtTheEnd holds that nothing is said while the end is written.
func TestSilentAtTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(steps(chunks(text("a"))), tools{})
		b.commit = func(_ context.Context, body pam.EventBody) {
			if body.Kind() == pam.KindComplete {
				time.Sleep(time.Minute)
			}
		}
		b.run(t)
		if end := b.complete(t); end.Status != pam.TurnCompleted || len(b.said) > 0 {
			t.Errorf("%+v, and in the end %v", end, b.said)
		}
	})
}

func TestToolDeadline(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]pam.Call{
		"read":  {Status: pam.CallFailed, Result: "The tool did not answer within 30 seconds."},
		"write": {Status: pam.CallInDoubt, Result: "The tool did not answer within 30 seconds. Nobody knows whether it took effect."},
	} {
		for _, deaf := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				b := newBench(steps(chunks(call("c1", name, `{}`)), chunks(text("Sorry."))), tools{
					name: func(ctx context.Context, _ pam.Session, _ string) (string, error) {
						if deaf {
							<-release
							return "too late", nil
						}
						<-ctx.Done()
						return "", ctx.Err()
					},
				})
				b.run(t)
				end := b.complete(t)
				if c := end.Parts[0].Call; end.Status != pam.TurnCompleted || c.Status != want.Status || c.Result != want.Result {
					t.Errorf("%s, deaf %t: %v %+v, want %+v", name, deaf, end.Status, c, want)
				}
				if d := time.Since(b.began); d < 30*time.Second || d > 31*time.Second {
					t.Errorf("%s, deaf %t: it took %v", name, deaf, d)
				}
				close(release)
			})
		}
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(steps(
			then(wait(12*time.Second), chunks(text("a")), wait(4*time.Second), chunks(text("b")), wait(6*time.Second), chunks(call("", "read", `{}`))),
			then(repeat(7, then(wait(time.Second), chunks(pam.PulseChunk{}))), chunks(text("c"))),
		), tools{"read": func(context.Context, pam.Session, string) (string, error) {
			time.Sleep(11 * time.Second)
			return "r", nil
		}})
		b.run(t)
		b.complete(t)
		want := []string{
			"5s model 5s", "10s model 10s", // before the first token
			"21s model 21s",                         // 5 s after the second
			"27s tool:read 5s", "32s tool:read 10s", // 22 s: the call, 33 s: its end
			"38s model 5s", // pulses are nothing that a client sees
		}
		if diff := cmp.Diff(want, b.said); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// TestProgressWhileRetrying holds that a pause says nothing less.
func TestProgressWhileRetrying(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(steps(
			fails(&pam.Error{Code: pam.CodeProviderRateLimited, RetryAfter: 5 * time.Second}),
			then(wait(5*time.Second), chunks(text("a"))),
		), tools{})
		b.run(t)
		b.complete(t)
		if len(b.said) != 2 {
			t.Errorf("%v, want two", b.said)
		}
	})
}
