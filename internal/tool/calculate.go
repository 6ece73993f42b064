package tool

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/pam-assistant/pam"
)

// Calculate is the tool for arithmetic. Its numbers are exact fractions; what
// has no end in decimals is rounded, and the result says so.
type Calculate struct{}

// Spec says how calculate is called.
func (Calculate) Spec() pam.ToolSpec {
	return pam.ToolSpec{
		Name: "calculate",
		Description: "Works out arithmetic exactly: + - * / ^, parentheses, percentages (12% of 340), " +
			"remainders (17 mod 5), square roots (sqrt(2)), pi. Use it for every calculation instead of guessing.",
		Parameters: json.RawMessage(`{"type":"object","properties":{"expression":{"type":"string",` +
			`"description":"The expression, in numbers and signs, for example: 12% of 340"}},` +
			`"required":["expression"],"additionalProperties":false}`),
		Repeatable: true,
	}
}

// Call returns a line like `12% of 340 = 40.8`, with ≈ for = where the result
// is rounded.
func (t Calculate) Call(_ context.Context, _ pam.Session, args json.RawMessage) (string, error) {
	a, err := decode[struct {
		Expression string `json:"expression"`
	}](args)
	if err != nil {
		return "", refuse("tool.calculate", err)
	}
	line, err := calculate(a.Expression)
	if err != nil {
		return "", refuse("tool.calculate", err)
	}
	return line, nil
}

func calculate(expression string) (string, error) {
	expression = expressionOf(expression)
	n, err := parse(expression)
	if err != nil {
		return "", err
	}
	c := newCalculator()
	value, err := c.evaluate(n)
	if err != nil {
		return "", err
	}
	result, err := c.tell(value, toldDigits)
	if err != nil {
		return "", err
	}
	line := expression + " = " + result.text
	if !result.exact {
		line = fmt.Sprintf("%s ≈ %s (rounded to %d digits)", expression, result.text, toldDigits)
	}
	if n.any((*node).addsPercent) {
		line += " (the percentage is of what stands before it)"
	}
	return line, nil
}

// expressionOf returns text without what people write around an expression.
func expressionOf(text string) string {
	return strings.TrimSpace(strings.TrimRight(clean(text), " =?"))
}
