package store

import (
	"context"
	"fmt"
	"time"

	"roompulse/db"
	"roompulse/internal/attribution"
	"roompulse/internal/audit"
)

// Evidence returns what is known of the given events beyond themselves: what
// logs said of them before they were here, and where their files and folders were seen.
func (w *Writer) Evidence(ctx context.Context, events []*audit.Event) (attribution.Evidence, error) {
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
func (w *Writer) sightings(ctx context.Context, q *db.Queries, events []*audit.Event) (map[attribution.Entry][]attribution.Sighting, error) {
	entries := map[attribution.Entry]bool{}
	for _, e := range events {
		if entry, ok := attribution.EntryOf(*e); ok {
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
	seen := map[attribution.Entry][]attribution.Seen{}
	inRoom := false
	for _, row := range rows {
		entry := attribution.Entry{Folder: row.IsFolder, ID: row.EntryID}
		seen[entry] = append(seen[entry], attribution.Seen{
			At: row.SeenAt.UTC(), RoomID: row.RoomID, Parent: row.ParentID, Asked: row.WasAsked, Within: row.IsWithin,
		})
		inRoom = inRoom || row.RoomID != ""
	}
	if !inRoom {
		return nil, nil
	}
	folders, err := w.knownFolders(ctx, q)
	if err != nil {
		return nil, err
	}
	sightings := make(map[attribution.Entry][]attribution.Sighting, len(seen))
	for entry, moments := range seen {
		sightings[entry] = folders.Sightings(entry, moments)
	}
	return sightings, nil
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
	in    string
}

func newSightingSet(portal int32, asked bool) *sightingSet {
	return &sightingSet{db.AddEntrySightingsParams{PortalID: portal, WasAsked: asked}, map[sightingKey]bool{}}
}

func (s *sightingSet) add(entry attribution.Entry, at time.Time, room int32, parent string) {
	key := sightingKey{entry, at.UnixMicro(), room, parent}
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

// addSightings stores where logs have seen files and folders. Of events that are held, their own date counts.
func (w *Writer) addSightings(ctx context.Context, q *db.Queries, turns []audit.LogTurn, held []db.ListEventsByIDRow) error {
	seen := newSightingSet(w.Portal.ID, false)
	dates := make(map[int64]time.Time, len(held))
	for _, row := range held {
		dates[row.EventID] = row.OccurredAt.UTC()
	}
	for _, t := range turns {
		room := w.keys.rooms[roomID{id: t.RoomID}]
		for _, e := range t.Entries {
			if !t.Whereabouts || e.EntryID == "" {
				continue
			}
			at := e.At
			if known, ok := dates[e.EventID]; ok {
				at = known
			}
			action, _ := audit.LookupAction(e.ActionID)
			seen.add(attribution.Entry{Folder: !action.Target.IsFile(), ID: e.EntryID}, at, room, e.ParentID)
		}
	}
	if len(seen.met) == 0 {
		return nil
	}
	return w.putSightings(ctx, q, seen)
}

func (w *Writer) putSightings(ctx context.Context, q *db.Queries, seen *sightingSet) error {
	w.forgetFolders()
	folders := db.ListStrayFoldersParams{PortalID: w.Portal.ID}
	for i, isFolder := range seen.arg.Folders {
		if isFolder && seen.arg.ParentIDs[i] != "" {
			folders.EntryIDs = append(folders.EntryIDs, seen.arg.EntryIDs[i])
			folders.SeenAt = append(folders.SeenAt, seen.arg.SeenAt[i])
			folders.ParentIDs = append(folders.ParentIDs, seen.arg.ParentIDs[i])
		}
	}
	if len(folders.EntryIDs) > 0 {
		var err error
		// In a statement of its own, before there are new sightings: those are in the indexes, and where the planner
		// knows nothing of the table each folder would read them all.
		if seen.arg.StrayIDs, err = q.ListStrayFolders(ctx, folders); err != nil {
			return fmt.Errorf("read where folders lay before: %w", err)
		}
	}
	if err := q.AddEntrySightings(ctx, seen.arg); err != nil {
		return fmt.Errorf("store where files and folders were: %w", err)
	}
	return nil
}
