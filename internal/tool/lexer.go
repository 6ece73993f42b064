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
		switch {
		case unicode.IsSpace(r):
			text, apart = text[size:], true
		case strings.ContainsRune("$€£¥", r):
			if currency != 0 && currency != r {
				return nil, fault("Different currencies cannot be calculated with.")
			}
			currency, text = r, text[size:]
		default:
			t, n, err := lexOne(text, r)
			if err != nil {
				return nil, err
			}
			t.apart, apart = apart, false
			tokens, text = append(tokens, t), text[n:]
		}
	}
	tokens, err := words(tokens)
	return append(tokens, token{kind: tokEnd}), err
}

// lexOne reads the token at the start of text, whose first character is r, and
// returns its length.
func lexOne(text string, r rune) (token, int, error) {
	switch {
	case r >= '0' && r <= '9', r == '.':
		return lexNumber(text)
	case unicode.IsLetter(r) && r != 'π':
		n := spanOf(text, unicode.IsLetter)
		return token{kind: tokWord, text: text[:n]}, n, nil
	}
	if t, n := lexSign(text); n > 0 {
		return t, n, nil
	}
	return token{}, 0, fault(quote(string(r)) + " is nothing to calculate with.")
}

// spanOf returns the length of the start of s whose characters are all in set.
func spanOf(s string, set func(rune) bool) int {
	for i, r := range s {
		if !set(r) {
			return i
		}
	}
	return len(s)
}

// lexNumber reads 12, 1,234.5, .5, 1e3, 1½ and the k of 80k.
func lexNumber(text string) (token, int, error) {
	plain, n, err := lexDigits(text)
	if err != nil {
		return token{}, 0, err
	}
	d, _, err := apd.NewFromString(plain)
	if err != nil || d.Form != apd.Finite || d.Exponent > maxExponent || d.Exponent < -maxDigits {
		return token{}, 0, errTooBig
	}
	value := number{num: d, den: apd.New(1, 0)}
	if hasKilo(text[n:]) {
		d.Exponent += 3
		n++
	}
	if f, size := vulgar(text[n:]); size > 0 {
		if value, err = newCalculator().add(value, f); err != nil {
			return token{}, 0, err
		}
		n += size
	}
	return token{kind: tokNumber, text: text[:n], value: value}, n, nil
}

// lexDigits reads the digits of a number, and its exponent, without commas;
// n is the length of what it read.
func lexDigits(text string) (plain string, n int, err error) {
	n = spanOf(text, func(r rune) bool { return r >= '0' && r <= '9' || r == '.' || r == ',' })
	for n > 0 && (text[n-1] == ',' || text[n-1] == '.' && strings.Count(text[:n], ".") > 1) {
		n--
	}
	plain, ok := ungroup(text[:n])
	if !ok {
		return "", 0, fault(quote(text[:n]) + " is no number: write a point before the decimals and commas, if any, between thousands.")
	}
	if plain == "0" && isPrefix(text[n:]) {
		return "", 0, fault("Only decimal numbers can be calculated with.")
	}
	e := exponentLength(text[n:])
	return plain + text[n:n+e], n + e, nil
}

// hasKilo reports whether s begins with the k of 80k.
func hasKilo(s string) bool {
	return s != "" && (s[0] == 'k' || s[0] == 'K') && !startsWithLetter(s[1:])
}

// isPrefix reports whether a zero before s makes a number of another base:
// x10, XFF.
func isPrefix(s string) bool {
	return len(s) > 1 && (s[0] == 'x' || s[0] == 'X') && isHex(s[1])
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
	t := token{kind: signOf(r), text: text[:n]}
	switch r {
	case '²':
		t.value = whole(2)
	case '³':
		t.value = whole(3)
	}
	if t.kind == tokEnd {
		n = 0
	}
	return t, n
}

// signOf returns what r is as an operator, or tokEnd.
func signOf(r rune) kind {
	switch r {
	case '(', '[':
		return tokOpen
	case ')', ']':
		return tokClose
	case '+':
		return tokPlus
	case '-', '−', '–':
		return tokMinus
	case '*', '×', '·', '⋅', '∙':
		return tokTimes
	case '/', '÷', '∕', '⁄':
		return tokDivide
	case '^':
		return tokPower
	case '%':
		return tokPercent
	case '√':
		return tokRoot
	case 'π':
		return tokPi
	case '²', '³':
		return tokSuper
	}
	return tokEnd
}
