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
