package storetest

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/pam-assistant/pam"
)

func (b *bench) numbers() {
	t := b.t
	k := key("c")
	for _, first := range []int64{0, 2, 7} {
		if err := b.try(appendOf(k, record(first, first, pam.KindDelta, "t1"))); err == nil {
			t.Errorf("a conversation began with %d", first)
		}
	}
	if _, err := b.Load(t.Context(), k); pam.CodeOf(err) != pam.CodeNotFound {
		t.Errorf("what was refused made a conversation: %v", err)
	}
	b.must(appendOf(k, deltas(1, 3)...))
	for _, first := range []int64{1, 3, 5} {
		if err := b.try(appendOf(k, record(first, first, pam.KindDelta, "t1"))); !errors.Is(err, pam.ErrSuperseded) {
			t.Errorf("%d after 3: %v", first, err)
		}
	}
	b.must(appendOf(k, deltas(4, 4)...))
	hole := appendOf(k, record(5, 5, pam.KindDelta, "t1"), record(7, 7, pam.KindDelta, "t1"))
	if err := b.try(hole); err == nil {
		t.Error("a hole inside an append was taken")
	}
	snap := b.load(k)
	same(t, "head", int64(4), snap.Head)
	same(t, "live", deltas(1, 4), snap.Live)
	st := b.Stats()
	same(t, "events", int64(4), st.Events)
	same(t, "appends", int64(2), st.Appends)
	same(t, "live conversations", 1, st.Live)
}

// doneInOrder floods the engine from several conversations: every outcome
// comes once, by one goroutine at a time, in the order of asking.
func (b *bench) doneInOrder() {
	t := b.t
	const each, conversations = 200, 8
	var (
		asked, told []int // by one goroutine; the queue's order is the asking order
		busy        sync.Mutex
		all         sync.WaitGroup
	)
	for i := range each * conversations {
		k := key("c" + strconv.Itoa(i%conversations))
		seq := int64(i/conversations + 1)
		asked = append(asked, i)
		all.Add(1)
		b.Append(&pam.Append{
			Key: k, Events: deltas(seq, seq), Urgent: i%97 == 0,
			Done: func(err error) {
				if !busy.TryLock() {
					t.Error("two outcomes at a time")
					all.Done()
					return
				}
				defer busy.Unlock()
				if err != nil {
					t.Errorf("append %d: %v", i, err)
				}
				told = append(told, i)
				all.Done()
			},
		})
	}
	all.Wait()
	same(t, "order", asked, told)
	if st := b.Stats(); st.Commits >= each*conversations/2 {
		t.Errorf("%d commits for %d appends", st.Commits, each*conversations)
	}
}

func (b *bench) fence() {
	t := b.t
	k := key("c")
	with := func(seq, fence int64) pam.Append {
		a := appendOf(k, deltas(seq, seq)...)
		a.Fence = fence
		return a
	}
	b.must(with(1, 5))
	if err := b.try(with(2, 4)); !errors.Is(err, pam.ErrSuperseded) {
		t.Errorf("a lower fence: %v", err)
	}
	b.must(with(2, 5))
	b.must(with(3, 9))
	b.must(with(4, 0))
	if err := b.try(with(5, 5)); !errors.Is(err, pam.ErrSuperseded) {
		t.Errorf("the fence of the owner before: %v", err)
	}
	first, second := with(5, 12), with(6, 11)
	errs := b.all(&first, &second)
	if errs[0] != nil || !errors.Is(errs[1], pam.ErrSuperseded) {
		t.Errorf("a lower fence in the same batch: %v", errs)
	}
	same(t, "fence", int64(12), b.load(k).Fence)
}

func (b *bench) fenceReopened() {
	t := b.t
	k, folded := key("c"), key("folded")
	for seq, owner := range []int64{3, 7} { // the later one is in the tail alone
		a := appendOf(k, deltas(int64(seq+1), int64(seq+1))...)
		a.Fence = owner
		b.must(a)
	}
	f := wholeTurn(folded)
	f.Fence = 8
	b.must(f)
	b.reopen()
	same(t, "fence of a live tail", int64(7), b.load(k).Fence)
	same(t, "fence of a folded conversation", int64(8), b.load(folded).Fence)
	low := appendOf(folded, deltas(5, 5)...)
	low.Fence = 7
	if err := b.try(low); !errors.Is(err, pam.ErrSuperseded) {
		t.Errorf("a lower fence: %v", err)
	}
}

func chatOf(id, conversation, message string, seq int64) *pam.Chat {
	return &pam.Chat{
		User: "ana", ID: pam.ChatID(id), Conversation: pam.ConversationID(conversation),
		Turn: pam.TurnID("turn-" + id), Seq: seq, Content: pam.HashContent(message),
	}
}

