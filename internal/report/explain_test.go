package report_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"roompulse/internal/attribution"
	"roompulse/internal/audit"
	"roompulse/internal/report"
)

// explainer answers with facts that a test made up. It keeps what it was asked.
type explainer struct {
	facts         audit.ExplainFacts
	room, account string
	newest        int64
	counted       audit.Filter
}

func (e *explainer) ExplainFacts(
	_ context.Context, _ audit.Window, counted audit.Filter, room, account string, newest int64,
) (audit.ExplainFacts, error) {
	e.counted, e.room, e.account, e.newest = counted, room, account, newest
	return e.facts, nil
}

func explained(f audit.ExplainFacts, q report.InactiveQuery) (*report.ExplainReport, error) {
	f.Portal = "https://acme.onlyoffice.example"
	return report.Explain(context.Background(), &explainer{facts: f}, report.ExplainQuery{Inactive: q, Room: "7", Account: "ann"})
}

// explanation is the answer as people read it.
func explanation(t *testing.T, f audit.ExplainFacts, q report.InactiveQuery, o report.Options) string {
	t.Helper()
	e, err := explained(f, q)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := e.Write(&out, o); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// ann are the facts of a member who did nothing.
func ann() audit.ExplainFacts {
	m := member("7", "ann", "Ann Lee")
	return audit.ExplainFacts{
		Facts: audit.Facts{
			Coverage: complete(), Events: audit.EventFacts{Events: 41237, Unattributed: 165, Inferred: 4990},
			Rooms: []audit.RoomFacts{room("7", "Tender")}, Members: []audit.MemberFacts{m},
		},
		Accounts: []audit.AccountFacts{{ID: "ann", Name: "Ann Lee", Email: "ann@acme.example", Status: audit.AccountActive}},
	}
}

func event(days int, action int32, class audit.Class, source attribution.Source, text string) audit.EventDetail {
	return audit.EventDetail{
		ID: int64(1000 - days), At: daysBefore(until, days).Add(-17 * time.Second), ActionID: action, Class: class, RoomSource: int16(source),
		Target: "4711", Description: text, Context: "Rooms: Tender",
	}
}

// everything has each kind of span, event and reason.
func everything() audit.ExplainFacts {
	const uploaded, deleted, moved = 5011, 5018, 5015
	f := ann()
	f.Members[0].Events, f.Members[0].DoubtfulEvents, f.Members[0].LastActiveAt = 4993, 2, until.Add(-17*time.Second)
	f.Accounts[0].Guest = true
	f.Rooms[0].Archived, f.Rooms[0].UnreadableSince = true, daysBefore(until, 3)
	changed, left, back := daysBefore(until, 200), daysBefore(until, 150), daysBefore(until, 100)
	f.Memberships = []audit.MembershipFacts{
		{Access: audit.AccessNone, To: changed},
		{Access: audit.AccessViewer, From: changed, To: left},
		{Access: audit.AccessEditor, From: back, To: daysBefore(until, 60), JoinedAt: back, JoinedAfter: back},
		{Access: audit.AccessRoomManager, From: daysBefore(until, 60), JoinedAt: back, JoinedAfter: back},
		{GroupID: "g1", GroupName: "Analysts", Access: audit.AccessReviewer, From: back, JoinedAfter: left},
		{GroupID: "g1", GroupName: "Analysts", Access: audit.AccessReviewer, JoinedAfter: left},
		{GroupID: "g2", Access: audit.AccessCommenter, From: back, JoinedAt: back},
		{GroupID: audit.GroupEveryone, GroupName: "Everyone", Access: audit.AccessViewer, From: back, JoinedAt: back, JoinedAfter: left},
	}
	f.Counted = audit.EventList{Edits: 4990, Views: 2, Manages: 1}
	for i, source := range []attribution.Source{
		attribution.SourcePayload, attribution.SourceTarget, attribution.SourceHistory, attribution.SourceEntry, attribution.SourceEntryNearby,
		attribution.SourceTitle,
	} {
		f.Counted.Newest = append(f.Counted.Newest, event(i, uploaded, audit.ClassEdit, source, fmt.Sprintf("File %d.docx uploaded", i)))
	}
	added := event(1, audit.ActionRoomCreateUser, audit.ClassNone, attribution.SourceTarget, "")
	f.Uncounted = audit.EventList{Nones: 6, Newest: []audit.EventDetail{
		with(added, func(d *audit.EventDetail) { d.Concerning = "Bo Lind" }), added,
		with(added, func(d *audit.EventDetail) { d.ActionID, d.Concerning = audit.ActionRoomRemoveUser, "Bo Lind" }),
		with(added, func(d *audit.EventDetail) { d.ActionID = audit.ActionRoomRemoveUser }),
		event(2, deleted, audit.ClassNobody, attribution.SourceHistory, "old.docx cleaned up"),
		event(3, 99999, audit.ClassNone, attribution.SourceHistory, "something new"),
	}}
	f.Unresolved = audit.EventList{Edits: 2, Newest: []audit.EventDetail{
		event(4, uploaded, audit.ClassEdit, attribution.SourceUnresolved, "a.docx"), event(5, deleted, audit.ClassEdit, attribution.SourceUnresolved, "a.docx"),
	}}
	f.Titles = []audit.SharedTitle{
		{Title: "Board", OtherRooms: []string{"8"}}, {Title: "Tender", OtherRooms: []string{"10", "11", "12", "13", "9"}}, {Title: "Tender (old)"},
	}
	f.Unplaced = audit.EventList{Edits: 1, Newest: []audit.EventDetail{
		with(event(6, moved, audit.ClassEdit, attribution.SourceUnplacedMove, "a.docx moved"), func(d *audit.EventDetail) { d.Context = "Documents" }),
	}}
	f.Last = &audit.LastEvent{EventDetail: event(0, uploaded, audit.ClassEdit, attribution.SourceUnresolved, ""), RoomID: "Tender", Unresolved: true}
	return f
}

func TestGoldenExplain(t *testing.T) {
	t.Parallel()
	golden(t, "explain.table", []byte(explanation(t, everything(), with(query(), func(q *report.InactiveQuery) { q.MinActivity = 4995 }), report.Options{})))
	for _, width := range []int{40, 80, 120} {
		golden(t, fmt.Sprintf("explain-%d.table", width), []byte(explanation(t, everything(), with(query(), func(q *report.InactiveQuery) { q.MinActivity = 4995 }), report.Options{Width: width, Color: width == 120})))
	}
}

// What others named cannot end a line, move the cursor or turn the order of text.
func TestGoldenExplainHostileNames(t *testing.T) {
	t.Parallel()
	const hostile = "a\nb\x1b[31m\u202ec\a"
	f := everything()
	f.Rooms[0].ID, f.Rooms[0].Title = hostile, hostile
	f.Accounts[0] = audit.AccountFacts{ID: hostile, Name: hostile, Email: hostile, Status: audit.AccountActive}
	f.Memberships = []audit.MembershipFacts{{GroupID: hostile, GroupName: hostile, Access: audit.AccessEditor}, {GroupID: hostile}}
	for _, list := range []*audit.EventList{&f.Counted, &f.Uncounted, &f.Unresolved, &f.Unplaced} {
		for i := range list.Newest {
			d := &list.Newest[i]
			d.Description, d.Context, d.Target = hostile, hostile, hostile
			if d.Concerning != "" {
				d.Concerning = hostile
			}
		}
	}
	f.Titles = []audit.SharedTitle{{Title: hostile, OtherRooms: []string{hostile, hostile}}}
	f.Last.RoomID = hostile
	got := explanation(t, f, with(query(), func(q *report.InactiveQuery) { q.MinActivity = 4995 }), report.Options{})
	if strings.ContainsAny(got, "\x1b\a\u202e") {
		t.Errorf("a hostile name came through:\n%q", got)
	}
	golden(t, "explain-hostile.table", []byte(got))
}

// A verdict is that of the report on the same facts, in the same words.
func TestExplainAgreesWithTheReport(t *testing.T) {
	t.Parallel()
	facts, q := allStates()
	q.All, q.Owners, q.Archived = true, true, true
	r := inactive(t, facts, q)
	for _, room := range r.Rooms {
		for _, m := range room.Inactive {
			f := audit.ExplainFacts{Facts: facts, Accounts: []audit.AccountFacts{{ID: m.AccountID, Name: m.DisplayName, Status: audit.AccountActive}}}
			f.Rooms, f.Members = nil, nil
			for _, other := range facts.Rooms {
				if other.ID == room.ID {
					f.Rooms = append(f.Rooms, other)
				}
			}
			for _, other := range facts.Members {
				if other.RoomID == room.ID && other.AccountID == m.AccountID {
					f.Members = append(f.Members, other)
				}
			}
			want := "  Verdict   " + string(m.State)
			if m.UnknownBecause != nil {
				want += map[report.UnknownBecause]string{report.IncompleteData: ", data", report.UnresolvedEvents: ", room"}[*m.UnknownBecause]
			}
			if got := explanation(t, f, q, report.Options{}); !strings.Contains(got, want+": ") {
				t.Errorf("%s in %s: want %q in\n%s", m.AccountID, room.ID, want, got)
			}
		}
	}
}

func TestExplainVerdicts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		change func(*audit.ExplainFacts)
		want   string // in the answer
		not    string // not in it
	}{
		{"on every report", func(*audit.ExplainFacts) {}, "Verdict   never: no recorded activity since they became a member", "Listed"},
		{"active", func(f *audit.ExplainFacts) { f.Members[0].Events = 1 }, "Listed    on a report of inactive members only with --all", ""},
		{"owner", func(f *audit.ExplainFacts) { f.Members[0].Owner = true }, "only with --owners\n", ""},
		{
			"owner of an archived room, active",
			func(f *audit.ExplainFacts) {
				f.Members[0].Owner, f.Members[0].Events, f.Rooms[0].Archived = true, 1, true
			},
			"only with --owners, --archived or --room and --all\n", "",
		},
		{"disabled", func(f *audit.ExplainFacts) { f.Members[0].Status = audit.AccountDisabled }, "Listed    reports list no disabled or deleted accounts", ""},
		{
			"excluded",
			func(f *audit.ExplainFacts) {
				f.Exclusions = []audit.Exclusion{
					{ID: 1, Kind: audit.ExcludeAccount, Subject: "ann", Reason: "has left", ExpiresAt: until.Add(-time.Hour)},
					{ID: 3, Kind: audit.ExcludeGroup, Subject: "g", Name: "Analysts", Reason: "they only count", GroupMembers: []string{"ann"}},
				}
			},
			"Listed    on no report, excluded: group Analysts (g): they only count\n", "",
		},
		{"no member", func(f *audit.ExplainFacts) { f.Members = nil }, "Verdict   none: no member of the room at the window's end", "Listed"},
		{"system", func(f *audit.ExplainFacts) { f.Accounts[0].ID = audit.AccountSystem }, "Verdict   none: the id stands for no certain person", "Listed"},
		{"deleted room", func(f *audit.ExplainFacts) { f.Rooms[0].Deleted = until }, "Verdict   none: the room was deleted before the window's end", "never:"},
		{"room deleted later", func(f *audit.ExplainFacts) { f.Rooms[0].Deleted = until.Add(time.Second) }, "Verdict   never", ""},
		{"room made later", func(f *audit.ExplainFacts) { f.Rooms[0].Created = until.Add(time.Second) }, "Verdict   none: the room was made after the window's end", ""},
		{"members never listed", func(f *audit.ExplainFacts) { f.Rooms[0].MembersAt = time.Time{} }, "The members of 1 room (7) are not listed yet: run roompulse sync", ""},
		{
			"active before the membership",
			func(f *audit.ExplainFacts) {
				f.Members[0].LastActiveAt, f.Members[0].JoinedAt = daysBefore(until, 40), daysBefore(until, 39)
			},
			"last activity there: 2026-10-13 14:00:00†\n  †         older than the membership: they were a member before, or ", "",
		},
		{
			"active since the membership",
			func(f *audit.ExplainFacts) {
				f.Members[0].LastActiveAt, f.Members[0].JoinedAt = daysBefore(until, 40), daysBefore(until, 41)
			},
			"last activity there: 2026-10-13 14:00:00\n", "†",
		},
		{"never seen", func(*audit.ExplainFacts) {}, "Seen      nowhere in the portal before the window's end", ""},
		{"seen in no room", func(f *audit.ExplainFacts) { f.Last = &audit.LastEvent{} }, " in no room\n", ""},
		{"seen in a room", func(f *audit.ExplainFacts) { f.Last = &audit.LastEvent{RoomID: "9", RoomTitle: "Board"} }, " in Board (9)\n", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := ann()
			tc.change(&f)
			got := explanation(t, f, query(), report.Options{})
			if !strings.Contains(got, tc.want) || tc.not != "" && strings.Contains(got, tc.not) {
				t.Errorf("want %q and not %q in\n%s", tc.want, tc.not, got)
			}
		})
	}
}

