package ingest_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"roompulse/internal/audit"
	"roompulse/internal/demoportal/world"
	"roompulse/internal/ingest"
)

// TestSimulateRooms plays random portals in which much is hard to attribute: rooms that
// share titles and change them, files that move between them and from and to people's own documents,
// deleted files and rooms, rooms without a log, groups, copies. Syncs come in
// between. In the end every event that the portal lets anybody attribute must be
// in its room and none in a wrong one, and members must be known as of any moment.
// A failing seed replays exactly: go test -run TestSimulateRooms/seed=N ./internal/ingest
func TestSimulateRooms(t *testing.T) {
	t.Parallel()
	for seed := range simulatedSeeds(t, 20) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 1))
			s := newStage(rng, time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC))
			h := newHarness(t, s.world, s.now)
			s.perform(t, h)
			h.checkTruthBy(t, world.ByTarget|world.ByTitle|world.ByLog|world.ByEntry, year(2000), year(2100))
			h.checkRollups(t)
			h.checkMembers(t, s)
			h.checkOrder(t)
		})
	}
}

// TestSimulateRoomsWithoutLogs is the same with a portal that refuses all logs
// of rooms, and with one older than DocSpace 3.6, whose logs have no ids.
func TestSimulateRoomsWithoutLogs(t *testing.T) {
	t.Parallel()
	for seed := range simulatedSeeds(t, 4) {
		for name, log := range map[string]func(audit.LogPage, error) (audit.LogPage, error){
			"refused": func(audit.LogPage, error) (audit.LogPage, error) { return audit.LogPage{}, audit.ErrNotReadable },
			"old": func(page audit.LogPage, err error) (audit.LogPage, error) {
				for i := range page.Entries {
					page.Entries[i].EventID = 0
				}
				return page, err
			},
		} {
			t.Run(fmt.Sprintf("%s/seed=%d", name, seed), func(t *testing.T) {
				t.Parallel()
				rng := rand.New(rand.NewPCG(seed, 2))
				s := newStage(rng, time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC))
				h := newHarness(t, s.world, s.now)
				h.log = log
				s.perform(t, h)
				ways := world.ByTarget | world.ByTitle
				if name == "old" { // logs tell where files were
					ways |= world.ByEntry
					h.checkMembers(t, s)
				}
				h.checkTruthBy(t, ways, year(2000), year(2100))
				h.checkRollups(t)
			})
		}
	}
}

// perform plays two weeks with syncs in between, and then some days without.
func (s *stage) perform(t *testing.T, h *harness) {
	t.Helper()
	s.begin = s.now
	firstSync := s.begin.Add(time.Duration(s.rng.IntN(10*24)) * time.Hour)
	for days := range 14 {
		s.playUntil(s.begin.AddDate(0, 0, days+1))
		if h.now = s.now; h.now.After(firstSync) && s.rng.IntN(3) > 0 {
			h.mustSync(t)
		}
	}
	for range 6 { // logs that nothing calls for are read bit by bit
		h.now = h.now.Add(25 * time.Hour)
		h.mustSync(t)
	}
}

// stage is a portal in the making.
type stage struct {
	world  *world.World
	rng    *rand.Rand
	begin  time.Time
	now    time.Time
	people []*world.Account
	groups []*world.Group
	rooms  []*world.Room
	files  []*world.File
	// folders are below rooms.
	folders []*world.Folder
	// silent are those who came or went without an entry in any log, and the
	// rooms that were made with members.
	silent map[string]bool
}

func newStage(rng *rand.Rand, begin time.Time) *stage {
	s := &stage{
		world: world.New(world.Config{Zone: time.UTC, Created: begin, Seed: rng.Uint64()}),
		rng:   rng, now: begin, silent: map[string]bool{},
	}
	s.people = []*world.Account{s.world.Owner()}
	for i := range 8 {
		person := world.Person{First: fmt.Sprintf("Person %d", i), Last: "Test", Email: fmt.Sprintf("p%d@example.org", i)}
		if i%4 == 3 {
			person.Kind = world.Guest
		}
		s.people = append(s.people, s.boss().AddAccount(person))
	}
	for i := range 2 {
		s.groups = append(s.groups, s.boss().CreateGroup(fmt.Sprintf("Group %d", i), s.people[1], s.people[1], s.people[i+2]))
	}
	for range 3 {
		s.makeRoom()
	}
	return s
}

func (s *stage) boss() world.Session { return s.world.At(s.now, s.world.Owner()) }

func (s *stage) title() string {
	return []string{"Alpha", "Beta", "Tender", "Tender: 2026"}[s.rng.IntN(4)]
}

func (s *stage) makeRoom() {
	spec := world.RoomSpec{Title: s.title()}
	switch len(s.rooms) {
	case 2:
		spec.Type = world.AIRoom
	case 4:
		spec.ID = "sbox-4"
	}
	room := s.boss().CreateRoom(spec)
	s.rooms = append(s.rooms, room)
	for _, p := range s.people[1:4] {
		s.boss().Invite(room, p, world.Editor)
	}
	s.files = append(s.files, s.boss().Upload(room.Folder, "a.docx"))
}

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }

// room is one that exists.
func (s *stage) room() *world.Room {
	for {
		if r := pick(s.rng, s.rooms); !r.Deleted {
			return r
		}
	}
}

// file is one that exists, in a room or in somebody's documents.
func (s *stage) file() *world.File {
	for range 100 {
		if f := pick(s.rng, s.files); !f.Gone() && f.Trash == nil {
			return f
		}
	}
	f := s.boss().Upload(s.room().Folder, "b.docx")
	s.files = append(s.files, f)
	return f
}

func (s *stage) playUntil(end time.Time) {
	for s.now.Before(end) {
		s.act()
		s.now = s.now.Add(time.Duration(s.rng.IntN(90*60)) * time.Second)
	}
}

func (s *stage) act() {
	person := pick(s.rng, s.people[1:])
	for person.Deleted || person.Status != world.Active {
		person = pick(s.rng, s.people[:4])
	}
	by := s.world.At(s.now, person)
	switch n := s.rng.IntN(100); {
	case n < 45:
		f := s.file()
		[]func(*world.File){by.Download, by.Open, by.Save, by.View}[s.rng.IntN(4)](f)
	case n < 55:
		s.files = append(s.files, by.Upload(s.room().Folder, "c.docx"))
	case n < 63:
		s.moveOrCopy(by)
	case n < 66:
		s.moveFolder(by)
	case n < 69:
		if f := s.file(); f.Folder.InRoom() != nil {
			by.DeleteFile(f)
		}
	case n < 72 && len(s.rooms) < 9:
		s.makeRoom()
	case n < 76:
		s.boss().RenameRoom(s.room(), s.title())
	case n < 78:
		if room := s.room(); len(s.rooms) > 4 {
			s.boss().DeleteRoom(room)
			s.makeRoom()
		}
	case n < 80:
		s.files = append(s.files, by.Upload(by.Documents(), "draft.docx"))
	default:
		s.changeMembers()
	}
}

func (s *stage) moveOrCopy(by world.Session) {
	f, to := s.file(), s.destination(by)
	if isOutside(f.Folder) || isOutside(to) || f.Folder == to {
		return
	}
	if s.rng.IntN(2) == 0 {
		by.MoveFile(f, to)
	} else {
		s.files = append(s.files, by.CopyFile(f, to))
	}
}

// isOutside tells of storage elsewhere. It gives new ids to what is moved there, which is not simulated.
func isOutside(f *world.Folder) bool { return f.InRoom() != nil && f.InRoom().ThirdParty() }

// destination is a room, somebody's documents, or a folder.
func (s *stage) destination(by world.Session) *world.Folder {
	switch n := s.rng.IntN(6); {
	case n < 2:
		return by.Documents()
	case n < 3 && len(s.folders) > 0:
		if folder := pick(s.rng, s.folders); folder.InRoom() == nil || !folder.InRoom().Deleted {
			return folder
		}
	}
	return s.room().Folder
}

// moveFolder moves a folder with what lies in it, which has no event of its own.
func (s *stage) moveFolder(by world.Session) {
	to := s.destination(by)
	if isOutside(to) {
		return
	}
	if len(s.folders) < 6 {
		folder := by.CreateFolder(to, "Folder")
		s.folders = append(s.folders, folder)
		s.files = append(s.files, by.Upload(folder, "d.docx"), by.Upload(folder, "e.docx"))
		return
	}
	folder := pick(s.rng, s.folders)
	if room := folder.InRoom(); room != nil && room.Deleted || folder.Parent == to {
		return
	}
	for f := to; f != nil; f = f.Parent {
		if f == folder {
			return
		}
	}
	if s.rng.IntN(4) == 0 {
		by = by.Late(time.Duration(s.rng.IntN(48)) * time.Hour)
	}
	by.MoveFolder(folder, to)
}

func (s *stage) changeMembers() {
	room, person, group := s.room(), pick(s.rng, s.people[1:]), pick(s.rng, s.groups)
	if person.Deleted || room.Owner == person {
		return
	}
	var access world.Access
	for g := range room.Grants() {
		if g.Account == person {
			access = g.Access
		}
	}
	hasGroup := false
	for g := range room.Grants() {
		hasGroup = hasGroup || g.Group == group
	}
	switch n := s.rng.IntN(20); {
	case n < 8 && access == world.NoAccess:
		s.boss().Invite(room, person, pick(s.rng, []world.Access{world.Editor, world.Viewer, world.RoomManager}))
	case n < 8:
		s.boss().RemoveMember(room, person)
	case n < 10 && access == world.NoAccess && person.Status == world.Active: // by a link
		s.world.At(s.now, person).Invite(room, person, world.Viewer)
	case n < 10 && access != world.NoAccess && person.Status == world.Active:
		s.world.At(s.now, person).RemoveMember(room, person)
	case n < 12 && access != world.NoAccess:
		s.boss().ChangeAccess(room, person, world.Commenter)
	case n < 13 && person.Status == world.Active && person.Kind != world.Guest:
		s.boss().ChangeOwner(room, person)
	case n < 15 && !hasGroup:
		s.boss().AddGroup(room, group, world.Editor)
	case n < 16 && hasGroup:
		s.boss().ChangeGroupAccess(room, group, world.Viewer)
	case n < 17 && hasGroup:
		s.boss().RemoveGroup(room, group)
	case n < 18:
		s.boss().AddToGroup(group, person)
	case n < 19 && len(s.rooms) < 9 && !room.ThirdParty():
		s.rooms = append(s.rooms, s.boss().CopyRoom(room, s.title(), true))
		s.silent[s.rooms[len(s.rooms)-1].ID] = true
	case person == s.people[len(s.people)-1]:
		for _, r := range s.rooms {
			if r.Owner == person {
				return
			}
		}
		s.silent[person.ID] = true
		s.boss().DeleteAccount(person)
	}
}

