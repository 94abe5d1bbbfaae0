package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"roompulse/internal/audit"
)

// isDue reports whether a task that is done daily, or when events call for it, is to be done.
func (s *Syncer) isDue(task string) bool { return s.tasks[task].IsDue(s.until.Add(-daily)) }

// readLists reads the lists that are a day old or that events have made stale.
// It is called before the windows, so that a report is possible while a long
// backfill goes on, and after them, since their events may call for more.
func (s *Syncer) readLists(ctx context.Context) (err error) {
	if s.tasks, err = s.sink.Tasks(ctx); err != nil {
		return err
	}
	if s.isDue(audit.TaskAccounts) {
		if err := s.readAccounts(ctx); err != nil {
			return err
		}
	}
	if s.isDue(audit.TaskRooms) {
		if err := s.readRooms(ctx); err != nil {
			return err
		}
	}
	for _, step := range []func(context.Context) error{s.readMembers, s.readGroups} {
		if err := s.tolerate(step(ctx)); err != nil {
			return err
		}
	}
	return nil
}

// finishTask records that a task was done; what was read since at is in it.
func (s *Syncer) finishTask(ctx context.Context, task string, at time.Time) error {
	s.tasks[task] = audit.Task{DoneAt: at, WantedAt: s.tasks[task].WantedAt}
	return s.sink.FinishTask(ctx, task, at)
}

func (s *Syncer) readAccounts(ctx context.Context) error {
	s.tell("people")
	at := s.portalNow()
	accounts, err := s.source.Accounts(ctx)
	if err != nil {
		return err
	}
	if err := s.sink.PutAccounts(ctx, accounts, s.until); err != nil {
		return err
	}
	return s.finishTask(ctx, audit.TaskAccounts, at)
}

func (s *Syncer) readRooms(ctx context.Context) error {
	s.tell("rooms")
	at := s.portalNow()
	rooms, err := s.source.Rooms(ctx)
	if err != nil {
		return err
	}
	if err := s.sink.PutRooms(ctx, rooms, s.until, s.rooms); err != nil {
		return err
	}
	return s.finishTask(ctx, audit.TaskRooms, at)
}

// readMembers reads the lists of members of the rooms that need it.
func (s *Syncer) readMembers(ctx context.Context) error {
	rooms, err := s.sink.RoomsToAsk(ctx, s.until.Add(-daily))
	if err != nil || len(rooms) == 0 {
		return err
	}
	s.tell("members")
	return parallel(ctx, s.opts.Parallel, rooms, func(ctx context.Context, id string, put func(audit.RoomMembers) error) error {
		at, stop := s.portalNow(), error(nil)
		list, err := s.source.Members(ctx, id)
		if err == nil {
			s.unanswered.Store(0)
		} else {
			if stop = s.onlyOne(ctx, err); stop != nil && !errors.Is(stop, errUnanswered) {
				return stop
			}
			// What was known stays, and reports say that it is not read any more.
			s.log.WarnContext(ctx, "members of a room cannot be read", slog.String("room", id), slog.Any("error", err))
			list = audit.MemberList{}
		}
		err = put(audit.RoomMembers{RoomID: id, MemberList: list, ReadAt: at})
		return cmp.Or(err, stop)
	}, func(ctx context.Context, lists []audit.RoomMembers) error {
		return s.sink.PutMembers(ctx, lists, s.until)
	})
}

