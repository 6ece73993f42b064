package tool

import (
	"errors"
	"strconv"
	"strings"
	"unicode"

	"github.com/pam-assistant/pam"
)

// fault is what was wrong with a question, as one sentence for the model and
// the person at the screen.
type fault string

// Error returns the sentence.
func (f fault) Error() string { return string(f) }

// refuse turns err into an error that may be shown: a fault is the caller's,
// anything else is ours and keeps its code.
func refuse(op string, err error) error {
	if f, ok := errors.AsType[fault](err); ok {
		return &pam.Error{Code: pam.CodeInvalid, Op: op, Message: string(f)}
	}
	return &pam.Error{
		Code:    pam.CodeOf(err),
		Op:      op,
		Message: "What PAM knows of you could not be read or written just now.",
		Err:     err,
	}
}

// quote returns s for a sentence: quoted, on one line, at most 40 characters.
func quote(s string) string {
	return strconv.Quote(shorten(clean(s), 40))
}

// shorten returns the first limit characters of s.
func shorten(s string, limit int) string {
	n := 0
	for i := range s {
		if n == limit {
			return s[:i] + "…"
		}
		n++
	}
	return s
}

// clean returns s on one line: control and invisible formatting characters
// are gone, each run of white space is one space. What a client or a user says
// can so neither move a terminal's cursor nor begin a line of its own.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "")
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r == '\u200d' || r == '\u200c': // they join and part letters and emoji
			return r
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp):
			return -1
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}
