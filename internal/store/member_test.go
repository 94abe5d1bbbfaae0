package store_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"roompulse/internal/attribution"
	"roompulse/internal/audit"
	"roompulse/internal/store"
	"roompulse/internal/testkit/pgtest"
)

func day(n int) time.Time { return now.AddDate(0, 0, n) }

// roster is a warehouse with one room and a few people.
type roster struct {
	writer *store.Writer
	reader *store.Reader
	conn   *pgx.Conn
}

const room = "812"

func newRoster(t *testing.T) *roster {
	t.Helper()
	url := pgtest.New(t)
	st := open(t, url)
	w, err := st.OpenWriter(t.Context(), "https://acme.example.org", owner("boss"), now)
	must(t, err)
	t.Cleanup(w.Close)
	r := &roster{w, st.Reader(w.Portal), connect(t, url)}
	var people []audit.Account
	for _, id := range []string{"boss", "ann", "bob", "guest"} {
		people = append(people, audit.Account{ID: id, Name: id, Status: audit.AccountActive, Guest: id == "guest", Registered: day(-100)})
	}
	must(t, w.PutAccounts(t.Context(), people, day(-10)))
	must(t, w.PutRooms(t.Context(), []audit.Room{{ID: room, Title: "Tender", Created: day(-90)}}, day(-10), attribution.NewRooms(nil)))
	return r
}

func (r *roster) list(t *testing.T, at time.Time, grants ...audit.Grant) {
	t.Helper()
	must(t, r.writer.PutMembers(t.Context(), []audit.RoomMembers{listOf(room, at, grants...)}, at))
}

func listOf(room string, at time.Time, grants ...audit.Grant) audit.RoomMembers {
	return audit.RoomMembers{RoomID: room, MemberList: audit.MemberList{Readable: true, Grants: grants}, ReadAt: at}
}

func person(id string, access audit.Access) audit.Grant {
	return audit.Grant{AccountID: id, Access: access, Owner: access == audit.AccessOwner}
}

func group(id string, access audit.Access) audit.Grant {
	return audit.Grant{GroupID: id, Access: access}
}

// member is how somebody stands in the room.
type member struct {
	access                audit.Access
	joinedAt, joinedAfter time.Time
}

// members are those of the room at an instant.
func (r *roster) members(t *testing.T, at time.Time) map[string]member {
	t.Helper()
	facts, err := r.reader.InactiveFacts(context.WithoutCancel(t.Context()), audit.Window{From: day(-200), To: at, Zone: time.UTC}, nil, audit.FilterAny, 0)
	must(t, err)
	members := map[string]member{}
	for _, m := range facts.Members {
		if _, twice := members[m.AccountID]; twice {
			t.Errorf("%s is there twice", m.AccountID)
		}
		members[m.AccountID] = member{m.Access, m.JoinedAt, m.JoinedAfter}
	}
	return members
}

func (r *roster) want(t *testing.T, at time.Time, want map[string]member) {
	t.Helper()
	got := r.members(t, at)
	for id, m := range want {
		if g, ok := got[id]; !ok || g.access != m.access || !g.joinedAt.Equal(m.joinedAt) || !g.joinedAfter.Equal(m.joinedAfter) {
			t.Errorf("%s at %s: got %+v, want %+v", id, at.Format(time.DateOnly), g, m)
		}
		delete(got, id)
	}
	if len(got) > 0 {
		t.Errorf("at %s there are also %v", at.Format(time.DateOnly), got)
	}
}

