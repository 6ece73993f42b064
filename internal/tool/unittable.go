package tool

// table is the units that measure the same thing.
type table struct {
	measures string
	rows     []row
}

// unitTables returns all units. Factors are exact by definition: those of the
// international yard and pound (1959), of the US liquid and the imperial
// gallon, of the SI brochure (9th edition). Where two units share a name, the
// one of the earlier table is meant unless only the later one fits.
func unitTables() []table {
	return []table{
		{"length", lengths()},
		{"mass", masses()},
		{"volume", append(metricVolumes(), customaryVolumes()...)},
		{"speed", speeds()},
		{"area", areas()},
		{"temperature", temperatures()},
		{"pressure", pressures()},
		{"energy", energies()},
		{"power", powers()},
		{"data", append(bytes(), bits()...)},
		{"time", times()},
		{"fuel economy", economies()},
		{"force", forces()},
		{"frequency", frequencies()},
		{"angle", angles()},
	}
}

// vagueUnits returns names that have no fixed factor, and why.
func vagueUnits() map[string]string {
	return map[string]string{
		"month":   "A month has 28 to 31 days, so it cannot be converted exactly.",
		"mo":      "A month has 28 to 31 days, so it cannot be converted exactly.",
		"year":    "A year has 365 or 366 days, so it cannot be converted exactly: ask in days.",
		"yr":      "A year has 365 or 366 days, so it cannot be converted exactly: ask in days.",
		"decade":  "A decade has 3652 or 3653 days, so it cannot be converted exactly: ask in days.",
		"century": "A century has 36524 or 36525 days, so it cannot be converted exactly: ask in days.",
		"degree":  "Degrees may be of temperature or of an angle: say degrees Celsius, degrees Fahrenheit or degrees of arc.",
		"dollar":  "Currencies have no fixed rate, and PAM knows none.",
		"usd":     "Currencies have no fixed rate, and PAM knows none.",
		"euro":    "Currencies have no fixed rate, and PAM knows none.",
		"eur":     "Currencies have no fixed rate, and PAM knows none.",
		"gbp":     "Currencies have no fixed rate, and PAM knows none.",
		"yen":     "Currencies have no fixed rate, and PAM knows none.",
		"rupee":   "Currencies have no fixed rate, and PAM knows none.",
	}
}

func lengths() []row {
	return []row{
		{one: "metre", many: "metres", factor: "1", names: "m"},
		{one: "kilometre", many: "kilometres", factor: "1000", names: "km,kms,k.m,klick,klicks"},
		{one: "centimetre", many: "centimetres", factor: "0.01", names: "cm,cms"},
		{one: "decimetre", many: "decimetres", factor: "0.1", names: "dm"},
		{one: "millimetre", many: "millimetres", factor: "0.001", names: "mm"},
		{one: "micrometre", many: "micrometres", factor: "1e-6", names: "um,micron,microns"},
		{one: "nanometre", many: "nanometres", factor: "1e-9", names: "nm"},
		{one: "mile", many: "miles", factor: "1609.344", names: "mi,statute mile,statute miles"},
		{one: "yard", many: "yards", factor: "0.9144", names: "yd,yds"},
		{one: "foot", many: "feet", factor: "0.3048", names: "ft,foots,'"},
		{one: "inch", many: "inches", factor: "0.0254", names: `in,ins,"`},
		{one: "nautical mile", many: "nautical miles", factor: "1852", names: "nmi,sea mile,sea miles"},
		{one: "furlong", many: "furlongs", factor: "201.168"},
		{one: "fathom", many: "fathoms", factor: "1.8288"},
		{one: "light-year", many: "light-years", factor: "9460730472580800", names: "ly,light year,light years,lightyear,lightyears"},
		{one: "astronomical unit", many: "astronomical units", factor: "149597870700", names: "au"},
	}
}

func masses() []row {
	return []row{
		{one: "kilogram", many: "kilograms", factor: "1", names: "kg,kgs,kilo,kilos,kilogramme,kilogrammes"},
		{one: "gram", many: "grams", factor: "0.001", names: "g,gr,gramme,grammes"},
		{one: "milligram", many: "milligrams", factor: "1e-6", names: "mg,milligramme,milligrammes"},
		{one: "microgram", many: "micrograms", factor: "1e-9", names: "ug,mcg"},
		{one: "tonne", many: "tonnes", factor: "1000", names: "t,metric ton,metric tons"},
		{one: "pound", many: "pounds", factor: "0.45359237", names: "lb,lbs"},
		{one: "ounce", many: "ounces", factor: "0.45359237/16", names: "oz"},
		{one: "troy ounce", many: "troy ounces", factor: "0.0311034768", names: "ozt"},
		{one: "stone", many: "stone", factor: "0.45359237*14", names: "stones"},
		{one: "US ton", many: "US tons", factor: "0.45359237*2000", names: "ton,tons,short ton,short tons"},
		{one: "long ton", many: "long tons", factor: "0.45359237*2240", names: "imperial ton,imperial tons,uk ton,uk tons"},
		{one: "carat", many: "carats", factor: "0.0002", names: "ct"},
		{one: "grain", many: "grains", factor: "0.00006479891"},
	}
}

