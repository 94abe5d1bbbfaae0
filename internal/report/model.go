package report

import (
	"time"

	"roompulse/internal/audit"
)

// Time is a moment in a report: RFC 3339 in UTC as JSON, null if zero.
type Time struct{ time.Time }

// MarshalJSON implements [encoding/json.Marshaler].
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return t.UTC().MarshalJSON()
}

// Window is the time that a report speaks about, [From, To).
type Window struct {
	From     Time   `json:"from"`
	To       Time   `json:"to"`
	TimeZone string `json:"time_zone"` // IANA name
}

func newWindow(w audit.Window) Window {
	return Window{From: Time{w.From}, To: Time{w.To}, TimeZone: w.Zone.String()}
}

// InactiveReport is the answer to an [InactiveQuery]. Its JSON is a contract:
// fields may be added, never changed.
type InactiveReport struct {
	Portal      string       `json:"portal"` // base URL
	Window      Window       `json:"window"`
	MinActivity int64        `json:"min_activity"`
	Activity    audit.Filter `json:"activity"`
	Rooms       []Room       `json:"rooms"` // all that were judged, by id
	DataQuality DataQuality  `json:"data_quality"`
	// Exclusions are those that stand, by id, whether somebody falls under them or not.
	Exclusions []Exclusion `json:"exclusions"`

	Totals map[State]int `json:"-"` // memberships judged, per state
	People int           `json:"-"` // distinct accounts among them

	query     InactiveQuery
	coverage  audit.Coverage
	byDay     bool      // made by InactiveByDay
	noneSince time.Time // since when no event of a member means that there was none
}

// Room is a room on an [InactiveReport].
type Room struct {
	ID      string `json:"room_id"`
	Title   string `json:"title"`
	Members int    `json:"members"` // judged, after all filters
	// Inactive are the members listed, by account id: never, quiet, low and
	// unknown ones, or all.
	Inactive []Member `json:"inactive"`
	// Excluded are the members who would be judged but for an exclusion, by account id.
	Excluded []ExcludedMember `json:"excluded"`
	// UnreadableSince is since when the portal shows no members of the room:
	// those judged are the last known ones. Zero if it does.
	UnreadableSince Time `json:"-"`
	// MembersListed is false if no list of its members was ever read.
	MembersListed bool `json:"-"`

	everybody []Member // judged, by account id
}

// ExcludedMember is a member of a room whom an exclusion spares the verdict.
type ExcludedMember struct {
	AccountID   string `json:"account_id"`
	DisplayName string `json:"display_name"`
	Exclusion   int32  `json:"exclusion_id"` // the oldest if there are several
}

// Exclusion is a decision of an administrator that somebody is not judged.
type Exclusion struct {
	ID        int32               `json:"exclusion_id"`
	Kind      audit.ExclusionKind `json:"kind"`
	Subject   string              `json:"subject"` // id of the account, room or group, or a domain
	Name      string              `json:"name"`    // of the account, room or group
	Reason    string              `json:"reason"`
	AddedAt   Time                `json:"added_at"`
	ExpiresAt Time                `json:"expires_at"` // null: it stands until it is removed
	Members   int                 `json:"members"`    // memberships in this report that it takes out
}

// newExclusions returns the exclusions that stand now.
func newExclusions(all []audit.Exclusion, now time.Time) []Exclusion {
	standing := []Exclusion{}
	for _, x := range all {
		if x.Stands(now) {
			standing = append(standing, Exclusion{
				ID: x.ID, Kind: x.Kind, Subject: x.Subject, Name: x.Name, Reason: x.Reason,
				AddedAt: Time{x.AddedAt}, ExpiresAt: Time{x.ExpiresAt},
			})
		}
	}
	return standing
}

func newRoom(facts audit.RoomFacts, w audit.Window) Room {
	room := Room{ID: facts.ID, Title: facts.Title, Inactive: []Member{}, Excluded: []ExcludedMember{}, MembersListed: !facts.MembersAt.IsZero()}
	if facts.UnreadableSince.Before(w.To) || facts.MembersAt.IsZero() {
		room.UnreadableSince = Time{facts.UnreadableSince}
	}
	return room
}

// Member is a member of a room with the verdict on them.
type Member struct {
	AccountID      string          `json:"account_id"`
	DisplayName    string          `json:"display_name"`
	Email          string          `json:"email"`
	Access         string          `json:"access"`
	Owner          bool            `json:"owner"` // of the room
	Guest          bool            `json:"guest"`
	State          State           `json:"state"`
	UnknownBecause *UnknownBecause `json:"unknown_because"`
	Events         int64           `json:"events"`         // counted ones in the window
	LastActiveAt   Time            `json:"last_active_at"` // the last counted one in the room before the window's end
	LastSeenAt     Time            `json:"last_seen_at"`   // the last of any kind in the portal before it
	MemberSince    Time            `json:"member_since"`   // null: nobody knows

	inHeatMap bool
	byBucket  audit.BucketFacts
}

func newMember(m audit.MemberFacts, v verdict) Member {
	member := Member{
		AccountID: m.AccountID, DisplayName: m.Name, Email: m.Email, Access: m.Access.String(), Owner: m.Owner, Guest: m.Guest,
		State: v.state, Events: m.Events,
		LastActiveAt: Time{m.LastActiveAt}, LastSeenAt: Time{m.LastSeenAt}, MemberSince: Time{m.JoinedAt},
	}
	if v.because != "" {
		member.UnknownBecause = &v.because
	}
	return member
}

