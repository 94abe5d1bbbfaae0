package audit_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"pgregory.net/rapid"

	"roompulse/internal/audit"
)

func at(t *testing.T, s string) time.Time {
	t.Helper()
	when, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return when
}

func TestWindowArgsResolve(t *testing.T) {
	t.Parallel()
	const complete = "2026-11-22T14:03:20Z"
	for _, tc := range []struct {
		name     string
		args     audit.WindowArgs
		from, to string
	}{
		{"days", audit.WindowArgs{Last: "30d"}, "2026-10-23T14:03:20Z", complete},
		{"weeks", audit.WindowArgs{Last: "4w"}, "2026-10-25T14:03:20Z", complete},
		{"hours", audit.WindowArgs{Last: "12h"}, "2026-11-22T02:03:20Z", complete},
		{"days keep the clock time over a clock change", audit.WindowArgs{Last: "30d", Zone: "Europe/Berlin"}, "2026-10-23T13:03:20Z", complete},
		{"hours do not", audit.WindowArgs{Last: "720h", Zone: "Europe/Berlin"}, "2026-10-23T14:03:20Z", complete},
		{"from", audit.WindowArgs{From: "2026-10-01"}, "2026-10-01T00:00:00Z", complete},
		{"a month", audit.WindowArgs{From: "2026-10-01", To: "2026-11-01"}, "2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z"},
		{"a month in a zone", audit.WindowArgs{From: "2026-10-01", To: "2026-11-01", Zone: "Europe/Berlin"}, "2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z"},
		{"minutes", audit.WindowArgs{From: "2026-10-01T08:00", To: "2026-10-01T08:00:05"}, "2026-10-01T08:00:00Z", "2026-10-01T08:00:05Z"},
		{"an offset beats the zone", audit.WindowArgs{From: "2026-10-01T08:00:00+05:30", Zone: "Europe/Berlin"}, "2026-10-01T02:30:00Z", complete},
		{"an offset without seconds", audit.WindowArgs{From: "2026-10-01T08:00+05:30"}, "2026-10-01T02:30:00Z", complete},
		{"fractions", audit.WindowArgs{From: "2026-10-01T08:00:00.25Z"}, "2026-10-01T08:00:00.25Z", complete},
		{"an explicit end may lie beyond the data", audit.WindowArgs{From: "2026-10-01", To: "2027-01-01"}, "2026-10-01T00:00:00Z", "2027-01-01T00:00:00Z"},
		{"a clock time by its offset, first pass", audit.WindowArgs{From: "2026-10-25T02:30+02:00", Zone: "Europe/Berlin"}, "2026-10-25T00:30:00Z", complete},
		{"a clock time by its offset, second pass", audit.WindowArgs{From: "2026-10-25T02:30+01:00", Zone: "Europe/Berlin"}, "2026-10-25T01:30:00Z", complete},
		{"a day that begins at one", audit.WindowArgs{From: "2018-11-04", Zone: "America/Sao_Paulo"}, "2018-11-04T03:00:00Z", complete},
		{"a day that begins at one, today", audit.WindowArgs{From: "2026-03-29", Zone: "Asia/Beirut"}, "2026-03-28T22:00:00Z", complete},
		{"a day with two midnights begins at the first", audit.WindowArgs{From: "2026-11-01", Zone: "America/Havana"}, "2026-11-01T04:00:00Z", complete},
		{"a day that never was begins with the next", audit.WindowArgs{From: "2011-12-30", Zone: "Pacific/Apia"}, "2011-12-30T10:00:00Z", complete},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w, err := tc.args.Resolve(at(t, "2026-11-22T14:05:00Z"), at(t, complete))
			if err != nil {
				t.Fatal(err)
			}
			if got, want := w.From, at(t, tc.from); !got.Equal(want) || got.Location() != time.UTC {
				t.Errorf("from %v, want %v", got, want)
			}
			if got, want := w.To, at(t, tc.to); !got.Equal(want) || got.Location() != time.UTC {
				t.Errorf("to %v, want %v", got, want)
			}
			if want := tc.args.Zone; w.Zone.String() != want && (want != "" || w.Zone != time.UTC) {
				t.Errorf("zone %v, want %q", w.Zone, want)
			}
		})
	}
}

