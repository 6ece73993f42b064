package faultlab

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// Index says which `index` the piece of a call carries: a number, or
// [NoIndex].
type Index int

// NoIndex leaves `index` out.
const NoIndex Index = -1

// errOver ends an answer whose connection is gone.
var errOver = errors.New("faultlab: the connection is gone")

// Say is a whole good answer: its text in pieces, the finish, the usage, the end.
func Say(pieces ...string) Answer {
	return Answer{Text(pieces...), Finish("stop"), Usage(11, len(pieces)), Done()}
}

// Call is a whole good answer that calls one tool, as OpenAI sends it: its id
// and name first, then its arguments in pieces.
func Call(id, name string, arguments ...string) Answer {
	return Answer{CallStart(0, id, name), CallArguments(0, arguments...), Finish("tool_calls"), Usage(11, 7), Done()}
}

// Text says a chunk for each piece, behind the one that names the role.
func Text(pieces ...string) Step {
	return func(w *Wire) error {
		if !w.begun {
			if err := w.event(chunk(w, `{"role":"assistant","content":"","refusal":null}`, "")); err != nil {
				return err
			}
		}
		for _, p := range pieces {
			if err := w.event(chunk(w, `{"content":`+quoted(p)+`}`, "")); err != nil {
				return err
			}
		}
		return nil
	}
}

// Delta says one chunk with this delta: any JSON.
func Delta(delta string) Step {
	return func(w *Wire) error { return w.event(chunk(w, delta, "")) }
}

// CallStart begins a call.
func CallStart(i Index, id, name string) Step { return CallPiece(i, id, name, "") }

// CallArguments says the arguments of a call, a chunk for each piece.
func CallArguments(i Index, pieces ...string) Step {
	return func(w *Wire) error {
		for _, p := range pieces {
			if err := CallPiece(i, "", "", p)(w); err != nil {
				return err
			}
		}
		return nil
	}
}

// CallPiece says one piece of a call: what is empty is left out, but for the
// arguments of a piece that says no name.
func CallPiece(i Index, id, name, arguments string) Step {
	var fields []string
	if i != NoIndex {
		fields = append(fields, fmt.Sprintf(`"index":%d`, i))
	}
	if id != "" {
		fields = append(fields, `"id":`+quoted(id), `"type":"function"`)
	}
	function := `"arguments":` + quoted(arguments)
	if name != "" {
		function = `"name":` + quoted(name) + `,` + function
	}
	fields = append(fields, `"function":{`+function+`}`)
	return Delta(`{"tool_calls":[{` + strings.Join(fields, ",") + `}]}`)
}

// Finish says why the model has stopped.
func Finish(reason string) Step {
	return func(w *Wire) error { return w.event(chunk(w, `{}`, reason)) }
}

// Usage says the chunk that has no choice and counts tokens.
func Usage(input, output int) Step {
	return func(w *Wire) error {
		return w.event(fmt.Sprintf(`{"id":"chatcmpl-faultlab","object":"chat.completion.chunk","created":1764070000,"model":%s,`+
			`"choices":[],"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}}`,
			quoted(w.Asked.Model), input, output, input+output))
	}
}

// Done says [DONE].
func Done() Step { return Event("[DONE]") }

// Event says one event with any data.
func Event(data string) Step { return func(w *Wire) error { return w.event(data) } }

// Comment says a line that means nothing, as some do to keep a line open.
func Comment(text string) Step { return Raw(": " + text + "\n\n") }

// Raw writes bytes of a stream as they are.
func Raw(s string) Step { return func(w *Wire) error { return w.write(s) } }

// CRLF ends the lines of the events that follow with CR LF.
func CRLF() Step {
	return func(w *Wire) error {
		w.newline = "\r\n"
		return nil
	}
}

// Shred sends all that follows n bytes at a time: in mid-line, in mid-rune.
func Shred(n int) Step {
	return func(w *Wire) error {
		w.shred = n
		return nil
	}
}

// Pause waits.
func Pause(d time.Duration) Step { return func(w *Wire) error { return w.sleep(d) } }

// Wait waits until gate is closed.
func Wait(gate <-chan struct{}) Step {
	return func(w *Wire) error {
		select {
		case <-gate:
			return nil
		case <-w.ctx.Done():
			return w.ctx.Err()
		}
	}
}

// Stall says nothing more and keeps the connection until the client goes.
func Stall() Step {
	return func(w *Wire) error {
		<-w.ctx.Done()
		return w.ctx.Err()
	}
}

// Endless says the same piece for ever.
func Endless(piece string) Step {
	return func(w *Wire) error {
		for {
			if err := Text(piece)(w); err != nil {
				return err
			}
		}
	}
}

// Cut breaks the connection off, without an end of the stream or of HTTP.
func Cut() Step {
	return func(w *Wire) error {
		c, _, err := http.NewResponseController(w.w).Hijack()
		if err != nil {
			return err
		}
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = c.Close()
		return errOver
	}
}

// Refuse answers with a status and OpenAI's error object; headers are names and
// values in turn.
func Refuse(status int, kind, code, message string, headers ...string) Step {
	c := "null"
	if code != "" {
		c = quoted(code)
	}
	body := fmt.Sprintf(`{"error":{"message":%s,"type":%s,"param":null,"code":%s}}`, quoted(message), quoted(kind), c)
	return Respond(status, body, append([]string{"Content-Type", "application/json"}, headers...)...)
}

// HTML answers with a web page, as a proxy or a wrong address does.
func HTML(status int) Step {
	return Respond(status, "<!doctype html><html><title>Welcome</title></html>", "Content-Type", "text/html")
}

// Respond answers with any status and body; headers are names and values in turn.
func Respond(status int, body string, headers ...string) Step {
	return func(w *Wire) error {
		for i := 0; i+1 < len(headers); i += 2 {
			w.w.Header().Set(headers[i], headers[i+1])
		}
		w.begun = true
		w.w.WriteHeader(status)
		_, err := w.w.Write([]byte(body))
		return err
	}
}

// chunk is a `chat.completion.chunk`; an empty finish is null.
func chunk(w *Wire, delta, finish string) string {
	reason := "null"
	if finish != "" {
		reason = quoted(finish)
	}
	return `{"id":"chatcmpl-faultlab","object":"chat.completion.chunk","created":1764070000,"model":` + quoted(w.Asked.Model) +
		`,"service_tier":"default","system_fingerprint":"fp_0","choices":[{"index":0,"delta":` + delta +
		`,"logprobs":null,"finish_reason":` + reason + `}],"usage":null}`
}

func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return `""` // never: a string always has its JSON
	}
	return string(b)
}
