package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"roompulse/internal/audit"
	"roompulse/internal/demoportal"
	"roompulse/internal/demoportal/world"
	"roompulse/internal/demoportal/worldgen"
	"roompulse/internal/ingest"
)

var end = time.Date(2026, 11, 20, 16, 0, 0, 0, time.UTC)

func year(y int) time.Time { return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC) }

// TestSyncBringsEverythingOnce: a first sync brings every event, a second one
// changes nothing and asks for little.
func TestSyncBringsEverythingOnce(t *testing.T) {
	t.Parallel()
	h := newHarness(t, worldgen.New(worldgen.Config{Seed: 7, Events: 6000, End: end}), end.Add(time.Hour))
	first := h.mustSync(t)
	h.checkTruth(t, year(2000), year(2100))
	h.checkRollups(t)
	if first.EventsNew < 6000 || first.TitlesContradicted != 0 {
		t.Errorf("first run: %+v", first)
	}
	before := h.dump(t)
	h.portal.ResetRequests()
	second := h.mustSync(t)
	if second.EventsNew != 0 || second.EventsLate != 0 {
		t.Errorf("second run: %+v", second)
	}
	if _, n := h.portal.RequestCounts(); n > 10 {
		t.Errorf("a sync with nothing new took %d requests", n)
	}
	if after := h.dump(t); after != before {
		t.Errorf("the second run changed the warehouse:\n%s\nbefore:\n%s", after, before)
	}
}

// dump is a digest of all tables that a sync without news must not change.
func (h *harness) dump(t *testing.T) string {
	t.Helper()
	var digest string
	must(t, h.conn.QueryRow(t.Context(), `
		SELECT string_agg(name || ' ' || digest, E'\n' ORDER BY name) FROM (
			SELECT 'audit_event' AS name, md5(string_agg(e::text, '|' ORDER BY event_id)) AS digest FROM audit_event AS e
			UNION ALL SELECT 'room_day', md5(string_agg(d::text, '|' ORDER BY d::text)) FROM room_day AS d
			UNION ALL SELECT 'account_day', md5(string_agg(d::text, '|' ORDER BY d::text)) FROM account_day AS d
			UNION ALL SELECT 'room_last', md5(string_agg(d::text, '|' ORDER BY d::text)) FROM room_last AS d
			UNION ALL SELECT 'event_hour', md5(string_agg(d::text, '|' ORDER BY d::text)) FROM event_hour AS d
			UNION ALL SELECT 'event_day', md5(string_agg(d::text, '|' ORDER BY d::text)) FROM event_day AS d
			UNION ALL SELECT 'room_member', md5(string_agg(m::text, '|' ORDER BY m::text)) FROM room_member AS m
			UNION ALL SELECT 'room_group', md5(string_agg(m::text, '|' ORDER BY m::text)) FROM room_group AS m
			UNION ALL SELECT 'group_member', md5(string_agg(m::text, '|' ORDER BY m::text)) FROM group_member AS m
			UNION ALL SELECT 'account', md5(string_agg(a::text, '|' ORDER BY account_key)) FROM account AS a
		) AS digests`).Scan(&digest))
	return digest
}

// TestSyncGrows: events that come between two runs, some of them late, and
// into the window that the first run had read, are all found.
func TestSyncGrows(t *testing.T) {
	t.Parallel()
	w := worldgen.New(worldgen.Config{Seed: 3, Events: 3000, Days: 30, End: end})
	h := newHarness(t, w, end.Add(-10*24*time.Hour))
	for ; h.now.Before(end.Add(time.Hour)); h.now = h.now.Add(31 * time.Hour) {
		h.mustSync(t)
	}
	h.now = end.Add(26 * time.Hour)
	result := h.mustSync(t)
	h.checkTruth(t, year(2000), year(2100))
	h.checkRollups(t)
	t.Logf("last run: %+v", result)
}

