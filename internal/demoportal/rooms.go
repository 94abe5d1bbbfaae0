package demoportal

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"roompulse/internal/demoportal/world"
)

// findRoom returns the room with an id, or why there is none.
func (c *call) findRoom(id string) (*world.Room, error) {
	f := c.view.Folder(id)
	if f == nil || f.Room == nil {
		return nil, notFound("folder")
	}
	return f.Room, nil
}

var searchAreas = map[string]int{
	"Active": 0, "Archive": 1, "Any": 2, "RecentByLinks": 3, "Templates": 4, "Knowledge": 5, "ResultStorage": 6, "AiAgents": 7,
}

var roomTypeNumbers = map[string]int{
	"FillingFormsRoom": 1, "EditingRoom": 2, "CustomRoom": 5, "PublicRoom": 6, "VirtualDataRoom": 8, "AiRoom": 9,
}

// folderTypes are the numbers of the room types as folder types.
var folderTypes = map[world.RoomType]int{
	world.FillingForms: 15, world.Editing: 16, world.Custom: 19, world.Public: 22, world.DataRoom: 29, world.AIRoom: 31,
}

func (c *call) rooms() error {
	area, _, err := c.query.enum("searchArea", searchAreas)
	if err != nil {
		return err
	}
	if area < 0 || area > searchAreas["AiAgents"] {
		return badQuery("SearchArea", "The value '"+strconv.Itoa(area)+"' is invalid.")
	}
	current := c.view.Section(world.RoomsSection)
	switch area {
	case searchAreas["Archive"]:
		current = c.view.Section(world.ArchiveSection)
	case searchAreas["AiAgents"]:
		current = c.view.Section(world.AgentsSection)
	}
	return c.roomList(current, func(r *world.Room) bool {
		switch area {
		case searchAreas["Active"]:
			return !r.Agent() && !r.Archived
		case searchAreas["Archive"]:
			return !r.Agent() && r.Archived
		case searchAreas["Any"]:
			return !r.Agent()
		case searchAreas["AiAgents"]:
			return r.Agent()
		}
		return false
	})
}

func (c *call) agents() error {
	return c.roomList(c.view.Section(world.AgentsSection), (*world.Room).Agent)
}

// roomList writes the rooms that the caller sees. The paging numbers stand inside
// the response.
func (c *call) roomList(current *world.Folder, in func(*world.Room) bool) error {
	start, size, err := c.query.page()
	if err != nil {
		return err
	}
	kind, byKind, err := c.query.enum("type", roomTypeNumbers)
	if err != nil {
		return err
	}
	filter := strings.ToLower(c.query.Get("filterValue"))
	var rooms []*world.Room
	for _, r := range c.view.Rooms() {
		if in(r) && (c.admin() || c.isMember(r)) && (!byKind || int(r.Type) == kind) &&
			(filter == "" || strings.Contains(strings.ToLower(r.Title), filter)) {
			rooms = append(rooms, r)
		}
	}
	slices.SortStableFunc(rooms, c.roomOrder())
	total := len(rooms)
	page := rooms[min(start, total):min(start+size, total)]
	w := c.w
	w.object("", func() {
		w.array("files", func() {})
		w.array("folders", func() {
			for _, r := range page {
				c.folderObject(r.Folder)
			}
		})
		w.key("current")
		c.folderObject(current)
		w.array("pathParts", func() {
			w.object("", func() {
				c.idField("id", current.ID)
				w.textField("title", current.Title)
				w.numberField("folderType", int(current.Section))
			})
		})
		w.numberField("startIndex", start)
		w.numberField("count", len(page))
		w.numberField("total", total)
		w.numberField("new", 0)
	})
	return nil
}

// roomOrder is the caller's: by the last change unless the query says otherwise.
func (c *call) roomOrder() func(a, b *world.Room) int {
	sign := -1
	if order := c.query.Get("sortOrder"); strings.EqualFold(order, "ascending") || order == "0" {
		sign = 1
	}
	switch strings.ToLower(c.query.Get("sortBy")) {
	case "az":
		return func(a, b *world.Room) int { return sign * cmp.Compare(a.Title, b.Title) }
	case "dateandtimecreation":
		return func(a, b *world.Room) int { return sign * a.Created.Compare(b.Created) }
	}
	return func(a, b *world.Room) int { return sign * a.Updated.Compare(b.Updated) }
}