func metricVolumes() []row {
	return []row{
		{one: "litre", many: "litres", factor: "1", names: "l"},
		{one: "millilitre", many: "millilitres", factor: "0.001", names: "ml"},
		{one: "centilitre", many: "centilitres", factor: "0.01", names: "cl"},
		{one: "decilitre", many: "decilitres", factor: "0.1", names: "dl"},
		{one: "hectolitre", many: "hectolitres", factor: "100", names: "hl"},
		{one: "cubic metre", many: "cubic metres", factor: "1000", names: "m3,cu m"},
		{one: "cubic centimetre", many: "cubic centimetres", factor: "0.001", names: "cm3,cc,ccm,cu cm"},
		{one: "cubic millimetre", many: "cubic millimetres", factor: "1e-6", names: "mm3"},
		{one: "cubic kilometre", many: "cubic kilometres", factor: "1e12", names: "km3"},
		{one: "cubic foot", many: "cubic feet", factor: "28.316846592", names: "ft3,cu ft,cuft"},
		{one: "cubic inch", many: "cubic inches", factor: "0.016387064", names: "in3,cu in"},
		{one: "cubic yard", many: "cubic yards", factor: "764.554857984", names: "yd3,cu yd"},
	}
}

func customaryVolumes() []row {
	return []row{
		{one: "US gallon", many: "US gallons", factor: "3.785411784", names: "gallon,gallons,gal,gals,us gal"},
		{one: "US quart", many: "US quarts", factor: "3.785411784/4", names: "quart,quarts,qt,qts"},
		{one: "US pint", many: "US pints", factor: "3.785411784/8", names: "pint,pints,pt,pts"},
		{one: "US cup", many: "US cups", factor: "3.785411784/16", names: "cup,cups"},
		{one: "US fluid ounce", many: "US fluid ounces", factor: "3.785411784/128", names: "fluid ounce,fluid ounces,fl oz,floz,fl. oz,us fl oz,oz,ounce,ounces"},
		{one: "US tablespoon", many: "US tablespoons", factor: "3.785411784/256", names: "tablespoon,tablespoons,tbsp,tbsps,tbs"},
		{one: "US teaspoon", many: "US teaspoons", factor: "3.785411784/768", names: "teaspoon,teaspoons,tsp,tsps"},
		{one: "imperial gallon", many: "imperial gallons", factor: "4.54609", names: "uk gallon,uk gallons,uk gal,imp gal"},
		{one: "imperial quart", many: "imperial quarts", factor: "4.54609/4", names: "uk quart,uk quarts"},
		{one: "imperial pint", many: "imperial pints", factor: "4.54609/8", names: "uk pint,uk pints"},
		{one: "imperial fluid ounce", many: "imperial fluid ounces", factor: "4.54609/160", names: "uk fluid ounce,uk fluid ounces,uk fl oz"},
		{one: "oil barrel", many: "oil barrels", factor: "3.785411784*42", names: "barrel,barrels,bbl,barrel of oil,barrels of oil"},
	}
}

func speeds() []row {
	return []row{
		{one: "metre per second", many: "metres per second", factor: "1", names: "m/s,mps,metre/second,metres/second"},
		{one: "kilometre per hour", many: "kilometres per hour", factor: "1/3.6", names: "km/h,kmh,kph,kmph,kilometres an hour,km per hour,km/hr"},
		{one: "mile per hour", many: "miles per hour", factor: "0.44704", names: "mph,mi/h,miles an hour"},
		{one: "knot", many: "knots", factor: "1852/3600", names: "kn,kt,kts"},
		{one: "foot per second", many: "feet per second", factor: "0.3048", names: "ft/s,fps"},
		{one: "kilometre per second", many: "kilometres per second", factor: "1000", names: "km/s"},
		{one: "speed of light", many: "times the speed of light", factor: "299792458"},
	}
}

