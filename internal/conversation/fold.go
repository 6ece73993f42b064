package conversation

import "github.com/pam-assistant/pam"

// fold returns what is kept of the conversation now that the turn that ran is
// over: all up to through without deltas, whose numbers the next kept event
// takes over, of whatever turn that is (docs/protocol.md, "Order and resume",
// 2). The final event of the turn is the last of the live ones up to through.
// The caller holds a.mu and has sealed them.
func (a *actor) fold(through int64) *pam.Fold {
	f := &pam.Fold{Through: through, Turns: a.turnsOver, Title: a.title}
	var from int64
	for i := range a.live {
		e := &a.live[i]
		if e.Seq > through {
			break
		}
		if e.Seq <= a.folding { // by the fold before this one, whose commit is awaited
			continue
		}
		if e.Kind == pam.KindDelta {
			if from == 0 {
				from = e.From
			}
			continue
		}
		kept := e.Record
		if from != 0 {
			taken := entry{event: e.event}
			taken.event.From, from = from, 0
			taken.seal(a.hub.Codec)
			kept = taken.Record
		}
		f.Keep = append(f.Keep, kept)
	}
	f.Waiting = a.unfinished(through)
	a.folding = through
	return f
}

// unfinished returns the messages of the turns that are not over, as far as
// they are said by through.
func (a *actor) unfinished(through int64) []pam.Record {
	var records []pam.Record
	for _, entries := range [][]entry{a.waiting, a.live} {
		for _, e := range entries {
			if e.Kind == pam.KindUserMessage && e.Seq <= through && a.question(e.Turn) != nil {
				records = append(records, e.Record)
			}
		}
	}
	return records
}

// forget lets go of what is folded, once that is committed. The caller holds a.mu.
func (a *actor) forget(f *pam.Fold) {
	unfinished := a.waiting[:0:0]
	for _, r := range f.Waiting {
		for _, entries := range [][]entry{a.waiting, a.live} {
			for _, e := range entries {
				if e.Seq == r.Seq {
					unfinished = append(unfinished, e)
				}
			}
		}
	}
	later := 0
	for later < len(a.live) && a.live[later].Seq <= f.Through {
		if e := &a.live[later]; e.Kind == pam.KindComplete {
			a.hub.over(a.key, e.Turn) // from here on the store finds it
		}
		later++
	}
	a.live = append([]entry(nil), a.live[later:]...)
	if len(a.live) == 0 {
		a.live = nil
	}
	a.waiting, a.folded, a.foldedOver = unfinished, f.Through, f.Turns
}
