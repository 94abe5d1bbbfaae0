package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
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

// PutMembers stores what rooms' sharing lists say. A
// change that nothing else dates counts as made at asOf. An unreadable list
// changes nothing but says so. No room may be among the lists twice.
func (w *Writer) PutMembers(ctx context.Context, lists []audit.RoomMembers, asOf time.Time) error {
	rooms, ids := map[roomID]bool{}, make([]string, len(lists))
	for i, l := range lists {
		rooms[roomID{id: l.RoomID}], ids[i] = true, l.RoomID
	}
	err := w.inTx(ctx, func(ctx context.Context, q *db.Queries) error {
		if err := w.roomKeys(ctx, q, rooms); err != nil {
			return err
		}
		read := map[int32]audit.RoomMembers{}
		unreadable := db.SetRoomsUnreadableParams{PortalID: w.Portal.ID, AsOf: asOf}
		for _, l := range lists {
			key := w.keys.rooms[roomID{id: l.RoomID}]
			if l.Readable {
				read[key] = l
				continue
			}
			unreadable.RoomKeys = append(unreadable.RoomKeys, key)
			unreadable.ReadAt = append(unreadable.ReadAt, l.ReadAt)
		}
		if len(unreadable.RoomKeys) > 0 {
			if err := q.SetRoomsUnreadable(ctx, unreadable); err != nil {
				return fmt.Errorf("record what cannot be read: %w", err)
			}
		}
		if len(read) > 0 {
			return w.putReadable(ctx, q, read, asOf)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store members of rooms %s: %w", strings.Join(ids, ", "), err)
	}
	return nil
}

// putReadable stores what lists say, by room.
func (w *Writer) putReadable(ctx context.Context, q *db.Queries, lists map[int32]audit.RoomMembers, asOf time.Time) error {
	listed, err := w.listedRights(ctx, q, lists)
	if err != nil {
		return err
	}
	rooms := slices.Collect(maps.Keys(lists))
	news, err := w.newRights(ctx, q, rooms, listed)
	if err != nil {
		return err
	}
	last, err := w.lastLists(ctx, q, rooms)
	if err != nil {
		return err
	}
	holders := map[holder]bool{}
	sightings := db.AddSightingsParams{PortalID: w.Portal.ID}
	for h, right := range news {
		holders[h] = true
		addSighting(&sightings, h, membership.Sighting{ReadAt: lists[h.room].ReadAt, AsOf: asOf, Before: last[h.room].readAt, Right: right})
	}
	if len(news) > 0 {
		if err := q.AddSightings(ctx, sightings); err != nil {
			return fmt.Errorf("store what lists say: %w", err)
		}
	}
	if err := w.putSpans(ctx, q, holders); err != nil {
		return err
	}
	arg := db.SetRoomMembersReadParams{PortalID: w.Portal.ID, AsOf: asOf}
	for key, l := range lists {
		arg.RoomKeys = append(arg.RoomKeys, key)
		arg.ReadAt = append(arg.ReadAt, l.ReadAt)
	}
	if err := q.SetRoomMembersRead(ctx, arg); err != nil {
		return fmt.Errorf("record what was read: %w", err)
	}
	return nil
}

// holder is who holds a right in a room: a person or a group, the other is 0.
type holder struct{ room, account, group int32 }

// listedRights are the rights on rooms' lists. Everybody on them gets an account row:
// they can name people whom the portal's list of people leaves out.
func (w *Writer) listedRights(ctx context.Context, q *db.Queries, lists map[int32]audit.RoomMembers) (map[holder]membership.Right, error) {
	ids, names, groups := map[string]bool{}, map[string]string{}, map[string]bool{}
	for _, list := range lists {
		for _, g := range list.Grants {
			switch {
			case g.AccountID != "":
				ids[g.AccountID] = true
			case g.Access.IsMember():
				groups[g.GroupID] = true
			}
		}
		for _, a := range list.Accounts {
			names[a.ID] = a.Name
		}
	}
	if err := w.addAccounts(ctx, q, ids, names); err != nil {
		return nil, err
	}
	groupKeys, err := w.groupKeys(ctx, q, groups)
	if err != nil {
		return nil, err
	}
	listed := map[holder]membership.Right{}
	for room, list := range lists {
		for _, g := range list.Grants {
			right := membership.Right{Access: g.Access, Owner: g.Owner}
			switch {
			case !g.Access.IsMember():
			case g.AccountID != "":
				listed[holder{room: room, account: w.keys.accounts[g.AccountID].key}] = right
			default:
				listed[holder{room: room, group: groupKeys[g.GroupID]}] = right
			}
		}
	}
	return listed, nil
}

// newRights are what lists of rooms say otherwise than the lists before or than the
// memberships that are known; zero where somebody is not on them.
func (w *Writer) newRights(
	ctx context.Context, q *db.Queries, rooms []int32, listed map[holder]membership.Right,
) (map[holder]membership.Right, error) {
	said, known := map[holder]membership.Right{}, map[holder]membership.Right{}
	last, err := q.ListLastSightings(ctx, db.ListLastSightingsParams{PortalID: w.Portal.ID, RoomKeys: rooms})
	if err != nil {
		return nil, fmt.Errorf("read the lists before: %w", err)
	}
	for _, s := range last {
		said[holder{s.RoomKey, s.AccountKey, s.GroupKey}] = membership.Right{Access: audit.Access(s.Access), Owner: s.IsOwner}
	}
	open, err := q.ListOpenMemberships(ctx, db.ListOpenMembershipsParams{PortalID: w.Portal.ID, RoomKeys: rooms})
	if err != nil {
		return nil, fmt.Errorf("read known members: %w", err)
	}
	for _, m := range open {
		right := membership.Right{Access: audit.Access(m.Access), Owner: m.IsOwner}
		if right == (membership.Right{}) { // a member, but nobody knows with which right
			right.Access = audit.AccessVaries
		}
		known[holder{m.RoomKey, m.AccountKey, m.GroupKey}] = right
	}
	news := maps.Clone(listed)
	for _, others := range []map[holder]membership.Right{said, known} {
		for h := range others {
			news[h] = listed[h] // zero if it is not on the list
		}
	}
	maps.DeleteFunc(news, func(h holder, right membership.Right) bool {
		isKnown := right == known[h]
		return isKnown && right == said[h]
	})
	return news, nil
}

func addSighting(arg *db.AddSightingsParams, h holder, s membership.Sighting) {
	arg.RoomKeys = append(arg.RoomKeys, h.room)
	arg.AccountKeys = append(arg.AccountKeys, h.account)
	arg.GroupKeys = append(arg.GroupKeys, h.group)
	arg.ReadAt = append(arg.ReadAt, s.ReadAt)
	arg.AsOf = append(arg.AsOf, s.AsOf)
	arg.BeforeAt = append(arg.BeforeAt, s.Before)
	arg.Accesses = append(arg.Accesses, int16(s.Right.Access))
	arg.Owners = append(arg.Owners, s.Right.Owner)
}

// putSpans works out anew when the holders had which right in their rooms.
func (w *Writer) putSpans(ctx context.Context, q *db.Queries, holders map[holder]bool) error {
	if len(holders) == 0 {
		return nil
	}
	evidence, err := w.memberEvidence(ctx, q, holders)
	if err != nil {
		return err
	}
	members := db.AddRoomMembersParams{PortalID: w.Portal.ID}
	groups := db.AddRoomGroupsParams{PortalID: w.Portal.ID}
	gone := db.DeleteRoomMembersParams{PortalID: w.Portal.ID}
	goneGroups := db.DeleteRoomGroupsParams{PortalID: w.Portal.ID}
	for h := range holders {
		spans := membership.Spans(evidence[h])
		if h.group != 0 {
			goneGroups.RoomKeys = append(goneGroups.RoomKeys, h.room)
			goneGroups.GroupKeys = append(goneGroups.GroupKeys, h.group)
		} else {
			gone.RoomKeys = append(gone.RoomKeys, h.room)
			gone.AccountKeys = append(gone.AccountKeys, h.account)
		}
		for _, s := range spans {
			if h.group != 0 {
				groups.RoomKeys = append(groups.RoomKeys, h.room)
				groups.GroupKeys = append(groups.GroupKeys, h.group)
				groups.ValidFrom = append(groups.ValidFrom, s.From)
				groups.ValidTo = append(groups.ValidTo, s.To)
				groups.JoinedAt = append(groups.JoinedAt, s.JoinedAt)
				groups.JoinedAfter = append(groups.JoinedAfter, s.JoinedAfter)
				groups.Accesses = append(groups.Accesses, int16(s.Right.Access))
				continue
			}
			members.RoomKeys = append(members.RoomKeys, h.room)
			members.AccountKeys = append(members.AccountKeys, h.account)
			members.ValidFrom = append(members.ValidFrom, s.From)
			members.ValidTo = append(members.ValidTo, s.To)
			members.JoinedAt = append(members.JoinedAt, s.JoinedAt)
			members.JoinedAfter = append(members.JoinedAfter, s.JoinedAfter)
			members.Accesses = append(members.Accesses, int16(s.Right.Access))
			members.Owners = append(members.Owners, s.Right.Owner)
		}
	}
	if len(gone.RoomKeys) > 0 {
		if err := q.DeleteRoomMembers(ctx, gone); err != nil {
			return fmt.Errorf("clear memberships: %w", err)
		}
		if err := q.AddRoomMembers(ctx, members); err != nil {
			return fmt.Errorf("store memberships: %w", err)
		}
	}
	if len(goneGroups.RoomKeys) > 0 {
		if err := q.DeleteRoomGroups(ctx, goneGroups); err != nil {
			return fmt.Errorf("clear rights of groups: %w", err)
		}
		if err := q.AddRoomGroups(ctx, groups); err != nil {
			return fmt.Errorf("store rights of groups: %w", err)
		}
	}
	return nil
}

// memberEvidence reads all that is known of the holders in their rooms.
func (w *Writer) memberEvidence(ctx context.Context, q *db.Queries, holders map[holder]bool) (map[holder]membership.Evidence, error) {
	rooms := map[int32]bool{}
	sighted := db.ListSightingsParams{PortalID: w.Portal.ID}
	said := db.ListMemberChangesParams{PortalID: w.Portal.ID, Promotions: audit.MemberActions(audit.MemberPromoted)}
	for h := range holders {
		rooms[h.room] = true
		sighted.RoomKeys = append(sighted.RoomKeys, h.room)
		sighted.AccountKeys = append(sighted.AccountKeys, h.account)
		sighted.GroupKeys = append(sighted.GroupKeys, h.group)
		if h.group != 0 {
			said.GroupKeys = append(said.GroupKeys, h.group)
		} else {
			said.AccountKeys = append(said.AccountKeys, h.account)
		}
	}
	said.RoomKeys = slices.Collect(maps.Keys(rooms))
	evidence := make(map[holder]membership.Evidence, len(holders))
	sightings, err := q.ListSightings(ctx, sighted)
	if err != nil {
		return nil, fmt.Errorf("read what lists said: %w", err)
	}
	for _, s := range sightings {
		h := holder{s.RoomKey, s.AccountKey, s.GroupKey}
		e := evidence[h]
		e.Sightings = append(e.Sightings, membership.Sighting{
			ReadAt: s.ReadAt.UTC(), AsOf: s.AsOf.UTC(), Before: zeroTime(s.BeforeAt),
			Right: membership.Right{Access: audit.Access(s.Access), Owner: s.IsOwner},
		})
		evidence[h] = e
	}
	changes, err := q.ListMemberChanges(ctx, said)
	if err != nil {
		return nil, fmt.Errorf("read what logs said: %w", err)
	}
	for _, c := range changes {
		act, _ := audit.LookupMemberAct(c.ActionID)
		change := membership.Change{At: c.OccurredAt.UTC(), EventID: c.EventID, Act: act}
		concerned := holder{c.RoomKey, c.AccountKey, c.GroupKey}
		if holders[concerned] {
			e := evidence[concerned]
			e.Changes = append(e.Changes, change)
			evidence[concerned] = e
		}
		if change.Act != audit.MemberPromoted {
			continue
		}
		change.Act = audit.MemberDeposed
		for other := range holders {
			if other.room == c.RoomKey && other.group == 0 && other != concerned {
				e := evidence[other]
				e.Changes = append(e.Changes, change)
				evidence[other] = e
			}
		}
	}
	return evidence, w.addImplied(ctx, q, said.RoomKeys, evidence)
}

// addImplied adds what the rooms' last lists said of the holders without saying
// anything new at the time, where changes that are known by now make it so. It is stored, so that it holds
// whatever later lists say.
func (w *Writer) addImplied(ctx context.Context, q *db.Queries, rooms []int32, evidence map[holder]membership.Evidence) error {
	last, err := w.lastLists(ctx, q, rooms)
	if err != nil {
		return err
	}
	arg := db.AddSightingsParams{PortalID: w.Portal.ID}
	for h, e := range evidence {
		list, wasRead := last[h.room]
		if !wasRead {
			continue
		}
		s, ok := membership.Implied(e, list.readAt, list.asOf)
		if !ok {
			continue
		}
		e.Sightings = append(e.Sightings, s)
		evidence[h] = e
		addSighting(&arg, h, s)
	}
	if len(arg.AccountKeys) == 0 {
		return nil
	}
	if err := q.AddSightings(ctx, arg); err != nil {
		return fmt.Errorf("store what the last lists say: %w", err)
	}
	return nil
}

// listRead is when a list of members was read, and as of when.
type listRead struct{ readAt, asOf time.Time }

// lastLists returns when the lists of the rooms were read last, of those of which one was.
func (w *Writer) lastLists(ctx context.Context, q *db.Queries, rooms []int32) (map[int32]listRead, error) {
	rows, err := q.ListLastLists(ctx, db.ListLastListsParams{PortalID: w.Portal.ID, RoomKeys: rooms})
	if err != nil {
		return nil, fmt.Errorf("read when lists were read last: %w", err)
	}
	last := make(map[int32]listRead, len(rows))
	for _, row := range rows {
		last[row.RoomKey] = listRead{row.MembersReadAt.UTC(), row.MembersAt.UTC()}
	}
	return last, nil
}

// PutGroup stores who belongs to a group by the list that was read at readAt;
// changes count as made at asOf.
func (w *Writer) PutGroup(ctx context.Context, group audit.Group, readAt, asOf time.Time) error {
	err := w.inTx(ctx, func(ctx context.Context, q *db.Queries) error {
		rows, err := w.addGroups(ctx, q, []string{group.ID})
		if err != nil {
			return err
		}
		key, lastRead := rows[0].GroupKey, zeroTime(rows[0].ReadAt)
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
		members, err := q.ListOpenGroupMembers(ctx, db.ListOpenGroupMembersParams{PortalID: w.Portal.ID, GroupKey: key})
		if err != nil {
			return fmt.Errorf("read known members: %w", err)
		}
		closed := db.CloseGroupMembersParams{PortalID: w.Portal.ID, GroupKey: key, ValidTo: asOf}
		for _, account := range members {
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

// groupKeys returns the keys of groups by their ids.
func (w *Writer) groupKeys(ctx context.Context, q *db.Queries, ids map[string]bool) (map[string]int32, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	rows, err := w.addGroups(ctx, q, slices.Sorted(maps.Keys(ids)))
	keys := make(map[string]int32, len(rows))
	for _, row := range rows {
		keys[row.GroupID] = row.GroupKey
	}
	return keys, err
}

func (w *Writer) addGroups(ctx context.Context, q *db.Queries, ids []string) ([]db.AddGroupsRow, error) {
	rows, err := q.AddGroups(ctx, db.AddGroupsParams{PortalID: w.Portal.ID, GroupIDs: ids})
	if err != nil {
		return nil, fmt.Errorf("add groups: %w", err)
	}
	return rows, nil
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
