package store

import (
	"fmt"
	"testing"
)

// TestCandidates: what was meant comes first, whatever was mistyped, and the list is short.
func TestCandidates(t *testing.T) {
	t.Parallel()
	rooms := []named{{"1201", "Tender"}, {"1202", "Annual Report"}, {"1203", "Field Survey"}, {"1204", "Tender"}, {"1205", ""}}
	for asked, want := range map[string]string{
		"tender":      "1201 (Tender), 1204 (Tender)",
		"annaul repo": "1202 (Annual Report)",
		"SURVEY":      "1203 (Field Survey)",
		"1205 ":       "1205, ",
		"ÄÖ":          "1205, 1202 (Annual Report)",
	} {
		if got := candidates(asked, rooms); len(got) < len(want) || got[:len(want)] != want {
			t.Errorf("%q: %s, want %s first", asked, got, want)
		}
	}
	var many []named
	for i := range 33 {
		many = append(many, named{fmt.Sprintf("g%02d", i), ""})
	}
	if got, want := candidates("g00", many), "g00, g01, g02, g03, g04, g05, g06, g07, g08, g09, or one of 23 others"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
