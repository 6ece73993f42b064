package terminal

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// maxInput bounds what may be typed, in characters: the server's own bound.
const maxInput = 32_768

// editor is the line that is being typed. It may hold several lines: what was
// pasted, or Alt-Enter.
type editor struct {
	text    []rune
	at      int
	history [][]rune
	back    int    // how many entries of the history ago
	draft   []rune // what was typed before going back
}

func (e *editor) empty() bool { return len(e.text) == 0 }

func (e *editor) reset() { e.text, e.at, e.back, e.draft = nil, 0, 0, nil }

// enter takes what was typed.
func (e *editor) enter() string {
	text := string(e.text)
	if strings.TrimSpace(text) != "" {
		e.history = append(e.history, e.text)
		if len(e.history) > 100 {
			e.history = e.history[1:]
		}
	}
	e.reset()
	return text
}

// insert types text.
func (e *editor) insert(text string) {
	runes := []rune(Clean(text))
	runes = runes[:min(len(runes), maxInput-len(e.text))]
	e.text = slices.Insert(slices.Clip(e.text), e.at, runes...)
	e.at += len(runes)
}

// press does what a key asks for.
func (e *editor) press(k key) {
	switch k {
	case keyLeft, keyRight, keyHome, keyEnd, keyWordLeft, keyWordRight:
		e.at = e.move(k)
	case keyBackspace:
		e.cut(max(e.at-1, 0), e.at)
	case keyDelete:
		e.cut(e.at, min(e.at+1, len(e.text)))
	case keyCutWord:
		e.cut(e.wordLeft(), e.at)
	case keyCutStart:
		e.cut(e.lineStart(), e.at)
	case keyCutEnd:
		e.cut(e.at, e.lineEnd())
	case keyUp:
		e.recall(e.back + 1)
	case keyDown:
		e.recall(e.back - 1)
	case keyNewLine:
		e.insert("\n")
	case keyNone, keyEnter, keyInterrupt, keyLeave, keyRedraw:
	}
}

// move returns where a key moves the cursor.
func (e *editor) move(k key) int {
	switch k { //nolint:exhaustive // the others do not move it
	case keyLeft:
		return max(e.at-1, 0)
	case keyRight:
		return min(e.at+1, len(e.text))
	case keyHome:
		return e.lineStart()
	case keyEnd:
		return e.lineEnd()
	case keyWordLeft:
		return e.wordLeft()
	case keyWordRight:
		return e.wordRight()
	}
	return e.at
}

func (e *editor) cut(from, to int) {
	e.text = slices.Delete(slices.Clone(e.text), from, to)
	e.at = from
}

func (e *editor) lineStart() int {
	at := e.at
	for at > 0 && e.text[at-1] != '\n' {
		at--
	}
	return at
}

func (e *editor) lineEnd() int {
	at := e.at
	for at < len(e.text) && e.text[at] != '\n' {
		at++
	}
	return at
}

func (e *editor) wordLeft() int {
	at := e.at
	for at > 0 && unicode.IsSpace(e.text[at-1]) {
		at--
	}
	for at > 0 && !unicode.IsSpace(e.text[at-1]) {
		at--
	}
	return at
}

func (e *editor) wordRight() int {
	at := e.at
	for at < len(e.text) && unicode.IsSpace(e.text[at]) {
		at++
	}
	for at < len(e.text) && !unicode.IsSpace(e.text[at]) {
		at++
	}
	return at
}

// recall shows the entry of the history that many ago; 0 is what was typed.
func (e *editor) recall(back int) {
	if back < 0 || back > len(e.history) {
		return
	}
	if e.back == 0 {
		e.draft = e.text
	}
	e.back = back
	e.text = e.draft
	if back > 0 {
		e.text = e.history[len(e.history)-back]
	}
	e.at = len(e.text)
}

// lines returns the text as it is drawn, each line at most columns wide, and
// where the cursor stands.
func (e *editor) lines(columns int) (lines []string, at cursor) {
	columns = max(columns, 2)
	var line strings.Builder
	width := 0
	flush := func() {
		lines = append(lines, line.String())
		line.Reset()
		width = 0
	}
	for i := 0; i <= len(e.text); i++ {
		if i == e.at {
			at = cursor{row: len(lines), column: width}
		}
		if i == len(e.text) {
			break
		}
		r := e.text[i]
		if r == '\n' {
			flush()
			continue
		}
		if r == '\t' {
			r = ' '
		}
		w := ansi.StringWidth(string(r))
		if width+w > columns-1 { // the last column is the cursor's
			flush()
			if i == e.at {
				at = cursor{row: len(lines)}
			}
		}
		line.WriteRune(r)
		width += w
	}
	flush()
	return lines, at
}

