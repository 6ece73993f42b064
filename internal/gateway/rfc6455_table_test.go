package gateway

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pam-assistant/pam"
)

// This file holds the cases of RFC 6455 that the assembler is held against,
// and the server over raw sockets: a generated table, and a judge that says
// what must come of each. The judge shares no code with the assembler: it sees
// whole frames and whole messages, as the RFC's text does.

// lengthForm is how a frame's length is written.
type lengthForm int

const (
	minimal     lengthForm = iota
	as16                   // in two bytes, whatever it is
	as64                   // in eight bytes, whatever it is
	as64TopBit             // in eight bytes, the top bit set; the payload follows
	announced64            // in eight bytes, as much as can be; no payload follows
)

// rawFrame is one frame as a client may send it, rightly or not.
type rawFrame struct {
	op       byte
	fin      bool
	rsv      byte // 0 to 7
	unmasked bool
	form     lengthForm
	payload  []byte
}

// announced is the length that the frame's header has.
func (f rawFrame) announced() uint64 {
	n := uint64(len(f.payload))
	switch f.form {
	case minimal, as16, as64:
	case as64TopBit:
		n |= 1 << 63
	case announced64:
		n = 1<<63 - 1
	}
	return n
}

// appendTo appends the frame as it goes over the wire.
func (f rawFrame) appendTo(dst []byte) []byte {
	first := f.rsv<<4 | f.op
	if f.fin {
		first |= 0x80
	}
	masked := byte(0x80)
	if f.unmasked {
		masked = 0
	}
	dst = append(dst, first)
	switch n := f.announced(); {
	case f.form == minimal && n <= 125:
		dst = append(dst, masked|byte(n))
	case f.form == as16, f.form == minimal && n <= 0xffff:
		dst = binary.BigEndian.AppendUint16(append(dst, masked|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, masked|127), n)
	}
	if f.unmasked {
		return append(dst, f.payload...)
	}
	mask := [4]byte{0x11, 0xe2, 0x93, 0x04}
	dst = append(dst, mask[:]...)
	for i, b := range f.payload {
		dst = append(dst, b^mask[i%4])
	}
	return dst
}

// seen is what a server makes of a client's frames: one message, ping, pong or
// close.
type seen struct {
	What    string // text, ping, pong, close
	Payload string
	Code    uint16 // of a close
}

// rfcCase is one row of the table: what is sent, and what must come of it.
type rfcCase struct {
	Name  string
	Sent  []byte
	Seen  []seen
	Fault pam.Code // zero: the connection stays open, or is closed by the client
}

// rfcLimit is the limit on a message in the table's cases.
const rfcLimit = 512 << 10

// judgeFrames says what must come of frames.
func judgeFrames(frames []rawFrame, limit int) (all []seen, fault pam.Code) {
	var message []byte
	within := false
	for _, f := range frames {
		if code := judgeFrame(f, within, limit-len(message)); code != 0 {
			return all, code
		}
		switch f.op {
		case 8:
			code, fault := judgeClose(f.payload)
			if fault != 0 {
				return all, fault
			}
			return append(all, seen{"close", string(f.payload[min(2, len(f.payload)):]), code}), 0
		case 9:
			all = append(all, seen{What: "ping", Payload: string(f.payload)})
		case 10:
			all = append(all, seen{What: "pong", Payload: string(f.payload)})
		default:
			message = append(message, f.payload...)
			within = !f.fin
			if !within && utf8.Valid(message) {
				all = append(all, seen{What: "text", Payload: string(message)})
				message = nil
			} else if !viable(message) || !within {
				return all, pam.CodeInvalidUTF8
			}
		}
	}
	return all, 0
}

// judgeFrame says what is wrong with a frame by its header; room is what its
// message may still have.
func judgeFrame(f rawFrame, within bool, room int) pam.Code {
	known := slices.Contains([]byte{0, 1, 2, 8, 9, 10}, f.op)
	if f.rsv != 0 || !known || f.unmasked {
		return pam.CodeProtocolError
	}
	if f.op >= 8 {
		if !f.fin || f.announced() > 125 {
			return pam.CodeProtocolError
		}
		return 0
	}
	if within != (f.op == 0) {
		return pam.CodeProtocolError
	}
	if f.op == 2 {
		return pam.CodeBinaryFrame
	}
	if f.announced() > 1<<63-1 {
		return pam.CodeProtocolError
	}
	if f.announced() > uint64(room) {
		return pam.CodeFrameTooLarge
	}
	return 0
}

func judgeClose(payload []byte) (code uint16, fault pam.Code) {
	if len(payload) == 0 {
		return 1005, 0
	}
	if len(payload) == 1 {
		return 0, pam.CodeProtocolError
	}
	code = uint16(payload[0])<<8 | uint16(payload[1])
	registered := []uint16{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014}
	if !slices.Contains(registered, code) && code/1000 != 3 && code/1000 != 4 {
		return 0, pam.CodeProtocolError
	}
	if !utf8.Valid(payload[2:]) {
		return 0, pam.CodeInvalidUTF8
	}
	return code, 0
}

