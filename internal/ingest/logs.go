package ingest

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"roompulse/internal/audit"
)

const (
	logPage = 100
	// logChunk is how many entries of a room are collected before they are stored: each time costs some twenty
	// statements, and the days that the entries touch may have to be counted anew.
	logChunk = 2000
	// logBatch is after how many entries, of several rooms, a transaction ends.
	logBatch = 10_000
	// confirmShare bounds what is spent on logs when nothing calls for them: to a
	// quarter of the run's other requests. They only confirm what titles say.
	confirmShare = 4
	// confirmPages is how many pages a room gets at least when it is its turn.
	confirmPages = 5
)

// logStates returns the rooms that have a log, those asked for longest ago first, so
// that none waits for others that get no answer or are long.
func (s *Syncer) logStates(ctx context.Context) ([]audit.LogState, error) {
	states, err := s.sink.LogStates(ctx)
	slices.SortFunc(states, func(a, b audit.LogState) int {
		return cmp.Or(a.AskedAt.Compare(b.AskedAt), cmp.Compare(a.RoomID, b.RoomID))
	})
	return states, err
}

// readWantedLogs reads the logs that tell in which of the rooms with one title
// events happened.
func (s *Syncer) readWantedLogs(ctx context.Context) error {
	s.tell("logs")
	states, err := s.logStates(ctx)
	if err != nil {
		return err
	}
	var wanted []logRead
	for _, state := range states {
		if state.WantedFrom.IsZero() || s.until.Sub(state.RefusedAt) < daily {
			continue
		}
		from := state.WantedFrom
		if !state.Until.IsZero() { // what is in between is read along, so that what was read stays one span
			from = audit.Earlier(from, state.Until)
		}
		wanted = append(wanted, logRead{
			room: state.RoomID, span: audit.Span{From: audit.Later(from, s.bottom), To: s.until}, wantedFrom: state.WantedFrom, whereabouts: true,
		})
	}
	return parallel(ctx, s.opts.Parallel, wanted, func(ctx context.Context, r logRead, put putLogFunc) error {
		_, err := s.readLog(ctx, r, put)
		return err
	}, s.putLogs)
}

// confirmTitles reads logs that nothing calls for, once a day and within a quarter
// of the run's requests: of each room first what came before a part that was wanted
// once, then what has come since. All rooms take turns; how far one came is kept for its next. before is
// how many requests the run had sent when it began to look for rooms.
func (s *Syncer) confirmTitles(ctx context.Context, before int64) error {
	if !s.isDue(audit.TaskLogs) {
		return nil
	}
	states, err := s.logStates(ctx)
	if err != nil {
		return err
	}
	edits, err := s.sink.LastEdits(ctx)
	if err != nil {
		return err
	}
	states = slices.DeleteFunc(states, func(state audit.LogState) bool {
		return !state.WantedFrom.IsZero() || len(s.unconfirmed(state, edits[state.RoomID])) == 0
	})
	budget := before / confirmShare
	pages := max(confirmPages, budget/int64(max(len(states), 1)))
	err = parallel(ctx, s.opts.Parallel, states, func(ctx context.Context, state audit.LogState, put putLogFunc) error {
		left := pages
		for _, span := range s.unconfirmed(state, edits[state.RoomID]) {
			whole, err := s.readLog(ctx, logRead{room: state.RoomID, span: span, more: func() bool {
				left--
				return left >= 0 && s.traffic().Requests-before < budget
			}}, put)
			if err != nil || !whole {
				return err
			}
		}
		return nil
	}, s.putLogs)
	if err != nil {
		return err
	}
	return s.finishTask(ctx, audit.TaskLogs, s.until)
}

// unconfirmed are the spans of a room's log that have not been read and may have something, by time.
func (s *Syncer) unconfirmed(state audit.LogState, lastEdit time.Time) (spans []audit.Span) {
	begin := audit.Later(state.Created.Truncate(time.Second), s.bottom)
	if state.From.After(begin) && state.RefusedAt.IsZero() {
		spans = append(spans, audit.Span{From: begin, To: state.From})
	}
	if lastEdit.After(state.Until) && s.until.Sub(audit.Later(state.Until, state.RefusedAt)) >= daily {
		spans = append(spans, audit.Span{From: audit.Later(state.Until, s.bottom), To: s.until})
	}
	return spans
}

