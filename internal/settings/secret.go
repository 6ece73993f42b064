package settings

import (
	"fmt"
	"log/slog"
	"strings"
	"unicode"
)

// mask stands for a secret wherever one would be shown. It has the same length
// for every secret.
const mask = "********"

// minSecretLength is the least length of a shared secret, in bytes.
const minSecretLength = 32

// Secret is a text that shows itself to nobody but the caller of Reveal: not
// by any verb of fmt, in JSON, in a log, nor to a printer that walks through
// unexported fields, for the text is held by a function. The zero Secret is
// none.
type Secret struct{ reveal func() string }

// NewSecret returns a Secret that holds s.
func NewSecret(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{reveal: func() string { return s }}
}

// Reveal returns the text, for the one place that must send it.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// IsSet reports whether there is a secret.
func (s Secret) IsSet() bool { return s.reveal != nil }

// String returns a mask, or nothing where there is no secret.
func (s Secret) String() string {
	if s.reveal == nil {
		return ""
	}
	return mask
}

// GoString returns the mask.
func (s Secret) GoString() string { return s.String() }

// Format writes the mask, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalText returns the mask.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON returns the mask as a string.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// LogValue returns the mask.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// UnmarshalText takes a text of printable ASCII: what an HTTP header carries.
// Its errors do not quote it.
func (s *Secret) UnmarshalText(text []byte) error {
	for _, c := range text {
		if c <= ' ' || c > '~' {
			return reason("it has a space, a line break or another character that a header cannot carry")
		}
	}
	*s = NewSecret(string(text))
	return nil
}

// Secrets are the shared secrets of PAM_JWT_SECRET.
type Secrets []Secret

// UnmarshalText takes secrets separated by commas; empty ones do not count. All
// that are wrong are named by their place.
func (s *Secrets) UnmarshalText(text []byte) error {
	var all Secrets
	var wrong []string
	for i, part := range strings.Split(string(text), ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		switch {
		case len(part) < minSecretLength:
			wrong = append(wrong, fmt.Sprintf("secret %d has %d bytes", i+1, len(part)))
		case strings.ContainsFunc(part, unicode.IsControl):
			wrong = append(wrong, fmt.Sprintf("secret %d has a line break or another control character", i+1))
		default:
			all = append(all, NewSecret(part))
		}
	}
	switch {
	case len(wrong) > 0:
		return reason(strings.Join(wrong, ", ") + " (a comma ends a secret)")
	case len(all) == 0:
		return reason("it holds commas alone")
	}
	*s = all
	return nil
}

// String returns a mask for each secret.
func (s Secrets) String() string {
	masks := make([]string, len(s))
	for i := range s {
		masks[i] = s[i].String()
	}
	return strings.Join(masks, ",")
}
