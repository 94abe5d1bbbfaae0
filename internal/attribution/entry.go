package attribution

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"roompulse/internal/audit"
)

// Entry is a file or a folder.
type Entry struct {
	Folder bool
	ID     string
}

// Sighting says that an entry was in a room at some moment. Of a move from one room
// to another there are several at one second: where the entry left, where it came to, and none.
type Sighting struct {
	At     time.Time
	RoomID string // empty: in none, or in one that is not known
	// Asked: the portal was asked where the entry was. That moment is ours, not an event's.
	Asked bool
}

// askSlack is how far the moment of an answer may be from that of an event at the same time: it takes two
// requests, seconds apart, to learn where a file lies, events are dated in whole seconds, up or down, and the
// portal's clock is known to the second.
const askSlack = 10 * time.Second

// SortSightings puts sightings in order. Whether the portal was asked before or after an event that
// took the entry elsewhere cannot be told where both were within seconds: such an answer gets the event's moment.
func SortSightings(sightings []Sighting) {
	for i := range sightings {
		if s := &sightings[i]; s.Asked {
			near := slices.IndexFunc(sightings, func(o Sighting) bool {
				return !o.Asked && o.RoomID == "" && o.At.Sub(s.At).Abs() <= askSlack
			})
			if near >= 0 {
				s.At = sightings[near].At
			}
		}
	}
	slices.SortStableFunc(sightings, func(a, b Sighting) int { return a.At.Compare(b.At) })
}

// EntryOf is the file or folder that an event is about, moves and copies left
// out: theirs is in two places.
func EntryOf(e audit.Event) (entry Entry, ok bool) {
	if len(e.Target) != 1 {
		return Entry{}, false
	}
	action, _ := audit.LookupAction(e.Kind.ActionID)
	isFolder := action.Target == audit.TargetFolder
	return Entry{Folder: isFolder, ID: e.Target[0]}, isFolder || action.Target == audit.TargetFile
}

// DestinationOf is the folder that a move or copy that names no room went to.
func DestinationOf(e audit.Event) (folder Entry, ok bool) {
	action, known := audit.LookupAction(e.Kind.ActionID)
	if !known || !action.Target.IsMove() || len(e.Target) != 2 {
		return Entry{}, false
	}
	return Entry{Folder: true, ID: e.Target[1]}, true
}

// EntryMove is a file or folder that an event moved or, of a copy, made.
type EntryMove struct {
	Entry
	To string // folder
	// Crossing: across the border of a room.
	Crossing bool
	// AtEdge: another span may have the act's other event.
	AtEdge bool
}

// movesOf are the files and folders that the events of a span moved or copied, by event id, those left
// out that lay outside of rooms. An act across the border of a room has two events with the same target at one
// moment, and one within a room has one, which names the room. Of two with fractions of seconds one may lie
// beyond the span's edge.
func movesOf(events []*audit.Event, span audit.Span) map[int64]EntryMove {
	type act struct {
		action int32
		actor  string
		target string
	}
	acts := map[act][]int{}
	for i, e := range events {
		if action, _ := audit.LookupAction(e.Kind.ActionID); action.Target.IsMove() && len(e.Target) == 2 {
			key := act{action.ID, e.ActorID, strings.Join(e.Target, ",")}
			acts[key] = append(acts[key], i)
		}
	}
	moves := map[int64]EntryMove{}
	for key, indexes := range acts {
		action, _ := audit.LookupAction(key.action)
		for _, i := range indexes {
			e := events[i]
			hasTwin := slices.ContainsFunc(indexes, func(j int) bool {
				return events[j].ID != e.ID && events[j].At.Sub(e.At).Abs() <= time.Second
			})
			atEdge := e.At.Before(span.From.Add(slack(e.At))) || e.At.After(span.To.Add(-slack(e.At)))
			if _, inRoom := audit.Title(e.Context.String); hasTwin || atEdge || inRoom {
				moves[e.ID] = EntryMove{Entry{Folder: !action.Target.IsFile(), ID: e.Target[0]}, e.Target[1], hasTwin, atEdge}
			}
		}
	}
	return moves
}

// slack is how far from an act's event its other event may be, beyond its second.
func slack(at time.Time) time.Duration {
	if at.Nanosecond() == 0 {
		return 0
	}
	return time.Second
}