// TestSyncFindsLateEvents: an event that comes days late, into a window long
// complete, is found by the daily check and counted as late.
func TestSyncFindsLateEvents(t *testing.T) {
	t.Parallel()
	w := worldgen.New(worldgen.Config{Seed: 5, Events: 5000, Days: 60, End: end})
	room := w.At(end.Add(-48*time.Hour), w.Owner()).CreateRoom(world.RoomSpec{Title: "Late"})
	file := w.At(end.Add(-47*time.Hour), w.Owner()).Upload(room.Folder, "late.txt")
	w.At(end.Add(-40*time.Hour), w.Owner()).Late(44 * time.Hour).Save(file)
	h := newHarness(t, w, end.Add(time.Hour))
	h.mustSync(t)
	h.now = end.Add(6 * time.Hour)
	result := h.mustSync(t)
	if result.EventsNew != 1 || result.EventsLate != 1 || result.MaxLate < 40*time.Hour || result.MaxLate > 44*time.Hour {
		t.Errorf("the late event was not found: %+v", result)
	}
	h.checkTruth(t, year(2000), year(2100))
	h.checkRollups(t)
}

// TestSyncMeetsNoAuditOption: without the option the portal lists something
// else than what was asked for, which must never be taken for its events.
func TestSyncMeetsNoAuditOption(t *testing.T) {
	t.Parallel()
	h := newHarness(t, worldgen.New(worldgen.Config{Seed: 1, Events: 1000, End: end}), end.Add(time.Hour))
	h.portal.SetFaults(func(f *demoportal.Faults) { f.Audit = demoportal.AuditMissing })
	if _, err := h.sync(t, ingest.Options{}); !errors.Is(err, audit.ErrRefused) || !errors.Is(err, ingest.ErrNoAuditOption) {
		t.Errorf("sync without the audit option: %v", err)
	}
	var events int
	must(t, h.conn.QueryRow(t.Context(), "SELECT count(*) FROM audit_event").Scan(&events))
	if events != 0 {
		t.Errorf("%d events were stored", events)
	}
}

// TestSyncOptionVanishes: when the audit option goes in mid-run, what is read
// until then stays, nothing is taken for complete that is not, and the rest
// comes when the option is back.
func TestSyncOptionVanishes(t *testing.T) {
	t.Parallel()
	h := newHarness(t, worldgen.New(worldgen.Config{Seed: 2, Events: 9000, End: end}), end.Add(time.Hour))
	var asked atomic.Int64
	h.portal.SetFaults(func(f *demoportal.Faults) {
		f.Before = func(demoportal.Request) {
			if asked.Add(1) == 90 {
				h.portal.SetFaults(func(f *demoportal.Faults) { f.Audit = demoportal.AuditMissing })
			}
		}
	})
	result, err := h.sync(t, ingest.Options{})
	if !errors.Is(err, ingest.ErrNoAuditOption) || result.Outcome != audit.RunRefused {
		t.Fatalf("the option vanished, and sync says %v, %+v", err, result)
	}
	h.checkRollups(t)
	h.portal.SetFaults(func(f *demoportal.Faults) { *f = demoportal.Faults{} })
	h.mustSync(t)
	h.checkTruth(t, year(2000), year(2100))
	h.checkRollups(t)
}

// TestSyncOptionVanishesAnywhere: at whichever request the audit option goes,
// that is what sync says, not that the portal was restored.
func TestSyncOptionVanishesAnywhere(t *testing.T) {
	t.Parallel()
	h := newHarness(t, worldgen.New(worldgen.Config{Seed: 2, Events: 700, Days: 20, End: end}), end.Add(time.Hour))
	for nth := int64(1); ; nth++ {
		var asked atomic.Int64
		h.portal.SetFaults(func(f *demoportal.Faults) {
			*f = demoportal.Faults{Before: func(r demoportal.Request) {
				if strings.Contains(r.URL, "/audit/") && asked.Add(1) == nth {
					h.portal.SetFaults(func(f *demoportal.Faults) { f.Audit = demoportal.AuditMissing })
				}
			}}
		})
		_, err := h.sync(t, ingest.Options{Parallel: 1})
		if asked.Load() < nth {
			must(t, err)
			break
		}
		// A run that had read all that it needed may end well.
		if err != nil && !errors.Is(err, ingest.ErrNoAuditOption) {
			t.Fatalf("the option went at request %d, and sync says: %v", nth, err)
		}
	}
	h.checkTruth(t, year(2000), year(2100))
	h.checkRollups(t)
}

