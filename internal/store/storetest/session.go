package storetest

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/store"
)

func (b *bench) contexts() {
	t := b.t
	ctx := t.Context()
	s := pam.Session{User: "ana", ID: "s"}
	got, err := b.Context(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "unknown", pam.Context{JSON: []byte("{}")}, got)

	// Many at once: each sees what the one before left.
	const n = 20
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			_, err := b.UpdateContext(ctx, s, func(old []byte) ([]byte, error) {
				count, _ := strconv.Atoi(strings.Trim(string(old), `{}"n:`))
				return []byte(`{"n":` + strconv.Itoa(count+1) + `}`), nil
			})
			if err != nil {
				t.Errorf("update: %v", err)
			}
		})
	}
	wg.Wait()
	want := pam.Context{JSON: []byte(`{"n":` + strconv.Itoa(n) + `}`), Version: n}
	refusals(t, b, s, want)
	b.reopen()
	if got, err = b.Context(ctx, s); err != nil {
		t.Fatal(err)
	}
	same(t, "over reopen", want, got)
	if got, err = b.Context(ctx, pam.Session{User: "bo", ID: "s"}); err != nil || got.Version != 0 {
		t.Errorf("bo's: %+v, %v", got, err)
	}
}

// refusals are updates that change nothing.
func refusals(t *testing.T, b *bench, s pam.Session, want pam.Context) {
	t.Helper()
	mine := errors.New("mine")
	_, err := b.UpdateContext(t.Context(), s, func([]byte) ([]byte, error) { return nil, mine })
	if err != mine { //nolint:errorlint // as it is, not wrapped
		t.Errorf("an error of change: %v", err)
	}
	_, err = b.UpdateContext(t.Context(), s, func([]byte) ([]byte, error) {
		return bytes.Repeat([]byte("x"), store.MaxContext+1), nil
	})
	wantCode(t, "too long", err, pam.CodeInvalid)
	_, err = b.UpdateContext(t.Context(), s, func([]byte) ([]byte, error) { panic("mine") })
	wantCode(t, "a panic", err, pam.CodeInternal)
	got, err := b.Context(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "after refusals", want, got)
}

func (b *bench) memories() {
	t := b.t
	ctx := t.Context()
	for i := range store.MaxMemories {
		if err := b.Remember(ctx, "ana", "k"+strconv.Itoa(1000+i), "v"); err != nil {
			t.Fatal(err)
		}
	}
	wantCode(t, "one too many", b.Remember(ctx, "ana", "more", "v"), pam.CodeInvalid)
	if err := b.Remember(ctx, "ana", "k1000", "new"); err != nil {
		t.Errorf("a known key: %v", err)
	}
	if err := b.Remember(ctx, "bo", "more", "v"); err != nil {
		t.Errorf("another user: %v", err)
	}
	for name, kv := range map[string][2]string{
		"no key":        {"", "v"},
		"a long key":    {strings.Repeat("k", store.MaxMemoryKey+1), "v"},
		"a long value":  {"k", strings.Repeat("v", store.MaxMemoryValue+1)},
		"no UTF-8 key":  {"k\xff", "v"},
		"no UTF-8 text": {"k", "\xff"},
	} {
		wantCode(t, name, b.Remember(ctx, "cy", kv[0], kv[1]), pam.CodeInvalid)
	}
	b.reopen()
	list, err := b.Memories(ctx, "ana")
	if err != nil || len(list) != store.MaxMemories {
		t.Fatalf("%d memories, %v", len(list), err)
	}
	same(t, "first", []string{"k1000", "new"}, []string{list[0].Key, list[0].Value})
	if list[0].Updated.IsZero() {
		t.Error("no time of change")
	}
	forgotten, err := b.Forget(ctx, "ana", "k1000")
	same(t, "forget", true, forgotten && err == nil)
	forgotten, err = b.Forget(ctx, "ana", "k1000")
	same(t, "forget again", false, forgotten || err != nil)
	n, err := b.ForgetAll(ctx, "ana")
	same(t, "forget all", store.MaxMemories-1, n)
	list, _ = b.Memories(ctx, "ana")
	same(t, "after that", 0, len(list))
	list, _ = b.Memories(ctx, "bo")
	same(t, "bo's", 1, len(list))
	if err != nil {
		t.Error(err)
	}
}

func (b *bench) epochStays() {
	t := b.t
	first := b.Epoch()
	if len(first) != 36 || first[14] != '7' {
		t.Errorf("%q is no UUIDv7", first)
	}
	b.reopen()
	same(t, "after a clean stop", first, b.Epoch())
}
