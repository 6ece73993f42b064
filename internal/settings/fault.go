package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Fault is one thing that is wrong with the settings.
type Fault struct {
	Name string // the setting, or the file
	Line int    // of the file; 0: it came from elsewhere
	What string // what is wrong with it
	Want string // what it should be
	Type string // what to type
}

// String says all of it in one line.
func (f Fault) String() string {
	var s strings.Builder
	s.WriteString(f.Name)
	if f.Line > 0 {
		fmt.Fprintf(&s, ", line %d", f.Line)
	}
	s.WriteString(": " + f.What)
	if f.Want != "" {
		s.WriteString("; it should be " + f.Want)
	}
	if f.Type != "" {
		s.WriteString("; type: " + f.Type)
	}
	return s.String()
}

// Faults are all that is wrong with the settings, in the order of Settings'
// fields, those of the file first.
type Faults []Fault

// Error says each fault in a line of its own.
func (f Faults) Error() string {
	lines := make([]string, 0, len(f)+1)
	if len(f) == 1 {
		lines = append(lines, "1 setting is wrong:")
	} else {
		lines = append(lines, strconv.Itoa(len(f))+" settings are wrong:")
	}
	for _, one := range f {
		lines = append(lines, "  "+one.String())
	}
	return strings.Join(lines, "\n")
}

// show quotes a value that is no secret: escaped, and cut.
func show(value string) string { return strconv.QuoteToGraphic(cut(value)) }

// cut shortens what would fill a screen.
func cut(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	end := most
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}

// cause is what went wrong with a file, without the path: that may be what
// should have been a secret.
func cause(err error) string {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err.Error()
	}
	return "it cannot be opened"
}
