package report_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"roompulse/internal/audit"
	"roompulse/internal/report"
)

// judgeOne returns the verdict on the only member of the only room.
func judgeOne(tb testing.TB, f audit.Facts, q report.InactiveQuery) report.Member {
	tb.Helper()
	q.All = true
	r, err := report.Inactive(tb.Context(), &facts{Facts: f}, q)
	if err != nil {
		tb.Fatal(err)
	}
	if len(r.Rooms) != 1 || len(r.Rooms[0].Inactive) != 1 {
		tb.Fatalf("want one room with one member, got %+v", r.Rooms)
	}
	return r.Rooms[0].Inactive[0]
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	hour := func(h string) time.Time { return date("2026-11-02T" + h + ":00:00Z") }
	hole := audit.Span{From: hour("10"), To: hour("12")}
	withHole := func(c *audit.Coverage) {
		c.Complete = []audit.Span{{From: c.Floor, To: hole.From}, {From: hole.To, To: until}}
	}
	for _, tc := range []struct {
		name     string
		member   func(*audit.MemberFacts)
		room     func(*audit.RoomFacts)
		coverage func(*audit.Coverage)
		query    func(*report.InactiveQuery)
		want     string // state, and why unknown
	}{
		{name: "nothing", want: "never"},
		{name: "one event", member: func(m *audit.MemberFacts) { m.Events = 1 }, want: "active"},
		{
			name: "as many as needed", member: func(m *audit.MemberFacts) { m.Events = 5 },
			query: func(q *report.InactiveQuery) { q.MinActivity = 5 }, want: "active",
		},
		{
			name: "one too few", member: func(m *audit.MemberFacts) { m.Events = 4 },
			query: func(q *report.InactiveQuery) { q.MinActivity = 5 }, want: "low",
		},
		{name: "active before the window", member: func(m *audit.MemberFacts) { m.LastActiveAt = daysBefore(from, 1) }, want: "quiet"},

		// The first that holds.
		{
			name: "missing data do not undo activity", member: func(m *audit.MemberFacts) { m.Events = 1 },
			coverage: withHole, want: "active",
		},
		{
			name: "an invited person can be active", member: func(m *audit.MemberFacts) { m.Events, m.Status = 1, audit.AccountPending },
			want: "active",
		},
		{
			name: "pending before new", member: func(m *audit.MemberFacts) {
				m.Status, m.JoinedAt, m.JoinedAfter = audit.AccountPending, daysBefore(until, 1), daysBefore(until, 1)
			}, want: "pending",
		},
		{
			name: "new before unknown", member: func(m *audit.MemberFacts) { m.JoinedAt, m.JoinedAfter = daysBefore(until, 1), daysBefore(until, 1) },
			coverage: func(c *audit.Coverage) { c.Complete[0].To = hour("10") }, want: "new",
		},
		{
			name: "new before low", member: func(m *audit.MemberFacts) {
				m.JoinedAt, m.JoinedAfter, m.Events = daysBefore(until, 1), daysBefore(until, 1), 4
			}, query: func(q *report.InactiveQuery) { q.MinActivity = 5 }, want: "new",
		},
		{
			name: "unknown before low", member: func(m *audit.MemberFacts) { m.Events = 4 }, coverage: withHole,
			query: func(q *report.InactiveQuery) { q.MinActivity = 5 }, want: "unknown incomplete_data",
		},
		{
			name: "missing data before unresolved events", member: func(m *audit.MemberFacts) { m.DoubtfulEvents = 9 }, coverage: withHole,
			want: "unknown incomplete_data",
		},

		// New.
		{
			name: "a member for exactly the grace time", member: func(m *audit.MemberFacts) { m.JoinedAt, m.JoinedAfter = daysBefore(until, 14), daysBefore(until, 14) },
			want: "never",
		},
		{
			name: "a second less", member: func(m *audit.MemberFacts) {
				m.JoinedAt = daysBefore(until, 14).Add(time.Second)
				m.JoinedAfter = m.JoinedAt
			}, want: "new",
		},
		{
			name: "no grace", member: func(m *audit.MemberFacts) { m.JoinedAt, m.JoinedAfter = daysBefore(until, 1), daysBefore(until, 1) },
			query: func(q *report.InactiveQuery) { q.Grace = 0 }, want: "never",
		},
		{
			name: "since nobody knows when, in a new room", member: func(m *audit.MemberFacts) { m.JoinedAt, m.JoinedAfter = time.Time{}, time.Time{} },
			room: func(r *audit.RoomFacts) { r.Created = daysBefore(until, 2) }, want: "new",
		},
		{
			name: "since nobody knows when, with a new account", member: func(m *audit.MemberFacts) {
				m.JoinedAt, m.JoinedAfter, m.Registered = time.Time{}, time.Time{}, daysBefore(until, 2)
			}, want: "new",
		},
		{
			name: "since nobody knows when, after leaving two days ago", member: func(m *audit.MemberFacts) { m.JoinedAt, m.JoinedAfter = time.Time{}, daysBefore(until, 2) },
			want: "new",
		},
		{
			name: "a known start beats a young account", member: func(m *audit.MemberFacts) { m.Registered = daysBefore(until, 2) },
			want: "never",
		},
		{
			name: "first listed yesterday, not there half a year ago", member: func(m *audit.MemberFacts) {
				m.JoinedAt, m.JoinedAfter = daysBefore(until, 1), daysBefore(until, 180)
			}, want: "new",
		},

		// Unknown for want of data.
		{name: "a hole", coverage: withHole, want: "unknown incomplete_data"},
		{
			name: "an accepted gap", coverage: func(c *audit.Coverage) {
				withHole(c)
				c.Gaps = []audit.Gap{{Span: hole, Accepted: true}}
			}, want: "never",
		},
		{
			name: "a gap", coverage: func(c *audit.Coverage) {
				withHole(c)
				c.Gaps = []audit.Gap{{Span: hole}}
			}, want: "unknown incomplete_data",
		},
		{
			name: "a hole before the membership", member: func(m *audit.MemberFacts) { m.JoinedAt, m.JoinedAfter = hole.To, hole.To },
			coverage: withHole, query: func(q *report.InactiveQuery) { q.Grace = 0 }, want: "never",
		},
		{
			name: "the last second of a hole in the membership", member: func(m *audit.MemberFacts) {
				m.JoinedAt = hole.To.Add(-time.Second)
				m.JoinedAfter = m.JoinedAt
			}, coverage: withHole, query: func(q *report.InactiveQuery) { q.Grace = 0 }, want: "unknown incomplete_data",
		},
		{
			name: "a hole in which the membership may have begun", member: func(m *audit.MemberFacts) {
				m.JoinedAt, m.JoinedAfter = hole.To, hole.From
			}, coverage: withHole, query: func(q *report.InactiveQuery) { q.Grace = 0 }, want: "unknown incomplete_data",
		},
		{
			name: "a hole before the window", coverage: func(c *audit.Coverage) {
				c.Complete = []audit.Span{{From: c.Floor, To: daysBefore(from, 2)}, {From: daysBefore(from, 1), To: until}}
			}, want: "quiet",
		},
		{
			name: "an end beyond the data", query: func(q *report.InactiveQuery) { q.Window.To = until.Add(time.Minute) },
			want: "unknown incomplete_data",
		},
		{name: "no data", coverage: func(c *audit.Coverage) { *c = audit.Coverage{} }, want: "unknown incomplete_data"},

		// Unknown for events that may be theirs.
		{name: "an unresolved event", member: func(m *audit.MemberFacts) { m.DoubtfulEvents = 1 }, want: "unknown unresolved_events"},
		{
			name: "enough with unresolved events", member: func(m *audit.MemberFacts) { m.Events, m.DoubtfulEvents = 2, 3 },
			query: func(q *report.InactiveQuery) { q.MinActivity = 5 }, want: "unknown unresolved_events",
		},
		{
			name: "too few even with them", member: func(m *audit.MemberFacts) { m.Events, m.DoubtfulEvents = 2, 2 },
			query: func(q *report.InactiveQuery) { q.MinActivity = 5 }, want: "low",
		},
		{
			name: "too few even with them, and none certain", member: func(m *audit.MemberFacts) { m.DoubtfulEvents = 2 },
			query: func(q *report.InactiveQuery) { q.MinActivity = 5 }, want: "never",
		},

		// Never or quiet.
		{
			name: "a membership older than the data", member: func(m *audit.MemberFacts) { m.JoinedAt, m.JoinedAfter = daysBefore(first, 1), daysBefore(first, 1) },
			want: "quiet",
		},
		{
			name: "a membership as old as the data", member: func(m *audit.MemberFacts) { m.JoinedAt, m.JoinedAfter = first, first },
			want: "never",
		},
		{
			name: "a membership that may be older than the data", member: func(m *audit.MemberFacts) {
				m.JoinedAt, m.JoinedAfter, m.Registered = first, time.Time{}, time.Time{}
			},
			room: func(r *audit.RoomFacts) { r.Created = time.Time{} }, want: "quiet",
		},
		{
			name: "since nobody knows when, but not before the room was", member: func(m *audit.MemberFacts) { m.JoinedAt, m.JoinedAfter = time.Time{}, time.Time{} },
			want: "never",
		},
		{
			name: "data that begin where --since said", coverage: func(c *audit.Coverage) {
				c.Floor, c.FloorIsOldest = daysBefore(from, 10), false
				c.Complete[0].From = c.Floor
			}, want: "quiet",
		},
		{
			name: "an accepted gap before the window", coverage: func(c *audit.Coverage) {
				gap := audit.Span{From: daysBefore(from, 10), To: daysBefore(from, 9)}
				c.Complete = []audit.Span{{From: c.Floor, To: gap.From}, {From: gap.To, To: until}}
				c.Gaps = []audit.Gap{{Span: gap, Accepted: true}}
			}, want: "never",
		},
		{
			name: "a member since the end, which the data do not reach", member: func(m *audit.MemberFacts) {
				m.JoinedAt, m.JoinedAfter = until.Add(time.Hour), until.Add(time.Hour)
			}, query: func(q *report.InactiveQuery) { q.Window.To, q.Grace = until.Add(time.Hour), 0 }, want: "quiet",
		},
		{
			name: "a hole after the window", query: func(q *report.InactiveQuery) {
				q.Window.From, q.Window.To = daysBefore(from, 40), daysBefore(from, 5)
			}, coverage: func(c *audit.Coverage) {
				c.Complete = []audit.Span{{From: c.Floor, To: daysBefore(from, 5)}, {From: from, To: until}}
			}, want: "never",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			m, r, c, q := member("7", "ann", "Ann Lee"), room("7", "Tender"), complete(), query()
			if tc.member != nil {
				tc.member(&m)
			}
			if tc.room != nil {
				tc.room(&r)
			}
			if tc.coverage != nil {
				tc.coverage(&c)
			}
			if tc.query != nil {
				tc.query(&q)
			}
			judged := judgeOne(t, audit.Facts{Coverage: c, Rooms: []audit.RoomFacts{r}, Members: []audit.MemberFacts{m}}, q)
			got := string(judged.State)
			if judged.UnknownBecause != nil {
				got += " " + string(*judged.UnknownBecause)
			}
			if got != tc.want {
				t.Errorf("judged %s, want %s", got, tc.want)
			}
		})
	}
}

