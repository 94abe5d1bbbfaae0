package audit

import (
	"errors"
	"time"
)

// Window is the time a report speaks about: [From, To) at any instants. Zone is
// what dates were given in and are shown in.
type Window struct {
	From, To time.Time
	Zone     *time.Location
}

const day = 24 * time.Hour

// Parts cuts the window at UTC midnights: whole days, which rollups answer,
// and two ragged edges, which raw events answer. A part that is not there is
// empty, its ends equal. head and tail never lie in the same UTC day.
func (w Window) Parts() (head, days, tail Span) { return w.cut(day) }

// HourParts cuts it at full hours likewise.
func (w Window) HourParts() (head, hours, tail Span) { return w.cut(time.Hour) }

func (w Window) cut(unit time.Duration) (head, units, tail Span) {
	from, to := w.From.UTC(), w.To.UTC()
	first := from.Truncate(unit)
	if first.Before(from) {
		first = first.Add(unit)
	}
	last := to.Truncate(unit)
	if last.Before(first) { // both ends within one
		return Span{from, to}, Span{to, to}, Span{to, to}
	}
	return Span{from, first}, Span{first, last}, Span{last, to}
}

// ErrNothingComplete says that a window has no end to take by default.
var ErrNothingComplete = errors.New("nothing is complete yet: run roompulse sync")

// WindowArgs are the flags that name a window, as they were typed. Either Last
// is given or From, and To only with From.
type WindowArgs struct {
	Last string // --last: 30d, 4w or 12h
	From string // --from: see ParseTime
	To   string // --to: likewise; default: where complete data end
	Zone string // --time-zone: an IANA name; empty is UTC
}

// OrLast returns the arguments with the given --last if they name no window.
func (a WindowArgs) OrLast(last string) WindowArgs {
	if a.Last == "" && a.From == "" && a.To == "" {
		a.Last = last
	}
	return a
}

// Resolve finds the window that the arguments mean. The end of --last, and that
// of --from without --to, is completeUntil, but never later than now.
//
// Days and weeks of --last are calendar days in the zone: they begin at the
// clock time at which they end, or, where clocks skipped that time, at the next
// moment; where it came twice, at the first. Hours are elapsed time.
//
// The error is a [UsageError], or [ErrNothingComplete] if completeUntil is
// needed and zero.
func (a WindowArgs) Resolve(now, completeUntil time.Time) (Window, error) {
	if err := a.check(); err != nil {
		return Window{}, err
	}
	zone, err := LoadZone(a.Zone)
	if err != nil {
		return Window{}, err
	}
	to, err := a.end(now, completeUntil, zone)
	if err != nil {
		return Window{}, err
	}
	from, err := a.start(to, zone)
	if err != nil {
		return Window{}, err
	}
	if !from.Before(to) {
		return Window{}, a.emptyError(from, to, now)
	}
	return Window{From: from, To: to, Zone: zone}, nil
}

func (a WindowArgs) check() error {
	switch {
	case a.Last != "" && a.From != "":
		return Usagef("--last and --from exclude each other: give --last alone, or --from with or without --to")
	case a.Last != "" && a.To != "":
		return Usagef("--last and --to exclude each other: --last ends where the data do; for another end give --from and --to")
	case a.Last == "" && a.From == "" && a.To != "":
		return Usagef("--to %s has no beginning: add --from", a.To)
	case a.Last == "" && a.From == "":
		return Usagef("no window: give --last 30d, or --from 2026-10-01 with or without --to")
	}
	return nil
}

func (a WindowArgs) end(now, completeUntil time.Time, zone *time.Location) (time.Time, error) {
	if a.To != "" {
		return ParseTime("--to", a.To, zone)
	}
	if completeUntil.IsZero() {
		return time.Time{}, ErrNothingComplete
	}
	return Earlier(completeUntil, now).UTC(), nil
}

func (a WindowArgs) start(to time.Time, zone *time.Location) (time.Time, error) {
	if a.Last != "" {
		return back(to, a.Last, zone)
	}
	return ParseTime("--from", a.From, zone)
}

// emptyError says why a window does not begin before its end.
func (a WindowArgs) emptyError(from, to, now time.Time) error {
	switch {
	case a.Last != "": // a whole day that a zone skipped, to change sides of the date line
		return Usagef("--last %s is empty: the clocks of %s skipped that time; give --from", a.Last, a.Zone)
	case a.To != "":
		return Usagef("--from %s is not before --to %s: a window begins before its end, which is no part of it", a.From, a.To)
	case !from.Before(now):
		return Usagef("--from %s has not come yet: give an earlier --from", a.From)
	}
	return Usagef("--from %s is not before %s, where the data end: run roompulse sync, or give an earlier --from",
		a.From, to.Format(time.RFC3339))
}