// logRead is a span of a room's log to read.
type logRead struct {
	room string
	span audit.Span
	// wantedFrom is since when the log is wanted, zero if it is not.
	wantedFrom  time.Time
	whereabouts bool // it shall tell which files and folders were in the room
	// more is asked before each page; nil: all are read. Those of the span's last second are read anyway.
	more func() bool
}

// readLog reads a room's log for a span. The log is ordered by event id, and
// new entries push the older ones down: what is read twice does no harm. It reports
// whether all was read.
func (s *Syncer) readLog(ctx context.Context, r logRead, put putLogFunc) (whole bool, err error) {
	turn := audit.LogTurn{RoomID: r.room, Whereabouts: r.whereabouts}
	var reached time.Time // what has happened since is read
	start := 0
	for !whole {
		crowded := start > 0 && !reached.Before(r.span.To) // the next turn would begin here again
		if r.more != nil && !r.more() && !crowded {
			break
		}
		page, err := s.source.RoomLog(ctx, r.room, r.span.From, r.span.To, start, logPage)
		if err != nil {
			return false, s.logFailed(ctx, audit.LogTurn{RoomID: r.room}, err, put)
		}
		s.unanswered.Store(0)
		turn.Entries = append(turn.Entries, page.Entries...)
		start += page.Rows
		whole = page.Rows == 0 || start >= page.Total
		reached = time.Time{}
		for _, e := range page.Entries { // some may be late, so that not the oldest counts
			reached = audit.Later(reached, e.At)
		}
		if len(turn.Entries) >= logChunk {
			if err := put(turn); err != nil {
				return false, err
			}
			turn.Entries = turn.Entries[:0]
		}
	}
	turn.AskedAt = s.portalNow()
	switch {
	case whole:
		turn.Read, turn.WantedFrom = r.span, r.span.From
		if !r.wantedFrom.IsZero() {
			turn.WantedFrom = audit.Earlier(r.span.From, r.wantedFrom) // also if the log could not be read so far back
		}
	case start == 0:
		return false, nil
	case reached.IsZero(): // nothing on the last page is understood; others get their turn
	default:
		turn.Read, turn.WantedFrom = audit.Span{From: audit.Earlier(reached, r.span.To), To: r.span.To}, r.span.To
	}
	return whole, put(turn)
}

// logFailed notes with the turn that a room's log could not be read. No answer is not "no": then the next run asks again.
func (s *Syncer) logFailed(ctx context.Context, turn audit.LogTurn, err error, put putLogFunc) error {
	stop := s.onlyOne(ctx, err)
	if stop != nil && !errors.Is(stop, errUnanswered) {
		return stop
	}
	s.log.WarnContext(ctx, "the log of a room cannot be read", slog.String("room", turn.RoomID), slog.Any("error", err))
	turn.AskedAt = s.portalNow()
	if !errors.Is(err, audit.ErrUnavailable) {
		turn.RefusedAt = s.until
	}
	return cmp.Or(put(turn), stop)
}

// explainEvents asks the logs of rooms what events about them leave open: whom
// changes of members concern, and which event of a move or copy is the room's.
// It asks only for the pages that have them: a page that begins at the newest event not
// explained yet explains all that are on it. It notes the moves that were
// asked for: true if the log has ids.
func (s *Syncer) explainEvents(ctx context.Context, asked map[audit.RoomMoment]bool) error {
	changes, err := s.sink.UnexplainedChanges(ctx)
	if err != nil {
		return err
	}
	moves, err := s.sink.UnsettledMoves(ctx)
	if err != nil {
		return err
	}
	rooms := maps.Clone(changes)
	for id, events := range moves {
		rooms[id] = slices.Concat(rooms[id], events)
	}
	states, err := s.logStates(ctx)
	if err != nil {
		return err
	}
	states = slices.DeleteFunc(states, func(state audit.LogState) bool { return len(rooms[state.RoomID]) == 0 })
	var mu sync.Mutex
	return parallel(ctx, s.opts.Parallel, states, func(ctx context.Context, state audit.LogState, put putLogFunc) error {
		id := state.RoomID
		done, hasIDs, err := s.explainRoom(ctx, id, rooms[id], changes[id], put)
		if !done || err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		for _, e := range moves[id] {
			asked[audit.RoomMoment{RoomID: id, At: e.At}] = hasIDs
		}
		return nil
	}, s.putLogs)
}

