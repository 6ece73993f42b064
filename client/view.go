package client

import (
	"slices"

	"github.com/pam-assistant/pam"
)

// View is a conversation as a person sees it.
type View struct {
	Title string
	Turns []pam.Turn // in the order of their user_message
}

// Apply shows e, which the caller knows to be the next: [Conversation] decides
// that. An event without a body, of a type that this version does not know,
// changes nothing.
func (v *View) Apply(e pam.Event) {
	switch b := e.Body.(type) {
	case nil:
	case pam.ConversationUpdated:
		v.Title = b.Title
	case pam.UserMessage:
		t := v.turn(e.Turn)
		t.Chat, t.Session, t.Message, t.Seq, t.At = b.ID, b.Session, b.Message, e.Seq, e.At
	case pam.Start:
		v.turn(e.Turn).Attempt = b.Attempt
	case pam.Delta, pam.ToolCall, pam.ToolCallUpdate, pam.Reset:
		t := v.turn(e.Turn)
		t.Parts = pam.Apply(t.Parts, b)
	case pam.Complete:
		t := v.turn(e.Turn)
		t.Parts = pam.Apply(t.Parts, b)
		t.Status, t.Usage, t.Error = b.Status, b.Usage, b.Error
	}
}

// Turn returns the turn id, and whether there is one.
func (v *View) Turn(id pam.TurnID) (pam.Turn, bool) {
	if i := v.index(id); i >= 0 {
		return v.Turns[i], true
	}
	return pam.Turn{}, false
}

// Asked returns the turn that the message id began, and whether there is one.
func (v *View) Asked(id pam.ChatID) (pam.Turn, bool) {
	for _, t := range slices.Backward(v.Turns) {
		if t.Chat == id {
			return t, true
		}
	}
	return pam.Turn{}, false
}

// Clone returns a copy that later events do not change.
func (v *View) Clone() View { return View{Title: v.Title, Turns: slices.Clone(v.Turns)} }

// turn returns the turn id, which is made where it is not known yet.
func (v *View) turn(id pam.TurnID) *pam.Turn {
	i := v.index(id)
	if i < 0 {
		i = len(v.Turns)
		v.Turns = append(v.Turns, pam.Turn{ID: id})
	}
	return &v.Turns[i]
}

// index looks from the end: events are about the newest turns.
func (v *View) index(id pam.TurnID) int {
	for i, t := range slices.Backward(v.Turns) {
		if t.ID == id {
			return i
		}
	}
	return -1
}
