// Package worldgen fills a simulated portal with a plausible past: offices
// that work on weekdays, a few busy rooms and many calm ones, people who
// fall silent, guests, renames, moves between rooms, deletions.
package worldgen

import (
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strconv"
	"time"

	"roompulse/internal/demoportal/world"
)

// Config is the size of a portal. The zero value is that of the demo. Equal
// configurations give equal worlds.
type Config struct {
	Seed   uint64
	Rooms  int // ever made, 9 if 0; some of them are archived or deleted on the way
	People int // beside the owner, 30 if 0; some are pending, disabled or deleted in the end
	Guests int // 4 if 0
	Groups int // of people, 3 if 0
	Events int // audit rows, up to a few; 20,000 if 0
	Days   int // 300 if 0
	// End is the instant of the last act; 2026-11-20T16:00Z if zero.
	End       time.Time
	Zone      *time.Location // of the portal, Europe/Berlin if nil and known, else UTC
	Host      string
	Precision time.Duration // see world.Config
}

func (c Config) withDefaults() Config {
	set := func(n *int, value int) {
		if *n == 0 {
			*n = value
		}
	}
	set(&c.Rooms, 9)
	set(&c.People, 30)
	set(&c.Guests, 4)
	set(&c.Groups, 3)
	set(&c.Events, 20_000)
	set(&c.Days, 300)
	if c.End.IsZero() {
		c.End = time.Date(2026, 11, 20, 16, 0, 0, 0, time.UTC)
	}
	if c.Zone == nil {
		c.Zone = time.UTC
		if zone, err := time.LoadLocation("Europe/Berlin"); err == nil {
			c.Zone = zone
		}
	}
	return c
}

// person is an account and how it behaves.
type person struct {
	account *world.Account
	weight  float64 // 0: never does anything
	from    int     // first day
	until   int     // day of falling silent
}

// office is a room and what goes on there.
type office struct {
	room    *world.Room
	weight  float64
	from    int
	until   int // day of archiving or deletion
	members []seat
	sum     []float64 // running sum of the members' weights
	files   []*world.File
	folders []*world.Folder
}

type seat struct {
	who    *person
	access world.Access
}

type generator struct {
	Config
	w       *world.World
	rng     *rand.Rand
	owner   *person
	people  []*person
	guests  []*person
	byID    map[*world.Account]*person
	groups  []*world.Group
	offices []*office
	start   time.Time // local midnight of day 0
	rows    int
	plan    []act
	sums    []float64 // of the rooms in use on sumsDay
	sumsDay int
}

// act is one planned act of a day.
type act struct {
	at     time.Time
	office *office
	seat   seat
	do     func(at time.Time) // for acts that are planned one by one
}

// New makes the world.
func New(c Config) *world.World {
	c = c.withDefaults()
	end := c.End.In(c.Zone)
	start := time.Date(end.Year(), end.Month(), end.Day()-c.Days+1, 0, 0, 0, 0, c.Zone)
	g := &generator{
		Config: c, start: start, byID: make(map[*world.Account]*person),
		rng: rand.New(rand.NewPCG(c.Seed, 0x67656e)), //nolint:gosec // has to be repeatable
		w: world.New(world.Config{
			Host: c.Host, Zone: c.Zone, Created: start.Add(-30 * 24 * time.Hour), Seed: c.Seed, Precision: c.Precision,
		}),
	}
	g.owner = g.add(g.w.Owner(), 1)
	g.hire()
	g.found()
	events := g.upheavals()
	g.live(events)
	return g.w
}

func (g *generator) add(a *world.Account, weight float64) *person {
	p := &person{account: a, weight: weight, until: math.MaxInt}
	g.byID[a] = p
	return p
}

// at is an instant of a day by the portal's clock.
func (g *generator) at(day int, clock time.Duration) time.Time {
	d := g.start.AddDate(0, 0, day)
	return time.Date(d.Year(), d.Month(), d.Day(), 0, 0, 0, 0, g.Zone).Add(clock)
}

