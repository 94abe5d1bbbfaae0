package ingest_test

import (
	"errors"
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
	h := newHarness(t, worldgen.New(worldgen.Config{Seed: 7, Events: 6000, End: end}), end.Add(time.Hour), demoportal.Options{})
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
	h := newHarness(t, w, end.Add(-10*24*time.Hour), demoportal.Options{})
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
	h := newHarness(t, w, end.Add(time.Hour), demoportal.Options{})
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
	h := newHarness(t, worldgen.New(worldgen.Config{Seed: 1, Events: 1000, End: end}), end.Add(time.Hour), demoportal.Options{})
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
