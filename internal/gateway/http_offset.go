package gateway

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/pam-assistant/pam"
)

// The ways to read a conversation's events (docs/protocol.md, "Events over
// HTTP"; Durable Streams, sections 5.6 to 5.8).
const (
	liveNot  = ""
	liveSSE  = "sse"
	livePoll = "long-poll"
)

// offset is where a reader stands.
type offset struct {
	pam.Resume
	text string // as it was asked for
	kind offsetKind
}

type offsetKind uint8

const (
	offsetStart  offsetKind = iota + 1 // -1
	offsetNow                          // now: the end
	offsetNumber                       // EPOCH_SEQ
)

const (
	textStart = "-1"
	textNow   = "now"
	seqDigits = 16 // so that offsets sort as they are
)

// formatOffset returns the offset behind the event that ends with seq.
func formatOffset(epoch pam.Epoch, seq int64) string {
	return fmt.Sprintf("%s_%0*d", epoch, seqDigits, seq)
}

// parseOffset reads an offset.
func parseOffset(text string) (offset, bool) {
	switch text {
	case textStart:
		return offset{kind: offsetStart, text: text}, true
	case textNow:
		return offset{kind: offsetNow, text: text}, true
	}
	i := strings.LastIndexByte(text, '_')
	if i < 0 || len(text)-i-1 != seqDigits || !pam.ValidID(text[:i]) {
		return offset{}, false
	}
	seq, err := strconv.ParseUint(text[i+1:], 10, 63) // takes no sign
	if err != nil {
		return offset{}, false
	}
	return offset{
		kind: offsetNumber, text: text,
		Resume: pam.Resume{After: int64(seq), Epoch: pam.Epoch(text[:i])},
	}, true
}

// reading is what is asked of a conversation's events.
type reading struct {
	offset
	live   string
	cursor string
}

// parseReading reads the query of a request for events.
func parseReading(r *http.Request) (reading, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return reading{}, malformed("the query: is not one")
	}
	for _, name := range []string{"offset", "live", "cursor"} {
		if len(query[name]) > 1 {
			return reading{}, malformed(name + ": is there twice")
		}
	}
	q := reading{live: query.Get("live"), cursor: query.Get("cursor")}
	switch q.live {
	case liveSSE, livePoll:
	case liveNot:
		if query.Has("live") {
			return reading{}, malformed("live: is empty")
		}
	default:
		return reading{}, malformed("live: is neither sse nor long-poll")
	}
	name, text := "offset", query.Get("offset")
	// An EventSource that connects again says where it was; its address does not.
	if id := r.Header.Get("Last-Event-ID"); id != "" && q.live == liveSSE {
		name, text = "Last-Event-ID", id
	}
	switch {
	case text != "":
	case query.Has("offset"):
		return reading{}, malformed("offset: is empty")
	case q.live != liveNot:
		return reading{}, malformed("offset: is missing; -1 is the start")
	default:
		text = textStart
	}
	var ok bool
	if q.offset, ok = parseOffset(text); !ok {
		return reading{}, malformed(name + ": is none of -1, now, EPOCH_SEQ with 16 digits")
	}
	return q, nil
}

func malformed(detail string) error {
	return &pam.Error{Code: pam.CodeInvalid, Op: "gateway.events", Detail: detail}
}
