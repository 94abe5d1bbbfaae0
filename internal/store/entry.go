package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
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
		if len(sightings[entry]) == 0 && row.HasNoLog { // nobody knows when it came
			sightings[entry] = append(sightings[entry], attribution.Sighting{At: row.SeenAt.UTC().Add(-time.Microsecond)})
		}
		sightings[entry] = append(sightings[entry], attribution.Sighting{At: row.SeenAt.UTC(), RoomID: row.RoomID})
	}
	return sightings, w.addCrossings(ctx, q, sightings, rows)
}

// addCrossings adds to the sightings of each entry when a folder with it may have
// left or entered a room in which it was seen: what is in a folder moves without a
// trace of its own. If the room's log is refused, it may have come and gone at any time.
func (w *Writer) addCrossings(
	ctx context.Context, q *db.Queries, sightings map[attribution.Entry][]attribution.Sighting, seen []db.ListEntrySightingsRow,
) error {
	rooms := map[int32]bool{}
	for _, row := range seen {
		rooms[row.RoomKey] = true
	}
	delete(rooms, 0)
	if len(rooms) == 0 {
		return nil
	}
	keys := slices.Sorted(maps.Keys(rooms))
	rows, err := q.ListDepartures(ctx, db.ListDeparturesParams{PortalID: w.Portal.ID, RoomKeys: keys})
	if err != nil {
		return fmt.Errorf("read which folders left rooms: %w", err)
	}
	departures := map[int32][]db.ListDeparturesRow{}
	for _, row := range rows {
		departures[row.RoomKey] = append(departures[row.RoomKey], row)
	}
	parents := map[string]string{}
	if len(rows) > 0 {
		folders, err := q.ListFolderParents(ctx, db.ListFolderParentsParams{PortalID: w.Portal.ID, RoomKeys: keys})
		if err != nil {
			return fmt.Errorf("read where folders lay: %w", err)
		}
		for _, f := range folders {
			parents[f.EntryID] = f.ParentID
		}
	}
	fillParents(seen)
	for i, row := range seen {
		entry := attribution.Entry{Folder: row.IsFolder, ID: row.EntryID}
		last := i == len(seen)-1 || seen[i+1].IsFolder != row.IsFolder || seen[i+1].EntryID != row.EntryID
		if row.HasNoLog && last {
			sightings[entry] = append(sightings[entry], attribution.Sighting{At: row.SeenAt.UTC().Add(time.Microsecond)})
		}
		for _, d := range departures[row.RoomKey] {
			if mayBeIn(row.ParentID, d.EntryID, row.RoomID, parents) {
				sightings[entry] = append(sightings[entry], attribution.Sighting{At: d.SeenAt.UTC()})
			}
		}
	}
	for _, list := range sightings {
		slices.SortStableFunc(list, func(a, b attribution.Sighting) int { return a.At.Compare(b.At) })
	}
	return nil
}

// fillParents gives sightings whose folder nobody said that of the one before of
// the same entry in the same room, else of the one after: moves do say.
func fillParents(seen []db.ListEntrySightingsRow) {
	fill := func(i, from int) {
		near := from >= 0 && from < len(seen) && seen[from].IsFolder == seen[i].IsFolder && seen[from].EntryID == seen[i].EntryID
		if near && seen[i].ParentID == "" && seen[from].RoomKey == seen[i].RoomKey {
			seen[i].ParentID = seen[from].ParentID
		}
	}
	for i := range seen {
		fill(i, i-1)
	}
	for i := range slices.Backward(seen) {
		fill(i, i+1)
	}
}

// mayBeIn reports whether what lies in the folder inner may lie in outer as
// well; parents are the folders of the room as far as they are known.
func mayBeIn(inner, outer, room string, parents map[string]string) bool {
	for range len(parents) + 1 { // no longer way leads up to the room
		if inner == room || inner == outer || inner == "" {
			return inner != room
		}
		inner = parents[inner]
	}
	return true
}

// addEntryEvents notes events whose room the whereabouts of a file or folder may tell, by event id.
func (w *Writer) addEntryEvents(ctx context.Context, q *db.Queries, entries map[int64]attribution.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	arg := db.AddEntryEventsParams{PortalID: w.Portal.ID}
	for id, entry := range entries {
		arg.EventIDs = append(arg.EventIDs, id)
		arg.Folders = append(arg.Folders, entry.Folder)
		arg.EntryIDs = append(arg.EntryIDs, entry.ID)
	}
	if err := q.AddEntryEvents(ctx, arg); err != nil {
		return fmt.Errorf("note events of files and folders: %w", err)
	}
	return nil
}

