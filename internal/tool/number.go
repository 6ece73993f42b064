package tool

import (
	"math"

	"github.com/cockroachdb/apd/v3"
)

const (
	// maxDigits bounds every number on the way to a result, in digits of its
	// numerator and its denominator, and its exponent.
	maxDigits = 1000
	// roughDigits is how many digits roots and powers are worked out to where
	// they have no exact value; ten more are carried.
	roughDigits = 60
	// minSure is how many digits must be certain for a result to be told.
	minSure = 17
	// maxRough bounds the roots and powers of one expression, which are by far
	// the slowest: each takes up to a millisecond.
	maxRough = 40
)

const (
	errTooBig  fault = "The numbers become too large to calculate with."
	errByZero  fault = "That divides by zero, which has no value."
	errVague   fault = "Rounding leaves too few certain digits of that result to tell it."
	errTooMany fault = "There are too many roots and powers in that."
)

// number is the fraction num/den. It is exact where sure is zero; else it is
// an approximation whose first sure digits hold. It is never changed.
type number struct {
	num, den *apd.Decimal
	sure     float64
}

func whole(n int64) number { return number{num: apd.New(n, 0), den: apd.New(1, 0)} }

func (n number) sign() int { return n.num.Sign() * n.den.Sign() }

// magnitude is the exponent of d's first digit.
func magnitude(d *apd.Decimal) int { return int(d.NumDigits()) + int(d.Exponent) - 1 }

// calculator carries the contexts of one calculation, and counts what is slow.
// Only one goroutine may use it.
type calculator struct {
	exact, rough *apd.Context
	slow         int
}

func newCalculator() *calculator {
	context := func(precision uint32) *apd.Context {
		return &apd.Context{
			Precision:   precision,
			MaxExponent: 10 * maxDigits,
			MinExponent: -10 * maxDigits,
			Rounding:    apd.RoundHalfEven,
		}
	}
	return &calculator{exact: context(3*maxDigits + 1), rough: context(roughDigits + 10)}
}

// settle checks the bounds of num/den and, where that is a short decimal,
// makes it one.
func (c *calculator) settle(num, den *apd.Decimal, sure float64) (number, error) {
	if sure != 0 && sure < minSure {
		return number{}, errVague
	}
	if q, ok := c.decimal(num, den, sure != 0); ok {
		num, den = q, apd.New(1, 0)
	}
	if sure != 0 && num.NumDigits() > roughDigits+10 {
		if _, err := c.rough.Round(num, num); err != nil {
			return number{}, errTooBig
		}
	}
	for _, d := range []*apd.Decimal{num, den} {
		if d.Reduce(d); !bounded(d) {
			return number{}, errTooBig
		}
	}
	return number{num: num, den: den, sure: sure}, nil
}

// decimal returns num/den where that has at most a hundred digits, or may be
// rounded to them.
func (c *calculator) decimal(num, den *apd.Decimal, mayRound bool) (*apd.Decimal, bool) {
	if den.Cmp(apd.New(1, 0)) == 0 {
		return num, true
	}
	q := new(apd.Decimal)
	cond, err := c.exact.WithPrecision(100).Quo(q, num, den)
	return q, err == nil && (mayRound || !cond.Inexact()) && !cond.Overflow() && !cond.Underflow()
}

func bounded(d *apd.Decimal) bool {
	return d.Form == apd.Finite && d.NumDigits() <= maxDigits && magnitude(d) <= maxDigits && magnitude(d) >= -maxDigits
}

func (c *calculator) mulDecimal(x, y *apd.Decimal) *apd.Decimal {
	d := new(apd.Decimal)
	if cond, err := c.exact.Mul(d, x, y); err != nil || cond.Inexact() || cond.Overflow() || cond.Underflow() {
		d.Form = apd.NaN // settle refuses it
	}
	return d
}

