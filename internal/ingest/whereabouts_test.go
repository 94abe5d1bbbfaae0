package ingest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"roompulse/internal/audit"
	"roompulse/internal/demoportal/world"
	"roompulse/internal/docspace"
	"roompulse/internal/ingest"
)

// tenDays is a portal that has ten days until the end, and its owner at the begin of each.
func tenDays() (begin time.Time, w *world.World, boss func(day int) world.Session) {
	begin = end.Add(-10 * 24 * time.Hour)
	w = world.New(world.Config{Created: begin})
	return begin, w, func(day int) world.Session { return w.At(begin.AddDate(0, 0, day), w.Owner()) }
}

// wantRooms checks in which rooms the events about a file or folder were found to be.
func (h *harness) wantRooms(t *testing.T, what, id string, want ...string) {
	t.Helper()
	if got, want := fmt.Sprintf("%q", h.roomsOf(t, id)), fmt.Sprintf("%q", want); got != want {
		t.Errorf("%s: the events are in %s, want %s", what, got, want)
	}
}

// picky refuses the logs and files named.
type picky struct {
	*docspace.Client
	refused map[string]bool
	all     bool // all files
}

func (p *picky) RoomLog(ctx context.Context, id string, from, to time.Time, start, count int) (audit.LogPage, error) {
	if p.refused[id] {
		return audit.LogPage{}, audit.ErrNotReadable
	}
	return p.Client.RoomLog(ctx, id, from, to, start, count)
}

func (p *picky) FileFolder(ctx context.Context, id string) (string, error) {
	if p.all || p.refused[id] {
		return "", audit.ErrNotReadable
	}
	return p.Client.FileFolder(ctx, id)
}

// TestSyncDoubtsWhatWentWithAnUnknownFolder: a file was moved into a folder of which nobody knows where it lies, and a folder above that one went to
// another room of the same title.
func TestSyncDoubtsWhatWentWithAnUnknownFolder(t *testing.T) {
	t.Parallel()
	begin, w, boss := tenDays()
	first := boss(1).CreateRoom(world.RoomSpec{Title: "Tender"})
	outer := boss(1).CreateFolder(first.Folder, "Plans")
	inner := boss(1).CreateFolder(outer, "Drafts")
	second := boss(2).CreateRoom(world.RoomSpec{Title: "Tender"})
	deep := boss(3).Upload(first.Folder, "b.docx")
	h := newHarness(t, w, begin.AddDate(0, 0, 4))
	portal := &closedPortal{Client: h.client, files: true}
	sync := func() {
		t.Helper()
		_, err := h.syncFrom(t, portal, ingest.Options{})
		must(t, err)
	}
	sync()
	boss(5).MoveFile(deep, inner)
	boss(6).MoveFolder(outer, second.Folder)
	boss(7).Download(deep)
	portal.files = false
	h.now = end
	sync()
	h.wantRooms(t, "upload, move, download", deep.ID, first.ID, "", "")
}

// TestSyncDoubtsAMoveAtTheSecondOfASighting: a file was uploaded and moved within its room in one second, and the folder that it went
// to left the room.
func TestSyncDoubtsAMoveAtTheSecondOfASighting(t *testing.T) {
	t.Parallel()
	_, w, boss := tenDays()
	first, second := boss(1).CreateRoom(world.RoomSpec{Title: "Tender"}), boss(1).CreateRoom(world.RoomSpec{Title: "Tender"})
	plans, drafts := boss(1).CreateFolder(first.Folder, "Plans"), boss(1).CreateFolder(first.Folder, "Drafts")
	file := boss(2).Late(30*time.Second).Upload(plans, "a.docx")
	boss(2).MoveFile(file, drafts)
	boss(5).MoveFolder(drafts, second.Folder)
	boss(6).Download(file)
	h := newHarness(t, w, end)
	_, err := h.syncFrom(t, &closedPortal{Client: h.client, logs: true}, ingest.Options{})
	must(t, err)
	for i, room := range h.roomsOf(t, file.ID) {
		if i == 2 && room == first.ID {
			t.Errorf("the download is in %s, but was in %s", room, second.ID)
		}
	}
}

