package worldgen_test

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"roompulse/internal/demoportal/world"
	"roompulse/internal/demoportal/worldgen"
)

var end = time.Date(2026, 11, 20, 16, 0, 0, 0, time.UTC)

func rows(w *world.World) []world.Fact {
	return slices.Collect(w.Truth(end.AddDate(1, 0, 0)).Events())
}

func TestEqualConfigurationsGiveEqualWorlds(t *testing.T) {
	t.Parallel()
	c := worldgen.Config{Seed: 7, Events: 5000, Rooms: 20, End: end}
	key := func(f world.Fact) [4]string {
		room := ""
		if f.Room != nil {
			room = f.Room.ID
		}
		return [4]string{f.Date.String(), f.Actor.ID, f.Kind.Name + f.Title, room}
	}
	one, two := rows(worldgen.New(c)), rows(worldgen.New(c))
	if !slices.EqualFunc(one, two, func(a, b world.Fact) bool { return a.ID == b.ID && key(a) == key(b) }) {
		t.Error("two worlds of one seed differ")
	}
	c.Seed = 8
	if other := rows(worldgen.New(c)); slices.EqualFunc(one, other, func(a, b world.Fact) bool { return key(a) == key(b) }) {
		t.Error("two worlds of different seeds are equal")
	}
}

func TestTheDemoIsPlausible(t *testing.T) {
	t.Parallel()
	w := worldgen.New(worldgen.Config{End: end})
	all := rows(w)
	if n := len(all); n < 20_000 || n > 20_010 {
		t.Errorf("%d rows", n)
	}
	weekend, nameless, unknowable, background, late := 0, 0, 0, 0, 0
	active, lastSeen := map[string]int{}, map[string]time.Time{}
	two := map[world.Action]int{}
	for _, f := range all {
		local := f.Date.In(w.Zone())
		if f.Date.After(end.Add(time.Minute)) {
			t.Fatalf("row %d is of %v", f.ID, f.Date)
		}
		if local.Weekday() == time.Saturday || local.Weekday() == time.Sunday {
			weekend++
		}
		if f.Room == nil {
			nameless++
		} else if f.Evidence == 0 {
			unknowable++
		}
		if f.Background {
			background++
		}
		if f.Inserted.Sub(f.Date) > time.Minute {
			late++
		}
		active[f.Actor.ID]++
		lastSeen[f.Actor.ID] = f.Date
		two[f.Kind.ID]++
	}
	if weekend > len(all)/10 || nameless == 0 || unknowable == 0 || background == 0 || late == 0 {
		t.Errorf("%d at weekends, %d in no room, %d unknowable, %d in the background, %d late", weekend, nameless, unknowable, background, late)
	}
	for _, a := range []world.Action{
		world.FileMoved, world.FileCopied, world.FolderMovedOverwrite, world.RoomRenamed, world.RoomArchived, world.RoomRemoveUser,
		world.RoomUpdateAccessForUser, world.FileMovedToTrash, world.FormSubmit, world.RoomGroupAdded, world.UserDeleted, world.UsersUpdatedStats,
	} {
		if two[a] == 0 {
			t.Errorf("action %d never happens", a)
		}
	}
	silent, quiet := 0, 0
	w.Read(end, func(v world.View) {
		for _, a := range v.Accounts() {
			switch {
			case active[a.ID] == 0:
				silent++
			case lastSeen[a.ID].Before(end.AddDate(0, 0, -60)):
				quiet++
			}
		}
		if n := len(v.Rooms()); n < 8 {
			t.Errorf("%d rooms", n)
		}
	})
	if silent < 2 || quiet < 2 {
		t.Errorf("%d people never do anything, %d fell silent", silent, quiet)
	}
}

func TestSmallAndOddSizes(t *testing.T) {
	t.Parallel()
	for _, c := range []worldgen.Config{
		{Rooms: 1, People: 1, Guests: 1, Groups: 1, Events: 50, Days: 1},
		{Rooms: 3, People: 2, Events: 300, Days: 10},
		{Rooms: 120, People: 40, Events: 5000, Days: 30},
		{Rooms: 60, People: 400, Guests: 60, Groups: 25, Events: 20_000, Days: 700, Seed: 3},
	} {
		c.End = end
		if n := len(rows(worldgen.New(c))); n < c.Events-5 || n > c.Events+5 {
			t.Errorf("%+v: %d rows", c, n)
		}
	}
}

// Millions of rows have to fit into a test machine.
func TestRowsAreSmall(t *testing.T) { //nolint:paralleltest // measures the heap
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	const events = 100_000
	w := worldgen.New(worldgen.Config{Events: events, Rooms: 200, People: 800, End: end})
	w.Read(end.AddDate(0, 0, 7), func(v world.View) {
		if lo, hi := v.Window(time.Time{}, time.Time{}); hi-lo < events*99/100 {
			t.Errorf("%d rows are listed", hi-lo)
		}
	})
	if each := (heap() - before) / events; each > 150 { // a row itself is 56; slices grow by a quarter
		t.Errorf("%d bytes a row", each)
	} else {
		t.Logf("%d bytes a row", each)
	}
	runtime.KeepAlive(w)
}
