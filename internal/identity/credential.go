package identity

import (
	"net/http"
	"strings"
)

// Source says where in a request a credential was found.
type Source uint8

// The sources, in the order in which they are looked at; the first found wins.
const (
	SourceNone        Source = iota
	SourceHeader             // Authorization: Bearer TOKEN
	SourceSubprotocol        // Sec-WebSocket-Protocol: bearer.TOKEN
	SourceTicket             // ?ticket=TICKET: for Tickets.Redeem
	SourceQuery              // ?token=TOKEN
)

// String names the source for a log; what was found there is never logged.
func (s Source) String() string {
	switch s {
	case SourceNone:
		return "none"
	case SourceHeader:
		return "header"
	case SourceSubprotocol:
		return "subprotocol"
	case SourceTicket:
		return "ticket"
	case SourceQuery:
		return "query"
	}
	return "unknown"
}

// Credential returns the credential that a request carries, and where it was:
// a ticket for SourceTicket, a token for the others. An empty one is none.
func Credential(r *http.Request) (Source, string) {
	for _, line := range r.Header.Values("Authorization") {
		scheme, token, ok := strings.Cut(strings.Trim(line, " \t"), " ")
		if token = strings.Trim(token, " \t"); ok && token != "" && strings.EqualFold(scheme, "Bearer") {
			return SourceHeader, token
		}
	}
	for _, line := range r.Header.Values("Sec-Websocket-Protocol") {
		for entry := range strings.SplitSeq(line, ",") {
			token, ok := strings.CutPrefix(strings.Trim(entry, " \t"), BearerPrefix)
			if ok && token != "" {
				return SourceSubprotocol, token
			}
		}
	}
	if r.URL.RawQuery == "" {
		return SourceNone, ""
	}
	query := r.URL.Query()
	if ticket := query.Get("ticket"); ticket != "" {
		return SourceTicket, ticket
	}
	if token := query.Get("token"); token != "" {
		return SourceQuery, token
	}
	return SourceNone, ""
}

// BearerPrefix begins the subprotocol entry that carries a token. Such an
// entry is never echoed.
const BearerPrefix = "bearer."