// TestSyncRestored: a portal that was restored lists its past under new ids.
// Sync takes none of it, and goes on once it is told.
func TestSyncRestored(t *testing.T) {
	t.Parallel()
	w := worldgen.New(worldgen.Config{Seed: 4, Events: 3000, Days: 40, End: end})
	h := newHarness(t, w, end.Add(time.Hour))
	h.mustSync(t)
	before := h.dump(t)

	back := end.Add(3 * time.Hour)
	w.Restore(end.Add(-2*time.Hour), back)
	h.now = end.Add(5 * time.Hour)
	if _, err := h.sync(t, ingest.Options{}); !errors.Is(err, audit.ErrRestored) {
		t.Fatalf("sync of a restored portal: %v", err)
	}
	if after := h.dump(t); after != before {
		t.Errorf("sync of a restored portal wrote something")
	}
	room := w.At(back.Add(10*time.Minute), w.Owner()).CreateRoom(world.RoomSpec{Title: "After"})
	w.At(back.Add(20*time.Minute), w.Owner()).Upload(room.Folder, "new.txt")
	result, err := h.sync(t, ingest.Options{RestoredAt: back})
	must(t, err)
	if result.EventsNew < 2 {
		t.Errorf("nothing came after the restore: %+v", result)
	}
	h.checkTruth(t, back, year(2100))
	h.checkRollups(t)
	var events, gaps int
	must(t, h.conn.QueryRow(t.Context(), "SELECT count(*) FROM audit_event WHERE occurred_at < $1", back).Scan(&events))
	must(t, h.conn.QueryRow(t.Context(), "SELECT count(*) FROM sync_gap WHERE is_lost AND gap_to = $1", back).Scan(&gaps))
	if gaps != 1 {
		t.Errorf("%d gaps end when the portal was back", gaps)
	}
	h.now = h.now.Add(25 * time.Hour) // the daily check leaves the past alone
	h.mustSync(t)
	var now int
	must(t, h.conn.QueryRow(t.Context(), "SELECT count(*) FROM audit_event WHERE occurred_at < $1", back).Scan(&now))
	if now != events {
		t.Errorf("%d events before the restore became %d", events, now)
	}
}

// TestSyncQuarantine: an item that is no event goes to quarantine without its
// secrets, is reported once, holds nothing up, and comes out when it decodes.
func TestSyncQuarantine(t *testing.T) {
	t.Parallel()
	h := newHarness(t, worldgen.New(worldgen.Config{Seed: 6, Events: 500, Days: 20, End: end}), end.Add(time.Hour))
	h.portal.SetFaults(func(f *demoportal.Faults) {
		f.Garble = func(e world.Event) string {
			if e.ID%97 != 0 {
				return ""
			}
			return fmt.Sprintf(`{"id":%d,"date":"soon","page":"https://portal.example.org/s/Pq9sTz?key=SECRET","actionId":5011}`, e.ID)
		}
	})
	result, err := h.sync(t, ingest.Options{})
	if !errors.Is(err, ingest.ErrIncomplete) || result.Quarantined == 0 {
		t.Fatalf("items that do not decode: %v, %+v", err, result)
	}
	var leaked bool
	must(t, h.conn.QueryRow(t.Context(), "SELECT bool_or(body LIKE '%SECRET%' OR body LIKE '%Pq9sTz%') FROM quarantine").Scan(&leaked))
	if leaked {
		t.Error("quarantine keeps secrets")
	}
	if result := h.mustSync(t); result.EventsNew != 0 {
		t.Errorf("the second run: %+v", result)
	}

	// A later version, for which the same items are events.
	_, err = h.conn.Exec(t.Context(), `UPDATE quarantine SET body = replace(body, '"soon"', '"2026-11-10T10:00:00Z"')`)
	must(t, err)
	if again := h.mustSync(t); again.EventsNew != int64(result.Quarantined) {
		t.Errorf("%d items were in quarantine, %d events came out of it", result.Quarantined, again.EventsNew)
	}
	var left int
	must(t, h.conn.QueryRow(t.Context(), "SELECT count(*) FROM quarantine").Scan(&left))
	if left != 0 {
		t.Errorf("%d items are still in quarantine", left)
	}
	h.checkRollups(t)
}

