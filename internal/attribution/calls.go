package attribution

import (
	"slices"
	"time"

	"roompulse/internal/audit"
)

// Calls is what events call for beyond themselves: the lists that they have
// made stale. A list that was read after the event knows of it.
type Calls struct {
	Rooms    time.Time             // latest event that changes the list of rooms, zero if none does
	Accounts time.Time             // latest event that changes the list of people
	Groups   time.Time             // latest event that changes a group of people
	Members  map[string]audit.Span // first and last event that change a room's members, by room id
}

// callsOf sums up what the events call for; answers are those of Judge.
func callsOf(events []audit.Event, answers []Answer) Calls {
	calls := Calls{Members: map[string]audit.Span{}}
	for i, e := range events {
		action, known := audit.LookupAction(e.Kind.ActionID)
		if !known {
			continue
		}
		if action.Product == "Contacts" {
			calls.Accounts = audit.Later(calls.Accounts, e.At)
			if slices.Contains(action.Entries, "Group") {
				calls.Groups = audit.Later(calls.Groups, e.At)
			}
		}
		if answers[i].Source != SourceTarget {
			continue
		}
		switch action.ID {
		case audit.ActionRoomCreated, audit.ActionRoomCopied, audit.ActionRoomRenamed, audit.ActionRoomArchived, audit.ActionRoomUnarchived,
			audit.ActionRoomDeleted, audit.ActionAgentCreated, audit.ActionAgentRenamed, audit.ActionAgentDeleted:
			calls.Rooms = audit.Later(calls.Rooms, e.At)
		}
		if room := answers[i].RoomID; action.Members {
			span, met := calls.Members[room]
			if !met {
				span = audit.Span{From: e.At, To: e.At}
			}
			calls.Members[room] = audit.Span{From: audit.Earlier(span.From, e.At), To: audit.Later(span.To, e.At)}
		}
	}
	return calls
}