// viable reports whether something may follow p that makes it UTF-8, by trying
// all that makes a difference.
func viable(p []byte) bool {
	for len(p) > 0 {
		r, size := utf8.DecodeRune(p)
		if r == utf8.RuneError && size == 1 {
			break
		}
		p = p[size:]
	}
	for n, tails := 0, []string{""}; n < utf8.UTFMax; n++ {
		var longer []string
		for _, tail := range tails {
			if utf8.Valid(slices.Concat(p, []byte(tail))) {
				return true
			}
			for _, b := range []byte{0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf} {
				longer = append(longer, tail+string([]byte{b}))
			}
		}
		tails = longer
	}
	return false
}

// newCase has the judge say what must come of frames.
func newCase(name string, frames ...rawFrame) rfcCase {
	c := rfcCase{Name: name}
	for _, f := range frames {
		c.Sent = f.appendTo(c.Sent)
	}
	c.Seen, c.Fault = judgeFrames(frames, rfcLimit)
	return c
}

// headerCases is every opcode, with and without FIN, with every combination of
// reserved bits, masked and not, with every form of length, as the first frame
// and within a message; each followed by what ends the message, where there is
// one, and a ping that shows whether the connection goes on.
func headerCases() []rfcCase {
	type length struct {
		name string
		form lengthForm
		n    int
	}
	lengths := []length{
		{"7 bits, 0", minimal, 0},
		{"7 bits, 5", minimal, 5},
		{"7 bits, 125", minimal, 125},
		{"16 bits, 126", minimal, 126},
		{"16 bits, 5", as16, 5},
		{"64 bits, 5", as64, 5},
		{"64 bits, top bit and 5", as64TopBit, 5},
		{"64 bits, 2^63-1 announced", announced64, 0},
	}
	var cases []rfcCase
	for _, within := range []bool{false, true} {
		for bits := range 16 * 2 * 8 * 2 {
			for _, l := range lengths {
				f := rawFrame{
					op:       byte(bits & 15),
					fin:      bits>>4&1 != 0,
					rsv:      byte(bits >> 5 & 7),
					unmasked: bits>>8&1 != 0,
					form:     l.form,
					payload:  []byte(strings.Repeat("é", l.n)[:l.n]),
				}
				if l.n%2 != 0 {
					f.payload = append(f.payload[:l.n-1], '.')
				}
				if f.op == 8 && l.n >= 2 {
					binary.BigEndian.PutUint16(f.payload, 1000)
				}
				var frames []rawFrame
				if within {
					frames = append(frames, rawFrame{op: 1, payload: []byte("begun ")})
				}
				frames = append(frames, f)
				if f.op < 8 && !f.fin || f.op >= 8 && within {
					frames = append(frames, rawFrame{op: 0, fin: true, payload: []byte(" ended")})
				}
				frames = append(frames, rawFrame{op: 9, fin: true, payload: []byte("still there?")})
				name := fmt.Sprintf("opcode %d, fin %v, rsv %d, masked %v, %s, within %v",
					f.op, f.fin, f.rsv, !f.unmasked, l.name, within)
				cases = append(cases, newCase(name, frames...))
			}
		}
	}
	return cases
}

// limitCases is what lies at the limit of a message, in one frame and in
// several.
func limitCases() []rfcCase {
	text := func(op byte, fin bool, n int) rawFrame {
		return rawFrame{op: op, fin: fin, payload: bytes.Repeat([]byte("x"), n)}
	}
	ping := rawFrame{op: 9, fin: true, payload: []byte("between")}
	return []rfcCase{
		newCase("at the limit", text(1, true, rfcLimit), ping),
		newCase("over the limit", text(1, true, rfcLimit+1)),
		newCase("64 bits, just over", text(1, false, 0xffff), text(0, false, rfcLimit-0xffff), text(0, true, 1)),
		newCase("at the limit in fragments", text(1, false, rfcLimit-1), ping, text(0, false, 1), text(0, true, 0), ping),
		newCase("over the limit in fragments", text(1, false, rfcLimit), ping, text(0, true, 1)),
		newCase("empty fragments", text(1, false, 0), ping, text(0, false, 0), text(0, true, 0), ping),
		newCase("64 KiB", text(1, true, 1<<16), ping),
		newCase("64 KiB less one", text(1, true, 1<<16-1), ping),
		newCase("after a close", rawFrame{op: 8, fin: true}, ping, text(1, true, 3)),
	}
}

// textSample is bytes that are UTF-8, or are not in one way of many.
type textSample struct {
	name  string
	bytes string
}

