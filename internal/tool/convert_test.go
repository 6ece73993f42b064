package tool_test

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/tool"
)

func newUnits(t testing.TB) *tool.Units {
	t.Helper()
	units, err := tool.NewUnits()
	if err != nil {
		t.Fatal(err)
	}
	return units
}

func convert(t testing.TB, units *tool.Units, quantity, to string) string {
	t.Helper()
	args, err := json.Marshal(map[string]string{"quantity": quantity, "to": to})
	if err != nil {
		t.Fatal(err)
	}
	line, err := tool.NewConvert(units).Call(t.Context(), pam.Session{}, args)
	return lineOr(t, line, err)
}

func TestConvert(t *testing.T) {
	t.Parallel()
	units := newUnits(t)
	for _, c := range []struct{ quantity, to, want string }{
		{"5 miles", "km", "5 miles = 8.04672 kilometres"},
		{"5 mi", "kilometers", "5 miles = 8.04672 kilometres"},
		{"1 km", "mile", "1 kilometre ≈ 0.6213711922 miles (rounded to 10 digits)"},
		{"a gallon", "cups", "1 US gallon = 16 US cups"},
		{"1 imperial gallon", "litres", "1 imperial gallon = 4.54609 litres"},
		{"2 cups", "ml", "2 US cups = 473.176473 millilitres"},
		{"8 oz", "ml", "8 US fluid ounces = 236.5882365 millilitres"},
		{"8 oz", "g", "8 ounces = 226.796185 grams"},
		{"1 1/2 cups", "tbsp", "1.5 US cups = 24 US tablespoons"},
		{"½ cup", "tbsp", "0.5 US cups = 8 US tablespoons"},
		{"half a pound", "grams", "0.5 pounds = 226.796185 grams"},
		{"100 °F", "°C", "100 degrees Fahrenheit ≈ 37.77777778 degrees Celsius (rounded to 10 digits)"},
		{"-40 F", "C", "-40 degrees Fahrenheit = -40 degrees Celsius"},
		{"20 degrees celsius", "fahrenheit", "20 degrees Celsius = 68 degrees Fahrenheit"},
		{"0 K", "C", "0 kelvin = -273.15 degrees Celsius"},
		{"60 mph", "km/h", "60 miles per hour = 96.56064 kilometres per hour"},
		{"10 knots", "m/s", "10 knots ≈ 5.144444444 metres per second (rounded to 10 digits)"},
		{"1 acre", "square meters", "1 acre = 4046.8564224 square metres"},
		{"1 ft2", "in²", "1 square foot = 144 square inches"},
		{"32 psi", "bar", "32 psi ≈ 2.206322334 bar (rounded to 10 digits)"},
		{"1 atm", "kPa", "1 atmosphere = 101.325 kilopascals"},
		{"1 kWh", "MJ", "1 kilowatt-hour = 3.6 megajoules"},
		{"1 GiB", "MB", "1 gibibyte = 1073.741824 megabytes"},
		{"100 Mb", "MB", "100 megabits = 12.5 megabytes"},
		{"1 week", "hours", "1 week = 168 hours"},
		{"100 PS", "kW", "100 metric horsepower = 73.549875 kilowatts"},
		{"30 mpg", "l/100km", "30 miles per US gallon ≈ 7.840486111 litres per 100 km (rounded to 10 digits)"},
		{"5 l/100 km", "km/l", "5 litres per 100 km = 20 kilometres per litre"},
		{"5 ft 10 in", "cm", "5 feet 10 inches = 177.8 centimetres"},
		{"5'10\"", "cm", "5 feet 10 inches = 177.8 centimetres"},
		{"5'10", "cm", "5 feet 10 inches = 177.8 centimetres"},
		{"2 hours and 30 minutes", "minutes", "2 hours 30 minutes = 150 minutes"},
		{"3 million metres", "km", "3000000 metres = 3000 kilometres"},
		{"1,000 m", "km", "1000 metres = 1 kilometre"},
		{"1/3 cup", "ml", "1/3 US cups = 78.8627455 millilitres"},
		{"5 miles", "kilograms", "error: The mile measures length and the kilogram measures mass, so one cannot be converted into the other."},
		{"5 miles", "parsecs", `error: There is no unit called "parsecs".`},
		{"1 year", "days", "error: A year has 365 or 366 days, so it cannot be converted exactly: ask in days."},
		{"5 dollars", "euros", "error: Currencies have no fixed rate, and PAM knows none."},
		{"-300 C", "K", "error: There is no temperature below absolute zero."},
		{"0 mpg", "l/100km", "error: That divides by zero, which has no value."},
		{"5 mw", "W", `error: "mw" may be milliwatts or megawatts.`},
		{"5", "km", `error: The quantity needs a unit behind "5".`},
		{"", "km", "error: There is no quantity to convert."},
		{"5 C 10 C", "F", "error: Several degrees Celsius cannot be added up."},
		{"1 m 1 s", "km", "error: The second measures time and the kilometre measures length, so one cannot be converted into the other."},
		{strings.Repeat("1 m ", 49), "km", "error: The quantity has too many parts."},
		{strings.Repeat("1 m ", 99), "km", "error: The quantity is longer than 200 characters."},
	} {
		if got := convert(t, units, c.quantity, c.to); got != c.want {
			t.Errorf("convert %.40q to %q\n got  %s\n want %s", c.quantity, c.to, got, c.want)
		}
	}
}