// TestMembersOverTime: the first list says nothing about when somebody joined;
// later ones bound it; a changed right is no new membership; a re-join is.
func TestMembersOverTime(t *testing.T) {
	t.Parallel()
	r := newRoster(t)
	r.list(t, day(-9), person("boss", audit.AccessOwner), person("ann", audit.AccessEditor))
	r.list(t, day(-7), person("boss", audit.AccessOwner), person("ann", audit.AccessViewer), person("bob", audit.AccessEditor))
	r.list(t, day(-5), person("boss", audit.AccessOwner), person("bob", audit.AccessEditor))
	r.list(t, day(-3), person("boss", audit.AccessOwner), person("ann", audit.AccessEditor), person("bob", audit.AccessEditor))

	boss := member{access: audit.AccessOwner}
	r.want(t, day(-50), map[string]member{"boss": boss, "ann": {access: audit.AccessEditor}})
	r.want(t, day(-8), map[string]member{"boss": boss, "ann": {access: audit.AccessEditor}})
	r.want(t, day(-6), map[string]member{"boss": boss, "ann": {access: audit.AccessViewer}, "bob": {audit.AccessEditor, day(-7), day(-9)}})
	r.want(t, day(-4), map[string]member{"boss": boss, "bob": {audit.AccessEditor, day(-7), day(-9)}})
	r.want(t, day(-3), map[string]member{"boss": boss, "bob": {audit.AccessEditor, day(-7), day(-9)}, "ann": {audit.AccessEditor, day(-3), day(-5)}})
}

// TestMembersReadTwiceAtOnce: a run may read a list twice as of one instant.
func TestMembersReadTwiceAtOnce(t *testing.T) {
	t.Parallel()
	r := newRoster(t)
	r.list(t, day(-9), person("boss", audit.AccessOwner))
	for _, access := range []audit.Access{audit.AccessEditor, audit.AccessViewer, audit.AccessEditor} {
		r.list(t, day(-8), person("boss", audit.AccessOwner), person("ann", access))
	}
	r.want(t, day(-8), map[string]member{"boss": {access: audit.AccessOwner}, "ann": {audit.AccessEditor, day(-8), day(-9)}})
	r.list(t, day(-8), person("boss", audit.AccessOwner))
	r.want(t, day(-8), map[string]member{"boss": {access: audit.AccessOwner}})
	r.want(t, day(-7), map[string]member{"boss": {access: audit.AccessOwner}})
}

// TestMembersUnreadable: an empty answer is no empty room.
func TestMembersUnreadable(t *testing.T) {
	t.Parallel()
	r := newRoster(t)
	r.list(t, day(-9), person("boss", audit.AccessOwner), person("ann", audit.AccessEditor))
	must(t, r.writer.PutMembers(t.Context(), []audit.RoomMembers{{RoomID: room, ReadAt: day(-8)}}, day(-8)))
	r.want(t, day(-7), map[string]member{"boss": {access: audit.AccessOwner}, "ann": {access: audit.AccessEditor}})
	facts, err := r.reader.InactiveFacts(t.Context(), audit.Window{From: day(-20), To: day(-7), Zone: time.UTC}, nil, audit.FilterAny, 0)
	must(t, err)
	if since := facts.Rooms[0].UnreadableSince; !since.Equal(day(-8)) {
		t.Errorf("unreadable since %s", since)
	}
}

// TestMembersThroughGroups: the own right beats that of groups, the highest
// of the groups counts, Everyone stands for all active accounts but guests.
func TestMembersThroughGroups(t *testing.T) {
	t.Parallel()
	r := newRoster(t)
	everyone := group(audit.GroupEveryone, audit.AccessViewer)
	r.list(t, day(-9), person("boss", audit.AccessOwner), person("bob", audit.AccessViewer),
		group("low", audit.AccessCommenter), group("high", audit.AccessEditor))
	for _, id := range []string{"low", "high"} {
		must(t, r.writer.PutGroup(t.Context(), audit.Group{ID: id, Name: id, MemberIDs: []string{"ann", "bob"}}, day(-9), day(-9)))
	}
	r.want(t, day(-8), map[string]member{
		"boss": {access: audit.AccessOwner}, "ann": {access: audit.AccessEditor}, "bob": {access: audit.AccessViewer},
	})
	r.list(t, day(-6), person("boss", audit.AccessOwner), everyone)
	must(t, r.writer.PutGroup(t.Context(), audit.Group{ID: audit.GroupEveryone, Name: "Everyone"}, day(-6), day(-6)))
	r.want(t, day(-5), map[string]member{
		"boss": {access: audit.AccessOwner}, "ann": {audit.AccessViewer, day(-6), day(-9)}, "bob": {audit.AccessViewer, day(-6), day(-9)},
	})
	must(t, r.writer.PutGroup(t.Context(), audit.Group{ID: "high", Name: "high", MemberIDs: []string{"guest"}}, day(-4), day(-4)))
	r.list(t, day(-4), person("boss", audit.AccessOwner), group("high", audit.AccessEditor))
	r.want(t, day(-3), map[string]member{"boss": {access: audit.AccessOwner}, "guest": {audit.AccessEditor, day(-4), day(-6)}})
}

