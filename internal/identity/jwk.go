package identity

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// minRSABits is the least size of an RSA modulus (RFC 7518, 3.3).
const minRSABits = 2048

// publicKey is a key that verifies, with the algorithms that its type and its
// own `alg` leave to it.
type publicKey struct {
	id   string
	key  any // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
	algs []jose.SignatureAlgorithm
}

func (k *publicKey) takes(alg jose.SignatureAlgorithm) bool { return slices.Contains(k.algs, alg) }

// rawKey holds the members of a JWK that a public key is made of (RFC 7517, 4).
// Certificates and all else are left out: a key is not lost for them.
type rawKey struct {
	Kty    string         `json:"kty"`
	Kid    string         `json:"kid,omitzero"`
	Use    string         `json:"use,omitzero"`
	KeyOps []string       `json:"key_ops,omitzero"`
	Alg    string         `json:"alg,omitzero"`
	Crv    string         `json:"crv,omitzero"`
	N      string         `json:"n,omitzero"`
	E      string         `json:"e,omitzero"`
	X      string         `json:"x,omitzero"`
	Y      string         `json:"y,omitzero"`
	D      jsontext.Value `json:"d,omitzero"`
}

// parseKeySet reads a JWK set key by key, so that one key that is not
// understood does not take the others with it (RFC 7517, 5). skipped says why
// keys were left out. A set without a usable key is an error: whoever asked
// keeps what he has.
func parseKeySet(body []byte) (keys []publicKey, skipped []string, err error) {
	var set struct {
		Keys []jsontext.Value `json:"keys"`
	}
	// Duplicates are for the keys to answer for, one by one.
	if json.Unmarshal(body, &set, jsontext.AllowDuplicateNames(true)) != nil {
		return nil, nil, errors.New("the JWKS URL did not send a JWK set")
	}
	if len(set.Keys) > maxKeys {
		return nil, nil, fmt.Errorf("the JWKS URL sent %d keys, at most %d are taken", len(set.Keys), maxKeys)
	}
	for i, raw := range set.Keys {
		key, err := parseKey(raw)
		if err != nil {
			skipped = append(skipped, fmt.Sprintf("key %d: %v", i+1, err))
			continue
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, skipped, fmt.Errorf("the JWKS URL sent %d keys, none that verifies tokens", len(set.Keys))
	}
	return keys, skipped, nil
}

func parseKey(raw jsontext.Value) (publicKey, error) {
	var r rawKey
	if json.Unmarshal(raw, &r) != nil {
		return publicKey{}, errors.New("not a JWK")
	}
	switch {
	case r.Kty == "oct":
		return publicKey{}, errors.New("a shared secret has no place at a public URL")
	case r.D != nil:
		return publicKey{}, errors.New("a private key has been published: whoever reads it signs tokens")
	case r.Use != "" && r.Use != "sig":
		return publicKey{}, fmt.Errorf("its use is %s", quote(r.Use))
	case r.KeyOps != nil && !slices.Contains(r.KeyOps, "verify"):
		return publicKey{}, errors.New("its key_ops do not verify")
	}
	declared := jose.SignatureAlgorithm(r.Alg)
	bare := rawKey{Kty: r.Kty, Crv: r.Crv, N: r.N, E: r.E, X: r.X, Y: r.Y}
	encoded, err := json.Marshal(bare)
	if err != nil {
		return publicKey{}, errors.New("not a JWK")
	}
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON(encoded); err != nil || !jwk.Valid() {
		return publicKey{}, fmt.Errorf("its type %s is not supported, or the key is not valid", quote(r.Kty))
	}
	algs, err := algorithms(jwk.Key, declared)
	if err != nil {
		return publicKey{}, err
	}
	return publicKey{id: r.Kid, key: jwk.Key, algs: algs}, nil
}

// algorithms are those of the key's type, narrowed to the one that the key
// declares. PSS is taken only from a key that declares it: the same RSA key in
// two schemes is nobody's intention.
func algorithms(key any, declared jose.SignatureAlgorithm) ([]jose.SignatureAlgorithm, error) {
	var of []jose.SignatureAlgorithm
	switch k := key.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minRSABits {
			return nil, fmt.Errorf("its modulus has %d bits, at least %d are due", bits, minRSABits)
		}
		of = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512}
		if declared != "" {
			of = append(of, jose.PS256, jose.PS384, jose.PS512)
		}
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			of = []jose.SignatureAlgorithm{jose.ES256}
		case elliptic.P384():
			of = []jose.SignatureAlgorithm{jose.ES384}
		case elliptic.P521():
			of = []jose.SignatureAlgorithm{jose.ES512}
		}
	case ed25519.PublicKey:
		of = []jose.SignatureAlgorithm{jose.EdDSA}
	}
	if declared == "" {
		return of, nil
	}
	if !slices.Contains(of, declared) {
		return nil, fmt.Errorf("its alg %s is none of its type's", quote(string(declared)))
	}
	return []jose.SignatureAlgorithm{declared}, nil
}
