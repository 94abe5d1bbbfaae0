package world

import (
	"container/heap"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Session is a person at an instant. Its methods are the acts of the person:
// each changes the portal and writes the audit rows that a DocSpace server
// would write.
type Session struct {
	w          *World
	who        *Account
	at         time.Time
	late       time.Duration
	background bool
}

// At begins an act of who at t.
func (w *World) At(t time.Time, who *Account) Session {
	if who == nil {
		panic("world: nobody acts")
	}
	return Session{w: w, who: who, at: t.UTC()}
}

// Late makes the rows of the act come into the audit trail d later than usual,
// with the date of the act.
func (s Session) Late(d time.Duration) Session {
	s.late = d
	return s
}

// Background makes the act the portal's own in the person's name: its rows have
// no address, browser and page. So work the cleaner of rooms with a lifetime, in the
// name of the room's owner, and that of the trash.
func (s Session) Background() Session {
	s.background = true
	return s
}

// entry is what a row says beyond who and when.
type entry struct {
	place   uint32
	title   string
	target  [2]int32
	context Context // InRoom if 0 and the place is in a room, else InSection
	page    pageKind
	detail  Detail
	delay   time.Duration // in the queue; drawn if 0
}

func (s Session) record(a Action, e entry) {
	w := s.w
	// Whoever is at the second place today is so all day.
	client := s.who.clients[0]
	if day := s.at.Unix() / 86400; (day+int64(s.who.index))%5 == 0 {
		client = s.who.clients[1]
	}
	if s.background {
		client, e.page = 0, noPage
	}
	if e.context == 0 {
		e.context = InSection
		if w.places[e.place].room != nil {
			e.context = InRoom
		}
	}
	r := row{
		recorded: w.date(s.at), actor: s.who.index, client: client, place: e.place, title: w.text(e.title),
		target: e.target, action: int16(a), context: e.context, page: e.page, //nolint:gosec // actions have four digits
	}
	if d := e.detail; d.Account != nil || d.Group != nil || d.To != nil || d.Text != "" || len(d.Tags) > 0 {
		r.detail = uint32(len(w.details)) //nolint:gosec // fewer than rows
		w.details = append(w.details, d)
	}
	if e.delay == 0 && a.queued() {
		e.delay = w.delay(w.rng)
	}
	w.insertUntil(micros(s.at))
	w.sequence++
	heap.Push(&w.queue, waiting{at: micros(s.at.Add(s.late + e.delay)), sequence: w.sequence, row: r})
}

// act runs f as the act of the session.
func (s Session) act(f func(w *World)) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	f(s.w)
}

func (s Session) touch(f *Folder) {
	for ; f != nil && f.Section == 0; f = f.Parent {
		f.Updated, f.Updater = s.at, s.who
	}
}

// --- accounts ---

// AddAccount makes an active account.
func (s Session) AddAccount(p Person) (a *Account) {
	s.act(func(w *World) {
		a = w.addAccount(s.at, s.who, p)
		action := UserCreated
		if p.Kind == Guest {
			action = GuestCreated
		}
		s.recordAccount(action, a)
	})
	return a
}

// InviteAccount makes an account that waits for its person to accept.
func (s Session) InviteAccount(p Person) (a *Account) {
	s.act(func(w *World) {
		a = w.addAccount(s.at, s.who, p)
		a.Status, a.First, a.Last = Pending, "", ""
		s.recordAccount(SendJoinInvite, a)
	})
	return a
}

// Accept is the session's own person accepting the invitation under that name.
func (s Session) Accept(first, last string) {
	s.act(func(*World) {
		s.who.Status, s.who.First, s.who.Last, s.who.Registered = Active, first, last, s.at
		action := UserActivated
		if s.who.Kind == Guest {
			action = GuestActivated
		}
		s.recordAccount(action, s.who)
	})
}

// Rename gives a person another name.
func (s Session) Rename(a *Account, first, last string) {
	s.act(func(*World) {
		a.First, a.Last = first, last
		s.recordAccount(UserUpdated, a)
	})
}

// Disable bars accounts from the portal; they stay in their rooms. One row
// names them all.
func (s Session) Disable(accounts ...*Account) {
	s.setStatus(Disabled, s.at, accounts)
}

// Enable undoes Disable.
func (s Session) Enable(accounts ...*Account) { s.setStatus(Active, time.Time{}, accounts) }