// RoomAt is the room that an entry was in at a moment by its sightings, by rising
// time; empty if they do not tell.
func RoomAt(sightings []Sighting, at time.Time) string {
	room, _ := roomAt(sightings, at)
	return room
}

// roomAt is where an entry was at a moment by what was seen of it, by rising
// time. Between two sightings that agree it is sure. It is likely before the first and
// after the last, since moves are sightings, and where one of two may be of the
// same room. Between two that differ nobody knows when it went.
func roomAt(sightings []Sighting, at time.Time) (room string, source Source) {
	after := slices.IndexFunc(sightings, func(s Sighting) bool { return s.At.After(at) })
	if after < 0 {
		after = len(sightings)
	}
	var before, next []string
	if after > 0 {
		before = roomsAt(sightings, sightings[after-1].At)
	}
	switch {
	case after > 0 && sightings[after-1].At.Equal(at):
		next = before
	case after < len(sightings):
		next = roomsAt(sightings, sightings[after].At)
	}
	source = SourceEntry
	switch {
	case len(before) == 0:
		before, source = next, SourceEntryNearby
	case len(next) == 0:
		next, source = before, SourceEntryNearby
	}
	var rooms []string
	match := func(these, those []string) {
		for _, r := range these {
			inBoth := slices.Contains(those, r)
			mayBe := len(these) == 1 && slices.Contains(those, "")
			if r == "" || slices.Contains(rooms, r) || !inBoth && !mayBe {
				continue
			}
			rooms = append(rooms, r)
			if !inBoth {
				source = SourceEntryNearby
			}
		}
	}
	match(before, next)
	match(next, before)
	betweenMoves := len(before) > 1 && len(next) > 1
	if len(rooms) != 1 || betweenMoves {
		return "", SourceNone
	}
	return rooms[0], source
}

// roomsAt are the rooms of the sightings of a moment, each once.
func roomsAt(sightings []Sighting, at time.Time) []string {
	var rooms []string
	for _, s := range sightings {
		if s.At.Equal(at) && !slices.Contains(rooms, s.RoomID) {
			rooms = append(rooms, s.RoomID)
		}
	}
	return rooms
}

// Move is one of the events of a move or copy.
type Move struct {
	EventID int64
	Answer  Answer
}

// PlaceMoves says where the events of one act belong of which at least one is
// unplaced or was placed by its number. destination is the room that the folder
// moved to lies in, empty if it is none or unknown; settled says that no log can tell.
//
// Of a move between a room and another section one event is the room's and the
// other nobody's, and neither says so. A log that has one of them settles both; else, if
// the destination is the room, the event with the lower number is its.
func PlaceMoves(act []Move, destination string, settled bool) []Move {
	moves := slices.Clone(act)
	slices.SortFunc(moves, func(a, b Move) int { return cmp.Compare(a.EventID, b.EventID) })
	claimed := slices.ContainsFunc(moves, func(m Move) bool { return !isOpen(m.Answer.Source) && m.Answer.RoomID != "" })
	if len(moves) < 2 || !claimed && (destination == "" || !settled) {
		return nil
	}
	given := claimed
	var placed []Move
	for _, m := range moves {
		if !isOpen(m.Answer.Source) {
			continue
		}
		m.Answer = Answer{}
		if !given {
			m.Answer, given = Answer{SourceEntryNearby, destination}, true
		}
		placed = append(placed, m)
	}
	return placed
}

// IsPlacedIn reports whether the act was placed in a room by its number.
func IsPlacedIn(act []Move, room string) bool {
	return slices.ContainsFunc(act, func(m Move) bool { return m.Answer == Answer{SourceEntryNearby, room} })
}

// TakeBack says of an act that was placed by its number that nobody knows where its events belong.
func TakeBack(act []Move) []Move {
	var open []Move
	for _, m := range act {
		if isOpen(m.Answer.Source) {
			m.Answer = Answer{Source: SourceUnplacedMove}
			open = append(open, m)
		}
	}
	return open
}

// isOpen reports whether a move's event was not placed by what is known of
// itself. One that came to be known before its other counts as outside of rooms until then.
func isOpen(s Source) bool {
	return s == SourceUnplacedMove || s == SourceEntryNearby || s == SourceNone
}
