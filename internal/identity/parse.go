package identity

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxTokenLength is the greatest length of a token, in bytes.
const MaxTokenLength = 8 << 10

// parsed is a token whose form is right; its signature has not been looked at.
type parsed struct {
	alg, kid string
	payload  []byte
}

// parse judges the form of a token (RFC 7515, 3.1 and 7.1) more narrowly than
// the library does, which takes line breaks and loose bits: one text for one
// token, or none.
func parse(token string) (parsed, error) {
	if token == "" {
		return parsed{}, missing()
	}
	if len(token) > MaxTokenLength {
		return parsed{}, malformed(fmt.Sprintf("the token has %d bytes, at most %d are taken",
			len(token), MaxTokenLength))
	}
	for i := range len(token) {
		if !tokenByte(token[i]) {
			return parsed{}, malformed(fmt.Sprintf("byte %d of the token is none of A-Z a-z 0-9 . _ -", i+1))
		}
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return parsed{}, malformed(fmt.Sprintf("the token has %d parts, a signed one has 3", len(parts)))
	}
	var raw [3][]byte
	for i, name := range [...]string{"header", "payload", "signature"} {
		b, err := base64.RawURLEncoding.Strict().DecodeString(parts[i])
		if err != nil {
			return parsed{}, malformed("the " + name + " is not base64url, or has bits to spare")
		}
		raw[i] = b
	}
	p := parsed{payload: raw[1]}
	if err := parseHeader(raw[0], &p); err != nil {
		return parsed{}, err
	}
	if err := checkObject(p.payload); err != nil {
		return parsed{}, malformed("the payload is not a JSON object without duplicates, in UTF-8")
	}
	return p, nil
}

// tokenByte reports whether c may be in a token: base64url and the dot.
func tokenByte(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' ||
		c == '.' || c == '_' || c == '-'
}

func parseHeader(raw []byte, p *parsed) error {
	var h struct {
		Alg  jsontext.Value `json:"alg"`
		Kid  jsontext.Value `json:"kid"`
		Crit jsontext.Value `json:"crit"`
		B64  jsontext.Value `json:"b64"`
	}
	if checkObject(raw) != nil || json.Unmarshal(raw, &h) != nil {
		return malformed("the header is not a JSON object without duplicates, in UTF-8")
	}
	if h.Crit != nil || h.B64 != nil {
		return malformed("the header asks for an extension (crit, b64); none is supported")
	}
	alg, ok := text(h.Alg)
	if !ok {
		return malformed("the header names no algorithm (alg)")
	}
	p.alg = alg
	if h.Kid == nil {
		return nil
	}
	if p.kid, ok = text(h.Kid); !ok {
		return malformed("the header's kid is not a string")
	}
	return nil
}

// checkObject wants one JSON object, all of it valid UTF-8, no member twice at
// any depth: what two parsers could read in two ways is refused.
func checkObject(raw []byte) error {
	v := jsontext.Value(raw)
	if v.Kind() != '{' || !v.IsValid() {
		return errNotObject
	}
	return nil
}

// text returns the string that v is, and whether it is one.
func text(v jsontext.Value) (string, bool) {
	if v.Kind() != '"' {
		return "", false
	}
	var s string
	if json.Unmarshal(v, &s) != nil {
		return "", false
	}
	return s, true
}
