package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"roompulse/db"
	"roompulse/internal/attribution"
	"roompulse/internal/audit"
)

// LogStates returns the rooms that have a log, those that exist no more left out.
func (w *Writer) LogStates(ctx context.Context) ([]audit.LogState, error) {
	rows, err := w.q.ListRooms(ctx, w.Portal.ID)
	if err != nil {
		return nil, fmt.Errorf("read rooms: %w", err)
	}
	var states []audit.LogState
	for _, r := range rows {
		if r.IsThirdParty || r.ListedAt == nil || r.DeletedAt != nil {
			continue
		}
		states = append(states, audit.LogState{
			RoomID: r.RoomID, Created: zeroTime(r.CreatedAt), WantedFrom: zeroTime(r.LogWantedFrom),
			From: zeroTime(r.LogFrom), Until: zeroTime(r.LogUntil), AskedAt: zeroTime(r.LogAskedAt), RefusedAt: zeroTime(r.LogRefusedAt),
		})
	}
	return states, nil
}

// LastEdits returns when something was last edited or managed in each room. Hardly any view is in its log.
func (w *Writer) LastEdits(ctx context.Context) (map[string]time.Time, error) {
	rows, err := w.q.ListLastEdits(ctx, w.Portal.ID)
	if err != nil {
		return nil, fmt.Errorf("read when rooms were active: %w", err)
	}
	last := make(map[string]time.Time, len(rows))
	for _, row := range rows {
		last[row.RoomID] = row.LastAt.UTC()
	}
	return last, nil
}

// UnexplainedChanges returns the changes of members for which the room's log has
// not been asked, by room, newest first.
func (w *Writer) UnexplainedChanges(ctx context.Context) (map[string][]audit.RoomEvent, error) {
	rows, err := w.q.ListUnexplainedChanges(ctx, db.ListUnexplainedChangesParams{
		PortalID: w.Portal.ID, ActionIDs: audit.MemberActions(audit.MemberAdded, audit.MemberRemoved, audit.MemberChanged, audit.MemberPromoted),
	})
	if err != nil {
		return nil, fmt.Errorf("read unexplained changes of members: %w", err)
	}
	changes := map[string][]audit.RoomEvent{}
	for _, row := range rows {
		changes[row.RoomID] = append(changes[row.RoomID], audit.RoomEvent{
			ID: row.EventID, At: row.OccurredAt.UTC(), ActionID: row.ActionID, ActorID: row.ActorID,
		})
	}
	// Else each run would read the events since the earliest change that nobody asks about any more.
	open := slices.Sorted(maps.Keys(changes))
	if err := w.q.SetOthersExplained(ctx, db.SetOthersExplainedParams{PortalID: w.Portal.ID, RoomIDs: open}); err != nil {
		return nil, fmt.Errorf("note which changes of members are explained: %w", err)
	}
	return changes, nil
}

// SetChangesAsked records that the room's log has been asked for the changes.
// Those that it does not have are not asked for again.
func (w *Writer) SetChangesAsked(ctx context.Context, roomID string, changes []audit.RoomEvent) error {
	err := w.inRoomTx(ctx, roomID, func(ctx context.Context, q *db.Queries, key int32) error {
		asked := make(map[int64]audit.LogEntry, len(changes))
		for _, c := range changes {
			asked[c.ID] = audit.LogEntry{At: c.At, ActionID: c.ActionID, ActorID: c.ActorID}
		}
		if err := w.addMembershipChanges(ctx, q, key, asked); err != nil {
			return err
		}
		return q.SetRoomExplained(ctx, db.SetRoomExplainedParams{PortalID: w.Portal.ID, RoomKey: key})
	})
	if err != nil {
		return fmt.Errorf("record that the log of room %s was asked: %w", roomID, err)
	}
	return nil
}

// SetLogRead records that the room's log was read at the given time for the span, which
// serves who wanted it since wantedFrom or later.
func (w *Writer) SetLogRead(ctx context.Context, roomID string, span audit.Span, wantedFrom, at time.Time) error {
	err := w.inRoomTx(ctx, roomID, func(ctx context.Context, q *db.Queries, key int32) error {
		return q.SetRoomLog(ctx, db.SetRoomLogParams{
			PortalID: w.Portal.ID, RoomKey: key, LogFrom: span.From, LogUntil: span.To, WantedFrom: wantedFrom, AskedAt: at,
		})
	})
	if err != nil {
		return fmt.Errorf("record that the log of room %s was read: %w", roomID, err)
	}
	return nil
}