func TestWindowArgsResolveLastOverClockChanges(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, last, to, from string }{
		// Berlin skipped 02:00-03:00 on 29 March 2026 and repeated it on 25 October.
		{"the clock time was skipped", "1d", "2026-03-30T00:30:00Z", "2026-03-29T01:00:00Z"},
		{"the clock time came twice", "1d", "2026-10-26T01:30:00Z", "2026-10-25T00:30:00Z"},
		{"a short day", "1d", "2026-03-29T10:00:00Z", "2026-03-28T11:00:00Z"},
		{"a long day", "1w", "2026-10-25T11:00:00Z", "2026-10-18T10:00:00Z"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			to := at(t, tc.to)
			w, err := audit.WindowArgs{Last: tc.last, Zone: "Europe/Berlin"}.Resolve(to, to)
			if err != nil {
				t.Fatal(err)
			}
			if want := at(t, tc.from); !w.From.Equal(want) {
				t.Errorf("from %v, want %v", w.From, want)
			}
		})
	}
}

func TestWindowArgsResolveEndsNoLaterThanNow(t *testing.T) {
	t.Parallel()
	now := at(t, "2026-11-22T14:00:00Z")
	w, err := audit.WindowArgs{Last: "1h"}.Resolve(now, now.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if !w.To.Equal(now) {
		t.Errorf("ends at %v, want %v: this machine's clock is the limit", w.To, now)
	}
}

func TestWindowArgsResolveNothingComplete(t *testing.T) {
	t.Parallel()
	now := at(t, "2026-11-22T14:00:00Z")
	for _, args := range []audit.WindowArgs{{Last: "30d"}, {From: "2026-10-01"}} {
		if _, err := args.Resolve(now, time.Time{}); !errors.Is(err, audit.ErrNothingComplete) {
			t.Errorf("%+v: error %v, want %v", args, err, audit.ErrNothingComplete)
		}
	}
	if _, err := (audit.WindowArgs{From: "2026-10-01", To: "2026-11-01"}).Resolve(now, time.Time{}); err != nil {
		t.Errorf("an explicit window needs no data: %v", err)
	}
}

func TestWindowArgsResolveRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		args audit.WindowArgs
		want string // the whole line
	}{
		{"nothing", audit.WindowArgs{}, "no window: give --last 30d, or --from 2026-10-01 with or without --to"},
		{"two ways", audit.WindowArgs{Last: "30d", From: "2026-10-01"}, "--last and --from exclude each other: give --last alone, or --from with or without --to"},
		{"last with an end", audit.WindowArgs{Last: "30d", To: "2026-10-01"}, "--last and --to exclude each other: --last ends where the data do; for another end give --from and --to"},
		{"no beginning", audit.WindowArgs{To: "2026-10-01"}, "--to 2026-10-01 has no beginning: add --from"},
		{"months or minutes", audit.WindowArgs{Last: "3m"}, "--last 3m could mean months or minutes: write days, weeks or hours, such as 90d"},
		{"months", audit.WindowArgs{Last: "3mo"}, `--last "3mo" is no length of time: write a number and w, d or h, such as 30d`},
		{"no unit", audit.WindowArgs{Last: "30"}, `--last "30" is no length of time: write a number and w, d or h, such as 30d`},
		{"no number", audit.WindowArgs{Last: "d"}, `--last "d" is no length of time: write a number and w, d or h, such as 30d`},
		{"negative", audit.WindowArgs{Last: "-3d"}, `--last "-3d" is no length of time: write a number and w, d or h, such as 30d`},
		{"overflow", audit.WindowArgs{Last: "99999999999999999999d"}, `--last "99999999999999999999d" is no length of time: write a number and w, d or h, such as 30d`},
		{"zero", audit.WindowArgs{Last: "0d"}, "--last 0d is an empty window: write a number above 0"},
		{"ages", audit.WindowArgs{Last: "36501d"}, "--last 36501d is too long: a hundred years is the limit"},
		{"ages of hours", audit.WindowArgs{Last: "9000000000000000000h"}, "--last 9000000000000000000h is too long: a hundred years is the limit"},
		{"no date", audit.WindowArgs{From: "yesterday"}, `--from "yesterday" is no time: write 2026-10-01, 2026-10-01T08:00 or 2026-10-01T08:00:00+02:00`},
		{"no such date", audit.WindowArgs{From: "2026-02-29"}, `--from "2026-02-29" is no time: write 2026-10-01, 2026-10-01T08:00 or 2026-10-01T08:00:00+02:00`},
		{"no end", audit.WindowArgs{From: "2026-10-01", To: "2026-10-32"}, `--to "2026-10-32" is no time: write 2026-10-01, 2026-10-01T08:00 or 2026-10-01T08:00:00+02:00`},
		{"reversed", audit.WindowArgs{From: "2026-11-01", To: "2026-10-01"}, "--from 2026-11-01 is not before --to 2026-10-01: a window begins before its end, which is no part of it"},
		{"empty", audit.WindowArgs{From: "2026-11-01", To: "2026-11-01"}, "--from 2026-11-01 is not before --to 2026-11-01: a window begins before its end, which is no part of it"},
		{"the future", audit.WindowArgs{From: "2026-12-01"}, "--from 2026-12-01 has not come yet: give an earlier --from"},
		{"after the data", audit.WindowArgs{From: "2026-11-22T14:04"}, "--from 2026-11-22T14:04 is not before 2026-11-22T14:03:20Z, where the data end: run roompulse sync, or give an earlier --from"},
		{"no such zone", audit.WindowArgs{Last: "30d", Zone: "Mars/Olympus"}, `--time-zone "Mars/Olympus" is not known: write an IANA name, such as Europe/Berlin or UTC`},
		{"the machine's zone", audit.WindowArgs{Last: "30d", Zone: "Local"}, `--time-zone "Local" is not known: write an IANA name, such as Europe/Berlin or UTC`},
		{
			"a skipped time",
			audit.WindowArgs{From: "2026-03-29T02:30", Zone: "Europe/Berlin"},
			"--from 2026-03-29T02:30 does not exist in Europe/Berlin, whose clocks skipped it: add an offset, as in 2026-03-29T02:30+01:00",
		},
		{
			"a time that came twice",
			audit.WindowArgs{From: "2026-10-01", To: "2026-10-25T02:30", Zone: "Europe/Berlin"},
			"--to 2026-10-25T02:30 exists twice in Europe/Berlin, whose clocks were set back: add an offset, 2026-10-25T02:30+02:00 or 2026-10-25T02:30+01:00",
		},
		{
			"the midnight of a day that begins at one",
			audit.WindowArgs{From: "2026-03-29T00:00", Zone: "Asia/Beirut"},
			"--from 2026-03-29T00:00 does not exist in Asia/Beirut, whose clocks skipped it: add an offset, as in 2026-03-29T00:00+02:00",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := tc.args.Resolve(at(t, "2026-11-22T14:05:00Z"), at(t, "2026-11-22T14:03:20Z"))
			if _, ok := errors.AsType[audit.UsageError](err); !ok {
				t.Fatalf("error %v, want a UsageError", err)
			}
			if err.Error() != tc.want {
				t.Errorf("error\n%s\nwant\n%s", err, tc.want)
			}
		})
	}
}

