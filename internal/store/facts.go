package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"roompulse/db"
	"roompulse/internal/attribution"
	"roompulse/internal/audit"
)

// Reader reads what reports about one portal rest on.
type Reader struct {
	store  *Store
	portal Portal
}

// Portal returns the portal that is read.
func (r *Reader) Portal() Portal { return r.portal }

// Reader returns a reader for reports about a portal.
func (s *Store) Reader(p Portal) *Reader { return &Reader{s, p} }

// Coverage says for which time the portal's events are complete.
func (r *Reader) Coverage(ctx context.Context) (audit.Coverage, error) {
	return coverage(ctx, r.store.q, r.portal)
}

// InactiveFacts reads what a report of inactive members rests on: rooms, all of
// them if no ids are given, their members as of the window's end, and what they did in the window. Of
// members with enough events no more is told than that, which is much quicker where one
// event is enough; 0 means that all numbers count.
func (r *Reader) InactiveFacts(ctx context.Context, w audit.Window, rooms []string, filter audit.Filter, enough int64) (audit.Facts, error) {
	return r.snapshot(ctx, w, func(ctx context.Context, s state, facts *audit.Facts) error {
		return inactiveFacts(ctx, s, r.portal, w, rooms, filter, enough, facts)
	})
}

func inactiveFacts(
	ctx context.Context, s state, p Portal, w audit.Window, ids []string, filter audit.Filter, enough int64, facts *audit.Facts,
) error {
	var err error
	if facts.Exclusions, err = exclusions(ctx, s.q, p, w.To); err != nil {
		return err
	}
	in := selected{all: len(ids) == 0}
	if !in.all {
		if in.rooms, err = listRooms(ctx, s.q, p, ids); err != nil {
			return err
		}
	}
	if in.all || len(in.rooms) > 0 {
		facts.Members, err = memberFacts(ctx, s, p, w, &in, filter, enough)
	}
	facts.Rooms = roomFacts(in.rooms)
	return err
}

// ActivityFacts reads what everybody did in rooms, all of them if no ids are given, in the window.
func (r *Reader) ActivityFacts(ctx context.Context, w audit.Window, ids []string) (audit.Facts, error) {
	return r.snapshot(ctx, w, func(ctx context.Context, s state, facts *audit.Facts) error {
		rooms, err := listRooms(ctx, s.q, r.portal, ids)
		if err != nil {
			return err
		}
		facts.Rooms = roomFacts(rooms)
		if len(ids) == 0 || len(rooms) > 0 {
			facts.Activity, err = activityFacts(ctx, s.q, r.portal, w, selected{rooms: rooms, all: len(ids) == 0})
		}
		return err
	})
}

// snapshot reads facts from one state of the database, whatever a sync does meanwhile.
func (r *Reader) snapshot(
	ctx context.Context, w audit.Window, read func(context.Context, state, *audit.Facts) error,
) (facts audit.Facts, err error) {
	err = r.store.readState(ctx, func(ctx context.Context, s state) error {
		facts, err = r.facts(ctx, s, w, read)
		return err
	})
	if err != nil {
		return audit.Facts{}, fmt.Errorf("read the warehouse: %w", err)
	}
	return facts, nil
}

// facts reads facts from a state; they are whole only when it returns, since others read beside read.
func (r *Reader) facts(
	ctx context.Context, s state, w audit.Window, read func(context.Context, state, *audit.Facts) error,
) (facts audit.Facts, err error) {
	facts.Portal = r.portal.Host
	if facts.Coverage, err = coverage(ctx, s.q, r.portal); err != nil {
		return facts, err
	}
	err = s.together(
		ctx,
		func(ctx context.Context, _ *db.Queries) error { return read(ctx, s, &facts) },
		func(ctx context.Context, q *db.Queries) (err error) {
			facts.Events, err = eventFacts(ctx, q, r.portal, w)
			return err
		},
	)
	return facts, err
}

