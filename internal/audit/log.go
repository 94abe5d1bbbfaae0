package audit

import "time"

// LogEntry is an entry of a room's log, taken out of its group.
type LogEntry struct {
	EventID  int64 // the id of the same act in the audit trail; 0 before DocSpace 3.6
	At       time.Time
	ActionID int32 // six overwriting and restoring actions appear as their plain form
	ActorID  string
	// AccountID or GroupID name whom a change of members concerns.
	AccountID, GroupID string
	// EntryID is the file or folder that the entry is about, empty if it is about neither.
	EntryID string
	// ParentID is the folder that it lay in, the room itself or one below; empty if the log does not say.
	ParentID string
	// Access is the right given, in words of the actor's language.
	Access             string
	OldTitle, NewTitle string // of a room that was renamed
}

// RoomEvent is an event about a room.
type RoomEvent struct {
	ID       int64
	At       time.Time
	ActionID int32
	ActorID  string
}

// RoomMoment is a second of a room's log.
type RoomMoment struct {
	RoomID string
	At     time.Time
}

// LogState is how far a room's log has been read. Unknown times are zero.
type LogState struct {
	RoomID      string
	Created     time.Time
	WantedFrom  time.Time // since when it is needed, zero if it is not
	From, Until time.Time // what has been read
	AskedAt     time.Time // when the portal was last asked for it
	RefusedAt   time.Time // when the portal last refused it
}

// LogPage is one page of a room's log.
type LogPage struct {
	// Entries are the acts on the page, groups taken apart, in no certain order.
	Entries []LogEntry
	// Rows is by how much the next page starts later. Total is the number of
	// rows of the whole log within the asked dates.
	Rows, Total int
}

// LogTurn is what was learned of a room's log at once.
type LogTurn struct {
	RoomID  string
	Entries []LogEntry
	// Whereabouts: the entries shall tell which files and folders were in the room.
	Whereabouts bool
	// AskedAt is when the portal was asked, zero if more of the same reading is to come.
	AskedAt time.Time
	// Read is the span that has been read with this turn, zero if none. It serves who wanted the log since WantedFrom or later.
	Read       Span
	WantedFrom time.Time
	// RefusedAt is as of when the portal does not show the log, zero if it does.
	RefusedAt time.Time
	// Explained: the log has been asked for all changes of members that waited for it, Changes.
	// Those that it does not have are not asked for again.
	Explained bool
	Changes   []RoomEvent
}
