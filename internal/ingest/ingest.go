// Package ingest is the sync use case: it brings a portal's audit trail, rooms,
// people and members into the warehouse, so that what is there is complete and
// known to be.
//
// State is the set of windows of time that are complete, not a cursor. A run
// asks for what is missing from that set, newest first. Windows are read in
// parallel (windows.go), each page after page until its completeness is proved (passes.go),
// and committed by the one goroutine that owns the Sink, those that wait for it together.
// Windows that were complete before are checked for late events (check.go).
// Lists of rooms, people and members are read before the windows when they are
// due (lists.go); what events do not say is looked up in the logs of rooms
// afterwards (logs.go).
package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"roompulse/internal/attribution"
	"roompulse/internal/audit"
)

// Source is the portal. Its errors wrap audit.ErrRefused, ErrNotReadable,
// ErrGone or ErrUnavailable where they mean that; it repeats requests itself
// where that may help. It is used by many goroutines at once.
type Source interface {
	// Now is the portal's own clock.
	Now(ctx context.Context) (time.Time, error)
	// Events lists the events dated from from to to, both included and in
	// whole seconds, newest first, count of them from startIndex on.
	Events(ctx context.Context, from, to time.Time, startIndex, count int) (audit.EventPage, error)
	Rooms(ctx context.Context) ([]audit.Room, error)
	Members(ctx context.Context, roomID string) (audit.MemberList, error)
	Accounts(ctx context.Context) ([]audit.Account, error)
	Group(ctx context.Context, id string) (audit.Group, error)
	// RoomLog lists a room's log from from to to, newest id first. Zero times are open ends.
	RoomLog(ctx context.Context, roomID string, from, to time.Time, startIndex, count int) (audit.LogPage, error)
	// FileFolder and FolderPlace are where a file or folder lies now.
	FileFolder(ctx context.Context, fileID string) (folderID string, err error)
	FolderPlace(ctx context.Context, folderID string) (audit.Place, error)
	// Decode makes an event of an item that came to quarantine, if this version can.
	Decode(item []byte) (audit.Event, error)
	Traffic() audit.Traffic
}

