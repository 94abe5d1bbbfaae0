package report_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"roompulse/internal/audit"
	"roompulse/internal/report"
)

// allStates is a portal in which every verdict falls, in a window with a hole,
// an accepted gap, and a room that could not be read.
func allStates() (audit.Facts, report.InactiveQuery) {
	hole := audit.Span{From: date("2026-11-02T10:00:00Z"), To: date("2026-11-02T12:30:00Z")}
	gap := audit.Span{From: date("2026-10-28T03:15:20Z"), To: date("2026-10-28T03:15:21Z")}
	c := complete()
	c.Complete = []audit.Span{{From: c.Floor, To: gap.From}, {From: gap.To, To: hole.From}, {From: hole.To, To: until}}
	c.Gaps = []audit.Gap{{ID: 1, Span: gap, Cause: "ties", Accepted: true, AcceptReason: "one second"}}

	afterHole := func(change func(*audit.MemberFacts)) func(*audit.MemberFacts) {
		return func(m *audit.MemberFacts) {
			m.JoinedAt = date("2026-11-03T09:00:00Z")
			m.JoinedAfter = m.JoinedAt
			change(m)
		}
	}
	f := audit.Facts{
		Coverage: c,
		Events:   audit.EventFacts{Events: 41237, Unattributed: 165, Inferred: 4990, Quarantined: 2},
		Rooms: []audit.RoomFacts{
			room("463996", "Tender"),
			with(room("27", "Annual report"), func(r *audit.RoomFacts) { r.UnreadableSince = date("2026-11-12T06:00:30Z") }),
			room("5120", "Board"),
		},
		Members: []audit.MemberFacts{
			with(member("463996", "ann", "Ann Lee"), func(m *audit.MemberFacts) {
				m.Events, m.LastActiveAt, m.Access = 7, date("2026-11-21T16:10:00Z"), audit.AccessRoomManager
			}),
			with(member("463996", "ben", "Ben Okafor"), func(m *audit.MemberFacts) { m.Status, m.LastSeenAt = audit.AccountPending, time.Time{} }),
			with(member("463996", "cleo", "Cleo Martin"), func(m *audit.MemberFacts) {
				m.JoinedAt, m.JoinedAfter = date("2026-11-15T12:00:00Z"), date("2026-11-14T12:00:00Z")
			}),
			with(member("463996", "dan", "Dan Novak"), func(m *audit.MemberFacts) { m.LastActiveAt = date("2026-09-30T10:00:00Z") }),
			with(member("463996", "eve", "Eve Larsen"), afterHole(func(m *audit.MemberFacts) { m.DoubtfulEvents = 3 })),
			with(member("463996", "fay", "Fay Adeyemi"), afterHole(func(m *audit.MemberFacts) {
				m.Events, m.LastActiveAt = 2, date("2026-11-10T10:00:00Z")
			})),
			with(member("463996", "gus", "Gus Weber"), afterHole(func(m *audit.MemberFacts) {
				m.LastActiveAt, m.Guest, m.Access = date("2026-06-11T10:00:00Z"), true, audit.AccessViewer
			})),
			with(member("463996", "hana", "Hana Suzuki"), afterHole(func(m *audit.MemberFacts) { m.LastSeenAt = time.Time{} })),
			with(member("463996", "ida", "Ida Berg"), func(m *audit.MemberFacts) { m.Owner, m.Access = true, audit.AccessOwner }),
			with(member("27", "hana", "Hana Suzuki"), afterHole(func(m *audit.MemberFacts) { m.Access = audit.AccessContentCreator })),
			with(member("27", "dan", "Dan Novak"), func(m *audit.MemberFacts) { m.Events, m.LastActiveAt = 3, date("2026-11-21T16:10:00Z") }),
		},
	}
	q := query()
	q.MinActivity = 3
	return f, q
}

func TestGoldenAllStates(t *testing.T) {
	t.Parallel()
	f, q := allStates()
	goldenInactive(t, "all-states", inactive(t, f, q), report.Options{})
	for _, width := range []int{40, 80, 120, 200} {
		golden(t, fmt.Sprintf("all-states-%d.table", width), []byte(table(t, inactive(t, f, q), report.Options{Width: width})))
	}
	q.All, q.Owners, q.Archived = true, true, true
	goldenInactive(t, "all-listed", inactive(t, f, q), report.Options{Color: true, Width: 100})
}

