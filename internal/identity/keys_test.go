package identity_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	pam "github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/identity"
)

// remote is a verifier that has a JWKS URL alone, with its clock and its log.
type remote struct {
	*identity.Verifier
	server *keyServer
	clock  *clock
	log    *bytes.Buffer
}

func newRemote(t testing.TB) *remote {
	t.Helper()
	r := &remote{server: newKeyServer(t), clock: &clock{}, log: &bytes.Buffer{}}
	r.Verifier = verifier(t, identity.Options{
		JWKSURL: r.server.URL + "/canary-path", Now: r.clock.now,
		Logger: slog.New(slog.NewTextHandler(r.log, nil)),
	})
	return r
}

// check verifies a token of key under kid and wants code, 0 for a good one.
func (r *remote) check(t *testing.T, alg jose.SignatureAlgorithm, key any, kid string, code pam.Code) {
	t.Helper()
	_, err := r.Verify(t.Context(), token(t, alg, key, kid, payload(t)))
	if pam.CodeOf(err) != code {
		t.Errorf("kid %q: %v, want %v", kid, err, code)
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	r, k := newRemote(t), keys(t)
	r.server.serve(jwks(jwk(t, k.rsa.Public(), "one", "")))
	r.check(t, jose.RS256, k.rsa, "one", 0)
	r.check(t, jose.RS256, k.rsa, "one", 0)
	if n := r.server.hits.Load(); n != 1 {
		t.Errorf("%d fetches for two tokens of one key", n)
	}
	// The issuer changes its key: within the floor its name is not known, at
	// the end of it one fetch brings it.
	r.server.serve(jwks(jwk(t, k.other.Public(), "two", "")))
	for range 5 {
		r.check(t, jose.RS256, k.other, "two", pam.CodeTokenBadSignature)
	}
	if n := r.server.hits.Load(); n != 1 {
		t.Errorf("%d fetches within the floor", n)
	}
	r.clock.advance(10 * time.Second)
	r.check(t, jose.RS256, k.other, "two", 0)
	r.check(t, jose.RS256, k.rsa, "one", pam.CodeTokenBadSignature)
	if n := r.server.hits.Load(); n != 2 {
		t.Errorf("%d fetches after one rotation", n)
	}
	// A forged token with the name of a known key costs no fetch.
	r.clock.advance(10 * time.Second)
	r.check(t, jose.RS256, k.rsa, "two", pam.CodeTokenBadSignature)
	if n := r.server.hits.Load(); n != 2 {
		t.Errorf("%d fetches after a forgery", n)
	}
	// Without a name of its key a token waits for a rotation just as well.
	r.server.serve(jwks(jwk(t, k.p256.Public(), "", "")))
	r.clock.advance(10 * time.Second)
	r.check(t, jose.ES256, k.p256, "", 0)
}

// TestKeysSurvive: what a JWKS URL answers wrongly takes no known key away,
// and is told apart from a token that is wrong.
func TestKeysSurvive(t *testing.T) {
	t.Parallel()
	k := keys(t)
	good := jwk(t, k.rsa.Public(), "one", "")
	small := `{"kty":"RSA","kid":"one","n":"AQ","e":"AQAB"}`
	plain := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
	}
	for name, h := range map[string]http.HandlerFunc{
		"empty object":    plain(`{}`),
		"no keys":         plain(`{"keys":[]}`),
		"keys null":       plain(`{"keys":null}`),
		"null":            plain(`null`),
		"nothing":         plain(``),
		"HTML":            plain(`<html><body>sign in</body></html>`),
		"garbage":         plain("\x00\xff\xfe{}"),
		"cut":             plain(`{"keys":[{"kty":"RSA","kid":"one"`),
		"keys an object":  plain(`{"keys":{}}`),
		"keys of numbers": plain(`{"keys":[1,null,"x",[]]}`),
		"secrets alone":   plain(`{"keys":[{"kty":"oct","kid":"one","k":"` + b64([]byte(secretA)) + `"}]}`),
		"a small key":     plain(`{"keys":[` + small + `]}`),
		"unknown keys":    plain(`{"keys":[{"kty":"AKP","alg":"X"},{"kty":"OKP","crv":"X25519","x":"AA"}]}`),
		"too many":        plain(jwks(slices.Repeat([]string{good}, 101)...)),
		"huge":            plain(jwks(good) + strings.Repeat(" ", 1<<20)),
		"endless":         endless,
		"status 500": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write([]byte(jwks(good)))
		},
		"status 404":       http.NotFound,
		"no answer":        func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"redirect to self": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) },
		"redirect to file": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRemote(t)
			r.server.handle(h)
			r.check(t, jose.RS256, k.rsa, "one", pam.CodeJWKSUnavailable)
			r.clock.advance(10 * time.Second)
			r.server.serve(jwks(jwk(t, k.rsa.Public(), "one", "")))
			r.check(t, jose.RS256, k.rsa, "one", 0)
			r.clock.advance(10 * time.Second)
			r.server.handle(h)
			r.check(t, jose.RS256, k.other, "two", pam.CodeJWKSUnavailable) // a fetch that fails
			r.check(t, jose.RS256, k.rsa, "one", 0)                         // and yet
			r.check(t, jose.RS256, k.other, "one", pam.CodeTokenBadSignature)
			state := r.Keys()
			if !state.Configured || state.Keys != 1 || state.Err == nil || !state.Fetched.Equal(noon().Add(10*time.Second)) {
				t.Errorf("state is %+v", state)
			}
			if log := r.log.String(); strings.Count(log, "could not be fetched") != 2 ||
				strings.Count(log, "answers again") != 1 || strings.Contains(log, "canary") {
				t.Errorf("log is %s", log)
			}
		})
	}
}