// explainRoom reads the pages of a room's log that have the events, of which some are changes of members. It is not
// done if the portal does not answer: the next run asks again. A log has ids unless an
// entry without one was seen, or the portal does not show it.
func (s *Syncer) explainRoom(
	ctx context.Context, id string, events, changes []audit.RoomEvent, put putLogFunc,
) (done, hasIDs bool, err error) {
	hasIDs = true
	left := slices.SortedFunc(slices.Values(events), func(a, b audit.RoomEvent) int { return b.At.Compare(a.At) })
	taken := map[int64]bool{}
	turn := audit.LogTurn{RoomID: id}
	for start := 0; len(left) > 0; {
		page, err := s.source.RoomLog(ctx, id, s.bottom, left[0].At, start, logPage)
		if err != nil {
			if done = !errors.Is(err, audit.ErrUnavailable); done {
				turn.Explained, turn.Changes = true, changes
			}
			return done, false, s.logFailed(ctx, turn, err, put)
		}
		s.unanswered.Store(0)
		lowest := lowestID(page.Entries)
		hasIDs = hasIDs && (lowest > 0 || len(page.Entries) == 0)
		identify(page.Entries, events, taken)
		if turn.Entries = append(turn.Entries, page.Entries...); len(turn.Entries) >= logChunk {
			if err := put(turn); err != nil {
				return false, false, err
			}
			turn.Entries = turn.Entries[:0]
		}
		start += page.Rows
		if page.Rows == 0 || start >= page.Total {
			break // the log has no more, and what it lacks it will not get
		}
		var rest []audit.RoomEvent
		if lowest > 0 { // the log goes by ids, and dates do not quite
			rest = slices.DeleteFunc(slices.Clone(left), func(c audit.RoomEvent) bool { return c.ID >= lowest })
		} else {
			oldest := left[0].At
			for _, e := range page.Entries {
				oldest = audit.Earlier(oldest, e.At)
			}
			rest = slices.DeleteFunc(slices.Clone(left), func(c audit.RoomEvent) bool { return c.At.After(oldest) })
		}
		if len(rest) > 0 && rest[0].At.Before(left[0].At) { // else the next page goes on
			start = 0
		}
		left = rest
	}
	turn.Explained, turn.Changes = true, changes
	return true, hasIDs, put(turn)
}

// lowestID is the lowest id on a page of a log, 0 if entries have none.
func lowestID(entries []audit.LogEntry) int64 {
	var lowest int64
	for _, e := range entries {
		if e.EventID != 0 && (lowest == 0 || e.EventID < lowest) {
			lowest = e.EventID
		}
	}
	return lowest
}

// identify gives entries of an old portal's log, which have no ids, those of the
// events that they are about. Where several acts of one kind, person and second
// stand in a room's log, it does not matter which gets which id; taken are given.
func identify(entries []audit.LogEntry, changes []audit.RoomEvent, taken map[int64]bool) {
	for i := range entries {
		entry := &entries[i]
		if entry.EventID != 0 {
			continue
		}
		for _, c := range changes {
			if !taken[c.ID] && c.ActionID == entry.ActionID && c.ActorID == entry.ActorID && c.At.Equal(entry.At) {
				entry.EventID, taken[c.ID] = c.ID, true
				break
			}
		}
	}
}

// putLogFunc has parallel store what was learned of a room's log, and waits for it.
type putLogFunc = func(audit.LogTurn) error

// putLogs stores what was learned of logs that wait together, in few transactions.
func (s *Syncer) putLogs(ctx context.Context, turns []audit.LogTurn) error {
	for len(turns) > 0 {
		n, entries := 0, 0
		for n < len(turns) && entries < logBatch {
			entries += len(turns[n].Entries)
			n++
		}
		confirmed, contradicted, err := s.sink.PutLogs(ctx, turns[:n])
		if err != nil {
			return err
		}
		s.result.TitlesConfirmed += confirmed
		s.result.TitlesContradicted += contradicted
		turns = turns[n:]
	}
	return nil
}
