package world_test

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"roompulse/internal/demoportal/world"
)

var start = time.Date(2026, 9, 14, 8, 0, 0, 0, time.UTC)

func at(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }

// facts returns what is true of all rows inserted by t.
func facts(w *world.World, t time.Time) []world.Fact {
	return slices.Collect(w.Truth(t).Events())
}

// listed returns the rows that the audit endpoints list at t, by rising date.
func listed(w *world.World, t time.Time) []world.Event {
	var events []world.Event
	w.Read(t, func(v world.View) {
		lo, hi := v.Window(time.Time{}, time.Time{})
		for i := lo; i < hi; i++ {
			events = append(events, v.Event(i))
		}
	})
	return events
}

func only(t *testing.T, all []world.Fact, action world.Action) []world.Fact {
	t.Helper()
	found := slices.DeleteFunc(slices.Clone(all), func(f world.Fact) bool { return f.Kind.ID != action })
	if len(found) == 0 {
		t.Fatalf("no row of action %d", action)
	}
	return found
}

func TestRowsInsertedAtOnceOvertakeTheQueue(t *testing.T) {
	t.Parallel()
	w := world.New(world.Config{QueueDelay: func(*rand.Rand) time.Duration { return 10 * time.Second }})
	room := w.At(at(0), w.Owner()).CreateRoom(world.RoomSpec{Title: "Survey"})
	file := w.At(at(1), w.Owner()).Upload(room.Folder, "plan.docx")
	w.At(at(1).Add(2*time.Second), w.Owner()).Open(file)

	rows := facts(w, at(2))
	upload, open := only(t, rows, world.FileUploaded)[0], only(t, rows, world.FileOpenedForChange)[0]
	if open.ID >= upload.ID || !open.Date.After(upload.Date) {
		t.Errorf("opened as %d at %v, uploaded as %d at %v", open.ID, open.Date, upload.ID, upload.Date)
	}
	if early := facts(w, at(1).Add(5*time.Second)); len(early) != 2 {
		t.Errorf("%d rows while the upload is in the queue, want the room and the opening", len(early))
	}
}

func TestLateRowsAppearAtTheirPlace(t *testing.T) {
	t.Parallel()
	w := world.New(world.Config{})
	room := w.At(at(0), w.Owner()).CreateRoom(world.RoomSpec{Title: "Survey"})
	file := w.At(at(1), w.Owner()).Upload(room.Folder, "plan.docx")
	w.At(at(2), w.Owner()).Late(3 * time.Hour).Download(file)
	w.At(at(3), w.Owner()).Save(file)

	actions := func(now time.Time) (list []world.Action) {
		for _, e := range listed(w, now) {
			list = append(list, e.Kind.ID)
		}
		return list
	}
	if got, want := actions(at(60)), []world.Action{world.RoomCreated, world.FileUploaded, world.UserFileUpdated}; !slices.Equal(got, want) {
		t.Errorf("an hour later: %v, want %v", got, want)
	}
	if got, want := actions(at(200)), []world.Action{world.RoomCreated, world.FileUploaded, world.FileDownloaded, world.UserFileUpdated}; !slices.Equal(got, want) {
		t.Errorf("in the end: %v, want %v", got, want)
	}
	late := only(t, facts(w, at(200)), world.FileDownloaded)[0]
	saved := only(t, facts(w, at(200)), world.UserFileUpdated)[0]
	if late.ID < saved.ID || late.Date != at(2) {
		t.Errorf("the late row has id %d and date %v; that of the save is %d", late.ID, late.Date, saved.ID)
	}
}

// A past can be played ahead: readers see what was inserted by their clock.
func TestTheFutureIsNotThereYet(t *testing.T) {
	t.Parallel()
	w := world.New(world.Config{})
	w.At(at(5), w.Owner()).ChangeSettings()
	w.At(at(9), w.Owner()).ChangeSettings()
	w.At(at(10), w.Owner()).ChangeSettings()
	for _, c := range [][2]int{{4, 0}, {6, 1}, {60, 3}, {6, 3}} { // what has been readable stays so
		if n := len(listed(w, at(c[0]))); n != c[1] {
			t.Errorf("minute %d: %d rows, want %d", c[0], n, c[1])
		}
	}
}

