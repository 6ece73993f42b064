package tool

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/pam-assistant/pam"
)

// The bounds of what PAM remembers of a user. The number is checked before
// what is new is stored, so that turns at the same time may pass it by as many
// as they are.
const (
	MaxMemories    = 200
	MaxMemoryKey   = 128  // characters
	MaxMemoryValue = 2000 // characters
)

// Memory is where it is kept what users asked PAM to remember.
type Memory interface {
	// Remember stores value under key, in the place of what was there.
	Remember(ctx context.Context, user pam.UserID, key, value string) error
	// Forget removes key, and reports whether it was there.
	Forget(ctx context.Context, user pam.UserID, key string) (bool, error)
	// Memories returns all of a user's.
	Memories(ctx context.Context, user pam.UserID) ([]pam.Memory, error)
}

// known finds key among memories, whatever its capitals.
func known(memories []pam.Memory, key string) (pam.Memory, bool) {
	for _, m := range memories {
		if strings.EqualFold(m.Key, key) {
			return m, true
		}
	}
	return pam.Memory{}, false
}

// memoryLine writes a memory for a sentence.
func memoryLine(key, value string) string {
	if key == value || strings.HasSuffix(key, "…") && strings.HasPrefix(value, strings.TrimSuffix(key, "…")) {
		return value
	}
	return key + ": " + value
}

// memoryText cleans an argument and checks its length.
func memoryText(name, s string, limit int) (string, error) {
	s = clean(s)
	switch {
	case s == "":
		return "", fault("The argument " + quote(name) + " is missing or empty.")
	case utf8.RuneCountInString(s) > limit:
		return "", fault("The argument " + quote(name) + " is too long to be remembered.")
	}
	return s, nil
}
