package store_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"roompulse/internal/attribution"
	"roompulse/internal/audit"
	"roompulse/internal/store"
	"roompulse/internal/testkit/pgtest"
)

// dump is all that verify answers for, as text.
const dump = `
	SELECT string_agg(line, E'\n' ORDER BY line) FROM (
		SELECT 'room_day ' || d::text AS line FROM room_day AS d
		UNION ALL SELECT 'room_last ' || d::text FROM room_last AS d
		UNION ALL SELECT 'account_day ' || d::text FROM account_day AS d
		UNION ALL SELECT 'account_last ' || d::text FROM account_last AS d
		UNION ALL SELECT 'event_hour ' || d::text FROM event_hour AS d
		UNION ALL SELECT 'event_day ' || d::text FROM event_day AS d
		UNION ALL SELECT 'sync_complete ' || d::text FROM sync_complete AS d
		UNION ALL SELECT 'class ' || event_id || ' ' || class FROM audit_event
	) AS lines`

func state(t *testing.T, conn *pgx.Conn) (text string) {
	t.Helper()
	must(t, conn.QueryRow(t.Context(), dump).Scan(&text))
	return text
}

func ignore(time.Time) {}

// TestVerify: whatever is wrong is found, repaired, and then is what it was before.
func TestVerify(t *testing.T) {
	t.Parallel()
	reader, raw, url := warehouse(t, now, 8)
	st := open(t, url)
	conn := connect(t, url)
	portals, err := st.Portals(t.Context())
	must(t, err)
	sound := state(t, conn)
	v, err := reader.Verify(t.Context(), ignore)
	must(t, err)
	if len(v.Findings) != 0 || v.Events != int64(len(raw)) || v.Days == 0 || v.Windows == 0 {
		t.Fatalf("nothing is wrong, and %d events are there: %+v", len(raw), v)
	}
	const day = "(SELECT (percentile_disc(0.5) WITHIN GROUP (ORDER BY day)) FROM room_day)"
	for _, test := range []struct {
		name, sql string
		part      audit.Part
	}{
		{"row gone", "DELETE FROM room_day WHERE day = " + day + " AND views > 0", audit.PartRoomDays},
		{"row too many", "INSERT INTO room_day (portal_id, room_key, account_key, day, edits, edit_first_at, edit_last_at) VALUES (1, 1, 99999, '2026-11-01', 1, '2026-11-01', '2026-11-01')", audit.PartRoomDays},
		{"row on a day without events", "INSERT INTO room_day (portal_id, room_key, account_key, day, views) VALUES (1, 1, 1, '2031-05-05', 1)", audit.PartRoomDays},
		{"wrong count", "UPDATE room_day SET edits = edits + 1 WHERE day = " + day + " AND edits > 0", audit.PartRoomDays},
		{"wrong first time", "UPDATE room_day SET edit_first_at = edit_first_at - INTERVAL '1 second' WHERE day = " + day + " AND edits > 0", audit.PartRoomDays},
		{"zero for none", "UPDATE room_day SET manages = 0 WHERE day = " + day + " AND manages IS NULL", audit.PartRoomDays},
		{"another room", "UPDATE room_day SET room_key = room_key + 5000 WHERE day = " + day, audit.PartRoomDays},
		{"all days gone", "DELETE FROM room_day", audit.PartRoomDays},
		{"account's day gone", "DELETE FROM account_day WHERE day = " + day, audit.PartAccountDays},
		{"account's day too many", "INSERT INTO account_day (portal_id, account_key, day, events, last_at) VALUES (1, 99999, '2026-11-01', 1, '2026-11-01')", audit.PartAccountDays},
		{"account's count", "UPDATE account_day SET events = 1000 WHERE day = " + day, audit.PartAccountDays},
		{"account's last time", "UPDATE account_day SET last_at = last_at + INTERVAL '1 hour' WHERE day = " + day, audit.PartAccountDays},
		{"events' hours gone", "DELETE FROM event_hour WHERE hour::date = " + day, audit.PartEventHours},
		{"events' hour too many", "INSERT INTO event_hour (portal_id, hour, room_source, class, events) VALUES (1, '2009-01-01', 0, 0, 0)", audit.PartEventHours},
		{"events' count", "UPDATE event_hour SET events = -events", audit.PartEventHours},
		{"events' day gone", "DELETE FROM event_day WHERE day = " + day, audit.PartEventDays},
		{"events' day without events", "INSERT INTO event_day (portal_id, day, room_source, class, events) VALUES (1, '2009-01-01', 0, 0, 0)", audit.PartEventDays},
		{"events' count by day", "UPDATE event_day SET events = events + 1", audit.PartEventDays},
		{"last events of a room gone", "DELETE FROM room_last WHERE room_key = (SELECT min(room_key) FROM room_last)", audit.PartRoomLasts},
		{"last events of no room", "INSERT INTO room_last (portal_id, room_key, account_key, view_last_at) VALUES (1, 2000000000, 1, '2026-11-01')", audit.PartRoomLasts},
		{"last edits too early", "UPDATE room_last SET edit_last_at = edit_last_at - INTERVAL '1 second'", audit.PartRoomLasts},
		{"last views gone", "UPDATE room_last SET view_last_at = NULL", audit.PartRoomLasts},
		{"account's last event gone", "DELETE FROM account_last WHERE account_key = (SELECT min(account_key) FROM account_last)", audit.PartAccountLasts},
		{"last event of no account", "INSERT INTO account_last (portal_id, account_key, last_at) VALUES (1, 2000000000, '2026-11-01')", audit.PartAccountLasts},
		{"account's last event too late", "UPDATE account_last SET last_at = last_at + INTERVAL '1 second'", audit.PartAccountLasts},
		{"complete without a window", "UPDATE sync_complete SET spans = spans + '{[2009-01-01Z, 2009-01-02Z), [2009-02-01Z, 2009-02-02Z)}'", audit.PartComplete},
		{"windows that are not called complete", "UPDATE sync_complete SET spans = spans - '{[2009-01-01Z, 2026-11-01Z)}'", audit.PartComplete},
		{"nothing called complete", "DELETE FROM sync_complete", audit.PartComplete},
		// What a release that changes the table of actions leaves behind.
		{"older rules", "UPDATE audit_event SET class = 1 WHERE class = 2 AND event_id % 3 = 0", audit.PartClasses},
		{"older rules that counted nobody", "UPDATE audit_event SET class = -1 WHERE class >= 0 AND event_id % 50 = 0", audit.PartClasses},
		{"older rules that counted nobody's acts", "UPDATE audit_event SET class = 2 WHERE class = -1", audit.PartClasses},
	} {
		_, err := conn.Exec(t.Context(), test.sql)
		must(t, err)
		broken := state(t, conn)
		if broken == sound {
			t.Fatalf("%s: nothing was broken", test.name)
		}
		v, err := reader.Verify(t.Context(), ignore)
		must(t, err)
		if v.Sound() || !finds(v, test.part, false) {
			t.Errorf("%s: found %+v", test.name, v.Findings)
		}
		if state(t, conn) != broken {
			t.Fatalf("%s: looking has changed something", test.name)
		}
		v = repair(t, st, portals[0])
		if !v.Sound() || !finds(v, test.part, true) {
			t.Errorf("%s: repaired %+v", test.name, v.Findings)
		}
		if state(t, conn) != sound {
			t.Fatalf("%s: the repair did not bring back what was there", test.name)
		}
	}
}

