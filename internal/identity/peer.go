package identity

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the networks whose word about a request is believed
// (PAM_TRUSTED_PROXIES).
type Proxies []netip.Prefix

// Peer returns the address that a request comes from: that of the connection
// or, where a trusted proxy made it, the nearest address in X-Forwarded-For,
// walked from the right, that is no trusted proxy. An entry that is no address
// ends the walk: what stands left of it is not believed. The zero Addr is no
// address (a socket in the file system).
func (p Proxies) Peer(r *http.Request) netip.Addr {
	peer := connection(r)
	if !p.trusts(peer) {
		return peer
	}
	lines := r.Header.Values("X-Forwarded-For")
	for _, line := range slices.Backward(lines) {
		for _, entry := range slices.Backward(strings.Split(line, ",")) {
			next, ok := parseAddr(strings.Trim(entry, " \t"))
			if !ok {
				return peer
			}
			peer = next
			if !p.trusts(peer) {
				return peer
			}
		}
	}
	return peer
}

// Loopback reports whether a request comes from this machine, as
// docs/protocol.md ("CORS") has it: the peer is loopback, Host is a loopback
// name, and no proxy left its mark.
func (p Proxies) Loopback(r *http.Request) bool {
	return p.Peer(r).IsLoopback() && LoopbackHost(r.Host) && !forwarded(r.Header)
}

// trusts reports whether addr is a trusted proxy's.
func (p Proxies) trusts(addr netip.Addr) bool {
	return addr.IsValid() && slices.ContainsFunc(p, func(net netip.Prefix) bool { return net.Contains(addr) })
}

// fromProxy reports whether the connection itself is a trusted proxy's.
func (p Proxies) fromProxy(r *http.Request) bool { return p.trusts(connection(r)) }

// LoopbackHost reports whether a request's Host is a name of this machine:
// localhost, 127.0.0.1 or [::1], with any port or none.
func LoopbackHost(host string) bool {
	name, port := host, ""
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		name, port = host[:i], host[i+1:]
		if _, ok := parsePort(port); !ok {
			return false
		}
	}
	return strings.EqualFold(name, "localhost") || name == "127.0.0.1" || name == "[::1]"
}

// forwarded reports whether the request says that it passed a proxy.
func forwarded(h http.Header) bool {
	for name := range h {
		if name == "Forwarded" || name == "Via" || strings.HasPrefix(name, "X-Forwarded-") {
			return true
		}
	}
	return false
}

// connection is the address at the other end of the connection.
func connection(r *http.Request) netip.Addr {
	addr, _ := parseAddr(r.RemoteAddr)
	return addr
}

// parseAddr reads an address with or without a port, and makes IPv4 in IPv6
// plain IPv4, so that one network matches both.
func parseAddr(s string) (netip.Addr, bool) {
	if host, _, err := net.SplitHostPort(s); err == nil {
		s = host
	} else if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		s = s[1 : len(s)-1]
	}
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}, false
	}
	return addr.Unmap().WithZone(""), true
}
