package settings

import (
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// newSecret is how a secret is made.
const newSecret = "PAM_JWT_SECRET=$(openssl rand -hex 32)"

// checkRules looks at settings that are right each, and wrong together. A rule
// says nothing where one of its settings has a fault of its own.
func (l *loader) checkRules() {
	s := &l.s
	if s.Development() && l.sound("PAM_JWT_SECRET", "PAM_JWKS_URL") {
		l.checkDevelopment()
	}
	if name, ok := s.Model.OpenAI(); ok && !s.OpenAIKey.IsSet() &&
		l.sound("PAM_MODEL", "OPENAI_API_KEY", "PAM_OPENAI_BASE_URL") && isOpenAI(string(s.OpenAIBaseURL)) {
		l.add(Fault{
			Name: "OPENAI_API_KEY", What: "it is not set, and PAM_MODEL is " + show(openAIPrefix+name),
			Want: "a key of OpenAI's, or PAM_OPENAI_BASE_URL an endpoint that needs none",
			Type: "OPENAI_API_KEY=sk-…, or PAM_OPENAI_BASE_URL=http://127.0.0.1:11434/v1, or PAM_MODEL=builtin",
		})
	}
	l.warn()
}

// sound reports whether none of the names has a fault.
func (l *loader) sound(names ...string) bool {
	for _, name := range names {
		if l.bad[name] {
			return false
		}
	}
	return true
}

// checkDevelopment: without a secret and a JWKS URL everyone who reaches PAM
// is its operator, so only this machine may.
func (l *loader) checkDevelopment() {
	s := &l.s
	if l.sound("PAM_ADDR") && !s.Addr.Loopback() {
		l.add(Fault{
			Name: "PAM_ADDR", Line: l.given["PAM_ADDR"].line,
			What: show(string(s.Addr)) + " can be reached from other machines, and neither PAM_JWT_SECRET nor PAM_JWKS_URL is set",
			Want: "a loopback address, as long as nothing says who may come in",
			Type: newSecret + ", or PAM_JWKS_URL=https://…, or PAM_ADDR=127.0.0.1:8080",
		})
	}
	if l.sound("PAM_TRUSTED_PROXIES") && len(s.TrustedProxies) > 0 {
		l.add(Fault{
			Name: "PAM_TRUSTED_PROXIES", Line: l.given["PAM_TRUSTED_PROXIES"].line,
			What: "behind a proxy others come in, and neither PAM_JWT_SECRET nor PAM_JWKS_URL is set",
			Want: "not set in development mode",
			Type: newSecret + ", or PAM_JWKS_URL=https://…, or unset PAM_TRUSTED_PROXIES",
		})
	}
	for _, name := range []string{"PAM_JWT_ISSUER", "PAM_JWT_AUDIENCE"} {
		if _, ok := l.given[name]; ok && l.sound(name) {
			l.add(Fault{
				Name: name, Line: l.given[name].line,
				What: "it is set, and neither PAM_JWT_SECRET nor PAM_JWKS_URL is: no token could be verified",
				Want: "set together with one of them",
				Type: "PAM_JWKS_URL=https://… or " + newSecret + ", or unset " + name,
			})
		}
	}
}

// isOpenAI reports whether a base URL, or none, leads to OpenAI itself, where
// nothing works without a key.
func isOpenAI(base string) bool {
	if base == "" {
		return true
	}
	u, err := url.Parse(base)
	if err != nil {
		return false
	}
	host := strings.ToLower(u.Hostname())
	return host == "openai.com" || strings.HasSuffix(host, ".openai.com")
}

// warn notes what is odd, and may yet be meant.
func (l *loader) warn() {
	s := &l.s
	say := func(text string) { s.Warnings = append(s.Warnings, text) }
	if u, err := url.Parse(string(s.JWKSURL)); err == nil && strings.EqualFold(u.Scheme, "http") && !loopbackName(u.Hostname()) {
		say("PAM_JWKS_URL: over http anyone on the way can put keys of his own into it; use https")
	}
	for _, p := range s.TrustedProxies {
		if p.Bits() == 0 {
			say("PAM_TRUSTED_PROXIES: " + p.String() + " trusts everyone to say where a request comes from; name the proxies")
		}
	}
	if _, openAI := s.Model.OpenAI(); openAI && l.sdkURL && s.OpenAIBaseURL == "" {
		say("OPENAI_BASE_URL: PAM does not use it; did you mean PAM_OPENAI_BASE_URL?")
	}
	if !knownZone(l.tz) {
		say("TZ: " + show(l.tz) + " is no time zone that is known here; the log's times are UTC")
	}
}

// knownZone follows what package time does with TZ: it never fails, but falls
// back to UTC and says nothing.
func knownZone(tz string) bool {
	tz = strings.TrimPrefix(tz, ":")
	if filepath.IsAbs(tz) {
		_, err := os.Stat(tz)
		return err == nil
	}
	_, err := time.LoadLocation(tz)
	return err == nil
}

func loopbackName(host string) bool {
	addr, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && addr.IsLoopback()
}
