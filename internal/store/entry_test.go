package store_test

import (
	"database/sql"
	"strconv"
	"testing"
	"time"

	"roompulse/internal/attribution"
	"roompulse/internal/audit"
)

// evidence is what is known of file 7 after a room's log has told of it, and folders 100, 101 and so on
// left the room, an hour after another from day -15 on.
func evidence(t *testing.T, moves int, entries ...audit.LogEntry) []attribution.Sighting {
	t.Helper()
	r := newRoster(t)
	_, err := r.writer.StartRun(t.Context(), "test", now, now)
	must(t, err)
	_, _, err = r.writer.PutLogs(t.Context(), []audit.LogTurn{{RoomID: room, Entries: entries, Whereabouts: true}})
	must(t, err)
	read := audit.ReadWindow{Span: audit.Span{From: day(-20), To: day(-1)}, ReadAt: now, Rows: 2 * moves}
	for i := range 2 * moves {
		read.Events = append(read.Events, &audit.Event{
			ID: int64(i + 1), At: day(-15).Add(time.Duration(i/2) * time.Hour), ActorID: "boss",
			Kind:   audit.Kind{ActionID: audit.ActionFolderMovedOverwriting, Product: sql.NullInt16{Int16: audit.ProductDocuments, Valid: true}},
			Target: []string{strconv.Itoa(100 + i/2), "900"}, Context: sql.NullString{String: "Rooms: Tender", Valid: true},
		})
	}
	rooms := attribution.NewRooms([]attribution.Room{{ID: room, Title: "Tender"}})
	batch := attribution.NewBatch(read)
	batch.Judge(attribution.Evidence{}, rooms)
	_, err = r.writer.CommitWindows(t.Context(), batch)
	must(t, err)
	known, err := r.writer.Evidence(t.Context(), []*audit.Event{{ID: 99, Target: []string{"7"}, Kind: audit.Kind{ActionID: fileAction}}})
	must(t, err)
	return known.Sightings[attribution.Entry{ID: "7"}]
}

const fileAction = 5001

func inFolder(at time.Time, parent string) audit.LogEntry {
	return audit.LogEntry{At: at, EntryID: "7", ParentID: parent, ActionID: fileAction}
}

// TestDeparturesAreFew: a file was seen often, and many folders left the room of which nobody knows
// whether it lay in them. From the first on nobody knows where it was: the others tell no more.
func TestDeparturesAreFew(t *testing.T) {
	t.Parallel()
	const seen, moves = 20, 10
	var entries []audit.LogEntry
	for i := range seen {
		entries = append(entries, inFolder(day(-50+i), "nobody knows"))
	}
	if n := len(evidence(t, moves, entries...)); n != seen+1 {
		t.Errorf("%d things are known of the file, want %d sightings and a departure", n, seen)
	}
}

