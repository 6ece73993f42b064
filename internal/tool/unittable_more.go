package tool

func bytes() []row {
	return []row{
		{one: "byte", many: "bytes", factor: "1", names: "B"},
		{one: "kilobyte", many: "kilobytes", factor: "1e3", names: "kB,KB,kb"},
		{one: "megabyte", many: "megabytes", factor: "1e6", names: "MB,mb"},
		{one: "gigabyte", many: "gigabytes", factor: "1e9", names: "GB,gb,gig,gigs"},
		{one: "terabyte", many: "terabytes", factor: "1e12", names: "TB,tb"},
		{one: "petabyte", many: "petabytes", factor: "1e15", names: "PB"},
		{one: "kibibyte", many: "kibibytes", factor: "2^10", names: "KiB"},
		{one: "mebibyte", many: "mebibytes", factor: "2^20", names: "MiB"},
		{one: "gibibyte", many: "gibibytes", factor: "2^30", names: "GiB"},
		{one: "tebibyte", many: "tebibytes", factor: "2^40", names: "TiB"},
	}
}

func bits() []row {
	return []row{
		{one: "bit", many: "bits", factor: "1/8"},
		{one: "kilobit", many: "kilobits", factor: "1e3/8", names: "kbit,kbits"},
		{one: "megabit", many: "megabits", factor: "1e6/8", names: "Mbit,Mbits,Mb"},
		{one: "gigabit", many: "gigabits", factor: "1e9/8", names: "Gbit,Gbits,Gb"},
		{one: "terabit", many: "terabits", factor: "1e12/8", names: "Tbit,Tbits,Tb"},
	}
}

func times() []row {
	return []row{
		{one: "second", many: "seconds", factor: "1", names: "s,sec,secs"},
		{one: "millisecond", many: "milliseconds", factor: "0.001", names: "ms,msec"},
		{one: "microsecond", many: "microseconds", factor: "1e-6", names: "us"},
		{one: "nanosecond", many: "nanoseconds", factor: "1e-9", names: "ns"},
		{one: "minute", many: "minutes", factor: "60", names: "min,mins"},
		{one: "hour", many: "hours", factor: "3600", names: "h,hr,hrs"},
		{one: "day", many: "days", factor: "86400", names: "d"},
		{one: "week", many: "weeks", factor: "604800", names: "wk,wks"},
		{one: "fortnight", many: "fortnights", factor: "1209600"},
	}
}

// economies: the base is kilometres on a litre; litres for 100 km run the
// other way.
func economies() []row {
	return []row{
		{one: "kilometre per litre", many: "kilometres per litre", factor: "1", names: "km/l,kmpl"},
		{one: "litre per 100 km", many: "litres per 100 km", factor: "100", inverse: true, names: "l/100km,l/100 km,l per 100km,litres per 100 kilometres,litres/100km"},
		{one: "mile per US gallon", many: "miles per US gallon", factor: "1.609344/3.785411784", names: "mpg,us mpg,mpg us,mile per gallon,miles per gallon"},
		{one: "mile per imperial gallon", many: "miles per imperial gallon", factor: "1.609344/4.54609", names: "imperial mpg,uk mpg,mpg uk"},
	}
}

func forces() []row {
	return []row{
		{one: "newton", many: "newtons", factor: "1", names: "N"},
		{one: "kilonewton", many: "kilonewtons", factor: "1000", names: "kN"},
		{one: "kilogram-force", many: "kilograms-force", factor: "9.80665", names: "kgf"},
		{one: "pound-force", many: "pounds-force", factor: "4.4482216152605", names: "lbf"},
	}
}

func frequencies() []row {
	return []row{
		{one: "hertz", many: "hertz", factor: "1", names: "Hz"},
		{one: "kilohertz", many: "kilohertz", factor: "1000", names: "kHz"},
		{one: "megahertz", many: "megahertz", factor: "1e6", names: "MHz"},
		{one: "gigahertz", many: "gigahertz", factor: "1e9", names: "GHz"},
		{one: "revolution per minute", many: "revolutions per minute", factor: "1/60", names: "rpm"},
	}
}

func angles() []row {
	return []row{
		{one: "degree of arc", many: "degrees of arc", factor: "1", names: "arc degree,arc degrees,arcdegree,arcdegrees"},
		{one: "turn", many: "turns", factor: "360", names: "revolution,revolutions"},
		{one: "radian", many: "radians", factor: "180/pi", names: "rad,rads"},
		{one: "gradian", many: "gradians", factor: "0.9", names: "gon,grad"},
		{one: "arcminute", many: "arcminutes", factor: "1/60", names: "minute of arc,minutes of arc"},
		{one: "arcsecond", many: "arcseconds", factor: "1/3600", names: "second of arc,seconds of arc"},
	}
}