// hire makes the accounts: a fifth come later, one in twelve never does
// anything, one in seven falls silent, one in ten does little.
func (g *generator) hire() {
	clock := 8 * time.Hour
	for i := range g.People + g.Guests {
		first, last, mailbox := name(i)
		spec := world.Person{First: first, Last: last, Email: mailbox + "@example.org"}
		guest := i >= g.People
		switch {
		case guest:
			spec.Kind, spec.Email = world.Guest, mailbox+"@partner.example"
		case i%40 == 1:
			spec.Kind = world.Admin
		case i%6 == 0:
			spec.Kind = world.RoomAdmin
		}
		clock += time.Second
		session := g.w.At(g.at(0, clock), g.owner.account)
		g.rows++
		if i%15 == 11 {
			g.add(session.InviteAccount(spec), 0) // still pending in the end
			continue
		}
		p := g.add(session.AddAccount(spec), 0.4+1.4*g.rng.Float64())
		switch {
		case i%12 == 5:
			p.weight = 0
		case i%7 == 3:
			p.until = g.Days/5 + g.rng.IntN(max(1, g.Days*7/10))
		case i%10 == 8:
			p.weight = 0.02
		case i%5 == 4:
			p.from = g.rng.IntN(max(1, g.Days/2))
		}
		if guest {
			p.weight /= 2
			g.guests = append(g.guests, p)
		} else {
			g.people = append(g.people, p)
		}
	}
	for i := range g.Groups {
		var members []*world.Account
		for range 3 + g.rng.IntN(3+g.People/max(1, 2*g.Groups)) {
			members = append(members, g.somebody().account)
		}
		clock += time.Second
		name := groupNames[i%len(groupNames)]
		if i >= len(groupNames) {
			name += " " + projectWords[i/len(groupNames)%len(projectWords)]
		}
		g.groups = append(g.groups, g.w.At(g.at(0, clock), g.owner.account).CreateGroup(name, members[0], members...))
		g.rows++
	}
}

func (g *generator) somebody() *person { return g.people[g.rng.IntN(len(g.people))] }

// found makes the rooms. Weights fall off so that a few rooms hold most of the life.
func (g *generator) found() {
	types := []world.RoomType{world.Custom, world.Editing, world.Custom, world.Public, world.DataRoom, world.AIRoom, world.Custom, world.Custom, world.FillingForms}
	for i := range g.Rooms {
		o := &office{weight: 1 / math.Pow(float64(i+2), 0.8), until: math.MaxInt}
		spec := world.RoomSpec{Title: roomTitle(i), Type: types[i%len(types)]}
		switch {
		case i%9 == 7:
			o.until = g.Days * 6 / 10 // archived, or deleted: see upheavals
		case i%9 == 5:
			o.weight /= 3
		case i%4 == 2:
			o.from = g.rng.IntN(max(1, g.Days/3))
		}
		if i == 7 {
			spec.Title = roomTitle(3) // an older room of the same title
		}
		if spec.Type == world.AIRoom && i%27 > 9 {
			spec.Type = world.Custom
		}
		if i%40 == 21 {
			spec.ID, spec.Type = "sbox-"+strconv.Itoa(i), world.Custom
		}
		manager := g.people[(i*5)%len(g.people)]
		at := g.at(o.from, 9*time.Hour+time.Duration(i)*7*time.Second)
		o.room = g.w.At(at, manager.account).CreateRoom(spec)
		g.rows++
		o.folders = []*world.Folder{o.room.Folder}
		g.seatMembers(o, at, manager)
		if i%20 == 13 {
			g.w.At(at.Add(time.Hour), manager.account).AddGroup(o.room, g.w.Everyone(), world.Viewer)
			g.rows++
		}
		g.offices = append(g.offices, o)
	}
}

