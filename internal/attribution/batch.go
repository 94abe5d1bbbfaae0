package attribution

import (
	"slices"
	"time"

	"roompulse/internal/audit"
)

// LogEvidence is what the log of a room says of an event.
type LogEvidence struct {
	RoomID string
	// OwnMembership: the actor joined or left by their own act.
	OwnMembership bool
}

// Evidence is what is known about events beyond themselves.
type Evidence struct {
	Logs      map[int64]LogEvidence // by event id
	Sightings map[Entry][]Sighting  // by rising time
}

// Open is what may tell the room of events of which it is not certain.
type Open struct {
	// LogsFrom tells since when the logs of rooms are needed to find out in which of
	// them events happened, by room id.
	LogsFrom map[string]time.Time
	// Entries are the files and folders whose whereabouts may tell an event's room, by event id.
	Entries map[int64]EntryEvent
}

// EntryEvent is an event whose room the whereabouts of a file or folder may tell.
type EntryEvent struct {
	Entry
	At time.Time
	// IsMove: the event is a move or copy into the folder.
	IsMove bool
	// Ask: nothing that is known tells the room, and the portal may know where the entry lies.
	Ask bool
}

// NewOpen returns an Open with nothing in it.
func NewOpen() Open { return Open{LogsFrom: map[string]time.Time{}, Entries: map[int64]EntryEvent{}} }

// Batch is the events of some windows with what was found out about each.
type Batch struct {
	Windows []audit.ReadWindow
	// Events are those of all windows. Answers and Classes belong to them, one each.
	Events  []*audit.Event
	Answers []Answer
	Classes []audit.Class
	// Logged are the ids of the events of which the log of a room spoke before they were here.
	Logged []int64
	// Rooms are the rooms of which the events tell something new.
	Rooms []RoomUpdate
	// StaleTitles are titles for which earlier answers must be judged again.
	StaleTitles []string
	// Moves are the files and folders that were moved or copied in, into or out of rooms, by event id.
	Moves map[int64]EntryMove
	Open
	// Calls are the lists that the events have made stale.
	Calls Calls
	// Late says that the windows were complete before and have grown.
	Late bool
}

// RoomUpdate is a room as it is known now, and its renamings that may be new.
type RoomUpdate struct {
	Room       Room
	NewRenames []Rename
	// Retitled: more is known of its titles, or of since when and until when there was the room.
	Retitled bool
}

// NewBatch returns a batch of windows whose events are yet to be judged.
func NewBatch(windows ...audit.ReadWindow) Batch {
	b := Batch{Windows: slices.Clone(windows), Open: NewOpen(), Moves: map[int64]EntryMove{}}
	events := 0
	for _, w := range windows {
		for id, m := range movesOf(w.Events, w.Span) { // neighbours list the events of their common second both
			other := b.Moves[id]
			m.Crossing, m.AtEdge = m.Crossing || other.Crossing, m.AtEdge || other.AtEdge
			b.Moves[id] = m
		}
		events += len(w.Events)
	}
	if len(windows) == 1 {
		b.Events = windows[0].Events
		return b
	}
	b.Events = make([]*audit.Event, 0, events)
	for i := range windows {
		from := len(b.Events)
		b.Events = append(b.Events, windows[i].Events...)
		b.Windows[i].Events = b.Events[from:]
	}
	return b
}

// Judge finds the rooms of the events. What they tell of rooms goes into
// rooms first, so that the order of windows makes no difference in the end:
// what it changes for others is in StaleTitles.
func (b *Batch) Judge(evidence Evidence, rooms *Rooms) {
	for _, news := range gather(b.Events, rooms) {
		room, stale := rooms.Apply(news)
		b.Rooms = append(b.Rooms, RoomUpdate{room, news.Renames, len(stale) > 0})
		b.StaleTitles = append(b.StaleTitles, stale...)
	}
	b.judge(evidence, rooms)
	slices.Sort(b.StaleTitles)
	b.StaleTitles = slices.Compact(b.StaleTitles)
	for i, a := range b.Answers {
		rooms.NoteOpen(b.Open, a, *b.Events[i])
	}
	for id := range evidence.Logs {
		b.Logged = append(b.Logged, id)
	}
	b.Calls = callsOf(b.Events, b.Answers)
}

func (b *Batch) judge(evidence Evidence, rooms *Rooms) {
	b.Answers = make([]Answer, len(b.Events))
	b.Classes = make([]audit.Class, len(b.Events))
	for i, e := range b.Events {
		log := evidence.Logs[e.ID]
		var sightings []Sighting
		if entry, ok := EntryOf(*e); ok && len(evidence.Sightings) > 0 {
			sightings = evidence.Sightings[entry]
		}
		b.Answers[i] = Judge(*e, log.RoomID, sightings, rooms)
		if move := b.Moves[e.ID]; b.Answers[i].Source == SourceUnplacedMove && !move.Crossing && !move.AtEdge {
			b.Answers[i] = Answer{} // all of it happened outside of rooms
		}
		b.Classes[i] = audit.Classify(*e, log.OwnMembership)
	}
}
