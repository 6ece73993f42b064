package identity

import (
	"fmt"
	"math"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	pam "github.com/pam-assistant/pam"
)

// MaxUserLength is the greatest length of a token's `sub`, in characters.
const MaxUserLength = 128

// maxDate is the last second of the year 9999: what lies beyond cannot be
// written as RFC 3339 has it, and is as a rule a time in milliseconds.
const maxDate = 253402300799

// claims is what a token says, each claim of the right form.
type claims struct {
	user                         pam.UserID
	role                         pam.Role
	issuer                       string
	audience                     []string
	expires, notBefore, issuedAt time.Time // zero: the claim is not there
}

// parseClaims reads a payload whose signature is good. Names are
// case-sensitive, null is not a value, and a claim of the wrong form is
// refused even where nothing here depends on it: its issuer meant something.
func parseClaims(payload []byte) (claims, error) {
	var raw struct {
		Sub  jsontext.Value `json:"sub"`
		Exp  jsontext.Value `json:"exp"`
		Nbf  jsontext.Value `json:"nbf"`
		Iat  jsontext.Value `json:"iat"`
		Iss  jsontext.Value `json:"iss"`
		Aud  jsontext.Value `json:"aud"`
		Role jsontext.Value `json:"role"`
	}
	if json.Unmarshal(payload, &raw) != nil {
		return claims{}, malformed("the payload is not a JSON object")
	}
	c := claims{role: pam.RoleUser}
	if role, ok := text(raw.Role); ok && role == pam.RoleOperator.String() {
		c.role = pam.RoleOperator
	}
	sub, ok := text(raw.Sub)
	if !ok {
		return claims{}, malformed("sub is missing, or not a string")
	}
	if err := checkUser(sub); err != nil {
		return claims{}, err
	}
	c.user = pam.UserID(sub)
	if raw.Exp == nil {
		return claims{}, malformed("exp is missing: a token must end")
	}
	for _, d := range []struct {
		name string
		raw  jsontext.Value
		to   *time.Time
	}{{"exp", raw.Exp, &c.expires}, {"nbf", raw.Nbf, &c.notBefore}, {"iat", raw.Iat, &c.issuedAt}} {
		if err := parseDate(d.name, d.raw, d.to); err != nil {
			return claims{}, err
		}
	}
	if raw.Iss != nil {
		if c.issuer, ok = text(raw.Iss); !ok {
			return claims{}, malformed("iss is not a string")
		}
	}
	if c.audience, ok = parseAudience(raw.Aud); !ok {
		return claims{}, malformed("aud is neither a string nor an array of strings")
	}
	return c, nil
}

// checkUser holds a user's id to the protocol's bounds.
func checkUser(sub string) error {
	n := utf8.RuneCountInString(sub)
	if n == 0 || n > MaxUserLength {
		return malformed(fmt.Sprintf("sub has %d characters, 1 to %d are taken", n, MaxUserLength))
	}
	if !utf8.ValidString(sub) || slices.ContainsFunc([]rune(sub), unicode.IsControl) {
		return malformed("sub has a control character")
	}
	return nil
}

// parseDate reads a NumericDate (RFC 7519, 2): seconds, fractions allowed.
func parseDate(name string, v jsontext.Value, to *time.Time) error {
	if v == nil {
		return nil
	}
	var seconds float64
	if v.Kind() != '0' || json.Unmarshal(v, &seconds) != nil {
		return malformed(name + " is not a number of seconds")
	}
	if seconds < 0 || seconds > maxDate {
		return malformed(name + " is out of range: it counts seconds since 1970, not milliseconds")
	}
	whole, fraction := math.Modf(seconds)
	*to = time.Unix(int64(whole), int64(fraction*1e9)).UTC()
	return nil
}

func parseAudience(v jsontext.Value) ([]string, bool) {
	if v == nil {
		return nil, true
	}
	if one, ok := text(v); ok {
		return []string{one}, true
	}
	var raw []jsontext.Value
	if v.Kind() != '[' || json.Unmarshal(v, &raw) != nil {
		return nil, false
	}
	all := make([]string, len(raw))
	for i, r := range raw {
		s, ok := text(r)
		if !ok {
			return nil, false
		}
		all[i] = s
	}
	return all, true
}

// judge compares well-formed claims with what is expected of them.
func (v *Verifier) judge(c claims) error {
	if v.issuer != "" && c.issuer != v.issuer {
		return wrongIssuer(c.issuer, v.issuer)
	}
	if v.audience != "" && !slices.Contains(c.audience, v.audience) {
		return wrongAudience(c.audience, v.audience)
	}
	now := v.now()
	if now.Add(v.leeway).Before(c.notBefore) {
		return notYetValid("nbf", c.notBefore, now)
	}
	if now.Add(v.leeway).Before(c.issuedAt) {
		return notYetValid("iat", c.issuedAt, now)
	}
	if !now.Before(c.expires.Add(v.leeway)) {
		return expired(c.expires, now)
	}
	return nil
}
