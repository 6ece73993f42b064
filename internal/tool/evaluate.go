package tool

import (
	"strings"

	"github.com/cockroachdb/apd/v3"
)

const (
	// exactDigits is how many digits a broken number may have to be told
	// whole; integers are told whole in any case.
	exactDigits = 40
	// toldDigits is how many are told of any other.
	toldDigits = 15
)

// evaluate returns the value of n.
func (c *calculator) evaluate(n *node) (number, error) {
	switch n.op { //nolint:exhaustive // the others have operands
	case tokNumber:
		return n.value, nil
	case tokPi:
		return pi()
	}
	var left number
	if n.left != nil {
		var err error
		if left, err = c.evaluate(n.left); err != nil {
			return number{}, err
		}
	}
	if n.op == tokPercentWord {
		return c.div(left, whole(100))
	}
	right, err := c.evaluate(n.right)
	if err != nil {
		return number{}, err
	}
	return c.operate(n, left, right)
}

// operate returns n's operation on the values of its parts.
func (c *calculator) operate(n *node, left, right number) (number, error) {
	switch n.op { //nolint:exhaustive // the others are no operations
	case tokPlus:
		return c.plus(n, left, right)
	case tokMinus:
		if n.left == nil {
			return c.neg(right), nil
		}
		return c.plus(n, left, c.neg(right))
	case tokTimes, tokOf:
		return c.mul(left, right)
	case tokDivide:
		return c.div(left, right)
	case tokMod:
		return c.mod(left, right)
	case tokOff:
		off, err := c.mul(left, right)
		if err != nil {
			return number{}, err
		}
		return c.sub(right, off)
	case tokPower:
		return c.pow(left, right)
	case tokRoot:
		return c.pow(right, number{num: apd.New(1, 0), den: apd.New(2, 0)})
	case tokCube:
		return c.pow(right, number{num: apd.New(1, 0), den: apd.New(3, 0)})
	}
	return number{}, errIncomplete
}

// addsPercent reports whether n adds or takes off a percentage of what stands
// before it, as 200 + 10% does on a pocket calculator.
func (n *node) addsPercent() bool {
	return (n.op == tokPlus || n.op == tokMinus) && n.left != nil &&
		n.right.op == tokPercentWord && !n.right.grouped && n.left.op != tokPercentWord
}

func (c *calculator) plus(n *node, left, right number) (number, error) {
	if n.addsPercent() {
		var err error
		if right, err = c.mul(left, right); err != nil {
			return number{}, err
		}
	}
	return c.add(left, right)
}

func pi() (number, error) {
	d, _, err := apd.NewFromString("3.141592653589793238462643383279502884197169399375105820974944592307816")
	return number{num: d, den: apd.New(1, 0), sure: roughDigits}, err
}

// any reports whether f holds for n or a part of it.
func (n *node) any(f func(*node) bool) bool {
	return n != nil && (f(n) || n.left.any(f) || n.right.any(f))
}

// told is a number as it is told.
type told struct {
	text  string
	exact bool
}

// tell writes n: whole where it is exact and short enough, else rounded to
// that many digits.
func (c *calculator) tell(n number, digits uint32) (told, error) {
	q := new(apd.Decimal).Set(n.num)
	var cond apd.Condition
	if n.den.Cmp(apd.New(1, 0)) != 0 {
		var err error
		if cond, err = c.exact.WithPrecision(maxDigits).Quo(q, n.num, n.den); err != nil || q.Form != apd.Finite {
			return told{}, errTooBig
		}
	}
	q.Reduce(q)
	if n.sure == 0 && !cond.Inexact() && (q.Exponent >= 0 || q.NumDigits() <= exactDigits) {
		return told{text: write(q), exact: true}, nil
	}
	if _, err := c.exact.WithPrecision(digits).Round(q, q); err != nil {
		return told{}, errTooBig
	}
	q.Reduce(q)
	return told{text: write(q)}, nil
}

// write writes d without an exponent, unless that takes many zeros.
func write(d *apd.Decimal) string {
	if d.IsZero() {
		return "0"
	}
	if magnitude(d) < -20 || d.Exponent > 30 {
		return strings.Replace(d.Text('E'), "E+", "E", 1)
	}
	return d.Text('f')
}
