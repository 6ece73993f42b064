package faultlab_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pam-assistant/pam/internal/faultlab"
)

func ask(t *testing.T, p *faultlab.Provider, body string) (int, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.URL()+"/chat/completions", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

const good = `{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}`

func TestProviderWire(t *testing.T) {
	t.Parallel()
	p := faultlab.NewProvider(t,
		faultlab.Answer{faultlab.CRLF(), faultlab.Shred(3), faultlab.Comment("wait"), faultlab.Text("né"), faultlab.Finish("stop"), faultlab.Usage(3, 4), faultlab.Done()},
		faultlab.Answer{faultlab.Text("half"), faultlab.Cut()},
		faultlab.Answer{faultlab.Refuse(429, "rate_limit_exceeded", "", "slow down", "Retry-After", "2")},
	)
	status, body, err := ask(t, p, good)
	if err != nil || status != 200 {
		t.Fatalf("first: %d, %v", status, err)
	}
	for _, want := range []string{": wait\n\n", `"content":"né"`, `"finish_reason":"stop"`, `"completion_tokens":4`, "data: [DONE]\r\n\r\n"} {
		if !strings.Contains(body, want) {
			t.Errorf("first: no %q in %s", want, body)
		}
	}
	if _, body, err = ask(t, p, good); err == nil || !strings.Contains(body, "half") {
		t.Errorf("cut: %q, %v; want the half and an error", body, err)
	}
	if status, body, _ = ask(t, p, good); status != 429 || !strings.Contains(body, `"message":"slow down"`) {
		t.Errorf("refused: %d %s", status, body)
	}
	if status, body, _ = ask(t, p, good); status != 500 || !strings.Contains(body, "no answer is left") {
		t.Errorf("used up: %d %s", status, body)
	}
	if n := len(p.Requests()); n != 4 {
		t.Errorf("%d requests were noted, want 4", n)
	}
}

func TestProviderRefusesWhatTheRealOneRefuses(t *testing.T) {
	t.Parallel()
	p := faultlab.NewProvider(t)
	p.Otherwise(func(faultlab.Asked) faultlab.Answer { return faultlab.Say("fine") })
	call := `{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]}`
	for name, body := range map[string]string{
		"not JSON":              `{`,
		"no model":              `{"messages":[{"role":"user","content":"hi"}]}`,
		"no messages":           `{"model":"m","messages":[]}`,
		"call without result":   `{"model":"m","messages":[` + call + `]}`,
		"call, then a question": `{"model":"m","messages":[` + call + `,{"role":"user","content":"hi"}]}`,
		"result without call":   `{"model":"m","messages":[{"role":"tool","tool_call_id":"a","content":"x"}]}`,
		"unknown role":          `{"model":"m","messages":[{"role":"boss","content":"x"}]}`,
	} {
		if status, answer, err := ask(t, p, body); status != 400 || err != nil {
			t.Errorf("%s: %d %s %v, want 400", name, status, answer, err)
		}
	}
	whole := `{"model":"m","messages":[` + call + `,{"role":"tool","tool_call_id":"a","content":"x"}]}`
	if status, answer, err := ask(t, p, whole); status != 200 || err != nil {
		t.Errorf("call and result: %d %s %v, want 200", status, answer, err)
	}
}

func TestProviderNotesAborts(t *testing.T) {
	t.Parallel()
	p := faultlab.NewProvider(t, faultlab.Say("all"), faultlab.Answer{faultlab.Text("some"), faultlab.Stall()})
	if _, _, err := ask(t, p, good); err != nil {
		t.Fatal(err)
	}
	client := http.Client{Timeout: 50 * time.Millisecond}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.URL()+"/chat/completions", strings.NewReader(good))
	if err != nil {
		t.Fatal(err)
	}
	if res, err := client.Do(req); err == nil {
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
	}
	select {
	case <-p.Await(t.Context(), 2).Aborted():
	case <-time.After(5 * time.Second):
		t.Error("the abort of the second request was not noted")
	}
	select {
	case <-p.Await(t.Context(), 1).Aborted():
		t.Error("the first request counts as aborted though it had its answer")
	default:
	}
}
