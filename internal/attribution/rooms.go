package attribution

import (
	"cmp"
	"slices"
	"time"

	"roompulse/internal/audit"
)

// Room is what is known of a room and its titles.
type Room struct {
	ID      string
	Title   string    // the latest known, empty if none is
	TitleAt time.Time // as of when
	Created time.Time // zero if unknown
	Deleted time.Time // zero if it exists
	Renames []Rename  // by rising time
}

// Rename is the end of a title.
type Rename struct {
	EventID  int64
	At       time.Time
	OldTitle string
}

// clockSlack is allowed between a room's own dates, which have fractions of a
// second, and its events, which have not.
const clockSlack = 2 * time.Second

// bore reports whether the room had the title at the given time. At the second
// of a renaming it has both.
func (r *Room) bore(title string, at time.Time) bool {
	if !r.Created.IsZero() && at.Before(r.Created.Add(-clockSlack)) ||
		!r.Deleted.IsZero() && at.After(r.Deleted.Add(clockSlack)) {
		return false
	}
	var since time.Time
	for _, rename := range r.Renames {
		if rename.OldTitle == title && !at.Before(since) && !at.After(rename.At) {
			return true
		}
		since = rename.At
	}
	return r.Title == title && !at.Before(since) && r.titleKnown()
}

// titleKnown reports whether the present title is known: it was seen after the last renaming.
func (r *Room) titleKnown() bool {
	return len(r.Renames) == 0 || !r.TitleAt.Before(r.Renames[len(r.Renames)-1].At)
}

// titles are all that the room is known to have had.
func (r *Room) titles() []string {
	titles := []string{r.Title}
	for _, rename := range r.Renames {
		titles = append(titles, rename.OldTitle)
	}
	return titles
}

// Rooms tells which rooms a portal has and had, and which bore a title when.
type Rooms struct {
	byID    map[string]*Room
	byTitle map[string][]*Room
}

// NewRooms indexes the rooms of a portal.
func NewRooms(rooms []Room) *Rooms {
	r := &Rooms{byID: make(map[string]*Room, len(rooms)), byTitle: make(map[string][]*Room, len(rooms))}
	for _, room := range rooms {
		r.Put(room)
	}
	return r
}

// Known reports whether id is a room's.
func (r *Rooms) Known(id string) bool { return r.byID[id] != nil }

// Bearer returns the one room that bore the title at the given time.
func (r *Rooms) Bearer(title string, at time.Time) (id string, ok bool) {
	id, n := r.bearers(title, at)
	return id, n == 1
}

// bearers counts the rooms that bore the title at the given time, and returns one of them.
func (r *Rooms) bearers(title string, at time.Time) (id string, n int) {
	for _, room := range r.byTitle[title] {
		if room.bore(title, at) {
			id = room.ID
			n++
		}
	}
	return id, n
}

// Bore reports whether a room bore the title at the given time.
func (r *Rooms) Bore(id, title string, at time.Time) bool {
	room := r.byID[id]
	return room != nil && room.bore(title, at)
}

// isShared reports whether several rooms bore the title at the given time.
func (r *Rooms) isShared(title string, at time.Time) bool {
	_, n := r.bearers(title, at)
	return n > 1
}

// NoteOpen notes what may tell more of where an event belongs.
func (r *Rooms) NoteOpen(open Open, a Answer, e audit.Event) {
	r.wantLogs(open.LogsFrom, a, e.At)
	r.noteEntry(open.Entries, a, e)
}

// noteEntry notes in entries, by event id, the file or folder whose whereabouts
// may tell the event's room: which of several rooms of one title is meant, or where a move went.
func (r *Rooms) noteEntry(entries map[int64]EntryEvent, a Answer, e audit.Event) {
	ofEntry := a.Source == SourceEntry || a.Source == SourceEntryNearby || a.Unresolved() && r.isShared(a.RoomID, e.At)
	if entry, ok := EntryOf(e); ok && ofEntry {
		entries[e.ID] = EntryEvent{Entry: entry, At: e.At, Ask: a.Unresolved()}
	}
	if folder, ok := DestinationOf(e); ok && a.Source == SourceUnplacedMove {
		entries[e.ID] = EntryEvent{Entry: folder, At: e.At, IsMove: true, Ask: !r.Known(folder.ID)}
	}
}