// What happens on the very ends of a window, which a clock change lies in.
func TestGoldenBounds(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	q := query()
	q.Window.Zone = berlin
	q.Window.From, q.Window.To = date("2026-10-24T22:00:00.000001Z").In(berlin), date("2026-10-25T23:00:30Z")
	q.Grace = time.Hour
	seen := func(at time.Time) func(*audit.MemberFacts) {
		return func(m *audit.MemberFacts) { m.LastActiveAt, m.LastSeenAt = at, at }
	}
	goldenInactive(t, "bounds", inactive(t, audit.Facts{
		Coverage: complete(),
		Events:   audit.EventFacts{Events: 3000, Unattributed: 1, Inferred: 3000},
		Rooms: []audit.RoomFacts{
			room("7", "Tender"),
			with(room("8", "Made as it ends"), func(r *audit.RoomFacts) { r.Created = q.Window.To }),
			with(room("9", "Made after"), func(r *audit.RoomFacts) { r.Created = q.Window.To.Add(time.Microsecond) }),
			with(room("10", "Deleted as it ends"), func(r *audit.RoomFacts) { r.Deleted = q.Window.To }),
			with(room("11", "Deleted after"), func(r *audit.RoomFacts) { r.Deleted = q.Window.To.Add(time.Microsecond) }),
			with(room("12", "Listed after"), func(r *audit.RoomFacts) { r.MembersSince = until }),
		},
		Members: []audit.MemberFacts{
			with(member("7", "before", "Just before it"), seen(q.Window.From.Add(-time.Microsecond))),
			with(with(member("7", "first", "First moment"), seen(q.Window.From)), func(m *audit.MemberFacts) { m.Events = 1 }),
			with(with(member("7", "last", "Last moment"), seen(q.Window.To.Add(-time.Microsecond))), func(m *audit.MemberFacts) { m.Events = 1 }),
			with(with(member("7", "first-pass", "02:30, first pass"), seen(date("2026-10-25T00:30:00Z"))), func(m *audit.MemberFacts) { m.Events = 1 }),
			with(with(member("7", "second-pass", "02:30, second pass"), seen(date("2026-10-25T01:30:00Z"))), func(m *audit.MemberFacts) { m.Events = 1 }),
			with(member("7", "grace", "As old as the grace time"), func(m *audit.MemberFacts) {
				m.JoinedAt = q.Window.To.Add(-time.Hour)
				m.JoinedAfter = m.JoinedAt
			}),
			with(member("7", "young", "A microsecond younger"), func(m *audit.MemberFacts) {
				m.JoinedAt = q.Window.To.Add(-time.Hour + time.Microsecond)
				m.JoinedAfter = m.JoinedAt
			}),
		},
	}, with(q, func(q *report.InactiveQuery) { q.All = true })), report.Options{})
}

func TestGoldenEmptyPortal(t *testing.T) {
	t.Parallel()
	goldenInactive(t, "empty-portal", inactive(t, audit.Facts{}, query()), report.Options{})
}

func TestGoldenRoomsWithNothingToSay(t *testing.T) {
	t.Parallel()
	q := query()
	q.Guests, q.Activity = report.GuestsExclude, audit.FilterEdit
	goldenInactive(t, "nobody", inactive(t, audit.Facts{
		Coverage: complete(),
		Events:   audit.EventFacts{Events: 1, Inferred: 1},
		Rooms: []audit.RoomFacts{
			room("7", "No members"),
			with(room("8", "Never read"), func(r *audit.RoomFacts) {
				r.MembersSince, r.MembersAt, r.UnreadableSince = time.Time{}, time.Time{}, date("2026-11-20T03:00:00Z")
			}),
			with(room("82", "Never read, and asked only after the window"), func(r *audit.RoomFacts) {
				r.MembersSince, r.MembersAt, r.UnreadableSince = time.Time{}, time.Time{}, until.Add(time.Hour)
			}),
			with(room("81", "Not read yet"), func(r *audit.RoomFacts) { r.MembersSince, r.MembersAt = time.Time{}, time.Time{} }),
			with(room("9", "Closed after the window"), func(r *audit.RoomFacts) { r.UnreadableSince = until }),
			room("10", "All active"),
			room("sbox-7", ""),
		},
		Members: []audit.MemberFacts{with(member("10", "ann", "Ann Lee"), func(m *audit.MemberFacts) { m.Events = 12 })},
	}, q), report.Options{})
}

