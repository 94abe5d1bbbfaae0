package report_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"roompulse/internal/audit"
	"roompulse/internal/report"
)

var update = flag.Bool("update", false, "write testdata/*.golden anew")

// facts is a Reader of facts that a test made up. It keeps what it was asked.
type facts struct {
	audit.Facts
	window  audit.Window
	counted audit.Filter
	asked   []audit.MemberKey // whose activity by day
	// byBucket is the activity of members; those who are not there have one
	// event in each of the last buckets.
	byBucket map[audit.MemberKey]audit.BucketFacts
}

func (f *facts) InactiveFacts(_ context.Context, w audit.Window, _ []string, counted audit.Filter, _ int64) (audit.Facts, error) {
	f.window, f.counted = w, counted
	return f.Facts, nil
}

// BucketFacts gives members their events in the last buckets, one in each.
func (f *facts) BucketFacts(
	_ context.Context, w audit.Window, _ []string, counted audit.Filter, shown func(audit.Facts) ([]audit.MemberKey, error),
) ([]audit.BucketFacts, error) {
	f.window, f.counted = w, counted
	f.asked = nil
	keys, err := shown(f.Facts)
	if err != nil {
		return nil, err
	}
	f.asked = keys
	events := make(map[audit.MemberKey]int64)
	for _, m := range f.Members {
		events[audit.MemberKey{RoomID: m.RoomID, AccountID: m.AccountID}] = m.Events
	}
	found := make([]audit.BucketFacts, len(keys))
	count := int64(w.Buckets().Count)
	for i, key := range keys {
		if known, ok := f.byBucket[key]; ok {
			found[i] = known
			continue
		}
		n := min(events[key], count)
		for b := range n {
			one := int32(1)
			if b == 0 {
				one += int32(events[key] - n)
			}
			found[i].Buckets = append(found[i].Buckets, int32(count-n+b))
			found[i].Events = append(found[i].Events, one)
		}
	}
	return found, nil
}

func (f *facts) ActivityFacts(_ context.Context, w audit.Window, _ []string) (audit.Facts, error) {
	f.window = w
	return f.Facts, nil
}

// The scene of most tests: a window of 30 days that ends where the data do, an
// hour and a half ago.
var (
	now   = date("2026-11-22T15:30:00Z")
	until = date("2026-11-22T14:00:00Z")
	from  = date("2026-10-23T14:00:00Z")
	first = date("2026-03-01T08:00:00Z") // of all events held
)

func date(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	return t
}

func daysBefore(t time.Time, n int) time.Time { return t.AddDate(0, 0, -n) }

func complete() audit.Coverage {
	return audit.Coverage{
		Complete:    []audit.Span{{From: date("2010-01-01T00:00:00Z"), To: until}},
		OldestEvent: first, Floor: date("2010-01-01T00:00:00Z"), FloorIsOldest: true,
	}
}

func room(id, title string) audit.RoomFacts {
	return audit.RoomFacts{
		ID: id, Title: title, Created: date("2026-04-01T09:30:00Z"),
		MembersSince: date("2026-06-01T10:00:00Z"), MembersAt: until,
	}
}

// member is a member since May who did nothing.
func member(roomID, id, name string) audit.MemberFacts {
	joined := date("2026-05-04T11:20:00Z")
	return audit.MemberFacts{
		RoomID: roomID, AccountID: id, Name: name, Email: id + "@acme.example", Status: audit.AccountActive,
		Registered: date("2026-02-01T08:00:00Z"), Access: audit.AccessEditor, JoinedAt: joined, JoinedAfter: joined,
		LastSeenAt: date("2026-11-20T07:45:00Z"),
	}
}

// with returns a changed copy.
func with[T any](v T, change func(*T)) T {
	change(&v)
	return v
}

func query() report.InactiveQuery {
	return report.InactiveQuery{
		Window:      audit.Window{From: from, To: until, Zone: time.UTC},
		Guests:      report.GuestsInclude,
		MinActivity: 1, Activity: audit.FilterAny, Grace: 14 * 24 * time.Hour,
		Now: now, MaxLag: 24 * time.Hour,
	}
}