func coverage(ctx context.Context, q *db.Queries, p Portal) (audit.Coverage, error) {
	row, err := q.GetPortalByHost(ctx, p.Host)
	if err != nil {
		return audit.Coverage{}, fmt.Errorf("read the portal: %w", err)
	}
	c := audit.Coverage{Floor: zeroTime(row.FloorAt), FloorIsOldest: row.FloorIsOldest}
	spans, err := q.ListCompleteSpans(ctx, p.ID)
	if err != nil {
		return c, fmt.Errorf("read what is complete: %w", err)
	}
	c.Complete = toSpans(spans, func(r db.ListCompleteSpansRow) (time.Time, time.Time) { return r.SpanFrom, r.SpanTo })
	if c.Gaps, err = gaps(ctx, q, p); err != nil {
		return c, err
	}
	oldest, err := q.GetOldestEvent(ctx, p.ID)
	if err != nil {
		return c, fmt.Errorf("read the date of the oldest event: %w", err)
	}
	if !oldest.IsZero() {
		c.OldestEvent = oldest.UTC()
	}
	return c, nil
}

func gaps(ctx context.Context, q *db.Queries, p Portal) ([]audit.Gap, error) {
	rows, err := q.ListGaps(ctx, p.ID)
	if err != nil {
		return nil, fmt.Errorf("read gaps: %w", err)
	}
	list := make([]audit.Gap, len(rows))
	for i, g := range rows {
		list[i] = audit.Gap{
			ID: g.GapID, Span: audit.Span{From: g.GapFrom.UTC(), To: g.GapTo.UTC()}, Lost: g.IsLost,
			Cause: g.Cause, FoundAt: g.FoundAt.UTC(), TriedAt: g.TriedAt.UTC(), Accepted: g.AcceptedAt != nil,
		}
		if g.AcceptReason != nil {
			list[i].AcceptReason = *g.AcceptReason
		}
	}
	return list, nil
}

// AcceptGap lets reports judge members in spite of a gap; the reason is kept.
func (r *Reader) AcceptGap(ctx context.Context, gapID int32, reason string, at time.Time) error {
	accepted, err := r.store.q.AcceptGap(ctx, db.AcceptGapParams{PortalID: r.portal.ID, GapID: gapID, AcceptedAt: at, AcceptReason: reason})
	if err != nil {
		return fmt.Errorf("accept gap %d: %w", gapID, err)
	}
	if accepted == 0 {
		return audit.Usagef("%s has no gap %d; `roompulse gap list` shows them", r.portal.Host, gapID)
	}
	return nil
}

func eventFacts(ctx context.Context, q *db.Queries, p Portal, w audit.Window) (audit.EventFacts, error) {
	head, hours, tail := w.HourParts()
	headHours, days, tailHours := audit.Window{From: hours.From, To: hours.To}.Parts()
	rows, err := q.ListEventCounts(ctx, db.ListEventCountsParams{
		PortalID: p.ID, FirstDay: days.From, LastDay: days.To,
		HeadHoursSince: headHours.From, HeadHoursUntil: headHours.To, TailHoursSince: tailHours.From, TailHoursUntil: tailHours.To,
		HeadSince: head.From, HeadUntil: head.To, TailSince: tail.From, TailUntil: tail.To,
	})
	if err != nil {
		return audit.EventFacts{}, fmt.Errorf("count events: %w", err)
	}
	var facts audit.EventFacts
	for _, row := range rows {
		facts.Events += row.Events
		source := attribution.Source(row.RoomSource)
		if source.IsInference() {
			facts.Inferred += row.Events
		}
		if source.IsUnattributed() && audit.Class(row.Class).Counts() {
			facts.Unattributed += row.Events
		}
	}
	facts.Quarantined, err = q.CountQuarantined(ctx, db.CountQuarantinedParams{PortalID: p.ID, Since: w.From, Until: w.To})
	if err != nil {
		return facts, fmt.Errorf("count quarantined items: %w", err)
	}
	return facts, nil
}

// listRooms reads the rooms of the ids, all rooms if there are none.
func listRooms(ctx context.Context, q *db.Queries, p Portal, ids []string) (rooms []db.Room, err error) {
	if len(ids) == 0 {
		rooms, err = q.ListRooms(ctx, p.ID)
	} else {
		rooms, err = q.ListRoomsByID(ctx, db.ListRoomsByIDParams{PortalID: p.ID, RoomIDs: ids})
	}
	if err != nil {
		return nil, fmt.Errorf("read rooms: %w", err)
	}
	return rooms, nil
}

func roomFacts(rows []db.Room) []audit.RoomFacts {
	facts := make([]audit.RoomFacts, len(rows))
	for i, r := range rows {
		facts[i] = toRoomFacts(r)
	}
	return facts
}

