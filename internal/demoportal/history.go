package demoportal

import (
	"slices"
	"strconv"
	"time"

	"roompulse/internal/demoportal/world"
)

func (c *call) folderLog() error {
	id := c.r.PathValue("id")
	if !isNumber(id) {
		return noRoute()
	}
	f := c.view.Folder(id)
	if f == nil {
		return notFound("folder")
	}
	if !c.canRead(f) {
		return accessDenied()
	}
	return c.history(func(from, to time.Time) []world.LogRow { return c.view.Log(f, from, to) })
}

func (c *call) fileLog() error {
	id := c.r.PathValue("id")
	if !isNumber(id) {
		return noRoute()
	}
	f, err := c.readableFile(id)
	if err != nil {
		return err
	}
	return c.history(func(from, to time.Time) []world.LogRow { return c.view.FileLog(f, from, to) })
}

// history writes a page of a log. Pages are cut by falling id and count rows;
// only then rows that belong together are grouped, so a page has fewer entries.
func (c *call) history(rows func(from, to time.Time) []world.LogRow) error {
	start, size, err := c.query.page()
	if err != nil {
		return err
	}
	from, err := c.query.date("fromDate")
	if err != nil {
		return err
	}
	to, err := c.query.date("toDate")
	if err != nil {
		return err
	}
	all := rows(from, to)
	total := len(all)
	n := min(total-start, size)
	c.count, c.total = &n, &total
	events := make([]world.Event, 0, max(0, n))
	for i := total - 1 - start; i >= 0 && len(events) < size; i-- {
		events = append(events, c.view.LogEvent(all[i]))
	}
	slices.SortStableFunc(events, func(a, b world.Event) int { return b.Date.Compare(a.Date) })

	var groups [][]world.Event
	heads := make(map[groupKey]int)
	for _, e := range events {
		key, grouped := keyOf(&e)
		if i, ok := heads[key]; ok && grouped {
			groups[i] = append(groups[i], e)
			continue
		}
		heads[key] = len(groups)
		groups = append(groups, []world.Event{e})
	}
	c.w.array("", func() {
		for _, g := range groups {
			c.entry(&g[0], g[1:], true)
		}
	})
	return nil
}

// groupKey is what rows shown as one entry have in common.
type groupKey struct {
	action world.Action
	actor  *world.Account
	parent *world.Folder
	minute int64 // 0 for changes of an index, which are merged whenever they were
}

// groupedActions are uploads, copies, moves, deletions, conversions and
// additions to a room; for changes of an index time does not matter.
var (
	groupedActions = []world.Action{
		world.FileUploaded, world.FileCopied, world.FileMoved, world.FileMovedToTrash, world.FileDeleted, world.FolderCopied,
		world.FolderMoved, world.FolderMovedToTrash, 5027, 5035, world.RoomCreateUser, world.RoomGroupAdded, 5118,
	}
	indexActions = []world.Action{5107, 5108, 5111}
)

func keyOf(e *world.Event) (key groupKey, grouped bool) {
	key = groupKey{action: e.Kind.Alias, actor: e.Actor, parent: e.Folder, minute: e.Date.Unix() / 60}
	if slices.Contains(indexActions, key.action) {
		key.minute = 0
		return key, true
	}
	return key, slices.Contains(groupedActions, key.action)
}

func (c *call) entry(e *world.Event, related []world.Event, top bool) {
	w := c.w
	w.open('{')
	if c.p.options.Version == V37 {
		w.numberField("id", int(e.ID))
	}
	w.object("action", func() {
		w.numberField("id", int(e.Kind.Alias))
		w.textField("key", e.Kind.Alias.Kind().Name)
	})
	if e.Actor.ID == world.AnonymousID && e.Detail.Text != "" {
		w.object("initiator", func() {
			w.textField("id", "00000000-0000-0000-0000-000000000000")
			w.textField("displayName", encode(e.Detail.Text)+" (external)")
			w.raw(`"hasAvatar":false,"isAnonim":false`)
		})
	} else {
		c.employee("initiator", e.Actor)
	}
	c.dateField("date", e.Date)
	c.entryData(e)
	if top {
		w.array("related", func() {
			for i := range related {
				c.entry(&related[i], nil, false)
			}
		})
	}
	w.close('}')
}