func (c *call) room() error { return c.oneFolder(c.r.PathValue("id")) }

func (c *call) folder() error { return c.oneFolder(c.r.PathValue("id")) }

func (c *call) oneFolder(id string) error {
	f, err := c.readableFolder(id)
	if err != nil {
		return err
	}
	c.folderObject(f)
	return nil
}

func (c *call) readableFolder(id string) (*world.Folder, error) {
	f := c.view.Folder(id)
	if f == nil {
		return nil, notFound("folder")
	}
	if !c.canRead(f) {
		return nil, &refused{status: 403, message: "Access denied", kind: "System.InvalidOperationException"}
	}
	return f, nil
}

func (c *call) folderPath() error {
	f, err := c.readableFolder(c.r.PathValue("id"))
	if err != nil {
		return err
	}
	path := []*world.Folder{f}
	for ; f.Parent != nil && f.Room == nil; f = f.Parent {
		path = append(path, f.Parent)
	}
	if f.Room != nil {
		path = append(path, c.view.Root(f))
	}
	slices.Reverse(path)
	c.w.array("", func() { // streamed: the envelope's count stays 1
		for _, f := range path {
			c.folderObject(f)
		}
	})
	return nil
}

// folderObject writes a folder, a room or a section root.
func (c *call) folderObject(f *world.Folder) {
	w, r := c.w, f.Room
	far := f.InRoom() != nil && f.InRoom().ThirdParty()
	id := func(name, id string) {
		if far { // all ids are texts there, those of sections too
			w.textField(name, id)
			return
		}
		c.idField(name, id)
	}
	root := c.view.Root(f)
	w.open('{')
	switch {
	case r != nil:
		id("parentId", root.ID)
	case f.Parent != nil:
		id("parentId", f.Parent.ID)
	default:
		w.numberField("parentId", 0)
	}
	w.numberField("filesCount", len(f.Files))
	w.numberField("foldersCount", len(f.Folders))
	if r == nil {
		w.boolField("isShareable", false)
	}
	w.numberField("new", 0)
	w.boolField("mute", false)
	if r != nil {
		w.array("tags", func() {
			for _, tag := range r.Tags {
				w.text(tag)
			}
		})
		w.raw(`"logo":{"original":"","large":"","medium":"","small":"","color":"61C059"}`)
	}
	w.boolField("pinned", false)
	if r != nil {
		w.numberField("roomType", int(r.Type))
	}
	w.boolField("private", false)
	w.boolField("indexing", false)
	w.boolField("denyDownload", false)
	if r != nil {
		w.boolField("inRoom", c.access(r) != world.NoAccess)
	}
	w.numberField("fileEntryType", 1)
	id("id", f.ID)
	id("rootFolderId", root.ID)
	w.boolField("canShare", false)
	readable := c.canRead(f)
	w.object("security", func() {
		w.boolField("Read", readable)
		w.boolField("Create", readable && r == nil)
		if r != nil {
			w.raw(`"Delete":false,"EditRoom":false,"EditAccess":false`)
			w.boolField("Download", readable)
			w.boolField("ChangeOwner", readable)
		}
	})
	w.textField("title", f.Title)
	w.numberField("access", c.listedAccess(r))
	w.boolField("shared", r != nil && len(r.Links) > 0)
	w.boolField("sharedForUser", r != nil)
	w.boolField("sharedExternal", r != nil && len(r.Links) > 0)
	w.boolField("parentShared", false)
	w.textField("shortWebUrl", "")
	c.dateField("created", f.Created)
	c.employee("createdBy", f.Creator)
	c.dateField("updated", f.Updated)
	w.numberField("rootFolderType", int(root.Section))
	if in := f.InRoom(); in != nil && r == nil {
		w.numberField("parentRoomType", folderTypes[in.Type])
	}
	c.employee("updatedBy", f.Updater)
	if r != nil && far {
		w.boolField("providerItem", true)
		w.textField("providerKey", "WebDav")
		w.numberField("providerId", 7)
	}
	w.close('}')
}

