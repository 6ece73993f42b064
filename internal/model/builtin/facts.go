package builtin

import (
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	maxFactDepth = 8
	maxShown     = 200 // characters of a value in an answer
)

// fact is one value of a context, with the names that lead to it.
type fact struct {
	path []string
	text string
}

// facts returns the values of a context, in its order: text, numbers, truth
// values. What cannot be read is not there. A context has at most 64 KiB, and
// so has what is found in it.
func facts(context []byte) []fact {
	w := walker{decoder: jsontext.NewDecoder(strings.NewReader(string(context)))}
	w.value(nil)
	return w.found
}

type walker struct {
	decoder *jsontext.Decoder
	found   []fact
}

// value reads one value; false ends the walk.
func (w *walker) value(path []string) bool {
	switch kind := w.decoder.PeekKind(); kind {
	case '{':
		return w.object(path)
	case '[':
		return w.array(path)
	case '"', '0', 't', 'f', 'n':
		token, err := w.decoder.ReadToken()
		if err != nil {
			return false
		}
		if text := shown(token.String(), maxShown); text != "" && kind != 'n' {
			w.found = append(w.found, fact{path: append([]string(nil), path...), text: text})
		}
		return true
	case '}', ']', jsontext.KindInvalid:
	}
	return false
}

func (w *walker) object(path []string) bool {
	if len(path) == maxFactDepth {
		return w.decoder.SkipValue() == nil
	}
	if _, err := w.decoder.ReadToken(); err != nil {
		return false
	}
	for w.decoder.PeekKind() == '"' {
		name, err := w.decoder.ReadToken()
		if err != nil || !w.value(append(path, name.String())) {
			return false
		}
	}
	_, err := w.decoder.ReadToken()
	return err == nil
}

// array reads the elements as several values of the same name.
func (w *walker) array(path []string) bool {
	if w.decoder.StackDepth() > 2*maxFactDepth {
		return w.decoder.SkipValue() == nil
	}
	if _, err := w.decoder.ReadToken(); err != nil {
		return false
	}
	for w.decoder.PeekKind() != ']' {
		if !w.value(path) {
			return false
		}
	}
	_, err := w.decoder.ReadToken()
	return err == nil
}

// under returns the facts whose first name is one of names, compared without
// capitals and signs: userLocation is user_location.
func under(all []fact, names ...string) []fact {
	var found []fact
	for _, f := range all {
		for _, name := range names {
			if len(f.path) > 0 && fold(f.path[0]) == fold(name) {
				found = append(found, f)
				break
			}
		}
	}
	return found
}

// named returns the text of the first fact whose last name is one of names; ""
// where there is none.
func named(all []fact, names ...string) string {
	for _, name := range names {
		for _, f := range all {
			if fold(f.path[len(f.path)-1]) == fold(name) {
				return f.text
			}
		}
	}
	return ""
}

// fold returns the letters and digits of a name, in lower case.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}

// spell returns a name as words: fuelType is "fuel type".
func spell(name string) string {
	var b strings.Builder
	lower := false
	for _, r := range clean(name) {
		switch {
		case r == '_' || r == '-' || r == '.':
			b.WriteByte(' ')
			lower = false
			continue
		case unicode.IsUpper(r) && lower:
			b.WriteByte(' ')
		}
		lower = unicode.IsLower(r)
		b.WriteRune(unicode.ToLower(r))
	}
	return shown(b.String(), 60)
}
