package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"roompulse/internal/audit"
	"roompulse/internal/demoportal/world"
	"roompulse/internal/docspace"
	"roompulse/internal/ingest"
)

// roomsOf are the rooms that the events about a file or folder were found to belong to, by id
// of the event; empty if none was found.
func (h *harness) roomsOf(t *testing.T, id string) (rooms []string) {
	t.Helper()
	rows, err := h.conn.Query(t.Context(), `
		SELECT coalesce(CASE WHEN NOT r.is_unresolved THEN r.room_id END, '')
		FROM audit_event AS e LEFT JOIN room AS r USING (portal_id, room_key)
		WHERE split_part(e.target, ',', 1) = $1
		ORDER BY e.event_id`, id)
	must(t, err)
	for rows.Next() {
		var room string
		must(t, rows.Scan(&room))
		rooms = append(rooms, room)
	}
	must(t, rows.Err())
	return rooms
}

// wantNothingOpen checks that the next run has nothing left to look for.
func (h *harness) wantNothingOpen(t *testing.T) {
	t.Helper()
	var open int
	must(t, h.conn.QueryRow(t.Context(), "SELECT count(*) FROM entry WHERE ask_at IS NOT NULL OR is_stale OR has_moves").Scan(&open))
	if open > 0 {
		t.Errorf("%d files and folders are still looked for", open)
	}
}

// failing is a portal that always fails on the logs of some rooms and on some files.
type failing struct {
	*docspace.Client
	ids map[string]bool
}

func (f *failing) RoomLog(ctx context.Context, id string, from, to time.Time, start, count int) (audit.LogPage, error) {
	if f.ids[id] {
		return audit.LogPage{}, audit.ErrUnavailable
	}
	return f.Client.RoomLog(ctx, id, from, to, start, count)
}

func (f *failing) FileFolder(ctx context.Context, id string) (string, error) {
	if f.ids[id] {
		return "", audit.ErrUnavailable
	}
	return f.Client.FileFolder(ctx, id)
}

// TestSyncNeverStarves: rooms and files that the portal always fails on come first in
// every order, and keep nothing else from being found.
func TestSyncNeverStarves(t *testing.T) {
	t.Parallel()
	const broken = 5
	begin := end.Add(-10 * 24 * time.Hour)
	w := world.New(world.Config{Created: begin})
	boss := func(hours int) world.Session { return w.At(begin.Add(time.Duration(hours)*time.Hour), w.Owner()) }
	var rooms []*world.Room
	for range 3 * broken {
		rooms = append(rooms, boss(1).CreateRoom(world.RoomSpec{Title: "Tender"}))
	}
	ids := map[string]bool{}
	var others []*world.File
	for i, room := range rooms {
		for j := range 3 {
			file := boss(2+3*j).Upload(room.Folder, "a.docx")
			boss(3 + 3*j).Download(file)
			if i < broken && j == 0 {
				ids[room.ID], ids[file.ID] = true, true
			} else {
				others = append(others, file)
			}
		}
	}
	h := newHarness(t, w, end)
	for range 4 {
		_, err := h.syncFrom(t, &failing{h.client, ids}, ingest.Options{})
		if !errors.Is(err, ingest.ErrIncomplete) {
			t.Fatalf("got %v, want an incomplete run", err)
		}
		h.now = h.now.Add(time.Hour)
	}
	for _, file := range others {
		room := file.Folder.InRoom().ID
		h.wantRooms(t, "the events of a file", file.ID, room, room)
	}
}

