package conversation

import (
	"github.com/pam-assistant/pam"
)

// answer builds the parts of a turn, as [pam.Apply] does, without copying the
// text at every delta.
type answer struct {
	done []pam.Part // all but the open text
	open []byte     // the text that the next delta continues
}

func (a *answer) apply(body pam.EventBody) {
	if d, ok := body.(pam.Delta); ok {
		a.open = append(a.open, d.Content...)
		return
	}
	a.set(pam.Apply(a.parts(), body))
}

// set takes parts as the answer so far.
func (a *answer) set(parts []pam.Part) {
	a.done, a.open = parts, nil
	if last := len(parts) - 1; last >= 0 && parts[last].Call == nil {
		a.done, a.open = parts[:last:last], []byte(parts[last].Text)
	}
}

// parts returns the answer so far; the caller may keep it.
func (a *answer) parts() []pam.Part {
	parts := append([]pam.Part(nil), a.done...)
	if len(a.open) > 0 {
		parts = append(parts, pam.Part{Text: string(a.open)})
	}
	return parts
}