func toRoomFacts(r db.Room) audit.RoomFacts {
	return audit.RoomFacts{
		ID: r.RoomID, Title: r.Title, Created: zeroTime(r.CreatedAt), Deleted: zeroTime(r.DeletedAt), Archived: r.IsArchived,
		MembersSince: zeroTime(r.MembersSince), MembersAt: zeroTime(r.MembersAt), UnreadableSince: zeroTime(r.UnreadableSince),
	}
}

// selected are the rooms that facts are about.
type selected struct {
	rooms   []db.Room
	all     bool  // they are all the portal's
	account int32 // of the one account that the facts are about; 0: of everybody
}

// keys are those that queries take: of the rooms, or none if all count.
func (s selected) keys() []int32 {
	keys := []int32{}
	if !s.all {
		for _, room := range s.rooms {
			keys = append(keys, room.RoomKey)
		}
	}
	return keys
}

// memberFacts reads members of rooms, without an order; if they are all rooms, those too, into in.
func memberFacts(
	ctx context.Context, s state, p Portal, w audit.Window, in *selected, filter audit.Filter, enough int64,
) ([]audit.MemberFacts, error) {
	rooms := in.keys()
	titles, err := s.q.ListUnresolvedRooms(ctx, db.ListUnresolvedRoomsParams{PortalID: p.ID, RoomKeys: rooms})
	if err != nil {
		return nil, fmt.Errorf("read unresolved titles: %w", err)
	}
	keys := slices.Clone(rooms)
	if !in.all {
		for _, t := range titles {
			keys = append(keys, t.TitleKey)
		}
	}
	// Whether anybody was active at all, the time of their last activity tells, unless the
	// window begins on the day of its end.
	isCounted := enough != 1 || beginsOnLastDay(w)
	var (
		members  db.GetMembersRow
		lasts    map[memberKey]time.Time
		accounts map[int32]*db.ListAccountsSeenRow
		counts   map[memberKey]memberCount
	)
	reads := []readFunc{
		func(ctx context.Context, q *db.Queries) (err error) {
			arg := db.GetMembersParams{PortalID: p.ID, RoomKeys: rooms, OnlyAccount: in.account, Until: w.To}
			if members, err = q.GetMembers(ctx, arg); err != nil {
				return fmt.Errorf("read members: %w", err)
			}
			if !in.all && len(members.AccountKeys) > 0 {
				accounts, err = accountsSeen(ctx, q, p, w.To, members.AccountKeys)
			}
			return err
		},
		func(ctx context.Context, q *db.Queries) (err error) {
			lasts, err = lastActivity(ctx, q, p, w.To, keys, in.account, filter)
			return err
		},
	}
	if in.all {
		reads = append(reads, func(ctx context.Context, q *db.Queries) (err error) {
			if in.rooms, err = listRooms(ctx, q, p, nil); err != nil {
				return err
			}
			accounts, err = accountsSeen(ctx, q, p, w.To, []int32{})
			return err
		})
	}
	if isCounted {
		reads = append(reads, func(ctx context.Context, q *db.Queries) (err error) {
			counts, err = countActivity(ctx, q, p, w, keys, in.account, filter)
			return err
		})
	}
	if err := s.together(ctx, reads...); err != nil {
		return nil, err
	}
	doubtful := map[memberKey]bool{}
	if !isCounted && len(titles) > 0 {
		doubtful = doubtfulMembers(titles, lasts, w.From)
	}
	ids := make(map[int32]string, len(in.rooms))
	for _, room := range in.rooms {
		ids[room.RoomKey] = room.RoomID
	}
	facts := make([]audit.MemberFacts, 0, len(members.RoomKeys))
	for i, key := range members.AccountKeys {
		a, known := accounts[key]
		if !known { // the warehouse is torn, and verify tells so
			continue
		}
		key := memberKey{members.RoomKeys[i], key}
		m := audit.MemberFacts{
			RoomID: ids[key.room], AccountID: a.AccountID, Name: a.Name, Email: textOrEmpty(a.Email),
			Status: audit.AccountStatus(a.Status), Guest: a.IsGuest, Registered: zeroTime(a.RegisteredAt),
			Access: audit.Access(members.Accesses[i]), Owner: members.AreOwners[i],
			JoinedAt: members.JoinedAt[i].UTC(), JoinedAfter: members.JoinedAfter[i].UTC(),
			LastActiveAt: lasts[key], LastSeenAt: a.LastSeenAt.UTC(),
		}
		if isCounted {
			c := counts[key]
			m.Events, m.DoubtfulEvents = c.events, c.doubtful
			if !c.lastAt.IsZero() {
				m.LastActiveAt = c.lastAt
			}
		} else {
			if !m.LastActiveAt.Before(w.From) {
				m.Events = 1
			}
			if doubtful[key] {
				m.DoubtfulEvents = 1
			}
		}
		facts = append(facts, m)
	}
	return facts, nil
}

