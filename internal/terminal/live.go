package terminal

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/client"
)

// Terminal is the terminal that a conversation is shown on.
type Terminal struct {
	In    io.Reader // what is typed, byte for byte (raw mode); nil where nobody types
	Out   io.Writer
	Size  func() (columns, rows int)
	Color bool
}

// Talk is what is shown on it.
type Talk struct {
	Client       *client.Client
	Address      string
	Conversation pam.ConversationID
	Resume       bool            // show what was said in the conversation, and what other devices say
	Ask          *client.Message // ask this, and leave; nil: whoever types asks
}

// Times of the screen.
const (
	frameTime   = 16 * time.Millisecond  // between two drawings
	spinnerTime = 100 * time.Millisecond // between two steps of the spinner
)

// pastTurns bounds what is shown of what was said before.
const pastTurns = 20

// live is a conversation on a terminal. Its goroutine is Run's.
type live struct {
	t      Terminal
	k      Talk
	screen screen
	r      *renderer

	exchanges []*exchange // not printed to their end, in order
	known     map[pam.TurnID]bool
	editor    editor
	state     client.State
	met       bool
	talked    bool // something was asked here
	step      int  // of the spinner
	closing   bool // it ends once all is answered
	left      bool
	err       error

	above   strings.Builder // to be printed with the next drawing
	updates chan func()     // what other goroutines have to tell
	wait    sync.WaitGroup
}

// Run shows a conversation until whoever types leaves, the one question is
// answered, or ctx is done. Its error is that of the question, or why the
// client was refused.
func Run(ctx context.Context, t Terminal, k Talk) error {
	l := &live{t: t, k: k, screen: screen{w: t.Out, size: t.Size}, known: map[pam.TurnID]bool{}, updates: make(chan func())}
	columns, _ := t.Size()
	var err error
	if l.r, err = newRenderer(style{color: t.Color}, columns); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer l.wait.Wait()
	defer stop()
	return l.run(ctx)
}

func (l *live) run(ctx context.Context) error {
	keys := l.read(ctx)
	l.listen(ctx)
	if l.k.Ask != nil {
		l.ask(ctx, *l.k.Ask)
	}
	tick := time.NewTicker(spinnerTime)
	defer tick.Stop()
	var frame <-chan time.Time
	for !l.left {
		if frame == nil {
			frame = time.After(frameTime)
		}
		select {
		case <-ctx.Done():
			l.leave(ctx)
		case f := <-l.updates:
			f()
		case typed, ok := <-keys:
			if !ok { // nobody types any more: what was asked is still answered
				keys, l.closing = nil, true
			}
			for _, p := range typed {
				l.typed(ctx, p)
			}
		case <-tick.C:
			l.step++
		case <-frame:
			frame = nil
			if err := l.draw(); err != nil {
				return err
			}
		}
	}
	return errors.Join(l.err, l.finish())
}

// tell has the owner call f. It is false where the conversation is over.
func (l *live) tell(ctx context.Context, f func()) bool {
	select {
	case l.updates <- f:
		return true
	case <-ctx.Done():
		return false
	}
}

