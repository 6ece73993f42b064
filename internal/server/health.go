package server

import (
	"context"
	"runtime"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/api"
	"github.com/pam-assistant/pam/internal/wire"
)

// ready says why no traffic should come.
func (s *Server) ready() error {
	if s.draining.Load() {
		return &pam.Error{Code: pam.CodeGoingAway, Op: "server.ready", RetryAfter: retryAfter}
	}
	if err := s.store.Stats().Err; err != nil {
		return &pam.Error{Code: pam.CodeOf(err), Op: "server.ready", Err: err}
	}
	return nil
}

// health says how each part fares.
func (s *Server) health(context.Context) api.Health {
	stats, conns := s.store.Stats(), s.gateway.Stats()
	h := api.Health{
		Version: s.Version, Started: s.started, Now: s.Now(), Draining: s.draining.Load(),
		Counters: map[string]int64{
			"connections_opened": conns.Opened, "connections_open": int64(conns.Open),
			"conversations_live": int64(s.hub.Live()), "turns_running": int64(s.hub.Running()),
			"journal_commits": stats.Commits, "journal_events": stats.Events, "journal_failures": stats.Failures,
			"journal_queued_bytes": int64(stats.Queued), "goroutines": int64(runtime.NumGoroutine()),
		},
	}
	for cause, n := range conns.Closed {
		h.Counters["connections_closed_"+underscored(cause)] = n
	}
	store := api.Component{Name: "store", State: api.StateOK, Latency: stats.Latency}
	if stats.Err != nil {
		store.State, store.LastError = api.StateDown, stats.Err.Error()
	}
	h.Components = append(h.Components, store, s.watched.component(), api.Component{Name: "connections", State: api.StateOK})
	if keys := s.verifier.Keys(); keys.Configured {
		c := api.Component{Name: "jwks", State: api.StateOK, Latency: keys.Took}
		if keys.Err != nil {
			c.State, c.LastError = api.StateDegraded, keys.Err.Error()
			if keys.Keys == 0 {
				c.State = api.StateDown
			}
		}
		h.Components = append(h.Components, c)
	}
	return h
}

func (w *modelWatch) component() api.Component {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := api.Component{Name: "model", State: api.StateOK, Latency: w.first, Detail: w.Name()}
	if w.code != 0 {
		c.State, c.LastError = api.StateDegraded, w.code.String()+": "+wire.Meaning(w.code).Message
	}
	return c
}

// underscored is a cause as part of a counter's name.
func underscored(cause string) string {
	b := []byte(cause)
	for i := range b {
		if b[i] == ' ' {
			b[i] = '_'
		}
	}
	return string(b)
}