func endless(w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		if _, err := w.Write(bytes.Repeat([]byte(" "), 1<<16)); err != nil {
			return
		}
	}
}

func TestRefusedFetchSaysSo(t *testing.T) {
	t.Parallel()
	r, k := newRemote(t), keys(t)
	r.server.Close()
	_, err := r.Verify(t.Context(), token(t, jose.RS256, k.rsa, "one", payload(t)))
	e := wantCode(t, err, pam.CodeJWKSUnavailable)
	if e.RetryAfter <= 0 || e.Err == nil || strings.Contains(e.Error(), "canary") {
		t.Errorf("refused with %+v", e)
	}
}

// TestSlow: known keys do not wait for a fetch that hangs, those who ask for
// an unknown one share it, and the time it takes is bounded.
func TestSlow(t *testing.T) {
	t.Parallel()
	r, k := newRemote(t), keys(t)
	r.server.serve(jwks(jwk(t, k.rsa.Public(), "one", "")))
	r.check(t, jose.RS256, k.rsa, "one", 0)
	r.clock.advance(time.Minute)
	asked := make(chan struct{}, 10)
	r.server.handle(func(_ http.ResponseWriter, req *http.Request) {
		asked <- struct{}{}
		<-req.Context().Done()
	})
	start := time.Now()
	unknown := token(t, jose.RS256, k.other, "two", payload(t))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := r.Verify(t.Context(), unknown); pam.CodeOf(err) != pam.CodeJWKSUnavailable {
				t.Errorf("slow: %v", err)
			}
		})
	}
	<-asked
	r.check(t, jose.RS256, k.rsa, "one", 0)
	if d := time.Since(start); d > 4*time.Second {
		t.Errorf("a known key waited %v", d)
	}
	wg.Wait()
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("the fetch took %v", d)
	}
	if n := r.server.hits.Load(); n != 2 {
		t.Errorf("%d fetches, want 2", n)
	}
}

func TestCallerThatLeavesDoesNotSpoilTheFetch(t *testing.T) {
	t.Parallel()
	r, k := newRemote(t), keys(t)
	r.server.serve(jwks(jwk(t, k.rsa.Public(), "one", "")))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Verify(ctx, token(t, jose.RS256, k.rsa, "one", payload(t))); err != nil {
		t.Error(err)
	}
}

