package store_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"roompulse/internal/attribution"
	"roompulse/internal/audit"
	"roompulse/internal/testkit/pgtest"
)

// TestMissingSpansHourByHour: whatever windows are completed, become gaps, late ones too, and are closed again,
// what is missing is what the hours one by one say, in pieces as long as they can be.
func TestMissingSpansHourByHour(t *testing.T) {
	t.Parallel()
	st := open(t, pgtest.New(t))
	ctx := context.WithoutCancel(t.Context())
	const hours = 12
	hour := func(h int) time.Time { return dayOne.Add(time.Duration(h) * time.Hour) }
	portals := 0
	rapid.Check(t, func(t *rapid.T) {
		portals++
		w, err := st.OpenWriter(ctx, fmt.Sprintf("https://w%d.example.org", portals), owner(strconv.Itoa(portals)), now)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		var held, gap [hours]bool
		commit := func(from, to int, cause string) {
			read := audit.ReadWindow{Span: audit.Span{From: hour(from), To: hour(to)}, ReadAt: now}
			if _, err := w.CommitWindow(ctx, attribution.Batch{ReadWindow: read, GapCause: cause}); err != nil {
				t.Fatalf("hours %d to %d, gap %q: %v", from, to, cause, err)
			}
			for h := from; h < to; h++ {
				held[h], gap[h] = cause == "", cause != ""
			}
		}
		for range rapid.IntRange(1, 8).Draw(t, "windows") {
			from := rapid.IntRange(0, hours-1).Draw(t, "from")
			to := from + 1
			switch {
			case rapid.IntRange(0, 2).Draw(t, "closes") == 0: // it is cut until it is as short as it can be
				commit(from, to, "will not close")
				continue
			case held[from]: // never read again but for late events
				continue
			case !gap[from]:
				for to < hours && !held[to] && !gap[to] && rapid.Bool().Draw(t, "longer") {
					to++
				}
			}
			commit(from, to, "")
		}

		since := rapid.IntRange(0, hours-1).Draw(t, "since")
		until := rapid.IntRange(since+1, hours).Draw(t, "until")
		var want []audit.Span
		for h := until - 1; h >= since; h-- {
			if held[h] || gap[h] {
				continue
			}
			if last := len(want) - 1; last >= 0 && want[last].From.Equal(hour(h+1)) {
				want[last].From = hour(h)
				continue
			}
			want = append(want, audit.Span{From: hour(h), To: hour(h + 1)})
		}
		got, err := w.MissingSpans(ctx, hour(since), hour(until))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("missing of hours %d to %d: %v, want %v", since, until, got, want)
		}
		gaps, err := w.Gaps(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for h, isGap := range gap {
			if isGap != slices.ContainsFunc(gaps, func(g audit.Gap) bool { return g.From.Equal(hour(h)) && g.To.Equal(hour(h+1)) }) {
				t.Fatalf("hour %d is a gap: %v, gaps %v", h, isGap, gaps)
			}
		}
		v, err := st.Reader(w.Portal).Verify(ctx, ignore)
		if err != nil || !v.Sound() {
			t.Fatalf("windows overlap: %+v, %v", v, err)
		}
	})
}
