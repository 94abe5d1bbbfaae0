package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"roompulse/db"
	"roompulse/internal/attribution"
	"roompulse/internal/audit"
)

// Advisory locks are two numbers: one of these, and the portal's id. Numbers
// are never given a new meaning.
const (
	lockPortals int32 = 7300 // making a portal; its second number is 0
	lockSync    int32 = 7301 // writing a portal's data
	lockRemind  int32 = 7302 // sending reminders to people of a portal
	lockRoles   int32 = 7303 // roles and what they may do; its second number is 0
)

// Writer writes the data of one portal. It holds the portal's lock on the one
// connection that it writes with: who loses the lock cannot write any more.
// It is for one goroutine.
type Writer struct {
	Portal Portal

	pool  *pgxpool.Pool
	conn  *pgxpool.Conn
	pid   uint32
	q     *db.Queries
	keys  keys
	runID int32
	// folders are known until more is, nil if they have to be read
	folders *attribution.Folders
}

// OpenWriter takes the lock of the portal at host, and adds the portal if it is
// new: then ownerID is asked for the account id of its owner. It returns
// ErrLocked if somebody else holds the lock and ErrPortalMoved if the owner
// is known from another host.
func (s *Store) OpenWriter(ctx context.Context, host string, ownerID func(context.Context) (string, error), now time.Time) (*Writer, error) {
	portal, err := s.Portal(ctx, host)
	if errors.Is(err, ErrNoPortal) {
		var owner string
		if owner, err = ownerID(ctx); err == nil {
			portal, err = s.addPortal(ctx, host, owner, now)
		}
	}
	if err != nil {
		return nil, err
	}
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, explainConnect(err)
	}
	w := &Writer{Portal: portal, pool: s.pool, conn: conn, pid: conn.Conn().PgConn().PID(), q: db.New(conn), keys: newKeys()}
	if err := lockPortal(ctx, w.conn, w.pid, lockSync, w.Portal, "a sync or a repair is running"); err != nil {
		w.drop()
		return nil, err
	}
	return w, nil
}

// addPortal adds a portal, unless somebody else has just done so.
func (s *Store) addPortal(ctx context.Context, host, ownerID string, now time.Time) (Portal, error) {
	var portal Portal
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		q := s.q.WithTx(tx)
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1, 0)", lockPortals); err != nil {
			return fmt.Errorf("lock the list of portals: %w", err)
		}
		known, err := q.GetPortalByOwner(ctx, ownerID)
		switch {
		case err == nil && known.Host == host:
			portal = toPortal(known)
			return nil
		case err == nil:
			return fmt.Errorf("%w: the owner of %s is the owner of %s; if the portal has moved, run `roompulse portal rename %s %s`",
				ErrPortalMoved, host, known.Host, known.Host, host)
		case !errors.Is(err, pgx.ErrNoRows):
			return fmt.Errorf("look up the portal's owner: %w", err)
		}
		added, err := q.CreatePortal(ctx, db.CreatePortalParams{Host: host, OwnerAccountID: ownerID, CreatedAt: now})
		if err != nil {
			return fmt.Errorf("add portal %s: %w", host, err)
		}
		portal = toPortal(added)
		return nil
	})
	return portal, err
}

// lockPortal takes a lock of a portal for as long as the connection lives. pid is
// the server process that the connection was made to.
func lockPortal(ctx context.Context, conn *pgxpool.Conn, pid uint32, lock int32, p Portal, busy string) error {
	var answered uint32
	if err := conn.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&answered); err != nil {
		return fmt.Errorf("look at the connection: %w", err)
	}
	if answered != pid { // what answered is not what we connected to
		return fmt.Errorf("%w, which cannot hold a lock: let DATABASE_URL name the server itself, or a pool in session mode", ErrPooled)
	}
	var locked bool
	if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1, $2)", lock, p.ID).Scan(&locked); err != nil {
		return fmt.Errorf("lock portal %s: %w", p.Host, err)
	}
	if !locked {
		return fmt.Errorf("%w of portal %s: %s", ErrLocked, p.Host, busy)
	}
	return nil
}

