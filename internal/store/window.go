package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"roompulse/db"
	"roompulse/internal/attribution"
	"roompulse/internal/audit"
)

// CommitWindow stores a window that was read whole: its events, what they tell
// of rooms, the rollups and the window itself, or nothing of it. It returns
// how many events and quarantined items were new. A complete window is counted as such;
// one second that would not close becomes a gap instead.
func (w *Writer) CommitWindow(ctx context.Context, b attribution.Batch) (newEvents int64, newItems int32, err error) {
	if err := w.addUnknownActions(ctx, b.Events); err != nil {
		return 0, 0, err
	}
	err = w.inTx(ctx, func(ctx context.Context, q *db.Queries) error {
		newEvents, newItems = 0, 0
		if err := w.stage(ctx, q, b); err != nil {
			return err
		}
		changed, err := q.ListChangedIdentities(ctx, w.Portal.ID)
		if err != nil {
			return fmt.Errorf("compare with known events: %w", err)
		}
		if len(changed) > 0 {
			return fmt.Errorf("%w: event %d of %s is held as another act than the portal now lists; if it was restored or moved, "+
				"see `roompulse sync --after-restore`", ErrRestored, changed[0], w.Portal.Host)
		}
		newEvents, err = q.MergeStagedEvents(ctx, db.MergeStagedEventsParams{PortalID: w.Portal.ID, RunID: w.runID})
		if err != nil {
			return fmt.Errorf("store events: %w", err)
		}
		for _, item := range b.Undecodable {
			added, err := q.AddQuarantined(ctx, db.AddQuarantinedParams{
				PortalID: w.Portal.ID, SHA256: item.SHA256[:], Body: strings.ToValidUTF8(string(item.Body), "\uFFFD"),
				Reason: item.Reason, RunID: w.runID, WindowFrom: b.From, WindowTo: b.To,
			})
			if err != nil {
				return fmt.Errorf("quarantine an item: %w", err)
			}
			newItems += int32(added)
		}
		if err := w.putRoomUpdates(ctx, q, b); err != nil {
			return err
		}
		if b.GapCause != "" {
			return w.addGap(ctx, q, b.Span, b.GapCause, b.ReadAt)
		}
		return w.addWindow(ctx, q, b)
	})
	if err != nil {
		return 0, 0, fmt.Errorf("commit events of %s to %s: %w", b.From.Format(time.RFC3339), b.To.Format(time.RFC3339), err)
	}
	return newEvents, newItems, nil
}

func (w *Writer) addWindow(ctx context.Context, q *db.Queries, b attribution.Batch) error {
	var oldest time.Time
	for _, e := range b.Events {
		if oldest.IsZero() || e.At.Before(oldest) {
			oldest = e.At
		}
	}
	err := q.AddWindow(ctx, db.AddWindowParams{
		PortalID: w.Portal.ID, WindowFrom: b.From, WindowTo: b.To, Rows: int32(b.Rows), //nolint:gosec // a window has thousands of rows
		OldestAt: nullTime(oldest), ReadAt: b.ReadAt, RunID: w.runID,
	})
	if err != nil {
		return fmt.Errorf("record the window: %w", err)
	}
	return nil
}

// stage copies the events into the staging table, their values replaced by keys.
func (w *Writer) stage(ctx context.Context, q *db.Queries, b attribution.Batch) error {
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
	if err := w.roomKeys(ctx, q, rooms); err != nil {
		return err
	}
	rows := make([]db.CopyStagedEventsParams, len(b.Events))
	for i := range b.Events {
		rows[i] = w.stagedEvent(&b.Events[i], b.Answers[i], b.Classes[i])
	}
	if _, err := q.CopyStagedEvents(ctx, rows); err != nil {
		return fmt.Errorf("copy events: %w", err)
	}
	return nil
}

func (w *Writer) stagedEvent(e *audit.Event, a attribution.Answer, class audit.Class) db.CopyStagedEventsParams {
	account := w.keys.accounts[e.ActorID]
	row := db.CopyStagedEventsParams{
		EventID: e.ID, OccurredAt: e.At, AccountKey: account.key, KindKey: w.keys.kinds[e.Kind], ClientKey: w.keys.clients[e.Origin],
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
func (w *Writer) addUnknownActions(ctx context.Context, events []audit.Event) error {
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
	if err := w.q.AddUnknownActions(ctx, slices.Collect(maps.Keys(unknown))); err != nil {
		return fmt.Errorf("add unknown actions: %w", err)
	}
	return nil
}