var roles = map[world.RoomType][]world.Access{
	world.Custom:       {world.Editor, world.ContentCreator, world.Editor, world.Viewer, world.Commenter, world.Reviewer},
	world.Editing:      {world.Editor, world.ContentCreator, world.Viewer},
	world.Public:       {world.ContentCreator, world.RoomManager},
	world.DataRoom:     {world.Editor, world.ContentCreator, world.Viewer, world.FormFiller},
	world.FillingForms: {world.FormFiller, world.FormFiller, world.ContentCreator},
	world.AIRoom:       {world.ContentCreator, world.Viewer},
}

func (g *generator) role(r *world.Room) world.Access {
	of := roles[r.Type]
	return of[g.rng.IntN(len(of))]
}

func (g *generator) seatMembers(o *office, at time.Time, manager *person) {
	size := 4 + g.rng.IntN(4+min(40, len(g.people)/2))
	for i := range size {
		at = at.Add(time.Duration(1+g.rng.IntN(3)) * time.Second)
		who, by := g.somebody(), manager
		if i == 0 && len(g.guests) > 0 && (o.room.Type == world.Custom || o.room.Type == world.Editing) {
			who = g.guests[g.rng.IntN(len(g.guests))]
		}
		if who == manager || g.isIn(o, who) {
			continue
		}
		if i%9 == 8 {
			by = who // joined by a link
		}
		g.w.At(at, by.account).Invite(o.room, who.account, g.role(o.room))
		g.rows++
		o.members = append(o.members, seat{who: who})
	}
	if len(g.groups) > 0 && g.rng.IntN(3) > 0 {
		group := g.groups[g.rng.IntN(len(g.groups))]
		access := world.Editor
		if o.room.Type != world.Custom && o.room.Type != world.Editing && o.room.Type != world.DataRoom {
			access = world.ContentCreator
		}
		g.w.At(at.Add(time.Second), manager.account).AddGroup(o.room, group, access)
		g.rows++
	}
	g.recount(o)
}

func (g *generator) isIn(o *office, p *person) bool {
	return slices.ContainsFunc(o.members, func(s seat) bool { return s.who == p })
}

// recount takes a room's members from the world.
func (g *generator) recount(o *office) {
	access := make(map[*person]world.Access)
	var order []*person
	set := func(a *world.Account, right world.Access) {
		p := g.byID[a]
		if _, ok := access[p]; !ok {
			order = append(order, p)
		}
		access[p] = right
	}
	set(o.room.Owner, world.RoomOwner)
	for grant := range o.room.Grants() {
		switch {
		case grant.Account != nil:
			set(grant.Account, grant.Access)
		case !grant.Group.System:
			for _, a := range grant.Group.Members() {
				if _, own := access[g.byID[a]]; !own {
					set(a, grant.Access)
				}
			}
		}
	}
	o.members, o.sum = o.members[:0], o.sum[:0]
	total := 0.0
	for _, p := range order {
		total += p.weight
		o.members = append(o.members, seat{who: p, access: access[p]})
		o.sum = append(o.sum, total)
	}
}

