package tool

// maxNesting bounds parentheses, and signs and powers in a row.
const maxNesting = 100

const (
	errNothing    fault = "There is nothing to calculate."
	errIncomplete fault = "The expression is not complete."
	errNesting    fault = "The expression is nested too deeply."
	errTwoWays    fault = "A division followed by a product without its sign can be read in two ways: write the sign or parentheses."
	errPercent    fault = `Write "of" for a percentage or "mod" for a remainder.`
	errOf         fault = `Before "of" a percentage or a fraction is needed.`
	errOff        fault = `Before "off" a percentage is needed.`
)

// node is a part of an expression: a number, or an operation on one or two
// others.
type node struct {
	op          kind
	left, right *node
	value       number // of tokNumber
	grouped     bool   // it stood in parentheses
}

// parser reads tokens by recursive descent, loosest binding first:
// sum, product, sign, power, suffix, primary.
type parser struct {
	tokens []token
	depth  int
}

// parse reads an expression.
func parse(text string) (*node, error) {
	tokens, err := lex(text)
	if err != nil {
		return nil, err
	}
	if len(tokens) == 1 {
		return nil, errNothing
	}
	p := &parser{tokens: tokens}
	n, err := p.sum()
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != tokEnd {
		return nil, p.unexpected()
	}
	return n, nil
}

func (p *parser) peek() token { return p.tokens[0] }

func (p *parser) next() token {
	t := p.tokens[0]
	if t.kind != tokEnd {
		p.tokens = p.tokens[1:]
	}
	return t
}

// enter bounds the recursion; its result is to be called at the end.
func (p *parser) enter() (leave func(), err error) {
	if p.depth++; p.depth > maxNesting {
		return nil, errNesting
	}
	return func() { p.depth-- }, nil
}

func (p *parser) unexpected() error {
	t := p.peek()
	switch t.kind { //nolint:exhaustive // all others have a text
	case tokEnd:
		return errIncomplete
	case tokNumber:
		return fault("There is no sign before " + quote(t.text) + ".")
	}
	return fault(quote(t.text) + " is not expected there.")
}

func (p *parser) sum() (*node, error) {
	left, err := p.product()
	for err == nil && (p.peek().kind == tokPlus || p.peek().kind == tokMinus) {
		op := p.next().kind
		var right *node
		if right, err = p.product(); err == nil {
			left = &node{op: op, left: left, right: right}
		}
	}
	return left, err
}

func (p *parser) product() (*node, error) {
	left, err := p.signed()
	divided := false
	for err == nil {
		op := p.peek().kind
		switch op { //nolint:exhaustive // any other ends the product
		case tokTimes, tokDivide, tokMod, tokOf, tokOff:
			p.next()
		case tokPercent: // suffix left it: an operand follows
			p.next()
			op = tokMod
		case tokOpen, tokRoot, tokCube, tokPi:
			if divided {
				return nil, errTwoWays
			}
			op = tokTimes
		case tokNumber:
			if !left.grouped {
				return left, nil
			}
			if divided {
				return nil, errTwoWays
			}
			op = tokTimes
		default:
			return left, nil
		}
		if err := left.mayStandBefore(op); err != nil {
			return nil, err
		}
		divided = op == tokDivide
		var right *node
		if right, err = p.signed(); err == nil {
			left = &node{op: op, left: left, right: right}
		}
	}
	return left, err
}

// mayStandBefore reports what is wrong with n to the left of op: only a
// percentage, a quotient or a broken number is "of" something.
func (n *node) mayStandBefore(op kind) error {
	percent := n.op == tokPercentWord
	switch {
	case op == tokOff && !percent:
		return errOff
	case op != tokOf || percent:
		return nil
	case n.op == tokDivide && n.right.op == tokPercentWord && !n.grouped:
		return errTwoWays
	case n.op == tokDivide, n.op == tokOf,
		n.op == tokTimes && n.right.op == tokPercentWord,
		n.op == tokNumber && !n.value.isWhole():
		return nil
	}
	return errOf
}

func (p *parser) signed() (*node, error) {
	leave, err := p.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	switch p.peek().kind { //nolint:exhaustive // any other begins a power
	case tokPlus:
		p.next()
		return p.signed()
	case tokMinus:
		p.next()
		right, err := p.signed()
		if err != nil {
			return nil, err
		}
		return &node{op: tokMinus, right: right}, nil
	}
	return p.power()
}

func (p *parser) power() (*node, error) {
	base, err := p.suffixed()
	if err != nil || p.peek().kind != tokPower {
		return base, err
	}
	p.next()
	exponent, err := p.signed()
	if err != nil {
		return nil, err
	}
	return &node{op: tokPower, left: base, right: exponent}, nil
}

func (p *parser) suffixed() (*node, error) {
	n, err := p.primary()
	if err != nil {
		return nil, err
	}
	for {
		switch t := p.peek(); t.kind { //nolint:exhaustive // any other is no suffix
		case tokPercent:
			if behind := p.tokens[1]; begins(behind.kind) {
				if t.apart != behind.apart {
					return nil, errPercent
				}
				return n, nil
			}
			p.next()
			n = &node{op: tokPercentWord, left: n}
		case tokPercentWord:
			p.next()
			n = &node{op: tokPercentWord, left: n}
		case tokSuper:
			p.next()
			n = &node{op: tokPower, left: n, right: &node{op: tokNumber, value: t.value}}
		case tokScale:
			p.next()
			n = &node{op: tokTimes, left: n, right: &node{op: tokNumber, value: t.value}}
		default:
			return n, nil
		}
	}
}

// begins reports whether a token of that kind begins an operand, other than by
// a sign.
func begins(k kind) bool {
	return k == tokNumber || k == tokOpen || k == tokRoot || k == tokCube || k == tokPi
}

func (p *parser) primary() (*node, error) {
	leave, err := p.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	switch t := p.peek(); t.kind { //nolint:exhaustive // any other begins no operand
	case tokNumber:
		p.next()
		return &node{op: tokNumber, value: t.value}, nil
	case tokPi:
		p.next()
		return &node{op: tokPi}, nil
	case tokRoot, tokCube:
		p.next()
		of, err := p.suffixed()
		if err != nil {
			return nil, err
		}
		return &node{op: t.kind, right: of}, nil
	case tokOpen:
		p.next()
		n, err := p.sum()
		if err != nil {
			return nil, err
		}
		if p.peek().kind != tokClose {
			return nil, p.unexpected()
		}
		p.next()
		group := *n
		group.grouped = true
		return &group, nil
	}
	return nil, p.unexpected()
}
