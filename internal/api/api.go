// Package api owns the HTTP pages of data: who one is (tickets, the development
// token), what PAM knows of its user (context, memory), and how PAM fares
// (health). The WebSocket and the other transports are internal/gateway's.
//
// Every answer is JSON; every refusal is the error object of docs/protocol.md
// with the status of the table in internal/wire. A request's body is bounded
// before it is read. Nothing here is kept between requests.
package api

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"time"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/wire"
)

// Doorman says who asks, and from where.
type Doorman interface {
	// Who judges a request: its origin, then its credential.
	Who(r *http.Request) (pam.Principal, error)
	// Loopback reports whether the request comes from this machine.
	Loopback(r *http.Request) bool
	// Allows reports whether pages of an origin may read answers.
	Allows(origin string) bool
}

// Tokens makes credentials.
type Tokens interface {
	// Ticket makes one that serves once, for 30 s.
	Ticket(p pam.Principal) (ticket string, expires time.Time)
	// Development makes a token for PAM's own page on this machine; not_found
	// unless in development mode.
	Development(r *http.Request) (token string, expires time.Time, err error)
}

// Contexts keep what clients say of their users.
type Contexts interface {
	Context(ctx context.Context, s pam.Session) (pam.Context, error)
	Merge(ctx context.Context, s pam.Session, patch []byte) (version int64, err error)
}

// Memories keep what users asked to be remembered.
type Memories interface {
	Memories(ctx context.Context, user pam.UserID) ([]pam.Memory, error)
	Forget(ctx context.Context, user pam.UserID, key string) (bool, error)
	ForgetAll(ctx context.Context, user pam.UserID) (int, error)
}

// Options are what an API is made of; all are needed.
type Options struct {
	Doorman  Doorman
	Tokens   Tokens
	Contexts Contexts
	Memories Memories
	Health   func(ctx context.Context) Health
	Ready    func() error // why no traffic should come; nil where it may
	Logger   *slog.Logger
}

// API answers the addresses below /api/v1/pam that are data.
type API struct{ Options }

// New returns an API.
func New(o Options) *API { return &API{o} }

// Register hangs the addresses into mux.
func (a *API) Register(mux *http.ServeMux) {
	mux.HandleFunc("GET /health", a.alive)
	mux.HandleFunc("GET /ready", a.ready)
	mux.HandleFunc("GET "+wire.Path+"/health", a.health)
	mux.HandleFunc("POST "+wire.Path+"/tickets", a.ticket)
	mux.HandleFunc("POST "+wire.Path+"/dev-token", a.developmentToken)
	mux.HandleFunc("GET "+wire.Path+"/context", a.context)
	mux.HandleFunc("PATCH "+wire.Path+"/context", a.mergeContext)
	mux.HandleFunc("GET "+wire.Path+"/memory", a.memory)
	mux.HandleFunc("DELETE "+wire.Path+"/memory", a.forgetAll)
	mux.HandleFunc("DELETE "+wire.Path+"/memory/{key}", a.forget)
	mux.HandleFunc(wire.Path+"/", func(w http.ResponseWriter, _ *http.Request) {
		a.refuse(w, &pam.Error{Code: pam.CodeNotFound, Message: "There is nothing at this address.", Hint: "See docs/protocol.md for the addresses of the API."})
	})
}

// body reads a JSON body of at most the wire's frame.
func body(r *http.Request) ([]byte, error) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" && media != "application/merge-patch+json" {
		return nil, unsupported{}
	}
	b, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, wire.MaxFrame))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, &pam.Error{Code: pam.CodeFrameTooLarge, Op: "api.body"}
	case err != nil:
		return nil, &pam.Error{Code: pam.CodeBadFrame, Op: "api.body", Detail: "the body broke off", Err: err}
	}
	return b, nil
}

// unsupported is a body that is not JSON by its type: 415.
type unsupported struct{}

func (unsupported) Error() string { return "api: the body is not JSON by its type" }

// refuse answers with err.
func (a *API) refuse(w http.ResponseWriter, err error) {
	var e *pam.Error
	status := 0
	switch {
	case errors.Is(err, unsupported{}):
		status = http.StatusUnsupportedMediaType
		e = &pam.Error{Code: pam.CodeInvalid, Message: "The body must be JSON.", Hint: "Send Content-Type: application/json.", Detail: "Content-Type"}
	case errors.As(err, &e):
	default:
		e = &pam.Error{Code: pam.CodeInternal, Err: err}
	}
	if e.Code == pam.CodeInternal {
		a.Logger.Error("request failed", "error", err.Error())
	}
	if status == 0 {
		status = wire.Meaning(e.Code).Status
	}
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", seconds(e.RetryAfter))
	}
	answer(w, status, wire.AppendError(nil, e, wire.About{}))
}

// answer sends JSON.
func answer(w http.ResponseWriter, status int, b []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "private, no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(b)
}
