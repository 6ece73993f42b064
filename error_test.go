package pam_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"testing"
	"time"

	"github.com/pam-assistant/pam"
)

// TestCodeNames holds codes and names against each other, both ways.
func TestCodeNames(t *testing.T) {
	t.Parallel()
	form, seen := regexp.MustCompile(`^[a-z][a-z0-9_]*$`), map[string]bool{}
	for i, code := range pam.Codes() {
		name := code.String()
		if int(code) != i+1 || !form.MatchString(name) || seen[name] {
			t.Errorf("code %d is named %q", code, name)
		}
		seen[name] = true
		text, err := code.MarshalText()
		if err != nil || string(text) != name {
			t.Errorf("%s is written %q, %v", name, text, err)
		}
		var read pam.Code
		if err := read.UnmarshalText([]byte(name)); err != nil || read != code {
			t.Errorf("%s is read as %v, %v", name, read, err)
		}
	}
	if len(seen) < 41 {
		t.Errorf("%d codes: the protocol names 41", len(seen))
	}
	for _, name := range []string{"", "Internal", "internal ", "code(0)", "code(99)", "no_code"} {
		code := pam.CodeBusy
		if err := code.UnmarshalText([]byte(name)); err == nil || code != pam.CodeBusy {
			t.Errorf("%q is read as %v, %v", name, code, err)
		}
	}
	if got := pam.Code(0).String() + pam.Code(255).String(); got != "code(0)code(255)" {
		t.Errorf("codes that are none are named %q", got)
	}
}

// TestErrorText holds what a log shows of an error, and in which order.
func TestErrorText(t *testing.T) {
	t.Parallel()
	for want, e := range map[string]*pam.Error{
		"busy":                {Code: pam.CodeBusy},
		"busy: file is there": {Code: pam.CodeBusy, Err: errors.New("file is there")},
		"store.append: store_full (wal): No room.: file does not exist": {
			Code: pam.CodeStoreFull, Op: "store.append", Detail: "wal", Message: "No room.", Hint: "not in the log's line", RetryAfter: time.Second, Err: fs.ErrNotExist,
		},
	} {
		if got := e.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestErrorChain holds that an error is asked for its code and for its cause.
func TestErrorChain(t *testing.T) {
	t.Parallel()
	inner := &pam.Error{Code: pam.CodeStoreUnavailable, Op: "store.append", Err: context.DeadlineExceeded}
	wrapped := fmt.Errorf("turn: %w", inner)
	if !errors.Is(wrapped, &pam.Error{Code: pam.CodeStoreUnavailable}) || errors.Is(wrapped, &pam.Error{Code: pam.CodeInternal}) {
		t.Error("errors.Is does not go by the code")
	}
	if !errors.Is(wrapped, context.DeadlineExceeded) {
		t.Error("the cause is lost")
	}
	outer := &pam.Error{Code: pam.CodeBusy, Err: wrapped}
	for want, err := range map[pam.Code]error{
		0:                        nil,
		pam.CodeInternal:         errors.New("any"),
		pam.CodeStoreUnavailable: wrapped,
		pam.CodeBusy:             fmt.Errorf("again: %w", outer), // the first of the chain counts
	} {
		if got := pam.CodeOf(err); got != want {
			t.Errorf("the code of %v is %v, want %v", err, got, want)
		}
	}
	if got := pam.CodeOf(errors.Join(errors.New("any"), inner)); got != pam.CodeStoreUnavailable {
		t.Errorf("the code among joined errors is %v", got)
	}
	if (&pam.Error{}).Unwrap() != nil {
		t.Error("an error without a cause has one")
	}
}

// TestChatKnownError holds that the refusal of a key says which.
func TestChatKnownError(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("store: %w", &pam.ChatKnownError{Chat: pam.Chat{ID: "i", Turn: "t"}})
	var known *pam.ChatKnownError
	if !errors.As(err, &known) || known.Chat.Turn != "t" || known.Error() != "pam: chat id i is known" {
		t.Errorf("got %v", err)
	}
}
