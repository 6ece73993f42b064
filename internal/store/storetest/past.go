package storetest

import (
	"github.com/pam-assistant/pam"
)

// wholeTurn is a turn of two deltas, folded in its one append: what is kept is
// the question (1) and the end, which has taken over 2..4.
func wholeTurn(k pam.Key) pam.Append {
	return pam.Append{
		Key: k,
		Events: []pam.Record{
			record(1, 1, pam.KindUserMessage, "t1"),
			record(2, 2, pam.KindDelta, "t1"),
			record(3, 3, pam.KindDelta, "t1"),
			record(4, 4, pam.KindComplete, "t1"),
		},
		Fold: &pam.Fold{
			Through: 4,
			Keep: []pam.Record{
				record(1, 1, pam.KindUserMessage, "t1"),
				record(2, 4, pam.KindComplete, "t1"),
			},
			Turns: 1,
			Title: "Un titre — with ünïcode",
		},
	}
}

func (b *bench) fold() {
	t := b.t
	k := key("c")
	b.must(appendOf(k, record(1, 1, pam.KindUserMessage, "t1")))
	b.must(appendOf(k, deltas(2, 3)...))
	end := appendOf(k, record(4, 4, pam.KindComplete, "t1"))
	end.Fold = wholeTurn(k).Fold
	b.must(end)
	for range 2 {
		snap := b.load(k)
		same(t, "snapshot", &pam.Snapshot{
			Head: 4, Folded: 4, Turns: 1, Title: end.Fold.Title,
			Created: snap.Created, Updated: snap.Updated,
		}, snap)
		if snap.Created.IsZero() || snap.Updated.Before(snap.Created) {
			t.Errorf("created %v, updated %v", snap.Created, snap.Updated)
		}
		got, err := b.Read(t.Context(), k, 0, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "what is kept", end.Fold.Keep, got)
		b.reopen()
	}
	same(t, "unfinished", 0, len(b.Unfinished()))
	b.must(appendOf(k, deltas(5, 5)...))
	same(t, "live", deltas(5, 5), b.load(k).Live)
}

func (b *bench) foldMisuse() {
	t := b.t
	k := key("c")
	b.must(appendOf(k, deltas(1, 3)...))
	for name, f := range map[string]pam.Fold{
		"beyond the head":   {Through: 4, Keep: []pam.Record{record(1, 4, pam.KindDelta, "t1")}},
		"a hole":            {Through: 3, Keep: []pam.Record{record(1, 1, pam.KindDelta, "t1"), record(3, 3, pam.KindDelta, "t1")}},
		"not from the left": {Through: 3, Keep: []pam.Record{record(2, 3, pam.KindDelta, "t1")}},
		"not to the end":    {Through: 3, Keep: []pam.Record{record(1, 2, pam.KindDelta, "t1")}},
		"nothing kept":      {Through: 3},
	} {
		wantCode(t, name, b.try(pam.Append{Key: k, Fold: &f}), pam.CodeInternal)
	}
	same(t, "live", deltas(1, 3), b.load(k).Live)
	got, err := b.Read(t.Context(), k, 0, 1<<20)
	if err != nil || len(got) != 0 {
		t.Errorf("kept: %v, %v", got, err)
	}
}

// foldPartly folds a turn while the next one's question waits already, and
// goes on in the same append.
func (b *bench) foldPartly() {
	t := b.t
	k := key("c")
	b.must(appendOf(k,
		record(1, 1, pam.KindUserMessage, "t1"),
		record(2, 2, pam.KindDelta, "t1"),
		record(3, 3, pam.KindUserMessage, "t2")))
	end := appendOf(k,
		record(4, 4, pam.KindComplete, "t1"),
		record(5, 5, pam.KindStart, "t2"),
		record(6, 6, pam.KindDelta, "t2"))
	end.Fold = &pam.Fold{Through: 4, Turns: 1, Keep: []pam.Record{
		record(1, 1, pam.KindUserMessage, "t1"),
		record(2, 3, pam.KindUserMessage, "t2"),
		record(4, 4, pam.KindComplete, "t1"),
	}}
	b.must(end)
	later := record(7, 7, pam.KindDelta, "t2")
	b.must(appendOf(k, later))
	for range 2 {
		snap := b.load(k)
		same(t, "folded", int64(4), snap.Folded)
		same(t, "head", int64(7), snap.Head)
		same(t, "live", append(end.Events[1:3:3], later), snap.Live)
		got, err := b.Read(t.Context(), k, 1, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "kept after 1", end.Fold.Keep[1:], got)
		b.reopen()
		same(t, "unfinished", []pam.Key{k}, b.Unfinished())
	}
}

