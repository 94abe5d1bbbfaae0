package world

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"time"
)

// View is the portal as it is at one instant: what a server could read from
// its database then. It is valid only inside the function given to Read.
type View struct{ w *World }

// Read calls f with the portal as it is. Rows inserted after now are not there
// yet, whatever their date. Acts wait until f returns; f must not act.
func (w *World) Read(now time.Time, f func(View)) {
	w.mu.RLock()
	for !w.upToDate(micros(now)) {
		w.mu.RUnlock()
		w.mu.Lock()
		w.publish(micros(now))
		w.mu.Unlock()
		w.mu.RLock()
	}
	defer w.mu.RUnlock()
	f(View{w})
}

// Window returns the positions lo <= i < hi of the listed rows dated within
// from and to, both included. A zero bound is none. Positions rise with the
// date, within one date with the id.
func (v View) Window(from, to time.Time) (lo, hi int) {
	w := v.w
	lo, hi = 0, len(w.byDate)
	if !from.IsZero() {
		lo = sort.Search(hi, func(i int) bool { return w.rows[w.byDate[i]].recorded >= micros(from) })
	}
	if !to.IsZero() {
		hi = sort.Search(hi, func(i int) bool { return w.rows[w.byDate[i]].recorded > micros(to) })
	}
	return lo, max(lo, hi)
}

// Event returns the listed row at a position.
func (v View) Event(position int) Event { return v.w.event(&v.w.rows[v.w.byDate[position]]) }

// Ties returns the positions of all listed rows that have the date of the one at position.
func (v View) Ties(position int) (lo, hi int) {
	rows, byDate := v.w.rows, v.w.byDate
	at := rows[byDate[position]].recorded
	// Groups are small: walk rather than search the whole index.
	for lo = position; lo > 0 && rows[byDate[lo-1]].recorded == at; lo-- {
	}
	for hi = position + 1; hi < len(byDate) && rows[byDate[hi]].recorded == at; hi++ {
	}
	return lo, hi
}

// LogRow is a row of a log; LogEvent makes the whole of it.
type LogRow uint32

// LogEvent returns the whole of a row of a log.
func (v View) LogEvent(r LogRow) Event { return v.w.event(&v.w.rows[r]) }

// Log returns the rows that the log of a folder, a room mostly, has: those
// about it and what lay below it at that time, by rising id. The caller must
// not change them.
func (v View) Log(f *Folder, from, to time.Time) []LogRow {
	w := v.w
	if f.Room != nil {
		if from.IsZero() && to.IsZero() {
			return v.readable(f.Room.log)
		}
		return v.logRows(f.Room.log, from, to, func(*row) bool { return true })
	}
	var rows []LogRow
	for _, r := range w.rooms {
		rows = append(rows, r.log...)
	}
	slices.Sort(rows)
	return v.logRows(rows, from, to, func(r *row) bool {
		for p := r.place; p != 0; p = w.places[p].parent {
			if w.places[p].folder == f {
				return true
			}
		}
		return false
	})
}

// FileLog returns the rows that the log of a file has, by rising id. It looks
// at all rows.
func (v View) FileLog(f *File, from, to time.Time) []LogRow {
	rows := make([]LogRow, v.w.published)
	for i := range rows {
		rows[i] = LogRow(i)
	}
	return v.logRows(rows, from, to, func(r *row) bool {
		kind := Action(r.action).Kind()
		return kind.Tracked && r.target[0] == f.ref && slices.Contains(kind.Entries, Entries["File"])
	})
}

// readable returns the rows that are published.
func (v View) readable(rows []LogRow) []LogRow {
	n := sort.Search(len(rows), func(i int) bool { return int(rows[i]) >= v.w.published })
	return rows[:n]
}

func (v View) logRows(rows []LogRow, from, to time.Time, keep func(*row) bool) []LogRow {
	lo, hi := int64(math.MinInt64), int64(math.MaxInt64)
	if !from.IsZero() {
		lo = micros(from)
	}
	if !to.IsZero() {
		hi = micros(to)
	}
	var kept []LogRow
	for _, i := range v.readable(rows) {
		if r := &v.w.rows[i]; r.recorded >= lo && r.recorded <= hi && keep(r) {
			kept = append(kept, i)
		}
	}
	return kept
}

// Rooms returns all rooms and agents that are not deleted, in the order they were made.
func (v View) Rooms() []*Room {
	var rooms []*Room
	for _, r := range v.w.rooms {
		if !r.Deleted {
			rooms = append(rooms, r)
		}
	}
	return rooms
}

// Folder returns a folder, room or section root that is not deleted, nil if there is none.
func (v View) Folder(id string) *Folder {
	if f := v.w.folders[id]; f != nil && !f.gone() {
		return f
	}
	return nil
}

// Section returns the root of a section other than My documents.
func (v View) Section(s Section) *Folder { return v.w.sections[s] }

// Root returns the section root above a folder: that of the archive for what lies in an archived room.
func (v View) Root(f *Folder) *Folder {
	if r := f.InRoom(); r != nil && r.Archived {
		return v.w.sections[ArchiveSection]
	}
	for f.Parent != nil {
		f = f.Parent
	}
	return f
}

// File returns a file that is not deleted for good, nil if there is none.
func (v View) File(id string) *File {
	if f := v.w.file(id); f != nil && !f.Deleted && (f.Trash != nil || !f.Gone()) {
		return f
	}
	return nil
}

// Accounts returns all accounts that are not deleted and stand for people, in the order they were made.
func (v View) Accounts() []*Account {
	var accounts []*Account
	for _, a := range v.w.accounts {
		if !a.Deleted && a.Kind != SystemAccount {
			accounts = append(accounts, a)
		}
	}
	return accounts
}

// Account returns the account with an id or user name, deleted ones
// included, nil if there is none.
func (v View) Account(id string) *Account {
	if a := v.w.byAccount[id]; a != nil {
		return a
	}
	for _, a := range v.w.accounts {
		if a.UserName == id {
			return a
		}
	}
	return nil
}

// Groups returns all groups of people by name, Everyone aside.
func (v View) Groups() []*Group {
	return slices.SortedFunc(slices.Values(v.w.groups), func(a, b *Group) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
}

// Group returns a group, Everyone included, nil if there is none.
func (v View) Group(id string) *Group {
	if id == EveryoneID {
		return v.w.everyone
	}
	for _, g := range v.w.groups {
		if g.ID == id {
			return g
		}
	}
	return nil
}
