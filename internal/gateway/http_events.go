package gateway

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/wire"
)

const (
	// pageBytes is how much one answer holds, unless its first event is larger.
	pageBytes = 1 << 20
	// pollTime is how long a long poll waits for something to come.
	pollTime = 25 * time.Second
)

// ServeEvents reads a conversation's events: the read half of the Durable
// Streams protocol (docs/protocol.md, "Events over HTTP").
func (g *Gateway) ServeEvents(w http.ResponseWriter, r *http.Request, id pam.ConversationID) {
	about := wire.About{}
	p, err := g.asker(w, r, http.MethodGet, http.MethodHead)
	if err != nil {
		g.deny(w, err, about)
		return
	}
	q, err := parseReading(r)
	if err == nil && !pam.ValidID(string(id)) {
		err = malformed("the conversation's id: is not 1 to 64 of [A-Za-z0-9._:-]")
	}
	if err != nil {
		g.deny(w, err, about)
		return
	}
	about.Conversation = id
	e := &eventReader{gateway: g, w: w, r: r, reading: q, key: pam.Key{User: p.User, Conversation: id}}
	if q.live != liveNot && r.Method == http.MethodGet {
		leave, err := g.streams.hold(p.User, g.Limits)
		if err != nil {
			g.deny(w, err, about)
			return
		}
		defer leave()
	}
	if err := e.open(); err != nil {
		g.deny(w, err, about)
		return
	}
	defer e.from.watch.Close()
	if err := e.answer(g.heldUntil(p)); err != nil && r.Context().Err() == nil {
		g.deny(w, err, about)
	}
}

// eventReader answers one request for events.
type eventReader struct {
	reading

	gateway *Gateway
	w       http.ResponseWriter
	r       *http.Request
	key     pam.Key

	from  *reader
	epoch pam.Epoch
	tail  int64 // the end, as the request found it
	end   int64 // of what was read
	given int64 // the cursor that was given last; 0: none
	body  []byte
	whole bool // nothing follows what was read
}

// open begins to read where the offset says.
func (e *eventReader) open() error {
	from, position, err := e.gateway.read(e.r.Context(), e.key, e.Resume, nil)
	if err != nil {
		return err
	}
	if e.kind == offsetNumber && (e.Epoch != position.Epoch || e.After > position.Head) {
		from.watch.Close()
		return &pam.Error{Code: pam.CodeEpochChanged, Op: "gateway.events"}
	}
	if e.kind == offsetNow {
		from.cursor = position.Head
	}
	e.from, e.epoch, e.tail, e.end = from, position.Epoch, position.Head, from.cursor
	return nil
}

func (e *eventReader) answer(until time.Time) error {
	e.w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
	switch {
	case e.r.Method == http.MethodHead:
		e.headers(e.tail, false)
		reply(e.w, http.StatusOK, nil)
		return nil
	case e.live == liveSSE:
		e.stream(until)
		return nil
	case e.live == livePoll:
		return e.poll(until)
	case e.kind == offsetNow:
		e.headers(e.tail, true)
		reply(e.w, http.StatusOK, []byte("[]"))
		return nil
	}
	return e.catchUp()
}

// headers says where the client stands after this answer.
func (e *eventReader) headers(next int64, upToDate bool) {
	h := e.w.Header()
	h.Set("Stream-Next-Offset", formatOffset(e.epoch, next))
	if upToDate {
		h.Set("Stream-Up-To-Date", "true")
	}
	if e.live == livePoll {
		h.Set("Stream-Cursor", e.nextCursor())
	}
}

// catchUp answers with what there is.
func (e *eventReader) catchUp() error {
	until := e.gateway.Now().Add(requestTime)
	err := e.gateway.follow(e.r.Context(), e.from, until, follower{take: func(records []pam.Record, live bool) (bool, error) {
		return e.add(records, live) && !live, nil
	}})
	if err != nil {
		return err
	}
	e.page()
	return nil
}

