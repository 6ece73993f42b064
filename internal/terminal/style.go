package terminal

import (
	"charm.land/glamour/v2/ansi"
)

// style gives words their looks; without color, none. The colors are the
// terminal's own sixteen, so that they fit its background, light or dark.
type style struct{ color bool }

func (s style) sgr(code, text string) string {
	if !s.color || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s style) bold(text string) string   { return s.sgr("1", text) }
func (s style) dim(text string) string    { return s.sgr("2", text) }
func (s style) accent(text string) string { return s.sgr("1;36", text) }
func (s style) good(text string) string   { return s.sgr("32", text) }
func (s style) wait(text string) string   { return s.sgr("33", text) }
func (s style) bad(text string) string    { return s.sgr("31", text) }

// markdown is how Markdown looks: quiet, without margins of its own.
func (s style) markdown() ansi.StyleConfig {
	color := func(c string) *string {
		if !s.color {
			return nil
		}
		return &c
	}
	yes := func() *bool { return &s.color }
	token := "▏" // one cell: glamour wraps a quotation for one
	one, two := uint(1), uint(2)
	return ansi.StyleConfig{
		BlockQuote: ansi.StyleBlock{StylePrimitive: ansi.StylePrimitive{Faint: yes()}, Indent: &one, IndentToken: &token},
		List:       ansi.StyleList{LevelIndent: 2},
		Heading:    ansi.StyleBlock{StylePrimitive: ansi.StylePrimitive{Bold: yes(), Color: color("6")}},
		H1:         ansi.StyleBlock{StylePrimitive: ansi.StylePrimitive{Underline: yes()}},
		H4:         ansi.StyleBlock{StylePrimitive: ansi.StylePrimitive{Prefix: "· "}},
		H5:         ansi.StyleBlock{StylePrimitive: ansi.StylePrimitive{Prefix: "· "}},
		H6:         ansi.StyleBlock{StylePrimitive: ansi.StylePrimitive{Prefix: "· "}},

		Strikethrough:  ansi.StylePrimitive{CrossedOut: yes()},
		Emph:           ansi.StylePrimitive{Italic: yes()},
		Strong:         ansi.StylePrimitive{Bold: yes()},
		HorizontalRule: ansi.StylePrimitive{Faint: yes(), Format: "────────\n"},
		Item:           ansi.StylePrimitive{BlockPrefix: "• "},
		Enumeration:    ansi.StylePrimitive{BlockPrefix: ". "},
		Task:           ansi.StyleTask{Ticked: "☑ ", Unticked: "☐ "},
		Link:           ansi.StylePrimitive{Faint: yes(), Underline: yes()},
		LinkText:       ansi.StylePrimitive{Color: color("6")},
		Image:          ansi.StylePrimitive{Faint: yes(), Underline: yes()},
		ImageText:      ansi.StylePrimitive{Color: color("6"), Format: "{{.text}}"},
		Code:           ansi.StyleBlock{StylePrimitive: ansi.StylePrimitive{Color: color("3")}},
		CodeBlock:      ansi.StyleCodeBlock{StyleBlock: ansi.StyleBlock{Margin: &two}, Theme: s.theme()},
	}
}

// theme names the colors of code; they are brought to the sixteen.
func (s style) theme() string {
	if s.color {
		return "vim"
	}
	return ""
}

// formatter is how code's colors reach the terminal.
func (s style) formatter() string {
	if s.color {
		return "terminal16"
	}
	return "noop"
}
