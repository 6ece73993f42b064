package builtin

import (
	"strings"

	"github.com/pam-assistant/pam"
)

// abouts is what the context tells of the user, asked in usual words.
func (m *Model) abouts() []rule {
	about := func(topic string, tell func([]fact) string) func(asked) (reply, bool) {
		return func(q asked) (reply, bool) {
			if text := tell(facts(q.prompt.Context)); text != "" {
				return reply{text: text + remembered(q.prompt, topic)}, true
			}
			return lookUp(topic, "is"), true
		}
	}
	const now = `(?: now| right now| currently| at the moment)?`
	return []rule{
		on(`(?:where (?:am i|are we|i am)|what is my (?:current )?(?:location|position|gps position|whereabouts)|what is my current (?:city|town|country|address)|(?:what|which) (?:city|town|country|place|street|region|state) (?:am i|are we) (?:in|at|on)|what are my (?:current )?coordinates)`+now,
			about("location", tellLocation)),
		on(`(?:what|which)(?: (?:kind|type|sort|make|model) of)? (?:car|vehicle) (?:do i (?:drive|have|own|use)|am i (?:driving|in)|is mine|have i got|i drive)|what (?:do i|am i) driv(?:e|ing)|what is my (?:car|vehicle)`,
			about("car", tellVehicle)),
		on(`how do i (?:like|prefer) to travel|what (?:kind|type|sort) of travell?er am i|what is my (?:travel|travelling|traveling) style`,
			about("travel style", tellOne("travel style", "travelStyle"))),
		on(`(?:what|which) language (?:do i (?:speak|use|prefer)|is mine)|what is my (?:language|locale)`,
			about("language", tellOne("locale", "locale", "language"))),
		on(`(?:what|which) time ?zone (?:am i in|are we in|is mine|do i have)|what is my time ?zone`,
			about("time zone", tellOne("time zone", "timezone", "time_zone"))),
		on(`who am i|what do you know(?: about me)?|what do you know of me|what is (?:my|in my|the) context|what is in (?:my|the) context`, m.allKnown),
	}
}

// tellLocation says where the user is, or "".
func tellLocation(all []fact) string {
	place := under(all, "userLocation", "location", "position", "currentLocation")
	if len(place) == 0 {
		return ""
	}
	if len(place) == 1 && len(place[0].path) == 1 {
		return "You are at: " + place[0].text + ". Your context says so."
	}
	var names []string
	for _, keys := range [][]string{
		{"name", "place", "label"},
		{"address", "street", "road"},
		{"city", "town", "village", "locality"},
		{"region", "state", "province", "county"},
		{"country", "countryName", "countryCode"},
	} {
		if text := named(place, keys...); text != "" {
			names = append(names, text)
		}
	}
	lat, lng := named(place, "lat", "latitude"), named(place, "lng", "lon", "long", "longitude")
	at := ""
	if lat != "" && lng != "" {
		at = "latitude " + lat + ", longitude " + lng
	}
	switch {
	case len(names) > 0 && at != "":
		return "You are in " + strings.Join(names, ", ") + " (" + at + "). Your context says so."
	case len(names) > 0:
		return "You are in " + strings.Join(names, ", ") + ". Your context says so."
	case at != "":
		return "You are at " + at + ". Your context names no place there."
	}
	return "Your context says of your location: " + list(place) + "."
}

// tellVehicle says what the user drives, or "".
func tellVehicle(all []fact) string {
	vehicle := under(all, "vehicleInfo", "vehicle", "car", "carInfo")
	if len(vehicle) == 0 {
		return ""
	}
	if len(vehicle) == 1 && len(vehicle[0].path) == 1 {
		return "You drive: " + vehicle[0].text + ". Your context says so."
	}
	var names []string
	said := make(map[string]bool)
	for _, keys := range [][]string{{"year", "modelYear"}, {"make", "manufacturer", "brand"}, {"model"}, {"trim", "variant"}} {
		if text := named(vehicle, keys...); text != "" {
			names = append(names, text)
		}
		for _, key := range keys {
			said[fold(key)] = true
		}
	}
	var rest []fact
	for _, f := range vehicle {
		if !said[fold(f.path[len(f.path)-1])] {
			rest = append(rest, f)
		}
	}
	switch {
	case len(names) == 0:
		return "Your context says of your vehicle: " + list(rest) + "."
	case len(rest) == 0:
		return "You drive: " + strings.Join(names, " ") + ". Your context says so."
	}
	return "You drive: " + strings.Join(names, " ") + " (" + list(rest) + "). Your context says so."
}

// tellOne returns what says the value of one name.
func tellOne(topic string, names ...string) func([]fact) string {
	return func(all []fact) string {
		found := under(all, names...)
		if len(found) == 0 {
			return ""
		}
		return "Your " + topic + " is " + values(found) + ". Your context says so."
	}
}

// maxListed bounds the facts, and the memories, that one answer lists.
const maxListed = 40

// list writes facts as "fuel type: diesel, seats: 5".
func list(found []fact) string {
	var lines []string
	for i := 0; i < len(found) && len(lines) < maxListed; {
		n := i + 1
		for n < len(found) && strings.Join(found[n].path, "\x00") == strings.Join(found[i].path, "\x00") {
			n++
		}
		path := found[i].path
		lines = append(lines, spell(path[len(path)-1])+": "+values(found[i:n]))
		i = n
	}
	return strings.Join(lines, ", ")
}

func values(found []fact) string {
	var texts []string
	for _, f := range found[:min(len(found), 10)] {
		texts = append(texts, f.text)
	}
	return strings.Join(texts, ", ")
}

// allKnown tells the whole context, and what is remembered.
func (m *Model) allKnown(q asked) (reply, bool) {
	said := "Your context tells me nothing."
	if all := facts(q.prompt.Context); len(all) > 0 {
		said = "Your context says: " + list(all) + "."
	}
	r := call("recall")
	r.answer = func(result string) string { return said + "\n" + tellMemories(result) }
	if !offered(q.prompt.Tools, "recall") {
		r = reply{text: said}
	}
	return r, true
}

// remembered says what is remembered of a topic that the context has too.
func remembered(p *pam.Prompt, topic string) string {
	for _, m := range p.Memory {
		if sameTopic(m.Key, topic) {
			return " You asked me to remember: " + shown(m.Value, maxShown) + "."
		}
	}
	return ""
}
