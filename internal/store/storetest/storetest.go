// Package storetest holds what every engine of the store must pass: the
// promises of [store.Engine], as cases. An engine's own tests call [Run], and
// add what only they can break (its disk, its process).
//
// It never looks below the contract: the only thing that it asks for beside
// an engine is a way to mark a conversation deleted.
package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/store"
)

// Opener makes engines.
type Opener struct {
	// Open opens the engine whose data lies under place, a folder of the
	// test's own: the same place holds the same data.
	Open func(t *testing.T, place string) store.Engine
	// Delete marks a conversation deleted, while no engine is open at place.
	Delete func(t *testing.T, place string, key pam.Key)
}

// Run runs every case as a subtest.
func Run(t *testing.T, o Opener) {
	t.Helper()
	cases := []struct {
		name string
		run  func(*bench)
	}{
		{"numbers", (*bench).numbers},
		{"done in order", (*bench).doneInOrder},
		{"fence", (*bench).fence},
		{"fence outlives the process", (*bench).fenceReopened},
		{"chats", (*bench).chats},
		{"chats in one batch", (*bench).chatsInOneBatch},
		{"refused leaves no trace", (*bench).refusedLeavesNoTrace},
		{"fold", (*bench).fold},
		{"fold of what is not there", (*bench).foldMisuse},
		{"fold beside a waiting turn", (*bench).foldPartly},
		{"waiting messages", (*bench).waiting},
		{"final events by turn", (*bench).turns},
		{"pages", (*bench).pages},
		{"live tail over reopen", (*bench).liveTail},
		{"users are apart", (*bench).usersApart},
		{"unknown and deleted", (*bench).unknownAndDeleted},
		{"contexts", (*bench).contexts},
		{"memories", (*bench).memories},
		{"epoch stays", (*bench).epochStays},
		{"asked for before the stop", (*bench).askedBeforeStop},
		{"cancelled", (*bench).cancelled},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := &bench{t: t, opener: o, place: t.TempDir()}
			b.open()
			t.Cleanup(b.stop)
			c.run(b)
		})
	}
}

// bench is an engine that runs, and can be opened again.
type bench struct {
	store.Engine

	t      *testing.T
	opener Opener
	place  string
	cancel context.CancelFunc
	ended  chan error
}

func (b *bench) open() {
	b.t.Helper()
	b.Engine = b.opener.Open(b.t, b.place)
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.t.Context()))
	b.cancel, b.ended = cancel, make(chan error, 1)
	run := b.Run
	ended := b.ended
	go func() { ended <- run(ctx) }()
}

// stop ends the engine cleanly, once.
func (b *bench) stop() {
	b.t.Helper()
	if b.cancel == nil {
		return
	}
	b.cancel()
	b.cancel = nil
	if err := <-b.ended; err != nil {
		b.t.Errorf("Run: %v", err)
	}
	if err := b.Close(); err != nil {
		b.t.Errorf("Close: %v", err)
	}
}

func (b *bench) reopen() {
	b.t.Helper()
	b.stop()
	b.open()
}

// patience is how long a case waits for what should come at once.
const patience = 20 * time.Second

// try appends a and returns its outcome.
func (b *bench) try(a pam.Append) error {
	b.t.Helper()
	return b.all(&a)[0]
}

// all appends in one go and returns the outcomes.
func (b *bench) all(appends ...*pam.Append) []error {
	b.t.Helper()
	errs := make([]error, len(appends))
	var wg sync.WaitGroup
	for i, a := range appends {
		wg.Add(1)
		a.Done = func(err error) {
			errs[i] = err
			wg.Done()
		}
		a.Urgent = i == len(appends)-1
		b.Append(a)
	}
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(patience):
		b.t.Fatalf("no outcome of %d appends", len(appends))
	}
	return errs
}

func (b *bench) must(a pam.Append) {
	b.t.Helper()
	if err := b.try(a); err != nil {
		b.t.Fatalf("append: %v", err)
	}
}

func (b *bench) load(key pam.Key) *pam.Snapshot {
	b.t.Helper()
	snap, err := b.Load(b.t.Context(), key)
	if err != nil {
		b.t.Fatalf("load: %v", err)
	}
	return snap
}

func key(conversation string) pam.Key {
	return pam.Key{User: "ana", Conversation: pam.ConversationID(conversation)}
}

// record makes the event seq of a turn, which covers from..seq.
func record(from, seq int64, kind pam.Kind, turn string) pam.Record {
	return pam.Record{
		From: from, Seq: seq, Kind: kind, Turn: pam.TurnID(turn),
		JSON: fmt.Appendf(nil, `{"type":%q,"seq":%d,"turn_id":%q}`, kind, seq, turn),
	}
}

// deltas makes the events from..to.
func deltas(from, to int64) []pam.Record {
	var events []pam.Record
	for seq := from; seq <= to; seq++ {
		events = append(events, record(seq, seq, pam.KindDelta, "t1"))
	}
	return events
}

func appendOf(k pam.Key, events ...pam.Record) pam.Append {
	return pam.Append{Key: k, Events: events}
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func wantCode(t *testing.T, what string, err error, want pam.Code) {
	t.Helper()
	if got := pam.CodeOf(err); got != want {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}
