package world

import (
	"cmp"
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Config describes a new portal. The zero value is a portal in UTC whose dates
// have whole seconds.
type Config struct {
	Host    string         // of the portal's pages, "portal.example.org" if empty
	Zone    *time.Location // of the portal, UTC if nil
	Created time.Time      // when the portal was set up, 2025-01-06T08:00Z if zero
	Owner   Person         // Anna Kern if it has no name
	Seed    uint64
	// Precision of stored dates: time.Second (on MySQL, the default) or
	// time.Microsecond (on PostgreSQL). Dates are rounded to it, not cut.
	Precision time.Duration
	// QueueDelay draws how long a queued row is under way. Nil means between a
	// tenth of a second and two seconds.
	QueueDelay func(*rand.Rand) time.Duration
}

// World is one portal. Make it with New.
type World struct {
	host      string
	zone      *time.Location
	precision time.Duration
	delay     func(*rand.Rand) time.Duration
	created   time.Time

	mu  sync.RWMutex
	rng *rand.Rand

	accounts  []*Account
	byAccount map[string]*Account
	groups    []*Group
	rooms     []*Room
	folders   map[string]*Folder
	files     []*File // with numbers for ids, by id
	farFiles  map[string]*File
	sections  map[Section]*Folder
	owner     *Account
	system    *Account
	anonymous *Account
	everyone  *Group
	bearers   map[string][]bearer
	tags      []string

	nextFolder int32

	rows      []row // in the order of insertion, so by id
	published int   // rows that have been readable so far
	byDate    []uint32
	queue     queue
	sequence  int
	lastID    int32
	frontier  int64 // instant of the newest insertion

	texts    []string
	textRefs map[string]int32
	places   []place
	details  []Detail
	clients  []Client
}

// The first ids leave the low numbers to section roots and what other
// portals of the installation have.
const (
	firstFolderID = 800
	firstFileID   = 7000
	firstEventID  = 90000
)

// place is a folder with its title and all folders above it, as they were at
// some time. Rows refer to places, so what happens to a folder later leaves
// them alone.
type place struct {
	folder *Folder
	room   *Room
	parent uint32
	title  int32 // of the folder
	name   int32 // of the room
}

// bearer is a room over a time in which it bore one title.
type bearer struct {
	room     *Room
	from, to time.Time
}

// New makes a portal with an owner and no rooms.
func New(c Config) *World {
	if c.Host == "" {
		c.Host = "portal.example.org"
	}
	if c.Zone == nil {
		c.Zone = time.UTC
	}
	if c.Created.IsZero() {
		c.Created = time.Date(2025, 1, 6, 8, 0, 0, 0, time.UTC)
	}
	if c.Precision == 0 {
		c.Precision = time.Second
	}
	if c.QueueDelay == nil {
		c.QueueDelay = func(r *rand.Rand) time.Duration {
			return 100*time.Millisecond + time.Duration(r.Int64N(int64(1900*time.Millisecond)))
		}
	}
	if c.Owner.First == "" && c.Owner.Last == "" {
		c.Owner.First, c.Owner.Last = "Anna", "Kern"
	}
	w := &World{
		host: c.Host, zone: c.Zone, precision: c.Precision, delay: c.QueueDelay, created: c.Created.UTC(),
		rng:       rand.New(rand.NewPCG(c.Seed, 0x726f6f6d)), //nolint:gosec // a simulation has to be repeatable
		byAccount: make(map[string]*Account), folders: make(map[string]*Folder), farFiles: make(map[string]*File),
		sections: make(map[Section]*Folder), bearers: make(map[string][]bearer), textRefs: make(map[string]int32),
		nextFolder: firstFolderID, lastID: firstEventID,
		// Number 0 of texts, places, details and clients stands for none.
		texts: []string{""}, places: make([]place, 1), details: make([]Detail, 1), clients: make([]Client, 1),
	}
	w.system = w.addAccount(w.created, nil, Person{ID: SystemID, First: "System", Last: "Account", Kind: SystemAccount})
	w.anonymous = w.addAccount(w.created, nil, Person{ID: AnonymousID, First: "Anonymous", Kind: SystemAccount})
	c.Owner.Kind = PortalOwner
	w.owner = w.addAccount(w.created, nil, c.Owner)
	w.everyone = &Group{ID: EveryoneID, Name: "Everyone", System: true}
	w.sections[RoomsSection] = w.addSection("2", "Rooms", RoomsSection, w.owner)
	w.sections[ArchiveSection] = w.addSection("5", "Archive", ArchiveSection, w.owner)
	w.sections[AgentsSection] = w.addSection("8", "AI agents", AgentsSection, w.owner)
	return w
}

// Owner returns the portal's owner.
func (w *World) Owner() *Account { return w.owner }

// System returns the account that stands for the portal itself.
func (w *World) System() *Account { return w.system }

// Anonymous returns the account that stands for whoever comes by a public link.
func (w *World) Anonymous() *Account { return w.anonymous }

// Everyone returns the system group of all active accounts but guests.
func (w *World) Everyone() *Group { return w.everyone }

// Zone returns the portal's time zone.
func (w *World) Zone() *time.Location { return w.zone }

// SetZone changes the portal's time zone, and with it the dates of all that is listed from now on.
func (w *World) SetZone(zone *time.Location) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.zone = zone
}

