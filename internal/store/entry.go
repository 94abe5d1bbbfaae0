package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"roompulse/db"
	"roompulse/internal/attribution"
	"roompulse/internal/audit"
)

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
			return w.putSightings(ctx, q, seen)
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
		return w.putSightings(ctx, q, seen)
	})
	if err != nil {
		return fmt.Errorf("store where %s lies: %w", entry.ID, err)
	}
	return nil
}

// entryChunk is how many entries are looked at together.
const entryChunk = 5000

// JudgeEntries judges the events anew of files and folders of which more has
// become known. Chunks commit one by one; what is left stays marked.
//
// open returns what may still tell the room of events of which it is not known any more: it is stored
// with their chunk.
func (w *Writer) JudgeEntries(ctx context.Context, judge Judge, open func([]audit.Event, []attribution.Answer) attribution.Open) error {
	if err := w.spreadFolders(ctx); err != nil {
		return err
	}
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
			if err := w.judgeEntryEvents(ctx, left[:n], judge, open); err != nil {
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
func (w *Writer) judgeEntryEvents(
	ctx context.Context, stale []db.ListStaleEntriesRow, judge Judge, open func([]audit.Event, []attribution.Answer) attribution.Open,
) error {
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
			if err := w.judgeEntryChunk(ctx, q, arg, judge, open); err != nil || !isLast {
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

func (w *Writer) judgeEntryChunk(
	ctx context.Context, q *db.Queries, arg db.ListEventsOfEntriesParams, judge Judge, open func([]audit.Event, []attribution.Answer) attribution.Open,
) error {
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
	var lost []audit.Event
	var answers []attribution.Answer
	at := 0
	err = w.judgeAgain(ctx, q, events, func(e audit.Event, sightings []attribution.Sighting) attribution.Answer {
		a := judge(e, sightings)
		if a.Unresolved() && events[at].was.source != attribution.SourceUnresolved {
			lost, answers = append(lost, e), append(answers, a)
		}
		at++
		return a
	})
	if err != nil || len(lost) == 0 {
		return err
	}
	return w.addOpen(ctx, q, open(lost, answers))
}

// addOpen stores what may tell the room of events.
func (w *Writer) addOpen(ctx context.Context, q *db.Queries, open attribution.Open) error {
	if err := w.addEntryEvents(ctx, q, open.Entries); err != nil {
		return err
	}
	return w.wantRoomLogs(ctx, q, open.LogsFrom)
}
