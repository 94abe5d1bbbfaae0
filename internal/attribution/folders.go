package attribution

import (
	"maps"
	"slices"
	"time"
)

// Folders is what is known of folders: where they lay when, and when they were moved across the
// border of a room. What lies in a folder goes along without an event of its own.
type Folders struct {
	rooms    map[string]bool
	places   map[string][]Seen
	byRoom   map[string][]Departure
	byFolder map[string][]Departure
}

// Departure is a folder's move out of a room, into one or both.
type Departure struct {
	Folder string
	At     time.Time
	// RoomID is a room that it may have left or entered; empty: any.
	RoomID string
}

// NewFolders takes the ids of the rooms, the moments of each folder, and the departures.
func NewFolders(rooms map[string]bool, seen map[string][]Seen, departures []Departure) *Folders {
	f := &Folders{rooms, make(map[string][]Seen, len(seen)), map[string][]Departure{}, map[string][]Departure{}}
	for folder, moments := range seen {
		var places []Seen
		for _, s := range moments {
			if unsure := s.Asked && nearMove(s, moments); s.Parent != "" && !unsure {
				places = append(places, s)
			}
		}
		slices.SortFunc(places, func(a, b Seen) int { return a.At.Compare(b.At) })
		last := ""
		f.places[folder] = slices.DeleteFunc(places, func(s Seen) bool {
			nothingNew := s.Parent == last && !s.moved()
			last = s.Parent
			return nothingNew
		})
	}
	slices.SortFunc(departures, func(a, b Departure) int { return a.At.Compare(b.At) })
	for _, d := range departures {
		f.byRoom[d.RoomID] = append(f.byRoom[d.RoomID], d)
		f.byFolder[d.Folder] = append(f.byFolder[d.Folder], d)
	}
	return f
}

// Seen is a moment of a file or folder.
type Seen struct {
	At time.Time
	// RoomID is the room that it was in; empty: none, or nobody knows which. So it is of moves across the border of a room.
	RoomID string
	// Parent is the folder that it lay in, or was moved to; empty if nobody said.
	Parent string
	// Asked: the portal was asked where it lay. That moment is ours, not an event's.
	Asked bool
	// Within: it was moved within its room. That says nothing of where the room is, but of the folder.
	Within bool
}

// moved says that the audit trail has a move at that moment.
func (s Seen) moved() bool { return s.Within || s.RoomID == "" && !s.Asked }

// nearMove reports whether nobody can tell if the entry was moved before a moment or after it.
func nearMove(s Seen, seen []Seen) bool {
	return slices.ContainsFunc(seen, func(m Seen) bool { return m.moved() && m.At.Sub(s.At).Abs() <= askSlack })
}

// Sightings are the moments of a file or folder, with those at which a folder may have
// taken it along: there nobody knows where it was. Both are by rising time.
func (f *Folders) Sightings(entry Entry, seen []Seen) []Sighting {
	var within, places []Seen
	for _, s := range seen {
		if s.Within {
			within = append(within, s)
		} else {
			places = append(places, s)
		}
	}
	sightings := make([]Sighting, len(places), len(places)+2)
	for i, s := range places {
		sightings[i] = Sighting{At: s.At, RoomID: s.RoomID, Asked: s.Asked}
	}
	if isRoom := entry.Folder && f.rooms[entry.ID]; !isRoom && len(f.byFolder) > 0 {
		for i, s := range places {
			if s.Asked && nearMove(s, seen) { // before the move or after it
				places[i].Parent = ""
			}
		}
		fillParents(places, within)
		sightings = f.addDepartures(sightings, places, within)
	}
	SortSightings(sightings)
	return sightings
}

// addDepartures adds where what was seen at one moment ends to tell where an entry was, and from where on what was
// seen at the next one does. Nobody knows anything of what is in between, and there may be thousands of departures.
func (f *Folders) addDepartures(sightings []Sighting, places, within []Seen) []Sighting {
	var before, after []Seen // the moments on both sides of the time that is looked at
	for {
		before, after = after, places[:sameMoment(places)]
		places = places[len(after):]
		var d between
		if len(before) > 0 {
			d.from = before[0].At
		}
		if len(after) > 0 {
			d.until = after[0].At
		}
		for _, s := range before {
			if _, left := f.wasMoved(s, before); !left && s.RoomID != "" {
				d.isFrom = true
				f.depart(lastly(s, before), within, &d, d.leave)
			}
		}
		for _, s := range after {
			if came, _ := f.wasMoved(s, after); !came && s.RoomID != "" {
				d.isTo = true
				f.depart(firstly(s, after), within, &d, d.enter)
			}
		}
		for _, at := range d.unsure() {
			sightings = append(sightings, Sighting{At: at})
		}
		if len(after) == 0 {
			return sightings
		}
	}
}

