package model

import (
	"encoding/json"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/pam-assistant/pam"
)

// The request, in the order in which it is written.
type (
	openAIRequest struct {
		Model         string          `json:"model"`
		Messages      []openAIMessage `json:"messages"`
		Tools         []openAITool    `json:"tools,omitempty"`
		Stream        bool            `json:"stream"`
		StreamOptions struct {
			IncludeUsage bool `json:"include_usage"`
		} `json:"stream_options"`
	}
	openAIMessage struct {
		Role       string       `json:"role"`
		Content    *string      `json:"content"`
		ToolCalls  []openAICall `json:"tool_calls,omitempty"`
		ToolCallID string       `json:"tool_call_id,omitzero"`
	}
	openAICall struct {
		ID       string         `json:"id"`
		Type     string         `json:"type"`
		Function openAIFunction `json:"function"`
	}
	openAIFunction struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	}
	openAITool struct {
		Type     string         `json:"type"`
		Function openAIToolSpec `json:"function"`
	}
	openAIToolSpec struct {
		Name        string         `json:"name"`
		Description string         `json:"description,omitzero"`
		Parameters  jsontext.Value `json:"parameters,omitempty"`
	}
)

// body returns the request that p is.
//
// The operator's instructions and the rule of the fence are the system message;
// what is known of the user stands before the question, in the user's own
// message, for nobody vouches for it.
func (o *OpenAI) body(p *pam.Prompt) ([]byte, error) {
	fence, err := Fence(o.nonce, p.Context, p.Memory)
	if err != nil {
		return nil, err
	}
	r := openAIRequest{Model: o.model, Stream: true}
	r.StreamOptions.IncludeUsage = true
	if system := joined(p.Instructions, fence != "", fenceRule); system != "" {
		r.Messages = append(r.Messages, openAIMessage{Role: "system", Content: &system})
	}
	asked := lastQuestion(p.Messages)
	for i, m := range p.Messages {
		if i == asked && fence != "" {
			m.Text = joined(fence, true, m.Text)
		}
		r.Messages = append(r.Messages, openAIMessages(m)...)
	}
	for _, t := range p.Tools {
		r.Tools = append(r.Tools, openAITool{"function", openAIToolSpec{
			Name: t.Name, Description: t.Description, Parameters: jsontext.Value(t.Parameters),
		}})
	}
	b, err := jsonv2.Marshal(&r, jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	if err != nil {
		return nil, &pam.Error{Code: pam.CodeInternal, Op: "openai.request", Err: err}
	}
	return b, nil
}

// joined is a, and b where it is wanted, a line apart.
func joined(a string, wanted bool, b string) string {
	switch {
	case !wanted:
		return a
	case a == "":
		return b
	}
	return a + "\n\n" + b
}

// lastQuestion returns the index of the last message of the user.
func lastQuestion(messages []pam.Message) int {
	last := -1
	for i, m := range messages {
		if m.Role == pam.FromUser {
			last = i
		}
	}
	return last
}

// openAIMessages is m, and a message for each result: never a call without one.
func openAIMessages(m pam.Message) []openAIMessage {
	if m.Role == pam.FromUser {
		return []openAIMessage{{Role: "user", Content: &m.Text}}
	}
	said := openAIMessage{Role: "assistant", Content: &m.Text}
	if m.Text == "" && len(m.Calls) > 0 {
		said.Content = nil
	}
	results := make([]openAIMessage, 0, len(m.Calls))
	for i := range m.Calls {
		c := &m.Calls[i]
		said.ToolCalls = append(said.ToolCalls, openAICall{
			ID: string(c.ID), Type: "function",
			Function: openAIFunction{Name: c.Name, Arguments: arguments(c.Arguments)},
		})
		results = append(results, openAIMessage{Role: "tool", Content: &c.Result, ToolCallID: string(c.ID)})
	}
	return append([]openAIMessage{said}, results...)
}

func arguments(a json.RawMessage) string {
	if len(a) == 0 {
		return "{}"
	}
	return string(a)
}
