package audit

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Class says what an event counts as for its actor.
type Class int16

// The classes of events, as stored in the database.
const (
	ClassNobody Class = -1 // no person's act: by the portal itself, or by somebody unknown
	ClassNone   Class = 0  // a person's act that is no activity in a room
	ClassView   Class = 1
	ClassEdit   Class = 2
	ClassManage Class = 3
)

// classNames are the classes as actions.tsv and reports name them, from ClassNone up.
var classNames = []string{"none", "view", "edit", "manage"}

func (c Class) String() string {
	if c < 0 || int(c) >= len(classNames) {
		return "nobody"
	}
	return classNames[c]
}

// Counts reports whether the class is activity.
func (c Class) Counts() bool { return c > ClassNone }

// TargetKind says what the ids in an event's target stand for.
type TargetKind string

// The kinds of target that matter for finding an event's room.
const (
	TargetNone       TargetKind = "-"           // nothing, or something outside rooms
	TargetRoom       TargetKind = "room"        // the room itself
	TargetFile       TargetKind = "file"        // a file
	TargetFolder     TargetKind = "folder"      // a folder; a room is one too, so a lone id may be the room
	TargetFileMove   TargetKind = "file_move"   // a file and the folder it was moved or copied to
	TargetFolderMove TargetKind = "folder_move" // a folder and the folder it was moved or copied to
)

// IsMove reports whether the action is one of the moves and copies that write
// two events when they cross the border of a room.
func (k TargetKind) IsMove() bool { return k == TargetFileMove || k == TargetFolderMove }

// IsEntry reports whether the first id is a file's or a folder's.
func (k TargetKind) IsEntry() bool { return k.IsFile() || k == TargetFolder || k == TargetFolderMove }

// IsFile reports whether the first id is a file's.
func (k TargetKind) IsFile() bool { return k == TargetFile || k == TargetFileMove }

// Action is one kind of act in a portal's audit trail.
type Action struct {
	ID       int32
	Name     string
	Product  string // Documents, Contacts, Settings, Login; "-" for actions that the audit API never lists
	Location string
	Type     string   // Create, Update, Download, ...
	Entries  []string // kinds of entry as the API lists them; describes the action, not a given event
	Tracked  bool     // the history of a room or file has it as well
	Class    Class    // what it usually counts as
	Target   TargetKind
	// Background actions are also performed by the portal itself in a person's
	// name. Such events have neither address nor browser nor page.
	Background bool
	// Members is set for actions that may change who is in the target room.
	Members bool
}

// Actions that have rules of their own.
const (
	ActionFolderMoved             int32 = 5024
	ActionFolderMovedOverwriting  int32 = 5025
	ActionRoomCreated             int32 = 5070
	ActionRoomRenamed             int32 = 5071
	ActionRoomArchived            int32 = 5072
	ActionRoomUnarchived          int32 = 5073
	ActionRoomDeleted             int32 = 5074
	ActionRoomUpdateAccessForUser int32 = 5075
	ActionRoomRemoveUser          int32 = 5084
	ActionRoomCreateUser          int32 = 5085
	ActionRoomGroupAdded          int32 = 5094
	ActionRoomUpdateGroupAccess   int32 = 5095
	ActionRoomGroupRemove         int32 = 5096
	ActionRoomCopied              int32 = 5100 // about the copy
	ActionAgentCreated            int32 = 5154
	ActionAgentRenamed            int32 = 5155
	ActionAgentDeleted            int32 = 5156
	ActionRoomChangeOwner         int32 = 5159
)

// MemberAct is what an act in a room does to the right of a person or a group in it.
type MemberAct int8

// The acts that change rights.
const (
	MemberAdded    MemberAct = iota + 1 // became a member
	MemberRemoved                       // ceased to be one
	MemberChanged                       // has another right since
	MemberPromoted                      // owns the room since
	MemberDeposed                       // somebody else owns the room since
)

// memberActs are what actions on a room do to the person or group whom they are about.
// Their events do not name them; the room's log does.
var memberActs = map[int32]MemberAct{
	ActionRoomCreateUser: MemberAdded, ActionRoomGroupAdded: MemberAdded,
	ActionRoomRemoveUser: MemberRemoved, ActionRoomGroupRemove: MemberRemoved,
	ActionRoomUpdateAccessForUser: MemberChanged, ActionRoomUpdateGroupAccess: MemberChanged,
	ActionRoomChangeOwner: MemberPromoted,
}

// LookupMemberAct returns what the action does to the person or group whom it is
// about, if it is about one that its event does not name.
func LookupMemberAct(action int32) (act MemberAct, ok bool) {
	act, ok = memberActs[action]
	return act, ok
}

// MemberActions returns the actions that do one of the acts, by rising id.
func MemberActions(acts ...MemberAct) []int32 {
	var ids []int32
	for id, act := range memberActs {
		if slices.Contains(acts, act) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// Numbers of the action types and products that unknown actions are judged by
// (the enums of DocSpace 3.7).
const (
	TypeUnlink       int16 = 5
	TypeLink         int16 = 4
	TypeUpdateAccess int16 = 11
	TypeDownload     int16 = 12
	TypeMove         int16 = 15
	TypeCopy         int16 = 14

	ProductDocuments int16 = 2
)

// actions.tsv lists the actions of DocSpace 3.7.2, one a line. The columns
// class, target, background and members are ours; a changed class is a change
// of what counts, see Class in the README.
//
//go:embed actions.tsv
var actionsTSV string

var loadActions = sync.OnceValue(func() []Action {
	lines := strings.Split(strings.TrimSpace(actionsTSV), "\n")[1:]
	actions := make([]Action, 0, len(lines))
	for _, line := range lines {
		f := strings.Split(line, "\t")
		id, err := strconv.ParseInt(f[0], 10, 32)
		if err != nil || len(f) != 11 || !slices.Contains(classNames, f[7]) {
			panic(fmt.Sprintf("actions.tsv: bad line %q", line))
		}
		a := Action{
			ID: int32(id), Name: f[1], Product: f[2], Location: f[3], Type: f[4],
			Tracked: f[6] == "yes", Class: Class(slices.Index(classNames, f[7])),
			Target: TargetKind(f[8]), Background: f[9] == "yes", Members: f[10] == "yes",
		}
		if f[5] != "-" {
			a.Entries = strings.Split(f[5], ",")
		}
		actions = append(actions, a)
	}
	return actions
})

var actionsByID = sync.OnceValue(func() map[int32]Action {
	byID := make(map[int32]Action)
	for _, a := range loadActions() {
		byID[a.ID] = a
	}
	return byID
})

// Actions returns all actions that roompulse knows, by rising id.
func Actions() []Action { return slices.Clone(loadActions()) }

// LookupAction returns the action with the given id, if it is known.
func LookupAction(id int32) (Action, bool) {
	a, ok := actionsByID()[id]
	return a, ok
}
