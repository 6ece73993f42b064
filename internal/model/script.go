package model

import (
	"context"
	"regexp"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/pam-assistant/pam"
)

// The bounds of a bench: beyond them a message is not one and is echoed.
const (
	maxDeltas = 99_999
	maxRate   = 1_000_000 // deltas a second
	echoes    = 4         // deltas of an echo, at most
)

// Script is a model for load tests and demos, which anyone can reckon with:
// the message `bench d=200 r=20` is answered with 200 deltas of exactly 18
// characters at 20 a second (r=0: as fast as they are taken), any other message
// with itself, in a few deltas. It knows no tools.
type Script struct{ bench *regexp.Regexp }

// NewScript returns the model of `PAM_MODEL=script`.
func NewScript() *Script {
	return &Script{regexp.MustCompile(`^\s*bench d=(\d{1,5}) r=(\d{1,7})\s*$`)}
}

// Name returns "script".
func (*Script) Name() string { return "script" }

// Stream answers the last message of the user in p.
func (s *Script) Stream(ctx context.Context, p *pam.Prompt, emit func(pam.Chunk) error) error {
	question := ""
	for _, m := range p.Messages {
		if m.Role == pam.FromUser {
			question = m.Text
		}
	}
	written, err := s.answer(ctx, question, emit)
	if err != nil {
		return err
	}
	return emit(pam.UsageChunk{Usage: pam.Usage{
		InputTokens: tokens(len(question)), OutputTokens: tokens(written),
	}})
}

// answer returns how many bytes it wrote.
func (s *Script) answer(ctx context.Context, question string, emit func(pam.Chunk) error) (int, error) {
	if m := s.bench.FindStringSubmatch(question); m != nil {
		deltas, _ := strconv.Atoi(m[1])
		rate, _ := strconv.Atoi(m[2])
		if rate <= maxRate {
			return benchLength * deltas, bench(ctx, deltas, rate, emit)
		}
	}
	for _, piece := range pieces(question, echoes) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if err := emit(pam.TextChunk{Text: piece}); err != nil {
			return 0, err
		}
	}
	return len(question), nil
}

// benchLength is the length of a delta, in characters and in bytes.
const benchLength = 18

// bench emits the deltas; with a rate the first at once, each later one a tick
// later, or as soon as it is taken.
func bench(ctx context.Context, deltas, rate int, emit func(pam.Chunk) error) error {
	var due <-chan time.Time
	if rate > 0 {
		t := time.NewTicker(time.Second / time.Duration(rate))
		defer t.Stop()
		due = t.C
	}
	for i := range deltas {
		if due != nil && i > 0 {
			select {
			case <-due:
			case <-ctx.Done():
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := emit(pam.TextChunk{Text: benchDelta(i + 1)}); err != nil {
			return err
		}
	}
	return nil
}

// benchDelta returns the delta number n: five digits, twelve characters, a space.
func benchDelta(n int) string {
	const text = "00000 lorem ipsum "
	b := []byte(text)[:benchLength]
	for i := 4; i >= 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	return string(b)
}

// pieces cuts s into at most n pieces of whole characters.
func pieces(s string, n int) []string {
	var cut []string
	size := (len(s) + n - 1) / n
	for len(s) > 0 {
		end := min(size, len(s))
		for end < len(s) && !utf8.RuneStart(s[end]) {
			end++
		}
		cut = append(cut, s[:end])
		s = s[end:]
	}
	return cut
}

// tokens estimates: four bytes are a token.
func tokens(bytes int) int64 { return int64((bytes + 3) / 4) }
