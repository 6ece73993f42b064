package store

import (
	"encoding/binary"
	"time"

	"github.com/google/uuid"

	"github.com/pam-assistant/pam"
)

// NextEpoch returns the name of a new life of the journal: a UUIDv7 that sorts
// after last whatever the clock says, for an epoch must sort after every
// earlier one (docs/protocol.md, "Order and resume", 5). last may be empty.
func NextEpoch(last pam.Epoch, now time.Time) (pam.Epoch, error) {
	id, err := uuid.NewRandom()
	if err != nil {
		return "", err
	}
	ms := now.UnixMilli()
	if l, err := uuid.Parse(string(last)); err == nil {
		ms = max(ms, millis(l)+1)
	}
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(ms)) // a time after 1970
	copy(id[:6], b[2:])
	id[6] = id[6]&0x0f | 0x70
	return pam.Epoch(id.String()), nil
}

// millis returns the time that a UUIDv7 begins with.
func millis(id uuid.UUID) int64 {
	var b [8]byte
	copy(b[2:], id[:6])
	return int64(binary.BigEndian.Uint64(b[:])) //nolint:gosec // 48 bits
}
