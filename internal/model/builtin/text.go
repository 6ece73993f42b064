package builtin

import "unicode"

// What the assistant says of itself.
const (
	whoIAm   = "I am PAM's built-in assistant: a small program, not a language model."
	whatIDo  = "I can do arithmetic (12% of 340), convert units (5 miles in km), tell the time (what time is it in Tokyo), say what your context tells of you (where am I), and remember things (remember that my dog is called Rex)."
	plugIn   = "To have a language model answer, start PAM with PAM_MODEL=openai/NAME and OPENAI_API_KEY set; PAM_OPENAI_BASE_URL points it to any compatible endpoint."
	noWords  = "I do not understand that, and I would rather not guess."
	whatThat = "Tell me what to remember, for example: remember that my dog is called Rex."
)

// decline says that a question was not understood, and where it is known, why.
func decline(why string) string {
	if why != "" {
		why = " " + why
	}
	return noWords + why + " " + whoIAm + " " + whatIDo + " " + plugIn
}

// printable maps white space to a space, and control and invisible formatting
// characters to nothing.
func printable(r rune) rune {
	switch {
	case unicode.IsSpace(r):
		return ' '
	case r == '\u200d' || r == '\u200c': // they join and part letters and emoji
		return r
	case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp):
		return -1
	}
	return r
}
