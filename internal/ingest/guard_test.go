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
	"roompulse/internal/docspace"
	"roompulse/internal/ingest"
)

// TestSyncUndatedCut: items without a date where a window would be cut do not
// make windows of a second each.
func TestSyncUndatedCut(t *testing.T) {
	t.Parallel()
	w := worldgen.New(worldgen.Config{Seed: 11, Events: 2500, Days: 20, End: end})
	for name, undated := range map[string][2]int{"around the cut": {1990, 2010}, "all of the newest": {0, 2300}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, w, end.Add(time.Hour))
			ids := map[int32]bool{}
			place := 0
			for fact := range w.Truth(h.now).Events() {
				if fact.Listed {
					place++
				}
			}
			for fact := range w.Truth(h.now).Events() { // oldest first
				if fact.Listed {
					place--
					ids[fact.ID] = place >= undated[0] && place <= undated[1]
				}
			}
			h.portal.SetFaults(func(f *demoportal.Faults) {
				f.Garble = func(e world.Event) string {
					if ids[e.ID] {
						return fmt.Sprintf(`{"id":%d,"date":"soon"}`, e.ID)
					}
					return ""
				}
			})
			result, err := h.sync(t, ingest.Options{})
			if !errors.Is(err, ingest.ErrIncomplete) {
				t.Fatal(err)
			}
			if result.Requests > 400 {
				t.Errorf("%d requests for %d events", result.Requests, result.EventsNew)
			}
			h.portal.SetFaults(func(f *demoportal.Faults) { f.Garble = nil })
			var rows int
			must(t, h.conn.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM audit_event) + (SELECT count(*) FROM quarantine)").Scan(&rows))
			if rows != len(ids) {
				t.Errorf("%d rows are here, the portal has %d", rows, len(ids))
			}
		})
	}
}

// TestSyncCopies: items that are alike to the byte are counted one by one.
func TestSyncCopies(t *testing.T) {
	t.Parallel()
	h := newHarness(t, worldgen.New(worldgen.Config{Seed: 6, Events: 500, Days: 20, End: end}), end.Add(time.Hour))
	h.portal.SetFaults(func(f *demoportal.Faults) {
		f.Garble = func(e world.Event) string {
			if e.ID%17 == 0 {
				return `{"date":"soon"}`
			}
			return ""
		}
	})
	first, err := h.sync(t, ingest.Options{})
	if !errors.Is(err, ingest.ErrIncomplete) || first.Quarantined < 2 {
		t.Fatalf("%+v, %v", first, err)
	}
	var gaps int
	must(t, h.conn.QueryRow(t.Context(), "SELECT count(*) FROM sync_gap").Scan(&gaps))
	if gaps > 0 {
		t.Errorf("there are %d gaps", gaps)
	}
	h.portal.ResetRequests()
	h.mustSync(t)
	if _, n := h.portal.RequestCounts(); n > 10 {
		t.Errorf("a sync with nothing new took %d requests", n)
	}
}

// TestSyncReusedIDs: a restored portal that gives its old ids to other acts is
// recognized though it lists no more and no fewer of them.
func TestSyncReusedIDs(t *testing.T) {
	t.Parallel()
	date := func(e world.Event, shift time.Duration) string {
		return e.Date.Add(shift).UTC().Format(time.RFC3339Nano)
	}
	for name, test := range map[string]struct {
		list     func(e world.Event) string
		restored bool
	}{
		"another action": {func(e world.Event) string {
			return fmt.Sprintf(`{"id":%d,"date":%q,"userId":%q,"actionId":%d}`, e.ID, date(e, 0), e.Actor.ID, e.Kind.ID+1)
		}, true},
		"another actor": {func(e world.Event) string {
			return fmt.Sprintf(`{"id":%d,"date":%q,"userId":"somebody","actionId":%d}`, e.ID, date(e, 0), e.Kind.ID)
		}, true},
		"another time": {func(e world.Event) string {
			return fmt.Sprintf(`{"id":%d,"date":%q,"userId":%q,"actionId":%d}`, e.ID, date(e, -time.Minute), e.Actor.ID, e.Kind.ID)
		}, true},
		"the hour of a clock change": {func(e world.Event) string {
			return fmt.Sprintf(`{"id":%d,"date":%q,"userId":%q,"actionId":%d}`, e.ID, date(e, time.Hour), e.Actor.ID, e.Kind.ID)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, worldgen.New(worldgen.Config{Seed: 4, Events: 300, Days: 30, End: end}), end.Add(time.Hour))
			h.mustSync(t)
			before := h.dump(t)
			h.now = h.now.Add(time.Hour)
			h.portal.SetFaults(func(f *demoportal.Faults) { f.Garble = test.list })
			if _, err := h.sync(t, ingest.Options{}); errors.Is(err, audit.ErrRestored) != test.restored {
				t.Errorf("sync says %v", err)
			}
			if after := h.dump(t); after != before {
				t.Errorf("the warehouse has changed:\n%s\nit was:\n%s", after, before)
			}
		})
	}
}

