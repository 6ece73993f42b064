package server

import (
	"crypto/rand"
	"sync"
	"time"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/model"
	"github.com/pam-assistant/pam/internal/model/builtin"
	"github.com/pam-assistant/pam/internal/settings"
	"github.com/pam-assistant/pam/internal/tool"
	"github.com/pam-assistant/pam/internal/turn"
)

// models chooses who answers, and with which tools.
func (s *Server) models() (turn.Model, *tool.Set, error) {
	units, err := tool.NewUnits()
	if err != nil {
		return nil, nil, err
	}
	tools, err := tool.Standard(s.Now, s.store, s.store, units)
	if err != nil {
		return nil, nil, err
	}
	chosen, why, err := choose(s.Settings, tool.NewGrammar(units))
	if err != nil {
		return nil, nil, err
	}
	s.why = why
	s.watched = &modelWatch{Model: chosen, now: s.Now}
	return s.watched, tools, nil
}

// choose returns the model of PAM_MODEL and why it is that one.
func choose(set *settings.Settings, grammar *tool.Grammar) (turn.Model, string, error) {
	if name, ok := set.Model.OpenAI(); ok {
		m, err := model.NewOpenAI(model.OpenAIConfig{
			Model: name, BaseURL: string(set.OpenAIBaseURL), Key: set.OpenAIKey.Reveal(), Nonce: rand.Reader,
		})
		return m, "PAM_MODEL says so", err
	}
	if set.Model == settings.ModelScript {
		return model.NewScript(), "PAM_MODEL says so", nil
	}
	why := "PAM_MODEL is not set; it needs no key"
	if set.OpenAIKey.IsSet() {
		why = "PAM_MODEL is not set; OPENAI_API_KEY is there, to use it set PAM_MODEL=openai/NAME"
	}
	return builtin.New(grammar), why, nil
}

// modelWatch remembers how the model fared, for health.
type modelWatch struct {
	turn.Model
	now func() time.Time

	mu       sync.Mutex
	turns    int64
	failures int64
	first    time.Duration // to the first token, of the last turn that had one
	code     pam.Code      // of the last turn, where the provider failed
	at       time.Time
}

// TurnDone implements [turn.Observer].
func (w *modelWatch) TurnDone(d turn.Done) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.turns++
	if d.FirstToken > 0 {
		w.first = d.FirstToken
	}
	if d.Status == pam.TurnCancelled {
		return
	}
	w.code, w.at = 0, w.now()
	if d.Status == pam.TurnFailed {
		w.failures++
		w.code = d.Code
	}
}
