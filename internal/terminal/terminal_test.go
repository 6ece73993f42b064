package terminal_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/client"
	"github.com/pam-assistant/pam/internal/terminal"
)

func TestClean(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain äöü 漢字 🙂\n\tx":      "plain äöü 漢字 🙂\n\tx",
		"\x1b[2J\x1b]0;title\a":    "[2J]0;title",
		"a\u009b31mb\u0090c\u007f": "a31mbc",
		"one\r\ntwo\rthree":        "one\ntwo\nthree",
		"bad \xff byte":            "bad \ufffd byte",
		"abc\u202egnp.exe":         "abcgnp.exe",
		"a\u2028b\u2066c":          "abc",
		"bell\a back\b null\x00":   "bell back null",
	} {
		if got := terminal.Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
}

// safeOn reports whether s does nothing to a terminal but show text in looks.
func safeOn(s string) bool {
	for s != "" {
		if rest, ok := strings.CutPrefix(s, "\x1b["); ok {
			end := strings.IndexFunc(rest, func(r rune) bool { return r != ';' && (r < '0' || r > '9') })
			if end < 0 || rest[end] != 'm' || strings.Contains(";"+rest[:end]+";", ";8;") {
				return false
			}
			s = rest[end+1:]
			continue
		}
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 || unicode.IsControl(r) && r != '\n' && r != '\t' {
			return false
		}
		s = s[n:]
	}
	return true
}

// FuzzRender: whatever a model writes, nothing but its looks is sent.
func FuzzRender(f *testing.F) {
	for _, s := range []string{
		"# hi **there** `x` [a](https://b.example/%1b[2J) ![i](c)", "&#27;[2J &#x1b;]0;x&#7; &#155;31m", "```go\n\x1b[2J&#27;\n```",
		"[x](javascript:\x1b)", "<b>\x1b</b>", "| a | b |\n|-|-|\n| \x1b | &#27; |", "- a\n\n  b\n\n  ```\n  c\n  ```\n- [x] d",
		"\x1b]8;;https://x\x1b\\y\x1b]8;;\x1b\\", "[a]: <\x07>\n\n[a]", "1. x\n2. y\n\n   z\\\n", "\x1b[8mhidden", "&#27;[8mhidden",
		"> a\n> > b\n>\n> c", "~~~\nx", "*\u009b*",
	} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, text string, color bool) {
		if len(text) > 2_000 {
			return
		}
		got, err := terminal.Render(text, 60, color)
		if err != nil {
			t.Fatal(err)
		}
		if !safeOn(got) {
			t.Errorf("Render(%q) = %q", text, got)
		}
		if !color && strings.Contains(got, "\x1b") {
			t.Errorf("Render(%q) without color = %q", text, got)
		}
	})
}

func TestRender(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"words", "12% of 340 = **40.8**", "  12% of 340 = 40.8"},
		{"wrapped", "one two three four five six seven", "  one two three four\n  five six seven"},
		{"list", "1. one\n2. two\n\n   more\n3. three", "  1. one\n  2. two\n  \u00a0\u00a0\u00a0more\n  3. three"},
		{"small table", "| a | b |\n| --- | --: |\n| long | 1 |", "   a    │ b\n  ──────┼───\n   long │ 1"},
		{"entity", "&#27;[2J &amp; &lt;", "  &#27;[2J & <"},
		{"code", "```\na\tb\n```", "    a    b"},
		{"quote", "> so", "  ▏so"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := terminal.Render(c.text, 22, false)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("Render (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBlocks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		over       bool
		want       []string
		rest       string
	}{
		{"an open line", "one", false, nil, "one"},
		{"an open paragraph", "one\ntwo\n", false, nil, "one\ntwo\n"},
		{"a paragraph", "one\ntwo\n\nthree", false, []string{"one\ntwo\n\n"}, "three"},
		{"over", "one\n\nthree", true, []string{"one\n\n", "three"}, ""},
		{"an empty line in code", "```\na\n\nb\n", false, nil, "```\na\n\nb\n"},
		{"code", "```\na\n\nb\n```\n\nc", false, []string{"```\na\n\nb\n```\n\n"}, "c"},
		{"code in code", "````\n```\n\n```\n````\n\nc", false, []string{"````\n```\n\n```\n````\n\n"}, "c"},
		{"a list may go on", "- a\n\n", false, nil, "- a\n\n"},
		{"a list goes on", "- a\n\n- b\n\n  c\n", false, nil, "- a\n\n- b\n\n  c\n"},
		{"a list ends", "- a\n\n- b\n\nc\n", false, []string{"- a\n\n- b\n\n"}, "c\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, size := terminal.Blocks(c.text, c.over)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("blocks (-want +got):\n%s", diff)
			}
			if rest := c.text[size:]; rest != c.rest {
				t.Errorf("rest = %q, want %q", rest, c.rest)
			}
		})
	}
}