// key is a key with a meaning.
type key uint8

// The keys.
const (
	keyNone key = iota
	keyEnter
	keyNewLine
	keyInterrupt // Ctrl-C
	keyLeave     // Ctrl-D: delete, or the end where nothing is typed
	keyRedraw
	keyLeft
	keyRight
	keyUp
	keyDown
	keyHome
	keyEnd
	keyWordLeft
	keyWordRight
	keyBackspace
	keyDelete
	keyCutWord
	keyCutStart
	keyCutEnd
)

// press is one thing that was typed: a key, or text.
type press struct {
	key  key
	text string
}

// keyReader makes sense of the bytes of a terminal.
type keyReader struct {
	rest    []byte
	pasting bool
}

// feed takes bytes, and returns what was typed. An escape sequence that is cut
// by the end of a read is kept for the next.
func (k *keyReader) feed(in []byte) []press {
	k.rest = append(k.rest, in...)
	var out []press
	for len(k.rest) > 0 {
		p, n := k.next()
		if n == 0 {
			break
		}
		k.rest = k.rest[n:]
		if p == (press{}) {
			continue
		}
		if last := len(out) - 1; last >= 0 && p.key == keyNone && out[last].key == keyNone {
			out[last].text += p.text
			continue
		}
		out = append(out, p)
	}
	if len(k.rest) > 64 { // no sequence is so long
		k.rest = nil
	}
	return out
}

// next reads one press and its length; 0 where more bytes are needed.
func (k *keyReader) next() (press, int) {
	c := k.rest[0]
	switch {
	case c == 0x1b:
		return k.escape()
	case k.pasting && (c == '\r' || c == '\n'):
		return press{text: "\n"}, 1
	case c == '\t':
		return press{text: "\t"}, 1
	case c < 0x20 || c == 0x7f:
		return press{key: control(c)}, 1
	}
	if !utf8.FullRune(k.rest) {
		return press{}, 0
	}
	r, n := utf8.DecodeRune(k.rest)
	if r == utf8.RuneError {
		return press{}, n
	}
	return press{text: string(r)}, n
}

func control(c byte) key {
	switch c {
	case '\r', '\n': // a line feed is what was typed before raw mode
		return keyEnter
	case 0x01:
		return keyHome
	case 0x02:
		return keyLeft
	case 0x03:
		return keyInterrupt
	case 0x04:
		return keyLeave
	case 0x05:
		return keyEnd
	case 0x06:
		return keyRight
	case 0x08, 0x7f:
		return keyBackspace
	case 0x0b:
		return keyCutEnd
	case 0x0c:
		return keyRedraw
	case 0x0e:
		return keyDown
	case 0x10:
		return keyUp
	case 0x15:
		return keyCutStart
	case 0x17:
		return keyCutWord
	}
	return keyNone
}

// escape reads a sequence that begins with ESC.
func (k *keyReader) escape() (press, int) {
	if len(k.rest) < 2 {
		return press{}, 0
	}
	switch k.rest[1] {
	case '\r', '\n':
		return press{key: keyNewLine}, 2
	case 'b':
		return press{key: keyWordLeft}, 2
	case 'f':
		return press{key: keyWordRight}, 2
	case 0x7f:
		return press{key: keyCutWord}, 2
	case '[', 'O':
	default:
		return press{}, 2
	}
	end := 2
	for end < len(k.rest) && (k.rest[end] < 0x40 || k.rest[end] > 0x7e) {
		end++
	}
	if end == len(k.rest) {
		return press{}, 0
	}
	seq := string(k.rest[2 : end+1])
	switch seq {
	case "200~":
		k.pasting = true
	case "201~":
		k.pasting = false
	}
	return press{key: sequence(seq)}, end + 1
}

func sequence(seq string) key {
	switch seq {
	case "A":
		return keyUp
	case "B":
		return keyDown
	case "C":
		return keyRight
	case "D":
		return keyLeft
	case "H", "1~", "7~":
		return keyHome
	case "F", "4~", "8~":
		return keyEnd
	case "3~":
		return keyDelete
	case "1;5D", "1;3D":
		return keyWordLeft
	case "1;5C", "1;3C":
		return keyWordRight
	case "13;2u":
		return keyNewLine
	}
	return keyNone
}
