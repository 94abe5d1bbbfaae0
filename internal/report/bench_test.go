package report_test

import (
	"io"
	"strconv"
	"testing"

	"roompulse/internal/audit"
	"roompulse/internal/report"
)

// BenchmarkInactive judges and writes 100,000 members of 1,000 rooms.
func BenchmarkInactive(b *testing.B) {
	f := audit.Facts{Coverage: complete()}
	for r := range 1000 {
		id := strconv.Itoa(r)
		f.Rooms = append(f.Rooms, room(id, "Room "+id))
		for m := range 100 {
			f.Members = append(f.Members, member(id, strconv.Itoa(m), "Member Number "+strconv.Itoa(m)))
		}
	}
	for _, name := range report.FormatNames() {
		b.Run(name, func(b *testing.B) {
			format, err := report.ParseFormat(name, "")
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				r, err := report.Inactive(b.Context(), &facts{Facts: f}, query())
				if err != nil {
					b.Fatal(err)
				}
				if err := format.WriteInactive(io.Discard, r, report.Options{Width: 120}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