// entryData writes what the entry is about; its shape depends on the action.
func (c *call) entryData(e *world.Event) {
	w, d := c.w, &e.Detail
	data := func(fields func()) { w.object("data", fields) }
	access := func() {
		if d.Access != world.NoAccess {
			w.textField("access", d.Access.String())
		}
		if d.OldAccess != world.NoAccess {
			w.textField("oldAccess", d.OldAccess.String())
		}
	}
	switch {
	case e.Kind.ID == world.RoomColorChanged, e.Kind.ID == 5103, e.Kind.ID == 5080, e.Kind.ID == 5081:
		// Changes of looks have no data.
	case e.Kind.ID == world.RoomChangeOwner:
		data(func() {
			c.employee("owner", d.Account)
			c.employee("oldOwner", d.OldAccount)
		})
	case d.Account != nil:
		data(func() {
			c.employee("user", d.Account)
			access()
		})
	case d.Group != nil:
		data(func() {
			w.object("group", func() {
				w.textField("id", d.Group.ID)
				w.textField("name", d.Group.Name)
				if d.Group.System {
					w.boolField("isSystem", true)
				}
			})
			access()
		})
	case len(d.Tags) > 0:
		data(func() {
			w.array("tags", func() {
				for _, tag := range d.Tags {
					w.text(tag)
				}
			})
		})
	case e.Kind.ID == world.RoomExternalLinkCreated:
		data(func() {
			w.textField("title", d.Text)
			access()
		})
	case d.OldText != "" && d.To == nil:
		data(func() {
			c.targetID(e)
			w.textField("oldTitle", d.OldText)
			w.textField("newTitle", d.Text)
		})
	case d.To != nil:
		data(func() {
			c.fileFields(e)
			w.textField("title", e.Title)
			w.textField("toFolderId", d.To.ID)
			w.textField("parentTitle", d.Text)
			w.numberField("parentType", parentType(d.To))
			if d.From != nil && e.Kind.Alias != world.FileCopied && e.Kind.Alias != world.FolderCopied {
				w.textField("fromParentTitle", d.OldText)
				w.numberField("fromParentType", parentType(d.From))
				c.idField("fromFolderId", d.From.ID)
			}
			c.targetID(e)
		})
	case e.Title != "":
		c.entryOfFolder(e)
	case e.Room != nil:
		data(func() {
			w.textField("title", e.RoomTitle)
			c.targetID(e)
		})
	}
}

// entryOfFolder writes data of a file or folder in its folder.
func (c *call) entryOfFolder(e *world.Event) {
	w := c.w
	w.object("data", func() {
		if name := e.Detail.Text; name != "" {
			w.textField("userName", name)
			w.textField("initiatorName", name)
		}
		gone := e.Kind.ID == world.FileMovedToTrash || e.Kind.ID == world.FileDeleted || e.Kind.ID == world.FolderMovedToTrash
		if !gone {
			c.fileFields(e)
		}
		w.textField("title", e.Title)
		if parent := e.Folder; parent != nil && !gone {
			title := e.FolderTitle
			if isFolder(e) && parent.Parent != nil {
				parent, title = parent.Parent, parent.Parent.Title
			}
			w.textField("parentTitle", title)
			c.idField("parentId", parent.ID)
			w.numberField("parentType", parentType(parent))
		}
		c.targetID(e)
	})
}

func isFolder(e *world.Event) bool {
	return len(e.Kind.Entries) > 0 && e.Kind.Entries[0] == world.Entries["Folder"]
}

func (c *call) fileFields(e *world.Event) {
	if isFolder(e) || len(e.Target) == 0 {
		return
	}
	c.w.raw(`"accessibility":` + accessibility)
	c.w.textField("viewUrl", c.base()+"/filehandler.ashx?action=download&fileid="+e.Target[0])
}

// targetID writes the number of what the entry is about, 0 for a broken reference.
func (c *call) targetID(e *world.Event) {
	id := 0
	if len(e.Target) > 0 {
		id, _ = strconv.Atoi(e.Target[0])
	}
	c.w.numberField("id", id)
}

func parentType(f *world.Folder) int {
	switch {
	case f.Room != nil:
		return folderTypes[f.Room.Type]
	case f.Section != 0:
		return int(f.Section)
	}
	return 0
}
