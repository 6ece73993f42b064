package conversation

import (
	"context"

	"github.com/pam-assistant/pam"
)

// earlier builds turns of the past out of their events, newest first. A turn
// whose message lies beyond what was read is left out. It is read from the end:
// the answers before a message that waited come after it.
func (a *actor) earlier(ctx context.Context, maxBytes int) ([]pam.Turn, error) {
	records, err := a.hub.Past.Earlier(ctx, a.key, 1<<62, maxBytes)
	if err != nil {
		return nil, err
	}
	var turns []pam.Turn
	finals := map[pam.TurnID]pam.Complete{}
	for _, r := range records {
		switch r.Kind { //nolint:exhaustive // an answer's final event has all of it
		case pam.KindComplete, pam.KindUserMessage:
		default:
			continue
		}
		e, err := a.hub.Codec.Decode(a.key.User, r.JSON)
		if err != nil {
			return nil, &pam.Error{Code: pam.CodeStoreUnavailable, Op: "conversation.earlier", Err: err}
		}
		switch b := e.Body.(type) { //nolint:gochecksumtype // as above
		case pam.Complete:
			finals[e.Turn] = b
		case pam.UserMessage:
			if final, ok := finals[e.Turn]; ok {
				turns = append(turns, pam.Turn{
					ID: e.Turn, Chat: b.ID, Session: b.Session, Message: b.Message, Seq: e.Seq, At: e.At,
					Parts: final.Parts, Status: final.Status, Usage: final.Usage, Error: final.Error,
				})
			}
		}
	}
	return turns, nil
}
