package terminal

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/client"
)

// exchange is a question and its answer on the screen: what is finished has
// been printed and stays, the rest is in the live region.
type exchange struct {
	answer   *client.Answer // nil: another device asked, or it is of the past
	question string
	update   client.Update
	err      error
	over     bool
	stopping bool
	quiet    bool // who called tells how it ended
	began    time.Time

	asked bool       // the question has been printed
	shown []pam.Part // what has been printed of the answer
	block bool       // the last thing printed was a block: an empty line comes next
	some  bool       // something has been printed
}

// advance returns what can be printed now, for ever.
func (x *exchange) advance(r *renderer) string {
	var b strings.Builder
	if !x.asked {
		x.asked = true
		b.WriteString(r.question(x.question))
		x.block, x.some = true, true
	}
	parts := x.update.Turn.Parts
	if !begins(parts, x.shown) {
		x.put(&b, indent+r.dim("↺ taken back; the answer begins again"), true)
		x.shown = nil
	}
	for i, p := range parts {
		if i == len(x.shown) {
			x.shown = append(x.shown, pam.Part{})
		}
		if !x.part(r, &b, i, p, x.over || i < len(parts)-1) {
			break
		}
	}
	if x.over {
		x.end(r, &b)
	}
	return b.String()
}

// part prints what is finished of part i, and reports whether all of it is.
func (x *exchange) part(r *renderer, b *strings.Builder, i int, p pam.Part, whole bool) bool {
	if p.Call != nil {
		if p.Call.Status == pam.CallRunning && !x.over {
			return false
		}
		if x.shown[i].Call == nil {
			x.put(b, r.call(p.Call), false)
			x.shown[i].Call = p.Call
		}
		return true
	}
	from := len(x.shown[i].Text)
	done, size := blocks(p.Text[from:], whole)
	for _, text := range done {
		if strings.TrimSpace(text) != "" {
			x.put(b, r.block(text), true)
		}
	}
	x.shown[i].Text = p.Text[:from+size]
	return whole
}

// put prints a piece, with an empty line where one of the two is a block.
func (x *exchange) put(b *strings.Builder, text string, block bool) {
	if x.some && (block || x.block) {
		b.WriteString("\n")
	}
	b.WriteString(text + "\n")
	x.block, x.some = block, true
}

// end prints how it ended, where that was not well.
func (x *exchange) end(r *renderer, b *strings.Builder) {
	if x.quiet {
		return
	}
	switch err := x.failed().(type) { //nolint:errorlint // made here, never wrapped
	case nil:
	case CancelledError:
		x.put(b, indent+r.dim("■ stopped"), true)
	default:
		x.put(b, r.failure(err), true)
	}
	b.WriteString("\n")
}

// failed is why there is no whole answer; nil where there is one.
func (x *exchange) failed() error {
	if x.err != nil {
		return x.err
	}
	return outcome(x.update.Turn)
}

// begins reports whether parts go on from what was shown.
func begins(parts, shown []pam.Part) bool {
	if len(shown) > len(parts) {
		return false
	}
	for i, s := range shown {
		p := parts[i]
		if s.Call != nil && (p.Call == nil || p.Call.ID != s.Call.ID) || !strings.HasPrefix(p.Text, s.Text) {
			return false
		}
	}
	return true
}

// open returns the lines of what is not finished yet: text as it comes, and
// what is being waited for.
func (x *exchange) open(r *renderer, now time.Time, spinner string, connected bool) []string {
	var lines []string
	parts := x.update.Turn.Parts
	running := ""
	for i, p := range parts {
		switch {
		case p.Call != nil && p.Call.Status == pam.CallRunning:
			running = toolName(p.Call)
		case p.Call == nil:
			from := 0
			if i < len(x.shown) {
				from = len(x.shown[i].Text)
			}
			if rest := strings.Trim(tail(p.Text[min(from, len(p.Text)):]), "\n"); rest != "" {
				lines = append(lines, strings.Split(r.plain(rest), "\n")...)
			}
		}
	}
	if len(lines) > 0 || x.block {
		lines = append([]string{""}, lines...)
	}
	if len(lines) > 1 {
		lines = append(lines, "")
	}
	doing := "waiting for the connection…"
	if connected {
		doing = x.doing(running, now)
	}
	return append(lines, indent+r.accent(spinner)+" "+r.dim(doing))
}

