package model

import (
	"encoding/json"
	"slices"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/pam-assistant/pam"
)

const (
	maxCalls     = 64       // in one answer
	maxArguments = 64 << 10 // bytes of one call
	maxName      = 64
)

// callPiece is a piece of a call as it comes: OpenAI sends the id and the name
// first and then the arguments bit by bit, all with the call's index. Others
// send whole calls, all with the same index or with none.
type callPiece struct {
	Index    *int   `json:"index"`
	ID       string `json:"id"`
	Function struct {
		Name      string         `json:"name"`
		Arguments jsontext.Value `json:"arguments"`
	} `json:"function"`
}

// calls puts calls together from their pieces. A new id is a new call, whatever
// the index; a piece without an id belongs to the newest call of its index, or
// to the newest of all where it has none, unless that one is whole and the piece
// names a function.
type calls struct {
	open []*openCall
}

type openCall struct {
	id        string
	index     int // -1: none
	name      string
	arguments []byte
}

// add takes a piece.
func (c *calls) add(p callPiece) error {
	text, whole, err := argumentText(p.Function.Arguments)
	if err != nil {
		return err
	}
	call := c.owner(p, whole)
	if call == nil {
		if p.Function.Name == "" {
			return badCall("a piece of a call belongs to none")
		}
		if len(c.open) == maxCalls {
			return badCall("too many calls in one answer")
		}
		call = &openCall{id: p.ID, index: -1}
		if p.Index != nil {
			call.index = *p.Index
		}
		c.open = append(c.open, call)
	}
	if call.id == "" {
		call.id = p.ID
	}
	if p.Function.Name != call.name { // some repeat it with every piece
		call.name += p.Function.Name
	}
	call.arguments = append(call.arguments, text...)
	if len(call.arguments) > maxArguments || len(call.name) > maxName {
		return badCall("a call is too long")
	}
	return nil
}

// owner returns the call that p continues; nil where it begins one.
func (c *calls) owner(p callPiece, whole bool) *openCall {
	for _, call := range slices.Backward(c.open) {
		sameIndex := p.Index == nil || call.index == *p.Index
		if p.ID != "" {
			// Without a name it cannot begin a call: the id comes late.
			late := call.id == "" && p.Function.Name == ""
			if sameIndex && (call.id == p.ID || late) {
				return call
			}
			continue
		}
		if !sameIndex {
			continue
		}
		if p.Function.Name != "" && (whole || object(call.arguments)) {
			return nil
		}
		return call
	}
	return nil
}

// argumentText returns the text of a piece of arguments, and whether it is
// whole: a few endpoints send the object itself, not a string that holds it.
func argumentText(v jsontext.Value) (text []byte, whole bool, err error) {
	switch v.Kind() { //nolint:exhaustive // the default is all the others
	case jsontext.KindInvalid, 'n':
		return nil, false, nil
	case '"':
		var s string
		if err := jsonv2.Unmarshal(v, &s, jsontext.AllowInvalidUTF8(true)); err != nil {
			return nil, false, badCall("arguments cannot be read")
		}
		return []byte(s), false, nil
	case '{':
		return v, true, nil
	default:
		return nil, false, badCall("arguments are no object")
	}
}

// finish returns the calls, once nothing more can come: each with the name of a
// tool that was offered and with an object as its arguments. No arguments at
// all are an empty object only where the tool takes none.
func (c *calls) finish(tools []pam.ToolSpec) ([]pam.CallChunk, error) {
	chunks := make([]pam.CallChunk, 0, len(c.open))
	for _, call := range c.open {
		i := slices.IndexFunc(tools, func(t pam.ToolSpec) bool { return t.Name == call.name })
		if i < 0 {
			return nil, badCall("a tool that was not offered")
		}
		if len(call.arguments) == 0 && takesNone(tools[i].Parameters) {
			call.arguments = []byte("{}")
		}
		if !object(call.arguments) {
			return nil, badCall("arguments are no object")
		}
		chunks = append(chunks, pam.CallChunk{
			ID: pam.CallID(call.id), Name: call.name, Arguments: json.RawMessage(call.arguments),
		})
	}
	return chunks, nil
}

// takesNone reports whether a schema names no property: then a call without
// arguments has lost none.
func takesNone(schema json.RawMessage) bool {
	var s struct {
		Properties map[string]jsontext.Value `json:"properties"`
		Required   []string                  `json:"required"`
	}
	if len(schema) == 0 {
		return true
	}
	return jsonv2.Unmarshal(schema, &s) == nil && len(s.Properties) == 0 && len(s.Required) == 0
}

// object reports whether b is a JSON object, each name once.
func object(b []byte) bool {
	v := jsontext.Value(b)
	return v.Kind() == '{' && v.IsValid()
}

func badCall(detail string) error {
	return &pam.Error{
		Code: pam.CodeProviderProtocol, Op: "openai.call", Detail: detail,
		Message: "The model called a tool in a way that cannot be understood; nothing was called.",
		Hint:    "Try again; if it goes on, take a model that is made for tools.",
	}
}
