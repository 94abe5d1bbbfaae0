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

// shifts are by how much clocks are set back: by an hour, on Lord Howe by half of it.
var shifts = []time.Duration{30 * time.Minute, time.Hour}

// pieceSize is shorter than any of the shifts, and than the difference between
// them: a piece tells by which of them an event is listed late.
const pieceSize = 20 * time.Minute

// correctDates mends the dates of events in the hour that comes twice when
// clocks are set back. The portal lists the first pass of it with the
// offset of the second, an hour late; its filter works on the true time. Where
// the listed offset drops, or events are listed outside the window, the hours around are
// asked for again in pieces: what is listed after its piece happened in it.
func (s *Syncer) correctDates(ctx context.Context, window planned, events map[int64]*audit.Event) error {
	if window.before == nil && window.From.After(s.bottom) {
		page, err := s.events(ctx, audit.Span{From: s.bottom, To: window.From.Add(-time.Second)}, 0, 1)
		if err != nil {
			return err
		}
		if len(page.Events) > 0 {
			window.before = &page.Events[0]
		}
	}
	for _, at := range drops(window, events) {
		around := audit.Span{
			From: audit.Later(wholeSecond(at.Add(-tolerance)), window.From),
			To:   audit.Earlier(wholeSecond(at.Add(tolerance)), window.To),
		}
		for piece := range pieces(around, pieceSize) {
			passes, closed, err := s.collect(ctx, piece)
			if err != nil {
				return err
			}
			if !closed {
				return fmt.Errorf("%w: dates in the repeated hour at %s cannot be told apart", audit.ErrUnavailable, at.Format(time.RFC3339))
			}
			for id, e := range passes.events {
				if _, ok := events[id]; ok { // what has come since is for the next check
					e.At = trueDate(e.At, piece)
					events[id] = e
				}
			}
		}
	}
	return nil
}

// trueDate is when an event happened that came in answer to a piece.
func trueDate(listed time.Time, piece audit.Span) time.Time {
	if !listed.After(piece.To) {
		return listed
	}
	for _, shift := range shifts {
		if at := listed.Add(-shift); !at.Before(piece.From) && !at.After(piece.To) {
			return at
		}
	}
	return listed
}

// drops finds where listed offsets become lower with time: the date of the first
// event listed with the lower offset. Both ends of the window can lie in the
// repeated hour: then events are listed beyond them.
func drops(window planned, events map[int64]*audit.Event) []time.Time {
	sorted := slices.SortedFunc(maps.Values(events), func(a, b *audit.Event) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(b.Offset, a.Offset))
	})
	var found []time.Time
	before := window.before
	if before != nil && !before.At.Before(window.From) {
		found = append(found, window.From)
	}
	for _, e := range sorted {
		if before != nil && before.Offset > e.Offset {
			found = append(found, e.At)
		}
		before = e
	}
	if before != nil && before.At.After(window.To) && len(sorted) > 0 {
		found = append(found, window.To)
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