// checkMembers compares who had a right of their own, and which groups had one, at random moments.
func (h *harness) checkMembers(t *testing.T, s *stage) {
	t.Helper()
	truth := h.world.Truth(h.now)
	var firstList time.Time
	must(t, h.conn.QueryRow(t.Context(), "SELECT max(members_since) FROM room").Scan(&firstList))
	for _, room := range truth.Rooms() {
		if room.Deleted || room.ThirdParty() || s.silent[room.ID] {
			continue
		}
		moments := []time.Time{h.now.Add(-time.Hour)}
		for range 20 {
			moments = append(moments, s.begin.Add(time.Duration(s.rng.Int64N(int64(s.now.Sub(s.begin))))))
		}
		for _, at := range moments {
			want := map[string]int16{}
			for _, m := range truth.Members(room, at) {
				if m.Group == nil {
					want[m.Account.ID] = int16(m.Access)
				}
			}
			rows, err := h.conn.Query(t.Context(), `
				SELECT a.account_id, m.access
				FROM room_member AS m
				JOIN room AS r USING (portal_id, room_key)
				JOIN account AS a USING (portal_id, account_key)
				WHERE r.room_id = $1 AND m.valid_from <= $2 AND m.valid_to > $2 AND coalesce(r.created_at, '-infinity') <= $2`, room.ID, at)
			must(t, err)
			for rows.Next() {
				var id string
				var access int16
				must(t, rows.Scan(&id, &access))
				right, ok := want[id]
				delete(want, id)
				switch {
				case s.silent[id]:
				case !ok:
					t.Errorf("room %s at %s: %s is taken for a member", room.ID, at.Format(time.DateTime), id)
				case access != right && at.After(firstList.Add(48*time.Hour)) && at.Equal(moments[0]):
					t.Errorf("room %s at %s: %s has right %d, not %d", room.ID, at.Format(time.DateTime), id, access, right)
				}
			}
			must(t, rows.Err())
			for id := range want {
				if !s.silent[id] {
					t.Errorf("room %s at %s: member %s is missing", room.ID, at.Format(time.DateTime), id)
				}
			}
		}
	}
}

// checkOrder forgets the rooms of all events that anything but the event and the
// logs tells, judges them anew, and finds the same: the result does not depend
// on the order in which evidence came.
func (h *harness) checkOrder(t *testing.T) {
	t.Helper()
	snapshot := func() map[int64]string { // what became surer meanwhile is in the same room
		rows, err := h.conn.Query(t.Context(), `
			SELECT e.event_id, CASE e.room_source WHEN 3 THEN 6 WHEN 5 THEN 4 ELSE e.room_source END || ' ' || coalesce(r.room_id, '')
			FROM audit_event AS e LEFT JOIN room AS r USING (portal_id, room_key)`)
		must(t, err)
		found := map[int64]string{}
		for rows.Next() {
			var id int64
			var place string
			must(t, rows.Scan(&id, &place))
			found[id] = place
		}
		must(t, rows.Err())
		return found
	}
	before := snapshot()
	for _, sql := range []string{
		"UPDATE audit_event AS e SET room_key = NULL, room_source = 0 FROM context AS c WHERE c.portal_id = e.portal_id AND c.context_key = e.context_key AND c.title IS NOT NULL AND room_source IN (4, 5, 6, 7)",
		"UPDATE audit_event AS e SET room_key = NULL, room_source = 8 WHERE room_source = 5",
		"UPDATE context SET is_stale = true WHERE title IS NOT NULL",
		"UPDATE entry SET is_stale = true, has_moves = is_folder",
		"DELETE FROM room_day",
		"DELETE FROM event_hour",
		"DELETE FROM event_day",
	} {
		_, err := h.conn.Exec(t.Context(), sql)
		must(t, err)
	}
	_, err := h.sync(t, ingest.Options{})
	must(t, err)
	after := snapshot()
	for id, place := range before {
		if after[id] != place {
			t.Errorf("event %d was %q and is %q when judged anew", id, place, after[id])
		}
	}
}
