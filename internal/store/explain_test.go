package store_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"roompulse/internal/audit"
	"roompulse/internal/store"
	"roompulse/internal/testkit/pgtest"
)

// explainable returns pairs of a room and a person that explain may be asked
// about: members, some more often because their events are doubtful, and others
// who did something.
func explainable(ctx context.Context, t *testing.T, reader *store.Reader, raw []rawEvent) []pair {
	t.Helper()
	always := audit.Window{From: newYear.AddDate(-1, 0, 0), To: newYear, Zone: time.UTC}
	facts, err := reader.InactiveFacts(ctx, always, nil, audit.FilterAny, 0)
	must(t, err)
	var pairs []pair
	doubtful, nobodys := 0, 0
	for _, m := range facts.Members {
		pairs = append(pairs, pair{m.RoomID, m.AccountID})
		if m.DoubtfulEvents > 0 {
			doubtful++
		}
	}
	for _, m := range facts.Members {
		if m.DoubtfulEvents > 0 {
			pairs = append(pairs, slices.Repeat([]pair{{m.RoomID, m.AccountID}}, len(facts.Members)/doubtful/4+1)...)
		}
	}
	for _, e := range raw {
		if e.room == "" || e.unresolved {
			continue
		}
		if e.class == audit.ClassNobody {
			nobodys++
		}
		if key := (pair{e.room, e.person}); !slices.Contains(pairs, key) {
			pairs = append(pairs, key)
		}
	}
	if doubtful == 0 || nobodys == 0 {
		t.Fatalf("the world shows too little: %d members with doubtful events, %d acts of nobody's", doubtful, nobodys)
	}
	return pairs
}

// newest is how many events of a list are asked for.
const newest = 3

// checkExplanation: what explain lists of a person in a room is what the raw
// events are, and what the report rests on.
func checkExplanation(ctx context.Context, t *rapid.T, reader *store.Reader, raw []rawEvent, w audit.Window, who pair, filter audit.Filter) {
	facts, err := reader.ExplainFacts(ctx, w, filter, who.room, who.person, newest)
	if err != nil {
		t.Fatal(err)
	}
	var counted, uncounted, unresolved, unplaced []rawEvent
	var seen time.Time
	for _, e := range raw {
		if e.person != who.person {
			continue
		}
		if e.class != audit.ClassNobody && e.at.Before(w.To) && e.at.After(seen) {
			seen = e.at
		}
		borne := slices.ContainsFunc(facts.Titles, func(s audit.SharedTitle) bool { return s.Title == e.room })
		switch counts := filter.Counts(e.class); {
		case e.at.Before(w.From) || !e.at.Before(w.To):
		case e.room == who.room && !e.unresolved && counts:
			counted = append(counted, e)
		case e.room == who.room && !e.unresolved:
			uncounted = append(uncounted, e)
		case e.unresolved && borne && counts:
			unresolved = append(unresolved, e)
		case e.source == 8 && counts:
			unplaced = append(unplaced, e)
		}
	}
	checkList(t, "counted", facts.Counted, counted)
	checkList(t, "not counted", facts.Uncounted, uncounted)
	checkList(t, "unresolved", facts.Unresolved, unresolved)
	checkList(t, "unplaced", facts.Unplaced, unplaced)
	switch last := facts.Last; {
	case last == nil && !seen.IsZero():
		t.Fatalf("%v has no last event before %s, want %s", who, w.To, seen)
	case last != nil && !last.At.Equal(seen):
		t.Fatalf("%v: last event before %s at %s, want %s", who, w.To, last.At, seen)
	}
	member := slices.ContainsFunc(facts.Memberships, func(m audit.MembershipFacts) bool {
		return !m.From.After(w.To) && (m.To.IsZero() || m.To.After(w.To))
	})
	if member != (len(facts.Members) == 1) {
		t.Fatalf("%v is a member at %s by the spans: %v; members: %v; spans: %+v", who, w.To, member, facts.Members, facts.Memberships)
	}
	if member {
		m := facts.Members[0]
		if m.RoomID != who.room || m.AccountID != who.person || m.Events != facts.Counted.Total() || m.DoubtfulEvents != facts.Unresolved.Total() {
			t.Fatalf("%v: the report rests on %+v, explain lists %d counted and %d unresolved events",
				who, m, facts.Counted.Total(), facts.Unresolved.Total())
		}
	}
}

