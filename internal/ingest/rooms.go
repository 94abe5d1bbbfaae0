package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"roompulse/internal/attribution"
	"roompulse/internal/audit"
)

// findRooms looks for the rooms of events that the events do not tell: by what
// became known of titles, by the logs of rooms, and by asking where files and
// folders lie. It judges again exactly the events of which more is known. At last it reads
// logs that only confirm. What the portal does not answer ends a step, but not the others.
func (s *Syncer) findRooms(ctx context.Context) error {
	s.tell("rooms of events")
	before := s.traffic().Requests
	asked := map[audit.RoomMoment]bool{}
	for _, step := range []func(context.Context) error{
		s.judgeStale,
		// Folders that something was moved to first: it is their rooms' logs that tell.
		func(ctx context.Context) error { return s.askEntries(ctx, true) },
		s.readWantedLogs,
		func(ctx context.Context) error { return s.explainEvents(ctx, asked) },
		s.judgeEntries,
		func(ctx context.Context) error { return s.askEntries(ctx, false) },
		s.judgeEntries,
		func(ctx context.Context) error { return s.confirmTitles(ctx, before) },
		func(ctx context.Context) error { return s.sink.PlaceMoves(ctx, asked) },
	} {
		s.unanswered.Store(0)
		if err := s.tolerate(step(ctx)); err != nil {
			return err
		}
	}
	return nil
}

// judgeStale judges events anew whose title more has become known of, and notes
// what else may tell the room of those that are still open.
func (s *Syncer) judgeStale(ctx context.Context) error {
	left := attribution.NewOpen()
	return s.sink.JudgeStale(ctx, func(e audit.Event, sightings []attribution.Sighting) attribution.Answer {
		answer := attribution.Judge(e, "", sightings, s.rooms)
		s.rooms.NoteOpen(left, answer, e)
		return answer
	}, func() attribution.Open {
		was := left
		left = attribution.NewOpen()
		return was
	})
}

// judgeEntries judges events anew whose file or folder more has become known of.
func (s *Syncer) judgeEntries(ctx context.Context) error {
	return s.sink.JudgeEntries(ctx, func(e audit.Event, sightings []attribution.Sighting) attribution.Answer {
		return attribution.Judge(e, "", sightings, s.rooms)
	}, func(events []audit.Event, answers []attribution.Answer) attribution.Open {
		open := attribution.NewOpen()
		for i, e := range events {
			s.rooms.NoteOpen(open, answers[i], e)
		}
		return open
	})
}

// refusedAgain is when the portal is asked again for a file or folder that it did
// not show: the key may have been given more rights.
const refusedAgain = 7 * 24 * time.Hour

// askEntries asks the portal where files and folders lie that nothing else tells
// the room of, or (destinations) folders that something was moved to. That one is gone is an
// answer for good; of others it is asked again when there are later events.
func (s *Syncer) askEntries(ctx context.Context, destinations bool) error {
	entries, err := s.sink.EntriesToAsk(ctx, destinations, s.portalNow())
	if err != nil {
		return err
	}
	folders := folderPlaces{source: s.source, now: s.portalNow, places: map[string]folderPlace{}}
	return parallel(ctx, s.opts.Parallel, entries, func(ctx context.Context, entry attribution.Entry, put putFunc) error {
		place, at, err := folders.placeOf(ctx, entry)
		if err == nil {
			s.unanswered.Store(0)
			return put(func(ctx context.Context) error { return s.sink.PutEntry(ctx, entry, place, at) })
		}
		stop := s.onlyOne(ctx, err)
		if stop != nil && !errors.Is(stop, errUnanswered) {
			return stop
		}
		err = put(func(ctx context.Context) error {
			switch {
			case errors.Is(err, audit.ErrGone):
				return s.sink.SetEntryGone(ctx, entry, at)
			case errors.Is(err, audit.ErrNotReadable):
				return s.sink.SetEntryRefused(ctx, entry, at, at.Add(refusedAgain))
			}
			s.log.WarnContext(ctx, "the portal does not tell where an entry lies", slog.String("entry", entry.ID), slog.Any("error", err))
			return s.sink.SetEntryTried(ctx, entry, at)
		})
		return cmp.Or(err, stop)
	}, inTurn)
}

// placeFresh is how long it may take to learn where a file or folder lies, from the first question to the last
// answer: in which folder, and in which room that is. What goes elsewhere meanwhile does so within the time in which
// attribution takes no answer for certain.
const placeFresh = 5 * time.Second

// askedAgain is how often a portal that is slower than that is asked at most.
const askedAgain = 3

// folderPlaces asks where files and folders lie, and remembers for a moment where folders do: many files lie in few.
type folderPlaces struct {
	source Source
	now    func() time.Time
	mu     sync.Mutex
	places map[string]folderPlace
}

type folderPlace struct {
	audit.Place
	err error
	at  time.Time // when it was asked
}

// placeOf returns where an entry lies and when that was so.
func (f *folderPlaces) placeOf(ctx context.Context, entry attribution.Entry) (place audit.Place, at time.Time, err error) {
	for range askedAgain {
		at = f.now()
		folder := entry.ID
		if !entry.Folder {
			if folder, err = f.source.FileFolder(ctx, entry.ID); err != nil {
				return audit.Place{}, at, err
			}
		}
		known := f.folder(ctx, folder)
		if known.err != nil || f.now().Sub(audit.Earlier(at, known.at)) <= placeFresh {
			return known.Place, at, known.err
		}
	}
	return audit.Place{}, at, fmt.Errorf("%w: its answers come too slowly to tell where something lies", audit.ErrUnavailable)
}

func (f *folderPlaces) folder(ctx context.Context, id string) folderPlace {
	f.mu.Lock()
	known, ok := f.places[id]
	f.mu.Unlock()
	if now := f.now(); !ok || now.Sub(known.at) > placeFresh {
		known.Place, known.err = f.source.FolderPlace(ctx, id)
		known.at = now
		f.mu.Lock()
		f.places[id] = known
		f.mu.Unlock()
	}
	return known
}