func inactive(t *testing.T, f audit.Facts, q report.InactiveQuery) *report.InactiveReport {
	t.Helper()
	f.Portal = "https://acme.onlyoffice.example"
	r, err := report.InactiveByDay(t.Context(), &facts{Facts: f}, q)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// table is a report of inactive members as people read it.
func table(t *testing.T, r *report.InactiveReport, o report.Options) string {
	t.Helper()
	f, err := report.ParseFormat("table", "")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := f.WriteInactive(&out, r, o); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; go test -update writes it", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; go test -update shows how\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}

// readable is a report as a person can compare it: of a page, the style and the
// script, which have files of their own, are left out, and the data unpacked.
func readable(t *testing.T, format string, out []byte) []byte {
	t.Helper()
	if format != "html" {
		return out
	}
	out = regexp.MustCompile(`(?s)(<style>|<script>).*?(</style>|</script>)`).ReplaceAll(out, []byte("$1$2"))
	out = regexp.MustCompile(`sha256-.*?&#39;`).ReplaceAll(out, []byte("sha256-...&#39;"))
	return regexp.MustCompile(`(id="data">)([^<]*)`).ReplaceAllFunc(out, func(found []byte) []byte {
		head, packed, _ := bytes.Cut(found, []byte(">"))
		return slices.Concat(head, []byte(">\n"), unpack(t, packed))
	})
}

// unpack returns the data of a page.
func unpack(tb testing.TB, packed []byte) []byte {
	tb.Helper()
	zip, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, bytes.NewReader(packed)))
	if err != nil {
		tb.Fatal(err)
	}
	data, err := io.ReadAll(zip)
	if err != nil {
		tb.Fatal(err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, data, "", ""); err != nil {
		tb.Fatal(err)
	}
	return indented.Bytes()
}

// goldenInactive compares a report in all formats.
func goldenInactive(t *testing.T, name string, r *report.InactiveReport, o report.Options) {
	t.Helper()
	for _, format := range report.FormatNames() {
		var out bytes.Buffer
		f, err := report.ParseFormat(format, "")
		if err != nil {
			t.Fatal(err)
		}
		if err := f.WriteInactive(&out, r, o); err != nil {
			t.Fatal(err)
		}
		golden(t, name+"."+format, readable(t, format, out.Bytes()))
	}
}

func ids(r *report.InactiveReport) []string {
	var ids []string
	for _, room := range r.Rooms {
		for _, m := range room.Inactive {
			ids = append(ids, room.ID+"/"+m.AccountID)
		}
	}
	return ids
}

func TestInactiveJudges(t *testing.T) {
	t.Parallel()
	f := audit.Facts{
		Coverage: complete(),
		Rooms: []audit.RoomFacts{
			room("7", "Tender"),
			room("27", "Board"), // bytewise before 7
			with(room("8", "Old"), func(r *audit.RoomFacts) { r.Archived = true }),
			with(room("gone", "Gone"), func(r *audit.RoomFacts) { r.Deleted = until }),
			with(room("going", "Going"), func(r *audit.RoomFacts) { r.Deleted = until.Add(time.Second) }),
			with(room("made", "Made"), func(r *audit.RoomFacts) { r.Created = until }),
			with(room("unmade", "Unmade"), func(r *audit.RoomFacts) { r.Created = until.Add(time.Second) }),
		},
		Members: []audit.MemberFacts{
			member("7", "b", "B"),
			member("7", "a", "A"), // the reader's order plays no part
			with(member("7", "disabled", "D"), func(m *audit.MemberFacts) { m.Status, m.Events = audit.AccountDisabled, 9 }),
			with(member("7", "deleted", "D"), func(m *audit.MemberFacts) { m.Status = audit.AccountDeleted }),
			with(member("7", "seen", "S"), func(m *audit.MemberFacts) { m.Status = audit.AccountSeen }),
			with(member("7", "guest", "G"), func(m *audit.MemberFacts) { m.Guest = true }),
			with(member("7", "owner", "O"), func(m *audit.MemberFacts) { m.Owner, m.Access = true, audit.AccessOwner }),
			with(member("7", "busy", "X"), func(m *audit.MemberFacts) { m.Events = 1 }),
			member("7", audit.AccountSystem, "System"),
			member("27", "a", "A"),
			member("8", "a", "A"),
			member("gone", "a", "A"),
			member("going", "a", "A"),
			with(member("made", "a", "A"), func(m *audit.MemberFacts) { m.JoinedAt, m.JoinedAfter = until, until }),
			member("unmade", "a", "A"),
			member("never heard of", "a", "A"),
		},
	}
	for _, tc := range []struct {
		name    string
		query   func(*report.InactiveQuery)
		want    []string
		members map[string]int // judged, of room 7 unless named
	}{
		{
			name:  "by default",
			query: func(*report.InactiveQuery) {},
			want:  []string{"27/a", "7/a", "7/b", "7/guest", "7/seen", "going/a"}, members: map[string]int{"7": 5, "27": 1, "made": 1},
		},
		{
			name:  "all",
			query: func(q *report.InactiveQuery) { q.All = true },
			want:  []string{"27/a", "7/a", "7/b", "7/busy", "7/guest", "7/seen", "going/a", "made/a"}, members: map[string]int{"7": 5},
		},
		{
			name:  "owners too",
			query: func(q *report.InactiveQuery) { q.Owners = true },
			want:  []string{"27/a", "7/a", "7/b", "7/guest", "7/owner", "7/seen", "going/a"}, members: map[string]int{"7": 6},
		},
		{
			name:  "no guests",
			query: func(q *report.InactiveQuery) { q.Guests = report.GuestsExclude },
			want:  []string{"27/a", "7/a", "7/b", "7/seen", "going/a"}, members: map[string]int{"7": 4},
		},
		{
			name:  "guests only",
			query: func(q *report.InactiveQuery) { q.Guests = report.GuestsOnly },
			want:  []string{"7/guest"}, members: map[string]int{"7": 1, "27": 0},
		},
		{
			name:  "archived rooms too",
			query: func(q *report.InactiveQuery) { q.Archived = true },
			want:  []string{"27/a", "7/a", "7/b", "7/guest", "7/seen", "8/a", "going/a"}, members: map[string]int{"8": 1},
		},
		{
			name:  "named rooms",
			query: func(q *report.InactiveQuery) { q.Rooms = []string{"8", "27", "8"} },
			want:  []string{"27/a", "8/a"}, members: map[string]int{"8": 1, "27": 1},
		},
		{
			name:  "no grace",
			query: func(q *report.InactiveQuery) { q.Grace, q.Rooms = 0, []string{"made"} },
			want:  []string{"made/a"}, members: map[string]int{"made": 1},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			q := query()
			tc.query(&q)
			r := inactive(t, f, q)
			if got := ids(r); !slices.Equal(got, tc.want) {
				t.Errorf("listed %v, want %v", got, tc.want)
			}
			total := 0
			for _, room := range r.Rooms {
				total += room.Members
				if want, ok := tc.members[room.ID]; ok && room.Members != want {
					t.Errorf("room %s: %d judged, want %d", room.ID, room.Members, want)
				}
			}
			counted := 0
			for _, n := range r.Totals {
				counted += n
			}
			if counted != total {
				t.Errorf("totals count %d, rooms %d", counted, total)
			}
		})
	}
}

