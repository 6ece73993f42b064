package identity

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	pam "github.com/pam-assistant/pam"
)

// errNotObject is the only thing that is said of bad JSON: the parser's own
// words would quote it.
var errNotObject = errors.New("identity: not a JSON object")

// opVerify and its like name the operation in the log.
const (
	opVerify = "identity.verify"
	opTicket = "identity.ticket"
	opOrigin = "identity.origin"
	opSecret = "identity.secret"
	opSign   = "identity.sign"
)

// newToken is what most refusals come down to for the person who can mend it.
const newToken = "get a new token: pam token --user NAME --ttl 1h"

func missing() error {
	return &pam.Error{
		Code: pam.CodeTokenMissing, Op: opVerify,
		Message: "You are not signed in.",
		Hint:    "send a token: the header 'Authorization: Bearer TOKEN', or the first frame auth; pam token makes one",
	}
}

func malformed(detail string) error {
	return &pam.Error{
		Code: pam.CodeTokenMalformed, Op: opVerify, Detail: detail,
		Message: "Your sign-in cannot be read.",
		Hint:    "a token is a signed JWT with sub and exp; " + newToken,
	}
}

func badSignature(detail string) error {
	return &pam.Error{
		Code: pam.CodeTokenBadSignature, Op: opVerify, Detail: detail,
		Message: "Your sign-in is not one that this server trusts.",
		Hint:    "the issuer of tokens and PAM must share PAM_JWT_SECRET, or PAM_JWKS_URL must hold the issuer's key",
	}
}

func wrongIssuer(got, want string) error {
	return &pam.Error{
		Code: pam.CodeTokenWrongIssuer, Op: opVerify,
		Detail:  "issuer is " + quoteOr(got, "missing") + ", expected " + quote(want),
		Message: "Your sign-in comes from somewhere this server does not trust.",
		Hint:    "let the token's iss be what PAM_JWT_ISSUER says, or set PAM_JWT_ISSUER to the issuer",
	}
}

func wrongAudience(got []string, want string) error {
	list := "missing"
	if len(got) > 0 {
		quoted := make([]string, 0, 4)
		for i, s := range got {
			if i == 3 {
				quoted = append(quoted, fmt.Sprintf("%d more", len(got)-i))
				break
			}
			quoted = append(quoted, quote(s))
		}
		list = strings.Join(quoted, ", ")
	}
	return &pam.Error{
		Code: pam.CodeTokenWrongAudience, Op: opVerify,
		Detail:  "audience is " + list + ", expected " + quote(want),
		Message: "Your sign-in is meant for another service.",
		Hint:    "let the token's aud hold what PAM_JWT_AUDIENCE says, or set PAM_JWT_AUDIENCE to the audience",
	}
}

func notYetValid(claim string, at, now time.Time) error {
	return &pam.Error{
		Code: pam.CodeTokenNotYetValid, Op: opVerify,
		Detail:  fmt.Sprintf("%s is %s ahead, at %s; the clock here says %s", claim, span(at.Sub(now)), stamp(at), stamp(now)),
		Message: "Your sign-in is not valid yet.",
		Hint:    "set the clocks of the issuer and of this machine (timedatectl); 30 s of difference are allowed",
	}
}

func expired(at, now time.Time) error {
	return &pam.Error{
		Code: pam.CodeTokenExpired, Op: opVerify,
		Detail:  fmt.Sprintf("expired %s ago, at %s; the clock here says %s", span(now.Sub(at)), stamp(at), stamp(now)),
		Message: "Your sign-in has expired.",
		Hint:    newToken,
	}
}

func jwksUnavailable(err error) error {
	return &pam.Error{
		Code: pam.CodeJWKSUnavailable, Op: opVerify, RetryAfter: refreshFloor,
		Message: "Your sign-in cannot be checked at the moment. This is our fault, not yours.",
		Hint:    "see whether this machine reaches PAM_JWKS_URL: curl -sS \"$PAM_JWKS_URL\"",
		Err:     err,
	}
}

// quote makes a stranger's text safe to show: escaped, and cut.
func quote(s string) string {
	const most = 64
	if len(s) > most {
		return strconv.QuoteToASCII(strings.ToValidUTF8(s[:most], "")) + "…"
	}
	return strconv.QuoteToASCII(s)
}

func quoteOr(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return quote(s)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// span is a duration as a person says it.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	h, m, s := d/time.Hour, d%time.Hour/time.Minute, d%time.Minute/time.Second
	switch {
	case d >= 2*day:
		return fmt.Sprintf("%dd", d/day)
	case h > 0 && m > 0:
		return fmt.Sprintf("%dh%dm", h, m)
	case h > 0:
		return fmt.Sprintf("%dh", h)
	case m > 0 && s > 0:
		return fmt.Sprintf("%dm%ds", m, s)
	case m > 0:
		return fmt.Sprintf("%dm", m)
	}
	return fmt.Sprintf("%ds", s)
}
