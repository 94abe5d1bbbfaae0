package ingest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"roompulse/internal/audit"
	"roompulse/internal/demoportal/world"
	"roompulse/internal/docspace"
	"roompulse/internal/ingest"
)

// mute is a portal whose logs of rooms do not answer while down is set.
type mute struct {
	*docspace.Client
	down bool
}

func (m *mute) RoomLog(ctx context.Context, id string, from, to time.Time, start, count int) (audit.LogPage, error) {
	if m.down {
		return audit.LogPage{}, errors.Join(audit.ErrUnavailable, errors.New("no answer"))
	}
	return m.Client.RoomLog(ctx, id, from, to, start, count)
}

// TestSyncAsksLogsAgain: a log that did not answer has not said that it does
// not know whom a change of members concerns.
func TestSyncAsksLogsAgain(t *testing.T) {
	t.Parallel()
	begin := end.Add(-48 * time.Hour)
	w := world.New(world.Config{Created: begin})
	ann := w.At(begin.Add(time.Hour), w.Owner()).AddAccount(world.Person{First: "Ann", Last: "Lee", Email: "ann@example.org"})
	room := w.At(begin.Add(2*time.Hour), w.Owner()).CreateRoom(world.RoomSpec{Title: "Tender"})
	w.At(begin.Add(3*time.Hour), w.Owner()).Invite(room, ann, world.Editor)
	h := newHarness(t, w, end)
	explained := func(down bool) (n int) {
		writer, err := h.store.OpenWriter(t.Context(), h.client.BaseURL(), func(context.Context) (string, error) { return h.owner, nil }, h.now)
		must(t, err)
		defer writer.Close()
		_, err = ingest.New(&mute{h.client, down}, writer, ingest.Options{
			Version: "test", Logger: discard, Now: func() time.Time { return h.now },
		}).Run(t.Context())
		must(t, err)
		must(t, h.conn.QueryRow(t.Context(), "SELECT count(*) FROM membership_change WHERE account_id = $1", ann.ID).Scan(&n))
		return n
	}
	if n := explained(true); n != 0 {
		t.Fatalf("a log that does not answer explained %d changes", n)
	}
	h.now = h.now.Add(time.Hour)
	if n := explained(false); n != 1 {
		t.Errorf("the log that answers again explained %d changes, not 1", n)
	}
}

// TestSyncExplainsOnce: the log of a room that shares its title is read for its files, and tells whom
// changes of members concern as well. Then no later run looks for these among the events of the years since.
func TestSyncExplainsOnce(t *testing.T) {
	t.Parallel()
	begin := end.Add(-10 * 24 * time.Hour)
	w := world.New(world.Config{Created: begin})
	boss := func(hours int) world.Session { return w.At(begin.Add(time.Duration(hours)*time.Hour), w.Owner()) }
	ann := boss(1).AddAccount(world.Person{First: "Ann", Last: "Lee", Email: "ann@example.org"})
	room := boss(2).CreateRoom(world.RoomSpec{Title: "Tender"})
	boss(2).CreateRoom(world.RoomSpec{Title: "Tender"})
	boss(3).Upload(room.Folder, "a.docx")
	boss(4).Invite(room, ann, world.Editor)
	h := newHarness(t, w, end)
	h.mustSync(t)
	var explained, left int
	must(t, h.conn.QueryRow(t.Context(), "SELECT count(*) FROM membership_change WHERE account_id = $1", ann.ID).Scan(&explained))
	must(t, h.conn.QueryRow(t.Context(), "SELECT count(*) FROM room WHERE unexplained_since IS NOT NULL").Scan(&left))
	if explained != 1 || left != 0 {
		t.Errorf("%d changes are explained and %d rooms are still looked at, want 1 and 0", explained, left)
	}
}