func (c *calculator) addDecimal(x, y *apd.Decimal) *apd.Decimal {
	d := new(apd.Decimal)
	if x.Form != apd.Finite || y.Form != apd.Finite {
		d.Form = apd.NaN
		return d
	}
	if cond, err := c.exact.Add(d, x, y); err != nil || cond.Inexact() || cond.Overflow() {
		d.Form = apd.NaN
	}
	return d
}

func (c *calculator) add(a, b number) (number, error) {
	if a.den.Cmp(b.den) == 0 {
		num := c.addDecimal(a.num, b.num)
		return c.settle(num, new(apd.Decimal).Set(a.den), sureSum(a, b, num, a.den))
	}
	num := c.addDecimal(c.mulDecimal(a.num, b.den), c.mulDecimal(b.num, a.den))
	den := c.mulDecimal(a.den, b.den)
	return c.settle(num, den, sureSum(a, b, num, den))
}

// sureSum returns how many digits of (a+b) = num/den hold: every digit that
// the sum has lost in front was a certain one.
func sureSum(a, b number, num, den *apd.Decimal) float64 {
	if a.sure == 0 && b.sure == 0 {
		return 0
	}
	if num.Form != apd.Finite || den.Form != apd.Finite || num.IsZero() {
		return unsure
	}
	size := log10(num) - log10(den)
	sure := float64(roughDigits)
	for _, n := range []number{a, b} {
		if n.sure != 0 && !n.num.IsZero() {
			sure = min(sure, size-(log10(n.num)-log10(n.den)-n.sure))
		}
	}
	if a.sure != 0 && b.sure != 0 {
		sure -= log2
	}
	return max(sure, unsure)
}

// sureProduct returns how many digits of a product or a quotient hold.
func sureProduct(a, b number) float64 {
	if a.sure == 0 || b.sure == 0 {
		return a.sure + b.sure
	}
	return max(min(a.sure, b.sure)-log2, unsure)
}

const (
	unsure = 0.1    // no digit holds
	log2   = 0.3011 // what two errors of the same size cost, in digits
)

// log10 returns the logarithm of |d|, which is not zero.
func log10(d *apd.Decimal) float64 {
	digits := float64(d.NumDigits())
	if digits > 300 {
		return digits - 1 + float64(d.Exponent)
	}
	f, err := apd.NewWithBigInt(&d.Coeff, 0).Float64()
	if err != nil {
		return digits - 1 + float64(d.Exponent)
	}
	return math.Log10(f) + float64(d.Exponent)
}

func (c *calculator) neg(a number) number {
	return number{num: new(apd.Decimal).Neg(a.num), den: a.den, sure: a.sure}
}

func (c *calculator) sub(a, b number) (number, error) { return c.add(a, c.neg(b)) }

func (c *calculator) mul(a, b number) (number, error) {
	return c.settle(c.mulDecimal(a.num, b.num), c.mulDecimal(a.den, b.den), sureProduct(a, b))
}

func (c *calculator) div(a, b number) (number, error) {
	if b.num.IsZero() {
		return number{}, errByZero
	}
	num, den := c.mulDecimal(a.num, b.den), c.mulDecimal(a.den, b.num)
	if den.Negative {
		num.Negative, den.Negative = !num.Negative, false
	}
	return c.settle(num, den, sureProduct(a, b))
}

// mod returns a - b*floor(a/b): the remainder with the sign of b.
func (c *calculator) mod(a, b number) (number, error) {
	q, err := c.div(a, b)
	if err != nil {
		return number{}, err
	}
	floor := new(apd.Decimal)
	cond, err := c.exact.QuoInteger(floor, q.num, q.den)
	if err != nil || cond.DivisionImpossible() || floor.Form != apd.Finite {
		return number{}, errTooBig
	}
	n := number{num: floor, den: apd.New(1, 0)}
	rest, err := c.sub(q, n)
	if err != nil {
		return number{}, err
	}
	if rest.sign() < 0 {
		if n, err = c.sub(n, whole(1)); err != nil {
			return number{}, err
		}
	}
	product, err := c.mul(b, n)
	if err != nil {
		return number{}, err
	}
	return c.sub(a, product)
}
