package store_test

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"roompulse/internal/attribution"
	"roompulse/internal/audit"
)

// TestDeparturesCountOnce: a file was seen often, and many folders left the room of which nobody knows
// whether it lay in them. Each is one more thing known of the file, not one for each sighting.
func TestDeparturesCountOnce(t *testing.T) {
	t.Parallel()
	const seen, moves = 20, 10
	r := newRoster(t)
	_, err := r.writer.StartRun(t.Context(), "test", now, now)
	must(t, err)
	var entries []audit.LogEntry
	for i := range seen {
		entries = append(entries, audit.LogEntry{At: day(-50 + i), EntryID: "7", ParentID: "nobody knows", ActionID: 5001})
	}
	_, _, err = r.writer.ApplyLog(t.Context(), room, entries, true)
	must(t, err)
	read := audit.ReadWindow{Span: audit.Span{From: day(-20), To: day(-1)}, ReadAt: now, Rows: 2 * moves}
	for i := range 2 * moves {
		read.Events = append(read.Events, audit.Event{
			ID: int64(i + 1), At: day(-15).Add(time.Duration(i/2) * time.Hour), ActorID: "boss",
			Kind:   audit.Kind{ActionID: audit.ActionFolderMovedOverwriting, Product: sql.NullInt16{Int16: audit.ProductDocuments, Valid: true}},
			Target: []string{fmt.Sprint(100 + i/2), "900"}, Context: sql.NullString{String: "Rooms: Tender", Valid: true},
		})
	}
	rooms := attribution.NewRooms([]attribution.Room{{ID: room, Title: "Tender"}})
	_, err = r.writer.CommitWindow(t.Context(), attribution.NewBatch(read, attribution.Evidence{}, rooms))
	must(t, err)
	evidence, err := r.writer.Evidence(t.Context(), []audit.Event{{ID: 99, Target: []string{"7"}, Kind: audit.Kind{ActionID: 5001}}})
	must(t, err)
	if n := len(evidence.Sightings[attribution.Entry{ID: "7"}]); n != seen+moves {
		t.Errorf("%d things are known of the file, want %d sightings and %d departures", n, seen, moves)
	}
}
