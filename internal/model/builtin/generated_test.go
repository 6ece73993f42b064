package builtin_test

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestGenerated asks 1,000 questions, made by a fixed seed, whose answers are
// worked out beside them as exact fractions.
func TestGenerated(t *testing.T) {
	t.Parallel()
	a := newAssistant(t, `{}`)
	g := &generator{rand.New(rand.NewPCG(7, 2026))}
	exact := 0
	for i := range 1000 {
		var question string
		var want *big.Rat
		toolName := "calculate"
		if i%10 < 6 {
			e := g.expression(4)
			question, want = g.around(e.text), e.value
		} else {
			question, want = g.conversion()
			toolName = "convert"
		}
		got := a.ask(t, question)
		switch {
		case want == nil:
			if got.tool != toolName || !strings.Contains(got.text, "divides by zero") {
				t.Errorf("%s\n got  %s (%s)\n want that it divides by zero", question, got.text, got.tool)
			}
		case got.tool != toolName || !agrees(got.text, want):
			t.Errorf("%s\n got  %s (%s)\n want %s", question, got.text, got.tool, want.RatString())
		case strings.Contains(got.text, " = "):
			exact++
		}
	}
	if exact < 300 || exact > 900 {
		t.Errorf("%d answers of 1000 were exact: too few kinds of questions", exact)
	}
}

// agrees reports whether the answer is want: exactly behind "=", and to the
// last digit that it tells behind "≈".
func agrees(answer string, want *big.Rat) bool {
	_, result, exact := strings.Cut(answer, " = ")
	if !exact {
		_, result, _ = strings.Cut(answer, " ≈ ")
	}
	text, rest, _ := strings.Cut(result, " ")
	got, ok := new(big.Rat).SetString(text)
	if !ok {
		return false
	}
	if exact {
		return got.Cmp(want) == 0
	}
	digits := 15
	if strings.Contains(rest, "rounded to 10 digits") {
		digits = 10
	} else if !strings.Contains(rest, "rounded to 15 digits") {
		return false
	}
	// Half a unit of the last digit is at most 5e-digits of the value; and what
	// was told as rounded must not have been short enough to be told whole.
	gap := new(big.Rat).Sub(got, want)
	scale := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil))
	bound := new(big.Rat).Quo(new(big.Rat).Mul(new(big.Rat).Abs(want), big.NewRat(5, 1)), scale)
	if decimals, ends := want.FloatPrec(); ends && decimals <= 15 && want.Num().BitLen()-want.Denom().BitLen() < 64 {
		return false
	}
	return gap.Abs(gap).Cmp(bound) <= 0
}

type generator struct{ *rand.Rand }

// term is an expression and its value; nil where it divides by zero.
type term struct {
	text  string
	value *big.Rat
	level int // 0 a sum, 1 a product, 2 a power, 3 whole
}

func (g *generator) pick(of ...string) string { return of[g.IntN(len(of))] }

func (g *generator) number() term {
	var text string
	switch g.IntN(5) {
	case 0:
		text = fmt.Sprintf("%d", g.IntN(10))
	case 1:
		text = fmt.Sprintf("%d", g.IntN(1_000_000))
	case 2:
		text = fmt.Sprintf("%d.%d", g.IntN(1000), g.IntN(100))
	case 3:
		text = fmt.Sprintf("%d,%03d", 1+g.IntN(999), g.IntN(1000))
	default:
		text = fmt.Sprintf("%d.%03d", g.IntN(2), g.IntN(1000))
	}
	value, _ := new(big.Rat).SetString(strings.ReplaceAll(text, ",", ""))
	return term{text: text, value: value, level: 3}
}

// wrap puts parentheses around what binds looser than level.
func wrap(e term, level int) string {
	if e.level < level {
		return "(" + e.text + ")"
	}
	return e.text
}

func (g *generator) expression(depth int) term {
	e := g.operation(depth)
	if e.level == 3 {
		return g.expression(depth) // a number alone is no question
	}
	return e
}

func (g *generator) operation(depth int) term {
	if depth == 0 {
		return g.number()
	}
	left, right := g.operation(g.IntN(depth)), g.operation(g.IntN(depth))
	space := g.pick("", " ")
	value := new(big.Rat)
	defined := left.value != nil && right.value != nil
	binary := func(level int, sign string, f func()) term {
		e := term{text: wrap(left, level) + sign + wrap(right, level+1), level: level}
		if defined {
			f()
			e.value = value
		}
		return e
	}
	switch g.IntN(8) {
	case 0:
		return binary(0, g.pick(space+"+"+space, " plus "), func() { value.Add(left.value, right.value) })
	case 1:
		return binary(0, g.pick(space+"-"+space, " minus ", " − "), func() { value.Sub(left.value, right.value) })
	case 2:
		return binary(1, g.pick(space+"*"+space, " times ", " x ", "×"), func() { value.Mul(left.value, right.value) })
	case 3, 4:
		sign := g.pick(space+"/"+space, " divided by ", " ÷ ")
		if defined && right.value.Sign() == 0 {
			defined = false
		}
		return binary(1, sign, func() { value.Quo(left.value, right.value) })
	case 5:
		n := g.number()
		e := term{text: n.text + g.pick("%", " %", " percent") + " of " + wrap(right, 2), level: 1}
		if right.value != nil {
			e.value = value.Mul(n.value, right.value)
			e.value.Quo(value, big.NewRat(100, 1))
		}
		return e
	case 6:
		n := g.IntN(4)
		e := term{text: wrap(left, 3) + g.pick("^", " ^ ", "**") + fmt.Sprint(n), level: 2}
		if left.value != nil && (n > 0 || left.value.Sign() != 0) {
			e.value = big.NewRat(1, 1)
			for range n {
				e.value.Mul(e.value, left.value)
			}
		}
		if left.value != nil && n == 0 && left.value.Sign() == 0 {
			return left // 0^0 has its own test
		}
		return e
	default:
		return left
	}
}

