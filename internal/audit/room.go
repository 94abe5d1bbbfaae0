package audit

import (
	"strings"
	"time"
)

// RoomTypeAgent is the type of AI agents.
const RoomTypeAgent int16 = 9

// Room is a room, or an AI agent, as the portal lists it. Agents have members,
// files and a log like rooms.
type Room struct {
	ID       string // text: rooms in third-party storage have ids like sbox-7
	Title    string
	Type     int16 // roomType: forms 1, editing 2, custom 5, public 6, data room 8, AI agent 9
	OwnerID  string
	Created  time.Time
	Archived bool
	// ThirdParty rooms lie in somebody else's storage and have no log.
	ThirdParty bool
}

// AccountStatus says whether an account can be used.
type AccountStatus int16

// The states of an account, as stored in the database.
const (
	AccountSeen     AccountStatus = 0 // seen as an actor only, in no list of the portal
	AccountActive   AccountStatus = 1
	AccountDisabled AccountStatus = 2
	AccountDeleted  AccountStatus = 3
	AccountPending  AccountStatus = 4 // the invitation is not accepted yet
)

// IsClosed reports whether nobody can use the account any more.
func (s AccountStatus) IsClosed() bool { return s == AccountDisabled || s == AccountDeleted }

// Account is a person as the portal lists them.
type Account struct {
	ID         string
	Name       string // the display name as text, never HTML
	Email      string
	Status     AccountStatus
	Guest      bool
	Owner      bool // of the portal
	Registered time.Time
}

// Group is a group of people with its members.
type Group struct {
	ID, Name  string
	MemberIDs []string // active accounts only; empty for GroupEveryone
}

// Access is a right in a room.
type Access int16

// The rights that members of rooms can hold, with DocSpace's numbers.
const (
	AccessNone           Access = 0
	AccessOwner          Access = 1
	AccessViewer         Access = 2
	AccessRestricted     Access = 3
	AccessVaries         Access = 4
	AccessReviewer       Access = 5
	AccessCommenter      Access = 6
	AccessFormFiller     Access = 7
	AccessCustomFilter   Access = 8
	AccessRoomManager    Access = 9
	AccessEditor         Access = 10
	AccessContentCreator Access = 11
)

var accessNames = map[Access]string{
	AccessOwner: "Owner", AccessViewer: "Viewer", AccessReviewer: "Reviewer",
	AccessCommenter: "Commenter", AccessFormFiller: "Form filler", AccessCustomFilter: "Custom filter",
	AccessRoomManager: "Room manager", AccessEditor: "Editor", AccessContentCreator: "Content creator",
}

// accessOrder ranks rights from the highest down.
var accessOrder = []Access{
	AccessOwner, AccessRoomManager, AccessContentCreator, AccessEditor, AccessFormFiller,
	AccessCustomFilter, AccessReviewer, AccessCommenter, AccessViewer,
}

// String returns the name of the right as DocSpace's English pages show it, and
// Unknown for AccessNone: somebody was a member, but no list ever said with which right.
func (a Access) String() string {
	if name, ok := accessNames[a]; ok {
		return name
	}
	return "Unknown"
}

// Rank orders rights: the lower, the more a member may do.
func (a Access) Rank() int {
	for i, b := range accessOrder {
		if a == b {
			return i
		}
	}
	return len(accessOrder)
}

// IsMember reports whether the right makes its holder a member of the room.
func (a Access) IsMember() bool { return a.Rank() < len(accessOrder) }

// Grant is a right in a room held by an account or by a group.
type Grant struct {
	AccountID string // of a person, else empty
	GroupID   string // of a group, else empty
	Access    Access
	Owner     bool // of the room
}

// MemberList is a room's sharing list.
type MemberList struct {
	// Readable is false when the portal showed nothing at all: a readable room
	// lists its owner, so an empty answer is no empty room.
	Readable bool
	Grants   []Grant
	// Accounts are the people among the grants: the list names people
	// whom the portal's own list of people may leave out.
	Accounts []Account
}

// RoomMembers is a room's sharing list as it was read at ReadAt.
type RoomMembers struct {
	RoomID string
	MemberList
	ReadAt time.Time
}

// Place is where a folder lies.
type Place struct {
	RoomID  string   // empty: in no room
	Folders []string // on the way from the room to the folder, itself included
}

// Title returns the title of the room that a context names: what follows the
// first ": ", whole. A context without one names no room.
func Title(context string) (title string, ok bool) {
	_, title, ok = strings.Cut(context, ": ")
	return title, ok && title != "" && len(title) <= maxTitle
}

// maxTitle is in bytes. DocSpace's titles have some hundred characters at most; what
// is longer is none, and would be too long for an index.
const maxTitle = 1000
