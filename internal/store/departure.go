package store

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"roompulse/db"
	"roompulse/internal/attribution"
	"roompulse/internal/audit"
)

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
	within, err := w.movesWithin(ctx, q, sightings)
	if err != nil {
		return err
	}
	fillParents(seen, within)
	type departure struct {
		entry attribution.Entry
		at    int64 // microseconds, as the database has it
	}
	met := map[departure]bool{} // many sightings of an entry have the same ones
	departed, sure := newDepartures(rows), sureMoments(seen, parents)
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
			for d := range departed.of(row.RoomKey, way, whole && len(within[entry]) == 0) {
				gone := came && d.OccurredAt.Before(at) || left && d.OccurredAt.After(at)
				key := departure{entry, d.OccurredAt.UnixMicro()}
				if gone || met[key] {
					continue
				}
				way, whole := way, whole
				if folders, moved := within.since(row, d.OccurredAt); moved {
					way, whole = foldersAbove(row, folders, parents)
				}
				// Any folder may be above unknown ones, until it is seen where the entry lies.
				above := !whole && !d.OccurredAt.Before(since) && (until.IsZero() || !d.OccurredAt.After(until))
				if above || slices.Contains(way, d.EntryID) {
					met[key] = true
					sightings[entry] = append(sightings[entry], attribution.Sighting{At: d.OccurredAt.UTC()})
				}
			}
		}
		seen = seen[n:]
	}
	return nil
}

// departures are the moves of folders that may have left or entered rooms; those under room 0 name none.
type departures struct {
	byRoom   map[int32][]db.ListDeparturesRow
	byFolder map[string][]db.ListDeparturesRow
}

func newDepartures(rows []db.ListDeparturesRow) departures {
	d := departures{map[int32][]db.ListDeparturesRow{}, map[string][]db.ListDeparturesRow{}}
	for _, row := range rows {
		d.byRoom[row.RoomKey] = append(d.byRoom[row.RoomKey], row)
		d.byFolder[row.EntryID] = append(d.byFolder[row.EntryID], row)
	}
	return d
}

// of are those that may have left or entered a room, only those of the folders of a way up if that is whole:
// a portal where people often move folders has many more of others.
func (d departures) of(room int32, way []string, whole bool) iter.Seq[db.ListDeparturesRow] {
	return func(yield func(db.ListDeparturesRow) bool) {
		candidates := [][]db.ListDeparturesRow{d.byRoom[room], d.byRoom[0]}
		if whole {
			candidates = nil
			for _, folder := range way {
				candidates = append(candidates, d.byFolder[folder])
			}
		}
		for _, rows := range candidates {
			for _, row := range rows {
				if (row.RoomKey == room || row.RoomKey == 0) && !yield(row) {
					return
				}
			}
		}
	}
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

// movesWithin are the moves of entries within a room, by rising time. The audit trail has them
// also where no log tells of them.
type movesWithin map[attribution.Entry][]db.ListMovesWithinRow

func (w *Writer) movesWithin(ctx context.Context, q *db.Queries, entries map[attribution.Entry][]attribution.Sighting) (movesWithin, error) {
	arg := db.ListMovesWithinParams{PortalID: w.Portal.ID}
	for entry := range entries {
		arg.Folders = append(arg.Folders, entry.Folder)
		arg.EntryIDs = append(arg.EntryIDs, entry.ID)
	}
	rows, err := q.ListMovesWithin(ctx, arg)
	if err != nil {
		return nil, fmt.Errorf("read what was moved within rooms: %w", err)
	}
	moves := movesWithin{}
	for _, row := range rows {
		entry := attribution.Entry{Folder: row.IsFolder, ID: row.EntryID}
		moves[entry] = append(moves[entry], row)
	}
	return moves, nil
}

// between returns the moves of a sighting's entry that may have come after one moment and up to another.
func (m movesWithin) between(seen db.ListEntrySightingsRow, after, until time.Time) (moves []db.ListMovesWithinRow) {
	for _, move := range m[attribution.Entry{Folder: seen.IsFolder, ID: seen.EntryID}] {
		if move.OccurredAt.After(after) && !move.OccurredAt.After(until) {
			moves = append(moves, move)
		}
	}
	return moves
}

// since returns the folders in which a sighting's entry may have lain at a moment in the same room, if it was
// moved within the room in between; an empty one says that nobody knows.
func (m movesWithin) since(seen db.ListEntrySightingsRow, at time.Time) (folders []string, moved bool) {
	if at.Before(seen.SeenAt) {
		return []string{""}, len(m.between(seen, at.Add(-time.Microsecond), seen.SeenAt)) > 0
	}
	moves := m.between(seen, seen.SeenAt, at)
	folders = []string{seen.ParentID}
	for _, move := range moves {
		folders = append(folders, move.ParentID)
	}
	return folders, len(moves) > 0
}

// fillParents gives sightings whose folder nobody said that of the one before of
// the same entry in the same room, else of the one after, unless it was moved in between.
func fillParents(seen []db.ListEntrySightingsRow, within movesWithin) {
	fill := func(i, from int) {
		if from < 0 || from >= len(seen) || seen[i].ParentID != "" {
			return
		}
		s, near := seen[i], seen[from]
		if near.IsFolder != s.IsFolder || near.EntryID != s.EntryID || near.RoomKey != s.RoomKey {
			return
		}
		if moves := within.between(s, audit.Earlier(s.SeenAt, near.SeenAt), audit.Later(s.SeenAt, near.SeenAt)); len(moves) == 0 {
			seen[i].ParentID = near.ParentID
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
	return foldersAbove(seen, []string{seen.ParentID}, parents)
}

// foldersAbove are the given folders in a sighting's room, and those that they may have lain in, up to the room.
func foldersAbove(seen db.ListEntrySightingsRow, folders []string, parents map[folderInRoom][]string) (way []string, whole bool) {
	whole = true
	for next := folders; len(next) > 0; next = next[1:] {
		folder := next[0]
		if folder == "" {
			whole = false
		}
		if folder == "" || folder == seen.RoomID || slices.Contains(way, folder) {
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