func finds(v audit.Verification, part audit.Part, repaired bool) bool {
	for _, f := range v.Findings {
		if f.Part == part {
			return f.Rows > 0 && f.Repaired == repaired && !f.Last.Before(f.First)
		}
	}
	return false
}

func repair(t *testing.T, st *store.Store, portal store.Portal) audit.Verification {
	t.Helper()
	w, err := st.OpenWriter(context.WithoutCancel(t.Context()), portal.Host, owner(portal.OwnerID), now)
	must(t, err)
	defer w.Close()
	v, err := w.Repair(t.Context(), now, ignore)
	must(t, err)
	return v
}

// TestVerifyRows: events that are gone make their window incomplete, or a gap where the portal has them no more.
// What they are counted in goes too.
func TestVerifyRows(t *testing.T) {
	t.Parallel()
	reader, raw, url := warehouse(t, now, 30)
	st := open(t, url)
	conn := connect(t, url)
	portals, err := st.Portals(t.Context())
	must(t, err)
	before, err := reader.Coverage(t.Context())
	must(t, err)
	slices.SortFunc(raw, func(a, b rawEvent) int { return a.at.Compare(b.at) })
	lost := raw[len(raw)*9/10].at
	_, err = conn.Exec(t.Context(), "DELETE FROM audit_event WHERE occurred_at = $1", lost)
	must(t, err)
	v := repair(t, st, portals[0])
	for _, part := range []audit.Part{audit.PartWindows, audit.PartEventHours, audit.PartAccountDays} {
		if !finds(v, part, true) {
			t.Errorf("%s: found %+v", part, v.Findings)
		}
	}
	after, err := reader.Coverage(t.Context())
	must(t, err)
	if !before.KnownFrom(lost.Add(time.Hour)).Before(lost) {
		t.Fatal("the event was not in a complete window")
	}
	if missing := after.Missing(audit.Span{From: lost, To: lost.Add(time.Second)}); len(missing) != 1 || len(after.Gaps) != 0 {
		t.Errorf("missing is %+v, gaps %+v", missing, after.Gaps)
	}
	if v, err := reader.Verify(t.Context(), ignore); err != nil || len(v.Findings) != 0 {
		t.Errorf("after the repair: %+v, %v", v.Findings, err)
	}

	_, err = conn.Exec(t.Context(), "UPDATE portal SET closed_until = $1", lost.Add(-time.Hour))
	must(t, err)
	_, err = conn.Exec(t.Context(), "DELETE FROM audit_event WHERE occurred_at < $1 AND event_id % 100 = 0", lost.AddDate(0, 0, -15))
	must(t, err)
	if v := repair(t, st, portals[0]); !finds(v, audit.PartWindows, true) {
		t.Errorf("found %+v", v.Findings)
	}
	after, err = reader.Coverage(t.Context())
	must(t, err)
	if len(after.Gaps) == 0 || !after.Gaps[0].Lost {
		t.Errorf("gaps are %+v", after.Gaps)
	}
}

