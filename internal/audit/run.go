package audit

import "time"

// Traffic counts what was asked of a portal.
type Traffic struct {
	Requests  int64 // sent, repeated ones included
	Retries   int64 // of those, repeated ones
	Throttled int64 // answered with "too many requests"
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
