package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"roompulse/internal/audit"
	"roompulse/internal/demoportal"
	"roompulse/internal/demoportal/world"
	"roompulse/internal/ingest"
)

// simulatedSeeds is how many histories a simulation plays, usually or on request.
func simulatedSeeds(t *testing.T, usually uint64) uint64 {
	t.Helper()
	text := os.Getenv("ROOMPULSE_SIMULATE_SEEDS")
	if text == "" {
		return usually
	}
	n, err := strconv.ParseUint(text, 10, 32)
	must(t, err)
	return n
}

// TestSimulate plays random histories of a portal against syncs at random
// times: ties of more than a page, listed in any order and cut wrongly, late
// events, inserts while paging, faults of every kind, the audit option lost and
// back, processes killed, connections to the database broken, clocks that are wrong,
// changes of the portal's time zone over a clock change, a restore under new ids. After
// a last undisturbed sync the warehouse must be the truth. Which requests are
// met by what depends on the seed and the request alone, so that a failing seed
// replays: go test -run TestSimulate/seed=N$ ./internal/ingest
func TestSimulate(t *testing.T) {
	t.Parallel()
	for seed := range simulatedSeeds(t, 30) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			newSimulation(t, rand.New(rand.NewPCG(seed, 0))).play(t)
		})
	}
}

// simulation is one history.
type simulation struct {
	*harness
	rng   *rand.Rand
	begin time.Time
	zones []*time.Location
	ties  demoportal.TieOrder
	cast  cast
}

func newSimulation(t *testing.T, rng *rand.Rand) *simulation {
	t.Helper()
	// Clocks in Europe are set back on 25 October 2026 at 01:00Z.
	s := &simulation{rng: rng, begin: time.Date(2026, 10, 24, 12, 0, 0, 0, time.UTC)}
	names := []string{"Europe/Berlin", "Asia/Kathmandu", "America/New_York", "Atlantic/Azores"}
	if rng.IntN(4) == 0 { // on Lord Howe by half an hour on 4 April 2026 at 15:00Z, in Sydney by an hour at 16:00Z
		s.begin = time.Date(2026, 4, 4, 6, 0, 0, 0, time.UTC)
		names = []string{"Australia/Lord_Howe", "Australia/Sydney", "UTC"}
	}
	for _, name := range names {
		zone, err := time.LoadLocation(name)
		must(t, err)
		s.zones = append(s.zones, zone)
	}
	precision := []time.Duration{time.Second, time.Microsecond}[rng.IntN(2)]
	w := world.New(world.Config{Zone: s.zones[rng.IntN(len(s.zones))], Created: s.begin, Seed: rng.Uint64(), Precision: precision})
	s.cast = newCast(w, s.begin)
	s.harness = newHarness(t, w, s.begin)
	s.ties = []demoportal.TieOrder{demoportal.Stable, demoportal.Shuffled, demoportal.CutWrongly}[rng.IntN(3)]
	return s
}

func (s *simulation) play(t *testing.T) {
	t.Helper()
	s.cast.act(s.rng, s.begin.Add(30*time.Minute), 40+s.rng.IntN(30))
	s.now = s.begin.Add(time.Hour)
	s.syncUntil(t, s.begin.Add(72*time.Hour))
	since := year(2000)
	if s.rng.IntN(3) == 0 {
		since = s.restore(t)
	}
	s.clean()
	s.now = s.now.Add(8 * 24 * time.Hour) // all late events have come
	s.mustSync(t)
	s.checkTruth(t, since, year(2100))
	s.checkRollups(t)
	s.checkVerify(t)
	s.checkCoverage(t)
}

// syncUntil syncs at random times, mostly disturbed.
func (s *simulation) syncUntil(t *testing.T, end time.Time) {
	t.Helper()
	for s.now.Before(end) {
		if s.rng.IntN(6) == 0 {
			s.world.SetZone(s.zones[s.rng.IntN(len(s.zones))])
		}
		_ = s.disturbed(t, ingest.Options{Parallel: 1 + s.rng.IntN(4)}) // what may come in between
		s.now = s.now.Add(time.Duration(s.rng.IntN(20*60)) * time.Minute)
	}
}

// restore restores the portal from a backup. Sync takes nothing of what it
// lists then, and goes on once it is told. It returns since when all is true again.
func (s *simulation) restore(t *testing.T) (back time.Time) {
	t.Helper()
	s.clean()
	s.mustSync(t)
	before := s.dump(t)
	back = s.now.Add(time.Hour)
	s.world.Restore(s.now.Add(-time.Duration(s.rng.IntN(10*60))*time.Minute), back)
	s.now = back.Add(time.Duration(s.rng.IntN(10*60)) * time.Minute)
	s.clean()
	if _, err := s.sync(t, ingest.Options{}); !errors.Is(err, audit.ErrRestored) {
		t.Fatalf("sync of a restored portal at %s: %v", s.now, err)
	}
	if after := s.dump(t); after != before {
		t.Fatalf("sync of a restored portal wrote something:\n%s\nbefore:\n%s", after, before)
	}
	past := s.past(t, back)
	s.cast.act(s.rng, back.Add(10*time.Minute), 20)
	for told := false; !told; {
		told = s.disturbed(t, ingest.Options{RestoredAt: back}) == nil
		s.now = s.now.Add(time.Duration(s.rng.IntN(90)) * time.Minute)
	}
	s.syncUntil(t, back.Add(40*time.Hour))
	if now := s.past(t, back); now != past {
		t.Errorf("events before the restore have changed: %s, before: %s", now, past)
	}
	return back
}