func TestInactiveAsksForWhatItJudges(t *testing.T) {
	t.Parallel()
	q := query()
	q.Activity = audit.FilterEdit
	f := &facts{Facts: audit.Facts{Coverage: complete()}}
	if _, err := report.Inactive(t.Context(), f, q); err != nil {
		t.Fatal(err)
	}
	if f.window != q.Window || f.counted != audit.FilterEdit {
		t.Errorf("asked for %v of %v", f.counted, f.window)
	}
}

func TestInactiveCountsPeopleOnce(t *testing.T) {
	t.Parallel()
	r := inactive(t, audit.Facts{
		Coverage: complete(), Rooms: []audit.RoomFacts{room("7", "Tender"), room("8", "Board")},
		Members: []audit.MemberFacts{member("7", "a", "A"), member("8", "a", "A"), member("8", "b", "B")},
	}, query())
	if r.People != 2 || r.Totals[report.StateNever] != 3 {
		t.Errorf("%d people in %d memberships, want 2 in 3", r.People, r.Totals[report.StateNever])
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	f := audit.Facts{
		Coverage: complete(),
		Rooms: []audit.RoomFacts{
			room("7", "Tender"),
			with(room("gone", "Gone"), func(r *audit.RoomFacts) { r.Deleted = date("2026-11-20T10:00:00Z") }),
			with(room("unmade", "Unmade"), func(r *audit.RoomFacts) { r.Created = date("2026-11-22T15:00:00Z") }),
		},
	}
	for _, tc := range []struct {
		query func(*report.InactiveQuery)
		want  string
	}{
		{func(q *report.InactiveQuery) { q.MinActivity = 0 }, "--min-activity 0: nobody has fewer events than that; write 1 or more"},
		{func(q *report.InactiveQuery) { q.Activity = "read" }, `--activity "read" is not known: write any, view, edit or manage`},
		{func(q *report.InactiveQuery) { q.Guests = "yes" }, `--guests "yes" is not known: write include, only or exclude`},
		{
			func(q *report.InactiveQuery) { q.Rooms = []string{"7", "1234"} },
			"--room 1234 is not known: roompulse report inactive --archived shows the ids of all rooms; a new room needs a roompulse sync",
		},
		{func(q *report.InactiveQuery) { q.Rooms = []string{"gone"} }, "--room gone was deleted at 2026-11-20T10:00:00Z: choose a window that ends before"},
		{func(q *report.InactiveQuery) { q.Rooms = []string{"unmade"} }, "--room unmade was made at 2026-11-22T15:00:00Z: choose a window that ends after"},
	} {
		q := query()
		tc.query(&q)
		_, err := report.Inactive(t.Context(), &facts{Facts: f}, q)
		if _, ok := errors.AsType[audit.UsageError](err); !ok || err.Error() != tc.want {
			t.Errorf("error %v, want %s", err, tc.want)
		}
	}

	_, err := report.Activity(t.Context(), &facts{Facts: f}, report.ActivityQuery{Window: query().Window, Rooms: []string{"1234"}, Now: now})
	if _, ok := errors.AsType[audit.UsageError](err); !ok {
		t.Errorf("report activity of an unknown room: %v", err)
	}
	_, err = report.ParseFormat("yaml", "")
	if _, ok := errors.AsType[audit.UsageError](err); !ok || err.Error() != `--format "yaml" is not known: write table, json, ndjson, csv, markdown, html` {
		t.Errorf("unknown format: %v", err)
	}
}

type broken struct{ err error }

func (b broken) InactiveFacts(context.Context, audit.Window, []string, audit.Filter, int64) (audit.Facts, error) {
	return audit.Facts{}, b.err
}

func (b broken) ActivityFacts(context.Context, audit.Window, []string) (audit.Facts, error) {
	return audit.Facts{}, b.err
}

func (b broken) Write([]byte) (int, error) { return 0, b.err }

func TestErrorsAreToldOn(t *testing.T) {
	t.Parallel()
	b := broken{errors.New("connection lost")}
	if _, err := report.Inactive(t.Context(), b, query()); !errors.Is(err, b.err) {
		t.Errorf("report inactive: %v", err)
	}
	if _, err := report.Activity(t.Context(), b, report.ActivityQuery{}); !errors.Is(err, b.err) {
		t.Errorf("report activity: %v", err)
	}
	f, q := allStates()
	f.Activity = []audit.ActivityFacts{{RoomID: "5120", Title: "Board", AccountID: "ann", Name: "Ann Lee", Views: 1}}
	activity, err := report.Activity(t.Context(), &facts{Facts: f}, report.ActivityQuery{Window: q.Window, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range report.FormatNames() {
		format, err := report.ParseFormat(name, "")
		if err != nil {
			t.Fatal(err)
		}
		if err := format.WriteInactive(b, inactive(t, f, q), report.Options{}); !errors.Is(err, b.err) {
			t.Errorf("write inactive as %s: %v", name, err)
		}
		if err := format.WriteActivity(b, activity, report.Options{}); !errors.Is(err, b.err) {
			t.Errorf("write activity as %s: %v", name, err)
		}
	}
}

func TestNotices(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		coverage func(*audit.Coverage)
		query    func(*report.InactiveQuery)
		want     []string
		complete bool
	}{
		{name: "none", complete: true},
		{name: "old data, at the limit", query: func(q *report.InactiveQuery) { q.Now = until.Add(24 * time.Hour) }, complete: true},
		{
			name: "old data", query: func(q *report.InactiveQuery) { q.Now = until.Add(54*time.Hour + time.Minute) }, complete: true,
			want: []string{"The data end at 2026-11-22 14:00, 54 hours ago (more than --max-lag 24 hours): run roompulse sync."},
		},
		{
			name: "not fetched yet", coverage: func(c *audit.Coverage) { c.Complete[0].From = from.Add(time.Hour) },
			want: []string{"The window is not complete: events of 2026-10-23 14:00 to 2026-10-23 15:00 are missing; run roompulse sync."},
		},
		{
			name: "before the floor that --since set", coverage: func(c *audit.Coverage) {
				c.Complete[0].From = from.Add(time.Hour)
				c.Floor, c.FloorIsOldest = c.Complete[0].From, false
			},
			want: []string{"The window is not complete: events of 2026-10-23 14:00 to 2026-10-23 15:00 are missing; run roompulse sync --since 2026-10-23T14:00:00Z."},
		},
		{
			name: "a gap", coverage: func(c *audit.Coverage) {
				gap := audit.Span{From: from, To: from.Add(time.Second)}
				c.Complete = []audit.Span{{From: c.Floor, To: gap.From}, {From: gap.To, To: until}}
				c.Gaps = []audit.Gap{{ID: 1, Span: gap}}
			},
			want: []string{"The window is not complete: events of 2026-10-23 14:00 to 2026-10-23 14:00:01 are missing; see roompulse gap list."},
		},
		{
			name: "an accepted gap", coverage: func(c *audit.Coverage) {
				gap := audit.Span{From: from, To: from.Add(time.Second)}
				c.Complete = []audit.Span{{From: c.Floor, To: gap.From}, {From: gap.To, To: until}}
				c.Gaps = []audit.Gap{{ID: 1, Span: gap, Accepted: true}}
			}, complete: true,
		},
		{
			name: "a gap elsewhere", coverage: func(c *audit.Coverage) {
				gap := audit.Span{From: daysBefore(from, 9), To: daysBefore(from, 8)}
				c.Complete = []audit.Span{{From: c.Floor, To: gap.From}, {From: gap.To, To: until}}
				c.Gaps = []audit.Gap{{ID: 1, Span: gap}}
			}, complete: true,
		},
		{
			name: "before the data", query: func(q *report.InactiveQuery) { q.Window.From, q.Window.To = daysBefore(first, 9), first },
			want: []string{"The data begin at 2026-03-01 08:00, after the window: what was in it is not known."},
		},
		{
			name: "hardly before the data", query: func(q *report.InactiveQuery) { q.Window.From = daysBefore(first, 9) }, complete: true,
		},
		{
			name: "the future", query: func(q *report.InactiveQuery) { q.Window.To = date("2026-12-01T00:00:00Z") },
			want: []string{"The window is not complete: events of 2026-11-22 14:00 to 2026-12-01 00:00 are missing; when the window has passed, run roompulse sync."},
		},
		{
			name: "many holes, in a zone", coverage: func(c *audit.Coverage) {
				c.Complete = nil
				for i := range 6 {
					c.Complete = append(c.Complete, audit.Span{From: from.Add(time.Duration(2*i) * time.Hour), To: from.Add(time.Duration(2*i+1) * time.Hour)})
				}
				c.Complete[5].To = until
				c.Gaps = []audit.Gap{{ID: 1, Span: audit.Span{From: from.Add(time.Hour), To: from.Add(2 * time.Hour)}}}
			},
			query: func(q *report.InactiveQuery) { q.Window.Zone = time.FixedZone("Asia/Kolkata", 5*3600+1800) },
			want: []string{"The window is not complete: events of 2026-10-23 20:30 to 2026-10-23 21:30, " +
				"2026-10-23 22:30 to 2026-10-23 23:30, 2026-10-24 00:30 to 2026-10-24 01:30 and 2 more are missing; run roompulse sync; see roompulse gap list."},
		},
		{
			name: "old and missing", coverage: func(c *audit.Coverage) { c.Complete[0].To = daysBefore(until, 3) },
			want: []string{
				"The data end at 2026-11-19 14:00, 73 hours ago (more than --max-lag 24 hours): run roompulse sync.",
				"The window is not complete: events of 2026-11-19 14:00 to 2026-11-22 14:00 are missing; run roompulse sync.",
			},
		},
		{
			name: "no data", coverage: func(c *audit.Coverage) { *c = audit.Coverage{} },
			want: []string{"The window is not complete: events of 2026-10-23 14:00 to 2026-11-22 14:00 are missing; run roompulse sync."},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c, q := complete(), query()
			if tc.coverage != nil {
				tc.coverage(&c)
			}
			if tc.query != nil {
				tc.query(&q)
			}
			r := inactive(t, audit.Facts{Coverage: c}, q)
			if got := r.Notices(); !slices.Equal(got, tc.want) {
				t.Errorf("notices\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tc.want, "\n"))
			}
			if r.DataQuality.Incomplete() == tc.complete {
				t.Errorf("incomplete: %v", !tc.complete)
			}
			a, err := report.Activity(t.Context(), &facts{Facts: audit.Facts{Coverage: c}}, report.ActivityQuery{Window: q.Window, Now: q.Now, MaxLag: q.MaxLag})
			if err != nil {
				t.Fatal(err)
			}
			if got := a.Notices(); !slices.Equal(got, tc.want) {
				t.Errorf("notices on activity\n%s", strings.Join(got, "\n"))
			}
			if first := "! " + strings.Join(tc.want, "\n! "); len(tc.want) > 0 && !strings.HasPrefix(table(t, r, report.Options{}), first) {
				t.Errorf("the table does not begin with\n%s", first)
			}
		})
	}
}

// The portal's clock may be ahead: complete data never end after now.
func TestCompleteUntilIsNoLaterThanNow(t *testing.T) {
	t.Parallel()
	q := query()
	q.Now = until.Add(-time.Minute)
	if got := inactive(t, audit.Facts{Coverage: complete()}, q).DataQuality.CompleteUntil; !got.Equal(q.Now) {
		t.Errorf("complete until %v, but it is %v", got, q.Now)
	}
}

func TestMembersKnownFromIsThatOfRoomsShown(t *testing.T) {
	t.Parallel()
	f := audit.Facts{Coverage: complete(), Rooms: []audit.RoomFacts{
		room("7", "Tender"),
		with(room("8", "Board"), func(r *audit.RoomFacts) { r.MembersSince = date("2026-07-01T00:00:00Z") }),
		with(room("9", "Closed"), func(r *audit.RoomFacts) { r.MembersSince, r.MembersAt = time.Time{}, time.Time{} }),
		with(room("10", "Old"), func(r *audit.RoomFacts) { r.Archived, r.MembersSince = true, date("2026-08-01T00:00:00Z") }),
	}}
	q := query()
	if got, want := inactive(t, f, q).DataQuality.MembersKnownFrom, date("2026-07-01T00:00:00Z"); !got.Equal(want) {
		t.Errorf("known from %v, want %v", got, want)
	}
	q.Rooms = []string{"7"}
	if got, want := inactive(t, f, q).DataQuality.MembersKnownFrom, date("2026-06-01T10:00:00Z"); !got.Equal(want) {
		t.Errorf("known from %v, want %v", got, want)
	}
	q.Rooms = []string{"9"}
	if got := inactive(t, f, q).DataQuality.MembersKnownFrom; !got.IsZero() {
		t.Errorf("known from %v, want null", got)
	}
}
