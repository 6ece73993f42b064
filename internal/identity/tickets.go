package identity

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"sync"
	"time"

	pam "github.com/pam-assistant/pam"
)

// TicketTTL is how long a ticket may be used.
const TicketTTL = 30 * time.Second

// maxUsed is how many used tickets are remembered per TicketTTL: 16 bytes
// each, twice.
const maxUsed = 1 << 17

// The layout of a ticket, in bytes, before base64url: id, end of the ticket,
// end of the principal (both in milliseconds), role, user, HMAC-SHA256.
const (
	ticketIDLen = 16
	ticketHead  = ticketIDLen + 8 + 8 + 1
	ticketMAC   = sha256.Size
	// maxTicketLength bounds what is decoded: a user of 128 characters of four
	// bytes each.
	maxTicketLength = (ticketHead+4*MaxUserLength+ticketMAC)*4/3 + 2
)

type ticketID [ticketIDLen]byte

// Tickets hands out tickets that carry a principal from one request to the
// next: one use, 30 s. A ticket is signed with a key that this process alone
// knows and remembered only once it is used, so issuing costs no memory, and a
// restart makes every ticket ticket_invalid. It is safe for concurrent use.
type Tickets struct {
	key [32]byte
	now func() time.Time

	mu sync.Mutex
	// used holds what was redeemed since turned, and in the period before: so
	// each is remembered for at least TicketTTL, and then dropped at once.
	used   [2]map[ticketID]struct{}
	turned time.Time
}

// NewTickets returns an issuer with a fresh key. now is the clock.
func NewTickets(now func() time.Time) *Tickets {
	t := &Tickets{now: now, turned: now()}
	_, _ = rand.Read(t.key[:]) // never fails: it ends the process instead
	t.used[0] = make(map[ticketID]struct{})
	return t
}

// Issue returns a ticket for p, and when it ends: after TicketTTL, or with p
// itself where that is sooner.
func (t *Tickets) Issue(p pam.Principal) (ticket string, expires time.Time) {
	expires = t.now().Add(TicketTTL).Truncate(time.Millisecond)
	if p.Expires.Before(expires) {
		expires = p.Expires.Truncate(time.Millisecond)
	}
	raw := make([]byte, ticketIDLen, ticketHead+len(p.User)+ticketMAC)
	_, _ = rand.Read(raw)
	raw = appendTime(raw, expires)
	raw = appendTime(raw, p.Expires)
	raw = append(raw, byte(p.Role))
	raw = append(raw, p.User...)
	raw = t.mac(raw, raw)
	return base64.RawURLEncoding.EncodeToString(raw), expires.UTC()
}

// Redeem uses up a ticket and returns its principal. One that was not issued
// by this process, was used before or is over is ticket_invalid; where more
// tickets were used of late than can be remembered, it is overloaded.
func (t *Tickets) Redeem(ticket string) (pam.Principal, error) {
	// The decoder would skip line breaks, and a ticket has one text.
	if len(ticket) > maxTicketLength || strings.ContainsAny(ticket, "\r\n") {
		return pam.Principal{}, ticketInvalid("it is not one of this process")
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(ticket)
	if err != nil || len(raw) < ticketHead+ticketMAC {
		return pam.Principal{}, ticketInvalid("it is not one of this process")
	}
	body, mac := raw[:len(raw)-ticketMAC], raw[len(raw)-ticketMAC:]
	if !hmac.Equal(mac, t.mac(nil, body)) {
		return pam.Principal{}, ticketInvalid("it is not one of this process")
	}
	ends := timeAt(body[ticketIDLen:])
	if !t.now().Before(ends) {
		return pam.Principal{}, ticketInvalid("it is over")
	}
	if err := t.use(ticketID(body[:ticketIDLen])); err != nil {
		return pam.Principal{}, err
	}
	return pam.Principal{
		User:    pam.UserID(body[ticketHead:]),
		Role:    pam.Role(body[ticketHead-1]),
		Expires: timeAt(body[ticketIDLen+8:]),
	}, nil
}

// use remembers id, or says that it was there.
func (t *Tickets) use(id ticketID) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.turn()
	for _, period := range t.used {
		if _, ok := period[id]; ok {
			return ticketInvalid("it was used before")
		}
	}
	if len(t.used[0]) >= maxUsed {
		return &pam.Error{
			Code: pam.CodeOverloaded, Op: opTicket, RetryAfter: TicketTTL,
			Message: "Too many sign-ins at once.",
			Hint:    "send the token itself ('Authorization: Bearer TOKEN' or the frame auth), or try again",
		}
	}
	t.used[0][id] = struct{}{}
	return nil
}

// turn forgets what was used longer ago than any ticket lives.
func (t *Tickets) turn() {
	now := t.now()
	since := now.Sub(t.turned)
	if since < TicketTTL {
		return
	}
	t.used[1] = nil
	if since < 2*TicketTTL {
		t.used[1] = t.used[0]
	}
	t.used[0], t.turned = make(map[ticketID]struct{}), now
}

func (t *Tickets) mac(to, body []byte) []byte {
	h := hmac.New(sha256.New, t.key[:])
	h.Write(body)
	return h.Sum(to)
}

// appendTime and timeAt carry a time in eight bytes, in milliseconds: the sign
// goes round as it came.
func appendTime(to []byte, t time.Time) []byte {
	return binary.BigEndian.AppendUint64(to, uint64(t.UnixMilli()))
}

func timeAt(b []byte) time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(b))).UTC() //nolint:gosec // bits, not a number.
}

func ticketInvalid(detail string) error {
	return &pam.Error{
		Code: pam.CodeTicketInvalid, Op: opTicket, Detail: detail,
		Message: "Your sign-in link cannot be used again.",
		Hint:    "get a new ticket for each connection: POST /api/v1/pam/tickets; one use, 30 s",
	}
}
