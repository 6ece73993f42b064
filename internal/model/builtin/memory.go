package builtin

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/pam-assistant/pam"
)

// memories is what to remember, to recall and to forget, where the question
// says so. What is asked for by its name alone comes last, in topics.
func (m *Model) memories() []rule {
	d := newDeriver()
	return []rule{
		on(`(?:remember|note|memori[sz]e|keep in mind|do not forget|don't forget)(?: (?:that|this|it|me|down|everything|something))?:?`, func(asked) (reply, bool) {
			return reply{text: whatThat}, true
		}),
		on(`(?:remember|note|memori[sz]e|keep in mind|do not forget|don't forget|make a note)(?: (?:down|that|of|this))*:? (.+)`, d.remember),
		on(`what (?:do|did|have|can) (?:you|i) (?:remember|remembered|recall|ask you to remember|asked you to remember)|what have i told you|recall|(?:recall|list|show)(?: me)?(?: all)?(?: of)?(?: (?:everything|it all|(?:(?:my|your|the) )?(?:memories|memory|notes)))|do you remember (?:me|anything|anything about me|everything)|what (?:do you remember|have you remembered) (?:about|of) me`, recallAll),
		on(`(?:what do you remember|what did i tell you|what do you know|recall(?: everything)?|remind me) (?:about|of) (?:my |our |the )?(.+)`, recallSome),
		on(`(?:forget|delete|remove|erase|clear) (?:(?:all|everything)(?: of)?(?: (?:it|that|(?:my|your|the) (?:memories|memory|notes)|memories|you (?:know|remember|were told)|i (?:told|asked) you))?(?: (?:about|of) me)?|(?:my|your) (?:memories|memory|notes))`, func(asked) (reply, bool) {
			return reply{tool: "forget", args: json.RawMessage(`{"everything":true}`)}, true
		}),
		saying(`(?:remind|wake|alert) me(?: .*)?|set (?:a |an )?(?:reminder|alarm|timer).*`, decline("I send no reminders.")),
		saying(`forget(?: (?:it|that|this|about it))?|never ?mind`, "Nothing is forgotten. Name what I should forget, for example: forget my dog's name."),
		on(`forget(?: about| that)? (.+)`, d.forget),
	}
}

// deriver finds what a statement is about: the key of its memory.
type deriver struct {
	question, named, nameOf, plain, someone, pronoun, rules, bare *regexp.Regexp
}

func newDeriver() *deriver {
	return &deriver{
		question: regexp.MustCompile(`(?i)^(?:when|what|who|how|why|where|which|if|whether) `),
		named:    regexp.MustCompile(`(?i)^(?:my|our|the) (.{1,60}?)(?:'s name is| is called| is named| are called| are named) (.+)$`),
		nameOf:   regexp.MustCompile(`(?i)^the name of (?:my|our|the) (.{1,60}?) is (.+)$`),
		plain:    regexp.MustCompile(`(?i)^(?:my|our|the) (.{1,60}?)(?: is| are| was| were| =|:) (.+)$`),
		someone:  regexp.MustCompile(`(?i)^([^ ]+(?: [^ ]+)?'s .{1,40}?) (?:is|are|was) (.+)$`),
		pronoun:  regexp.MustCompile(`(?i)^(?:it|that|this|he|she|there|what|who)'s `),
		bare:     regexp.MustCompile(`(?i)^(?:my|our|the) [^ ]+(?: [^ ]+)?$`),
		rules:    regexp.MustCompile(`(?i)\b(?:instructions?|prompts?|rules|system|context)\b`),
	}
}

// derive returns the key and the value of a statement. A statement of no known
// form is a note: its own key.
func (d *deriver) derive(text string) (key, value string) {
	for _, form := range []*regexp.Regexp{d.named, d.nameOf} {
		if m := form.FindStringSubmatch(text); m != nil {
			return m[1] + "'s name", m[2]
		}
	}
	if m := d.plain.FindStringSubmatch(text); m != nil && len(strings.Fields(m[1])) <= 5 {
		return m[1], m[2]
	}
	if m := d.someone.FindStringSubmatch(text); m != nil && !d.pronoun.MatchString(text) {
		return m[1], m[2]
	}
	return shown(text, 80), text
}