// firstly is s as it was before what happened at its moment. Of a move the folder is that where it went to.
func firstly(s Seen, moment []Seen) Seen {
	if slices.ContainsFunc(moment, Seen.moved) {
		s.Parent = ""
	}
	return s
}

// lastly is s as it was after what happened at its moment, which may be two moves.
func lastly(s Seen, moment []Seen) Seen {
	if slices.ContainsFunc(moment, func(m Seen) bool { return m.moved() && m.Parent != s.Parent }) {
		s.Parent = ""
	}
	return s
}

// sameMoment is how many of the first are of one moment.
func sameMoment(seen []Seen) int {
	n := 0
	for n < len(seen) && seen[n].At.Equal(seen[0].At) {
		n++
	}
	return n
}

// between is the time from one moment to the next, either of which may be missing.
type between struct {
	from, until  time.Time
	isFrom, isTo bool      // the entry was seen in a room at the first moment, at the second
	left, came   time.Time // the first departure with which it may have left, the last with which it may have come; zero: none
}

// leave notes of departures by rising time the first that bears on the entry.
func (b *between) leave(departures []Departure, bears func(Departure) bool) {
	if i := slices.IndexFunc(departures, bears); i >= 0 && (b.left.IsZero() || departures[i].At.Before(b.left)) {
		b.left = departures[i].At
	}
}

// enter notes of departures by rising time the last that bears on the entry.
func (b *between) enter(departures []Departure, bears func(Departure) bool) {
	for _, d := range slices.Backward(departures) {
		if !d.At.After(b.came) {
			return
		}
		if bears(d) {
			b.came = d.At
			return
		}
	}
}

// unsure are the ends of the time of which neither moment tells.
func (b *between) unsure() []time.Time {
	switch {
	case b.isFrom && b.isTo && (b.left.IsZero() || b.came.IsZero() || b.left.After(b.came)):
		return nil
	case b.isFrom && b.isTo:
		return []time.Time{b.left, b.came}
	case b.isFrom && !b.left.IsZero():
		return []time.Time{b.left}
	case b.isTo && !b.came.IsZero():
		return []time.Time{b.came}
	}
	return nil
}

// part is what is in between of departures that are by rising time.
func (b *between) part(all []Departure) []Departure {
	search := func(at time.Time, bound int) int {
		i, _ := slices.BinarySearchFunc(all, at, func(d Departure, at time.Time) int {
			if c := d.At.Compare(at); c != 0 {
				return c
			}
			return bound
		})
		return i
	}
	end := len(all)
	if !b.until.IsZero() {
		end = search(b.until, -1)
	}
	return all[min(end, search(b.from, 1)):end]
}

// depart has note look at the departures in between that may bear on where an entry was seen.
func (f *Folders) depart(s Seen, within []Seen, b *between, note func([]Departure, func(Departure) bool)) {
	bears := func(d Departure) bool {
		way, whole := f.above(s.RoomID, foldersAt(d.At, s, within), d.At)
		return (d.RoomID == "" || d.RoomID == s.RoomID) && (!whole || slices.Contains(way, d.Folder))
	}
	if way, all := f.everAbove(s, within); all {
		for _, folder := range way {
			note(b.part(f.byFolder[folder]), bears)
		}
		return
	}
	note(b.part(f.byRoom[s.RoomID]), bears)
	note(b.part(f.byRoom[""]), bears)
}

// foldersAt are the folders in which an entry may have lain at a moment, which was seen somewhere in that
// room before or after; an empty one says that nobody knows.
func foldersAt(at time.Time, seen Seen, within []Seen) []string {
	folders := []string{seen.Parent}
	for _, m := range within {
		switch {
		case !at.After(seen.At) && !m.At.Before(at) && !m.At.After(seen.At):
			return []string{""} // where it was moved from
		case !at.Before(seen.At) && !m.At.Before(seen.At) && !m.At.After(at):
			folders = append(folders, m.Parent)
		}
	}
	return folders
}

