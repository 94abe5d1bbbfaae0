package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"roompulse/db"
	"roompulse/internal/attribution"
	"roompulse/internal/audit"
)

// KnownRooms returns all rooms with what is known of their titles.
func (w *Writer) KnownRooms(ctx context.Context) ([]attribution.Room, error) {
	rows, err := w.q.ListRooms(ctx, w.Portal.ID)
	if err != nil {
		return nil, fmt.Errorf("read rooms: %w", err)
	}
	renames, err := w.q.ListRoomRenames(ctx, w.Portal.ID)
	if err != nil {
		return nil, fmt.Errorf("read renamings of rooms: %w", err)
	}
	byRoom := map[string][]attribution.Rename{}
	for _, r := range renames {
		byRoom[r.RoomID] = append(byRoom[r.RoomID], attribution.Rename{EventID: r.EventID, At: r.RenamedAt.UTC(), OldTitle: r.OldTitle})
	}
	rooms := make([]attribution.Room, len(rows))
	for i, row := range rows {
		rooms[i] = attribution.Room{
			ID: row.RoomID, Title: row.Title, TitleAt: zeroTime(row.TitleAt),
			Created: zeroTime(row.CreatedAt), Deleted: zeroTime(row.DeletedAt), Renames: byRoom[row.RoomID],
		}
	}
	return rooms, nil
}

// putRoomUpdates stores what a window's events tell of rooms.
func (w *Writer) putRoomUpdates(ctx context.Context, q *db.Queries, b attribution.Batch) error {
	known := db.SetRoomsKnownParams{PortalID: w.Portal.ID}
	renamed := db.AddRoomRenamesParams{PortalID: w.Portal.ID}
	var retitled []int32
	for _, u := range b.Rooms {
		key := w.keys.rooms[roomID{id: u.Room.ID}]
		known.RoomKeys = append(known.RoomKeys, key)
		known.Titles = append(known.Titles, u.Room.Title)
		known.TitleAt = append(known.TitleAt, u.Room.TitleAt)
		known.CreatedAt = append(known.CreatedAt, u.Room.Created)
		known.DeletedAt = append(known.DeletedAt, u.Room.Deleted)
		if u.Retitled {
			retitled = append(retitled, key)
		}
		for _, r := range u.NewRenames {
			renamed.RoomKeys = append(renamed.RoomKeys, key)
			renamed.EventIDs = append(renamed.EventIDs, r.EventID)
			renamed.RenamedAt = append(renamed.RenamedAt, r.At)
			renamed.OldTitles = append(renamed.OldTitles, r.OldTitle)
		}
	}
	if len(known.RoomKeys) > 0 {
		if err := q.SetRoomsKnown(ctx, known); err != nil {
			return fmt.Errorf("update rooms: %w", err)
		}
	}
	if len(renamed.RoomKeys) > 0 {
		if err := q.AddRoomRenames(ctx, renamed); err != nil {
			return fmt.Errorf("add renamings of rooms: %w", err)
		}
	}
	if len(retitled) > 0 {
		w.forgetFolders()
		if err := w.setEntriesStale(ctx, q, retitled); err != nil {
			return err
		}
	}
	if err := w.wantLogs(ctx, q, b.LogsFrom); err != nil {
		return err
	}
	if err := w.addEntryEvents(ctx, q, b.Entries); err != nil {
		return err
	}
	if err := w.addEntryMoves(ctx, q, b.Moves); err != nil {
		return err
	}
	if err := w.putCalls(ctx, q, b.Calls); err != nil {
		return err
	}
	return w.setContextsStale(ctx, q, b.StaleTitles)
}

func (w *Writer) setContextsStale(ctx context.Context, q *db.Queries, titles []string) error {
	if len(titles) == 0 {
		return nil
	}
	if err := q.SetContextsStale(ctx, db.SetContextsStaleParams{PortalID: w.Portal.ID, Titles: titles}); err != nil {
		return fmt.Errorf("mark contexts to judge again: %w", err)
	}
	return nil
}

// PutRooms stores the portal's list of rooms as of at. Rooms that are not on it
// any more are deleted. It returns the rooms as they are known now.
func (w *Writer) PutRooms(ctx context.Context, rooms []audit.Room, at time.Time, known *attribution.Rooms) error {
	w.forgetFolders()
	return w.inTx(ctx, func(ctx context.Context, q *db.Queries) error {
		ids := map[roomID]bool{}
		for _, r := range rooms {
			ids[roomID{id: r.ID}] = true
		}
		if err := w.roomKeys(ctx, q, ids); err != nil {
			return err
		}
		var stale []string
		var retitled []int32
		for _, r := range rooms {
			err := q.SetRoomListed(ctx, db.SetRoomListedParams{
				PortalID: w.Portal.ID, RoomKey: w.keys.rooms[roomID{id: r.ID}], Title: r.Title, ListedAt: at, RoomType: r.Type,
				IsArchived: r.Archived, IsThirdParty: r.ThirdParty, CreatedAt: nullTime(r.Created),
			})
			if err != nil {
				return fmt.Errorf("store room %s: %w", r.ID, err)
			}
			titles := known.List(r.ID, r.Title, r.Created, at)
			if stale = append(stale, titles...); len(titles) > 0 {
				retitled = append(retitled, w.keys.rooms[roomID{id: r.ID}])
			}
		}
		if err := w.setEntriesStale(ctx, q, retitled); err != nil {
			return err
		}
		hasAgents := slices.ContainsFunc(rooms, func(r audit.Room) bool { return r.Type == audit.RoomTypeAgent })
		gone, err := q.SetRoomsGone(ctx, db.SetRoomsGoneParams{PortalID: w.Portal.ID, ListedAt: at, HasAgents: hasAgents})
		if err != nil {
			return fmt.Errorf("mark rooms that are gone: %w", err)
		}
		for _, id := range gone {
			stale = append(stale, known.Delete(id, at)...)
		}
		return w.setContextsStale(ctx, q, stale)
	})
}

// wantRoomLogs notes since when the logs of rooms are needed, by room id.
func (w *Writer) wantRoomLogs(ctx context.Context, q *db.Queries, from map[string]time.Time) error {
	ids := map[roomID]bool{}
	for id := range from {
		ids[roomID{id: id}] = true
	}
	if err := w.roomKeys(ctx, q, ids); err != nil {
		return err
	}
	return w.wantLogs(ctx, q, from)
}

func (w *Writer) wantLogs(ctx context.Context, q *db.Queries, from map[string]time.Time) error {
	if len(from) == 0 {
		return nil
	}
	arg := db.WantRoomLogsParams{PortalID: w.Portal.ID}
	for id, at := range from {
		arg.RoomKeys = append(arg.RoomKeys, w.keys.rooms[roomID{id: id}])
		arg.WantedFrom = append(arg.WantedFrom, at)
	}
	if err := q.WantRoomLogs(ctx, arg); err != nil {
		return fmt.Errorf("ask for logs of rooms: %w", err)
	}
	return nil
}
