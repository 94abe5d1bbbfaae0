package ingest

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"roompulse/internal/attribution"
	"roompulse/internal/audit"
)

// The tasks that are not done on every run, as stored in the database.
const (
	taskRooms    = "rooms"    // the list of rooms
	taskAccounts = "accounts" // the list of people
	taskMembers  = "members"  // the lists of members of all rooms, and of the groups in them
	taskLogs     = "logs"     // the logs of rooms that nothing calls for
	taskCheck    = "check"    // the check of all windows for late events
	taskGaps     = "gaps"     // another try at spans that would not close
)

// calls is what a run's events call for beyond themselves.
type calls struct {
	rooms    time.Time            // latest event that changes the list of rooms
	accounts time.Time            // latest event that changes the list of people
	members  map[string]time.Time // latest event that changes a room's members
}

func newCalls() calls { return calls{members: map[string]time.Time{}} }

func (c *calls) add(b attribution.Batch) {
	for i, e := range b.Events {
		action, known := audit.LookupAction(e.Kind.ActionID)
		if !known {
			continue
		}
		if action.Product == "Contacts" {
			c.accounts = audit.Later(c.accounts, e.At)
		}
		if b.Answers[i].Source != attribution.SourceTarget {
			continue
		}
		switch action.ID {
		case audit.ActionRoomCreated, audit.ActionRoomRenamed, audit.ActionRoomArchived, audit.ActionRoomUnarchived,
			audit.ActionRoomDeleted, audit.ActionAgentCreated, audit.ActionAgentRenamed, audit.ActionAgentDeleted:
			c.rooms = audit.Later(c.rooms, e.At)
		}
		if action.Members {
			c.members[b.Answers[i].RoomID] = audit.Later(c.members[b.Answers[i].RoomID], e.At)
		}
	}
}

// due reports whether a task is due by its age or by an event after its last time.
func (s *Syncer) due(task string, event time.Time) bool {
	last := s.tasks[task]
	return s.until.Sub(last) >= daily || event.After(last)
}

// readDueLists reads the lists that are a day old, before any window, so that
// a report is possible while a long backfill goes on.
func (s *Syncer) readDueLists(ctx context.Context) error {
	if s.due(taskAccounts, time.Time{}) {
		if err := s.readAccounts(ctx); err != nil {
			return err
		}
	}
	if s.due(taskRooms, time.Time{}) {
		if err := s.readRooms(ctx); err != nil {
			return err
		}
	}
	if !s.due(taskMembers, time.Time{}) {
		return nil
	}
	times, err := s.sink.MemberListTimes(ctx)
	if err != nil {
		return err
	}
	if err := s.readMembers(ctx, slices.Sorted(maps.Keys(times))); err != nil {
		return err
	}
	return s.finishTask(ctx, taskMembers)
}

// readCalledLists reads the lists that events of this run have made stale.
func (s *Syncer) readCalledLists(ctx context.Context) error {
	if s.due(taskAccounts, s.calls.accounts) {
		if err := s.readAccounts(ctx); err != nil {
			return err
		}
	}
	if s.due(taskRooms, s.calls.rooms) {
		if err := s.readRooms(ctx); err != nil {
			return err
		}
	}
	times, err := s.sink.MemberListTimes(ctx)
	if err != nil {
		return err
	}
	var rooms []string
	for id, last := range times {
		if last.IsZero() || s.calls.members[id].After(last) {
			rooms = append(rooms, id)
		}
	}
	slices.Sort(rooms)
	return s.readMembers(ctx, rooms)
}

func (s *Syncer) finishTask(ctx context.Context, task string) error {
	s.tasks[task] = s.until
	return s.sink.FinishTask(ctx, task, s.until)
}

func (s *Syncer) readAccounts(ctx context.Context) error {
	s.tell("people")
	accounts, err := s.source.Accounts(ctx)
	if err != nil {
		return err
	}
	if err := s.sink.PutAccounts(ctx, accounts, s.until); err != nil {
		return err
	}
	return s.finishTask(ctx, taskAccounts)
}

func (s *Syncer) readRooms(ctx context.Context) error {
	s.tell("rooms")
	rooms, err := s.source.Rooms(ctx)
	if err != nil {
		return err
	}
	if err := s.sink.PutRooms(ctx, rooms, s.until, s.rooms); err != nil {
		return err
	}
	return s.finishTask(ctx, taskRooms)
}

// readMembers reads the lists of members of rooms, and then those of the groups in them.
func (s *Syncer) readMembers(ctx context.Context, rooms []string) error {
	if len(rooms) == 0 {
		return nil
	}
	s.tell("members")
	err := parallel(ctx, s.opts.Parallel, rooms, func(ctx context.Context, id string, put putFunc) error {
		list, err := s.source.Members(ctx, id)
		if err != nil {
			if !s.isOnlyOne(ctx, err) {
				return err
			}
			// What was known stays, and reports say that it is not read any more.
			s.log.WarnContext(ctx, "members of a room cannot be read", slog.String("room", id), slog.Any("error", err))
			list = audit.MemberList{}
		}
		return put(func(ctx context.Context) error { return s.sink.PutMembers(ctx, id, list, s.until) })
	})
	if err != nil {
		return err
	}
	groups, err := s.sink.GroupIDs(ctx)
	if err != nil {
		return err
	}
	return parallel(ctx, s.opts.Parallel, groups, func(ctx context.Context, id string, put putFunc) error {
		group, err := audit.Group{ID: id, Name: "Everyone"}, error(nil)
		if id != audit.GroupEveryone { // which has no list: it stands for all
			group, err = s.source.Group(ctx, id)
		}
		switch {
		case errors.Is(err, audit.ErrGone):
			group = audit.Group{ID: id}
		case err != nil && s.isOnlyOne(ctx, err): // whom it had is kept
			s.log.WarnContext(ctx, "members of a group cannot be read", slog.String("group", id), slog.Any("error", err))
			return nil
		case err != nil:
			return err
		}
		return put(func(ctx context.Context) error { return s.sink.PutGroup(ctx, group, s.until) })
	})
}

// isOnlyOne reports whether an error concerns one room or group alone: it is closed or
// gone, or the portal fails on it steadily and answers otherwise.
func (s *Syncer) isOnlyOne(ctx context.Context, err error) bool {
	if errors.Is(err, audit.ErrUnavailable) {
		_, err := s.source.Now(ctx)
		return err == nil
	}
	return errors.Is(err, audit.ErrNotReadable) || errors.Is(err, audit.ErrGone)
}

// putFunc runs a function in the goroutine that owns the sink and waits for it.
type putFunc func(write func(context.Context) error) error

// parallel asks for all items, n at once. What they put is run one after
// another: the sink is for one goroutine.
func parallel[T any](ctx context.Context, n int, items []T, ask func(ctx context.Context, item T, put putFunc) error) error {
	type job struct {
		write func(context.Context) error
		done  chan error
	}
	group, ctx := errgroup.WithContext(ctx)
	jobs := make(chan job)
	put := func(write func(context.Context) error) error {
		j := job{write, make(chan error, 1)}
		select {
		case jobs <- j:
			return <-j.done
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	group.Go(func() error {
		defer close(jobs)
		askers, ctx := errgroup.WithContext(ctx)
		askers.SetLimit(n)
		for _, item := range items {
			askers.Go(func() error { return ask(ctx, item, put) })
		}
		return askers.Wait()
	})
	group.Go(func() error {
		for j := range jobs {
			err := j.write(ctx)
			j.done <- err
			if err != nil {
				return err
			}
		}
		return nil
	})
	return group.Wait()
}
