package identity_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	pam "github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/identity"
)

const goodHeader = `{"alg":"HS256","typ":"JWT"}`

func mac(hash crypto.Hash, secret, input string) []byte {
	h := hmac.New(hash.New, []byte(secret))
	h.Write([]byte(input))
	return h.Sum(nil)
}

// full is a verifier with everything: two secrets, keys, issuer, audience.
func full(t testing.TB) *identity.Verifier {
	t.Helper()
	k, s := keys(t), newKeyServer(t)
	s.serve(jwks(
		jwk(t, k.rsa.Public(), "rsa", ""), jwk(t, k.other.Public(), "pss", "PS256"),
		jwk(t, k.p256.Public(), "p256", "ES256"), jwk(t, k.p384.Public(), "p384", ""),
		jwk(t, k.ed.Public(), "ed", "EdDSA")))
	return verifier(t, identity.Options{
		Secrets: [][]byte{[]byte(secretA), []byte(secretB)},
		JWKSURL: s.URL, Issuer: issuer, Audience: aud,
	})
}

func TestGoodTokens(t *testing.T) {
	t.Parallel()
	v, k := full(t), keys(t)
	end := noon().Add(time.Hour + 30*time.Second)
	ada := pam.Principal{User: "ada", Role: pam.RoleUser, Expires: end}
	sign := func(change ...any) string { return hs256(t, secretA, goodHeader, payload(t, change...)) }
	for name, c := range map[string]struct {
		token string
		want  pam.Principal
	}{
		"first secret":       {sign(), ada},
		"second secret":      {hs256(t, secretB, goodHeader, payload(t)), ada},
		"no typ":             {hs256(t, secretA, `{"alg":"HS256"}`, payload(t)), ada},
		"unknown header":     {hs256(t, secretA, `{"alg":"HS256","x":{"y":[1]},"kid":"k"}`, payload(t)), ada},
		"RS256":              {token(t, jose.RS256, k.rsa, "rsa", payload(t)), ada},
		"RS512":              {token(t, jose.RS512, k.rsa, "rsa", payload(t)), ada},
		"RS256 without kid":  {token(t, jose.RS256, k.rsa, "", payload(t)), ada},
		"PS256 declared":     {token(t, jose.PS256, k.other, "pss", payload(t)), ada},
		"ES256":              {token(t, jose.ES256, k.p256, "p256", payload(t)), ada},
		"ES384":              {token(t, jose.ES384, k.p384, "p384", payload(t)), ada},
		"EdDSA":              {token(t, jose.EdDSA, k.ed, "ed", payload(t)), ada},
		"operator":           {sign("role", "operator"), pam.Principal{User: "ada", Role: pam.RoleOperator, Expires: end}},
		"another role":       {sign("role", "Operator"), ada},
		"a list of roles":    {sign("role", []string{"operator"}), ada},
		"audience in a list": {sign("aud", []string{"x", aud}), ada},
		"just in time":       {sign("exp", noon().Add(-29*time.Second).Unix()), pam.Principal{User: "ada", Role: pam.RoleUser, Expires: noon().Add(time.Second)}},
		"nbf within leeway":  {sign("nbf", noon().Add(30*time.Second).Unix()), ada},
		"iat within leeway":  {sign("iat", noon().Add(30*time.Second).Unix()), ada},
		"no iat":             {sign("iat", nil), ada},
		"128 characters":     {sign("sub", strings.Repeat("é", 128)), pam.Principal{User: pam.UserID(strings.Repeat("é", 128)), Role: pam.RoleUser, Expires: end}},
		"a fraction":         {sign("exp", float64(noon().Unix())+0.5), pam.Principal{User: "ada", Role: pam.RoleUser, Expires: noon().Add(30*time.Second + time.Second/2)}},
		"SUB beside sub":     {sign("SUB", "eve", "Sub", 5), ada},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := v.Verify(t.Context(), c.token)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// hostile is a token and the only code it may be refused with.
type hostile struct {
	name, token string
	code        pam.Code
}

func hostileForms(t testing.TB) []hostile {
	t.Helper()
	good := hs256(t, secretA, goodHeader, payload(t))
	parts := strings.Split(good, ".")
	// The last character of a 32-byte signature has two bits to spare.
	loose := good[:len(good)-1] + string(spare(good[len(good)-1]))
	h := func(header string) string { return hs256(t, secretA, header, payload(t)) }
	m := pam.CodeTokenMalformed
	return []hostile{
		{"empty", "", pam.CodeTokenMissing},
		{"a word", "hello", m},
		{"two parts", parts[0] + "." + parts[1], m},
		{"four parts", good + ".", m},
		{"encrypted", "a.b.c.d.e", m},
		{"only dots", "..", m},
		{"empty payload", parts[0] + ".." + parts[2], m},
		{"empty header", "." + parts[1] + "." + parts[2], m},
		{"space before", " " + good, m},
		{"line break behind", good + "\n", m},
		{"line break inside", parts[0] + ".\r\n" + parts[1] + "." + parts[2], m},
		{"padding", parts[0] + "=." + parts[1] + "." + parts[2], m},
		{"standard base64", parts[0] + "+/." + parts[1] + "." + parts[2], m},
		{"loose bits", loose, m},
		{"impossible length", parts[0] + "." + parts[1] + ".A", m},
		{"NUL", good[:10] + "\x00" + good[11:], m},
		{"not ASCII", good[:10] + "é" + good[11:], m},
		{"JSON serialization", `{"payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`, m},
		{"over 8 KiB", hs256(t, secretA, goodHeader, payload(t, "x", strings.Repeat("x", 8<<10))), m},
		{"header null", h(`null`), m},
		{"header an array", h(`[]`), m},
		{"header not JSON", h(`{`), m},
		{"header with more behind", h(goodHeader + `{}`), m},
		{"header not UTF-8", h("{\"alg\":\"HS256\",\"x\":\"\xff\"}"), m},
		{"header twice alg", h(`{"alg":"none","alg":"HS256"}`), m},
		{"header twice, escaped", h(`{"alg":"HS256","\u0061lg":"none"}`), m},
		{"no alg", h(`{"typ":"JWT"}`), m},
		{"alg null", h(`{"alg":null}`), m},
		{"alg a number", h(`{"alg":256}`), m},
		{"ALG", h(`{"ALG":"HS256"}`), m},
		{"kid a number", h(`{"alg":"HS256","kid":5}`), m},
		{"kid null", h(`{"alg":"HS256","kid":null}`), m},
		{"crit", h(`{"alg":"HS256","crit":["exp"],"exp":1}`), m},
		{"crit empty", h(`{"alg":"HS256","crit":[]}`), m},
		{"crit null", h(`{"alg":"HS256","crit":null}`), m},
		{"crit with b64", h(`{"alg":"HS256","crit":["b64"],"b64":true}`), m},
		{"b64 false", h(`{"alg":"HS256","b64":false}`), m},
	}
}

// spare returns the base64url character after c: the same but for loose bits.
func spare(c byte) byte {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return alphabet[strings.IndexByte(alphabet, c)|1]
}

func hostilePayloads(t testing.TB) []hostile {
	t.Helper()
	raw := func(payload string) string { return hs256(t, secretA, goodHeader, payload) }
	p := func(change ...any) string { return raw(payload(t, change...)) }
	good := payload(t)
	m := pam.CodeTokenMalformed
	at := func(d time.Duration) int64 { return noon().Add(d).Unix() }
	return []hostile{
		{"payload null", raw(`null`), m},
		{"payload a string", raw(`"sub"`), m},
		{"payload not JSON", raw(`sub=ada`), m},
		{"payload cut", raw(good[:len(good)-1]), m},
		{"payload with more behind", raw(good + `x`), m},
		{"payload not UTF-8", raw(strings.Replace(good, "ada", "a\xffa", 1)), m},
		{"payload lone surrogate", raw(strings.Replace(good, "ada", `a\ud800a`, 1)), m},
		{"payload with a BOM", raw("\ufeff" + good), m},
		{"payload cut, and forged", hs256(t, secretB+"x", goodHeader, good[:len(good)-1]), m},
		{"sub twice", raw(strings.Replace(good, `{`, `{"sub":"eve",`, 1)), m},
		{"twice in the depth", raw(strings.Replace(good, `{`, `{"x":{"a":1,"a":2},`, 1)), m},
		{"no sub", p("sub", nil), m},
		{"sub null", raw(strings.Replace(good, `"ada"`, `null`, 1)), m},
		{"sub empty", p("sub", ""), m},
		{"sub a number", p("sub", 7), m},
		{"only SUB", p("sub", nil, "SUB", "ada"), m},
		{"sub of 129", p("sub", strings.Repeat("é", 129)), m},
		{"sub with a line break", p("sub", "ada\nadmin"), m},
		{"sub with NUL", p("sub", "ada\x00"), m},
		{"sub with a C1 control", p("sub", "ada\u0085"), m},
		{"no exp", p("exp", nil), m},
		{"exp null", raw(strings.Replace(good, fmt.Sprint(at(time.Hour)), `null`, 1)), m},
		{"exp a string", p("exp", fmt.Sprint(at(time.Hour))), m},
		{"exp in milliseconds", p("exp", at(time.Hour)*1000), m},
		{"exp 1e300", p("exp", 1e300), m},
		{"exp beyond float64", raw(strings.Replace(good, fmt.Sprint(at(time.Hour)), `1e999`, 1)), m},
		{"exp negative", p("exp", -1), m},
		{"nbf 1e300", p("nbf", 1e300), m},
		{"nbf a string", p("nbf", "now"), m},
		{"iat an object", p("iat", map[string]any{}), m},
		{"iss a number", p("iss", 5), m},
		{"aud a number", p("aud", 5), m},
		{"aud null", raw(strings.Replace(good, `"pam"`, `null`, 1)), m},
		{"aud with a number", p("aud", []any{aud, 5}), m},
		{"exp is over", p("exp", at(-time.Hour)), pam.CodeTokenExpired},
		{"exp at the end of leeway", p("exp", at(-30*time.Second)), pam.CodeTokenExpired},
		{"exp 0", p("exp", 0), pam.CodeTokenExpired},
		{"nbf ahead", p("nbf", at(31*time.Second)), pam.CodeTokenNotYetValid},
		{"iat ahead", p("iat", at(time.Hour)), pam.CodeTokenNotYetValid},
		{"no iss", p("iss", nil), pam.CodeTokenWrongIssuer},
		{"another iss", p("iss", issuer+"/"), pam.CodeTokenWrongIssuer},
		{"no aud", p("aud", nil), pam.CodeTokenWrongAudience},
		{"another aud", p("aud", "PAM"), pam.CodeTokenWrongAudience},
		{"aud without ours", p("aud", []string{"a", "b", "c", "d", "e"}), pam.CodeTokenWrongAudience},
		{"aud an empty list", p("aud", []string{}), pam.CodeTokenWrongAudience},
	}
}

func hostileSignatures(t testing.TB) []hostile {
	t.Helper()
	k := keys(t)
	good := hs256(t, secretA, goodHeader, payload(t))
	parts := strings.Split(good, ".")
	header := func(h string) string { return b64([]byte(h)) + "." + parts[1] + "." + parts[2] }
	signed := func(hash crypto.Hash, secret, h string) string {
		input := b64([]byte(h)) + "." + parts[1]
		return input + "." + b64(mac(hash, secret, input))
	}
	der, err := x509.MarshalPKIXPublicKey(k.rsa.Public())
	if err != nil {
		t.Fatal(err)
	}
	asPEM := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	pkcs1 := string(x509.MarshalPKCS1PublicKey(&k.rsa.PublicKey))
	embedded := `{"alg":"RS256","jwk":` + jwk(t, k.other.Public(), "", "") + `}`
	b := pam.CodeTokenBadSignature
	return []hostile{
		{"alg none", b64([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".", b},
		{"alg None with a signature", header(`{"alg":"None"}`), b},
		{"alg empty", header(`{"alg":""}`), b},
		{"alg hs256", signed(crypto.SHA256, secretA, `{"alg":"hs256"}`), b},
		{"alg HS512", signed(crypto.SHA512, secretA, `{"alg":"HS512"}`), b},
		{"alg unheard of", header(`{"alg":"` + strings.Repeat("A", 500) + `"}`), b},
		{"another secret", hs256(t, "another-secret-0123456789-0123456789", goodHeader, payload(t)), b},
		{"an empty secret", hs256(t, "", goodHeader, payload(t)), b},
		{"no signature", parts[0] + "." + parts[1] + ".", b},
		{"half a signature", parts[0] + "." + parts[1] + "." + b64(mac(crypto.SHA256, secretA, parts[0]+"."+parts[1])[:16]), b},
		{"another payload", parts[0] + "." + b64([]byte(payload(t, "sub", "eve"))) + "." + parts[2], b},
		{"another header", header(`{"alg":"HS256"}`), b},
		{"public key as secret, PEM", signed(crypto.SHA256, asPEM, `{"alg":"HS256","kid":"rsa"}`), b},
		{"public key as secret, DER", signed(crypto.SHA256, string(der), `{"alg":"HS256","kid":"rsa"}`), b},
		{"public key as secret, PKCS 1", signed(crypto.SHA256, pkcs1, `{"alg":"HS256","kid":"rsa"}`), b},
		{"public key as secret, JWK", signed(crypto.SHA256, jwk(t, k.rsa.Public(), "rsa", ""), `{"alg":"HS256"}`), b},
		{"HMAC called RS256", signed(crypto.SHA256, secretA, `{"alg":"RS256","kid":"rsa"}`), b},
		{"RSA called ES256", signRSA(t, k.rsa, `{"alg":"ES256","kid":"rsa"}`, payload(t)), b},
		{"PSS by a key without alg", token(t, jose.PS256, k.rsa, "rsa", payload(t)), b},
		{"RS256 by a PSS key", token(t, jose.RS256, k.other, "pss", payload(t)), b},
		{"a key's name with another key", token(t, jose.RS256, k.other, "rsa", payload(t)), b},
		{"a name that is not there", token(t, jose.RS256, k.other, "eve", payload(t)), b},
		{"no name, a key that is not there", token(t, jose.RS256, k.other, "", payload(t)), b},
		{"a key in the header", signRSA(t, k.other, embedded, payload(t)), b},
		{"a key's URL in the header", signRSA(t, k.other, `{"alg":"RS256","jku":"http://127.0.0.1:1/"}`, payload(t)), b},
		{"EdDSA of zeros", b64([]byte(`{"alg":"EdDSA","kid":"ed"}`)) + "." + parts[1] + "." + b64(make([]byte, 64)), b},
		{"ES256 of zeros", b64([]byte(`{"alg":"ES256","kid":"p256"}`)) + "." + parts[1] + "." + b64(make([]byte, 64)), b},
		{"expired and forged", hs256(t, "another-secret-0123456789-0123456789", goodHeader, payload(t, "exp", 1)), b},
	}
}

// signRSA signs with RS256, whatever the header says.
func signRSA(t testing.TB, key *rsa.PrivateKey, header, payload string) string {
	t.Helper()
	input := b64([]byte(header)) + "." + b64([]byte(payload))
	h := crypto.SHA256.New()
	h.Write([]byte(input))
	sig, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, h.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b64(sig)
}

func TestHostileTokens(t *testing.T) {
	t.Parallel()
	v := full(t)
	all := append(append(hostileForms(t), hostilePayloads(t)...), hostileSignatures(t)...)
	if len(all) < 40 {
		t.Fatalf("%d hostile tokens", len(all))
	}
	for _, c := range all {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := v.Verify(t.Context(), c.token)
			e := wantCode(t, err, c.code)
			if got != (pam.Principal{}) {
				t.Errorf("refused, and yet %v", got)
			}
			said := e.Error() + e.Hint + fmt.Sprintf("%+v %#v", e, e)
			for i, part := range strings.Split(c.token, ".") {
				if len(part) > 10 && strings.Contains(said, part) {
					t.Errorf("part %d of the token is in the refusal: %s", i+1, said)
				}
			}
			if strings.Contains(said, "canary") {
				t.Errorf("a secret is in the refusal: %s", said)
			}
			if len(said) > 2000 {
				t.Errorf("the refusal has %d bytes", len(said))
			}
		})
	}
}

func TestRefusalsExplain(t *testing.T) {
	t.Parallel()
	v := full(t)
	for name, c := range map[string]struct {
		change []any
		want   string
	}{
		"expired":  {[]any{"exp", noon().Add(-3*time.Hour - 5*time.Second).Unix()}, "expired 3h ago, at 2026-05-04T08:59:55Z; the clock here says 2026-05-04T12:00:00Z"},
		"minutes":  {[]any{"exp", noon().Add(-90 * time.Second).Unix()}, "expired 1m30s ago, at 2026-05-04T11:58:30Z; the clock here says 2026-05-04T12:00:00Z"},
		"days":     {[]any{"exp", noon().Add(-72 * time.Hour).Unix()}, "expired 3d ago, at 2026-05-01T12:00:00Z; the clock here says 2026-05-04T12:00:00Z"},
		"ahead":    {[]any{"nbf", noon().Add(2 * time.Minute).Unix()}, "nbf is 2m ahead, at 2026-05-04T12:02:00Z; the clock here says 2026-05-04T12:00:00Z"},
		"audience": {[]any{"aud", "x"}, `audience is "x", expected "pam"`},
		"none":     {[]any{"aud", nil}, `audience is missing, expected "pam"`},
		"many":     {[]any{"aud", []string{"a", "b", "c", "d", "e"}}, `audience is "a", "b", "c", 2 more, expected "pam"`},
		"issuer":   {[]any{"iss", "http://x\x1b[2J"}, `issuer is "http://x\x1b[2J", expected "https://issuer.example"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := v.Verify(t.Context(), hs256(t, secretA, goodHeader, payload(t, c.change...)))
			var e *pam.Error
			if !errors.As(err, &e) || e.Detail != c.want {
				t.Errorf("detail\n got %s\nwant %s", e.Detail, c.want)
			}
		})
	}
}

func TestWhatIsNotConfigured(t *testing.T) {
	t.Parallel()
	k, s := keys(t), newKeyServer(t)
	s.serve(jwks(jwk(t, k.rsa.Public(), "rsa", "")))
	shared := verifier(t, identity.Options{Secrets: [][]byte{[]byte(secretA)}})
	public := verifier(t, identity.Options{JWKSURL: s.URL})
	_, err := shared.Verify(t.Context(), token(t, jose.RS256, k.rsa, "rsa", payload(t)))
	wantCode(t, err, pam.CodeTokenBadSignature)
	_, err = public.Verify(t.Context(), hs256(t, secretA, goodHeader, payload(t)))
	wantCode(t, err, pam.CodeTokenBadSignature)
	// Without an issuer and an audience of its own, PAM takes any.
	if _, err = shared.Verify(t.Context(), hs256(t, secretA, goodHeader, payload(t, "iss", "x", "aud", "y"))); err != nil {
		t.Error(err)
	}
	for name, o := range map[string]identity.Options{
		"nothing":        {Now: noon},
		"no clock":       {Secrets: [][]byte{[]byte(secretA)}},
		"a short secret": {Now: noon, Secrets: [][]byte{[]byte(secretA), []byte("canary")}},
		"not a URL":      {Now: noon, JWKSURL: "::canary"},
		"a file":         {Now: noon, JWKSURL: "file:///canary"},
	} {
		if _, err := identity.New(o); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSign(t *testing.T) {
	t.Parallel()
	v := full(t)
	signed, expires, err := v.Sign("ada", pam.RoleOperator, 90*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	got, err := v.Verify(t.Context(), signed)
	if err != nil {
		t.Fatal(err)
	}
	want := pam.Principal{User: "ada", Role: pam.RoleOperator, Expires: noon().Add(90*time.Minute + identity.DefaultLeeway)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !expires.Equal(noon().Add(90 * time.Minute)) {
		t.Errorf("expires is %v", expires)
	}
	signed, _, err = v.Sign("ada", pam.RoleUser, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := v.Verify(t.Context(), signed); got.Role != pam.RoleUser {
		t.Errorf("role is %v", got.Role)
	}
	for name, try := range map[string]func() error{
		"no user":     func() error { _, _, err := v.Sign("", pam.RoleUser, time.Hour); return err },
		"control":     func() error { _, _, err := v.Sign("a\n", pam.RoleUser, time.Hour); return err },
		"no time":     func() error { _, _, err := v.Sign("ada", pam.RoleUser, 0); return err },
		"the past":    func() error { _, _, err := v.Sign("ada", pam.RoleUser, -time.Hour); return err },
		"not UTF-8":   func() error { _, _, err := v.Sign("a\xff", pam.RoleUser, time.Hour); return err },
		"no secret":   func() error { _, _, err := publicOnly(t).Sign("ada", pam.RoleUser, time.Hour); return err },
		"the far end": func() error { _, _, err := at(t, maxTime()).Sign("ada", pam.RoleUser, time.Hour); return err },
	} {
		if err := try(); pam.CodeOf(err) != pam.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func publicOnly(t testing.TB) *identity.Verifier {
	t.Helper()
	return verifier(t, identity.Options{JWKSURL: "http://127.0.0.1:1/"})
}

func maxTime() time.Time { return time.Date(9999, 12, 31, 23, 30, 0, 0, time.UTC) }

func at(t testing.TB, now time.Time) *identity.Verifier {
	t.Helper()
	return verifier(t, identity.Options{
		Secrets: [][]byte{[]byte(secretA)}, Now: func() time.Time { return now },
	})
}