func TestExplainAsksFor(t *testing.T) {
	t.Parallel()
	e := &explainer{facts: ann()}
	q := report.ExplainQuery{Inactive: query(), Room: "7", Account: "Ann@acme.example"}
	q.Inactive.Activity = audit.FilterEdit
	for all, newest := range map[bool]int64{false: 20, true: math.MaxInt64} {
		q.AllEvents = all
		if _, err := report.Explain(t.Context(), e, q); err != nil {
			t.Fatal(err)
		}
		if e.newest != newest || e.room != "7" || e.account != "Ann@acme.example" || e.counted != audit.FilterEdit {
			t.Errorf("asked for %+v, want the newest %d", e, newest)
		}
	}
}

func TestExplainWhatCannotBeMeant(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*audit.ExplainFacts, *report.InactiveQuery)
		want   string
	}{
		"room":     {func(f *audit.ExplainFacts, _ *report.InactiveQuery) { f.Rooms = nil }, "--room 7 is not known"},
		"account":  {func(f *audit.ExplainFacts, _ *report.InactiveQuery) { f.Accounts = nil }, "--account ann is not known"},
		"measure":  {func(_ *audit.ExplainFacts, q *report.InactiveQuery) { q.MinActivity = 0 }, "--min-activity 0"},
		"accounts": {func(f *audit.ExplainFacts, _ *report.InactiveQuery) { f.Accounts = append(f.Accounts, f.Accounts[0]) }, "of 2 accounts"},
	} {
		f, q := ann(), query()
		tc.change(&f, &q)
		_, err := explained(f, q)
		if _, ok := errors.AsType[audit.UsageError](err); !ok || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want a usage error with %q", name, err, tc.want)
		}
	}
}
