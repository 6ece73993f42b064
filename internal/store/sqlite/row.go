package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/pam-assistant/pam"
)

// A row of the log is, in this order:
//
//	1 byte   version, 1
//	4 bytes  CRC-32C of all that follows, little endian
//	entries  one an append, to the end:
//	  uvarint  conversation (its row's id)
//	  uvarint  fence
//	  uvarint  how many events, at least 1
//	  uvarint  seq of the first; they are consecutive
//	  events:
//	    uvarint  seq - from
//	    1 byte   kind
//	    uvarint, bytes  turn
//	    uvarint, bytes  JSON
const (
	rowVersion = 1
	rowHeader  = 5
)

// entry is what one append put into a row.
type entry struct {
	conv   int64
	fence  int64
	events []pam.Record // they share the row's memory
}

// rowEncoder builds a row in a buffer that it keeps.
type rowEncoder struct{ buf []byte }

func (e *rowEncoder) reset() { e.buf = append(e.buf[:0], rowVersion, 0, 0, 0, 0) }

func (e *rowEncoder) empty() bool { return len(e.buf) == rowHeader }

// add appends an entry; events are consecutive and at least one.
func (e *rowEncoder) add(conv, fence int64, events []pam.Record) {
	b := e.buf
	b = appendNumber(b, conv)
	b = appendNumber(b, fence)
	b = appendNumber(b, int64(len(events)))
	b = appendNumber(b, events[0].Seq)
	for i := range events {
		r := &events[i]
		b = appendNumber(b, r.Seq-r.From)
		b = append(b, byte(r.Kind))
		b = appendNumber(b, int64(len(r.Turn)))
		b = append(b, r.Turn...)
		b = appendNumber(b, int64(len(r.JSON)))
		b = append(b, r.JSON...)
	}
	e.buf = b
}

// appendNumber appends a number that is never negative.
func appendNumber(b []byte, n int64) []byte {
	return binary.AppendUvarint(b, uint64(n)) //nolint:gosec // see above
}

// finish returns the row; it is valid until the next reset.
func (e *rowEncoder) finish() []byte {
	binary.LittleEndian.PutUint32(e.buf[1:], checksum(e.buf[rowHeader:]))
	return e.buf
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

var (
	errTorn    = errors.New("it ends too early")
	errGarbled = errors.New("its checksum is wrong")
)

// decodeRow reads a row. It allocates no more than the row's own length asks for.
func decodeRow(row []byte) ([]entry, error) {
	if len(row) <= rowHeader {
		return nil, errTorn
	}
	if row[0] != rowVersion {
		return nil, fmt.Errorf("its version is %d, not %d", row[0], rowVersion)
	}
	if binary.LittleEndian.Uint32(row[1:]) != checksum(row[rowHeader:]) {
		return nil, errGarbled
	}
	d := rowDecoder{rest: row[rowHeader:]}
	var entries []entry
	for len(d.rest) > 0 && !d.bad {
		entries = append(entries, d.entry())
	}
	if d.bad {
		return nil, errTorn
	}
	return entries, nil
}

// rowDecoder reads from the front of rest; after a fault it is bad and reads zeros.
type rowDecoder struct {
	rest []byte
	bad  bool
}

func (d *rowDecoder) entry() entry {
	e := entry{conv: d.number(), fence: d.number()}
	n, seq := d.number(), d.number()
	if n < 1 || n > int64(len(d.rest)) { // an event takes more than a byte
		d.bad = true
		return e
	}
	e.events = make([]pam.Record, 0, min(n, 1024))
	for i := int64(0); i < n && !d.bad; i++ {
		r := pam.Record{Seq: seq + i}
		r.From = r.Seq - d.number()
		r.Kind = pam.Kind(d.byte())
		r.Turn = pam.TurnID(d.bytes())
		r.JSON = d.bytes()
		d.bad = d.bad || r.From < 1 || r.Kind == 0
		e.events = append(e.events, r)
	}
	return e
}

func (d *rowDecoder) number() int64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 || v > 1<<62 {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[n:]
	return int64(v)
}

func (d *rowDecoder) byte() byte {
	if len(d.rest) == 0 {
		d.bad = true
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *rowDecoder) bytes() []byte {
	n := d.number()
	if n > int64(len(d.rest)) {
		d.bad, d.rest = true, nil
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}
