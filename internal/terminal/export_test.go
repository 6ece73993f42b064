package terminal

// Blocks is blocks.
func Blocks(text string, over bool) (done []string, size int) { return blocks(text, over) }

// Render renders a block as it is shown at that many columns.
func Render(text string, columns int, color bool) (string, error) {
	r, err := newRenderer(style{color: color}, columns)
	if err != nil {
		return "", err
	}
	return r.block(text), nil
}

// Typed feeds bytes as a terminal sends them, in the given pieces, to a line
// editor; it returns the text, the lines as drawn at that many columns, where
// the cursor is, and what was entered.
func Typed(columns int, pieces ...string) (text string, lines []string, row, column int, entered []string) {
	var (
		keys keyReader
		e    editor
	)
	for _, piece := range pieces {
		for _, p := range keys.feed([]byte(piece)) {
			switch p.key {
			case keyNone:
				e.insert(p.text)
			case keyEnter:
				entered = append(entered, e.enter())
			default:
				e.press(p.key)
			}
		}
	}
	lines, at := e.lines(columns)
	return string(e.text), lines, at.row, at.column, entered
}