func (b *bench) chats() {
	t := b.t
	a := appendOf(key("c"), deltas(1, 1)...)
	a.Chat = chatOf("m1", "c", "hello", 1)
	b.must(a)
	again := appendOf(key("other"), deltas(1, 1)...)
	again.Chat = chatOf("m1", "other", "something else", 1)
	var known *pam.ChatKnownError
	if err := b.try(again); !errors.As(err, &known) {
		t.Fatalf("a known id: %v", err)
	}
	same(t, "what is known", *a.Chat, known.Chat)
	wrong := appendOf(key("c"), deltas(9, 9)...)
	wrong.Chat = chatOf("m1", "c", "hello", 9)
	if err := b.try(wrong); !errors.As(err, &known) {
		t.Errorf("the key is looked at before the number: %v", err)
	}
	b.reopen()
	got, found, err := b.FindChat(t.Context(), "ana", "m1")
	if err != nil || !found {
		t.Fatalf("find: %v, %v", found, err)
	}
	same(t, "what is found", *a.Chat, got)
	for _, of := range []struct {
		user pam.UserID
		id   pam.ChatID
	}{{"ana", "m2"}, {"bo", "m1"}, {"anam", "1"}} {
		if _, found, err := b.FindChat(t.Context(), of.user, of.id); found || err != nil {
			t.Errorf("%v: %v, %v", of, found, err)
		}
	}
}

func (b *bench) chatsInOneBatch() {
	t := b.t
	b.must(appendOf(key("c"), deltas(1, 1)...))
	one, two := appendOf(key("c"), deltas(2, 2)...), appendOf(key("d"), deltas(1, 1)...)
	one.Chat, two.Chat = chatOf("m1", "c", "hello", 2), chatOf("m1", "d", "hello", 1)
	three := appendOf(key("c"), deltas(3, 3)...)
	errs := b.all(&one, &two, &three)
	var known *pam.ChatKnownError
	if errs[0] != nil || !errors.As(errs[1], &known) || errs[2] != nil {
		t.Fatalf("outcomes: %v", errs)
	}
	same(t, "what is known", *one.Chat, known.Chat)
	if _, err := b.Load(t.Context(), key("d")); pam.CodeOf(err) != pam.CodeNotFound {
		t.Errorf("the refused one made a conversation: %v", err)
	}
}

// refusedLeavesNoTrace: neither its key, nor its number, nor its context of
// the batch.
func (b *bench) refusedLeavesNoTrace() {
	t := b.t
	bad := appendOf(key("c"), deltas(2, 2)...)
	bad.Chat = chatOf("m1", "c", "hello", 2)
	good := appendOf(key("c"), deltas(1, 1)...)
	after := appendOf(key("c"), deltas(2, 3)...)
	errs := b.all(&bad, &good, &after)
	if !errors.Is(errs[0], pam.ErrSuperseded) || errs[1] != nil || errs[2] != nil {
		t.Fatalf("outcomes: %v", errs)
	}
	if _, found, _ := b.FindChat(t.Context(), "ana", "m1"); found {
		t.Error("a refusal keeps no key")
	}
	b.reopen()
	same(t, "live", deltas(1, 3), b.load(key("c")).Live)
}

// askedBeforeStop: what was asked before the stop has its outcome when Run
// has returned.
func (b *bench) askedBeforeStop() {
	t := b.t
	const n = 500
	var told int
	for i := range n {
		b.Append(&pam.Append{
			Key: key("c"), Events: deltas(int64(i+1), int64(i+1)),
			Done: func(err error) {
				if err != nil {
					t.Errorf("append %d: %v", i, err)
				}
				told++
			},
		})
	}
	b.stop()
	same(t, "outcomes", n, told)
	late := make(chan error, 1)
	b.Append(&pam.Append{Key: key("c"), Events: deltas(n+1, n+1), Done: func(err error) { late <- err }})
	select {
	case err := <-late:
		wantCode(t, "an append after the stop", err, pam.CodeStoreUnavailable)
	case <-time.After(patience):
		t.Error("an append after the stop has no outcome")
	}
	b.open()
	same(t, "head", int64(n), b.load(key("c")).Head)
}

func (b *bench) cancelled() {
	t := b.t
	b.must(wholeTurn(key("c")))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.Load(ctx, key("c"))
	if !errors.Is(err, context.Canceled) || pam.CodeOf(err) != pam.CodeStoreUnavailable {
		t.Errorf("load: %v", err)
	}
	_, err = b.UpdateContext(ctx, pam.Session{User: "ana", ID: "s"}, func(old []byte) ([]byte, error) {
		return slices.Clone(old), nil
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("update: %v", err)
	}
	if snap := b.load(key("c")); snap.Head != 4 {
		t.Errorf("the next reader is harmed: %+v", snap)
	}
}