// upheavals are the rare acts, by day.
func (g *generator) upheavals() map[int][]act {
	days := make(map[int][]act)
	on := func(day int, clock time.Duration, do func(time.Time)) {
		day = max(0, min(max(day, 1), g.Days-2)) // the last day may be a short one
		days[day] = append(days[day], act{at: g.at(day, clock), do: func(at time.Time) {
			do(at)
			g.rows++
		}})
	}
	anyDay := func(from int) int { return from + g.rng.IntN(max(1, g.Days-from)) }
	for i, o := range g.offices {
		owner := func(at time.Time) world.Session { return g.w.At(at, o.room.Owner) }
		clock := 10*time.Hour + time.Duration(i%3600)*time.Second
		alive := func(day int) bool { return day < o.until }
		if o.until < g.Days {
			on(o.until, clock, func(at time.Time) {
				if i%27 == 16 {
					owner(at).DeleteRoom(o.room)
				} else {
					owner(at).ArchiveRoom(o.room)
				}
			})
		}
		if day := anyDay(o.from + 1); i%6 == 1 && i != 7 && alive(day) {
			on(day, clock, func(at time.Time) { owner(at).RenameRoom(o.room, o.room.Title+" 2026") })
		}
		if day := anyDay(o.from + 1); i%4 == 0 && alive(day) {
			on(day, clock+time.Minute, func(at time.Time) {
				if who := g.memberOf(o); who != nil {
					owner(at).ChangeAccess(o.room, who, g.role(o.room))
					g.recount(o)
				}
			})
		}
		if day := anyDay(o.from + 1); i%3 == 2 && alive(day) {
			on(day, clock+2*time.Minute, func(at time.Time) {
				if who := g.memberOf(o); who != nil {
					by := owner(at)
					if i%2 == 0 {
						by = g.w.At(at, who)
					}
					by.RemoveMember(o.room, who)
					g.recount(o)
				}
			})
		}
		if day := anyDay(o.from + 1); i%5 == 3 && alive(day) {
			on(day, clock+3*time.Minute, func(at time.Time) {
				owner(at).TagRoom(o.room, "2026")
				owner(at.Add(time.Second)).CreateLink(o.room, "Shared link")
				g.rows++
			})
		}
		for range 2 {
			if day := anyDay(o.from + 1); alive(day) {
				on(day, clock+4*time.Minute, func(at time.Time) {
					who := g.somebody()
					owner(at).Invite(o.room, who.account, g.role(o.room))
					g.recount(o)
				})
			}
		}
		if day := anyDay(o.from + 1); o.room.Type == world.FillingForms && alive(day) {
			on(day, 14*time.Hour, func(at time.Time) {
				form := g.w.At(at, o.room.Owner).Upload(o.room.Folder, "intake.pdf")
				g.w.At(at.Add(time.Hour), g.w.Anonymous()).SubmitForm(form, "Visitor")
				g.rows++
			})
		}
	}
	for i, p := range g.people {
		switch {
		case i%23 == 22:
			on(anyDay(g.Days/2), 17*time.Hour, func(at time.Time) {
				g.w.At(at, g.owner.account).Disable(p.account)
				p.until = 0
			})
		case i%27 == 21 && !g.ownsRoom(p):
			on(anyDay(g.Days/2), 17*time.Hour+time.Minute, func(at time.Time) {
				g.w.At(at, g.owner.account).DeleteAccount(p.account)
				p.weight, p.until = 0, 0
				for _, o := range g.offices {
					if g.isIn(o, p) {
						g.recount(o)
					}
				}
			})
		}
	}
	for i, group := range g.groups {
		on(anyDay(1), 11*time.Hour+time.Duration(i)*time.Minute, func(at time.Time) {
			g.w.At(at, g.owner.account).AddToGroup(group, g.somebody().account)
			g.rows-- // leaves no row
			for _, o := range g.offices {
				if holdsRight(o.room, group) {
					g.recount(o)
				}
			}
		})
	}
	for range 1 + g.Days/60 {
		on(anyDay(1), 12*time.Hour, func(at time.Time) { g.w.At(at, g.owner.account).ChangeSettings() })
		on(anyDay(1), 12*time.Hour+time.Minute, func(at time.Time) { g.w.At(at, g.owner.account).CreateTag("2026") })
	}
	return days
}

func (g *generator) ownsRoom(p *person) bool {
	return slices.ContainsFunc(g.offices, func(o *office) bool { return o.room.Owner == p.account })
}

func holdsRight(r *world.Room, group *world.Group) bool {
	for grant := range r.Grants() {
		if grant.Group == group {
			return true
		}
	}
	return false
}

// memberOf picks somebody with an own right in the room.
func (g *generator) memberOf(o *office) *world.Account {
	var own []*world.Account
	for grant := range o.room.Grants() {
		if grant.Account != nil {
			own = append(own, grant.Account)
		}
	}
	if len(own) == 0 {
		return nil
	}
	return own[g.rng.IntN(len(own))]
}

