package demoportal

import (
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"roompulse/internal/demoportal/world"
)

// salt seeds the order of ties in this answer.
func (c *call) salt() {
	switch c.faults.Ties {
	case Stable:
	case Shuffled:
		c.tieSalt = c.p.serial.Add(1)
	case CutWrongly:
		h := fnv.New64a()
		_, _ = h.Write([]byte(c.query.Get("startIndex") + "/" + c.query.Get("count"))) // never fails
		c.tieSalt = h.Sum64()
	}
}

// reorder puts the elements of one tie in the order of this answer.
func reorder[T any](c *call, key uint64, tie []T) {
	if c.faults.Ties == Stable || len(tie) < 2 {
		return
	}
	rng := rand.New(rand.NewPCG(c.tieSalt, key)) //nolint:gosec // has to be repeatable
	rng.Shuffle(len(tie), func(i, j int) { tie[i], tie[j] = tie[j], tie[i] })
}

func (c *call) mayReadAudit() error {
	if !c.admin() {
		return accessDenied()
	}
	if c.faults.Audit == AuditHidden {
		return &refused{status: 402, message: "Your pricing plan does not support this option", kind: "ASC.Core.Billing.BillingException"}
	}
	return nil
}

// auditQuery is what events/filter was asked for.
type auditQuery struct {
	user             string
	action           world.Action
	byAction         bool
	actionType       int
	byActionType     bool
	location         int
	byLocation       bool
	entry            int
	target           string
	from, to         time.Time
	startIndex, size int
}

func (c *call) parseAuditQuery() (a auditQuery, err error) {
	fail := func(e error) {
		if err == nil {
			err = e
		}
	}
	var e error
	a.user, a.target = c.query.Get("userId"), c.query.Get("target")
	n, ok, e := c.query.enum("action", actionNumbers())
	fail(e)
	a.action, a.byAction = world.Action(n), ok && n != 0 //nolint:gosec // compared with action numbers only
	a.actionType, a.byActionType, e = c.query.enum("actionType", typeNumbers())
	fail(e)
	a.location, a.byLocation, e = c.query.enum("moduleType", world.Locations)
	fail(e)
	a.entry, _, e = c.query.enum("entryType", world.Entries)
	fail(e)
	a.from, e = c.query.date("from")
	fail(e)
	a.to, e = c.query.date("to")
	fail(e)
	a.startIndex, a.size, e = c.query.page()
	fail(e)
	a.byActionType, a.byLocation = a.byActionType && a.actionType != 0, a.byLocation && a.location != 0
	return a, err
}

// check runs into the filters' defects.
func (a auditQuery) check(v Version) error {
	if a.byAction {
		if !a.action.Kind().Listed {
			return crash("Object reference not set to an instance of an object.", "System.NullReferenceException")
		}
		return nil // the other filters are switched off
	}
	if a.byLocation && v != V34 {
		return crash("Object reference not set to an instance of an object.", "System.NullReferenceException")
	}
	// Three actions are mapped twice; the server builds a dictionary of the
	// actions of the entry type and meets them again.
	twice := map[int]map[int]string{
		world.Entries["Room"]: {1: "5154"},            // AgentCreated, of type Create
		world.Entries["Tag"]:  {1: "5076", 3: "5077"}, // TagCreated and TagsDeleted
	}[a.entry]
	if a.target == "" || v != V37 || twice == nil {
		return nil
	}
	key, hit := twice[a.actionType]
	if !a.byActionType {
		key, hit = twice[1], true
	}
	if hit {
		return &refused{status: 400, message: "An item with the same key has already been added. Key: " + key, kind: "System.ArgumentException"}
	}
	return nil
}

// filters reports whether rows have to be looked at one by one.
func (a auditQuery) filters() bool {
	return a.user != "" || a.byAction || a.byActionType || a.byLocation || a.entry != 0 && a.target != ""
}

