package builtin

import (
	"fmt"
	"strings"
)

// topics is questions for something of the user's by its name: my dog's name,
// my travel style. The context knows it, or a memory, or nobody.
func (m *Model) topics() []rule {
	const ask = `(?:what|who|when|where|which|how (?:old|tall|big|long|much|many))`
	mine := func(q asked) (reply, bool) {
		topic, verb := q.groups[2], strings.ToLower(q.groups[1])
		if len(q.groups) > 3 && q.groups[3] != "" {
			topic += "'s name"
		}
		return m.topic(q, topic, verb)
	}
	return []rule{
		on(ask+` (is|are|was|were) (?:my|our) (.+?)( called| named)?(?: again)?`, mine),
		on(`(?:do you remember |recall )?what (is) the (name) of (?:my|our) (.+)`, func(q asked) (reply, bool) {
			return m.topic(q, q.groups[3]+"'s name", "is")
		}),
		on(`(?:do you remember |recall )?`+ask+` (?:my|our) (.+?) (is|are)( called| named)?`, func(q asked) (reply, bool) {
			q.groups[1], q.groups[2] = q.groups[2], q.groups[1]
			return mine(q)
		}),
		on(`(?:do you remember |recall |show me |what about )?(?:my|our) ([^ ]+(?: [^ ]+){0,3})`, func(q asked) (reply, bool) {
			topic := q.groups[1]
			if strings.Contains(" "+strings.ToLower(topic)+" ", " is ") || strings.Contains(" "+strings.ToLower(topic)+" ", " are ") {
				return reply{}, false
			}
			return m.topic(q, topic, "is")
		}),
		on(ask+` (?:is|are|was) (?:the )?(.+)`, func(q asked) (reply, bool) { return known(q, q.groups[1]) }),
		on(`(?:what|where|who|when|which .{1,30}|how) (?:do|did|can|have) i (.+)`, func(q asked) (reply, bool) { return notes(q, "i "+q.groups[1]) }),
		on(`(?:what|where|who|when|which .{1,30}|how) am i (.+)`, func(q asked) (reply, bool) { return notes(q, "i am "+q.groups[1]) }),
	}
}

// topic answers from the context, where one of its names is the topic, else
// from memory.
func (m *Model) topic(q asked, topic, verb string) (reply, bool) {
	var found []fact
	for _, f := range facts(q.prompt.Context) {
		last, path := f.path, ""
		for _, name := range f.path {
			path += spell(name) + " "
		}
		if len(last) == 0 {
			continue
		}
		want := fold(topic)
		short := strings.NewReplacer("user ", "", "info ", "", "'s ", " ").Replace(path)
		if want == fold(last[len(last)-1]) || want == fold(path) || want == fold(short) || fold(strings.ReplaceAll(topic, "'s ", " ")) == fold(short) {
			found = append(found, f)
		}
	}
	if len(found) == 0 {
		return lookUp(topic, verb), true
	}
	text := fmt.Sprintf("Your %s %s %s. Your context says so.", shown(topic, 60), verb, values(found))
	return reply{text: text + remembered(q.prompt, topic)}, true
}

// lookUp asks memory for a topic of the user's.
func lookUp(topic, verb string) reply {
	topic = topicWords(topic)
	base := strings.TrimSuffix(topic, "'s name")
	r := call("recall", "query", shown(base, 100))
	name := shown(topic, 60)
	r.answer = func(result string) string {
		found, ok := readMemories(result)
		if !ok {
			return "I could not read what I was asked to remember."
		}
		for _, want := range []string{topic, base + "'s name", base} {
			for _, m := range found {
				if sameTopic(m.Key, want) {
					return fmt.Sprintf("Your %s %s %s. You asked me to remember that.", shown(want, 60), verb, shown(m.Value, 300))
				}
			}
		}
		return fmt.Sprintf("I do not know your %s: your context does not have it, and I was not asked to remember it.", name)
	}
	return r
}

// known answers a question for something that need not be the user's, where a
// memory is called exactly so.
func known(q asked, topic string) (reply, bool) {
	topic = topicWords(topic)
	for _, m := range q.prompt.Memory {
		if sameTopic(m.Key, topic) {
			r := call("recall", "query", m.Key)
			r.answer = func(result string) string { return tellExactly(result, m.Key) }
			return r, true
		}
	}
	return reply{}, false
}

func tellExactly(result, key string) string {
	found, ok := readMemories(result)
	for _, m := range found {
		if ok && sameTopic(m.Key, key) {
			return "You asked me to remember: " + m.line() + "."
		}
	}
	return "I no longer have that."
}

// notes answers "what do I like" by the notes that begin so.
func notes(q asked, start string) (reply, bool) {
	matches := func(value string) bool {
		return strings.HasPrefix(topicOf(value)+" ", topicOf(start)+" ")
	}
	told := false
	for _, m := range q.prompt.Memory {
		told = told || matches(m.Value)
	}
	if !told {
		return reply{}, false
	}
	r := call("recall", "query", start)
	r.answer = func(result string) string {
		found, _ := readMemories(result)
		var lines []string
		for _, m := range found {
			if matches(m.Value) && len(lines) < maxListed {
				lines = append(lines, shown(m.Value, 300))
			}
		}
		if len(lines) == 0 {
			return "I no longer have that."
		}
		return "You asked me to remember: " + strings.Join(lines, "; ") + "."
	}
	return r, true
}

// statements is what a user tells without asking to remember it.
func (m *Model) statements() []rule {
	return []rule{
		on(`(?:(?:my|our) .+ (?:is|are|was) .+|i (?:am|like|love|live|work|have|prefer|hate|drive|was) .+|i'm .+|call me .+)`, func(q asked) (reply, bool) {
			return reply{text: "I have not kept that. If I should remember it, say: remember that " + shown(q.words, 120)}, true
		}),
	}
}

// topicWords returns a topic without what stands before it.
func topicWords(s string) string {
	s = clean(s)
	for _, article := range []string{"my ", "our ", "the ", "your "} {
		if len(s) > len(article) && strings.EqualFold(s[:len(article)], article) {
			s = s[len(article):]
		}
	}
	return s
}

// topicOf returns a topic as it is compared.
func topicOf(s string) string { return strings.ToLower(topicWords(s)) }

func sameTopic(a, b string) bool { return topicOf(a) == topicOf(b) }