// Sink is the warehouse, locked for this run. It is used by one goroutine.
type Sink interface {
	StartRun(ctx context.Context, version string, startedAt, until time.Time) (runID int32, err error)
	FinishRun(ctx context.Context, result audit.RunResult) error

	// Bounds are how far back sync goes, zero before the first run, and up to
	// when the past is closed, zero if it is not.
	Bounds(ctx context.Context) (floor, closedUntil time.Time, err error)
	SetFloor(ctx context.Context, floor time.Time, oldest bool) error
	ClosePast(ctx context.Context, floor, backAt, now time.Time) error
	Gaps(ctx context.Context) ([]audit.Gap, error)
	// NewestEvent is the date of the newest event held, zero if there is none.
	NewestEvent(ctx context.Context) (time.Time, error)
	MissingSpans(ctx context.Context, since, until time.Time) ([]audit.Span, error)
	CommitWindows(ctx context.Context, b attribution.Batch) (audit.Committed, error)
	// Analyze tells the database that it has grown much.
	Analyze(ctx context.Context) error
	// Quarantined are the items that could not be decoded.
	Quarantined(ctx context.Context) ([]audit.Undecodable, error)
	// Release stores what such items have been decoded to.
	Release(ctx context.Context, b attribution.Batch, items []audit.Undecodable) (audit.Committed, error)
	// CheckSpans are the complete spans that end after since and have not been
	// checked since checkedBefore, cut to about maxRows rows each.
	CheckSpans(ctx context.Context, since, checkedBefore time.Time, maxRows int) ([]audit.Span, error)
	// CountHeld counts the rows held for a span, both ends included, and tells
	// since when none of it has been checked.
	CountHeld(ctx context.Context, span audit.Span) (rows int, checkedAt time.Time, err error)
	// Holds reports whether the event is here; audit.ErrRestored if its id is that of another act.
	Holds(ctx context.Context, e audit.Event) (bool, error)
	SetChecked(ctx context.Context, span audit.Span, at time.Time) error

	Tasks(ctx context.Context) (map[string]audit.Task, error)
	FinishTask(ctx context.Context, task string, at time.Time) error
	KnownRooms(ctx context.Context) ([]attribution.Room, error)
	PutRooms(ctx context.Context, rooms []audit.Room, at time.Time, known *attribution.Rooms) error
	PutAccounts(ctx context.Context, accounts []audit.Account, at time.Time) error
	// PutMembers and PutGroup store lists, that of a group read at readAt; a change that nothing
	// else dates counts as made at asOf. No room may be among the lists twice.
	PutMembers(ctx context.Context, lists []audit.RoomMembers, asOf time.Time) error
	PutGroup(ctx context.Context, group audit.Group, readAt, asOf time.Time) error
	// SetGroupTried notes that the portal gave no answer.
	SetGroupTried(ctx context.Context, groupID string, at time.Time) error
	// RoomsToAsk are the rooms whose members have not been asked for since
	// before, or not since an event that may have changed them.
	RoomsToAsk(ctx context.Context, before time.Time) ([]string, error)
	GroupsToAsk(ctx context.Context, before time.Time) ([]string, error)

	Evidence(ctx context.Context, events []*audit.Event) (attribution.Evidence, error)
	LogStates(ctx context.Context) ([]audit.LogState, error)
	// LastEdits are when something was last done in each room that its log may have.
	LastEdits(ctx context.Context) (map[string]time.Time, error)
	// PutLogs stores what logs say. No room may be among the turns twice. It returns of how many events
	// the logs confirmed and contradicted the title.
	PutLogs(ctx context.Context, turns []audit.LogTurn) (confirmed, contradicted int64, err error)
	// UnexplainedChanges are the changes of members for which the room's log has
	// not been asked, by room, newest first.
	UnexplainedChanges(ctx context.Context) (map[string][]audit.RoomEvent, error)
	// JudgeStale and JudgeEntries judge events anew whose title, or whose file or
	// folder, more has become known of. open tells what is left open of the events
	// judged since it was last called; it is stored with their answers.
	JudgeStale(ctx context.Context, judge func(audit.Event, []attribution.Sighting) attribution.Answer, open func() attribution.Open) error
	JudgeEntries(
		ctx context.Context, judge func(audit.Event, []attribution.Sighting) attribution.Answer,
		open func([]audit.Event, []attribution.Answer) attribution.Open,
	) error
	// EntriesToAsk are files and folders that only the portal can tell the room
	// of, or (destinations) folders that moves without a room went to.
	EntriesToAsk(ctx context.Context, destinations bool, at time.Time) ([]attribution.Entry, error)
	// PutEntry notes where an entry lies; SetEntryGone that there is none any more;
	// SetEntryRefused that the portal does not show it; SetEntryTried that it gave no answer.
	PutEntry(ctx context.Context, entry attribution.Entry, place audit.Place, at time.Time) error
	SetEntryGone(ctx context.Context, entry attribution.Entry, at time.Time) error
	SetEntryRefused(ctx context.Context, entry attribution.Entry, at, again time.Time) error
	SetEntryTried(ctx context.Context, entry attribution.Entry, at time.Time) error
	// UnsettledMoves are the moves and copies into rooms, by room, that their logs
	// have not been asked for; PlaceMoves places what can be, those asked for by
	// their numbers if need be.
	UnsettledMoves(ctx context.Context) (map[string][]audit.RoomEvent, error)
	PlaceMoves(ctx context.Context, asked map[audit.RoomMoment]bool) error
}

// oldest is where a first run's search for events ends: DocSpace is younger.
var oldest = time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)

// settle is how long before the portal's present a run stops. The portal writes
// events through a queue, so the last moments fill up late; two minutes make
// late events rare, and later checks find those that are later still.
const settle = 2 * time.Minute

// daily is after what time a daily task is due again. A run that somebody has
// scheduled daily comes a little early now and then.
const daily = 23 * time.Hour

// lastWords is how long after the end of its context a run may take to record that. What the
// sink was doing has a little less, so that the record comes after it.
const lastWords = 6 * time.Second

// muchNew is after how many new events the database's idea of its tables is wrong.
const muchNew = 50_000

// ErrIncomplete says that a run is done, but some data could not be had.
var ErrIncomplete = errors.New("some data could not be had")

// Options are the wishes for one run.
type Options struct {
	Version  string    // of roompulse, for the record
	Since    time.Time // zero: as far back as the warehouse goes, at first as far as the portal does
	Parallel int       // how many windows are read at once
	// RestoredAt is when the portal was back after it was restored or moved, zero if it was not.
	RestoredAt time.Time
	Now        func() time.Time // this machine's clock
	Logger     *slog.Logger
	// Progress is called after each commit, from the goroutine of Run. May be nil.
	Progress func(Progress)
}

// Progress is how far a run has come.
type Progress struct {
	Run     int32     // number of the run
	Task    string    // what is being read
	Events  int64     // read so far
	Total   int64     // about how many events there are to read, 0 if that is not known or not many
	Reached time.Time // the oldest instant from which on windows have been committed, zero at first
}

