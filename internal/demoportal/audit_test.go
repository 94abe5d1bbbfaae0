package demoportal_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"roompulse/internal/demoportal"
	"roompulse/internal/demoportal/world"
)

// busySecond makes a portal with 150 rows of one second between others.
func busySecond() *world.World {
	w := world.New(world.Config{Created: day.AddDate(0, -1, 0)})
	room := w.At(day, w.Owner()).CreateRoom(world.RoomSpec{Title: "Survey"})
	for i := range 250 {
		at := day.Add(time.Hour)
		if i%5 > 2 {
			at = day.Add(time.Hour + time.Duration(i-125)*time.Second)
		}
		w.At(at, w.Owner()).Upload(room.Folder, fmt.Sprintf("%d.pdf", i))
	}
	return w
}

// readAll pages through the filter.
func readAll(tb testing.TB, p *demoportal.Portal, query string, size int) []item {
	tb.Helper()
	var all []item
	for {
		page := events(tb, p, fmt.Sprintf("?%s&count=%d&startIndex=%d", query, size, len(all)))
		all = append(all, page...)
		if len(page) < size {
			return all
		}
	}
}

func TestPagesOfAnySizeCoverTheTrail(t *testing.T) {
	t.Parallel()
	p := demoportal.New(busySecond(), demoportal.Options{Now: fixed(day.AddDate(0, 0, 1))})
	all := readAll(t, p, "", 100)
	if len(all) != 251 {
		t.Fatalf("%d rows", len(all))
	}
	if !slices.IsSortedFunc(all, func(a, b item) int { return strings.Compare(b.Date, a.Date) }) {
		t.Error("rows are not in falling order of dates")
	}
	for _, size := range []int{3, 7, 40, 83, 97, 99} {
		if got := readAll(t, p, "", size); !slices.Equal(ids(got), ids(all)) {
			t.Errorf("pages of %d give other rows", size)
		}
	}
}

func distinct(items []item) int {
	list := ids(items)
	slices.Sort(list)
	return len(slices.Compact(list))
}

func TestShuffledTiesComeInAnotherOrderOnEachAnswer(t *testing.T) {
	t.Parallel()
	p := demoportal.New(busySecond(), demoportal.Options{Now: fixed(day.AddDate(0, 0, 1))})
	p.SetFaults(func(f *demoportal.Faults) { f.Ties = demoportal.Shuffled })
	first, second := events(t, p, "?count=100&startIndex=150"), events(t, p, "?count=100&startIndex=150")
	if slices.Equal(ids(first), ids(second)) {
		t.Error("two answers agree")
	}
	dates := func(items []item) (list []string) {
		for _, e := range items {
			list = append(list, e.Date)
		}
		return list
	}
	stable := demoportal.New(p.World(), demoportal.Options{Now: fixed(day.AddDate(0, 0, 1))})
	if !slices.Equal(dates(first), dates(events(t, stable, "?count=100&startIndex=150"))) {
		t.Error("a page has other dates than it should")
	}
	if distinct(first) != 100 || !slices.IsSortedFunc(first, func(a, b item) int { return strings.Compare(b.Date, a.Date) }) {
		t.Error("an answer repeats rows or breaks the order of dates")
	}
	if n := distinct(readAll(t, p, "", 40)); n == 251 {
		t.Error("no row was lost between the pages")
	}
}

func TestTiesCutWronglyLoseTheSameRowsAgainAndAgain(t *testing.T) {
	t.Parallel()
	p := demoportal.New(busySecond(), demoportal.Options{Now: fixed(day.AddDate(0, 0, 1))})
	p.SetFaults(func(f *demoportal.Faults) { f.Ties = demoportal.CutWrongly })
	once := readAll(t, p, "", 100)
	if len(once) != 251 || distinct(once) == 251 {
		t.Fatalf("%d rows, %d distinct: nothing was lost", len(once), distinct(once))
	}
	if again := readAll(t, p, "", 100); !slices.Equal(ids(again), ids(once)) {
		t.Error("the second reading differs")
	}
	union := once
	for _, size := range []int{97, 89, 83, 79, 73} {
		union = append(union, readAll(t, p, "", size)...)
	}
	if n := distinct(union); n != 251 {
		t.Errorf("other page sizes find %d rows, want 251", n)
	}
}