// fillParents gives moments whose folder nobody said that of the one before in the same room, else
// of the one after, unless the entry was moved in between.
func fillParents(seen, within []Seen) {
	fill := func(i, from int) {
		if from < 0 || from >= len(seen) || seen[i].Parent != "" || seen[i].Asked || seen[from].RoomID != seen[i].RoomID {
			return
		}
		a, b := seen[min(i, from)].At, seen[max(i, from)].At
		moved := slices.ContainsFunc(within, func(m Seen) bool {
			isIt := m.At.Equal(seen[from].At) && m.Parent == seen[from].Parent && from < i
			return !isIt && !m.At.Before(a) && !m.At.After(b)
		})
		if !moved {
			seen[i].Parent = seen[from].Parent
		}
	}
	for i := range seen {
		fill(i, i-1)
	}
	for i := range slices.Backward(seen) {
		fill(i, i+1)
	}
}

// above are the given folders and those that they lay in at a moment, up to the room. whole says that these are all,
// and that the room is the given one.
func (f *Folders) above(room string, folders []string, at time.Time) (way []string, whole bool) {
	whole = true
	for next := slices.Clone(folders); len(next) > 0; next = next[1:] {
		switch folder := next[0]; {
		case folder == room, slices.Contains(way, folder):
		case folder == "", f.rooms[folder]:
			whole = false
		default:
			way = append(way, folder)
			next = append(next, f.parentsAt(folder, at)...)
		}
	}
	return way, whole
}

// parentsAt are the folders in which a folder may have lain at a moment; an empty one says that nobody knows. It
// stays where it is until it is moved, and the audit trail has all moves in, into and out of rooms.
func (f *Folders) parentsAt(folder string, at time.Time) []string {
	places := f.places[folder]
	until := slices.IndexFunc(places, func(s Seen) bool { return s.At.After(at) })
	if until < 0 {
		until = len(places)
	}
	if until == 0 {
		first := places[:sameMoment(places)]
		if len(first) == 0 || slices.ContainsFunc(first, Seen.moved) {
			return []string{""}
		}
		return parentsOf(first)
	}
	last := places[until-1].At
	from := slices.IndexFunc(places, func(s Seen) bool { return s.At.Equal(last) })
	parents := parentsOf(places[from:until])
	if last.Equal(at) && slices.ContainsFunc(places[from:until], Seen.moved) { // before the move or after it
		parents = append(parents, f.parentsAt(folder, at.Add(-time.Microsecond))...)
	}
	return parents
}

func parentsOf(seen []Seen) []string {
	parents := make([]string, len(seen))
	for i, s := range seen {
		parents[i] = s.Parent
	}
	return parents
}

// everAbove are the folders that may ever have been above an entry; all says that there are no others.
func (f *Folders) everAbove(s Seen, within []Seen) (way []string, all bool) {
	all = len(within) == 0
	for next := []string{s.Parent}; all && len(next) > 0; next = next[1:] {
		folder := next[0]
		if f.rooms[folder] || slices.Contains(way, folder) {
			continue
		}
		places := f.places[folder]
		first := places[:sameMoment(places)]
		all = folder != "" && len(first) > 0 && !slices.ContainsFunc(first, Seen.moved)
		way = append(way, folder)
		next = append(next, parentsOf(places)...)
	}
	return way, all
}

// wasMoved reports whether an entry came to a room, or left it, at a moment of which all is
// given: all that was seen of a move names the folder that it went to.
func (f *Folders) wasMoved(s Seen, moment []Seen) (came, left bool) {
	if s.RoomID == "" || s.Asked {
		return false, false
	}
	_, whole := f.above(s.RoomID, []string{s.Parent}, s.At)
	left = f.rooms[s.Parent] && s.Parent != s.RoomID
	for _, other := range moment {
		if other.Asked || other.RoomID == s.RoomID {
			continue
		}
		came = came || whole
		if other.RoomID != "" {
			_, lies := f.above(other.RoomID, []string{other.Parent}, s.At)
			left = left || lies
		}
	}
	return came, left && !whole
}

// Below are the given folders and those that ever lay in them.
func (f *Folders) Below(folders []string) []string {
	children := map[string][]string{}
	for folder, places := range f.places {
		for _, s := range places {
			children[s.Parent] = append(children[s.Parent], folder)
		}
	}
	below := map[string]bool{}
	for next := slices.Clone(folders); len(next) > 0; next = next[1:] {
		if !below[next[0]] {
			below[next[0]] = true
			next = append(next, children[next[0]]...)
		}
	}
	return slices.Sorted(maps.Keys(below))
}
