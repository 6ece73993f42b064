package builtin

import (
	"encoding/json"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/pam-assistant/pam"
)

// reply is what a question comes to: text, or a call of a tool and what to
// make of its result.
type reply struct {
	text   string
	tool   string
	args   json.RawMessage
	answer func(result string) string // nil: the result is the answer
}

// asked is a question as a rule sees it: what its pattern's groups caught.
type asked struct {
	groups []string
	words  string // the question without courtesies
	prompt *pam.Prompt
}

// rule is one way to ask something. Where its reply is not ok, the question
// meant something else, and later rules are tried.
type rule struct {
	pattern *regexp.Regexp
	reply   func(q asked) (r reply, ok bool)
}

// on returns a rule for questions that match pattern as a whole, whatever
// their capitals.
func on(pattern string, f func(q asked) (reply, bool)) rule {
	return rule{pattern: regexp.MustCompile(`(?i)^(?:` + pattern + `)$`), reply: f}
}

// saying returns a rule for questions that have one fixed answer.
func saying(pattern, text string) rule {
	return on(pattern, func(asked) (reply, bool) { return reply{text: text}, true })
}

// understand finds what a question comes to.
func (m *Model) understand(question string, p *pam.Prompt) reply {
	if len(question) > maxMessage {
		return reply{text: "That message is too long for me. " + whatIDo}
	}
	words := m.reader.read(clean(question))
	for _, rule := range m.rules {
		groups := rule.pattern.FindStringSubmatch(words)
		if groups == nil {
			continue
		}
		r, ok := rule.reply(asked{groups: groups, words: words, prompt: p})
		if ok {
			return r
		}
	}
	return reply{text: decline("")}
}

// reader takes from a question what does not change what is asked.
type reader struct {
	before, after *regexp.Regexp
	short         *regexp.Regexp
	quotes        *strings.Replacer
}

func newReader() *reader {
	return &reader{
		before: regexp.MustCompile(`(?i)^(?:(?:please|kindly|hey|hi|hello|ok|okay|so|now|and|pam|good (?:morning|afternoon|evening|day)|(?:hey|hi|hello) (?:there|pam)|can you|could you|would you|will you|can you please|could you please|tell me|i (?:want|need|would like) to know|i'd like to know|do you know|quick question)(?:[,:;!.]+ ?| )|well, |[,;:! ]+)`),
		after:  regexp.MustCompile(`(?i)(?:[,;]? (?:please|pam|thanks|thank you|for me)|[ ?!.,;=]+)$`),
		short:  regexp.MustCompile(`(?i)^(what|who|where|when)(?:'s|s|'re) `),
		quotes: strings.NewReplacer("’", "'", "‘", "'", "“", `"`, "”", `"`),
	}
}

// maxCourtesies bounds how often something is taken away.
const maxCourtesies = 12

// read returns the words that count. A courtesy alone stays what it is.
func (r *reader) read(text string) string {
	text = r.quotes.Replace(text)
	for range maxCourtesies {
		shorter := text
		if cut := r.after.FindStringIndex(shorter); cut != nil && cut[0] > 0 {
			shorter = shorter[:cut[0]]
		}
		if cut := r.before.FindStringIndex(shorter); cut != nil && cut[1] < len(shorter) {
			shorter = shorter[cut[1]:]
		}
		if shorter == text {
			break
		}
		text = shorter
	}
	text = strings.Trim(text, " ")
	if m := r.short.FindStringSubmatchIndex(text); m != nil {
		verb := " is "
		if strings.Contains(text[m[3]:m[1]], "'re") {
			verb = " are "
		}
		text = text[:m[3]] + verb + text[m[1]:]
	}
	return text
}

// clean returns s on one line, without control and invisible formatting
// characters.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "")
	return strings.Join(strings.Fields(strings.Map(printable, s)), " ")
}

// shown returns s as data in an answer: clean, and at most limit characters.
func shown(s string, limit int) string {
	s = clean(s)
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return strings.TrimSpace(string([]rune(s)[:limit])) + "…"
}

// call returns a reply that calls a tool with text arguments: name, value, and so on.
func call(tool string, pairs ...string) reply {
	args := []byte{'{'}
	for i := 0; i+1 < len(pairs); i += 2 {
		if i > 0 {
			args = append(args, ',')
		}
		args = appendQuoted(args, pairs[i])
		args = append(args, ':')
		args = appendQuoted(args, pairs[i+1])
	}
	return reply{tool: tool, args: append(args, '}')}
}

func appendQuoted(out []byte, s string) []byte {
	quoted, err := jsontext.AppendQuote(out, s)
	if err != nil { // only for bad UTF-8, which clean has removed
		return append(out, `""`...)
	}
	return quoted
}
