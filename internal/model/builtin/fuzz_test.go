package builtin_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/pam-assistant/pam"
)

// FuzzUnderstand asks anything, with anything remembered: there is always an
// answer, soon, of bounded length, and never a panic.
func FuzzUnderstand(f *testing.F) {
	for _, file := range []string{"answers.txt", "declines.txt"} {
		for _, l := range read(f, file) {
			f.Add(l.question, "dog's name", "Rex")
		}
	}
	f.Add("forget e", "e", "\x00")
	f.Add("what is my İ in km in m", "İ", "ß")
	a := newAssistant(f, known)
	f.Fuzz(func(t *testing.T, question, key, value string) {
		a.store.memories = []pam.Memory{{Key: key, Value: value}, {Key: "dog's name", Value: "Rex"}}
		start := time.Now()
		got := a.ask(t, question)
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("%q took %v", question, d)
		}
		if len(got.text) > 64<<10 || !utf8.ValidString(got.text) || strings.ContainsAny(got.text, "\x00\x1b\r") {
			t.Errorf("%q is answered by %q", question, got.text)
		}
	})
}
