package settings

import (
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// configName is the setting that names the file, and so cannot come from it.
const configName = "PAM_CONFIG"

// Load reads the settings of a server from environ, whose entries are
// NAME=value as os.Environ has them, and from the file that PAM_CONFIG names;
// the environment wins. Values are trimmed, and an empty one is not set. The
// error is of type [Faults] and holds all that is wrong; the settings are nil
// then. It reads the files of PAM_CONFIG and PAM_INSTRUCTIONS and nothing else.
func Load(environ []string) (*Settings, error) {
	l := read(environ)
	l.checkRules()
	return l.result(func(string) bool { return true })
}

// LoadClient is Load for a command that only speaks to a server: of what is
// wrong it reports what such a command depends on, and no rule of the server.
func LoadClient(environ []string) (*Settings, error) {
	return read(environ).result(func(name string) bool {
		switch name {
		case "PAM_URL", "PAM_TOKEN", "PAM_ADDR", "PAM_DATA", configName, "PAM_LOG_LEVEL":
			return true
		}
		return false
	})
}

// loader is one reading of the settings.
type loader struct {
	s      Settings
	fields []field
	given  map[string]given
	bad    map[string]bool // names that have a fault: no rule looks at them
	faults []Fault
	tz     string
	sdkURL bool // OPENAI_BASE_URL is set
}

// given is a value and where it came from.
type given struct {
	value  string
	source Source
	line   int
}

// field is a setting as the tags of Settings describe it.
type field struct {
	name, want, eg string
	low, high      string
	secret         bool
	index          int
}

func read(environ []string) *loader {
	l := &loader{fields: fields(), given: map[string]given{}, bad: map[string]bool{}}
	odd := l.takeEnviron(environ)
	if path := l.given[configName].value; path != "" {
		l.takeFile(path)
	}
	l.parse()
	l.checkRanges()
	l.s.Warnings = append(l.s.Warnings, odd...)
	l.fillDefaults()
	return l
}

// result gives the settings, or the faults of the names that count.
func (l *loader) result(counts func(name string) bool) (*Settings, error) {
	var faults Faults
	for _, f := range l.faults {
		if counts(f.Name) || f.Line > 0 && l.fieldOf(f.Name) == nil {
			faults = append(faults, f)
		}
	}
	if len(faults) > 0 {
		slices.SortStableFunc(faults, func(a, b Fault) int { return l.place(a.Name) - l.place(b.Name) })
		return nil, faults
	}
	l.s.sources = make(map[string]Source, len(l.given))
	for name, g := range l.given {
		l.s.sources[name] = g.source
	}
	return &l.s, nil
}

// fields reads the tags of Settings, in order.
func fields() []field {
	t := reflect.TypeFor[Settings]()
	var all []field
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		name := tag.Get("env")
		if name == "" {
			continue
		}
		typ := t.Field(i).Type
		all = append(all, field{
			name: name, want: tag.Get("want"), eg: tag.Get("eg"),
			low: tag.Get("min"), high: tag.Get("max"), index: i,
			secret: typ == reflect.TypeFor[Secret]() || typ == reflect.TypeFor[Secrets](),
		})
	}
	return all
}

// place is a name's place among the fields; what is none comes first.
func (l *loader) place(name string) int {
	return slices.IndexFunc(l.fields, func(f field) bool { return f.name == name })
}

func (l *loader) fieldOf(name string) *field {
	if i := l.place(name); i >= 0 {
		return &l.fields[i]
	}
	return nil
}

// takeEnviron takes the known names, and returns warnings about those that
// look like one. Of a name that is there twice the first counts, as in
// os.Getenv.
func (l *loader) takeEnviron(environ []string) (odd []string) {
	seen := map[string]bool{}
	for _, entry := range environ {
		name, value, ok := strings.Cut(entry, "=")
		if !ok || seen[name] {
			continue
		}
		seen[name] = true
		value = strings.TrimSpace(value)
		switch {
		case l.fieldOf(name) != nil:
			if value != "" {
				l.given[name] = given{value: value, source: SourceEnvironment}
			}
		case name == "TZ":
			l.tz = value
		case name == "OPENAI_BASE_URL":
			l.sdkURL = value != ""
		case looksOurs(name, value):
			odd = append(odd, name+": "+l.suggest(name))
		}
	}
	return odd
}