func (s Session) setStatus(status AccountStatus, terminated time.Time, accounts []*Account) {
	s.act(func(w *World) {
		ids := make([]string, 0, len(accounts))
		for _, a := range accounts {
			a.Status, a.Terminated = status, terminated
			ids = append(ids, a.ID)
		}
		s.record(UsersUpdatedStats, entry{target: [2]int32{w.ref(strings.Join(ids, ","))}, context: InModule, page: accountsPage})
	})
}

// DeleteAccount removes an account and all its rights and places in groups.
// Rooms it owns keep it as their owner: give them away before.
func (s Session) DeleteAccount(a *Account) {
	s.act(func(w *World) {
		a.Deleted = true
		for _, g := range slices.Clone(a.groups) {
			g.leave(a, s.at)
		}
		for _, r := range w.rooms {
			r.revoke(s.at, func(g Grant) bool { return g.Account == a && g.Access != RoomOwner })
		}
		s.recordAccount(UserDeleted, a)
	})
}

func (s Session) recordAccount(action Action, a *Account) {
	s.record(action, entry{target: [2]int32{s.w.ref(a.ID)}, context: InModule, page: accountsPage})
}

// ChangeSettings changes a setting of the portal.
func (s Session) ChangeSettings() {
	s.act(func(*World) { s.record(LanguageSettingsUpdated, entry{context: InModule, page: settingsPage}) })
}

// --- groups ---

// CreateGroup makes a group of people.
func (s Session) CreateGroup(name string, manager *Account, members ...*Account) (g *Group) {
	s.act(func(w *World) {
		g = &Group{ID: w.guid(), Name: name, Manager: manager}
		w.groups = append(w.groups, g)
		for _, a := range members {
			g.join(a, s.at)
		}
		s.recordGroup(GroupCreated, g)
	})
	return g
}

// UpdateGroup sets a group's members in the one way that leaves a row.
func (s Session) UpdateGroup(g *Group, members ...*Account) {
	s.act(func(*World) {
		for _, a := range g.Members() {
			if !slices.Contains(members, a) {
				g.leave(a, s.at)
			}
		}
		for _, a := range members {
			g.join(a, s.at)
		}
		s.recordGroup(GroupUpdated, g)
	})
}

// AddToGroup adds people to a group. No row tells of it, and none of their
// becoming members of the group's rooms.
func (s Session) AddToGroup(g *Group, members ...*Account) {
	s.act(func(*World) {
		for _, a := range members {
			g.join(a, s.at)
		}
	})
}

// RemoveFromGroup takes people out of a group. No row tells of it.
func (s Session) RemoveFromGroup(g *Group, members ...*Account) {
	s.act(func(*World) {
		for _, a := range members {
			g.leave(a, s.at)
		}
	})
}

// DeleteGroup removes a group with its rights in rooms.
func (s Session) DeleteGroup(g *Group) {
	s.act(func(w *World) {
		g.Deleted = true
		for _, a := range g.Members() {
			g.leave(a, s.at)
		}
		for _, r := range w.rooms {
			r.revoke(s.at, func(grant Grant) bool { return grant.Group == g })
		}
		w.groups = slices.DeleteFunc(w.groups, func(other *Group) bool { return other == g })
		s.recordGroup(GroupDeleted, g)
	})
}

func (s Session) recordGroup(action Action, g *Group) {
	s.record(action, entry{target: [2]int32{s.w.ref(g.ID)}, context: InModule, page: accountsPage})
}

func (g *Group) join(a *Account, at time.Time) {
	if g.System {
		panic("world: nobody joins the system group")
	}
	if slices.Contains(a.groups, g) {
		return
	}
	a.groups = append(a.groups, g)
	g.stays = append(g.stays, stay{who: a, from: at})
}

func (g *Group) leave(a *Account, at time.Time) {
	a.groups = slices.DeleteFunc(a.groups, func(other *Group) bool { return other == g })
	for i := range g.stays {
		if g.stays[i].who == a && g.stays[i].to.IsZero() {
			g.stays[i].to = at
		}
	}
}

// --- rooms ---

// CreateRoom makes a room, or an agent if the type is AIRoom, owned by the person.
func (s Session) CreateRoom(spec RoomSpec) (r *Room) {
	s.act(func(*World) {
		r = s.addRoom(spec)
		action := RoomCreated
		if r.Agent() {
			action = AgentCreated
		}
		s.recordRoom(action, r, Detail{})
	})
	return r
}