func (a auditQuery) matches(e *world.Event) bool {
	if a.user != "" && !strings.EqualFold(e.Actor.ID, a.user) {
		return false
	}
	stored := strings.Join(e.Target, ",")
	if a.byAction {
		return e.Kind.ID == a.action && (a.target == "" || a.target == stored)
	}
	return (!a.byActionType || e.Kind.Type == a.actionType) &&
		(!a.byLocation || e.Kind.Location == a.location) &&
		(a.entry == 0 || a.target == "" || slices.Contains(e.Kind.Entries, a.entry) && strings.Contains(stored, a.target))
}

func (c *call) auditFilter() error {
	if err := c.mayReadAudit(); err != nil {
		return err
	}
	a, err := c.parseAuditQuery()
	if err != nil {
		return err
	}
	if c.faults.Audit == AuditMissing {
		c.newest(0)
		return nil
	}
	if err := a.check(c.p.options.Version); err != nil {
		return err
	}
	lo, hi := c.view.Window(a.from, a.to)
	if !a.filters() {
		c.events(c.cutPage(lo, hi, a.startIndex, a.size), 0)
		return nil
	}
	var matched []int
	for i := hi - 1; i >= lo; i-- {
		if e := c.view.Event(i); a.matches(&e) {
			matched = append(matched, i)
		}
	}
	c.reorderRuns(matched)
	start := min(a.startIndex, len(matched))
	c.events(matched[start:min(start+a.size, len(matched))], 0)
	return nil
}

// cutPage returns the positions of a page of the window, newest first. Only the
// page's own neighbourhood is looked at: its ties, as far as they reach.
func (c *call) cutPage(lo, hi, start, size int) []int {
	newest := hi - 1 - start
	oldest := max(lo, newest-size+1)
	if newest < lo {
		return nil
	}
	first, last := newest, oldest
	if c.faults.Ties != Stable {
		_, end := c.view.Ties(newest)
		first = end - 1
		last, _ = c.view.Ties(oldest)
	}
	positions := make([]int, 0, first-last+1)
	for i := first; i >= last; i-- {
		positions = append(positions, i)
	}
	c.reorderRuns(positions)
	return positions[first-newest:][:newest-oldest+1]
}

func (c *call) reorderRuns(positions []int) {
	if c.faults.Ties == Stable {
		return
	}
	for start := 0; start < len(positions); {
		at := c.view.Event(positions[start]).Date
		end := start + 1
		for end < len(positions) && c.view.Event(positions[end]).Date.Equal(at) {
			end++
		}
		reorder(c, uint64(at.UnixMicro()), positions[start:end])
		start = end
	}
}

func (c *call) auditLast() error {
	if err := c.mayReadAudit(); err != nil {
		return err
	}
	c.newest(50)
	return nil
}

// newest lists the 20 newest rows within the lifetime of the audit trail.
func (c *call) newest(maxText int) {
	lo, hi := c.view.Window(c.now.AddDate(0, 0, -c.p.options.AuditLifetime), time.Time{})
	c.events(c.cutPage(lo, hi, 0, 20), maxText)
}

// events lists the rows at the positions; maxText cuts the sentence, 0 does not.
func (c *call) events(positions []int, maxText int) {
	n := len(positions)
	c.count = &n
	c.w.array("", func() {
		for _, i := range positions {
			e := c.view.Event(i)
			if c.faults.Garble != nil {
				if item := c.faults.Garble(e); item != "" {
					c.w.raw(item)
					continue
				}
			}
			if c.p.options.SampleShape {
				c.sampleEvent(&e)
			} else {
				c.event(&e, maxText)
			}
		}
	})
}