// TestSyncEdgeInRepeatedHour: dates are right wherever in the hour that comes
// twice, or half of it, a window begins and ends.
func TestSyncEdgeInRepeatedHour(t *testing.T) {
	t.Parallel()
	for zone, change := range map[string]time.Time{
		"Europe/Berlin":       time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC),
		"Australia/Lord_Howe": time.Date(2026, 4, 4, 15, 0, 0, 0, time.UTC),
	} {
		t.Run(zone, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, worldAround(t, zone, change), change)
			for h.now = change.Add(-70 * time.Minute); h.now.Before(change.Add(2 * time.Hour)); h.now = h.now.Add(7 * time.Minute) {
				h.mustSync(t)
			}
			h.checkTruth(t, year(2000), change.Add(time.Hour))
			h.checkRollups(t)
		})
	}
}

// worldAround is a portal in which something happens every few minutes around a clock change.
func worldAround(t *testing.T, zone string, change time.Time) *world.World {
	t.Helper()
	location, err := time.LoadLocation(zone)
	must(t, err)
	begin := change.Add(-5 * time.Hour)
	w := world.New(world.Config{Zone: location, Created: begin})
	room := w.At(begin.Add(time.Minute), w.Owner()).CreateRoom(world.RoomSpec{Title: "Night shift"})
	file := w.At(begin.Add(2*time.Minute), w.Owner()).Upload(room.Folder, "a.txt")
	for at := begin.Add(time.Hour); at.Before(change.Add(3 * time.Hour)); at = at.Add(170 * time.Second) {
		w.At(at, w.Owner()).Download(file)
	}
	return w
}

// TestSyncMovesEarlier: events that are held with the later date that the
// portal lists in the repeated hour are moved, and counted where they belong,
// once that is known.
func TestSyncMovesEarlier(t *testing.T) {
	t.Parallel()
	// Moldova's clocks were set back at midnight UTC: an hour later is another day.
	change := time.Date(2018, 10, 28, 0, 0, 0, 0, time.UTC)
	h := newHarness(t, worldAround(t, "Europe/Chisinau", change), change.Add(4*time.Hour))
	h.mustSync(t)
	h.checkTruth(t, year(2000), year(2100))
	exec := func(sql string, args ...any) {
		t.Helper()
		_, err := h.conn.Exec(t.Context(), sql, args...)
		must(t, err)
	}
	// As if they had been stored as listed.
	exec("UPDATE audit_event SET occurred_at = occurred_at + INTERVAL '1 hour' WHERE occurred_at >= $1 AND occurred_at < $2", change.Add(-time.Hour), change)
	for table, query := range rollups {
		exec("DELETE FROM " + table)
		exec("INSERT INTO " + table + " " + query)
	}
	exec("DELETE FROM sync_window")
	exec("DELETE FROM sync_complete")
	h.mustSync(t)
	h.checkTruth(t, year(2000), year(2100))
	h.checkRollups(t)
}

// deaf is a portal that fails steadily on some questions.
type deaf struct {
	*docspace.Client
	members, groups bool
	asked           atomic.Int32
}

func (d *deaf) fail() error {
	d.asked.Add(1)
	return errors.Join(audit.ErrUnavailable, errors.New("no answer"))
}

func (d *deaf) Members(ctx context.Context, id string) (audit.MemberList, error) {
	if d.members {
		return audit.MemberList{}, d.fail()
	}
	return d.Client.Members(ctx, id)
}

func (d *deaf) Group(ctx context.Context, id string) (audit.Group, error) {
	if d.groups {
		return audit.Group{}, d.fail()
	}
	return d.Client.Group(ctx, id)
}

