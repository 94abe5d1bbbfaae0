package report

import (
	"fmt"
	"strings"
	"time"

	"roompulse/internal/audit"
)

// Notices are lines about the data that a reader must see before anything
// else: that data are old, or missing, or that rooms could not be read. A
// format for people shows them itself, see [Format].
func (r *InactiveReport) Notices() []string {
	notices := dataNotices(r.DataQuality, r.coverage, r.query.Window, r.query.Now, r.query.MaxLag)
	var unreadable, unread []string
	for _, room := range r.Rooms {
		switch {
		case !room.UnreadableSince.IsZero():
			unreadable = append(unreadable, fmt.Sprintf("%s since %s", plain(room.ID), Clock(room.UnreadableSince.Time, r.query.Window.Zone)))
		case !room.MembersListed:
			unread = append(unread, plain(room.ID))
		}
	}
	if len(unreadable) > 0 {
		notices = append(notices, fmt.Sprintf("The portal shows no members of %s (%s): the last known ones are judged.",
			count(len(unreadable), "room"), listed(unreadable)))
	}
	if len(unread) > 0 {
		notices = append(notices, fmt.Sprintf("The members of %s (%s) are not listed yet: run roompulse sync.",
			count(len(unread), "room"), listed(unread)))
	}
	return notices
}

// Notices are as those of [InactiveReport].
func (r *ActivityReport) Notices() []string {
	return dataNotices(r.DataQuality, r.coverage, r.query.Window, r.query.Now, r.query.MaxLag)
}

// CoverageNotices are the notices about the data of a window for what is no
// report, and whether the window is complete.
func CoverageNotices(c audit.Coverage, w audit.Window, now time.Time, maxLag time.Duration) (notices []string, complete bool) {
	q := newDataQuality(audit.Facts{Coverage: c}, nil, w, now)
	return dataNotices(q, c, w, now, maxLag), !q.Incomplete()
}

func dataNotices(q DataQuality, c audit.Coverage, w audit.Window, now time.Time, maxLag time.Duration) []string {
	var notices []string
	if until := q.CompleteUntil.Time; !until.IsZero() && now.Sub(until) > maxLag {
		notices = append(notices, fmt.Sprintf("The data end at %s, %s ago (more than --max-lag %s): run roompulse sync.",
			Clock(until, w.Zone), length(now.Sub(until)), length(maxLag)))
	}
	if !q.beginsAt.IsZero() {
		notices = append(notices, fmt.Sprintf("The data begin at %s, after the window: what was in it is not known.", Clock(q.beginsAt, w.Zone)))
	}
	if q.lacks() {
		var missing []string
		for _, gap := range q.Gaps {
			if !gap.Accepted {
				missing = append(missing, span(gap.From.Time, gap.To.Time, w.Zone))
			}
		}
		notices = append(notices, fmt.Sprintf("The window is not complete: events of %s are missing; %s.",
			listed(missing), strings.Join(mend(c, w, now), "; ")))
	}
	return notices
}

// mend says what makes the missing parts of a window complete.
func mend(c audit.Coverage, w audit.Window, now time.Time) []string {
	fetchable := c.NotFetched(audit.Span{From: w.From, To: w.To})
	var steps []string
	if len(fetchable) > 0 {
		switch first, last := fetchable[0], fetchable[len(fetchable)-1]; {
		case len(c.Complete) > 0 && !c.FloorIsOldest && first.From.Before(c.Floor):
			steps = append(steps, "run roompulse sync --since "+w.From.UTC().Format(time.RFC3339))
		case last.To.After(now):
			steps = append(steps, "when the window has passed, run roompulse sync")
		default:
			steps = append(steps, "run roompulse sync")
		}
	}
	for _, gap := range c.Gaps {
		if !gap.Accepted && gap.From.Before(w.To) && gap.To.After(w.From) {
			return append(steps, "see roompulse gap list")
		}
	}
	return steps
}

// listed joins the first few of many.
func listed(items []string) string {
	const few = 3
	if len(items) > few {
		return fmt.Sprintf("%s and %d more", strings.Join(items[:few], ", "), len(items)-few)
	}
	return strings.Join(items, ", ")
}

// enumerate joins items as a sentence does.
func enumerate(items []string) string {
	if n := len(items); n > 1 {
		return strings.Join(items[:n-1], ", ") + " and " + items[n-1]
	}
	return strings.Join(items, "")
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Clock writes a moment as clocks in the zone show it, as short as it is exact.
func Clock(t time.Time, zone *time.Location) string {
	t = t.In(zone)
	if t.Truncate(time.Minute).Equal(t) {
		return t.Format("2006-01-02 15:04")
	}
	return t.Format("2006-01-02 15:04:05.999999")
}

func span(from, to time.Time, zone *time.Location) string {
	return Clock(from, zone) + " to " + Clock(to, zone)
}

// length writes a duration in the unit that people would.
func length(d time.Duration) string {
	switch day := 24 * time.Hour; {
	case d >= 2*day && d%day == 0, d >= 10*day:
		return count(int(d/day), "day")
	case d >= time.Hour:
		return count(int(d/time.Hour), "hour")
	}
	return count(int(d/time.Minute), "minute")
}