// readGroups reads the members of the groups that hold rights in rooms.
func (s *Syncer) readGroups(ctx context.Context) error {
	groups, err := s.sink.GroupsToAsk(ctx, audit.Later(s.until.Add(-daily), s.tasks[audit.TaskGroups].WantedAt))
	if err != nil {
		return err
	}
	return parallel(ctx, s.opts.Parallel, groups, func(ctx context.Context, id string, put putFunc) error {
		at := s.portalNow()
		group, err := audit.Group{ID: id, Name: "Everyone"}, error(nil)
		if id != audit.GroupEveryone { // which has no list: it stands for all
			group, err = s.source.Group(ctx, id)
		}
		switch {
		case err == nil:
			s.unanswered.Store(0)
		case errors.Is(err, audit.ErrGone):
			group = audit.Group{ID: id}
		default:
			stop := s.onlyOne(ctx, err)
			if stop != nil && !errors.Is(stop, errUnanswered) {
				return stop
			}
			// Whom it had is kept.
			s.log.WarnContext(ctx, "members of a group cannot be read", slog.String("group", id), slog.Any("error", err))
			err = put(func(ctx context.Context) error { return s.sink.SetGroupTried(ctx, id, at) })
			return cmp.Or(err, stop)
		}
		return put(func(ctx context.Context) error { return s.sink.PutGroup(ctx, group, at, s.until) })
	}, inTurn)
}

// maxUnanswered is how many rooms, groups or entries one after another may stay without
// an answer. Each costs the whole time that a request is repeated for.
const maxUnanswered = 3

// errUnanswered ends the reading of what the portal does not answer for.
var errUnanswered = fmt.Errorf("%w: %d rooms, groups or files one after another got no answer, and the rest was not asked for; the next sync tries again",
	ErrIncomplete, maxUnanswered)

// onlyOne returns nil if err concerns one room, group or entry alone: it is closed or
// gone, or the portal fails on it steadily and answers otherwise. If it fails
// so on several in a row, that is errUnanswered.
func (s *Syncer) onlyOne(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, audit.ErrNotReadable), errors.Is(err, audit.ErrGone):
		s.unanswered.Store(0)
		return nil
	case !errors.Is(err, audit.ErrUnavailable):
		return err
	}
	if _, nowErr := s.source.Now(ctx); nowErr != nil {
		return err
	}
	if s.unanswered.Add(1) >= maxUnanswered {
		return fmt.Errorf("%w (%w)", errUnanswered, err)
	}
	return nil
}

// tolerate keeps what makes a run incomplete for its end, and lets it go on.
func (s *Syncer) tolerate(err error) error {
	if errors.Is(err, ErrIncomplete) {
		s.incomplete = cmp.Or(s.incomplete, err)
		return nil
	}
	return err
}

// parallel asks for all items, n at once. What they put is handed to write, by one goroutine, since the sink is
// for one: at first what one asker puts, then what the others have put meanwhile, together. An asker goes on once
// that is written, so that no more than n are waiting.
func parallel[T, R any](
	ctx context.Context, n int, items []T,
	ask func(ctx context.Context, item T, put func(R) error) error, write func(ctx context.Context, results []R) error,
) error {
	type job struct {
		result R
		done   chan error
	}
	group, ctx := errgroup.WithContext(ctx)
	jobs := make(chan job)
	put := func(result R) error {
		j := job{result, make(chan error, 1)}
		select {
		case jobs <- j:
			return <-j.done
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	group.Go(func() error {
		defer close(jobs)
		askers, askersCtx := errgroup.WithContext(ctx)
		askers.SetLimit(n)
		for _, item := range items {
			if askersCtx.Err() != nil {
				break // somebody failed, or the run ends
			}
			askers.Go(func() error { return ask(askersCtx, item, put) })
		}
		return cmp.Or(askers.Wait(), ctx.Err())
	})
	group.Go(func() error {
		for j := range jobs {
			together := append([]job{j}, waiting(jobs, n-1)...)
			results := make([]R, len(together))
			for i, j := range together {
				results[i] = j.result
			}
			err := write(ctx, results)
			for _, j := range together {
				j.done <- err
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return group.Wait()
}

type (
	// writeFunc writes something to the sink.
	writeFunc = func(ctx context.Context) error
	// putFunc has parallel run a writeFunc, and waits for it.
	putFunc = func(writeFunc) error
)

// inTurn is how parallel writes what is not stored together.
func inTurn(ctx context.Context, writes []writeFunc) error {
	for _, write := range writes {
		if err := write(ctx); err != nil {
			return err
		}
	}
	return nil
}