func TestGoldenIncomplete(t *testing.T) {
	t.Parallel()
	q := query()
	q.Window.From, q.Window.To = date("2026-02-01T00:00:00Z"), date("2026-05-01T00:00:00Z")
	q.Now = date("2026-11-25T08:00:00Z")
	c := audit.Coverage{Floor: date("2026-03-01T00:00:00Z")}
	for i := range 14 {
		at := c.Floor.AddDate(0, 0, 3*i)
		c.Complete = append(c.Complete, audit.Span{From: at, To: at.AddDate(0, 0, 2)})
		c.Gaps = append(c.Gaps, audit.Gap{ID: int32(i), Span: audit.Span{From: at.AddDate(0, 0, 2), To: at.AddDate(0, 0, 3)}})
	}
	c.Complete = append(c.Complete, audit.Span{From: c.Gaps[13].To, To: until})
	goldenInactive(t, "incomplete", inactive(t, audit.Facts{
		Coverage: c,
		Events:   audit.EventFacts{Events: 100},
		Rooms:    []audit.RoomFacts{room("7", "Tender")},
		Members: []audit.MemberFacts{
			with(member("7", "ann", "Ann Lee"), func(m *audit.MemberFacts) { m.JoinedAt, m.JoinedAfter = time.Time{}, time.Time{} }),
			with(member("7", "bo", "Bo Lind"), func(m *audit.MemberFacts) { m.Events, m.LastActiveAt = 1, date("2026-04-30T23:59:59Z") }),
		},
	}, q), report.Options{Width: 100})
}

// Data that begin with --since or the oldest event do not tell of older members.
func TestGoldenNoneSince(t *testing.T) {
	t.Parallel()
	founder := func(m *audit.MemberFacts) {
		m.JoinedAt, m.JoinedAfter, m.Registered = time.Time{}, time.Time{}, time.Time{}
	}
	goldenInactive(t, "none-since", inactive(t, audit.Facts{
		Coverage: complete(),
		Rooms:    []audit.RoomFacts{with(room("7", "Old room"), func(r *audit.RoomFacts) { r.Created = date("2024-01-01T00:00:00Z") })},
		Members:  []audit.MemberFacts{with(member("7", "ann", "Ann Lee"), founder), member("7", "bo", "Bo Lind")},
	}, query()), report.Options{Width: 120})
}

// A window before all events that the portal has: nobody knows what it forgot.
func TestNoneKnown(t *testing.T) {
	t.Parallel()
	q := query()
	q.Window.From, q.Window.To = daysBefore(first, 20), daysBefore(first, 10)
	got := table(t, inactive(t, audit.Facts{
		Coverage: complete(),
		Rooms:    []audit.RoomFacts{with(room("7", "Tender"), func(r *audit.RoomFacts) { r.Created = daysBefore(first, 90) })},
		Members: []audit.MemberFacts{with(member("7", "ann", "Ann Lee"), func(m *audit.MemberFacts) {
			m.JoinedAt, m.JoinedAfter, m.Registered = time.Time{}, time.Time{}, time.Time{}
		})},
	}, q), report.Options{})
	if !strings.Contains(got, "quiet       0  none known") || strings.Contains(got, "none since") {
		t.Errorf("want no activity known, got\n%s", got)
	}
}

