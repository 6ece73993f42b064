package tool

import (
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// words gives the words among tokens their meaning: "divided by" is one
// operator, "twelve" a number. A word that has none is a fault.
func words(tokens []token) ([]token, error) {
	var out []token
	for i := 0; i < len(tokens); {
		if tokens[i].kind != tokWord {
			out = append(out, tokens[i])
			i++
			continue
		}
		t, n := phrase(tokens[i:])
		if n == 0 {
			return nil, fault(quote(tokens[i].text) + " is nothing to calculate with.")
		}
		out = append(out, t)
		i += n
	}
	return out, nil
}

// phrase reads what the words at the start of tokens mean together, the
// longest first, and how many they are; 0 where they mean nothing.
func phrase(tokens []token) (token, int) {
	var line []string
	for _, t := range tokens[:min(len(tokens), 4)] {
		if t.kind != tokWord {
			break
		}
		line = append(line, strings.ToLower(t.text))
	}
	for n := len(line); n > 0; n-- {
		text := strings.Join(line[:n], " ")
		if t, ok := meaning(text); ok {
			t.text, t.apart = text, tokens[0].apart
			return t, n
		}
	}
	return token{}, 0
}

func meaning(text string) (token, bool) {
	switch text {
	case "plus":
		return token{kind: tokPlus}, true
	case "minus", "negative":
		return token{kind: tokMinus}, true
	case "times", "multiplied by", "x":
		return token{kind: tokTimes}, true
	case "divided by", "over":
		return token{kind: tokDivide}, true
	case "to the power of", "to the power":
		return token{kind: tokPower}, true
	case "mod", "modulo", "modulus":
		return token{kind: tokMod}, true
	case "percent", "per cent", "pct":
		return token{kind: tokPercentWord}, true
	case "of":
		return token{kind: tokOf}, true
	case "off":
		return token{kind: tokOff}, true
	case "sqrt", "root of", "square root of", "the square root of":
		return token{kind: tokRoot}, true
	case "cbrt", "cube root of", "the cube root of":
		return token{kind: tokCube}, true
	case "pi":
		return token{kind: tokPi}, true
	case "squared":
		return token{kind: tokSuper, value: whole(2)}, true
	case "cubed":
		return token{kind: tokSuper, value: whole(3)}, true
	}
	return numberMeaning(text)
}

// numberMeaning is meaning for half, two, and million.
func numberMeaning(text string) (token, bool) {
	part := int64(0)
	switch text {
	case "half", "a half", "one half":
		part = 2
	case "a third", "one third":
		part = 3
	case "a quarter", "one quarter":
		part = 4
	}
	if part > 0 {
		return token{kind: tokNumber, value: number{num: apd.New(1, 0), den: apd.New(part, 0)}}, true
	}
	if n := numberWord(text); n >= 0 {
		return token{kind: tokNumber, value: whole(n)}, true
	}
	if n := scaleWord(text); n > 0 {
		return token{kind: tokScale, value: whole(n)}, true
	}
	return token{}, false
}

// numberWord returns the number that a word is, or -1.
func numberWord(word string) int64 {
	small := strings.Fields("zero one two three four five six seven eight nine ten eleven twelve" +
		" thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty")
	for i, w := range small {
		if w == word {
			return int64(i)
		}
	}
	for i, w := range strings.Fields("thirty forty fifty sixty seventy eighty ninety") {
		if w == word {
			return int64(30 + 10*i)
		}
	}
	return -1
}

// scaleWord returns the factor that a word behind a number is, or 0.
func scaleWord(word string) int64 {
	switch word {
	case "hundred":
		return 100
	case "thousand":
		return 1000
	case "million":
		return 1_000_000
	case "billion":
		return 1_000_000_000
	case "trillion":
		return 1_000_000_000_000
	}
	return 0
}
