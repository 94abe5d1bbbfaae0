package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"roompulse/internal/audit"
	"roompulse/internal/demoportal"
	"roompulse/internal/demoportal/world"
	"roompulse/internal/ingest"
)

// simulatedSeeds is how many histories TestSimulate plays.
func simulatedSeeds(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("ROOMPULSE_SIMULATE_SEEDS")
	if text == "" {
		return 30
	}
	n, err := strconv.ParseUint(text, 10, 32)
	must(t, err)
	return n
}

// TestSimulate plays random histories of a portal against syncs at random
// times: ties of more than a page, listed in any order and cut wrongly, late
// events, faults, the audit option lost and back, a broken connection to the
// database, the repeated hour. After a
// last undisturbed sync the warehouse must be the truth. A failing seed
// replays exactly: go test -run TestSimulate/seed=N ./internal/ingest
func TestSimulate(t *testing.T) {
	t.Parallel()
	for seed := range simulatedSeeds(t) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			simulate(t, rand.New(rand.NewPCG(seed, 0)))
		})
	}
}

func simulate(t *testing.T, rng *rand.Rand) {
	t.Helper()
	// Clocks in Berlin are set back on 25 October 2026 at 01:00Z.
	begin := time.Date(2026, 10, 24, 12, 0, 0, 0, time.UTC)
	zone, err := time.LoadLocation([]string{"Europe/Berlin", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe"}[rng.IntN(4)])
	must(t, err)
	if zone.String() == "Australia/Lord_Howe" { // set back by half an hour on 4 April 2026 at 15:00Z
		begin = time.Date(2026, 4, 4, 6, 0, 0, 0, time.UTC)
	}
	precision := []time.Duration{time.Second, time.Microsecond}[rng.IntN(2)]
	w := world.New(world.Config{Zone: zone, Created: begin, Seed: rng.Uint64(), Precision: precision})
	play(w, rng, begin)

	h := newHarness(t, w, begin)
	ties := []demoportal.TieOrder{demoportal.Stable, demoportal.Shuffled, demoportal.CutWrongly}[rng.IntN(3)]
	for h.now = begin.Add(time.Hour); h.now.Before(begin.Add(72 * time.Hour)); h.now = h.now.Add(time.Duration(rng.IntN(20*60)) * time.Minute) {
		broken := false
		h.portal.SetFaults(func(f *demoportal.Faults) {
			f.Ties = ties
			f.Audit, f.Script, f.Before = demoportal.AuditOn, nil, nil
			switch rng.IntN(6) {
			case 0:
				f.Audit = demoportal.AuditMissing
			case 1:
				f.Script = demoportal.RandomFaults(rng.Uint64(), 0.1, demoportal.ServerError, demoportal.Truncated, demoportal.CutConnection, demoportal.BadGateway)
			case 2:
				broken, f.Before = true, h.breakConnection(t, rng.Int64N(80))
			}
		})
		if _, err := h.sync(t, ingest.Options{Parallel: 1 + rng.IntN(4)}); err != nil && !errors.Is(err, audit.ErrRefused) && !broken {
			t.Fatalf("sync at %s: %v", h.now, err)
		}
	}
	h.portal.SetFaults(func(f *demoportal.Faults) { *f = demoportal.Faults{Ties: ties} })
	h.now = begin.Add(8 * 24 * time.Hour) // all late events have come
	h.mustSync(t)
	h.checkTruth(t, year(2000), year(2100))
	h.checkRollups(t)
}

// breakConnection ends the writer's connection to the database at the portal's
// nth request, as a failing server or network would.
func (h *harness) breakConnection(t *testing.T, nth int64) func(demoportal.Request) {
	t.Helper()
	url := h.conn.Config().ConnString()
	var asked atomic.Int64
	return func(demoportal.Request) {
		if asked.Add(1) != nth {
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

// play fills two and a half days with the acts of a few people in a few rooms.
func play(w *world.World, rng *rand.Rand, begin time.Time) {
	people := []*world.Account{w.Owner()}
	for i := range 4 {
		people = append(people, w.At(begin, w.Owner()).AddAccount(world.Person{First: fmt.Sprintf("Person %d", i), Last: "Test", Email: fmt.Sprintf("p%d@example.org", i)}))
	}
	var rooms []*world.Room
	for i := range 4 {
		r := w.At(begin.Add(time.Duration(i)*time.Minute), w.Owner()).CreateRoom(world.RoomSpec{Title: []string{"Alpha", "Beta", "Alpha", "Gamma: delta"}[i]})
		for _, p := range people[1:] {
			w.At(begin.Add(10*time.Minute), w.Owner()).Invite(r, p, world.Editor)
		}
		rooms = append(rooms, r)
	}
	files := make([]*world.File, 0, len(rooms))
	for _, r := range rooms {
		files = append(files, w.At(begin.Add(20*time.Minute), w.Owner()).Upload(r.Folder, "a.docx"))
	}
	at := begin.Add(30 * time.Minute)
	for range 40 + rng.IntN(30) {
		at = at.Add(time.Duration(rng.IntN(120*60)) * time.Second)
		s := w.At(at, people[rng.IntN(len(people))])
		if rng.IntN(8) == 0 {
			s = s.Late(time.Duration(rng.IntN(5*24*60)) * time.Minute)
		}
		file := files[rng.IntN(len(files))]
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
			w.At(at, w.Owner()).RenameRoom(rooms[rng.IntN(len(rooms))], []string{"Alpha", "Beta", "Epsilon"}[rng.IntN(3)])
		default:
			s.Open(file)
		}
	}
}
