package store_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"roompulse/internal/attribution"
	"roompulse/internal/audit"
	"roompulse/internal/report"
	"roompulse/internal/store"
	"roompulse/internal/testkit/pgtest"
)

// The days of the play begin here; Europe's clocks change on the fourth.
var dayOne = time.Date(2026, 3, 25, 0, 0, 0, 0, time.UTC)

const playDays = 12

// always stands for -infinity: since before anything was known.
var always = time.Time{}

// span is something that holds for a time.
type span struct {
	from, to    time.Time // always: since ever; zero to: for ever
	joinedAfter time.Time
	room        int
	person      int
	access      audit.Access
	owner       bool
}

func (s span) holds(at time.Time) bool {
	return !s.from.After(at) && (s.to.IsZero() || at.Before(s.to))
}

type player struct {
	id, email  string
	status     audit.AccountStatus
	guest      bool
	registered time.Time // zero: not known
}

type playRoom struct {
	id, title, oldTitle string
	archived            bool
	created, deleted    time.Time
}

type act struct {
	at     time.Time
	person int
	room   string // id, or title of an unresolved one
	source attribution.Source
	class  audit.Class
}

// play is all that a warehouse holds of a portal, as plain values.
type play struct {
	people     []player
	rooms      []playRoom
	own        []span // rights of people in rooms
	viaGroup   []span // rights of group in rooms
	inGroup    []span // people in group
	everyone   []span // rights of Everyone in rooms
	acts       []act
	held       []audit.Span // complete
	floorIsOld bool
	exclusions []audit.Exclusion
}

