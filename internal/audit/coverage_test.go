package audit_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"roompulse/internal/audit"
)

// hour is the n-th hour of the day that the coverage tests play on.
func hour(n int) time.Time { return time.Date(2026, 10, 1, n, 0, 0, 0, time.UTC) }

func span(from, to int) audit.Span { return audit.Span{From: hour(from), To: hour(to)} }

func gap(from, to int, accepted bool) audit.Gap {
	return audit.Gap{Span: span(from, to), Accepted: accepted}
}

func TestCoverageKnownFrom(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		c     audit.Coverage
		until int
		want  int // 0: not known at all
	}{
		{"nothing", audit.Coverage{}, 10, 0},
		{"to the end of a span", audit.Coverage{Complete: []audit.Span{span(2, 10)}}, 10, 2},
		{"to the middle of a span", audit.Coverage{Complete: []audit.Span{span(2, 10)}}, 7, 2},
		{"to before a span", audit.Coverage{Complete: []audit.Span{span(2, 10)}}, 2, 0},
		{"to after a span", audit.Coverage{Complete: []audit.Span{span(2, 10)}}, 11, 0},
		{"over a hole", audit.Coverage{Complete: []audit.Span{span(2, 5), span(6, 10)}}, 10, 6},
		{"over a gap", audit.Coverage{Complete: []audit.Span{span(2, 5), span(6, 10)}, Gaps: []audit.Gap{gap(5, 6, false)}}, 10, 6},
		{"over an accepted gap", audit.Coverage{Complete: []audit.Span{span(2, 5), span(6, 10)}, Gaps: []audit.Gap{gap(5, 6, true)}}, 10, 2},
		{"over two in a row", audit.Coverage{Complete: []audit.Span{span(2, 5), span(7, 10)}, Gaps: []audit.Gap{gap(5, 6, true), gap(6, 7, true)}}, 10, 2},
		{"over an accepted gap that is too short", audit.Coverage{Complete: []audit.Span{span(2, 5), span(7, 10)}, Gaps: []audit.Gap{gap(6, 7, true)}}, 10, 7},
		{"from an accepted gap on", audit.Coverage{Complete: []audit.Span{span(6, 10)}, Gaps: []audit.Gap{gap(1, 6, true)}}, 10, 6},
		{"into an accepted gap", audit.Coverage{Complete: []audit.Span{span(2, 5), span(8, 10)}, Gaps: []audit.Gap{gap(5, 8, true)}}, 7, 2},
		{"the oldest event limits it", audit.Coverage{Complete: []audit.Span{span(1, 10)}, OldestEvent: hour(4), FloorIsOldest: true}, 10, 4},
		{"the oldest event of more", audit.Coverage{Complete: []audit.Span{span(1, 10)}, OldestEvent: hour(4)}, 10, 1},
		{"no event", audit.Coverage{Complete: []audit.Span{span(1, 10)}, FloorIsOldest: true}, 10, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			want := hour(tc.want)
			if tc.want == 0 {
				want = time.Time{}
			}
			if got := tc.c.KnownFrom(hour(tc.until)); !got.Equal(want) {
				t.Errorf("known from %v, want %v", got, want)
			}
		})
	}
}

func TestCoverageCompleteFromIsThatOfTheLastRange(t *testing.T) {
	t.Parallel()
	c := audit.Coverage{Complete: []audit.Span{span(2, 5), span(6, 10)}}
	if got := c.CompleteUntil(); !got.Equal(hour(10)) {
		t.Errorf("until %v", got)
	}
	if got := c.CompleteFrom(); !got.Equal(hour(6)) {
		t.Errorf("from %v", got)
	}
	if c := (audit.Coverage{}); !c.CompleteUntil().IsZero() || !c.CompleteFrom().IsZero() {
		t.Errorf("nothing complete, but from %v until %v", c.CompleteFrom(), c.CompleteUntil())
	}
}

