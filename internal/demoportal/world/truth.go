package world

import (
	"cmp"
	"iter"
	"slices"
	"time"
)

// Truth is what really happened, for tests to compare with what a client made
// of the portal's answers.
type Truth struct {
	w   *World
	now int64
}

// Truth returns what is true of the rows inserted by now.
func (w *World) Truth(now time.Time) Truth { return Truth{w: w, now: micros(now)} }

// Evidence says by which ways a client could find an event's room.
type Evidence uint8

// The ways to an event's room.
const (
	// ByTarget: the target is the room itself.
	ByTarget Evidence = 1 << iota
	// ByLog: the room's log has the row, the room is not deleted and not in
	// third-party storage.
	ByLog
	// ByTitle: the context names a title that only this room bore at that moment.
	ByTitle
	// ByEntry: the file or folder still lies in the room and has never been elsewhere.
	ByEntry
)

// Fact is the truth about one audit row.
type Fact struct {
	Event
	// Evidence is empty when nobody can know the room from the portal's
	// answers, which is legal for events without a room as well. Titles count
	// by what the whole portal knew, deleted rooms included.
	Evidence Evidence
	// Background acts are the portal's own in a person's name.
	Background bool
	// Subject is whom a change of members concerns, nil for other acts and for groups.
	Subject *Account
	// Listed rows are those that the audit endpoints show.
	Listed bool
}

// Events yields the truth about every inserted row by rising id, those that
// only logs show included. Acts wait meanwhile.
func (t Truth) Events() iter.Seq[Fact] {
	return func(yield func(Fact) bool) {
		t.w.Read(fromMicros(t.now), func(v View) {
			for i := range v.w.rows[:v.w.published] {
				if v.w.rows[i].inserted > t.now {
					return // published at a later reading of the clock
				}
				if !yield(v.w.fact(&v.w.rows[i])) {
					return
				}
			}
		})
	}
}

// Event returns the truth about the row with an id.
func (t Truth) Event(id int32) (fact Fact, ok bool) {
	t.w.Read(fromMicros(t.now), func(v View) {
		i, found := slices.BinarySearchFunc(v.w.rows[:v.w.published], id, func(r row, id int32) int { return cmp.Compare(r.id, id) })
		if ok = found && v.w.rows[i].inserted <= t.now; ok {
			fact = v.w.fact(&v.w.rows[i])
		}
	})
	return fact, ok
}

func (w *World) fact(r *row) Fact {
	e := w.event(r)
	f := Fact{Event: e, Background: r.client == 0, Subject: e.Detail.Account, Listed: e.Kind.Listed}
	if e.Room == nil {
		return f
	}
	if r.target[0] == e.Room.ref && r.target[1] == 0 && e.Folder == e.Room.Folder && e.Title == "" {
		f.Evidence |= ByTarget
	}
	if e.Kind.ID == FolderDownloaded && r.target[0] == e.Room.ref {
		f.Evidence |= ByTarget
	}
	if e.Kind.Tracked && !e.Room.Deleted && !e.Room.ThirdParty() {
		f.Evidence |= ByLog
	}
	if e.Context == InRoom && w.bearersAt(e.RoomTitle, e.Date) == 1 {
		f.Evidence |= ByTitle
	}
	if w.stayedIn(e, r) {
		f.Evidence |= ByEntry
	}
	return f
}

// stayedIn reports whether the file or folder of the row is in the row's room
// now and has always been.
func (w *World) stayedIn(e Event, r *row) bool {
	if e.Title == "" || r.target[1] != 0 || len(e.Kind.Entries) != 1 {
		return false
	}
	if e.Kind.Entries[0] == Entries["Folder"] {
		f := w.folders[w.refID(r.target[0])]
		return f != nil && !f.gone() && !f.roamed && f.InRoom() == e.Room
	}
	f := w.file(w.refID(r.target[0]))
	return f != nil && !f.Gone() && f.Trash == nil && !f.roamed && f.Folder.InRoom() == e.Room
}

// bearersAt counts the rooms that bore a title at t. A second's grace covers
// the rounding of dates.
func (w *World) bearersAt(title string, t time.Time) int {
	count := 0
	for _, b := range w.bearers[title] {
		if !t.Add(time.Second).Before(b.from) && (b.to.IsZero() || !t.Add(-time.Second).After(b.to)) {
			count++
		}
	}
	return count
}

// Membership is one way in which somebody is a member of a room.
type Membership struct {
	Account *Account
	Group   *Group // through which, nil for an own right
	Access  Access
	Since   time.Time // through a group: the later of the group's and the person's coming
}

// Members returns all ways in which anybody is a member of a room at an
// instant, the owner's included, in no promised order. People who come
// through the system group are there since their registration, at the earliest.
// Disabled and pending accounts are included except through the system group.
func (t Truth) Members(r *Room, at time.Time) []Membership {
	w := t.w
	w.mu.RLock()
	defer w.mu.RUnlock()
	during := func(from, to time.Time) bool { return !at.Before(from) && (to.IsZero() || at.Before(to)) }
	var members []Membership
	for _, g := range r.grants {
		if !during(g.From, g.To) {
			continue
		}
		switch {
		case g.Group == nil:
			members = append(members, Membership{Account: g.Account, Access: g.Access, Since: g.From})
		case g.Group.System:
			for _, a := range w.accounts {
				if !a.Deleted && a.Status == Active && a.Kind != Guest && a.Kind != SystemAccount && !at.Before(a.Registered) {
					members = append(members, Membership{Account: a, Group: g.Group, Access: g.Access, Since: later(g.From, a.Registered)})
				}
			}
		default:
			for _, s := range g.Group.stays {
				if during(s.from, s.to) {
					members = append(members, Membership{Account: s.who, Group: g.Group, Access: g.Access, Since: later(g.From, s.from)})
				}
			}
		}
	}
	return members
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Rooms returns all rooms that there have ever been, in the order they were made.
func (t Truth) Rooms() []*Room {
	t.w.mu.RLock()
	defer t.w.mu.RUnlock()
	return slices.Clone(t.w.rooms)
}