func (g *generator) around(expression string) string {
	return g.pick("what is ", "What's ", "calculate ", "", "how much is ", "please work out ", "PAM, can you compute ") +
		expression + g.pick("", "?", " =", " please", "?")
}

// scale is a unit's names and its factor, written down here a second time.
type scale struct {
	names  []string
	factor string
}

func scales() [][]scale {
	return [][]scale{
		{
			{[]string{"m", "metres", "meter"}, "1"},
			{[]string{"km", "kilometers"}, "1000"},
			{[]string{"mi", "miles"}, "1609.344"},
			{[]string{"ft", "feet"}, "0.3048"},
			{[]string{"inches"}, "0.0254"},
			{[]string{"nautical miles"}, "1852"},
		},
		{{[]string{"kg", "kilograms"}, "1"}, {[]string{"lb", "pounds", "lbs"}, "0.45359237"}, {[]string{"oz", "ounces"}, "0.028349523125"}, {[]string{"stone"}, "6.35029318"}},
		{{[]string{"l", "liters", "litres"}, "1"}, {[]string{"gallons", "gal"}, "3.785411784"}, {[]string{"cups"}, "0.2365882365"}, {[]string{"pints"}, "0.473176473"}, {[]string{"imperial gallons"}, "4.54609"}},
		{{[]string{"m/s"}, "1"}, {[]string{"km/h", "kph"}, "5/18"}, {[]string{"mph", "miles per hour"}, "0.44704"}, {[]string{"knots"}, "463/900"}},
		{{[]string{"square meters", "m²"}, "1"}, {[]string{"acres"}, "4046.8564224"}, {[]string{"hectares"}, "10000"}, {[]string{"sq ft", "square feet"}, "0.09290304"}},
		{{[]string{"kPa"}, "1000"}, {[]string{"bar"}, "100000"}, {[]string{"psi"}, "8896443230521/1290320000"}, {[]string{"atm"}, "101325"}},
		{{[]string{"kWh"}, "3600000"}, {[]string{"kcal"}, "4184"}, {[]string{"MJ"}, "1000000"}, {[]string{"BTU"}, "1055.05585262"}},
		{{[]string{"MB", "megabytes"}, "1000000"}, {[]string{"MiB"}, "1048576"}, {[]string{"Mbit", "megabits"}, "125000"}, {[]string{"GB"}, "1000000000"}},
		{{[]string{"hours"}, "3600"}, {[]string{"minutes"}, "60"}, {[]string{"days"}, "86400"}, {[]string{"weeks"}, "604800"}},
	}
}

func (g *generator) conversion() (string, *big.Rat) {
	n := g.number()
	var value *big.Rat
	var from, to string
	if g.IntN(8) == 0 { // degrees
		c := new(big.Rat).Quo(new(big.Rat).Mul(new(big.Rat).Sub(n.value, big.NewRat(32, 1)), big.NewRat(5, 1)), big.NewRat(9, 1))
		value, from, to = c, g.pick("°F", "F", "degrees fahrenheit"), g.pick("°C", "C", "celsius")
	} else {
		kind := scales()[g.IntN(len(scales()))]
		i := g.IntN(len(kind))
		j := (i + 1 + g.IntN(len(kind)-1)) % len(kind)
		f, _ := new(big.Rat).SetString(kind[i].factor)
		d, _ := new(big.Rat).SetString(kind[j].factor)
		value = new(big.Rat).Quo(new(big.Rat).Mul(n.value, f), d)
		from, to = g.pick(kind[i].names...), g.pick(kind[j].names...)
	}
	switch g.IntN(5) {
	case 0:
		return "convert " + n.text + " " + from + g.pick(" to ", " into ", " in ") + to, value
	case 1:
		return n.text + " " + from + " in " + to, value
	case 2:
		return "how many " + to + g.pick(" is ", " are in ", " in ") + n.text + " " + from + "?", value
	case 3:
		return "How much is " + n.text + " " + from + " in " + to + " please?", value
	default:
		return "what is " + n.text + " " + from + " as " + to, value
	}
}
