package attribution_test

import (
	"database/sql"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"roompulse/internal/attribution"
	"roompulse/internal/audit"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func at(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }

func event(action int32, context string, target ...string) audit.Event {
	e := audit.Event{ID: 1, At: noon, ActorID: "ann", Target: target}
	e.Kind.ActionID = action
	e.Kind.Product = sql.NullInt16{Int16: audit.ProductDocuments, Valid: true}
	e.Context = sql.NullString{String: context, Valid: context != ""}
	return e
}

const (
	fileUploaded         = 5011
	fileMoved            = 5015
	folderDownloaded     = 5057
	folderMoved          = 5025
	folderIndexReordered = 5108
	unknownAction        = 6105
)

func TestJudge(t *testing.T) {
	t.Parallel()
	rooms := attribution.NewRooms([]attribution.Room{
		{ID: "812", Title: "Alpha", Created: at(-600)},
		{ID: "830", Title: "Tender", Created: at(-600)},
		{ID: "831", Title: "Tender", Created: at(-300)},
		{ID: "840", Title: "New name", Created: at(-600), Renames: []attribution.Rename{{EventID: 5, At: at(-100), OldTitle: "Old name"}}},
		{ID: "850", Title: "Closed", Created: at(-600), Deleted: at(-60)},
	})
	with := func(e audit.Event, change func(*audit.Event)) audit.Event { change(&e); return e }
	for _, test := range []struct {
		name   string
		event  audit.Event
		log    string
		source attribution.Source
		room   string
	}{
		{"payload beats all", with(event(5085, "Rooms: Alpha", "830"), func(e *audit.Event) { e.Payload.RoomID = "463996" }), "812", attribution.SourcePayload, "463996"},
		{"a folder that is a room", with(event(fileUploaded, ""), func(e *audit.Event) { e.Payload.FolderID = "812" }), "", attribution.SourcePayload, "812"},
		{"a folder that is none", with(event(fileUploaded, "Rooms: Alpha", "7"), func(e *audit.Event) { e.Payload.FolderID = "999" }), "", attribution.SourceTitle, "812"},
		{"about the room", event(audit.ActionRoomCreateUser, "Rooms: Tender", "830"), "831", attribution.SourceTarget, "830"},
		{"about a room that nobody lists", event(audit.ActionRoomDeleted, "Rooms: Gone", "999"), "", attribution.SourceTarget, "999"},
		{"a whole room downloaded", event(folderDownloaded, "Rooms: Tender", "831"), "", attribution.SourceTarget, "831"},
		{"a folder downloaded", event(folderDownloaded, "Rooms: Alpha", "77"), "", attribution.SourceTitle, "812"},
		{"a room reordered", event(folderIndexReordered, "Rooms: Tender", "831"), "", attribution.SourceTarget, "831"},
		{"the destination of a move is no target", event(folderMoved, "Rooms: Alpha", "44", "830"), "", attribution.SourceTitle, "812"},
		{"the log beats the title", event(fileUploaded, "Rooms: Alpha", "7"), "830", attribution.SourceHistory, "830"},
		{"the only bearer", event(fileUploaded, "Rooms: Alpha", "7"), "", attribution.SourceTitle, "812"},
		{"two bearers", event(fileUploaded, "Rooms: Tender", "7"), "", attribution.SourceUnresolved, "Tender"},
		{"one bearer then", with(event(fileUploaded, "Rooms: Tender", "7"), func(e *audit.Event) { e.At = at(-400) }), "", attribution.SourceTitle, "830"},
		{"a title given up before", event(fileUploaded, "Rooms: Old name", "7"), "", attribution.SourceUnresolved, "Old name"},
		{"a title not given up yet", with(event(fileUploaded, "Rooms: Old name", "7"), func(e *audit.Event) { e.At = at(-101) }), "", attribution.SourceTitle, "840"},
		{"a title not borne yet", with(event(fileUploaded, "Rooms: New name", "7"), func(e *audit.Event) { e.At = at(-101) }), "", attribution.SourceUnresolved, "New name"},
		{"a room deleted before", event(fileUploaded, "Rooms: Closed", "7"), "", attribution.SourceUnresolved, "Closed"},
		{"a title in a title", event(fileUploaded, "Rooms: Project: Alpha", "7"), "", attribution.SourceUnresolved, "Project: Alpha"},
		{"letter case counts", event(fileUploaded, "Rooms: alpha", "7"), "", attribution.SourceUnresolved, "alpha"},
		{"an agent's word", event(fileUploaded, "AI agents: Alpha", "7"), "", attribution.SourceTitle, "812"},
		{"no room named", event(fileUploaded, "My documents", "7"), "", attribution.SourceNone, ""},
		{"no context", event(fileUploaded, "", "7"), "", attribution.SourceNone, ""},
		{"a move that names no room", event(fileMoved, "Documents", "7", "44"), "", attribution.SourceUnplacedMove, ""},
		{"a move between rooms", event(fileMoved, "Rooms: Alpha", "7", "44"), "", attribution.SourceTitle, "812"},
		{"an unknown action", event(unknownAction, "Rooms: Alpha", "830"), "", attribution.SourceTitle, "812"},
		{"another product", with(event(4020, "Contacts: Alpha", "u"), func(e *audit.Event) { e.Kind.Product.Int16 = 8 }), "", attribution.SourceNone, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			want := attribution.Answer{Source: test.source, RoomID: test.room}
			if got := attribution.Judge(test.event, test.log, nil, rooms); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

// history is a made-up past of a few rooms that share a few titles, with the
// events about rooms as a portal records them.
func history(t *rapid.T) []*audit.Event {
	titles := []string{"Alpha", "Beta", "Tender"}
	var events []*audit.Event
	title := map[string]string{}
	for i := range rapid.IntRange(1, 40).Draw(t, "acts") {
		id := rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "room")
		next := rapid.SampledFrom(titles).Draw(t, "title")
		var e audit.Event
		switch {
		case title[id] == "gone":
			continue
		case title[id] == "":
			e, title[id] = event(audit.ActionRoomCreated, "Rooms: "+next, id), next
		case rapid.IntRange(0, 9).Draw(t, "what") == 0:
			e, title[id] = event(audit.ActionRoomDeleted, "Rooms: "+title[id], id), "gone"
		case rapid.Bool().Draw(t, "rename"):
			e, title[id] = event(audit.ActionRoomRenamed, "Rooms: "+title[id], id), next
		case rapid.Bool().Draw(t, "work"):
			e = event(fileUploaded, "Rooms: "+title[id], "7")
		default:
			e = event(audit.ActionRoomCreateUser, "Rooms: "+title[id], id)
		}
		e.ID, e.At = int64(i), at(i)
		events = append(events, &e)
	}
	return events
}

// judged returns events that were judged together, each list a window.
func judged(rooms *attribution.Rooms, windows ...[]*audit.Event) attribution.Batch {
	var read []audit.ReadWindow
	for _, events := range windows {
		read = append(read, audit.ReadWindow{Events: events})
	}
	b := attribution.NewBatch(read...)
	b.Judge(attribution.Evidence{}, rooms)
	return b
}

// TestOrderOfWindows: whatever order windows come in, once the stale titles
// are judged again every event has the answer that all evidence together gives.
func TestOrderOfWindows(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		events := history(t)
		all := attribution.NewRooms(nil)
		judged(all, events)
		want := map[int64]attribution.Answer{}
		for _, e := range events {
			want[e.ID] = attribution.Judge(*e, "", nil, all)
		}

		var windows [][]*audit.Event
		for from := 0; from < len(events); {
			n := rapid.IntRange(1, len(events)-from).Draw(t, "window")
			common := rapid.IntRange(0, min(1, from)).Draw(t, "common") // neighbours list the events of their common second both
			windows, from = append(windows, events[from-common:from+n]), from+n
		}
		rooms := attribution.NewRooms(nil)
		got := map[int64]attribution.Answer{}
		var stale []string
		for left := rapid.Permutation(windows).Draw(t, "order"); len(left) > 0; {
			n := rapid.IntRange(1, len(left)).Draw(t, "together")
			b := judged(rooms, left[:n]...)
			for i, e := range b.Events {
				got[e.ID] = b.Answers[i]
			}
			stale, left = append(stale, b.StaleTitles...), left[n:]
		}
		for _, e := range events {
			if title, ok := audit.Title(e.Context.String); ok && slices.Contains(stale, title) && got[e.ID].Source != attribution.SourceTarget {
				got[e.ID] = attribution.Judge(*e, "", nil, rooms)
			}
		}
		for id, answer := range want {
			if got[id] != answer {
				t.Fatalf("event %d: got %+v, want %+v", id, got[id], answer)
			}
		}
	})
}

// TestTitleNeverWrong: an answer by title is the room that really was meant,
// as long as the present title of each room is known.
func TestTitleNeverWrong(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		title := map[string]string{"1": "Alpha", "2": "Beta"}
		var events []*audit.Event
		truth := map[int64]string{}
		for id, name := range title {
			e := event(audit.ActionRoomCreated, "Rooms: "+name, id)
			e.At = at(-10)
			events = append(events, &e)
		}
		for i := range rapid.IntRange(1, 30).Draw(t, "acts") {
			id := rapid.SampledFrom([]string{"1", "2"}).Draw(t, "room")
			e := event(fileUploaded, "Rooms: "+title[id], "7")
			if rapid.IntRange(0, 3).Draw(t, "rename") == 0 {
				e = event(audit.ActionRoomRenamed, "Rooms: "+title[id], id)
				title[id] = fmt.Sprintf("Title %d", rapid.IntRange(0, 3).Draw(t, "new"))
			}
			e.ID, e.At = int64(i+1), at(i)
			truth[e.ID] = id
			events = append(events, &e)
		}
		rooms := attribution.NewRooms(nil)
		for id, name := range title { // the portal's list of rooms
			rooms.List(id, name, at(-10), at(1000))
		}
		b := judged(rooms, events)
		for i, answer := range b.Answers {
			if id := truth[events[i].ID]; answer.Source == attribution.SourceTitle && answer.RoomID != id {
				t.Fatalf("event %d is taken for room %s, not %s", events[i].ID, answer.RoomID, id)
			}
		}
	})
}