// TestSyncConfirmsInTurn: logs that nothing calls for are read page by page
// within a share of the run's requests; a long one keeps no other waiting and is read in the end.
func TestSyncConfirmsInTurn(t *testing.T) {
	t.Parallel()
	const long, runs = 1500, 8
	begin := end.Add(-10 * 24 * time.Hour)
	w := world.New(world.Config{Created: begin})
	at := func(minutes int) world.Session { return w.At(begin.Add(time.Duration(minutes)*time.Minute), w.Owner()) }
	for i := range 10 {
		room, files := at(0).CreateRoom(world.RoomSpec{Title: fmt.Sprintf("Room %d", i)}), 10
		if i == 0 {
			files = long
		}
		for j := range files {
			at(j+1).Upload(room.Folder, "a.docx")
		}
	}
	h := newHarness(t, w, end)
	logs := func() int {
		counts, _ := h.portal.RequestCounts()
		return counts["files/folder/{id}/log"]
	}
	inferred := func() (n int) {
		must(t, h.conn.QueryRow(t.Context(), "SELECT count(*) FROM audit_event WHERE room_source = 6").Scan(&n))
		return n
	}
	for run := range runs {
		before := logs()
		result, err := h.sync(t, ingest.Options{Parallel: 1})
		must(t, err)
		read := logs() - before
		if others := int(result.Requests) - read; read > others/4 {
			t.Errorf("run %d read %d pages of logs beside %d other requests", run, read, others)
		}
		if left := inferred(); run == 4 && left > long {
			t.Errorf("after %d runs a long log still keeps others waiting: %d titles are not confirmed", run+1, left)
		}
		h.now = h.now.Add(25 * time.Hour)
	}
	if left := inferred(); left > 0 {
		t.Errorf("after %d runs %d titles are not confirmed", runs, left)
	}
}

// TestSyncConfirmsPastACrowdedSecond: more happened in one second than a run reads of a log, and
// what came before is confirmed as well.
func TestSyncConfirmsPastACrowdedSecond(t *testing.T) {
	t.Parallel()
	const crowd, before = 1500, 20
	begin := end.Add(-10 * 24 * time.Hour)
	w := world.New(world.Config{Created: begin})
	at := func(minutes int) world.Session { return w.At(begin.Add(time.Duration(minutes)*time.Minute), w.Owner()) }
	room := at(0).CreateRoom(world.RoomSpec{Title: "Room"})
	for i := range before {
		at(i+1).Upload(room.Folder, "a.docx")
	}
	for range crowd {
		at(60).Upload(room.Folder, "b.docx")
	}
	h := newHarness(t, w, end)
	for range 5 {
		h.mustSync(t)
		h.now = h.now.Add(25 * time.Hour)
	}
	var left int
	must(t, h.conn.QueryRow(t.Context(), "SELECT count(*) FROM audit_event WHERE room_source = 6").Scan(&left))
	if left > 0 {
		t.Errorf("%d titles are not confirmed", left)
	}
}

// TestSyncConfirmsBesideUnknownEntries: a long log of which no entry is understood takes its turn, and no more.
func TestSyncConfirmsBesideUnknownEntries(t *testing.T) {
	t.Parallel()
	begin := end.Add(-10 * 24 * time.Hour)
	w := world.New(world.Config{Created: begin})
	room := w.At(begin, w.Owner()).CreateRoom(world.RoomSpec{Title: "Room"})
	for i := range 1500 {
		w.At(begin.Add(time.Duration(i)*time.Minute), w.Owner()).Upload(room.Folder, "a.docx")
	}
	h := newHarness(t, w, end)
	h.log = func(page audit.LogPage, err error) (audit.LogPage, error) {
		page.Entries = nil
		return page, err
	}
	h.mustSync(t)
	var asked bool
	must(t, h.conn.QueryRow(t.Context(), "SELECT log_asked_at IS NOT NULL FROM room WHERE room_id = $1", room.ID).Scan(&asked))
	if !asked {
		t.Error("the room whose log was read comes first in the next run again")
	}
}

// TestSyncPlacesMovesAtTheirTime: no log tells of moves into a folder, which has moved
// to another room since: only what came later is that room's.
func TestSyncPlacesMovesAtTheirTime(t *testing.T) {
	t.Parallel()
	_, w, boss := tenDays()
	first, second := boss(1).CreateRoom(world.RoomSpec{Title: "Tender"}), boss(1).CreateRoom(world.RoomSpec{Title: "Archive"})
	outer := boss(1).CreateFolder(first.Folder, "Plans")
	inner := boss(1).CreateFolder(outer, "Drafts")
	early, late := boss(2).Upload(boss(2).Documents(), "a.docx"), boss(2).Upload(boss(2).Documents(), "b.docx")
	boss(3).MoveFile(early, inner)
	boss(4).MoveFolder(outer, second.Folder)
	boss(5).MoveFile(late, inner)
	h := newHarness(t, w, end)
	h.log = func(audit.LogPage, error) (audit.LogPage, error) { return audit.LogPage{}, audit.ErrNotReadable }
	h.mustSync(t)
	if got, want := fmt.Sprintf("%q", h.roomsOf(t, early.ID)), `["" "" ""]`; got != want {
		t.Errorf("a move into the folder before it moved is in %s, want %s", got, want)
	}
	h.wantRooms(t, "a move into the folder after it moved", late.ID, "", second.ID, "")
	h.wantNothingOpen(t)
}