func TestCoverageMissing(t *testing.T) {
	t.Parallel()
	missing := func(from, to int, accepted bool) audit.Missing {
		return audit.Missing{Span: span(from, to), Accepted: accepted}
	}
	for _, tc := range []struct {
		name       string
		c          audit.Coverage
		want       []audit.Missing // of hours 4 to 12
		notFetched []audit.Span
	}{
		{"nothing held", audit.Coverage{}, []audit.Missing{missing(4, 12, false)}, []audit.Span{span(4, 12)}},
		{"all held", audit.Coverage{Complete: []audit.Span{span(4, 12)}}, nil, nil},
		{"the end", audit.Coverage{Complete: []audit.Span{span(1, 10)}}, []audit.Missing{missing(10, 12, false)}, []audit.Span{span(10, 12)}},
		{"the beginning", audit.Coverage{Complete: []audit.Span{span(6, 14)}}, []audit.Missing{missing(4, 6, false)}, []audit.Span{span(4, 6)}},
		{
			"a gap and a hole",
			audit.Coverage{Complete: []audit.Span{span(1, 5), span(6, 8), span(9, 14)}, Gaps: []audit.Gap{gap(5, 6, false)}},
			[]audit.Missing{missing(5, 6, false), missing(8, 9, false)},
			[]audit.Span{span(8, 9)},
		},
		{
			"an accepted gap",
			audit.Coverage{Complete: []audit.Span{span(1, 5), span(6, 14)}, Gaps: []audit.Gap{gap(5, 6, true)}},
			[]audit.Missing{missing(5, 6, true)},
			nil,
		},
		{
			"accepted neighbours are one",
			audit.Coverage{Complete: []audit.Span{span(1, 5), span(7, 14)}, Gaps: []audit.Gap{gap(5, 6, true), gap(6, 7, true)}},
			[]audit.Missing{missing(5, 7, true)},
			nil,
		},
		{
			"an accepted gap in a hole",
			audit.Coverage{Complete: []audit.Span{span(1, 5), span(9, 14)}, Gaps: []audit.Gap{gap(6, 7, true)}},
			[]audit.Missing{missing(5, 6, false), missing(6, 7, true), missing(7, 9, false)},
			[]audit.Span{span(5, 6), span(7, 9)},
		},
		{
			"a gap that was filled after all",
			audit.Coverage{Complete: []audit.Span{span(1, 14)}, Gaps: []audit.Gap{gap(5, 6, false)}},
			nil, nil,
		},
		{
			"before the floor that --since set",
			audit.Coverage{Complete: []audit.Span{span(8, 14)}, Floor: hour(8)},
			[]audit.Missing{missing(4, 8, false)},
			[]audit.Span{span(4, 8)},
		},
		{"before all that the portal has", audit.Coverage{Complete: []audit.Span{span(8, 14)}, Floor: hour(8), FloorIsOldest: true}, nil, nil},
		{
			"before a floor not reached yet",
			audit.Coverage{Complete: []audit.Span{span(8, 14)}, Floor: hour(2), FloorIsOldest: true},
			[]audit.Missing{missing(4, 8, false)},
			[]audit.Span{span(4, 8)},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			complete := slices.Clone(tc.c.Complete)
			if got := tc.c.Missing(span(4, 12)); !slices.Equal(got, tc.want) {
				t.Errorf("missing %v, want %v", got, tc.want)
			}
			if got := tc.c.NotFetched(span(4, 12)); !slices.Equal(got, tc.notFetched) {
				t.Errorf("not fetched %v, want %v", got, tc.notFetched)
			}
			if !slices.Equal(tc.c.Complete, complete) {
				t.Errorf("the coverage itself became %v", tc.c.Complete)
			}
		})
	}
}

// Hour by hour, a coverage is what its spans say, and missing parts are as long as they can be.
func TestCoverageMissingHourByHour(t *testing.T) {
	t.Parallel()
	const hours = 24
	rapid.Check(t, func(t *rapid.T) {
		// 0 fetched, 1 not fetched, 2 gap, 3 accepted gap
		kinds := rapid.SliceOfN(rapid.IntRange(0, 3), hours, hours).Draw(t, "kinds")
		var c audit.Coverage
		for h, kind := range kinds {
			switch last := len(c.Complete) - 1; {
			case kind == 0 && last >= 0 && c.Complete[last].To.Equal(hour(h)):
				c.Complete[last].To = hour(h + 1)
			case kind == 0:
				c.Complete = append(c.Complete, span(h, h+1))
			case kind >= 2:
				c.Gaps = append(c.Gaps, gap(h, h+1, kind == 3))
			}
		}
		from := rapid.IntRange(0, hours-1).Draw(t, "from")
		to := rapid.IntRange(from+1, hours).Draw(t, "to")

		var want []audit.Missing
		var notFetched []audit.Span
		for h := from; h < to; h++ {
			if kinds[h] == 0 {
				continue
			}
			accepted := kinds[h] == 3
			if last := len(want) - 1; last >= 0 && want[last].To.Equal(hour(h)) && want[last].Accepted == accepted {
				want[last].To = hour(h + 1)
			} else {
				want = append(want, audit.Missing{Span: span(h, h+1), Accepted: accepted})
			}
			if kinds[h] != 1 {
				continue
			}
			if last := len(notFetched) - 1; last >= 0 && notFetched[last].To.Equal(hour(h)) {
				notFetched[last].To = hour(h + 1)
			} else {
				notFetched = append(notFetched, span(h, h+1))
			}
		}
		if got := c.Missing(span(from, to)); !slices.Equal(got, want) {
			t.Fatalf("missing %v, want %v", got, want)
		}
		if got := c.NotFetched(span(from, to)); !slices.Equal(got, notFetched) {
			t.Fatalf("not fetched %v, want %v", got, notFetched)
		}

		known := to
		for known > 0 && (kinds[known-1] == 0 || kinds[known-1] == 3) {
			known--
		}
		for known < to && kinds[known] == 3 {
			known++ // an accepted gap joins complete spans, it is none itself
		}
		wantFrom := hour(known)
		if known == to {
			wantFrom = time.Time{}
		}
		if got := c.KnownFrom(hour(to)); !got.Equal(wantFrom) {
			t.Fatalf("known from %v, want %v", got, wantFrom)
		}
	})
}
