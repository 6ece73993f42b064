package terminal

import (
	"fmt"
	"io"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// screen writes two things to a terminal: lines that stay, and below them a
// live region that is drawn anew each time. It uses the main screen, so that
// what was said stays in the terminal's own history.
type screen struct {
	w    io.Writer
	size func() (columns, rows int)
	row  int    // of the cursor, within the live region
	last string // the live region as it was drawn
}

// cursor is where the cursor stands in the live region.
type cursor struct{ row, column int }

// paint adds lines above the live region, and draws that.
func (s *screen) paint(above string, live []string, at cursor) error {
	columns, rows := s.size()
	if most := max(rows-1, 1); len(live) > most { // its head would scroll away, and stay
		cut := len(live) - most
		live, at.row = live[cut:], max(at.row-cut, 0)
	}
	var region strings.Builder
	for i, line := range live {
		if i > 0 {
			region.WriteString("\r\n")
		}
		region.WriteString(ansi.Truncate(line, columns, ""))
	}
	if len(live) > 0 {
		if up := len(live) - 1 - at.row; up > 0 {
			fmt.Fprintf(&region, "\x1b[%dA", up)
		}
		region.WriteString("\r")
		if at.column > 0 {
			fmt.Fprintf(&region, "\x1b[%dC", min(at.column, columns-1))
		}
	}
	if above == "" && region.String() == s.last {
		return nil
	}
	var b strings.Builder
	b.WriteString("\x1b[?2026h\x1b[?25l") // one frame, where the terminal knows how; no cursor that runs about
	if s.row > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", s.row)
	}
	b.WriteString("\r\x1b[J")
	if above != "" {
		b.WriteString(strings.ReplaceAll(strings.TrimSuffix(above, "\n"), "\n", "\r\n"))
		b.WriteString("\r\n")
	}
	b.WriteString(region.String())
	b.WriteString("\x1b[?25h\x1b[?2026l")
	s.row, s.last = at.row, region.String()
	_, err := io.WriteString(s.w, b.String())
	return err
}