// TestSyncDoubtsActsAtTheSecondOfAMove: nobody knows which came first.
func TestSyncDoubtsActsAtTheSecondOfAMove(t *testing.T) {
	t.Parallel()
	_, w, boss := tenDays()
	first, second := boss(1).CreateRoom(world.RoomSpec{Title: "Tender"}), boss(1).CreateRoom(world.RoomSpec{Title: "Tender"})
	file := boss(2).Upload(first.Folder, "a.docx")
	boss(3).MoveFile(file, second.Folder)
	boss(3).Download(file)
	h := newHarness(t, w, end)
	_, err := h.syncFrom(t, &picky{Client: h.client, refused: map[string]bool{second.ID: true}}, ingest.Options{})
	must(t, err)
	rooms := h.roomsOf(t, file.ID)
	if rooms[len(rooms)-1] == first.ID {
		t.Errorf("the download is in %s, but was in %s", first.ID, second.ID)
	}
}

// TestSyncIgnoresFoldersOfOthers: a folder of which nobody ever saw anything near a file, and that went to another room, casts no
// doubt on where the file was.
func TestSyncIgnoresFoldersOfOthers(t *testing.T) {
	t.Parallel()
	for _, other := range []bool{false, true} {
		_, w, boss := tenDays()
		first := boss(1).CreateRoom(world.RoomSpec{Title: "Tender"})
		boss(1).CreateRoom(world.RoomSpec{Title: "Tender"})
		archive := boss(1).CreateRoom(world.RoomSpec{Title: "Archive"})
		file := boss(2).Upload(boss(2).Documents(), "a.docx")
		stuff := boss(2).CreateFolder(boss(2).Documents(), "Stuff")
		boss(3).MoveFile(file, first.Folder)
		boss(4).Download(file)
		if other {
			boss(5).MoveFolder(stuff, archive.Folder)
		}
		h := newHarness(t, w, end)
		h.log = func(audit.LogPage, error) (audit.LogPage, error) { return audit.LogPage{}, audit.ErrNotReadable }
		h.mustSync(t)
		h.wantRooms(t, fmt.Sprintf("other folder %v: upload, move, download", other), file.ID, "", first.ID, "", first.ID)
	}
}

// TestSyncFollowsAFolderOutAndBack: a folder left a room, came back to another folder of it and left again with that one; the result is the
// same for one sync at the end and for many on the way.
func TestSyncFollowsAFolderOutAndBack(t *testing.T) {
	t.Parallel()
	for _, often := range []bool{false, true} {
		begin := end.Add(-12 * 24 * time.Hour)
		w := world.New(world.Config{Created: begin})
		boss := func(day int) world.Session { return w.At(begin.AddDate(0, 0, day), w.Owner()) }
		first := boss(1).CreateRoom(world.RoomSpec{Title: "Tender"})
		outer, inner := boss(1).CreateFolder(first.Folder, "Plans"), boss(1).CreateFolder(first.Folder, "Drafts")
		draft := boss(1).Upload(boss(1).Documents(), "draft.docx")
		boss(1).MoveFile(draft, inner)
		file := boss(2).Upload(inner, "a.docx")
		h := newHarness(t, w, begin.AddDate(0, 0, 2).Add(12*time.Hour))
		sync := func(day int) {
			if often {
				h.now = begin.AddDate(0, 0, day).Add(12 * time.Hour)
				h.mustSync(t)
			}
		}
		sync(2)
		boss(3).MoveFolder(inner, boss(3).Documents())
		boss(4).MoveFolder(inner, outer)
		sync(4)
		second := boss(5).CreateRoom(world.RoomSpec{Title: "Tender"})
		sync(5)
		boss(6).Save(file)
		sync(6)
		boss(7).MoveFolder(outer, second.Folder)
		boss(8).Download(file)
		h.now = end
		h.mustSync(t)
		rooms := h.roomsOf(t, file.ID)
		if rooms[len(rooms)-1] != second.ID {
			t.Errorf("often %v: the download is in %q, but was in %s", often, rooms[len(rooms)-1], second.ID)
		}
		h.wantNothingOpen(t)
	}
}

