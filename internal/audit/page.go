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
	// SHA256 of the item's bytes as the portal sent them identifies it. Further items
	// of the same bytes in a window have a hash of the hash and their number.
	SHA256 [sha256.Size]byte
	// Body is the item without what must not be stored: link secrets removed
	// where it is JSON, otherwise every URL masked.
	Body []byte
	// Reason says what did not decode.
	Reason string
}

// ReadWindow is a window that has been read whole, or a second that would not close.
type ReadWindow struct {
	Span
	// Rows is how many rows the portal has from From to To, both included.
	Rows int
	// ReadAt is the portal's clock when the reading ended.
	ReadAt      time.Time
	Events      []*Event
	Undecodable []Undecodable
	// GapCause is why the window cannot be called complete, empty if it can.
	GapCause string
}

// Committed is what windows brought that was not known.
type Committed struct {
	NewEvents int64
	OldestNew time.Time // date of the oldest of them, zero if there are none
	NewItems  int32     // in quarantine
}
