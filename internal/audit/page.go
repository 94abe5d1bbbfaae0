package audit

import (
	"crypto/sha256"
	"time"
)

// EventPage is one page of a portal's audit trail.
type EventPage struct {
	Events []Event
	// Undecodable are the items that make no Event. They count as rows of the page.
	Undecodable []Undecodable
	// PortalTime is the portal's own clock when it answered.
	PortalTime time.Time
}

// Rows is the number of items that the portal listed on the page.
func (p EventPage) Rows() int { return len(p.Events) + len(p.Undecodable) }

// Undecodable is an item of the audit trail that roompulse cannot read.
type Undecodable struct {
	// SHA256 of the item's bytes as the portal sent them identifies it.
	SHA256 [sha256.Size]byte
	// Body is the item without what must not be stored: link secrets removed
	// where it is JSON, otherwise every URL masked.
	Body []byte
	// Reason says what did not decode.
	Reason string
}

// LogPage is one page of a room's log.
type LogPage struct {
	// Entries are the acts on the page, groups taken apart, in no certain order.
	Entries []LogEntry
	// Rows is by how much the next page starts later. Total is the number of
	// rows of the whole log within the asked dates.
	Rows, Total int
}

// Traffic counts what was asked of a portal.
type Traffic struct {
	Requests  int64 // sent, repeated ones included
	Retries   int64 // of those, repeated ones
	Throttled int64 // answered with "too many requests"
}

// ReadWindow is a window that has been read whole, or a second that would not close.
type ReadWindow struct {
	Span
	// Rows is how many rows the portal has from From to To, both included.
	Rows int
	// ReadAt is the portal's clock when the reading ended.
	ReadAt      time.Time
	Events      []Event
	Undecodable []Undecodable
}

// Committed is what a window brought that was not known.
type Committed struct {
	NewEvents int64
	OldestNew time.Time // date of the oldest of them, zero if there are none
	NewItems  int32     // in quarantine
}

// RunOutcome says how a run of sync ended.
type RunOutcome string

// The outcomes of a run, as stored in the database.
const (
	RunDone        RunOutcome = "done"
	RunIncomplete  RunOutcome = "incomplete" // done, but some data could not be had
	RunFailed      RunOutcome = "failed"
	RunRefused     RunOutcome = "refused" // by the portal
	RunInterrupted RunOutcome = "interrupted"
)

// RunResult is what a run of sync did.
type RunResult struct {
	FinishedAt time.Time // by the portal's clock
	Outcome    RunOutcome
	Error      string // empty if there was none

	Requests, Retries, Throttled int32 // sent to the portal; repeated; answered with 429
	Windows                      int32
	EventsListed, EventsNew      int64
	EventsLate                   int64         // new in windows that were complete before
	MaxLate                      time.Duration // the longest that such an event was missing
	Quarantined                  int32         // undecodable items met for the first time
	TitlesConfirmed              int64         // inferred rooms that a room's log confirmed
	TitlesContradicted           int64         // and those that it corrected
}

// Run is a run of sync as status shows it. Its JSON is stable.
type Run struct {
	ID           int32      `json:"id"`
	Version      string     `json:"version"`
	StartedAt    time.Time  `json:"started_at"`
	FinishedAt   *time.Time `json:"finished_at"` // null while it runs, or after a crash
	Until        *time.Time `json:"until"`
	Outcome      string     `json:"outcome"`
	Error        string     `json:"error,omitempty"`
	Requests     int32      `json:"requests"`
	Retries      int32      `json:"retries"`
	Throttled    int32      `json:"throttled"`
	Windows      int32      `json:"windows"`
	EventsListed int64      `json:"events_listed"`
	EventsNew    int64      `json:"events_new"`
	EventsLate   int64      `json:"events_late"`
	MaxLate      int64      `json:"max_late_seconds"`
	Quarantined  int32      `json:"quarantined"`
}

// StatusFacts is what status tells of a portal's data, all of them.
type StatusFacts struct {
	Facts
	UnknownActions     []int32 // ids that the portal listed and roompulse does not know
	TitlesConfirmed    int64   // inferred rooms that a room's log has ever confirmed
	TitlesContradicted int64   // and those that one has corrected
	Runs               []Run   // the latest, newest first
}