// TestSyncAsksForWhatItTookBack: what was known by inference, until a folder left, is asked for like what never was known.
func TestSyncAsksForWhatItTookBack(t *testing.T) {
	t.Parallel()
	for _, often := range []bool{false, true} {
		begin, w, boss := tenDays()
		first, second := boss(1).CreateRoom(world.RoomSpec{Title: "Tender"}), boss(1).CreateRoom(world.RoomSpec{Title: "Tender"})
		folder := boss(1).CreateFolder(first.Folder, "Plans")
		file := boss(2).Upload(folder, "a.docx")
		h := newHarness(t, w, begin.AddDate(0, 0, 3))
		if often {
			h.mustSync(t)
		}
		boss(4).MoveFolder(folder, second.Folder)
		boss(5).Download(file)
		h.now = end
		h.mustSync(t)
		h.now = h.now.AddDate(0, 0, 2)
		h.mustSync(t)
		h.wantRooms(t, fmt.Sprintf("often %v: upload, download", often), file.ID, first.ID, second.ID)
	}
}

// TestSyncTakesMovesBack: a move was placed by where its folder was thought to lie, which a late event shows to be wrong.
func TestSyncTakesMovesBack(t *testing.T) {
	t.Parallel()
	for _, often := range []bool{false, true} {
		begin, w, boss := tenDays()
		first, second := boss(1).CreateRoom(world.RoomSpec{Title: "Tender"}), boss(1).CreateRoom(world.RoomSpec{Title: "Archive"})
		outer := boss(1).CreateFolder(first.Folder, "Plans")
		inner := boss(1).CreateFolder(outer, "Drafts")
		file := boss(2).Upload(boss(2).Documents(), "a.docx")
		boss(3).MoveFile(file, inner)
		boss(4).Late(48*time.Hour).MoveFolder(outer, second.Folder)
		h := newHarness(t, w, begin.AddDate(0, 0, 5))
		h.log = func(audit.LogPage, error) (audit.LogPage, error) { return audit.LogPage{}, audit.ErrNotReadable }
		if often {
			h.mustSync(t)
		}
		h.now = end
		h.mustSync(t)
		h.wantRooms(t, fmt.Sprintf("often %v: upload, move", often), file.ID, "", "", "")
	}
}

// TestSyncDoubtsAnAnswerJustBeforeAMove: the portal was asked where a file lies, and the file was moved in the same second.
func TestSyncDoubtsAnAnswerJustBeforeAMove(t *testing.T) {
	t.Parallel()
	begin, w, boss := tenDays()
	first, second := boss(1).CreateRoom(world.RoomSpec{Title: "Tender"}), boss(1).CreateRoom(world.RoomSpec{Title: "Tender"})
	folder := boss(1).CreateFolder(first.Folder, "Plans")
	file := boss(2).Upload(first.Folder, "a.docx")
	h := newHarness(t, w, begin.AddDate(0, 0, 4).Add(200*time.Millisecond))
	portal := &closedPortal{Client: h.client, files: true}
	_, err := h.syncFrom(t, portal, ingest.Options{})
	must(t, err)
	w.At(begin.AddDate(0, 0, 4).Add(400*time.Millisecond), w.Owner()).MoveFile(file, folder)
	boss(5).MoveFolder(folder, second.Folder)
	boss(6).Download(file)
	portal.files = false
	h.now = end
	_, err = h.syncFrom(t, portal, ingest.Options{})
	must(t, err)
	h.wantRooms(t, "upload, move, download", file.ID, first.ID, "", "")
}

