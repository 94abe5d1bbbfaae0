package store

import (
	"context"
	"fmt"
	"time"

	"roompulse/db"
	"roompulse/internal/audit"
)

// PutAccounts stores the portal's list of people as of at. Those whom earlier
// lists had and this one has not are deleted.
func (w *Writer) PutAccounts(ctx context.Context, accounts []audit.Account, at time.Time) error {
	return w.inTx(ctx, func(ctx context.Context, q *db.Queries) error {
		if err := w.putAccounts(ctx, q, accounts, at); err != nil {
			return err
		}
		if _, err := q.SetAccountsDeleted(ctx, db.SetAccountsDeletedParams{PortalID: w.Portal.ID, ListedAt: at}); err != nil {
			return fmt.Errorf("mark accounts that are gone: %w", err)
		}
		return nil
	})
}

func (w *Writer) putAccounts(ctx context.Context, q *db.Queries, accounts []audit.Account, at time.Time) error {
	ids, names := map[string]bool{}, map[string]string{}
	for _, a := range accounts {
		ids[a.ID] = true
		names[a.ID] = a.Name
	}
	if err := w.addAccounts(ctx, q, ids, names); err != nil {
		return err
	}
	arg := db.SetAccountsListedParams{PortalID: w.Portal.ID, ListedAt: at}
	for _, a := range accounts {
		arg.AccountKeys = append(arg.AccountKeys, w.keys.accounts[a.ID].key)
		arg.Names = append(arg.Names, a.Name)
		arg.Emails = append(arg.Emails, a.Email)
		arg.Statuses = append(arg.Statuses, int16(a.Status))
		arg.Guests = append(arg.Guests, a.Guest)
		arg.Owners = append(arg.Owners, a.Owner)
		arg.Registered = append(arg.Registered, a.Registered)
	}
	if err := q.SetAccountsListed(ctx, arg); err != nil {
		return fmt.Errorf("store accounts: %w", err)
	}
	return nil
}

// PutMembers stores a room's sharing list as of at: who is new on it, who is
// gone, whose right has changed. An unreadable list changes nothing but says so.
func (w *Writer) PutMembers(ctx context.Context, roomID string, list audit.MemberList, at time.Time) error {
	err := w.inRoomTx(ctx, roomID, func(ctx context.Context, q *db.Queries, key int32) error {
		if !list.Readable {
			return q.SetRoomUnreadable(ctx, db.SetRoomUnreadableParams{PortalID: w.Portal.ID, RoomKey: key, ReadAt: at})
		}
		if err := w.addListed(ctx, q, list); err != nil {
			return err
		}
		lastRead, err := q.GetRoomMembersAt(ctx, db.GetRoomMembersAtParams{PortalID: w.Portal.ID, RoomKey: key})
		if err != nil {
			return fmt.Errorf("read when the list was read last: %w", err)
		}
		if err := w.putRoomMembers(ctx, q, key, list.Grants, zeroTime(lastRead), at); err != nil {
			return err
		}
		if err := w.putRoomGroups(ctx, q, key, list.Grants, zeroTime(lastRead), at); err != nil {
			return err
		}
		return q.SetRoomMembersRead(ctx, db.SetRoomMembersReadParams{PortalID: w.Portal.ID, RoomKey: key, ReadAt: at})
	})
	if err != nil {
		return fmt.Errorf("store members of room %s: %w", roomID, err)
	}
	return nil
}

// addListed makes sure that everybody on the list has an account row: a list of
// members can name people whom the list of people leaves out.
func (w *Writer) addListed(ctx context.Context, q *db.Queries, list audit.MemberList) error {
	ids, names := map[string]bool{}, map[string]string{}
	for _, g := range list.Grants {
		if g.AccountID != "" {
			ids[g.AccountID] = true
		}
	}
	for _, a := range list.Accounts {
		names[a.ID] = a.Name
	}
	return w.addAccounts(ctx, q, ids, names)
}

// start is from when a right holds that the list of at has and the one of
// lastRead had not. Nothing is known of the time before the first list: zero.
func start(lastRead, at time.Time) (validFrom, joinedAfter time.Time) {
	if lastRead.IsZero() {
		return time.Time{}, time.Time{}
	}
	return at, lastRead
}

type right struct {
	access audit.Access
	owner  bool
}

func (w *Writer) putRoomMembers(ctx context.Context, q *db.Queries, room int32, grants []audit.Grant, lastRead, at time.Time) error {
	listed := map[int32]right{}
	for _, g := range grants {
		if g.AccountID != "" && g.Access.IsMember() {
			listed[w.keys.accounts[g.AccountID].key] = right{g.Access, g.Owner}
		}
	}
	rows, err := q.ListOpenRoomMembers(ctx, db.ListOpenRoomMembersParams{PortalID: w.Portal.ID, RoomKey: room})
	if err != nil {
		return fmt.Errorf("read known members: %w", err)
	}
	closed := db.CloseRoomMembersParams{PortalID: w.Portal.ID, RoomKey: room, ValidTo: at}
	for _, row := range rows {
		if listed[row.AccountKey] == (right{audit.Access(row.Access), row.IsOwner}) {
			delete(listed, row.AccountKey)
		} else {
			closed.AccountKeys = append(closed.AccountKeys, row.AccountKey)
		}
	}
	if err := q.CloseRoomMembers(ctx, closed); err != nil {
		return fmt.Errorf("end memberships: %w", err)
	}
	opened := db.AddRoomMembersParams{PortalID: w.Portal.ID, RoomKey: room}
	opened.ValidFrom, opened.JoinedAfter = start(lastRead, at)
	for account, r := range listed {
		opened.AccountKeys = append(opened.AccountKeys, account)
		opened.Accesses = append(opened.Accesses, int16(r.access))
		opened.Owners = append(opened.Owners, r.owner)
	}
	if err := q.AddRoomMembers(ctx, opened); err != nil {
		return fmt.Errorf("begin memberships: %w", err)
	}
	return nil
}