// Day by day, a verdict is what the rules say. The days of the play are numbered.
func TestVerdictDayByDay(t *testing.T) {
	t.Parallel()
	const days, unknown = 12, -1
	at := func(d int) time.Time {
		if d == unknown {
			return time.Time{}
		}
		return date("2026-10-01T00:00:00Z").AddDate(0, 0, d)
	}
	rapid.Check(t, func(rt *rapid.T) {
		const held, missing, lost = 0, 1, 2 // lost: in an accepted gap
		kinds := rapid.SliceOfN(rapid.SampledFrom([]int{held, held, held, held, held, missing, lost}), days, days).Draw(rt, "kinds")
		begin := rapid.IntRange(0, days-1).Draw(rt, "from")
		end := rapid.IntRange(begin+1, days).Draw(rt, "to")
		moment := func(label string) int { return rapid.IntRange(unknown, end).Draw(rt, label) }
		created, registered, after, joined := moment("created"), moment("registered"), moment("after"), moment("joined")
		oldest := rapid.IntRange(unknown, days).Draw(rt, "oldest")
		floorIsOldest := rapid.Bool().Draw(rt, "floor is oldest")
		grace := rapid.IntRange(0, 3).Draw(rt, "grace")
		least := rapid.IntRange(1, 3).Draw(rt, "min activity")
		events := rapid.IntRange(0, 3).Draw(rt, "events")
		doubtful := rapid.IntRange(0, 3).Draw(rt, "doubtful")
		before := rapid.Bool().Draw(rt, "active before")
		pending := rapid.Bool().Draw(rt, "pending") && rapid.Bool().Draw(rt, "really")

		c := audit.Coverage{OldestEvent: at(oldest), Floor: at(0), FloorIsOldest: floorIsOldest}
		for d, kind := range kinds {
			one := audit.Span{From: at(d), To: at(d + 1)}
			switch n := len(c.Complete); {
			case kind == lost:
				c.Gaps = append(c.Gaps, audit.Gap{Span: one, Accepted: true})
			case kind == held && n > 0 && c.Complete[n-1].To.Equal(one.From):
				c.Complete[n-1].To = one.To
			case kind == held:
				c.Complete = append(c.Complete, one)
			}
		}
		m := audit.MemberFacts{
			RoomID: "7", AccountID: "ann", Status: audit.AccountActive, Registered: at(registered),
			JoinedAt: at(joined), JoinedAfter: at(after), Events: int64(events), DoubtfulEvents: int64(doubtful),
		}
		if pending {
			m.Status = audit.AccountPending
		}
		if before || events > 0 {
			m.LastActiveAt = at(begin)
		}
		q := query()
		q.Window.From, q.Window.To = at(begin), at(end)
		q.MinActivity, q.Grace = int64(least), time.Duration(grace)*24*time.Hour
		judged := judgeOne(t, audit.Facts{
			Coverage: c, Rooms: []audit.RoomFacts{{ID: "7", Created: at(created)}}, Members: []audit.MemberFacts{m},
		}, q)

		start := max(created, registered, after) // they cannot have been a member before it
		if joined != unknown {
			start = min(start, joined)
		}
		since := joined
		if since == unknown {
			since = start
		}
		anyMissing := slices.Contains(kinds[max(begin, start):end], missing)
		allKnown := false // from a held day on that is not after the start
		for d := 0; d <= start && d < end; d++ {
			allKnown = allKnown || kinds[d] == held && !slices.Contains(kinds[d:end], missing)
		}
		if floorIsOldest && start < oldest {
			allKnown = false
		}
		want := "never"
		switch {
		case events >= least:
			want = "active"
		case pending:
			want = "pending"
		case since != unknown && end-since < grace:
			want = "new"
		case anyMissing:
			want = "unknown"
		case events+doubtful >= least:
			want = "unknown"
		case events > 0:
			want = "low"
		case before || !allKnown:
			want = "quiet"
		}
		if string(judged.State) != want {
			rt.Fatalf("judged %s, want %s (start %d, since %d)", judged.State, want, start, since)
		}
		because := ""
		if judged.UnknownBecause != nil {
			because = string(*judged.UnknownBecause)
		}
		wantBecause := ""
		if want == "unknown" {
			wantBecause = "unresolved_events"
			if anyMissing {
				wantBecause = "incomplete_data"
			}
		}
		if because != wantBecause {
			rt.Fatalf("unknown because %q, want %q", because, wantBecause)
		}
	})
}

