package sqlite

import "github.com/pam-assistant/pam"

// DecodeRow gives tests the events of a row of the log.
func DecodeRow(row []byte) ([][]pam.Record, error) {
	entries, err := decodeRow(row)
	var events [][]pam.Record
	for _, e := range entries {
		events = append(events, e.events)
	}
	return events, err
}

// EncodeRow gives tests a row with one entry.
func EncodeRow(conv, fence int64, events []pam.Record) []byte {
	var e rowEncoder
	e.reset()
	e.add(conv, fence, events)
	return e.finish()
}

// Seal gives a row that a test has made up its checksum.
func Seal(row []byte) []byte {
	e := rowEncoder{buf: row}
	return e.finish()
}