// Precision returns what stored dates are rounded to.
func (w *World) Precision() time.Duration { return w.precision }

// row is an audit row. There can be millions: keep it small.
type row struct {
	recorded int64 // microseconds since 1970, rounded to the portal's precision
	inserted int64
	id       int32
	actor    uint32
	client   uint32
	place    uint32
	detail   uint32
	title    int32 // text
	target   [2]int32
	action   int16
	context  Context
	page     pageKind
}

func micros(t time.Time) int64          { return t.UnixMicro() }
func fromMicros(us int64) time.Time     { return time.UnixMicro(us).UTC() }
func (w *World) date(t time.Time) int64 { return micros(t.Round(w.precision)) }

// queue holds rows that are not inserted yet, the next one first.
type queue []waiting

type waiting struct {
	at       int64
	sequence int
	row      row
}

func (q *queue) Len() int { return len(*q) }
func (q *queue) Less(i, j int) bool {
	a, b := &(*q)[i], &(*q)[j]
	return a.at < b.at || a.at == b.at && a.sequence < b.sequence
}
func (q *queue) Swap(i, j int) { (*q)[i], (*q)[j] = (*q)[j], (*q)[i] }
func (q *queue) Push(x any)    { *q = append(*q, x.(waiting)) }
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// insertUntil gives ids to all rows due by t.
func (w *World) insertUntil(t int64) {
	for len(w.queue) > 0 && w.queue[0].at <= t {
		next := heap.Pop(&w.queue).(waiting)
		w.insert(next.row, next.at)
	}
}

func (w *World) insert(r row, at int64) {
	w.frontier = max(w.frontier, at)
	w.lastID++
	if w.rng.IntN(4) == 0 { // the other portals of the installation use the same counter
		w.lastID += 1 + int32(w.rng.IntN(3)) //nolint:gosec // below four
	}
	r.id, r.inserted = w.lastID, w.frontier
	if Action(r.action).Kind().Tracked {
		if room := w.places[r.place].room; room != nil {
			room.log = append(room.log, LogRow(len(w.rows))) //nolint:gosec // ids are int32, so rows are fewer
		}
	}
	w.rows = append(w.rows, r)
}

// upToDate reports whether all rows inserted by now are published.
func (w *World) upToDate(now int64) bool {
	return (len(w.queue) == 0 || w.queue[0].at > now) &&
		(w.published == len(w.rows) || w.rows[w.published].inserted > now)
}