// More evidence of activity never makes a member look less active, and a member
// on whom data are missing is never called never.
func TestVerdictIsMonotonous(t *testing.T) {
	t.Parallel()
	order := []report.State{report.StateNever, report.StateQuiet, report.StateLow, report.StateActive}
	rapid.Check(t, func(rt *rapid.T) {
		q := query()
		q.MinActivity = rapid.Int64Range(1, 4).Draw(rt, "min activity")
		m := member("7", "ann", "Ann Lee")
		m.Events = rapid.Int64Range(0, 4).Draw(rt, "events")
		f := audit.Facts{Coverage: complete(), Rooms: []audit.RoomFacts{room("7", "Tender")}, Members: []audit.MemberFacts{m}}
		less := judgeOne(t, f, q)
		f.Members[0].Events++
		more := judgeOne(t, f, q)
		if slices.Index(order, more.State) < slices.Index(order, less.State) {
			rt.Fatalf("%d events: %s, one more: %s", m.Events, less.State, more.State)
		}
		f.Coverage.Complete[0].To = until.Add(-time.Second)
		if judged := judgeOne(t, f, q); judged.State != report.StateActive && judged.State != report.StateUnknown {
			rt.Fatalf("a second is missing, but judged %s", judged.State)
		}
	})
}

func TestStateIsListed(t *testing.T) {
	t.Parallel()
	for state, want := range map[report.State]bool{
		report.StateActive: false, report.StatePending: false, report.StateNew: false, report.StateUnknown: true,
		report.StateLow: true, report.StateQuiet: true, report.StateNever: true,
	} {
		if got := state.IsListed(); got != want {
			t.Errorf("%s is listed: %v", state, got)
		}
	}
}