// TestSyncGap: a second whose rows the portal never lists whole becomes a gap
// of its own, is tried again the next day, and closes then.
func TestSyncGap(t *testing.T) {
	t.Parallel()
	w := worldgen.New(worldgen.Config{Seed: 8, Events: 500, Days: 20, End: end})
	h := newHarness(t, w, end.Add(time.Hour))
	hidden := end.Add(-72 * time.Hour)
	room := w.At(hidden, w.Owner()).CreateRoom(world.RoomSpec{Title: "Busy"})
	file := w.At(hidden, w.Owner()).Upload(room.Folder, "a.txt")
	for range 120 {
		w.At(hidden, w.Owner()).Download(file)
	}
	h.portal.SetFaults(func(f *demoportal.Faults) { f.Garble = twiceListed(w, hidden, file) })
	h.mustSync(t)
	var from, to time.Time
	must(t, h.conn.QueryRow(t.Context(), "SELECT gap_from, gap_to FROM sync_gap").Scan(&from, &to))
	if to.Sub(from) != time.Second || hidden.Before(from) || hidden.After(to) {
		t.Errorf("the gap is %s to %s", from, to)
	}
	h.portal.SetFaults(func(f *demoportal.Faults) { f.Garble = nil })
	h.now = h.now.Add(25 * time.Hour)
	h.mustSync(t)
	var gaps int
	must(t, h.conn.QueryRow(t.Context(), "SELECT count(*) FROM sync_gap WHERE closed_at IS NULL").Scan(&gaps))
	if gaps != 0 {
		t.Errorf("%d gaps are left", gaps)
	}
	h.checkRollups(t)
}

// TestSyncRestoredTwice: --after-restore may be given again, as after Ctrl-C:
// what came since the restore and is not fetched yet stays to be fetched.
func TestSyncRestoredTwice(t *testing.T) {
	t.Parallel()
	w := worldgen.New(worldgen.Config{Seed: 4, Events: 1000, Days: 40, End: end})
	h := newHarness(t, w, end.Add(time.Hour))
	h.mustSync(t)
	back := end.Add(3 * time.Hour)
	w.Restore(end.Add(-2*time.Hour), back)
	room := w.At(back.Add(10*time.Minute), w.Owner()).CreateRoom(world.RoomSpec{Title: "After"})
	file := w.At(back.Add(15*time.Minute), w.Owner()).Upload(room.Folder, "new.txt")
	for i := range 3000 {
		w.At(back.Add(20*time.Minute+time.Duration(i)*time.Second), w.Owner()).Download(file)
	}
	h.now = back.Add(3 * time.Hour)
	writer, err := h.store.OpenWriter(t.Context(), h.client.BaseURL(), func(context.Context) (string, error) { return h.owner, nil }, h.now)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err = ingest.New(h.client, writer, ingest.Options{
		Version: "test", Logger: discard, Now: func() time.Time { return h.now }, RestoredAt: back,
		Progress: func(p ingest.Progress) {
			if p.Events > 0 { // the newest window is in
				cancel()
			}
		},
	}).Run(ctx)
	writer.Close()
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("the first run was not broken off: %v", err)
	}
	_, err = h.sync(t, ingest.Options{RestoredAt: back})
	must(t, err)
	h.checkTruth(t, back, year(2100))
}