func (c *call) event(e *world.Event, maxText int) {
	w, k := c.w, e.Kind
	w.open('{')
	w.numberField("id", int(e.ID))
	c.auditDateField("date", e.Date)
	w.textField("user", e.Actor.Name())
	w.textField("userId", e.Actor.ID)
	text := sentence(e)
	if runes := []rune(text); maxText > 0 && len(runes) > maxText {
		text = string(runes[:maxText-3]) + "..."
	}
	w.textField("action", text)
	w.numberField("actionId", int(k.ID))
	background := e.Client == world.Client{}
	if !background {
		ip, _, _ := strings.Cut(e.Client.IP, ":") // cuts a port off, and an IPv6 address in pieces
		w.textField("ip", ip)
	}
	w.textField("country", e.Client.Country)
	w.textField("city", e.Client.City)
	if !background {
		w.textField("browser", e.Client.Browser)
		w.textField("platform", e.Client.Platform)
	}
	if e.Page != "" {
		w.textField("page", e.Page)
	}
	w.numberField("actionType", k.Type)
	w.numberField("product", k.Product)
	if c.p.options.Version == V34 {
		w.numberField("module", k.Location)
	} else {
		w.numberField("location", k.Location)
	}
	if len(e.Target) > 0 {
		w.array("target", func() {
			for _, id := range e.Target {
				w.text(id)
			}
		})
	}
	w.array("entries", func() {
		for _, entry := range k.Entries {
			w.number(entry)
		}
	})
	w.textField("context", c.context(e))
	w.close('}')
}

var words = map[string]map[string]string{
	"de": {
		"Rooms": "Raum", "AI agents": "KI-Agent", "My documents": "Meine Dokumente", "Contacts": "Kontakte",
		"Settings": "Einstellungen", "Files": "Dateien", "Folders": "Ordner",
	},
}

func (c *call) word(english string) string {
	if w, ok := words[c.p.options.Language][english]; ok {
		return w
	}
	return english
}

func (c *call) context(e *world.Event) string {
	switch e.Context {
	case world.InRoom:
		if e.Room.Agent() {
			return c.word("AI agents") + ": " + e.RoomTitle
		}
		return c.word("Rooms") + ": " + e.RoomTitle
	case world.InSection:
		return c.word("My documents")
	case world.InModule:
	}
	for name, number := range world.Locations {
		if number == e.Kind.Location {
			return c.word(name)
		}
	}
	return ""
}

// sentence stands for the localized sentence about the act.
func sentence(e *world.Event) string {
	var b strings.Builder
	b.WriteString(e.Kind.Name)
	if e.Title != "" {
		b.WriteString(": " + e.Title)
	}
	d := &e.Detail
	switch {
	case d.Account != nil:
		b.WriteString(": " + d.Account.Name())
	case d.Group != nil:
		b.WriteString(": " + d.Group.Name)
	case d.To != nil:
		b.WriteString(" from " + d.OldText + " to " + d.Text)
	case d.OldText != "":
		b.WriteString(": " + d.OldText + " to " + d.Text)
	case d.Text != "":
		b.WriteString(" (" + d.Text + ")")
	}
	if d.Access != 0 {
		b.WriteString(" as " + d.Access.String())
	}
	return b.String()
}

// sampleEvent lists a row as the vendor's sample expects it, in one of five ways.
func (c *call) sampleEvent(e *world.Event) {
	w, variant := c.w, int(e.ID)%5
	w.open('{')
	w.numberField("id", int(e.ID))
	c.auditDateField("date", e.Date)
	user := "userId"
	if variant == 1 {
		user = "account"
	}
	w.textField(user, e.Actor.ID)
	w.textField("action", sentence(e))
	entity := "portal"
	if len(e.Kind.Entries) > 0 {
		for name, number := range world.Entries {
			if number == e.Kind.Entries[0] {
				entity = strings.ToLower(name)
			}
		}
	}
	kind := "entityType"
	if variant == 2 {
		kind = "targetType"
	}
	w.textField(kind, entity)
	if e.Room != nil {
		switch variant {
		case 0, 1:
			c.idField("roomId", e.Room.ID)
		case 2:
			c.idField("spaceId", e.Room.ID)
		case 3:
			c.idField("folderId", e.Room.ID)
		case 4:
			w.object("entity", func() {
				c.idField([]string{"roomId", "spaceId"}[e.ID/5%2], e.Room.ID)
			})
		}
	}
	w.close('}')
}