func TestGoldenWideNames(t *testing.T) {
	t.Parallel()
	f := audit.Facts{
		Coverage: complete(),
		Rooms:    []audit.RoomFacts{room("7", "入札プロジェクト")},
		Members: []audit.MemberFacts{
			member("7", "1", "山田 太郎"), member("7", "2", "김민준"), member("7", "3", "Zoë Łukasiewicz"),
			member("7", "4", "Zoe\u0308 with a mark of its own"), member("7", "5", "👩‍👩‍👧 Family"), member("7", "6", "محمد علي"),
			member("7", "7", "ｆｕｌｌｗｉｄｔｈ ｎａｍｅ ｔｈａｔ ｉｓ ｌｏｎｇ"), member("7", "8", "🇩🇪 Flag"), member("7", "9", "Plain"),
		},
	}
	goldenInactive(t, "wide-names", inactive(t, f, query()), report.Options{})
	golden(t, "wide-names-60.table", []byte(table(t, inactive(t, f, query()), report.Options{Width: 60})))
}

func TestGoldenHostileNames(t *testing.T) {
	t.Parallel()
	f := audit.Facts{
		Coverage: complete(),
		Rooms:    []audit.RoomFacts{room("7\n8", "Tender\r\n\x1b[2JNobody to list")},
		Members: []audit.MemberFacts{
			member("7\n8", "1", "Two\nlines"), member("7\n8", "2", "\x1b[31mred\x1b[0m"), member("7\n8", "3", "\u202egnitsil\u202c"),
			member("7\n8", "4", "a\ttab"), member("7\n8", "5", "bell\a, backspace\b, C1\u009b31m"), member("7\n8", "6", "zero\u200bwidth\ufeff"),
			member("7\n8", "7", "   "), member("7\n8", "8", "bad \xff bytes"),
			with(member("7\n8", "9'; rm -rf ~", "Shell"), func(m *audit.MemberFacts) { m.DoubtfulEvents, m.Email = 1, "a@b\x1b]0;title\a" }),
			member("7\n8", "10", "line\u2028separator"), member("7\n8", "11", "<b>&amp;</b> | \"quoted\""),
			member("7\n8", "12", "<script>alert(1)</script>"), member("7\n8", "13", "=cmd()"), member("7\n8", "14", "'=2+2"),
			member("7\n8", "15", "[link](https://evil.example) `code` **bold** www.evil.example"), member("7\n8", "16", "＝ＳＵＭ()"),
		},
	}
	goldenInactive(t, "hostile-names", inactive(t, f, query()), report.Options{})
}

