package tool_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/tool"
)

// calculate returns the line that the tool gives, or the sentence of its error.
func calculate(t testing.TB, expression string) string {
	t.Helper()
	args, err := json.Marshal(map[string]string{"expression": expression})
	if err != nil {
		t.Fatal(err)
	}
	line, err := tool.Calculate{}.Call(t.Context(), pam.Session{}, args)
	return lineOr(t, line, err)
}

// lineOr returns line, or what err says to the person at the screen.
func lineOr(t testing.TB, line string, err error) string {
	t.Helper()
	if err == nil {
		return line
	}
	var e *pam.Error
	if !errors.As(err, &e) || e.Message == "" || !strings.HasSuffix(e.Message, ".") || line != "" {
		t.Fatalf("error %v has no sentence for the person, or came with the result %q", err, line)
	}
	return "error: " + e.Message
}

func TestCalculate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ expression, want string }{
		{"12% of 340", "12% of 340 = 40.8"},
		{"12 % of 340 =", "12 % of 340 = 40.8"},
		{"12 percent of 340", "12 percent of 340 = 40.8"},
		{"0.1+0.2", "0.1+0.2 = 0.3"},
		{"1/3*3", "1/3*3 = 1"},
		{"10/3", "10/3 ≈ 3.33333333333333 (rounded to 15 digits)"},
		{"2/3", "2/3 ≈ 0.666666666666667 (rounded to 15 digits)"},
		{"2+3*4", "2+3*4 = 14"},
		{"(2+3)*4", "(2+3)*4 = 20"},
		{"2-3-4", "2-3-4 = -5"},
		{"100/10/5", "100/10/5 = 2"},
		{"-2^2", "-2^2 = -4"},
		{"(-2)^2", "(-2)^2 = 4"},
		{"2^3^2", "2^3^2 = 512"},
		{"2^-1", "2^-1 = 0.5"},
		{"2**10", "2**10 = 1024"},
		{"--5*1", "--5*1 = 5"},
		{"2^100", "2^100 = 1267650600228229401496703205376"},
		{"10^31", "10^31 = 1E31"},
		{"1.05^30", "1.05^30 ≈ 4.32194237515066 (rounded to 15 digits)"},
		{"17%5", "17%5 = 2"},
		{"17 mod 5", "17 mod 5 = 2"},
		{"-7 mod 3", "-7 mod 3 = 2"},
		{"5.5 mod 2", "5.5 mod 2 = 1.5"},
		{"7 mod -3", "7 mod -3 = -2"},
		{"200 + 10%", "200 + 10% = 220 (the percentage is of what stands before it)"},
		{"200 - 10%", "200 - 10% = 180 (the percentage is of what stands before it)"},
		{"10% + 20%", "10% + 20% = 0.3"},
		{"20% off 50", "20% off 50 = 40"},
		{"half of 10", "half of 10 = 5"},
		{"1/2 of 10", "1/2 of 10 = 5"},
		{"sqrt(16)", "sqrt(16) = 4"},
		{"the square root of 2", "the square root of 2 ≈ 1.4142135623731 (rounded to 15 digits)"},
		{"8^(1/3)", "8^(1/3) = 2"},
		{"27^(2/3)", "27^(2/3) = 9"},
		{"sqrt(2)^2", "sqrt(2)^2 ≈ 2 (rounded to 15 digits)"},
		{"2*pi", "2*pi ≈ 6.28318530717959 (rounded to 15 digits)"},
		{"5 x 3", "5 x 3 = 15"},
		{"5x3", "5x3 = 15"},
		{"6 × 7", "6 × 7 = 42"},
		{"9 ÷ 3", "9 ÷ 3 = 3"},
		{"3² + 4²", "3² + 4² = 25"},
		{"5 squared", "5 squared = 25"},
		{"two plus two", "two plus two = 4"},
		{"twelve divided by five", "twelve divided by five = 2.4"},
		{"2(3+4)", "2(3+4) = 14"},
		{"(1+2)(3+4)", "(1+2)(3+4) = 21"},
		{"1,234.5 + 1", "1,234.5 + 1 = 1235.5"},
		{"1e3 * 2", "1e3 * 2 = 2000"},
		{"80k / 2", "80k / 2 = 40000"},
		{"2 million / 4", "2 million / 4 = 500000"},
		{"15% of $80", "15% of $80 = 12"},
		{"1½ * 2", "1½ * 2 = 3"},
		{"0 * -5", "0 * -5 = 0"},
	} {
		if got := calculate(t, c.expression); got != c.want {
			t.Errorf("calculate %q\n got  %s\n want %s", c.expression, got, c.want)
		}
	}
}

func TestCalculateRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ expression, want string }{
		{"", "error: There is nothing to calculate."},
		{"2 +", "error: The expression is not complete."},
		{"(2", "error: The expression is not complete."},
		{"2)", `error: ")" is not expected there.`},
		{"1/0", "error: That divides by zero, which has no value."},
		{"5 mod 0", "error: That divides by zero, which has no value."},
		{"0^-1", "error: That divides by zero, which has no value."},
		{"0^0", "error: Zero to the power of zero has no agreed value."},
		{"sqrt(-4)", "error: A negative number has no real root or broken power that could be told."},
		{"1,5 + 1", `error: "1,5" is no number: write a point before the decimals and commas, if any, between thousands.`},
		{"1.2.3 + 1", `error: "1.2.3" is no number: write a point before the decimals and commas, if any, between thousands.`},
		{"12% 340", `error: Write "of" for a percentage or "mod" for a remainder.`},
		{"5 of 3", `error: Before "of" a percentage or a fraction is needed.`},
		{"5 off 3", `error: Before "off" a percentage is needed.`},
		{"6/2(1+2)", "error: A division followed by a product without its sign can be read in two ways: write the sign or parentheses."},
		{"0x10 + 1", "error: Only decimal numbers can be calculated with."},
		{"12% of my salary", `error: "my" is nothing to calculate with.`},
		{"$5 + €3", "error: Different currencies cannot be calculated with."},
		{"5 3", `error: There is no sign before "3".`},
		{"9^9^9", "error: The numbers become too large to calculate with."},
		{"1e600", "error: The numbers become too large to calculate with."},
		{"sqrt(2)^2-2", "error: Rounding leaves too few certain digits of that result to tell it."},
		{strings.Repeat("(", 200) + "1", "error: The expression is nested too deeply."},
		{strings.Repeat("-", 900) + "1", "error: The expression is nested too deeply."},
		{strings.Repeat("1.7^.3+", 60) + "1", "error: There are too many roots and powers in that."},
		{strings.Repeat("1+", 600) + "1", "error: The expression is longer than 1000 characters."},
		{"2; drop table", `error: ";" is nothing to calculate with.`},
	} {
		if got := calculate(t, c.expression); got != c.want {
			t.Errorf("calculate %.60q\n got  %s\n want %s", c.expression, got, c.want)
		}
	}
}

func FuzzCalculate(f *testing.F) {
	for _, seed := range []string{
		"12% of 340", "1/3*3", "2^0.5", "((1+2)(3))", "17 % 5", "1,000.5e3", "1½", "√2²", "20% off 50", "9^9^9",
		"sqrt pi mod 3", "-5%", "two hundred times three", "1e500^-1", "0.1^300/3^300", "1/7^200 - pi^80", "∞",
	} {
		f.Add(seed)
	}
	units, err := tool.NewUnits()
	if err != nil {
		f.Fatal(err)
	}
	grammar := tool.NewGrammar(units)
	f.Fuzz(func(t *testing.T, expression string) {
		args, err := json.Marshal(map[string]string{"expression": expression})
		if err != nil {
			return // it cannot be said in JSON
		}
		start := time.Now()
		line, err := tool.Calculate{}.Call(t.Context(), pam.Session{}, args)
		line = lineOr(t, line, err)
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("%q took %v", expression, d)
		}
		if len(line) > 4*1000+1200 {
			t.Errorf("%q has a result of %d bytes", expression, len(line))
		}
		if err == nil && !strings.Contains(line, " = ") && !strings.Contains(line, " ≈ ") {
			t.Errorf("%q has the result %q", expression, line)
		}
		if len(expression) < 900 && grammar.Expression(expression) == nil && strings.Contains(line, "not complete") {
			t.Errorf("the grammar reads %q and the tool does not", expression)
		}
	})
}
