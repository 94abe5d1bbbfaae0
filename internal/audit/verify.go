package audit

import (
	"cmp"
	"slices"
	"time"
)

// Part is a part of the warehouse that can be wrong.
type Part string

// The parts, in the order in which they are looked at.
const (
	PartReferences   Part = "references"    // events that name an account, a room or another row that is not there
	PartClasses      Part = "classes"       // events that count as something else than roompulse's rules say
	PartRoomDays     Part = "room_day"      // rows that raw events do not give
	PartAccountDays  Part = "account_day"   // the same
	PartEventHours   Part = "event_hour"    // the same
	PartEventDays    Part = "event_day"     // the same
	PartRoomLasts    Part = "room_last"     // rows that room_day does not give
	PartAccountLasts Part = "account_last"  // rows that account_day does not give
	PartWindows      Part = "sync_window"   // complete windows with fewer events than the portal listed, or that overlap
	PartComplete     Part = "sync_complete" // spans that sync_window does not give
)

var parts = [...]Part{
	PartReferences, PartClasses, PartRoomDays, PartAccountDays, PartEventHours, PartEventDays,
	PartRoomLasts, PartAccountLasts, PartWindows, PartComplete,
}

// Finding is what is wrong with a part of the warehouse.
type Finding struct {
	Part Part
	Rows int64
	// First and Last are the UTC days of the oldest and the newest of them; zero where
	// rows are of no day.
	First, Last time.Time
	Repaired    bool
}

// Verification is the outcome of a comparison of the warehouse with itself.
type Verification struct {
	Days     int   // UTC days with events or rollups
	Events   int64 // events on them
	Windows  int
	Findings []Finding // one a part, in their order; none if nothing is wrong
}

// Sound reports whether nothing is wrong, or nothing any more.
func (v *Verification) Sound() bool {
	for _, f := range v.Findings {
		if !f.Repaired {
			return false
		}
	}
	return true
}

// Add notes rows of a part that are wrong on a day.
func (v *Verification) Add(part Part, rows int64, day time.Time, repaired bool) {
	if rows == 0 {
		return
	}
	at, known := slices.BinarySearchFunc(v.Findings, part, func(f Finding, p Part) int {
		return cmp.Compare(slices.Index(parts[:], f.Part), slices.Index(parts[:], p))
	})
	if !known {
		v.Findings = slices.Insert(v.Findings, at, Finding{Part: part, First: day, Last: day, Repaired: true})
	}
	f := &v.Findings[at]
	f.Rows += rows
	f.First, f.Last = Earlier(f.First, day), Later(f.Last, day)
	f.Repaired = f.Repaired && repaired
}
