package server

import (
	"context"
	"net/http"
	"time"
)

const (
	retryAfter = 2 * time.Second
	// closeTime is how long connections have to take their last words.
	closeTime = 3 * time.Second
)

// drain ends what serves, in the reverse order of its start: no new turns, the
// running answers to their end (up to PAM_DRAIN; what is left stays unfinished
// in the journal, for the next process), the connections, the listener.
func (s *Server) drain(server *http.Server) {
	began := s.Now()
	until := began.Add(s.Settings.Drain)
	s.draining.Store(true)
	s.lock.draining()
	running := s.hub.Running()
	s.Logger.Info("draining", "turns_running", running, "connections_open", s.gateway.Stats().Open, "at_most_s", s.Settings.Drain.Seconds())

	turns, stopTurns := context.WithTimeout(context.Background(), s.Settings.Drain)
	defer stopTurns()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.hub.Close(turns)
	}()
	s.gateway.Drain(until)
	<-ended

	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	s.gateway.Close(ctx)
	if err := server.Shutdown(ctx); err != nil {
		_ = server.Close()
	}
	s.Logger.Info("stopped", "took_ms", s.Now().Sub(began).Milliseconds())
}