func checkList(t *rapid.T, name string, got audit.EventList, want []rawEvent) {
	totals := map[audit.Class]int64{}
	for _, e := range want {
		totals[max(e.class, audit.ClassNone)]++
	}
	if got.Nones != totals[audit.ClassNone] || got.Views != totals[audit.ClassView] || got.Edits != totals[audit.ClassEdit] ||
		got.Manages != totals[audit.ClassManage] {
		t.Fatalf("%s: got %+v, want %v", name, got, totals)
	}
	slices.SortFunc(want, func(a, b rawEvent) int { return b.at.Compare(a.at) })
	if len(got.Newest) != min(newest, len(want)) {
		t.Fatalf("%s: got %d of %d events", name, len(got.Newest), len(want))
	}
	for i, e := range got.Newest {
		if !e.At.Equal(want[i].at) {
			t.Fatalf("%s: event %d is of %s, want %s", name, i, e.At, want[i].at)
		}
	}
}

// TestExplainedAccount: an id wins over the same text as an e-mail address, which
// is found in any case, and all that have it are told.
func TestExplainedAccount(t *testing.T) {
	t.Parallel()
	reader := scene(t)
	for name, want := range map[string][]string{
		"ann": {"ann"}, "ANN": {}, "Ann@Example.org": {"ann"}, "two@example.org": {"bo", "cy"}, "cy@example.org": {"cy@example.org"},
		"no@example.org": {}, "": {},
	} {
		facts := explainAnn(t, reader, "7", name)
		got := []string{}
		for _, a := range facts.Accounts {
			got = append(got, a.ID)
		}
		if !slices.Equal(got, want) || len(facts.Rooms) != 1 {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
	}
	if facts := explainAnn(t, reader, "Tender", "ann"); len(facts.Rooms) != 0 { // a title, and an unresolved one
		t.Errorf("got the room %+v, want none", facts.Rooms)
	}
}

// TestExplainedEvents: what may be of the room is told apart from what is, and an
// event names the person it concerns.
func TestExplainedEvents(t *testing.T) {
	t.Parallel()
	facts := explainAnn(t, scene(t), "7", "ann")
	ids := func(l audit.EventList) []int64 {
		var ids []int64
		for _, e := range l.Newest {
			ids = append(ids, e.ID)
		}
		return ids
	}
	for name, list := range map[string]struct{ got, want []int64 }{
		"counted":     {ids(facts.Counted), []int64{1}},
		"not counted": {ids(facts.Uncounted), []int64{3, 2}},
		"unresolved":  {ids(facts.Unresolved), []int64{5, 4}},
		"unplaced":    {ids(facts.Unplaced), []int64{8}},
	} {
		if !slices.Equal(list.got, list.want) {
			t.Errorf("%s: got the events %v, want %v", name, list.got, list.want)
		}
	}
	want := []audit.SharedTitle{{Title: "Tender", OtherRooms: []string{"8"}}, {Title: "Tender, old", OtherRooms: []string{}}}
	if !slices.EqualFunc(facts.Titles, want, func(a, b audit.SharedTitle) bool {
		return a.Title == b.Title && slices.Equal(a.OtherRooms, b.OtherRooms)
	}) {
		t.Errorf("titles: got %+v, want %+v", facts.Titles, want)
	}
	if len(facts.Uncounted.Newest) == 2 && facts.Uncounted.Newest[1].Concerning != "Bo" {
		t.Errorf("event 2 concerns %q, want Bo", facts.Uncounted.Newest[1].Concerning)
	}
	if last := facts.Last; last == nil || last.ID != 9 || last.RoomID != "8" {
		t.Errorf("the last event is %+v, want 9 in room 8", last)
	}
}

// TestExplainedMemberships: a right of one's own, one by a group while it had it
// and the person was in it, and that of everybody.
func TestExplainedMemberships(t *testing.T) {
	t.Parallel()
	at := func(day int) time.Time { return time.Date(2026, 11, day, 0, 0, 0, 0, time.UTC) }
	want := []audit.MembershipFacts{
		{GroupID: "g", GroupName: "Group", Access: audit.AccessReviewer, From: at(3), To: at(8), JoinedAfter: at(2)},
		{GroupID: audit.GroupEveryone, Access: audit.AccessViewer, From: at(4), JoinedAt: at(4), JoinedAfter: at(4)},
		{Access: audit.AccessEditor, From: at(5), To: at(6), JoinedAt: at(5), JoinedAfter: at(5)},
		{Access: audit.AccessRoomManager, From: at(6), JoinedAt: at(5), JoinedAfter: at(5)},
	}
	if got := explainAnn(t, scene(t), "7", "ann").Memberships; !slices.Equal(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
}

func explainAnn(t *testing.T, reader *store.Reader, room, account string) audit.ExplainFacts {
	t.Helper()
	w := audit.Window{From: now.AddDate(0, 0, -10), To: now, Zone: time.UTC}
	facts, err := reader.ExplainFacts(t.Context(), w, audit.FilterAny, room, account, 10)
	must(t, err)
	return facts
}

// scene is a warehouse of a few rows: rooms 7 and 8 are or were called Tender,
// and Ann did one thing of each kind.
func scene(t *testing.T) *store.Reader {
	t.Helper()
	url := pgtest.New(t)
	st := open(t, url)
	w, err := st.OpenWriter(t.Context(), "https://acme.example.org", owner("o"), now)
	must(t, err)
	t.Cleanup(w.Close)
	conn := connect(t, url)
	for _, sql := range []string{
		`INSERT INTO account (portal_id, account_key, account_id, name, email, status, registered_at) VALUES
			($1, 1, 'ann', 'Ann', 'ann@example.org', 1, '2026-11-04Z'), ($1, 2, 'bo', 'Bo', 'two@example.org', 1, null),
			($1, 3, 'cy', 'Cy', 'Two@Example.org', 1, null), ($1, 4, 'cy@example.org', 'Cy', null, 1, null),
			($1, 5, 'dan', 'Dan', 'cy@example.org', 3, null)`,
		`INSERT INTO room (portal_id, room_key, room_id, title, is_unresolved) VALUES
			($1, 1, '7', 'Tender', false), ($1, 2, '8', 'Offer', false), ($1, 3, 'Tender', '', true), ($1, 4, 'Tender, old', '', true),
			($1, 5, 'Other', '', true)`,
		`INSERT INTO room_rename (portal_id, event_id, room_key, renamed_at, old_title) VALUES
			($1, 101, 1, '2026-01-01Z', 'Tender, old'), ($1, 102, 2, '2026-01-01Z', 'Tender')`,
		`INSERT INTO kind (portal_id, kind_key, fingerprint, action_id) VALUES ($1, 1, gen_random_uuid(), 5011), ($1, 2, gen_random_uuid(), 5085)`,
		`INSERT INTO audit_event (portal_id, run_id, client_key, event_id, account_key, kind_key, room_key, class, room_source, occurred_at)
			SELECT $1, 1, 1, e.id, e.account, e.kind, e.room, e.class, e.source, '2026-11-15Z'::timestamptz + e.id * interval '1 hour'
			FROM (VALUES
				(1, 1, 1, 1, 2, 3), (2, 1, 2, 1, 0, 2), (3, 1, 1, 1, -1, 3),
				(4, 1, 1, 3, 2, 7), (5, 1, 1, 4, 2, 7), (6, 1, 1, 5, 2, 7), (7, 1, 1, 3, 0, 7),
				(8, 1, 1, NULL, 2, 8), (9, 1, 1, 2, 2, 3), (10, 2, 1, 1, 2, 3), (11, 1, 1, NULL, -1, 0), (1000, 1, 1, 1, 2, 3)
			) AS e (id, account, kind, room, class, source)`,
		`INSERT INTO account_day (portal_id, account_key, day, events, last_at) VALUES
			($1, 1, '2026-11-15', 8, '2026-11-15 09:00Z'), ($1, 1, '2026-12-26', 1, '2026-12-26 16:00Z')`,
		`INSERT INTO membership_change (portal_id, event_id, room_key, occurred_at, action_id, actor_id, account_id) VALUES
			($1, 2, 1, '2026-11-15 02:00Z', 5085, 'ann', 'bo')`,
		`INSERT INTO people_group (portal_id, group_key, group_id, name) VALUES
			($1, 1, 'g', 'Group'), ($1, 2, '` + audit.GroupEveryone + `', '')`,
		`INSERT INTO room_member (portal_id, room_key, account_key, valid_from, valid_to, joined_at, joined_after, access) VALUES
			($1, 1, 1, '2026-11-05Z', '2026-11-06Z', '2026-11-05Z', '2026-11-05Z', 10),
			($1, 1, 1, '2026-11-06Z', 'infinity', '2026-11-05Z', '2026-11-05Z', 9), ($1, 2, 1, '2026-11-01Z', 'infinity', '2026-11-01Z', '2026-11-01Z', 9)`,
		`INSERT INTO room_group (portal_id, room_key, group_key, valid_from, valid_to, joined_at, joined_after, access) VALUES
			($1, 1, 1, '2026-11-03Z', 'infinity', '2026-11-03Z', '2026-11-02Z', 5), ($1, 1, 2, '2026-11-01Z', 'infinity', '2026-11-01Z', '-infinity', 2)`,
		`INSERT INTO group_member (portal_id, group_key, account_key, valid_from, valid_to, joined_after) VALUES
			($1, 1, 1, '-infinity', '2026-11-08Z', '-infinity')`,
	} {
		_, err := conn.Exec(t.Context(), sql, w.Portal.ID)
		must(t, err)
	}
	return st.Reader(w.Portal)
}
