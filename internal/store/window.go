package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"roompulse/db"
	"roompulse/internal/attribution"
	"roompulse/internal/audit"
)

// CommitWindows stores windows that were read whole: their events, what they tell
// of rooms, the rollups and the windows themselves, or nothing of it. Windows that
// were complete before only get what is new; one with a GapCause becomes a gap.
// audit.ErrRestored means that the portal gives known ids to other events, or
// does not list known ones any more.
func (w *Writer) CommitWindows(ctx context.Context, b attribution.Batch) (audit.Committed, error) {
	if err := w.addUnknownActions(ctx, b.Events); err != nil {
		return audit.Committed{}, err
	}
	var committed audit.Committed
	err := w.inPipeline(ctx, func(ctx context.Context, p *pipeline) (err error) {
		if committed, err = w.commitEvents(ctx, p, b); err != nil {
			return err
		}
		q := db.New(p)
		for _, window := range b.Windows {
			if err := w.putWindow(ctx, q, window, b.Late); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return audit.Committed{}, fmt.Errorf("commit events of %s: %w", namesOf(b.Windows), err)
	}
	return committed, nil
}

// namesOf names the spans of windows.
func namesOf(windows []audit.ReadWindow) string {
	names := make([]string, len(windows))
	for i, window := range windows {
		names[i] = window.From.Format(time.RFC3339) + " to " + window.To.Format(time.RFC3339)
	}
	return strings.Join(names, ", ")
}

// putWindow records that a window was read.
func (w *Writer) putWindow(ctx context.Context, q *db.Queries, window audit.ReadWindow, late bool) error {
	switch {
	case window.GapCause != "":
		if err := w.cutWindows(ctx, q, window.Span); err != nil {
			return err
		}
		return w.addGap(ctx, q, audit.Gap{Span: window.Span, Cause: window.GapCause, FoundAt: window.ReadAt})
	case late:
		return w.setLate(ctx, q, window)
	}
	return w.addWindow(ctx, q, window)
}

// commitEvents stores events, what they tell of rooms, and the rollups.
func (w *Writer) commitEvents(ctx context.Context, p *pipeline, b attribution.Batch) (c audit.Committed, err error) {
	q := db.New(p)
	if err := w.resolveKeys(ctx, q, b); err != nil {
		return c, err
	}
	fresh, err := w.compareHeld(ctx, q, b.Events)
	if err != nil {
		return c, err
	}
	if c, err = w.addEvents(ctx, p, b, fresh); err != nil {
		return c, err
	}
	if len(b.Logged) > 0 {
		if err := q.DeletePendingHistory(ctx, db.DeletePendingHistoryParams{PortalID: w.Portal.ID, EventIDs: b.Logged}); err != nil {
			return c, fmt.Errorf("forget log entries that waited for events: %w", err)
		}
	}
	for _, window := range b.Windows {
		added, err := w.quarantine(ctx, q, window)
		if err != nil {
			return c, err
		}
		c.NewItems += added
	}
	return c, w.putRoomUpdates(ctx, q, b)
}

// quarantine keeps the items of a window that could not be decoded, and returns how many of them are new.
func (w *Writer) quarantine(ctx context.Context, q *db.Queries, window audit.ReadWindow) (added int32, err error) {
	for _, item := range window.Undecodable {
		n, err := q.AddQuarantined(ctx, db.AddQuarantinedParams{
			PortalID: w.Portal.ID, SHA256: item.SHA256[:], Body: strings.ToValidUTF8(string(item.Body), "\uFFFD"),
			Reason: item.Reason, RunID: w.runID, WindowFrom: window.From, WindowTo: window.To,
		})
		if err != nil {
			return added, fmt.Errorf("quarantine an item: %w", err)
		}
		if n > 0 {
			added++
			continue
		}
		err = q.NarrowQuarantined(ctx, db.NarrowQuarantinedParams{
			PortalID: w.Portal.ID, SHA256: item.SHA256[:], WindowFrom: window.From, WindowTo: window.To,
		})
		if err != nil {
			return added, fmt.Errorf("note another window of a quarantined item: %w", err)
		}
	}
	return added, nil
}

// compareHeld returns the indexes of the events that are not held yet, by
// rising id. It makes sure that those held are the same acts, and gives them the
// earlier of two dates.
func (w *Writer) compareHeld(ctx context.Context, q *db.Queries, events []*audit.Event) (fresh []int, err error) {
	order := make([]int, len(events))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(events[a].ID, events[b].ID), events[a].At.Compare(events[b].At))
	})
	ids := make([]int64, 0, len(events))
	listed := make(map[int64]*audit.Event, len(events))
	for _, i := range order {
		e := events[i]
		twin := listed[e.ID]
		if twin == nil {
			listed[e.ID] = e
			ids, fresh = append(ids, e.ID), append(fresh, i)
			continue
		}
		if twin.ActorID != e.ActorID || twin.Kind.ActionID != e.Kind.ActionID || !sameDate(twin.At, e.At) {
			return nil, otherAct(e.ID)
		}
	}
	held, err := w.listHeld(ctx, q, ids)
	if err != nil {
		return nil, fmt.Errorf("look for events that are held: %w", err)
	}
	if len(held) == 0 {
		return fresh, nil
	}
	var moves []change
	for _, row := range held {
		e := listed[row.EventID]
		if row.AccountKey != w.keys.accounts[e.ActorID].key || row.ActionID != e.Kind.ActionID || !sameDate(row.OccurredAt, e.At) {
			return nil, otherAct(e.ID)
		}
		if e.At.Before(row.OccurredAt) {
			was := placeOf(row)
			moves = append(moves, change{was, was.place, e.At})
		}
		delete(listed, row.EventID)
	}
	fresh = slices.DeleteFunc(fresh, func(i int) bool { return listed[events[i].ID] == nil })
	return fresh, w.moveEarlier(ctx, q, moves)
}

