// Package attribution says which room an event of the audit trail belongs to.
//
// DocSpace names no room in its events. What it does tell is weighed in a fixed
// order, and the first answer wins; see Judge. The answer depends on the
// evidence alone, not on the order in which it came to be known: an event is
// judged anew whenever evidence that bears on it changes.
package attribution

import "roompulse/internal/audit"

// Source says how an event's room is known. The numbers are stored in the
// database and keep their meaning.
type Source int16

// The sources, from no answer through the surest down.
const (
	SourceNone         Source = 0 // the event belongs to no room
	SourcePayload      Source = 1 // the event itself names the room's id
	SourceTarget       Source = 2 // the event is about the room
	SourceHistory      Source = 3 // the room's log has the event
	SourceEntry        Source = 4 // the file or folder was in the room before and after
	SourceEntryNearby  Source = 5 // the file or folder was in the room before or after, or was moved there: an inference
	SourceTitle        Source = 6 // the event names a title that one room alone bore then: an inference
	SourceUnresolved   Source = 7 // the event names a title that no single room bore then
	SourceUnplacedMove Source = 8 // one of the two events of a move or copy that cannot be told apart
)

// IsInference reports whether the room is likely, not certain.
func (s Source) IsInference() bool { return s == SourceEntryNearby || s == SourceTitle }

// IsUnattributed reports whether the event belongs to some room, but nobody
// knows which.
func (s Source) IsUnattributed() bool { return s == SourceUnresolved || s == SourceUnplacedMove }

// Answer is where an event belongs.
type Answer struct {
	Source Source
	// RoomID is the id of the room, for SourceUnresolved the title; empty if
	// there is none.
	RoomID string
}

// Unresolved reports whether the answer is a title instead of a room.
func (a Answer) Unresolved() bool { return a.Source == SourceUnresolved }

// Judge says which room an event belongs to. logRoom is the room whose log has
// the event, empty if none is known; sightings are those of the entry that it is
// about, by rising time. They only decide what the title leaves open: a room
// that alone bore it is the entry's as well.
func Judge(e audit.Event, logRoom string, sightings []Sighting, rooms *Rooms) Answer {
	if a := named(e, rooms); a.Source != SourceNone {
		return a
	}
	if logRoom != "" {
		return Answer{SourceHistory, logRoom}
	}
	if title, ok := audit.Title(e.Context.String); ok && aboutDocuments(e) {
		if id, ok := rooms.Bearer(title, e.At); ok {
			return Answer{SourceTitle, id}
		}
		if id, source := roomAt(sightings, e.At); id != "" && rooms.Bore(id, title, e.At) {
			return Answer{source, id}
		}
		return Answer{SourceUnresolved, title}
	}
	if action, _ := audit.LookupAction(e.Kind.ActionID); action.Target.IsMove() {
		return Answer{Source: SourceUnplacedMove}
	}
	return Answer{}
}

// named is the answer of an event that has its room in itself.
func named(e audit.Event, rooms *Rooms) Answer {
	if e.Payload.RoomID != "" {
		return Answer{SourcePayload, e.Payload.RoomID}
	}
	if e.Payload.FolderID != "" && rooms.Known(e.Payload.FolderID) {
		return Answer{SourcePayload, e.Payload.FolderID}
	}
	if len(e.Target) != 1 {
		return Answer{}
	}
	action, _ := audit.LookupAction(e.Kind.ActionID)
	if action.Target == audit.TargetRoom || action.Target == audit.TargetFolder && rooms.Known(e.Target[0]) {
		return Answer{SourceTarget, e.Target[0]}
	}
	return Answer{}
}

// aboutDocuments leaves out other parts of the portal, whose contexts are names of modules.
func aboutDocuments(e audit.Event) bool {
	return !e.Kind.Product.Valid || e.Kind.Product.Int16 == audit.ProductDocuments
}
