package pam_test

import (
	"strings"
	"testing"

	"github.com/pam-assistant/pam"
)

func TestValidID(t *testing.T) {
	t.Parallel()
	for _, id := range []string{
		"a", "0", "-", ".", "..", ":", "_", "1736500000.123", "01961f3e-7b2a-7c4e-8f6a-0123456789ab",
		"azAZ09._:-", strings.Repeat("x", pam.MaxIDLength),
	} {
		if !pam.ValidID(id) {
			t.Errorf("%q may be an id", id)
		}
	}
	for _, id := range []string{
		"", " ", "a b", "a\n", "a\x00", "\x7f", "a/b", "../x", `a\b`, `"`, "é", "\xff", "a@b", "a`b", "a{b", "a[b", "a^b", "a;b", "a,b", "a+b", "a%b",
		strings.Repeat("x", pam.MaxIDLength+1), strings.Repeat("é", pam.MaxIDLength/2),
	} {
		if pam.ValidID(id) {
			t.Errorf("%q may be no id", id)
		}
	}
	const taken = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-"
	for c := range 256 {
		id := "a" + string([]byte{byte(c)})
		if got, want := pam.ValidID(id), strings.IndexByte(taken, byte(c)) >= 0; got != want {
			t.Errorf("ValidID(%q) = %v, want %v", id, got, want)
		}
	}
}

func TestRole(t *testing.T) {
	t.Parallel()
	for role, want := range map[pam.Role]string{0: "none", pam.RoleUser: "user", pam.RoleOperator: "operator", 99: "none"} {
		text, err := role.MarshalText()
		if role.String() != want || string(text) != want || err != nil {
			t.Errorf("role %d is %q and %q, %v; want %q", role, role.String(), text, err, want)
		}
	}
}

func TestHashContent(t *testing.T) {
	t.Parallel()
	a, again, b := pam.HashContent("a"), pam.HashContent("a"), pam.HashContent("b")
	if a != again || a == b || pam.HashContent("") == (pam.ContentHash{}) {
		t.Error("a hash does not tell one message from another")
	}
}
