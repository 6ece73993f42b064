// Package faultlab is what breaks on purpose, for tests alone: a scripted
// provider of models that speaks the real wire, and what a test needs of the
// machine that it runs on.
//
// What it starts listens on loopback only and ends with its test. It never
// judges: that is for the test.
package faultlab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"
)

// maxRequest is the longest request that a [Provider] reads, in bytes.
const maxRequest = 16 << 20

// Provider is an OpenAI-compatible server on loopback that answers as it is
// told, over the real wire: `POST /v1/chat/completions`. It refuses requests
// that the real one would refuse (a call without its result, a result without
// its call), so that every test checks them too. Its methods may be called at
// any time.
type Provider struct {
	server *httptest.Server

	mu        sync.Mutex
	answers   []Answer
	otherwise func(Asked) Answer
	requests  []*Request
	changed   chan struct{} // closed and renewed with each request
}

// Answer is what one request is answered with: its steps, one after the other.
// What is left of the connection after the last is a clean end.
type Answer []Step

// Step is a thing that a provider does. The constructors of this package make
// them.
type Step func(w *Wire) error

// Request is a request as it came. Its Body is whole.
type Request struct {
	Header http.Header
	Body   []byte
	Number int // 1, 2, 3
	aborts chan struct{}
}

// Aborted is closed when the client has gone before its answer was over.
func (r *Request) Aborted() <-chan struct{} { return r.aborts }

// Asked is the body of a request, as far as tests ask for it.
type Asked struct {
	Number   int            `json:"-"`
	Model    string         `json:"model"`
	Stream   bool           `json:"stream"`
	Messages []AskedMessage `json:"messages"`
	Tools    []struct {
		Function struct {
			Name string `json:"name"`
		} `json:"function"`
	} `json:"tools"`
}

// AskedMessage is a message of a request.
type AskedMessage struct {
	Role       string  `json:"role"`
	Content    *string `json:"content"`
	ToolCallID string  `json:"tool_call_id"`
	ToolCalls  []struct {
		ID       string `json:"id"`
		Type     string `json:"type"`
		Function struct {
			Name      string `json:"name"`
			Arguments string `json:"arguments"`
		} `json:"function"`
	} `json:"tool_calls"`
}

// NewProvider starts a provider for the length of t. Requests are answered with
// answers, in their order; when they are used up, by [Provider.Otherwise], or
// with a 500 that says so.
func NewProvider(t testing.TB, answers ...Answer) *Provider {
	t.Helper()
	p := StartProvider(answers...)
	t.Cleanup(p.Close)
	return p
}

// StartProvider is [NewProvider] for who closes it himself.
func StartProvider(answers ...Answer) *Provider {
	p := &Provider{answers: answers, changed: make(chan struct{})}
	p.server = httptest.NewServer(http.HandlerFunc(p.serve))
	return p
}

// URL is what PAM_OPENAI_BASE_URL wants.
func (p *Provider) URL() string { return p.server.URL + "/v1" }

// Close ends every connection, then the server.
func (p *Provider) Close() {
	p.server.CloseClientConnections()
	p.server.Close()
}

// Add puts answers behind those that are left.
func (p *Provider) Add(answers ...Answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers = append(p.answers, answers...)
}

// Otherwise answers each request for which no answer is left with what f says.
func (p *Provider) Otherwise(f func(Asked) Answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.otherwise = f
}

// Requests returns the requests so far, those that were refused included.
func (p *Provider) Requests() []*Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

// Await returns the request with a number, 1 being the first, once it has come;
// nil where ctx ends before.
func (p *Provider) Await(ctx context.Context, number int) *Request {
	for {
		p.mu.Lock()
		if len(p.requests) >= number {
			r := p.requests[number-1]
			p.mu.Unlock()
			return r
		}
		changed := p.changed
		p.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

func (p *Provider) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		return
	}
	req := &Request{Header: r.Header.Clone(), Body: body, aborts: make(chan struct{})}
	asked, answer := p.take(req, r)
	wire := &Wire{w: w, ctx: r.Context(), Asked: asked}
	for _, step := range answer {
		if err := step(wire); err != nil {
			if !errors.Is(err, errOver) {
				close(req.aborts) // every other error is a client that has gone
			}
			return
		}
	}
}