// Explain says of an error what it means if the connection has broken.
func (w *Writer) Explain(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || !w.conn.Conn().IsClosed() {
		return err
	}
	return fmt.Errorf("%w any more, it ended the connection or the line broke; what was committed before stays, and the next sync goes on from there: %w",
		ErrUnreachable, err)
}

// Close gives the lock back.
func (w *Writer) Close() { w.drop() }

// drop ends the connection instead of pooling it: that frees the lock
// whatever state the session is in.
func (w *Writer) drop() {
	if w.conn == nil {
		return
	}
	dropConn(w.conn)
	w.conn = nil
}

// dropConn ends a connection that holds a lock.
func dropConn(pooled *pgxpool.Conn) {
	conn := pooled.Hijack()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	// The server notices the end of a connection a moment later; the next run
	// may come sooner. A broken connection has lost its lock already.
	_, _ = conn.Exec(ctx, "SELECT pg_advisory_unlock_all()")
	_ = conn.Close(ctx)
}

// lastWords is how long a transaction may go on after its context is
// cancelled: one that has begun is brought to its end, since breaking it off
// would cost the connection and with it the record of the interruption. A server that
// hangs must not keep the program from ending within ten seconds: see cancelDelay too.
const lastWords = 5 * time.Second

// inTx runs f in one transaction. If it fails, what was learned of keys in it is forgotten.
func (w *Writer) inTx(ctx context.Context, f func(ctx context.Context, q *db.Queries) error) error {
	return w.inPipeline(ctx, func(ctx context.Context, p *pipeline) error { return f(ctx, db.New(p)) })
}

// inPipeline is inTx for who copies events.
func (w *Writer) inPipeline(ctx context.Context, f func(ctx context.Context, p *pipeline) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := outlive(ctx, lastWords)
	defer cancel()
	err := inPipeline(ctx, w.conn.Conn(), func(p *pipeline) error { return f(ctx, p) })
	if err != nil {
		w.keys = newKeys()
	}
	return err
}

// outlive returns a context that is cancelled a while after its parent.
func outlive(parent context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(parent))
	stop := context.AfterFunc(parent, func() { time.AfterFunc(d, cancel) })
	return ctx, func() { stop(); cancel() }
}

// deadRun is what is said of a run whose process is gone.
const deadRun = "the process ended without a word"

// StartRun records that a run begins and returns its number. until is the end of
// what it will ask for, zero if the portal did not even tell its time.
func (w *Writer) StartRun(ctx context.Context, version string, startedAt, until time.Time) (runID int32, err error) {
	if err := w.q.EndDeadRuns(ctx, db.EndDeadRunsParams{PortalID: w.Portal.ID, Error: deadRun}); err != nil {
		return 0, fmt.Errorf("record the end of a run that died: %w", err)
	}
	w.runID, err = w.q.StartRun(ctx, db.StartRunParams{
		PortalID: w.Portal.ID, Version: version, StartedAt: startedAt, UntilAt: nullTime(until),
	})
	if err != nil {
		return 0, fmt.Errorf("record the start of the run: %w", err)
	}
	return w.runID, nil
}

// FinishRun records how the run that StartRun began has ended, also if it lost its connection.
func (w *Writer) FinishRun(ctx context.Context, r audit.RunResult) error {
	q := w.q
	if w.conn.Conn().IsClosed() {
		q = db.New(w.pool)
	}
	err := q.FinishRun(ctx, db.FinishRunParams{
		PortalID: w.Portal.ID, RunID: w.runID, FinishedAt: r.FinishedAt, Outcome: string(r.Outcome), Error: r.Error,
		Requests: r.Requests, Retries: r.Retries, Throttled: r.Throttled, Windows: r.Windows,
		EventsListed: r.EventsListed, EventsNew: r.EventsNew, EventsLate: r.EventsLate,
		MaxLateSeconds: int64(r.MaxLate / time.Second), Quarantined: r.Quarantined,
		TitlesConfirmed: r.TitlesConfirmed, TitlesContradicted: r.TitlesContradicted,
	})
	if err != nil {
		return fmt.Errorf("record the end of the run: %w", err)
	}
	return nil
}