func TestWindowArgsOrLast(t *testing.T) {
	t.Parallel()
	if got := (audit.WindowArgs{Zone: "UTC"}).OrLast("30d"); got.Last != "30d" || got.Zone != "UTC" {
		t.Errorf("got %+v", got)
	}
	for _, args := range []audit.WindowArgs{{Last: "1d"}, {From: "2026-10-01"}, {To: "2026-10-01"}} {
		if got := args.OrLast("30d"); got != args {
			t.Errorf("%+v became %+v", args, got)
		}
	}
}

// zones have clock changes of an hour, of half an hour, at midnight, over the
// date line, and none.
var zones = []string{
	"UTC", "Europe/Berlin", "America/Sao_Paulo", "America/Havana", "America/St_Johns", "Asia/Beirut",
	"Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca", "Antarctica/Troll",
}

func drawTime(t *rapid.T, label string) time.Time {
	const from, to = 631152000, 2208988800 // 1990 to 2040
	return time.Unix(rapid.Int64Range(from, to).Draw(t, label), 0).UTC()
}

// A clock reading means the moment at which clocks show it, unless they show
// it at another moment too.
func TestParseTimeReadsTheClock(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		z, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		moment := drawTime(t, "moment")
		if start, _ := moment.In(z).ZoneBounds(); !start.IsZero() && rapid.Bool().Draw(t, "near a change") {
			moment = start.Add(time.Duration(rapid.IntRange(-7200, 7200).Draw(t, "seconds")) * time.Second).UTC()
		}
		reading := moment.In(z).Format("2006-01-02T15:04:05")
		others := 0
		for shift := -26 * time.Hour; shift <= 26*time.Hour; shift += 30 * time.Minute {
			if other := moment.Add(shift); shift != 0 && other.In(z).Format("2006-01-02T15:04:05") == reading {
				others++
			}
		}
		got, err := audit.ParseTime("--from", reading, z)
		switch {
		case others == 0 && err != nil:
			t.Fatalf("%s in %s: %v", reading, z, err)
		case others == 0 && !got.Equal(moment):
			t.Fatalf("%s in %s is %v, want %v", reading, z, got, moment)
		case others > 0 && (err == nil || !strings.Contains(err.Error(), reading+moment.In(z).Format("-07:00"))):
			t.Fatalf("%s in %s came twice: %v, error %v", reading, z, got, err)
		}
	})
}