// utf8Samples is every class of what is, and what is not, UTF-8 (RFC 3629).
func utf8Samples() []textSample {
	return []textSample{
		{"ASCII", "x"},
		{"NUL", "\x00"},
		{"two bytes, least", "\xc2\x80"},
		{"two bytes, greatest", "\xdf\xbf"},
		{"three bytes, least", "\xe0\xa0\x80"},
		{"three bytes, before the surrogates", "\xed\x9f\xbf"},
		{"three bytes, after the surrogates", "\xee\x80\x80"},
		{"three bytes, greatest", "\xef\xbf\xbf"},
		{"four bytes, least", "\xf0\x90\x80\x80"},
		{"four bytes, greatest", "\xf4\x8f\xbf\xbf"},
		{"lone continuation, least", "\x80"},
		{"lone continuation, greatest", "\xbf"},
		{"two continuations", "\x80\xbf"},
		{"a continuation too many", "\xc3\xa9\x80"},
		{"overlong of two, least", "\xc0\x80"},
		{"overlong of two, greatest", "\xc1\xbf"},
		{"overlong of three, least", "\xe0\x80\x80"},
		{"overlong of three, greatest", "\xe0\x9f\xbf"},
		{"overlong of four, least", "\xf0\x80\x80\x80"},
		{"overlong of four, greatest", "\xf0\x8f\xbf\xbf"},
		{"surrogate, least", "\xed\xa0\x80"},
		{"surrogate, greatest", "\xed\xbf\xbf"},
		{"surrogate pair", "\xed\xa0\xbd\xed\xb8\x80"},
		{"beyond U+10FFFF", "\xf4\x90\x80\x80"},
		{"beyond U+10FFFF, greatest of four", "\xf7\xbf\xbf\xbf"},
		{"five bytes", "\xf8\x88\x80\x80\x80"},
		{"six bytes", "\xfc\x84\x80\x80\x80\x80"},
		{"FE", "\xfe"},
		{"FF", "\xff"},
		{"two of two missing one", "\xc3"},
		{"one of three", "\xe2"},
		{"two of three", "\xe2\x82"},
		{"one of four", "\xf0"},
		{"two of four", "\xf0\x9f"},
		{"three of four", "\xf0\x9f\x98"},
		{"a start after a start", "\xc3\xc3\xa9"},
		{"a start within three", "\xe2\x82\xc3\xa9"},
		{"a start within four", "\xf0\x9f\x98\xf0\x9f\x98\x80"},
	}
}

// utf8Texts puts each sample where it may lie in a text.
func utf8Texts() []textSample {
	var texts []textSample
	for _, s := range utf8Samples() {
		texts = append(texts,
			textSample{s.name + ", alone", s.bytes},
			textSample{s.name + ", first", s.bytes + "abcdefgh"},
			textSample{s.name + ", last", "abcdefgh" + s.bytes},
			textSample{s.name + ", between runes", "a\u00e9\u20ac\U0001f600" + s.bytes + "\U0001f600\u20ac\u00e9a"},
		)
	}
	return texts
}

// utf8Cases is every text, whole and split into two fragments at every place,
// with a ping between.
func utf8Cases() []rfcCase {
	var cases []rfcCase
	ping := rawFrame{op: 9, fin: true, payload: []byte("\xff")}
	for _, s := range utf8Texts() {
		text := []byte(s.bytes)
		cases = append(cases, newCase(s.name, rawFrame{op: 1, fin: true, payload: text}, ping))
		for at := range len(text) + 1 {
			cases = append(cases, newCase(fmt.Sprintf("%s, split at %d", s.name, at),
				rawFrame{op: 1, payload: text[:at]}, ping,
				rawFrame{op: 0, fin: true, payload: text[at:]}, ping))
		}
	}
	return cases
}

// closeCases is every close code, and what else a close frame may have.
func closeCases() []rfcCase {
	var cases []rfcCase
	body := func(code int, reason string) rawFrame {
		return rawFrame{op: 8, fin: true, payload: append([]byte{byte(code >> 8), byte(code)}, reason...)}
	}
	for code := range 1 << 16 {
		cases = append(cases, newCase(fmt.Sprintf("close code %d", code), body(code, "")))
	}
	cases = append(cases,
		newCase("empty close", rawFrame{op: 8, fin: true}),
		newCase("half a close code", rawFrame{op: 8, fin: true, payload: []byte{3}}),
		newCase("the longest reason", body(1000, strings.Repeat("r", 123))),
		newCase("close within a message", rawFrame{op: 1, payload: []byte("begun")}, body(1001, "bye")),
	)
	for _, s := range utf8Texts() {
		cases = append(cases, newCase("reason: "+s.name, body(4321, s.bytes)))
	}
	return cases
}