// TestMembersDatedByLog: where the room's log tells when somebody was added,
// that is the start, also of somebody whom the first list had.
func TestMembersDatedByLog(t *testing.T) {
	t.Parallel()
	r := newRoster(t)
	r.list(t, day(-9), person("boss", audit.AccessOwner), person("ann", audit.AccessEditor))
	r.list(t, day(-7), person("boss", audit.AccessOwner), person("ann", audit.AccessEditor), person("bob", audit.AccessEditor))
	entry := func(id int64, at time.Time, who string) audit.LogEntry {
		return audit.LogEntry{EventID: id, At: at, ActionID: audit.ActionRoomCreateUser, ActorID: "boss", AccountID: who}
	}
	_, _, err := r.writer.PutLogs(t.Context(), []audit.LogTurn{{
		RoomID: room, Entries: []audit.LogEntry{entry(1, day(-80), "ann"), entry(2, day(-8), "bob")},
		Read: audit.Span{From: day(-90), To: day(-7)}, WantedFrom: day(-90), AskedAt: day(-7),
	}})
	must(t, err)
	r.want(t, day(-6), map[string]member{
		"boss": {access: audit.AccessOwner}, "ann": {audit.AccessEditor, day(-80), day(-80)}, "bob": {audit.AccessEditor, day(-8), day(-8)},
	})
	r.want(t, day(-85), map[string]member{"boss": {access: audit.AccessOwner}})
}

// TestMembersOfAGivenRoom: both the new owner and the former one have their
// rights since the moment that the log tells, whether lists or log came first.
func TestMembersOfAGivenRoom(t *testing.T) {
	t.Parallel()
	for _, logFirst := range []bool{false, true} {
		r := newRoster(t)
		given := func() {
			_, _, err := r.writer.PutLogs(t.Context(), []audit.LogTurn{{RoomID: room, Entries: []audit.LogEntry{
				{EventID: 1, At: day(-7), ActionID: audit.ActionRoomChangeOwner, ActorID: "boss", AccountID: "ann"},
				{EventID: 2, At: day(-6), ActionID: audit.ActionRoomRemoveUser, ActorID: "ann", AccountID: "bob"},
			}}})
			must(t, err)
		}
		r.list(t, day(-9), person("boss", audit.AccessOwner), person("ann", audit.AccessEditor), person("bob", audit.AccessEditor))
		if logFirst {
			given()
		}
		r.list(t, day(-5), person("ann", audit.AccessOwner), person("boss", audit.AccessRoomManager))
		if !logFirst {
			given()
		}
		editor := member{access: audit.AccessEditor}
		r.want(t, day(-8), map[string]member{"boss": {access: audit.AccessOwner}, "ann": editor, "bob": editor})
		now := map[string]member{"boss": {access: audit.AccessRoomManager}, "ann": {access: audit.AccessOwner}, "bob": editor}
		r.want(t, day(-7), now)
		delete(now, "bob")
		r.want(t, day(-6), now)
		r.want(t, day(-4), now)
	}
}

// TestMembersGoneWithoutAWord: the log tells that somebody was added whom the last list
// had not any more. What that list implies holds on, whatever is read later.
func TestMembersGoneWithoutAWord(t *testing.T) {
	t.Parallel()
	r := newRoster(t)
	boss := person("boss", audit.AccessOwner)
	r.list(t, day(-9), boss)
	r.list(t, day(-5), boss)
	_, _, err := r.writer.PutLogs(t.Context(), []audit.LogTurn{{RoomID: room, Entries: []audit.LogEntry{
		{EventID: 1, At: day(-8), ActionID: audit.ActionRoomCreateUser, ActorID: "boss", AccountID: "ann"},
	}}})
	must(t, err)
	for range 2 {
		r.want(t, day(-7), map[string]member{"boss": {access: audit.AccessOwner}, "ann": {joinedAt: day(-8), joinedAfter: day(-8)}})
		r.want(t, day(-4), map[string]member{"boss": {access: audit.AccessOwner}})
		r.list(t, day(-3), boss)
	}
}