// tail is the end of a text, more than a screen can show: what is open is
// drawn again with each piece that comes.
func tail(text string) string {
	const most = 16 << 10
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[len(text)-most:], "")
}

// doing says what is being waited for.
func (x *exchange) doing(tool string, now time.Time) string {
	var s string
	switch {
	case x.stopping:
		s = "stopping…"
	case x.update.Trouble != nil:
		message, _ := Explain(x.update.Trouble)
		s = strings.TrimSuffix(message, ".") + "; trying again…"
	case tool != "":
		s = "using " + tool + "…"
	case x.update.Turn.ID == "":
		s = "sending…"
	case x.update.Phase != "":
		s = strings.ReplaceAll(oneLine(x.update.Phase, 30), "_", " ") + "…"
	case len(x.update.Turn.Parts) > 0:
		s = "answering…"
	default:
		s = "thinking…"
	}
	if waited := now.Sub(x.began); waited >= 3*time.Second {
		s += " " + seconds(waited.Truncate(time.Second))
	}
	return s
}

// question is how what a person asked is shown.
func (r *renderer) question(text string) string {
	lines := strings.Split(ansi.Wrap(strings.ReplaceAll(Clean(text), "\t", " "), r.columns-len(indent), ""), "\n")
	for i, line := range lines {
		if i == 0 {
			lines[i] = r.accent("›") + " " + r.bold(line)
		} else {
			lines[i] = indent + r.bold(line)
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// call is a tool call on one line.
func (r *renderer) call(c *pam.Call) string {
	mark, end := "·", ""
	switch c.Status {
	case pam.CallCompleted:
		mark, end = r.good("✓"), " → "+c.Result
	case pam.CallFailed:
		mark, end = r.bad("✗"), " → "+c.Result
	case pam.CallInDoubt:
		mark, end = r.wait("?"), " → nobody knows whether it took effect"
	case pam.CallRunning:
	}
	line := toolName(c)
	if arguments := argumentsOf(c.Arguments); arguments != "" {
		line += " " + arguments
	}
	return indent + mark + " " + r.dim(oneLine(line+end, r.columns-6))
}

func toolName(c *pam.Call) string { return oneLine(c.Name, 40) }

// argumentsOf shows a call's arguments as a person would say them.
func argumentsOf(raw json.RawMessage) string {
	var members map[string]any
	if json.Unmarshal(raw, &members) != nil || len(members) == 0 {
		return ""
	}
	if len(members) == 1 {
		for _, v := range members {
			if s, ok := v.(string); ok {
				return oneLine(s, 60)
			}
		}
	}
	text, err := json.Marshal(members)
	if err != nil {
		return ""
	}
	return oneLine(string(text), 60)
}

// failure is an error with its hint.
func (r *renderer) failure(err error) string {
	message, hint := Explain(err)
	width := r.columns - 2*len(indent)
	lines := strings.Split(ansi.Wrap(message, width, ""), "\n")
	if hint != "" {
		for line := range strings.SplitSeq(ansi.Wrap(hint, width, ""), "\n") {
			lines = append(lines, r.dim(line))
		}
	}
	return indent + r.bad("✗") + " " + strings.Join(lines, "\n"+indent+indent)
}

// header is the first line of a conversation.
func (r *renderer) header(at, version string) string {
	title := r.bold("PAM")
	if version != "" {
		title += " " + r.dim(oneLine(version, 30))
	}
	return fmt.Sprintf("%s %s\n%s\n\n", title, r.dim("at "+oneLine(at, 80)), r.dim("Alt-Enter: new line · Ctrl-C: stop the answer · Ctrl-D: leave"))
}
