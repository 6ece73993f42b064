// Package wire turns bytes into frames and back: the JSON of pam.v1
// (docs/protocol.md), its limits, and the one table that says what each error
// code means for a close, a status, an exit and a client.
//
// It is pure: no socket, no clock, no state. Input from strangers is read
// strictly (I-JSON: no duplicate members, no invalid UTF-8, no lone surrogate)
// and every refusal is a [*pam.Error] that names the field. Output is built by
// appending, so that a frame is encoded once for the journal and all watchers.
package wire

import "time"

// Subprotocols, compared exactly (docs/protocol.md, "Accept, then explain").
const (
	SubprotocolV1    = "pam.v1"
	SubprotocolPlain = "pam.plain"
	// BearerPrefix begins a subprotocol entry that carries a token; it is
	// never echoed.
	BearerPrefix = "bearer."
)

// Path is below which every address of the API lies.
const Path = "/api/v1/pam"

// Limits of the wire. Sizes are in bytes unless said.
const (
	MaxFrame         = 512 << 10 // a client's message; beyond it 1009
	MaxMessage       = 32_768    // characters (Unicode code points) of a chat's message
	MaxContext       = 64 << 10  // of a context as merged, in compact JSON
	MaxDepth         = 100       // nesting of a frame
	MaxTimestamp     = 256       // of a ping's timestamp, which is echoed
	MaxToken         = 8 << 10
	MaxToolResult    = 64 << 10
	MaxBadFrames     = 3 // in a row; the last closes with 4400
	MaxControl       = 125
	MaxWaiting       = 8 // messages that wait behind a running turn
	MaxConversations = 10_000
)

// Times of the wire.
const (
	AuthTimeout   = 10 * time.Second // to send `auth`
	ExpiryNotice  = 60 * time.Second // auth_expiring comes this long before the end
	ProgressEvery = 5 * time.Second  // turn_progress, while nothing else comes
)

// timeLayout is RFC 3339, UTC, milliseconds.
const timeLayout = "2006-01-02T15:04:05.000Z"

// AppendTime appends t as the wire has times: RFC 3339, UTC, milliseconds.
func AppendTime(dst []byte, t time.Time) []byte { return t.UTC().AppendFormat(dst, timeLayout) }

// FormatTime returns t as the wire has times.
func FormatTime(t time.Time) string { return t.UTC().Format(timeLayout) }
