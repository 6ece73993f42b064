package settings

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// reason is why a value is refused, in words that never quote it: whoever
// reports the fault knows whether the value may be shown.
type reason string

func (r reason) Error() string { return string(r) }

// UnmarshalText takes host:port with a port of digits.
func (a *Address) UnmarshalText(text []byte) error {
	host, port, err := net.SplitHostPort(string(text))
	if err != nil {
		return reason("it has no port, or more than one colon")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return reason("its port is not a number of 0 to 65535")
	}
	if _, err := netip.ParseAddr(host); err != nil && !hostName(host) {
		return reason("its host is neither a name nor an address")
	}
	*a = Address(text)
	return nil
}

// hostName takes what a name of a host may be made of; no name is every
// address.
func hostName(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '-', c == '_':
		default:
			return false
		}
	}
	return len(s) <= 253
}

// Claim is what a claim of a token must say, to the letter: also a slash at its
// end counts.
type Claim string

// UnmarshalText takes text in UTF-8 without control characters.
func (c *Claim) UnmarshalText(text []byte) error {
	if len(text) > 1024 || !utf8.Valid(text) || strings.ContainsFunc(string(text), unicode.IsControl) {
		return reason("it is too long, or not text in UTF-8 without control characters")
	}
	*c = Claim(text)
	return nil
}

// Path is a file or a folder, without slashes behind.
type Path string

// UnmarshalText takes any path that the system could open.
func (p *Path) UnmarshalText(text []byte) error {
	if strings.ContainsRune(string(text), 0) {
		return reason("it has a NUL byte")
	}
	trimmed := strings.TrimRightFunc(string(text), func(r rune) bool {
		return r == '/' || r == filepath.Separator
	})
	if trimmed == "" {
		trimmed = string(text[:1])
	}
	*p = Path(trimmed)
	return nil
}

// The URLs, each with what it may be; all without slashes behind.
type (
	// HTTPURL is an http or https URL; it may have a query.
	HTTPURL string
	// BaseURL is an http or https URL that paths are appended to.
	BaseURL string
	// ServerURL is an http, https, ws or wss URL that paths are appended to.
	ServerURL string
)

// UnmarshalText takes an http or https URL.
func (u *HTTPURL) UnmarshalText(text []byte) error {
	s, err := parseURL(string(text), true, "http", "https")
	*u = HTTPURL(s)
	return err
}

// UnmarshalText takes an http or https URL without a query.
func (u *BaseURL) UnmarshalText(text []byte) error {
	s, err := parseURL(string(text), false, "http", "https")
	*u = BaseURL(s)
	return err
}

// UnmarshalText takes a URL without a query, for a token in it ends in logs.
func (u *ServerURL) UnmarshalText(text []byte) error {
	s, err := parseURL(string(text), false, "http", "https", "ws", "wss")
	*u = ServerURL(s)
	return err
}

// parseURL reads an absolute URL. A user and a password are never taken, so
// that no URL is a secret.
func parseURL(s string, query bool, schemes ...string) (string, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return "", reason("it is not a URL")
	case u.User != nil:
		return "", reason("it holds a user or a password")
	case !containsFold(schemes, u.Scheme):
		return "", reason("it does not begin with " + strings.Join(schemes, "://, ") + "://")
	case u.Hostname() == "" || strings.ContainsAny(u.Host, " \t"):
		return "", reason("it has no host")
	case u.Fragment != "" || strings.HasSuffix(s, "#"):
		return "", reason("it has a part behind #")
	case !query && (u.RawQuery != "" || u.ForceQuery):
		return "", reason("it has a query")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "", reason("its port is not a number of 1 to 65535")
		}
	}
	if u.RawQuery == "" {
		s = strings.TrimRight(s, "/")
	}
	return s, nil
}

func containsFold(list []string, s string) bool {
	for _, one := range list {
		if strings.EqualFold(one, s) {
			return true
		}
	}
	return false
}

// Origins are origins as a browser writes them.
type Origins []string

// UnmarshalText takes origins separated by commas; a slash behind one is
// dropped. All that are wrong are named by their place.
func (o *Origins) UnmarshalText(text []byte) error {
	var all Origins
	err := eachPart(string(text), func(part string) string {
		part = strings.TrimRight(part, "/")
		if why := checkOrigin(part); why != "" {
			return why
		}
		all = append(all, part)
		return ""
	})
	*o = all
	return err
}

func checkOrigin(s string) string {
	u, err := url.Parse(s)
	switch {
	case s == "*":
		return "is *, which lets any page in: name the pages"
	case s == "null":
		return "is null, which is no page's own"
	case err != nil:
		return "is no origin"
	case u.Scheme == "" || u.Opaque != "":
		return "has no scheme, such as https://"
	case u.User != nil || u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "has more than a scheme, a host and a port"
	case !originHost(u.Host):
		return "has no good host"
	}
	return ""
}

// originHost takes what identity takes in an Origin: a name or an address in
// ASCII, and a port.
func originHost(s string) bool {
	host := s
	if h, port, err := net.SplitHostPort(s); err == nil {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return false
		}
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	_, err := netip.ParseAddr(host)
	return host != "" && (err == nil || hostName(host))
}

// String writes the list as it is set.
func (o Origins) String() string { return strings.Join(o, ",") }

// Prefixes are networks.
type Prefixes []netip.Prefix