// SetLogTried records that the portal gave no answer about the room's log.
func (w *Writer) SetLogTried(ctx context.Context, roomID string, at time.Time) error {
	err := w.inRoomTx(ctx, roomID, func(ctx context.Context, q *db.Queries, key int32) error {
		return q.SetRoomLogTried(ctx, db.SetRoomLogTriedParams{PortalID: w.Portal.ID, RoomKey: key, AskedAt: at})
	})
	if err != nil {
		return fmt.Errorf("record that the log of room %s was asked for: %w", roomID, err)
	}
	return nil
}

// SetLogRefused records that the portal, asked at at, does not show the room's log as of asOf.
func (w *Writer) SetLogRefused(ctx context.Context, roomID string, asOf, at time.Time) error {
	err := w.inRoomTx(ctx, roomID, func(ctx context.Context, q *db.Queries, key int32) error {
		return q.SetRoomLogRefused(ctx, db.SetRoomLogRefusedParams{PortalID: w.Portal.ID, RoomKey: key, RefusedAt: asOf, AskedAt: at})
	})
	if err != nil {
		return fmt.Errorf("record that the log of room %s was refused: %w", roomID, err)
	}
	return nil
}

// ApplyLog stores what entries of a room's log say: the room of the events with
// their ids, and who was added or removed. Entries whose event is not here wait for it.
// With whereabouts it also stores which files and folders were in the room.
func (w *Writer) ApplyLog(
	ctx context.Context, roomID string, entries []audit.LogEntry, whereabouts bool,
) (confirmed, contradicted int64, err error) {
	byID := make(map[int64]audit.LogEntry, len(entries))
	for _, e := range entries {
		if e.EventID != 0 { // before DocSpace 3.6 entries have no ids
			byID[e.EventID] = e
		}
	}
	if len(byID) == 0 && !whereabouts {
		return 0, 0, nil
	}
	err = w.inRoomTx(ctx, roomID, func(ctx context.Context, q *db.Queries, key int32) error {
		confirmed, contradicted = 0, 0
		if err := w.addMembershipChanges(ctx, q, key, concerning(byID)); err != nil {
			return err
		}
		pending := make([]int64, 0, len(byID))
		for id := range byID {
			pending = append(pending, id)
		}
		slices.Sort(pending)
		held, err := q.ListEventsByID(ctx, db.ListEventsByIDParams{PortalID: w.Portal.ID, EventIDs: pending})
		if err != nil {
			return fmt.Errorf("look up events: %w", err)
		}
		if whereabouts {
			dates := make(map[int64]time.Time, len(held))
			for _, row := range held {
				dates[row.EventID] = row.OccurredAt.UTC()
			}
			if err := w.addSightings(ctx, q, key, entries, dates); err != nil {
				return err
			}
		}
		var changes []change
		var moves []int64
		for _, row := range held {
			c := change{eventPlace: placeOf(row)}
			c.now = c.place
			entry := byID[row.EventID]
			switch was := attribution.Source(row.RoomSource); was {
			case attribution.SourcePayload, attribution.SourceTarget, attribution.SourceHistory:
			default:
				if was == attribution.SourceTitle {
					if c.room == key {
						confirmed++
					} else {
						contradicted++
					}
				}
				c.now.room, c.now.source = key, attribution.SourceHistory
				if action, _ := audit.LookupAction(row.ActionID); action.Target.IsMove() {
					moves = append(moves, row.EventID)
				}
			}
			if ownMembership(entry) && c.class == audit.ClassNone && isJoinOrLeave(row.ActionID) {
				c.now.class = audit.ClassManage
			}
			if c.now != c.place {
				changes = append(changes, c)
			}
			at, _ := slices.BinarySearch(pending, row.EventID)
			pending = slices.Delete(pending, at, at+1)
		}
		if err := q.AddPendingHistory(ctx, db.AddPendingHistoryParams{PortalID: w.Portal.ID, EventIDs: pending, RoomKey: key}); err != nil {
			return fmt.Errorf("keep entries without events: %w", err)
		}
		if err := w.reattribute(ctx, q, changes); err != nil {
			return err
		}
		return w.reopenTwins(ctx, q, moves)
	})
	if err != nil {
		return 0, 0, fmt.Errorf("store the log of room %s: %w", roomID, err)
	}
	return confirmed, contradicted, nil
}

