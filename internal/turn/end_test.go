package turn_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/faultlab"
	openai "github.com/pam-assistant/pam/internal/model"
	"github.com/pam-assistant/pam/internal/turn"
)

// TestCancel cancels at every point: the runner goes without a word, within the
// grace that a deaf tool is given.
func TestCancel(t *testing.T) {
	t.Parallel()
	sleeps := tools{
		"read": func(ctx context.Context, _ pam.Session, _ string) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		},
		"write": func(context.Context, pam.Session, string) (string, error) {
			time.Sleep(time.Minute)
			return "", nil
		},
	}
	for name, steps := range map[string][]step{
		"before the first token": {forever},
		"in mid-answer":          {then(chunks(text("half")), forever)},
		"between two tokens":     {repeat(1000, then(wait(300*time.Millisecond), chunks(text("x"))))},
		"in a tool":              {chunks(call("", "read", `{}`))},
		"in a deaf tool":         {chunks(call("", "write", `{}`))},
		"in the pause":           {fails(&pam.Error{Code: pam.CodeProviderRateLimited, RetryAfter: 4 * time.Second})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(&model{steps: steps}, sleeps)
				time.AfterFunc(time.Second, b.end)
				b.run(t)
				if d := time.Since(b.began); d > 2*time.Second {
					t.Errorf("it went on for %v", d-time.Second)
				}
				if end := b.complete(t); end.Status != pam.TurnCancelled {
					t.Errorf("%+v", end)
				}
				if d := b.done[0]; d.Status != pam.TurnCancelled || d.Code != 0 || b.log.Len() > 0 {
					t.Errorf("observed %+v, logged %s", d, b.log.String())
				}
				time.Sleep(2 * time.Minute) // the deaf tool ends
			})
		})
	}
}

// TestSuperseded holds that a turn that is over for others just stops.
func TestSuperseded(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]pam.Kind{
		"start": pam.KindStart, "delta": pam.KindDelta, "call": pam.KindToolCall, "update": pam.KindToolCallUpdate,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(steps(chunks(text("a"), call("", "read", `{}`))), tools{
				"read": func(context.Context, pam.Session, string) (string, error) { return "r", nil },
			})
			writes := 0
			b.refuse = func(body pam.EventBody) error {
				if body.Kind() == at || writes > 0 {
					writes++
					return fmt.Errorf("x: %w", pam.ErrSuperseded)
				}
				return nil
			}
			b.run(t)
			if writes != 1 || b.done[0].Status != pam.TurnCancelled {
				t.Errorf("%d writes after it was over, %+v", writes-1, b.done)
			}
		})
	}
}

// TestStoreRefuses holds that a full or broken store is said, once.
func TestStoreRefuses(t *testing.T) {
	t.Parallel()
	for _, code := range []pam.Code{pam.CodeStoreFull, pam.CodeStoreUnavailable} {
		for _, at := range []pam.Kind{pam.KindStart, pam.KindDelta, pam.KindToolCall} {
			b := newBench(steps(chunks(text("a"), call("", "read", `{}`))), tools{
				"read": func(context.Context, pam.Session, string) (string, error) { return "r", nil },
			})
			b.refuse = func(body pam.EventBody) error {
				if body.Kind() == at {
					return &pam.Error{Code: code}
				}
				return nil
			}
			b.run(t)
			b.failed(t, code, "")
		}
		ends := 0
		b := newBench(steps(chunks(text("a"))), tools{})
		b.refuse = func(body pam.EventBody) error {
			if body.Kind() == pam.KindStart {
				return nil
			}
			if body.Kind() == pam.KindComplete {
				ends++
			}
			return &pam.Error{Code: code}
		}
		b.run(t)
		if ends != 1 {
			t.Errorf("the end was tried %d times, want once", ends)
		}
	}
}

func TestKnowledgeFails(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want pam.Code
	}{
		{fmt.Errorf("disk"), pam.CodeStoreUnavailable},
		{&pam.Error{Code: pam.CodeStoreFull}, pam.CodeStoreFull},
	} {
		m := steps(chunks(text("a")))
		b := newBench(m, tools{})
		b.Knowledge = knowledge{err: c.err}
		b.run(t)
		b.failed(t, c.want, "")
		if len(m.prompts) > 0 {
			t.Error("the model was asked without what is known")
		}
	}
}

func TestResults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		result string
		err    error
		status pam.CallStatus
		want   string
	}{
		"empty":                      {"", nil, pam.CallCompleted, ""},
		"not UTF-8":                  {"a\xffb", nil, pam.CallCompleted, "a\uFFFDb"},
		"100 MB":                     {strings.Repeat("é", 50<<20), nil, pam.CallCompleted, strings.Repeat("é", 32744) + "\n[cut by PAM: the result was longer than 64 KiB]"},
		"an error for all to read":   {"", &pam.Error{Code: pam.CodeInvalid, Message: "No such unit."}, pam.CallFailed, "No such unit."},
		"an error for the log alone": {"", fmt.Errorf("secret-canary"), pam.CallFailed, "The tool failed."},
		"a mistake of its own":       {"", &pam.Error{Code: pam.CodeInternal, Message: "It broke."}, pam.CallInDoubt, "It broke. Nobody knows whether it took effect."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := steps(chunks(call("c1", "write", `{}`)), chunks(text("ok")))
			b := newBench(m, tools{"write": func(context.Context, pam.Session, string) (string, error) { return c.result, c.err }})
			b.run(t)
			got := b.complete(t).Parts[0].Call
			if got.Status != c.status || got.Result != c.want || len(got.Result) > 64<<10 {
				t.Errorf("%v, %d bytes: %.80q; want %v, %d bytes: %.80q", got.Status, len(got.Result), got.Result, c.status, len(c.want), c.want)
			}
			if told := m.prompts[1].Messages[1].Calls[0].Result; told != c.want {
				t.Errorf("the model was told %.80q", told)
			}
		})
	}
}