// listHeld returns those of the ids, which are in order, that are held. Neighbours in
// a new window are hardly ever: it asks for ranges before it looks for each.
func (w *Writer) listHeld(ctx context.Context, q *db.Queries, ids []int64) ([]db.ListEventsByIDRow, error) {
	const rangeIDs = 50
	arg := db.ListRangesHeldParams{PortalID: w.Portal.ID}
	ranges := map[int64][]int64{}
	for part := range slices.Chunk(ids, rangeIDs) {
		ranges[part[0]] = part
		arg.FirstIDs = append(arg.FirstIDs, part[0])
		arg.LastIDs = append(arg.LastIDs, part[len(part)-1])
	}
	firsts, err := q.ListRangesHeld(ctx, arg)
	if err != nil || len(firsts) == 0 {
		return nil, err
	}
	var unsure []int64
	for _, first := range firsts {
		unsure = append(unsure, ranges[first]...)
	}
	return q.ListEventsByID(ctx, db.ListEventsByIDParams{PortalID: w.Portal.ID, EventIDs: unsure})
}

// moveEarlier moves events that are held with a later date than the window
// gives them: when they were stored it was not known yet that the portal lists
// them late. The other way round the held date is the better one.
func (w *Writer) moveEarlier(ctx context.Context, q *db.Queries, moves []change) error {
	if len(moves) == 0 {
		return nil
	}
	arg := db.MoveEventsParams{PortalID: w.Portal.ID}
	for _, m := range moves {
		arg.EventIDs = append(arg.EventIDs, m.id)
		arg.MovedTo = append(arg.MovedTo, m.movedTo)
	}
	titles, err := q.MoveEvents(ctx, arg)
	if err != nil {
		return fmt.Errorf("move events: %w", err)
	}
	if err := w.recount(ctx, q, moves); err != nil {
		return err
	}
	// Another room may have borne a title then.
	return w.setContextsStale(ctx, q, slices.DeleteFunc(titles, func(t string) bool { return t == "" }))
}

// addEvents stores the events of the given indexes, which are in rising id (a
// listed, falling order makes the primary key nearly twice as large), and adds
// them to the rollups. The key refuses events that are held, so that nothing is
// ever counted twice.
func (w *Writer) addEvents(ctx context.Context, p *pipeline, b attribution.Batch, fresh []int) (c audit.Committed, err error) {
	if len(fresh) == 0 {
		return c, nil
	}
	counted := newTally()
	next := func() (row db.CopyEventsParams, ok bool) {
		if len(fresh) == 0 {
			return row, false
		}
		i := fresh[0]
		fresh = fresh[1:]
		row = w.eventRow(b.Events[i], b.Answers[i], b.Classes[i])
		counted.add(&row)
		if c.OldestNew.IsZero() || row.OccurredAt.Before(c.OldestNew) {
			c.OldestNew = row.OccurredAt
		}
		return row, true
	}
	if c.NewEvents, err = p.copyEvents(ctx, next); err != nil {
		return c, fmt.Errorf("copy events: %w", err)
	}
	return c, w.addToRollups(ctx, db.New(p), counted)
}

// Quarantined returns the items that could not be decoded.
func (w *Writer) Quarantined(ctx context.Context) ([]audit.Undecodable, error) {
	rows, err := w.q.ListQuarantined(ctx, w.Portal.ID)
	if err != nil {
		return nil, fmt.Errorf("read quarantine: %w", err)
	}
	items := make([]audit.Undecodable, len(rows))
	for i, row := range rows {
		items[i] = audit.Undecodable{SHA256: [32]byte(row.SHA256), Body: []byte(row.Body)}
	}
	return items, nil
}

