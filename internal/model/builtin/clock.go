package builtin

// clock is the time and the date, here or in a place that is named.
func (m *Model) clock() []rule {
	const now = `(?: now| right now| currently| today| at the moment)?`
	const where = now + `(?: (?:in|at) (.+?))?` + now
	ask := func(q asked) (reply, bool) {
		if len(q.groups) < 2 || q.groups[1] == "" {
			return call("current_time"), true
		}
		place := q.groups[1]
		if err := m.grammar.Place(place); err != nil {
			return reply{text: decline(err.Error())}, true
		}
		return call("current_time", "place", place), true
	}
	return []rule{
		on(`(?:what|which) (?:time|day|date|weekday|day of the week|year|month)(?: is it| it is| is today| today is)`+where, ask),
		on(`(?:what is )?(?:the |today's )?(?:current |local |exact |present )?(?:time|date|weekday|day of the week)(?: is it)?`+where, ask),
		on(`what is the (?:current )?(?:day|year|month)`+where, ask),
		on(`what is today|do you have the time|have you got the time|what day today`, ask),
	}
}