// Syncer runs one sync.
type Syncer struct {
	source Source
	sink   Sink
	opts   Options
	log    *slog.Logger

	rooms *attribution.Rooms
	until time.Time
	// bottom is where questions to the portal end: nothing older is asked for.
	bottom  time.Time
	earlier audit.Traffic // of the source before this run
	tasks   map[string]audit.Task
	result  audit.RunResult
	// portalNow is the portal's clock, as it was at the start plus the time passed.
	portalNow func() time.Time
	// unanswered counts the rooms, groups and entries in a row that got no answer.
	unanswered atomic.Int32
	// incomplete is why the run will end with ErrIncomplete, nil if it will not.
	incomplete error
	// total is about how many events there are to read, as far as that is known.
	total atomic.Int64
	// progress is what was last told.
	progress Progress
}

// New returns a Syncer for one run.
func New(source Source, sink Sink, opts Options) *Syncer {
	opts.Parallel = max(opts.Parallel, 1)
	return &Syncer{source: source, sink: sink, opts: opts, log: opts.Logger}
}

// Run brings the warehouse up to the portal's present. It returns what it did,
// also when it fails; windows that were committed before stay. ErrIncomplete
// means that all was done that can be done.
func (s *Syncer) Run(ctx context.Context) (audit.RunResult, error) {
	// The record of an interrupted run must land as well.
	recordCtx, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(lastWords, giveUp) })
	defer stop()
	began := time.Now()
	s.earlier = s.source.Traffic()
	now, err := s.source.Now(ctx)
	if err != nil {
		now = s.opts.Now().UTC()
	} else {
		s.until = s.end(ctx, now)
	}
	s.portalNow = func() time.Time { return now.Add(time.Since(began)) }
	run, recordErr := s.sink.StartRun(recordCtx, s.opts.Version, now, s.until)
	if recordErr != nil {
		return s.result, errors.Join(err, recordErr)
	}
	s.progress.Run = run
	s.log = s.log.With(slog.Int("run", int(run)))
	if err == nil {
		err = s.run(ctx)
	}
	s.finish(ctx, err)
	if recordErr := s.sink.FinishRun(recordCtx, s.result); recordErr != nil {
		err = errors.Join(err, recordErr)
	}
	return s.result, err
}

func (s *Syncer) run(ctx context.Context) error {
	if err := s.probe(ctx); err != nil {
		return err
	}
	since, err := s.since(ctx)
	if err != nil {
		return err
	}
	if !s.opts.RestoredAt.IsZero() {
		if since, err = s.closePast(ctx, since); err != nil {
			return err
		}
	}
	known, err := s.sink.KnownRooms(ctx)
	if err != nil {
		return err
	}
	s.rooms = attribution.NewRooms(known)
	// Before anything else is written: a restored portal is recognized here.
	if err := s.checkRecent(ctx); err != nil {
		return fmt.Errorf("look for late events: %w", err)
	}
	if err := s.releaseQuarantined(ctx); err != nil {
		return fmt.Errorf("decode quarantined items: %w", err)
	}
	if err := s.tolerate(s.readLists(ctx)); err != nil {
		return fmt.Errorf("read lists: %w", err)
	}
	missing, err := s.sink.MissingSpans(ctx, since, s.until)
	if err != nil {
		return err
	}
	if err := s.readWindows(ctx, missing); err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	if s.result.EventsNew > muchNew {
		if err := s.sink.Analyze(ctx); err != nil {
			return err
		}
	}
	if err := s.retryGaps(ctx); err != nil {
		return fmt.Errorf("try gaps again: %w", err)
	}
	if err := s.checkAll(ctx); err != nil {
		return fmt.Errorf("look for late events: %w", err)
	}
	if err := s.tolerate(s.readLists(ctx)); err != nil {
		return fmt.Errorf("read lists: %w", err)
	}
	if err := s.tolerate(s.findRooms(ctx)); err != nil {
		return fmt.Errorf("find the rooms of events: %w", err)
	}
	if s.result.Quarantined > 0 {
		return fmt.Errorf("%w: new in quarantine, not understood: %d of the audit trail's items", ErrIncomplete, s.result.Quarantined)
	}
	return s.incomplete
}

// releaseQuarantined stores the items that an earlier version could not decode
// and this one can.
func (s *Syncer) releaseQuarantined(ctx context.Context) error {
	held, err := s.sink.Quarantined(ctx)
	if err != nil {
		return err
	}
	var released []audit.Undecodable
	var read audit.ReadWindow
	for _, item := range held {
		if event, err := s.source.Decode(item.Body); err == nil {
			released = append(released, item)
			read.Events = append(read.Events, &event)
		}
	}
	if len(released) == 0 {
		return nil
	}
	batch, err := s.judge(ctx, read)
	if err != nil {
		return err
	}
	committed, err := s.sink.Release(ctx, batch, released)
	s.result.EventsNew += committed.NewEvents
	return err
}