func TestGoldenActivity(t *testing.T) {
	t.Parallel()
	c := complete()
	c.Complete[0].To = daysBefore(until, 1)
	row := func(roomID, title, id, name string, member bool, views, edits, manages int64) audit.ActivityFacts {
		return audit.ActivityFacts{
			RoomID: roomID, Title: title, AccountID: id, Name: name, Member: member, Views: views, Edits: edits, Manages: manages,
			Disabled: id == "bo", ActiveDays: min(views+edits+manages, 30), FirstAt: from, LastAt: daysBefore(until, 1).Add(-time.Second),
		}
	}
	f := audit.Facts{
		Portal: "https://acme.onlyoffice.example", Coverage: c,
		Events: audit.EventFacts{Events: 1200, Unattributed: 12, Inferred: 100},
		Rooms: []audit.RoomFacts{
			with(room("7", "Tender"), func(r *audit.RoomFacts) { r.Archived = true }),
			with(room("27", "Annual report"), func(r *audit.RoomFacts) { r.Deleted = daysBefore(until, 2) }),
			with(room("8", "Silent"), func(r *audit.RoomFacts) { r.MembersSince = until }),
		},
		Activity: []audit.ActivityFacts{
			row("7", "Tender", "ann", "Ann Lee", true, 10, 200, 3),
			row("7", "Tender", "bo", "Bo\tLind", false, 0, 1, 0),
			row("27", "Annual report", "ann", "Ann Lee", false, 4, 0, 0),
		},
	}
	for _, tc := range []struct {
		name    string
		rooms   []string
		options report.Options
		formats []string
	}{
		{"activity", nil, report.Options{}, report.FormatNames()},
		{"activity-60", nil, report.Options{Width: 60, Color: true}, []string{"table"}},
		{"activity-room", []string{"7"}, report.Options{}, report.FormatNames()},
		{"activity-none", []string{"8"}, report.Options{}, report.FormatNames()},
	} {
		r, err := report.Activity(t.Context(), &facts{Facts: f}, report.ActivityQuery{
			Window: query().Window, Rooms: tc.rooms, Now: now, MaxLag: 24 * time.Hour,
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range tc.formats {
			format, err := report.ParseFormat(name, "")
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := format.WriteActivity(&out, r, tc.options); err != nil {
				t.Fatal(err)
			}
			golden(t, tc.name+"."+name, readable(t, name, out.Bytes()))
		}
	}
}

// A room of 10,000 rows, told by the size and the hash of each format.
func TestGoldenLargeRoom(t *testing.T) {
	t.Parallel()
	f := audit.Facts{Coverage: complete(), Rooms: []audit.RoomFacts{room("7", "Everybody")}}
	for i := range 10_000 {
		f.Members = append(f.Members, with(member("7", fmt.Sprintf("%05d", i), fmt.Sprintf("Member %d", i)), func(m *audit.MemberFacts) {
			m.Events = int64(i % 3)
		}))
	}
	r := inactive(t, f, with(query(), func(q *report.InactiveQuery) { q.All = true }))
	var sums bytes.Buffer
	for _, format := range report.FormatNames() {
		out := readable(t, format, []byte(write(t, format, r)))
		if n := bytes.Count(out, []byte("Member ")); n < 10_000 {
			t.Errorf("%s has %d members", format, n)
		}
		fmt.Fprintf(&sums, "%-8s  %7d bytes  %x\n", format, len(out), sha256.Sum256(out))
	}
	golden(t, "large-room", sums.Bytes())
}

// A heat map shows those with too little activity and the busiest of a room.
func TestHeatMapShowsTheBusiest(t *testing.T) {
	t.Parallel()
	f := &facts{Facts: audit.Facts{Coverage: complete(), Rooms: []audit.RoomFacts{room("7", "Tender")}}}
	for i := range 80 {
		f.Members = append(f.Members, with(member("7", fmt.Sprintf("%02d", i), "Member"), func(m *audit.MemberFacts) { m.Events = int64(i) }))
	}
	q := with(query(), func(q *report.InactiveQuery) { q.MinActivity = 5 })
	if _, err := report.InactiveByDay(t.Context(), f, q); err != nil {
		t.Fatal(err)
	}
	var want []audit.MemberKey
	for i := range 80 {
		if i > 0 && i < 5 || i >= 30 {
			want = append(want, audit.MemberKey{RoomID: "7", AccountID: fmt.Sprintf("%02d", i)})
		}
	}
	if !slices.Equal(f.asked, want) {
		t.Errorf("asked for %v, want %v", f.asked, want)
	}
}

// Exclusions are told, with what each takes out of the report.
func TestGoldenExcluded(t *testing.T) {
	t.Parallel()
	f, q := allStates()
	f.Exclusions = []audit.Exclusion{
		{ID: 2, Kind: audit.ExcludeAccount, Subject: "dan", Name: "Dan Novak", Reason: "on leave | back in March", AddedAt: from, ExpiresAt: date("2027-03-01T00:00:00Z")},
		{ID: 3, Kind: audit.ExcludeRoom, Subject: "5120", Name: "Board", Reason: "meets twice a year", AddedAt: from},
		{ID: 4, Kind: audit.ExcludeDomain, Subject: "gone.example", Reason: "nobody has one", AddedAt: from},
		{ID: 5, Kind: audit.ExcludeAccount, Subject: "hana", Name: "Hana Suzuki", Reason: "expired", AddedAt: from, ExpiresAt: q.Now},
		{ID: 6, Kind: audit.ExcludeGroup, Subject: "g-1", Name: "Auditors", Reason: "they read paper", AddedAt: from, GroupMembers: []string{"dan", "ida", "eve"}},
	}
	f.Members = append(f.Members, member("5120", "ann", "Ann Lee"), member("5120", "ben", "Ben Okafor"))
	goldenInactive(t, "excluded", inactive(t, f, q), report.Options{Width: 100})
}

// The words follow what is counted.
func TestGoldenEdits(t *testing.T) {
	t.Parallel()
	f, q := allStates()
	q.Activity, q.MinActivity = audit.FilterEdit, 1
	goldenInactive(t, "edits", inactive(t, f, q), report.Options{Width: 100})
}
