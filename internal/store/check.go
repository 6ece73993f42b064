package store

import (
	"crypto/sha256"
	"strconv"
	"unicode/utf8"

	"github.com/pam-assistant/pam"
)

// ChatKey is an idempotency key as it is stored: of a user who was deleted
// nothing but hashes stays.
type ChatKey [sha256.Size]byte

// KeyOf returns the stored form of a user's idempotency key. No user id holds
// a control character, so the zero byte keeps the two apart.
func KeyOf(user pam.UserID, id pam.ChatID) ChatKey {
	b := make([]byte, 0, len(user)+1+len(id))
	b = append(b, user...)
	b = append(b, 0)
	b = append(b, id...)
	return sha256.Sum256(b)
}

// CheckEvents reports whether events may follow head: pam.ErrSuperseded where
// their first number is not the next one, CodeInternal where they are not
// what an owner may send at all.
func CheckEvents(events []pam.Record, head int64) error {
	for i, e := range events {
		switch {
		case i == 0 && e.Seq != head+1:
			return pam.ErrSuperseded
		case e.Seq != head+1+int64(i):
			return misuse("event " + strconv.FormatInt(e.Seq, 10) + " does not follow the one before it")
		case e.From < 1 || e.From > e.Seq:
			return misuse("event " + strconv.FormatInt(e.Seq, 10) + " covers from " + strconv.FormatInt(e.From, 10))
		case e.Kind == 0 || len(e.JSON) == 0 || len(e.Turn) > pam.MaxIDLength:
			return misuse("event " + strconv.FormatInt(e.Seq, 10) + " has no kind, no body or no turn's name")
		}
	}
	return nil
}

// maxWaiting bounds the messages of a conversation that wait for their turn;
// the protocol allows fewer ("Client to server", when_busy).
const maxWaiting = 64

// CheckFold reports whether f may fold a conversation that is folded up to
// folded and will have head as its last number: what it keeps must cover all
// numbers from folded+1 to f.Through, without a hole, and be there for what
// waits.
func CheckFold(f *pam.Fold, folded, head int64) error {
	if f.Through < folded || f.Through > head {
		return misuse("fold through " + strconv.FormatInt(f.Through, 10) + " of " +
			strconv.FormatInt(folded, 10) + ".." + strconv.FormatInt(head, 10))
	}
	covered := folded
	kept := map[int64]bool{}
	for _, r := range f.Keep {
		if r.From != covered+1 || r.Seq < r.From || r.Kind == 0 || len(r.JSON) == 0 {
			return misuse("fold keeps " + strconv.FormatInt(r.From, 10) + ".." +
				strconv.FormatInt(r.Seq, 10) + " after " + strconv.FormatInt(covered, 10))
		}
		covered = r.Seq
		kept[r.Seq] = true
	}
	for _, r := range f.Waiting {
		if r.Seq < 1 || r.Seq > folded && !kept[r.Seq] {
			return misuse("fold does not keep " + strconv.FormatInt(r.Seq, 10) + ", which waits")
		}
	}
	if len(f.Waiting) > maxWaiting {
		return misuse(strconv.Itoa(len(f.Waiting)) + " messages wait")
	}
	if covered != f.Through {
		return misuse("fold through " + strconv.FormatInt(f.Through, 10) + " keeps only up to " +
			strconv.FormatInt(covered, 10))
	}
	return nil
}

// CheckMemory reports whether key and value may be remembered.
func CheckMemory(key, value string) error {
	switch {
	case key == "" || len(key) > MaxMemoryKey || !utf8.ValidString(key):
		return invalid("key", "a key has 1 to "+strconv.Itoa(MaxMemoryKey)+" bytes of UTF-8")
	case len(value) > MaxMemoryValue || !utf8.ValidString(value):
		return invalid("value", "a value has at most "+strconv.Itoa(MaxMemoryValue)+" bytes of UTF-8")
	}
	return nil
}

// ErrTooManyMemories refuses a key beyond the last one.
func ErrTooManyMemories() error {
	return invalid("key", "at most "+strconv.Itoa(MaxMemories)+" things are remembered; forget one first")
}

// CheckContext reports whether json may be a session's context.
func CheckContext(json []byte) error {
	if len(json) == 0 || len(json) > MaxContext {
		return invalid("context", "a context has at most "+strconv.Itoa(MaxContext)+" bytes, merged, as compact JSON")
	}
	return nil
}

func invalid(field, why string) error {
	return &pam.Error{Code: pam.CodeInvalid, Op: "store", Message: why, Detail: field}
}

// misuse is a fault of the caller, never of a client.
func misuse(what string) error {
	return &pam.Error{Code: pam.CodeInternal, Op: "store.append", Detail: what}
}