// TestVerifyReferences: what an event names and is not there cannot be made again.
func TestVerifyReferences(t *testing.T) {
	t.Parallel()
	reader, _, url := warehouse(t, now, 8)
	st := open(t, url)
	portals, err := st.Portals(t.Context())
	must(t, err)
	_, err = connect(t, url).Exec(t.Context(), "DELETE FROM page WHERE page_key = (SELECT max(page_key) FROM page)")
	must(t, err)
	v := repair(t, st, portals[0])
	if v.Sound() || !finds(v, audit.PartReferences, false) {
		t.Errorf("found %+v", v.Findings)
	}
	if v, err := reader.Verify(t.Context(), ignore); err != nil || v.Sound() {
		t.Errorf("found %+v, %v", v.Findings, err)
	}
}

// TestSyncOfTornRollups: where counts contradict each other nothing is counted twice, and the error says what mends them.
func TestSyncOfTornRollups(t *testing.T) {
	t.Parallel()
	url := pgtest.New(t)
	st, conn := open(t, url), connect(t, url)
	w, err := st.OpenWriter(t.Context(), "https://acme.example.org", owner("o"), now)
	must(t, err)
	portal := w.Portal
	_, err = w.StartRun(t.Context(), "test", now, now)
	must(t, err)
	noon := now.AddDate(0, 0, -3).Truncate(24 * time.Hour).Add(12 * time.Hour)
	commit := func(id int64, from, to time.Time) error {
		batch := attribution.NewBatch(audit.ReadWindow{
			Span: audit.Span{From: from, To: to}, ReadAt: now, Rows: 1, Events: []*audit.Event{{ID: id, At: from, ActorID: "ann"}},
		})
		batch.Judge(attribution.Evidence{}, attribution.NewRooms(nil))
		_, err := w.CommitWindows(t.Context(), batch)
		return err
	}
	must(t, commit(2, noon, noon.Add(time.Hour)))
	_, err = conn.Exec(t.Context(), "DELETE FROM event_day")
	must(t, err)
	if err := commit(1, noon.Add(-time.Hour), noon); err == nil || !strings.Contains(err.Error(), "`roompulse verify --repair` mends them") {
		t.Fatalf("the error reads %v", err)
	}
	w.Close()
	if v := repair(t, st, portal); !v.Sound() || !finds(v, audit.PartEventDays, true) {
		t.Fatalf("repaired %+v", v.Findings)
	}
	w, err = st.OpenWriter(t.Context(), portal.Host, owner("o"), now)
	must(t, err)
	defer w.Close()
	must(t, commit(1, noon.Add(-time.Hour), noon))
	v, err := st.Reader(portal).Verify(t.Context(), ignore)
	must(t, err)
	if v.Events != 2 || len(v.Findings) > 0 {
		t.Fatalf("%d events, %+v", v.Events, v.Findings)
	}
}
