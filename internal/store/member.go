package store

import (
	"context"
	"fmt"
	"maps"
	"time"

	"roompulse/db"
	"roompulse/internal/audit"
	"roompulse/internal/membership"
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

// PutMembers stores what a room's sharing list says that was read at readAt. A
// change that nothing else dates counts as made at asOf. An unreadable list
// changes nothing but says so.
func (w *Writer) PutMembers(ctx context.Context, roomID string, list audit.MemberList, readAt, asOf time.Time) error {
	err := w.inRoomTx(ctx, roomID, func(ctx context.Context, q *db.Queries, key int32) error {
		if !list.Readable {
			return q.SetRoomUnreadable(ctx, db.SetRoomUnreadableParams{PortalID: w.Portal.ID, RoomKey: key, AsOf: asOf, ReadAt: readAt})
		}
		listed, err := w.listedRights(ctx, q, list)
		if err != nil {
			return err
		}
		sightings, err := w.newSightings(ctx, q, key, listed)
		if err != nil {
			return err
		}
		last, err := q.GetLastList(ctx, db.GetLastListParams{PortalID: w.Portal.ID, RoomKey: key})
		if err != nil {
			return fmt.Errorf("read when the list was read last: %w", err)
		}
		sightings.PortalID, sightings.RoomKey = w.Portal.ID, key
		sightings.ReadAt, sightings.AsOf, sightings.BeforeAt = readAt, asOf, zeroTime(last.MembersReadAt)
		if err := q.AddSightings(ctx, sightings); err != nil {
			return fmt.Errorf("store what the list says: %w", err)
		}
		if err := w.putSpans(ctx, q, key, holdersOf(sightings)); err != nil {
			return err
		}
		return q.SetRoomMembersRead(ctx, db.SetRoomMembersReadParams{PortalID: w.Portal.ID, RoomKey: key, AsOf: asOf, ReadAt: readAt})
	})
	if err != nil {
		return fmt.Errorf("store members of room %s: %w", roomID, err)
	}
	return nil
}

// holder is who holds a right in a room: a person or a group, the other is 0.
type holder struct{ account, group int32 }

// listedRights are the rights on a list. Everybody on it gets an account row:
// it can name people whom the portal's list of people leaves out.
func (w *Writer) listedRights(ctx context.Context, q *db.Queries, list audit.MemberList) (map[holder]membership.Right, error) {
	ids, names := map[string]bool{}, map[string]string{}
	for _, g := range list.Grants {
		if g.AccountID != "" {
			ids[g.AccountID] = true
		}
	}
	for _, a := range list.Accounts {
		names[a.ID] = a.Name
	}
	if err := w.addAccounts(ctx, q, ids, names); err != nil {
		return nil, err
	}
	listed := map[holder]membership.Right{}
	for _, g := range list.Grants {
		right := membership.Right{Access: g.Access, Owner: g.Owner}
		switch {
		case !g.Access.IsMember():
		case g.AccountID != "":
			listed[holder{account: w.keys.accounts[g.AccountID].key}] = right
		default:
			key, _, err := w.groupKey(ctx, q, g.GroupID)
			if err != nil {
				return nil, err
			}
			listed[holder{group: key}] = right
		}
	}
	return listed, nil
}

// newSightings are what a list says otherwise than the list before or than the
// memberships that are known.
func (w *Writer) newSightings(
	ctx context.Context, q *db.Queries, room int32, listed map[holder]membership.Right,
) (arg db.AddSightingsParams, err error) {
	said, known := map[holder]membership.Right{}, map[holder]membership.Right{}
	last, err := q.ListLastSightings(ctx, db.ListLastSightingsParams{PortalID: w.Portal.ID, RoomKey: room})
	if err != nil {
		return arg, fmt.Errorf("read the list before: %w", err)
	}
	for _, s := range last {
		said[holder{s.AccountKey, s.GroupKey}] = membership.Right{Access: audit.Access(s.Access), Owner: s.IsOwner}
	}
	open, err := q.ListOpenMemberships(ctx, db.ListOpenMembershipsParams{PortalID: w.Portal.ID, RoomKey: room})
	if err != nil {
		return arg, fmt.Errorf("read known members: %w", err)
	}
	for _, m := range open {
		right := membership.Right{Access: audit.Access(m.Access), Owner: m.IsOwner}
		if right == (membership.Right{}) { // a member, but nobody knows with which right
			right.Access = audit.AccessVaries
		}
		known[holder{m.AccountKey, m.GroupKey}] = right
	}
	all := maps.Clone(listed)
	for _, others := range []map[holder]membership.Right{said, known} {
		for h := range others {
			all[h] = listed[h] // zero if it is not on the list
		}
	}
	for h, right := range all {
		if isKnown := right == known[h]; isKnown && right == said[h] {
			continue
		}
		arg.AccountKeys = append(arg.AccountKeys, h.account)
		arg.GroupKeys = append(arg.GroupKeys, h.group)
		arg.Accesses = append(arg.Accesses, int16(right.Access))
		arg.Owners = append(arg.Owners, right.Owner)
	}
	return arg, nil
}

func holdersOf(s db.AddSightingsParams) map[holder]bool {
	holders := make(map[holder]bool, len(s.AccountKeys))
	for i, account := range s.AccountKeys {
		holders[holder{account, s.GroupKeys[i]}] = true
	}
	return holders
}

// putSpans works out anew when the holders had which right in a room.
func (w *Writer) putSpans(ctx context.Context, q *db.Queries, room int32, holders map[holder]bool) error {
	if len(holders) == 0 {
		return nil
	}
	evidence, err := w.memberEvidence(ctx, q, room, holders)
	if err != nil {
		return err
	}
	members := db.AddRoomMembersParams{PortalID: w.Portal.ID, RoomKey: room}
	groups := db.AddRoomGroupsParams{PortalID: w.Portal.ID, RoomKey: room}
	gone := db.DeleteRoomMembersParams{PortalID: w.Portal.ID, RoomKey: room}
	goneGroups := db.DeleteRoomGroupsParams{PortalID: w.Portal.ID, RoomKey: room}
	for h := range holders {
		spans := membership.Spans(evidence[h])
		if h.group != 0 {
			goneGroups.GroupKeys = append(goneGroups.GroupKeys, h.group)
		} else {
			gone.AccountKeys = append(gone.AccountKeys, h.account)
		}
		for _, s := range spans {
			if h.group != 0 {
				groups.GroupKeys = append(groups.GroupKeys, h.group)
				groups.ValidFrom = append(groups.ValidFrom, s.From)
				groups.ValidTo = append(groups.ValidTo, s.To)
				groups.JoinedAt = append(groups.JoinedAt, s.JoinedAt)
				groups.JoinedAfter = append(groups.JoinedAfter, s.JoinedAfter)
				groups.Accesses = append(groups.Accesses, int16(s.Right.Access))
				continue
			}
			members.AccountKeys = append(members.AccountKeys, h.account)
			members.ValidFrom = append(members.ValidFrom, s.From)
			members.ValidTo = append(members.ValidTo, s.To)
			members.JoinedAt = append(members.JoinedAt, s.JoinedAt)
			members.JoinedAfter = append(members.JoinedAfter, s.JoinedAfter)
			members.Accesses = append(members.Accesses, int16(s.Right.Access))
			members.Owners = append(members.Owners, s.Right.Owner)
		}
	}
	if err := q.DeleteRoomMembers(ctx, gone); err != nil {
		return fmt.Errorf("clear memberships: %w", err)
	}
	if err := q.AddRoomMembers(ctx, members); err != nil {
		return fmt.Errorf("store memberships: %w", err)
	}
	if err := q.DeleteRoomGroups(ctx, goneGroups); err != nil {
		return fmt.Errorf("clear rights of groups: %w", err)
	}
	if err := q.AddRoomGroups(ctx, groups); err != nil {
		return fmt.Errorf("store rights of groups: %w", err)
	}
	return nil
}

// memberEvidence reads all that is known of the holders in a room.
func (w *Writer) memberEvidence(
	ctx context.Context, q *db.Queries, room int32, holders map[holder]bool,
) (map[holder]membership.Evidence, error) {
	var accounts, groups []int32
	for h := range holders {
		if h.group != 0 {
			groups = append(groups, h.group)
		} else {
			accounts = append(accounts, h.account)
		}
	}
	evidence := make(map[holder]membership.Evidence, len(holders))
	sightings, err := q.ListSightings(ctx, db.ListSightingsParams{PortalID: w.Portal.ID, RoomKey: room, AccountKeys: accounts, GroupKeys: groups})
	if err != nil {
		return nil, fmt.Errorf("read what lists said: %w", err)
	}
	for _, s := range sightings {
		h := holder{s.AccountKey, s.GroupKey}
		e := evidence[h]
		e.Sightings = append(e.Sightings, membership.Sighting{
			ReadAt: s.ReadAt.UTC(), AsOf: s.AsOf.UTC(), Before: zeroTime(s.BeforeAt),
			Right: membership.Right{Access: audit.Access(s.Access), Owner: s.IsOwner},
		})
		evidence[h] = e
	}
	changes, err := q.ListMemberChanges(ctx, db.ListMemberChangesParams{
		PortalID: w.Portal.ID, RoomKey: room, AccountKeys: accounts, GroupKeys: groups, Promotions: audit.MemberActions(audit.MemberPromoted),
	})
	if err != nil {
		return nil, fmt.Errorf("read what the log said: %w", err)
	}
	for _, c := range changes {
		act, _ := audit.LookupMemberAct(c.ActionID)
		change := membership.Change{At: c.OccurredAt.UTC(), EventID: c.EventID, Act: act}
		concerned := holder{c.AccountKey, c.GroupKey}
		if holders[concerned] {
			e := evidence[concerned]
			e.Changes = append(e.Changes, change)
			evidence[concerned] = e
		}
		if change.Act != audit.MemberPromoted {
			continue
		}
		change.Act = audit.MemberDeposed
		for _, account := range accounts {
			if other := (holder{account: account}); other != concerned {
				e := evidence[other]
				e.Changes = append(e.Changes, change)
				evidence[other] = e
			}
		}
	}
	return evidence, w.addImplied(ctx, q, room, evidence)
}

// addImplied adds what the room's last list said of the holders without saying
// anything new at the time, where changes that are known by now make it so. It is stored, so that it holds
// whatever later lists say.
func (w *Writer) addImplied(ctx context.Context, q *db.Queries, room int32, evidence map[holder]membership.Evidence) error {
	last, err := q.GetLastList(ctx, db.GetLastListParams{PortalID: w.Portal.ID, RoomKey: room})
	if err != nil {
		return fmt.Errorf("read when the list was read last: %w", err)
	}
	if last.MembersReadAt == nil {
		return nil
	}
	readAt, asOf := last.MembersReadAt.UTC(), last.MembersAt.UTC()
	arg := db.AddSightingsParams{PortalID: w.Portal.ID, RoomKey: room, ReadAt: readAt, AsOf: asOf}
	for h, e := range evidence {
		s, ok := membership.Implied(e, readAt, asOf)
		if !ok {
			continue
		}
		e.Sightings = append(e.Sightings, s)
		evidence[h] = e
		arg.AccountKeys = append(arg.AccountKeys, h.account)
		arg.GroupKeys = append(arg.GroupKeys, h.group)
		arg.Accesses = append(arg.Accesses, int16(s.Right.Access))
		arg.Owners = append(arg.Owners, s.Right.Owner)
	}
	if len(arg.AccountKeys) == 0 {
		return nil
	}
	if err := q.AddSightings(ctx, arg); err != nil {
		return fmt.Errorf("store what the last list says: %w", err)
	}
	return nil
}

// PutGroup stores who belongs to a group by the list that was read at readAt;
// changes count as made at asOf.
func (w *Writer) PutGroup(ctx context.Context, group audit.Group, readAt, asOf time.Time) error {
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
		closed := db.CloseGroupMembersParams{PortalID: w.Portal.ID, GroupKey: key, ValidTo: asOf}
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
		if !lastRead.IsZero() { // else nobody knows since when
			opened.ValidFrom, opened.JoinedAfter = asOf, audit.Earlier(lastRead, asOf)
		}
		for account := range listed {
			opened.AccountKeys = append(opened.AccountKeys, account)
		}
		if err := q.AddGroupMembers(ctx, opened); err != nil {
			return fmt.Errorf("begin memberships: %w", err)
		}
		return q.SetGroupRead(ctx, db.SetGroupReadParams{PortalID: w.Portal.ID, GroupKey: key, Name: group.Name, ReadAt: readAt})
	})
	if err != nil {
		return fmt.Errorf("store group %q: %w", group.Name, err)
	}
	return nil
}