// Bounds returns how far back sync goes, zero before the first run, and up to
// when the past is closed, zero if it is not.
func (w *Writer) Bounds(ctx context.Context) (floor, closedUntil time.Time, err error) {
	row, err := w.q.GetPortalByHost(ctx, w.Portal.Host)
	if err != nil {
		return floor, closedUntil, fmt.Errorf("read the portal: %w", err)
	}
	return zeroTime(row.FloorAt), zeroTime(row.ClosedUntil), nil
}

// SetFloor sets how far back sync goes. oldest says that it is as far as the
// portal goes, not an administrator's wish.
func (w *Writer) SetFloor(ctx context.Context, floor time.Time, oldest bool) error {
	err := w.q.SetPortalFloor(ctx, db.SetPortalFloorParams{PortalID: w.Portal.ID, FloorAt: floor, FloorIsOldest: oldest})
	if err != nil {
		return fmt.Errorf("set the floor: %w", err)
	}
	return nil
}

// ClosePast closes what is older than the newest event held: the portal was
// restored or moved, came back at backAt, and lists its past under new ids. What of
// the past is missing is lost, and so is what happened between the end of
// complete data and backAt.
func (w *Writer) ClosePast(ctx context.Context, floor, backAt, now time.Time) error {
	return w.inTx(ctx, func(ctx context.Context, q *db.Queries) error {
		// What is newer came after the restore, by a run that was told of it before.
		newest, err := q.GetNewestEventBefore(ctx, db.GetNewestEventBeforeParams{PortalID: w.Portal.ID, Before: backAt})
		if err != nil {
			return fmt.Errorf("read the date of the newest event: %w", err)
		}
		closed := backAt
		if !newest.IsZero() {
			closed = newest.UTC().Truncate(time.Second).Add(time.Second)
		}
		lost, err := w.missingSpans(ctx, q, floor, backAt)
		if err != nil {
			return err
		}
		for _, span := range lost {
			cause := "the portal was restored or moved and was back at " + backAt.Format(time.RFC3339)
			if err := w.addGap(ctx, q, audit.Gap{Span: span, Cause: cause, FoundAt: now, Lost: true}); err != nil {
				return err
			}
		}
		if err := q.SetPortalClosed(ctx, db.SetPortalClosedParams{PortalID: w.Portal.ID, ClosedUntil: closed}); err != nil {
			return fmt.Errorf("close the past: %w", err)
		}
		return nil
	})
}

// NewestEvent returns the date of the newest event held, zero if there is none.
func (w *Writer) NewestEvent(ctx context.Context) (time.Time, error) {
	return newestEvent(ctx, w.q, w.Portal)
}

func newestEvent(ctx context.Context, q *db.Queries, p Portal) (time.Time, error) {
	newest, err := q.GetNewestEvent(ctx, p.ID)
	if err != nil {
		return newest, fmt.Errorf("read the date of the newest event: %w", err)
	}
	return newest.UTC(), nil
}

// MissingSpans returns what of [since, until) is neither complete nor a known
// gap, newest first.
func (w *Writer) MissingSpans(ctx context.Context, since, until time.Time) ([]audit.Span, error) {
	return w.missingSpans(ctx, w.q, since, until)
}