func (b *bench) pages() {
	t := b.t
	k := key("c")
	const n = 20
	all := deltas(1, n)
	b.must(pam.Append{Key: k, Events: all, Fold: &pam.Fold{Through: n, Keep: all, Turns: 1}})
	size := len(all[0].JSON)
	var got []pam.Record
	for after, rounds := int64(0), 0; rounds <= n; rounds++ {
		page, err := b.Read(t.Context(), k, after, 3*size)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		if len(page) > 3 {
			t.Fatalf("a page of %d events", len(page))
		}
		got = append(got, page...)
		after = page[len(page)-1].Seq
	}
	same(t, "pages, ascending", all, got)
	page, err := b.Read(t.Context(), k, 5, 1)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "an event greater than a page", all[5:6], page)

	page, err = b.Earlier(t.Context(), k, 10, 3*size)
	if err != nil {
		t.Fatal(err)
	}
	want := []pam.Record{all[8], all[7], all[6]}
	same(t, "earlier, newest first", want[:len(page)], page)
	if page, err = b.Earlier(t.Context(), k, 1, 1<<20); err != nil || len(page) != 0 {
		t.Errorf("earlier than the first: %v, %v", page, err)
	}
}

func (b *bench) liveTail() {
	t := b.t
	folded, live := key("a"), key("b")
	b.must(wholeTurn(folded))
	b.must(appendOf(live, deltas(1, 2)...))
	b.must(appendOf(folded, deltas(5, 5)...))
	b.must(appendOf(live, deltas(3, 3)...))
	want := map[pam.Key][]pam.Record{folded: deltas(5, 5), live: deltas(1, 3)}
	for round := range 3 {
		for k, events := range want {
			same(t, string(k.Conversation), events, b.load(k).Live)
		}
		b.reopen()
		same(t, "unfinished", []pam.Key{folded, live}, b.Unfinished())
		for k, events := range want {
			next := deltas(events[len(events)-1].Seq+1, events[len(events)-1].Seq+1)
			b.must(appendOf(k, next...))
			want[k] = append(events, next...)
		}
		if round == 1 {
			end := pam.Append{Key: live, Fold: &pam.Fold{Through: 4, Keep: []pam.Record{record(1, 4, pam.KindComplete, "t1")}}}
			b.must(end)
			want[live] = want[live][4:]
		}
	}
}

func (b *bench) usersApart() {
	t := b.t
	ana, bo := key("c"), pam.Key{User: "bo", Conversation: "c"}
	b.must(wholeTurn(ana))
	b.must(appendOf(bo, deltas(1, 1)...))
	same(t, "ana's", int64(4), b.load(ana).Head)
	same(t, "bo's", int64(1), b.load(bo).Head)
	got, err := b.Read(t.Context(), bo, 0, 1<<20)
	if err != nil || len(got) != 0 {
		t.Errorf("bo reads %v, %v", got, err)
	}
}