// busyness is how much of a working day's life a day has.
func busyness(day time.Time) float64 {
	holidays := day.Month() == time.December && day.Day() >= 24 || day.Month() == time.January && day.Day() == 1
	switch {
	case holidays:
		return 0.05
	case day.Weekday() == time.Saturday:
		return 0.06
	case day.Weekday() == time.Sunday:
		return 0.04
	case day.Weekday() == time.Friday:
		return 0.8
	case day.Month() == time.August:
		return 0.6
	}
	return 1
}

// live plays the days one after another.
func (g *generator) live(upheavals map[int][]act) {
	total := 0.0
	for day := range g.Days {
		total += busyness(g.at(day, 0))
	}
	begin, done := g.rows, 0.0
	for day := range g.Days {
		done += busyness(g.at(day, 0))
		goal := begin + int(float64(g.Events-begin)*done/total)
		if day == g.Days-1 {
			goal = g.Events
		}
		g.plan = append(g.plan[:0], upheavals[day]...)
		for planned := g.rows + len(g.plan); planned < goal; {
			planned += g.planSitting(day, goal-planned)
		}
		slices.SortStableFunc(g.plan, func(a, b act) int { return a.at.Compare(b.at) })
		for _, a := range g.plan {
			if g.rows >= goal && a.do == nil {
				break // moves write two rows
			}
			if a.do != nil {
				a.do(a.at)
			} else {
				g.work(a)
			}
		}
	}
}

// pick draws an index by running sums of weights, -1 if all are 0.
func (g *generator) pick(sums []float64) int {
	if len(sums) == 0 || sums[len(sums)-1] == 0 {
		return -1
	}
	return sort.SearchFloat64s(sums, g.rng.Float64()*sums[len(sums)-1])
}

// planSitting plans what one person does in one room in one go, and returns the
// number of acts.
func (g *generator) planSitting(day, most int) int {
	o, s := g.choose(day)
	at := g.at(day, g.clock())
	if last := g.End.In(g.Zone); at.After(last) {
		at = last.Add(-time.Duration(1+g.rng.IntN(4*3600)) * time.Second)
	}
	n := 0
	for n < most && (n == 0 || g.rng.IntN(6) > 0) {
		g.plan = append(g.plan, act{at: at, office: o, seat: s})
		n++
		if g.rng.IntN(8) > 0 { // else at the same second, as uploads of many files are
			at = at.Add(time.Duration(5+g.rng.IntN(400)) * time.Second)
		}
		if at.After(g.End) {
			break
		}
	}
	return n
}

// choose draws a room that is in use and one of its people who is about; after
// too many misses the portal's owner looks after the first room.
func (g *generator) choose(day int) (*office, seat) {
	sums := g.officeSums(day)
	for range 50 {
		i := g.pick(sums)
		if i < 0 {
			break
		}
		o := g.offices[i]
		if m := g.pick(o.sum); m >= 0 {
			if s := o.members[m]; s.who.from <= day && day < s.who.until {
				return o, s
			}
		}
	}
	for _, o := range g.offices {
		if o.from <= day && day < o.until {
			return o, seat{who: g.owner, access: world.RoomOwner}
		}
	}
	panic("worldgen: no room is in use")
}

// officeSums are the running weights of the rooms in use on a day.
func (g *generator) officeSums(day int) []float64 {
	if g.sumsDay != day || g.sums == nil {
		g.sumsDay, g.sums = day, g.sums[:0]
		total := 0.0
		for _, o := range g.offices {
			if o.from <= day && day < o.until {
				total += o.weight
			}
			g.sums = append(g.sums, total)
		}
	}
	return g.sums
}

// clock draws a time of day: office hours mostly.
func (g *generator) clock() time.Duration {
	var hours float64
	switch n := g.rng.IntN(100); {
	case n < 45:
		hours = 8.5 + 3.5*g.rng.Float64()
	case n < 90:
		hours = 13 + 4.5*g.rng.Float64()
	case n < 98:
		hours = 18 + 4*g.rng.Float64()
	default:
		hours = 24 * g.rng.Float64()
	}
	return time.Duration(hours * float64(time.Hour))
}
