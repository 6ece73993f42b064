package identity_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	pam "github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/identity"
)

// request is one from RemoteAddr remote to host, with headers in pairs.
func request(t testing.TB, remote, host string, headers ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://x/api/v1/pam/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.RemoteAddr, r.Host = remote, host
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func proxies(t testing.TB, list ...string) identity.Proxies {
	t.Helper()
	var all identity.Proxies
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	origins := identity.Origins{
		Allowed:        []string{"https://app.example", "http://dev.example:5173", "capacitor://localhost", "HTTPS://Upper.Example:443/no", "https://upper.example:443"},
		TrustedProxies: proxies(t, "10.0.0.0/8"),
	}
	const proxy, stranger = "10.1.2.3:5", "192.0.2.1:5"
	forwarded := func(host string) []string { return []string{"X-Forwarded-Host", host} }
	for _, c := range []struct {
		origin, host, remote string
		more                 []string
		ok                   bool
	}{
		// Its own.
		{"http://pam.example", "pam.example", stranger, nil, true},
		{"https://pam.example", "pam.example", stranger, nil, true},
		{"https://PAM.example", "pam.EXAMPLE", stranger, nil, true},
		{"http://pam.example:8080", "pam.example:8080", stranger, nil, true},
		{"https://pam.example", "pam.example:443", stranger, nil, true},
		{"http://pam.example:80", "pam.example", stranger, nil, true},
		{"http://localhost:8080", "localhost:8080", stranger, nil, true},
		{"http://[::1]:8080", "[::1]:8080", stranger, nil, true},
		{"http://[0:0::1]:8080", "[::1]:8080", stranger, nil, true},
		// Not its own.
		{"http://pam.example", "pam.example:8080", stranger, nil, false},
		{"http://pam.example:8080", "pam.example", stranger, nil, false},
		{"http://pam.example", "pam.example:443", stranger, nil, false},
		{"https://pam.example", "pam.example:80", stranger, nil, false},
		{"http://pam.example:443", "pam.example", stranger, nil, false},
		{"http://localhost:8080", "127.0.0.1:8080", stranger, nil, false},
		{"http://127.0.0.1:8080", "localhost:8080", stranger, nil, false},
		{"http://[::1]:8080", "127.0.0.1:8080", stranger, nil, false},
		{"https://evil.example", "pam.example", stranger, nil, false},
		{"https://pam.example.evil.example", "pam.example", stranger, nil, false},
		{"https://pam.example.", "pam.example", stranger, nil, false},
		{"https://xpam.example", "pam.example", stranger, nil, false},
		{"ftp://pam.example", "pam.example", stranger, nil, false},
		{"https://pam.example", "", stranger, nil, false},
		// Allowed.
		{"https://app.example", "pam.example", stranger, nil, true},
		{"https://app.example:443", "pam.example", stranger, nil, true},
		{"https://upper.example", "pam.example", stranger, nil, true},
		{"http://dev.example:5173", "pam.example", stranger, nil, true},
		{"capacitor://localhost", "pam.example", stranger, nil, true},
		{"http://app.example", "pam.example", stranger, nil, false},
		{"https://app.example:8443", "pam.example", stranger, nil, false},
		{"http://dev.example", "pam.example", stranger, nil, false},
		{"https://x.app.example", "pam.example", stranger, nil, false},
		{"ionic://localhost", "pam.example", stranger, nil, false},
		// Behind a proxy.
		{"https://pam.example", "pam:8080", proxy, forwarded("pam.example"), true},
		{"https://pam.example:8443", "pam:8080", proxy, forwarded("pam.example:8443"), true},
		{"https://pam.example", "pam.example", proxy, forwarded("internal"), true},
		{"https://pam.example", "pam:8080", stranger, forwarded("pam.example"), false},
		{"https://pam.example", "pam:8080", proxy, append(forwarded("pam.example"), forwarded("evil.example")...), false},
		{"https://pam.example", "pam:8080", proxy, forwarded("evil.example, pam.example"), false},
		{"https://pam.example", "pam:8080", proxy, forwarded(""), false},
		// Malformed.
		{"null", "null", stranger, nil, false},
		{"", "pam.example", stranger, nil, false},
		{"pam.example", "pam.example", stranger, nil, false},
		{"//pam.example", "pam.example", stranger, nil, false},
		{"http:pam.example", "pam.example", stranger, nil, false},
		{"http://pam.example/", "pam.example", stranger, nil, false},
		{"http://pam.example/x", "pam.example", stranger, nil, false},
		{"http://pam.example?x", "pam.example", stranger, nil, false},
		{"http://pam.example#x", "pam.example", stranger, nil, false},
		{"http://u@pam.example", "pam.example", stranger, nil, false},
		{"http://pam.example:", "pam.example", stranger, nil, false},
		{"http://pam.example:0", "pam.example:0", stranger, nil, false},
		{"http://pam.example:65616", "pam.example:80", stranger, nil, false},
		{"http://pam.example:+80", "pam.example", stranger, nil, false},
		{" http://pam.example", "pam.example", stranger, nil, false},
		{"http://pam.example http://app.example", "pam.example", stranger, nil, false},
		{"http://pam.example,https://app.example", "pam.example", stranger, nil, false},
		{"http://pàm.example", "pàm.example", stranger, nil, false},
		{"http://[::1", "[::1", stranger, nil, false},
		{"http://[127.0.0.1]", "[127.0.0.1]", stranger, nil, false},
		{"http://[fe80::1%25eth0]", "[fe80::1%25eth0]", stranger, nil, false},
		{"1http://pam.example", "pam.example", stranger, nil, false},
		{"http://" + strings.Repeat("a", 400), strings.Repeat("a", 400), stranger, nil, false},
	} {
		r := request(t, c.remote, c.host, append([]string{"Origin", c.origin}, c.more...)...)
		err := origins.Check(r)
		if (err == nil) != c.ok {
			t.Errorf("Origin %q at Host %q from %s %v: %v", c.origin, c.host, c.remote, c.more, err)
		}
		if err != nil {
			if e := wantCode(t, err, pam.CodeOriginNotAllowed); strings.Contains(e.Hint, "null") {
				t.Errorf("Origin %q: hint %q", c.origin, e.Hint)
			}
		}
	}
	if err := origins.Check(request(t, stranger, "pam.example")); err != nil {
		t.Errorf("a native client: %v", err)
	}
	two := request(t, stranger, "pam.example", "Origin", "http://pam.example", "Origin", "http://pam.example")
	wantCode(t, origins.Check(two), pam.CodeOriginNotAllowed)
}

func TestOriginHintIsALineToType(t *testing.T) {
	t.Parallel()
	err := identity.Origins{}.Check(request(t, "192.0.2.1:5", "pam.example", "Origin", "https://New.Example:443"))
	e := wantCode(t, err, pam.CodeOriginNotAllowed)
	if !strings.Contains(e.Hint, " PAM_ALLOWED_ORIGINS=https://new.example ") {
		t.Errorf("hint is %q", e.Hint)
	}
	if e.Detail != `the Origin is "https://New.Example:443", this is "pam.example"` {
		t.Errorf("detail is %q", e.Detail)
	}
}

func TestAllows(t *testing.T) {
	t.Parallel()
	origins := identity.Origins{Allowed: []string{"https://app.example"}}
	for origin, want := range map[string]bool{
		"https://app.example": true, "https://APP.example:443": true, "http://app.example": false, "null": false, "": false, "*": false,
	} {
		if got := origins.Allows(origin); got != want {
			t.Errorf("%q: %v", origin, got)
		}
	}
}

func TestDevelopmentMode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		origin, host string
		hostOK, same bool
	}{
		{"http://localhost:8080", "localhost:8080", true, true},
		{"http://127.0.0.1:8080", "127.0.0.1:8080", true, true},
		{"http://[::1]:8080", "[::1]:8080", true, true},
		{"http://localhost:8080", "127.0.0.1:8080", true, false},
		{"http://localhost:5173", "localhost:8080", true, false},
		{"null", "localhost:8080", true, false},
		{"", "localhost:8080", true, false},
		{"http://rebound.example:8080", "rebound.example:8080", false, false},
		{"http://localhost.example", "localhost.example", false, false},
		{"http://127.0.0.2", "127.0.0.2", false, false},
		{"http://localhost", "localhost:", false, false},
		{"http://localhost", "localhost", true, true},
		{"http://localhost", "LOCALHOST:80", true, true},
		{"http://localhost", "localhost:80:80", false, false},
		{"http://localhost", "::1", false, false},
		{"http://localhost", "", false, false},
	} {
		r := request(t, "127.0.0.1:5", c.host, "Origin", c.origin)
		if err := identity.CheckHost(r); (err == nil) != c.hostOK {
			t.Errorf("Host %q: %v", c.host, err)
		} else if err != nil {
			wantCode(t, err, pam.CodeOriginNotAllowed)
		}
		if got := (identity.Origins{}).SameLoopback(r); got != c.same {
			t.Errorf("Origin %q at Host %q: same is %v", c.origin, c.host, got)
		}
	}
	if (identity.Origins{}).SameLoopback(request(t, "127.0.0.1:5", "localhost")) {
		t.Error("a request without Origin is the page's")
	}
}

func FuzzOrigin(f *testing.F) {
	f.Add("http://pam.example:8080", "pam.example:8080")
	f.Add("http://[::1%25a]:1", "[::1]:1")
	f.Add("null", "")
	f.Fuzz(func(t *testing.T, origin, host string) {
		r := request(t, "10.0.0.1:1", host, "X-Forwarded-Host", host)
		r.Header["Origin"] = []string{origin}
		o := identity.Origins{Allowed: []string{"https://app.example"}, TrustedProxies: proxies(t, "10.0.0.0/8")}
		if o.Check(r) != nil {
			return
		}
		// What is let in is a scheme, a name and a port, and nothing that two
		// readers could take for two things.
		_, rest, ok := strings.Cut(origin, "://")
		if !ok || strings.ContainsAny(rest, " \t\r\n,@/?#\\%\"<>") || strings.ToLower(origin) == "null" {
			t.Errorf("%q is let in at %q", origin, host)
		}
		name := strings.ToLower(rest)
		if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, ']') {
			name = name[:i]
		}
		if !strings.HasPrefix(name, "[") && name != "app.example" && !strings.HasPrefix(strings.ToLower(strings.TrimSpace(host)), name) {
			t.Errorf("%q is let in at %q", origin, host)
		}
	})
}