// parse lets the library fill the struct, and makes faults of its errors.
func (l *loader) parse() {
	values := make(map[string]string, len(l.given))
	for name, g := range l.given {
		values[name] = g.value
	}
	err := env.ParseWithOptions(&l.s, env.Options{Environment: values})
	var all env.AggregateError
	if err == nil {
		return
	}
	if !errors.As(err, &all) {
		l.faults = append(l.faults, Fault{Name: "settings", What: "they cannot be read"})
		return
	}
	t := reflect.TypeFor[Settings]()
	for _, one := range all.Errors {
		var wrong env.ParseError
		if !errors.As(one, &wrong) {
			continue
		}
		if sf, ok := t.FieldByName(wrong.Name); ok {
			l.fault(sf.Tag.Get("env"), why(wrong.Err))
		}
	}
}

// why keeps the reasons that are made here; the words of others quote values.
func why(err error) string {
	if r, ok := errors.AsType[reason](err); ok {
		return string(r)
	}
	return ""
}

// fault reports a setting. Its value is shown unless it is a secret or may
// hold one.
func (l *loader) fault(name, what string) {
	f := l.fieldOf(name)
	g := l.given[name]
	if shown := f.shown(g.value); shown != "" {
		if what == "" {
			what = shown + " is not right"
		} else {
			what = shown + ": " + what
		}
	} else if what == "" {
		what = "its value is not right"
	}
	l.add(Fault{Name: name, Line: g.line, What: what, Want: f.want, Type: name + "=" + f.eg})
}

func (l *loader) add(f Fault) {
	l.bad[f.Name] = true
	l.faults = append(l.faults, f)
}

// shown is the value as a fault may show it: nothing for a secret, and nothing
// for what may be a URL with a password or a key in it.
func (f *field) shown(value string) string {
	if f.secret || value == "" || strings.ContainsAny(value, "@?") {
		return ""
	}
	return show(value)
}

// checkRanges holds numbers, sizes and durations to their bounds.
func (l *loader) checkRanges() {
	v := reflect.ValueOf(&l.s).Elem()
	for _, f := range l.fields {
		if f.low == "" || l.bad[f.name] || l.given[f.name].value == "" {
			continue
		}
		n, low, high := v.Field(f.index).Int(), int64(0), int64(0)
		switch v.Field(f.index).Interface().(type) {
		case time.Duration:
			low, high = duration(f.low), duration(f.high)
		case Size:
			low, high = size(f.low), size(f.high)
		default:
			low, high = number(f.low), number(f.high)
		}
		if n < low {
			l.fault(f.name, "it is less than "+f.low)
		} else if n > high {
			l.fault(f.name, "it is more than "+f.high)
		}
	}
}

// duration, size and number read the bounds in the tags; a test reads them all.
func duration(s string) int64 {
	d, _ := time.ParseDuration(s)
	return int64(d)
}

func size(s string) int64 {
	var n Size
	_ = n.UnmarshalText([]byte(s))
	return int64(n)
}

func number(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}

// fillDefaults sets what has a default that no tag can hold.
func (l *loader) fillDefaults() {
	if _, ok := l.given["PAM_MAX_TOTAL"]; !ok {
		l.s.MaxTotal = defaultTotal(descriptors())
	}
}

// spareDescriptors are those that are not for connections: the journal, the
// listener, the models' connections, and room to say that there is no more.
const spareDescriptors = 256

// defaultTotal is the limit of descriptors less 256, but never nothing; 0, no
// limit, where the system sets none.
func defaultTotal(limit uint64) int {
	switch {
	case limit == 0 || limit > 10_000_000:
		return 0
	case limit <= 2*spareDescriptors:
		return int(max(limit/2, 1))
	}
	return int(limit - spareDescriptors)
}