// EntriesToAsk returns the files and folders that nothing but the portal can
// tell the room of, or (destinations) the folders of which that is true that something was moved to.
func (w *Writer) EntriesToAsk(ctx context.Context, destinations bool) ([]attribution.Entry, error) {
	rows, err := w.q.ListEntriesToAsk(ctx, db.ListEntriesToAskParams{PortalID: w.Portal.ID, Destinations: destinations})
	if err != nil {
		return nil, fmt.Errorf("read which files and folders to ask for: %w", err)
	}
	entries := make([]attribution.Entry, len(rows))
	for i, row := range rows {
		entries[i] = attribution.Entry{Folder: row.IsFolder, ID: row.EntryID}
	}
	return entries, nil
}

// SetEntryGone records that the portal does not tell where an entry lies: there
// is none, or none for us. It is not asked again.
func (w *Writer) SetEntryGone(ctx context.Context, entry attribution.Entry, at time.Time) error {
	err := w.q.SetEntryAsked(ctx, db.SetEntryAskedParams{
		PortalID: w.Portal.ID, IsFolder: entry.Folder, EntryID: entry.ID, AskedAt: at, IsGone: true,
	})
	if err != nil {
		return fmt.Errorf("record that %s is gone: %w", entry.ID, err)
	}
	return nil
}

// PutEntry stores where an entry lies by the portal's answer.
func (w *Writer) PutEntry(ctx context.Context, entry attribution.Entry, at audit.Place, askedAt time.Time) error {
	err := w.inTx(ctx, func(ctx context.Context, q *db.Queries) error {
		err := q.SetEntryAsked(ctx, db.SetEntryAskedParams{PortalID: w.Portal.ID, IsFolder: entry.Folder, EntryID: entry.ID, AskedAt: askedAt})
		if err != nil {
			return err
		}
		seen := newSightingSet(w.Portal.ID)
		if at.RoomID == "" {
			seen.add(entry, askedAt, 0, "")
			return q.AddEntrySightings(ctx, seen.arg)
		}
		room := roomID{id: at.RoomID}
		if err := w.roomKeys(ctx, q, map[roomID]bool{room: true}); err != nil {
			return err
		}
		key := w.keys.rooms[room]
		path := append([]string{at.RoomID}, at.Folders...)
		for i, folder := range at.Folders {
			seen.add(attribution.Entry{Folder: true, ID: folder}, askedAt, key, path[i])
		}
		if !entry.Folder {
			seen.add(entry, askedAt, key, path[len(path)-1])
		} else if len(at.Folders) == 0 { // it is the room
			seen.add(entry, askedAt, key, "")
		}
		moved, err := q.ListFolderMoves(ctx, db.ListFolderMovesParams{PortalID: w.Portal.ID, FolderIDs: at.Folders})
		if err != nil {
			return fmt.Errorf("read when its folders were moved: %w", err)
		}
		for i, then := range moved { // before a folder came here, nobody knows
			seen.add(entry, then, 0, "")
			if i == len(moved)-1 {
				seen.add(entry, then.Add(time.Second), key, "")
			}
		}
		return q.AddEntrySightings(ctx, seen.arg)
	})
	if err != nil {
		return fmt.Errorf("store where %s lies: %w", entry.ID, err)
	}
	return nil
}

// sightingSet collects sightings, each once.
type sightingSet struct {
	arg db.AddEntrySightingsParams
	met map[sightingKey]bool
}

type sightingKey struct {
	entry attribution.Entry
	at    int64 // microseconds, as the database has it
	room  int32
}

func newSightingSet(portal int32) *sightingSet {
	return &sightingSet{db.AddEntrySightingsParams{PortalID: portal}, map[sightingKey]bool{}}
}

func (s *sightingSet) add(entry attribution.Entry, at time.Time, room int32, parent string) {
	key := sightingKey{entry, at.UnixMicro(), room}
	if s.met[key] {
		return
	}
	s.met[key] = true
	s.arg.Folders = append(s.arg.Folders, entry.Folder)
	s.arg.EntryIDs = append(s.arg.EntryIDs, entry.ID)
	s.arg.SeenAt = append(s.arg.SeenAt, at)
	s.arg.RoomKeys = append(s.arg.RoomKeys, room)
	s.arg.ParentIDs = append(s.arg.ParentIDs, parent)
}

