package tool

import (
	"github.com/cockroachdb/apd/v3"
)

const (
	errZeroPower fault = "Zero to the power of zero has no agreed value."
	errNegRoot   fault = "A negative number has no real root or broken power that could be told."
)

// pow returns a to the power of b: exactly where that has at most maxDigits
// digits, else by its logarithm.
func (c *calculator) pow(a, b number) (number, error) {
	if a.num.IsZero() {
		return powZero(a, b)
	}
	n, isWhole := b.integer()
	switch {
	case b.num.IsZero():
		return whole(1), nil
	case isWhole && a.sure == 0 && a.fits(n):
		return c.powWhole(a, n)
	case a.sign() < 0 && !b.isWhole():
		return number{}, errNegRoot
	}
	result, err := c.powRough(a, b)
	if err != nil {
		return number{}, err
	}
	if exact, ok := c.root(a, b, result); ok {
		return exact, nil
	}
	return result, nil
}

// powZero returns a^b where a is zero.
func powZero(a, b number) (number, error) {
	switch b.sign() {
	case 0:
		return number{}, errZeroPower
	case -1:
		return number{}, errByZero
	}
	return a, nil
}

// isWhole reports whether n is an integer of any size.
func (n number) isWhole() bool {
	return n.sure == 0 && n.den.Cmp(apd.New(1, 0)) == 0 && new(apd.Decimal).Set(n.num).Exponent >= 0
}

// integer returns n where it is an integer of at most nine digits.
func (n number) integer() (int64, bool) {
	if !n.isWhole() || magnitude(n.num) > 8 {
		return 0, false
	}
	i, err := n.num.Int64()
	return i, err == nil
}

// fits reports whether n^e surely has few enough digits to be worked out
// exactly.
func (n number) fits(e int64) bool {
	if e < 0 {
		e = -e
	}
	for _, d := range []*apd.Decimal{n.num, n.den} {
		digits := d.NumDigits()
		if d.Coeff.IsInt64() && d.Coeff.Int64() == 1 {
			digits = 0
		}
		exponent := int64(d.Exponent)
		if exponent < 0 {
			exponent = -exponent
		}
		if digits*e > maxDigits || exponent*e > maxDigits {
			return false
		}
	}
	return true
}

// powWhole multiplies; a.fits(e) must hold.
func (c *calculator) powWhole(a number, e int64) (number, error) {
	if e < 0 {
		inverse, err := c.div(whole(1), a)
		if err != nil {
			return number{}, err
		}
		a, e = inverse, -e
	}
	result := whole(1)
	for {
		var err error
		if e&1 == 1 {
			if result, err = c.mul(result, a); err != nil {
				return number{}, err
			}
		}
		if e >>= 1; e == 0 {
			return result, nil
		}
		if a, err = c.mul(a, a); err != nil {
			return number{}, err
		}
	}
}

// powRough returns a^b by exp(b ln|a|). Where a is negative, b is an integer.
func (c *calculator) powRough(a, b number) (number, error) {
	if c.slow++; c.slow > maxRough {
		return number{}, errTooMany
	}
	base, power, log := new(apd.Decimal), new(apd.Decimal), new(apd.Decimal)
	wide := c.rough
	steps := []func() (apd.Condition, error){
		func() (apd.Condition, error) { return wide.Quo(base, a.num, a.den) },
		func() (apd.Condition, error) { return wide.Abs(base, base) },
		func() (apd.Condition, error) { return wide.Quo(power, b.num, b.den) },
		func() (apd.Condition, error) { return wide.Ln(log, base) },
		func() (apd.Condition, error) { return wide.Mul(log, log, power) },
	}
	for _, step := range steps {
		if _, err := step(); err != nil {
			return number{}, errTooBig
		}
	}
	// e^2302 has a thousand digits.
	if log.Form != apd.Finite || new(apd.Decimal).Abs(log).Cmp(apd.New(2302, 0)) > 0 {
		return number{}, errTooBig
	}
	result := new(apd.Decimal)
	if _, err := wide.Exp(result, log); err != nil {
		return number{}, errTooBig
	}
	if a.sign() < 0 && odd(b.num) {
		result.Negative = true
	}
	// What a and b are uncertain in, the result is, times the power: and a is
	// uncertain at least in what its division above has rounded.
	times := float64(max(magnitude(power), 0))
	sure := roughDigits - 5 - max(times-10, 0)
	if a.sure != 0 {
		sure = min(sure, a.sure-times-2)
	}
	if b.sure != 0 {
		sure = min(sure, b.sure-float64(max(magnitude(log), 0))-2)
	}
	return c.settle(result, apd.New(1, 0), max(sure, unsure))
}

// odd reports whether the integer d is odd.
func odd(d *apd.Decimal) bool {
	return d.Exponent == 0 && d.Coeff.Bit(0) == 1
}

// root looks for the exact value of a^b where b is p/q with a small q: a
// number r near the approximation with r^q = a^p.
func (c *calculator) root(a, b, near number) (number, bool) {
	if a.sure != 0 || b.sure != 0 || b.isWhole() {
		return number{}, false
	}
	guess := new(apd.Decimal)
	if _, err := c.rough.WithPrecision(roughDigits-20).Round(guess, near.num); err != nil {
		return number{}, false
	}
	r, err := c.settle(guess, apd.New(1, 0), 0)
	if err != nil {
		return number{}, false
	}
	for q := int64(2); q <= 12; q++ {
		times, err := c.mul(b, whole(q))
		if err != nil {
			return number{}, false
		}
		p, ok := times.integer()
		if !ok || !a.fits(p) || !r.fits(q) {
			continue
		}
		left, errLeft := c.powWhole(r, q)
		right, errRight := c.powWhole(a, p)
		if errLeft != nil || errRight != nil {
			return number{}, false
		}
		gap, err := c.sub(left, right)
		return r, err == nil && gap.num.IsZero()
	}
	return number{}, false
}