func (w *Writer) missingSpans(ctx context.Context, q *db.Queries, since, until time.Time) ([]audit.Span, error) {
	if !since.Before(until) {
		return nil, nil
	}
	rows, err := q.ListMissingSpans(ctx, db.ListMissingSpansParams{PortalID: w.Portal.ID, Since: since, Until: until})
	if err != nil {
		return nil, fmt.Errorf("read what is missing: %w", err)
	}
	return toSpans(rows, func(r db.ListMissingSpansRow) (time.Time, time.Time) { return r.SpanFrom, r.SpanTo }), nil
}

// Tasks returns when the tasks that are not done on every run were last done,
// and what has called for them.
func (w *Writer) Tasks(ctx context.Context) (map[string]audit.Task, error) {
	rows, err := w.q.ListTasks(ctx, w.Portal.ID)
	if err != nil {
		return nil, fmt.Errorf("read when tasks were done: %w", err)
	}
	tasks := make(map[string]audit.Task, len(rows))
	for _, row := range rows {
		tasks[row.Task] = audit.Task{DoneAt: zeroTime(row.DoneAt), WantedAt: zeroTime(row.WantedAt)}
	}
	return tasks, nil
}

// FinishTask records that a task was done as of the given time.
func (w *Writer) FinishTask(ctx context.Context, task string, at time.Time) error {
	if err := w.q.FinishTask(ctx, db.FinishTaskParams{PortalID: w.Portal.ID, Task: task, DoneAt: at}); err != nil {
		return fmt.Errorf("record that %s was done: %w", task, err)
	}
	return nil
}

// Analyze brings the planner's statistics of roompulse's own tables up to date:
// others may share the database. The server does so by
// itself as well, but up to minutes after a backfill, and until then it reads
// whole tables for a few events.
func (w *Writer) Analyze(ctx context.Context) error {
	if _, err := w.conn.Exec(ctx, "ANALYZE audit_event, context, kind, client, page, account, room, entry, entry_event, entry_move, entry_sighting, "+
		"room_day, room_last, account_day, account_last, event_hour, event_day"); err != nil {
		return fmt.Errorf("analyze the tables: %w", err)
	}
	return nil
}

// putCalls notes the lists that events have made stale, so that they are read
// again even if the run ends before it comes to that.
func (w *Writer) putCalls(ctx context.Context, q *db.Queries, calls attribution.Calls) error {
	for task, at := range map[string]time.Time{
		audit.TaskRooms: calls.Rooms, audit.TaskAccounts: calls.Accounts, audit.TaskGroups: calls.Groups,
	} {
		if at.IsZero() {
			continue
		}
		if err := q.WantTask(ctx, db.WantTaskParams{PortalID: w.Portal.ID, Task: task, WantedAt: at}); err != nil {
			return fmt.Errorf("note that the list of %s is stale: %w", task, err)
		}
	}
	if len(calls.Members) == 0 {
		return nil
	}
	arg := db.WantRoomMembersParams{PortalID: w.Portal.ID}
	for id, last := range calls.Members {
		arg.RoomKeys = append(arg.RoomKeys, w.keys.rooms[roomID{id: id}])
		arg.UnexplainedAt = append(arg.UnexplainedAt, calls.Unexplained[id])
		arg.LastAt = append(arg.LastAt, last)
	}
	if err := q.WantRoomMembers(ctx, arg); err != nil {
		return fmt.Errorf("note that lists of members are stale: %w", err)
	}
	return nil
}

func (w *Writer) addGap(ctx context.Context, q *db.Queries, gap audit.Gap) error {
	err := q.AddGap(ctx, db.AddGapParams{
		PortalID: w.Portal.ID, GapFrom: gap.From, GapTo: gap.To, IsLost: gap.Lost, Cause: gap.Cause, FoundAt: gap.FoundAt,
	})
	if err != nil {
		return fmt.Errorf("record a gap: %w", err)
	}
	return nil
}

// Gaps returns the gaps of the portal.
func (w *Writer) Gaps(ctx context.Context) ([]audit.Gap, error) { return gaps(ctx, w.q, w.Portal) }
