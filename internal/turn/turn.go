// Package turn runs one question to its answer: it puts the prompt together,
// asks the model, calls the tools it asks for, and says all of it through a
// [Writer].
//
// It owns the loop and its limits: deadlines for the first token, between
// tokens, for a tool and for the whole, the retry, the steps, the size of the
// answer. Every end is said once and truthfully; a panic of a model or a tool
// ends the turn and nothing else. It never stores anything, never gives a
// number to an event, and never starts a turn by itself.
package turn

import (
	"context"
	"encoding/json"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/pam-assistant/pam"
)

// Model answers prompts.
type Model interface {
	// Name is what `chat_response_start.model` says.
	Name() string
	// Stream asks once, without a retry of its own, and hands what comes to
	// emit, from one goroutine, until the answer is whole. An error of emit
	// ends it. It returns soon after ctx ends, and then nothing is still
	// asking on its behalf. Calls are emitted whole, with a JSON object.
	Stream(ctx context.Context, p *pam.Prompt, emit func(pam.Chunk) error) error
}

// Tools is what a model may call.
type Tools interface {
	Specs() []pam.ToolSpec
	// Call runs one call to its end. An error's [pam.Error.Message] is told to
	// the model and the user; other errors are for the log.
	Call(ctx context.Context, s pam.Session, name string, args json.RawMessage) (string, error)
}

// Knowledge is what PAM knows of a user.
type Knowledge interface {
	Context(ctx context.Context, s pam.Session) (pam.Context, error)
	Memories(ctx context.Context, u pam.UserID) ([]pam.Memory, error)
}

// Writer takes what a turn says. Its errors mean that the turn is over for
// others (cancelled, superseded): the runner then just stops. One with the
// code store_unavailable or store_full is said in a Complete, tried once.
type Writer interface {
	// Append returns when body is committed.
	Append(ctx context.Context, body pam.EventBody) error
	// Delta does not wait for the commit; it blocks for backpressure alone,
	// and no longer than the turn lives.
	Delta(text string) error
	// Progress is not durable and must not block. It may be called while
	// Append or Delta are under way, never after Complete is appended.
	Progress(phase string, elapsed time.Duration)
}

// History is a conversation's past.
type History interface {
	// Earlier returns the turns before the one whose question has the number
	// before, newest first, of together about maxBytes of the journal; more is
	// how many there are beyond them.
	Earlier(ctx context.Context, before int64, maxBytes int) (turns []pam.Turn, more int, err error)
}

// Conversation is the turn in its conversation.
type Conversation interface {
	Writer
	History
}

// Observer is told how turns went. It must not block.
type Observer interface {
	TurnDone(Done)
}

// Done is how a turn went.
type Done struct {
	Key        pam.Key
	Turn       pam.TurnID
	Model      string
	Status     pam.TurnStatus
	Code       pam.Code      // zero unless it failed
	Steps      int           // requests to the model, without retries
	Retries    int           // requests that were made again
	FirstToken time.Duration // from the start of the turn; zero where none came
	Duration   time.Duration
	Usage      pam.Usage
}

// Limits bound a turn. A zero field is the default of [DefaultLimits].
type Limits struct {
	Context       int           // tokens of the model: PAM_MODEL_CONTEXT
	Answer        int           // bytes of text: PAM_MAX_ANSWER
	Steps         int           // requests to the model
	Calls         int           // of tools, together
	FirstToken    time.Duration // of each request
	BetweenTokens time.Duration
	Tool          time.Duration // one call
	Turn          time.Duration // the whole
	Progress      time.Duration // between signs of life to the client
}

// DefaultLimits returns what holds where nothing is said.
func DefaultLimits() Limits {
	return Limits{
		Context:       32_768,
		Answer:        256 << 10,
		Steps:         8,
		Calls:         32,
		FirstToken:    60 * time.Second,
		BetweenTokens: 30 * time.Second,
		Tool:          30 * time.Second,
		Turn:          10 * time.Minute,
		Progress:      5 * time.Second,
	}
}

// or returns l with the default for every field that is not positive.
func (l Limits) or(d Limits) Limits {
	return Limits{
		Context:       positive(l.Context, d.Context),
		Answer:        positive(l.Answer, d.Answer),
		Steps:         positive(l.Steps, d.Steps),
		Calls:         positive(l.Calls, d.Calls),
		FirstToken:    positive(l.FirstToken, d.FirstToken),
		BetweenTokens: positive(l.BetweenTokens, d.BetweenTokens),
		Tool:          positive(l.Tool, d.Tool),
		Turn:          positive(l.Turn, d.Turn),
		Progress:      positive(l.Progress, d.Progress),
	}
}

func positive[T int | time.Duration](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}

// Config is what a [Runner] needs. Observer alone may be nil.
type Config struct {
	Model        Model
	Tools        Tools
	Knowledge    Knowledge
	Instructions string // the operator's own: PAM_INSTRUCTIONS
	Limits       Limits
	Observer     Observer
	Log          *slog.Logger
	Now          func() time.Time
	NewID        func() string // ids of messages, and of calls that bring none of their own
}

// Runner runs turns, any number at once.
type Runner struct {
	Config
	offered []pam.ToolSpec
	specs   map[string]pam.ToolSpec // of offered, by name
	stuck   atomic.Int64            // calls that do not return though their time is over
}

// New returns a Runner. It asks for the tools' specs once, here.
func New(c Config) *Runner {
	c.Limits = c.Limits.or(DefaultLimits())
	r := &Runner{Config: c, offered: c.Tools.Specs(), specs: map[string]pam.ToolSpec{}}
	for _, s := range r.offered {
		r.specs[s.Name] = s
	}
	return r
}

// Run runs t, which the journal has as it is given here: on a restart with the
// attempts so far and with the parts that are kept, whose calls are not made
// again. It appends Start, then what comes, then Complete with Status, Usage,
// Error and ProcessingTime; the owner of the conversation knows the Parts.
//
// It returns without a Complete in two cases only: ctx ended, or w refused.
func (r *Runner) Run(ctx context.Context, t pam.Turn, key pam.Key, w Conversation) {
	x := newRun(r, t, key, w)
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	x.watch.start(cancel)
	err := x.guarded(inner)
	x.watch.stop()
	x.finish(ctx, err)
}

// guarded is answer, with a panic of its own as an error: those of models and
// tools are caught nearer to them.
func (x *run) guarded(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked("turn.run", p, debug.Stack())
		}
	}()
	return x.answer(ctx)
}