// TestSyncLateGap: a second that was complete and will not close any more once
// rows come late is a gap, not complete, and closes like any other.
func TestSyncLateGap(t *testing.T) {
	t.Parallel()
	w := worldgen.New(worldgen.Config{Seed: 8, Events: 500, Days: 20, End: end})
	h := newHarness(t, w, end.Add(time.Hour))
	h.mustSync(t)
	edge := h.now.Add(-2 * time.Minute) // of the windows of the first two runs
	h.now = edge.Add(2 * time.Hour)
	h.mustSync(t)
	room := w.At(edge.Add(150*time.Minute), w.Owner()).CreateRoom(world.RoomSpec{Title: "Busy"})
	file := w.At(edge.Add(151*time.Minute), w.Owner()).Upload(room.Folder, "a.txt")
	for range 120 {
		w.At(edge, w.Owner()).Late(160 * time.Minute).Download(file)
	}
	h.portal.SetFaults(func(f *demoportal.Faults) { f.Garble = twiceListed(w, edge, file) })
	h.now = edge.Add(4 * time.Hour)
	h.mustSync(t)
	count := func(query string) (n int) {
		must(t, h.conn.QueryRow(t.Context(), query).Scan(&n))
		return n
	}
	const overlaps = `SELECT count(*) FROM sync_gap AS g JOIN sync_window AS w ON g.closed_at IS NULL AND w.window_from < g.gap_to AND w.window_to > g.gap_from`
	if gaps := count("SELECT count(*) FROM sync_gap WHERE closed_at IS NULL"); gaps == 0 || count(overlaps) != 0 {
		t.Errorf("%d gaps, %d windows that are complete in spite of them", gaps, count(overlaps))
	}
	h.portal.SetFaults(func(f *demoportal.Faults) { f.Garble = nil })
	for range 2 {
		h.now = h.now.Add(25 * time.Hour)
		h.mustSync(t)
	}
	if gaps := count("SELECT count(*) FROM sync_gap WHERE closed_at IS NULL"); gaps != 0 {
		t.Errorf("%d gaps are left", gaps)
	}
	h.checkTruth(t, year(2000), year(2100))
	h.checkRollups(t)
}

// twiceListed makes the portal list one of the downloads of a second twice, in
// place of another.
func twiceListed(w *world.World, at time.Time, file *world.File) func(world.Event) string {
	var first, second int32
	for fact := range w.Truth(at.AddDate(1, 0, 0)).Events() {
		if fact.Listed && fact.Date.Equal(at) && fact.Kind.Name == "FileDownloaded" {
			first, second = second, fact.ID
		}
	}
	return func(e world.Event) string {
		if e.ID != first && e.ID != second {
			return ""
		}
		return fmt.Sprintf(`{"id":%d,"date":%q,"userId":%q,"actionId":5009,"product":2,"target":[%q]}`,
			first, at.Format(time.RFC3339), w.Owner().ID, file.ID)
	}
}

// TestInterruptedAtOnce: a run that was told to stop before the portal gave any answer is on record all the same.
func TestInterruptedAtOnce(t *testing.T) {
	t.Parallel()
	_, w, _ := tenDays()
	h := newHarness(t, w, end)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.syncIn(ctx, t, h.client, ingest.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("the run ends with %v", err)
	}
	var outcome string
	must(t, h.conn.QueryRow(t.Context(), "SELECT outcome FROM sync_run").Scan(&outcome))
	if outcome != string(audit.RunInterrupted) {
		t.Errorf("the run is on record as %s", outcome)
	}
}
