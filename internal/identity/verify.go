package identity

import (
	"context"
	"fmt"

	jose "github.com/go-jose/go-jose/v4"

	pam "github.com/pam-assistant/pam"
)

// Verify returns whom token speaks for. A refusal is a [*pam.Error] with one
// of the codes token_missing, token_malformed, token_bad_signature,
// token_wrong_issuer, token_wrong_audience, token_not_yet_valid, token_expired
// and jwks_unavailable; what is wrong is looked for in that order, so that
// only a token with a good signature is told about its claims. It waits for
// the JWKS URL only where the token names a key that is not known, and then no
// longer than five seconds.
func (v *Verifier) Verify(ctx context.Context, token string) (pam.Principal, error) {
	parts, err := parse(token)
	if err != nil {
		return pam.Principal{}, err
	}
	if err := v.verifySignature(ctx, token, parts); err != nil {
		return pam.Principal{}, err
	}
	c, err := parseClaims(parts.payload)
	if err != nil {
		return pam.Principal{}, err
	}
	if err := v.judge(c); err != nil {
		return pam.Principal{}, err
	}
	return v.principal(c), nil
}

// verifySignature lets the algorithm choose the kind of key, and the key
// decide which algorithms it takes: an HS256 token never meets a public key.
func (v *Verifier) verifySignature(ctx context.Context, token string, p parsed) error {
	alg := jose.SignatureAlgorithm(p.alg)
	switch alg {
	case jose.HS256:
		if len(v.secrets) == 0 {
			return badSignature("the token is signed with HS256, and no shared secret is set")
		}
		return v.verifyShared(token)
	case jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
		jose.ES256, jose.ES384, jose.ES512, jose.EdDSA:
		if v.keys == nil {
			return badSignature(fmt.Sprintf("the token is signed with %s, and no JWKS URL is set", alg))
		}
		return v.verifyPublic(ctx, token, p)
	}
	return badSignature(fmt.Sprintf("the algorithm %s is none that a key here is for", quote(p.alg)))
}

func (v *Verifier) verifyShared(token string) error {
	sig, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.HS256})
	if err != nil {
		return malformed("the header is not one of a signed token")
	}
	for _, secret := range v.secrets {
		if _, err := sig.Verify(secret); err == nil {
			return nil
		}
	}
	return badSignature("none of the shared secrets made this signature")
}

// verifyPublic tries the keys that are known, and asks the JWKS URL once where
// none of them is the one the token names: after a rotation it is there.
func (v *Verifier) verifyPublic(ctx context.Context, token string, p parsed) error {
	alg := jose.SignatureAlgorithm(p.alg)
	sig, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{alg})
	if err != nil {
		return malformed("the header is not one of a signed token")
	}
	set := v.keys.set.Load()
	found, ok := set.verify(sig, alg, p.kid)
	if ok {
		return nil
	}
	if found && p.kid != "" {
		return badSignature("the key that the token names did not make this signature")
	}
	refreshErr := v.keys.refresh(ctx)
	set = v.keys.set.Load()
	if found, ok = set.verify(sig, alg, p.kid); ok {
		return nil
	}
	switch {
	case found && p.kid != "":
		return badSignature("the key that the token names did not make this signature")
	case refreshErr != nil:
		return jwksUnavailable(refreshErr)
	case p.kid == "":
		return badSignature(fmt.Sprintf("none of the %d keys of the JWKS URL made this signature", len(set.keys)))
	}
	return badSignature(fmt.Sprintf("the JWKS URL has no %s key named %s", alg, quote(p.kid)))
}