// Release stores what quarantined items have been decoded to, and takes them
// out of quarantine.
func (w *Writer) Release(ctx context.Context, b attribution.Batch, items []audit.Undecodable) (c audit.Committed, err error) {
	if err := w.addUnknownActions(ctx, b.Events); err != nil {
		return c, err
	}
	hashes := make([][]byte, len(items))
	for i := range items {
		hashes[i] = items[i].SHA256[:]
	}
	err = w.inPipeline(ctx, func(ctx context.Context, p *pipeline) (err error) {
		if c, err = w.commitEvents(ctx, p, b); err != nil {
			return err
		}
		return db.New(p).DeleteQuarantined(ctx, db.DeleteQuarantinedParams{PortalID: w.Portal.ID, Hashes: hashes})
	})
	if err != nil {
		return audit.Committed{}, fmt.Errorf("release items from quarantine: %w", err)
	}
	return c, nil
}

// cutWindows takes a span out of the windows that are complete: rows have come
// late into it, and it is not whole any more.
func (w *Writer) cutWindows(ctx context.Context, q *db.Queries, span audit.Span) error {
	if err := q.CutWindowsAfter(ctx, db.CutWindowsAfterParams{PortalID: w.Portal.ID, GapTo: span.To}); err != nil {
		return fmt.Errorf("keep what follows the gap: %w", err)
	}
	inside := db.DropWindowsInsideParams{PortalID: w.Portal.ID, GapFrom: span.From, GapTo: span.To}
	if err := q.DropWindowsInside(ctx, inside); err != nil {
		return fmt.Errorf("take the gap out: %w", err)
	}
	if err := q.CutWindowsBefore(ctx, db.CutWindowsBeforeParams{PortalID: w.Portal.ID, GapFrom: span.From}); err != nil {
		return fmt.Errorf("keep what precedes the gap: %w", err)
	}
	if err := q.CutComplete(ctx, db.CutCompleteParams{PortalID: w.Portal.ID, Since: span.From, Until: span.To}); err != nil {
		return fmt.Errorf("take the gap out of what is complete: %w", err)
	}
	return nil
}

func (w *Writer) setLate(ctx context.Context, q *db.Queries, window audit.ReadWindow) error {
	held, err := q.CountEventsBetween(ctx, db.CountEventsBetweenParams{PortalID: w.Portal.ID, Since: window.From, Until: window.To})
	if err != nil {
		return fmt.Errorf("count what is held: %w", err)
	}
	if gone := int(held) - len(window.Events); gone > 0 {
		return fmt.Errorf("%w: it does not list %d events that are held", audit.ErrRestored, gone)
	}
	return w.setChecked(ctx, q, window.Span, window.ReadAt)
}

// SetChecked records that the windows inside the span have been checked for late events.
func (w *Writer) SetChecked(ctx context.Context, span audit.Span, at time.Time) error {
	return w.setChecked(ctx, w.q, span, at)
}

func (w *Writer) setChecked(ctx context.Context, q *db.Queries, span audit.Span, at time.Time) error {
	err := q.SetWindowsChecked(ctx, db.SetWindowsCheckedParams{PortalID: w.Portal.ID, CheckedAt: at, Since: span.From, Until: span.To})
	if err != nil {
		return fmt.Errorf("record that windows were checked: %w", err)
	}
	return nil
}

// CheckSpans returns the complete spans that end after since and have not been
// read or checked since checkedBefore, cut at the edges of windows to about
// maxRows rows each, newest first.
func (w *Writer) CheckSpans(ctx context.Context, since, checkedBefore time.Time, maxRows int) ([]audit.Span, error) {
	windows, err := w.q.ListWindowsSince(ctx, db.ListWindowsSinceParams{PortalID: w.Portal.ID, Since: since, CheckedBefore: checkedBefore})
	if err != nil {
		return nil, fmt.Errorf("read windows to check: %w", err)
	}
	var spans []audit.Span
	rows := 0
	for _, window := range windows {
		rows += int(window.Rows)
		last := len(spans) - 1
		if last >= 0 && rows <= maxRows && spans[last].From.Equal(window.WindowTo) {
			spans[last].From = window.WindowFrom.UTC()
			continue
		}
		rows = int(window.Rows)
		spans = append(spans, audit.Span{From: window.WindowFrom.UTC(), To: window.WindowTo.UTC()})
	}
	return spans, nil
}

// CountHeld counts the rows that are held for a span, both ends included, and
// tells when the part of it that has waited longest was last checked.
func (w *Writer) CountHeld(ctx context.Context, span audit.Span) (rows int, checkedAt time.Time, err error) {
	held, err := w.q.CountHeld(ctx, db.CountHeldParams{PortalID: w.Portal.ID, Since: span.From, Until: span.To})
	if err != nil {
		return 0, checkedAt, fmt.Errorf("count events of %s to %s: %w", span.From.Format(time.RFC3339), span.To.Format(time.RFC3339), err)
	}
	return int(held.Held), held.CheckedAt.UTC(), nil
}