func (s Session) addRoom(spec RoomSpec) *Room {
	w := s.w
	if spec.Type == 0 {
		spec.Type = Custom
	}
	section := w.sections[RoomsSection]
	if spec.Type == AIRoom {
		section = w.sections[AgentsSection]
	}
	r := &Room{Type: spec.Type, Owner: s.who, Tags: spec.Tags}
	r.Folder = w.addFolder(s.at, s.who, section, spec.ID, spec.Title)
	r.Room = r
	r.grants = []Grant{{Account: s.who, Access: RoomOwner, From: s.at}}
	w.rooms = append(w.rooms, r)
	w.bear(r, s.at)
	w.settle(r.Folder)
	return r
}

func (s Session) recordRoom(action Action, r *Room, d Detail) {
	if r.Deleted && action != RoomDeleted && action != AgentDeleted {
		panic(fmt.Sprintf("world: room %s is deleted", r.ID))
	}
	r.Updated, r.Updater = s.at, s.who
	s.record(action, entry{place: r.place, target: [2]int32{r.ref}, page: folderPage, detail: d})
}

// RenameRoom gives a room another title. The row's context has the old one.
func (s Session) RenameRoom(r *Room, title string) {
	s.act(func(w *World) {
		action := RoomRenamed
		if r.Agent() {
			action = AgentRenamed
		}
		s.recordRoom(action, r, Detail{Text: title, OldText: r.Title})
		w.unbear(r, s.at)
		r.Title = title
		w.bear(r, s.at)
		w.settle(r.Folder)
	})
}

// ArchiveRoom moves a room to the archive.
func (s Session) ArchiveRoom(r *Room) {
	s.act(func(*World) {
		s.recordRoom(RoomArchived, r, Detail{})
		r.Archived = true
	})
}

// UnarchiveRoom brings a room back from the archive.
func (s Session) UnarchiveRoom(r *Room) {
	s.act(func(*World) {
		s.recordRoom(RoomUnarchived, r, Detail{})
		r.Archived = false
	})
}

// DeleteRoom deletes a room, its content and its log.
func (s Session) DeleteRoom(r *Room) {
	s.act(func(w *World) {
		r.Deleted = true
		action := RoomDeleted
		if r.Agent() {
			action = AgentDeleted
		}
		s.recordRoom(action, r, Detail{})
		r.revoke(s.at, func(Grant) bool { return true })
		w.unbear(r, s.at)
	})
}

// ChangeOwner gives a room to another person; the former owner stays as a manager.
func (s Session) ChangeOwner(r *Room, owner *Account) {
	s.act(func(*World) {
		s.recordRoom(RoomChangeOwner, r, Detail{Account: owner, OldAccount: r.Owner})
		former := r.Owner
		r.revoke(s.at, func(g Grant) bool { return g.Access == RoomOwner || g.Account == owner })
		r.grants = append(r.grants, Grant{Account: owner, Access: RoomOwner, From: s.at})
		if !former.Deleted {
			r.grants = append(r.grants, Grant{Account: former, Access: RoomManager, From: s.at})
		}
		r.Owner, r.Creator = owner, owner
	})
}

// CopyRoom makes a copy of a room under the person's name, with a row for the
// room and two for each nested file and folder. Its members come along without
// a row if asked.
func (s Session) CopyRoom(r *Room, title string, withMembers bool) (c *Room) {
	s.act(func(*World) {
		c = s.addRoom(RoomSpec{Title: title, Type: r.Type, Tags: r.Tags})
		s.recordRoom(RoomCopied, c, Detail{})
		s.copyContent(r.Folder, c.Folder)
		if withMembers {
			for g := range r.Grants() {
				if g.Account != s.who {
					g.From = s.at
					c.grants = append(c.grants, g)
				}
			}
		}
	})
	return c
}

// Invite makes somebody a member of a room, or gives a member another right
// without the row that ChangeAccess writes. Who is the session's person: a
// manager, the invited person who came by a link, or the system account when
// a link of the room made the account.
func (s Session) Invite(r *Room, who *Account, access Access) {
	s.act(func(*World) {
		s.recordRoom(RoomCreateUser, r, Detail{Account: who, Access: access})
		r.grant(Grant{Account: who, Access: access, From: s.at})
	})
}