// take notes a request and picks its answer.
func (p *Provider) take(req *Request, r *http.Request) (Asked, Answer) {
	var asked Asked
	fault := ""
	switch {
	case r.Method != http.MethodPost || r.URL.Path != "/v1/chat/completions":
		fault = "Invalid URL (" + r.Method + " " + r.URL.Path + ")"
	case json.Unmarshal(req.Body, &asked) != nil:
		fault = "We could not parse the JSON body of your request."
	default:
		fault = asked.fault()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = append(p.requests, req)
	req.Number, asked.Number = len(p.requests), len(p.requests)
	close(p.changed)
	p.changed = make(chan struct{})
	switch {
	case fault != "":
		return asked, Answer{Refuse(http.StatusBadRequest, "invalid_request_error", "", fault)}
	case len(p.answers) > 0:
		answer := p.answers[0]
		p.answers = p.answers[1:]
		return asked, answer
	case p.otherwise != nil:
		return asked, p.otherwise(asked)
	}
	return asked, Answer{Refuse(http.StatusInternalServerError, "server_error", "", "faultlab: no answer is left")}
}

// fault returns what the real one would say against the request.
func (a *Asked) fault() string {
	if a.Model == "" {
		return "you must provide a model parameter"
	}
	if len(a.Messages) == 0 {
		return "Invalid 'messages': empty array."
	}
	open := map[string]bool{} // calls without their results
	for i, m := range a.Messages {
		if m.Role != "tool" && len(open) > 0 {
			return fmt.Sprintf("An assistant message with 'tool_calls' must be followed by tool messages (messages.%d)", i)
		}
		if !m.good(open) {
			return fmt.Sprintf("Invalid 'messages.%d' with role %q", i, m.Role)
		}
	}
	if len(open) > 0 {
		return "An assistant message with 'tool_calls' must be followed by tool messages"
	}
	return ""
}

// good reports whether the real one would take a message behind the calls that
// are open, and keeps open up to date.
func (m *AskedMessage) good(open map[string]bool) bool {
	switch m.Role {
	case "system", "user":
		return m.Content != nil
	case "assistant":
		for _, c := range m.ToolCalls {
			if c.ID == "" || len(c.ID) > 40 || open[c.ID] || c.Type != "function" || c.Function.Name == "" {
				return false
			}
			open[c.ID] = true
		}
		return m.Content != nil || len(m.ToolCalls) > 0
	case "tool":
		known := open[m.ToolCallID]
		delete(open, m.ToolCallID)
		return known && m.Content != nil
	}
	return false
}

// Wire is the connection that an answer is written to.
type Wire struct {
	Asked   Asked
	w       http.ResponseWriter
	ctx     context.Context //nolint:containedctx // of the one request that the wire is
	begun   bool
	newline string // "\n", or "\r\n" after [CRLF]
	shred   int    // bytes of one write; 0: whole
}

// begin sends the header of a stream, once.
func (w *Wire) begin() {
	if !w.begun {
		w.begun = true
		w.w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		w.w.WriteHeader(http.StatusOK)
	}
}

// write sends b at once, in pieces where it is told to shred.
func (w *Wire) write(b string) error {
	w.begin()
	size := len(b)
	if w.shred > 0 {
		size = w.shred
	}
	for len(b) > 0 {
		n := min(size, len(b))
		if _, err := io.WriteString(w.w, b[:n]); err != nil {
			return err
		}
		if err := http.NewResponseController(w.w).Flush(); err != nil {
			return err
		}
		b = b[n:]
		if w.shred > 0 && len(b) > 0 {
			// So that the client really reads the pieces one by one.
			if err := w.sleep(50 * time.Microsecond); err != nil {
				return err
			}
		}
	}
	return nil
}

// event sends one event with data.
func (w *Wire) event(data string) error {
	n := w.newline
	if n == "" {
		n = "\n"
	}
	return w.write("data: " + data + n + n)
}

func (w *Wire) sleep(d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
}
