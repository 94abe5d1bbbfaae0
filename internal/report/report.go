// Package report answers who did what in the rooms of a portal, and above all
// who did nothing: it judges every member of every room over a window, says on
// what data the judgement rests, and writes the answer for people or programs.
package report

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"roompulse/internal/audit"
)

// Reader reads the facts that a report rests on, those of one call from one
// state of the warehouse.
type Reader interface {
	// InactiveFacts returns rooms, all if no ids are given, and their members as of the window's end. Of members with
	// enough events it need not tell how many they are nor when the last one was; 0: it must.
	InactiveFacts(ctx context.Context, w audit.Window, rooms []string, counted audit.Filter, enough int64) (audit.Facts, error)
	// ActivityFacts returns rooms, all if no ids are given, and what everybody did in them.
	ActivityFacts(ctx context.Context, w audit.Window, rooms []string) (audit.Facts, error)
}

// DayReader reads activity by day too.
type DayReader interface {
	// BucketFacts reads the facts of InactiveFacts and hands them to shown. Of the
	// members that it picks, it returns the activity by [audit.Window.Buckets], in
	// their order and from the same state of the warehouse.
	BucketFacts(ctx context.Context, w audit.Window, rooms []string, counted audit.Filter, shown func(audit.Facts) ([]audit.MemberKey, error)) ([]audit.BucketFacts, error)
}

// Guests says what becomes of guests among a room's members.
type Guests string

// The values of --guests.
const (
	GuestsInclude Guests = "include"
	GuestsOnly    Guests = "only"
	GuestsExclude Guests = "exclude"
)

// InactiveQuery says whom to judge, over which window, and by what measure.
type InactiveQuery struct {
	Window audit.Window
	// Rooms are the ids of the rooms to judge, archived or not; none: all rooms.
	Rooms       []string
	Archived    bool // judge archived rooms too
	Owners      bool // judge the owners of rooms too
	Guests      Guests
	MinActivity int64 // counted events that make a member active, at least 1
	Activity    audit.Filter
	Grace       time.Duration // so long a new member is not judged
	All         bool          // list everybody, not only the inactive and the unknown
	// Now and MaxLag say when data count as old: MaxLag after they end.
	Now    time.Time
	MaxLag time.Duration
}

// Validate returns a [audit.UsageError] if a filter cannot be meant.
func (q InactiveQuery) Validate() error {
	switch {
	case q.MinActivity < 1:
		return audit.Usagef("--min-activity %d: nobody has fewer events than that; write 1 or more", q.MinActivity)
	case !slices.Contains(audit.Filters(), q.Activity):
		return audit.Usagef("--activity %q is not known: write any, view, edit or manage", q.Activity)
	case !slices.Contains([]Guests{GuestsInclude, GuestsOnly, GuestsExclude}, q.Guests):
		return audit.Usagef("--guests %q is not known: write include, only or exclude", q.Guests)
	}
	return nil
}

// Inactive judges the members of rooms. The error is a [audit.UsageError] if
// the query cannot be meant, also if a room is not known or was not there.
func Inactive(ctx context.Context, r Reader, q InactiveQuery) (*InactiveReport, error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}
	enough := q.MinActivity
	if q.All { // the active are listed too, with their numbers
		enough = 0
	}
	facts, err := r.InactiveFacts(ctx, q.Window, q.Rooms, q.Activity, enough)
	if err != nil {
		return nil, fmt.Errorf("report inactive members: %w", err)
	}
	return q.Judge(facts)
}

// InactiveByDay is Inactive with the activity by day that a heat map shows.
func InactiveByDay(ctx context.Context, r DayReader, q InactiveQuery) (*InactiveReport, error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}
	var report *InactiveReport
	var shown []*Member
	found, err := r.BucketFacts(ctx, q.Window, q.Rooms, q.Activity, func(facts audit.Facts) (keys []audit.MemberKey, err error) {
		if report, err = q.Judge(facts); err != nil {
			return nil, err
		}
		shown, keys = report.heatMembers()
		return keys, nil
	})
	if err != nil {
		if _, ok := errors.AsType[audit.UsageError](err); ok {
			return nil, err
		}
		return nil, fmt.Errorf("report inactive members: %w", err)
	}
	for i, facts := range found {
		shown[i].byBucket = facts
	}
	report.byDay = true
	return report, nil
}

