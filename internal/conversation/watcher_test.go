package conversation_test

import (
	"sync"
	"time"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/client"
	"github.com/pam-assistant/pam/internal/conversation"
	"github.com/pam-assistant/pam/internal/wire"
)

// reader watches a conversation as a connection of the gateway does: it takes
// what follows its cursor, and reads the rest by Replay where it lags. What it
// takes goes through the client's own rules.
type reader struct {
	w     *world
	key   pam.Key
	watch *conversation.Watch
	quit  chan struct{}
	done  chan struct{}

	mu      sync.Mutex
	cursor  int64
	lags    bool
	holding bool // does not read
	taken   []pam.Record
	holds   client.Conversation
	lost    int
}

// watching begins to watch from a cursor; 0 is the start.
func (w *world) watching(key pam.Key, holds client.Conversation) *reader {
	w.Helper()
	r := &reader{w: w, key: key, quit: make(chan struct{}), done: make(chan struct{}), holds: holds}
	ctx, cancel := patience()
	defer cancel()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holds.Ask()
	watch, p, err := w.hub.Watch(ctx, key, r, holds.Resume())
	if err != nil {
		w.Fatalf("watch: %v", err)
	}
	r.holds.Subscribe(client.Subscribed{Epoch: p.Epoch, Seq: p.Head, From: p.From, Reset: p.Reset})
	r.watch, r.cursor, r.lags = watch, p.From-1, true
	go r.pump()
	return r
}

// Deliver implements [conversation.Watcher].
func (r *reader) Deliver(_ pam.Key, records []pam.Record) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range records {
		switch {
		case r.lags || x.Seq <= r.cursor:
			continue
		case x.From > r.cursor+1:
			r.lags = true
			continue
		}
		r.cursor = x.Seq
		r.taken = append(r.taken, x)
		e, err := wire.DecodeEvent(r.key.User, x.JSON)
		if err != nil || e.From != x.From || e.Seq != x.Seq || e.Body.Kind() != x.Kind || e.Turn != x.Turn {
			r.w.Errorf("record %d..%d says %+v, %v", x.From, x.Seq, e, err)
		}
		if r.holds.Event(e) != client.Applied {
			r.lost++
		}
	}
	return true
}

// Progress implements [conversation.Watcher].
func (r *reader) Progress(pam.Key, pam.TurnID, string, time.Duration) {}

// Deleted implements [conversation.Watcher].
func (r *reader) Deleted(pam.Key) {}

// pump catches up where the reader lags.
func (r *reader) pump() {
	defer close(r.done)
	for {
		select {
		case <-r.quit:
			return
		default:
		}
		r.mu.Lock()
		due, after := r.lags && !r.holding, r.cursor
		if due {
			r.lags = false
		}
		r.mu.Unlock()
		if !due {
			time.Sleep(200 * time.Microsecond)
			continue
		}
		ctx, cancel := patience()
		live, err := r.watch.Replay(ctx, after)
		cancel()
		if err != nil {
			r.w.Errorf("replay after %d: %v", after, err)
			return
		}
		if !live {
			r.mu.Lock()
			r.lags = true
			r.mu.Unlock()
		}
	}
}

// lag drops what comes, as a full outbox does, until it reads again.
func (r *reader) lag(holding bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lags, r.holding = true, holding
}

// leave ends it.
func (r *reader) leave() {
	close(r.quit)
	<-r.done
	r.watch.Close()
}

// holding returns what the reader has.
func (r *reader) view() client.View {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.holds.View.Clone()
}

func (r *reader) records() []pam.Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]pam.Record(nil), r.taken...)
}

// over waits until the reader has the final event of turns of them.
func (r *reader) over(turns int) client.View {
	r.w.Helper()
	var v client.View
	r.w.eventually("every turn has its end", func() bool {
		v = r.view()
		n := 0
		for _, t := range v.Turns {
			if t.Status != 0 {
				n++
			}
		}
		return n >= turns && n == len(v.Turns)
	})
	return v
}

// shown waits until a turn of the message shows the text.
func (r *reader) shown(id pam.ChatID, text string) {
	r.w.Helper()
	r.w.eventually(string(id)+" shows "+text, func() bool {
		v := r.view()
		t, ok := v.Asked(id)
		return ok && pam.Text(t.Parts) == text
	})
}

// stored reads the conversation from the journal itself, and checks what must
// hold of every journal: no hole, no delta left, one end for each message.
func (w *world) stored(key pam.Key) (client.View, []pam.Record) {
	w.Helper()
	ctx, cancel := patience()
	defer cancel()
	snapshot, err := w.journal.Load(ctx, key)
	if err != nil {
		w.Fatalf("load: %v", err)
	}
	var records []pam.Record
	for after := int64(0); after < snapshot.Folded; after = records[len(records)-1].Seq {
		page, err := w.journal.Read(ctx, key, after, 4<<10)
		if err != nil || len(page) == 0 {
			w.Fatalf("read after %d of %d: %d records, %v", after, snapshot.Folded, len(page), err)
		}
		for _, x := range page {
			if x.Kind == pam.KindDelta {
				w.Errorf("delta %d is kept", x.Seq)
			}
		}
		records = append(records, page...)
	}
	records = append(records, snapshot.Live...)
	return w.checked(key, records), records
}

// checked builds the view of records, and checks them.
func (w *world) checked(key pam.Key, records []pam.Record) client.View {
	w.Helper()
	var v client.View
	last, ends := int64(0), map[pam.TurnID]int{}
	for _, x := range records {
		if x.From != last+1 || x.Seq < x.From {
			w.Errorf("a hole: %d..%d follows %d", x.From, x.Seq, last)
		}
		last = x.Seq
		e, err := wire.DecodeEvent(key.User, x.JSON)
		if err != nil || e.From != x.From || e.Seq != x.Seq {
			w.Errorf("record %d..%d says %+v, %v", x.From, x.Seq, e, err)
		}
		switch x.Kind {
		case pam.KindUserMessage:
			if _, ok := ends[x.Turn]; ok {
				w.Errorf("two messages of turn %s", x.Turn)
			}
			ends[x.Turn] = 0
		case pam.KindComplete:
			ends[x.Turn]++
		}
		if n, ok := ends[x.Turn]; x.Turn != "" && (!ok || n > 1 || n == 1 && x.Kind != pam.KindComplete) {
			w.Errorf("%v %d of turn %s: after %d ends, known %v", x.Kind, x.Seq, x.Turn, n, ok)
		}
		v.Apply(e)
	}
	return v
}

// kinds names what records are.
func kinds(records []pam.Record) []string {
	var all []string
	for _, x := range records {
		all = append(all, x.Kind.String())
	}
	return all
}

// statuses names how the turns ended, in order.
func statuses(v client.View) []string {
	var all []string
	for _, t := range v.Turns {
		all = append(all, t.Message+" "+t.Status.String()+": "+pam.Text(t.Parts))
	}
	return all
}

func anasTalk() pam.Key { return pam.Key{User: ana, Conversation: talk} }
