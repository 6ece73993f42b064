package gateway

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/wire"
)

// statusError is a refusal whose status its code does not tell.
type statusError struct {
	status int
	err    *pam.Error
}

// Error implements error.
func (e *statusError) Error() string { return e.err.Error() }

// Unwrap returns the refusal.
func (e *statusError) Unwrap() error { return e.err }

// asker says who asks by HTTP, and refuses another method than those that the
// address has, and who asks too often.
func (g *Gateway) asker(w http.ResponseWriter, r *http.Request, methods ...string) (pam.Principal, error) {
	if !slices.Contains(methods, r.Method) {
		allow := strings.Join(methods, ", ")
		w.Header().Set("Allow", allow)
		return pam.Principal{}, &statusError{http.StatusMethodNotAllowed, &pam.Error{
			Code: pam.CodeInvalid, Message: "This address does not take this method.", Hint: "Use " + allow + ".", Detail: "method",
		}}
	}
	if err := g.Doorman.Origin(r); err != nil {
		return pam.Principal{}, err
	}
	judge := g.Doorman.Credential(r)
	if judge == nil {
		return pam.Principal{}, &pam.Error{Code: pam.CodeTokenMissing, Op: "gateway.asker"}
	}
	p, err := judge(r.Context())
	if err != nil {
		return pam.Principal{}, err
	}
	if limited := g.streams.requests.allow(g.Now(), p.User); limited != nil {
		return pam.Principal{}, limited
	}
	return p, nil
}

// request reads a frame that came as the body of a request. Where it has no
// `type` it is of type kind; empty: it must have one.
func request(w http.ResponseWriter, r *http.Request, kind string) (wire.Request, error) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return nil, &statusError{http.StatusUnsupportedMediaType, &pam.Error{
			Code: pam.CodeInvalid, Message: "The body must be JSON.", Hint: "Send Content-Type: application/json.", Detail: "Content-Type",
		}}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, wire.MaxFrame))
	if err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return nil, &pam.Error{Code: pam.CodeFrameTooLarge, Op: "gateway.body"}
		}
		return nil, &pam.Error{Code: pam.CodeBadFrame, Op: "gateway.body", Detail: "the body broke off", Err: err}
	}
	if kind == "" {
		return wire.ParseRequest(body)
	}
	return wire.ParseRequestAs(kind, body)
}

// deny answers a request with why it was not done.
func (g *Gateway) deny(w http.ResponseWriter, err error, about wire.About) {
	e := g.failure(err)
	if refused, ok := errors.AsType[*wire.RefusedError](err); ok {
		about = wire.About{ID: refused.ID, Conversation: refused.Conversation}
	}
	status := wire.Meaning(e.Code).Status
	if s, ok := errors.AsType[*statusError](err); ok {
		status = s.status
	}
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64((e.RetryAfter+time.Second-1)/time.Second), 10))
	}
	reply(w, status, wire.AppendError(nil, e, about))
}

// failure is err as its client is told of it; what is the server's own trouble
// is logged.
func (g *Gateway) failure(err error) *pam.Error {
	e := asError(err)
	if errors.Is(err, context.DeadlineExceeded) {
		e = &pam.Error{Code: pam.CodeStoreUnavailable, Err: err}
	}
	if e.Code == pam.CodeInternal || e.Code == pam.CodeStoreUnavailable {
		g.Logger.Warn("request failed", "transport", "http", "error", err.Error())
	}
	return e
}

// reply answers with JSON, which is for this client alone.
func reply(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "private, no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