// TestSyncKnowsMovesByLateEvents: one of the two events of a folder's move came late.
func TestSyncKnowsMovesByLateEvents(t *testing.T) {
	t.Parallel()
	for _, often := range []bool{false, true} {
		begin := end.Add(-20 * 24 * time.Hour)
		w := world.New(world.Config{Created: begin})
		boss := func(day int) world.Session { return w.At(begin.AddDate(0, 0, day), w.Owner()) }
		first := boss(1).CreateRoom(world.RoomSpec{Title: "Tender"})
		second := boss(1).CreateRoom(world.RoomSpec{Title: "Archive"})
		boss(1).CreateRoom(world.RoomSpec{Title: "Tender"})
		folder := boss(1).CreateFolder(first.Folder, "Plans")
		file := boss(2).Upload(folder, "a.docx")
		// what MoveFolder(folder, second.Folder) does, with one row late
		target := folder.ID + "," + second.ID
		boss(3).Record(world.FolderMovedOverwrite, first.Folder, target)
		boss(3).Late(60*time.Hour).Record(world.FolderMovedOverwrite, second.Folder, target)
		h := newHarness(t, w, begin.AddDate(0, 0, 4))
		portal := &closedPortal{Client: h.client, logs: true}
		if often {
			_, err := h.syncFrom(t, portal, ingest.Options{})
			must(t, err)
		}
		boss(7).RenameRoom(second, "Tender")
		boss(8).Download(file) // in truth in second
		h.now = end
		for range 2 {
			_, err := h.syncFrom(t, portal, ingest.Options{})
			must(t, err)
			h.now = h.now.Add(25 * time.Hour)
		}
		h.wantRooms(t, fmt.Sprintf("often %v: upload, download", often), file.ID, first.ID, "")
	}
}

// TestSyncJoinsMovesAcrossWindows: a move within a room happened in the last second that a run read, where its other event might have been missing.
func TestSyncJoinsMovesAcrossWindows(t *testing.T) {
	t.Parallel()
	for _, often := range []bool{false, true} {
		begin := end.Add(-10 * 24 * time.Hour)
		w := world.New(world.Config{Created: begin, Precision: time.Microsecond})
		boss := func(day int) world.Session { return w.At(begin.AddDate(0, 0, day), w.Owner()) }
		first := boss(1).CreateRoom(world.RoomSpec{Title: "Tender"})
		boss(1).CreateRoom(world.RoomSpec{Title: "Tender"})
		folder := boss(1).CreateFolder(first.Folder, "Plans")
		file := boss(2).Upload(first.Folder, "a.docx")
		boss(3).Download(file)
		h := newHarness(t, w, begin.AddDate(0, 0, 4))
		h.log = func(audit.LogPage, error) (audit.LogPage, error) { return audit.LogPage{}, audit.ErrNotReadable }
		// a run reads up to two minutes before its begin
		w.At(h.now.Add(-2*time.Minute-300*time.Millisecond), w.Owner()).MoveFile(file, folder)
		if often {
			h.mustSync(t)
			h.now = h.now.Add(2 * time.Hour)
			h.mustSync(t)
		}
		h.now = end
		h.mustSync(t)
		h.wantRooms(t, fmt.Sprintf("often %v: upload, download, move", often), file.ID, first.ID, first.ID, "")
	}
}

// TestSyncLearnsWhereFoldersLieLater: a folder left a room, and at first nobody knows whether a file
// was in it. A later log tells in which folder that one lay, which makes an earlier event's room known.
func TestSyncLearnsWhereFoldersLieLater(t *testing.T) {
	t.Parallel()
	begin, w, boss := tenDays()
	room, archive := boss(1).CreateRoom(world.RoomSpec{Title: "Tender"}), boss(1).CreateRoom(world.RoomSpec{Title: "Archive"})
	plans, others := boss(1).CreateFolder(room.Folder, "Plans"), boss(1).CreateFolder(room.Folder, "Others")
	file := boss(1).Upload(plans, "a.docx")
	boss(2).CreateRoom(world.RoomSpec{Title: "Tender"})
	boss(3).Save(file)
	boss(4).MoveFolder(others, archive.Folder)
	boss(5).Download(file)
	h := newHarness(t, w, begin.AddDate(0, 0, 6))
	portal := &closedPortal{Client: h.client, logs: true}
	_, err := h.syncFrom(t, portal, ingest.Options{})
	must(t, err)
	h.wantRooms(t, "the upload, the save and the download", file.ID, room.ID, room.ID, "")
	boss(7).RenameFolder(plans, "Drafts")
	h.now = end
	_, err = h.syncFrom(t, portal, ingest.Options{})
	must(t, err)
	h.wantRooms(t, "the upload, the save and the download", file.ID, room.ID, room.ID, room.ID)
}