func (b *bench) unknownAndDeleted() {
	t := b.t
	gone, never := key("gone"), key("never")
	a := wholeTurn(gone)
	a.Chat = chatOf("m1", "gone", "hello", 1)
	b.must(a)
	live := key("live")
	b.must(appendOf(live, deltas(1, 2)...))
	b.stop()
	b.opener.Delete(t, b.place, gone)
	b.opener.Delete(t, b.place, live)
	b.open()
	for k, code := range map[pam.Key]pam.Code{
		gone: pam.CodeConversationDeleted, live: pam.CodeConversationDeleted, never: pam.CodeNotFound,
	} {
		_, err := b.Load(t.Context(), k)
		wantCode(t, "load "+string(k.Conversation), err, code)
		_, err = b.Read(t.Context(), k, 0, 1<<20)
		wantCode(t, "read "+string(k.Conversation), err, code)
		_, err = b.Earlier(t.Context(), k, 9, 1<<20)
		wantCode(t, "earlier "+string(k.Conversation), err, code)
	}
	same(t, "unfinished", 0, len(b.Unfinished()))
	wantCode(t, "append", b.try(appendOf(gone, deltas(5, 5)...)), pam.CodeConversationDeleted)
	wantCode(t, "append", b.try(appendOf(live, deltas(3, 3)...)), pam.CodeConversationDeleted)
	if _, found, err := b.FindChat(t.Context(), "ana", "m1"); err != nil || !found {
		t.Errorf("a key outlives its conversation: %v, %v", found, err)
	}
}

// waiting: a fold names the messages whose turns are not over; they come with
// the snapshot, and make the conversation unfinished without a live tail.
func (b *bench) waiting() {
	t := b.t
	k := key("c")
	first, second, third := record(1, 1, pam.KindUserMessage, "t1"),
		record(2, 2, pam.KindUserMessage, "t2"), record(3, 3, pam.KindUserMessage, "t3")
	b.must(appendOf(k, first, second, third))
	end := appendOf(k, record(4, 4, pam.KindComplete, "t1"))
	end.Fold = &pam.Fold{
		Through: 4, Turns: 1, Keep: []pam.Record{first, second, third, end.Events[0]},
		Waiting: []pam.Record{second, third},
	}
	b.must(end)
	for range 2 {
		same(t, "waiting", []pam.Record{second, third}, b.load(k).Waiting)
		b.reopen()
		same(t, "unfinished", []pam.Key{k}, b.Unfinished())
	}
	b.must(appendOf(k, record(5, 5, pam.KindStart, "t2")))
	same(t, "waiting beside a live tail", []pam.Record{second, third}, b.load(k).Waiting)
	end = appendOf(k, record(6, 6, pam.KindComplete, "t2"))
	end.Fold = &pam.Fold{Through: 6, Turns: 2, Waiting: []pam.Record{third}, Keep: []pam.Record{
		record(5, 5, pam.KindStart, "t2"), end.Events[0],
	}}
	b.must(end)
	b.reopen()
	same(t, "waiting still", []pam.Record{third}, b.load(k).Waiting)
	end = appendOf(k, record(7, 7, pam.KindComplete, "t3"))
	end.Fold = &pam.Fold{Through: 7, Turns: 3, Keep: end.Events}
	b.must(end)
	b.reopen()
	same(t, "waiting no more", 0, len(b.load(k).Waiting))
	same(t, "finished", 0, len(b.Unfinished()))
	lost := pam.Append{Key: k, Events: deltas(8, 8), Fold: &pam.Fold{
		Through: 8, Keep: deltas(8, 8), Waiting: deltas(9, 9),
	}}
	wantCode(t, "what waits is not kept", b.try(lost), pam.CodeInternal)
}

func (b *bench) turns() {
	t := b.t
	k := key("c")
	b.must(wholeTurn(k))
	b.must(appendOf(k, record(5, 5, pam.KindUserMessage, "t2")))
	got, final, found, err := b.FindTurn(t.Context(), "ana", "t1")
	if err != nil || !found || got != k || final != 4 {
		t.Errorf("t1: %v %d %v %v", got, final, found, err)
	}
	for user, turn := range map[pam.UserID]pam.TurnID{"bo": "t1", "ana": "t2", "cy": ""} {
		if got, _, found, err := b.FindTurn(t.Context(), user, turn); found || err != nil {
			t.Errorf("%s's %q: %v, %v", user, turn, got, err)
		}
	}
	b.stop()
	b.opener.Delete(t, b.place, k)
	b.open()
	if _, _, found, err = b.FindTurn(t.Context(), "ana", "t1"); found || err != nil {
		t.Errorf("of a deleted conversation: %v, %v", found, err)
	}
}
