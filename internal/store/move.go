package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"roompulse/db"
	"roompulse/internal/attribution"
	"roompulse/internal/audit"
)

// addEntryMoves stores which files and folders were moved or copied, by event id.
func (w *Writer) addEntryMoves(ctx context.Context, q *db.Queries, moves map[int64]attribution.EntryMove) error {
	if len(moves) == 0 {
		return nil
	}
	w.forgetFolders()
	arg := db.AddEntryMovesParams{PortalID: w.Portal.ID}
	edge := db.ListTwinMovesParams{PortalID: w.Portal.ID}
	for _, id := range slices.Sorted(maps.Keys(moves)) {
		m := moves[id]
		arg.EventIDs = append(arg.EventIDs, id)
		arg.Folders = append(arg.Folders, m.Folder)
		arg.EntryIDs = append(arg.EntryIDs, m.ID)
		arg.ParentIDs = append(arg.ParentIDs, m.To)
		arg.Crossings = append(arg.Crossings, m.Crossing)
		if m.AtEdge {
			edge.EventIDs = append(edge.EventIDs, id)
			edge.Folders = append(edge.Folders, m.Folder)
			edge.EntryIDs = append(edge.EntryIDs, m.ID)
			edge.ParentIDs = append(edge.ParentIDs, m.To)
		}
	}
	departed, err := q.AddEntryMoves(ctx, arg)
	if err != nil {
		return fmt.Errorf("note what was moved: %w", err)
	}
	if len(edge.EventIDs) > 0 {
		twins, err := q.ListTwinMoves(ctx, edge)
		if err != nil {
			return fmt.Errorf("read the other events of moves: %w", err)
		}
		arg = db.AddEntryMovesParams{PortalID: w.Portal.ID}
		for _, t := range twins {
			arg.EventIDs = append(arg.EventIDs, t.EventID)
			arg.Folders = append(arg.Folders, t.IsFolder)
			arg.EntryIDs = append(arg.EntryIDs, t.EntryID)
			arg.ParentIDs = append(arg.ParentIDs, t.ParentID)
			arg.Crossings = append(arg.Crossings, true)
		}
		more, err := q.AddEntryMoves(ctx, arg)
		if err != nil {
			return fmt.Errorf("note what was moved: %w", err)
		}
		departed = append(departed, more...)
	}
	if len(departed) == 0 {
		return nil
	}
	rooms, err := q.ListRoomsOfDepartures(ctx, db.ListRoomsOfDeparturesParams{PortalID: w.Portal.ID, EventIDs: departed, ActionIDs: folderMoves})
	if err != nil {
		return fmt.Errorf("read which rooms folders left: %w", err)
	}
	return w.setEntriesStale(ctx, q, rooms)
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
		moves = append(moves, m)
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
			waits := m.room != "" && !m.settled && !answered
			changed, placed, err := w.placeMove(ctx, q, m, m.settled || answered && !hasIDs, waits)
			if err != nil {
				return err
			}
			changes = append(changes, changed...)
			switch {
			case placed || m.room == "" || m.settled:
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

// placeMove places a move, or takes back where it was placed by its number, unless that room's log may yet tell.
func (w *Writer) placeMove(ctx context.Context, q *db.Queries, m move, settled, waits bool) (changes []change, placed bool, err error) {
	moves := make([]attribution.Move, len(m.events))
	was := make(map[int64]eventPlace, len(m.events))
	for i, row := range m.events {
		moves[i] = attribution.Move{
			EventID: row.EventID, Answer: attribution.Answer{Source: attribution.Source(row.RoomSource), RoomID: row.RoomID},
		}
		was[row.EventID] = eventPlace{row.EventID, row.OccurredAt, row.AccountKey, toPlace(row.RoomKey, row.RoomSource, row.Class)}
	}
	answers := attribution.PlaceMoves(moves, m.room, settled)
	placed = answers != nil
	if keeps := waits && attribution.IsPlacedIn(moves, m.room); !placed && !keeps {
		answers = attribution.TakeBack(moves)
	}
	for _, a := range answers {
		now, err := w.placeFor(ctx, q, a.Answer, was[a.EventID].class)
		if err != nil {
			return nil, false, err
		}
		if c := (change{eventPlace: was[a.EventID], now: now}); c.now != c.place {
			changes = append(changes, c)
		}
	}
	return changes, placed, nil
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