// publish makes the rows inserted by now readable. What has been readable
// once stays so, even if the clock is set back.
func (w *World) publish(now int64) {
	w.insertUntil(now)
	end := len(w.rows)
	for end > w.published && w.rows[end-1].inserted > now {
		end--
	}
	fresh := make([]uint32, 0, end-w.published)
	for i := w.published; i < end; i++ {
		if Action(w.rows[i].action).Kind().Listed {
			fresh = append(fresh, uint32(i)) //nolint:gosec // ids are int32, so rows are fewer
		}
	}
	w.published = end
	slices.SortFunc(fresh, w.compareDates)
	// Merge from the back, so that the usual case, nothing late, is an append.
	i, j := len(w.byDate)-1, len(fresh)-1
	w.byDate = append(w.byDate, fresh...)
	for k := len(w.byDate) - 1; j >= 0; k-- {
		if i >= 0 && w.compareDates(w.byDate[i], fresh[j]) > 0 {
			w.byDate[k] = w.byDate[i]
			i--
		} else {
			w.byDate[k] = fresh[j]
			j--
		}
	}
}

func (w *World) compareDates(a, b uint32) int {
	return cmp.Or(cmp.Compare(w.rows[a].recorded, w.rows[b].recorded), cmp.Compare(a, b))
}

// Restore plays what a restored or moved portal shows: every row inserted up
// to backup is listed again under a new, higher id and with its old date, the
// old ids are gone, and rows inserted after backup are lost. Rooms, files and
// people stay as they are.
func (w *World) Restore(backup, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.insertUntil(micros(at))
	old := w.rows
	w.rows, w.byDate, w.published, w.queue = make([]row, 0, len(old)), nil, 0, nil
	for _, r := range w.rooms {
		r.log = nil
	}
	for _, r := range old {
		if r.inserted <= micros(backup) {
			w.insert(r, micros(at))
		}
	}
}

func (w *World) text(s string) int32 {
	if s == "" {
		return 0
	}
	ref, ok := w.textRefs[s]
	if !ok {
		ref = int32(len(w.texts)) //nolint:gosec // far fewer than rows
		s = strings.Clone(s)
		w.texts = append(w.texts, s)
		w.textRefs[s] = ref
	}
	return ref
}

// ref is how rows name what they are about: a number as it is, a text by its
// place among the texts, negative.
func (w *World) ref(id string) int32 {
	if n, err := strconv.ParseInt(id, 10, 32); err == nil && n > 0 {
		return int32(n)
	}
	return -w.text(id)
}

func (w *World) refID(ref int32) string {
	if ref < 0 {
		return w.texts[-ref]
	}
	return strconv.Itoa(int(ref))
}

func (w *World) guid() string {
	a, b := w.rng.Uint64(), w.rng.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, 0x8000|b>>48&0x3fff, b&0xffffffffffff)
}

func (w *World) token(n int) string {
	const letters = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[w.rng.IntN(len(letters))]
	}
	return string(b)
}

func (w *World) addAccount(at time.Time, by *Account, p Person) *Account {
	if p.ID == "" {
		p.ID = w.guid()
	}
	if w.byAccount[p.ID] != nil {
		panic(fmt.Sprintf("world: account %s exists", p.ID))
	}
	user := strings.ToLower(strings.Join(strings.Fields(p.First+" "+p.Last), "."))
	if p.Email == "" {
		p.Email = user + "@example.org"
	}
	if user == "" {
		user, _, _ = strings.Cut(p.Email, "@")
	}
	a := &Account{
		ID: p.ID, First: p.First, Last: p.Last, Email: p.Email, UserName: user, Kind: p.Kind, Status: Active,
		Registered: at, CreatedBy: by, index: uint32(len(w.accounts)), //nolint:gosec // few accounts
	}
	a.clients = w.addClients(int(a.index))
	w.accounts = append(w.accounts, a)
	w.byAccount[a.ID] = a
	return a
}

