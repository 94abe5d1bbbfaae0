package ingest

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"roompulse/internal/audit"
)

// correctDates mends the dates of events in the hour that comes twice when
// clocks are set back. The portal lists the first pass of it with the
// offset of the second, an hour late; its filter works on the true time. Where
// the listed offset drops, the hours around are asked for again in pieces
// shorter than the drop: what is listed after its piece has happened that much earlier.
func (s *Syncer) correctDates(ctx context.Context, window planned, events map[int64]audit.Event) error {
	if window.before == nil && window.From.After(s.bottom) {
		page, err := s.events(ctx, audit.Span{From: s.bottom, To: window.From.Add(-time.Second)}, 0, 1)
		if err != nil {
			return err
		}
		if len(page.Events) > 0 {
			window.before = &page.Events[0]
		}
	}
	for _, drop := range drops(window, events) {
		around := audit.Span{From: audit.Later(wholeSecond(drop.at.Add(-drop.by)), window.From), To: audit.Earlier(drop.at.Add(drop.by), window.To)}
		for piece := range pieces(around, drop.by/2) {
			passes, closed, err := s.collect(ctx, piece)
			if err != nil {
				return err
			}
			if !closed {
				return fmt.Errorf("%w: dates in the repeated hour at %s cannot be told apart", audit.ErrUnavailable, drop.at.Format(time.RFC3339))
			}
			for id, e := range passes.events {
				if e.At.After(piece.To) {
					e.At = e.At.Add(-drop.by)
				}
				if _, ok := events[id]; ok { // what has come since is for the next check
					events[id] = e
				}
			}
		}
	}
	return nil
}

// drop is where listed offsets become lower with time.
type drop struct {
	at time.Time // of the first event listed with the lower offset
	by time.Duration
}

// drops finds the drops in a window. Both ends of the window can lie in the
// repeated hour: then events are listed beyond them.
func drops(window planned, events map[int64]audit.Event) []drop {
	sorted := slices.SortedFunc(maps.Values(events), func(a, b audit.Event) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(b.Offset, a.Offset))
	})
	var found []drop
	before := window.before
	if before != nil && !before.At.Before(window.From) {
		found = append(found, drop{window.From, tolerance})
	}
	for i := range sorted {
		e := &sorted[i]
		if before != nil && before.Offset > e.Offset {
			found = append(found, drop{e.At, time.Duration(before.Offset-e.Offset) * time.Second})
		}
		before = e
	}
	if before != nil && before.At.After(window.To) && len(sorted) > 0 {
		found = append(found, drop{window.To, tolerance})
	}
	return found
}

// pieces cuts a span into pieces of at most size, neighbours sharing their edges.
func pieces(span audit.Span, size time.Duration) iter.Seq[audit.Span] {
	return func(yield func(audit.Span) bool) {
		for from := span.From; from.Before(span.To); from = from.Add(size) {
			if !yield(audit.Span{From: from, To: audit.Earlier(from.Add(size), span.To)}) {
				return
			}
		}
	}
}
