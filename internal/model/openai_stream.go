package model

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/openai/openai-go/v3/packages/ssestream"

	"github.com/pam-assistant/pam"
)

const (
	maxLine  = 1 << 20         // bytes of one line of a stream
	maxBytes = 64 << 20        // bytes of a stream
	tail     = 2 * time.Second // for usage and [DONE] once the model has finished
)

// piece is what we read of a `chat.completion.chunk`.
type piece struct {
	Choices []struct {
		Index int `json:"index"`
		Delta struct {
			Content   words          `json:"content"`
			Refusal   words          `json:"refusal"`
			Reasoning jsontext.Value `json:"reasoning"`
			Thinking  jsontext.Value `json:"reasoning_content"`
			ToolCalls []callPiece    `json:"tool_calls"`
		} `json:"delta"`
		Finish string `json:"finish_reason"`
	} `json:"choices"`
	Usage *struct {
		Input  int64 `json:"prompt_tokens"`
		Output int64 `json:"completion_tokens"`
	} `json:"usage"`
	Error jsontext.Value `json:"error"`
}

// words is text: a string, or the texts among a list of parts.
type words struct {
	text  string
	other bool // there was something that is not text
}

// UnmarshalJSONFrom implements [jsonv2.UnmarshalerFrom].
func (w *words) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	switch d.PeekKind() { //nolint:exhaustive // the default is all the others
	case '"', 'n':
		t, err := d.ReadToken()
		if err == nil && t.Kind() == '"' {
			w.text = t.String()
		}
		return err
	case '[':
		var parts []struct {
			Type string `json:"type"`
			Text string `json:"text"`
		}
		err := jsonv2.UnmarshalDecode(d, &parts)
		for _, p := range parts {
			if p.Type == "text" {
				w.text += p.Text
			} else {
				w.other = true
			}
		}
		return err
	default:
		w.other = true
		return d.SkipValue()
	}
}

// stream is one answer on its way.
type stream struct {
	openai *OpenAI
	tools  []pam.ToolSpec
	emit   func(pam.Chunk) error
	body   *bounded
	cancel context.CancelFunc
	late   *time.Timer // runs from the finish on

	calls  calls
	usage  *pam.Usage
	finish string
	events int
	spoke  bool
	done   bool // [DONE] came
}

// close releases what the stream holds.
func (s *stream) close() {
	if s.late != nil {
		s.late.Stop()
	}
}

// run reads to the end.
func (s *stream) run(ctx context.Context, res *http.Response) error {
	events := ssestream.NewDecoder(res)
	for !s.done && events.Next() {
		if err := s.event(events.Event()); err != nil {
			return err
		}
	}
	return s.end(ctx, events.Err())
}

