package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

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

// InactiveFacts reads what a report of inactive members rests on: all rooms,
// all members as of the window's end, and what they did in the window. Of members with enough
// events no more is told than that, which is much quicker; 0 means that all numbers count.
func (r *Reader) InactiveFacts(ctx context.Context, w audit.Window, filter audit.Filter, enough int64) (audit.Facts, error) {
	return r.snapshot(ctx, w, func(q *db.Queries, facts *audit.Facts) error {
		return inactiveFacts(ctx, q, r.portal, w, filter, enough, facts)
	})
}

func inactiveFacts(ctx context.Context, q *db.Queries, p Portal, w audit.Window, filter audit.Filter, enough int64, facts *audit.Facts) (err error) {
	if facts.Rooms, err = roomFacts(ctx, q, p); err != nil {
		return err
	}
	if facts.Exclusions, err = exclusions(ctx, q, p, w.To); err != nil {
		return err
	}
	facts.Members, err = memberFacts(ctx, q, p, w, filter, enough, onlyMember{})
	return err
}

// ActivityFacts reads what everybody did in every room in the window.
func (r *Reader) ActivityFacts(ctx context.Context, w audit.Window) (audit.Facts, error) {
	return r.snapshot(ctx, w, func(q *db.Queries, facts *audit.Facts) (err error) {
		if facts.Rooms, err = roomFacts(ctx, q, r.portal); err != nil {
			return err
		}
		facts.Activity, err = activityFacts(ctx, q, r.portal, w)
		return err
	})
}

// snapshot reads facts from one state of the database, whatever a sync does meanwhile.
func (r *Reader) snapshot(ctx context.Context, w audit.Window, read func(*db.Queries, *audit.Facts) error) (audit.Facts, error) {
	facts := audit.Facts{Portal: r.portal.Host}
	opts := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, r.store.pool, opts, func(tx pgx.Tx) (err error) {
		q := r.store.q.WithTx(tx)
		if facts.Coverage, err = coverage(ctx, q, r.portal); err != nil {
			return err
		}
		if facts.Events, err = eventFacts(ctx, q, r.portal, w); err != nil {
			return err
		}
		return read(q, &facts)
	})
	if err != nil {
		return audit.Facts{}, fmt.Errorf("read the warehouse: %w", err)
	}
	return facts, nil
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
	head, days, tail := w.Parts()
	rows, err := q.ListEventCounts(ctx, db.ListEventCountsParams{
		PortalID: p.ID, FirstDay: days.From, LastDay: days.To,
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

func roomFacts(ctx context.Context, q *db.Queries, p Portal) ([]audit.RoomFacts, error) {
	rows, err := q.ListRooms(ctx, p.ID)
	if err != nil {
		return nil, fmt.Errorf("read rooms: %w", err)
	}
	facts := make([]audit.RoomFacts, len(rows))
	for i, r := range rows {
		facts[i] = toRoomFacts(r)
	}
	return facts, nil
}

func toRoomFacts(r db.Room) audit.RoomFacts {
	return audit.RoomFacts{
		ID: r.RoomID, Title: r.Title, Created: zeroTime(r.CreatedAt), Deleted: zeroTime(r.DeletedAt), Archived: r.IsArchived,
		MembersSince: zeroTime(r.MembersSince), MembersAt: zeroTime(r.MembersAt), UnreadableSince: zeroTime(r.UnreadableSince),
	}
}

// onlyMember narrows facts to one member of one room; zero: to nobody.
type onlyMember struct{ room, account int32 }

func memberFacts(
	ctx context.Context, q *db.Queries, p Portal, w audit.Window, filter audit.Filter, enough int64, only onlyMember,
) ([]audit.MemberFacts, error) {
	head, days, tail := w.Parts()
	arg := db.ListMemberActivityParams{
		PortalID: p.ID, Everyone: audit.GroupEveryone, Enough: enough,
		Views: filter.Counts(audit.ClassView), Edits: filter.Counts(audit.ClassEdit), Manages: filter.Counts(audit.ClassManage),
		Until: w.To, UntilDay: w.To.UTC().Truncate(24 * time.Hour), UntilDate: w.To.UTC().Truncate(24 * time.Hour), FirstDay: days.From, LastDay: days.To,
		HeadSince: head.From, HeadUntil: head.To, TailSince: tail.From, TailUntil: tail.To, Classes: countedClasses(filter),
		OnlyRoom: only.room, OnlyAccount: only.account,
	}
	rows, err := q.ListMemberActivity(ctx, arg)
	if err != nil {
		return nil, fmt.Errorf("read members and their activity: %w", err)
	}
	facts := make([]audit.MemberFacts, len(rows))
	for i, r := range rows {
		facts[i] = audit.MemberFacts{
			RoomID: r.RoomID, AccountID: r.AccountID, Name: r.Name, Status: audit.AccountStatus(r.Status), Guest: r.IsGuest,
			Registered: zeroTime(r.RegisteredAt), Access: audit.Access(r.Access), Owner: r.IsOwner,
			JoinedAt: r.JoinedAt.UTC(), JoinedAfter: r.JoinedAfter.UTC(),
			Events: r.Events, DoubtfulEvents: r.DoubtfulEvents, LastActiveAt: r.LastActiveAt.UTC(), LastSeenAt: r.LastSeenAt.UTC(),
		}
		if r.Email != nil {
			facts[i].Email = *r.Email
		}
	}
	return facts, nil
}

func activityFacts(ctx context.Context, q *db.Queries, p Portal, w audit.Window) ([]audit.ActivityFacts, error) {
	head, days, tail := w.Parts()
	rows, err := q.ListActivity(ctx, db.ListActivityParams{
		PortalID: p.ID, Everyone: audit.GroupEveryone, Until: w.To, FirstDay: days.From, LastDay: days.To,
		HeadSince: head.From, HeadUntil: head.To, TailSince: tail.From, TailUntil: tail.To,
	})
	if err != nil {
		return nil, fmt.Errorf("read activity: %w", err)
	}
	facts := make([]audit.ActivityFacts, len(rows))
	for i, r := range rows {
		facts[i] = audit.ActivityFacts{
			RoomID: r.RoomID, Title: r.Title, AccountID: r.AccountID, Name: r.Name, Member: r.IsMember,
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
	// Everything: sync asks for nothing before 2010, and nothing is dated in the far future.
	always := audit.Window{From: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)}
	read, err := r.snapshot(ctx, always, func(q *db.Queries, _ *audit.Facts) (err error) {
		if facts.UnknownActions, err = q.ListUnknownActions(ctx, r.portal.ID); err != nil {
			return fmt.Errorf("read unknown actions: %w", err)
		}
		titles, err := q.GetTitleChecks(ctx, r.portal.ID)
		if err != nil {
			return fmt.Errorf("read checks of titles: %w", err)
		}
		facts.TitlesConfirmed, facts.TitlesContradicted = titles.Confirmed, titles.Contradicted
		facts.Runs, err = runs(ctx, q, r.portal)
		return err
	})
	facts.Facts = read
	return facts, err
}

func runs(ctx context.Context, q *db.Queries, p Portal) ([]audit.Run, error) {
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
	}
	return list, nil
}

func inUTC(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	return nullTime(t.UTC())
}