// idField writes the id of an entry: a number, or a text in third-party storage.
func (c *call) idField(name, id string) {
	if n, err := strconv.Atoi(id); err == nil {
		c.w.numberField(name, n)
		return
	}
	c.w.textField(name, id)
}

func (c *call) auditLifetime() error {
	if err := c.mayReadAudit(); err != nil {
		return err
	}
	c.w.object("", func() {
		c.w.numberField("loginHistoryLifeTime", 180)
		c.w.numberField("auditTrailLifeTime", c.p.options.AuditLifetime)
		c.w.textField("lastModified", "2025-02-03T08:00:00")
	})
	return nil
}

func (c *call) auditTypes() error {
	if !c.admin() {
		return accessDenied()
	}
	list := func(name string, values ...string) {
		c.w.array(name, func() {
			for _, v := range values {
				c.w.text(v)
			}
		})
	}
	names := []string{"None"}
	for _, k := range world.AllKinds() {
		names = append(names, k.Name)
	}
	c.w.object("", func() {
		list("actions", names...)
		list("actionTypes", world.ActionTypes...)
		list("productTypes", byNumber(world.Products)...)
		list("moduleTypes", byNumber(world.Locations)...)
		list("entryTypes", byNumber(world.Entries)...)
	})
	return nil
}

func byNumber(numbers map[string]int) []string {
	names := make([]string, 0, len(numbers))
	for name := range numbers {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return numbers[a] - numbers[b] })
	return names
}

func (c *call) auditMappers() error {
	if !c.admin() {
		return accessDenied()
	}
	product, byProduct, err := c.query.enum("productType", world.Products)
	if err != nil {
		return err
	}
	location, byLocation, err := c.query.enum("moduleType", world.Locations)
	if err != nil {
		return err
	}
	entryNames, mapped := byNumber(world.Entries), map[int]map[int][]*world.ActionKind{}
	for _, k := range world.AllKinds() {
		if k.Product != 0 && (!byProduct || k.Product == product) && (!byLocation || k.Location == location) {
			if mapped[k.Product] == nil {
				mapped[k.Product] = map[int][]*world.ActionKind{}
			}
			mapped[k.Product][k.Location] = append(mapped[k.Product][k.Location], k)
		}
	}
	c.w.array("", func() {
		for _, productName := range byNumber(world.Products) {
			modules := mapped[world.Products[productName]]
			if len(modules) == 0 {
				continue
			}
			c.w.object("", func() {
				c.w.textField("productType", productName)
				c.w.array("modules", func() {
					for _, moduleName := range byNumber(world.Locations) {
						kinds := modules[world.Locations[moduleName]]
						if len(kinds) == 0 {
							continue
						}
						c.w.object("", func() {
							c.w.textField("moduleType", moduleName)
							c.w.array("actions", func() {
								for _, k := range kinds {
									c.w.object("", func() {
										c.w.textField("messageAction", k.Name)
										c.w.textField("actionType", world.ActionTypes[k.Type])
										entity := "None"
										if len(k.Entries) > 0 {
											entity = entryNames[slices.IndexFunc(entryNames, func(n string) bool { return world.Entries[n] == k.Entries[0] })]
										}
										c.w.textField("entity", entity)
									})
								}
							})
						})
					}
				})
			})
		}
	})
	n := len(mapped)
	c.count = &n
	return nil
}

var actionNumbers = sync.OnceValue(func() map[string]int {
	numbers := map[string]int{"None": 0}
	for _, k := range world.AllKinds() {
		numbers[k.Name] = int(k.ID)
	}
	return numbers
})

var typeNumbers = sync.OnceValue(func() map[string]int {
	numbers := make(map[string]int, len(world.ActionTypes))
	for n, name := range world.ActionTypes {
		numbers[name] = n
	}
	return numbers
})
