package identity_test

import (
	"testing"

	"github.com/pam-assistant/pam/internal/identity"
)

func TestPeer(t *testing.T) {
	t.Parallel()
	trusted := proxies(t, "10.0.0.0/8", "127.0.0.1/32", "2001:db8::/32")
	for _, c := range []struct {
		remote string
		xff    []string
		want   string
	}{
		{"192.0.2.1:5", nil, "192.0.2.1"},
		{"192.0.2.1:5", []string{"198.51.100.1"}, "192.0.2.1"}, // a stranger's word
		{"10.0.0.1:5", nil, "10.0.0.1"},
		{"10.0.0.1:5", []string{"198.51.100.1"}, "198.51.100.1"},
		{"10.0.0.1:5", []string{"6.6.6.6, 198.51.100.1"}, "198.51.100.1"}, // what the client made up
		{"10.0.0.1:5", []string{"6.6.6.6, 198.51.100.1 ,10.0.0.2"}, "198.51.100.1"},
		{"10.0.0.1:5", []string{"6.6.6.6", "198.51.100.1", "10.0.0.2"}, "198.51.100.1"},
		{"10.0.0.1:5", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"10.0.0.1:5", []string{"6.6.6.6, unknown, 10.0.0.2"}, "10.0.0.2"},
		{"10.0.0.1:5", []string{""}, "10.0.0.1"},
		{"10.0.0.1:5", []string{"198.51.100.1:4711"}, "198.51.100.1"},
		{"10.0.0.1:5", []string{"[2001:db9::1]:4711"}, "2001:db9::1"},
		{"10.0.0.1:5", []string{"2001:db9::1, [2001:db8::1]"}, "2001:db9::1"},
		{"10.0.0.1:5", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"[::ffff:10.0.0.1]:5", []string{"198.51.100.1"}, "198.51.100.1"},
		{"[fe80::1%eth0]:5", nil, "fe80::1"},
		{"@", nil, "invalid IP"},
		{"", []string{"198.51.100.1"}, "invalid IP"},
	} {
		r := request(t, c.remote, "pam.example")
		for _, line := range c.xff {
			r.Header.Add("X-Forwarded-For", line)
		}
		if got := trusted.Peer(r).String(); got != c.want {
			t.Errorf("from %q by %q: %s, want %s", c.remote, c.xff, got, c.want)
		}
	}
}

func TestLoopback(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		remote, host string
		headers      []string
		want         bool
	}{
		{"127.0.0.1:5", "localhost:8080", nil, true},
		{"127.0.0.1:5", "127.0.0.1", nil, true},
		{"[::1]:5", "[::1]:8080", nil, true},
		{"[::ffff:127.0.0.1]:5", "localhost", nil, true},
		{"192.0.2.1:5", "localhost:8080", nil, false},
		{"127.0.0.1:5", "pam.example", nil, false},
		{"127.0.0.1:5", "localhost.", nil, false},
		{"127.0.0.1:5", "localhost", []string{"X-Forwarded-For", "127.0.0.1"}, false},
		{"127.0.0.1:5", "localhost", []string{"X-Forwarded-Proto", "https"}, false},
		{"127.0.0.1:5", "localhost", []string{"x-forwarded-anything", ""}, false},
		{"127.0.0.1:5", "localhost", []string{"Forwarded", "for=127.0.0.1"}, false},
		{"127.0.0.1:5", "localhost", []string{"Via", "1.1 proxy"}, false},
		{"10.0.0.1:5", "localhost", []string{"X-Forwarded-For", "127.0.0.1"}, false},
		{"@", "localhost", nil, false},
	} {
		r := request(t, c.remote, c.host, c.headers...)
		if got := proxies(t, "10.0.0.0/8").Loopback(r); got != c.want {
			t.Errorf("from %q to %q with %q: %v", c.remote, c.host, c.headers, got)
		}
	}
}

func TestCredential(t *testing.T) {
	t.Parallel()
	const ws = "Sec-WebSocket-Protocol"
	for _, c := range []struct {
		headers []string
		query   string
		source  identity.Source
		value   string
	}{
		{nil, "", identity.SourceNone, ""},
		{[]string{"Authorization", "Bearer a.b.c", ws, "bearer.x"}, "ticket=t&token=q", identity.SourceHeader, "a.b.c"},
		{[]string{"Authorization", "bearer  a.b.c "}, "", identity.SourceHeader, "a.b.c"},
		{[]string{"Authorization", "Basic eDp5", ws, "pam.v1, bearer.x"}, "ticket=t", identity.SourceSubprotocol, "x"},
		{[]string{"Authorization", "Basic eDp5", "Authorization", "Bearer a"}, "", identity.SourceHeader, "a"},
		{[]string{"Authorization", "Bearer", ws, "pam.v1"}, "token=q", identity.SourceQuery, "q"},
		{[]string{"Authorization", "Bearer "}, "", identity.SourceNone, ""},
		{[]string{"Authorization", "Bearera.b.c"}, "", identity.SourceNone, ""},
		{[]string{ws, "pam.v1", ws, "bearer.a.b.c"}, "", identity.SourceSubprotocol, "a.b.c"},
		{[]string{ws, "bearer.,bearer.x"}, "", identity.SourceSubprotocol, "x"},
		{[]string{ws, "Bearer.x"}, "", identity.SourceNone, ""},
		{nil, "token=q&ticket=t", identity.SourceTicket, "t"},
		{nil, "ticket=&token=q", identity.SourceQuery, "q"},
		{nil, "token=", identity.SourceNone, ""},
		{nil, "Token=q", identity.SourceNone, ""},
		{nil, "token=a%2Eb", identity.SourceQuery, "a.b"},
		{nil, "token=%zz&ticket=t", identity.SourceTicket, "t"},
	} {
		r := request(t, "127.0.0.1:5", "x", c.headers...)
		r.URL.RawQuery = c.query
		if source, value := identity.Credential(r); source != c.source || value != c.value {
			t.Errorf("%q ?%s: %v %q, want %v %q", c.headers, c.query, source, value, c.source, c.value)
		}
	}
}