func drawPlay(t *rapid.T) play {
	moment := func(label string) time.Time {
		day := dayOne.AddDate(0, 0, rapid.IntRange(0, playDays-1).Draw(t, label+" day"))
		switch rapid.IntRange(0, 4).Draw(t, label+" kind") {
		case 0:
			return day
		case 1:
			return day.Add(-time.Microsecond)
		case 2:
			return day.Add(-time.Hour) // Berlin's midnight
		}
		return day.Add(time.Duration(rapid.IntRange(0, 86_399).Draw(t, label+" second")) * time.Second)
	}
	maybe := func(label string) time.Time {
		if rapid.Bool().Draw(t, label+" known") {
			return moment(label)
		}
		return time.Time{}
	}
	var p play
	for i := range 5 {
		p.people = append(p.people, player{
			id: fmt.Sprintf("p%d", i), email: fmt.Sprintf("P%d@%s.example", i, rapid.SampledFrom([]string{"a", "B"}).Draw(t, "domain")),
			status: rapid.SampledFrom([]audit.AccountStatus{1, 1, 1, 0, 2, 3, 4}).Draw(t, "status"),
			guest:  rapid.Bool().Draw(t, "guest"), registered: maybe("registered"),
		})
	}
	p.people[4].id = audit.AccountAnonymous
	for i := range 3 {
		p.rooms = append(p.rooms, playRoom{
			id: fmt.Sprintf("r%d", i), title: rapid.SampledFrom([]string{"Same", "Other"}).Draw(t, "title"),
			oldTitle: rapid.SampledFrom([]string{"", "Same", "Old"}).Draw(t, "old title"),
			archived: rapid.IntRange(0, 3).Draw(t, "archived") == 0, created: maybe("created"),
		})
		if rapid.IntRange(0, 5).Draw(t, "deleted") == 0 {
			p.rooms[i].deleted = moment("deleted")
		}
	}
	// spans of one thing do not overlap, as the store keeps them.
	spans := func(label string, most int, draw func() span) (list []span) {
		var ends []time.Time
		for range 2 * rapid.IntRange(0, most).Draw(t, label) {
			ends = append(ends, moment(label))
		}
		slices.SortFunc(ends, time.Time.Compare)
		ends = slices.CompactFunc(ends, time.Time.Equal)
		for i := 0; i+1 < len(ends); i += 2 {
			s := draw()
			s.from, s.to, s.joinedAfter = ends[i], ends[i+1], ends[i]
			if i > 0 && rapid.Bool().Draw(t, label+" after") {
				s.joinedAfter = ends[i-1]
			}
			if i == 0 && rapid.Bool().Draw(t, label+" always") {
				s.from, s.joinedAfter = always, always
			}
			if i+2 >= len(ends) && rapid.IntRange(0, 3).Draw(t, label+" open") > 0 {
				s.to = time.Time{}
			}
			list = append(list, s)
		}
		return list
	}
	access := func() audit.Access {
		return rapid.SampledFrom([]audit.Access{1, 2, 5, 6, 7, 8, 9, 10, 11}).Draw(t, "access")
	}
	for r := range p.rooms {
		for i := range p.people {
			p.own = append(p.own, spans("own", 2, func() span {
				return span{room: r, person: i, access: access(), owner: i == 0 && rapid.Bool().Draw(t, "owner")}
			})...)
		}
		p.viaGroup = append(p.viaGroup, spans("group", 1, func() span { return span{room: r, access: access()} })...)
		if r == 0 {
			p.everyone = append(p.everyone, spans("everyone", 1, func() span { return span{room: r, access: access()} })...)
		}
	}
	for i := range p.people {
		p.inGroup = append(p.inGroup, spans("in group", 1, func() span { return span{person: i} })...)
	}

	end := dayOne.AddDate(0, 0, playDays)
	p.held = []audit.Span{{From: dayOne.AddDate(0, 0, -1), To: end}}
	if rapid.IntRange(0, 2).Draw(t, "hole") == 0 {
		a, b := moment("hole from"), moment("hole to")
		if a, b = audit.Earlier(a, b), audit.Later(a, b); a.Before(b) && a.After(p.held[0].From) {
			p.held = []audit.Span{{From: p.held[0].From, To: a}, {From: b, To: end}}
		}
	}
	p.floorIsOld = rapid.Bool().Draw(t, "floor is oldest")
	for range rapid.SampledFrom([]int{0, 10, 40, 150}).Draw(t, "acts") {
		at := moment("act")
		if !slices.ContainsFunc(p.held, func(s audit.Span) bool { return !at.Before(s.From) && at.Before(s.To) }) {
			continue
		}
		a := act{at: at, person: rapid.IntRange(0, 4).Draw(t, "actor"), class: rapid.SampledFrom([]audit.Class{-1, 0, 1, 1, 2, 2, 3}).Draw(t, "class")}
		switch rapid.IntRange(0, 5).Draw(t, "where") {
		case 0:
			a.source, a.room = attribution.SourceUnresolved, rapid.SampledFrom([]string{"Same", "Old", "Unheard of"}).Draw(t, "unresolved")
		case 1:
			a.source = rapid.SampledFrom([]attribution.Source{attribution.SourceNone, attribution.SourceUnplacedMove}).Draw(t, "no room")
		default:
			a.room = p.rooms[rapid.IntRange(0, 2).Draw(t, "room")].id
			a.source = rapid.SampledFrom([]attribution.Source{attribution.SourcePayload, attribution.SourceEntryNearby, attribution.SourceTitle}).Draw(t, "source")
		}
		p.acts = append(p.acts, a)
	}
	for range rapid.IntRange(0, 2).Draw(t, "exclusions") {
		x := audit.Exclusion{Kind: rapid.SampledFrom([]audit.ExclusionKind{"account", "domain", "room", "group"}).Draw(t, "excluded"), Reason: "why not", AddedAt: dayOne}
		x.Subject = map[audit.ExclusionKind]string{"account": "P2@" + audit.EmailDomain(p.people[2].email), "domain": "b.example", "room": "r1", "group": "g"}[x.Kind]
		if rapid.IntRange(0, 3).Draw(t, "expires") == 0 {
			x.ExpiresAt = now.Add(time.Duration(rapid.IntRange(0, 1).Draw(t, "late")) * time.Microsecond)
		}
		p.exclusions = append(p.exclusions, x)
	}
	return p
}

// infinite writes a moment for PostgreSQL; the zero one as the given infinity.
func infinite(at time.Time, infinity string) string {
	if at.IsZero() {
		return infinity
	}
	return at.Format(time.RFC3339Nano)
}

func known(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}

