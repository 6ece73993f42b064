package turn

import (
	"context"
	"slices"

	"github.com/pam-assistant/pam"
)

const (
	bytesPerToken = 4 // an estimate: what the provider counts, only it knows
	journalled    = 3 // bytes of a turn in the journal for one of its text: JSON, and the text twice
	maxPast       = 16 << 20
	perMessage    = 16 // bytes of a message beyond its text: its role, its brackets
)

// past is a turn before this one, as messages.
type past struct {
	messages []pam.Message
	size     int
}

// learn gets what the prompt is made of and returns how many turns of the past
// are left out of it.
func (x *run) learn(ctx context.Context) (omitted int, err error) {
	s := pam.Session{User: x.key.User, ID: x.session()}
	known, err := x.Knowledge.Context(ctx, s)
	if err != nil {
		return 0, stored("turn.context", err)
	}
	memory, err := x.Knowledge.Memories(ctx, s.User)
	if err != nil {
		return 0, stored("turn.memory", err)
	}
	x.fixed = pam.Prompt{
		Session: s, Instructions: x.Instructions, Context: known.JSON, Memory: memory,
		Tools: x.offered,
	}
	// Even where there is no room: what is left out is counted.
	room := min(max(x.room(), 1)*journalled, maxPast)
	turns, more, err := x.w.Earlier(ctx, x.turn.Seq, room)
	if err != nil {
		return 0, stored("turn.history", err)
	}
	for _, t := range turns {
		m := turnMessages(t)
		x.past = append(x.past, past{m, size(m)})
	}
	return more + len(turns) - x.fitting(), nil
}

// stored gives a failure to read a code where it has none.
func stored(op string, err error) error {
	code := pam.CodeOf(err)
	if code == pam.CodeInternal {
		code = pam.CodeStoreUnavailable
	}
	return &pam.Error{Code: code, Op: op, Err: err}
}

// prompt puts together what the model is asked next: the question and what has
// come of it always, of the past what fits beside.
func (x *run) prompt() *pam.Prompt {
	p := x.fixed
	for _, t := range slices.Backward(x.past[:x.fitting()]) {
		p.Messages = append(p.Messages, t.messages...)
	}
	p.Messages = append(p.Messages, pam.Message{Role: pam.FromUser, Text: x.turn.Message})
	p.Messages = append(p.Messages, x.said...)
	return &p
}

// fitting returns how many turns of the past fit, newest first, without a hole.
func (x *run) fitting() int {
	room := x.room()
	for i, t := range x.past {
		room -= t.size
		if room < 0 {
			return i
		}
	}
	return len(x.past)
}

// room is how many bytes of the model's context are left for the past, once a
// quarter of it, at most 4,096 tokens, is kept for the answer.
func (x *run) room() int {
	tokens := x.Limits.Context - min(x.Limits.Context/4, 4096)
	room := tokens*bytesPerToken - len(x.fixed.Instructions) - len(x.fixed.Context)
	for _, m := range x.fixed.Memory {
		room -= len(m.Key) + len(m.Value) + perMessage
	}
	for _, t := range x.fixed.Tools {
		room -= len(t.Name) + len(t.Description) + len(t.Parameters) + perMessage
	}
	return room - len(x.turn.Message) - perMessage - size(x.said)
}

func size(messages []pam.Message) int {
	n := 0
	for _, m := range messages {
		n += perMessage + len(m.Text)
		for _, c := range m.Calls {
			n += 2*perMessage + len(c.ID) + len(c.Name) + len(c.Arguments) + len(c.Result)
		}
	}
	return n
}

// turnMessages is a turn that is over. How it ended is said where it did not
// end well: a model must neither take half an answer for a whole one nor answer
// again what was stopped.
func turnMessages(t pam.Turn) []pam.Message {
	m := append([]pam.Message{{Role: pam.FromUser, Text: t.Message}}, answerMessages(t.Parts)...)
	note := ""
	switch t.Status {
	case pam.TurnCompleted:
		if len(m) > 1 {
			return m
		}
		note = "[no answer]"
	case pam.TurnCancelled:
		note = "[the user stopped this answer here]"
	case pam.TurnFailed, pam.TurnInterrupted:
		note = "[this answer broke off here]"
	default:
		note = "[this answer is not finished]"
	}
	last := &m[len(m)-1]
	if last.Role != pam.FromAssistant || len(last.Calls) > 0 {
		return append(m, pam.Message{Role: pam.FromAssistant, Text: note})
	}
	last.Text += "\n" + note
	return m
}

// answerMessages is an answer as messages: what is said before calls and the
// calls are one message.
func answerMessages(parts []pam.Part) []pam.Message {
	var m []pam.Message
	for _, p := range parts {
		if p.Call == nil {
			if p.Text != "" {
				m = append(m, pam.Message{Role: pam.FromAssistant, Text: p.Text})
			}
			continue
		}
		if len(m) == 0 {
			m = append(m, pam.Message{Role: pam.FromAssistant})
		}
		call := *p.Call
		call.Result = told(call)
		last := &m[len(m)-1]
		last.Calls = append(last.Calls, call)
	}
	return m
}

// told is a call's result as the model is told it: a call never goes without.
func told(c pam.Call) string {
	if c.Result != "" {
		return c.Result
	}
	switch c.Status {
	case pam.CallCompleted:
		return ""
	case pam.CallFailed:
		return "The tool failed."
	case pam.CallRunning, pam.CallInDoubt:
	}
	return "Nobody knows whether this call took effect."
}