func areas() []row {
	return []row{
		{one: "square metre", many: "square metres", factor: "1", names: "m2,sqm,sq m"},
		{one: "square kilometre", many: "square kilometres", factor: "1e6", names: "km2,sq km"},
		{one: "square centimetre", many: "square centimetres", factor: "0.0001", names: "cm2,sq cm"},
		{one: "square millimetre", many: "square millimetres", factor: "1e-6", names: "mm2,sq mm"},
		{one: "hectare", many: "hectares", factor: "10000", names: "ha"},
		{one: "are", many: "ares", factor: "100"},
		{one: "acre", many: "acres", factor: "4046.8564224", names: "ac"},
		{one: "square mile", many: "square miles", factor: "2589988.110336", names: "mi2,sq mi,sq mile,sq miles"},
		{one: "square yard", many: "square yards", factor: "0.83612736", names: "yd2,sq yd"},
		{one: "square foot", many: "square feet", factor: "0.09290304", names: "ft2,sqft,sq ft,sq feet,sq foot"},
		{one: "square inch", many: "square inches", factor: "0.00064516", names: "in2,sq in"},
	}
}

func temperatures() []row {
	return []row{
		{one: "kelvin", many: "kelvin", factor: "1", names: "K,kelvins"},
		{one: "degree Celsius", many: "degrees Celsius", factor: "1", offset: "273.15", names: "C,°C,celsius,centigrade,degrees C,degree C,deg C"},
		{one: "degree Fahrenheit", many: "degrees Fahrenheit", factor: "5/9", offset: "459.67", names: "F,°F,fahrenheit,farenheit,degrees F,degree F,deg F"}, //nolint:misspell // as people write it
		{one: "degree Rankine", many: "degrees Rankine", factor: "5/9", names: "rankine,°R"},
	}
}

func pressures() []row {
	return []row{
		{one: "pascal", many: "pascals", factor: "1", names: "Pa"},
		{one: "hectopascal", many: "hectopascals", factor: "100", names: "hPa"},
		{one: "kilopascal", many: "kilopascals", factor: "1000", names: "kPa"},
		{one: "megapascal", many: "megapascals", factor: "1e6", names: "MPa"},
		{one: "bar", many: "bar", factor: "100000", names: "bars"},
		{one: "millibar", many: "millibar", factor: "100", names: "mbar,millibars"},
		{one: "psi", many: "psi", factor: "4.4482216152605/0.00064516", names: "pound per square inch,pounds per square inch,lbs per square inch,lb/in2,lbf/in2"},
		{one: "atmosphere", many: "atmospheres", factor: "101325", names: "atm,standard atmosphere,standard atmospheres"},
		{one: "millimetre of mercury", many: "millimetres of mercury", factor: "133.322387415", names: "mmHg"},
		{one: "inch of mercury", many: "inches of mercury", factor: "3386.388640341", names: "inHg"},
		{one: "torr", many: "torr", factor: "101325/760"},
	}
}

func energies() []row {
	return []row{
		{one: "joule", many: "joules", factor: "1", names: "J"},
		{one: "kilojoule", many: "kilojoules", factor: "1000", names: "kJ"},
		{one: "megajoule", many: "megajoules", factor: "1e6", names: "MJ"},
		{one: "gigajoule", many: "gigajoules", factor: "1e9", names: "GJ"},
		{one: "watt-hour", many: "watt-hours", factor: "3600", names: "Wh,watt hour,watt hours"},
		{one: "kilowatt-hour", many: "kilowatt-hours", factor: "3.6e6", names: "kWh,kwhs,kilowatt hour,kilowatt hours"},
		{one: "megawatt-hour", many: "megawatt-hours", factor: "3.6e9", names: "MWh,megawatt hour,megawatt hours"},
		{one: "calorie", many: "calories", factor: "4.184", names: "cal"},
		{one: "kilocalorie", many: "kilocalories", factor: "4184", names: "kcal,kcals"},
		{one: "BTU", many: "BTU", factor: "1055.05585262", names: "btus,british thermal unit,british thermal units"},
		{one: "electronvolt", many: "electronvolts", factor: "1.602176634e-19", names: "eV"},
		{one: "foot-pound", many: "foot-pounds", factor: "1.3558179483314004", names: "ft lb,ft-lb,ft lbs,foot pound,foot pounds"},
	}
}

func powers() []row {
	return []row{
		{one: "watt", many: "watts", factor: "1", names: "W"},
		{one: "milliwatt", many: "milliwatts", factor: "0.001", names: "mW"},
		{one: "kilowatt", many: "kilowatts", factor: "1000", names: "kW"},
		{one: "megawatt", many: "megawatts", factor: "1e6", names: "MW"},
		{one: "gigawatt", many: "gigawatts", factor: "1e9", names: "GW"},
		{one: "mechanical horsepower", many: "mechanical horsepower", factor: "745.69987158227022", names: "hp,bhp,horsepower,horse power"},
		{one: "metric horsepower", many: "metric horsepower", factor: "735.49875", names: "PS,cv"},
		{one: "BTU per hour", many: "BTU per hour", factor: "1055.05585262/3600", names: "btu/h,btu/hr"},
	}
}
