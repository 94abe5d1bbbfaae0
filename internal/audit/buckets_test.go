package audit_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"roompulse/internal/audit"
)

func TestBuckets(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, from, to string
		first          string
		days, count    int
	}{
		{"a day", "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z", "2026-11-20T00:00:00Z", 1, 1},
		{"an instant more", "2026-11-20T00:00:00Z", "2026-11-21T00:00:00.000001Z", "2026-11-20T00:00:00Z", 1, 2},
		{"within a day", "2026-11-20T10:00:00Z", "2026-11-20T11:00:00Z", "2026-11-20T00:00:00Z", 1, 1},
		{"ragged", "2026-11-20T23:59:59Z", "2026-11-22T00:00:01Z", "2026-11-20T00:00:00Z", 1, 3},
		{"92 days", "2026-08-22T00:00:00Z", "2026-11-22T00:00:00Z", "2026-08-22T00:00:00Z", 1, 92},
		{"a day more: weeks from Monday", "2026-08-21T00:00:00Z", "2026-11-22T00:00:00Z", "2026-08-17T00:00:00Z", 7, 14},
		{"weeks that begin with the window", "2026-06-01T00:00:00Z", "2026-11-02T00:00:00Z", "2026-06-01T00:00:00Z", 7, 22},
		{"from a Sunday", "2026-05-31T00:00:00Z", "2026-11-02T00:00:00Z", "2026-05-25T00:00:00Z", 7, 23},
	} {
		got := audit.Window{From: at(t, tc.from), To: at(t, tc.to), Zone: time.UTC}.Buckets()
		if want := (audit.Buckets{First: at(t, tc.first), Days: tc.days, Count: tc.count}); got != want {
			t.Errorf("%s: %+v, want %+v", tc.name, got, want)
		}
	}
}

// Buckets cover the window, and none lies outside it.
func TestBucketsCoverTheWindow(t *testing.T) {
	t.Parallel()
	origin := at(t, "2026-03-28T00:00:00Z")
	rapid.Check(t, func(rt *rapid.T) {
		from := origin.Add(time.Duration(rapid.Int64Range(0, 400*86_400).Draw(rt, "from")) * time.Second)
		to := from.Add(time.Duration(rapid.Int64Range(1, 400*86_400).Draw(rt, "length")) * time.Second)
		b := audit.Window{From: from, To: to, Zone: time.UTC}.Buckets()
		last := b.First.AddDate(0, 0, (b.Count-1)*b.Days)
		if b.First.After(from) || !b.First.AddDate(0, 0, b.Days).After(from) || !last.Before(to) || last.AddDate(0, 0, b.Days).Before(to) {
			rt.Fatalf("%s to %s: %+v", from, to, b)
		}
	})
}