// stagePlay puts a play into the warehouse, as a portal of its own. Events go
// the way that sync takes; memberships, which have tests of their own, do not.
func stagePlay(ctx context.Context, t *rapid.T, st *store.Store, conn *pgx.Conn, p play, number int) *store.Reader {
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	w, err := st.OpenWriter(ctx, fmt.Sprintf("https://p%d.example.org", number), owner(strconv.Itoa(number)), now)
	check(err)
	defer w.Close()
	_, err = w.StartRun(ctx, "test", now, now)
	check(err)
	check(w.SetFloor(ctx, p.held[0].From, p.floorIsOld))
	batch := &pgx.Batch{}
	for i, one := range p.people {
		batch.Queue(`INSERT INTO account (portal_id, account_key, account_id, name, email, status, is_guest, registered_at, event_name) VALUES ($1, $2, $3, $3, $4, $5, $6, $7, $3)`,
			w.Portal.ID, i+1, one.id, one.email, int16(one.status), one.guest, known(one.registered))
	}
	for i, r := range p.rooms {
		batch.Queue(`INSERT INTO room (portal_id, room_key, room_id, title, is_archived, created_at, deleted_at, members_since, members_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)`,
			w.Portal.ID, i+1, r.id, r.title, r.archived, known(r.created), known(r.deleted), dayOne)
		if r.oldTitle != "" {
			batch.Queue(`INSERT INTO room_rename (portal_id, event_id, room_key, renamed_at, old_title) VALUES ($1, $2, $3, $4, $5)`, w.Portal.ID, i+1, i+1, dayOne, r.oldTitle)
		}
	}
	batch.Queue(`INSERT INTO people_group (portal_id, group_key, group_id, name) VALUES ($1, 1, 'g', 'Group'), ($1, 2, $2, 'Everyone')`, w.Portal.ID, audit.GroupEveryone)
	for _, s := range p.own {
		batch.Queue(`INSERT INTO room_member (portal_id, room_key, account_key, valid_from, valid_to, joined_at, joined_after, access, is_owner) VALUES ($1, $2, $3, $4::text::timestamptz, $5::text::timestamptz, $4::text::timestamptz, $6::text::timestamptz, $7, $8)`,
			w.Portal.ID, s.room+1, s.person+1, infinite(s.from, "-infinity"), infinite(s.to, "infinity"), infinite(s.joinedAfter, "-infinity"), int16(s.access), s.owner)
	}
	for key, list := range map[int][]span{1: p.viaGroup, 2: p.everyone} {
		for _, s := range list {
			batch.Queue(`INSERT INTO room_group (portal_id, room_key, group_key, valid_from, valid_to, joined_at, joined_after, access) VALUES ($1, $2, $3, $4::text::timestamptz, $5::text::timestamptz, $4::text::timestamptz, $6::text::timestamptz, $7)`,
				w.Portal.ID, s.room+1, key, infinite(s.from, "-infinity"), infinite(s.to, "infinity"), infinite(s.joinedAfter, "-infinity"), int16(s.access))
		}
	}
	for _, s := range p.inGroup {
		batch.Queue(`INSERT INTO group_member (portal_id, group_key, account_key, valid_from, valid_to, joined_after) VALUES ($1, 1, $2, $3::text::timestamptz, $4::text::timestamptz, $5::text::timestamptz)`,
			w.Portal.ID, s.person+1, infinite(s.from, "-infinity"), infinite(s.to, "infinity"), infinite(s.joinedAfter, "-infinity"))
	}
	check(conn.SendBatch(ctx, batch).Close())
	for _, held := range p.held {
		var b attribution.Batch
		for i, a := range p.acts {
			if a.at.Before(held.From) || !a.at.Before(held.To) {
				continue
			}
			b.Events = append(b.Events, &audit.Event{ID: int64(i + 1), At: a.at, ActorID: p.people[a.person].id, ActorName: p.people[a.person].id})
			b.Answers = append(b.Answers, attribution.Answer{Source: a.source, RoomID: a.room})
			b.Classes = append(b.Classes, a.class)
		}
		b.Windows = []audit.ReadWindow{{Span: held, ReadAt: now, Rows: len(b.Events), Events: b.Events}}
		_, err := w.CommitWindows(ctx, b)
		check(err)
	}
	reader := st.Reader(w.Portal)
	for _, x := range p.exclusions {
		_, err := reader.AddExclusion(ctx, x)
		check(err)
	}
	return reader
}