// ActivityReport is the answer to an [ActivityQuery]. Its JSON is a contract
// like that of [InactiveReport].
type ActivityReport struct {
	Portal      string        `json:"portal"` // base URL
	Window      Window        `json:"window"`
	Rows        []ActivityRow `json:"rows"` // by room id, then account id
	DataQuality DataQuality   `json:"data_quality"`

	query    ActivityQuery
	coverage audit.Coverage
}

// ActivityRow is what an account did in a room, all of it inside the window.
type ActivityRow struct {
	RoomID        string `json:"room_id"`
	Title         string `json:"title"`
	AccountID     string `json:"account_id"`
	DisplayName   string `json:"display_name"`
	Member        bool   `json:"member"` // as of the window's end
	Events        int64  `json:"events"` // views, edits and manages
	Views         int64  `json:"views"`
	Edits         int64  `json:"edits"`
	Manages       int64  `json:"manages"`
	ActiveDays    int64  `json:"active_days"` // UTC days
	FirstActiveAt Time   `json:"first_active_at"`
	LastActiveAt  Time   `json:"last_active_at"`
	Disabled      bool   `json:"disabled"` // or deleted: the account is on no report of inactive members
}

func newActivityRow(a audit.ActivityFacts) ActivityRow {
	return ActivityRow{
		RoomID: a.RoomID, Title: a.Title, AccountID: a.AccountID, DisplayName: a.Name, Member: a.Member,
		Events: a.Views + a.Edits + a.Manages, Views: a.Views, Edits: a.Edits, Manages: a.Manages,
		ActiveDays: a.ActiveDays, FirstActiveAt: Time{a.FirstAt}, LastActiveAt: Time{a.LastAt},
		Disabled: a.Disabled,
	}
}

// sumUp adds up the rows of a room. Nobody is it, and days cannot be added.
func sumUp(rows []ActivityRow) ActivityRow {
	sum := ActivityRow{FirstActiveAt: rows[0].FirstActiveAt, LastActiveAt: rows[0].LastActiveAt}
	for _, row := range rows {
		sum.Events += row.Events
		sum.Views += row.Views
		sum.Edits += row.Edits
		sum.Manages += row.Manages
		sum.FirstActiveAt.Time = audit.Earlier(sum.FirstActiveAt.Time, row.FirstActiveAt.Time)
		sum.LastActiveAt.Time = audit.Later(sum.LastActiveAt.Time, row.LastActiveAt.Time)
	}
	return sum
}

// DataQuality says what a report rests on: the whole portal, over the window.
type DataQuality struct {
	// CompleteFrom and CompleteUntil bound the time of which everything is known,
	// whatever the window. Null if nothing is complete yet.
	CompleteFrom  Time `json:"complete_from"`
	CompleteUntil Time `json:"complete_until"`
	// MembersKnownFrom is when the members of all rooms shown had been listed
	// for the first time. Before it, they are reconstructed from logs.
	MembersKnownFrom   Time  `json:"members_known_from"`
	Events             int64 `json:"events"` // all in the window
	UnattributedEvents int64 `json:"unattributed_events"`
	InferredEvents     int64 `json:"inferred_events"`
	QuarantinedEvents  int64 `json:"quarantined_events"`
	Gaps               []Gap `json:"gaps"` // by rising time

	beginsAt time.Time // when the data begin if all of the window lies before them, else zero
}

// Gap is a part of the window that is not complete.
type Gap struct {
	From     Time `json:"from"`
	To       Time `json:"to"`
	Accepted bool `json:"accepted"` // by an administrator: it makes nobody unknown
}

func newDataQuality(facts audit.Facts, shown []audit.RoomFacts, w audit.Window, now time.Time) DataQuality {
	q := DataQuality{
		CompleteFrom: Time{facts.Coverage.CompleteFrom()}, CompleteUntil: Time{facts.Coverage.CompleteUntil()},
		Events: facts.Events.Events, UnattributedEvents: facts.Events.Unattributed,
		InferredEvents: facts.Events.Inferred, QuarantinedEvents: facts.Events.Quarantined,
		Gaps: []Gap{},
	}
	if c := facts.Coverage; c.FloorIsOldest && !c.OldestEvent.IsZero() && !w.To.After(c.OldestEvent) {
		q.beginsAt = c.OldestEvent
	}
	if q.CompleteUntil.After(now) { // the portal's clock is ahead of ours
		q.CompleteUntil = Time{now}
	}
	for _, room := range shown {
		q.MembersKnownFrom.Time = latest(q.MembersKnownFrom.Time, room.MembersSince)
	}
	for _, m := range facts.Coverage.Missing(audit.Span{From: w.From, To: w.To}) {
		q.Gaps = append(q.Gaps, Gap{From: Time{m.From}, To: Time{m.To}, Accepted: m.Accepted})
	}
	return q
}

// Incomplete reports whether a part of the window is missing and not accepted,
// or all of it lies before the data.
func (q DataQuality) Incomplete() bool { return !q.beginsAt.IsZero() || q.lacks() }

// lacks reports whether there is a gap that is not accepted.
func (q DataQuality) lacks() bool {
	for _, gap := range q.Gaps {
		if !gap.Accepted {
			return true
		}
	}
	return false
}
