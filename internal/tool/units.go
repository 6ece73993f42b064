package tool

import (
	"fmt"
	"slices"
	"strings"
)

// unit is a unit of measurement. A value x in it is (x+offset)*factor in the
// base of its dimension, or factor/x where it is inverse.
type unit struct {
	one, many string // how it is told: "mile", "miles"
	measures  string // "length"
	factor    number
	offset    number
	inverse   bool
}

// row is a unit as the tables write it. Factor and offset are expressions;
// names are what people write beside one and many, with commas between.
type row struct {
	one, many, factor, names string
	offset                   string
	inverse                  bool
}

// Units is the table of all units that PAM knows, with exact factors. It is
// never changed once it is made, so that all may share it.
type Units struct {
	exact map[string][]*unit // by name, as it is written: mW is not MW
	loose map[string][]*unit // by name in lower case
	vague map[string]string  // what is no unit, and why
}

// NewUnits returns the table. It fails only where the table in the source is
// wrong, which a test excludes.
func NewUnits() (*Units, error) {
	u := &Units{exact: make(map[string][]*unit), loose: make(map[string][]*unit), vague: vagueUnits()}
	for _, table := range unitTables() {
		for _, r := range table.rows {
			if err := u.add(table.measures, r); err != nil {
				return nil, err
			}
		}
	}
	return u, nil
}

func (u *Units) add(measures string, r row) error {
	factor, err := constant(r.factor)
	if err != nil {
		return fmt.Errorf("tool: unit %s: %w", r.one, err)
	}
	offset := whole(0)
	if r.offset != "" {
		if offset, err = constant(r.offset); err != nil {
			return fmt.Errorf("tool: unit %s: %w", r.one, err)
		}
	}
	entry := &unit{one: r.one, many: r.many, measures: measures, factor: factor, offset: offset, inverse: r.inverse}
	names := []string{r.one, r.many}
	if r.names != "" {
		names = append(names, strings.Split(r.names, ",")...)
	}
	for _, name := range names {
		put(u.exact, name, entry)
		put(u.loose, strings.ToLower(name), entry)
	}
	return nil
}

func put(table map[string][]*unit, name string, entry *unit) {
	if !slices.Contains(table[name], entry) {
		table[name] = append(table[name], entry)
	}
}

func constant(expression string) (number, error) {
	n, err := parse(expression)
	if err != nil {
		return number{}, err
	}
	return newCalculator().evaluate(n)
}

// find returns the units that a name may mean, the likeliest first: an ounce
// is one of mass, and of volume.
func (u *Units) find(name string) ([]*unit, error) {
	name = strings.TrimSuffix(clean(name), ".")
	if len(name) > maxUnitName {
		return nil, fault("There is no unit called " + quote(name) + ".")
	}
	name = strings.NewReplacer("²", "2", "³", "3", "^2", "2", "^3", "3", " / ", "/", "µ", "u", "μ", "u",
		"″", `"`, "”", `"`, "′", "'", "’", "'").Replace(name)
	if found := u.exact[name]; len(found) > 0 {
		return found, nil
	}
	lower := strings.ToLower(name)
	for _, spelled := range spellings(lower) {
		found := u.loose[spelled]
		if len(found) > 1 && found[0].measures == found[1].measures {
			return nil, fault(fmt.Sprintf("%s may be %s or %s.", quote(name), found[0].many, found[1].many))
		}
		if len(found) > 0 {
			return found, nil
		}
	}
	for _, n := range []string{lower, strings.TrimSuffix(lower, "s")} {
		if why, ok := u.vague[n]; ok {
			return nil, fault(why)
		}
	}
	return nil, fault("There is no unit called " + quote(name) + ".")
}

// maxUnitName is the greatest length of a unit's name, in bytes.
const maxUnitName = 64

// spellings returns what a unit's name may be written as in the tables.
func spellings(lower string) []string {
	british := strings.NewReplacer("meter", "metre", "liter", "litre").Replace(lower)
	words := strings.NewReplacer("sq ", "square ", "sq. ", "square ", "cu ", "cubic ", "cu. ", "cubic ").Replace(british)
	if power, ok := strings.CutSuffix(british, " squared"); ok {
		words = "square " + power
	}
	bare := strings.TrimSpace(strings.TrimPrefix(lower, "°"))
	for _, prefix := range []string{"degrees ", "degree ", "deg "} {
		bare = strings.TrimPrefix(bare, prefix)
	}
	return []string{lower, british, words, strings.Replace(british, "square ", "sq ", 1), bare}
}

// toBase returns x of this unit in the base of its dimension.
func (t *unit) toBase(c *calculator, x number) (number, error) {
	if t.inverse {
		return c.div(t.factor, x)
	}
	sum, err := c.add(x, t.offset)
	if err != nil {
		return number{}, err
	}
	return c.mul(sum, t.factor)
}

// fromBase is the inverse of toBase.
func (t *unit) fromBase(c *calculator, base number) (number, error) {
	if t.inverse {
		return c.div(t.factor, base)
	}
	quotient, err := c.div(base, t.factor)
	if err != nil {
		return number{}, err
	}
	return c.sub(quotient, t.offset)
}

// name returns how x of this unit is told.
func (t *unit) name(x string) string {
	if x == "1" {
		return t.one
	}
	return t.many
}
