package settings

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"unicode/utf8"
)

// maxConfig is the greatest size of the file of PAM_CONFIG, in bytes.
const maxConfig = 1 << 20

// takeFile reads the file under the environment: lines NAME=value, empty lines
// and lines that begin with #. White space around a name and a value is
// dropped. A value may stand in '…' or "…", where nothing is special; behind
// it, or behind a space in a value without quotes, # begins a comment. Every
// line that is wrong is reported by its number and never quoted: it may be
// half a secret.
func (l *loader) takeFile(path string) {
	raw, err := readBounded(path, maxConfig)
	if err != nil {
		l.add(Fault{
			Name: configName, What: show(path) + ": " + why(err),
			Want: "a file of NAME=value lines", Type: "unset " + configName + ", or make the file",
		})
		return
	}
	first := map[string]int{}
	text := strings.TrimPrefix(string(raw), "\ufeff")
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		l.takeLine(path, i+1, line, first)
	}
	l.warnMode(path)
}

func (l *loader) takeLine(path string, n int, line string, first map[string]int) {
	bad := func(what, typ string) {
		l.faults = append(l.faults, Fault{Name: path, Line: n, What: what, Want: "NAME=value", Type: typ})
	}
	name, value, ok := strings.Cut(line, "=")
	name = strings.TrimSpace(name)
	switch {
	case !utf8.ValidString(line):
		bad("it is not text in UTF-8", "")
		return
	case strings.HasPrefix(name, "export "):
		bad("it begins with export, as a shell has it", "the same line without export")
		return
	case !ok:
		bad("it has no =", "NAME=value, or # before a comment")
		return
	case name == configName:
		bad("the file cannot name another file", configName+"=FILE in the environment")
		return
	case l.fieldOf(name) == nil:
		bad(l.unknown(name), "")
		return
	case first[name] > 0:
		bad(fmt.Sprintf("%s is already in line %d", name, first[name]), "it once")
		return
	}
	first[name] = n
	value, ok = unquote(strings.TrimSpace(value))
	if !ok {
		bad("the quotes around the value of "+name+" do not match", name+`="value"`)
		return
	}
	value = strings.TrimSpace(value)
	if _, set := l.given[name]; !set && value != "" {
		l.given[name] = given{value: value, source: SourceFile, line: n}
	}
}

// unknown says that there is no such name. One that does not look like a name
// of PAM's is not shown: it may be the second line of a key.
func (l *loader) unknown(name string) string {
	upper := strings.ToUpper(name)
	if !strings.HasPrefix(upper, "PAM_") && !strings.HasPrefix(upper, "OPENAI_") || len(name) > 64 {
		return "PAM knows no setting of that name"
	}
	return show(name) + ": " + l.suggest(name)
}

// unquote takes off quotes and a comment, and reports whether the quotes match.
func unquote(s string) (string, bool) {
	if s == "" {
		return s, true
	}
	if quote := s[0]; quote == '"' || quote == '\'' {
		inside, rest, closed := strings.Cut(s[1:], string(quote))
		rest = strings.TrimSpace(rest)
		return inside, closed && (rest == "" || rest[0] == '#')
	}
	for i := range len(s) {
		if s[i] == '#' && (i == 0 || s[i-1] == ' ' || s[i-1] == '\t') {
			return strings.TrimSpace(s[:i]), true
		}
	}
	return s, true
}

// warnMode says so where others may read a file that holds a secret.
func (l *loader) warnMode(path string) {
	secret := false
	for _, f := range l.fields {
		secret = secret || f.secret && l.given[f.name].source == SourceFile
	}
	info, err := os.Stat(path)
	if !secret || err != nil || runtime.GOOS == "windows" || info.Mode().Perm()&0o077 == 0 {
		return
	}
	l.s.Warnings = append(l.s.Warnings,
		configName+": the file holds a secret, and others may read it; type: chmod 600 "+path)
}
