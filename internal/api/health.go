package api

import (
	"net/http"
	"time"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/wire"
)

// State is how a component fares.
type State string

// The states, from best to worst.
const (
	StateOK       State = "ok"
	StateDegraded State = "degraded" // works, but somebody should look
	StateDown     State = "down"
)

// Health is how PAM fares.
type Health struct {
	Version    string
	Started    time.Time
	Now        time.Time
	Draining   bool
	Components []Component
	Counters   map[string]int64
}

// Component is one part that can fail by itself.
type Component struct {
	Name      string
	State     State
	Latency   time.Duration
	LastError string // never a secret; to operators and loopback only
	Detail    string
}

type healthAnswer struct {
	Status     State                      `json:"status"`
	Version    string                     `json:"version"`
	UptimeS    int64                      `json:"uptime_s"`
	Draining   bool                       `json:"draining"`
	ServerTime string                     `json:"server_time"`
	Components map[string]componentAnswer `json:"components"`
	Counters   map[string]int64           `json:"counters,omitzero"`
}

type componentAnswer struct {
	State     State   `json:"state"`
	LatencyMS float64 `json:"latency_ms"`
	LastError string  `json:"last_error,omitzero"`
	Detail    string  `json:"detail,omitzero"`
}

// alive answers at once and touches nothing.
func (*API) alive(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, []byte(`{"status":"ok"}`))
}

// ready says whether traffic may come.
func (a *API) ready(w http.ResponseWriter, _ *http.Request) {
	if err := a.Ready(); err != nil {
		a.refuse(w, err)
		return
	}
	answer(w, http.StatusOK, []byte(`{"status":"ready"}`))
}

// health says how each component fares; details to operators and loopback.
func (a *API) health(w http.ResponseWriter, r *http.Request) {
	h := a.Health(r.Context())
	all := healthAnswer{
		Status: StateOK, Version: h.Version, UptimeS: int64(h.Now.Sub(h.Started) / time.Second),
		Draining: h.Draining, ServerTime: wire.FormatTime(h.Now),
		Components: map[string]componentAnswer{},
	}
	inside := a.insider(r)
	for _, c := range h.Components {
		shown := componentAnswer{State: c.State, LatencyMS: float64(c.Latency.Microseconds()) / 1000}
		if inside {
			shown.LastError, shown.Detail = c.LastError, c.Detail
		}
		all.Components[c.Name] = shown
		all.Status = worse(all.Status, c.State)
	}
	if inside {
		all.Counters = h.Counters
	}
	a.answer(w, all)
}

func worse(a, b State) State {
	switch {
	case a == StateDown || b == StateDown:
		return StateDown
	case a == StateDegraded || b == StateDegraded:
		return StateDegraded
	}
	return StateOK
}

// insider reports whether r may see details: from this machine, or an operator.
func (a *API) insider(r *http.Request) bool {
	if a.Doorman.Loopback(r) {
		return true
	}
	p, err := a.Doorman.Who(r)
	return err == nil && p.Role == pam.RoleOperator
}
