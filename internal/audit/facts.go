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
	Events      int64     // counted events in the window
	// DoubtfulEvents are counted events of theirs in the window that have no
	// room but a title that this room bore at some time.
	DoubtfulEvents int64
	LastActiveAt   time.Time // last counted event in the room before the window's end
	LastSeenAt     time.Time // last event of any kind anywhere in the portal before it
}

// ActivityFacts is what an account did in a room in a window.
type ActivityFacts struct {
	RoomID, Title         string
	AccountID, Name       string
	Member                bool // as of the window's end
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
	Rooms    []RoomFacts     // by id; for report inactive
	Members  []MemberFacts   // by room id, then account id; for report inactive
	Activity []ActivityFacts // by room id, then account id; for report activity
}
