package sqlite_test

import (
	"bytes"
	"testing"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/store/sqlite"
)

func TestRow(t *testing.T) {
	t.Parallel()
	for name, events := range map[string][]pam.Record{
		"one":      deltas(1, 1),
		"many":     deltas(1<<40, 1<<40+300),
		"covering": {{From: 3, Seq: 900, Kind: pam.KindComplete, JSON: []byte("{}")}},
	} {
		row := sqlite.EncodeRow(7, 1<<50, events)
		got, err := sqlite.DecodeRow(row)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		same(t, name, [][]pam.Record{events}, got)
		for cut := range len(row) {
			if _, err := sqlite.DecodeRow(row[:cut]); err == nil {
				t.Errorf("%s: its first %d bytes are taken for a row", name, cut)
			}
		}
		for i := range row {
			bent := bytes.Clone(row)
			bent[i] ^= 0x10
			if _, err := sqlite.DecodeRow(bent); err == nil {
				t.Errorf("%s: byte %d may be anything", name, i)
			}
		}
	}
}

// FuzzRow: whatever has a right checksum is decoded without a panic, and never
// to more than its own length holds.
func FuzzRow(f *testing.F) {
	f.Add(sqlite.EncodeRow(1, 2, deltas(3, 5))[5:])
	f.Add([]byte{1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 1})
	f.Add([]byte{1, 0, 1, 1, 0, 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, rest []byte) {
		got, err := sqlite.DecodeRow(sqlite.Seal(append([]byte{1, 0, 0, 0, 0}, rest...)))
		if err != nil {
			return
		}
		events, size := 0, 0
		for _, entry := range got {
			events += len(entry)
			for _, r := range entry {
				size += len(r.JSON) + len(r.Turn)
				if r.From < 1 || r.From > r.Seq || r.Kind == 0 {
					t.Errorf("a record that is none: %+v", r)
				}
			}
		}
		if events > len(rest) || size > len(rest) {
			t.Errorf("%d events, %d bytes of %d", events, size, len(rest))
		}
	})
}