// traffic is what this run has asked of the portal.
func (s *Syncer) traffic() audit.Traffic {
	total := s.source.Traffic()
	return audit.Traffic{
		Requests: total.Requests - s.earlier.Requests, Retries: total.Retries - s.earlier.Retries,
		Throttled: total.Throttled - s.earlier.Throttled,
	}
}

// finish sums the run up.
func (s *Syncer) finish(ctx context.Context, err error) {
	traffic := s.traffic()
	s.result.FinishedAt = s.portalNow()
	s.result.Requests, s.result.Retries, s.result.Throttled = int32(traffic.Requests), int32(traffic.Retries), int32(traffic.Throttled) //nolint:gosec // no run sends 2^31 requests
	switch {
	case err == nil:
		s.result.Outcome = audit.RunDone
		return
	case errors.Is(err, ErrIncomplete):
		s.result.Outcome = audit.RunIncomplete
	case ctx.Err() != nil:
		s.result.Outcome, s.result.Error = audit.RunInterrupted, "told to stop"
		return
	case errors.Is(err, audit.ErrRefused):
		s.result.Outcome = audit.RunRefused
	default:
		s.result.Outcome = audit.RunFailed
	}
	s.result.Error = err.Error()
}

// probe makes sure that the portal filters: without the audit option it answers
// any question with its twenty newest events.
func (s *Syncer) probe(ctx context.Context) error {
	_, err := s.events(ctx, audit.Span{From: oldest, To: s.until}, 0, 1)
	return err
}

// end is where a run stops. It goes by the portal's clock, which dates the
// events, but never beyond this machine's: a proxy may send another Date, and
// time that has not come would be taken for complete and silent.
func (s *Syncer) end(ctx context.Context, portalTime time.Time) time.Time {
	const suspicious = 5 * time.Minute
	local := s.opts.Now()
	if skew := portalTime.Sub(local).Abs(); skew > suspicious {
		s.log.WarnContext(ctx, "the portal's clock and this machine's differ; the earlier counts",
			slog.Time("portal", portalTime), slog.Time("here", local.UTC()))
	}
	return audit.Earlier(portalTime, local).UTC().Add(-settle).Truncate(time.Second)
}

// since is how far back this run goes, and moves the floor where it must.
func (s *Syncer) since(ctx context.Context) (time.Time, error) {
	floor, closed, err := s.sink.Bounds(ctx)
	if err != nil {
		return floor, err
	}
	s.bottom = audit.Later(oldest, closed)
	wish := s.opts.Since
	if !wish.After(oldest) { // nothing is older: no wish at all
		wish = time.Time{}
	}
	switch {
	case floor.IsZero() && wish.IsZero():
		return oldest, s.sink.SetFloor(ctx, oldest, true)
	case floor.IsZero(), !wish.IsZero() && wish.Before(floor):
		return audit.Later(wish, s.bottom), s.sink.SetFloor(ctx, wish, false)
	case wish.IsZero():
		return audit.Later(floor, s.bottom), nil
	}
	return audit.Later(wish, s.bottom), nil
}

// closePast is what --after-restore does before the run goes on as usual, with
// other bounds.
func (s *Syncer) closePast(ctx context.Context, since time.Time) (time.Time, error) {
	if err := s.sink.ClosePast(ctx, since, s.opts.RestoredAt, s.until); err != nil {
		return since, fmt.Errorf("close the past: %w", err)
	}
	return s.since(ctx)
}

// retryGaps tries once a day to read what would not close before.
func (s *Syncer) retryGaps(ctx context.Context) error {
	if !s.isDue(audit.TaskGaps) {
		return nil
	}
	gaps, err := s.sink.Gaps(ctx)
	if err != nil {
		return err
	}
	var spans []audit.Span
	for _, gap := range gaps {
		if !gap.Lost && !gap.From.Before(s.bottom) {
			spans = append(spans, gap.Span)
		}
	}
	if err := s.readWindows(ctx, spans); err != nil {
		return err
	}
	return s.finishTask(ctx, audit.TaskGaps, s.until)
}

func (s *Syncer) tell(task string) {
	s.progress.Task, s.progress.Events, s.progress.Total = task, s.result.EventsListed, s.total.Load()
	if s.opts.Progress != nil {
		s.opts.Progress(s.progress)
	}
}
