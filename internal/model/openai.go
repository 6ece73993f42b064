package model

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"github.com/pam-assistant/pam"
)

// DefaultOpenAIURL is where [OpenAI] asks when it is told nothing else.
const DefaultOpenAIURL = "https://api.openai.com/v1"

// OpenAIConfig says which model is asked, and where. Only Model and Nonce are
// required.
type OpenAIConfig struct {
	Model   string       // NAME in `PAM_MODEL=openai/NAME`
	BaseURL string       // PAM_OPENAI_BASE_URL; empty: [DefaultOpenAIURL]
	Key     string       // OPENAI_API_KEY; empty: no Authorization is sent
	Nonce   io.Reader    // marks fences: crypto/rand.Reader
	Client  *http.Client // nil: one of its own
}

// OpenAI asks OpenAI's chat completions, or an endpoint that speaks as they do.
// Any number of streams may run at once.
type OpenAI struct {
	model  string
	host   string
	key    string
	nonce  io.Reader
	client openai.Client
}

// NewOpenAI returns the model of `PAM_MODEL=openai/NAME`. It connects to
// nothing yet. Of the environment it reads what Go's HTTP client reads
// (HTTPS_PROXY), and none of the SDK's own OPENAI_ variables.
func NewOpenAI(c OpenAIConfig) (*OpenAI, error) {
	base, err := baseURL(c.BaseURL)
	if err != nil {
		return nil, err
	}
	if c.Model == "" {
		return nil, &pam.Error{Code: pam.CodeInvalid, Op: "model.openai", Message: "PAM_MODEL=openai/NAME lacks the NAME."}
	}
	client := c.Client
	if client == nil {
		client = &http.Client{Transport: transport()}
	}
	redirectless := *client
	redirectless.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	o := &OpenAI{model: c.Model, host: base.Host, key: c.Key, nonce: c.Nonce}
	// Not openai.NewClient: it takes keys and headers from the environment, and
	// they would go to whatever the base URL names.
	o.client = openai.Client{Options: []option.RequestOption{
		option.WithBaseURL(base.String()),
		option.WithAPIKey(c.Key),
		option.WithHTTPClient(&redirectless),
		option.WithMaxRetries(0),
		option.WithHeader("Accept", "text/event-stream"),
		option.WithMiddleware(o.screen),
	}}
	return o, nil
}

// baseURL checks where to ask.
func baseURL(s string) (*url.URL, error) {
	if s == "" {
		s = DefaultOpenAIURL
	}
	u, err := url.Parse(strings.TrimRight(strings.TrimSpace(s), "/"))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" {
		return nil, &pam.Error{
			Code: pam.CodeInvalid, Op: "model.openai", // without the cause, which quotes the URL
			Message: "PAM_OPENAI_BASE_URL is not the address of an API.",
			Hint:    "Set it to something like http://127.0.0.1:11434/v1.",
		}
	}
	return u, nil
}

// transport is made for long answers of one host. Compression is off: it would
// hold tokens back.
func transport() *http.Transport {
	const connect = 10 * time.Second
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: connect, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:    connect,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: connect},
		MaxIdleConnsPerHost:    64,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true,
	}
}

// Name returns "openai/NAME".
func (o *OpenAI) Name() string { return "openai/" + o.model }

// Stream asks once. Its errors have the codes of docs/protocol.md, "Accept,
// then explain", and never contain the key.
func (o *OpenAI) Stream(ctx context.Context, p *pam.Prompt, emit func(pam.Chunk) error) error {
	body, err := o.body(p)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var res *http.Response
	if err := o.client.Post(ctx, "chat/completions", body, &res); err != nil {
		return o.unreached(ctx, err)
	}
	defer res.Body.Close()
	if err := o.streams(res); err != nil {
		return err
	}
	s := &stream{openai: o, tools: p.Tools, emit: emit, body: newBounded(res.Body), cancel: cancel}
	defer s.close()
	res.Body = s.body
	return s.run(ctx, res)
}

// unreached is the error of a request that got no answer, or one that
// [OpenAI.screen] has refused.
func (o *OpenAI) unreached(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if known, ok := errors.AsType[*pam.Error](err); ok {
		return known
	}
	return o.unavailable("openai.connect", err)
}
