package gateway

import (
	"crypto/sha1" //nolint:gosec // RFC 6455, section 4.2.2, asks for it; it protects nothing
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/wire"
)

// acceptGUID is the constant of RFC 6455, section 1.3.
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// ServeHTTP accepts a WebSocket. Every well-formed upgrade is accepted; what
// there is to refuse is said on the open connection, for a browser can read
// nothing of a refused handshake (docs/protocol.md, "Accept, then explain").
// user is the {user_id} of the path; empty where it names none.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request, user pam.UserID) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		refuse(w, http.StatusMethodNotAllowed, &pam.Error{Code: pam.CodeInvalid, Message: "A WebSocket is opened with GET.", Detail: "method"})
		return
	}
	if missing := lacks(r); len(missing) > 0 {
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Sec-Websocket-Version", "13")
		refuse(w, http.StatusUpgradeRequired, &pam.Error{
			Code:    pam.CodeInvalid,
			Message: "This address speaks WebSocket, and the request asks for none.",
			Hint:    "A proxy between must pass Upgrade and Connection on (nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\").",
			Detail:  strings.Join(missing, "; "),
		})
		return
	}
	if key, err := base64.StdEncoding.DecodeString(r.Header.Get("Sec-Websocket-Key")); err != nil || len(key) != 16 {
		refuse(w, http.StatusBadRequest, &pam.Error{Code: pam.CodeInvalid, Detail: "Sec-WebSocket-Key: is not 16 bytes in base64"})
		return
	}
	if err := g.hands.allow(g.Now(), g.Doorman.Peer(r)); err != nil {
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusTooManyRequests, err)
		return
	}
	g.accept(w, r, user)
}

// accept answers the upgrade and lets the connection live.
func (g *Gateway) accept(w http.ResponseWriter, r *http.Request, user pam.UserID) {
	protocol := subprotocol(r)
	c := newConn(g, g.Doorman.Peer(r), protocol == wire.SubprotocolV1)
	c.path = user
	ask := admission{origin: g.Doorman.Origin(r), credential: g.Doorman.Credential(r)}
	answer := handshake(r.Header.Get("Sec-Websocket-Key"), protocol)

	hijacker := http.NewResponseController(w)
	socket, buffered, err := hijacker.Hijack()
	if err != nil {
		refuse(w, http.StatusInternalServerError, &pam.Error{Code: pam.CodeInternal})
		return
	}
	if n := buffered.Reader.Buffered(); n > 0 { // frames that came with the handshake
		early, _ := buffered.Reader.Peek(n)
		ask.early = slices.Clone(early)
	}
	if err := socket.SetDeadline(time.Time{}); err != nil {
		_ = socket.Close()
		return
	}
	c.own(socket)
	refusal := g.enter(c)
	go c.run(answer, ask, refusal)
}

// admission is what a connection has to be judged by, once it is open.
type admission struct {
	origin     error
	credential Credential
	early      []byte
}

// lacks names the upgrade headers that r has not, each with what was there.
func lacks(r *http.Request) []string {
	var missing []string
	want := func(header, value string, ok bool) {
		if !ok {
			was := "is missing"
			if r.Header.Get(header) != "" {
				was = "is not " + value
			}
			missing = append(missing, header+": "+was)
		}
	}
	want("Connection", "Upgrade", hasToken(r.Header.Values("Connection"), "upgrade"))
	want("Upgrade", "websocket", hasToken(r.Header.Values("Upgrade"), "websocket"))
	want("Sec-WebSocket-Version", "13", r.Header.Get("Sec-Websocket-Version") == "13")
	want("Sec-WebSocket-Key", "16 bytes in base64", r.Header.Get("Sec-Websocket-Key") != "")
	if !r.ProtoAtLeast(1, 1) {
		missing = append(missing, "HTTP/1.1: the request came as "+r.Proto)
	}
	return missing
}

// hasToken reports whether a header's list has token, in any case.
func hasToken(lines []string, token string) bool {
	for _, line := range lines {
		for entry := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(entry), token) {
				return true
			}
		}
	}
	return false
}

// subprotocol returns the entry that is taken: compared exactly, the first of
// ours that the client offers.
func subprotocol(r *http.Request) string {
	for _, line := range r.Header.Values("Sec-Websocket-Protocol") {
		for entry := range strings.SplitSeq(line, ",") {
			switch entry = strings.Trim(entry, " \t"); entry {
			case wire.SubprotocolV1, wire.SubprotocolPlain:
				return entry
			}
		}
	}
	return ""
}

// handshake is the answer to an upgrade (RFC 6455, section 4.2.2).
func handshake(key, protocol string) []byte {
	sum := sha1.Sum([]byte(key + acceptGUID)) //nolint:gosec // as above
	answer := []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ")
	answer = base64.StdEncoding.AppendEncode(answer, sum[:])
	if protocol != "" {
		answer = append(answer, "\r\nSec-WebSocket-Protocol: "...)
		answer = append(answer, protocol...)
	}
	return append(answer, "\r\n\r\n"...)
}

// refuse answers by HTTP with an error object.
func refuse(w http.ResponseWriter, status int, e *pam.Error) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(wire.AppendError(nil, e, wire.About{}))
}