// addSightings stores where a room's log has seen files and folders. Of what
// came from elsewhere or went there it does not say where that was.
func (w *Writer) addSightings(ctx context.Context, q *db.Queries, room int32, entries []audit.LogEntry, held map[int64]time.Time) error {
	var moves []int64
	for _, e := range entries {
		if action, _ := audit.LookupAction(e.ActionID); action.Target.IsMove() && e.EventID != 0 {
			moves = append(moves, e.EventID)
		}
	}
	twinned, err := q.ListTwinned(ctx, db.ListTwinnedParams{PortalID: w.Portal.ID, EventIDs: moves})
	if err != nil {
		return fmt.Errorf("read which moves left a room: %w", err)
	}
	seen := newSightingSet(w.Portal.ID)
	folderLeft := false
	for _, e := range entries {
		if e.EntryID == "" {
			continue
		}
		at := e.At
		if known, ok := held[e.EventID]; ok {
			at = known
		}
		action, _ := audit.LookupAction(e.ActionID)
		entry := attribution.Entry{Folder: !action.Target.IsFile(), ID: e.EntryID}
		seen.add(entry, at, room, e.ParentID)
		if _, left := slices.BinarySearch(twinned, e.EventID); action.Target.IsMove() && (left || e.EventID == 0) {
			seen.add(entry, at, 0, "")
			folderLeft = folderLeft || entry.Folder
		}
	}
	if err := q.AddEntrySightings(ctx, seen.arg); err != nil {
		return fmt.Errorf("store where files and folders were: %w", err)
	}
	if !folderLeft {
		return nil
	}
	if err := q.SetRoomEntriesStale(ctx, db.SetRoomEntriesStaleParams{PortalID: w.Portal.ID, RoomKey: room}); err != nil {
		return fmt.Errorf("note what may have left with a folder: %w", err)
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
	rows, err := q.ListEventsOfEntries(ctx, db.ListEventsOfEntriesParams{
		PortalID: w.Portal.ID, Folders: fresh.Folders, EntryIDs: fresh.EntryIDs,
	})
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
// room, as far as can be told; asked are those for which the room's log was
// asked: true if it has ids, so that what it lacks is not the room's.
func (w *Writer) PlaceMoves(ctx context.Context, asked map[audit.RoomMoment]bool) error {
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
			hasIDs, answered := asked[audit.RoomMoment{RoomID: rows[0].Destination, At: rows[0].OccurredAt.UTC()}]
			changed, err := w.placeAct(ctx, q, rows[:n], rows[0].IsSettled || answered && !hasIDs)
			if err != nil {
				return err
			}
			if answered && len(changed) == 0 { // its log has none of them: they are of some other room
				if err := w.forgetAct(ctx, q, rows[:n]); err != nil {
					return err
				}
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
	return a.OccurredAt.Sub(b.OccurredAt).Abs() <= time.Second && a.AccountKey == b.AccountKey && a.ActionID == b.ActionID && *a.Target == *b.Target
}

func (w *Writer) forgetAct(ctx context.Context, q *db.Queries, rows []db.ListUnplacedActsRow) error {
	arg := db.DeleteEntryEventsParams{PortalID: w.Portal.ID, IsFolder: true, EntryID: splitTarget(rows[0].Target)[1]}
	for _, row := range rows {
		arg.EventIDs = append(arg.EventIDs, row.EventID)
	}
	if err := q.DeleteEntryEvents(ctx, arg); err != nil {
		return fmt.Errorf("forget what no log tells: %w", err)
	}
	return nil
}

func (w *Writer) placeAct(ctx context.Context, q *db.Queries, rows []db.ListUnplacedActsRow, settled bool) ([]change, error) {
	moves := make([]attribution.Move, len(rows))
	was := make(map[int64]eventPlace, len(rows))
	for i, row := range rows {
		moves[i] = attribution.Move{
			EventID: row.EventID, Answer: attribution.Answer{Source: attribution.Source(row.RoomSource), RoomID: row.RoomID},
		}
		was[row.EventID] = eventPlace{row.EventID, row.OccurredAt, row.AccountKey, toPlace(row.RoomKey, row.RoomSource, row.Class)}
	}
	var changes []change
	for _, m := range attribution.PlaceMoves(moves, rows[0].Destination, settled) {
		now, err := w.placeFor(ctx, q, m.Answer, was[m.EventID].class)
		if err != nil {
			return nil, err
		}
		changes = append(changes, change{eventPlace: was[m.EventID], now: now})
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
		changes = append(changes, change{eventPlace: was, now: place{source: attribution.SourceUnplacedMove, class: was.class}})
	}
	return w.reattribute(ctx, q, changes)
}

// UnsettledMoves returns the unplaced moves and copies into rooms whose logs may
// tell which of their events is the room's, by room.
func (w *Writer) UnsettledMoves(ctx context.Context) (map[string][]audit.RoomEvent, error) {
	rows, err := w.q.ListUnplacedActs(ctx, w.Portal.ID)
	if err != nil {
		return nil, fmt.Errorf("read unplaced moves: %w", err)
	}
	moves := map[string][]audit.RoomEvent{}
	for _, row := range rows {
		if row.Destination != "" && !row.IsSettled {
			moves[row.Destination] = append(moves[row.Destination], audit.RoomEvent{
				ID: row.EventID, At: row.OccurredAt.UTC(), ActionID: row.ActionID,
			})
		}
	}
	return moves, nil
}

func splitTarget(target *string) []string {
	if target == nil {
		return nil
	}
	return strings.Split(*target, ",")
}
