package tool

import "time"

// Standard returns the tools that every PAM has. The clock now is read once a
// call of current_time.
func Standard(now func() time.Time, contexts Contexts, memory Memory, units *Units) (*Set, error) {
	return NewSet(
		Calculate{},
		NewConvert(units),
		NewCurrentTime(now, contexts),
		NewRemember(memory),
		NewRecall(memory),
		NewForget(memory),
	)
}
