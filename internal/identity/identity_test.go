package identity_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	pam "github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/identity"
)

const (
	secretA = "canary-secret-A-0123456789abcdefghij"
	secretB = "canary-secret-B-0123456789abcdefghij"
	issuer  = "https://issuer.example"
	aud     = "pam"
)

// noon is the time of every test that does not say otherwise.
func noon() time.Time { return time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC) }

// clock is a clock that tests turn forward.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time          { return noon().Add(time.Duration(c.offset.Load())) }
func (c *clock) advance(d time.Duration) { c.offset.Add(int64(d)) }

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// keys are made once, for making RSA keys is slow.
type testKeys struct {
	rsa, other *rsa.PrivateKey
	p256, p384 *ecdsa.PrivateKey
	ed         ed25519.PrivateKey
}

func keys(t testing.TB) *testKeys {
	t.Helper()
	k, err := makeKeys()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var makeKeys = sync.OnceValues(func() (*testKeys, error) { //nolint:gochecknoglobals // slow to make, never changed.
	var k testKeys
	var errs [5]error
	k.rsa, errs[0] = rsa.GenerateKey(rand.Reader, 2048)
	k.other, errs[1] = rsa.GenerateKey(rand.Reader, 2048)
	k.p256, errs[2] = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	k.p384, errs[3] = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	_, k.ed, errs[4] = ed25519.GenerateKey(rand.Reader)
	return &k, errors.Join(errs[:]...)
})

// claims returns good claims, changed by the pairs that follow; a nil value
// takes a claim out.
func claims(change ...any) map[string]any {
	c := map[string]any{
		"sub": "ada", "iss": issuer, "aud": aud,
		"iat": noon().Unix(), "exp": noon().Add(time.Hour).Unix(),
	}
	for i := 0; i < len(change); i += 2 {
		if change[i+1] == nil {
			delete(c, change[i].(string))
			continue
		}
		c[change[i].(string)] = change[i+1]
	}
	return c
}

func payload(t testing.TB, change ...any) string {
	t.Helper()
	raw, err := json.Marshal(claims(change...))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// token signs with the library: a good header.
func token(t testing.TB, alg jose.SignatureAlgorithm, key any, kid, payload string) string {
	t.Helper()
	options := (&jose.SignerOptions{}).WithType("JWT")
	if kid != "" {
		options = options.WithHeader("kid", kid)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

// hs256 signs by hand, so that header and payload can be anything.
func hs256(t testing.TB, secret, header, payload string) string {
	t.Helper()
	input := b64([]byte(header)) + "." + b64([]byte(payload))
	return input + "." + b64(mac(crypto.SHA256, secret, input))
}

// keyServer is a JWKS URL whose answer the test sets.
type keyServer struct {
	*httptest.Server
	handler atomic.Pointer[http.HandlerFunc]
	hits    atomic.Int64
}

func newKeyServer(t testing.TB) *keyServer {
	t.Helper()
	s := &keyServer{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.hits.Add(1)
		(*s.handler.Load())(w, r)
	}))
	t.Cleanup(s.Close)
	s.serve(`{"keys":[]}`)
	return s
}

func (s *keyServer) serve(body string) {
	s.handle(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) })
}

func (s *keyServer) handle(h http.HandlerFunc) { s.handler.Store(&h) }

// jwk writes a public key as a JWK with the given members added.
func jwk(t testing.TB, key any, kid, alg string) string {
	t.Helper()
	raw, err := (&jose.JSONWebKey{Key: key, KeyID: kid, Algorithm: alg, Use: "sig"}).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func jwks(keys ...string) string {
	s := `{"keys":[`
	for i, k := range keys {
		if i > 0 {
			s += ","
		}
		s += k
	}
	return s + "]}"
}

func verifier(t testing.TB, o identity.Options) *identity.Verifier {
	t.Helper()
	if o.Now == nil {
		o.Now = noon
	}
	v, err := identity.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// wantCode checks that err is a refusal with everything a refusal needs.
func wantCode(t *testing.T, err error, code pam.Code) *pam.Error {
	t.Helper()
	if pam.CodeOf(err) != code {
		t.Fatalf("error is %v, want %v", err, code)
	}
	var e *pam.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v is no *pam.Error", err)
	}
	if e.Message == "" || e.Hint == "" || e.Op == "" {
		t.Errorf("message %q, hint %q or op %q is missing", e.Message, e.Hint, e.Op)
	}
	return e
}
