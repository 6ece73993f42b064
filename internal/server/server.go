// Package server puts PAM together: it opens the data folder, wires the
// packages that do not know each other, starts them in order and drains them in
// reverse. It holds no logic of its own beyond that order.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/conversation"
	"github.com/pam-assistant/pam/internal/gateway"
	"github.com/pam-assistant/pam/internal/identity"
	"github.com/pam-assistant/pam/internal/settings"
	"github.com/pam-assistant/pam/internal/store/sqlite"
	"github.com/pam-assistant/pam/internal/turn"
)

// Options are what a server is made of.
type Options struct {
	Settings *settings.Settings
	Version  string
	Logger   *slog.Logger
	Now      func() time.Time
	// Ready is called once, when the server listens.
	Ready func(Started)
}

// Started is what a server says of itself when it listens.
type Started struct {
	Addr        net.Addr
	Model       string
	Why         string // that model
	Development bool
	Data        string // the data folder
	Took        time.Duration
}

// Server is one process of PAM.
type Server struct {
	Options

	lock     *dataLock
	store    *sqlite.Store
	verifier *identity.Verifier
	door     *doorman
	hub      *conversation.Hub
	gateway  *gateway.Gateway
	watched  *modelWatch
	why      string
	started  time.Time
	draining atomic.Bool
}

// Run opens everything, serves until ctx is done, drains, and returns. An error
// says what to do about it.
func Run(ctx context.Context, o Options) (err error) {
	s := &Server{Options: o, started: o.Now()}
	s.lock, err = lockData(ctx, string(o.Settings.Data), o.Logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.lock.release()) }()
	if err := s.open(ctx); err != nil {
		return err
	}
	return s.run(ctx)
}

// open makes all parts, from the store up.
func (s *Server) open(ctx context.Context) error {
	set := s.Settings
	sync := sqlite.SyncFull
	if set.Sync == settings.SyncNormal {
		sync = sqlite.SyncNormal
	}
	var err error
	s.store, err = sqlite.Open(ctx, sqlite.Options{
		Path: filepath.Join(string(set.Data), "pam.db"), Sync: sync,
		AfterBatch: func() { s.gateway.Flush() }, Logger: s.Logger, Now: s.Now,
	})
	if err != nil {
		return err
	}
	if err := s.wire(); err != nil {
		return errors.Join(err, s.store.Close())
	}
	return nil
}

// wire makes the parts that live above the store, and makes them known to each
// other by the few methods that each needs.
func (s *Server) wire() error {
	set := s.Settings
	if err := s.identify(); err != nil {
		return err
	}
	model, tools, err := s.models()
	if err != nil {
		return err
	}
	runner := turn.New(turn.Config{
		Model: model, Tools: tools, Knowledge: knowledge{s.store},
		Instructions: set.Instructions.Text,
		Limits:       turn.Limits{Context: set.ModelContext, Answer: int(set.MaxAnswer)},
		Observer:     s.watched, Log: s.Logger, Now: s.Now, NewID: newID,
	})
	s.hub = conversation.New(conversation.Options{
		Journal: s.store, Past: s.store, Codec: codec{},
		Run: func(ctx context.Context, t *conversation.Turn) {
			runner.Run(ctx, t.Turn(), t.Key(), t)
		},
		Merge: func(ctx context.Context, session pam.Session, patch []byte) error {
			_, err := contexts{s.store}.Merge(ctx, session, patch)
			return err
		},
		Admit:    func(user pam.UserID) error { return s.gateway.AdmitChat(user) },
		Changed:  func(key pam.Key) { s.gateway.Changed(key) },
		MaxTurns: set.MaxTurns, Logger: s.Logger, Now: s.Now, NewID: newID,
	})
	s.gateway = gateway.New(gateway.Options{
		Conversations: conversations{s.hub}, Contexts: contexts{s.store}, Doorman: s.door,
		Limits: gateway.Limits{
			Outbox: int(set.Outbox), Connections: set.MaxConnections, Handshakes: set.MaxHandshakes,
			Frames: set.MaxFrames, Subscriptions: set.MaxSubscriptions, Chats: set.MaxChats, Total: set.MaxTotal,
		},
		Heartbeat: set.Heartbeat, Version: s.Version, Logger: s.Logger, Now: s.Now,
		NewID: func() [16]byte { return newUUID() },
	})
	return nil
}

// identify says whose word counts.
func (s *Server) identify() error {
	set := s.Settings
	secrets := set.JWTSecretBytes()
	if set.Development() {
		secret, err := identity.DevelopmentSecret(string(set.Data), s.Logger)
		if err != nil {
			return err
		}
		secrets = [][]byte{secret}
	}
	verifier, err := identity.New(identity.Options{
		Secrets: secrets, JWKSURL: string(set.JWKSURL),
		Issuer: string(set.JWTIssuer), Audience: string(set.JWTAudience),
		Now: s.Now, Logger: s.Logger,
	})
	if err != nil {
		return err
	}
	s.verifier = verifier
	proxies := identity.Proxies(set.TrustedProxies)
	s.door = &doorman{
		verifier: verifier, tickets: identity.NewTickets(s.Now), proxies: proxies,
		origins:     identity.Origins{Allowed: set.AllowedOrigins, TrustedProxies: proxies},
		development: set.Development(),
	}
	return nil
}

// run serves until ctx is done, and drains.
func (s *Server) run(ctx context.Context) error {
	// What serves outlives ctx: it ends in the order of drain.
	below, stopStore := context.WithCancel(context.WithoutCancel(ctx))
	defer stopStore()
	stored := start(func() error { return s.store.Run(below) })
	var failed error
	above, stopAbove := context.WithCancel(context.WithoutCancel(ctx))
	defer stopAbove()
	beats := start(func() error { return s.gateway.Run(above) })
	keys := start(func() error { return s.verifier.Run(above) })

	failed = s.serve(ctx)

	stopAbove()
	failed = errors.Join(failed, <-beats, <-keys)
	stopStore()
	return errors.Join(failed, <-stored, s.store.Close())
}

// serve recovers what an earlier process left, listens, and drains at the end.
func (s *Server) serve(ctx context.Context) error {
	listener, err := s.listen(ctx)
	if err != nil {
		return err
	}
	server, err := s.http()
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	if err := s.hub.Recover(ctx, s.store.Unfinished()); err != nil {
		return errors.Join(fmt.Errorf("unfinished answers could not be taken up: %w", err), listener.Close())
	}
	served := start(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	s.Ready(Started{
		Addr: listener.Addr(), Model: s.watched.Name(), Why: s.why,
		Development: s.Settings.Development(), Data: string(s.Settings.Data), Took: s.Now().Sub(s.started),
	})
	select {
	case err = <-served:
		s.drain(server)
		return err
	case <-ctx.Done():
		s.drain(server)
		return <-served
	}
}

// start runs f in a goroutine and returns where its end is told.
func start(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

func newUUID() uuid.UUID { return uuid.Must(uuid.NewV7()) }
func newID() string      { return newUUID().String() }