// access is the caller's own right in a room.
func (c *call) access(r *world.Room) world.Access {
	if r.Owner == c.caller {
		return world.RoomOwner
	}
	for g := range r.Grants() {
		if g.Account == c.caller {
			return g.Access
		}
	}
	return world.NoAccess
}

// listedAccess is the caller's right as folders show it: an owner's is 0.
func (c *call) listedAccess(r *world.Room) int {
	if r == nil || r.Owner == c.caller {
		return 0
	}
	return int(c.access(r))
}

// Bits of filterType.
const (
	filterInvitation, filterExternal, filterAdditional, filterPrimary = 1, 2, 4, 8
	filterUser, filterGroup                                           = 16, 32
)

var shareFilters = map[string]int{
	"UserOrGroup": 0, "InvitationLink": 1, "ExternalLink": 2, "AdditionalExternalLink": 4, "PrimaryExternalLink": 8,
	"Link": 15, "User": 16, "Group": 32,
}

// shareEntry is one entry of a member list.
type shareEntry struct {
	grant world.Grant
	owner bool
	link  *world.Link
}

func (c *call) share() error {
	start, size, err := c.query.page()
	if err != nil {
		return err
	}
	filter, _, err := c.query.enum("filterType", shareFilters)
	if err != nil {
		return err
	}
	f := c.view.Folder(c.r.PathValue("id"))
	if f == nil {
		return notFound("folder")
	}
	var entries []shareEntry
	if f.Room != nil && c.canRead(f) {
		entries = c.shareEntries(f.Room, filter)
	}
	// What the caller may not read looks as if nobody were there.
	total := len(entries)
	n := min(total-start, size) // below zero past the end
	c.count, c.total = &n, &total
	c.w.array("", func() {
		for _, e := range entries[min(start, total):min(start+size, total)] {
			c.shareObject(e)
		}
	})
	return nil
}

func (c *call) shareEntries(r *world.Room, filter int) []shareEntry {
	var entries []shareEntry
	users, groups := filter == 0 || filter&filterUser != 0, filter == 0 || filter&filterGroup != 0
	text := strings.ToLower(c.query.Get("filterValue"))
	for g := range r.Grants() {
		if g.Account != nil && users && (text == "" || strings.Contains(strings.ToLower(g.Account.Name()+" "+g.Account.Email), text)) ||
			g.Group != nil && groups && (text == "" || strings.Contains(strings.ToLower(g.Group.Name), text)) {
			entries = append(entries, shareEntry{grant: g})
		}
	}
	sortByKey(c, entries, shareKey)
	if users && text == "" {
		owner := shareEntry{owner: true, grant: world.Grant{Account: r.Owner, Access: world.RoomOwner}}
		entries = append([]shareEntry{owner}, entries...)
	}
	manages := c.access(r) == world.RoomOwner || c.access(r) == world.RoomManager
	for i := range r.Links {
		l := &r.Links[i]
		kind := filterAdditional | filterExternal
		switch {
		case l.Invitation:
			kind = filterInvitation
		case l.Primary:
			kind = filterPrimary | filterExternal
		}
		if filter&kind != 0 && (manages || filter == filterPrimary) {
			entries = append(entries, shareEntry{link: l})
		}
	}
	return entries
}

// shareKey puts managers first, then groups, people, guests and pending
// people, within these by right and first name. That leaves ties.
func shareKey(e shareEntry) string {
	rank, name := 2, ""
	switch a := e.grant.Account; {
	case a == nil:
		rank, name = 1, e.grant.Group.Name
	case a.Status == world.Pending:
		rank = 4
	case e.grant.Access == world.RoomManager:
		rank, name = 0, a.First
	case a.Kind == world.Guest:
		rank, name = 3, a.First
	default:
		name = a.First
	}
	return strconv.Itoa(rank) + " " + strconv.Itoa(99-int(e.grant.Access)) + " " + name
}

