package tool

// Grammar says what the tools can read, for a model that has no language of
// its own. It answers without calling a tool; nil means that the tool will
// understand, whether or not there is an answer (1/0 is an expression). It is
// never changed, so that all may share it.
type Grammar struct{ units *Units }

// NewGrammar returns the grammar of the tools with the units given.
func NewGrammar(units *Units) *Grammar { return &Grammar{units: units} }

// Expression says what is wrong with text as something to calculate. A number
// alone is none.
func (g *Grammar) Expression(text string) error {
	n, err := parse(expressionOf(text))
	if err != nil {
		return err
	}
	if n.op == tokNumber || n.op == tokMinus && n.left == nil && n.right.op == tokNumber {
		return errNothing
	}
	return nil
}

// Conversion says what is wrong with quantity and unit as something to
// convert. That they measure different things is for the tool to say.
func (g *Grammar) Conversion(quantity, unit string) error {
	if _, err := g.units.quantity(quantity); err != nil {
		return err
	}
	_, err := g.units.find(unit)
	return err
}

// Place says what is wrong with name as a place whose time can be told.
func (g *Grammar) Place(name string) error {
	_, err := findZone(name)
	return err
}