// closedPortal is a portal that does not show what the key lacks the rights for.
type closedPortal struct {
	*docspace.Client
	logs, files bool         // it shows these
	asked       atomic.Int32 // for files
}

func (c *closedPortal) RoomLog(ctx context.Context, id string, from, to time.Time, start, count int) (audit.LogPage, error) {
	if !c.logs {
		return audit.LogPage{}, audit.ErrNotReadable
	}
	return c.Client.RoomLog(ctx, id, from, to, start, count)
}

func (c *closedPortal) FileFolder(ctx context.Context, id string) (string, error) {
	if c.asked.Add(1); !c.files {
		return "", audit.ErrNotReadable
	}
	return c.Client.FileFolder(ctx, id)
}

// TestSyncAsksForRefusedFilesAgain: the portal refuses to show a file until the key gets
// more rights. It is asked again, but rarely.
func TestSyncAsksForRefusedFilesAgain(t *testing.T) {
	t.Parallel()
	begin := end.Add(-10 * 24 * time.Hour)
	w := world.New(world.Config{Created: begin})
	boss := w.At(begin, w.Owner())
	room := boss.CreateRoom(world.RoomSpec{Title: "Tender"})
	boss.CreateRoom(world.RoomSpec{Title: "Tender"})
	file := w.At(begin.Add(time.Hour), w.Owner()).Upload(room.Folder, "a.docx")
	h := newHarness(t, w, end)
	portal := &closedPortal{Client: h.client}
	sync := func(asked int32, room string) {
		t.Helper()
		_, err := h.syncFrom(t, portal, ingest.Options{})
		must(t, err)
		if got := h.roomsOf(t, file.ID); portal.asked.Load() != asked || got[0] != room {
			t.Errorf("on %s the portal was asked %d times and the file is in %q, want %d and %q", h.now.Format(time.DateOnly), portal.asked.Load(), got[0], asked, room)
		}
	}
	sync(1, "")
	h.now = h.now.AddDate(0, 0, 3)
	sync(1, "")
	portal.files = true
	h.now = h.now.AddDate(0, 0, 5)
	sync(2, room.ID)
}

// TestSyncBelievesAnEmptyLog: a move came into a room whose log has nothing of it. Only where a log is refused, or
// has no ids, is one of a move's two events taken for the room's.
func TestSyncBelievesAnEmptyLog(t *testing.T) {
	t.Parallel()
	begin := end.Add(-10 * 24 * time.Hour)
	for _, test := range []struct {
		name string
		err  error
		room bool
	}{{"empty", nil, false}, {"refused", audit.ErrNotReadable, true}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := world.New(world.Config{Created: begin})
			boss := func(day int) world.Session { return w.At(begin.AddDate(0, 0, day), w.Owner()) }
			room := boss(1).CreateRoom(world.RoomSpec{Title: "Tender"})
			file := boss(2).Upload(boss(2).Documents(), "a.docx")
			boss(3).MoveFile(file, room.Folder)
			h := newHarness(t, w, end)
			h.log = func(audit.LogPage, error) (audit.LogPage, error) { return audit.LogPage{}, test.err }
			h.mustSync(t)
			want := []string{"", "", ""}
			if test.room {
				want[1] = room.ID
			}
			if got, want := fmt.Sprintf("%q", h.roomsOf(t, file.ID)), fmt.Sprintf("%q", want); got != want {
				t.Errorf("the upload and the two events of the move are in %s, want %s", got, want)
			}
			h.wantNothingOpen(t)
		})
	}
}