// TestSyncUnansweredRooms: a portal that does not answer for one room or group
// after another is not asked for all of them. The rest of the run is done.
func TestSyncUnansweredRooms(t *testing.T) {
	t.Parallel()
	begin := end.Add(-48 * time.Hour)
	w := world.New(world.Config{Created: begin})
	for i := range 9 {
		group := w.At(begin.Add(time.Hour), w.Owner()).CreateGroup(fmt.Sprintf("Group %d", i), w.Owner(), w.Owner())
		room := w.At(begin.Add(2*time.Hour), w.Owner()).CreateRoom(world.RoomSpec{Title: fmt.Sprintf("Room %d", i)})
		w.At(begin.Add(3*time.Hour), w.Owner()).AddGroup(room, group, world.Editor)
	}
	for name, source := range map[string]*deaf{"rooms": {members: true}, "groups": {groups: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, w, end.Add(time.Hour))
			source.Client = h.client
			run := func() (audit.RunResult, error) {
				writer, err := h.store.OpenWriter(t.Context(), h.client.BaseURL(), func(context.Context) (string, error) { return h.owner, nil }, h.now)
				must(t, err)
				defer writer.Close()
				return ingest.New(source, writer, ingest.Options{Version: "test", Logger: discard, Now: func() time.Time { return h.now }}).Run(t.Context())
			}
			result, err := run()
			if !errors.Is(err, ingest.ErrIncomplete) || result.Outcome != audit.RunIncomplete || !strings.Contains(result.Error, "no answer") {
				t.Errorf("sync says %v, %+v", err, result)
			}
			if n := source.asked.Load(); n > 6 {
				t.Errorf("%d were asked for", n)
			}
			h.checkTruth(t, year(2000), year(2100))
			source.members, source.groups = false, false
			h.now = h.now.Add(25 * time.Hour)
			if _, err := run(); err != nil {
				t.Errorf("the portal answers again, and sync says %v", err)
			}
			var unread int
			must(t, h.conn.QueryRow(t.Context(), `
				SELECT (SELECT count(*) FROM room WHERE NOT is_unresolved AND deleted_at IS NULL AND listed_at IS NOT NULL AND (members_at IS NULL OR unreadable_since IS NOT NULL))
					+ (SELECT count(*) FROM people_group WHERE read_at IS NULL)`).Scan(&unread))
			if unread > 0 {
				t.Errorf("%d rooms and groups are not read", unread)
			}
		})
	}
}

// TestSyncOneGroupUnanswered: a group that fails steadily holds nothing up, and whom it had is kept.
func TestSyncOneGroupUnanswered(t *testing.T) {
	t.Parallel()
	begin := end.Add(-48 * time.Hour)
	w := world.New(world.Config{Created: begin})
	ann := w.At(begin.Add(time.Hour), w.Owner()).AddAccount(world.Person{First: "Ann", Last: "Lee", Email: "ann@example.org"})
	group := w.At(begin.Add(time.Hour), w.Owner()).CreateGroup("Buyers", ann, ann)
	room := w.At(begin.Add(2*time.Hour), w.Owner()).CreateRoom(world.RoomSpec{Title: "Tender"})
	w.At(begin.Add(3*time.Hour), w.Owner()).AddGroup(room, group, world.Editor)
	h := newHarness(t, w, end)
	h.mustSync(t)
	members := func() (n int) {
		must(t, h.conn.QueryRow(t.Context(), "SELECT count(*) FROM group_member").Scan(&n))
		return n
	}
	if members() != 1 {
		t.Fatalf("the group has %d members", members())
	}
	h.now = h.now.Add(25 * time.Hour)
	source := &deaf{Client: h.client, groups: true}
	writer, err := h.store.OpenWriter(t.Context(), h.client.BaseURL(), nil, h.now)
	must(t, err)
	defer writer.Close()
	_, err = ingest.New(source, writer, ingest.Options{Version: "test", Logger: discard, Now: func() time.Time { return h.now }}).Run(t.Context())
	must(t, err)
	if source.asked.Load() == 0 || members() != 1 {
		t.Errorf("the group was asked for %d times and has %d members", source.asked.Load(), members())
	}
}

// TestSyncGapNumbers: the number of a gap that has closed is not given to
// another one: an administrator may have noted it.
func TestSyncGapNumbers(t *testing.T) {
	t.Parallel()
	w := worldgen.New(worldgen.Config{Seed: 8, Events: 500, Days: 20, End: end})
	h := newHarness(t, w, end.Add(time.Hour))
	busy := func(at time.Time) func(world.Event) string {
		room := w.At(at, w.Owner()).CreateRoom(world.RoomSpec{Title: "Busy"})
		file := w.At(at, w.Owner()).Upload(room.Folder, "a.txt")
		for range 120 {
			w.At(at, w.Owner()).Download(file)
		}
		return twiceListed(w, at, file)
	}
	numbers := func() (open []int32) {
		must(t, h.conn.QueryRow(t.Context(), "SELECT array_agg(gap_id) FROM sync_gap WHERE closed_at IS NULL").Scan(&open))
		return open
	}
	garble := busy(end.Add(-72 * time.Hour))
	h.portal.SetFaults(func(f *demoportal.Faults) { f.Garble = garble })
	h.mustSync(t)
	first := numbers()
	if len(first) == 0 {
		t.Fatal("there is no gap")
	}
	h.portal.SetFaults(func(f *demoportal.Faults) { f.Garble = nil })
	h.now = h.now.Add(25 * time.Hour)
	h.mustSync(t)
	if left := numbers(); len(left) > 0 {
		t.Fatalf("gaps %d are left", left)
	}
	garble = busy(h.now.Add(time.Hour))
	h.portal.SetFaults(func(f *demoportal.Faults) { f.Garble = garble })
	h.now = h.now.Add(3 * time.Hour)
	h.mustSync(t)
	for _, id := range numbers() {
		if id <= first[len(first)-1] {
			t.Errorf("gap %d is another one than before", id)
		}
	}
}