// wantLogs notes in logsFrom, by room id, that the logs of all rooms that ever
// bore the title of an unresolved answer are needed since the given time.
func (r *Rooms) wantLogs(logsFrom map[string]time.Time, a Answer, at time.Time) {
	if !a.Unresolved() {
		return
	}
	for _, room := range r.byTitle[a.RoomID] {
		if known, ok := logsFrom[room.ID]; !ok || at.Before(known) {
			logsFrom[room.ID] = at
		}
	}
}

// Put adds a room or replaces what is known of it. It returns the titles that
// another answer may now be true for.
func (r *Rooms) Put(room Room) (stale []string) {
	old := r.byID[room.ID]
	if old == nil {
		old = &Room{ID: room.ID}
		r.byID[room.ID] = old
	} else if old.Title == room.Title && old.Created.Equal(room.Created) && old.Deleted.Equal(room.Deleted) &&
		slices.Equal(old.Renames, room.Renames) && old.titleKnown() == room.titleKnown() {
		old.TitleAt = room.TitleAt
		return nil
	}
	stale = append(old.titles(), room.titles()...)
	*old = room
	slices.Sort(stale)
	stale = slices.DeleteFunc(slices.Compact(stale), func(title string) bool { return title == "" })
	for _, title := range stale {
		if !slices.Contains(r.byTitle[title], old) {
			r.byTitle[title] = append(r.byTitle[title], old)
		}
	}
	return stale
}

// Apply adds what events tell of a room. It returns the room as it is known
// now and the titles that another answer may now be true for.
func (r *Rooms) Apply(n News) (room Room, stale []string) {
	if known := r.byID[n.RoomID]; known != nil {
		room = *known
	} else {
		room.ID = n.RoomID
	}
	if isNewer(n.Title, n.TitleAt, room.Title, room.TitleAt) {
		room.Title, room.TitleAt = n.Title, n.TitleAt
	}
	if room.Created.IsZero() {
		room.Created = n.Created
	}
	if !n.Deleted.IsZero() && (room.TitleAt.IsZero() || !n.Deleted.Before(room.TitleAt) || !room.Deleted.IsZero()) {
		room.Deleted = n.Deleted
	}
	if len(n.Renames) > 0 {
		renames := slices.Concat(room.Renames, n.Renames)
		slices.SortFunc(renames, func(a, b Rename) int {
			return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.EventID, b.EventID))
		})
		room.Renames = slices.CompactFunc(renames, func(a, b Rename) bool { return a.EventID == b.EventID })
	}
	return room, r.Put(room)
}

// isNewer reports whether the title a, seen at aAt, is later known than b. Of
// two that were seen in one second either may be; the choice only has to be
// the same whichever was met first.
func isNewer(a string, aAt time.Time, b string, bAt time.Time) bool {
	return a != "" && (aAt.After(bAt) || aAt.Equal(bAt) && a > b)
}

// List notes that the portal's list of rooms has the room as of at. It returns
// the titles that another answer may now be true for.
func (r *Rooms) List(id, title string, created, at time.Time) (stale []string) {
	room := Room{ID: id}
	if known := r.byID[id]; known != nil {
		room = *known
	}
	room.Title, room.TitleAt, room.Deleted = title, at, time.Time{}
	if !created.IsZero() {
		room.Created = created
	}
	return r.Put(room)
}

// Delete notes that the room was gone at the given time.
func (r *Rooms) Delete(id string, at time.Time) (stale []string) {
	known := r.byID[id]
	if known == nil || !known.Deleted.IsZero() {
		return nil
	}
	room := *known
	room.Deleted = at
	return r.Put(room)
}
