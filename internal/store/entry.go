package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"roompulse/db"
	"roompulse/internal/attribution"
	"roompulse/internal/audit"
)

// Evidence returns what is known of the given events beyond themselves: what
// logs said of them before they were here, and where their files and folders were seen.
func (w *Writer) Evidence(ctx context.Context, events []audit.Event) (attribution.Evidence, error) {
	var evidence attribution.Evidence
	logs, err := w.pendingLogs(ctx, events)
	if err != nil {
		return evidence, err
	}
	evidence.Logs = logs
	evidence.Sightings, err = w.sightings(ctx, w.q, events)
	return evidence, err
}

// sightings returns where the files and folders of events were seen, by time.
func (w *Writer) sightings(ctx context.Context, q *db.Queries, events []audit.Event) (map[attribution.Entry][]attribution.Sighting, error) {
	arg := db.ListEntrySightingsParams{PortalID: w.Portal.ID}
	met := map[attribution.Entry]bool{}
	for i := range events {
		if entry, ok := attribution.EntryOf(events[i]); ok && !met[entry] {
			met[entry] = true
			arg.Folders = append(arg.Folders, entry.Folder)
			arg.EntryIDs = append(arg.EntryIDs, entry.ID)
		}
	}
	rows, err := q.ListEntrySightings(ctx, arg)
	if err != nil {
		return nil, fmt.Errorf("read where files and folders were: %w", err)
	}
	sightings := make(map[attribution.Entry][]attribution.Sighting, len(rows))
	for _, row := range rows {
		entry := attribution.Entry{Folder: row.IsFolder, ID: row.EntryID}
		sightings[entry] = append(sightings[entry], attribution.Sighting{At: row.SeenAt.UTC(), RoomID: row.RoomID})
	}
	return sightings, nil
}

// WantEntries notes files and folders to ask the portal for.
func (w *Writer) WantEntries(ctx context.Context, entries map[attribution.Entry]bool) error {
	return w.wantEntries(ctx, w.q, entries)
}

func (w *Writer) wantEntries(ctx context.Context, q *db.Queries, entries map[attribution.Entry]bool) error {
	if len(entries) == 0 {
		return nil
	}
	arg := db.WantEntriesParams{PortalID: w.Portal.ID}
	for entry := range entries {
		arg.Folders = append(arg.Folders, entry.Folder)
		arg.EntryIDs = append(arg.EntryIDs, entry.ID)
	}
	if err := q.WantEntries(ctx, arg); err != nil {
		return fmt.Errorf("note files and folders to ask for: %w", err)
	}
	return nil
}

// EntriesToAsk returns the files and folders that nothing but the portal can tell the room of.
func (w *Writer) EntriesToAsk(ctx context.Context) ([]attribution.Entry, error) {
	rows, err := w.q.ListEntriesToAsk(ctx, w.Portal.ID)
	if err != nil {
		return nil, fmt.Errorf("read which files and folders to ask for: %w", err)
	}
	entries := make([]attribution.Entry, len(rows))
	for i, row := range rows {
		entries[i] = attribution.Entry{Folder: row.IsFolder, ID: row.EntryID}
	}
	return entries, nil
}

// DestinationsToAsk returns the folders that moves and copies went to of which
// nothing tells the room.
func (w *Writer) DestinationsToAsk(ctx context.Context) ([]attribution.Entry, error) {
	ids, err := w.q.ListDestinationsToAsk(ctx, w.Portal.ID)
	if err != nil {
		return nil, fmt.Errorf("read which destinations to ask for: %w", err)
	}
	entries := make([]attribution.Entry, len(ids))
	for i, id := range ids {
		entries[i] = attribution.Entry{Folder: true, ID: id}
	}
	return entries, nil
}