// TestBlocksAsTheyCome: however an answer is cut into deltas, the same blocks
// come of it, and no byte is lost.
func TestBlocksAsTheyCome(t *testing.T) {
	t.Parallel()
	line := rapid.SampledFrom([]string{"", "", "text", "- item", "1. item", "  more", "```", "~~~go", "> quote", "| a |", "# head"})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(line, 0, 12).Draw(t, "lines"), "\n")
		want, _ := terminal.Blocks(text, true)
		var got []string
		from := 0
		for at := 0; at < len(text); {
			at = min(at+rapid.IntRange(1, 9).Draw(t, "delta"), len(text))
			done, size := terminal.Blocks(text[from:at], false)
			got = append(got, done...)
			from += size
		}
		done, size := terminal.Blocks(text[from:], true)
		got = append(got, done...)
		if from+size != len(text) {
			t.Errorf("%d of %d bytes", from+size, len(text))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-whole +in deltas):\n%s", text, diff)
		}
	})
}

func TestTyped(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		pieces      []string
		text        string
		lines       []string
		row, column int
		entered     []string
	}{
		{"text", []string{"abc"}, "abc", []string{"abc"}, 0, 3, nil},
		{"enter", []string{"abc\rd"}, "d", []string{"d"}, 0, 1, []string{"abc"}},
		{"in the middle", []string{"ac\x1b[Db"}, "abc", []string{"abc"}, 0, 2, nil},
		{"a sequence in two reads", []string{"ac\x1b", "[", "Db"}, "abc", []string{"abc"}, 0, 2, nil},
		{"a character in two reads", []string{"\xc3", "\xa4"}, "ä", []string{"ä"}, 0, 1, nil},
		{"words", []string{"one two\x17\x1b[1~\x1bfX"}, "oneX ", []string{"oneX "}, 0, 4, nil},
		{"cut", []string{"one two\x01\x06\x06\x0b"}, "on", []string{"on"}, 0, 2, nil},
		{"backspace and delete", []string{"abc\x7f\x1b[H\x1b[3~"}, "b", []string{"b"}, 0, 0, nil},
		{"paste", []string{"\x1b[200~a\r\nb\x1b[201~"}, "a\n\nb", []string{"a", "", "b"}, 2, 1, nil},
		{"new line", []string{"a\x1b\rb"}, "a\nb", []string{"a", "b"}, 1, 1, nil},
		{"history", []string{"one\rtwo\rdraft\x1b[A\x1b[A"}, "one", []string{"one"}, 0, 3, []string{"one", "two"}},
		{"and back", []string{"one\rdraft\x1b[A\x1b[B"}, "draft", []string{"draft"}, 0, 5, []string{"one"}},
		{"wrapped", []string{"abcdefghijkl"}, "abcdefghijkl", []string{"abcdefghi", "jkl"}, 1, 3, nil},
		{"wide", []string{"漢字漢字漢字"}, "漢字漢字漢字", []string{"漢字漢字", "漢字"}, 1, 4, nil},
		{"control characters", []string{"a\x00\x1f\u009bb"}, "ab", []string{"ab"}, 0, 2, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			text, lines, row, column, entered := terminal.Typed(10, c.pieces...)
			if text != c.text || row != c.row || column != c.column {
				t.Errorf("text %q, cursor %d,%d, want %q, %d,%d", text, row, column, c.text, c.row, c.column)
			}
			if diff := cmp.Diff(c.lines, lines); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.entered, entered); diff != "" {
				t.Errorf("entered (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzTyped: no bytes of a terminal make the editor panic or show a control
// character.
func FuzzTyped(f *testing.F) {
	f.Add("abc\x1b[D\x7f\x1b[200~x\x1b[201~\r", 10)
	f.Add("\x1b[A\x1b[B\x17\x15\x0b", 1)
	f.Fuzz(func(t *testing.T, typed string, columns int) {
		text, lines, row, column, _ := terminal.Typed(columns%200, typed[:len(typed)/2], typed[len(typed)/2:])
		if !safeOn(text) || row >= len(lines) || column < 0 {
			t.Errorf("typed %q: text %q, cursor %d,%d", typed, text, row, column)
		}
	})
}

func TestSay(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000, 0)
	restart := &pam.Error{Code: pam.CodeGoingAway, Message: "The server is restarting."}
	for _, c := range []struct {
		state client.State
		want  string
	}{
		{client.Connecting{Attempt: 1}, "connecting…"},
		{client.Connected{}, ""},
		{client.Silent{Since: now.Add(-38 * time.Second)}, "nothing heard from the server for 38 s"},
		{client.Reconnecting{At: now.Add(2500 * time.Millisecond), Cause: restart}, "reconnecting in 3 s: the server is restarting"},
		{client.Reconnecting{At: now, Cause: &pam.Error{Message: "PAM is busy."}}, "reconnecting: PAM is busy"},
		{client.Reconnecting{At: now, Cause: &client.ConnectionError{URL: "ws://127.0.0.1:8080/api/v1/pam/ws"}}, "reconnecting: no server answers at http://127.0.0.1:8080"},
		{client.Reconnecting{At: now, Cause: &client.ConnectionError{URL: "wss://pam.example/api/v1/pam/ws", Reached: true}}, "reconnecting: the connection to https://pam.example was lost"},
		{client.Refused{Cause: &pam.Error{Message: "The token has expired.\x1b[2J"}}, "not connected: the token has expired.[2J"},
		{client.Closed{}, "closed"},
	} {
		if got := terminal.Say(c.state, now); got != c.want {
			t.Errorf("Say(%#v) = %q, want %q", c.state, got, c.want)
		}
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err           error
		message, hint string
	}{
		{&pam.Error{Code: pam.CodeInvalid, Message: "A field is wrong.", Hint: "Look.\x1b", Detail: "message: is empty"}, "A field is wrong (message: is empty).", "Look."},
		{&client.ConnectionError{URL: "ws://h:1/x"}, "No server answers at http://h:1.", "Start one with: pam serve"},
		{&client.ConnectionError{URL: "ws://h:1/x", Status: 404}, "Something answers at http://h:1, but it is not PAM (status 404).", "Check PAM_URL, or the address that you gave."},
		{&client.ConnectionError{URL: "ws://h:1/x", Status: 502}, "A proxy answers at http://h:1, and PAM behind it does not (status 502).", "Start PAM again, or wait for it."},
		{errors.New("plain\nerror"), "plain error", ""},
	} {
		message, hint := terminal.Explain(c.err)
		if message != c.message || hint != c.hint {
			t.Errorf("Explain(%v) = %q, %q, want %q, %q", c.err, message, hint, c.message, c.hint)
		}
	}
}

// TestRenderIsBounded: what glamour would take minutes for is shown as it is.
func TestRenderIsBounded(t *testing.T) {
	t.Parallel()
	began := time.Now()
	for _, text := range []string{
		strings.Repeat("> ", 4_000) + "a", strings.Repeat(">", 4_000) + "a", strings.Repeat("- ", 4_000) + "a",
		strings.Repeat("1. ", 2_500) + "a", strings.Repeat("> - ", 2_000) + "a", nest("- a", 90), nest("> a", 90), strings.Repeat("a", 1<<20),
	} {
		got, err := terminal.Render(text, 60, true)
		if err != nil || !strings.Contains(got, "a") {
			t.Errorf("Render(%.20q…) = %.40q, %v", text, got, err)
		}
	}
	if d := time.Since(began); d > 20*time.Second {
		t.Errorf("it took %v", d)
	}
}

// nest puts lines below each other, each deeper than the last.
func nest(line string, depth int) string {
	var b strings.Builder
	for i := range depth {
		b.WriteString(strings.Repeat("  ", i) + line + "\n")
	}
	return b.String()
}