// past is a digest of the events before a restore.
func (s *simulation) past(t *testing.T, back time.Time) (digest string) {
	t.Helper()
	must(t, s.conn.QueryRow(t.Context(), `
		SELECT count(*) || ' ' || coalesce(md5(string_agg(event_id || ' ' || occurred_at, '|' ORDER BY event_id)), '')
		FROM audit_event WHERE occurred_at < $1`, back).Scan(&digest))
	return digest
}

// checkCoverage makes sure that all time is complete once, or lost for good.
func (s *simulation) checkCoverage(t *testing.T) {
	t.Helper()
	var whole, apart bool
	must(t, s.conn.QueryRow(t.Context(), `
		WITH spans AS (
			SELECT tstzrange(window_from, window_to) AS span FROM sync_window
			UNION ALL SELECT tstzrange(gap_from, gap_to) FROM sync_gap WHERE closed_at IS NULL AND is_lost
		)
		SELECT
			range_agg(span) = tstzmultirange(tstzrange((SELECT floor_at FROM portal), $1)),
			sum(upper(span) - lower(span)) = $1 - (SELECT floor_at FROM portal)
		FROM spans`, s.now.Add(-2*time.Minute)).Scan(&whole, &apart))
	if !whole || !apart {
		t.Errorf("complete windows leave something out: %v, overlap: %v", !whole, !apart)
	}
	var gaps int
	must(t, s.conn.QueryRow(t.Context(), "SELECT count(*) FROM sync_gap WHERE closed_at IS NULL AND NOT is_lost").Scan(&gaps))
	if gaps > 0 {
		t.Errorf("%d gaps are left", gaps)
	}
}

// clean lets the portal and the clocks be in order.
func (s *simulation) clean() {
	s.skew = 0
	s.portal.SetFaults(func(f *demoportal.Faults) { *f = demoportal.Faults{Ties: s.ties} })
}

// disturbed syncs once, and most times something comes in between. It returns
// the error that this has led to; any other one fails the test.
func (s *simulation) disturbed(t *testing.T, options ingest.Options) error {
	t.Helper()
	s.clean()
	s.client = newClient(t, s.server.URL) // what one run was refused does not slow the next one
	seed := s.rng.Uint64()
	var expected func(error) bool
	kind := s.rng.IntN(12)
	switch kind {
	case 0:
		mode := []demoportal.AuditMode{demoportal.AuditMissing, demoportal.AuditHidden}[s.rng.IntN(2)]
		s.portal.SetFaults(func(f *demoportal.Faults) { f.Audit = mode })
		expected = refused
	case 1: // the option is lost in the middle of the run, and perhaps back again
		lost, back := picked(seed, 0.04), picked(seed+1, 0.04)
		s.before(func(r demoportal.Request) {
			if lost(r) {
				s.portal.SetFaults(func(f *demoportal.Faults) { f.Audit = demoportal.AuditMissing })
			} else if back(r) {
				s.portal.SetFaults(func(f *demoportal.Faults) { f.Audit = demoportal.AuditOn })
			}
		})
		expected = refused
	case 2:
		s.portal.SetFaults(func(f *demoportal.Faults) {
			f.Script = demoportal.RandomFaults(seed, 0.1, demoportal.ServerError, demoportal.BadGateway, demoportal.Unavailable,
				demoportal.Truncated, demoportal.CutConnection, demoportal.EmptyBody)
		})
	case 3: // which slows the rest of the run down
		s.portal.SetFaults(func(f *demoportal.Faults) { f.Script = demoportal.RandomFaults(seed, 0.02, demoportal.TooMany) })
	case 4:
		s.before(s.breakConnection(t, picked(seed, 0.03)))
		expected = func(error) bool { return true }
	case 5, 6:
		return s.killed(t, options, picked(seed, 0.03))
	case 7: // a proxy's clock, or this machine's
		skew := time.Duration(s.rng.IntN(600)-300) * time.Minute
		if s.rng.IntN(2) == 0 {
			s.skew = skew
		} else {
			s.portal.SetFaults(func(f *demoportal.Faults) { f.DateSkew = skew })
		}
	case 8: // time goes on, and with it come events between two pages
		s.before(func(demoportal.Request) { s.drift.Add(int64(40 * time.Second)) })
	}
	_, err := s.sync(t, options)
	t.Logf("sync at %s in %s, disturbance %d: %v", s.now.Format(time.RFC3339), s.world.Zone(), kind, err)
	if kind == 4 {
		s.awaitUnlocked(t)
	}
	s.now = s.now.Add(time.Duration(s.drift.Swap(0)))
	if err != nil && (expected == nil || !expected(err)) {
		t.Fatalf("sync at %s: %v", s.now, err)
	}
	return err
}