// RemoveMember ends somebody's own right in a room; by the person's own act it is leaving.
func (s Session) RemoveMember(r *Room, who *Account) {
	s.act(func(*World) {
		s.recordRoom(RoomRemoveUser, r, Detail{Account: who})
		r.revoke(s.at, func(g Grant) bool { return g.Account == who && g.Access != RoomOwner })
	})
}

// ChangeAccess gives a member another right.
func (s Session) ChangeAccess(r *Room, who *Account, access Access) {
	s.act(func(*World) {
		s.recordRoom(RoomUpdateAccessForUser, r, Detail{Account: who, Access: access, OldAccess: r.access(who, nil)})
		r.grant(Grant{Account: who, Access: access, From: s.at})
	})
}

// AddGroup makes all people of a group members of a room.
func (s Session) AddGroup(r *Room, g *Group, access Access) {
	s.act(func(*World) {
		s.recordRoom(RoomGroupAdded, r, Detail{Group: g, Access: access})
		r.grant(Grant{Group: g, Access: access, From: s.at})
	})
}

// ChangeGroupAccess gives a group another right in a room.
func (s Session) ChangeGroupAccess(r *Room, g *Group, access Access) {
	s.act(func(*World) {
		s.recordRoom(RoomUpdateGroupAccess, r, Detail{Group: g, Access: access, OldAccess: r.access(nil, g)})
		r.grant(Grant{Group: g, Access: access, From: s.at})
	})
}

// RemoveGroup ends a group's right in a room.
func (s Session) RemoveGroup(r *Room, g *Group) {
	s.act(func(*World) {
		s.recordRoom(RoomGroupRemove, r, Detail{Group: g})
		r.revoke(s.at, func(grant Grant) bool { return grant.Group == g })
	})
}

func (r *Room) grant(g Grant) {
	r.revoke(g.From, func(old Grant) bool { return old.Account == g.Account && old.Group == g.Group })
	r.grants = append(r.grants, g)
}

func (r *Room) revoke(at time.Time, which func(Grant) bool) {
	for i := range r.grants {
		if r.grants[i].To.IsZero() && which(r.grants[i]) {
			r.grants[i].To = at
		}
	}
}

func (r *Room) access(who *Account, g *Group) Access {
	for _, grant := range r.grants {
		if grant.To.IsZero() && grant.Account == who && grant.Group == g {
			return grant.Access
		}
	}
	return NoAccess
}

// CreateTag makes a tag of the portal. The row names no room.
func (s Session) CreateTag(name string) {
	s.act(func(w *World) {
		w.tags = append(w.tags, name)
		s.record(TagCreated, entry{context: InModule, detail: Detail{Tags: []string{name}}})
	})
}

// TagRoom puts tags on a room.
func (s Session) TagRoom(r *Room, tags ...string) {
	s.act(func(*World) {
		r.Tags = append(slices.Clip(r.Tags), tags...)
		s.recordRoom(AddedRoomTags, r, Detail{Tags: tags})
	})
}

// ColorRoom changes the colour of a room's logo: the room's log tells, the audit endpoints never do.
func (s Session) ColorRoom(r *Room) {
	s.act(func(*World) { s.recordRoom(RoomColorChanged, r, Detail{}) })
}

// CreateLink makes an external link of a room.
func (s Session) CreateLink(r *Room, title string) {
	s.act(func(w *World) {
		r.Links = append(r.Links, Link{ID: w.guid(), Title: title, Token: w.token(6), Password: w.token(10), Access: Viewer, Primary: len(r.Links) == 0})
		s.recordRoom(RoomExternalLinkCreated, r, Detail{Text: title, Access: Viewer})
	})
}

// DownloadFolder downloads a folder or a room as one archive: one row, and none for the files inside.
func (s Session) DownloadFolder(f *Folder) {
	s.act(func(*World) { s.recordFolder(FolderDownloaded, f) })
}

// --- folders ---

// CreateFolder makes a folder in a room, a folder or a section.
func (s Session) CreateFolder(parent *Folder, title string) (f *Folder) {
	s.act(func(w *World) {
		mustExist(parent)
		f = w.addFolder(s.at, s.who, parent, "", title)
		w.settle(f)
		s.recordFolder(FolderCreated, f)
	})
	return f
}

// Documents returns the person's own section, a folder outside all rooms.
func (s Session) Documents() (f *Folder) {
	s.act(func(w *World) { f = w.documentsOf(s.who) })
	return f
}