func (w *Writer) putRoomGroups(ctx context.Context, q *db.Queries, room int32, grants []audit.Grant, lastRead, at time.Time) error {
	listed := map[int32]audit.Access{}
	for _, g := range grants {
		if g.GroupID != "" && g.Access.IsMember() {
			key, _, err := w.groupKey(ctx, q, g.GroupID)
			if err != nil {
				return err
			}
			listed[key] = g.Access
		}
	}
	rows, err := q.ListOpenRoomGroups(ctx, db.ListOpenRoomGroupsParams{PortalID: w.Portal.ID, RoomKey: room})
	if err != nil {
		return fmt.Errorf("read known groups: %w", err)
	}
	closed := db.CloseRoomGroupsParams{PortalID: w.Portal.ID, RoomKey: room, ValidTo: at}
	for _, row := range rows {
		if listed[row.GroupKey] == audit.Access(row.Access) {
			delete(listed, row.GroupKey)
		} else {
			closed.GroupKeys = append(closed.GroupKeys, row.GroupKey)
		}
	}
	if err := q.CloseRoomGroups(ctx, closed); err != nil {
		return fmt.Errorf("end rights of groups: %w", err)
	}
	opened := db.AddRoomGroupsParams{PortalID: w.Portal.ID, RoomKey: room}
	opened.ValidFrom, opened.JoinedAfter = start(lastRead, at)
	for group, access := range listed {
		opened.GroupKeys = append(opened.GroupKeys, group)
		opened.Accesses = append(opened.Accesses, int16(access))
	}
	if err := q.AddRoomGroups(ctx, opened); err != nil {
		return fmt.Errorf("begin rights of groups: %w", err)
	}
	return nil
}

// PutGroup stores who belongs to a group as of at.
func (w *Writer) PutGroup(ctx context.Context, group audit.Group, at time.Time) error {
	err := w.inTx(ctx, func(ctx context.Context, q *db.Queries) error {
		key, lastRead, err := w.groupKey(ctx, q, group.ID)
		if err != nil {
			return err
		}
		ids := map[string]bool{}
		for _, id := range group.MemberIDs {
			ids[id] = true
		}
		if err := w.addAccounts(ctx, q, ids, map[string]string{}); err != nil {
			return err
		}
		listed := map[int32]bool{}
		for id := range ids {
			listed[w.keys.accounts[id].key] = true
		}
		rows, err := q.ListOpenGroupMembers(ctx, db.ListOpenGroupMembersParams{PortalID: w.Portal.ID, GroupKey: key})
		if err != nil {
			return fmt.Errorf("read known members: %w", err)
		}
		closed := db.CloseGroupMembersParams{PortalID: w.Portal.ID, GroupKey: key, ValidTo: at}
		for _, account := range rows {
			if listed[account] {
				delete(listed, account)
			} else {
				closed.AccountKeys = append(closed.AccountKeys, account)
			}
		}
		if err := q.CloseGroupMembers(ctx, closed); err != nil {
			return fmt.Errorf("end memberships: %w", err)
		}
		opened := db.AddGroupMembersParams{PortalID: w.Portal.ID, GroupKey: key}
		opened.ValidFrom, opened.JoinedAfter = start(lastRead, at)
		for account := range listed {
			opened.AccountKeys = append(opened.AccountKeys, account)
		}
		if err := q.AddGroupMembers(ctx, opened); err != nil {
			return fmt.Errorf("begin memberships: %w", err)
		}
		return q.SetGroupRead(ctx, db.SetGroupReadParams{PortalID: w.Portal.ID, GroupKey: key, Name: group.Name, ReadAt: at})
	})
	if err != nil {
		return fmt.Errorf("store group %q: %w", group.Name, err)
	}
	return nil
}

func (w *Writer) groupKey(ctx context.Context, q *db.Queries, id string) (key int32, readAt time.Time, err error) {
	rows, err := q.AddGroups(ctx, db.AddGroupsParams{PortalID: w.Portal.ID, GroupIDs: []string{id}})
	if err != nil {
		return 0, readAt, fmt.Errorf("add group %s: %w", id, err)
	}
	return rows[0].GroupKey, zeroTime(rows[0].ReadAt), nil
}

// MemberListTimes returns the rooms that exist and when their members were
// read last, zero if they never were.
func (w *Writer) MemberListTimes(ctx context.Context) (map[string]time.Time, error) {
	rows, err := w.q.ListMemberListTimes(ctx, w.Portal.ID)
	if err != nil {
		return nil, fmt.Errorf("read when members were read: %w", err)
	}
	times := make(map[string]time.Time, len(rows))
	for _, row := range rows {
		times[row.RoomID] = row.MembersAt.UTC()
	}
	return times, nil
}

// GroupIDs returns the groups that hold or held a right in a room.
func (w *Writer) GroupIDs(ctx context.Context) ([]string, error) {
	ids, err := w.q.ListGroupIDs(ctx, w.Portal.ID)
	if err != nil {
		return nil, fmt.Errorf("read groups: %w", err)
	}
	return ids, nil
}