// The index by date, which grows by merging, agrees with sorting all rows.
func TestIndexAgreesWithSorting(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := world.New(world.Config{Seed: rapid.Uint64().Draw(t, "seed")})
		room := w.At(start, w.Owner()).CreateRoom(world.RoomSpec{Title: "Survey"})
		file := w.At(start, w.Owner()).Upload(room.Folder, "plan.docx")
		now := start
		for range rapid.IntRange(1, 60).Draw(t, "acts") {
			now = now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "ms")) * time.Millisecond)
			s := w.At(now.Add(-time.Duration(rapid.IntRange(0, 5).Draw(t, "ago"))*time.Second), w.Owner())
			if rapid.Bool().Draw(t, "late") {
				s = s.Late(time.Duration(rapid.IntRange(0, 20).Draw(t, "by")) * time.Second)
			}
			switch rapid.IntRange(0, 3).Draw(t, "act") {
			case 0:
				s.Open(file) // at once
			case 1:
				s.ColorRoom(room) // never listed
			default:
				s.Save(file)
			}
			if rapid.Bool().Draw(t, "read") {
				checkIndex(t, w, now)
			}
		}
		checkIndex(t, w, now.Add(time.Hour))
	})
}

func checkIndex(t *rapid.T, w *world.World, now time.Time) {
	var want []world.Fact
	for _, f := range facts(w, now) {
		if f.Inserted.After(now) {
			t.Fatalf("row %d of %v shows at %v", f.ID, f.Inserted, now)
		}
		if f.Listed {
			want = append(want, f)
		}
	}
	if !slices.IsSortedFunc(want, func(a, b world.Fact) int { return cmp.Compare(a.ID, b.ID) }) {
		t.Fatal("rows are not in the order of ids")
	}
	slices.SortStableFunc(want, func(a, b world.Fact) int { return a.Date.Compare(b.Date) })
	got := listed(w, now)
	if !slices.EqualFunc(got, want, func(a world.Event, b world.Fact) bool { return a.ID == b.ID && a.Date.Equal(b.Date) }) {
		t.Fatalf("index has %d rows, sorting gives %d", len(got), len(want))
	}
	if len(got) == 0 {
		return
	}
	// A window is exactly what lies within it.
	from, to := got[len(got)/3].Date, got[len(got)*2/3].Date
	w.Read(now, func(v world.View) {
		lo, hi := v.Window(from, to)
		inside := 0
		for _, e := range got {
			if !e.Date.Before(from) && !e.Date.After(to) {
				inside++
			}
		}
		if hi-lo != inside || v.Event(lo).Date != from || v.Event(hi-1).Date != to {
			t.Fatalf("window holds %d rows, want %d", hi-lo, inside)
		}
	})
}

func TestMovesAndCopies(t *testing.T) {
	t.Parallel()
	w := world.New(world.Config{})
	anna := w.Owner()
	tender := w.At(at(0), anna).CreateRoom(world.RoomSpec{Title: "Tender"})
	board := w.At(at(1), anna).CreateRoom(world.RoomSpec{Title: "Board"})
	drafts := w.At(at(2), anna).CreateFolder(tender.Folder, "Drafts")
	mine := w.At(at(3), anna).Documents()

	for _, c := range []struct {
		name  string
		act   func(time.Time) world.Action
		rooms []*world.Room // of the rows by rising id
		named bool          // whether contexts name them
	}{
		{"within a room", func(t time.Time) world.Action {
			w.At(t, anna).MoveFile(w.At(t, anna).Upload(tender.Folder, "a"), drafts)
			return world.FileMoved
		}, []*world.Room{tender}, true},
		{"across rooms, destination first", func(t time.Time) world.Action {
			w.At(t, anna).MoveFile(w.At(t, anna).Upload(drafts, "b"), board.Folder)
			return world.FileMoved
		}, []*world.Room{board, tender}, true},
		{"copy across rooms", func(t time.Time) world.Action {
			w.At(t, anna).CopyFile(w.At(t, anna).Upload(drafts, "c"), board.Folder)
			return world.FileCopied
		}, []*world.Room{board, tender}, true},
		{"from My documents", func(t time.Time) world.Action {
			w.At(t, anna).MoveFile(w.At(t, anna).Upload(mine, "d"), board.Folder)
			return world.FileMoved
		}, []*world.Room{board, nil}, false},
		{"to My documents", func(t time.Time) world.Action {
			w.At(t, anna).CopyFile(w.At(t, anna).Upload(board.Folder, "e"), mine)
			return world.FileCopied
		}, []*world.Room{nil, board}, false},
		{"folder across rooms", func(t time.Time) world.Action {
			f := w.At(t, anna).CreateFolder(tender.Folder, "Photos")
			w.At(t, anna).Upload(f, "f")
			w.At(t, anna).MoveFolder(f, board.Folder)
			return world.FolderMovedOverwrite
		}, []*world.Room{board, tender}, true},
	} {
		last := len(facts(w, at(1e6)))
		now := at(100 + last)
		action := c.act(now)
		rows := only(t, facts(w, now.Add(time.Hour))[last:], action)
		if len(rows) != len(c.rooms) {
			t.Errorf("%s: %d rows, want %d", c.name, len(rows), len(c.rooms))
			continue
		}
		for i, row := range rows {
			if row.Room != c.rooms[i] || !slices.Equal(row.Target, rows[0].Target) || row.Date != rows[0].Date || len(row.Target) != 2 {
				t.Errorf("%s: row %d: room %v, target %v, date %v", c.name, i, row.Room, row.Target, row.Date)
			}
			if named := row.Context == world.InRoom; named != c.named {
				t.Errorf("%s: row %d: context names a room: %v", c.name, i, named)
			}
			if c.named && row.RoomTitle != row.Room.Title {
				t.Errorf("%s: row %d: context says %q", c.name, i, row.RoomTitle)
			}
		}
	}
}

