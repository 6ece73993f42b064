package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/api"
	"github.com/pam-assistant/pam/internal/identity"
	"github.com/pam-assistant/pam/internal/wire"
	"github.com/pam-assistant/pam/web"
)

const (
	headerTime  = 10 * time.Second // for a request's header to come
	requestTime = 30 * time.Second // for a whole request, its body included
	idleTime    = 2 * time.Minute  // between two requests of a connection
	maxHeader   = 32 << 10         // bytes
	bindTime    = 10 * time.Second // to wait for the port of a predecessor
	bindEvery   = 50 * time.Millisecond
)

// listen binds the address. A successor tries again while its predecessor,
// which has given the data folder back, still has the port.
func (s *Server) listen(ctx context.Context) (net.Listener, error) {
	addr := string(s.Settings.Addr)
	deadline := s.Now().Add(bindTime)
	for {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
		switch {
		case err == nil:
			return listener, nil
		case !errors.Is(err, syscall.EADDRINUSE):
			return nil, &pam.Error{Code: pam.CodeInvalid, Op: "server.listen", Message: "PAM cannot listen on " + addr + ".", Hint: "Set PAM_ADDR to an address of this machine.", Err: err}
		case !s.lock.waited || s.Now().After(deadline):
			return nil, &pam.Error{Code: pam.CodeInvalid, Op: "server.listen", Message: "Another program already listens on " + addr + ".", Hint: "Stop it, or choose another port: PAM_ADDR=127.0.0.1:8081.", Err: err}
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(bindEvery):
		}
	}
}

// http is the server of all addresses.
func (s *Server) http() (*http.Server, error) {
	page, err := web.Handler()
	if err != nil {
		return nil, fmt.Errorf("the page: %w", err)
	}
	a := api.New(api.Options{
		Doorman: s.door, Tokens: tokens{s.door, s.Now}, Contexts: contexts{s.store}, Memories: s.store,
		Health: s.health, Ready: s.ready, Logger: s.Logger,
	})
	mux := http.NewServeMux()
	a.Register(mux)
	mux.HandleFunc(wire.Path+"/ws", func(w http.ResponseWriter, r *http.Request) { s.gateway.ServeHTTP(w, r, "") })
	mux.HandleFunc(wire.Path+"/ws/{user}", func(w http.ResponseWriter, r *http.Request) {
		s.gateway.ServeHTTP(w, r, pam.UserID(r.PathValue("user")))
	})
	mux.HandleFunc(wire.Path+"/chat", s.gateway.ServeChat)
	mux.HandleFunc(wire.Path+"/frames", s.gateway.ServeFrame)
	mux.HandleFunc(wire.Path+"/conversations/{id}/events", func(w http.ResponseWriter, r *http.Request) {
		s.gateway.ServeEvents(w, r, pam.ConversationID(r.PathValue("id")))
	})
	mux.Handle("/", page)
	return &http.Server{
		Handler:           s.guard(a.CORS(mux)),
		ReadHeaderTimeout: headerTime, ReadTimeout: requestTime, IdleTimeout: idleTime,
		MaxHeaderBytes: maxHeader,
		ErrorLog:       nil,
	}, nil
}

// guard refuses, in development mode, what was not asked by a loopback name;
// and it survives a handler that panics.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
				s.Logger.Error("a handler panicked", "path", r.URL.Path, "panic", fmt.Sprint(p))
				refuse(w, &pam.Error{Code: pam.CodeInternal})
			}
		}()
		if s.Settings.Development() {
			if err := identity.CheckHost(r); err != nil {
				if e, ok := errors.AsType[*pam.Error](err); ok {
					refuse(w, e)
					return
				}
			}
		}
		if strings.HasPrefix(r.URL.Path, wire.Path) {
			w.Header().Set("X-Content-Type-Options", "nosniff")
		}
		next.ServeHTTP(w, r)
	})
}

func refuse(w http.ResponseWriter, e *pam.Error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(wire.Meaning(e.Code).Status)
	_, _ = w.Write(wire.AppendError(nil, e, wire.About{}))
}
