package terminal

import (
	"regexp"
	"strings"

	"charm.land/glamour/v2"
	"github.com/charmbracelet/x/ansi"
)

const (
	indent     = "  "    // of an answer, under its question
	minColumns = 20      // narrower terminals are written to as if they were so wide
	maxColumns = 100     // text is hard to read beyond
	maxBlock   = 8 << 10 // bytes; a block beyond it is shown as it is: rendering takes too long
	maxNesting = 8       // of quotations and lists; glamour takes seconds for 100
)

// renderer turns finished blocks of Markdown into lines for a terminal.
type renderer struct {
	style
	columns  int
	markdown *glamour.TermRenderer
	sgr      *regexp.Regexp
	entity   *regexp.Regexp
}

// newMarkdown returns glamour for lines of that many columns.
func newMarkdown(s style, columns int) (*glamour.TermRenderer, error) {
	return glamour.NewTermRenderer(
		glamour.WithStyles(s.markdown()),
		glamour.WithChromaFormatter(s.formatter()),
		glamour.WithWordWrap(columns),
	)
}

// newRenderer returns a renderer for a terminal of that many columns.
func newRenderer(s style, columns int) (*renderer, error) {
	columns = min(max(columns, minColumns), maxColumns)
	markdown, err := newMarkdown(s, columns-len(indent))
	if err != nil {
		return nil, err
	}
	return &renderer{
		style: s, columns: columns, markdown: markdown,
		// Colors and weights, all but "conceal": nothing else may come through.
		sgr:    regexp.MustCompile(`^\x1b\[(?:(?:[0-79]|[1-9][0-9]|[1-9][0-9][0-9])?;?)*m`),
		entity: regexp.MustCompile(`&(#(?:0*(?:[0-9]|[12][0-9]|3[01]|12[7-9]|1[345][0-9])|[xX]0*(?:[01]?[0-9a-fA-F]|7[fF]|[89][0-9a-fA-F]));)`),
	}, nil
}

// block renders one block of what a model or a person wrote, indented.
func (r *renderer) block(text string) string {
	text = strings.ReplaceAll(Clean(text), "\t", "    ")
	rendered := ""
	if len(text) <= maxBlock && nesting(text) <= maxNesting {
		if out, err := r.rendererOf(text).Render(tight(r.entity.ReplaceAllString(text, `&amp;$1`))); err == nil {
			rendered = r.safe(out)
		}
	}
	if rendered == "" {
		rendered = ansi.Wrap(text, r.columns-len(indent), "")
	}
	return r.indented(rendered)
}

// rendererOf returns glamour for a block. It draws a table as wide as it may,
// so that a small one is given its own width.
func (r *renderer) rendererOf(text string) *glamour.TermRenderer {
	width := tableWidth(text)
	if width == 0 || width >= r.columns-len(indent) {
		return r.markdown
	}
	markdown, err := newMarkdown(r.style, width)
	if err != nil {
		return r.markdown
	}
	return markdown
}

// tableWidth is the natural width of a block that is a table; else 0.
func tableWidth(text string) int {
	var widths []int
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			return 0
		}
		for i, column := range strings.Split(strings.Trim(line, "|"), "|") {
			column = strings.TrimSpace(column)
			if strings.Trim(column, ":-") == "" {
				column = ""
			}
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], ansi.StringWidth(column))
		}
	}
	total := max(len(widths)-1, 0) // the lines between
	for _, w := range widths {
		total += w + 2
	}
	return total
}

