package client

import (
	"context"
	"encoding/json"
	"iter"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/wire"
)

// Message is a question.
type Message struct {
	Text string // 1 to 32,768 characters

	// ID is the idempotency key, for ever, per user; a UUIDv7 where it is
	// empty. Whoever keeps messages over a restart of the process brings its
	// own: the same ID with the same Text never asks twice.
	ID pam.ChatID
	// Conversation is the one to go on with; empty: a new one.
	Conversation pam.ConversationID

	WhenBusy pam.WhenBusy    // where the conversation has a running turn
	Context  json.RawMessage // a merge patch to merge first; nil: none
}

// Update is an answer so far.
type Update struct {
	// Turn has what the journal has; its Status is zero until it is over. It
	// is zero until the server has acknowledged the message.
	Turn pam.Turn
	// Phase and Elapsed say what the server does while nothing else comes.
	Phase   string
	Elapsed time.Duration
	// Trouble says why the server has not taken the message yet; it is tried
	// again. Nil where there is none.
	Trouble *pam.Error
}

// Answer is a message on its way, and what comes back.
type Answer struct {
	client  *Client
	message Message
	cell    cell[Update]

	// What follows belongs to the loop.
	turn      pam.TurnID // once it is acknowledged
	acked     bool
	sent      bool      // the server may have it
	sentAt    time.Time // on the present connection; zero where it was not
	tries     int       // refusals that may pass
	retryAt   time.Time
	cancelled bool
}

// Chat asks. It returns once the message is in the outbox: from there it is
// sent, and sent again under the same ID after each reconnect, until the server
// has taken it or refused it for good. It fails with a *pam.Error of code
// invalid or overloaded (the outbox is full), and where the client has ended.
// Run must be running, or it waits.
func (c *Client) Chat(ctx context.Context, m Message) (*Answer, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	a := &Answer{client: c, message: m}
	var err error
	added := make(chan struct{})
	if doErr := c.do(ctx, func(l *loop) { err = l.chat(a); close(added) }); doErr != nil {
		return nil, doErr
	}
	<-added
	if err != nil {
		return nil, err
	}
	return a, nil
}

// check fills in what is left out, and refuses what the server would.
func (m *Message) check() error {
	invalid := func(detail string) error {
		return explain(&pam.Error{Code: pam.CodeInvalid, Op: "client.chat", Detail: detail})
	}
	if m.ID == "" {
		m.ID = pam.ChatID(newID())
	}
	if m.Conversation == "" {
		m.Conversation = pam.ConversationID(newID())
	}
	switch n := utf8.RuneCountInString(m.Text); {
	case strings.TrimSpace(m.Text) == "":
		return invalid("message: is empty")
	case n > wire.MaxMessage:
		return invalid("message: has more than 32,768 characters")
	case !utf8.ValidString(m.Text):
		return invalid("message: is not valid UTF-8")
	case !pam.ValidID(string(m.ID)):
		return invalid("id: is not 1 to 64 of [A-Za-z0-9._:-]")
	case !pam.ValidID(string(m.Conversation)):
		return invalid("conversation_id: is not 1 to 64 of [A-Za-z0-9._:-]")
	}
	return nil
}

// newID returns an id as the server makes them.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

// ID is the message's idempotency key.
func (a *Answer) ID() pam.ChatID { return a.message.ID }

// Conversation is where the message was asked.
func (a *Answer) Conversation() pam.ConversationID { return a.message.Conversation }

// Updates yields the answer as it grows, up to the last. Each update has the
// whole answer so far: where the caller is slow it misses steps, never text;
// and text may be taken back, after a restart of the provider. An error ends
// it: the refusal of the message, ErrClosed, or the cause of ctx.
func (a *Answer) Updates(ctx context.Context) iter.Seq2[Update, error] {
	return a.cell.all(ctx)
}

// Wait returns the whole turn. Its error is a *pam.Error where the message was
// refused or the turn failed; a turn that was cancelled or interrupted is none:
// its Status says it.
func (a *Answer) Wait(ctx context.Context) (pam.Turn, error) {
	var last Update
	for u, err := range a.Updates(ctx) {
		if err != nil {
			return u.Turn, err
		}
		last = u
	}
	if f := last.Turn.Error; f != nil {
		return last.Turn, &pam.Error{Code: f.Code, Op: "client.answer", Message: f.Message, Hint: f.Hint}
	}
	return last.Turn, nil
}

// Cancel asks the server to end the turn; Updates then ends with a Turn of
// status cancelled, or with how it ended before that. A message that was not
// sent yet is taken back.
func (a *Answer) Cancel(ctx context.Context) error {
	return a.client.do(ctx, func(l *loop) { l.cancelAnswer(a) })
}

// frame is the message as it is sent.
func (a *Answer) frame(session pam.SessionID) wire.Request {
	return wire.Chat{
		ID: a.message.ID, Conversation: a.message.Conversation, Message: a.message.Text, Stream: true,
		WhenBusy: a.message.WhenBusy, Session: session, Context: []byte(a.message.Context),
	}
}