// TestDeparturesOfOthers: a folder that leaves the room takes a file along only if that may have lain in it then.
func TestDeparturesOfOthers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		seen []audit.LogEntry
		want string // where the file was five days after folder 100 had left
	}{
		{"below an unknown folder", []audit.LogEntry{inFolder(day(-50), "55")}, ""},
		{"in the folder", []audit.LogEntry{inFolder(day(-50), "100")}, ""},
		{"in the room itself", []audit.LogEntry{inFolder(day(-50), room)}, room},
		{"below an unknown folder long ago", []audit.LogEntry{inFolder(day(-50), "55"), inFolder(day(-40), room)}, room},
		{"below an unknown folder since", []audit.LogEntry{inFolder(day(-50), room), inFolder(day(-40), "55")}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := attribution.RoomAt(evidence(t, 1, test.seen...), day(-10)); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestFirstSightingsAreCheap: right after the first events the planner takes the table of sightings for all but empty. It
// fills in few statements, and what each folder reads of it must not grow with what came before.
func TestFirstSightingsAreCheap(t *testing.T) {
	t.Parallel()
	const folders = 3000
	r := newRoster(t)
	must(t, r.writer.Analyze(t.Context()))
	var entries []audit.LogEntry
	for i := range folders {
		entries = append(entries, audit.LogEntry{
			At: day(-50), EntryID: strconv.Itoa(i + 1000), ParentID: "900", ActionID: audit.ActionFolderMoved,
		})
	}
	r.writer.Close()
	blocks := blocksRead(t, r.conn, "entry_sighting", func() {
		w, err := open(t, r.conn.Config().ConnString()).OpenWriter(t.Context(), "https://acme.example.org", owner("boss"), now)
		must(t, err)
		defer w.Close()
		for _, some := range [][]audit.LogEntry{entries[:200], entries[200:]} {
			_, _, err = w.PutLogs(t.Context(), []audit.LogTurn{{RoomID: room, Entries: some, Whereabouts: true}})
			must(t, err)
		}
	})
	// Three indexes, each looked at and written to, and the row.
	if limit := 16 * folders; blocks > limit {
		t.Errorf("%d blocks read for %d folders; at most %d were expected", blocks, folders, limit)
	}
}

// TestRoomTakenForFolder: a log named a folder that turns out to be a room. What was seen in it is judged again.
func TestRoomTakenForFolder(t *testing.T) {
	t.Parallel()
	const later = "900"
	r := newRoster(t)
	_, err := r.writer.StartRun(t.Context(), "test", now, now)
	must(t, err)
	event := func(id int64, action int32, target ...string) *audit.Event {
		return &audit.Event{
			ID: id, At: day(-40), ActorID: "boss", Target: target, Context: sql.NullString{String: "Rooms: Tender", Valid: true},
			Kind: audit.Kind{ActionID: action, Product: sql.NullInt16{Int16: audit.ProductDocuments, Valid: true}},
		}
	}
	read := audit.ReadWindow{Span: audit.Span{From: day(-41), To: day(-1)}, ReadAt: now, Rows: 3, Events: []*audit.Event{
		// A folder that left some room, lest all stays where it was seen.
		event(1, fileAction, "7"), event(2, audit.ActionFolderMovedOverwriting, "100", "901"), event(3, audit.ActionFolderMovedOverwriting, "100", "901"),
	}}
	rooms := attribution.NewRooms([]attribution.Room{{ID: room, Title: "Tender"}, {ID: "813", Title: "Tender"}})
	batch := attribution.NewBatch(read)
	batch.Judge(attribution.Evidence{}, rooms)
	_, err = r.writer.CommitWindows(t.Context(), batch)
	must(t, err)
	below := inFolder(day(-50), "55")
	folder := audit.LogEntry{At: day(-51), EntryID: "55", ParentID: later, ActionID: audit.ActionFolderMoved}
	_, _, err = r.writer.PutLogs(t.Context(), []audit.LogTurn{{RoomID: room, Entries: []audit.LogEntry{below, folder}, Whereabouts: true}})
	must(t, err)

	judged := func() (events int) {
		must(t, r.writer.JudgeEntries(t.Context(), func(e audit.Event, _ []attribution.Sighting) attribution.Answer {
			if e.ID == 1 {
				events++
			}
			return attribution.Answer{RoomID: "Tender", Source: attribution.SourceUnresolved}
		}, func([]audit.Event, []attribution.Answer) attribution.Open { return attribution.NewOpen() }))
		return events
	}
	if n := judged(); n != 1 {
		t.Errorf("the event was judged %d times after the log was read", n)
	}
	must(t, r.writer.PutRooms(t.Context(), []audit.Room{{ID: room, Title: "Tender"}, {ID: later, Title: "Sales"}}, day(-1), rooms))
	if n := judged(); n != 1 {
		t.Errorf("the event was judged %d times after the folder turned out to be a room", n)
	}
	if n := judged(); n != 0 {
		t.Errorf("the event was judged %d times with nothing new", n)
	}
}