// event takes one event.
func (s *stream) event(e ssestream.Event) error {
	s.events++
	data := bytes.TrimSpace(e.Data)
	if bytes.Equal(data, []byte("[DONE]")) {
		s.done = true
		return nil
	}
	var p piece
	err := jsonv2.Unmarshal(data, &p, jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	switch {
	case s.body.ended && errors.Is(err, io.ErrUnexpectedEOF):
		return s.openai.cutOff(s.spoke, err)
	case err != nil:
		return s.openai.garbled("an event is not JSON of the kind that is expected")
	case len(p.Error) > 0 && p.Error.Kind() != 'n':
		return s.openai.refusal(http.Header{}, 0, data)
	}
	if p.Usage != nil {
		s.usage = &pam.Usage{InputTokens: max(p.Usage.Input, 0), OutputTokens: max(p.Usage.Output, 0)}
	}
	for i := range p.Choices {
		if p.Choices[i].Index == 0 {
			return s.choice(&p, i)
		}
	}
	return nil
}

// choice takes what the one answer that was asked for goes on with.
func (s *stream) choice(p *piece, i int) error {
	c := &p.Choices[i]
	for _, text := range [...]string{c.Delta.Content.text, c.Delta.Refusal.text} {
		if text == "" {
			continue
		}
		s.spoke = true
		if err := s.emit(pam.TextChunk{Text: text}); err != nil {
			return err
		}
	}
	for _, call := range c.Delta.ToolCalls {
		if err := s.calls.add(call); err != nil {
			return err
		}
	}
	if len(c.Delta.ToolCalls) > 0 || c.Delta.Content.other || says(c.Delta.Reasoning) || says(c.Delta.Thinking) {
		s.spoke = true
		if err := s.emit(pam.PulseChunk{}); err != nil {
			return err
		}
	}
	if c.Finish != "" && s.finish == "" {
		s.finish = c.Finish
		// Some endpoints leave the connection open and never say [DONE].
		s.late = time.AfterFunc(tail, s.cancel)
	}
	return nil
}

// says reports whether v is more than null and an empty string.
func says(v jsontext.Value) bool { return len(v) > 0 && v.Kind() != 'n' && string(v) != `""` }

// end judges how the stream ended, and hands on what only an end makes whole.
func (s *stream) end(ctx context.Context, err error) error {
	if s.usage != nil {
		if err := s.emit(pam.UsageChunk{Usage: *s.usage}); err != nil {
			return err
		}
	}
	if err := s.broken(ctx, err); err != nil {
		return err
	}
	if err := s.openai.finished(s.finish); err != nil {
		return err
	}
	chunks, err := s.calls.finish(s.tools)
	if err != nil {
		return err
	}
	for _, c := range chunks {
		if err := s.emit(c); err != nil {
			return err
		}
	}
	return nil
}

// broken returns why the answer is not whole; nil where it is.
func (s *stream) broken(ctx context.Context, err error) error {
	switch {
	case s.finish != "":
		return nil // whatever came after it
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case s.body.over:
		return s.openai.garbled("a line or the stream is too long")
	case err != nil:
		return s.openai.cutOff(s.spoke, err)
	case s.done && s.spoke:
		return nil // a few endpoints give no reason
	case s.done:
		return s.openai.garbled("the stream ended without an answer")
	case s.events == 0 && s.body.total > 0:
		return s.openai.garbled("no event in what came")
	}
	return s.openai.cutOff(s.spoke, io.ErrUnexpectedEOF)
}

// streams refuses an answer that is none, whatever its status says.
func (o *OpenAI) streams(res *http.Response) error {
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	switch kind {
	case "text/html", "application/xhtml+xml":
		return o.garbled("a web page instead of an answer")
	case "application/json":
		contents, err := io.ReadAll(io.LimitReader(res.Body, maxRefusal))
		if err != nil {
			return o.cutOff(false, err)
		}
		var p piece
		if jsonv2.Unmarshal(contents, &p, jsontext.AllowInvalidUTF8(true)) == nil && says(p.Error) {
			return o.refusal(res.Header, 0, contents)
		}
		return o.garbled("one JSON document instead of a stream")
	}
	return nil
}

// bounded reads a stream and refuses a line, or a whole, that is too long. At
// its end it adds an empty line, for a last event that came without one.
type bounded struct {
	io.ReadCloser
	line  int
	total int
	ended bool // it came to a clean end
	over  bool
	extra string // to be read after the end
}

func newBounded(r io.ReadCloser) *bounded { return &bounded{ReadCloser: r, extra: "\n\n"} }

var errTooLong = errors.New("model: the stream is too long")

// Read implements [io.Reader].
func (b *bounded) Read(p []byte) (int, error) {
	if b.ended {
		n := copy(p, b.extra)
		b.extra = b.extra[n:]
		if n == 0 {
			return 0, io.EOF
		}
		return n, nil
	}
	n, err := b.ReadCloser.Read(p)
	b.total += n
	if i := bytes.LastIndexByte(p[:n], '\n'); i >= 0 {
		b.line = n - i - 1
	} else {
		b.line += n
	}
	if b.line > maxLine || b.total > maxBytes {
		b.over = true
		return 0, errTooLong
	}
	if errors.Is(err, io.EOF) {
		b.ended, err = true, nil
		if n == 0 {
			return b.Read(p)
		}
	}
	return n, err
}