func TestBoundsAreInclusiveInstants(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("", 5*3600+1800)
	w := world.New(world.Config{Zone: zone, Created: day.AddDate(0, -1, 0)})
	for i := range 5 {
		w.At(day.Add(time.Duration(i)*time.Second), w.Owner()).ChangeSettings()
	}
	p := demoportal.New(w, demoportal.Options{Now: fixed(day.Add(time.Hour))})
	for query, want := range map[string]int{
		"":                           5,
		"?from=2026-09-14T08:00:01Z": 4,
		"?to=2026-09-14T08:00:01Z":   2,
		"?from=2026-09-14T08:00:01Z&to=2026-09-14T08:00:03Z":                                 3,
		"?from=" + url.QueryEscape("2026-09-14T13:30:01+05:30") + "&to=2026-09-14T08:00:01Z": 1,
		"?from=2026-09-14T08:00:01.5Z":                                                       -1,
		"?from=2026-09-14T08:00:01.500Z":                                                     3,
		"?from=2026-09-14T08:00:04Z&to=2026-09-14T08:00:00Z":                                 0,
	} {
		e := ask(t, p, demoportal.DefaultKey, "security/audit/events/filter"+query)
		if want < 0 {
			if e.Status != http.StatusBadRequest {
				t.Errorf("%s: %d, want 400", query, e.Status)
			}
			continue
		}
		if items := decode[[]item](t, e.Response); len(items) != want || *e.Count != want {
			t.Errorf("%s: %d rows, count %d, want %d", query, len(items), *e.Count, want)
		}
	}
	if got, want := events(t, p, "?count=1")[0].Date, "2026-09-14T13:30:04.0000000+05:30"; got != want {
		t.Errorf("date %s, want %s", got, want)
	}
}

func berlin(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no time zones on this machine: ", err)
	}
	return zone
}

// In the repeated hour the audit trail lists the first pass an hour late,
// while the window asked for is of true instants.
func TestAutumnHourIsListedLate(t *testing.T) {
	t.Parallel()
	w := world.New(world.Config{Zone: berlin(t), Created: day})
	night := time.Date(2026, 10, 24, 23, 30, 0, 0, time.UTC)
	for i := range 4 { // 01:30, 02:30, 02:30 again, 03:30
		w.At(night.Add(time.Duration(i)*time.Hour), w.Owner()).ChangeSettings()
	}
	p := demoportal.New(w, demoportal.Options{Now: fixed(night.AddDate(0, 0, 1))})
	var got []string
	for _, e := range events(t, p, "?from=2026-10-24T23:30:00Z&to=2026-10-25T02:30:00Z") {
		got = append(got, e.Date)
	}
	want := []string{
		"2026-10-25T03:30:00.0000000+01:00", "2026-10-25T02:30:00.0000000+01:00",
		"2026-10-25T02:30:00.0000000+01:00", "2026-10-25T01:30:00.0000000+02:00",
	}
	if !slices.Equal(got, want) {
		t.Errorf("dates %v, want %v", got, want)
	}
	if first := events(t, p, "?from=2026-10-25T00:00:00Z&to=2026-10-25T01:00:00Z"); len(first) != 1 {
		t.Errorf("%d rows in the hour of the first pass", len(first))
	}
}

// All other dates are right in autumn; an hour in spring is listed late.
func TestSpringHourOfOtherDates(t *testing.T) {
	t.Parallel()
	w := world.New(world.Config{Zone: berlin(t), Created: day.AddDate(-1, 0, 0)})
	room := w.At(day, w.Owner()).CreateRoom(world.RoomSpec{Title: "Survey"})
	spring := time.Date(2027, 3, 28, 1, 30, 0, 0, time.UTC) // 02:30Z does not exist on a Berlin clock
	autumn := time.Date(2027, 10, 31, 0, 30, 0, 0, time.UTC)
	for _, at := range []time.Time{spring, spring.Add(time.Hour), autumn} {
		w.At(at, w.Owner()).ColorRoom(room)
	}
	p := demoportal.New(w, demoportal.Options{Now: fixed(autumn.AddDate(0, 0, 1))})
	type entry struct{ Date string }
	var got []string
	for _, e := range decode[[]entry](t, get(t, p, "files/folder/"+room.ID+"/log?fromDate=2027-01-01T00:00:00Z").Response) {
		got = append(got, e.Date)
	}
	want := []string{"2027-10-31T02:30:00.0000000+02:00", "2027-03-28T05:30:00.0000000+02:00", "2027-03-28T03:30:00.0000000+02:00"}
	if !slices.Equal(got, want) {
		t.Errorf("dates %v, want %v", got, want)
	}
}

func TestMicrosecondsOfAPostgreSQLPortal(t *testing.T) {
	t.Parallel()
	for precision, want := range map[time.Duration]string{
		time.Second: "2026-09-14T08:00:01.0000000Z", time.Microsecond: "2026-09-14T08:00:00.7654320Z",
	} {
		w := world.New(world.Config{Created: day.AddDate(0, -1, 0), Precision: precision})
		w.At(day.Add(765432*time.Microsecond), w.Owner()).ChangeSettings()
		p := demoportal.New(w, demoportal.Options{Now: fixed(day.Add(time.Hour))})
		if got := events(t, p, "")[0].Date; got != want {
			t.Errorf("precision %v: %s, want %s", precision, got, want)
		}
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	s := newScene()
	p := demoportal.New(s.World, demoportal.Options{Now: fixed(s.end)})
	all := events(t, p, "")
	count := func(keep func(item) bool) int {
		n := 0
		for _, e := range all {
			if keep(e) {
				n++
			}
		}
		return n
	}
	by := func(id int) int { return count(func(e item) bool { return e.ActionID == id }) }
	for query, want := range map[string]int{
		"?userId=" + s.boris.ID:                               count(func(e item) bool { return e.UserID == s.boris.ID }),
		"?action=5011":                                        by(5011),
		"?action=fileuploaded":                                by(5011),
		"?action=None":                                        len(all),
		"?actionType=Move":                                    by(5015) + by(5017),
		"?actionType=15&userId=" + s.anna.ID:                  by(5015),
		"?target=" + s.plan.ID:                                len(all), // ignored alone
		"?entryType=File":                                     len(all), // ignored alone
		"?action=5054&target=" + s.plan.ID:                    1,
		"?action=5015&target=" + s.plan.ID:                    0, // not the whole stored text
		"?action=5015&target=" + s.plan.ID + "," + s.final.ID: 2,
		"?entryType=File&target=" + s.plan.ID:                 4,        // uploaded, opened, moved twice
		"?entryType=1&target=" + s.plan.ID[1:]:                4,        // any part of the text
		"?action=5011&actionType=Move":                        by(5011), // action switches the others off
	} {
		if got := events(t, p, query); len(got) != want || want == 0 && query[1] == 'u' {
			t.Errorf("%s: %d rows, want %d", query, len(got), want)
		}
	}
}

func TestDefectsOfTheFilters(t *testing.T) {
	t.Parallel()
	s := newScene()
	for _, c := range []struct {
		query   string
		version demoportal.Version
		status  int
	}{
		{"?moduleType=Files", demoportal.V37, 500},
		{"?moduleType=Files", demoportal.V34, 200},
		{"?action=RoomColorChanged", demoportal.V37, 500},
		{"?action=5102", demoportal.V35, 500},
		{"?entryType=Room&target=812", demoportal.V37, 400},
		{"?entryType=Tag&target=812", demoportal.V37, 400},
		{"?entryType=Room&target=812&actionType=Update", demoportal.V37, 200},
		{"?entryType=Room&target=812&actionType=Create", demoportal.V37, 400},
		{"?entryType=Room&target=812", demoportal.V35, 200},
		{"?entryType=Room", demoportal.V37, 200},
		{"?count=0", demoportal.V37, 400},
		{"?count=101", demoportal.V37, 400},
		{"?count=ten", demoportal.V37, 400},
		{"?action=NoSuchThing", demoportal.V37, 400},
		{"?from=2026-09-14", demoportal.V37, 400},
		{"?from=2026-09-14T10:00:00+02:00", demoportal.V37, 400}, // a plus sign that was not escaped is a space
	} {
		p := demoportal.New(s.World, demoportal.Options{Now: fixed(s.end), Version: c.version})
		if e := ask(t, p, demoportal.DefaultKey, "security/audit/events/filter"+c.query); e.Status != c.status || e.StatusCode != c.status {
			t.Errorf("%s on version %d: %d, want %d", c.query, c.version, e.Status, c.status)
		}
	}
}

func TestSomeActionsAreOnlyInLogs(t *testing.T) {
	t.Parallel()
	s := newScene()
	s.At(s.end, s.boris).ColorRoom(s.survey)
	s.At(s.end.Add(time.Second), s.boris).Record(7001, nil, "x@example.org")
	p := demoportal.New(s.World, demoportal.Options{Now: fixed(s.end.Add(time.Hour))})
	for _, e := range events(t, p, "?count=10") {
		if e.ActionID == 5102 || e.ActionID == 7001 {
			t.Errorf("action %d is listed", e.ActionID)
		}
	}
	if log := flatLog(t, p, s.survey.ID, 100); log[0].Action.ID != 5102 {
		t.Errorf("the log begins with action %d, want the new colour", log[0].Action.ID)
	}
}

func TestOddRows(t *testing.T) {
	t.Parallel()
	s := newScene()
	s.At(s.end, s.boris).Record(6100, s.survey.Folder, "1")
	p := demoportal.New(s.World, demoportal.Options{Now: fixed(s.end.Add(time.Hour)), Language: "de"})
	all := events(t, p, "")
	find := func(action int) item {
		t.Helper()
		i := slices.IndexFunc(all, func(e item) bool { return e.ActionID == action })
		if i < 0 {
			t.Fatalf("no row of action %d", action)
		}
		return all[i]
	}
	if e := find(5018); e.IP != nil || e.Page != nil || e.UserID != s.boris.ID {
		t.Errorf("the cleaner's row has ip %v and page %v", e.IP, e.Page)
	}
	if e := find(5054); e.Page == nil || !strings.Contains(*e.Page, "stream_auth=Sec") {
		t.Errorf("page of an opening: %v", e.Page)
	}
	if e := find(6046); e.UserID != world.AnonymousID || !strings.Contains(*e.Page, "/s/Sec") {
		t.Errorf("a form from outside: by %s on %s", e.UserID, *e.Page)
	}
	if e := find(6100); *e.Context != "Raum: Field Survey" {
		t.Errorf("context %q", *e.Context)
	}
	if e := find(5076); e.Target != nil {
		t.Errorf("a tag has target %v", e.Target)
	}
	// The leaver's rows keep the name.
	if e := find(5017); e.User != "Frida Sand" || e.UserID == world.RemovedID {
		t.Errorf("a deleted person is listed as %s, %s", e.User, e.UserID)
	}
}

func TestAddressesAreCutAtTheColon(t *testing.T) {
	t.Parallel()
	w := world.New(world.Config{Created: day.AddDate(0, -1, 0)})
	for i := range 120 {
		a := w.At(day, w.Owner()).AddAccount(world.Person{First: fmt.Sprint("P", i)})
		for d := range 2 {
			w.At(day.AddDate(0, 0, d), a).ChangeSettings()
		}
	}
	p := demoportal.New(w, demoportal.Options{Now: fixed(day.AddDate(0, 0, 7))})
	seen := make(map[string]bool)
	for _, e := range readAll(t, p, "action=6000", 100) {
		seen[*e.IP] = true
		if strings.Contains(*e.IP, ":") {
			t.Fatalf("address %s", *e.IP)
		}
	}
	if !seen["2001"] || !seen[""] {
		t.Error("no address of version 6, or none of the portal itself")
	}
}

func TestWithoutTheAuditOptionFiltersAreIgnored(t *testing.T) {
	t.Parallel()
	p := demoportal.New(busySecond(), demoportal.Options{Now: fixed(day.AddDate(0, 0, 1))})
	p.SetFaults(func(f *demoportal.Faults) { f.Audit = demoportal.AuditMissing })
	for _, query := range []string{"?count=1", "?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z", "?startIndex=500", "?moduleType=Files"} {
		if n := len(events(t, p, query)); n != 20 {
			t.Errorf("%s: %d rows, want the newest 20", query, n)
		}
	}
	old := demoportal.New(p.World(), demoportal.Options{Now: fixed(day.AddDate(1, 0, 0))})
	old.SetFaults(func(f *demoportal.Faults) { f.Audit = demoportal.AuditMissing })
	if n := len(events(t, old, "")); n != 0 {
		t.Errorf("%d rows beyond the lifetime", n)
	}
	if n := len(decode[[]item](t, get(t, p, "security/audit/events/last").Response)); n != 20 {
		t.Errorf("events/last: %d rows", n)
	}
}

func TestSampleShape(t *testing.T) {
	t.Parallel()
	w := world.New(world.Config{Created: day.AddDate(0, -1, 0)})
	alice := w.At(day, w.Owner()).AddAccount(world.Person{ID: "user-aaa", First: "Alice", Last: "Smith", Email: "alice@example.com"})
	room := w.At(day, alice).CreateRoom(world.RoomSpec{ID: "463996", Title: "Sample"})
	for i := range 30 {
		w.At(day.Add(time.Duration(i)*time.Minute), alice).Upload(room.Folder, "a.docx")
	}
	p := demoportal.New(w, demoportal.Options{Now: fixed(day.AddDate(0, 0, 1)), SampleShape: true})
	ways := make(map[string]int)
	for _, e := range decode[[]map[string]any](t, get(t, p, "security/audit/events/filter?action=FileUploaded").Response) {
		if e["userId"] != "user-aaa" && e["account"] != "user-aaa" {
			t.Fatalf("nobody did %v", e)
		}
		if e["entityType"] != "file" && e["targetType"] != "file" {
			t.Fatalf("no entity in %v", e)
		}
		nested, _ := e["entity"].(map[string]any)
		for name, id := range map[string]any{
			"roomId": e["roomId"], "spaceId": e["spaceId"], "folderId": e["folderId"], "entity.roomId": nested["roomId"], "entity.spaceId": nested["spaceId"],
		} {
			if id != nil && id != float64(463996) {
				t.Fatalf("%s is %v", name, id)
			}
			if id != nil {
				ways[name]++
			}
		}
	}
	if len(ways) != 5 {
		t.Errorf("rooms are named in the ways %v, want five", ways)
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	s := newScene()
	for _, c := range []struct {
		version                      demoportal.Version
		location, logID, sharedToOwn bool
	}{{demoportal.V37, true, true, true}, {demoportal.V35, true, false, true}, {demoportal.V34, false, false, false}} {
		p := demoportal.New(s.World, demoportal.Options{Now: fixed(s.end), Version: c.version})
		has := func(path, field string) bool {
			t.Helper()
			return strings.Contains(string(get(t, p, path).Body), `"`+field+`":`)
		}
		if got := has("security/audit/events/filter", "location"); got != c.location || has("security/audit/events/filter", "module") == got {
			t.Errorf("version %d: location %v", c.version, got)
		}
		log := decode[[]map[string]any](t, get(t, p, "files/folder/"+s.survey.ID+"/log").Response)
		if _, got := log[0]["id"]; got != c.logID {
			t.Errorf("version %d: log ids %v", c.version, got)
		}
		if got := has("files/rooms/"+s.survey.ID+"/share", "sharedToUser"); got != c.sharedToOwn {
			t.Errorf("version %d: sharedToUser %v", c.version, got)
		}
	}
}
