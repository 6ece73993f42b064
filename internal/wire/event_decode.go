package wire

import (
	stdjson "encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/pam-assistant/pam"
)

// EventFrame is every durable event's frame at once: which fields it has, its
// Type says.
type EventFrame struct {
	Type           string             `json:"type"`
	ConversationID pam.ConversationID `json:"conversation_id"`
	Seq            int64              `json:"seq"`
	From           int64              `json:"from,omitzero"`
	TurnID         pam.TurnID         `json:"turn_id,omitzero"`
	At             time.Time          `json:"at"`

	ID               pam.ChatID     `json:"id,omitzero"`
	Message          string         `json:"message,omitzero"`
	SessionID        pam.SessionID  `json:"session_id,omitzero"`
	MessageID        pam.MessageID  `json:"message_id,omitzero"`
	Model            string         `json:"model,omitzero"`
	Attempt          int            `json:"attempt,omitzero"`
	OmittedTurns     int            `json:"omitted_turns,omitzero"`
	Content          string         `json:"content,omitzero"`
	CallID           pam.CallID     `json:"call_id,omitzero"`
	Name             string         `json:"name,omitzero"`
	Arguments        jsontext.Value `json:"arguments,omitzero"`
	Status           string         `json:"status,omitzero"`
	Result           string         `json:"result,omitzero"`
	Parts            []PartFrame    `json:"parts,omitzero"`
	Reason           string         `json:"reason,omitzero"`
	Usage            UsageFrame     `json:"usage,omitzero"`
	Error            *FailureFrame  `json:"error,omitzero"`
	ProcessingTimeMS int64          `json:"processing_time_ms,omitzero"`
	Title            string         `json:"title,omitzero"`
}

// PartFrame is one entry of `parts`.
type PartFrame struct {
	Type      string         `json:"type"`
	Text      string         `json:"text,omitzero"`
	CallID    pam.CallID     `json:"call_id,omitzero"`
	Name      string         `json:"name,omitzero"`
	Arguments jsontext.Value `json:"arguments,omitzero"`
	Status    pam.CallStatus `json:"status,omitzero"`
	Result    string         `json:"result,omitzero"`
}

// UsageFrame is `usage`.
type UsageFrame struct {
	InputTokens  int64 `json:"input_tokens"`
	OutputTokens int64 `json:"output_tokens"`
}

// FailureFrame is the `error` of a chat_response_complete.
type FailureFrame struct {
	ErrorCode pam.Code `json:"error_code"`
	Message   string   `json:"message"`
	Hint      string   `json:"hint"`
}

// DecodeEvent reads an event's frame: what the journal kept, or what a client
// received. It refuses what no journal has: numbers below one, an end without a
// status.
func DecodeEvent(user pam.UserID, frame []byte) (pam.Event, error) {
	var f EventFrame
	if err := json.Unmarshal(frame, &f); err != nil {
		return pam.Event{}, fmt.Errorf("wire: event: %w", err)
	}
	body, err := f.body()
	if err != nil {
		return pam.Event{}, err
	}
	e := pam.Event{
		Key: pam.Key{User: user, Conversation: f.ConversationID},
		Seq: f.Seq, From: f.From, Turn: f.TurnID, At: f.At.UTC(), Body: body,
	}
	if e.From == 0 {
		e.From = e.Seq
	}
	if e.From < 1 || e.From > e.Seq {
		return pam.Event{}, fmt.Errorf("wire: event: %d..%d are no numbers of a journal", e.From, e.Seq)
	}
	return e, nil
}

func (f *EventFrame) body() (pam.EventBody, error) {
	kind, ok := pam.ParseKind(f.Type)
	if !ok {
		return nil, fmt.Errorf("wire: %q is no event", f.Type)
	}
	switch kind {
	case pam.KindUserMessage:
		session := f.SessionID
		if session == "" {
			session = pam.DefaultSession
		}
		return pam.UserMessage{ID: f.ID, Message: f.Message, Session: session}, nil
	case pam.KindStart:
		return pam.Start{MessageID: f.MessageID, Model: f.Model, Attempt: f.Attempt, OmittedTurns: f.OmittedTurns}, nil
	case pam.KindDelta:
		return pam.Delta{Content: f.Content}, nil
	case pam.KindToolCall:
		return pam.ToolCall{CallID: f.CallID, Name: f.Name, Arguments: arguments(f.Arguments)}, nil
	case pam.KindToolCallUpdate:
		var status pam.CallStatus
		if err := status.UnmarshalText([]byte(f.Status)); err != nil {
			return nil, err
		}
		if status == 0 {
			return nil, errors.New("wire: tool_call_update without status")
		}
		return pam.ToolCallUpdate{CallID: f.CallID, Status: status, Result: f.Result}, nil
	case pam.KindReset:
		return pam.Reset{Parts: f.parts(), Reason: f.Reason}, nil
	case pam.KindComplete:
		return f.complete()
	case pam.KindUpdated:
		return pam.ConversationUpdated{Title: f.Title}, nil
	}
	return nil, fmt.Errorf("wire: %q is no event", f.Type)
}

func (f *EventFrame) complete() (pam.EventBody, error) {
	c := pam.Complete{
		Parts:          f.parts(),
		Usage:          pam.Usage(f.Usage),
		ProcessingTime: millis(f.ProcessingTimeMS),
	}
	if err := c.Status.UnmarshalText([]byte(f.Status)); err != nil {
		return nil, err
	}
	if c.Status == 0 {
		return nil, errors.New("wire: chat_response_complete without status")
	}
	if f.Error != nil {
		if f.Error.ErrorCode == 0 {
			return nil, errors.New("wire: an error without error_code")
		}
		c.Error = &pam.Failure{Code: f.Error.ErrorCode, Message: f.Error.Message, Hint: f.Error.Hint}
	}
	return c, nil
}

func (f *EventFrame) parts() []pam.Part {
	if len(f.Parts) == 0 {
		return nil
	}
	parts := make([]pam.Part, len(f.Parts))
	for i, p := range f.Parts {
		if p.Type == "text" {
			parts[i].Text = p.Text
			continue
		}
		parts[i].Call = &pam.Call{
			ID: p.CallID, Name: p.Name, Arguments: arguments(p.Arguments),
			Status: p.Status, Result: p.Result,
		}
	}
	return parts
}

// arguments undoes appendRaw: none are null.
func arguments(v jsontext.Value) stdjson.RawMessage {
	if absent(v) {
		return nil
	}
	return stdjson.RawMessage(v)
}
