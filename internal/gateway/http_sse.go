package gateway

import (
	"bytes"
	"net/http"
	"time"
)

// writeTime is how long a client may take to take what is written to it.
const writeTime = 30 * time.Second

// sse is an answer as server-sent events (HTML, "Server-sent events").
type sse struct {
	w       http.ResponseWriter
	control *http.ResponseController
	now     func() time.Time
	buffer  []byte
	broken  bool // the client takes no more
}

// patient frees a request from the server's time for whole requests: it is held
// open. Its body has been read.
func patient(w http.ResponseWriter) *http.ResponseController {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // what has no deadlines needs none lifted
	_ = control.SetWriteDeadline(time.Time{})
	return control
}

// openSSE begins the answer. Its head goes out with the first flush.
func openSSE(w http.ResponseWriter, control *http.ResponseController, now func() time.Time) *sse {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "private, no-store, no-transform")
	h.Set("X-Accel-Buffering", "no") // nginx would hold it back
	w.WriteHeader(http.StatusOK)
	return &sse{w: w, control: control, now: now}
}

// field adds a line of the event.
func (s *sse) field(name string, value ...[]byte) {
	s.buffer = append(s.buffer, name...)
	s.buffer = append(s.buffer, ": "...)
	for _, v := range value {
		s.buffer = appendLine(s.buffer, v)
	}
	s.buffer = append(s.buffer, '\n')
}

// end ends the event.
func (s *sse) end() { s.buffer = append(s.buffer, '\n') }

// comment says nothing, so that what lies between sees that the stream lives.
func (s *sse) comment() error {
	s.buffer = append(s.buffer, ":\n\n"...)
	return s.flush()
}

// flush sends what was added.
func (s *sse) flush() error {
	_ = s.control.SetWriteDeadline(s.now().Add(writeTime))
	if _, err := s.w.Write(s.buffer); err != nil {
		s.broken = true
		return err
	}
	if cap(s.buffer) > idleBuffer {
		s.buffer = nil
	}
	s.buffer = s.buffer[:0]
	err := s.control.Flush()
	s.broken = err != nil
	return err
}

// idleBuffer is how much memory a stream keeps that has nothing to say.
const idleBuffer = 4 << 10

// appendLine appends JSON as one line. A break of lines in JSON is white space,
// for strings have theirs escaped.
func appendLine(dst, json []byte) []byte {
	if bytes.IndexByte(json, '\n') < 0 && bytes.IndexByte(json, '\r') < 0 {
		return append(dst, json...)
	}
	for _, c := range json {
		if c == '\n' || c == '\r' {
			c = ' '
		}
		dst = append(dst, c)
	}
	return dst
}
