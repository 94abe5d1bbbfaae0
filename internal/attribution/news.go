package attribution

import (
	"time"

	"roompulse/internal/audit"
)

// News is what events about a room tell of the room itself.
type News struct {
	RoomID  string
	Title   string // the latest title that an event names, empty if none does
	TitleAt time.Time
	Created time.Time // zero unless the room was made
	Deleted time.Time // zero unless the room was deleted
	Renames []Rename
}

// gather sums up what the events tell of rooms. Only events about a room as a whole tell something.
func gather(events []*audit.Event, rooms *Rooms) []News {
	var news []News
	index := map[string]int{}
	for _, e := range events {
		about := named(*e, rooms)
		if about.Source != SourceTarget {
			continue
		}
		at, ok := index[about.RoomID]
		if !ok {
			at = len(news)
			index[about.RoomID] = at
			news = append(news, News{RoomID: about.RoomID})
		}
		news[at].add(*e)
	}
	return news
}

func (n *News) add(e audit.Event) {
	action, _ := audit.LookupAction(e.Kind.ActionID)
	title, named := audit.Title(e.Context.String)
	switch action.ID {
	case audit.ActionRoomRenamed, audit.ActionAgentRenamed: // the context has the old title
		if named {
			n.Renames = append(n.Renames, Rename{EventID: e.ID, At: e.At, OldTitle: title})
		}
		return
	case audit.ActionRoomCreated, audit.ActionRoomCopied, audit.ActionAgentCreated:
		n.Created = e.At
	case audit.ActionRoomDeleted, audit.ActionAgentDeleted:
		n.Deleted = e.At
	}
	if named && isNewer(title, e.At, n.Title, n.TitleAt) {
		n.Title, n.TitleAt = title, e.At
	}
}