func mustExist(f *Folder) {
	if f.gone() {
		panic(fmt.Sprintf("world: folder %s is gone", f.ID))
	}
}

func (s Session) recordFolder(a Action, f *Folder) {
	mustExist(f)
	s.touch(f)
	s.record(a, entry{place: f.place, title: f.Title, target: [2]int32{f.ref}, page: folderPage})
}

// RenameFolder gives a folder another title.
func (s Session) RenameFolder(f *Folder, title string) {
	s.act(func(w *World) {
		f.Title = title
		w.settle(f)
		s.recordFolder(FolderRenamed, f)
	})
}

// DeleteFolder moves a folder with its content to the trash. The content leaves no row.
func (s Session) DeleteFolder(f *Folder) {
	s.act(func(*World) {
		s.recordFolder(FolderMovedToTrash, f)
		f.Deleted = true
		f.Parent.Folders = slices.DeleteFunc(f.Parent.Folders, func(other *Folder) bool { return other == f })
	})
}

// MoveFolder moves a folder with its content, which leaves no row of its own.
func (s Session) MoveFolder(f, to *Folder) {
	s.act(func(w *World) {
		mustExist(f)
		mustExist(to)
		from, old := f.Parent, f.place
		from.Folders = slices.DeleteFunc(from.Folders, func(other *Folder) bool { return other == f })
		to.Folders = append(to.Folders, f)
		f.Parent = to
		w.settle(f)
		if from.InRoom() != to.InRoom() {
			f.roam()
		}
		s.touch(f)
		s.recordMove(FolderMovedOverwrite, f.ref, f.Title, from, to, old, f.place)
	})
}

func (f *Folder) roam() {
	f.roamed = true
	for _, file := range f.Files {
		file.roamed = true
	}
	for _, sub := range f.Folders {
		sub.roam()
	}
}

// CopyFolder copies a folder with its content, with rows for each nested file and folder.
func (s Session) CopyFolder(f, to *Folder) (c *Folder) {
	s.act(func(*World) {
		mustExist(f)
		mustExist(to)
		c = s.copyFolder(f, to)
	})
	return c
}

func (s Session) copyFolder(f, to *Folder) *Folder {
	c := s.w.addFolder(s.at, s.who, to, "", f.Title)
	s.w.settle(c)
	s.recordMove(FolderCopied, c.ref, c.Title, f.Parent, to, f.place, c.place)
	s.copyContent(f, c)
	return c
}

func (s Session) copyContent(f, to *Folder) {
	files, folders := slices.Clone(f.Files), slices.Clone(f.Folders)
	for _, file := range files {
		s.copyFile(file, to)
	}
	for _, sub := range folders {
		s.copyFolder(sub, to)
	}
}

// recordMove writes one row for a move or copy within a room and two for one
// across: the first is the destination's, the second the source's, both have
// the same target. Only between two rooms do the contexts name them.
func (s Session) recordMove(a Action, ref int32, title string, from, to *Folder, source, destination uint32) {
	w := s.w
	e := entry{
		place: destination, title: title, target: [2]int32{ref, to.ref}, page: folderPage,
		detail: Detail{From: from, To: to, Text: to.Title, OldText: from.Title},
	}
	fromRoom, toRoom := w.places[source].room, w.places[destination].room
	if fromRoom == toRoom {
		s.record(a, e)
		return
	}
	named := fromRoom != nil && toRoom != nil
	if !named {
		e.context = s.wordlessContext()
	}
	e.delay = w.delay(w.rng) // of both, so that the destination's row gets the lower id
	s.record(a, e)
	e.place = source
	if !named {
		e.context = s.wordlessContext()
	}
	s.record(a, e)
}

func (s Session) wordlessContext() Context {
	if s.w.rng.IntN(2) == 0 {
		return InSection
	}
	return InModule
}

// --- files ---

// CreateFile makes an empty file.
func (s Session) CreateFile(parent *Folder, title string) *File {
	return s.newFile(FileCreated, parent, title)
}

// Upload brings a file into a folder.
func (s Session) Upload(parent *Folder, title string) *File {
	return s.newFile(FileUploaded, parent, title)
}

func (s Session) newFile(a Action, parent *Folder, title string) (f *File) {
	s.act(func(w *World) {
		mustExist(parent)
		f = w.addFile(s.at, s.who, parent, title)
		s.recordFile(a, f, folderPage)
	})
	return f
}