func (c *call) shareObject(e shareEntry) {
	w := c.w
	w.open('{')
	subject, own := 0, "sharedToUser"
	var shared func(name string)
	switch {
	case e.link != nil:
		w.numberField("access", int(e.link.Access))
		shared, own = func(name string) { c.linkObject(name, e.link) }, "sharedLink"
		subject = 1
		if e.link.Invitation {
			subject = 3
		} else if e.link.Primary {
			subject = 4
		}
	case e.grant.Group != nil:
		w.numberField("access", int(e.grant.Access))
		shared, own = func(name string) { c.groupSummary(name, e.grant.Group) }, "sharedToGroup"
		subject = 2
	default:
		w.numberField("access", int(e.grant.Access))
		shared = func(name string) { c.fullEmployee(name, e.grant.Account, nil) }
	}
	shared("sharedTo")
	if c.p.options.Version != V34 {
		shared(own)
	}
	w.boolField("isLocked", e.grant.Account == c.caller && !e.owner)
	w.boolField("isOwner", e.owner)
	w.boolField("canEditAccess", !e.owner && e.link == nil)
	w.raw(`"canEditInternal":false,"canEditDenyDownload":false,"canEditExpirationDate":false,"canRevoke":false`)
	w.numberField("subjectType", subject)
	w.close('}')
}

// linkObject shows a link with its secrets, as the server does.
func (c *call) linkObject(name string, l *world.Link) {
	w := c.w
	w.object(name, func() {
		w.textField("id", l.ID)
		w.textField("title", l.Title)
		w.textField("shareLink", c.base()+"/s/"+l.Token)
		if l.Invitation {
			w.numberField("linkType", 0)
			w.boolField("primary", false)
			w.numberField("maxUseCount", 20)
			w.numberField("currentUseCount", 3)
			return
		}
		w.numberField("linkType", 1)
		w.textField("password", l.Password)
		w.boolField("denyDownload", false)
		w.boolField("isExpired", false)
		w.boolField("primary", l.Primary)
		w.boolField("internal", false)
		w.textField("requestToken", "rt-"+l.Token)
	})
}

func (c *call) links() error {
	r, err := c.findRoom(c.r.PathValue("id"))
	if err != nil {
		return err
	}
	filter := filterExternal
	if c.query.Get("type") == "0" {
		filter = filterInvitation
	}
	var entries []shareEntry
	if c.canRead(r.Folder) {
		entries = c.shareEntries(r, filter)
	}
	n := len(entries)
	c.count = &n
	c.w.array("", func() {
		for _, e := range entries {
			c.shareObject(e)
		}
	})
	return nil
}

func (c *call) groupShare() error {
	if c.caller.Kind == world.Guest {
		return accessDenied()
	}
	f := c.view.Folder(c.r.PathValue("id"))
	if f == nil {
		return notFound("folder")
	}
	g := c.view.Group(c.r.PathValue("group"))
	var members []*world.Account
	var right world.Access
	if r := f.Room; r != nil && g != nil && c.canRead(f) {
		for grant := range r.Grants() {
			if grant.Group == g {
				right, members = grant.Access, g.Members()
			}
		}
	}
	sortByKey(c, members, firstName)
	return listed(c, members, func(a *world.Account) {
		own, owner := world.NoAccess, a == f.Room.Owner
		for grant := range f.Room.Grants() {
			if grant.Account == a {
				own = grant.Access
			}
		}
		if owner {
			own = world.RoomManager
		}
		c.w.object("", func() {
			c.fullEmployee("user", a, nil)
			c.w.numberField("groupAccess", int(right))
			if own != world.NoAccess {
				c.w.numberField("userAccess", int(own))
			}
			c.w.boolField("overridden", own != world.NoAccess)
			c.w.boolField("canEditAccess", !owner)
			c.w.boolField("owner", owner)
		})
	})
}
