package identity

import (
	"encoding/json"
	"errors"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	pam "github.com/pam-assistant/pam"
)

// Sign makes a token for user, signed with HS256 by the first shared secret,
// that ends after ttl, in whole seconds; expires is its `exp`, without leeway.
// It is what `pam token` and development mode hand out. It fails where there
// is no shared secret, where user is none a token may name, or where ttl is
// less than a second.
func (v *Verifier) Sign(user pam.UserID, role pam.Role, ttl time.Duration) (token string, expires time.Time, err error) {
	if len(v.secrets) == 0 {
		return "", time.Time{}, &pam.Error{
			Code: pam.CodeInvalid, Op: opSign,
			Message: "No token can be made here: PAM has no shared secret.",
			Hint:    "set PAM_JWT_SECRET, or get the token from the issuer behind PAM_JWKS_URL",
		}
	}
	if err := checkUser(string(user)); err != nil {
		return "", time.Time{}, invalid("user", "1 to 128 characters without control characters", err)
	}
	now := v.now()
	if ttl < time.Second || now.Add(ttl).Unix() > maxDate {
		return "", time.Time{}, invalid("ttl", "at least 1s, and not beyond the year 9999", nil)
	}
	expires = time.Unix(now.Add(ttl).Unix(), 0).UTC()
	payload, err := json.Marshal(v.claimsFor(user, role, now, expires))
	if err != nil {
		return "", time.Time{}, err
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.HS256, Key: v.secrets[0]},
		(&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", time.Time{}, errors.New("identity: the secret does not sign")
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", time.Time{}, errors.New("identity: the secret does not sign")
	}
	token, err = signed.CompactSerialize()
	return token, expires, err
}

// signedClaims are a token's claims in the order in which they are written.
type signedClaims struct {
	Subject  string `json:"sub"`
	Role     string `json:"role,omitempty"`
	Issuer   string `json:"iss,omitempty"`
	Audience string `json:"aud,omitempty"`
	IssuedAt int64  `json:"iat"`
	Expires  int64  `json:"exp"`
}

func (v *Verifier) claimsFor(user pam.UserID, role pam.Role, now, expires time.Time) signedClaims {
	c := signedClaims{
		Subject: string(user), Issuer: v.issuer, Audience: v.audience,
		IssuedAt: now.Unix(), Expires: expires.Unix(),
	}
	if role == pam.RoleOperator {
		c.Role = role.String()
	}
	return c
}

func invalid(field, want string, err error) error {
	return &pam.Error{
		Code: pam.CodeInvalid, Op: opSign, Detail: field,
		Message: field + " is not right: " + want + " is due.", Err: err,
	}
}
