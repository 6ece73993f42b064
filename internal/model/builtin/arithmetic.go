package builtin

import (
	"fmt"
	"regexp"
	"strings"
)

// sums is arithmetic.
func (m *Model) sums() []rule {
	share := func(part, of int) func(asked) (reply, bool) {
		return func(q asked) (reply, bool) { return m.share(q.groups[part], q.groups[of]) }
	}
	two := func(format string) func(asked) (reply, bool) {
		return func(q asked) (reply, bool) {
			return m.calculate(fmt.Sprintf(format, q.groups[1], q.groups[2]))
		}
	}
	return []rule{
		saying(`[0-9]{3}-[0-9]{4}|[0-9]{3}-[0-9]{3}-[0-9]{4}|[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}|0[0-9]+[-/][0-9]+`,
			decline("That may be a number or a date that is not to be calculated with: put spaces around its signs if it is.")),
		on(`(?:what |which )?(?:percent|percentage|per cent|%) of (.+?) is (.+)`, share(2, 1)),
		on(`(?:what is )?(.+?) is (?:what|which|how many) (?:percent|percentage|per cent|%) of (.+)`, share(1, 2)),
		on(`(?:what is )?(.+?) (?:as|in) (?:a |an )?(?:percent|percentage|per cent|%) of (.+)`, share(1, 2)),
		on(`add (.+?) (?:and|to) (.+)`, two("(%s) + (%s)")),
		on(`(?:what is )?the sum of (.+?) and (.+)`, two("(%s) + (%s)")),
		on(`subtract (.+?) from (.+)`, two("(%[2]s) - (%[1]s)")),
		on(`(?:what is )?the difference (?:of|between) (.+?) and (.+)`, two("(%s) - (%s)")),
		on(`multiply (.+?) (?:by|and|with) (.+)`, two("(%s) * (%s)")),
		on(`(?:what is )?the product of (.+?) and (.+)`, two("(%s) * (%s)")),
		on(`divide (.+?) by (.+)`, two("(%s) / (%s)")),
		on(question, func(q asked) (reply, bool) { return m.calculate(q.groups[2]) }),
	}
}

// question is what people write around an expression.
const question = `(what is|what are|how much is|how much are|calculate|compute|work out|evaluate|solve|what does|how much does|(?:what is )?the (?:result|value|answer) (?:of|to))? ?(.+?)(?: equal| equals| make| come to)?`

// almostSums is what was meant as arithmetic, or is written like it, and is
// not: it gets the reason.
func (m *Model) almostSums() []rule {
	like := regexp.MustCompile(`(?i)[0-9] ?[-+*/^%×÷]|[-+*/^×÷] ?[0-9]|[0-9].* (?:plus|minus|times|percent|divided by)(?: |$)`)
	return []rule{
		on(question, func(q asked) (reply, bool) {
			verb, text := strings.ToLower(q.groups[1]), q.groups[2]
			ordered := verb != "" && !strings.HasPrefix(verb, "what") && !strings.HasPrefix(verb, "how")
			if err := m.grammar.Expression(text); err != nil && (ordered || like.MatchString(text)) {
				return reply{text: decline(err.Error())}, true
			}
			return reply{}, false
		}),
		saying(`calculate|compute|work out|evaluate|solve`, decline("To calculate I need an expression, for example: 12% of 340.")),
	}
}

func (m *Model) calculate(expression string) (reply, bool) {
	if m.grammar.Expression(expression) != nil {
		return reply{}, false
	}
	return call("calculate", "expression", expression), true
}

// share answers how many percent of whole a part is.
func (m *Model) share(part, whole string) (reply, bool) {
	r, ok := m.calculate(fmt.Sprintf("(%s) / (%s) * 100", part, whole))
	r.answer = func(result string) string {
		sign, verb := " = ", "is"
		if !strings.Contains(result, sign) {
			sign, verb = " ≈ ", "is about"
		}
		_, value, found := strings.Cut(result, sign)
		if !found {
			return result
		}
		value, _, _ = strings.Cut(value, " ")
		return fmt.Sprintf("%s %s %s%% of %s.", part, verb, value, whole)
	}
	return r, ok
}
