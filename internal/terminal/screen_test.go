package terminal_test

import (
	"strconv"
	"strings"
)

// screen is a terminal of endless height, as far as terminal draws on one.
type screen struct {
	columns, row, column int
	lines                [][]rune
}

func newScreen(columns int) *screen { return &screen{columns: columns, lines: [][]rune{nil}} }

// String is what is shown, without the padding of lines.
func (s *screen) String() string {
	var b strings.Builder
	for i, line := range s.lines {
		text := strings.TrimRight(string(line), " ")
		if i == len(s.lines)-1 && text == "" {
			break
		}
		b.WriteString(text + "\n")
	}
	return b.String()
}

func (s *screen) write(out string) {
	for out != "" {
		if strings.HasPrefix(out, "\x1b[") {
			end := strings.IndexFunc(out[2:], func(r rune) bool { return r >= '@' && r <= '~' }) + 2
			s.sequence(out[2:end], out[end])
			out = out[end+1:]
			continue
		}
		r := []rune(out)[0]
		s.put(r)
		out = out[len(string(r)):]
	}
}

func (s *screen) sequence(arguments string, kind byte) {
	n, err := strconv.Atoi(arguments)
	if err != nil {
		n = 1
	}
	switch kind {
	case 'A':
		s.row = max(s.row-n, 0)
	case 'C':
		s.column += n
	case 'J':
		s.lines = s.lines[:s.row+1]
		s.lines[s.row] = s.lines[s.row][:min(s.column, len(s.lines[s.row]))]
	}
}

func (s *screen) put(r rune) {
	switch r {
	case '\r':
		s.column = 0
	case '\n':
		if s.row++; s.row == len(s.lines) {
			s.lines = append(s.lines, nil)
		}
	default:
		line := s.lines[s.row]
		for len(line) <= s.column {
			line = append(line, ' ')
		}
		line[s.column] = r
		s.lines[s.row] = line
		s.column++
	}
}