func TestFilesOfAMovedFolderLeaveNoRowAndTheOldRoomKeepsItsPast(t *testing.T) {
	t.Parallel()
	w := world.New(world.Config{})
	anna := w.Owner()
	a := w.At(at(0), anna).CreateRoom(world.RoomSpec{Title: "A"})
	b := w.At(at(1), anna).CreateRoom(world.RoomSpec{Title: "B"})
	drafts := w.At(at(2), anna).CreateFolder(a.Folder, "Drafts")
	file := w.At(at(3), anna).Upload(drafts, "plan.docx")
	before := len(facts(w, at(10)))
	w.At(at(10), anna).MoveFolder(drafts, b.Folder)
	w.At(at(11), anna).Save(file)
	if n := len(facts(w, at(20))) - before; n != 3 {
		t.Errorf("%d rows of the move and the save, want 3", n)
	}
	for _, f := range facts(w, at(20)) {
		if f.Evidence&world.ByEntry != 0 {
			t.Errorf("row %d: where the file is now says nothing", f.ID)
		}
	}
	logged := func(f *world.Folder) (actions []world.Action) {
		w.Read(at(20), func(v world.View) {
			for _, row := range v.Log(f, time.Time{}, time.Time{}) {
				actions = append(actions, v.LogEvent(row).Kind.ID)
			}
		})
		return actions
	}
	if got, want := logged(a.Folder), []world.Action{world.RoomCreated, world.FolderCreated, world.FileUploaded, world.FolderMovedOverwrite}; !slices.Equal(got, want) {
		t.Errorf("log of the old room %v, want %v", got, want)
	}
	if got, want := logged(b.Folder), []world.Action{world.RoomCreated, world.FolderMovedOverwrite, world.UserFileUpdated}; !slices.Equal(got, want) {
		t.Errorf("log of the new room %v, want %v", got, want)
	}
	if got, want := logged(drafts), []world.Action{
		world.FolderCreated, world.FileUploaded, world.FolderMovedOverwrite, world.FolderMovedOverwrite, world.UserFileUpdated,
	}; !slices.Equal(got, want) {
		t.Errorf("log of the folder %v, want %v", got, want)
	}
}

func TestEvidence(t *testing.T) {
	t.Parallel()
	w := world.New(world.Config{})
	anna := w.Owner()
	one := w.At(at(0), anna).CreateRoom(world.RoomSpec{Title: "Tender"})
	plan := w.At(at(1), anna).Upload(one.Folder, "plan.docx")
	w.At(at(2), anna).Download(plan) // the title is unique here
	two := w.At(at(3), anna).CreateRoom(world.RoomSpec{Title: "Tender"})
	w.At(at(4), anna).Download(plan) // and not here
	old := w.At(at(5), anna).Upload(two.Folder, "old.pdf")
	w.At(at(6), anna).Download(old)
	w.At(at(7), anna).DeleteFile(old)
	w.At(at(8), anna).RenameRoom(two, "Bids")
	w.At(at(9), anna).Download(plan)
	w.At(at(10), anna).ChangeSettings()

	rows := facts(w, at(20))
	var got []world.Evidence
	for _, f := range only(t, rows, world.FileDownloaded) {
		got = append(got, f.Evidence)
	}
	want := []world.Evidence{world.ByTitle | world.ByEntry, world.ByEntry, 0, world.ByTitle | world.ByEntry}
	if !slices.Equal(got, want) {
		t.Errorf("evidence of the downloads %v, want %v", got, want)
	}
	if f := only(t, rows, world.RoomRenamed)[0]; f.Evidence != world.ByTarget|world.ByLog || f.RoomTitle != "Tender" {
		t.Errorf("renaming: evidence %v, title %q", f.Evidence, f.RoomTitle)
	}
	// Files and rooms have numbers of their own, which may be equal.
	same := w.At(at(11), anna).CreateRoom(world.RoomSpec{Title: "Same", ID: "7002"})
	twin := w.At(at(12), anna).Upload(same.Folder, "twin.pdf")
	if f := only(t, facts(w, at(20)), world.FileUploaded)[2]; twin.ID != same.ID || f.Evidence&world.ByTarget != 0 {
		t.Errorf("file %s in room %s: evidence %v", twin.ID, same.ID, f.Evidence)
	}
	if f := only(t, rows, world.LanguageSettingsUpdated)[0]; f.Room != nil || f.Evidence != 0 {
		t.Errorf("settings: room %v, evidence %v", f.Room, f.Evidence)
	}
}

