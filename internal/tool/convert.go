package tool

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/pam-assistant/pam"
)

// toldUnitDigits is how many digits of a converted quantity are told where it
// has no short exact value.
const toldUnitDigits = 10

// Convert is the tool for units.
type Convert struct{ units *Units }

// NewConvert returns the tool for the units given.
func NewConvert(units *Units) *Convert { return &Convert{units: units} }

// Spec says how convert is called.
func (t *Convert) Spec() pam.ToolSpec {
	return pam.ToolSpec{
		Name: "convert",
		Description: "Converts a quantity into another unit, exactly: length, mass, volume (US cup, pint, gallon; " +
			"imperial where it says so), speed, area, temperature, pressure, energy, power, data, time, fuel economy, force.",
		Parameters: json.RawMessage(`{"type":"object","properties":{` +
			`"quantity":{"type":"string","description":"A number and its unit, for example: 5 miles, -40 °F, 5 ft 10 in"},` +
			`"to":{"type":"string","description":"The unit to convert into, for example: km"}},` +
			`"required":["quantity","to"],"additionalProperties":false}`),
		Repeatable: true,
	}
}

// Call returns a line like `5 miles = 8.04672 kilometres`, with ≈ for = where
// the result is rounded.
func (t *Convert) Call(_ context.Context, _ pam.Session, args json.RawMessage) (string, error) {
	a, err := decode[struct {
		Quantity string `json:"quantity"`
		To       string `json:"to"`
	}](args)
	if err != nil {
		return "", refuse("tool.convert", err)
	}
	line, err := t.units.convert(a.Quantity, a.To)
	if err != nil {
		return "", refuse("tool.convert", err)
	}
	return line, nil
}

func (u *Units) convert(quantity, name string) (string, error) {
	pieces, err := u.quantity(quantity)
	if err != nil {
		return "", err
	}
	targets, err := u.find(name)
	if err != nil {
		return "", err
	}
	target, from, err := match(pieces, targets)
	if err != nil {
		return "", err
	}
	c := newCalculator()
	base, asked, err := sumUp(c, pieces, from)
	if err != nil {
		return "", err
	}
	value, err := target.fromBase(c, base)
	if err != nil {
		return "", err
	}
	result, err := c.tell(value, toldUnitDigits)
	if err != nil {
		return "", err
	}
	line := fmt.Sprintf("%s = %s %s", asked, result.text, target.name(result.text))
	if !result.exact {
		line = fmt.Sprintf("%s ≈ %s %s (rounded to %d digits)", asked, result.text, target.name(result.text), toldUnitDigits)
	}
	return line, nil
}

// match picks from what the names may mean the units that measure the same.
func match(pieces []piece, targets []*unit) (target *unit, from []*unit, err error) {
	for _, target := range targets {
		from := make([]*unit, 0, len(pieces))
		for _, p := range pieces {
			for _, candidate := range p.units {
				if candidate.measures == target.measures {
					from = append(from, candidate)
					break
				}
			}
		}
		if len(from) == len(pieces) {
			return target, from, nil
		}
	}
	for _, p := range pieces {
		if p.units[0].measures != targets[0].measures {
			return nil, nil, fault(fmt.Sprintf("The %s measures %s and the %s measures %s, so one cannot be converted into the other.",
				p.units[0].one, p.units[0].measures, targets[0].one, targets[0].measures))
		}
	}
	return nil, nil, fault("The parts of the quantity measure different things.")
}

// sumUp adds the pieces in the base of their dimension, and tells them.
func sumUp(c *calculator, pieces []piece, from []*unit) (base number, asked string, err error) {
	base = whole(0)
	told := make([]string, len(pieces))
	for i, p := range pieces {
		t := from[i]
		if len(pieces) > 1 && (t.inverse || !t.offset.num.IsZero()) {
			return number{}, "", fault(fmt.Sprintf("Several %s cannot be added up.", t.many))
		}
		value, err := t.toBase(c, p.value)
		if err != nil {
			return number{}, "", err
		}
		if t.measures == "temperature" && value.sign() < 0 {
			return number{}, "", fault("There is no temperature below absolute zero.")
		}
		// 5 ft 10 in below zero is below zero in both.
		if i > 0 && pieces[0].value.sign() < 0 {
			value = c.neg(value)
		}
		if base, err = c.add(base, value); err != nil {
			return number{}, "", err
		}
		written, err := c.tell(p.value, toldUnitDigits)
		if err != nil {
			return number{}, "", err
		}
		if written.exact {
			told[i] = written.text + " " + t.name(written.text)
		} else {
			told[i] = p.text + " " + t.many
		}
	}
	return base, strings.Join(told, " "), nil
}