// mostActive is how many members of a room a heat map shows beside those whose
// activity is too little.
const mostActive = 50

// heatMembers are the members with activity that a heat map shows.
func (r *InactiveReport) heatMembers() (members []*Member, keys []audit.MemberKey) {
	for _, room := range r.Rooms {
		var active []*Member
		for i := range room.everybody {
			switch m := &room.everybody[i]; {
			case m.State.IsListed():
				m.inHeatMap = true
			default:
				active = append(active, m)
			}
		}
		slices.SortStableFunc(active, func(a, b *Member) int { return cmp.Compare(b.Events, a.Events) })
		for _, m := range active[:min(mostActive, len(active))] {
			m.inHeatMap = true
		}
		for i := range room.everybody {
			if m := &room.everybody[i]; m.inHeatMap && m.Events > 0 {
				members = append(members, m)
				keys = append(keys, audit.MemberKey{RoomID: room.ID, AccountID: m.AccountID})
			}
		}
	}
	return members, keys
}

// Judge makes the report of facts that were read for the query. The error is as that of [Inactive].
func (q InactiveQuery) Judge(facts audit.Facts) (*InactiveReport, error) {
	rooms, err := q.selectRooms(facts.Rooms)
	if err != nil {
		return nil, err
	}

	report := &InactiveReport{
		Portal: facts.Portal, Window: newWindow(q.Window), MinActivity: q.MinActivity, Activity: q.Activity,
		Rooms: make([]Room, len(rooms)), DataQuality: newDataQuality(facts, rooms, q.Window, q.Now),
		Exclusions: newExclusions(facts.Exclusions, q.Now),
		Totals:     make(map[State]int), query: q, coverage: facts.Coverage,
	}
	position := make(map[string]int, len(rooms))
	for i, room := range rooms {
		position[room.ID] = i
		report.Rooms[i] = newRoom(room, q.Window)
	}
	people := make(map[string]struct{})
	judge := newJudge(q, facts.Coverage)
	excluder := audit.NewExcluder(facts.Exclusions, q.Now)
	for _, m := range facts.Members {
		i, ok := position[m.RoomID]
		if !ok || !q.judges(m) {
			continue
		}
		if exclusion := excluder.Find(m); exclusion != 0 {
			report.exclude(&report.Rooms[i], m, exclusion)
			continue
		}
		v := judge.verdict(m, rooms[i].Created)
		report.Rooms[i].Members++
		report.Totals[v.state]++
		people[m.AccountID] = struct{}{}
		report.Rooms[i].everybody = append(report.Rooms[i].everybody, newMember(m, v))
	}
	for i := range report.Rooms {
		room := &report.Rooms[i]
		slices.SortFunc(room.everybody, func(a, b Member) int { return cmp.Compare(a.AccountID, b.AccountID) })
		for _, m := range room.everybody {
			if q.All || m.State.IsListed() {
				room.Inactive = append(room.Inactive, m)
			}
		}
		slices.SortFunc(room.Excluded, func(a, b ExcludedMember) int { return cmp.Compare(a.AccountID, b.AccountID) })
	}
	report.People = len(people)
	report.noneSince = judge.knownFrom
	return report, nil
}

// exclude notes that an exclusion spares a member the verdict.
func (r *InactiveReport) exclude(room *Room, m audit.MemberFacts, id int32) {
	room.Excluded = append(room.Excluded, ExcludedMember{AccountID: m.AccountID, DisplayName: m.Name, Exclusion: id})
	i := slices.IndexFunc(r.Exclusions, func(x Exclusion) bool { return x.ID == id })
	r.Exclusions[i].Members++
}

