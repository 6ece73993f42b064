package tool

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cockroachdb/apd/v3"
)

const (
	// maxExpression is the greatest length of an expression, in bytes.
	maxExpression = 1000
	// maxExponent is the greatest exponent of a number in scientific notation.
	maxExponent = 500
)

// kind is what a token is.
type kind uint8

const (
	tokEnd kind = iota
	tokNumber
	tokOpen
	tokClose
	tokPlus
	tokMinus
	tokTimes
	tokDivide
	tokPower
	tokPercent     // %: a percentage, or the remainder, by what follows
	tokPercentWord // "percent": a percentage alone
	tokMod
	tokOf
	tokOff
	tokRoot  // square root
	tokCube  // cube root
	tokSuper // a power written behind its base: ², cubed
	tokScale // a factor written behind its number: million
	tokPi
	tokWord // one that is not known
)

// token is one piece of an expression.
type token struct {
	kind  kind
	text  string
	value number // of tokNumber, tokSuper, tokScale
	apart bool   // white space stands before it
}

// lex cuts an expression into tokens, the last of them tokEnd.
func lex(text string) ([]token, error) {
	if len(text) > maxExpression {
		return nil, fault("The expression is longer than 1000 characters.")
	}
	var tokens []token
	var currency rune
	apart := false
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		known := len(tokens)
		switch {
		case unicode.IsSpace(r):
			text, apart = text[size:], true
		case r >= '0' && r <= '9', r == '.':
			t, n, err := lexNumber(text)
			if err != nil {
				return nil, err
			}
			tokens, text = append(tokens, t), text[n:]
		case strings.ContainsRune("$€£¥", r):
			if currency != 0 && currency != r {
				return nil, fault("Different currencies cannot be calculated with.")
			}
			currency, text = r, text[size:]
		case unicode.IsLetter(r) && r != 'π':
			n := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsLetter(r) })
			if n < 0 {
				n = len(text)
			}
			tokens, text = append(tokens, token{kind: tokWord, text: text[:n]}), text[n:]
		default:
			t, n := lexSign(text)
			if n == 0 {
				return nil, fault(quote(string(r)) + " is nothing to calculate with.")
			}
			tokens, text = append(tokens, t), text[n:]
		}
		if len(tokens) > known {
			tokens[known].apart, apart = apart, false
		}
	}
	tokens, err := words(tokens)
	return append(tokens, token{kind: tokEnd}), err
}

// lexNumber reads 12, 1,234.5, .5, 1e3, 1½ and the k of 80k.
func lexNumber(text string) (token, int, error) {
	n := strings.IndexFunc(text, func(r rune) bool { return (r < '0' || r > '9') && r != '.' && r != ',' })
	if n < 0 {
		n = len(text)
	}
	for n > 0 && (text[n-1] == ',' || text[n-1] == '.' && strings.Count(text[:n], ".") > 1) {
		n--
	}
	digits := text[:n]
	plain, ok := ungroup(digits)
	if !ok {
		return token{}, 0, fault(quote(digits) + " is no number: write a point before the decimals and commas, if any, between thousands.")
	}
	if e := exponentLength(text[n:]); e > 0 {
		plain, n = plain+text[n:n+e], n+e
	}
	d, _, err := apd.NewFromString(plain)
	if err != nil || d.Form != apd.Finite || d.Exponent > maxExponent || d.Exponent < -maxDigits {
		return token{}, 0, errTooBig
	}
	value := number{num: d, den: apd.New(1, 0)}
	rest := text[n:]
	switch {
	case plain == "0" && len(rest) > 1 && (rest[0] == 'x' || rest[0] == 'X') && isHex(rest[1]):
		return token{}, 0, fault("Only decimal numbers can be calculated with.")
	case len(rest) > 0 && (rest[0] == 'k' || rest[0] == 'K') && !startsWithLetter(rest[1:]):
		value.num.Exponent += 3
		n++
	}
	if f, size := vulgar(text[n:]); size > 0 {
		sum, err := newCalculator().add(value, f)
		if err != nil {
			return token{}, 0, err
		}
		value, n = sum, n+size
	}
	return token{kind: tokNumber, text: text[:n], value: value}, n, nil
}

// ungroup removes the commas between thousands; any other comma is refused,
// for it may be a decimal one.
func ungroup(s string) (string, bool) {
	if s == "." || strings.Count(s, ".") > 1 {
		return "", false
	}
	integer, _, _ := strings.Cut(s, ".")
	if strings.LastIndexByte(s, ',') > len(integer) {
		return "", false
	}
	groups := strings.Split(integer, ",")
	for i, g := range groups {
		first := i == 0 && len(g) >= 1 && len(g) <= 3
		if len(groups) > 1 && len(g) != 3 && !first {
			return "", false
		}
	}
	return strings.ReplaceAll(s, ",", ""), true
}

// exponentLength returns the length of the e-12 that s begins with, or 0.
func exponentLength(s string) int {
	if s == "" || s[0] != 'e' && s[0] != 'E' {
		return 0
	}
	n := 1
	if n < len(s) && (s[n] == '+' || s[n] == '-') {
		n++
	}
	start := n
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	if n == start || startsWithLetter(s[n:]) {
		return 0
	}
	return n
}

func startsWithLetter(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsLetter(r)
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// vulgar reads one of ½ ⅓ ⅔ ¼ ¾ ⅛ ⅜ ⅝ ⅞.
func vulgar(s string) (number, int) {
	r, size := utf8.DecodeRuneInString(s)
	var num, den int64
	switch r {
	case '½':
		num, den = 1, 2
	case '⅓':
		num, den = 1, 3
	case '⅔':
		num, den = 2, 3
	case '¼':
		num, den = 1, 4
	case '¾':
		num, den = 3, 4
	case '⅛':
		num, den = 1, 8
	case '⅜':
		num, den = 3, 8
	case '⅝':
		num, den = 5, 8
	case '⅞':
		num, den = 7, 8
	default:
		return number{}, 0
	}
	return number{num: apd.New(num, 0), den: apd.New(den, 0)}, size
}

// lexSign reads one operator; its length is 0 where there is none.
func lexSign(text string) (token, int) {
	if f, n := vulgar(text); n > 0 {
		return token{kind: tokNumber, text: text[:n], value: f}, n
	}
	if strings.HasPrefix(text, "**") {
		return token{kind: tokPower, text: "**"}, 2
	}
	r, n := utf8.DecodeRuneInString(text)
	t := token{text: text[:n]}
	switch r {
	case '(', '[':
		t.kind = tokOpen
	case ')', ']':
		t.kind = tokClose
	case '+':
		t.kind = tokPlus
	case '-', '−', '–':
		t.kind = tokMinus
	case '*', '×', '·', '⋅', '∙':
		t.kind = tokTimes
	case '/', '÷', '∕', '⁄':
		t.kind = tokDivide
	case '^':
		t.kind = tokPower
	case '%':
		t.kind = tokPercent
	case '√':
		t.kind = tokRoot
	case 'π':
		t.kind = tokPi
	case '²':
		t.kind, t.value = tokSuper, whole(2)
	case '³':
		t.kind, t.value = tokSuper, whole(3)
	default:
		return token{}, 0
	}
	return t, n
}