func (s *simulation) before(f func(demoportal.Request)) {
	s.portal.SetFaults(func(faults *demoportal.Faults) { faults.Before = f })
}

func refused(err error) bool { return errors.Is(err, audit.ErrRefused) }

// picked picks requests by the seed, the address and how often it was asked, not by what goes on beside.
func picked(seed uint64, p float64) func(demoportal.Request) bool {
	script := demoportal.RandomFaults(seed, p, demoportal.ServerError)
	return func(r demoportal.Request) bool { return script(r) != demoportal.NoFault }
}

// killed syncs in a process of its own that is killed at the first request picked.
func (s *simulation) killed(t *testing.T, options ingest.Options, chosen func(demoportal.Request) bool) error {
	t.Helper()
	cmd := s.process(t, options)
	var started sync.WaitGroup
	started.Add(1)
	s.before(func(r demoportal.Request) {
		if chosen(r) {
			started.Wait()
			_ = cmd.Process.Kill() // or it has ended
		}
	})
	err := cmd.Start()
	must(t, err)
	started.Done()
	err = cmd.Wait()
	t.Logf("sync at %s in %s, to be killed: %v", s.now.Format(time.RFC3339), s.world.Zone(), err)
	if err != nil && cmd.ProcessState.Exited() {
		t.Fatalf("sync at %s in a process of its own: %v", s.now, err)
	}
	s.server.CloseClientConnections()
	s.awaitUnlocked(t)
	return err
}

// breakConnection ends the writer's connection to the database at the first
// request picked, as a failing server or network would.
func (h *harness) breakConnection(t *testing.T, chosen func(demoportal.Request) bool) func(demoportal.Request) {
	t.Helper()
	url := h.conn.Config().ConnString()
	var done atomic.Bool
	return func(r demoportal.Request) {
		if !chosen(r) || done.Swap(true) {
			return
		}
		conn, err := pgx.Connect(context.WithoutCancel(t.Context()), url)
		if err == nil {
			_, err = conn.Exec(context.WithoutCancel(t.Context()), `
				SELECT pg_terminate_backend(pid, 5000) FROM pg_locks
				WHERE locktype = 'advisory' AND classid = 7301 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
		}
		if err == nil {
			err = conn.Close(context.WithoutCancel(t.Context()))
		}
		if err != nil {
			t.Errorf("break the connection: %v", err)
		}
	}
}

// cast is who acts in a simulated portal, and where.
type cast struct {
	world  *world.World
	people []*world.Account
	rooms  []*world.Room
	files  []*world.File
}

func newCast(w *world.World, begin time.Time) cast {
	c := cast{world: w, people: []*world.Account{w.Owner()}}
	owner := func(after time.Duration) world.Session { return w.At(begin.Add(after), w.Owner()) }
	for i := range 4 {
		c.people = append(c.people, owner(0).AddAccount(world.Person{First: fmt.Sprintf("Person %d", i), Last: "Test", Email: fmt.Sprintf("p%d@example.org", i)}))
	}
	for i := range 4 {
		r := owner(time.Duration(i) * time.Minute).CreateRoom(world.RoomSpec{Title: []string{"Alpha", "Beta", "Alpha", "Gamma: delta"}[i]})
		for _, p := range c.people[1:] {
			owner(10*time.Minute).Invite(r, p, world.Editor)
		}
		c.rooms = append(c.rooms, r)
	}
	for _, r := range c.rooms {
		c.files = append(c.files, owner(20*time.Minute).Upload(r.Folder, "a.docx"))
	}
	return c
}

// act fills an hour for each of so many times with the acts of a few people in a few rooms.
func (c cast) act(rng *rand.Rand, at time.Time, times int) {
	w := c.world
	for range times {
		at = at.Add(time.Duration(rng.IntN(120*60)) * time.Second)
		s := w.At(at, c.people[rng.IntN(len(c.people))])
		if rng.IntN(8) == 0 {
			s = s.Late(time.Duration(rng.IntN(5*24*60)) * time.Minute)
		}
		file := c.files[rng.IntN(len(c.files))]
		switch rng.IntN(8) {
		case 0: // a burst, all within a second
			for range 1 + rng.IntN(150) {
				s.Download(file)
			}
		case 1:
			s.Save(file)
		case 2:
			s.View(file)
		case 3:
			w.At(at, w.Owner()).RenameRoom(c.rooms[rng.IntN(len(c.rooms))], []string{"Alpha", "Beta", "Epsilon"}[rng.IntN(3)])
		default:
			s.Open(file)
		}
	}
}