// PutEntry stores the portal's answer where an entry lies: not known at all, or
// in a room, or (empty) in none. It is not asked again.
func (w *Writer) PutEntry(ctx context.Context, entry attribution.Entry, known bool, room string, at time.Time) error {
	err := w.inTx(ctx, func(ctx context.Context, q *db.Queries) error {
		err := q.SetEntryAsked(ctx, db.SetEntryAskedParams{PortalID: w.Portal.ID, IsFolder: entry.Folder, EntryID: entry.ID, AskedAt: at})
		if err != nil || !known {
			return err
		}
		var key int32
		if room != "" {
			id := roomID{id: room}
			if err := w.roomKeys(ctx, q, map[roomID]bool{id: true}); err != nil {
				return err
			}
			key = w.keys.rooms[id]
		}
		return q.AddEntrySightings(ctx, db.AddEntrySightingsParams{
			PortalID: w.Portal.ID, RoomKey: key, Folders: []bool{entry.Folder}, EntryIDs: []string{entry.ID}, SeenAt: []time.Time{at},
		})
	})
	if err != nil {
		return fmt.Errorf("store where %s lies: %w", entry.ID, err)
	}
	return nil
}

// addSightings stores where a room's log has seen files and folders.
func (w *Writer) addSightings(ctx context.Context, q *db.Queries, room int32, entries []audit.LogEntry) error {
	arg := db.AddEntrySightingsParams{PortalID: w.Portal.ID, RoomKey: room}
	type sighting struct {
		folder bool
		id     string
		at     int64
	}
	met := map[sighting]bool{}
	for _, e := range entries {
		if e.EntryID == "" {
			continue
		}
		action, _ := audit.LookupAction(e.ActionID)
		s := sighting{!action.Target.IsFile(), e.EntryID, e.At.UnixMicro()}
		if met[s] {
			continue
		}
		met[s] = true
		arg.Folders = append(arg.Folders, s.folder)
		arg.EntryIDs = append(arg.EntryIDs, s.id)
		arg.SeenAt = append(arg.SeenAt, e.At)
	}
	if len(met) == 0 {
		return nil
	}
	if err := q.AddEntrySightings(ctx, arg); err != nil {
		return fmt.Errorf("store where files and folders were: %w", err)
	}
	return nil
}

// entryChunk is how many entries' events are judged again in one transaction.
const entryChunk = 1000

// JudgeEntries judges the events anew of files and folders of which more has
// become known. Chunks commit one by one; what is left stays marked.
func (w *Writer) JudgeEntries(ctx context.Context, judge Judge) error {
	for {
		var n int
		err := w.inTx(ctx, func(ctx context.Context, q *db.Queries) (err error) {
			n, err = w.judgeEntryChunk(ctx, q, judge)
			return err
		})
		if err != nil {
			return fmt.Errorf("judge events of files and folders again: %w", err)
		}
		if n < entryChunk {
			return nil
		}
	}
}

func (w *Writer) judgeEntryChunk(ctx context.Context, q *db.Queries, judge Judge) (n int, err error) {
	stale, err := q.ListStaleEntries(ctx, db.ListStaleEntriesParams{PortalID: w.Portal.ID, Chunk: entryChunk})
	if err != nil || len(stale) == 0 {
		return 0, err
	}
	fresh := db.SetEntriesFreshParams{PortalID: w.Portal.ID}
	for _, e := range stale {
		fresh.Folders = append(fresh.Folders, e.IsFolder)
		fresh.EntryIDs = append(fresh.EntryIDs, e.EntryID)
	}
	rows, err := q.ListEventsOfEntries(ctx, db.ListEventsOfEntriesParams{PortalID: w.Portal.ID, EntryIDs: fresh.EntryIDs})
	if err != nil {
		return 0, fmt.Errorf("read events: %w", err)
	}
	events := make([]judged, len(rows))
	for i, row := range rows {
		events[i] = judged{
			was:   eventPlace{row.EventID, row.OccurredAt, row.AccountKey, toPlace(row.RoomKey, row.RoomSource, row.Class)},
			event: judgedEvent(row.EventID, row.OccurredAt, row.ActionID, row.Product, row.Target, row.Context, ""),
		}
	}
	if err := w.judgeAgain(ctx, q, events, judge); err != nil {
		return 0, err
	}
	return len(stale), q.SetEntriesFresh(ctx, fresh)
}

