package store_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"reflect"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"roompulse/internal/audit"
	"roompulse/internal/demoportal"
	"roompulse/internal/demoportal/world"
	"roompulse/internal/demoportal/worldgen"
	"roompulse/internal/docspace"
	"roompulse/internal/ingest"
	"roompulse/internal/store"
	"roompulse/internal/testkit/pgtest"
)

// rawEvent is an event as it was counted.
type rawEvent struct {
	at           time.Time
	room, person string
	unresolved   bool
	class        audit.Class
	source       int16
}

// warehouse syncs an invented portal of so many days up to now and returns a reader, all raw events and the database.
func warehouse(t *testing.T, now time.Time, days int) (*store.Reader, []rawEvent, string) {
	t.Helper()
	url := pgtest.New(t)
	portal := worldgen.New(worldgen.Config{Seed: 11, Events: 200 * days, Days: days, End: now.Add(-30 * time.Hour)})
	midnight := now.Truncate(24 * time.Hour)
	room := portal.At(midnight.Add(-time.Hour), portal.Owner()).CreateRoom(world.RoomSpec{Title: "At midnight"})
	portal.At(midnight, portal.Owner()).Upload(room.Folder, "a.txt")
	portal.At(midnight, portal.Owner()).DownloadFolder(room.Folder)
	for i := range 2 { // one title, no logs, and the files are gone: nobody can tell the rooms apart
		at := midnight.Add(time.Duration(i-4) * time.Hour)
		twin := portal.At(at, portal.Owner()).CreateRoom(world.RoomSpec{Title: "Twin", ID: fmt.Sprintf("sbox-%d", 90+i)})
		for j := range 3 {
			by := portal.At(at.Add(time.Duration(j+1)*17*time.Minute), portal.Owner())
			by.DeleteFile(by.Upload(twin.Folder, "b.txt"))
		}
	}
	server := httptest.NewServer(demoportal.New(portal, demoportal.Options{Now: func() time.Time { return now }}))
	t.Cleanup(server.Close)
	client, err := docspace.New(docspace.Config{Host: server.URL, Key: demoportal.DefaultKey})
	must(t, err)
	st := open(t, url)
	w, err := st.OpenWriter(t.Context(), server.URL, owner("o"), now)
	must(t, err)
	defer w.Close()
	_, err = ingest.New(client, w, ingest.Options{
		Version: "test", Parallel: 4, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return now },
	}).Run(t.Context())
	must(t, err)

	rows, err := connect(t, url).Query(t.Context(), `
		SELECT e.occurred_at, coalesce(r.room_id, ''), coalesce(r.is_unresolved, false), a.account_id, e.class, e.room_source
		FROM audit_event AS e
		JOIN account AS a USING (portal_id, account_key)
		LEFT JOIN room AS r USING (portal_id, room_key)`)
	must(t, err)
	var raw []rawEvent
	for rows.Next() {
		var e rawEvent
		must(t, rows.Scan(&e.at, &e.room, &e.unresolved, &e.person, &e.class, &e.source))
		raw = append(raw, e)
	}
	must(t, rows.Err())
	return st.Reader(w.Portal), raw, url
}

var newYear = time.Date(2025, 1, 10, 12, 0, 0, 0, time.UTC)

type pair struct{ room, person string }

// TestFactsEqualRecount: for any window, what reports read from rollups and
// ragged edges is what counting raw events gives.
func TestFactsEqualRecount(t *testing.T) {
	t.Parallel()
	reader, raw, _ := warehouse(t, newYear, 40)
	ctx := context.WithoutCancel(t.Context())
	pairs := explainable(ctx, t, reader, raw)
	rapid.Check(t, func(t *rapid.T) {
		w := drawWindow(t, raw)
		filter := rapid.SampledFrom(audit.Filters()).Draw(t, "activity")
		checkMembers(ctx, t, reader, raw, w, filter, rapid.Int64Range(0, 4).Draw(t, "enough"))
		checkActivity(ctx, t, reader, raw, w)
		if rapid.IntRange(0, 2).Draw(t, "explained if 0") == 0 {
			checkExplanation(ctx, t, reader, raw, w, rapid.SampledFrom(pairs).Draw(t, "room and person"), filter)
		}
	})
}