// pendingLogs returns what logs have said of the given events before they were here.
func (w *Writer) pendingLogs(ctx context.Context, events []audit.Event) (map[int64]attribution.LogEvidence, error) {
	ids := make([]int64, len(events))
	for i := range events {
		ids[i] = events[i].ID
	}
	rows, err := w.q.ListPendingHistory(ctx, db.ListPendingHistoryParams{PortalID: w.Portal.ID, EventIDs: ids})
	if err != nil {
		return nil, fmt.Errorf("read log entries that wait for events: %w", err)
	}
	logs := make(map[int64]attribution.LogEvidence, len(rows))
	for _, row := range rows {
		logs[row.EventID] = attribution.LogEvidence{RoomID: row.RoomID, OwnMembership: row.OwnMembership}
	}
	return logs, nil
}

// concerning returns the entries that name a person or a group.
func concerning(entries map[int64]audit.LogEntry) map[int64]audit.LogEntry {
	entries = maps.Clone(entries)
	maps.DeleteFunc(entries, func(_ int64, e audit.LogEntry) bool { return e.AccountID == "" && e.GroupID == "" })
	return entries
}

func isJoinOrLeave(action int32) bool {
	return action == audit.ActionRoomCreateUser || action == audit.ActionRoomRemoveUser
}

func ownMembership(e audit.LogEntry) bool { return e.AccountID != "" && e.AccountID == e.ActorID }

// addMembershipChanges stores whom changes of members concern, and works out
// anew when these were members.
func (w *Writer) addMembershipChanges(ctx context.Context, q *db.Queries, room int32, entries map[int64]audit.LogEntry) error {
	if len(entries) == 0 {
		return nil
	}
	arg := db.AddMembershipChangesParams{PortalID: w.Portal.ID, RoomKey: room}
	for _, id := range slices.Sorted(maps.Keys(entries)) {
		e := entries[id]
		arg.EventIDs = append(arg.EventIDs, id)
		arg.Occurred = append(arg.Occurred, e.At)
		arg.ActionIDs = append(arg.ActionIDs, e.ActionID)
		arg.ActorIDs = append(arg.ActorIDs, e.ActorID)
		arg.AccountIDs = append(arg.AccountIDs, e.AccountID)
		arg.GroupIDs = append(arg.GroupIDs, e.GroupID)
	}
	added, err := q.AddMembershipChanges(ctx, arg)
	if err != nil {
		return fmt.Errorf("store changes of members: %w", err)
	}
	holders := map[holder]bool{}
	people, newOwner := map[string]bool{}, false
	for _, row := range added {
		switch {
		case row.GroupID != nil:
			key, _, err := w.groupKey(ctx, q, *row.GroupID)
			if err != nil {
				return err
			}
			holders[holder{group: key}] = true
		case row.AccountID != nil && audit.IsPerson(*row.AccountID): // not somebody whose account is lost
			people[*row.AccountID] = true
		}
		act, _ := audit.LookupMemberAct(row.ActionID)
		newOwner = newOwner || act == audit.MemberPromoted
	}
	if err := w.addAccounts(ctx, q, people, nil); err != nil {
		return err
	}
	for id := range people {
		holders[holder{account: w.keys.accounts[id].key}] = true
	}
	if newOwner { // the former one has another right since
		owners, err := q.ListOwnerKeys(ctx, db.ListOwnerKeysParams{PortalID: w.Portal.ID, RoomKey: room, Promotions: audit.MemberActions(audit.MemberPromoted)})
		if err != nil {
			return fmt.Errorf("read former owners: %w", err)
		}
		for _, key := range owners {
			holders[holder{account: key}] = true
		}
	}
	return w.putSpans(ctx, q, room, holders)
}