// PlaceMoves says where the events of moves and copies belong that name no
// room, as far as can be told.
func (w *Writer) PlaceMoves(ctx context.Context) error {
	err := w.inTx(ctx, func(ctx context.Context, q *db.Queries) error {
		rows, err := q.ListUnplacedActs(ctx, w.Portal.ID)
		if err != nil {
			return fmt.Errorf("read them: %w", err)
		}
		var changes []change
		for len(rows) > 0 {
			n := 1
			for n < len(rows) && sameAct(rows[n], rows[0]) {
				n++
			}
			changed, err := w.placeAct(ctx, q, rows[:n])
			if err != nil {
				return err
			}
			changes, rows = append(changes, changed...), rows[n:]
		}
		return w.reattribute(ctx, q, changes)
	})
	if err != nil {
		return fmt.Errorf("place moves: %w", err)
	}
	return nil
}

func sameAct(a, b db.ListUnplacedActsRow) bool {
	return a.OccurredAt.Equal(b.OccurredAt) && a.AccountKey == b.AccountKey && a.ActionID == b.ActionID && *a.Target == *b.Target
}

func (w *Writer) placeAct(ctx context.Context, q *db.Queries, rows []db.ListUnplacedActsRow) ([]change, error) {
	moves := make([]attribution.Move, len(rows))
	was := make(map[int64]eventPlace, len(rows))
	for i, row := range rows {
		moves[i] = attribution.Move{
			EventID: row.EventID, Answer: attribution.Answer{Source: attribution.Source(row.RoomSource), RoomID: row.RoomID},
		}
		was[row.EventID] = eventPlace{row.EventID, row.OccurredAt, row.AccountKey, toPlace(row.RoomKey, row.RoomSource, row.Class)}
	}
	var changes []change
	for _, m := range attribution.PlaceMoves(moves, rows[0].Destination, rows[0].IsSettled) {
		now, err := w.placeFor(ctx, q, m.Answer, was[m.EventID].class)
		if err != nil {
			return nil, err
		}
		changes = append(changes, change{was[m.EventID], now})
	}
	return changes, nil
}

// reopenTwins takes back what was said by their number of the other events of
// moves that a log has now told the room of.
func (w *Writer) reopenTwins(ctx context.Context, q *db.Queries, moves []int64) error {
	if len(moves) == 0 {
		return nil
	}
	rows, err := q.ListTwins(ctx, db.ListTwinsParams{PortalID: w.Portal.ID, EventIDs: moves})
	if err != nil {
		return fmt.Errorf("read the other events of moves: %w", err)
	}
	var changes []change
	for _, row := range rows {
		was := eventPlace{row.EventID, row.OccurredAt, row.AccountKey, toPlace(row.RoomKey, row.RoomSource, row.Class)}
		changes = append(changes, change{was, place{source: attribution.SourceUnplacedMove, class: was.class}})
	}
	return w.reattribute(ctx, q, changes)
}

// UnsettledMoves returns since when the logs of the rooms are needed that
// unplaced moves and copies went to, by room id.
func (w *Writer) UnsettledMoves(ctx context.Context) (map[string]time.Time, error) {
	rows, err := w.q.ListUnplacedActs(ctx, w.Portal.ID)
	if err != nil {
		return nil, fmt.Errorf("read unplaced moves: %w", err)
	}
	from := map[string]time.Time{}
	for _, row := range rows { // by rising time
		if _, ok := from[row.Destination]; !ok && row.Destination != "" && !row.IsSettled {
			from[row.Destination] = row.OccurredAt.UTC()
		}
	}
	return from, nil
}

func splitTarget(target *string) []string {
	if target == nil {
		return nil
	}
	return strings.Split(*target, ",")
}