// TestMixedSet: one set with everything that is wrong, and good keys beside.
func TestMixedSet(t *testing.T) {
	t.Parallel()
	r, k := newRemote(t), keys(t)
	private, err := (&jose.JSONWebKey{Key: k.p384, KeyID: "private"}).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	certified := with(t, jwk(t, k.rsa.Public(), "good", ""), "x5c", []string{"bm90IGEgY2VydA=="}, "x5t", "AA", "unknown", map[string]any{"a": 1})
	r.server.serve(jwks(
		`{"kty":"AKP","alg":"ML-DSA-99","pub":"AA","kid":"new"}`, `{"kty":"RSA","kid":"half"}`, `{}`, `null`, `7`,
		`{"kty":"oct","kid":"shared","k":"`+b64([]byte(secretA))+`"}`,
		`{"kty":"EC","crv":"P-256","x":"AA","y":"AA","kid":"off"}`,
		`{"kty":"EC","kty":"RSA","kid":"twice"}`,
		string(private),
		with(t, jwk(t, k.other.Public(), "enc", ""), "use", "enc"),
		with(t, jwk(t, k.other.Public(), "ops", ""), "key_ops", []string{"sign"}),
		with(t, jwk(t, k.other.Public(), "wrong alg", ""), "alg", "ES256"),
		with(t, jwk(t, k.other.Public(), "hmac", ""), "alg", "HS256"),
		certified,
		with(t, jwk(t, k.p256.Public(), "ec", ""), "key_ops", []string{"verify"}, "use", ""),
		jwk(t, k.ed.Public(), "ed", "EdDSA")))
	r.check(t, jose.RS256, k.rsa, "good", 0)
	r.check(t, jose.ES256, k.p256, "ec", 0)
	r.check(t, jose.EdDSA, k.ed, "ed", 0)
	for _, kid := range []string{"enc", "ops", "wrong alg", "hmac"} {
		r.check(t, jose.RS256, k.other, kid, pam.CodeTokenBadSignature)
	}
	r.check(t, jose.ES384, k.p384, "private", pam.CodeTokenBadSignature)
	if n := r.Keys().Keys; n != 3 {
		t.Errorf("%d keys verify, want 3", n)
	}
	if log := r.log.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "a private key has been published") ||
		!strings.Contains(log, "a shared secret has no place") ||
		strings.Contains(log, b64([]byte(secretA))) {
		t.Errorf("log is %s", log)
	}
	_, err = r.Verify(t.Context(), hs256(t, secretA, `{"alg":"HS256","kid":"shared"}`, payload(t)))
	wantCode(t, err, pam.CodeTokenBadSignature)
}

// with changes members of a JWK; "" takes one out.
func with(t *testing.T, raw string, change ...any) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(raw), &m); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(change); i += 2 {
		m[change[i].(string)] = change[i+1]
		if change[i+1] == "" {
			delete(m, change[i].(string))
		}
	}
	out, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestTwoKeysOfOneName(t *testing.T) {
	t.Parallel()
	r, k := newRemote(t), keys(t)
	r.server.serve(jwks(jwk(t, k.rsa.Public(), "same", ""), jwk(t, k.other.Public(), "same", ""), jwk(t, k.p256.Public(), "same", "")))
	r.check(t, jose.RS256, k.other, "same", 0)
	r.check(t, jose.ES256, k.p256, "same", 0)
	r.check(t, jose.ES256, k.p256, "Same", pam.CodeTokenBadSignature)
}

func TestNoRedirectFromHTTPS(t *testing.T) {
	t.Parallel()
	k, plain := keys(t), newKeyServer(t)
	plain.serve(jwks(jwk(t, k.rsa.Public(), "one", "")))
	secure := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
	t.Cleanup(secure.Close)
	v := verifier(t, identity.Options{JWKSURL: secure.URL, Client: secure.Client()})
	_, err := v.Verify(t.Context(), token(t, jose.RS256, k.rsa, "one", payload(t)))
	wantCode(t, err, pam.CodeJWKSUnavailable)
	if plain.hits.Load() != 0 {
		t.Error("the redirect was followed")
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	r, k := newRemote(t), keys(t)
	fetched := make(chan struct{}, 1)
	r.server.handle(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(jwks(jwk(t, k.rsa.Public(), "one", ""))))
		fetched <- struct{}{}
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	<-fetched
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	if n := r.Keys().Keys; n != 1 {
		t.Errorf("%d keys after Run began", n)
	}
	// Without a JWKS URL Run waits for the end.
	if err := full(t).Run(ctx); err != nil {
		t.Errorf("Run: %v", err)
	}
}
