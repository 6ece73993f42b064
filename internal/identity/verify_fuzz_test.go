package identity_test

import (
	"testing"
	"unicode"
	"unicode/utf8"

	pam "github.com/pam-assistant/pam"
)

// FuzzVerify holds every text to the promise: a principal within the
// protocol's bounds, or a refusal with one of the token's codes.
func FuzzVerify(f *testing.F) {
	f.Add(hs256(f, secretA, goodHeader, payload(f)))
	for _, c := range hostileForms(f) {
		f.Add(c.token)
	}
	for _, c := range hostilePayloads(f) {
		f.Add(c.token)
	}
	for _, c := range hostileSignatures(f) {
		f.Add(c.token)
	}
	v := full(f)
	f.Fuzz(func(t *testing.T, s string) {
		p, err := v.Verify(t.Context(), s)
		judge(t, p, err)
	})
}

// FuzzPayload signs whatever it is given, so that the fuzzer gets past the
// signature.
func FuzzPayload(f *testing.F) {
	f.Add(goodHeader, payload(f))
	f.Add(`{"alg":"HS256","crit":["b64"],"b64":false}`, `{"sub":"a","exp":1e300}`)
	f.Add(`{"alg":"HS256","kid":null}`, `{"sub":null,"exp":-0,"aud":[[]]}`)
	f.Add(`{"alg":"HS256","jwk":null,"x5c":[""],"nonce":1}`, `{"sub":"\ud800","exp":1}`)
	v := full(f)
	f.Fuzz(func(t *testing.T, header, payload string) {
		p, err := v.Verify(t.Context(), hs256(t, secretA, header, payload))
		judge(t, p, err)
	})
}

func judge(t *testing.T, p pam.Principal, err error) {
	t.Helper()
	if err != nil {
		switch pam.CodeOf(err) {
		case pam.CodeTokenMissing, pam.CodeTokenMalformed, pam.CodeTokenBadSignature,
			pam.CodeTokenWrongIssuer, pam.CodeTokenWrongAudience,
			pam.CodeTokenNotYetValid, pam.CodeTokenExpired:
		default:
			t.Errorf("refused with %v", err)
		}
		return
	}
	n := utf8.RuneCountInString(string(p.User))
	if n < 1 || n > 128 || !utf8.ValidString(string(p.User)) {
		t.Errorf("user %q", p.User)
	}
	for _, r := range string(p.User) {
		if unicode.IsControl(r) {
			t.Errorf("user %q has a control character", p.User)
		}
	}
	if !p.Expires.After(noon()) || (p.Role != pam.RoleUser && p.Role != pam.RoleOperator) {
		t.Errorf("principal %+v", p)
	}
}
