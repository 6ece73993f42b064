package settings

import (
	"strings"
)

// looksOurs reports whether a name of the environment that is none of PAM's
// looks as if it were meant for PAM. What Kubernetes sets for a service that
// is called pam does not.
func looksOurs(name, value string) bool {
	if !strings.HasPrefix(strings.ToUpper(name), "PAM_") {
		return false
	}
	return !strings.HasPrefix(name, "PAM_SERVICE_") && !strings.HasPrefix(name, "PAM_PORT_") &&
		!(name == "PAM_PORT" && strings.Contains(value, "://"))
}

// suggest names the setting that was meant.
func (l *loader) suggest(name string) string {
	best, least := "", 1+len(name)/3
	for _, f := range l.fields {
		if d := distance(strings.ToUpper(name), f.name); d <= least && (best == "" || d < least) {
			best, least = f.name, d
		}
	}
	switch {
	case strings.EqualFold(name, "PAM_PORT"), strings.EqualFold(name, "PAM_HOST"):
		best = "PAM_ADDR"
	case strings.EqualFold(name, "PAM_OPENAI_API_KEY"):
		best = "OPENAI_API_KEY"
	}
	if best == "" {
		return "PAM knows no setting of that name; pam config lists all"
	}
	return "did you mean " + best + "?"
}

// distance counts the letters that must be put in, taken out, changed or
// swapped with their neighbour to make b of a.
func distance(a, b string) int {
	before, last, row := []int(nil), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, make([]int, len(b)+1)
	}
	return last[len(b)]
}
