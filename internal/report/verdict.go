package report

import (
	"slices"
	"time"

	"roompulse/internal/audit"
)

// State is the verdict on a member of a room as of a window's end.
type State string

// The states, in the order in which they are tried: the first that holds is the verdict.
const (
	StateActive  State = "active"  // enough counted events; missing data cannot undo that
	StatePending State = "pending" // the invitation is not accepted
	StateNew     State = "new"     // a member for less than the grace time
	StateUnknown State = "unknown" // cannot be told, see UnknownBecause
	StateLow     State = "low"     // some counted events, too few
	StateQuiet   State = "quiet"   // none in the window; before it some, or nobody knows
	StateNever   State = "never"   // none since the membership began
)

// IsListed reports whether members in the state are on a report of inactive members.
func (s State) IsListed() bool {
	switch s {
	case StateNever, StateQuiet, StateLow, StateUnknown:
		return true
	default:
		return false
	}
}

// UnknownBecause says why a member's state is unknown.
type UnknownBecause string

const (
	// IncompleteData says that a part of the window in which they may have been a
	// member is missing.
	IncompleteData UnknownBecause = "incomplete_data"
	// UnresolvedEvents says that they have events under a title which this room
	// bore, and no single room: with these they would be active.
	UnresolvedEvents UnknownBecause = "unresolved_events"
)

type verdict struct {
	state   State
	because UnknownBecause // of StateUnknown
}

// judge holds what verdicts of one report have in common.
type judge struct {
	until       time.Time // the window's end
	minActivity int64
	grace       time.Duration
	// missingUntil is the end of the last part of the window that is missing and
	// not accepted, zero if there is none.
	missingUntil time.Time
	// knownFrom is since when everything up to the window's end is known, zero
	// if it is not.
	knownFrom time.Time
}

func newJudge(q InactiveQuery, c audit.Coverage) judge {
	j := judge{until: q.Window.To, minActivity: q.MinActivity, grace: q.Grace, knownFrom: c.KnownFrom(q.Window.To)}
	for _, m := range c.Missing(audit.Span{From: q.Window.From, To: q.Window.To}) {
		if !m.Accepted {
			j.missingUntil = m.To
		}
	}
	return j
}

// verdict judges a member of a room that was created at the given time.
func (j judge) verdict(m audit.MemberFacts, created time.Time) verdict {
	// The membership began at one moment between earliest and joined. Each
	// question takes the end that spares the member an accusation: somebody
	// first met after a long pause of sync is new, and is no certain never.
	earliest := latest(created, m.Registered, m.JoinedAfter)
	joined := m.JoinedAt
	if joined.IsZero() {
		joined = earliest
	} else if joined.Before(earliest) {
		earliest = joined
	}
	switch {
	case m.Events >= j.minActivity:
		return verdict{state: StateActive}
	case m.Status == audit.AccountPending:
		return verdict{state: StatePending}
	case j.until.Sub(joined) < j.grace:
		return verdict{state: StateNew}
	case j.missingUntil.After(earliest):
		return verdict{StateUnknown, IncompleteData}
	case m.Events+m.DoubtfulEvents >= j.minActivity:
		return verdict{StateUnknown, UnresolvedEvents}
	case m.Events > 0:
		return verdict{state: StateLow}
	case !m.LastActiveAt.IsZero(), j.knownFrom.IsZero(), earliest.Before(j.knownFrom):
		return verdict{state: StateQuiet}
	}
	return verdict{state: StateNever}
}

func latest(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }
