package demoportal_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"roompulse/internal/demoportal"
	"roompulse/internal/demoportal/world"
	"roompulse/internal/demoportal/worldgen"
)

type logEntry struct {
	ID     int64 `json:"id"`
	Action struct {
		ID  int    `json:"id"`
		Key string `json:"key"`
	} `json:"action"`
	Initiator struct {
		ID          string `json:"id"`
		DisplayName string `json:"displayName"`
	} `json:"initiator"`
	Date    string          `json:"date"`
	Data    json.RawMessage `json:"data"`
	Related []logEntry      `json:"related"`
}

// flatLog pages through a room's log and takes groups apart.
func flatLog(tb testing.TB, p *demoportal.Portal, room string, size int) []logEntry {
	tb.Helper()
	var all []logEntry
	for {
		e := get(tb, p, fmt.Sprintf("files/folder/%s/log?count=%d&startIndex=%d", room, size, len(all)))
		var flat []logEntry
		for _, entry := range decode[[]logEntry](tb, e.Response) {
			flat = append(flat, entry)
			for _, r := range entry.Related {
				if r.Related != nil {
					tb.Fatalf("entry %d is nested", r.ID)
				}
				flat = append(flat, r)
			}
		}
		if len(flat) != *e.Count {
			tb.Fatalf("%d entries on a page of count %d", len(flat), *e.Count)
		}
		all = append(all, flat...)
		if len(all) >= *e.Total {
			return all
		}
	}
}

func TestLogGroupsWhatBelongsTogether(t *testing.T) {
	t.Parallel()
	s := newScene()
	p := demoportal.New(s.World, demoportal.Options{Now: fixed(s.end)})
	e := get(t, p, "files/folder/"+s.survey.ID+"/log")
	entries := decode[[]logEntry](t, e.Response)
	if *e.Count != *e.Total || len(entries) != *e.Total-2 {
		t.Errorf("%d entries, count %d, total %d: three uploads of a minute make one entry", len(entries), *e.Count, *e.Total)
	}
	// A page border parts a group.
	upload := slices.IndexFunc(entries, func(e logEntry) bool { return len(e.Related) == 2 })
	if upload < 0 {
		t.Fatal("no group of three")
	}
	page := get(t, p, fmt.Sprintf("files/folder/%s/log?startIndex=%d&count=2", s.survey.ID, upload))
	if got := decode[[]logEntry](t, page.Response); len(got) != 1 || len(got[0].Related) != 1 || *page.Count != 2 {
		t.Errorf("half a group: %s", page.Body)
	}
	if all := flatLog(t, p, s.survey.ID, 3); len(all) != *e.Total {
		t.Errorf("%d entries in pages of 3, want %d", len(all), *e.Total)
	}
}

func TestWhatIsGroupedAndWhatIsNot(t *testing.T) {
	t.Parallel()
	minute := func(n, second int) time.Time {
		return day.Add(time.Duration(n)*time.Minute + time.Duration(second)*time.Second)
	}
	w := world.New(world.Config{Created: day.AddDate(0, -1, 0)})
	anna := w.Owner()
	bob := w.At(day, anna).AddAccount(world.Person{First: "Bob"})
	room := w.At(minute(0, 5), anna).CreateRoom(world.RoomSpec{Title: "Survey"})
	sub := w.At(minute(1, 0), anna).CreateFolder(room.Folder, "Drafts")
	for second := range 2 { // four entries: another actor, folder and minute each
		w.At(minute(2, second), anna).Upload(room.Folder, "a.pdf")
		w.At(minute(2, second), bob).Upload(room.Folder, "b.pdf")
		w.At(minute(2, second), anna).Upload(sub, "c.pdf")
		w.At(minute(3, second), anna).Upload(room.Folder, "d.pdf")
	}
	for second := range 3 { // one entry
		w.At(minute(4, second), anna).Invite(room, bob, world.Editor)
	}
	for n := range 3 { // one entry, whenever they were
		w.At(minute(5+n, 0), anna).Record(5107, sub, sub.ID)
	}
	file := w.At(minute(10, 0), anna).CreateFile(room.Folder, "e.docx")
	for second := range 2 { // each by itself
		w.At(minute(10, 1+second), anna).Save(file)
	}
	p := demoportal.New(w, demoportal.Options{Now: fixed(day.Add(time.Hour))})
	sizes := make(map[string][]int)
	for _, e := range decode[[]logEntry](t, get(t, p, "files/folder/"+room.ID+"/log").Response) {
		sizes[e.Action.Key] = append(sizes[e.Action.Key], 1+len(e.Related))
	}
	want := map[string][]int{
		"RoomCreated": {1}, "FolderCreated": {1}, "FileUploaded": {2, 2, 2, 2}, "RoomCreateUser": {3}, "FolderIndexChanged": {3},
		"FileCreated": {1}, "UserFileUpdated": {1, 1},
	}
	if !maps.EqualFunc(sizes, want, slices.Equal[[]int]) {
		t.Errorf("entries %v, want %v", sizes, want)
	}
}

func TestLogWindowIsInclusive(t *testing.T) {
	t.Parallel()
	s := newScene()
	p := demoportal.New(s.World, demoportal.Options{Now: fixed(s.end)})
	all := flatLog(t, p, s.survey.ID, 100)
	at := all[3].Date[:19] + "Z"
	e := get(t, p, "files/folder/"+s.survey.ID+"/log?fromDate="+at+"&toDate="+at)
	if *e.Total == 0 || *e.Total >= len(all) {
		t.Errorf("total %d for one second", *e.Total)
	}
	for _, path := range []string{"?fromDate=2026-09-14T08:00:00", "?count=101"} {
		if e := ask(t, p, demoportal.DefaultKey, "files/folder/"+s.survey.ID+"/log"+path); e.Status != 400 {
			t.Errorf("%s: %d, want 400", path, e.Status)
		}
	}
}

func TestActorsOfLogs(t *testing.T) {
	t.Parallel()
	s := newScene()
	p := demoportal.New(s.World, demoportal.Options{Now: fixed(s.end)})
	who := func(room *world.Room, key string) (id, name string) {
		for _, e := range flatLog(t, p, room.ID, 100) {
			if e.Action.Key == key {
				return e.Initiator.ID, e.Initiator.DisplayName
			}
		}
		t.Fatalf("no %s", key)
		return "", ""
	}
	if id, name := who(s.intake, "FormSubmit"); id != "00000000-0000-0000-0000-000000000000" || name != "Visitor (external)" {
		t.Errorf("a form from outside: %s %s", id, name)
	}
	if id, _ := who(s.survey, "FileMovedToTrash"); id != world.RemovedID {
		t.Errorf("a deleted person is %s", id)
	}
	if _, name := who(s.survey, "RoomCreateUser"); name != "asc system" {
		t.Errorf("the portal is %q", name)
	}
}

// The log and the audit trail are two views of the same rows: ids agree, a
// log has exactly the tracked rows of its room, and dates and actors match.
func TestLogsAgreeWithTheAuditTrail(t *testing.T) {
	t.Parallel()
	end := time.Date(2026, 11, 20, 16, 0, 0, 0, time.UTC)
	w := worldgen.New(worldgen.Config{Events: 3000, Rooms: 25, End: end, Days: 120, Zone: time.UTC})
	now := end.AddDate(0, 0, 2)
	p := demoportal.New(w, demoportal.Options{Now: fixed(now)})
	truth := make(map[*world.Room]map[int64]world.Fact)
	total := 0
	for f := range w.Truth(now).Events() {
		total++
		if f.Evidence&world.ByLog != 0 {
			if truth[f.Room] == nil {
				truth[f.Room] = make(map[int64]world.Fact)
			}
			truth[f.Room][int64(f.ID)] = f
		}
	}
	audit := make(map[int64]item)
	for _, e := range readAll(t, p, "", 100) {
		audit[e.ID] = e
	}
	if len(audit) < total*99/100 || len(truth) < 20 {
		t.Fatalf("%d of %d rows are listed, %d rooms have logs", len(audit), total, len(truth))
	}
	for room, rows := range truth {
		log := flatLog(t, p, room.ID, 100)
		if len(log) != len(rows) {
			t.Errorf("log of %s has %d entries, want %d", room.ID, len(log), len(rows))
		}
		for _, entry := range log {
			fact, ok := rows[entry.ID]
			if !ok {
				t.Fatalf("log of %s has %d of another room", room.ID, entry.ID)
			}
			if entry.Action.ID != int(fact.Kind.Alias) {
				t.Errorf("%d: action %d, want %d", entry.ID, entry.Action.ID, fact.Kind.Alias)
			}
			listed, ok := audit[entry.ID]
			if ok != fact.Listed || ok && listed.Date != entry.Date {
				t.Errorf("%d: listed %v, dated %s and %s", entry.ID, ok, listed.Date, entry.Date)
			}
		}
	}
}