// TestSyncDoubtsWhatWasMovedIntoAFolder: a file was seen in a room, was moved into a folder of that
// room, and went to another room of the same title with that folder. Only the trail tells of all that.
func TestSyncDoubtsWhatWasMovedIntoAFolder(t *testing.T) {
	t.Parallel()
	begin, w, boss := tenDays()
	first, second := boss(1).CreateRoom(world.RoomSpec{Title: "Tender"}), boss(1).CreateRoom(world.RoomSpec{Title: "Tender"})
	outer := boss(1).CreateFolder(first.Folder, "Plans")
	inner := boss(1).CreateFolder(first.Folder, "Drafts")
	direct, deep, stays := boss(2).Upload(first.Folder, "a.docx"), boss(2).Upload(first.Folder, "b.docx"), boss(2).Upload(first.Folder, "c.docx")
	h := newHarness(t, w, begin.AddDate(0, 0, 3))
	portal := &closedPortal{Client: h.client, files: true}
	sync := func() {
		t.Helper()
		_, err := h.syncFrom(t, portal, ingest.Options{})
		must(t, err)
	}
	sync()
	boss(4).MoveFile(direct, outer)
	boss(4).MoveFile(deep, inner)
	boss(4).MoveFolder(inner, outer)
	boss(5).MoveFolder(outer, second.Folder)
	for _, file := range []*world.File{direct, deep, stays} {
		boss(6).Download(file)
	}
	portal.files = false
	h.now = end
	sync()
	for _, test := range []struct {
		file *world.File
		want []string
	}{
		{direct, []string{first.ID, "", ""}},
		{deep, []string{first.ID, "", ""}},
		{stays, []string{first.ID, first.ID}},
	} {
		h.wantRooms(t, "what happened to "+test.file.Title, test.file.ID, test.want...)
	}
}

// TestSyncDoubtsWhereMovedFilesAre: a file was moved from one room to another of the same
// title, and both were deleted before their logs told. Then nobody knows where its later acts were.
func TestSyncDoubtsWhereMovedFilesAre(t *testing.T) {
	t.Parallel()
	begin, w, boss := tenDays()
	first, second := boss(1).CreateRoom(world.RoomSpec{Title: "Tender"}), boss(1).CreateRoom(world.RoomSpec{Title: "Tender"})
	moved, carried := boss(2).Upload(first.Folder, "a.docx"), boss(2).CreateFolder(first.Folder, "Plans")
	inside := boss(2).Upload(carried, "b.docx")
	h := newHarness(t, w, begin.AddDate(0, 0, 3))
	h.mustSync(t)
	boss(4).Download(moved)
	boss(4).Download(inside)
	boss(5).MoveFile(moved, second.Folder)
	boss(5).MoveFolder(carried, second.Folder)
	boss(6).Download(moved)
	boss(6).Download(inside)
	boss(7).DeleteRoom(first)
	boss(7).DeleteRoom(second)
	h.now = end
	h.mustSync(t)
	in := first.ID
	h.wantRooms(t, "the upload, a download, the move and a download of the file", moved.ID, in, in, "", "", "")
	h.wantRooms(t, "the upload and downloads of the file in the folder", inside.ID, in, in, "")
	h.wantNothingOpen(t)
}

// TestSyncDoubtsWhatWasCarriedAlong: a folder went to another room of the same title with one in it,
// which was taken back later. What was done in between was not done where it was before and after.
func TestSyncDoubtsWhatWasCarriedAlong(t *testing.T) {
	t.Parallel()
	begin, w, boss := tenDays()
	first, second := boss(1).CreateRoom(world.RoomSpec{Title: "Tender"}), boss(1).CreateRoom(world.RoomSpec{Title: "Tender"})
	outer := boss(2).CreateFolder(first.Folder, "Plans")
	inner := boss(2).CreateFolder(outer, "Drafts")
	file := boss(2).Upload(inner, "a.docx")
	h := newHarness(t, w, begin.Add(60*time.Hour))
	h.mustSync(t)
	boss(3).MoveFolder(outer, second.Folder)
	boss(4).Download(file)
	boss(5).MoveFolder(inner, first.Folder)
	h.now = end
	h.mustSync(t)
	rooms := h.roomsOf(t, file.ID)
	if len(rooms) != 2 || rooms[0] != first.ID || rooms[1] == first.ID {
		t.Errorf("the upload and the download are in %q, want %s, and %s or nowhere", rooms, first.ID, second.ID)
	}
}
