package demoportal

import (
	"cmp"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"roompulse/internal/demoportal/world"
)

// Bits of employeeStatus in queries.
const allStatuses = int(world.Active | world.Disabled | world.Pending)

var (
	statusNumbers   = map[string]int{"Active": 1, "Terminated": 2, "Pending": 4, "Default": 5, "All": 7}
	areaNumbers     = map[string]int{"All": 0, "People": 1, "Guests": 2}
	employeeNumbers = map[string]int{"All": 0, "RoomAdmin": 1, "Guest": 2, "DocSpaceAdmin": 3, "User": 4}
)

// encode escapes a display name as .NET does: the marks of HTML and the upper
// half of Latin-1.
func encode(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '&':
			b.WriteString("&amp;")
		case r == '"':
			b.WriteString("&quot;")
		case r == '\'', r >= 160 && r < 256, r > 0xffff:
			b.WriteString("&#" + strconv.Itoa(int(r)) + ";")
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

const avatarFields = `"avatar":"/static/images/default_user_photo_size_82-82.png?hash=104729331",` +
	`"avatarOriginal":"/static/images/default_user_photo_size_200-200.png?hash=104729331",` +
	`"avatarMax":"/static/images/default_user_photo_size_200-200.png?hash=104729331",` +
	`"avatarMedium":"/static/images/default_user_photo_size_48-48.png?hash=104729331",` +
	`"avatarSmall":"/static/images/default_user_photo_size_32-32.png?hash=104729331"`

// base is the portal's address as links show it.
func (c *call) base() string {
	if c.r.TLS != nil {
		return "https://" + c.r.Host
	}
	return "http://" + c.r.Host
}

// employeeFields writes what all shapes of a person have. Deleted people
// appear as a placeholder.
func (c *call) employeeFields(a *world.Account) {
	id, name := a.ID, a.Name()
	switch {
	case a.Deleted:
		id, name = world.RemovedID, "profile removed"
	case id == world.SystemID:
		name = "asc system"
	}
	c.w.textField("id", id)
	c.w.textField("displayName", encode(name))
	c.w.raw(avatarFields)
	c.w.textField("profileUrl", c.base()+"/accounts/people/filter?search="+strings.SplitN(id, "-", 2)[0])
	c.w.boolField("hasAvatar", false)
	c.w.boolField("isAnonim", id == world.AnonymousID)
}

func (c *call) employee(name string, a *world.Account) {
	c.w.object(name, func() { c.employeeFields(a) })
}

// person writes everything about a person that lists have.
func (c *call) fullEmployee(name string, a *world.Account, extra func()) {
	w := c.w
	w.object(name, func() {
		w.textField("firstName", a.First)
		w.textField("lastName", a.Last)
		w.textField("userName", a.UserName)
		w.textField("email", a.Email)
		w.numberField("status", int(a.Status))
		activation := 1
		if a.Status == world.Pending {
			activation = 2
		}
		w.numberField("activationStatus", activation)
		if a.Status == world.Disabled {
			c.dateField("terminated", a.Terminated)
		}
		var names []string
		for _, g := range a.Groups() {
			names = append(names, g.Name)
		}
		w.textField("department", encode(strings.Join(names, ", ")))
		if len(names) > 0 {
			w.array("groups", func() {
				for _, g := range a.Groups() {
					c.groupSummary("", g)
				}
			})
		}
		w.boolField("isAdmin", a.Kind == world.Admin)
		w.boolField("isRoomAdmin", a.Kind == world.RoomAdmin)
		w.boolField("isLDAP", false)
		w.boolField("isOwner", a.Kind == world.PortalOwner)
		w.boolField("isVisitor", a.Kind == world.Guest)
		w.boolField("isCollaborator", a.Kind == world.User)
		w.numberField("mobilePhoneActivationStatus", 0)
		w.boolField("isSSO", false)
		c.dateField("registrationDate", a.Registered)
		c.employeeFields(a)
		if extra != nil {
			extra()
		}
	})
}

func (c *call) groupSummary(name string, g *world.Group) {
	c.w.object(name, func() {
		c.w.textField("id", g.ID)
		c.w.textField("name", g.Name)
		if g.Manager != nil {
			c.w.textField("manager", g.Manager.UserName)
		}
		if g.System {
			c.w.boolField("isSystem", true)
		}
	})
}

// sortByKey sorts by key and leaves equal keys in the order of this answer.
func sortByKey[T any](c *call, elements []T, key func(T) string) {
	slices.SortStableFunc(elements, func(a, b T) int { return cmp.Compare(key(a), key(b)) })
	for start := 0; start < len(elements); {
		end := start + 1
		for end < len(elements) && key(elements[end]) == key(elements[start]) {
			end++
		}
		h := fnv.New64a()
		_, _ = h.Write([]byte(key(elements[start]))) // never fails
		reorder(c, h.Sum64(), elements[start:end])
		start = end
	}
}

// listed writes a page of elements with count and total.
func listed[T any](c *call, elements []T, write func(T)) error {
	start, size, err := c.query.page()
	if err != nil {
		return err
	}
	total := len(elements)
	page := elements[min(start, total):min(start+size, total)]
	n := len(page)
	c.count, c.total = &n, &total
	c.w.array("", func() {
		for _, e := range page {
			write(e)
		}
	})
	return nil
}

// mayListPeople refuses users and guests.
func (c *call) mayListPeople() error {
	if !c.admin() && c.caller.Kind != world.RoomAdmin {
		return accessDenied()
	}
	return nil
}

// visible reports whether the caller sees an account: room admins see only the guests they brought.
func (c *call) visible(a *world.Account) bool {
	return c.admin() || a.Kind != world.Guest || a.CreatedBy == c.caller
}

func (c *call) activePeople() error { return c.listPeople(int(world.Active)) }

func (c *call) filterPeople() error {
	status, ok, err := c.query.enum("employeeStatus", statusNumbers)
	if err != nil {
		return err
	}
	switch {
	case !ok && c.admin():
		status = allStatuses
	case !ok, status == statusNumbers["Default"]:
		status = int(world.Active)
	}
	return c.listPeople(status)
}

func (c *call) listPeople(status int) error {
	if err := c.mayListPeople(); err != nil {
		return err
	}
	area, _, err := c.query.enum("area", areaNumbers)
	if err != nil {
		return err
	}
	employeeType, byType, err := c.query.enum("employeeType", employeeNumbers)
	if err != nil {
		return err
	}
	groupID, filter := c.query.Get("groupId"), strings.ToLower(c.query.Get("filterValue"))
	var people []*world.Account
	for _, a := range c.view.Accounts() {
		guest := a.Kind == world.Guest
		inGroup := slices.ContainsFunc(a.Groups(), func(g *world.Group) bool { return g.ID == groupID })
		if int(a.Status)&status == 0 || !c.visible(a) || area == areaNumbers["People"] && guest || area == areaNumbers["Guests"] && !guest ||
			byType && employeeType != 0 && employeeType != typeOf(a) || groupID != "" && !inGroup ||
			filter != "" && !strings.Contains(strings.ToLower(a.Name()+" "+a.Email), filter) {
			continue
		}
		people = append(people, a)
	}
	switch strings.ToLower(c.query.Get("sortBy")) {
	case "email":
		sortByKey(c, people, func(a *world.Account) string { return strings.ToLower(a.Email) })
	case "lastname":
		sortByKey(c, people, func(a *world.Account) string { return a.Last })
	default:
		sortByKey(c, people, firstName)
	}
	if order := c.query.Get("sortOrder"); strings.EqualFold(order, "descending") || order == "1" {
		slices.Reverse(people)
	}
	return listed(c, people, func(a *world.Account) { c.fullEmployee("", a, nil) })
}

func typeOf(a *world.Account) int {
	switch a.Kind {
	case world.Guest:
		return employeeNumbers["Guest"]
	case world.RoomAdmin:
		return employeeNumbers["RoomAdmin"]
	case world.User:
		return employeeNumbers["User"]
	default:
		return employeeNumbers["DocSpaceAdmin"]
	}
}

func firstName(a *world.Account) string { return a.First }

func (c *call) person() error {
	a := c.view.Account(c.r.PathValue("id"))
	if a == nil || a.Deleted || !c.visible(a) {
		return notFound("user")
	}
	c.fullEmployee("", a, nil)
	return nil
}

func (c *call) self() error {
	c.fullEmployee("", c.caller, func() {
		c.w.textField("theme", "Base")
		c.w.boolField("hasPersonalFolder", true)
		c.w.numberField("loginEventId", 0)
	})
	return nil
}

func (c *call) roomPeople() error {
	r, err := c.findRoom(c.r.PathValue("id"))
	if err != nil {
		return err
	}
	if !c.canRead(r.Folder) {
		return accessDenied()
	}
	shared := make(map[*world.Account]bool)
	shared[r.Owner] = true
	for g := range r.Grants() {
		switch {
		case g.Account != nil:
			shared[g.Account] = true
		default:
			for _, a := range g.Group.Members() {
				shared[a] = true
			}
		}
	}
	status, byStatus, err := c.query.enum("employeeStatus", statusNumbers)
	if err != nil {
		return err
	}
	var people []*world.Account
	for _, a := range c.view.Accounts() {
		if byStatus && int(a.Status)&status == 0 ||
			c.query.flag("excludeShared", false) && shared[a] || c.query.flag("includeShared", false) && !shared[a] {
			continue
		}
		people = append(people, a)
	}
	sortByKey(c, people, firstName)
	return listed(c, people, func(a *world.Account) {
		c.fullEmployee("", a, func() { c.w.boolField("shared", shared[a]) })
	})
}

func (c *call) groups() error {
	if err := c.mayListPeople(); err != nil {
		return err
	}
	userID, manager := c.query.Get("userId"), c.query.flag("manager", false)
	filter := strings.ToLower(c.query.Get("filterValue"))
	var groups []*world.Group
	for _, g := range c.view.Groups() {
		in := slices.ContainsFunc(g.Members(), func(a *world.Account) bool { return a.ID == userID })
		if manager {
			in = g.Manager != nil && g.Manager.ID == userID
		}
		if (userID == "" || in) && (filter == "" || strings.Contains(strings.ToLower(g.Name), filter)) {
			groups = append(groups, g)
		}
	}
	return listed(c, groups, func(g *world.Group) { c.writeGroup(g, false) })
}

func (c *call) group() error {
	if c.caller.Kind == world.Guest {
		return accessDenied()
	}
	g := c.view.Group(c.r.PathValue("id"))
	if g == nil {
		return notFound("group")
	}
	c.writeGroup(g, c.query.flag("includeMembers", true))
	return nil
}

func (c *call) writeGroup(g *world.Group, withMembers bool) {
	const zero = "00000000-0000-0000-0000-000000000000"
	w := c.w
	w.object("", func() {
		w.textField("name", g.Name)
		w.textField("parent", zero)
		w.textField("category", zero)
		w.textField("id", g.ID)
		w.boolField("isLDAP", false)
		if g.System {
			w.boolField("isSystem", true)
		}
		if g.Manager != nil {
			c.fullEmployee("manager", g.Manager, nil)
		}
		// Only active people are listed and counted.
		var members []*world.Account
		for _, a := range g.Members() {
			if a.Status == world.Active {
				members = append(members, a)
			}
		}
		if withMembers {
			w.array("members", func() {
				for _, a := range members {
					c.fullEmployee("", a, nil)
				}
			})
		}
		w.numberField("membersCount", len(members))
	})
}

func (c *call) keySelf() error {
	w, k := c.w, c.key
	w.object("", func() {
		w.textField("id", "0d5f3a62-8c1b-4e7d-b2a9-4f6e1c7d9088")
		w.textField("name", "roompulse")
		postfix := k.Token[max(0, len(k.Token)-4):]
		w.textField("key", "sk-***"+postfix)
		w.textField("keyPostfix", postfix)
		w.array("permissions", func() {
			for _, scope := range k.Scopes {
				w.text(scope)
			}
		})
		c.dateField("lastUsed", c.now)
		c.dateField("createOn", k.Owner.Registered)
		c.employee("createBy", k.Owner)
		if !k.Expires.IsZero() {
			c.dateField("expiresAt", k.Expires)
		}
		w.boolField("isActive", true)
	})
	return nil
}
