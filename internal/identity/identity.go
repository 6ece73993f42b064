// Package identity says who is speaking: it turns a credential into a
// [pam.Principal] or into a refusal that has a name (docs/protocol.md, "Who is
// it").
//
// It owns tokens ([Verifier]: HS256 by shared secrets, RS, ES and EdDSA by a
// JWKS URL), one-use tickets ([Tickets]), the judgement of `Origin`
// ([Origins]), the address of a peer behind trusted proxies ([Proxies]) and
// the secret of development mode ([DevelopmentSecret]).
//
// It promises that the algorithm of a token is pinned by the type of the key
// that verifies it, that every refusal has its own code, and that no error and
// no log line ever holds a token, a ticket, a secret or a part of one. It
// never reads a clock of its own and never writes an answer.
package identity

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	pam "github.com/pam-assistant/pam"
)

// MinSecretLength is the least length of a shared secret, in bytes: that of
// the hash (RFC 7518, 3.2).
const MinSecretLength = 32

// DefaultLeeway is how far two clocks may be apart.
const DefaultLeeway = 30 * time.Second

// Options say which tokens a [Verifier] takes.
type Options struct {
	// Secrets verify HS256 tokens, each of at least 32 bytes; the first one
	// signs. Several of them make rotation possible.
	Secrets [][]byte
	// JWKSURL is where the public keys for RS, PS, ES and EdDSA tokens are.
	JWKSURL string
	// Issuer and Audience, where not empty, must be a token's `iss` and among
	// its `aud`.
	Issuer, Audience string
	// Leeway on `exp`, `nbf` and `iat`; zero is DefaultLeeway.
	Leeway time.Duration
	// Now is the clock; it may not be nil.
	Now func() time.Time
	// Client fetches JWKSURL; nil is a client of its own. Every fetch is
	// bounded in time and size whatever the client.
	Client *http.Client
	// Logger hears when the JWKS URL fails and when it answers again; nil is
	// silence.
	Logger *slog.Logger
}

// Verifier checks tokens and signs them. It is safe for concurrent use.
type Verifier struct {
	secrets          [][]byte
	keys             *keyCache // nil without a JWKS URL
	issuer, audience string
	leeway           time.Duration
	now              func() time.Time
}

// New returns a Verifier, or what is wrong with the options. It fetches
// nothing: the keys come with the first token that needs one, or with
// [Verifier.Run].
func New(o Options) (*Verifier, error) {
	if o.Now == nil {
		return nil, errors.New("identity: Options.Now is nil")
	}
	if len(o.Secrets) == 0 && o.JWKSURL == "" {
		return nil, errors.New("identity: neither a secret nor a JWKS URL")
	}
	v := &Verifier{issuer: o.Issuer, audience: o.Audience, leeway: o.Leeway, now: o.Now}
	if v.leeway == 0 {
		v.leeway = DefaultLeeway
	}
	for i, secret := range o.Secrets {
		if len(secret) < MinSecretLength {
			return nil, fmt.Errorf("identity: secret %d has %d bytes, at least %d are due",
				i+1, len(secret), MinSecretLength)
		}
		v.secrets = append(v.secrets, append([]byte(nil), secret...))
	}
	if o.JWKSURL == "" {
		return v, nil
	}
	u, err := url.Parse(o.JWKSURL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, errors.New("identity: the JWKS URL is not an http or https URL")
	}
	v.keys = newKeyCache(u, o)
	return v, nil
}

// Run keeps the keys of the JWKS URL fresh until ctx is done: so a key that
// was taken out of the set loses its force, and the first token finds the keys
// already there. Without a JWKS URL it only waits. Tokens are verified without
// it as well, by keys that are fetched when a token asks for one.
func (v *Verifier) Run(ctx context.Context) error {
	if v.keys == nil {
		<-ctx.Done()
		return nil
	}
	for {
		wait := refreshEvery
		if err := v.keys.refresh(ctx); err != nil {
			wait = retryEvery
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// KeyState is what the health page says of the JWKS URL.
type KeyState struct {
	Configured bool
	Keys       int           // that verify tokens now
	Fetched    time.Time     // the last good fetch; zero: none
	Took       time.Duration // the last fetch, good or bad
	Err        error         // of the last fetch; nil: it was good
}

// Keys returns the state of the JWKS cache. It fetches nothing.
func (v *Verifier) Keys() KeyState {
	if v.keys == nil {
		return KeyState{}
	}
	set := v.keys.set.Load()
	return KeyState{
		Configured: true, Keys: len(set.keys),
		Fetched: set.fetched, Took: set.took, Err: set.err,
	}
}

// principal is what a verified token says.
func (v *Verifier) principal(c claims) pam.Principal {
	return pam.Principal{User: c.user, Role: c.role, Expires: c.expires.Add(v.leeway)}
}
