package model

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/pam-assistant/pam"
)

const (
	maxRefusal = 64 << 10 // bytes that are read of a refusal
	maxQuoted  = 300      // bytes of it in the log
	maxWait    = time.Hour
)

// screen takes a refusal out of the SDK's hands, which would read all of it,
// however much it is.
func (o *OpenAI) screen(req *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	res, err := next(req)
	if err != nil || res.StatusCode/100 == 2 {
		return res, err
	}
	defer res.Body.Close()
	contents, err := io.ReadAll(io.LimitReader(res.Body, maxRefusal))
	if err != nil && len(contents) == 0 {
		contents = nil // the status alone says enough
	}
	return nil, o.refusal(res.Header, res.StatusCode, contents)
}

// refused is what a refusal says, as far as it can be read.
type refused struct {
	status  int
	code    string
	message string
}

// readRefusal reads `{"error": {"message", "type", "code"}}` and its kin. The
// status of an error in mid-stream is 0; some give theirs as the code.
func readRefusal(status int, body []byte) refused {
	r := refused{status: status}
	var outer struct {
		Error   jsontext.Value `json:"error"`
		Message string         `json:"message"`
		Detail  jsontext.Value `json:"detail"`
	}
	lenient := jsonv2.JoinOptions(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	if jsonv2.Unmarshal(body, &outer, lenient) != nil {
		r.message = string(body)
		return r
	}
	var inner struct {
		Message string         `json:"message"`
		Type    string         `json:"type"`
		Code    jsontext.Value `json:"code"`
	}
	r.message = outer.Message + string(outer.Detail)
	switch {
	case outer.Error.Kind() == '"':
		_ = jsonv2.Unmarshal(outer.Error, &r.message, lenient)
	case jsonv2.Unmarshal(outer.Error, &inner, lenient) == nil:
		r.message, r.code = inner.Message, inner.Type
		if inner.Code.Kind() == '"' {
			r.code += " " + string(inner.Code)
		}
		if n, err := strconv.Atoi(string(inner.Code)); err == nil && status == 0 && n >= 400 && n < 600 {
			r.status = n
		}
	}
	return r
}

// refusal returns the error of a refusal.
func (o *OpenAI) refusal(h http.Header, status int, body []byte) error {
	r := readRefusal(status, body)
	e := &pam.Error{Op: "openai.answer", RetryAfter: retryAfter(h)}
	said := r.code + " " + r.message
	switch {
	case has(said, "context_length_exceeded", "maximum context length", "exceed_context_size", "context window", "prompt is too long"),
		r.status == http.StatusRequestEntityTooLarge:
		e.Code = pam.CodeContextTooLong
	case has(r.code, "insufficient_quota", "billing_hard_limit_reached", "billing_not_active"), r.status == http.StatusPaymentRequired:
		e.Code = pam.CodeProviderQuota
	case has(r.code, "invalid_api_key", "authentication_error", "permission_error"),
		r.status == http.StatusUnauthorized, r.status == http.StatusForbidden:
		e.Code = pam.CodeProviderAuth
	case has(r.code, "rate_limit"), r.status == http.StatusTooManyRequests:
		e.Code = pam.CodeProviderRateLimited
	case has(r.code, "content_filter", "content_policy"):
		e.Code = pam.CodeContentFiltered
	case r.status == 0, r.status >= 500, r.status == http.StatusRequestTimeout:
		e.Code = pam.CodeProviderUnavailable
		e.Message = "The model's provider has a fault of its own."
		e.Hint = "Try again; check the provider's status."
	default:
		o.misled(e, r)
	}
	e.Err = o.quoted(e.Code, r)
	return e
}

// misled is a refusal that the operator's settings explain.
func (o *OpenAI) misled(e *pam.Error, r refused) {
	e.Code = pam.CodeProviderProtocol
	switch {
	case r.status >= 300 && r.status < 400:
		e.Message = "The model's provider lives at another address."
		e.Hint = "Set PAM_OPENAI_BASE_URL to the address that it redirects to."
	case r.status == http.StatusNotFound, r.status == http.StatusMethodNotAllowed:
		e.Message = "The model's provider does not know this model, or not this address."
		e.Hint = "Check the model's name in PAM_MODEL, and PAM_OPENAI_BASE_URL, which usually ends in /v1."
	default:
		e.Message = "The model's provider refused the question as PAM asked it."
		e.Hint = "See the server's log for the provider's words; does the model take tools?"
	}
}

// quoted is what the log shows of a refusal: never the key, and of a refused
// key nothing at all, for providers quote parts of it.
func (o *OpenAI) quoted(code pam.Code, r refused) error {
	if code == pam.CodeProviderAuth {
		return fmt.Errorf("status %d", r.status)
	}
	said := o.redact(strings.TrimSpace(r.code + " " + r.message))
	if len(said) > maxQuoted {
		said = strings.ToValidUTF8(said[:maxQuoted], "") + "…"
	}
	return fmt.Errorf("status %d: %q", r.status, said)
}

func (o *OpenAI) redact(s string) string {
	if o.key == "" {
		return s
	}
	return strings.ReplaceAll(s, o.key, "[key]")
}

func has(s string, words ...string) bool {
	s = strings.ToLower(s)
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

// retryAfter reads how long a provider asks to wait: seconds, milliseconds, or
// a date, which is measured by the provider's own clock.
func retryAfter(h http.Header) time.Duration {
	d := time.Duration(0)
	if ms, err := strconv.ParseFloat(h.Get("Retry-After-Ms"), 64); err == nil && ms > 0 {
		d = time.Duration(min(ms, float64(maxWait.Milliseconds()))) * time.Millisecond
	} else if s, err := strconv.ParseFloat(h.Get("Retry-After"), 64); err == nil && s > 0 {
		d = time.Duration(min(s, maxWait.Seconds()) * float64(time.Second))
	} else if until, err := http.ParseTime(h.Get("Retry-After")); err == nil {
		if now, err := http.ParseTime(h.Get("Date")); err == nil {
			d = until.Sub(now)
		}
	}
	return min(max(d, 0), maxWait)
}

// unavailable is the error of a provider that cannot be reached.
func (o *OpenAI) unavailable(op string, err error) error {
	e := &pam.Error{Code: pam.CodeProviderUnavailable, Op: op, Err: errors.New(o.redact(err.Error()))}
	var name *net.DNSError
	var operation *net.OpError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate):
		e.Message = "The certificate of the model's provider is not accepted."
		e.Hint = "Check the certificate of " + o.host + ", and the clock of this machine."
	case errors.As(err, &name):
		e.Message = "The name of the model's provider cannot be resolved."
		e.Hint = "Check the host in PAM_OPENAI_BASE_URL (" + o.host + "), and this machine's DNS."
	case errors.As(err, &operation) && operation.Op == "dial":
		e.Hint = "Does anything listen at " + o.host + "? Check PAM_OPENAI_BASE_URL."
	}
	return e
}

