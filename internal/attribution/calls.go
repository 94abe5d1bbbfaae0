package attribution

import (
	"slices"
	"time"

	"roompulse/internal/audit"
)

// Calls is what events call for beyond themselves: the lists that they have
// made stale. A list that was read after the event knows of it.
type Calls struct {
	Rooms    time.Time            // latest event that changes the list of rooms, zero if none does
	Accounts time.Time            // latest event that changes the list of people
	Groups   time.Time            // latest event that changes a group of people
	Members  map[string]time.Time // latest event that changes a room's members, by room id
	// Unexplained is the first event of a room, by its id, of which only the room's
	// log knows whom it concerns.
	Unexplained map[string]time.Time
}

// callsOf sums up what the events call for; answers are those of Judge.
func callsOf(events []*audit.Event, answers []Answer) Calls {
	calls := Calls{Members: map[string]time.Time{}, Unexplained: map[string]time.Time{}}
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
		room := answers[i].RoomID
		if action.Members {
			calls.Members[room] = audit.Later(calls.Members[room], e.At)
		}
		if _, concerns := audit.LookupMemberAct(action.ID); concerns {
			if first, met := calls.Unexplained[room]; !met || e.At.Before(first) {
				calls.Unexplained[room] = e.At
			}
		}
	}
	return calls
}
