package terminal

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/client"
)

// Say returns the connection's state in words, for a line of its own; it is
// empty where there is nothing to say, which is while it is connected.
func Say(state client.State, now time.Time) string {
	switch s := state.(type) {
	case client.Connecting:
		return "connecting…"
	case client.Connected:
		return ""
	case client.Silent:
		return fmt.Sprintf("nothing heard from the server for %s", seconds(now.Sub(s.Since)))
	case client.Reconnecting:
		cause, _ := Explain(s.Cause)
		if in := s.At.Sub(now); in > 500*time.Millisecond {
			return fmt.Sprintf("reconnecting in %s: %s", seconds(in), clause(cause))
		}
		return "reconnecting: " + clause(cause)
	case client.Refused:
		cause, _ := Explain(s.Cause)
		return "not connected: " + clause(cause)
	case client.Closed:
		return "closed"
	}
	return ""
}

// Explain returns what is wrong, to the person at the screen, and what to do
// about it. Both are clean.
func Explain(err error) (message, hint string) {
	if lost, ok := errors.AsType[*client.ConnectionError](err); ok {
		return explainConnection(lost)
	}
	e, ok := errors.AsType[*pam.Error](err)
	if !ok {
		return oneLine(err.Error(), 500), ""
	}
	message, hint = e.Message, e.Hint
	if message == "" {
		message = e.Code.String()
	}
	if e.Detail != "" {
		message = strings.TrimSuffix(message, ".") + " (" + e.Detail + ")."
	}
	return oneLine(message, 500), oneLine(hint, 500)
}

func explainConnection(e *client.ConnectionError) (message, hint string) {
	at := home(e.URL)
	switch {
	case e.Reached:
		return "The connection to " + at + " was lost.", ""
	case e.Status >= 500:
		return fmt.Sprintf("A proxy answers at %s, and PAM behind it does not (status %d).", at, e.Status), "Start PAM again, or wait for it."
	case e.Status != 0:
		return fmt.Sprintf("Something answers at %s, but it is not PAM (status %d).", at, e.Status), "Check PAM_URL, or the address that you gave."
	}
	return "No server answers at " + at + ".", "Start one with: pam serve"
}

// home is the address as a person types it.
func home(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return oneLine(address, 100)
	}
	scheme := "http"
	if u.Scheme == "wss" || u.Scheme == "https" {
		scheme = "https"
	}
	return scheme + "://" + oneLine(u.Host, 100)
}

// clause is a sentence that goes on after a colon.
func clause(sentence string) string {
	sentence = strings.TrimSuffix(sentence, ".")
	first, size := utf8.DecodeRuneInString(sentence)
	if next, _ := utf8.DecodeRuneInString(sentence[size:]); unicode.IsUpper(next) { // PAM
		return sentence
	}
	return string(unicode.ToLower(first)) + sentence[size:]
}

// seconds is a duration as a person counts it: whole seconds, rounded up.
func seconds(d time.Duration) string {
	n := int64((d + time.Second - 1) / time.Second)
	if n >= 120 {
		return fmt.Sprintf("%d min", n/60)
	}
	return fmt.Sprintf("%d s", max(n, 1))
}
