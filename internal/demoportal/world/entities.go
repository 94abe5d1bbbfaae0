package world

import (
	"iter"
	"time"
)

// AccountKind says what an account may do in the portal.
type AccountKind uint8

// The kinds of account, from the highest down.
const (
	User AccountKind = iota // the zero value, so that a Person needs only a name
	PortalOwner
	Admin // DocSpace admin: reads all rooms and the audit trail
	RoomAdmin
	Guest
	SystemAccount // the portal itself and whoever comes by a public link
)

// AccountStatus is the state of an account, in DocSpace's numbers.
type AccountStatus int

// The states of an account.
const (
	Active   AccountStatus = 1
	Disabled AccountStatus = 2
	Pending  AccountStatus = 4 // the invitation is not accepted yet
)

// Ids of the accounts and the group that every portal has.
const (
	SystemID    = "a37ee56e-3302-4a7b-b67e-ddbea64cd032"
	AnonymousID = "712d9ec3-5d2b-4b13-824f-71f00191dcca"
	RemovedID   = "4a515a15-d4d6-4b8e-828e-e0586f18f3a3" // shown by logs and lists in place of a deleted person
	EveryoneID  = "c5cc67d1-c3e8-43c0-a3ad-3928ae3e5b5e"
)

// Person describes an account to be made. ID and Email are made up if empty.
type Person struct {
	ID          string
	First, Last string
	Email       string
	Kind        AccountKind
}

// Account is a person of the portal.
type Account struct {
	ID          string
	First, Last string
	Email       string
	UserName    string
	Kind        AccountKind
	Status      AccountStatus
	Deleted     bool
	Registered  time.Time
	Terminated  time.Time // zero unless disabled
	CreatedBy   *Account  // nil for the portal's owner

	index     uint32
	clients   []uint32
	documents *Folder // My documents; nil before its first use
	groups    []*Group
}

// Name is the name to show: guests who have not accepted yet have only an address.
func (a *Account) Name() string {
	switch {
	case a.First == "" && a.Last == "":
		return a.Email
	case a.Last == "":
		return a.First
	case a.First == "":
		return a.Last
	}
	return a.First + " " + a.Last
}

// Groups returns the groups that the person is in, Everyone aside.
func (a *Account) Groups() []*Group { return a.groups }

// Group is a group of people.
type Group struct {
	ID      string
	Name    string
	Manager *Account
	System  bool // Everyone: has no member rows
	Deleted bool

	stays []stay
}

// stay is a person's time in a group.
type stay struct {
	who      *Account
	from, to time.Time // to is zero while it lasts
}

// Members returns the people whom the group has rows for, in the order they came.
func (g *Group) Members() []*Account {
	var members []*Account
	for _, s := range g.stays {
		if s.to.IsZero() {
			members = append(members, s.who)
		}
	}
	return members
}

// RoomType is the kind of a room, in DocSpace's numbers.
type RoomType int

// The room types.
const (
	FillingForms RoomType = 1
	Editing      RoomType = 2
	Custom       RoomType = 5
	Public       RoomType = 6
	DataRoom     RoomType = 8
	AIRoom       RoomType = 9
)

// Access is a right in a room, in DocSpace's numbers.
type Access int

// The rights.
const (
	NoAccess       Access = 0
	RoomOwner      Access = 1
	Viewer         Access = 2
	Reviewer       Access = 5
	Commenter      Access = 6
	FormFiller     Access = 7
	RoomManager    Access = 9
	Editor         Access = 10
	ContentCreator Access = 11
)

var accessNames = map[Access]string{
	NoAccess: "None", RoomOwner: "Owner", Viewer: "Viewer", Reviewer: "Reviewer", Commenter: "Commenter",
	FormFiller: "Form filler", RoomManager: "Room manager", Editor: "Editor", ContentCreator: "Content creator",
}

// String returns the role's name as an English portal shows and stores it.
func (a Access) String() string { return accessNames[a] }

// RoomSpec describes a room to be made.
type RoomSpec struct {
	Title string
	Type  RoomType // Custom if 0
	// ID is made up if empty. Rooms in third-party storage need one, such as
	// "sbox-7"; they have no log.
	ID   string
	Tags []string
}

// Room is a room or, if its type is AIRoom, an AI agent.
type Room struct {
	*Folder // the room as a folder: its id, title and content

	Type     RoomType
	Owner    *Account
	Archived bool
	Tags     []string
	Links    []Link

	grants []Grant
	log    []LogRow
}

// ThirdParty reports whether the room lies in outside storage, so that its
// id and those of its content are texts.
func (r *Room) ThirdParty() bool { return r.ref < 0 }

// Agent reports whether the room is an AI agent.
func (r *Room) Agent() bool { return r.Type == AIRoom }

// Grants yields the rights held now, the owner's aside, in the order they were given.
func (r *Room) Grants() iter.Seq[Grant] {
	return func(yield func(Grant) bool) {
		for _, g := range r.grants {
			if g.To.IsZero() && g.Access != RoomOwner && !yield(g) {
				return
			}
		}
	}
}

// Grant is a right in a room over a span of time, held by a person or by a group.
type Grant struct {
	Account *Account // nil if a group holds it
	Group   *Group
	Access  Access
	From    time.Time
	To      time.Time // zero while it lasts
}

// Link is an external or an invitation link of a room.
type Link struct {
	ID, Title  string
	Token      string // of the short address /s/TOKEN
	Password   string
	Invitation bool
	Primary    bool
	Access     Access
}

// Section is a root of the portal's folders, in DocSpace's numbers of folder types.
type Section int

// The sections.
const (
	RoomsSection   Section = 14
	ArchiveSection Section = 20
	AgentsSection  Section = 34
	MyDocuments    Section = 5
)

// Folder is a folder, a room or a section root.
type Folder struct {
	ID      string
	Title   string
	Parent  *Folder // nil for section roots
	Room    *Room   // set if the folder is itself a room
	Section Section // set if it is a section root
	Creator *Account
	Created time.Time
	Updated time.Time
	Updater *Account
	Deleted bool
	Files   []*File
	Folders []*Folder

	w      *World
	ref    int32
	place  uint32
	roamed bool // has been in more than one room or section
}

// InRoom returns the room that the folder lies in or is, nil if none.
func (f *Folder) InRoom() *Room {
	for ; f != nil; f = f.Parent {
		if f.Room != nil {
			return f.Room
		}
	}
	return nil
}

// gone reports whether the folder or one above it is deleted.
func (f *Folder) gone() bool {
	for ; f != nil; f = f.Parent {
		if f.Deleted {
			return true
		}
	}
	return false
}

// File is a file. It is in Folder until it is deleted.
type File struct {
	ID      string
	Title   string
	Folder  *Folder
	Creator *Account
	Updater *Account
	Trash   *Account // in whose trash it lies, nil if in none
	Version int32
	Deleted bool // for good

	// There are many files: instants are microseconds here.
	created, updated int64
	ref              int32
	index            int32 // in Folder.Files
	roamed           bool  // has been in more than one room or section
}

// Created returns when the file was made.
func (f *File) Created() time.Time { return fromMicros(f.created) }

// Updated returns when the content or the title was last changed.
func (f *File) Updated() time.Time { return fromMicros(f.updated) }

// Gone reports whether the portal answers that the file does not exist.
func (f *File) Gone() bool { return f.Deleted || f.Folder.gone() }
