package builtin

import "strings"

// units is conversions, in the ways that people ask for them.
func (m *Model) units() []rule {
	return []rule{
		on(`(convert|change|turn|express)(?: (.+))?`, func(q asked) (reply, bool) {
			r, why := m.convert(q.groups[2])
			if r.tool != "" {
				return r, true
			}
			if why == "" {
				why = "To convert I need a quantity and a unit, for example: convert 5 miles to km."
			}
			return reply{text: decline(why)}, strings.EqualFold(q.groups[1], "convert")
		}),
		on(`how many (.+)`, func(q asked) (reply, bool) { return m.howMany(q.groups[1]) }),
		on(`(.+?) = (?:how many |\? ?|what in )(.+)`, func(q asked) (reply, bool) {
			return m.conversion(q.groups[1], q.groups[2])
		}),
		on(`(?:(?:what|how much|how many|how far|how long|how tall|how high|how hot|how cold|how warm|how fast|how heavy|how big) (?:is|are) )?(.+)`, func(q asked) (reply, bool) {
			r, why := m.convert(q.groups[1])
			if why != "" {
				return reply{text: decline(why)}, true
			}
			return r, r.tool != ""
		}),
	}
}

// conversion returns the call for a quantity and a unit, where both are ones.
func (m *Model) conversion(quantity, unit string) (reply, bool) {
	if m.grammar.Conversion(quantity, unit) != nil {
		return reply{}, false
	}
	return call("convert", "quantity", quantity, "to", unit), true
}

// maxSplits bounds how many prepositions are tried.
const maxSplits = 8

// convert reads "5 miles in km": at each of its prepositions, the last first,
// since 5 in in cm has two. Where it begins with a quantity and yet cannot be
// read, it says why.
func (m *Model) convert(text string) (r reply, why string) {
	lower := strings.ToLower(text)
	end := len(lower)
	for range maxSplits {
		at, size := -1, 0
		for _, word := range []string{" in ", " to ", " into ", " as ", " = "} {
			if i := strings.LastIndex(lower[:end], word); i > at {
				at, size = i, len(word)
			}
		}
		if at <= 0 || len(lower) != len(text) {
			break
		}
		quantity, unit := text[:at], text[at+size:]
		if r, ok := m.conversion(quantity, unit); ok {
			return r, ""
		}
		if why == "" && startsWithNumber(quantity) {
			why = m.grammar.Conversion(quantity, unit).Error()
		}
		end = at + 1
	}
	return reply{}, why
}

// howMany reads what stands behind "how many": cups in a gallon, km is 5 miles.
func (m *Model) howMany(text string) (reply, bool) {
	why := ""
	lower := strings.ToLower(text)
	if len(lower) != len(text) {
		return reply{}, false
	}
	for _, link := range []string{
		" are there in ", " are in ", " is in ", " is there in ", " make up ", " make ", " makes ", " go into ",
		" equals ", " equal ", " per ", " in ", " is ", " are ", " to ",
	} {
		at := strings.Index(lower, link)
		if at <= 0 {
			continue
		}
		unit, quantity := text[:at], text[at+len(link):]
		for _, one := range []string{"", "1 "} {
			if r, ok := m.conversion(one+strings.TrimPrefix(quantity, "the "), unit); ok {
				return r, true
			}
		}
		if err := m.grammar.Conversion(quantity, unit); why == "" && m.grammar.Conversion("1 "+unit, unit) == nil {
			why = err.Error()
		}
	}
	return reply{text: decline(why)}, why != ""
}

// startsWithNumber reports whether text, but for its sign, begins with a digit.
func startsWithNumber(text string) bool {
	text = strings.TrimLeft(text, "+-−$€£ ")
	return text != "" && text[0] >= '0' && text[0] <= '9'
}
