// Package builtin is the assistant that answers where no language model is
// plugged in: a small, honest one. It knows arithmetic, units, the time, what
// the context tells of the user, and what it was asked to remember, and it
// says so; everything else it declines rather than guess.
//
// It owns what it understands and how it answers. It works on the same loop as
// any model: what it recognises becomes a call of a tool, and the tool's result
// its answer. It takes bounded time for any message, keeps nothing, and does no
// I/O. What a context or a memory says is data to it: shown on one line, cut,
// without control characters, never obeyed.
package builtin

import (
	"context"
	"slices"
	"strings"

	"github.com/pam-assistant/pam"
)

// maxMessage is the longest message that is looked at, in bytes: a memory of
// 2,000 characters, and some words around it.
const maxMessage = 4 * 2200

// Grammar says what the tools can read. Nil means that the tool will
// understand; an error is a sentence that says what is wrong.
type Grammar interface {
	// Expression is asked for something to calculate; a number alone is none.
	Expression(text string) error
	// Conversion is asked for a quantity and the unit to convert it into.
	Conversion(quantity, unit string) error
	// Place is asked for somewhere that has a time zone.
	Place(name string) error
}

// Model is the built-in assistant. It is never changed once it is made, so
// that all turns may share it.
type Model struct {
	grammar Grammar
	reader  *reader
	rules   []rule
}

// New returns the assistant for tools that read by grammar.
func New(grammar Grammar) *Model {
	m := &Model{grammar: grammar, reader: newReader()}
	for _, rules := range [][]rule{
		m.courtesies(), m.memories(), m.clock(), m.units(), m.abouts(), m.sums(), m.topics(), m.statements(), m.almostSums(),
	} {
		m.rules = append(m.rules, rules...)
	}
	return m
}

// Name returns "builtin".
func (*Model) Name() string { return "builtin" }

// Stream answers the last question of p: by text, word for word, or by one
// call of a tool where its result is not in p yet. It returns the error of
// emit, or that of ctx once it is over.
func (m *Model) Stream(ctx context.Context, p *pam.Prompt, emit func(pam.Chunk) error) error {
	question, call := last(p.Messages)
	r := m.understand(question, p)
	switch {
	case call != nil:
		return say(ctx, answer(r, call), emit)
	case r.tool == "":
		return say(ctx, r.text, emit)
	case !offered(p.Tools, r.tool):
		return say(ctx, "For that I need the tool "+r.tool+", which I am not offered here.", emit)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return emit(pam.CallChunk{Name: r.tool, Arguments: r.args})
}

// last returns the last question, and the last call that was made for it; nil
// where none was.
func last(messages []pam.Message) (string, *pam.Call) {
	var call *pam.Call
	for _, m := range slices.Backward(messages) {
		if m.Role == pam.FromUser {
			return m.Text, call
		}
		if n := len(m.Calls); n > 0 && call == nil {
			call = &m.Calls[n-1]
		}
	}
	return "", call
}

func offered(tools []pam.ToolSpec, name string) bool {
	for _, t := range tools {
		if t.Name == name {
			return true
		}
	}
	return false
}

// answer makes the answer of a call that has ended.
func answer(r reply, call *pam.Call) string {
	result := strings.TrimSpace(call.Result)
	switch {
	case call.Status != pam.CallCompleted && result == "":
		return "I could not do that: the tool " + call.Name + " failed."
	case call.Status != pam.CallCompleted:
		return "I cannot do that. " + result
	case r.tool == call.Name && r.answer != nil:
		return r.answer(result)
	case result == "":
		return "That is done."
	}
	return result
}

// say emits text word by word.
func say(ctx context.Context, text string, emit func(pam.Chunk) error) error {
	for text != "" {
		if err := ctx.Err(); err != nil {
			return err
		}
		end := len(text)
		if space := strings.IndexAny(text, " \n"); space >= 0 {
			end = space + 1
		}
		if err := emit(pam.TextChunk{Text: text[:end]}); err != nil {
			return err
		}
		text = text[end:]
	}
	return nil
}