// back returns the moment that lies a --last before to.
func back(to time.Time, last string, zone *time.Location) (time.Time, error) {
	n, unit := parseAmount(last)
	switch {
	case unit == "m":
		return time.Time{}, Usagef("--last %s could mean months or minutes: write days, weeks or hours, such as 90d", last)
	case unit != "w" && unit != "d" && unit != "h":
		return time.Time{}, Usagef("--last %q is no length of time: write a number and w, d or h, such as 30d", last)
	case n == 0:
		return time.Time{}, Usagef("--last %s is an empty window: write a number above 0", last)
	case n > int64(longest/time.Hour), unit == "d" && n > int64(longest/day), unit == "w" && n > int64(longest/(7*day)):
		return time.Time{}, Usagef("--last %s is too long: a hundred years is the limit", last)
	case unit == "h":
		return to.Add(-time.Duration(n) * time.Hour), nil
	case unit == "w":
		n *= 7
	}
	local := to.In(zone)
	_, start := onClock(asUTC(local).AddDate(0, 0, -int(n)), zone)
	return start, nil
}

// ParseTime reads the value of a flag that takes a moment: a date, which
// stands for the day's first moment in the zone; a date and time in the zone;
// or RFC 3339, whose seconds may be missing. A local time that clocks in the zone skipped or
// showed twice is refused. The error is a [UsageError] that names the flag.
func ParseTime(flag, value string, zone *time.Location) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00"} {
		if t, err := time.Parse(layout, value); err == nil {
			return t.UTC(), nil
		}
	}
	if date, err := time.Parse(time.DateOnly, value); err == nil {
		_, start := onClock(date, zone)
		return start, nil
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if wall, err := time.Parse(layout, value); err == nil {
			return oneMoment(flag, value, wall, zone)
		}
	}
	return time.Time{}, Usagef("%s %q is no time: write 2026-10-01, 2026-10-01T08:00 or 2026-10-01T08:00:00+02:00", flag, value)
}

// oneMoment returns the one moment at which clocks in zone show wall.
func oneMoment(flag, value string, wall time.Time, zone *time.Location) (time.Time, error) {
	moments, next := onClock(wall, zone)
	switch len(moments) {
	case 0:
		before := next.Add(-time.Nanosecond).In(zone)
		return time.Time{}, Usagef("%s %s does not exist in %s, whose clocks skipped it: add an offset, as in %s",
			flag, value, zone, value+before.Format("-07:00"))
	case 1:
		return moments[0], nil
	}
	return time.Time{}, Usagef("%s %s exists twice in %s, whose clocks were set back: add an offset, %s or %s",
		flag, value, zone, value+moments[0].In(zone).Format("-07:00"), value+moments[1].In(zone).Format("-07:00"))
}

// onClock finds when clocks in zone show wall, a clock reading written as if
// in UTC: at no moment if they skipped it, at two if they were set back over
// it. first is the first moment at which they show wall or a later time.
func onClock(wall time.Time, zone *time.Location) (moments []time.Time, first time.Time) {
	const reach = 26 * time.Hour // further than any zone ever was from UTC
	found := false
	for at := wall.Add(-reach); !at.After(wall.Add(reach)); {
		start, end := at.In(zone).ZoneBounds() // of the time with one offset; zero if without bound
		_, offset := at.In(zone).Zone()
		t := wall.Add(-time.Duration(offset) * time.Second)
		if end.IsZero() || t.Before(end) {
			if !t.Before(start) {
				moments = append(moments, t)
			} else {
				t = start.UTC()
			}
			if !found {
				found, first = true, t
			}
		}
		if end.IsZero() {
			break
		}
		at = end
	}
	return moments, first
}

// asUTC returns the clock reading of t as if it were UTC.
func asUTC(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// LoadZone returns the zone of a --time-zone, UTC if it is empty. The error is a
// [UsageError].
func LoadZone(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" { // Go's name for the machine's own zone: a report must not depend on it
		return nil, Usagef("--time-zone %q is not known: write an IANA name, such as Europe/Berlin or UTC", name)
	}
	return zone, nil
}