// read reads what is typed. (Its goroutine ends with the process: the read of
// a terminal cannot be interrupted.)
func (l *live) read(ctx context.Context) <-chan []press {
	if l.t.In == nil {
		return nil
	}
	keys := make(chan []press)
	go func() {
		defer close(keys)
		var reader keyReader
		buffer := make([]byte, 4<<10)
		for {
			n, err := l.t.In.Read(buffer)
			select {
			case keys <- reader.feed(buffer[:n]):
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return keys
}

// listen follows the connection and, where it is gone on with, the conversation.
func (l *live) listen(ctx context.Context) {
	l.wait.Go(func() {
		for state := range l.k.Client.States(ctx) {
			if !l.tell(ctx, func() { l.stateIs(state) }) {
				return
			}
		}
	})
	if !l.k.Resume {
		return
	}
	l.wait.Go(func() {
		w, err := l.k.Client.Open(ctx, l.k.Conversation)
		if err != nil {
			return
		}
		first := true
		for view, err := range w.Updates(ctx) {
			past := first
			first = false
			if !l.tell(ctx, func() { l.viewIs(view, err, past) }) {
				return
			}
		}
	})
}

// stateIs takes the connection's state.
func (l *live) stateIs(state client.State) {
	l.state = state
	switch s := state.(type) {
	case client.Connected:
		if !l.met && l.k.Ask == nil {
			l.above.WriteString(l.r.header(l.k.Address, s.ServerVersion))
		}
		l.met = true
	case client.Refused:
		l.err, l.left = s.Cause, true
	case client.Reconnecting:
		if l.k.Ask != nil && !l.met {
			l.err, l.left = s.Cause, true
		}
	case client.Closed:
		l.left = true
	case client.Connecting, client.Silent:
	}
}

// viewIs takes the conversation as the server has it: what was said before,
// and what other devices say.
func (l *live) viewIs(view client.View, err error, past bool) {
	if err != nil {
		if pam.CodeOf(err) == pam.CodeConversationDeleted {
			l.above.WriteString(l.r.failure(err) + "\n\n")
		}
		return
	}
	turns := view.Turns
	if past && len(turns) > pastTurns {
		for _, turn := range turns[:len(turns)-pastTurns] {
			l.known[turn.ID] = true
		}
		turns = turns[len(turns)-pastTurns:]
		l.above.WriteString(l.r.dim("… what was said before is not shown") + "\n\n")
	}
	for _, turn := range turns {
		l.turnIs(turn)
	}
}

// turnIs takes a turn that this terminal may not have asked for.
func (l *live) turnIs(turn pam.Turn) {
	for _, x := range l.exchanges {
		if x.answer != nil && x.answer.ID() == turn.Chat {
			l.known[turn.ID] = true
			return
		}
		if x.answer == nil && x.update.Turn.ID == turn.ID {
			x.update.Turn, x.over = turn, turn.Status != 0
			return
		}
	}
	if l.known[turn.ID] {
		return
	}
	l.known[turn.ID] = true
	l.exchanges = append(l.exchanges, &exchange{
		question: turn.Message, update: client.Update{Turn: turn}, over: turn.Status != 0, began: time.Now(),
	})
}

// ask sends a question.
func (l *live) ask(ctx context.Context, m client.Message) {
	x := &exchange{question: m.Text, began: time.Now()}
	if l.k.Ask != nil {
		x.asked, x.quiet = true, true // it stands in the shell's line
	}
	l.talked = true
	l.exchanges = append(l.exchanges, x)
	l.wait.Go(func() {
		a, err := l.k.Client.Chat(ctx, m)
		if err != nil {
			l.tell(ctx, func() { x.err, x.over = err, true })
			return
		}
		l.tell(ctx, func() { x.answer = a })
		for u, err := range a.Updates(ctx) {
			if !l.tell(ctx, func() { x.take(u, err) }) {
				return
			}
		}
	})
}

// take takes an update of the answer.
func (x *exchange) take(u client.Update, err error) {
	x.update, x.err = u, err
	x.over = err != nil || u.Turn.Status != 0
}

// typed takes a key.
func (l *live) typed(ctx context.Context, p press) {
	switch p.key {
	case keyNone:
		l.editor.insert(p.text)
	case keyEnter:
		if text := strings.TrimSpace(l.editor.enter()); text != "" {
			l.ask(ctx, client.Message{Text: text, Conversation: l.k.Conversation})
		}
	case keyInterrupt:
		l.interrupt(ctx)
	case keyLeave:
		if l.editor.empty() {
			l.left = true
			return
		}
		l.editor.press(keyDelete)
	case keyRedraw:
		l.screen.last = ""
	case keyNewLine, keyLeft, keyRight, keyUp, keyDown, keyHome, keyEnd, keyWordLeft, keyWordRight,
		keyBackspace, keyDelete, keyCutWord, keyCutStart, keyCutEnd:
		l.editor.press(p.key)
	}
}

// interrupt is Ctrl-C: it stops the answer, else clears what is typed, else leaves.
func (l *live) interrupt(ctx context.Context) {
	for _, x := range l.exchanges {
		if x.answer == nil || x.over {
			continue
		}
		if x.stopping {
			l.left = true
			return
		}
		x.stopping = true
		l.wait.Go(func() { _ = x.answer.Cancel(ctx) }) // where it fails, the client has ended, and that is shown
		return
	}
	if !l.editor.empty() {
		l.editor.reset()
		return
	}
	l.left = true
}

// leave is the end by ctx: what is being answered for this terminal is stopped.
func (l *live) leave(ctx context.Context) {
	l.left, l.err = true, context.Cause(ctx)
	if errors.Is(l.err, context.Canceled) {
		l.err = CancelledError{}
	}
	after, done := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
	defer done()
	for _, x := range l.exchanges {
		if x.answer == nil || x.over || x.answer.Cancel(after) != nil {
			continue
		}
		for u, err := range x.answer.Updates(after) {
			x.take(u, err)
		}
		x.over = true
	}
}

// draw prints what is finished, and draws the rest.
func (l *live) draw() error {
	for len(l.exchanges) > 0 {
		x := l.exchanges[0]
		l.above.WriteString(x.advance(l.r))
		if !x.over {
			break
		}
		l.exchanges = l.exchanges[1:]
		if l.k.Ask != nil {
			l.left = true
			l.err = x.failed()
		}
	}
	if l.closing && len(l.exchanges) == 0 {
		l.left = true
	}
	above := l.above.String()
	l.above.Reset()
	lines, at := l.region()
	return l.screen.paint(above, lines, at)
}

// region is what is drawn anew each time: the open answer, what waits behind
// it, the connection where it is not well, and the line that is typed.
func (l *live) region() ([]string, cursor) {
	var lines []string
	now := time.Now()
	spinner := string([]rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")[l.step%10])
	for i, x := range l.exchanges {
		if i == 0 {
			_, connected := l.state.(client.Connected)
			lines = append(lines, x.open(l.r, now, spinner, connected)...)
			continue
		}
		lines = append(lines, indent+l.r.dim("· waits: "+oneLine(x.question, l.r.columns-12)))
	}
	if said := Say(l.state, now); said != "" && l.state != nil {
		lines = append(lines, indent+l.r.wait("○ "+said))
		if s, ok := l.state.(client.Reconnecting); ok && !l.met {
			if _, hint := Explain(s.Cause); hint != "" {
				lines = append(lines, indent+indent+l.r.dim(hint))
			}
		}
	}
	if l.t.In == nil {
		return lines, cursor{row: max(len(lines)-1, 0)}
	}
	if len(lines) > 0 {
		lines = append(lines, "")
	}
	columns, rows := l.t.Size()
	typed, at := l.editor.lines(columns - len(indent))
	if most := max(rows/2, 1); len(typed) > most { // of a long text, what is around the cursor
		from := min(max(at.row-most/2, 0), len(typed)-most)
		typed, at.row = typed[from:from+most], at.row-from
	}
	for i, line := range typed {
		mark := indent
		if i == 0 {
			mark = l.r.accent("›") + " "
		}
		lines = append(lines, mark+line)
	}
	return lines, cursor{row: len(lines) - len(typed) + at.row, column: len(indent) + at.column}
}

// finish prints what is finished, and leaves the cursor below it.
func (l *live) finish() error {
	if len(l.exchanges) > 0 { // left in mid-answer: what there is of it
		x := l.exchanges[0]
		x.quiet, x.over = true, true
		l.above.WriteString(x.advance(l.r))
	}
	if l.k.Ask == nil && !l.k.Resume && l.talked {
		l.above.WriteString(l.r.dim("Go on with: pam chat --conversation "+string(l.k.Conversation)) + "\n")
	}
	return l.screen.paint(l.above.String(), nil, cursor{})
}
