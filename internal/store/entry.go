package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

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
	entries := map[attribution.Entry]bool{}
	for i := range events {
		if entry, ok := attribution.EntryOf(events[i]); ok {
			entries[entry] = true
		}
	}
	return w.sightingsOf(ctx, q, entries)
}

// sightingsOf returns where files and folders were seen, and when they crossed
// the border of a room or may have, by time.
func (w *Writer) sightingsOf(
	ctx context.Context, q *db.Queries, entries map[attribution.Entry]bool,
) (map[attribution.Entry][]attribution.Sighting, error) {
	arg := db.ListEntrySightingsParams{PortalID: w.Portal.ID}
	for entry := range entries {
		arg.Folders = append(arg.Folders, entry.Folder)
		arg.EntryIDs = append(arg.EntryIDs, entry.ID)
	}
	rows, err := q.ListEntrySightings(ctx, arg)
	if err != nil {
		return nil, fmt.Errorf("read where files and folders were: %w", err)
	}
	sightings := make(map[attribution.Entry][]attribution.Sighting, len(rows))
	for _, row := range rows {
		entry := attribution.Entry{Folder: row.IsFolder, ID: row.EntryID}
		sightings[entry] = append(sightings[entry], attribution.Sighting{At: row.SeenAt.UTC(), RoomID: row.RoomID, Asked: row.WasAsked})
	}
	if err := w.addDepartures(ctx, q, sightings, rows); err != nil {
		return nil, err
	}
	for _, list := range sightings {
		attribution.SortSightings(list)
	}
	return sightings, nil
}

// folderMoves are the actions that take along what lies in a folder.
var folderMoves = []int32{audit.ActionFolderMoved, audit.ActionFolderMovedOverwriting}

// addDepartures adds to the sightings of each entry when a folder with it may have
// left or entered a room in which it was seen: what is in a folder moves without a
// trace of its own.
func (w *Writer) addDepartures(
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
	rows, err := q.ListDepartures(ctx, db.ListDeparturesParams{PortalID: w.Portal.ID, RoomKeys: keys, ActionIDs: folderMoves})
	if err != nil {
		return fmt.Errorf("read which folders left rooms: %w", err)
	}
	if len(rows) == 0 {
		return nil
	}
	folders, err := q.ListFolderParents(ctx, db.ListFolderParentsParams{PortalID: w.Portal.ID, RoomKeys: keys})
	if err != nil {
		return fmt.Errorf("read where folders lay: %w", err)
	}
	parents := make(map[folderInRoom][]string, len(folders))
	for _, f := range folders {
		in := folderInRoom{f.RoomKey, f.EntryID}
		parents[in] = append(parents[in], f.ParentID)
	}
	departures := map[int32][]db.ListDeparturesRow{}
	for _, row := range rows {
		departures[row.RoomKey] = append(departures[row.RoomKey], row)
	}
	fillParents(seen)
	type departure struct {
		entry attribution.Entry
		at    int64 // microseconds, as the database has it
	}
	met := map[departure]bool{} // many sightings of an entry have the same ones
	sure := sureMoments(seen, parents)
	for len(seen) > 0 { // moment by moment
		entry, at := attribution.Entry{Folder: seen[0].IsFolder, ID: seen[0].EntryID}, seen[0].SeenAt
		n := 1
		for n < len(seen) && seen[n].IsFolder == entry.Folder && seen[n].EntryID == entry.ID && seen[n].SeenAt.Equal(at) {
			n++
		}
		for _, row := range seen[:n] {
			way, whole := wayUp(row, parents)
			came, left := wasMoved(row, seen[:n], whole, parents)
			since, until := sure.around(row)
			for _, d := range departures[row.RoomKey] {
				gone := came && d.OccurredAt.Before(at) || left && d.OccurredAt.After(at)
				key := departure{entry, d.OccurredAt.UnixMicro()}
				// Any folder may be above unknown ones, until it is seen where the entry lies.
				above := !whole && !d.OccurredAt.Before(since) && (until.IsZero() || !d.OccurredAt.After(until))
				if !gone && !met[key] && (above || slices.Contains(way, d.EntryID)) {
					met[key] = true
					sightings[entry] = append(sightings[entry], attribution.Sighting{At: d.OccurredAt.UTC()})
				}
			}
		}
		seen = seen[n:]
	}
	return nil
}