func drawQuery(t *rapid.T) report.InactiveQuery {
	day := func(label string, least int) string {
		at := dayOne.AddDate(0, 0, rapid.IntRange(least, playDays+min(0, least+2)).Draw(t, label))
		switch rapid.IntRange(0, 2).Draw(t, label+" form") {
		case 0:
			return at.Format(time.DateOnly)
		case 1:
			return at.Add(time.Duration(rapid.IntRange(0, 1439).Draw(t, label+" minute")) * time.Minute).Format(time.RFC3339)
		}
		return at.Format(time.DateOnly) + "T00:00:00.000001Z"
	}
	zone := rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns"}).Draw(t, "zone")
	earliest := -2
	if rapid.IntRange(0, 2).Draw(t, "long") == 0 { // by week
		earliest = -100
	}
	window, err := audit.WindowArgs{From: day("from", earliest), To: day("to", 1), Zone: zone}.Resolve(now, now)
	if err != nil { // it would begin after its end
		window = audit.Window{From: dayOne, To: dayOne.AddDate(0, 0, 5), Zone: time.UTC}
	}
	q := report.InactiveQuery{
		Window: window, Archived: rapid.Bool().Draw(t, "archived"), Owners: rapid.Bool().Draw(t, "owners"), All: rapid.Bool().Draw(t, "all"),
		Guests:      rapid.SampledFrom([]report.Guests{report.GuestsInclude, report.GuestsOnly, report.GuestsExclude}).Draw(t, "guests"),
		MinActivity: rapid.Int64Range(1, 4).Draw(t, "min activity"), Activity: rapid.SampledFrom(audit.Filters()).Draw(t, "activity"),
		Grace: time.Duration(rapid.IntRange(0, 3).Draw(t, "grace")) * 24 * time.Hour, Now: now, MaxLag: time.Hour,
	}
	if rapid.IntRange(0, 3).Draw(t, "one room") == 0 {
		q.Rooms = []string{"r0"}
	}
	return q
}

// membership is what a recount says of somebody in a room at a moment.
type membership struct {
	access              audit.Access
	owner               bool
	joined, joinedAfter time.Time // zero: not known
}

// members finds who is in a room at a moment, by person.
func (p play) members(room int, at time.Time) map[int]membership {
	found := make(map[int]membership)
	isOwn := make(map[int]bool)
	rank := []audit.Access{1, 9, 11, 10, 7, 8, 5, 6, 2}
	join := func(i int, m membership, own bool) {
		old, there := found[i]
		if there {
			m.joined, m.joinedAfter = audit.Earlier(m.joined, old.joined), audit.Earlier(m.joinedAfter, old.joinedAfter)
			if isOwn[i] && !own || isOwn[i] == own && slices.Index(rank, old.access) < slices.Index(rank, m.access) {
				m.access, m.owner = old.access, old.owner
			}
		}
		found[i], isOwn[i] = m, own || isOwn[i]
	}
	both := func(a, b time.Time) time.Time { // neither is known if one is not
		if a.IsZero() || b.IsZero() {
			return time.Time{}
		}
		return audit.Later(a, b)
	}
	for _, s := range p.own {
		if s.room == room && s.holds(at) {
			join(s.person, membership{s.access, s.owner, s.from, s.joinedAfter}, true)
		}
	}
	for _, s := range p.viaGroup {
		for _, in := range p.inGroup {
			if s.room == room && s.holds(at) && in.holds(at) {
				join(in.person, membership{s.access, false, both(s.from, in.from), audit.Later(s.joinedAfter, in.joinedAfter)}, false)
			}
		}
	}
	for _, s := range p.everyone {
		for i, one := range p.people {
			if s.room == room && s.holds(at) && one.status == audit.AccountActive && !one.guest && !one.registered.After(at) {
				m := membership{s.access, false, s.from, audit.Later(s.joinedAfter, one.registered)}
				if !m.joined.IsZero() {
					m.joined = audit.Later(m.joined, one.registered)
				}
				join(i, m, false)
			}
		}
	}
	return found
}

// missing are the parts of a window that are not held.
func (p play) missing(w audit.Window) []report.Gap {
	gaps := []report.Gap{}
	at := w.From
	if p.floorIsOld { // the portal has nothing older
		at = audit.Later(at, p.held[0].From)
	}
	for _, held := range append(slices.Clone(p.held), audit.Span{From: w.To, To: w.To}) {
		if to := audit.Earlier(held.From, w.To); at.Before(to) {
			gaps = append(gaps, report.Gap{From: report.Time{Time: at}, To: report.Time{Time: to}})
		}
		at = audit.Later(at, held.To)
	}
	return gaps
}