// drawWindow draws its ends on midnights, on events, and anywhere; every other time both within a day or two.
func drawWindow(t *rapid.T, raw []rawEvent) audit.Window {
	instant := func(label string) time.Time {
		if rapid.Bool().Draw(t, label+" on an event") {
			return rapid.SampledFrom(raw).Draw(t, label).at.UTC()
		}
		day := newYear.AddDate(0, 0, -rapid.IntRange(0, 45).Draw(t, label+" day")).Truncate(24 * time.Hour)
		return day.Add(time.Duration(rapid.OneOf(rapid.Just(0), rapid.IntRange(0, 86_399)).Draw(t, label+" second")) * time.Second)
	}
	from, to := instant("from"), instant("to")
	if rapid.Bool().Draw(t, "short") {
		unit := rapid.SampledFrom([]time.Duration{time.Second, time.Hour}).Draw(t, "unit")
		to = from.Add(unit * time.Duration(rapid.IntRange(0, int(48*time.Hour/unit)).Draw(t, "length")))
	}
	if to.Before(from) {
		from, to = to, from
	}
	return audit.Window{From: from, To: to, Zone: time.UTC}
}

func checkMembers(ctx context.Context, t *rapid.T, reader *store.Reader, raw []rawEvent, w audit.Window, filter audit.Filter, enough int64) {
	facts, err := reader.InactiveFacts(ctx, w, nil, filter, enough)
	if err != nil {
		t.Fatal(err)
	}
	events, active, seen := map[pair]int64{}, map[pair]time.Time{}, map[string]time.Time{}
	var all audit.EventFacts
	for _, e := range raw {
		inside := !e.at.Before(w.From) && e.at.Before(w.To)
		if inside {
			all.Events++
			if e.source == 5 || e.source == 6 {
				all.Inferred++
			}
			if (e.source == 7 || e.source == 8) && e.class.Counts() {
				all.Unattributed++
			}
		}
		if !e.at.Before(w.To) || e.class == audit.ClassNobody {
			continue
		}
		if e.at.After(seen[e.person]) {
			seen[e.person] = e.at
		}
		if !filter.Counts(e.class) || e.unresolved || e.room == "" {
			continue
		}
		key := pair{e.room, e.person}
		if inside {
			events[key]++
		}
		if e.at.After(active[key]) {
			active[key] = e.at
		}
	}
	if facts.Events != all {
		t.Fatalf("events: got %+v, want %+v", facts.Events, all)
	}
	if len(facts.Members) == 0 {
		t.Fatal("no members")
	}
	for _, m := range facts.Members {
		key := pair{m.RoomID, m.AccountID}
		if enough > 0 && events[key] >= enough && m.Events >= enough && m.Events <= events[key] && m.LastSeenAt.Equal(seen[m.AccountID]) {
			continue
		}
		if m.Events != events[key] || !m.LastActiveAt.Equal(active[key]) || !m.LastSeenAt.Equal(seen[m.AccountID]) {
			t.Fatalf("%v in %s to %s, %s: got %d events, active %s, seen %s; want %d, %s, %s", key, w.From, w.To, filter,
				m.Events, m.LastActiveAt, m.LastSeenAt, events[key], active[key], seen[m.AccountID])
		}
	}
}