// Days follow each other without gap or overlap, whatever clocks do.
func TestParseTimeDaysTile(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		z, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		date := drawTime(t, "day").Truncate(24 * time.Hour)
		start, err := audit.ParseTime("--from", date.Format(time.DateOnly), z)
		if err != nil {
			t.Fatal(err)
		}
		next, err := audit.ParseTime("--from", date.AddDate(0, 0, 1).Format(time.DateOnly), z)
		if err != nil {
			t.Fatal(err)
		}
		if next.Before(start) {
			t.Fatalf("%s in %s begins at %v, the next day at %v", date, z, start, next)
		}
		day := date.Format(time.DateOnly)
		if got := start.In(z).Format(time.DateOnly); start.Before(next) && got != day {
			t.Fatalf("%s in %s begins on %s", day, z, got)
		}
		if got := start.Add(-time.Second).In(z).Format(time.DateOnly); got >= day {
			t.Fatalf("%s in %s begins at %v, after it had begun", day, z, start)
		}
	})
}

func TestWindowParts(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	rapid.Check(t, func(t *rapid.T) {
		// Ends on midnights and close to them are where a cut goes wrong.
		draw := func(label string) time.Time {
			midnight := time.Date(2026, 10, rapid.IntRange(1, 5).Draw(t, label+" day"), 0, 0, 0, 0, time.UTC)
			return midnight.Add(rapid.SampledFrom([]time.Duration{
				0, 1, time.Hour, 12 * time.Hour, day - 1,
			}).Draw(t, label+" time")).In(time.FixedZone("", rapid.IntRange(-14, 14).Draw(t, "offset")*3600))
		}
		from, to := draw("from"), draw("to")
		if to.Before(from) {
			from, to = to, from
		}
		head, days, tail := audit.Window{From: from, To: to}.Parts()
		if !head.From.Equal(from) || !head.To.Equal(days.From) || !days.To.Equal(tail.From) || !tail.To.Equal(to) {
			t.Fatalf("[%v, %v) is not covered by %v, %v, %v", from, to, head, days, tail)
		}
		for _, part := range []audit.Span{head, days, tail} {
			if part.To.Before(part.From) {
				t.Fatalf("reversed part %v of %v, %v, %v", part, head, days, tail)
			}
		}
		if days.From.Before(days.To) && (!days.From.Equal(days.From.Truncate(day)) || !days.To.Equal(days.To.Truncate(day))) {
			t.Fatalf("days %v are not whole", days)
		}
		if head.To.Sub(head.From) >= day || tail.To.Sub(tail.From) >= day {
			t.Fatalf("an edge holds a whole day: %v, %v", head, tail)
		}
		if head.From.Before(head.To) && tail.From.Before(tail.To) && !head.From.Truncate(day).Before(tail.From.Truncate(day)) {
			t.Fatalf("head %v and tail %v lie in one day", head, tail)
		}
		for _, end := range []time.Time{head.From, head.To, days.From, days.To, tail.From, tail.To} {
			if end.Location() != time.UTC {
				t.Fatalf("%v is not in UTC", end)
			}
		}
	})
}

func TestParseDuration(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{
		"0": 0, "0d": 0, "14d": 14 * 24 * time.Hour, "2w": 14 * 24 * time.Hour, "24h": 24 * time.Hour,
		"15m": 15 * time.Minute, "90s": 90 * time.Second, "36500d": 36500 * 24 * time.Hour,
	} {
		if got, err := audit.ParseDuration("--grace", value); err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", value, got, err, want)
		}
	}
	for value, want := range map[string]string{
		"":       `--grace "" is not a duration: write a number and w, d, h, m (minutes) or s, such as 14d, 24h or 15m`,
		"14":     `--grace "14" is not a duration: write a number and w, d, h, m (minutes) or s, such as 14d, 24h or 15m`,
		"-1d":    `--grace "-1d" is not a duration: write a number and w, d, h, m (minutes) or s, such as 14d, 24h or 15m`,
		"1.5h":   `--grace "1.5h" is not a duration: write a number and w, d, h, m (minutes) or s, such as 14d, 24h or 15m`,
		"3mo":    `--grace "3mo" is not a duration: write a number and w, d, h, m (minutes) or s, such as 14d, 24h or 15m`,
		"36501d": "--grace 36501d is too long: a hundred years is the limit",
	} {
		_, err := audit.ParseDuration("--grace", value)
		if _, ok := errors.AsType[audit.UsageError](err); !ok || err.Error() != want {
			t.Errorf("%q: error %v, want %s", value, err, want)
		}
	}
}
