package server

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/conversation"
	"github.com/pam-assistant/pam/internal/gateway"
	"github.com/pam-assistant/pam/internal/identity"
	"github.com/pam-assistant/pam/internal/store/sqlite"
	"github.com/pam-assistant/pam/internal/wire"
)

// codec is the wire's encoding, as the conversations want it.
type codec = wire.EventCodec

// conversations is the hub, as the gateway wants it.
type conversations struct{ *conversation.Hub }

// Watch begins to watch.
func (c conversations) Watch(ctx context.Context, key pam.Key, w gateway.Watcher, r pam.Resume) (gateway.Watch, pam.Position, error) {
	watch, position, err := c.Hub.Watch(ctx, key, w, r)
	if err != nil {
		return nil, position, err
	}
	return watch, position, nil
}

// contexts is the store, as those want it who merge contexts.
type contexts struct{ *sqlite.Store }

// Merge merges a patch; without one it returns the present version.
func (c contexts) Merge(ctx context.Context, s pam.Session, patch []byte) (int64, error) {
	if len(patch) == 0 {
		now, err := c.Context(ctx, s)
		return now.Version, err
	}
	now, err := c.UpdateContext(ctx, s, func(old []byte) ([]byte, error) { return wire.MergeContext(old, patch) })
	return now.Version, err
}

// knowledge is the store, as a turn wants it.
type knowledge struct{ *sqlite.Store }

// doorman says who is speaking.
type doorman struct {
	verifier    *identity.Verifier
	tickets     *identity.Tickets
	origins     identity.Origins
	proxies     identity.Proxies
	development bool
}

// Origin implements [gateway.Doorman].
func (d *doorman) Origin(r *http.Request) error { return d.origins.Check(r) }

// Allows implements [api.Doorman].
func (d *doorman) Allows(origin string) bool { return d.origins.Allows(origin) }

// Peer implements [gateway.Doorman].
func (d *doorman) Peer(r *http.Request) netip.Addr { return d.proxies.Peer(r) }

// Loopback implements [api.Doorman].
func (d *doorman) Loopback(r *http.Request) bool { return d.proxies.Loopback(r) }

// Token implements [gateway.Doorman].
func (d *doorman) Token(ctx context.Context, token string) (pam.Principal, error) {
	return d.verifier.Verify(ctx, token)
}

// Credential implements [gateway.Doorman].
func (d *doorman) Credential(r *http.Request) gateway.Credential {
	source, value := identity.Credential(r)
	switch source {
	case identity.SourceNone:
		return nil
	case identity.SourceTicket:
		return func(context.Context) (pam.Principal, error) { return d.tickets.Redeem(value) }
	case identity.SourceHeader, identity.SourceSubprotocol, identity.SourceQuery:
	}
	return func(ctx context.Context) (pam.Principal, error) { return d.verifier.Verify(ctx, value) }
}

// Who implements [api.Doorman].
func (d *doorman) Who(r *http.Request) (pam.Principal, error) {
	if err := d.Origin(r); err != nil {
		return pam.Principal{}, err
	}
	judge := d.Credential(r)
	if judge == nil {
		return pam.Principal{}, &pam.Error{Code: pam.CodeTokenMissing, Op: "server.who"}
	}
	return judge(r.Context())
}

// tokens makes credentials.
type tokens struct {
	*doorman
	now func() time.Time
}

// developmentTTL is how long the page's token lasts; the page asks again.
const developmentTTL = time.Hour

// Ticket implements [api.Tokens].
func (t tokens) Ticket(p pam.Principal) (string, time.Time) { return t.tickets.Issue(p) }

// Development implements [api.Tokens].
func (t tokens) Development(r *http.Request) (string, time.Time, error) {
	switch {
	case !t.development:
		return "", time.Time{}, &pam.Error{Code: pam.CodeNotFound, Op: "server.dev-token", Message: "This server is not in development mode.", Hint: "Get a token from your own login; pam token makes one for a test."}
	case !t.origins.SameLoopback(r) || !t.proxies.Loopback(r):
		return "", time.Time{}, &pam.Error{Code: pam.CodeOriginNotAllowed, Op: "server.dev-token", Message: "Only PAM's own page on this machine gets a development token.", Hint: "Open the page by the address that the server printed."}
	}
	return t.verifier.Sign(identity.DevelopmentUser, pam.RoleOperator, developmentTTL)
}
