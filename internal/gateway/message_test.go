package gateway

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"unsafe"

	"github.com/gobwas/ws"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pam-assistant/pam"
)

// feed gives an assembler segments, copied as a socket's would be into memory
// that is used again, and returns what came of them and the first fault.
func feed(a *assembler, segments ...[]byte) (all []seen, fault pam.Code) {
	var memory []byte
	for _, s := range segments {
		memory = append(memory[:0], s...)
		for p := memory; len(p) > 0; {
			got, rest, err := a.next(p)
			if err != nil {
				return all, err.Code
			}
			p = rest
			switch got.kind {
			case nothing, fragment:
			case textMessage:
				all = append(all, seen{What: "text", Payload: string(got.payload)})
			case pingFrame:
				all = append(all, seen{What: "ping", Payload: string(got.payload)})
			case pongFrame:
				all = append(all, seen{What: "pong", Payload: string(got.payload)})
			case closeFrame:
				all = append(all, seen{"close", string(got.payload), got.code})
			}
		}
	}
	return all, 0
}

// bytewise cuts p into its bytes.
func bytewise(p []byte) [][]byte { return slices.Collect(slices.Chunk(p, 1)) }

func check(t *testing.T, c rfcCase, segments ...[]byte) {
	t.Helper()
	a := newAssembler(rfcLimit)
	got, fault := feed(&a, segments...)
	if fault != c.Fault || !slices.Equal(got, c.Seen) {
		t.Errorf("%s, in %d segments: fault %v, want %v (-want +got):\n%s",
			c.Name, len(segments), fault, c.Fault, cmp.Diff(c.Seen, got))
	}
}

// TestRFC6455 holds the assembler against the whole table, all at once and byte
// by byte.
func TestRFC6455(t *testing.T) {
	t.Parallel()
	for name, cases := range map[string][]rfcCase{
		"headers": headerCases(),
		"limits":  limitCases(),
		"utf8":    utf8Cases(),
		"close":   closeCases(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, c := range cases {
				check(t, c, c.Sent)
				if len(c.Sent) <= 1<<10 {
					check(t, c, bytewise(c.Sent)...)
				} else {
					check(t, c, slices.Collect(slices.Chunk(c.Sent, 1009))...)
				}
			}
			t.Logf("%d cases", len(cases))
		})
	}
}

// TestUTF8Early splits every text into two segments at every place, and wants
// what cannot be UTF-8 refused at the very byte that makes it so.
func TestUTF8Early(t *testing.T) {
	t.Parallel()
	for _, s := range utf8Texts() {
		c := newCase(s.name, rawFrame{op: 1, fin: true, payload: []byte(s.bytes)})
		for at := range len(c.Sent) + 1 {
			check(t, c, c.Sent[:at], c.Sent[at:])
		}
		for _, fragments := range []bool{false, true} {
			wantAt, gotAt := -1, -1
			for i := range len(s.bytes) {
				if !viable([]byte(s.bytes[:i+1])) {
					wantAt = i
					break
				}
			}
			a := newAssembler(rfcLimit)
			for i := range len(s.bytes) {
				// The same bytes as a message that goes on, or as fragments.
				f := rawFrame{op: 1, payload: []byte(s.bytes[i : i+1])}
				if i > 0 {
					f.op = 0
				}
				sent := f.appendTo(nil)
				if !fragments {
					whole := rawFrame{op: 1, fin: true, payload: []byte(s.bytes + "more")}.appendTo(nil)
					sent = whole[6+i : 7+i]
					if i == 0 {
						sent = whole[:7]
					}
				}
				if _, fault := feed(&a, sent); fault != 0 {
					gotAt = i
					if fault != pam.CodeInvalidUTF8 {
						t.Errorf("%s: fault %v", s.name, fault)
					}
					break
				}
			}
			if gotAt != wantAt {
				t.Errorf("%s, fragments %v: refused at byte %d, want %d", s.name, fragments, gotAt, wantAt)
			}
		}
	}
}

// TestAfterTheEnd: after a violation, and after a close, nothing is read.
func TestAfterTheEnd(t *testing.T) {
	t.Parallel()
	ping := rawFrame{op: 9, fin: true}.appendTo(nil)
	a := newAssembler(rfcLimit)
	if _, fault := feed(&a, rawFrame{op: 3, fin: true}.appendTo(nil)); fault != pam.CodeProtocolError {
		t.Fatalf("fault %v", fault)
	}
	if got, fault := feed(&a, ping); fault != pam.CodeProtocolError || len(got) != 0 {
		t.Errorf("after a violation: %v, %v", got, fault)
	}
	a = newAssembler(rfcLimit)
	if _, fault := feed(&a, rawFrame{op: 8, fin: true}.appendTo(nil)); fault != 0 {
		t.Fatalf("fault %v", fault)
	}
	if got, fault := feed(&a, ping); fault != 0 || len(got) != 0 {
		t.Errorf("after a close: %v, %v", got, fault)
	}
}