func (w *World) addSection(id, title string, s Section, owner *Account) *Folder {
	f := &Folder{ID: id, Title: title, Section: s, Creator: owner, Updater: owner, Created: w.created, Updated: w.created, w: w, ref: w.ref(id)}
	w.folders[id] = f
	return f
}

// documentsOf returns the person's own section.
func (w *World) documentsOf(a *Account) *Folder {
	if a.documents == nil {
		a.documents = w.addSection(w.folderID(nil), "My documents", MyDocuments, a)
	}
	return a.documents
}

// folderID makes an id for a folder in parent.
func (w *World) folderID(parent *Folder) string {
	w.nextFolder++
	for w.folders[strconv.Itoa(int(w.nextFolder))] != nil {
		w.nextFolder++
	}
	if parent != nil && parent.ref < 0 {
		return fmt.Sprintf("%s-%08x", parent.InRoom().ID, w.rng.Uint32())
	}
	return strconv.Itoa(int(w.nextFolder))
}

func (w *World) addFolder(at time.Time, who *Account, parent *Folder, id, title string) *Folder {
	if id == "" {
		id = w.folderID(parent)
	}
	if w.folders[id] != nil {
		panic(fmt.Sprintf("world: folder %s exists", id))
	}
	f := &Folder{ID: id, Title: title, Parent: parent, Creator: who, Updater: who, Created: at, Updated: at, w: w, ref: w.ref(id)}
	w.folders[id] = f
	parent.Folders = append(parent.Folders, f)
	return f
}

// settle gives the folder and all below it a new place, after it was made,
// moved or renamed.
func (w *World) settle(f *Folder) {
	p := place{folder: f, room: f.Room, title: w.text(f.Title)}
	if f.Room == nil {
		p.parent = f.Parent.place
		p.room, p.name = w.places[p.parent].room, w.places[p.parent].name
	} else {
		p.name = p.title
	}
	f.place = uint32(len(w.places)) //nolint:gosec // far fewer than rows
	w.places = append(w.places, p)
	for _, sub := range f.Folders {
		w.settle(sub)
	}
}

func (w *World) addFile(at time.Time, who *Account, parent *Folder, title string) *File {
	f := &File{
		Title: w.texts[w.text(title)], Folder: parent, Creator: who, Updater: who, created: micros(at), updated: micros(at), Version: 1,
		index: int32(len(parent.Files)), //nolint:gosec // few files in a folder
	}
	if parent.ref < 0 {
		f.ID = fmt.Sprintf("%s-%08x", parent.InRoom().ID, w.rng.Uint32())
		f.ref = w.ref(f.ID)
		w.farFiles[f.ID] = f
	} else {
		f.ref = firstFileID + int32(len(w.files)) //nolint:gosec // far fewer than rows
		f.ID = strconv.Itoa(int(f.ref))
		w.files = append(w.files, f)
	}
	parent.Files = append(parent.Files, f)
	return f
}

func (w *World) file(id string) *File {
	if n, err := strconv.Atoi(id); err == nil {
		if n -= firstFileID; n >= 0 && n < len(w.files) {
			return w.files[n]
		}
		return nil
	}
	return w.farFiles[id]
}

// takeOut removes the file from its folder's list.
func takeOut(f *File) {
	files := f.Folder.Files
	last := files[len(files)-1]
	files[f.index], last.index = last, f.index
	f.Folder.Files = files[:len(files)-1]
}

func putInto(f *File, folder *Folder) {
	f.Folder, f.index = folder, int32(len(folder.Files)) //nolint:gosec // few files in a folder
	folder.Files = append(folder.Files, f)
}

func (w *World) bear(r *Room, from time.Time) {
	w.bearers[r.Title] = append(w.bearers[r.Title], bearer{room: r, from: from})
}

func (w *World) unbear(r *Room, to time.Time) {
	spans := w.bearers[r.Title]
	for i := range spans {
		if spans[i].room == r && spans[i].to.IsZero() {
			spans[i].to = to
		}
	}
}
