package ingest

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"roompulse/internal/attribution"
	"roompulse/internal/audit"
)

// findRooms looks for the rooms of events that the events do not tell: by what
// became known of titles, by the logs of rooms, and at last by asking where files and
// folders lie. It judges again exactly the events of which more is known.
func (s *Syncer) findRooms(ctx context.Context) error {
	s.tell("rooms of events")
	if err := s.judgeStale(ctx); err != nil {
		return err
	}
	// Folders that something was moved to first: it is their rooms' logs that tell.
	destinations, err := s.sink.DestinationsToAsk(ctx)
	if err != nil {
		return err
	}
	if err := s.askEntries(ctx, destinations); err != nil {
		return err
	}
	logsFrom, err := s.sink.UnsettledMoves(ctx)
	if err != nil {
		return err
	}
	if err := s.sink.WantLogs(ctx, logsFrom); err != nil {
		return err
	}
	if err := s.readLogs(ctx); err != nil {
		return err
	}
	if err := s.judgeEntries(ctx); err != nil {
		return err
	}
	entries, err := s.sink.EntriesToAsk(ctx)
	if err != nil {
		return err
	}
	if err := s.askEntries(ctx, entries); err != nil {
		return err
	}
	if err := s.judgeEntries(ctx); err != nil {
		return err
	}
	return s.sink.PlaceMoves(ctx)
}

// judgeStale judges events anew whose title more has become known of, and notes
// what else may tell the room of those that are still open.
func (s *Syncer) judgeStale(ctx context.Context) error {
	logsFrom, entries := map[string]time.Time{}, map[attribution.Entry]bool{}
	err := s.sink.JudgeStale(ctx, func(e audit.Event, sightings []attribution.Sighting) attribution.Answer {
		answer := attribution.Judge(e, "", sightings, s.rooms)
		s.rooms.WantLogs(logsFrom, answer, e.At)
		s.rooms.WantEntry(entries, answer, e)
		return answer
	})
	if err != nil {
		return err
	}
	if err := s.sink.WantEntries(ctx, entries); err != nil {
		return err
	}
	return s.sink.WantLogs(ctx, logsFrom)
}

// judgeEntries judges events anew whose file or folder more has become known of.
func (s *Syncer) judgeEntries(ctx context.Context) error {
	return s.sink.JudgeEntries(ctx, func(e audit.Event, sightings []attribution.Sighting) attribution.Answer {
		return attribution.Judge(e, "", sightings, s.rooms)
	})
}

// askEntries asks the portal where files and folders lie, once for each: also
// that one is gone is an answer.
func (s *Syncer) askEntries(ctx context.Context, entries []attribution.Entry) error {
	folders := folderRooms{source: s.source, rooms: map[string]folderRoom{}}
	return parallel(ctx, s.opts.Parallel, entries, func(ctx context.Context, entry attribution.Entry, put putFunc) error {
		at := s.portalNow()
		room, err := folders.roomOf(ctx, entry)
		if err != nil {
			if !s.isOnlyOne(ctx, err) {
				return err
			}
			s.log.DebugContext(ctx, "the portal does not tell where an entry lies", slog.String("entry", entry.ID), slog.Any("error", err))
			if errors.Is(err, audit.ErrUnavailable) {
				return nil // no answer: the next run asks again
			}
		}
		return put(func(ctx context.Context) error { return s.sink.PutEntry(ctx, entry, err == nil, room, at) })
	})
}

// folderRooms remembers in which rooms folders lie: many files lie in few folders.
type folderRooms struct {
	source Source
	mu     sync.Mutex
	rooms  map[string]folderRoom
}

type folderRoom struct {
	id  string // empty: in none
	err error
}

func (f *folderRooms) roomOf(ctx context.Context, entry attribution.Entry) (string, error) {
	folder := entry.ID
	if !entry.Folder {
		var err error
		if folder, err = f.source.FileFolder(ctx, entry.ID); err != nil {
			return "", err
		}
	}
	f.mu.Lock()
	known, ok := f.rooms[folder]
	f.mu.Unlock()
	if !ok {
		known.id, _, known.err = f.source.FolderRoom(ctx, folder)
		f.mu.Lock()
		f.rooms[folder] = known
		f.mu.Unlock()
	}
	return known.id, known.err
}
