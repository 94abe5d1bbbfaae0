package store

import (
	"context"
	"fmt"
	"slices"

	"roompulse/db"
	"roompulse/internal/attribution"
	"roompulse/internal/audit"
)

// folderMoves are the actions that take along what lies in a folder.
var folderMoves = []int32{audit.ActionFolderMoved, audit.ActionFolderMovedOverwriting}

// knownFolders returns what is known of all folders. It is read once, until forgetFolders.
func (w *Writer) knownFolders(ctx context.Context, q *db.Queries) (*attribution.Folders, error) {
	if w.folders != nil {
		return w.folders, nil
	}
	rows, err := q.ListDepartures(ctx, db.ListDeparturesParams{PortalID: w.Portal.ID, ActionIDs: folderMoves})
	if err != nil {
		return nil, fmt.Errorf("read which folders left rooms: %w", err)
	}
	if len(rows) == 0 { // all stays where it was seen
		w.folders = attribution.NewFolders(nil, nil, nil)
		return w.folders, nil
	}
	departures := make([]attribution.Departure, len(rows))
	for i, row := range rows {
		departures[i] = attribution.Departure{Folder: row.EntryID, At: row.OccurredAt.UTC(), RoomID: row.RoomID}
	}
	known, err := q.ListRooms(ctx, w.Portal.ID)
	if err != nil {
		return nil, fmt.Errorf("read rooms: %w", err)
	}
	rooms := make(map[string]bool, len(known))
	for _, room := range known {
		rooms[room.RoomID] = true
	}
	places, err := q.ListFolderPlaces(ctx, w.Portal.ID)
	if err != nil {
		return nil, fmt.Errorf("read where folders lay: %w", err)
	}
	seen := map[string][]attribution.Seen{}
	for _, p := range places {
		seen[p.EntryID] = append(seen[p.EntryID], attribution.Seen{
			At: p.SeenAt.UTC(), RoomID: p.RoomID, Parent: p.ParentID, Asked: p.WasAsked, Within: p.IsWithin,
		})
	}
	w.folders = attribution.NewFolders(rooms, seen, departures)
	return w.folders, nil
}

// forgetFolders has knownFolders read again: more has become known of folders, or of rooms and their titles.
func (w *Writer) forgetFolders() { w.folders = nil }

// spreadFolders marks what lay in folders of whose whereabouts more has become known.
func (w *Writer) spreadFolders(ctx context.Context) error {
	err := w.inTx(ctx, func(ctx context.Context, q *db.Queries) error {
		ids, err := q.ListSpreadingFolders(ctx, w.Portal.ID)
		if err != nil || len(ids) == 0 {
			return err
		}
		folders, err := w.knownFolders(ctx, q)
		if err != nil {
			return err
		}
		if err := q.SetEntriesBelowStale(ctx, db.SetEntriesBelowStaleParams{PortalID: w.Portal.ID, FolderIDs: folders.Below(ids)}); err != nil {
			return err
		}
		return q.SetFoldersSpread(ctx, db.SetFoldersSpreadParams{PortalID: w.Portal.ID, FolderIDs: ids})
	})
	if err != nil {
		return fmt.Errorf("note what lay in folders: %w", err)
	}
	return nil
}

// setEntriesStale has what was seen in rooms judged again, of which folders may have left or
// entered them; room 0 stands for all.
func (w *Writer) setEntriesStale(ctx context.Context, q *db.Queries, rooms []int32) (err error) {
	switch {
	case len(rooms) == 0:
	case slices.Contains(rooms, 0):
		err = q.SetAllEntriesStale(ctx, w.Portal.ID)
	default:
		err = q.SetRoomEntriesStale(ctx, db.SetRoomEntriesStaleParams{PortalID: w.Portal.ID, RoomKeys: rooms})
	}
	if err != nil {
		return fmt.Errorf("note what may have moved with a folder: %w", err)
	}
	return nil
}
