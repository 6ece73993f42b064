package model_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/model"
)

func ask(question string) *pam.Prompt {
	return &pam.Prompt{Messages: []pam.Message{{Role: pam.FromUser, Text: question}}}
}

func TestScriptBench(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		question string
		deltas   int
		takes    time.Duration
	}{
		{"bench d=200 r=20", 200, 199 * 50 * time.Millisecond},
		{"  bench d=3 r=1\n", 3, 2 * time.Second},
		{"bench d=1000 r=0", 1000, 0},
		{"bench d=0 r=0", 0, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			seen := map[string]bool{}
			var usage pam.Usage
			err := model.NewScript().Stream(t.Context(), ask(c.question), func(chunk pam.Chunk) error {
				switch chunk := chunk.(type) {
				case pam.TextChunk:
					if utf8.RuneCountInString(chunk.Text) != 18 || len(chunk.Text) != 18 || seen[chunk.Text] {
						t.Errorf("%q: delta %q", c.question, chunk.Text)
					}
					seen[chunk.Text] = true
				case pam.UsageChunk:
					usage = chunk.Usage
				}
				return nil
			})
			if err != nil || len(seen) != c.deltas || time.Since(began) != c.takes {
				t.Errorf("%q: %d deltas in %v, %v; want %d in %v", c.question, len(seen), time.Since(began), err, c.deltas, c.takes)
			}
			if want := int64((c.deltas*18 + 3) / 4); usage.OutputTokens != want {
				t.Errorf("%q: usage %+v, want %d tokens out", c.question, usage, want)
			}
		})
	}
}

func TestScriptEchoes(t *testing.T) {
	t.Parallel()
	for _, question := range []string{
		"hello there", "é", "漢字仮名", "bench d=100000 r=1", "bench d=5 r=9999999", "bench d=-1 r=0", "Bench d=1 r=1", strings.Repeat("é", 1001),
	} {
		var deltas []string
		err := model.NewScript().Stream(t.Context(), ask(question), func(chunk pam.Chunk) error {
			if text, ok := chunk.(pam.TextChunk); ok {
				if text.Text == "" || !utf8.ValidString(text.Text) {
					t.Errorf("%q: delta %q", question, text.Text)
				}
				deltas = append(deltas, text.Text)
			}
			return nil
		})
		if got := strings.Join(deltas, ""); err != nil || got != question || len(deltas) > 4 {
			t.Errorf("%q: %q in %d deltas, %v", question, got, len(deltas), err)
		}
	}
}

func TestScriptStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 1010*time.Millisecond)
		defer cancel()
		n, began := 0, time.Now()
		err := model.NewScript().Stream(ctx, ask("bench d=200 r=20"), func(pam.Chunk) error { n++; return nil })
		if !errors.Is(err, context.DeadlineExceeded) || n != 21 || time.Since(began) != 1010*time.Millisecond {
			t.Errorf("%d deltas in %v, %v; want 21 and the end of its context, at once", n, time.Since(began), err)
		}
	})
	enough := errors.New("enough")
	err := model.NewScript().Stream(t.Context(), ask("hello"), func(pam.Chunk) error { return enough })
	if !errors.Is(err, enough) {
		t.Errorf("%v, want what emit said", err)
	}
}