// selectRooms returns the rooms to judge, by id.
func (q InactiveQuery) selectRooms(all []audit.RoomFacts) ([]audit.RoomFacts, error) {
	byID, err := findRooms(all, q.Rooms)
	if err != nil {
		return nil, err
	}
	var rooms []audit.RoomFacts
	for _, room := range byID {
		asked := len(q.Rooms) > 0
		deleted := !room.Deleted.IsZero() && !room.Deleted.After(q.Window.To)
		unmade := room.Created.After(q.Window.To)
		switch {
		case asked && deleted:
			return nil, audit.Usagef("--room %s was deleted at %s: choose a window that ends before", room.ID, room.Deleted.UTC().Format(time.RFC3339))
		case asked && unmade:
			return nil, audit.Usagef("--room %s was made at %s: choose a window that ends after", room.ID, room.Created.UTC().Format(time.RFC3339))
		case !deleted && !unmade && (asked || q.Archived || !room.Archived):
			rooms = append(rooms, room)
		}
	}
	return rooms, nil
}

// findRooms returns the rooms with the given ids, all of them if none are given, by id.
func findRooms(all []audit.RoomFacts, ids []string) ([]audit.RoomFacts, error) {
	var found []audit.RoomFacts
	for _, room := range all {
		if len(ids) == 0 || slices.Contains(ids, room.ID) {
			found = append(found, room)
		}
	}
	for _, id := range ids {
		if !slices.ContainsFunc(found, func(r audit.RoomFacts) bool { return r.ID == id }) {
			return nil, unknownRoom(id)
		}
	}
	slices.SortFunc(found, func(a, b audit.RoomFacts) int { return cmp.Compare(a.ID, b.ID) })
	return found, nil
}

func unknownRoom(id string) error {
	return audit.Usagef("--room %s is not known: roompulse report inactive --archived shows the ids of all rooms; a new room needs a roompulse sync", id)
}

// judges reports whether the query wants a verdict on the member.
func (q InactiveQuery) judges(m audit.MemberFacts) bool {
	switch {
	case !audit.IsPerson(m.AccountID), m.Status.IsClosed():
		return false
	case m.Owner && !q.Owners, m.Guest && q.Guests == GuestsExclude, !m.Guest && q.Guests == GuestsOnly:
		return false
	}
	return true
}

// ActivityQuery says over which window and for which rooms activity is counted.
type ActivityQuery struct {
	Window audit.Window
	Rooms  []string // ids; none: all rooms
	// Now and MaxLag say when data count as old: MaxLag after they end.
	Now    time.Time
	MaxLag time.Duration
}

// Activity counts what everybody did in rooms, archived and deleted ones too.
// The error is a [audit.UsageError] if a room is not known.
func Activity(ctx context.Context, r Reader, q ActivityQuery) (*ActivityReport, error) {
	facts, err := r.ActivityFacts(ctx, q.Window, q.Rooms)
	if err != nil {
		return nil, fmt.Errorf("report activity: %w", err)
	}
	rooms, err := findRooms(facts.Rooms, q.Rooms)
	if err != nil {
		return nil, err
	}

	wanted := make(map[string]bool, len(rooms)) // true: has activity
	for _, room := range rooms {
		wanted[room.ID] = false
	}
	rows := []ActivityRow{}
	for _, a := range facts.Activity {
		if _, ok := wanted[a.RoomID]; ok {
			rows = append(rows, newActivityRow(a))
			wanted[a.RoomID] = true
		}
	}
	shown := slices.DeleteFunc(rooms, func(r audit.RoomFacts) bool { return len(q.Rooms) == 0 && !wanted[r.ID] })
	slices.SortFunc(rows, func(a, b ActivityRow) int {
		return cmp.Or(cmp.Compare(a.RoomID, b.RoomID), cmp.Compare(a.AccountID, b.AccountID))
	})
	return &ActivityReport{
		Portal: facts.Portal, Window: newWindow(q.Window), Rows: rows,
		DataQuality: newDataQuality(facts, shown, q.Window, q.Now), query: q, coverage: facts.Coverage,
	}, nil
}