func TestMembershipsOverTime(t *testing.T) {
	t.Parallel()
	w := world.New(world.Config{Created: at(-100)})
	anna := w.Owner()
	bob := w.At(at(0), anna).AddAccount(world.Person{First: "Bob"})
	cleo := w.At(at(1), anna).AddAccount(world.Person{First: "Cleo"})
	w.At(at(2), anna).AddAccount(world.Person{First: "Gus", Kind: world.Guest})
	group := w.At(at(3), anna).CreateGroup("Analysts", nil, bob)
	room := w.At(at(4), anna).CreateRoom(world.RoomSpec{Title: "Survey"})
	w.At(at(5), anna).Invite(room, bob, world.Viewer)
	w.At(at(6), anna).AddGroup(room, group, world.Editor)
	w.At(at(7), anna).AddToGroup(group, cleo)
	w.At(at(8), anna).ChangeAccess(room, bob, world.Editor)
	w.At(at(9), bob).RemoveMember(room, bob)
	w.At(at(10), anna).ChangeOwner(room, bob)
	w.At(at(11), anna).RemoveGroup(room, group)
	w.At(at(12), anna).AddGroup(room, w.Everyone(), world.Viewer)
	w.At(at(13), anna).DeleteRoom(room)

	type way struct {
		who   *world.Account
		group *world.Group
		right world.Access
		since int
	}
	for _, c := range []struct {
		minute int
		want   []way
	}{
		{3, nil},
		{4, []way{{anna, nil, world.RoomOwner, 4}}},
		{7, []way{{anna, nil, world.RoomOwner, 4}, {bob, nil, world.Viewer, 5}, {bob, group, world.Editor, 6}, {cleo, group, world.Editor, 7}}},
		{8, []way{{anna, nil, world.RoomOwner, 4}, {bob, group, world.Editor, 6}, {cleo, group, world.Editor, 7}, {bob, nil, world.Editor, 8}}},
		{9, []way{{anna, nil, world.RoomOwner, 4}, {bob, group, world.Editor, 6}, {cleo, group, world.Editor, 7}}},
		{10, []way{{bob, group, world.Editor, 6}, {cleo, group, world.Editor, 7}, {bob, nil, world.RoomOwner, 10}, {anna, nil, world.RoomManager, 10}}},
		{12, []way{
			{bob, nil, world.RoomOwner, 10},
			{anna, nil, world.RoomManager, 10},
			{anna, w.Everyone(), world.Viewer, 12},
			{bob, w.Everyone(), world.Viewer, 12},
			{cleo, w.Everyone(), world.Viewer, 12},
		}},
		{13, nil},
	} {
		var got []way
		for _, m := range w.Truth(at(100)).Members(room, at(c.minute)) {
			got = append(got, way{m.Account, m.Group, m.Access, int(m.Since.Sub(start).Minutes())})
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("minute %d: %v, want %v", c.minute, got, c.want)
		}
	}
	for _, f := range facts(w, at(100)) {
		if f.Kind.ID == world.GroupUpdated {
			t.Error("coming into a group left a row")
		}
	}
}

func TestRestoreListsThePastUnderNewIDs(t *testing.T) {
	t.Parallel()
	w := world.New(world.Config{})
	anna := w.Owner()
	room := w.At(at(0), anna).CreateRoom(world.RoomSpec{Title: "Survey"})
	file := w.At(at(1), anna).Upload(room.Folder, "plan.docx")
	w.At(at(50), anna).Save(file)
	old := facts(w, at(60))
	w.Restore(at(30), at(90))
	restored := facts(w, at(100))
	if len(old) != 3 || len(restored) != 2 {
		t.Fatalf("%d rows before, %d after", len(old), len(restored))
	}
	for i, f := range restored {
		if f.ID <= old[2].ID || !f.Date.Equal(old[i].Date) || f.Kind != old[i].Kind {
			t.Errorf("row %d of %v became %d of %v", old[i].ID, old[i].Date, f.ID, f.Date)
		}
	}
	w.Read(at(100), func(v world.View) {
		if n := len(v.Log(room.Folder, time.Time{}, time.Time{})); n != 2 {
			t.Errorf("%d rows in the room's log", n)
		}
	})
}