// tight joins the paragraphs of a list's item by a break within the line:
// glamour would put the second one right behind the first.
func tight(text string) string {
	if !isItem(text) {
		return text
	}
	lines := strings.Split(text, "\n")
	out := lines[:1:1]
	fence := false
	for i, line := range lines[1:] {
		word := strings.TrimLeft(line, " ")
		fence = fence != isFence(word)
		last := len(out) - 1
		if !fence && i > 0 && joins(out, line) {
			out[last-1] += "\\"
			out[last] = line[:len(line)-len(word)] + strings.Repeat("\u00a0", min(len(line)-len(word), 4)) + word
			continue
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

// joins reports whether line begins another paragraph of the item whose lines
// come before it.
func joins(before []string, line string) bool {
	last := len(before) - 1
	return line != "" && line[0] == ' ' && !isItem(line) &&
		before[last] == "" && strings.TrimSpace(before[last-1]) != "" && !isFence(strings.TrimSpace(before[last-1]))
}

// isFence reports whether a line begins or ends code.
func isFence(word string) bool {
	return strings.HasPrefix(word, "```") || strings.HasPrefix(word, "~~~")
}

// nesting is how deep quotations and lists may lie in each other, at most.
func nesting(text string) int {
	deepest := 0
	for line := range strings.SplitSeq(text, "\n") {
		depth, rest := 0, line
		for rest != "" {
			word := strings.TrimLeft(rest, " ")
			switch {
			case strings.HasPrefix(word, ">"):
				rest = word[1:]
			case isItem(word):
				depth += (len(rest) - len(word)) / 2
				rest = word[strings.IndexByte(word, ' ')+1:]
			default:
				rest = ""
				continue
			}
			depth++
		}
		deepest = max(deepest, depth)
	}
	return deepest
}

// plain shows text as it is, wrapped and indented.
func (r *renderer) plain(text string) string {
	return r.indented(ansi.Wrap(strings.ReplaceAll(Clean(text), "\t", "    "), r.columns-len(indent), ""))
}

// safe drops every control character and sequence of rendered Markdown but
// those of its looks: the text was clean, but Markdown may write what was not
// in it. (&#27; is ESC; such entities are shown as they were written.)
func (r *renderer) safe(rendered string) string {
	var b strings.Builder
	for rendered != "" {
		i := strings.IndexByte(rendered, '\x1b')
		if i < 0 {
			b.WriteString(Clean(rendered))
			break
		}
		b.WriteString(Clean(rendered[:i]))
		rendered = rendered[i:]
		switch seq := r.sgr.FindString(rendered); {
		case seq != "":
			if r.color {
				b.WriteString(seq)
			}
			rendered = rendered[len(seq):]
		case strings.HasPrefix(rendered, "\x1b]8;"): // a link; its address stands beside it
			rendered = afterOSC(rendered)
		default:
			rendered = rendered[1:]
		}
	}
	return b.String()
}

// afterOSC skips an operating system command.
func afterOSC(s string) string {
	end, length := strings.IndexByte(s, '\a'), 1
	if st := strings.Index(s, "\x1b\\"); st >= 0 && (end < 0 || st < end) {
		end, length = st, 2
	}
	if end < 0 {
		return s[1:]
	}
	return s[end+length:]
}

// indented trims what pads the lines, and indents them.
func (r *renderer) indented(text string) string {
	lines := strings.Split(strings.Trim(text, "\n"), "\n")
	for i, line := range lines {
		if line = trimRight(line); line != "" {
			lines[i] = indent + line
		} else {
			lines[i] = ""
		}
	}
	for len(lines) > 1 && lines[0] == "" {
		lines = lines[1:]
	}
	for len(lines) > 1 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return strings.Join(lines, "\n")
}

// trimRight cuts the spaces, and their looks, from a line's end.
func trimRight(line string) string {
	styled := strings.Contains(line, "\x1b")
	for {
		short := strings.TrimRight(line, " ")
		if i := strings.LastIndexByte(short, '\x1b'); i >= 0 && strings.HasSuffix(short, "m") && !strings.ContainsAny(short[i+1:len(short)-1], " m") {
			short = short[:i]
		}
		if short == line {
			break
		}
		line = short
	}
	if styled && line != "" {
		line += "\x1b[0m"
	}
	return line
}

// blocks splits Markdown into the blocks that are finished, and returns them
// with the number of bytes that they take. Where all is said the last one is
// finished too. A block ends at an empty line that is neither in a fence nor
// between the items of a list.
func blocks(text string, over bool) (done []string, size int) {
	var b blockReader
	for rest := text; rest != ""; {
		line, tail, whole := strings.Cut(rest, "\n")
		if !whole && !over {
			break // the line may go on
		}
		if b.begins(line) {
			done = append(done, text[size:b.end])
			size = b.end
		}
		b.end = len(text) - len(tail)
		b.take(line)
		rest = tail
		if b.closed() {
			done = append(done, text[size:b.end])
			size = b.end
			b = blockReader{end: b.end}
		}
	}
	if over && strings.TrimSpace(text[size:]) != "" {
		done = append(done, text[size:])
	}
	if over {
		size = len(text)
	}
	return done, size
}

// blockReader is within a block.
type blockReader struct {
	end   int    // of the lines taken
	fence string // that closes the code which is open
	list  bool   // items may follow after an empty line
	open  bool   // it has a line
	gap   bool   // the line before was empty
}

// begins reports whether line is the first of another block.
func (b *blockReader) begins(line string) bool {
	if !b.gap || !b.open || b.fence != "" || strings.TrimSpace(line) == "" {
		return false
	}
	continues := b.list && (isItem(line) || line[0] == ' ' || line[0] == '\t')
	if continues {
		return false
	}
	*b = blockReader{end: b.end}
	return true
}

// closed reports whether nothing can follow in the block.
func (b *blockReader) closed() bool { return b.open && b.gap && !b.list && b.fence == "" }

func (b *blockReader) take(line string) {
	word := strings.TrimSpace(line)
	switch {
	case b.fence != "":
		if strings.HasPrefix(word, b.fence) && strings.Trim(word, b.fence[:1]) == "" {
			b.fence = ""
		}
		return
	case word == "":
		b.gap = true
		return
	case isFence(word):
		b.fence = word[:len(word)-len(strings.TrimLeft(word, word[:1]))]
	}
	if !b.open {
		b.list = isItem(line) || strings.HasPrefix(line, "    ") || strings.HasPrefix(line, "\t")
	}
	b.open, b.gap = true, false
}

// isItem reports whether line begins an item of a list.
func isItem(line string) bool {
	line = strings.TrimLeft(line, " ")
	if len(line) >= 2 && strings.ContainsRune("-*+", rune(line[0])) && line[1] == ' ' {
		return true
	}
	digits := len(line) - len(strings.TrimLeft(line, "0123456789"))
	return digits > 0 && digits < 10 && len(line) >= digits+2 && strings.ContainsRune(".)", rune(line[digits])) && line[digits+1] == ' '
}
