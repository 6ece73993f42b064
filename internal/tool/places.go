package tool

import (
	"strings"
	"time"
	_ "time/tzdata" // so that every machine knows the same zones
	"unicode"
)

// maxZone is the greatest length of a place's or a zone's name, in bytes.
const maxZone = 64

// findZone returns the time zone of an IANA name, however it is capitalised,
// or of a place: a city of the table, or one that a zone is named after.
func findZone(name string) (*time.Location, error) {
	if location, ok := lookUpZone(name); ok {
		return location, nil
	}
	return nil, fault("There is no time zone or city called " + quote(name) + " in the table: name a zone such as Europe/Berlin.")
}

func lookUpZone(name string) (*time.Location, bool) {
	name = strings.Trim(clean(name), " .")
	lower := strings.ToLower(name)
	if name == "" || len(name) > maxZone || lower == "local" {
		return nil, false
	}
	if zone, ok := places()[lower]; ok {
		location, err := time.LoadLocation(zone)
		return location, err == nil
	}
	under := strings.ReplaceAll(name, " ", "_")
	candidates := []string{under, capitals(under), strings.ToUpper(under)}
	if !strings.Contains(under, "/") {
		// A word alone is a city: "EST" and "Cuba" are zones of their own.
		for region := range strings.FieldsSeq("Europe America Asia Africa Australia Pacific Atlantic Indian America/Argentina") {
			candidates = append(candidates, region+"/"+capitals(under))
		}
	}
	for _, candidate := range candidates {
		if location, err := time.LoadLocation(candidate); err == nil {
			return location, true
		}
	}
	return nil, false
}

// capitals writes a name as the IANA does: America/New_York, Port-au-Prince.
func capitals(s string) string {
	start := true
	s = strings.Map(func(r rune) rune {
		if start {
			r = unicode.ToUpper(r)
		} else {
			r = unicode.ToLower(r)
		}
		start = r == '/' || r == '_' || r == '-'
		return r
	}, s)
	for _, small := range []string{"-Au-", "-Es-", "_Of_", "-De-"} {
		s = strings.ReplaceAll(s, small, strings.ToLower(small))
	}
	return s
}

// places returns cities and short names that the IANA has no zone for.
func places() map[string]string {
	return map[string]string{
		"utc": "UTC", "gmt": "GMT", "z": "UTC", "zulu": "UTC", "greenwich": "GMT",
		"cet": "Europe/Paris", "central europe": "Europe/Paris", "uk": "Europe/London", "england": "Europe/London",
		"germany": "Europe/Berlin", "munich": "Europe/Berlin", "hamburg": "Europe/Berlin", "frankfurt": "Europe/Berlin",
		"cologne": "Europe/Berlin", "france": "Europe/Paris", "lyon": "Europe/Paris", "marseille": "Europe/Paris",
		"barcelona": "Europe/Madrid", "milan": "Europe/Rome", "italy": "Europe/Rome", "naples": "Europe/Rome",
		"geneva": "Europe/Zurich", "basel": "Europe/Zurich", "bern": "Europe/Zurich", "switzerland": "Europe/Zurich",
		"edinburgh": "Europe/London", "manchester": "Europe/London", "rotterdam": "Europe/Amsterdam",
		"the hague": "Europe/Amsterdam", "antwerp": "Europe/Brussels", "porto": "Europe/Lisbon", "krakow": "Europe/Warsaw",
		"gothenburg": "Europe/Stockholm", "st petersburg": "Europe/Moscow", "kyiv": "Europe/Kyiv", "kiev": "Europe/Kyiv",
		"nyc": "America/New_York", "new york city": "America/New_York", "boston": "America/New_York",
		"washington": "America/New_York", "washington dc": "America/New_York", "miami": "America/New_York",
		"atlanta": "America/New_York", "philadelphia": "America/New_York", "montreal": "America/Toronto",
		"ottawa": "America/Toronto", "houston": "America/Chicago", "dallas": "America/Chicago", "austin": "America/Chicago",
		"san francisco": "America/Los_Angeles", "sf": "America/Los_Angeles", "la": "America/Los_Angeles",
		"seattle": "America/Los_Angeles", "portland": "America/Los_Angeles", "san diego": "America/Los_Angeles",
		"las vegas": "America/Los_Angeles", "california": "America/Los_Angeles", "salt lake city": "America/Denver",
		"calgary": "America/Edmonton", "rio": "America/Sao_Paulo", "rio de janeiro": "America/Sao_Paulo",
		"brasilia": "America/Sao_Paulo", "são paulo": "America/Sao_Paulo", "buenos aires": "America/Argentina/Buenos_Aires",
		"beijing": "Asia/Shanghai", "shenzhen": "Asia/Shanghai", "china": "Asia/Shanghai", "japan": "Asia/Tokyo",
		"osaka": "Asia/Tokyo", "kyoto": "Asia/Tokyo", "south korea": "Asia/Seoul", "busan": "Asia/Seoul",
		"india": "Asia/Kolkata", "mumbai": "Asia/Kolkata", "delhi": "Asia/Kolkata", "new delhi": "Asia/Kolkata",
		"bangalore": "Asia/Kolkata", "chennai": "Asia/Kolkata", "islamabad": "Asia/Karachi", "abu dhabi": "Asia/Dubai",
		"tel aviv": "Asia/Jerusalem", "hanoi": "Asia/Ho_Chi_Minh", "saigon": "Asia/Ho_Chi_Minh",
		"canberra": "Australia/Sydney", "wellington": "Pacific/Auckland", "cape town": "Africa/Johannesburg",
		"pretoria": "Africa/Johannesburg", "abuja": "Africa/Lagos", "hawaii": "Pacific/Honolulu", "iceland": "Atlantic/Reykjavik",
	}
}
