package sqlite_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/store/sqlite"
)

// live is a store that runs until stop.
type live struct {
	*sqlite.Store

	t      *testing.T
	cancel context.CancelFunc
	ended  chan error
}

func start(t *testing.T, opts sqlite.Options) *live {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	l := &live{Store: open(t, opts), t: t, cancel: cancel, ended: make(chan error, 1)}
	go func() { l.ended <- l.Run(ctx) }()
	t.Cleanup(l.stop)
	return l
}

func (l *live) stop() {
	if l.cancel == nil {
		return
	}
	l.cancel()
	l.cancel = nil
	if err := <-l.ended; err != nil {
		l.t.Errorf("Run: %v", err)
	}
	if err := l.Close(); err != nil {
		l.t.Errorf("Close: %v", err)
	}
}

// try appends urgently and waits for the outcome.
func (l *live) try(a pam.Append) error {
	l.t.Helper()
	done := make(chan error, 1)
	a.Done, a.Urgent = func(err error) { done <- err }, true
	l.Append(&a)
	select {
	case err := <-done:
		return err
	case <-time.After(20 * time.Second):
		l.t.Fatal("an append has no outcome")
		return nil
	}
}

func (l *live) must(a pam.Append) {
	l.t.Helper()
	if err := l.try(a); err != nil {
		l.t.Fatalf("append: %v", err)
	}
}

func (l *live) load(key pam.Key) *pam.Snapshot {
	l.t.Helper()
	snap, err := l.Load(l.t.Context(), key)
	if err != nil {
		l.t.Fatalf("load: %v", err)
	}
	return snap
}

func key(conversation string) pam.Key {
	return pam.Key{User: "ana", Conversation: pam.ConversationID(conversation)}
}

func record(from, seq int64, kind pam.Kind) pam.Record {
	return pam.Record{
		From: from, Seq: seq, Kind: kind, Turn: "t1",
		JSON: fmt.Appendf(nil, `{"type":%q,"from":%d,"seq":%d}`, kind, from, seq),
	}
}

func deltas(from, to int64) []pam.Record {
	var events []pam.Record
	for seq := from; seq <= to; seq++ {
		events = append(events, record(seq, seq, pam.KindDelta))
	}
	return events
}

// ending is the final event seq of a turn that began at from, with its fold.
func ending(k pam.Key, from, seq int64) pam.Append {
	return pam.Append{
		Key: k, Events: []pam.Record{record(seq, seq, pam.KindComplete)},
		Fold: &pam.Fold{Through: seq, Turns: 1, Keep: []pam.Record{record(from, seq, pam.KindComplete)}},
	}
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
