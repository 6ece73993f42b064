package gateway

import (
	"encoding/binary"
	"strconv"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/pam-assistant/pam"
)

// noStatus is what an empty close frame stands for (RFC 6455, section 7.1.5).
const noStatus = 1005

// maxHeader is the length of the longest header of a client: two bytes, eight
// of length, four of mask.
const maxHeader = 14

// pieceKind says what a piece is.
type pieceKind uint8

const (
	nothing     pieceKind = iota // what came is used up, and nothing is whole
	fragment                     // a frame came whole, its message is not
	textMessage                  // payload is valid UTF-8
	pingFrame
	pongFrame
	closeFrame // payload is the reason, valid UTF-8
)

// piece is what came whole. Its payload lies in the bytes that were fed, or in
// a buffer that nobody else holds: it is the caller's until it feeds those
// bytes' memory again.
type piece struct {
	kind    pieceKind
	code    uint16 // of a close frame; noStatus where it was empty
	payload []byte
}

// assembler turns a client's bytes into messages: the reading half of RFC 6455,
// without a socket, a goroutine or a lock. Between messages it keeps no buffer.
// While a message is unfinished it has one that grows with what has come,
// never with what was announced.
//
// What breaks the protocol is refused as early as the bytes allow: by the
// header alone, or at the first byte that cannot be UTF-8. After a refusal,
// and after a close frame, nothing more is read.
type assembler struct {
	message []byte // of an unfinished message, what came so far
	control []byte // of an unfinished control frame, what came so far
	limit   int32  // of a message's length
	left    int32  // of the present frame's payload, to come
	mask    [4]byte
	header  [maxHeader]byte
	have    uint8 // bytes of header
	offset  uint8 // of the next byte of payload in the mask
	partial uint8 // bytes at message's end that are the start of a rune
	inFrame bool  // the header is whole, the payload is not
	within  bool  // a message has begun and goes on in the next frame
	over    bool
	failed  pam.Code // why it is over; 0 after a close frame
}

// newAssembler returns one that takes messages of at most limit bytes.
func newAssembler(limit int32) assembler { return assembler{limit: limit} }

// next takes bytes as they came, unmasks them in place, and returns the first
// thing that is whole and the bytes that follow it. Where nothing is whole yet
// the kind is nothing and all of p is used up:
//
//	for len(p) > 0 {
//		var got piece
//		if got, p, err = a.next(p); err != nil { … }
//
// An error's code is CodeProtocolError, CodeBinaryFrame, CodeInvalidUTF8 or
// CodeFrameTooLarge.
func (a *assembler) next(p []byte) (piece, []byte, *pam.Error) {
	if a.over {
		if a.failed != 0 {
			return piece{}, nil, violation(a.failed, "nothing is read after a violation")
		}
		return piece{}, nil, nil
	}
	if !a.inFrame {
		var err *pam.Error
		if p, err = a.readHeader(p); err != nil {
			return a.fail(err)
		}
		if !a.inFrame {
			return piece{}, nil, nil
		}
	}
	n := min(len(p), int(a.left))
	payload, rest := p[:n:n], p[n:]
	ws.Cipher(payload, a.mask, int(a.offset))
	a.offset = uint8((int(a.offset) + n) % len(a.mask)) //nolint:gosec // less than 4
	a.left -= int32(n)                                  //nolint:gosec // at most a.left
	var (
		got piece
		err *pam.Error
	)
	if a.op().IsControl() {
		got, err = a.addControl(payload)
	} else {
		got, err = a.addText(payload)
	}
	if err != nil {
		return a.fail(err)
	}
	if a.left == 0 {
		a.inFrame, a.have = false, 0
	}
	return got, rest, nil
}

// idle reports whether nothing is unfinished: no byte of a frame has come, and
// no message goes on.
func (a *assembler) idle() bool { return a.have == 0 && !a.within }

func (a *assembler) op() ws.OpCode { return ws.OpCode(a.header[0] & 0x0f) }
func (a *assembler) fin() bool     { return a.header[0]&0x80 != 0 }

func (a *assembler) fail(err *pam.Error) (piece, []byte, *pam.Error) {
	*a = assembler{limit: a.limit, over: true, failed: err.Code}
	return piece{}, nil, err
}

// readHeader collects a header, which may come in any number of pieces, and
// judges each part of it as soon as it is there.
func (a *assembler) readHeader(p []byte) ([]byte, *pam.Error) {
	for {
		end, done := a.headerEnd()
		n := copy(a.header[a.have:end], p)
		p = p[n:]
		a.have += uint8(n) //nolint:gosec // at most maxHeader
		if a.have < end {
			return p, nil
		}
		if done {
			break
		}
		if err := a.judge(); err != nil {
			return p, err
		}
	}
	copy(a.mask[:], a.header[a.have-4:a.have])
	a.offset, a.inFrame = 0, true
	return p, nil
}

// headerEnd returns how many bytes of header are wanted before the next look
// at it, and whether those are all: first the two that say what it is, then
// the length, then the mask.
func (a *assembler) headerEnd() (end uint8, all bool) {
	const two, mask = 2, 4
	if a.have < two {
		return two, false
	}
	end = two
	switch a.header[1] & 0x7f {
	case 126:
		end += 2
	case 127:
		end += 8
	}
	if a.have < end {
		return end, false
	}
	return end + mask, true
}

