package tool

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxPieces bounds what a quantity is put together from: 5 ft 10 in are two.
const maxPieces = 4

// maxQuantity is the greatest length of a quantity, in bytes.
const maxQuantity = 200

// piece is a number of some unit; where the unit's name is shared, of one of
// several.
type piece struct {
	value number
	text  string // the number as it was written
	units []*unit
}

// quantity reads 5 miles, -40 °F, 1 1/2 cups, half an hour, 5 ft 10 in, 5'10".
func (u *Units) quantity(text string) ([]piece, error) {
	text = clean(text)
	if len(text) > maxQuantity {
		return nil, fault("The quantity is longer than 200 characters.")
	}
	var pieces []piece
	for text != "" {
		if len(pieces) == maxPieces {
			return nil, fault("The quantity has too many parts.")
		}
		value, rest, err := amount(text)
		if err != nil {
			return nil, err
		}
		p := piece{value: value, text: strings.TrimSpace(text[:len(text)-len(rest)])}
		name, behind := unitName(rest)
		if name == "" && len(pieces) == 1 && pieces[0].units[0].one == "foot" && behind == "" {
			name = "inches" // 5'10
		}
		if name == "" {
			return nil, fault("The quantity needs a unit behind " + quote(p.text) + ".")
		}
		if p.units, err = u.find(name); err != nil {
			// A unit with a digit in it, such as l/100 km, ends where the text does.
			whole, errWhole := u.find(rest)
			if errWhole != nil {
				return nil, err
			}
			p.units, behind = whole, ""
		}
		pieces = append(pieces, p)
		text = behind
	}
	if len(pieces) == 0 {
		return nil, fault("There is no quantity to convert.")
	}
	return pieces, nil
}

// amount reads the number at the start of text: digits, a fraction, or words.
func amount(text string) (number, string, error) {
	end := 0
	for end < len(text) {
		r, size := utf8.DecodeRuneInString(text[end:])
		_, isVulgar := vulgar(text[end:])
		digit := r >= '0' && r <= '9' || strings.ContainsRune(".,/+-−–^* ", r) || isVulgar > 0
		e := 0
		if end > 0 {
			e = exponentLength(text[end:])
		}
		if !digit && e == 0 {
			break
		}
		end += max(size, e)
	}
	digits := strings.TrimRight(text[:end], " ")
	rest := strings.TrimLeft(text[end:], " ")
	if strings.ContainsAny(digits, "0123456789") || strings.IndexFunc(digits, unicode.IsNumber) >= 0 {
		// Behind the digits there may be a scale: 3 million miles.
		if word, behind, ok := strings.Cut(rest, " "); ok && scaleWord(strings.ToLower(word)) > 0 {
			digits, rest = digits+" "+word, behind
		}
		value, err := mixed(digits)
		return value, rest, err
	}
	return wordAmount(text)
}

// wordAmount reads a, an, two, half a, half an, minus three.
func wordAmount(text string) (number, string, error) {
	fields := strings.Fields(text)
	if len(fields) == 0 {
		return number{}, "", fault("There is no quantity to convert.")
	}
	first := strings.ToLower(fields[0])
	rest := strings.Join(fields[1:], " ")
	switch {
	case (first == "minus" || first == "negative") && len(fields) > 2:
		value, rest, err := amount(rest)
		return newCalculator().neg(value), rest, err
	case first == "a" || first == "an":
		return whole(1), rest, nil
	case first == "half" || first == "quarter":
		value, err := constant(map[string]string{"half": "1/2", "quarter": "1/4"}[first])
		for _, article := range []string{"a ", "an ", "of a "} {
			rest = strings.TrimPrefix(rest, article)
		}
		return value, rest, err
	case numberWord(first) >= 0:
		return whole(numberWord(first)), rest, nil
	}
	return number{}, "", fault(quote(text) + " does not begin with a number.")
}

// mixed reads 5, 1/2, and 1 1/2 as one and a half.
func mixed(digits string) (number, error) {
	integer, fraction, ok := strings.Cut(digits, " ")
	if ok && strings.Count(fraction, "/") == 1 && isDigits(strings.TrimLeft(integer, "+-−–")) &&
		isDigits(strings.Replace(fraction, "/", "", 1)) {
		sign := "+"
		if strings.ContainsAny(integer, "-−–") {
			sign = "-"
		}
		digits = integer + sign + fraction
	}
	return constant(digits)
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// unitName cuts the name of a unit from the start of rest: it ends before the
// number of the next piece.
func unitName(rest string) (name, behind string) {
	for i, r := range rest {
		if i == 0 || (r < '0' || r > '9') {
			continue
		}
		before, _ := utf8.DecodeLastRuneInString(strings.TrimRight(rest[:i], " "))
		// ft2 and m^3 have their digit within the name.
		joined := rest[i-1] != ' ' && (unicode.IsLetter(before) || before == '^') &&
			(i+1 == len(rest) || rest[i+1] == ' ') && (r == '2' || r == '3')
		if joined {
			continue
		}
		name = strings.TrimRight(rest[:i], " ")
		for _, and := range []string{" and", ",", "&"} {
			name = strings.TrimRight(strings.TrimSuffix(name, and), " ")
		}
		return name, rest[i:]
	}
	return rest, ""
}
