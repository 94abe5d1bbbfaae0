package audit

import "time"

// Tasks of sync that are not done on every run.
const (
	TaskRooms    = "rooms"    // the list of rooms
	TaskAccounts = "accounts" // the list of people
	TaskGroups   = "groups"   // the members of groups; each group has its own time
	TaskLogs     = "logs"     // the logs of rooms that nothing calls for
	TaskCheck    = "check"    // the check of all windows for late events
	TaskGaps     = "gaps"     // another try at spans that would not close
)

// Task is the state of one. Times that are not known are zero.
type Task struct {
	DoneAt   time.Time // portal time as of which it was done last
	WantedAt time.Time // latest event that calls for it
}

// IsDue reports whether the task is to be done: because it was not done since
// before, or not since the event that calls for it.
func (t Task) IsDue(before time.Time) bool {
	return t.DoneAt.IsZero() || t.DoneAt.Before(before) || !t.DoneAt.After(t.WantedAt)
}