func (s Session) recordFile(a Action, f *File, page pageKind) {
	if f.Gone() || f.Trash != nil {
		panic(fmt.Sprintf("world: file %s is gone", f.ID))
	}
	s.touch(f.Folder)
	s.record(a, entry{place: f.Folder.place, title: f.Title, target: [2]int32{f.ref}, page: page})
}

// Open opens a file in the editor. The row is inserted at once.
func (s Session) Open(f *File) {
	s.act(func(*World) { s.recordFile(FileOpenedForChange, f, editorPage) })
}

// Save is the document server storing what the person wrote.
func (s Session) Save(f *File) {
	s.act(func(*World) {
		f.updated, f.Updater = micros(s.at), s.who
		f.Version++
		s.recordFile(UserFileUpdated, f, editorPage)
	})
}

// Download downloads a file. Room logs do not have it.
func (s Session) Download(f *File) {
	s.act(func(*World) { s.recordFile(FileDownloaded, f, folderPage) })
}

// View looks at a picture or a film. Room logs do not have it.
func (s Session) View(f *File) {
	s.act(func(*World) { s.recordFile(FileReaded, f, folderPage) })
}

// Favor marks a file as a favourite.
func (s Session) Favor(f *File) {
	s.act(func(*World) { s.recordFile(FileMarkedAsFavorite, f, folderPage) })
}

// RenameFile gives a file another title.
func (s Session) RenameFile(f *File, title string) {
	s.act(func(w *World) {
		old := f.Title
		f.Title = w.texts[w.text(title)]
		f.updated, f.Updater = micros(s.at), s.who
		s.touch(f.Folder)
		s.record(FileRenamed, entry{
			place: f.Folder.place, title: title, target: [2]int32{f.ref}, page: folderPage, detail: Detail{Text: title, OldText: old},
		})
	})
}

// SubmitForm sends in a filled form. The room's log shows an anonymous actor
// under the name typed.
func (s Session) SubmitForm(f *File, name string) {
	s.act(func(*World) {
		page := folderPage
		if s.who == s.w.anonymous {
			page = sharePage
		}
		s.touch(f.Folder)
		s.record(FormSubmit, entry{
			place: f.Folder.place, title: f.Title, target: [2]int32{f.ref}, page: page, detail: Detail{Text: name},
		})
	})
}

// MoveFile moves a file, which keeps its id.
func (s Session) MoveFile(f *File, to *Folder) {
	s.act(func(*World) {
		mustExist(to)
		from := f.Folder
		takeOut(f)
		putInto(f, to)
		f.roamed = f.roamed || from.InRoom() != to.InRoom()
		s.touch(to)
		s.recordMove(FileMoved, f.ref, f.Title, from, to, from.place, to.place)
	})
}

// CopyFile copies a file; the rows name the copy.
func (s Session) CopyFile(f *File, to *Folder) (c *File) {
	s.act(func(*World) {
		mustExist(to)
		c = s.copyFile(f, to)
	})
	return c
}

func (s Session) copyFile(f *File, to *Folder) *File {
	c := s.w.addFile(s.at, s.who, to, f.Title)
	s.touch(to)
	s.recordMove(FileCopied, c.ref, c.Title, f.Folder, to, f.Folder.place, to.place)
	return c
}

// DeleteFile moves a file to the person's trash.
func (s Session) DeleteFile(f *File) {
	s.act(func(*World) {
		s.recordFile(FileMovedToTrash, f, folderPage)
		takeOut(f)
		f.Trash = s.who
	})
}

// PurgeFile deletes a file for good.
func (s Session) PurgeFile(f *File) {
	s.act(func(*World) {
		if f.Trash == nil {
			s.recordFile(FileDeleted, f, folderPage)
			takeOut(f)
		} else {
			s.record(FileDeleted, entry{title: f.Title, target: [2]int32{f.ref}, page: folderPage})
		}
		f.Deleted = true
	})
}

// Record writes a row of any action about a room, a folder or, if it is nil,
// nothing: for actions that have no act here, unknown ones included.
func (s Session) Record(a Action, where *Folder, target ...string) {
	s.act(func(w *World) {
		e := entry{context: InModule, page: settingsPage}
		if where != nil {
			e = entry{place: where.place, page: folderPage}
		}
		if len(target) > 0 {
			e.target[0] = w.ref(strings.Join(target, ","))
		}
		s.record(a, e)
	})
}
