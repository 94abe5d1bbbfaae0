package world

import (
	"maps"
	"slices"
	"sync"

	"roompulse/internal/audit"
)

// Action is the number of a kind of act in the audit trail.
type Action int32

// The actions that the acts of this package write.
const (
	GuestCreated      Action = 4001
	UserCreated       Action = 4000
	UserActivated     Action = 4004
	GuestActivated    Action = 4005
	UserUpdated       Action = 4006
	UserDeleted       Action = 4018
	UsersUpdatedStats Action = 4020
	GroupCreated      Action = 4026
	GroupUpdated      Action = 4027
	GroupDeleted      Action = 4028
	SendJoinInvite    Action = 4037

	FileCreated          Action = 5000
	FileRenamed          Action = 5001
	FileDownloaded       Action = 5009
	FileUploaded         Action = 5011
	FileCopied           Action = 5013
	FileMoved            Action = 5015
	FileMovedToTrash     Action = 5017
	FileDeleted          Action = 5018
	FolderCreated        Action = 5019
	FolderRenamed        Action = 5020
	FolderCopied         Action = 5022
	FolderMoved          Action = 5024
	FolderMovedOverwrite Action = 5025 // the code of a plain folder move
	FolderMovedToTrash   Action = 5026
	UserFileUpdated      Action = 5034
	FileOpenedForChange  Action = 5054
	FileMarkedAsFavorite Action = 5055
	FolderDownloaded     Action = 5057 // of a whole room as well
	TrashEmptied         Action = 5061
	FileReaded           Action = 5064

	RoomCreated             Action = 5070
	RoomRenamed             Action = 5071
	RoomArchived            Action = 5072
	RoomUnarchived          Action = 5073
	RoomDeleted             Action = 5074
	RoomUpdateAccessForUser Action = 5075
	TagCreated              Action = 5076
	AddedRoomTags           Action = 5078
	RoomRemoveUser          Action = 5084
	RoomCreateUser          Action = 5085
	RoomExternalLinkCreated Action = 5088
	RoomGroupAdded          Action = 5094
	RoomUpdateGroupAccess   Action = 5095
	RoomGroupRemove         Action = 5096
	RoomExternalLinkRenamed Action = 5098
	RoomCopied              Action = 5100
	RoomColorChanged        Action = 5102
	AgentCreated            Action = 5154
	AgentRenamed            Action = 5155
	AgentDeleted            Action = 5156
	RoomChangeOwner         Action = 5159
	FormSubmit              Action = 6046
	LanguageSettingsUpdated Action = 6000
)

// ActionKind is what a portal lists about an action, in DocSpace's numbers.
type ActionKind struct {
	ID       Action
	Name     string
	Type     int
	Product  int
	Location int
	Entries  []int
	Listed   bool // by the audit endpoints; a few stored actions never are
	Tracked  bool // in the log of the room or file
	Alias    Action
}

// Names of the enums, indexed by number where they are dense.
var (
	ActionTypes = []string{
		"None", "Create", "Update", "Delete", "Link", "Unlink", "Attach", "Detach", "Send", "Import", "Export",
		"UpdateAccess", "Download", "Upload", "Copy", "Move", "Reassigns", "Follow", "Unfollow", "Logout",
	}
	Products  = map[string]int{"Documents": 2, "Login": 3, "Settings": 7, "Contacts": 8}
	Locations = map[string]int{
		"None": 0, "Files": 1, "Folders": 2, "DocumentsSettings": 3, "Rooms": 27, "Settings": 29, "Contacts": 30, "Agents": 31,
	}
	Entries = map[string]int{
		"None": 0, "File": 1, "Folder": 2, "User": 23, "Group": 24, "Room": 25, "Tag": 26, "Agent": 27,
	}
)

// historyAliases are the actions that a log shows under another number.
var historyAliases = map[Action]Action{
	5016: FileMoved, 5014: FileCopied, FolderMovedOverwrite: FolderMoved, 5023: FolderCopied,
	5044: UserFileUpdated, 5099: UserFileUpdated,
}

// unqueued actions are inserted at once and overtake those in the queue.
var unqueued = []Action{
	4014, 4015, 4017, SendJoinInvite, FileOpenedForChange, RoomCreated, RoomRemoveUser, AgentCreated,
	6039, 6047, 7001,
}

var kinds = sync.OnceValue(func() map[Action]*ActionKind {
	all := make(map[Action]*ActionKind)
	for _, a := range audit.Actions() {
		k := &ActionKind{
			ID: Action(a.ID), Name: a.Name,
			Type: max(0, slices.Index(ActionTypes, a.Type)), Product: Products[a.Product], Location: Locations[a.Location],
			Listed: a.Product != "-" && a.Product != "Login", Tracked: a.Tracked, Alias: Action(a.ID),
		}
		for _, e := range a.Entries {
			k.Entries = append(k.Entries, Entries[e])
		}
		if alias, ok := historyAliases[k.ID]; ok {
			k.Alias = alias
		}
		all[k.ID] = k
	}
	return all
})

// Kind returns what a portal lists about the action. Numbers that are not in
// the table stand for actions of a newer portal: documents, a file, changed.
func (a Action) Kind() *ActionKind {
	if k, ok := kinds()[a]; ok {
		return k
	}
	return &ActionKind{ID: a, Name: "Unknown", Type: 2, Product: 2, Location: 1, Entries: []int{1}, Listed: true, Alias: a}
}

func (a Action) queued() bool { return !slices.Contains(unqueued, a) }

// AllKinds returns all actions of the table by rising number.
func AllKinds() []*ActionKind {
	return slices.SortedFunc(maps.Values(kinds()), func(a, b *ActionKind) int { return int(a.ID - b.ID) })
}