// judge looks at the part of the header that has just become whole.
func (a *assembler) judge() *pam.Error {
	short := a.header[1] & 0x7f
	if a.have == 2 {
		if err := a.judgeKind(); err != nil {
			return err
		}
	}
	length := uint64(short)
	switch {
	case short == 126 && a.have == 4:
		length = uint64(binary.BigEndian.Uint16(a.header[2:]))
	case short == 127 && a.have == 10:
		length = binary.BigEndian.Uint64(a.header[2:])
	case short >= 126:
		return nil // the length is still to come
	}
	switch control := a.op().IsControl(); {
	case length>>63 != 0:
		return violation(pam.CodeProtocolError, "a length has its top bit set")
	case control && length > ws.MaxControlFramePayloadSize:
		return violation(pam.CodeProtocolError, "a control frame has more than 125 bytes")
	case !control && length > uint64(int(a.limit)-len(a.message)): //nolint:gosec // a message is not over its limit
		return violation(pam.CodeFrameTooLarge, "more than "+strconv.Itoa(int(a.limit))+" bytes")
	}
	a.left = int32(length)
	return nil
}

// judgeKind looks at the first two bytes (RFC 6455, sections 5.1, 5.2, 5.4 and
// 5.5).
func (a *assembler) judgeKind() *pam.Error {
	op := a.op()
	switch {
	case a.header[0]&0x70 != 0:
		return violation(pam.CodeProtocolError, "a reserved bit is set, and no extension was agreed on")
	case op.IsReserved():
		return violation(pam.CodeProtocolError, "opcode "+strconv.Itoa(int(op))+" is reserved")
	case a.header[1]&0x80 == 0:
		return violation(pam.CodeProtocolError, "a frame of a client is not masked")
	case op.IsControl() && !a.fin():
		return violation(pam.CodeProtocolError, "a control frame is fragmented")
	case op == ws.OpContinuation && !a.within:
		return violation(pam.CodeProtocolError, "a continuation continues nothing")
	case op.IsData() && op != ws.OpContinuation && a.within:
		return violation(pam.CodeProtocolError, "a message begins within another")
	case op == ws.OpBinary:
		return violation(pam.CodeBinaryFrame, "a binary frame")
	}
	return nil
}

// addText takes payload of the present data frame.
func (a *assembler) addText(payload []byte) (piece, *pam.Error) {
	whole := a.left == 0
	if whole && a.fin() && len(a.message) == 0 {
		// All of the message lies in p: nothing is copied.
		if !utf8.Valid(payload) {
			return piece{}, notUTF8()
		}
		a.within = false
		return piece{kind: textMessage, payload: payload}, nil
	}
	unchecked := len(a.message) - int(a.partial)
	a.message = append(a.message, payload...)
	partial, ok := checkUTF8(a.message[unchecked:])
	if !ok {
		return piece{}, notUTF8()
	}
	a.partial = partial
	switch {
	case !whole:
		return piece{}, nil
	case !a.fin():
		a.within = true
		return piece{kind: fragment}, nil
	case partial > 0:
		return piece{}, notUTF8()
	}
	got := piece{kind: textMessage, payload: a.message}
	a.message, a.within = nil, false
	return got, nil
}

// addControl takes payload of the present control frame.
func (a *assembler) addControl(payload []byte) (piece, *pam.Error) {
	if a.left > 0 || len(a.control) > 0 {
		a.control = append(a.control, payload...)
		if a.left > 0 {
			return piece{}, nil
		}
		payload = a.control
		a.control = nil
	}
	switch a.op() {
	case ws.OpPing:
		return piece{kind: pingFrame, payload: payload}, nil
	case ws.OpPong:
		return piece{kind: pongFrame, payload: payload}, nil
	}
	got, err := readClose(payload)
	a.message, a.within, a.over = nil, false, true
	return got, err
}

// readClose reads the payload of a close frame (RFC 6455, section 5.5.1).
func readClose(payload []byte) (piece, *pam.Error) {
	if len(payload) == 0 {
		return piece{kind: closeFrame, code: noStatus}, nil
	}
	if len(payload) < 2 {
		return piece{}, violation(pam.CodeProtocolError, "a close frame has half a code")
	}
	code, reason := binary.BigEndian.Uint16(payload), payload[2:]
	if !mayBeSent(code) {
		return piece{}, violation(pam.CodeProtocolError, "close code "+strconv.Itoa(int(code))+" may not be sent")
	}
	if !utf8.Valid(reason) {
		return piece{}, notUTF8()
	}
	return piece{kind: closeFrame, code: code, payload: reason}, nil
}

// mayBeSent reports whether a close frame may have code: those of RFC 6455,
// section 7.4, and of IANA's registry, and the two ranges left to libraries
// and applications.
func mayBeSent(code uint16) bool {
	switch {
	case code >= 1000 && code <= 1003, code >= 1007 && code <= 1014:
		return true
	}
	return code >= 3000 && code <= 4999
}

// checkUTF8 reports whether p may still become valid UTF-8, and how many bytes
// at its end are the start of a rune whose rest is to come.
func checkUTF8(p []byte) (partial uint8, ok bool) {
	for i := 1; i < utf8.UTFMax && i <= len(p); i++ {
		if tail := p[len(p)-i:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				partial = uint8(i)
			}
			break
		}
	}
	return partial, utf8.Valid(p[:len(p)-int(partial)])
}

func notUTF8() *pam.Error { return violation(pam.CodeInvalidUTF8, "") }

func violation(code pam.Code, detail string) *pam.Error {
	return &pam.Error{Code: code, Op: "gateway.read", Detail: detail}
}

// appendHeader appends the header of a server's frame that is whole: unmasked,
// its length in as few bytes as can be.
func appendHeader(dst []byte, op ws.OpCode, length int) []byte {
	first := 0x80 | byte(op)
	switch {
	case length <= 125:
		return append(dst, first, byte(length)) //nolint:gosec // at most 125
	case length <= 0xffff:
		return binary.BigEndian.AppendUint16(append(dst, first, 126), uint16(length))
	}
	return binary.BigEndian.AppendUint64(append(dst, first, 127), uint64(length))
}
