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

// PutLogs stores what the logs of rooms say: the room of the events with their ids, and who was added or removed.
// Entries whose event is not here wait for it. It returns of how many events the log confirmed the title, and of how
// many it told another room. No room may be among the turns twice.
func (w *Writer) PutLogs(ctx context.Context, turns []audit.LogTurn) (confirmed, contradicted int64, err error) {
	rooms, ids := map[roomID]bool{}, make([]string, len(turns))
	for i, t := range turns {
		rooms[roomID{id: t.RoomID}], ids[i] = true, t.RoomID
	}
	err = w.inTx(ctx, func(ctx context.Context, q *db.Queries) (err error) {
		if err := w.roomKeys(ctx, q, rooms); err != nil {
			return err
		}
		entries := w.eventEntries(turns)
		if err := w.addMembershipChanges(ctx, q, w.memberChanges(turns, entries)); err != nil {
			return err
		}
		if confirmed, contradicted, err = w.applyEntries(ctx, q, turns, entries); err != nil {
			return err
		}
		return w.setLogs(ctx, q, turns)
	})
	if err != nil {
		return 0, 0, fmt.Errorf("store the logs of rooms %s: %w", strings.Join(ids, ", "), err)
	}
	return confirmed, contradicted, nil
}

// roomEntry is an entry of a room's log.
type roomEntry struct {
	room int32
	audit.LogEntry
}

// eventEntries returns the entries of the turns by event. Before DocSpace 3.6 they have no ids.
func (w *Writer) eventEntries(turns []audit.LogTurn) map[int64]roomEntry {
	entries := map[int64]roomEntry{}
	for _, t := range turns {
		key := w.keys.rooms[roomID{id: t.RoomID}]
		for _, e := range t.Entries {
			if other, met := entries[e.EventID]; e.EventID != 0 && (!met || other.room == key) {
				entries[e.EventID] = roomEntry{key, e}
			}
		}
	}
	return entries
}

// memberChanges returns the entries that name a person or a group, and the changes of which the log has no more to say.
func (w *Writer) memberChanges(turns []audit.LogTurn, entries map[int64]roomEntry) map[int64]roomEntry {
	changes := maps.Clone(entries)
	maps.DeleteFunc(changes, func(_ int64, e roomEntry) bool { return e.AccountID == "" && e.GroupID == "" })
	for _, t := range turns {
		key := w.keys.rooms[roomID{id: t.RoomID}]
		for _, c := range t.Changes {
			if _, told := changes[c.ID]; !told {
				changes[c.ID] = roomEntry{key, audit.LogEntry{At: c.At, ActionID: c.ActionID, ActorID: c.ActorID}}
			}
		}
	}
	return changes
}

// applyEntries moves events to the rooms whose logs have them, and stores where files and folders were.
func (w *Writer) applyEntries(
	ctx context.Context, q *db.Queries, turns []audit.LogTurn, entries map[int64]roomEntry,
) (confirmed, contradicted int64, err error) {
	var held []db.ListEventsByIDRow
	if len(entries) > 0 {
		arg := db.ListEventsByIDParams{PortalID: w.Portal.ID, EventIDs: slices.Sorted(maps.Keys(entries))}
		if held, err = q.ListEventsByID(ctx, arg); err != nil {
			return 0, 0, fmt.Errorf("look up events: %w", err)
		}
	}
	if err := w.addSightings(ctx, q, turns, held); err != nil {
		return 0, 0, err
	}
	var changes []change
	var moves []int64
	for _, row := range held {
		c := change{eventPlace: placeOf(row)}
		c.now = c.place
		entry := entries[row.EventID]
		delete(entries, row.EventID)
		switch was := attribution.Source(row.RoomSource); was {
		case attribution.SourcePayload, attribution.SourceTarget, attribution.SourceHistory:
		default:
			if was == attribution.SourceTitle {
				if c.room == entry.room {
					confirmed++
				} else {
					contradicted++
				}
			}
			c.now.room, c.now.source = entry.room, attribution.SourceHistory
			if action, _ := audit.LookupAction(row.ActionID); action.Target.IsMove() {
				moves = append(moves, row.EventID)
			}
		}
		if ownMembership(entry.LogEntry) && c.class == audit.ClassNone && isJoinOrLeave(row.ActionID) {
			c.now.class = audit.ClassManage
		}
		if c.now != c.place {
			changes = append(changes, c)
		}
	}
	if err := w.addPending(ctx, q, entries); err != nil {
		return 0, 0, err
	}
	if err := w.reattribute(ctx, q, changes); err != nil {
		return 0, 0, err
	}
	return confirmed, contradicted, w.reopenTwins(ctx, q, moves)
}