func checkActivity(ctx context.Context, t *rapid.T, reader *store.Reader, raw []rawEvent, w audit.Window) {
	facts, err := reader.ActivityFacts(ctx, w, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := map[pair]audit.ActivityFacts{}
	days := map[pair]map[string]bool{}
	for _, e := range raw {
		if e.at.Before(w.From) || !e.at.Before(w.To) || !e.class.Counts() || e.room == "" || e.unresolved {
			continue
		}
		key := pair{e.room, e.person}
		a := want[key]
		switch e.class {
		case audit.ClassView:
			a.Views++
		case audit.ClassEdit:
			a.Edits++
		default:
			a.Manages++
		}
		if a.FirstAt.IsZero() || e.at.Before(a.FirstAt) {
			a.FirstAt = e.at
		}
		if e.at.After(a.LastAt) {
			a.LastAt = e.at
		}
		if days[key] == nil {
			days[key] = map[string]bool{}
		}
		days[key][e.at.UTC().Format(time.DateOnly)] = true
		a.ActiveDays = int64(len(days[key]))
		want[key] = a
	}
	if len(facts.Activity) != len(want) {
		t.Fatalf("got %d rows, want %d", len(facts.Activity), len(want))
	}
	for _, got := range facts.Activity {
		a := want[pair{got.RoomID, got.AccountID}]
		if got.Views != a.Views || got.Edits != a.Edits || got.Manages != a.Manages || got.ActiveDays != a.ActiveDays ||
			!got.FirstAt.Equal(a.FirstAt) || !got.LastAt.Equal(a.LastAt) {
			t.Fatalf("%s in %s: got %+v, want %+v", got.AccountID, got.RoomID, got, a)
		}
	}
}

// TestFactsOfTornWarehouse: a member whose account is not there is left out, as verify tells of what is torn.
func TestFactsOfTornWarehouse(t *testing.T) {
	t.Parallel()
	reader, _, url := warehouse(t, now, 4)
	w := audit.Window{From: now.AddDate(0, 0, -3), To: now, Zone: time.UTC}
	before, err := reader.InactiveFacts(t.Context(), w, nil, audit.FilterAny, 1)
	must(t, err)
	_, err = connect(t, url).Exec(t.Context(), "DELETE FROM account WHERE account_key = (SELECT min(account_key) FROM room_member)")
	must(t, err)
	after, err := reader.InactiveFacts(t.Context(), w, nil, audit.FilterAny, 1)
	must(t, err)
	if len(after.Members) == 0 || len(after.Members) >= len(before.Members) {
		t.Errorf("%d members, before %d", len(after.Members), len(before.Members))
	}
}

// TestReportsSeeOneState: what a report reads on several connections is one state of the database, and reports at the
// same time do not wait for one another's connections for ever.
func TestReportsSeeOneState(t *testing.T) {
	t.Parallel()
	url := pgtest.New(t)
	st := open(t, url)
	w, err := st.OpenWriter(t.Context(), "https://one.example.org", owner("o"), newYear) // holds a connection as well
	must(t, err)
	defer w.Close()
	conn := connect(t, url)
	_, err = conn.Exec(t.Context(), "INSERT INTO room (portal_id, room_key, room_id, title) VALUES ($1, 1, '7', '1')", w.Portal.ID)
	must(t, err)
	_, err = conn.Exec(t.Context(), "INSERT INTO event_hour (portal_id, hour, room_source, class, events) VALUES ($1, $2, 1, 1, 1)",
		w.Portal.ID, newYear.Add(-time.Hour))
	must(t, err)
	window := audit.Window{From: newYear.AddDate(0, 0, -1), To: newYear, Zone: time.UTC}

	group, ctx := errgroup.WithContext(t.Context())
	written := make(chan struct{})
	group.Go(func() error {
		defer close(written)
		for range 300 { // the room's title is the number of events
			_, err := conn.Exec(ctx, `
				WITH counted AS (UPDATE event_hour SET events = events + 1 RETURNING events)
				UPDATE room SET title = counted.events FROM counted`)
			if err != nil {
				return err
			}
		}
		return nil
	})
	for range 6 {
		group.Go(func() error {
			for done := false; !done; {
				select {
				case <-written:
					done = true
				default:
				}
				facts, err := st.Reader(w.Portal).InactiveFacts(ctx, window, nil, audit.FilterAny, 1)
				if err != nil {
					return err
				}
				if got, want := strconv.FormatInt(facts.Events.Events, 10), facts.Rooms[0].Title; got != want {
					return fmt.Errorf("a report counts %s events when there are %s", got, want)
				}
			}
			return nil
		})
	}
	must(t, group.Wait())
}

// TestBucketFactsAreWhole: what a heat map's members are picked by are all the facts that a report is made of.
func TestBucketFactsAreWhole(t *testing.T) {
	t.Parallel()
	url := pgtest.New(t)
	st := open(t, url)
	w, err := st.OpenWriter(t.Context(), "https://one.example.org", owner("o"), newYear)
	must(t, err)
	w.Close()
	conn := connect(t, url)
	_, err = conn.Exec(t.Context(), "INSERT INTO room (portal_id, room_key, room_id, title) VALUES ($1, 1, '7', '1')", w.Portal.ID)
	must(t, err)
	_, err = conn.Exec(t.Context(), `
		INSERT INTO event_day (portal_id, day, room_source, class, events)
		SELECT $1, $2::timestamptz::date - n, s, c, 1
		FROM generate_series(1, 200) AS n, generate_series(1, 100) AS s, generate_series(1, 3) AS c`,
		w.Portal.ID, newYear) // takes longer to add up than a room without members to read
	must(t, err)
	window := audit.Window{From: newYear.AddDate(0, 0, -210), To: newYear, Zone: time.UTC}
	reader := st.Reader(w.Portal)
	want, err := reader.InactiveFacts(t.Context(), window, []string{"7"}, audit.FilterAny, 0)
	must(t, err)
	_, err = reader.BucketFacts(t.Context(), window, []string{"7"}, audit.FilterAny, func(got audit.Facts) ([]audit.MemberKey, error) {
		if got.Events.Events == 0 || !reflect.DeepEqual(got, want) {
			t.Errorf("members are picked by\n%+v\nwant\n%+v", got, want)
		}
		return nil, nil
	})
	must(t, err)
}