// TestFactors holds the table against numbers of other sources, as exact
// fractions: NIST SP 811 and the SI brochure.
func TestFactors(t *testing.T) {
	t.Parallel()
	units := newUnits(t)
	for _, c := range []struct{ from, to, factor string }{
		{"inch", "cm", "2.54"},
		{"nautical mile", "m", "1852"},
		{"lb", "g", "453.59237"},
		{"stone", "kg", "6.35029318"},
		{"troy ounce", "g", "31.1034768"},
		{"long ton", "kg", "1016.0469088"},
		{"us gallon", "cubic inch", "231"},
		{"imperial gallon", "l", "4.54609"},
		{"barrel", "gallons", "42"},
		{"acre", "square feet", "43560"},
		{"square mile", "acres", "640"},
		{"knot", "km/h", "1.852"},
		{"mph", "ft/s", "22/15"},
		{"psi", "Pa", "8896443230521/1290320000"},
		{"bar", "psi", "129032000000000/8896443230521"},
		{"torr", "Pa", "20265/152"},
		{"hp", "W", "745.69987158227022"},
		{"kcal", "kJ", "4.184"},
		{"BTU", "J", "1055.05585262"},
		{"TiB", "GiB", "1024"},
		{"byte", "bits", "8"},
		{"day", "s", "86400"},
		{"lbf", "N", "4.4482216152605"},
		{"light-year", "km", "9460730472580.8"},
		{"rpm", "Hz", "1/60"},
	} {
		line := convert(t, units, "1 "+c.from, c.to)
		want, _ := new(big.Rat).SetString(c.factor)
		if !agrees(line, want) {
			t.Errorf("%s, want %s", line, c.factor)
		}
	}
}

// agrees reports whether the result of line is want: exactly behind "=", to
// its digits behind "≈".
func agrees(line string, want *big.Rat) bool {
	_, result, exact := strings.Cut(line, " = ")
	if !exact {
		_, result, _ = strings.Cut(line, " ≈ ")
	}
	text, _, _ := strings.Cut(result, " ")
	got, ok := new(big.Rat).SetString(text)
	if !ok {
		return false
	}
	if exact {
		return got.Cmp(want) == 0
	}
	bound := new(big.Rat).Mul(new(big.Rat).Abs(want), big.NewRat(1, 1_000_000_000))
	difference := new(big.Rat).Sub(got, want)
	return difference.Abs(difference).Cmp(bound) < 0
}

func FuzzConvert(f *testing.F) {
	for _, seed := range []string{"5 miles|km", "5'10\"|cm", "1 1/2 cups|ml", "half an hour|s", "-40 °F|°C", "l/100km|mpg", "5 l/100 km|mpg", "1e5 ft^2|acre", "a|b", "two hundred pounds|stone"} {
		quantity, to, _ := strings.Cut(seed, "|")
		f.Add(quantity, to)
	}
	units := newUnits(f)
	f.Fuzz(func(t *testing.T, quantity, to string) {
		args, err := json.Marshal(map[string]string{"quantity": quantity, "to": to})
		if err != nil {
			return // it cannot be said in JSON
		}
		start := time.Now()
		line, err := tool.NewConvert(units).Call(t.Context(), pam.Session{}, args)
		line = lineOr(t, line, err)
		if d := time.Since(start); d > 5*time.Second || len(line) > 4000 {
			t.Errorf("%q to %q took %v for %d bytes", quantity, to, d, len(line))
		}
	})
}
