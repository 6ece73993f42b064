package gateway

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzAssembler: whatever comes, and however it is cut, the same comes of it;
// nothing panics, and no more is held than came.
func FuzzAssembler(f *testing.F) {
	for _, cases := range [][]rfcCase{headerCases()[:64], utf8Cases()[:64], closeCases()[990:1020]} {
		for _, c := range cases {
			f.Add(c.Sent, uint8(3))
		}
	}
	f.Fuzz(func(t *testing.T, sent []byte, cut uint8) {
		const limit = 4096
		whole := newAssembler(limit)
		want, wantFault := feed(&whole, sent)
		cutUp := newAssembler(limit)
		var got []seen
		came := 0
		for s := range slices.Chunk(sent, int(cut)+1) {
			pieces, fault := feed(&cutUp, s)
			got = append(got, pieces...)
			came += len(s)
			if held := cap(cutUp.message) + cap(cutUp.control); held > 2*came+64 {
				t.Fatalf("%d bytes came, and %d are held", came, held)
			}
			if fault != 0 {
				if fault != wantFault {
					t.Fatalf("fault %v, all at once %v", fault, wantFault)
				}
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("cut by %d (-at once +cut):\n%s", int(cut)+1, cmp.Diff(want, got))
		}
	})
}