// TestOverHTTP runs turns with the real adapter against the real wire.
func TestOverHTTP(t *testing.T) {
	t.Parallel()
	over := func(t *testing.T, answers ...faultlab.Answer) (*bench, *faultlab.Provider) {
		t.Helper()
		p := faultlab.NewProvider(t, answers...)
		m, err := openai.NewOpenAI(openai.OpenAIConfig{Model: "m-1", BaseURL: p.URL(), Nonce: rand.Reader})
		if err != nil {
			t.Fatal(err)
		}
		return newBench(m, tools{"write": func(_ context.Context, _ pam.Session, args string) (string, error) { return "did " + args, nil }}), p
	}
	t.Run("parallel calls with one index, after a refusal", func(t *testing.T) {
		t.Parallel()
		b, p := over(
			t,
			faultlab.Answer{faultlab.Refuse(503, "server_error", "", "down")},
			faultlab.Answer{
				faultlab.Shred(11), faultlab.CallPiece(0, "", "write", `{"n":1}`), faultlab.CallPiece(0, "", "write", `{"n":2}`),
				faultlab.Finish("stop"), faultlab.Usage(5, 6), faultlab.Done(),
			},
			faultlab.Say("Both ", "done."),
		)
		b.run(t)
		end := b.complete(t)
		want := "chat_response_start tool_call tool_call_update tool_call tool_call_update chat_response_delta chat_response_complete"
		if end.Status != pam.TurnCompleted || b.kinds() != want || pam.Text(end.Parts) != "Both done." {
			t.Errorf("%v: %s, %q", end.Status, b.kinds(), pam.Text(end.Parts))
		}
		for i, n := range []string{`{"n":1}`, `{"n":2}`} {
			if c := end.Parts[i].Call; string(c.Arguments) != n || c.Result != "did "+n {
				t.Errorf("call %d: %+v", i, c)
			}
		}
		if n := len(p.Requests()); n != 3 || end.Usage != (pam.Usage{InputTokens: 16, OutputTokens: 8}) {
			t.Errorf("%d requests, usage %+v", n, end.Usage)
		}
	})
	t.Run("cut in mid-answer", func(t *testing.T) {
		t.Parallel()
		b, _ := over(t, faultlab.Answer{faultlab.Text("half"), faultlab.Pause(50 * time.Millisecond), faultlab.Cut()})
		b.run(t)
		b.failed(t, pam.CodeProviderUnavailable, "The model's provider broke the connection off in the middle of the answer.")
		if pam.Text(b.parts) != "half" {
			t.Errorf("the text is %q", pam.Text(b.parts))
		}
	})
	for name, answer := range map[string]faultlab.Answer{
		"cancelled before the answer": {faultlab.Stall()},
		"cancelled in mid-answer":     {faultlab.Text("half"), faultlab.Stall()},
		"cancelled in a torrent":      {faultlab.Endless("more")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, p := over(t, answer)
			b.Limits.Answer = 1 << 30
			go func() {
				if p.Await(t.Context(), 1) != nil {
					time.Sleep(30 * time.Millisecond)
					b.end()
				}
			}()
			b.run(t)
			if end := b.complete(t); end.Status != pam.TurnCancelled {
				t.Errorf("%+v", end)
			}
			aborted(t, p)
		})
	}
	t.Run("too late", func(t *testing.T) {
		t.Parallel()
		b, p := over(t, faultlab.Answer{faultlab.Text("half"), faultlab.Stall()})
		b.Limits.BetweenTokens = 50 * time.Millisecond
		b.run(t)
		b.failed(t, pam.CodeProviderTimeout, "The model fell silent for 50ms in the middle of its answer.")
		aborted(t, p)
	})
	t.Run("endless", func(t *testing.T) {
		t.Parallel()
		b, p := over(t, faultlab.Answer{faultlab.Endless(strings.Repeat("x", 1000))})
		b.run(t)
		b.failed(t, pam.CodeAnswerTooLong, "")
		if n := len(pam.Text(b.parts)); n != 256<<10 {
			t.Errorf("%d bytes of text were kept", n)
		}
		aborted(t, p)
	})
}

func aborted(t *testing.T, p *faultlab.Provider) {
	t.Helper()
	select {
	case <-p.Requests()[0].Aborted():
	case <-time.After(5 * time.Second):
		t.Error("the request was not aborted")
	}
}

// TestSecretsStayOut holds that a conversation's words and what is known of a
// user do not reach the log.
func TestSecretsStayOut(t *testing.T) {
	t.Parallel()
	b := newBench(steps(chunks(text("canary-answer"), call("", "write", `{"a":"canary-args"}`)), fails(&pam.Error{Code: pam.CodeProviderAuth})), tools{
		"write": func(context.Context, pam.Session, string) (string, error) { return "canary-result", fmt.Errorf("why") },
	})
	b.turn.Message = "canary-question"
	b.Knowledge = knowledge{context: `{"a":"canary-context"}`, memory: []pam.Memory{{Key: "k", Value: "canary-memory"}}}
	b.run(t)
	b.failed(t, pam.CodeProviderAuth, "")
	if log := b.log.String(); strings.Contains(log, "canary") || !strings.Contains(log, `"code":"provider_auth"`) || !json.Valid([]byte(strings.Split(log, "\n")[0])) {
		t.Errorf("the log says %s", log)
	}
}

var _ turn.Conversation = (*journal)(nil)