func (d *deriver) remember(q asked) (reply, bool) {
	text := q.groups[1]
	if d.question.MatchString(text + " ") {
		return reply{text: decline("I know only what I was told to remember.")}, true
	}
	if d.bare.MatchString(text) {
		return reply{text: "What about " + shown(yours(text), 60) + "? " + whatThat}, true
	}
	key, value := d.derive(text)
	r := call("remember", "key", key, "value", value)
	if strings.HasPrefix(strings.ToLower(text), "to ") {
		r.answer = func(result string) string { return result + " I send no reminders: ask me what I remember." }
	}
	return r, true
}

// forget finds the memory that is meant among those that there are; where
// several may be, it asks.
func (d *deriver) forget(q asked) (reply, bool) {
	text := q.groups[1]
	key, _ := d.derive(text)
	var meant []pam.Memory
	for _, m := range q.prompt.Memory {
		if sameTopic(m.Key, key) || sameTopic(m.Key, text) {
			return call("forget", "key", m.Key), true
		}
		if hasWords(m.Key+" "+m.Value, topicWords(text)) {
			meant = append(meant, m)
		}
	}
	switch {
	case len(meant) == 1:
		return call("forget", "key", meant[0].Key), true
	case len(meant) > 1:
		var keys []string
		for _, m := range meant[:min(len(meant), 10)] {
			keys = append(keys, shown(m.Key, 60))
		}
		return reply{text: "That may be one of several: " + strings.Join(keys, "; ") + ". Which one should I forget?"}, true
	case d.rules.MatchString(text):
		return reply{text: decline("")}, true
	}
	return call("forget", "key", shown(topicWords(key), 100)), true
}

// hasWords reports whether every word of words is one of text.
func hasWords(text, words string) bool {
	in := strings.Fields(strings.ToLower(strings.NewReplacer("'s", "", ",", "", ".", "").Replace(text)))
	for w := range strings.FieldsSeq(strings.ToLower(words)) {
		if !slices.Contains(in, strings.TrimSuffix(w, "'s")) {
			return false
		}
	}
	return words != ""
}

func recallAll(asked) (reply, bool) {
	r := call("recall")
	r.answer = tellMemories
	return r, true
}

func recallSome(q asked) (reply, bool) {
	topic := shown(q.groups[1], 100)
	if topic == "me" || topic == "myself" {
		return reply{}, false
	}
	r := call("recall", "query", topic)
	r.answer = func(result string) string {
		if found, ok := readMemories(result); ok && len(found) == 0 {
			return "I was not asked to remember anything about " + topic + "."
		}
		return tellMemories(result)
	}
	return r, true
}

// yours turns a user's "my" into "your".
func yours(text string) string {
	if rest, ok := strings.CutPrefix(strings.ToLower(text), "my "); ok {
		return "your " + rest
	}
	return text
}

// memory is one entry of what the tool recall returns.
type memory struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func (m memory) line() string {
	key, value := shown(m.Key, 128), shown(m.Value, 300)
	if key == value || strings.HasSuffix(key, "…") && strings.HasPrefix(value, strings.TrimSuffix(key, "…")) {
		return value
	}
	return key + ": " + value
}

func readMemories(result string) ([]memory, bool) {
	var found []memory
	err := jsonv2.Unmarshal([]byte(result), &found)
	return found, err == nil
}

func tellMemories(result string) string {
	found, ok := readMemories(result)
	switch {
	case !ok:
		return "I could not read what I was asked to remember."
	case len(found) == 0:
		return "You have not asked me to remember anything. " + whatThat
	}
	lines := []string{"You asked me to remember:"}
	for _, m := range found[:min(len(found), maxListed)] {
		lines = append(lines, "- "+m.line())
	}
	if more := len(found) - maxListed; more > 0 {
		lines = append(lines, fmt.Sprintf("- and %d more: ask what I remember about one of them.", more))
	}
	return strings.Join(lines, "\n")
}