// SetGroupTried records that the portal gave no answer about a group.
func (w *Writer) SetGroupTried(ctx context.Context, groupID string, at time.Time) error {
	if err := w.q.SetGroupTried(ctx, db.SetGroupTriedParams{PortalID: w.Portal.ID, GroupID: groupID, AskedAt: at}); err != nil {
		return fmt.Errorf("record that group %s was asked for: %w", groupID, err)
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

// RoomsToAsk returns the rooms whose members are to be asked for: those that
// exist and have not been asked for since before, or not since their last change.
func (w *Writer) RoomsToAsk(ctx context.Context, before time.Time) ([]string, error) {
	rooms, err := w.q.ListRoomsToAsk(ctx, db.ListRoomsToAskParams{PortalID: w.Portal.ID, AskedBefore: before})
	if err != nil {
		return nil, fmt.Errorf("read which rooms' members to ask for: %w", err)
	}
	return rooms, nil
}

// GroupsToAsk returns the groups with a right in some room, now or earlier,
// whose members have not been asked for since before.
func (w *Writer) GroupsToAsk(ctx context.Context, before time.Time) ([]string, error) {
	ids, err := w.q.ListGroupsToAsk(ctx, db.ListGroupsToAskParams{PortalID: w.Portal.ID, AskedBefore: before})
	if err != nil {
		return nil, fmt.Errorf("read groups: %w", err)
	}
	return ids, nil
}