func inside(at time.Time, w audit.Window) bool { return !at.Before(w.From) && at.Before(w.To) }

// judge is section by section what the rules say.
func (p play) judge(room, who int, m membership, q report.InactiveQuery) report.Member {
	one := p.people[who]
	got := report.Member{
		AccountID: one.id, DisplayName: one.id, Email: one.email, Access: m.access.String(), Owner: m.owner, Guest: one.guest,
		MemberSince: report.Time{Time: m.joined},
	}
	bore := []string{p.rooms[room].title, p.rooms[room].oldTitle}
	var doubtful int64
	for _, a := range p.acts {
		if a.person != who || !a.at.Before(q.Window.To) || a.class == audit.ClassNobody {
			continue
		}
		got.LastSeenAt.Time = audit.Later(got.LastSeenAt.Time, a.at)
		switch counts := q.Activity.Counts(a.class); {
		case counts && a.source == attribution.SourceUnresolved && slices.Contains(bore, a.room) && inside(a.at, q.Window):
			doubtful++
		case counts && a.source != attribution.SourceUnresolved && a.room == p.rooms[room].id:
			got.LastActiveAt.Time = audit.Later(got.LastActiveAt.Time, a.at)
			if inside(a.at, q.Window) {
				got.Events++
			}
		}
	}

	earliest := audit.Later(audit.Later(p.rooms[room].created, one.registered), m.joinedAfter)
	joined := m.joined
	if joined.IsZero() {
		joined = earliest
	}
	earliest = audit.Earlier(earliest, joined)
	isMissing := false
	for _, gap := range p.missing(q.Window) {
		isMissing = isMissing || gap.To.After(earliest)
	}
	// Everything is known from the start of the last held span on, if it reaches the window's end.
	var knownFrom time.Time
	for _, held := range p.held {
		if held.From.Before(q.Window.To) && !held.To.Before(q.Window.To) {
			knownFrom = held.From
		}
	}
	if p.floorIsOld && !knownFrom.IsZero() {
		oldest := time.Time{}
		for _, a := range p.acts {
			if oldest.IsZero() || a.at.Before(oldest) {
				oldest = a.at
			}
		}
		knownFrom = audit.Later(knownFrom, oldest)
	}
	because := report.UnknownBecause("")
	switch {
	case got.Events >= q.MinActivity:
		got.State = report.StateActive
	case one.status == audit.AccountPending:
		got.State = report.StatePending
	case q.Window.To.Sub(joined) < q.Grace:
		got.State = report.StateNew
	case isMissing:
		got.State, because = report.StateUnknown, report.IncompleteData
	case got.Events+doubtful >= q.MinActivity:
		got.State, because = report.StateUnknown, report.UnresolvedEvents
	case got.Events > 0:
		got.State = report.StateLow
	case !got.LastActiveAt.IsZero() || knownFrom.IsZero() || earliest.Before(knownFrom):
		got.State = report.StateQuiet
	default:
		got.State = report.StateNever
	}
	if because != "" {
		got.UnknownBecause = &because
	}
	return got
}

// excluded returns the number of the exclusion that somebody falls under, 0 if there is none.
func (p play) excluded(room, who int, at time.Time) int32 {
	for i, x := range p.exclusions {
		superseded := slices.ContainsFunc(p.exclusions[i+1:], func(y audit.Exclusion) bool { return y.Kind == x.Kind })
		if superseded || !x.ExpiresAt.IsZero() && !x.ExpiresAt.After(now) {
			continue
		}
		switch x.Kind {
		case audit.ExcludeAccount:
			if who != 2 {
				continue
			}
		case audit.ExcludeDomain:
			if !strings.HasSuffix(p.people[who].email, "@B.example") {
				continue
			}
		case audit.ExcludeRoom:
			if room != 1 {
				continue
			}
		case audit.ExcludeGroup:
			if !slices.ContainsFunc(p.inGroup, func(s span) bool { return s.person == who && s.holds(at) }) {
				continue
			}
		}
		return int32(i + 1)
	}
	return 0
}