// poll answers with what there is, or waits until something comes.
func (e *eventReader) poll(until time.Time) error {
	control := patient(e.w)
	if latest := e.gateway.Now().Add(pollTime); latest.Before(until) {
		until = latest
	}
	err := e.gateway.follow(e.r.Context(), e.from, until, follower{take: func(records []pam.Record, live bool) (bool, error) {
		return e.add(records, live) && !(live && len(e.body) > 0), nil
	}})
	_ = control.SetWriteDeadline(e.gateway.Now().Add(writeTime))
	switch {
	case err == nil:
		e.page()
		return nil
	case errors.Is(err, errTime), errors.Is(err, &pam.Error{Code: pam.CodeGoingAway}):
		e.headers(e.end, true)
		e.w.Header().Set("Cache-Control", "private, no-store")
		e.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return err
}

// add adds events to the page; it reports whether there is room for more.
func (e *eventReader) add(records []pam.Record, live bool) (room bool) {
	for i := range records {
		if len(e.body) > 0 && len(e.body)+len(records[i].JSON)+len(",]") > pageBytes {
			e.whole = false
			return false
		}
		separator := byte(',')
		if len(e.body) == 0 {
			separator = '['
		}
		e.body = append(e.body, separator)
		e.body = append(e.body, records[i].JSON...)
		e.end = records[i].Seq
	}
	e.whole = live
	return true
}

// page answers with the events that were added.
func (e *eventReader) page() {
	if len(e.body) == 0 {
		e.body = append(e.body, '[')
	}
	e.headers(e.end, e.whole)
	if e.kind != offsetNow { // what now was says nothing of the next now
		tag := `"` + string(e.key.Conversation) + ":" + e.text + ":" + formatOffset(e.epoch, e.end) + `"`
		e.w.Header().Set("Etag", tag)
		if matches(e.r.Header.Values("If-None-Match"), tag) {
			e.w.Header().Set("Cache-Control", "private, no-store")
			e.w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	reply(e.w, http.StatusOK, append(e.body, ']'))
}

// matches reports whether If-None-Match names tag (RFC 9110, section 13.1.2).
func matches(lines []string, tag string) bool {
	for _, line := range lines {
		for entry := range strings.SplitSeq(line, ",") {
			entry = strings.TrimSpace(entry)
			if entry == "*" || strings.TrimPrefix(entry, "W/") == tag {
				return true
			}
		}
	}
	return false
}

// stream sends events as they come, until the client leaves. It ends without a
// word where the conversation is deleted or the server stops: whoever asks
// again hears why.
func (e *eventReader) stream(until time.Time) {
	s := openSSE(e.w, patient(e.w), e.gateway.Now)
	first := true
	err := e.gateway.follow(e.r.Context(), e.from, until, follower{quiet: s.comment, take: func(records []pam.Record, live bool) (bool, error) {
		if len(records) == 0 && !first {
			return true, nil
		}
		first = false
		e.event(s, records, live)
		return true, s.flush()
	}})
	if !s.broken && e.r.Context().Err() == nil && !errors.Is(err, errTime) {
		_ = e.gateway.failure(err) // the log hears of it
	}
}

// event adds a data event, where there are records, and its control event.
func (e *eventReader) event(s *sse, records []pam.Record, live bool) {
	if n := len(records); n > 0 {
		e.end = records[n-1].Seq
		s.field("event", []byte("data"))
		s.field("id", []byte(formatOffset(e.epoch, e.end)))
		for i := range records {
			before, after := "", ","
			if i == 0 {
				before = "["
			}
			if i == n-1 {
				after = "]"
			}
			s.field("data", []byte(before), records[i].JSON, []byte(after))
		}
		s.end()
	}
	s.field("event", []byte("control"))
	control := `{"streamNextOffset":"` + formatOffset(e.epoch, e.end) + `","streamCursor":"` + e.nextCursor() + `"`
	if live {
		control += `,"upToDate":true`
	}
	s.field("data", []byte(control+"}"))
	s.end()
}

// The cursor is the number of an interval since a day that the specification
// names (Durable Streams, section 10.1).
const (
	cursorStart    = 1_728_432_000 // 2024-10-09, in Unix seconds
	cursorInterval = 20            // seconds
	cursorJitter   = 180           // intervals: an hour
	cursorMost     = 1 << 53       // beyond that it is none of ours
)

// nextCursor returns a cursor later than the client's own, and never one before
// the last.
func (e *eventReader) nextCursor() string {
	now := (e.gateway.Now().Unix() - cursorStart) / cursorInterval
	if e.given == 0 {
		echo, err := strconv.ParseInt(e.cursor, 10, 64)
		if err == nil && echo >= now && echo < cursorMost {
			e.given = echo + 1 + rand.Int64N(cursorJitter)
		}
	}
	e.given = max(e.given, now)
	return strconv.FormatInt(e.given, 10)
}