// lastActivity reads when everybody was active last in rooms before a moment.
func lastActivity(
	ctx context.Context, q *db.Queries, p Portal, until time.Time, keys []int32, account int32, filter audit.Filter,
) (map[memberKey]time.Time, error) {
	found, err := q.GetLastActivity(ctx, db.GetLastActivityParams{
		PortalID: p.ID, RoomKeys: keys, OnlyAccount: account, Until: until, UntilDate: utcDay(until),
		Views: filter.Counts(audit.ClassView), Edits: filter.Counts(audit.ClassEdit), Manages: filter.Counts(audit.ClassManage),
	})
	if err != nil {
		return nil, fmt.Errorf("read last activity: %w", err)
	}
	lasts := make(map[memberKey]time.Time, len(found.RoomKeys))
	for i, at := range found.LastAt {
		lasts[memberKey{found.RoomKeys[i], found.AccountKeys[i]}] = at.UTC()
	}
	return lasts, nil
}

// doubtfulMembers are those with activity since a moment under an unresolved title that
// their room bore at some time.
func doubtfulMembers(titles []db.ListUnresolvedRoomsRow, lasts map[memberKey]time.Time, since time.Time) map[memberKey]bool {
	rooms := make(map[int32][]int32)
	for _, t := range titles {
		rooms[t.TitleKey] = append(rooms[t.TitleKey], t.RoomKey)
	}
	doubtful := make(map[memberKey]bool)
	for key, at := range lasts {
		if !at.Before(since) {
			for _, room := range rooms[key.room] {
				doubtful[memberKey{room, key.account}] = true
			}
		}
	}
	return doubtful
}