// recount makes the rooms of a report from plain values.
func (p play) recount(q report.InactiveQuery) []report.Room {
	rooms := []report.Room{}
	for r, room := range p.rooms {
		deleted := !room.deleted.IsZero() && !room.deleted.After(q.Window.To)
		asked := slices.Contains(q.Rooms, room.id)
		if deleted || room.created.After(q.Window.To) || len(q.Rooms) > 0 && !asked || room.archived && !q.Archived && !asked {
			continue
		}
		got := report.Room{ID: room.id, Title: room.title, Inactive: []report.Member{}, Excluded: []report.ExcludedMember{}, MembersListed: true}
		members := p.members(r, q.Window.To)
		for _, i := range slices.SortedFunc(maps.Keys(members), func(a, b int) int { return cmp.Compare(p.people[a].id, p.people[b].id) }) {
			one, m := p.people[i], members[i]
			switch {
			case one.id == audit.AccountAnonymous, one.status == audit.AccountDisabled, one.status == audit.AccountDeleted,
				m.owner && !q.Owners, one.guest && q.Guests == report.GuestsExclude, !one.guest && q.Guests == report.GuestsOnly:
				continue
			}
			if x := p.excluded(r, i, q.Window.To); x != 0 {
				got.Excluded = append(got.Excluded, report.ExcludedMember{AccountID: one.id, DisplayName: one.id, Exclusion: x})
				continue
			}
			got.Members++
			if member := p.judge(r, i, m, q); q.All || member.State.IsListed() {
				got.Inactive = append(got.Inactive, member)
			}
		}
		rooms = append(rooms, got)
	}
	return rooms
}

// TestReportEqualsRecount: for random events, memberships, exclusions, windows,
// zones and filters, a report is what plain Go makes of the same values, and what the
// schema analytics says.
func TestReportEqualsRecount(t *testing.T) {
	t.Parallel()
	url := pgtest.New(t)
	st, conn := open(t, url), connect(t, url)
	ctx := context.WithoutCancel(t.Context())
	portals := 0
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlay(t)
		portals++
		reader := stagePlay(ctx, t, st, conn, p, portals)
		for range 2 {
			q := drawQuery(t)
			got, err := report.Inactive(ctx, reader, q)
			if gone := len(q.Rooms) > 0 && len(p.recount(q)) == 0; gone != (err != nil) {
				t.Fatalf("the room is gone: %v, but %v", gone, err)
			} else if gone {
				continue
			}
			want := p.recount(q)
			if a, b := fmt.Sprintf("%+v", plainRooms(got.Rooms)), fmt.Sprintf("%+v", plainRooms(want)); a != b {
				t.Fatalf("%s to %s\n got %s\nwant %s", q.Window.From, q.Window.To, a, b)
			}
			checkQuality(t, p, q.Window, got.DataQuality)
			checkBuckets(ctx, t, p, reader, q)
			checkActivityReport(ctx, t, p, reader, q)
		}
		w := drawQuery(t).Window
		if len(p.acts) > 0 && rapid.Bool().Draw(t, "between acts") { // the first is in the window, the last is not
			a, b := rapid.SampledFrom(p.acts).Draw(t, "first").at, rapid.SampledFrom(p.acts).Draw(t, "last").at
			if a.Before(b) {
				w.From, w.To = a, b
			}
		}
		checkActivityFunction(ctx, t, conn, reader, w)
		checkMembersView(ctx, t, conn, reader, w)
	})
}

// plainRooms are rooms without what only the report's own package sees, in UTC.
func plainRooms(rooms []report.Room) (lines []string) {
	for _, r := range rooms {
		lines = append(lines, fmt.Sprintf("\n%s %s %d members, excluded %v", r.ID, r.Title, r.Members, r.Excluded))
		for _, m := range r.Inactive {
			because := ""
			if m.UnknownBecause != nil {
				because = string(*m.UnknownBecause)
			}
			lines = append(lines, fmt.Sprintf("\n  %s %s %s %s owner %v guest %v %s %s %d active %s seen %s since %s", m.AccountID, m.DisplayName, m.Email, m.Access,
				m.Owner, m.Guest, m.State, because, m.Events, m.LastActiveAt.UTC(), m.LastSeenAt.UTC(), m.MemberSince.UTC()))
		}
	}
	return lines
}

