package identity

import (
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	pam "github.com/pam-assistant/pam"
)

// maxOriginLength bounds what is parsed and shown: a scheme, a name of 253
// bytes, a port.
const maxOriginLength = 300

// Origins says which pages may talk to PAM.
type Origins struct {
	// Allowed are origins beside the request's own, as a browser writes them:
	// https://app.example (PAM_ALLOWED_ORIGINS).
	Allowed []string
	// TrustedProxies are those whose X-Forwarded-Host is believed.
	TrustedProxies Proxies
}

// Check judges a request's Origin (docs/protocol.md, "Who is it"): none is a
// native client's and good, so is one that is allowed and the request's own
// host and port. The scheme is not compared, for a proxy may end TLS. Anything
// else is origin_not_allowed, with the line to type as its hint.
func (o Origins) Check(r *http.Request) error {
	values := r.Header.Values("Origin")
	if len(values) == 0 {
		return nil
	}
	if len(values) > 1 {
		return originRefused("several Origin headers", "", "send one Origin header")
	}
	if values[0] == "null" {
		return originRefused("the Origin is null", "",
			"serve the page from http:// or https://, not from a file or a sandboxed frame")
	}
	from, ok := parseOrigin(values[0])
	if !ok {
		return originRefused("the Origin is malformed", "", "send the Origin as scheme://host[:port]")
	}
	if o.allows(from) || o.own(r, from) {
		return nil
	}
	return originRefused("the Origin is "+quote(values[0])+", this is "+quote(r.Host), from.String(), "")
}

// Allows reports whether origin is one of the allowed ones, whatever the
// request: it is the question of CORS, where the request's own origin needs
// no leave.
func (o Origins) Allows(origin string) bool {
	from, ok := parseOrigin(origin)
	return ok && o.allows(from)
}

// SameLoopback reports whether a request comes from PAM's own page on this
// machine: one Origin, its host and port those of Host, both the same loopback
// name. It is what development mode asks before it hands out a token.
func (o Origins) SameLoopback(r *http.Request) bool {
	values := r.Header.Values("Origin")
	if len(values) != 1 || !LoopbackHost(r.Host) {
		return false
	}
	from, ok := parseOrigin(values[0])
	return ok && from.at(r.Host)
}

// CheckHost refuses, in development mode, any request whose Host is not a
// loopback name: a page whose own name leads here must not reach an operator's
// token.
func CheckHost(r *http.Request) error {
	if LoopbackHost(r.Host) {
		return nil
	}
	return &pam.Error{
		Code: pam.CodeOriginNotAllowed, Op: opOrigin,
		Detail:  "the Host is " + quote(r.Host),
		Message: "In development mode PAM answers only as localhost.",
		Hint:    "open it as http://localhost with the same port, or set PAM_JWT_SECRET to serve other names",
	}
}

func (o Origins) allows(from origin) bool {
	return slices.ContainsFunc(o.Allowed, func(s string) bool {
		allowed, ok := parseOrigin(s)
		return ok && allowed == from
	})
}

// own reports whether from is where the request went. X-Forwarded-Host counts
// beside Host: some proxies keep the browser's Host and some replace it. More
// than one value is nobody's word.
func (o Origins) own(r *http.Request, from origin) bool {
	if from.at(r.Host) {
		return true
	}
	hosts := r.Header.Values("X-Forwarded-Host")
	return len(hosts) == 1 && o.TrustedProxies.fromProxy(r) && from.at(strings.TrimSpace(hosts[0]))
}

// origin is one in its normal form: lower case, the port always there where
// the scheme has one.
type origin struct {
	scheme, host string
	port         uint16 // 0: the scheme has none, and none was given
}

// String writes the origin as a browser does, without its scheme's own port.
func (o origin) String() string {
	s := o.scheme + "://" + o.host
	if o.port != 0 && o.port != defaultPort(o.scheme) {
		s += ":" + strconv.Itoa(int(o.port))
	}
	return s
}

// at reports whether host, a Host header, names the origin's host and port.
// Without a port a Host means the one that the origin's scheme has: with which
// scheme the browser came, only the origin knows.
func (o origin) at(host string) bool {
	name, port, ok := splitHost(host)
	if !ok || o.port == 0 {
		return false
	}
	if port == 0 {
		port = defaultPort(o.scheme)
	}
	return name == o.host && port == o.port
}

func defaultPort(scheme string) uint16 {
	switch scheme {
	case "http", "ws":
		return 80
	case "https", "wss":
		return 443
	}
	return 0
}

// parseOrigin reads scheme://host[:port] and nothing more (RFC 6454, 6.2).
func parseOrigin(s string) (origin, bool) {
	if len(s) > maxOriginLength {
		return origin{}, false
	}
	scheme, rest, ok := strings.Cut(strings.ToLower(s), "://")
	if !ok || !validScheme(scheme) {
		return origin{}, false
	}
	host, port, ok := splitHost(rest)
	if !ok {
		return origin{}, false
	}
	if port == 0 {
		port = defaultPort(scheme)
	}
	return origin{scheme: scheme, host: host, port: port}, true
}

// validScheme holds s, in lower case, to RFC 3986, 3.1.
func validScheme(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z'
		if !letter && (i == 0 || !(c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.')) {
			return false
		}
	}
	return s != ""
}

// splitHost takes a host and port apart; the port is 0 where there is none.
// The host is in lower case, an IPv6 address in its shortest form.
func splitHost(s string) (host string, port uint16, ok bool) {
	if rest, bracket := strings.CutPrefix(s, "["); bracket {
		inside, after, closed := strings.Cut(rest, "]")
		addr, err := netip.ParseAddr(inside)
		if !closed || err != nil || !addr.Is6() || addr.Zone() != "" {
			return "", 0, false
		}
		s, host = after, "["+addr.String()+"]"
	} else {
		end := strings.IndexByte(s, ':')
		if end < 0 {
			end = len(s)
		}
		host, s = strings.ToLower(s[:end]), s[end:]
		if !validName(host) {
			return "", 0, false
		}
	}
	if s == "" {
		return host, 0, true
	}
	digits, colon := strings.CutPrefix(s, ":")
	port, ok = parsePort(digits)
	return host, port, colon && ok
}

// validName takes what a registered name or an IPv4 address may be made of in
// a browser's Origin: ASCII, no escapes.
func validName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_') {
			return false
		}
	}
	return s != ""
}

// parsePort reads 1 to 65535, digits only.
func parsePort(s string) (uint16, bool) {
	if s == "" || len(s) > 5 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err == nil && n > 0
}

// originRefused is the refusal of a page. allow is the origin to allow, empty
// where none can be; hint is said in that case.
func originRefused(detail, allow, hint string) error {
	if allow != "" {
		hint = "to allow this page start PAM with PAM_ALLOWED_ORIGINS=" + allow +
			" (a comma and it, where others are allowed already)"
	}
	return &pam.Error{
		Code: pam.CodeOriginNotAllowed, Op: opOrigin, Detail: detail,
		Message: "This page is not allowed to talk to PAM.",
		Hint:    hint,
	}
}