// UnmarshalText takes networks separated by commas; an address alone is a
// network of one. All that are wrong are named by their place.
func (p *Prefixes) UnmarshalText(text []byte) error {
	var all Prefixes
	err := eachPart(string(text), func(part string) string {
		prefix, err := netip.ParsePrefix(part)
		if addr, addrErr := netip.ParseAddr(part); addrErr == nil && addr.Zone() == "" {
			prefix, err = netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()), nil
		}
		if err != nil || prefix.Addr().Is4In6() {
			return "is no network, such as 10.0.0.0/8"
		}
		all = append(all, prefix.Masked())
		return ""
	})
	*p = all
	return err
}

// String writes the list as it is set.
func (p Prefixes) String() string {
	all := make([]string, len(p))
	for i := range p {
		all[i] = p[i].String()
	}
	return strings.Join(all, ",")
}

// eachPart hands the parts between commas to take, empty ones left out, and
// returns what it says of those that are wrong.
func eachPart(list string, take func(part string) string) error {
	var wrong []string
	n := 0
	for i, part := range strings.Split(list, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		n++
		if why := take(part); why != "" {
			wrong = append(wrong, fmt.Sprintf("entry %d %s", i+1, why))
		}
	}
	if n == 0 {
		wrong = append(wrong, "it holds commas alone")
	}
	if len(wrong) > 0 {
		return reason(strings.Join(wrong, ", "))
	}
	return nil
}

// Size is a number of bytes.
type Size int64

// UnmarshalText takes a whole number with KiB, MiB or, for bytes, nothing
// behind it.
func (s *Size) UnmarshalText(text []byte) error {
	digits, unit := string(text), int64(1)
	if cut, ok := strings.CutSuffix(digits, "KiB"); ok {
		digits, unit = cut, 1<<10
	} else if cut, ok := strings.CutSuffix(digits, "MiB"); ok {
		digits, unit = cut, 1<<20
	}
	n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 32)
	if err != nil {
		return reason("it is not a whole number with KiB or MiB")
	}
	*s = Size(n * unit)
	return nil
}

// String writes the size with the greatest unit that leaves it whole.
func (s Size) String() string {
	switch {
	case s != 0 && s%(1<<20) == 0:
		return strconv.FormatInt(int64(s>>20), 10) + "MiB"
	case s != 0 && s%(1<<10) == 0:
		return strconv.FormatInt(int64(s>>10), 10) + "KiB"
	}
	return strconv.FormatInt(int64(s), 10)
}

// Sync says how a commit of the journal reaches the disk.
type Sync uint8

// The ways.
const (
	SyncFull   Sync = iota + 1 // a commit survives the loss of power
	SyncNormal                 // the last commits may be lost with the power
)

// String returns the setting's text.
func (s Sync) String() string {
	switch s {
	case SyncFull:
		return "full"
	case SyncNormal:
		return "normal"
	}
	return "none"
}

// MarshalText returns the setting's text.
func (s Sync) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes full or normal.
func (s *Sync) UnmarshalText(text []byte) error {
	for _, one := range []Sync{SyncFull, SyncNormal} {
		if string(text) == one.String() {
			*s = one
			return nil
		}
	}
	return reason("it is neither")
}

// Model is builtin, script or openai/NAME.
type Model string

// The models that need no provider.
const (
	ModelBuiltin Model = "builtin"
	ModelScript  Model = "script"
)

// openAIPrefix begins the name of a model behind an OpenAI-compatible API.
const openAIPrefix = "openai/"

// OpenAI returns the NAME of openai/NAME, and whether the model is such a one.
func (m Model) OpenAI() (name string, ok bool) { return strings.CutPrefix(string(m), openAIPrefix) }

// UnmarshalText takes builtin, script or openai/NAME.
func (m *Model) UnmarshalText(text []byte) error {
	s := string(text)
	name, openAI := strings.CutPrefix(s, openAIPrefix)
	switch {
	case openAI && name == "":
		return reason("the name behind openai/ is missing")
	case openAI && (len(name) > 200 || strings.ContainsFunc(name, odd)):
		return reason("the name behind openai/ has a space or is too long")
	case !openAI && s != string(ModelBuiltin) && s != string(ModelScript):
		return reason("there is no such model")
	}
	*m = Model(s)
	return nil
}

func odd(r rune) bool { return r <= ' ' || r > '~' }

// maxInstructions is the greatest size of PAM_INSTRUCTIONS, in bytes.
const maxInstructions = 64 << 10

// Instructions are a text that may come from a file.
type Instructions struct {
	Text string
	File string // empty: the setting is the text itself
}

// UnmarshalText takes a text, or reads it from the file behind @.
func (i *Instructions) UnmarshalText(text []byte) error {
	s := string(text)
	file, fromFile := strings.CutPrefix(s, "@")
	if fromFile {
		raw, err := readBounded(file, maxInstructions)
		if err != nil {
			return err
		}
		s = strings.TrimSpace(strings.TrimPrefix(string(raw), "\ufeff"))
	}
	switch {
	case len(s) > maxInstructions:
		return reason("it is longer than 64KiB")
	case !utf8.ValidString(s) || strings.ContainsRune(s, 0):
		return reason("it is not text in UTF-8")
	case s == "":
		return reason("the file is empty")
	}
	*i = Instructions{Text: s, File: file}
	if !fromFile {
		i.File = ""
	}
	return nil
}

// String names the file, or shows how the text begins.
func (i Instructions) String() string {
	if i.File != "" {
		return "@" + i.File
	}
	return cut(i.Text)
}

// readBounded reads a plain file of at most limit bytes.
func readBounded(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, reason("the file cannot be read: " + cause(err))
	case !info.Mode().IsRegular():
		return nil, reason("it is not a plain file")
	case info.Size() > limit:
		return nil, reason(fmt.Sprintf("the file has %d bytes, at most %d are taken", info.Size(), limit))
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, reason("the file cannot be read: " + cause(err))
	}
	return raw, nil
}