// addPending keeps entries without events.
func (w *Writer) addPending(ctx context.Context, q *db.Queries, entries map[int64]roomEntry) error {
	if len(entries) == 0 {
		return nil
	}
	arg := db.AddPendingHistoryParams{PortalID: w.Portal.ID}
	for _, id := range slices.Sorted(maps.Keys(entries)) {
		arg.EventIDs = append(arg.EventIDs, id)
		arg.RoomKeys = append(arg.RoomKeys, entries[id].room)
	}
	if err := q.AddPendingHistory(ctx, arg); err != nil {
		return fmt.Errorf("keep entries without events: %w", err)
	}
	return nil
}

// setLogs records how far the logs have been read.
func (w *Writer) setLogs(ctx context.Context, q *db.Queries, turns []audit.LogTurn) error {
	read := db.SetRoomLogsParams{PortalID: w.Portal.ID}
	asked := db.SetRoomLogsAskedParams{PortalID: w.Portal.ID}
	explained := db.SetRoomsExplainedParams{PortalID: w.Portal.ID}
	for _, t := range turns {
		key := w.keys.rooms[roomID{id: t.RoomID}]
		switch {
		case t.Read != audit.Span{}:
			read.RoomKeys = append(read.RoomKeys, key)
			read.LogFrom = append(read.LogFrom, t.Read.From)
			read.LogUntil = append(read.LogUntil, t.Read.To)
			read.WantedFrom = append(read.WantedFrom, t.WantedFrom)
			read.AskedAt = append(read.AskedAt, t.AskedAt)
		case !t.AskedAt.IsZero():
			asked.RoomKeys = append(asked.RoomKeys, key)
			asked.AskedAt = append(asked.AskedAt, t.AskedAt)
			asked.RefusedAt = append(asked.RefusedAt, t.RefusedAt)
		}
		if t.Explained {
			explained.RoomKeys = append(explained.RoomKeys, key)
		}
	}
	if len(read.RoomKeys) > 0 {
		if err := q.SetRoomLogs(ctx, read); err != nil {
			return fmt.Errorf("record what was read: %w", err)
		}
	}
	if len(asked.RoomKeys) > 0 {
		if err := q.SetRoomLogsAsked(ctx, asked); err != nil {
			return fmt.Errorf("record what was asked for: %w", err)
		}
	}
	if len(explained.RoomKeys) > 0 {
		if err := q.SetRoomsExplained(ctx, explained); err != nil {
			return fmt.Errorf("record what is explained: %w", err)
		}
	}
	return nil
}

// pendingLogs returns what logs have said of the given events before they were here.
func (w *Writer) pendingLogs(ctx context.Context, events []*audit.Event) (map[int64]attribution.LogEvidence, error) {
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

func isJoinOrLeave(action int32) bool {
	return action == audit.ActionRoomCreateUser || action == audit.ActionRoomRemoveUser
}

func ownMembership(e audit.LogEntry) bool { return e.AccountID != "" && e.AccountID == e.ActorID }

// addMembershipChanges stores whom changes of members concern, and works out
// anew when these were members. changes are by event.
func (w *Writer) addMembershipChanges(ctx context.Context, q *db.Queries, changes map[int64]roomEntry) error {
	if len(changes) == 0 {
		return nil
	}
	arg := db.AddMembershipChangesParams{PortalID: w.Portal.ID}
	for _, id := range slices.Sorted(maps.Keys(changes)) {
		e := changes[id]
		arg.EventIDs = append(arg.EventIDs, id)
		arg.RoomKeys = append(arg.RoomKeys, e.room)
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
	people, groups := map[string]bool{}, map[string]bool{}
	var given []int32 // rooms with a new owner
	for _, row := range added {
		switch {
		case row.GroupID != nil:
			groups[*row.GroupID] = true
		case row.AccountID != nil && audit.IsPerson(*row.AccountID): // not somebody whose account is lost
			people[*row.AccountID] = true
		}
		if act, _ := audit.LookupMemberAct(row.ActionID); act == audit.MemberPromoted {
			given = append(given, row.RoomKey)
		}
	}
	if err := w.addAccounts(ctx, q, people, nil); err != nil {
		return err
	}
	groupKeys, err := w.groupKeys(ctx, q, groups)
	if err != nil {
		return err
	}
	holders := map[holder]bool{}
	for _, row := range added {
		switch {
		case row.GroupID != nil:
			holders[holder{room: row.RoomKey, group: groupKeys[*row.GroupID]}] = true
		case row.AccountID != nil && people[*row.AccountID]:
			holders[holder{room: row.RoomKey, account: w.keys.accounts[*row.AccountID].key}] = true
		}
	}
	if len(given) > 0 { // the former owners have another right since
		owners, err := q.ListOwnerKeys(ctx, db.ListOwnerKeysParams{
			PortalID: w.Portal.ID, RoomKeys: given, Promotions: audit.MemberActions(audit.MemberPromoted),
		})
		if err != nil {
			return fmt.Errorf("read former owners: %w", err)
		}
		for _, row := range owners {
			holders[holder{room: row.RoomKey, account: row.AccountKey}] = true
		}
	}
	return w.putSpans(ctx, q, holders)
}
