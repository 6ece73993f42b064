package gateway

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/wire"
)

// ServeFrame takes one client frame by HTTP and answers with the frame that
// would have answered it (docs/protocol.md, "Endpoints").
func (g *Gateway) ServeFrame(w http.ResponseWriter, r *http.Request) {
	p, err := g.asker(w, r, http.MethodPost)
	if err != nil {
		g.deny(w, err, wire.About{})
		return
	}
	frame, err := request(w, r, "")
	if err != nil {
		g.deny(w, err, wire.About{})
		return
	}
	// What is asked is done, though its asker leaves.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), requestTime)
	defer cancel()
	answer, about, err := g.frame(ctx, p.User, frame)
	if err != nil {
		g.deny(w, err, about)
		return
	}
	reply(w, http.StatusOK, answer)
}

// frame does what a frame asks for and returns the answer.
func (g *Gateway) frame(ctx context.Context, user pam.UserID, frame wire.Request) ([]byte, wire.About, error) {
	switch f := frame.(type) {
	case wire.Chat:
		accepted, about, err := g.submit(ctx, user, f)
		return accepted.Message.JSON, about, err
	case wire.Cancel:
		answer, err := g.cancelled(ctx, user, f)
		return answer, wire.About{Conversation: f.Conversation}, err
	case wire.ContextUpdate:
		version, err := g.Contexts.Merge(ctx, sessionOf(user, f.Session), f.Context)
		return wire.AppendContextUpdated(nil, version), wire.About{}, err
	case wire.Init: // its conversations are read by their own addresses
		session := sessionOf(user, f.Session)
		version, err := g.Contexts.Merge(ctx, session, f.Context)
		return wire.AppendInitAck(nil, session.ID, version), wire.About{}, err
	case wire.Ping, wire.Pong, wire.Auth, wire.Subscribe, wire.Unsubscribe:
	}
	return nil, wire.About{}, &pam.Error{
		Code:   pam.CodeInvalid,
		Hint:   "Send ping, pong, auth, subscribe and unsubscribe on a WebSocket; events are read at conversations/{id}/events.",
		Detail: "type: is not for HTTP",
	}
}

// submit has a message accepted, and says what an error would be about.
func (g *Gateway) submit(ctx context.Context, user pam.UserID, f wire.Chat) (pam.Accepted, wire.About, error) {
	if f.ID == "" {
		f.ID = pam.ChatID(uuid.UUID(g.NewID()).String())
	}
	accepted, err := g.Conversations.Chat(ctx, pam.ChatRequest{
		User: user, ID: f.ID, Conversation: f.Conversation, Message: f.Message,
		Session: sessionOf(user, f.Session).ID, WhenBusy: f.WhenBusy, Context: []byte(f.Context),
	})
	about := wire.About{ID: f.ID, Conversation: f.Conversation}
	if err == nil {
		about.Conversation = accepted.Key.Conversation
	}
	return accepted, about, err
}

// cancelled ends what f says and returns the array of the final events.
func (g *Gateway) cancelled(ctx context.Context, user pam.UserID, f wire.Cancel) ([]byte, error) {
	var (
		cancelled pam.Cancelled
		err       error
	)
	if f.Turn != "" {
		cancelled, err = g.Conversations.Cancel(ctx, user, f.Turn)
	} else {
		cancelled, err = g.Conversations.CancelAll(ctx, pam.Key{User: user, Conversation: f.Conversation})
	}
	if err != nil {
		return nil, err
	}
	answer := []byte{'['}
	for i := range cancelled.Finals {
		if final := &cancelled.Finals[i]; final.Kind == pam.KindComplete {
			if len(answer) > 1 {
				answer = append(answer, ',')
			}
			answer = append(answer, final.JSON...)
		}
	}
	return append(answer, ']'), nil
}

// sessionOf is the session that a request names, or the default.
func sessionOf(user pam.UserID, id pam.SessionID) pam.Session {
	if id == "" {
		id = pam.DefaultSession
	}
	return pam.Session{User: user, ID: id}
}
