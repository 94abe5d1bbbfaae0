package audit

import "time"

// Buckets cut a window into UTC days, or into weeks from Monday on if it is
// long. The first and the last may reach beyond the window.
type Buckets struct {
	First time.Time // midnight, UTC
	Days  int       // of each: 1 or 7
	Count int
}

// maxDayBuckets is how many days are looked at one by one.
const maxDayBuckets = 92

// Buckets returns the days or weeks that the window touches.
func (w Window) Buckets() Buckets {
	first, end := w.From.UTC().Truncate(day), w.To.UTC()
	b := Buckets{First: first, Days: 1, Count: int((end.Sub(first) + day - 1) / day)}
	if b.Count > maxDayBuckets {
		b.Days = 7
		b.First = first.AddDate(0, 0, -(int(first.Weekday())+6)%7)
		b.Count = int((end.Sub(b.First) + 7*day - 1) / (7 * day))
	}
	return b
}

// MemberKey names a member of a room.
type MemberKey struct{ RoomID, AccountID string }

// BucketFacts are the counted events of a member by bucket: those with none are left out.
type BucketFacts struct {
	Buckets []int32 // positions, rising
	Events  []int32
}
