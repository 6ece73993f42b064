// Package tool holds the tools that a model may call: arithmetic, units, the
// time, and what PAM was asked to remember.
//
// It owns what each of them takes and gives back. Each is bounded in time and
// memory whatever its arguments are, says what was wrong in one sentence that
// the model and the person at the screen may read, and treats what it was
// told as data. It never calls a model, never stores anything itself, and
// never logs.
package tool

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"strings"
	"unicode/utf8"

	"github.com/pam-assistant/pam"
)

// MaxResult is the greatest length of a result, in bytes
// (docs/protocol.md, "Order and resume", 6). What is longer is cut.
const MaxResult = 64 << 10

// MaxArguments is the greatest length of a call's arguments, in bytes.
const MaxArguments = 64 << 10

// Tool is something that a model may call.
type Tool interface {
	// Spec says what the tool is called, what it does and what it takes.
	Spec() pam.ToolSpec
	// Call runs one call to its end. It is called by several turns at once.
	// Its errors are [*pam.Error] whose Message may be shown.
	Call(ctx context.Context, session pam.Session, args json.RawMessage) (string, error)
}

// Set is the tools that a model is offered, in order. It is never changed
// once it is made, so that all turns may share it.
type Set struct {
	tools  []Tool
	specs  []pam.ToolSpec
	byName map[string]Tool
}

// NewSet returns the set of the tools given. It refuses a name that a provider
// would refuse, and one that is there twice.
func NewSet(tools ...Tool) (*Set, error) {
	set := &Set{byName: make(map[string]Tool, len(tools))}
	for _, t := range tools {
		spec := t.Spec()
		if !validName(spec.Name) {
			return nil, fmt.Errorf("tool: %q is no name for a tool", spec.Name)
		}
		if _, taken := set.byName[spec.Name]; taken {
			return nil, fmt.Errorf("tool: two tools are called %s", spec.Name)
		}
		set.tools = append(set.tools, t)
		set.specs = append(set.specs, spec)
		set.byName[spec.Name] = t
	}
	return set, nil
}

// Specs returns the tools as a model is offered them, in order.
func (s *Set) Specs() []pam.ToolSpec {
	return append([]pam.ToolSpec(nil), s.specs...)
}

// Call runs the tool of that name. A result longer than [MaxResult] is cut at
// the end of a character; a panic of the tool is an error of this call alone.
func (s *Set) Call(ctx context.Context, session pam.Session, name string, args json.RawMessage) (result string, err error) {
	t, ok := s.byName[name]
	if !ok {
		return "", &pam.Error{
			Code:    pam.CodeInvalid,
			Op:      "tool.call",
			Message: fmt.Sprintf("There is no tool called %s; there are %s.", quote(name), s.names()),
		}
	}
	op := "tool." + name
	if len(args) > MaxArguments {
		return "", refuse(op, fault(fmt.Sprintf("The arguments are longer than %d bytes.", MaxArguments)))
	}
	defer func() {
		if v := recover(); v != nil {
			result = ""
			err = &pam.Error{
				Code:    pam.CodeInternal,
				Op:      op,
				Message: fmt.Sprintf("The tool %s failed because of a mistake in it.", name),
				Err:     fmt.Errorf("panic: %v\n%s", v, debug.Stack()),
			}
		}
	}()
	result, err = t.Call(ctx, session, args)
	if err != nil {
		return "", err
	}
	return cut(strings.ToValidUTF8(result, string(utf8.RuneError)), MaxResult), nil
}

func (s *Set) names() string {
	names := make([]string, len(s.specs))
	for i, spec := range s.specs {
		names[i] = spec.Name
	}
	return strings.Join(names, ", ")
}

// validName reports whether name is 1 to 64 of [A-Za-z0-9_-].
func validName(name string) bool {
	return len(name) <= 64 && pam.ValidID(name) && !strings.ContainsAny(name, ".:")
}

// cut returns s, or as much of its beginning as fits into limit bytes together
// with a mark that says so. It never cuts a character.
func cut(s string, limit int) string {
	const mark = " … (cut)"
	if len(s) <= limit {
		return s
	}
	end := limit - len(mark)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + mark
}