func utcDay(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// beginsOnLastDay reports whether the window begins on the UTC day of its end.
func beginsOnLastDay(w audit.Window) bool { return !w.From.Before(utcDay(w.To)) }

type memberKey struct{ room, account int32 }

// memberCount is what a member did in the window.
type memberCount struct {
	events, doubtful int64
	lastAt           time.Time // in the window, or before it on its first day; zero if never
}

func countActivity(
	ctx context.Context, q *db.Queries, p Portal, w audit.Window, keys []int32, account int32, filter audit.Filter,
) (map[memberKey]memberCount, error) {
	head, days, tail := w.Parts()
	if beginsOnLastDay(w) {
		head.From = utcDay(w.From)
	}
	rows, err := q.CountMemberActivity(ctx, db.CountMemberActivityParams{
		PortalID: p.ID, RoomKeys: keys, OnlyAccount: account, CountedFrom: w.From, FirstDay: days.From, LastDay: days.To,
		HeadSince: head.From, HeadUntil: head.To, TailSince: tail.From, TailUntil: tail.To, Classes: countedClasses(filter),
		Views: filter.Counts(audit.ClassView), Edits: filter.Counts(audit.ClassEdit), Manages: filter.Counts(audit.ClassManage),
	})
	if err != nil {
		return nil, fmt.Errorf("count activity: %w", err)
	}
	counts := make(map[memberKey]memberCount, len(rows))
	for _, r := range rows {
		key := memberKey{r.RoomKey, r.AccountKey}
		c := counts[key]
		c.events += r.Events
		c.doubtful += r.DoubtfulEvents
		c.lastAt = audit.Later(c.lastAt, r.LastAt.UTC())
		counts[key] = c
	}
	return counts, nil
}

// accountsSeen reads accounts, all of them if no keys are given, by key.
func accountsSeen(ctx context.Context, q *db.Queries, p Portal, until time.Time, keys []int32) (map[int32]*db.ListAccountsSeenRow, error) {
	day := utcDay(until)
	rows, err := q.ListAccountsSeen(ctx, db.ListAccountsSeenParams{PortalID: p.ID, AccountKeys: keys, Until: until, UntilDay: day, UntilDate: day})
	if err != nil {
		return nil, fmt.Errorf("read accounts: %w", err)
	}
	accounts := make(map[int32]*db.ListAccountsSeenRow, len(rows))
	for i := range rows {
		accounts[rows[i].AccountKey] = &rows[i]
	}
	return accounts, nil
}

func activityFacts(ctx context.Context, q *db.Queries, p Portal, w audit.Window, in selected) ([]audit.ActivityFacts, error) {
	head, days, tail := w.Parts()
	rows, err := q.ListActivity(ctx, db.ListActivityParams{
		PortalID: p.ID, RoomKeys: in.keys(), Until: w.To, FirstDay: days.From, LastDay: days.To,
		HeadSince: head.From, HeadUntil: head.To, TailSince: tail.From, TailUntil: tail.To,
	})
	if err != nil {
		return nil, fmt.Errorf("read activity: %w", err)
	}
	facts := make([]audit.ActivityFacts, len(rows))
	for i, r := range rows {
		facts[i] = audit.ActivityFacts{
			RoomID: r.RoomID, Title: r.Title, AccountID: r.AccountID, Name: r.Name, Member: r.IsMember, Disabled: audit.AccountStatus(r.Status).IsClosed(),
			Views: r.Views, Edits: r.Edits, Manages: r.Manages, ActiveDays: r.ActiveDays,
			FirstAt: r.FirstAt.UTC(), LastAt: r.LastAt.UTC(),
		}
	}
	return facts, nil
}

// runsShown is how many runs status lists.
const runsShown = 5

// StatusFacts reads what status tells of the portal.
func (r *Reader) StatusFacts(ctx context.Context) (audit.StatusFacts, error) {
	var facts audit.StatusFacts
	syncing, err := r.store.Syncing(ctx) // first: a run that ends meanwhile is no dead one
	if err != nil {
		return facts, err
	}
	// Everything: sync asks for nothing before 2010, and nothing is dated in the far future.
	always := audit.Window{From: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)}
	read, err := r.snapshot(ctx, always, func(ctx context.Context, s state, _ *audit.Facts) (err error) {
		if facts.UnknownActions, err = s.q.ListUnknownActions(ctx, r.portal.ID); err != nil {
			return fmt.Errorf("read unknown actions: %w", err)
		}
		titles, err := s.q.GetTitleChecks(ctx, r.portal.ID)
		if err != nil {
			return fmt.Errorf("read checks of titles: %w", err)
		}
		facts.TitlesConfirmed, facts.TitlesContradicted = titles.Confirmed, titles.Contradicted
		facts.Runs, err = runs(ctx, s.q, r.portal, slices.Contains(syncing, r.portal.ID))
		return err
	})
	facts.Facts = read
	return facts, err
}

func runs(ctx context.Context, q *db.Queries, p Portal, syncing bool) ([]audit.Run, error) {
	rows, err := q.ListRuns(ctx, db.ListRunsParams{PortalID: p.ID, MaxRows: runsShown})
	if err != nil {
		return nil, fmt.Errorf("read runs: %w", err)
	}
	list := make([]audit.Run, len(rows))
	for i, row := range rows {
		list[i] = audit.Run{
			ID: row.RunID, Version: row.Version, StartedAt: row.StartedAt.UTC(), FinishedAt: inUTC(row.FinishedAt), Until: inUTC(row.UntilAt),
			Outcome: row.Outcome, Requests: row.Requests, Retries: row.Retries, Throttled: row.Throttled, Windows: row.Windows,
			EventsListed: row.EventsListed, EventsNew: row.EventsNew, EventsLate: row.EventsLate, MaxLate: row.MaxLateSeconds,
			Quarantined: row.Quarantined,
		}
		if row.Error != nil {
			list[i].Error = *row.Error
		}
		if row.Outcome == "running" && !syncing { // as the next run will record
			list[i].Outcome, list[i].Error = string(audit.RunInterrupted), deadRun
		}
	}
	return list, nil
}

func inUTC(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	return nullTime(t.UTC())
}