// Holds reports whether the event is here; audit.ErrRestored if its id is that
// of another act.
func (w *Writer) Holds(ctx context.Context, e audit.Event) (bool, error) {
	held, err := w.q.GetIdentity(ctx, db.GetIdentityParams{PortalID: w.Portal.ID, EventID: e.ID})
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look up event %d: %w", e.ID, err)
	}
	if held.AccountID != e.ActorID || held.ActionID != e.Kind.ActionID || !sameDate(held.OccurredAt, e.At) {
		return false, otherAct(e.ID)
	}
	return true, nil
}

// sameDate reports whether two dates of an event are the same but for the hour,
// or half of it, of a clock change.
func sameDate(a, b time.Time) bool {
	d := a.Sub(b).Abs()
	return d == 0 || d == 30*time.Minute || d == time.Hour
}

func otherAct(eventID int64) error {
	return fmt.Errorf("%w: event %d is held as another act than the portal lists now", audit.ErrRestored, eventID)
}

func (w *Writer) addWindow(ctx context.Context, q *db.Queries, window audit.ReadWindow) error {
	err := q.AddWindow(ctx, db.AddWindowParams{
		PortalID: w.Portal.ID, WindowFrom: window.From, WindowTo: window.To, Rows: int32(window.Rows), //nolint:gosec // a window has thousands of rows
		ReadAt: window.ReadAt, RunID: w.runID,
	})
	if err != nil {
		return fmt.Errorf("record the window: %w", err)
	}
	if err := q.AddComplete(ctx, db.AddCompleteParams{PortalID: w.Portal.ID, Since: window.From, Until: window.To}); err != nil {
		return fmt.Errorf("add the window to what is complete: %w", err)
	}
	if err := q.CloseGaps(ctx, db.CloseGapsParams{PortalID: w.Portal.ID, Since: window.From, Until: window.To, ClosedAt: window.ReadAt}); err != nil {
		return fmt.Errorf("close gaps in the window: %w", err)
	}
	return nil
}

// resolveKeys makes sure that keys has all values of the events and all rooms.
func (w *Writer) resolveKeys(ctx context.Context, q *db.Queries, b attribution.Batch) error {
	if err := w.resolveDimensions(ctx, q, b.Events); err != nil {
		return err
	}
	rooms := map[roomID]bool{}
	for _, a := range b.Answers {
		if a.RoomID != "" {
			rooms[roomID{a.RoomID, a.Unresolved()}] = true
		}
	}
	for _, r := range b.Rooms {
		rooms[roomID{id: r.Room.ID}] = true
	}
	for id := range b.LogsFrom {
		rooms[roomID{id: id}] = true
	}
	return w.roomKeys(ctx, q, rooms)
}

// eventRow is an event with its values replaced by keys.
func (w *Writer) eventRow(e *audit.Event, a attribution.Answer, class audit.Class) db.CopyEventsParams {
	account := w.keys.accounts[e.ActorID]
	row := db.CopyEventsParams{
		PortalID: w.Portal.ID, RunID: w.runID, EventID: e.ID, OccurredAt: e.At,
		AccountKey: account.key, KindKey: w.keys.kinds[e.Kind], ClientKey: w.keys.clients[e.Client],
		Class: int16(class), RoomSource: int16(a.Source), Description: nullText(e.Text), Extra: e.Extra,
	}
	if e.Page.Valid {
		row.PageKey = nullable(w.keys.pages[e.Page.String], true)
	}
	if e.Context.Valid {
		row.ContextKey = nullable(w.keys.contexts[e.Context.String], true)
	}
	if a.RoomID != "" {
		row.RoomKey = nullable(w.keys.rooms[roomID{a.RoomID, a.Unresolved()}], true)
	}
	if e.Target != nil {
		row.Target = nullable(strings.Join(e.Target, ","), true)
	}
	if e.ActorName != account.name {
		row.ActorName = &e.ActorName
	}
	return row
}

// addUnknownActions writes outside the window's transaction: action is shared by all portals.
func (w *Writer) addUnknownActions(ctx context.Context, events []*audit.Event) error {
	unknown := map[int32]bool{}
	for i := range events {
		if kind := events[i].Kind; w.keys.kinds[kind] == 0 {
			if _, ok := audit.LookupAction(kind.ActionID); !ok {
				unknown[kind.ActionID] = true
			}
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	if err := w.q.AddUnknownActions(ctx, slices.Sorted(maps.Keys(unknown))); err != nil {
		return fmt.Errorf("add unknown actions: %w", err)
	}
	return nil
}
