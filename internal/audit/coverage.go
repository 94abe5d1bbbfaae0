package audit

import (
	"slices"
	"time"
)

// Missing is a part of a window whose events are not all held.
type Missing struct {
	Span
	Accepted bool // an administrator has accepted that they are lost
}

// CompleteUntil returns the end of the complete span that reaches furthest,
// zero if nothing is complete yet.
func (c Coverage) CompleteUntil() time.Time {
	if len(c.Complete) == 0 {
		return time.Time{}
	}
	return c.Complete[len(c.Complete)-1].To
}

// CompleteFrom returns since when everything up to [Coverage.CompleteUntil] is
// known, see [Coverage.KnownFrom].
func (c Coverage) CompleteFrom() time.Time { return c.KnownFrom(c.CompleteUntil()) }

// KnownFrom returns since when everything up to a moment is known: the start of
// the complete span that reaches it, accepted gaps bridged, but not before the
// oldest event held if the portal has nothing older, for nobody knows what it
// forgot. Zero if nothing that ends at the moment is complete.
func (c Coverage) KnownFrom(until time.Time) time.Time {
	var from time.Time
	for reached, moved := until, true; moved; {
		moved = false
		for _, s := range c.Complete {
			if s.From.Before(reached) && !s.To.Before(reached) {
				from, reached, moved = s.From, s.From, true
			}
		}
		for _, g := range c.Gaps {
			if g.Accepted && g.From.Before(reached) && !g.To.Before(reached) {
				reached, moved = g.From, true
			}
		}
	}
	if !from.IsZero() && c.FloorIsOldest && c.OldestEvent.After(from) {
		return c.OldestEvent
	}
	return from
}

// Missing returns the parts of a span that are not complete, by rising time,
// neighbours of one kind joined. What lies before everything that the portal
// has is not missing.
func (c Coverage) Missing(s Span) []Missing {
	held := slices.Clone(c.Complete)
	if len(held) > 0 && c.FloorIsOldest && !held[0].From.After(c.Floor) {
		held[0].From = time.Time{}
	}
	open := cut([]Span{s}, held)
	lost := cut(open, c.gaps(true))

	var missing []Missing
	for _, s := range cut(open, lost) {
		missing = append(missing, Missing{Span: s, Accepted: true})
	}
	for _, s := range lost {
		missing = append(missing, Missing{Span: s})
	}
	slices.SortFunc(missing, func(a, b Missing) int { return a.From.Compare(b.From) })
	return missing
}

// NotFetched returns the parts of a span that sync has not fetched yet: neither
// complete nor gaps.
func (c Coverage) NotFetched(s Span) []Span {
	var open []Span
	for _, m := range c.Missing(s) {
		open = append(open, m.Span)
	}
	return cut(cut(open, c.gaps(true)), c.gaps(false))
}

func (c Coverage) gaps(accepted bool) []Span {
	var spans []Span
	for _, g := range c.Gaps {
		if g.Accepted == accepted {
			spans = append(spans, g.Span)
		}
	}
	return spans
}

// cut returns what of spans lies in none of those taken away. Spans are by
// rising time and apart, and so is the result.
func cut(spans, away []Span) []Span {
	for _, a := range away {
		var rest []Span
		for _, s := range spans {
			for _, part := range []Span{{s.From, Earlier(s.To, a.From)}, {Later(s.From, a.To), s.To}} {
				if part.From.Before(part.To) {
					rest = append(rest, part)
				}
			}
		}
		spans = rest
	}
	return spans
}
