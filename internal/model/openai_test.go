package model_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/faultlab"
	"github.com/pam-assistant/pam/internal/model"
)

// canary stands for the key: it turns up in the Authorization header alone.
const canary = "sk-canary-7f31c9"

func open(t *testing.T, url string) *model.OpenAI {
	t.Helper()
	m, err := model.NewOpenAI(model.OpenAIConfig{Model: "m-1", BaseURL: url, Key: canary, Nonce: &nonces{}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func tools() []pam.ToolSpec {
	return []pam.ToolSpec{
		{Name: "add", Description: "Adds.", Parameters: json.RawMessage(`{"type":"object","properties":{"a":{"type":"number"}},"required":["a"]}`)},
		{Name: "now", Description: "The time.", Parameters: json.RawMessage(`{"type":"object","properties":{}}`)},
	}
}

// heard is what a stream came to.
type heard struct {
	Text   string
	Calls  []pam.CallChunk
	Usage  pam.Usage
	Pulses bool
}

func hear(ctx context.Context, m *model.OpenAI, p *pam.Prompt) (heard, error) {
	var h heard
	err := m.Stream(ctx, p, func(c pam.Chunk) error {
		switch c := c.(type) {
		case pam.TextChunk:
			h.Text += c.Text
		case pam.CallChunk:
			h.Calls = append(h.Calls, c)
		case pam.UsageChunk:
			h.Usage = c.Usage
		case pam.PulseChunk:
			h.Pulses = true
		}
		return nil
	})
	return h, err
}

func TestOpenAIStreams(t *testing.T) {
	t.Parallel()
	usage := pam.Usage{InputTokens: 11, OutputTokens: 2}
	whole := faultlab.Say("Héllo ", "wörld 🙂")
	text := heard{Text: "Héllo wörld 🙂", Usage: usage}
	with := func(steps ...faultlab.Step) faultlab.Answer { return append(steps, whole...) }
	for _, c := range []struct {
		name   string
		answer faultlab.Answer
		want   heard
	}{
		{"as OpenAI sends it", whole, text},
		{"a byte at a time", with(faultlab.Shred(1)), text},
		{"seven at a time", with(faultlab.Shred(7)), text},
		{"CR LF", with(faultlab.CRLF(), faultlab.Shred(5)), text},
		{"comments", with(faultlab.Comment("OPENROUTER PROCESSING"), faultlab.Comment("")), text},
		{"event names", with(faultlab.Raw("event: message\nid: 7\nretry: 10\n")), text},
		{"no [DONE]", faultlab.Answer{faultlab.Text("hi"), faultlab.Finish("stop")}, heard{Text: "hi"}},
		{"no finish", faultlab.Answer{faultlab.Text("hi"), faultlab.Done()}, heard{Text: "hi"}},
		{"no last empty line", faultlab.Answer{faultlab.Text("hi"), faultlab.Raw(`data: {"choices":[{"index":0,"delta":{"content":"!"},"finish_reason":"stop"}]}`)}, heard{Text: "hi!"}},
		{"an unknown finish", faultlab.Answer{faultlab.Text("hi"), faultlab.Finish("eos"), faultlab.Done()}, heard{Text: "hi"}},
		{"usage within the last chunk", faultlab.Answer{faultlab.Event(`{"choices":[{"delta":{"content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":6}}`), faultlab.Done()}, heard{Text: "hi", Usage: pam.Usage{InputTokens: 5, OutputTokens: 6}}},
		{"a refusal is text", faultlab.Answer{faultlab.Delta(`{"refusal":"I will not."}`), faultlab.Finish("stop"), faultlab.Done()}, heard{Text: "I will not."}},
		{"reasoning is a pulse", faultlab.Answer{faultlab.Delta(`{"reasoning_content":"hm"}`), faultlab.Text("hi"), faultlab.Finish("stop"), faultlab.Done()}, heard{Text: "hi", Pulses: true}},
		{"empty reasoning is none", faultlab.Answer{faultlab.Delta(`{"reasoning":"","content":null}`), faultlab.Text("hi"), faultlab.Finish("stop"), faultlab.Done()}, heard{Text: "hi"}},
		{"parts", faultlab.Answer{faultlab.Delta(`{"content":[{"type":"thinking","thinking":[]},{"type":"text","text":"hi"}]}`), faultlab.Finish("stop"), faultlab.Done()}, heard{Text: "hi", Pulses: true}},
		{"a second choice is not ours", faultlab.Answer{faultlab.Event(`{"choices":[{"index":1,"delta":{"content":"no"}},{"index":0,"delta":{"content":"yes"},"finish_reason":"stop"}]}`), faultlab.Done()}, heard{Text: "yes"}},
		{"bytes that are not UTF-8", faultlab.Answer{faultlab.Raw("data: {\"choices\":[{\"delta\":{\"content\":\"a\xffb\\ud83d\"},\"finish_reason\":\"stop\"}]}\n\n"), faultlab.Done()}, heard{Text: "a\uFFFDb\uFFFD"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := faultlab.NewProvider(t, c.answer)
			got, err := hear(t.Context(), open(t, p.URL()+"//"), ask("hi"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got, want := p.Requests()[0].Header.Get("Authorization"), "Bearer "+canary; got != want {
				t.Errorf("Authorization %q, want %q", got, want)
			}
		})
	}
}

// failure is what an error must be.
type failure struct {
	code  pam.Code
	says  string // in Message or Detail
	after time.Duration
}

func (f failure) check(t *testing.T, err error) {
	t.Helper()
	var e *pam.Error
	if !errors.As(err, &e) || e.Code != f.code || e.RetryAfter != f.after {
		t.Fatalf("%v, want %v after %v", err, f.code, f.after)
	}
	if !strings.Contains(e.Message+" "+e.Detail, f.says) {
		t.Errorf("message %q, detail %q; want %q in it", e.Message, e.Detail, f.says)
	}
	if all := err.Error() + e.Message + e.Hint + e.Detail; strings.Contains(all, canary[len(canary)-4:]) {
		t.Errorf("the key is in %q", all)
	}
}

func TestOpenAIRefusals(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 200_000)
	for _, c := range []struct {
		name string
		step faultlab.Step
		want failure
	}{
		{"401", faultlab.Refuse(401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided: sk-can***31c9"), failure{code: pam.CodeProviderAuth}},
		{"403", faultlab.Respond(403, "Forbidden for "+canary), failure{code: pam.CodeProviderAuth}},
		{"402", faultlab.Respond(402, `{"error":{"message":"Insufficient credits for `+canary+`","code":402}}`), failure{code: pam.CodeProviderQuota}},
		{"429 quota", faultlab.Refuse(429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota"), failure{code: pam.CodeProviderQuota}},
		{"429", faultlab.Refuse(429, "tokens", "rate_limit_exceeded", "slow down, "+canary, "Retry-After", "2"), failure{code: pam.CodeProviderRateLimited, after: 2 * time.Second}},
		{"429 in milliseconds", faultlab.Refuse(429, "requests", "", "", "Retry-After-Ms", "1500", "Retry-After", "9"), failure{code: pam.CodeProviderRateLimited, after: 1500 * time.Millisecond}},
		{"429 until", faultlab.Refuse(429, "requests", "", "", "Date", "Tue, 25 Nov 2025 10:00:00 GMT", "Retry-After", "Tue, 25 Nov 2025 10:00:07 GMT"), failure{code: pam.CodeProviderRateLimited, after: 7 * time.Second}},
		{"429 for ever", faultlab.Refuse(429, "requests", "", "", "Retry-After", "1e300"), failure{code: pam.CodeProviderRateLimited, after: time.Hour}},
		{"400 context", faultlab.Refuse(400, "invalid_request_error", "context_length_exceeded", "This model's maximum context length is 4096 tokens."), failure{code: pam.CodeContextTooLong}},
		{"400 context, llama.cpp", faultlab.Respond(400, `{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error"}}`), failure{code: pam.CodeContextTooLong}},
		{"400 filter", faultlab.Refuse(400, "", "content_filter", "The response was filtered"), failure{code: pam.CodeContentFiltered}},
		{"400", faultlab.Refuse(400, "invalid_request_error", "", "tools are not supported"), failure{code: pam.CodeProviderProtocol, says: "refused the question"}},
		{"404", faultlab.Respond(404, `{"error":"model 'm-1' not found"}`), failure{code: pam.CodeProviderProtocol, says: "does not know this model"}},
		{"307", faultlab.Respond(307, "", "Location", "https://example.invalid/v1/chat/completions"), failure{code: pam.CodeProviderProtocol, says: "another address"}},
		{"500", faultlab.Refuse(500, "server_error", "", "The server had an error"), failure{code: pam.CodeProviderUnavailable, says: "fault of its own"}},
		{"503, a page", faultlab.HTML(503), failure{code: pam.CodeProviderUnavailable}},
		{"503, endless", faultlab.Respond(503, long, "Retry-After", "3"), failure{code: pam.CodeProviderUnavailable, after: 3 * time.Second}},
		{"200, a page", faultlab.HTML(200), failure{code: pam.CodeProviderProtocol, says: "web page"}},
		{"200, JSON", faultlab.Respond(200, `{"choices":[{"message":{"content":"hi"}}]}`, "Content-Type", "application/json"), failure{code: pam.CodeProviderProtocol, says: "JSON document"}},
		{"200, an error", faultlab.Respond(200, `{"error":{"message":"x","code":429}}`, "Content-Type", "application/json"), failure{code: pam.CodeProviderRateLimited}},
		{"200, plain text", faultlab.Respond(200, "It works!", "Content-Type", "text/plain"), failure{code: pam.CodeProviderProtocol, says: "no event"}},
		{"200, nothing", faultlab.Respond(200, "", "Content-Type", "text/event-stream"), failure{code: pam.CodeProviderUnavailable, says: "before it answered"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := faultlab.NewProvider(t, faultlab.Answer{c.step})
			got, err := hear(t.Context(), open(t, p.URL()), ask("hi"))
			c.want.check(t, err)
			if diff := cmp.Diff(heard{}, got); diff != "" {
				t.Errorf("something was heard:\n%s", diff)
			}
			if n := len(p.Requests()); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
}

func TestOpenAIBroken(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		answer faultlab.Answer
		text   string
		want   failure
	}{
		{"cut before the answer", faultlab.Answer{faultlab.Cut()}, "", failure{code: pam.CodeProviderUnavailable}},
		{"cut in mid-answer", faultlab.Answer{faultlab.Text("half"), faultlab.Pause(50 * time.Millisecond), faultlab.Cut()}, "half", failure{code: pam.CodeProviderUnavailable, says: "middle of the answer"}},
		{"ended in mid-answer", faultlab.Answer{faultlab.Text("half")}, "half", failure{code: pam.CodeProviderUnavailable, says: "middle of the answer"}},
		{"ended in mid-line", faultlab.Answer{faultlab.Text("half"), faultlab.Raw(`data: {"choices":[{"del`)}, "half", failure{code: pam.CodeProviderUnavailable, says: "middle of the answer"}},
		{"only [DONE]", faultlab.Answer{faultlab.Done()}, "", failure{code: pam.CodeProviderProtocol, says: "without an answer"}},
		{"not JSON", faultlab.Answer{faultlab.Text("half"), faultlab.Event("oops"), faultlab.Done()}, "half", failure{code: pam.CodeProviderProtocol, says: "not JSON"}},
		{"another JSON", faultlab.Answer{faultlab.Event(`{"choices":"none"}`), faultlab.Done()}, "", failure{code: pam.CodeProviderProtocol, says: "not JSON of the kind"}},
		{"a line without an end", faultlab.Answer{faultlab.Text("half"), faultlab.Raw("data: " + strings.Repeat("x", 2<<20)), faultlab.Stall()}, "half", failure{code: pam.CodeProviderProtocol, says: "too long"}},
		{"an error in mid-answer", faultlab.Answer{faultlab.Text("half"), faultlab.Event(`{"error":{"message":"` + canary + ` overloaded","type":"server_error"}}`)}, "half", failure{code: pam.CodeProviderUnavailable, says: "fault of its own"}},
		{"a limit in mid-answer", faultlab.Answer{faultlab.Text("half"), faultlab.Event(`{"error":{"message":"x","code":429},"choices":[]}`)}, "half", failure{code: pam.CodeProviderRateLimited}},
		{"length", faultlab.Answer{faultlab.Text("half"), faultlab.Finish("length"), faultlab.Usage(1, 2), faultlab.Done()}, "half", failure{code: pam.CodeAnswerTooLong, says: "its own limit"}},
		{"filter", faultlab.Answer{faultlab.Text("half"), faultlab.Finish("content_filter"), faultlab.Done()}, "half", failure{code: pam.CodeContentFiltered}},
		{"gave up", faultlab.Answer{faultlab.Text("half"), faultlab.Finish("error"), faultlab.Done()}, "half", failure{code: pam.CodeProviderUnavailable, says: "gave up"}},
		{"length in mid-call", faultlab.Answer{faultlab.CallPiece(0, "c1", "add", `{"a":`), faultlab.Finish("length"), faultlab.Done()}, "", failure{code: pam.CodeAnswerTooLong}},
		{"cut in mid-call", faultlab.Answer{faultlab.CallPiece(0, "c1", "add", `{"a":1}`)}, "", failure{code: pam.CodeProviderUnavailable}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := faultlab.NewProvider(t, c.answer)
			prompt := ask("hi")
			prompt.Tools = tools()
			got, err := hear(t.Context(), open(t, p.URL()), prompt)
			c.want.check(t, err)
			if got.Text != c.text || got.Calls != nil {
				t.Errorf("heard %q and the calls %v; want %q and none", got.Text, got.Calls, c.text)
			}
		})
	}
}

func TestOpenAIUnreachable(t *testing.T) {
	t.Parallel()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := l.Addr().String()
	l.Close()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	for name, c := range map[string]struct{ url, says string }{
		"refused":     {"http://" + free + "/v1", ""},
		"DNS":         {"http://pam.invalid/v1", "cannot be resolved"},
		"certificate": {secure.URL + "/v1", "certificate"},
		"no TLS":      {strings.Replace(plain.URL, "http:", "https:", 1), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := hear(t.Context(), open(t, c.url), ask("hi"))
			failure{code: pam.CodeProviderUnavailable, says: c.says}.check(t, err)
		})
	}
}

// TestOpenAIHangsAfterTheEnd holds that an answer that is finished does not
// fail for want of a [DONE].
func TestOpenAIHangsAfterTheEnd(t *testing.T) {
	t.Parallel()
	p := faultlab.NewProvider(t, faultlab.Answer{faultlab.Text("hi"), faultlab.Finish("stop"), faultlab.Stall()})
	got, err := hear(t.Context(), open(t, p.URL()), ask("hi"))
	if err != nil || got.Text != "hi" {
		t.Errorf("%q, %v", got.Text, err)
	}
	aborted(t, p.Requests()[0])
}

func aborted(t *testing.T, r *faultlab.Request) {
	t.Helper()
	select {
	case <-r.Aborted():
	case <-time.After(5 * time.Second):
		t.Error("the request was not aborted")
	}
}

// TestOpenAICancel holds that a cancel reaches the request, wherever it is.
func TestOpenAICancel(t *testing.T) {
	t.Parallel()
	gone := errors.New("gone")
	for name, answer := range map[string]faultlab.Answer{
		"before the header": {faultlab.Stall()},
		"after the header":  {faultlab.Comment("wait"), faultlab.Stall()},
		"in mid-answer":     {faultlab.Text("some"), faultlab.Stall()},
		"in a torrent":      {faultlab.Endless("some")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := faultlab.NewProvider(t, answer)
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(50*time.Millisecond, func() { cancel(gone) })
			if _, err := hear(ctx, open(t, p.URL()), ask("hi")); !errors.Is(err, gone) {
				t.Errorf("%v, want the cause of the cancel", err)
			}
			aborted(t, p.Await(t.Context(), 1))
		})
	}
	t.Run("by emit", func(t *testing.T) {
		t.Parallel()
		p := faultlab.NewProvider(t, faultlab.Answer{faultlab.Endless("some")})
		err := open(t, p.URL()).Stream(t.Context(), ask("hi"), func(pam.Chunk) error { return gone })
		if !errors.Is(err, gone) {
			t.Errorf("%v, want what emit said", err)
		}
		aborted(t, p.Requests()[0])
	})
}

// TestOpenAIReadsNoEnvironment holds that nothing of the SDK's variables goes
// to an endpoint that they are not meant for.
//
//nolint:paralleltest // it sets the environment
func TestOpenAIReadsNoEnvironment(t *testing.T) {
	for name, value := range map[string]string{
		"OPENAI_API_KEY": "stray-1", "OPENAI_ADMIN_KEY": "stray-2", "OPENAI_ORG_ID": "stray-3", "OPENAI_PROJECT_ID": "stray-4",
		"OPENAI_BASE_URL": "http://127.0.0.1:1/stray-5", "OPENAI_CUSTOM_HEADERS": "X-Stray: stray-6", "OPENAI_WEBHOOK_SECRET": "stray-7",
	} {
		t.Setenv(name, value)
	}
	p := faultlab.NewProvider(t, faultlab.Say("hi"))
	m, err := model.NewOpenAI(model.OpenAIConfig{Model: "m-1", BaseURL: p.URL(), Nonce: &nonces{}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hear(t.Context(), m, ask("hi")); err != nil {
		t.Fatal(err)
	}
	for name, values := range p.Requests()[0].Header {
		if all := name + strings.Join(values, " "); strings.Contains(strings.ToLower(all), "stray") || name == "Authorization" {
			t.Errorf("%s: %q", name, values)
		}
	}
}

func TestNewOpenAIRefuses(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"127.0.0.1:11434", "ftp://x/v1", "http://", "http://x/v1?key=" + canary, "::", "http://x/#a"} {
		_, err := model.NewOpenAI(model.OpenAIConfig{Model: "m", BaseURL: url})
		failure{code: pam.CodeInvalid, says: "PAM_OPENAI_BASE_URL"}.check(t, err)
	}
	_, err := model.NewOpenAI(model.OpenAIConfig{})
	failure{code: pam.CodeInvalid, says: "NAME"}.check(t, err)
	m, err := model.NewOpenAI(model.OpenAIConfig{Model: "m"})
	if err != nil || m.Name() != "openai/m" {
		t.Errorf("%v, %v", m, err)
	}
}
