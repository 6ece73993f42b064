// Package terminal is what the command line shows: an answer as it comes, the
// connection's true state, and what went wrong with what to do about it.
//
// It owns the looks and nothing else: the client, and the streams to read and
// write, are passed in. Whatever a server or a model has sent goes through
// [Clean] before it reaches a terminal: no control character of theirs gets
// there, with Markdown or without. To what is no terminal it writes plain text,
// and only what is final: what a model takes back was never printed.
package terminal

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean returns s as text that is safe to show: without the control characters
// but line feed and tab (ESC, and with it every escape sequence, is one; so are
// those of C1), without what reverses the direction of text in secret, and
// with U+FFFD for what is not UTF-8. A carriage return before a line feed goes,
// another becomes one.
func Clean(s string) string {
	if clean(s) {
		return s
	}
	s = strings.ReplaceAll(strings.ToValidUTF8(s, string(utf8.RuneError)), "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\r':
			return '\n'
		case harmful(r):
			return -1
		}
		return r
	}, s)
}

func clean(s string) bool {
	for _, r := range s {
		if r == '\r' || r == utf8.RuneError || harmful(r) {
			return false
		}
	}
	return true
}

// harmful reports whether r may do more to a terminal than be shown.
func harmful(r rune) bool {
	if r == '\n' || r == '\t' {
		return false
	}
	return unicode.IsControl(r) || // C0, DEL, C1
		r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' || // bidirectional overrides
		r == '\u2028' || r == '\u2029' // line ends that are none
}

// oneLine is Clean on a single line of at most n characters.
func oneLine(s string, n int) string {
	s = strings.Join(strings.Fields(Clean(s)), " ")
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}