// momentsInRoom are the moments at which entries were seen in rooms, by rising time.
type momentsInRoom map[entryInRoom][]time.Time

type entryInRoom struct {
	attribution.Entry
	room int32
}

// sureMoments are those of the sightings with all folders up to the room known.
func sureMoments(seen []db.ListEntrySightingsRow, parents map[folderInRoom][]string) momentsInRoom {
	sure := momentsInRoom{}
	for _, row := range seen {
		if _, whole := wayUp(row, parents); whole {
			key := entryInRoom{attribution.Entry{Folder: row.IsFolder, ID: row.EntryID}, row.RoomKey}
			sure[key] = append(sure[key], row.SeenAt)
		}
	}
	return sure
}

// around are the last moment before a sighting and the first after it in its room, zero if there is none.
func (m momentsInRoom) around(row db.ListEntrySightingsRow) (before, after time.Time) {
	moments := m[entryInRoom{attribution.Entry{Folder: row.IsFolder, ID: row.EntryID}, row.RoomKey}]
	i, _ := slices.BinarySearchFunc(moments, row.SeenAt, time.Time.Compare)
	if i > 0 {
		before = moments[i-1]
	}
	if i < len(moments) {
		after = moments[i]
	}
	return before, after
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

// folderInRoom is a folder as it was seen in a room.
type folderInRoom struct {
	room   int32
	folder string
}

// wayUp are the folders that a sighting may have lain in, up to its room: folders move within
// rooms too, so that all in which one was ever seen count. whole says that these are all.
func wayUp(seen db.ListEntrySightingsRow, parents map[folderInRoom][]string) (way []string, whole bool) {
	if seen.EntryID == seen.RoomID { // a room stays where it is
		return nil, true
	}
	if seen.ParentID == "" {
		return nil, false
	}
	whole = true
	for next := []string{seen.ParentID}; len(next) > 0; next = next[1:] {
		folder := next[0]
		if folder == seen.RoomID || slices.Contains(way, folder) {
			continue
		}
		way = append(way, folder)
		above := parents[folderInRoom{seen.RoomKey, folder}]
		whole = whole && len(above) > 0
		next = append(next, above...)
	}
	return way, whole
}

// wasMoved reports whether the entry came to a sighting's room, or left it, at that
// moment: all that were made then name the folder that it went to.
func wasMoved(seen db.ListEntrySightingsRow, moment []db.ListEntrySightingsRow, whole bool, parents map[folderInRoom][]string) (came, left bool) {
	for _, other := range moment {
		if other.RoomKey == seen.RoomKey || other.RoomKey == 0 {
			continue
		}
		if _, lies := wayUp(other, parents); lies {
			left = true
		}
	}
	return whole && len(moment) > 1, !whole && (left || seen.ParentIsRoom && seen.ParentID != seen.RoomID)
}

// addCrossings stores which files and folders crossed the border of a room.
func (w *Writer) addCrossings(ctx context.Context, q *db.Queries, crossings map[int64]attribution.Entry) error {
	if len(crossings) == 0 {
		return nil
	}
	arg := db.AddCrossingsParams{PortalID: w.Portal.ID}
	for _, id := range slices.Sorted(maps.Keys(crossings)) {
		arg.EventIDs = append(arg.EventIDs, id)
		arg.Folders = append(arg.Folders, crossings[id].Folder)
		arg.EntryIDs = append(arg.EntryIDs, crossings[id].ID)
	}
	folders, err := q.AddCrossings(ctx, arg)
	if err != nil {
		return fmt.Errorf("note what crossed the border of a room: %w", err)
	}
	if folders == 0 {
		return nil
	}
	if err := q.SetSeenEntriesStale(ctx, w.Portal.ID); err != nil {
		return fmt.Errorf("note what may have moved with a folder: %w", err)
	}
	return nil
}

// addEntryEvents notes events whose room the whereabouts of a file or folder may tell, by event id.
func (w *Writer) addEntryEvents(ctx context.Context, q *db.Queries, entries map[int64]attribution.EntryEvent) error {
	if len(entries) == 0 {
		return nil
	}
	arg := db.AddEntryEventsParams{PortalID: w.Portal.ID}
	for _, id := range slices.Sorted(maps.Keys(entries)) {
		e := entries[id]
		arg.EventIDs = append(arg.EventIDs, id)
		arg.Folders = append(arg.Folders, e.Folder)
		arg.EntryIDs = append(arg.EntryIDs, e.ID)
		arg.Occurred = append(arg.Occurred, e.At)
		arg.Asks = append(arg.Asks, e.Ask)
		arg.Moves = append(arg.Moves, e.IsMove)
	}
	if err := q.AddEntryEvents(ctx, arg); err != nil {
		return fmt.Errorf("note events of files and folders: %w", err)
	}
	return nil
}

// EntriesToAsk returns the files and folders that at the given time nothing but the portal can
// tell the room of, or (destinations) the folders of which that is true that something was moved to.
// Those asked for longest ago come first.
func (w *Writer) EntriesToAsk(ctx context.Context, destinations bool, at time.Time) ([]attribution.Entry, error) {
	if err := w.q.SettleAsks(ctx, db.SettleAsksParams{PortalID: w.Portal.ID, AskedAt: at}); err != nil {
		return nil, fmt.Errorf("note which files and folders need not be asked for any more: %w", err)
	}
	rows, err := w.q.ListEntriesToAsk(ctx, db.ListEntriesToAskParams{PortalID: w.Portal.ID, AskedAt: at, Destinations: destinations})
	if err != nil {
		return nil, fmt.Errorf("read which files and folders to ask for: %w", err)
	}
	entries := make([]attribution.Entry, len(rows))
	for i, row := range rows {
		entries[i] = attribution.Entry{Folder: row.IsFolder, ID: row.EntryID}
	}
	return entries, nil
}

// SetEntryGone records that there is no such entry any more. It is not asked for again.
func (w *Writer) SetEntryGone(ctx context.Context, entry attribution.Entry, at time.Time) error {
	return w.setEntryAsked(ctx, w.q, entry, db.SetEntryAskedParams{AskedAt: at, IsGone: true})
}

// SetEntryRefused records that the portal does not show us an entry, and when to ask again:
// the key may have been given more rights by then.
func (w *Writer) SetEntryRefused(ctx context.Context, entry attribution.Entry, at, again time.Time) error {
	return w.setEntryAsked(ctx, w.q, entry, db.SetEntryAskedParams{AskedAt: at, AskAt: &again})
}

// SetEntryTried records that the portal gave no answer about an entry.
func (w *Writer) SetEntryTried(ctx context.Context, entry attribution.Entry, at time.Time) error {
	err := w.q.SetEntryTried(ctx, db.SetEntryTriedParams{PortalID: w.Portal.ID, IsFolder: entry.Folder, EntryID: entry.ID, AskedAt: at})
	if err != nil {
		return fmt.Errorf("record that %s was asked for: %w", entry.ID, err)
	}
	return nil
}

func (w *Writer) setEntryAsked(ctx context.Context, q *db.Queries, entry attribution.Entry, arg db.SetEntryAskedParams) error {
	arg.PortalID, arg.IsFolder, arg.EntryID = w.Portal.ID, entry.Folder, entry.ID
	if err := q.SetEntryAsked(ctx, arg); err != nil {
		return fmt.Errorf("record that %s was asked for: %w", entry.ID, err)
	}
	return nil
}

// PutEntry stores where an entry lies by the portal's answer.
func (w *Writer) PutEntry(ctx context.Context, entry attribution.Entry, at audit.Place, askedAt time.Time) error {
	err := w.inTx(ctx, func(ctx context.Context, q *db.Queries) error {
		if err := w.setEntryAsked(ctx, q, entry, db.SetEntryAskedParams{AskedAt: askedAt}); err != nil {
			return err
		}
		seen := newSightingSet(w.Portal.ID, true)
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

func newSightingSet(portal int32, asked bool) *sightingSet {
	return &sightingSet{db.AddEntrySightingsParams{PortalID: portal, WasAsked: asked}, map[sightingKey]bool{}}
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

// addSightings stores where a room's log has seen files and folders.
func (w *Writer) addSightings(ctx context.Context, q *db.Queries, room int32, entries []audit.LogEntry, held map[int64]time.Time) error {
	seen := newSightingSet(w.Portal.ID, false)
	for _, e := range entries {
		if e.EntryID == "" {
			continue
		}
		at := e.At
		if known, ok := held[e.EventID]; ok {
			at = known
		}
		action, _ := audit.LookupAction(e.ActionID)
		seen.add(attribution.Entry{Folder: !action.Target.IsFile(), ID: e.EntryID}, at, room, e.ParentID)
	}
	if err := q.AddEntrySightings(ctx, seen.arg); err != nil {
		return fmt.Errorf("store where files and folders were: %w", err)
	}
	return nil
}

// entryChunk is how many entries are looked at together.
const entryChunk = 1000

// JudgeEntries judges the events anew of files and folders of which more has
// become known. Chunks commit one by one; what is left stays marked.
func (w *Writer) JudgeEntries(ctx context.Context, judge Judge) error {
	for {
		stale, err := w.q.ListStaleEntries(ctx, db.ListStaleEntriesParams{PortalID: w.Portal.ID, Chunk: entryChunk})
		if err != nil {
			return fmt.Errorf("read of which files and folders more has become known: %w", err)
		}
		for left := stale; len(left) > 0; {
			n, events := 0, int64(0)
			for n < len(left) && (n == 0 || events+left[n].Events <= chunk) {
				events += left[n].Events
				n++
			}
			if err := w.judgeEntryEvents(ctx, left[:n], judge); err != nil {
				return fmt.Errorf("judge events of files and folders again: %w", err)
			}
			left = left[n:]
		}
		if len(stale) < entryChunk {
			return nil
		}
	}
}

// judgeEntryEvents judges the events of entries, of a single one in chunks if they are many.
func (w *Writer) judgeEntryEvents(ctx context.Context, stale []db.ListStaleEntriesRow, judge Judge) error {
	arg := db.ListEventsOfEntriesParams{PortalID: w.Portal.ID, AfterEventID: math.MinInt64}
	for _, e := range stale {
		arg.Folders = append(arg.Folders, e.IsFolder)
		arg.EntryIDs = append(arg.EntryIDs, e.EntryID)
	}
	for isLast := false; !isLast; arg.AfterEventID = arg.LastEventID {
		err := w.inTx(ctx, func(ctx context.Context, q *db.Queries) (err error) {
			arg.LastEventID, isLast = math.MaxInt64, true
			if len(stale) == 1 && stale[0].Events > chunk {
				arg.LastEventID, err = q.GetLastOfChunk(ctx, db.GetLastOfChunkParams{
					PortalID: w.Portal.ID, IsFolder: arg.Folders[0], EntryID: arg.EntryIDs[0], AfterEventID: arg.AfterEventID, Skip: chunk - 1,
				})
				switch isLast = errors.Is(err, pgx.ErrNoRows); {
				case isLast:
					arg.LastEventID = math.MaxInt64
				case err != nil:
					return fmt.Errorf("find the end of a chunk: %w", err)
				}
			}
			if err := w.judgeEntryChunk(ctx, q, arg, judge); err != nil || !isLast {
				return err
			}
			return q.SetEntriesFresh(ctx, db.SetEntriesFreshParams{PortalID: w.Portal.ID, Folders: arg.Folders, EntryIDs: arg.EntryIDs})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *Writer) judgeEntryChunk(ctx context.Context, q *db.Queries, arg db.ListEventsOfEntriesParams, judge Judge) error {
	rows, err := q.ListEventsOfEntries(ctx, arg)
	if err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	events := make([]judged, len(rows))
	for i, row := range rows {
		events[i] = judged{
			was:   eventPlace{row.EventID, row.OccurredAt, row.AccountKey, toPlace(row.RoomKey, row.RoomSource, row.Class)},
			event: judgedEvent(row.EventID, row.OccurredAt, row.ActionID, row.Product, row.Target, row.Context, ""),
		}
	}
	return w.judgeAgain(ctx, q, events, judge)
}

// move is a move or copy of which at least one event is unplaced.
type move struct {
	events []db.ListOpenMovesRow
	// room is where it went, empty if that is no room or unknown.
	room string
	// settled says that the room has no log that could tell more.
	settled bool
}

// folderChunk is into how many folders moves are placed at once.
const folderChunk = 100

// openMoves calls f with the moves into each chunk of the folders of whose moves more
// has become known.
func (w *Writer) openMoves(ctx context.Context, f func(ctx context.Context, q *db.Queries, folders []string, moves []move) error) error {
	settled, after := map[string]bool(nil), ""
	for {
		var folders []string
		err := w.inTx(ctx, func(ctx context.Context, q *db.Queries) (err error) {
			folders, err = q.ListFoldersWithMoves(ctx, db.ListFoldersWithMovesParams{PortalID: w.Portal.ID, AfterEntryID: after, Chunk: folderChunk})
			if err != nil || len(folders) == 0 {
				return err
			}
			if settled == nil {
				if settled, err = w.settledRooms(ctx, q); err != nil {
					return err
				}
			}
			moves, err := w.listMoves(ctx, q, folders, settled)
			if err != nil {
				return err
			}
			return f(ctx, q, folders, moves)
		})
		if err != nil || len(folders) < folderChunk {
			return err
		}
		after = folders[len(folders)-1]
	}
}

// settledRooms are all rooms, with whether they have no log or none for us.
func (w *Writer) settledRooms(ctx context.Context, q *db.Queries) (map[string]bool, error) {
	rooms, err := q.ListRooms(ctx, w.Portal.ID)
	if err != nil {
		return nil, fmt.Errorf("read rooms: %w", err)
	}
	settled := make(map[string]bool, len(rooms))
	for _, r := range rooms {
		settled[r.RoomID] = r.IsThirdParty || r.ListedAt == nil || r.DeletedAt != nil
	}
	return settled, nil
}

// listMoves returns the unplaced moves into folders, which may be rooms.
func (w *Writer) listMoves(ctx context.Context, q *db.Queries, folders []string, settled map[string]bool) ([]move, error) {
	rows, err := q.ListOpenMoves(ctx, db.ListOpenMovesParams{PortalID: w.Portal.ID, EntryIDs: folders})
	if err != nil {
		return nil, fmt.Errorf("read unplaced moves: %w", err)
	}
	entries := map[attribution.Entry]bool{}
	for _, row := range rows {
		entries[attribution.Entry{Folder: true, ID: row.EntryID}] = true
	}
	sightings, err := w.sightingsOf(ctx, q, entries)
	if err != nil {
		return nil, err
	}
	var moves []move
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && sameAct(&rows[n], &rows[0]) {
			n++
		}
		m := move{events: rows[:n], room: rows[0].EntryID}
		if _, isRoom := settled[m.room]; !isRoom {
			m.room = attribution.RoomAt(sightings[attribution.Entry{Folder: true, ID: m.room}], rows[0].OccurredAt.UTC())
		}
		m.settled = settled[m.room]
		if slices.ContainsFunc(m.events, func(e db.ListOpenMovesRow) bool {
			return attribution.Source(e.RoomSource) == attribution.SourceUnplacedMove
		}) {
			moves = append(moves, m)
		}
		rows = rows[n:]
	}
	return moves, nil
}

func sameAct(a, b *db.ListOpenMovesRow) bool {
	return a.OccurredAt.Sub(b.OccurredAt).Abs() <= time.Second && a.EntryID == b.EntryID &&
		a.AccountKey == b.AccountKey && a.ActionID == b.ActionID && *a.Target == *b.Target
}

// UnsettledMoves returns the unplaced moves and copies into rooms whose logs may
// tell which of their events is the room's, by room.
func (w *Writer) UnsettledMoves(ctx context.Context) (map[string][]audit.RoomEvent, error) {
	unsettled := map[string][]audit.RoomEvent{}
	err := w.openMoves(ctx, func(_ context.Context, _ *db.Queries, _ []string, moves []move) error {
		for _, m := range moves {
			for _, e := range m.events {
				if m.room != "" && !m.settled {
					unsettled[m.room] = append(unsettled[m.room], audit.RoomEvent{ID: e.EventID, At: e.OccurredAt.UTC(), ActionID: e.ActionID})
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read moves: %w", err)
	}
	return unsettled, nil
}

// PlaceMoves says where the events of moves and copies belong that name no
// room, as far as can be told; asked are those for which the room's log was
// asked: true if it has ids, so that what it lacks is not the room's.
func (w *Writer) PlaceMoves(ctx context.Context, asked map[audit.RoomMoment]bool) error {
	err := w.openMoves(ctx, func(ctx context.Context, q *db.Queries, folders []string, moves []move) error {
		var changes []change
		waiting := map[string]bool{}
		for _, m := range moves {
			folder := m.events[0].EntryID
			hasIDs, answered := asked[audit.RoomMoment{RoomID: m.room, At: m.events[0].OccurredAt.UTC()}]
			changed, err := w.placeMove(ctx, q, m, m.settled || answered && !hasIDs)
			if err != nil {
				return err
			}
			changes = append(changes, changed...)
			switch {
			case len(changed) > 0 || m.room == "" || m.settled:
			case answered: // its log has none of them: they are of some other room
				if err := w.forgetMove(ctx, q, m); err != nil {
					return err
				}
			default:
				waiting[folder] = true
			}
		}
		if err := w.reattribute(ctx, q, changes); err != nil {
			return err
		}
		placed := slices.DeleteFunc(slices.Clone(folders), func(folder string) bool { return waiting[folder] })
		return q.SetFoldersPlaced(ctx, db.SetFoldersPlacedParams{PortalID: w.Portal.ID, EntryIDs: placed})
	})
	if err != nil {
		return fmt.Errorf("place moves: %w", err)
	}
	return nil
}

func (w *Writer) forgetMove(ctx context.Context, q *db.Queries, m move) error {
	arg := db.DeleteEntryEventsParams{PortalID: w.Portal.ID, IsFolder: true, EntryID: m.events[0].EntryID}
	for _, e := range m.events {
		arg.EventIDs = append(arg.EventIDs, e.EventID)
	}
	if err := q.DeleteEntryEvents(ctx, arg); err != nil {
		return fmt.Errorf("forget what no log tells: %w", err)
	}
	return nil
}

func (w *Writer) placeMove(ctx context.Context, q *db.Queries, m move, settled bool) ([]change, error) {
	moves := make([]attribution.Move, len(m.events))
	was := make(map[int64]eventPlace, len(m.events))
	for i, row := range m.events {
		moves[i] = attribution.Move{
			EventID: row.EventID, Answer: attribution.Answer{Source: attribution.Source(row.RoomSource), RoomID: row.RoomID},
		}
		was[row.EventID] = eventPlace{row.EventID, row.OccurredAt, row.AccountKey, toPlace(row.RoomKey, row.RoomSource, row.Class)}
	}
	var changes []change
	for _, m := range attribution.PlaceMoves(moves, m.room, settled) {
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
	if err := q.SetMovesOpen(ctx, db.SetMovesOpenParams{PortalID: w.Portal.ID, EventIDs: moves}); err != nil {
		return fmt.Errorf("note moves to place: %w", err)
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

func splitTarget(target *string) []string {
	if target == nil {
		return nil
	}
	return strings.Split(*target, ",")
}
