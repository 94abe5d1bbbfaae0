package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"roompulse/db"
	"roompulse/internal/audit"
)

// ExplainFacts reads what tells of an account in a room: the account is named by
// its id or, in any case, its e-mail address. Of each list of events the given
// number of newest ones is read.
func (r *Reader) ExplainFacts(
	ctx context.Context, w audit.Window, filter audit.Filter, roomID, account string, newest int64,
) (audit.ExplainFacts, error) {
	var facts audit.ExplainFacts
	read, err := r.snapshot(ctx, w, func(ctx context.Context, s state, read *audit.Facts) error {
		room, err := s.q.GetRoom(ctx, db.GetRoomParams{PortalID: r.portal.ID, RoomID: roomID})
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read the room: %w", err)
		}
		read.Rooms = []audit.RoomFacts{toRoomFacts(room)}
		accounts, err := accountsNamed(ctx, s.q, r.portal, account)
		if err != nil {
			return err
		}
		for _, a := range accounts {
			facts.Accounts = append(facts.Accounts, toAccountFacts(a))
		}
		if len(accounts) != 1 {
			return nil
		}
		e := explained{s.q, r.portal, w, filter, room, accounts[0]}
		return e.read(ctx, s, read, &facts, newest)
	})
	facts.Facts = read
	return facts, err
}

// accountsNamed returns the account with an id or, if there is none, those with an e-mail address.
func accountsNamed(ctx context.Context, q *db.Queries, p Portal, name string) ([]db.Account, error) {
	accounts, err := q.ListAccountsNamed(ctx, db.ListAccountsNamedParams{PortalID: p.ID, Name: name})
	if err != nil {
		return nil, fmt.Errorf("read the account: %w", err)
	}
	if len(accounts) > 0 && accounts[0].AccountID == name {
		return accounts[:1], nil
	}
	return accounts, nil
}

func toAccountFacts(a db.Account) audit.AccountFacts {
	facts := audit.AccountFacts{ID: a.AccountID, Name: a.Name, Status: audit.AccountStatus(a.Status), Guest: a.IsGuest}
	if a.Email != nil {
		facts.Email = *a.Email
	}
	return facts
}

// explained is an account in a room over a window, as a transaction sees them.
type explained struct {
	q       *db.Queries
	portal  Portal
	window  audit.Window
	filter  audit.Filter
	room    db.Room
	account db.Account
}

func (e explained) read(ctx context.Context, s state, read *audit.Facts, facts *audit.ExplainFacts, newest int64) error {
	// What is judged is read by the report's own query: another one could answer
	// otherwise.
	in := selected{rooms: []db.Room{e.room}, account: e.account.AccountKey}
	members, err := memberFacts(ctx, s, e.portal, e.window, &in, e.filter, 0)
	if err != nil {
		return err
	}
	read.Members = members
	if read.Exclusions, err = exclusions(ctx, e.q, e.portal, e.window.To); err != nil {
		return err
	}
	if facts.Memberships, err = e.memberships(ctx); err != nil {
		return err
	}
	if err := e.events(ctx, facts, newest); err != nil {
		return err
	}
	facts.Last, err = e.last(ctx)
	return err
}

func (e explained) memberships(ctx context.Context) ([]audit.MembershipFacts, error) {
	rows, err := e.q.ListMembershipSpans(ctx, db.ListMembershipSpansParams{
		PortalID: e.portal.ID, RoomKey: e.room.RoomKey, AccountKey: e.account.AccountKey,
	})
	if err != nil {
		return nil, fmt.Errorf("read memberships: %w", err)
	}
	spans := make([]audit.MembershipFacts, len(rows))
	for i, m := range rows {
		spans[i] = audit.MembershipFacts{
			GroupID: m.GroupID, GroupName: m.GroupName, Access: audit.Access(m.Access), Owner: m.IsOwner,
			From: m.ValidFrom.UTC(), To: m.ValidTo.UTC(), JoinedAt: m.JoinedAt.UTC(), JoinedAfter: m.JoinedAfter.UTC(),
		}
	}
	return spans, nil
}

// events reads the lists of events and the titles that some of them name.
func (e explained) events(ctx context.Context, facts *audit.ExplainFacts, newest int64) error {
	titles, err := e.q.ListUnresolvedTitles(ctx, db.ListUnresolvedTitlesParams{PortalID: e.portal.ID, RoomKey: e.room.RoomKey})
	if err != nil {
		return fmt.Errorf("read titles of the room: %w", err)
	}
	keys := make([]int32, len(titles))
	for i, t := range titles {
		keys[i] = t.RoomKey
		facts.Titles = append(facts.Titles, audit.SharedTitle{Title: t.Title, OtherRooms: t.OtherRooms})
	}
	rows, err := e.q.ListExplainedEvents(ctx, db.ListExplainedEventsParams{
		PortalID: e.portal.ID, RoomKey: e.room.RoomKey, AccountKey: e.account.AccountKey, TitleKeys: keys,
		Classes: countedClasses(e.filter), Since: e.window.From, Until: e.window.To, Newest: newest,
	})
	if err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	lists := map[int32]*audit.EventList{1: &facts.Counted, 2: &facts.Uncounted, 3: &facts.Unresolved, 4: &facts.Unplaced}
	for _, row := range rows {
		list := lists[row.List]
		list.Nones, list.Views, list.Edits, list.Manages = row.Nones, row.Views, row.Edits, row.Manages
		list.Newest = append(list.Newest, audit.EventDetail{
			ID: row.EventID, At: row.OccurredAt.UTC(), ActionID: row.ActionID, Class: audit.Class(row.Class), RoomSource: row.RoomSource,
			Target: row.Target, Description: row.Description, Context: row.Context, Concerning: row.Concerning,
		})
	}
	return nil
}

func (e explained) last(ctx context.Context) (*audit.LastEvent, error) {
	row, err := e.q.GetLastEvent(ctx, db.GetLastEventParams{
		PortalID: e.portal.ID, AccountKey: e.account.AccountKey, Until: e.window.To, UntilDate: utcDay(e.window.To),
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("read the last event: %w", err)
	}
	return &audit.LastEvent{
		EventDetail: audit.EventDetail{
			ID: row.EventID, At: row.OccurredAt.UTC(), ActionID: row.ActionID, Class: audit.Class(row.Class), RoomSource: row.RoomSource,
		},
		RoomID: row.RoomID, RoomTitle: row.RoomTitle, Unresolved: row.IsUnresolved,
	}, nil
}