// TestMemory: nothing is held between messages, nothing because it was
// announced, and a message that lies in what was read is not copied.
//
//nolint:paralleltest // AllocsPerRun counts the allocations of the whole process
func TestMemory(t *testing.T) {
	if size := unsafe.Sizeof(assembler{}); size > 100 {
		t.Errorf("an assembler has %d bytes", size)
	}
	a := newAssembler(rfcLimit)
	header := rawFrame{op: 1, fin: true, payload: bytes.Repeat([]byte("x"), rfcLimit)}.appendTo(nil)
	for i, b := range header[:14+100] {
		feed(&a, []byte{b})
		if came := max(0, i-13); cap(a.message) > 2*came+16 {
			t.Fatalf("%d bytes came, and %d are held", came, cap(a.message))
		}
	}
	if a.idle() {
		t.Error("idle within a frame")
	}
	feed(&a, header[14+100:])
	if !a.idle() || a.message != nil || a.control != nil {
		t.Errorf("held between messages: %d and %d bytes", cap(a.message), cap(a.control))
	}
	var sent []byte
	for _, f := range []rawFrame{
		{op: 1, fin: true, payload: []byte(`{"type":"ping","timestamp":"héllo"}`)},
		{op: 9, fin: true, payload: []byte("12345678")},
		{op: 10, fin: true, payload: []byte("12345678")},
	} {
		sent = f.appendTo(sent)
	}
	memory := make([]byte, len(sent))
	pieces := 0
	allocs := testing.AllocsPerRun(100, func() {
		copy(memory, sent)
		for p := memory; len(p) > 0; {
			got, rest, err := a.next(p)
			if err != nil || got.kind == nothing {
				t.Fatal(got, err)
			}
			p = rest
			pieces++
		}
	})
	if allocs != 0 || pieces != 3*101 {
		t.Errorf("%v allocations for %d pieces", allocs, pieces)
	}
}

// TestFragmentIsTold: whoever limits frames must hear of those that make no
// message.
func TestFragmentIsTold(t *testing.T) {
	t.Parallel()
	a := newAssembler(rfcLimit)
	for i := range 5 {
		f := rawFrame{op: 0}
		if i == 0 {
			f.op = 1
		}
		if got, _, err := a.next(f.appendTo(nil)); err != nil || got.kind != fragment {
			t.Fatalf("frame %d: %v, %v", i, got, err)
		}
	}
}

// TestSegments: how a stream is cut into segments changes nothing, and the
// judge agrees with what comes of it.
func TestSegments(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		frames := drawFrames(t)
		limit := rapid.SampledFrom([]int{64, 1000, rfcLimit}).Draw(t, "limit")
		var sent []byte
		for _, f := range frames {
			sent = f.appendTo(sent)
		}
		want, fault := judgeFrames(frames, limit)
		for _, segments := range [][][]byte{{sent}, drawCuts(t, sent)} {
			a := newAssembler(int32(limit))
			got, gotFault := feed(&a, segments...)
			if fault != gotFault || !slices.Equal(got, want) {
				t.Fatalf("in %d segments: fault %v, want %v (-want +got):\n%s",
					len(segments), gotFault, fault, cmp.Diff(want, got))
			}
		}
	})
}

// drawFrames draws what a client may send: mostly what it may, in fragments,
// with control frames between, and now and then what it may not.
func drawFrames(t *rapid.T) []rawFrame {
	var frames []rawFrame
	within := false
	texts := utf8Texts()
	for range rapid.IntRange(1, 8).Draw(t, "frames") {
		f := rawFrame{
			fin:  rapid.Bool().Draw(t, "fin"),
			form: rapid.SampledFrom([]lengthForm{minimal, minimal, as16, as64}).Draw(t, "form"),
		}
		text := rapid.String().Draw(t, "text")
		if rapid.IntRange(0, 9).Draw(t, "odd text") == 0 {
			text = rapid.SampledFrom(texts).Draw(t, "sample").bytes
		}
		f.payload = []byte(text)
		switch rapid.IntRange(0, 5).Draw(t, "control") {
		case 0:
			f.op, f.fin = rapid.SampledFrom([]byte{9, 10}).Draw(t, "op"), true
			f.payload = f.payload[:min(125, len(f.payload))]
		default:
			if !within {
				f.op = 1
			}
			within = !f.fin
		}
		switch rapid.IntRange(0, 40).Draw(t, "wrong") {
		case 0:
			f.op = byte(rapid.IntRange(0, 15).Draw(t, "any op"))
		case 1:
			f.rsv = byte(rapid.IntRange(0, 7).Draw(t, "rsv"))
		case 2:
			f.unmasked = true
		case 3:
			f.form = as64TopBit
		}
		frames = append(frames, f)
	}
	return frames
}

func drawCuts(t *rapid.T, p []byte) [][]byte {
	var segments [][]byte
	for len(p) > 0 {
		n := min(len(p), rapid.IntRange(1, 20).Draw(t, "segment"))
		segments = append(segments, p[:n])
		p = p[n:]
	}
	return segments
}

// TestAppendHeader compares with the library's.
func TestAppendHeader(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 125, 126, 127, 0xffff, 0x10000, 1 << 20, 1 << 40} {
		for _, op := range []ws.OpCode{ws.OpText, ws.OpClose, ws.OpPing, ws.OpPong} {
			var want bytes.Buffer
			if err := ws.WriteHeader(&want, ws.Header{Fin: true, OpCode: op, Length: int64(n)}); err != nil {
				t.Fatal(err)
			}
			got := appendHeader([]byte("before"), op, n)
			if !bytes.Equal(got, append([]byte("before"), want.Bytes()...)) {
				t.Errorf("opcode %d, length %d: % x, want % x", op, n, got[6:], want.Bytes())
			}
			if h, err := ws.ReadHeader(bytes.NewReader(got[6:])); err != nil || h.Length != int64(n) || h.Masked {
				t.Errorf("read back: %+v, %v", h, err)
			}
		}
	}
}

func BenchmarkAssembler(b *testing.B) {
	for _, n := range []int{40, 1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			sent := rawFrame{op: 1, fin: true, payload: bytes.Repeat([]byte("x"), n)}.appendTo(nil)
			memory := make([]byte, len(sent))
			a := newAssembler(rfcLimit)
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				copy(memory, sent)
				if got, _, err := a.next(memory); err != nil || got.kind != textMessage {
					b.Fatal(got, err)
				}
			}
		})
	}
}
