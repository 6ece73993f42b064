package gateway

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"strings"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/wire"
)

// ServeChat has one turn by HTTP (docs/protocol.md, "Endpoints"): it answers
// with the chat_response, or with the turn's events as they come where the
// client accepts text/event-stream. The turn runs on when the client leaves.
func (g *Gateway) ServeChat(w http.ResponseWriter, r *http.Request) {
	p, err := g.asker(w, r, http.MethodPost)
	if err != nil {
		g.deny(w, err, wire.About{})
		return
	}
	frame, err := request(w, r, "chat")
	if err != nil {
		g.deny(w, err, wire.About{})
		return
	}
	chat, ok := frame.(wire.Chat)
	if !ok {
		g.deny(w, &pam.Error{Code: pam.CodeInvalid, Hint: "Send other frames to " + wire.Path + "/frames.", Detail: "type: is not chat"}, wire.About{})
		return
	}
	leave, err := g.streams.hold(p.User, g.Limits)
	if err != nil {
		g.deny(w, err, wire.About{ID: chat.ID, Conversation: chat.Conversation})
		return
	}
	defer leave()
	g.turn(w, r, p, chat)
}

// turn asks for the turn and answers with it.
func (g *Gateway) turn(w http.ResponseWriter, r *http.Request, p pam.Principal, chat wire.Chat) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), requestTime)
	defer cancel()
	accepted, about, err := g.submit(ctx, p.User, chat)
	if err != nil {
		g.deny(w, err, about)
		return
	}
	a := &answer{turn: accepted.Turn, stream: acceptsEvents(r)}
	reads, _, err := g.read(ctx, accepted.Key, pam.Resume{}, a.wants)
	if err != nil {
		g.deny(w, err, about)
		return
	}
	defer reads.watch.Close()
	reads.cursor = accepted.Message.Seq - 1
	control := patient(w)
	if !a.stream {
		err := g.follow(r.Context(), reads, g.heldUntil(p), follower{take: a.collect})
		g.respond(w, a, about, err)
		return
	}
	a.sse = openSSE(w, control, g.Now)
	err = g.follow(r.Context(), reads, g.heldUntil(p), follower{take: a.send, quiet: a.sse.comment})
	if err != nil && !a.sse.broken && r.Context().Err() == nil {
		a.sse.field("data", wire.AppendError(nil, g.failure(overdue(err)), about))
		a.sse.end()
		_ = a.sse.flush() // whoever has left hears no reason
	}
}

// respond answers with the chat_response.
func (g *Gateway) respond(w http.ResponseWriter, a *answer, about wire.About, err error) {
	final, ok := a.final.Body.(pam.Complete)
	if err == nil && !ok {
		err = &pam.Error{Code: pam.CodeInternal, Op: "gateway.respond", Detail: "an answer without an end"}
	}
	if err != nil {
		g.deny(w, overdue(err), about)
		return
	}
	status := http.StatusOK
	if final.Error != nil {
		status = wire.Meaning(final.Error.Code).Status
	}
	reply(w, status, wire.AppendChatResponse(nil, wire.ChatResponse{
		Chat: about.ID, Conversation: about.Conversation, Message: a.start.MessageID,
		Turn: a.turn, Model: a.start.Model, Final: final,
		ProcessingTime: final.ProcessingTime, At: a.final.At,
	}))
}

// overdue says whose time is up: that of the token.
func overdue(err error) error {
	if errors.Is(err, errTime) {
		return &pam.Error{Code: pam.CodeTokenExpired, Op: "gateway.http"}
	}
	return err
}

// answer is one turn as a request waits for it.
type answer struct {
	turn   pam.TurnID
	stream bool
	sse    *sse
	start  pam.Start
	final  pam.Event
}

// wants says what of a conversation the answer is made of.
func (a *answer) wants(e *pam.Record) bool {
	return e.Turn == a.turn && (a.stream || e.Kind == pam.KindStart || e.Kind == pam.KindComplete)
}

// collect keeps what the chat_response is made of.
func (a *answer) collect(records []pam.Record, _ bool) (more bool, err error) {
	for i := range records {
		e, err := wire.DecodeEvent("", records[i].JSON)
		if err != nil {
			return false, err
		}
		if start, ok := e.Body.(pam.Start); ok {
			a.start = start
			continue
		}
		a.final = e
		return false, nil
	}
	return true, nil
}

// send sends the turn's events, up to its end.
func (a *answer) send(records []pam.Record, _ bool) (more bool, err error) {
	if len(records) == 0 {
		return true, nil
	}
	more = true
	for i := range records {
		a.sse.field("data", records[i].JSON)
		a.sse.end()
		if records[i].Kind == pam.KindComplete {
			more = false
			break
		}
	}
	return more, a.sse.flush()
}

// acceptsEvents reports whether a client wants server-sent events.
func acceptsEvents(r *http.Request) bool {
	for _, line := range r.Header.Values("Accept") {
		for entry := range strings.SplitSeq(line, ",") {
			media, parameters, err := mime.ParseMediaType(entry)
			if err == nil && media == "text/event-stream" && (parameters["q"] == "" || strings.Trim(parameters["q"], "0.") != "") {
				return true
			}
		}
	}
	return false
}