// cutOff is the error of a connection that ended too early.
func (o *OpenAI) cutOff(spoke bool, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	e := &pam.Error{
		Code: pam.CodeProviderUnavailable, Op: "openai.stream", Err: errors.New(o.redact(err.Error())),
		Message: "The model's provider broke the connection off before it answered.",
		Hint:    "Try again; check the provider's status.",
	}
	if spoke {
		e.Message = "The model's provider broke the connection off in the middle of the answer."
	}
	return e
}

// garbled is the error of an answer that cannot be understood.
func (*OpenAI) garbled(detail string) error {
	return &pam.Error{Code: pam.CodeProviderProtocol, Op: "openai.stream", Detail: detail}
}

// finished returns what a finish_reason says against an answer; nil for all
// that are good or unknown.
func (*OpenAI) finished(reason string) error {
	switch strings.ToLower(reason) {
	case "length", "max_tokens":
		return &pam.Error{
			Code: pam.CodeAnswerTooLong, Op: "openai.stream", Detail: "finish_reason length",
			Message: "The model reached its own limit of length and stopped.",
			Hint:    "Ask for less at once, or take a model with a longer context.",
		}
	case "content_filter", "safety", "prohibited_content":
		return &pam.Error{Code: pam.CodeContentFiltered, Op: "openai.stream"}
	case "error", "insufficient_system_resource", "aborted":
		return &pam.Error{
			Code: pam.CodeProviderUnavailable, Op: "openai.stream", Detail: "finish_reason error",
			Message: "The model's provider gave up in the middle of the answer.",
			Hint:    "Try again; check the provider's status.",
		}
	}
	return nil
}
