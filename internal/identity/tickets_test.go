package identity_test

import (
	"encoding/base64"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	pam "github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/identity"
)

func TestTicketIsUsedOnce(t *testing.T) {
	t.Parallel()
	c := &clock{}
	tickets := identity.NewTickets(c.now)
	ada := pam.Principal{User: pam.UserID(strings.Repeat("𝒜", 128)), Role: pam.RoleOperator, Expires: noon().Add(time.Hour)}
	ticket, expires := tickets.Issue(ada)
	if !expires.Equal(noon().Add(30 * time.Second)) {
		t.Errorf("expires %v", expires)
	}
	c.advance(29 * time.Second)
	got, err := tickets.Redeem(ticket)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(ada, got); diff != "" {
		t.Error(diff)
	}
	for range 3 {
		_, err = tickets.Redeem(ticket)
		wantCode(t, err, pam.CodeTicketInvalid)
		c.advance(20 * time.Second)
	}
}

// TestTicketIsUsedOnceAcrossPeriods uses a ticket at the end of one period of
// the memory, and again in the next.
func TestTicketIsUsedOnceAcrossPeriods(t *testing.T) {
	t.Parallel()
	c := &clock{}
	tickets := identity.NewTickets(c.now)
	c.advance(25 * time.Second)
	ticket, _ := tickets.Issue(pam.Principal{User: "ada", Role: pam.RoleUser, Expires: noon().Add(time.Hour)})
	c.advance(4 * time.Second)
	if _, err := tickets.Redeem(ticket); err != nil {
		t.Fatal(err)
	}
	c.advance(6 * time.Second)
	_, err := tickets.Redeem(ticket)
	if e := wantCode(t, err, pam.CodeTicketInvalid); e.Detail != "it was used before" {
		t.Errorf("refused with %v", e)
	}
}

func TestBadTickets(t *testing.T) {
	t.Parallel()
	c := &clock{}
	tickets := identity.NewTickets(c.now)
	ada := pam.Principal{User: "ada", Role: pam.RoleUser, Expires: noon().Add(time.Hour)}
	good, _ := tickets.Issue(ada)
	ofAnother, _ := identity.NewTickets(c.now).Issue(ada)
	raw, err := base64.RawURLEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		raw[i] ^= 1
		_, err := tickets.Redeem(base64.RawURLEncoding.EncodeToString(raw))
		wantCode(t, err, pam.CodeTicketInvalid)
		raw[i] ^= 1
	}
	for name, bad := range map[string]string{
		"empty": "", "a word": "ticket", "a restart": ofAnother, "padded": good + "=", "a line break": good + "\n",
		"longer": good + "AAAA", "shorter": good[:len(good)-4], "loose bits": good[:len(good)-1] + string(spare(good[len(good)-1])),
		"huge": strings.Repeat("A", 1<<20), "zeros": base64.RawURLEncoding.EncodeToString(make([]byte, 80)),
	} {
		if bad == good { // the last character had no bits to spare
			continue
		}
		_, err := tickets.Redeem(bad)
		if e := wantCode(t, err, pam.CodeTicketInvalid); strings.Contains(e.Error()+e.Hint, good[:20]) {
			t.Errorf("%s: the ticket is in the refusal", name)
		}
	}
	c.advance(30 * time.Second)
	_, err = tickets.Redeem(good)
	wantCode(t, err, pam.CodeTicketInvalid)
	// A ticket never outlives whom it stands for.
	soon, expires := tickets.Issue(pam.Principal{User: "ada", Role: pam.RoleUser, Expires: c.now().Add(time.Second)})
	if !expires.Equal(c.now().Add(time.Second)) {
		t.Errorf("expires %v", expires)
	}
	c.advance(time.Second)
	_, err = tickets.Redeem(soon)
	wantCode(t, err, pam.CodeTicketInvalid)
}

func TestTicketIsUsedOnceByMany(t *testing.T) {
	t.Parallel()
	c := &clock{}
	tickets := identity.NewTickets(c.now)
	for range 50 {
		ticket, _ := tickets.Issue(pam.Principal{User: "ada", Role: pam.RoleUser, Expires: c.now().Add(time.Hour)})
		var good atomic.Int32
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if _, err := tickets.Redeem(ticket); err == nil {
					good.Add(1)
				}
			})
		}
		wg.Wait()
		if n := good.Load(); n != 1 {
			t.Fatalf("a ticket was taken %d times", n)
		}
		c.advance(11 * time.Second)
	}
}

// TestTicketsAreBounded fills the memory of used tickets, and sees it empty
// again.
func TestTicketsAreBounded(t *testing.T) {
	t.Parallel()
	c := &clock{}
	tickets := identity.NewTickets(c.now)
	ada := pam.Principal{User: "ada", Role: pam.RoleUser, Expires: noon().Add(time.Hour)}
	taken := 0
	for {
		ticket, _ := tickets.Issue(ada)
		_, err := tickets.Redeem(ticket)
		if err != nil {
			wantCode(t, err, pam.CodeOverloaded)
			break
		}
		if taken++; taken > 1<<18 {
			t.Fatal("the memory of used tickets has no bound")
		}
	}
	c.advance(30 * time.Second)
	ticket, _ := tickets.Issue(ada)
	if _, err := tickets.Redeem(ticket); err != nil {
		t.Error(err)
	}
}
