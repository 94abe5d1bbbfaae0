package audit

import "time"

// Span is the time [From, To), in UTC.
type Span struct{ From, To time.Time }

// Gap is a span that sync could not complete.
type Gap struct {
	ID int32
	Span
	Lost         bool // for good: the portal was restored or moved; else sync tries again
	Cause        string
	FoundAt      time.Time
	TriedAt      time.Time
	Accepted     bool // by an administrator: printed on reports, but stops no verdict
	AcceptReason string
}

// Coverage says for which time all events of a portal are held.
type Coverage struct {
	Complete []Span // joined, by rising time
	Gaps     []Gap  // by rising time
	// OldestEvent is the date of the oldest event held, zero if there is none.
	OldestEvent time.Time
	// Floor is how far back sync goes. FloorIsOldest says that the portal had
	// nothing older, so that silence begins with OldestEvent; otherwise
	// sync --since set it.
	Floor         time.Time
	FloorIsOldest bool
}

// RoomFacts is what a report needs to know of a room. Times not known are zero.
type RoomFacts struct {
	ID              string
	Title           string
	Created         time.Time
	Deleted         time.Time
	Archived        bool
	MembersSince    time.Time // first reading of its members
	MembersAt       time.Time // last reading of its members
	UnreadableSince time.Time // since when the portal shows no members of it
}

// MemberFacts is a member of a room as of a window's end and what they did
// there. Times not known are zero.
type MemberFacts struct {
	RoomID      string
	AccountID   string
	Name        string
	Email       string
	Status      AccountStatus
	Guest       bool
	Registered  time.Time // when the account was made
	Access      Access
	Owner       bool      // of the room
	JoinedAt    time.Time // zero: before the first list of members, nobody knows when
	JoinedAfter time.Time // the last moment they are known not to have been a member
	Events      int64     // counted events in the window; where enough of them were asked for, those or more
	// DoubtfulEvents are counted events of theirs in the window that have no
	// room but a title that this room bore at some time.
	DoubtfulEvents int64
	LastActiveAt   time.Time // last counted event in the room before the window's end; not told of members with enough events
	LastSeenAt     time.Time // last event of any kind anywhere in the portal before it
}

// ActivityFacts is what an account did in a room in a window.
type ActivityFacts struct {
	RoomID, Title         string
	AccountID, Name       string
	Member                bool // as of the window's end
	Disabled              bool // or deleted; reports of inactive members have no such accounts
	Views, Edits, Manages int64
	ActiveDays            int64 // UTC days
	FirstAt, LastAt       time.Time
}

// EventFacts counts all events of a window in the whole portal.
type EventFacts struct {
	Events       int64
	Unattributed int64 // activity under a title that no single room bore, or moves that cannot be told apart
	Inferred     int64 // the room is inferred and no log has confirmed it
	Quarantined  int64 // items that could not be decoded, in sync windows that touch the window
}

// Facts is all that a report rests on, read from one state of the database.
type Facts struct {
	Portal   string // base URL
	Coverage Coverage
	Events   EventFacts
	// Exclusions are those not removed, by id, expired ones included; for report
	// inactive and for explain. [NewExcluder] applies them.
	Exclusions []Exclusion
	Rooms      []RoomFacts     // by id
	Members    []MemberFacts   // in no order; for report inactive
	Activity   []ActivityFacts // by room id, then account id; for report activity
}

// AccountFacts is what explain tells of an account.
type AccountFacts struct {
	ID     string
	Name   string
	Email  string // empty if it was never listed
	Status AccountStatus
	Guest  bool
}

// MembershipFacts is a time in which an account held a right in a room, by
// itself or as one of a group.
type MembershipFacts struct {
	GroupID   string // empty: its own right
	GroupName string
	Access    Access // AccessNone: nobody ever said which
	Owner     bool
	From      time.Time // zero: since before anything is known
	To        time.Time // first moment without; zero: it is held
	// JoinedAt is when the membership began, whatever rights it has had since; zero
	// as From. JoinedAfter is the last moment it is known not to have begun yet, zero if
	// there is none; it equals JoinedAt where the moment is known.
	JoinedAt, JoinedAfter time.Time
}

// EventDetail is one event.
type EventDetail struct {
	ID          int64
	At          time.Time
	ActionID    int32
	Class       Class
	RoomSource  int16  // how the room is known, see package attribution
	Target      string // ids of what it was done to, joined by commas
	Description string // the portal's sentence about it, in some language
	Context     string // where in the portal, in words of the portal's language
	Concerning  string // name or id of the person whose membership it changed; empty if the log does not tell
}

// EventList is a list of events of which the newest are given.
type EventList struct {
	Newest                       []EventDetail // by falling time
	Nones, Views, Edits, Manages int64         // of all; Nones are those that are no activity
}

// Total is how many events the list has.
func (l EventList) Total() int64 { return l.Nones + l.Views + l.Edits + l.Manages }

// SharedTitle is a title under which there are events whose room nobody knows.
type SharedTitle struct {
	Title      string
	OtherRooms []string // ids of the other rooms that bore it at some time
}

// LastEvent is an event and the room that it was in.
type LastEvent struct {
	EventDetail
	RoomID, RoomTitle string // both empty: in no room
	Unresolved        bool   // RoomID is a title that no single room bore
}

// ExplainFacts is all that tells what an account did in a room over a window,
// or may have done. Rooms and Members of the embedded facts hold the one room, if
// it is known, and the one member, if the account is one as of the window's end.
type ExplainFacts struct {
	Facts
	// Accounts are those that were asked for: several if they bear the same
	// e-mail address. The rest is there only if there are one room and one account.
	Accounts    []AccountFacts
	Memberships []MembershipFacts // by rising time
	Counted     EventList         // in the room
	Uncounted   EventList         // in the room, but no activity of the kind asked for
	// Unresolved are events under titles that the room bore at some time, Unplaced moves and
	// copies that were in one of two rooms; of both what would count.
	Unresolved, Unplaced EventList
	Titles               []SharedTitle
	Last                 *LastEvent // last event anywhere in the portal before the window's end
}