// TestMembersOfRoomsTogether: what the lists and logs of several rooms say is the same whether it is stored in one
// transaction or in one for each room.
func TestMembersOfRoomsTogether(t *testing.T) {
	t.Parallel()
	const other = "813"
	change := func(id int64, n int, action int32, account, group string) audit.LogEntry {
		return audit.LogEntry{EventID: id, At: day(n), ActionID: action, ActorID: "boss", AccountID: account, GroupID: group}
	}
	boss := person("boss", audit.AccessOwner)
	lists := []audit.RoomMembers{
		listOf(room, day(-8), boss, person("bob", audit.AccessEditor)),
		listOf(other, day(-7), boss, person("ann", audit.AccessEditor), group("staff", audit.AccessEditor)),
	}
	turns := []audit.LogTurn{
		{RoomID: room, Entries: []audit.LogEntry{
			change(1, -80, audit.ActionRoomCreateUser, "ann", ""), change(2, -6, audit.ActionRoomChangeOwner, "bob", ""),
		}, Explained: true, Changes: []audit.RoomEvent{{ID: 1, At: day(-80)}, {ID: 9, At: day(-70), ActionID: audit.ActionRoomRemoveUser}}},
		{RoomID: other, Entries: []audit.LogEntry{
			change(3, -50, audit.ActionRoomCreateUser, "ann", ""), change(4, -40, audit.ActionRoomCreateUser, "new", ""),
			change(5, -30, audit.ActionRoomRemoveUser, "new", ""), change(7, -4, audit.ActionRoomChangeOwner, "ann", ""), change(6, -20, audit.ActionRoomGroupAdded, "", "staff"),
		}, Read: audit.Span{From: day(-90), To: day(-1)}, WantedFrom: day(-90), AskedAt: day(-1)},
	}
	manager := person("boss", audit.AccessRoomManager)
	later := []audit.RoomMembers{
		listOf(room, day(-2), person("bob", audit.AccessOwner), manager), listOf(other, day(-2), person("ann", audit.AccessOwner), manager),
	}
	// learn returns all that is known of members and logs after n rooms were stored at once.
	learn := func(n int) (all string) {
		r := newRoster(t)
		must(t, r.writer.PutRooms(t.Context(), []audit.Room{{ID: room, Title: "Tender"}, {ID: other, Title: "Sales"}}, day(-9), attribution.NewRooms(nil)))
		must(t, r.writer.PutAccounts(t.Context(), []audit.Account{{ID: "new"}}, day(-9))) // lest keys go by which room comes first
		for lists := range slices.Chunk(lists, n) {
			must(t, r.writer.PutMembers(t.Context(), lists, day(-7)))
		}
		for turns := range slices.Chunk(turns, n) {
			_, _, err := r.writer.PutLogs(t.Context(), turns)
			must(t, err)
		}
		for lists := range slices.Chunk(later, n) {
			must(t, r.writer.PutMembers(t.Context(), lists, day(-2)))
		}
		must(t, r.conn.QueryRow(t.Context(), `
			SELECT string_agg(x.line::text, E'\n' ORDER BY x.line::text)
			FROM (
				SELECT row_to_json(m) AS line FROM room_member AS m
				UNION ALL SELECT row_to_json(g) FROM room_group AS g
				UNION ALL SELECT row_to_json(s) FROM member_sighting AS s
				UNION ALL SELECT row_to_json(c) FROM membership_change AS c
				UNION ALL SELECT row_to_json(h) FROM history_pending AS h
				UNION ALL SELECT row_to_json(r) FROM room AS r
			) AS x`).Scan(&all))
		return all
	}
	if together, apart := learn(2), learn(1); together != apart {
		t.Errorf("together:\n%s\n\none after another:\n%s", together, apart)
	}
}