func checkQuality(t *rapid.T, p play, w audit.Window, got report.DataQuality) {
	var events, unattributed, inferred int64
	for _, a := range p.acts {
		if !inside(a.at, w) {
			continue
		}
		events++
		if a.source == attribution.SourceEntryNearby || a.source == attribution.SourceTitle {
			inferred++
		}
		if (a.source == attribution.SourceUnresolved || a.source == attribution.SourceUnplacedMove) && a.class > 0 {
			unattributed++
		}
	}
	if got.Events != events || got.UnattributedEvents != unattributed || got.InferredEvents != inferred {
		t.Fatalf("got %+v, want %d events, %d unattributed, %d inferred", got, events, unattributed, inferred)
	}
	want := p.missing(w)
	if !slices.EqualFunc(got.Gaps, want, func(a, b report.Gap) bool { return a.From.Equal(b.From.Time) && a.To.Equal(b.To.Time) && !a.Accepted }) {
		t.Fatalf("gaps %v, want %v", got.Gaps, want)
	}
}

// checkBuckets compares what heat maps show.
func checkBuckets(ctx context.Context, t *rapid.T, p play, reader *store.Reader, q report.InactiveQuery) {
	var keys []audit.MemberKey
	var want []audit.BucketFacts
	b := q.Window.Buckets()
	for _, room := range p.rooms {
		for i, one := range p.people {
			sums := make([]int32, b.Count)
			for _, a := range p.acts {
				if a.person == i && a.room == room.id && a.source != attribution.SourceUnresolved && q.Activity.Counts(a.class) && inside(a.at, q.Window) {
					sums[int(a.at.Sub(b.First).Hours())/24/b.Days]++
				}
			}
			var facts audit.BucketFacts
			for bucket, n := range sums {
				if n > 0 {
					facts.Buckets, facts.Events = append(facts.Buckets, int32(bucket)), append(facts.Events, n)
				}
			}
			keys, want = append(keys, audit.MemberKey{RoomID: room.id, AccountID: one.id}), append(want, facts)
		}
	}
	got, err := reader.BucketFacts(ctx, q.Window, nil, q.Activity, func(audit.Facts) ([]audit.MemberKey, error) { return keys, nil })
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s to %s, by bucket of %d days: got %v, want %v", q.Window.From, q.Window.To, b.Days, got, want)
	}
}

func checkActivityReport(ctx context.Context, t *rapid.T, p play, reader *store.Reader, q report.InactiveQuery) {
	got, err := report.Activity(ctx, reader, report.ActivityQuery{Window: q.Window, Rooms: q.Rooms, Now: now, MaxLag: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	var want []report.ActivityRow
	for r, room := range p.rooms {
		members := p.members(r, q.Window.To)
		for _, i := range slices.SortedFunc(slices.Values([]int{0, 1, 2, 3, 4}), func(a, b int) int { return cmp.Compare(p.people[a].id, p.people[b].id) }) {
			_, member := members[i]
			person := p.people[i]
			row := report.ActivityRow{
				RoomID: room.id, Title: room.title, AccountID: person.id, DisplayName: person.id, Member: member,
				Disabled: person.status == audit.AccountDisabled || person.status == audit.AccountDeleted,
			}
			days := make(map[string]bool)
			for _, a := range p.acts {
				if a.person != i || a.room != room.id || a.source == attribution.SourceUnresolved || a.class < 1 || !inside(a.at, q.Window) {
					continue
				}
				row.Events++
				row.Views, row.Edits, row.Manages = row.Views+one(a.class == 1), row.Edits+one(a.class == 2), row.Manages+one(a.class == 3)
				days[a.at.Format(time.DateOnly)] = true
				if row.FirstActiveAt.IsZero() || a.at.Before(row.FirstActiveAt.Time) {
					row.FirstActiveAt.Time = a.at
				}
				row.LastActiveAt.Time = audit.Later(row.LastActiveAt.Time, a.at)
			}
			if row.ActiveDays = int64(len(days)); row.Events > 0 && (len(q.Rooms) == 0 || slices.Contains(q.Rooms, room.id)) {
				want = append(want, row)
			}
		}
	}
	if !slices.Equal(got.Rows, want) {
		t.Fatalf("%s to %s\n got %+v\nwant %+v", q.Window.From, q.Window.To, got.Rows, want)
	}
}

func one(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}
