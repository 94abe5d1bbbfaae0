package report_test

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"roompulse/internal/audit"
	"roompulse/internal/report"
	"roompulse/internal/testkit/browser"
)

// office is a portal in which people work on working days, and some do not.
func office(rooms, members, days int) (*facts, report.InactiveQuery) {
	random := rand.New(rand.NewPCG(7, 11))
	q := query()
	q.Window.From = daysBefore(until, days)
	hole := audit.Span{From: daysBefore(until, 11), To: daysBefore(until, 10)}
	f := &facts{byBucket: make(map[audit.MemberKey]audit.BucketFacts)}
	f.Portal = "https://acme.onlyoffice.example"
	f.Coverage = complete()
	f.Coverage.Complete = []audit.Span{{From: f.Coverage.Floor, To: hole.From}, {From: hole.To, To: until}}
	f.Events = audit.EventFacts{Events: 41237, Unattributed: 165, Inferred: 4990, Quarantined: 2}
	f.Exclusions = []audit.Exclusion{{ID: 1, Kind: audit.ExcludeDomain, Subject: "bots.example", Reason: "scripts", AddedAt: from}}
	first := []string{"Ann", "Ben", "Chloé", "Dmitri", "Łukasz", "محمد", "田中", "Grace", "Jonas", "Zoë", "Priya", "Kofi", "Mei", "Olu", "Sofía"}
	last := []string{"Lee", "Okafor", "Martin", "Иванов", "Żak", "عبد الله", "太郎", "Hopper", "Weber", "Larsen", "Nair", "Mensah", "Chen", "Ade", "García"}
	titles := []string{"Tender", "Annual report", "Board", "Field survey", "Öffentlichkeitsarbeit", "Onboarding", "Legal review", "العقود", "年度报告", "Design system"}
	buckets := q.Window.Buckets()
	for r := range rooms {
		id := strconv.Itoa(46000 + r)
		title := titles[r%len(titles)]
		if r >= len(titles) {
			title = fmt.Sprintf("%s %d", title, r/len(titles)+1)
		}
		f.Rooms = append(f.Rooms, room(id, title))
		for m := range members {
			p := r*members + m
			given, family := first[p%len(first)], last[(p/len(first)+r)%len(last)]
			one := member(id, fmt.Sprintf("%08x-%04x-4000-8000-%012x", random.Uint32(), p&0xffff, random.Uint64()>>16), given+" "+family)
			one.Email = fmt.Sprintf("person.%d@acme.example", p)
			one.Guest = m%7 == 3
			one.Access = []audit.Access{audit.AccessEditor, audit.AccessContentCreator, audit.AccessRoomManager, audit.AccessViewer, audit.AccessReviewer}[m%5]
			key := audit.MemberKey{RoomID: id, AccountID: one.AccountID}
			var b audit.BucketFacts
			zeal := random.Float64()
			switch {
			case m%9 == 4: // never
			case m%6 == 2:
				one.LastActiveAt = daysBefore(q.Window.From, 3+random.IntN(100))
				if m%12 == 2 {
					one.JoinedAt = hole.To.Add(time.Hour)
					one.JoinedAfter = one.JoinedAt
					one.JoinedAt, one.JoinedAfter = daysBefore(until, 20), daysBefore(until, 20)
				}
			default:
				for i := range buckets.Count {
					weekday := buckets.First.AddDate(0, 0, i*buckets.Days).Weekday()
					if buckets.Days == 1 && (weekday == time.Saturday || weekday == time.Sunday) && random.IntN(12) > 0 {
						continue
					}
					if random.Float64() < zeal*.8 {
						n := 1 + random.IntN(1+int(zeal*14)*buckets.Days)
						b.Buckets, b.Events = append(b.Buckets, int32(i)), append(b.Events, int32(n))
						one.Events += int64(n)
						one.LastActiveAt = buckets.First.AddDate(0, 0, i*buckets.Days).Add(10 * time.Hour)
					}
				}
			}
			if one.Events == 0 && m%4 != 1 { // members since after the hole, so that it tells
				one.JoinedAt = hole.To.Add(time.Hour)
				one.JoinedAfter = one.JoinedAt
			}
			f.byBucket[key] = b
			f.Members = append(f.Members, one)
		}
	}
	q.Grace = 24 * time.Hour
	return f, q
}

// pageFile writes a report as a page and returns its path.
func pageFile(tb testing.TB, f *facts, q report.InactiveQuery) string {
	tb.Helper()
	r, err := report.InactiveByDay(tb.Context(), f, q)
	if err != nil {
		tb.Fatal(err)
	}
	format, err := report.ParseFormat("html", "")
	if err != nil {
		tb.Fatal(err)
	}
	var out bytes.Buffer
	if err := format.WriteInactive(&out, r, report.Options{}); err != nil {
		tb.Fatal(err)
	}
	path := filepath.Join(tb.TempDir(), "report.html")
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// watch fails the test if the page says anything on its console, or asks for anything but itself.
func watch(ctx context.Context, t *testing.T) {
	t.Helper()
	chromedp.ListenTarget(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventConsoleAPICalled:
			t.Errorf("console: %s %s", e.Type, e.Args[0].Value)
		case *runtime.EventExceptionThrown:
			t.Errorf("exception: %v", e.ExceptionDetails)
		case *log.EventEntryAdded:
			t.Errorf("log: %s %s", e.Entry.Text, e.Entry.URL)
		case *network.EventRequestWillBeSent:
			if url := e.Request.URL; !strings.HasPrefix(url, "file://") || !strings.HasSuffix(url, "/report.html") {
				t.Errorf("request to %s", url)
			}
		case *page.EventJavascriptDialogOpening:
			t.Errorf("dialog: %s", e.Message)
		}
	})
	if err := chromedp.Run(ctx, network.Enable(), log.Enable(), runtime.Enable(), page.Enable()); err != nil {
		t.Fatal(err)
	}
}

// visit opens a page and waits until it is drawn.
func visit(ctx context.Context, t *testing.T, path string) {
	t.Helper()
	if err := chromedp.Run(ctx, chromedp.Navigate("file://"+path), chromedp.WaitReady("html[data-ready]")); err != nil {
		t.Fatal(err)
	}
}

// eval runs actions and then evaluates an expression.
func eval[T any](ctx context.Context, t *testing.T, expression string, actions ...chromedp.Action) T {
	t.Helper()
	var value T
	if err := chromedp.Run(ctx, append(actions, chromedp.Evaluate(expression, &value))...); err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// texts are those of the elements that a selector names.
func texts(ctx context.Context, t *testing.T, selector string, actions ...chromedp.Action) []string {
	t.Helper()
	return eval[[]string](ctx, t, fmt.Sprintf("[...document.querySelectorAll(%q)].map((e) => e.innerText.trim())", selector), actions...)
}

// choose picks an option of a select element.
func choose(id, value string) chromedp.Action {
	return chromedp.Evaluate(fmt.Sprintf(`{
		const element = document.getElementById(%q);
		element.value = %q;
		element.dispatchEvent(new Event("change"));
	}`, id, value), nil)
}

func TestPageInBrowser(t *testing.T) {
	t.Parallel()
	f, q := office(6, 14, 30)
	hostile := []string{`<script>alert(1)</script>`, `<img src=x onerror=alert(1)>`, `</script><b>bold</b>`, `" onclick="alert(1)`, "\u202egnp.exe", "{{.Title}}", "=cmd()|' /C calc'!A0"}
	for i, name := range hostile {
		f.Members[i].Name, f.Members[i].Email = name, name
	}
	f.Rooms[0].Title = hostile[0]
	path := pageFile(t, f, q)
	ctx := browser.New(t)
	watch(ctx, t)
	visit(ctx, t, path)

	// Everybody is there, the inactive on top, and names are text.
	if got := len(texts(ctx, t, "tbody tr")); got != len(f.Members) {
		t.Errorf("%d rows, want %d", got, len(f.Members))
	}
	if states := texts(ctx, t, ".room:first-of-type td.state"); !slices.Contains([]string{"○never", "◔quiet"}, strings.Join(strings.Fields(states[0]), "")) {
		t.Errorf("the first of %q is not inactive", states)
	}
	names := texts(ctx, t, ".who b")
	for _, name := range append(hostile[:4:4], hostile[5:]...) {
		if !slices.Contains(names, name) {
			t.Errorf("%q is not among the names", name)
		}
	}
	if n := eval[int](ctx, t, `document.querySelectorAll("#content img, #content script, #content b b").length`); n != 0 {
		t.Errorf("%d elements were made of names", n)
	}

	// Sorting: down, up, and in all rooms.
	events := func(actions ...chromedp.Action) []int {
		return eval[[]int](ctx, t, `[...document.querySelectorAll(".room:nth-of-type(2) tbody td.num")].map((e) => Number(e.textContent.replace(/,/g, "")))`, actions...)
	}
	head := chromedp.Click("//details[2]//th/button[text()='Events']", chromedp.BySearch)
	if got := events(head); len(got) != 14 || !slices.IsSortedFunc(got, func(a, b int) int { return b - a }) {
		t.Errorf("by events, falling: %v", got)
	}
	if got := events(head); !slices.IsSorted(got) {
		t.Errorf("by events, rising: %v", got)
	}
	if got := eval[string](ctx, t, `document.activeElement.closest("th").ariaSort`); got != "ascending" {
		t.Errorf("the column in focus is sorted %q", got)
	}
	since := texts(ctx, t, ".room:nth-of-type(2) tbody td.time:last-of-type", choose("sort", "7"))
	if !slices.IsSorted(since) || since[0] == since[len(since)-1] {
		t.Errorf("by start of membership: %v", since)
	}

	// Filters: verdicts, and text in names, addresses and titles.
	active := chromedp.Click(`.total[data-state="active"]`, chromedp.ByQuery)
	for _, state := range texts(ctx, t, "tbody .state", active) {
		if strings.Contains(state, "active") {
			t.Errorf("%s is shown", state)
		}
	}
	if pressed := eval[string](ctx, t, `document.querySelector('.total[data-state="active"]').ariaPressed`); pressed != "false" {
		t.Errorf("the verdict is pressed: %s", pressed)
	}
	find := func(text string) []string {
		return texts(ctx, t, "tbody .who", active, chromedp.Evaluate(fmt.Sprintf(`new Promise((done) => {
			document.getElementById("find").value = %q;
			document.getElementById("find").dispatchEvent(new Event("input"));
			setTimeout(done);
		})`, text), nil, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	}
	if got := find("PERSON.27@"); len(got) != 1 || !strings.Contains(got[0], "person.27@acme.example") {
		t.Errorf("found %q", got)
	}
	if said := texts(ctx, t, "#said"); said[0] != "1 membership in 1 room shown." {
		t.Errorf("said %q", said)
	}
	active = chromedp.Tasks{}
	if got := find("annual"); len(got) != 14 {
		t.Errorf("found %d members of one room", len(got))
	}
	if got := find(""); len(got) != len(f.Members) {
		t.Errorf("found %d of everybody", len(got))
	}

	// Everybody in one table.
	rows := texts(ctx, t, "tbody tr", choose("view", "people"))
	if tables := texts(ctx, t, "table"); len(rows) != len(f.Members) || len(tables) != 1 {
		t.Errorf("%d rows in %d tables", len(rows), len(tables))
	}
	titles := texts(ctx, t, `td[data-name="Room"]`, chromedp.Click("//th/button[text()='Room']", chromedp.BySearch))
	if firsts := slices.Compact(slices.Clone(titles)); len(firsts) != len(f.Rooms) || !slices.IsSorted(firsts[:4]) {
		t.Errorf("by room: %q", firsts)
	}

	// Nothing sticks out, wide or narrow, light or dark, on screen or paper.
	visit(ctx, t, path)
	for _, width := range []int64{1280, 390} {
		for _, scheme := range []string{"light", "dark"} {
			var shot []byte
			over := eval[int](ctx, t, "document.documentElement.scrollWidth - innerWidth",
				chromedp.EmulateViewport(width, 900),
				emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
				chromedp.CaptureScreenshot(&shot))
			over += eval[int](ctx, t, `Math.max(...[...document.querySelectorAll(".scroll")].map((e) => e.scrollWidth - e.clientWidth))`)
			if over > 0 {
				t.Errorf("at %d pixels the page is %d too wide", width, over)
			}
			picture, err := png.Decode(bytes.NewReader(shot))
			if err != nil {
				t.Fatal(err)
			}
			if r, _, _, _ := picture.At(2, 2).RGBA(); (r < 0x8000) != (scheme == "dark") {
				t.Errorf("at %d pixels, %s: the corner has red %x", width, scheme, r)
			}
			keep(t, fmt.Sprintf("report-%d-%s.png", width, scheme), shot)
		}
	}
	var pdf []byte
	if err := chromedp.Run(ctx, chromedp.ActionFunc(func(ctx context.Context) (err error) {
		pdf, _, err = page.PrintToPDF().Do(ctx)
		return err
	})); err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(pdf, []byte("%PDF")) {
		t.Error("it does not print")
	}
	keep(t, "report.pdf", pdf)
}

// printed makes a page ready for paper, as printing does first of all, and
// returns how many rooms and rows are on it, and what it says of the rest.
func printed(ctx context.Context, t *testing.T) (rooms, rows int, rest string) {
	t.Helper()
	n := eval[[]int](ctx, t, `["details.room", "details[open] tbody tr, div.room tbody tr"].map((s) => document.querySelectorAll(s).length)`,
		chromedp.Evaluate(`dispatchEvent(new Event("beforeprint"))`, nil))
	return n[0], n[1], eval[string](ctx, t, `document.getElementById("unprinted").textContent`)
}

// Paper has what the screen shows on demand, and says what does not fit.
func TestPagePrints(t *testing.T) {
	t.Parallel()
	ctx := browser.New(t)
	watch(ctx, t)
	everybody := choose("view", "people")
	for _, tc := range []struct {
		name           string
		rooms, members int
		do             chromedp.Action
		wantRooms      int
		wantRows       int
		rest           string
	}{
		{"many rooms", 90, 3, chromedp.Tasks{}, 90, 270, ""},
		{"closed rooms", 210, 1, chromedp.Tasks{}, 210, 210, ""},
		{"large rooms", 2, 250, chromedp.Tasks{}, 2, 500, ""},
		{"everybody", 2, 250, everybody, 0, 500, ""},
		{"more than fits", 2, 1200, chromedp.Tasks{}, 2, 1999, "Not printed: 401 more memberships. Filters choose what is printed."},
		{"more rooms than fit", 1100, 1, chromedp.Tasks{}, 1020, 1000, "Not printed: 100 more memberships and 80 more rooms. Filters choose what is printed."},
		{"more of everybody than fits", 2, 1200, everybody, 0, 2000, "Not printed: 400 more memberships. Filters choose what is printed."},
	} {
		f, q := office(tc.rooms, tc.members, 30)
		visit(ctx, t, pageFile(t, f, q))
		if err := chromedp.Run(ctx, tc.do); err != nil {
			t.Fatal(err)
		}
		if rooms, rows, rest := printed(ctx, t); rooms != tc.wantRooms || rows != tc.wantRows || rest != tc.rest {
			t.Errorf("%s: paper has %d rooms and %d rows, want %d and %d; it says %q, want %q", tc.name, rooms, rows, tc.wantRooms, tc.wantRows, rest, tc.rest)
		}
	}
}

// A browser that cannot draw the rooms says so, and no other does.
func TestPageUndrawn(t *testing.T) {
	t.Parallel()
	f, q := office(1, 2, 30)
	path := pageFile(t, f, q)
	ctx := browser.New(t)
	watch(ctx, t)
	visit(ctx, t, path)
	if got := texts(ctx, t, "#undrawn"); len(got) != 0 {
		t.Errorf("beside the rooms it says %q", got)
	}
	for name, prepare := range map[string]chromedp.Action{
		"old browser": chromedp.ActionFunc(func(ctx context.Context) error {
			_, err := page.AddScriptToEvaluateOnNewDocument("delete globalThis.DecompressionStream").Do(ctx)
			return err
		}),
		"no scripts": emulation.SetScriptExecutionDisabled(true),
	} {
		var visible []*cdp.Node
		if err := chromedp.Run(ctx, prepare, chromedp.Navigate("file://"+path), chromedp.Nodes("#undrawn", &visible, chromedp.ByQuery, chromedp.AtLeast(0))); err != nil {
			t.Fatal(err)
		}
		if len(visible) != 1 {
			t.Errorf("%s: nothing says that the rooms are missing", name)
		}
	}
}

// More events in a bucket than a character of the heat map can tell still sort,
// and stand in the sparkline, as many as they are.
func TestPageManyEventsInABucket(t *testing.T) {
	t.Parallel()
	f, q := office(1, 2, 30)
	for i, b := range []audit.BucketFacts{{Buckets: []int32{3}, Events: []int32{500}}, {Buckets: []int32{4}, Events: []int32{125}}} {
		m := &f.Members[i]
		m.Name, m.Events = []string{"Wave", "Drip"}[i], 0
		for _, n := range b.Events {
			m.Events += int64(n)
		}
		f.byBucket[audit.MemberKey{RoomID: m.RoomID, AccountID: m.AccountID}] = b
	}
	ctx := browser.New(t)
	watch(ctx, t)
	visit(ctx, t, pageFile(t, f, q))
	column := slices.Index(texts(ctx, t, "#sort option"), "Recorded activity by day")
	if names := texts(ctx, t, ".who b", choose("sort", strconv.Itoa(column))); !slices.Equal(names, []string{"Wave", "Drip"}) {
		t.Errorf("most activity first: %q", names)
	}
	// The fourth bar is the highest, the fifth a quarter of it: 23 units less 5.75.
	if d := eval[string](ctx, t, `document.querySelector(".spark path").getAttribute("d")`); !strings.Contains(d, "M3 26V2.0H") || !strings.Contains(d, "M4 26V19.3H") {
		t.Errorf("the sparkline is %s", d)
	}
}

// keep leaves a picture in the folder of ROOMPULSE_TEST_PICTURES, to be looked at.
func keep(t *testing.T, name string, content []byte) {
	t.Helper()
	if dir := os.Getenv("ROOMPULSE_TEST_PICTURES"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Error(err)
		}
	}
}

// The page of a large portal is no larger than mail takes, and draws what is
// looked at only.
func TestPageOfALargePortal(t *testing.T) {
	t.Parallel()
	f, q := office(5000, 20, 300)
	path := pageFile(t, f, q)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > 15e6 {
		t.Errorf("%d bytes", info.Size())
	}
	ctx := browser.New(t)
	watch(ctx, t)
	visit(ctx, t, path)
	if n := eval[int](ctx, t, `document.querySelectorAll("*").length`); n > 5000 {
		t.Errorf("%d elements are drawn at first", n)
	}
	if said := texts(ctx, t, "#said"); said[0] != "100,000 memberships in 5,000 rooms shown." {
		t.Errorf("said %q", said)
	}
	if rows := texts(ctx, t, "tbody tr", chromedp.Click(".room:nth-of-type(3) summary", chromedp.ByQuery), chromedp.WaitReady("tbody tr")); len(rows) != 20 {
		t.Errorf("a room of 20 has %d rows", len(rows))
	}
	ready := eval[float64](ctx, t, "performance.getEntriesByType('navigation')[0].domComplete")
	t.Logf("%.1f MB, loaded in %.0f ms", float64(info.Size())/1e6, ready)
}

// Text has the contrast that WCAG 2.2 asks for (AA), light and dark.
func TestPageContrast(t *testing.T) {
	t.Parallel()
	style, err := os.ReadFile("page/page.css")
	if err != nil {
		t.Fatal(err)
	}
	themes := regexp.MustCompile(`(?s):root \{(.*?)\}`).FindAllSubmatch(style, -1)
	if len(themes) != 3 {
		t.Fatalf("%d themes, want light, dark and paper", len(themes))
	}
	for i, theme := range themes {
		colors := make(map[string]float64)
		for _, c := range regexp.MustCompile(`--([a-z0-9-]+): (#[0-9a-f]+);`).FindAllStringSubmatch(string(theme[1]), -1) {
			colors[c[1]] = luminance(t, c[2])
		}
		for _, ground := range []string{"bg", "card"} {
			for _, ink := range []string{"ink", "soft", "never", "quiet", "low", "unknown", "new", "pending", "active"} {
				if c := contrast(colors[ink], colors[ground]); c < 4.5 {
					t.Errorf("theme %d: %s on %s has contrast %.2f", i, ink, ground, c)
				}
			}
		}
		if c := contrast(colors["notice-ink"], colors["notice"]); c < 4.5 {
			t.Errorf("theme %d: notices have contrast %.2f", i, c)
		}
		if c := contrast(colors["h2"], colors["lane"]); i < 2 && c < 1.5 {
			t.Errorf("theme %d: activity on its lane has contrast %.2f", i, c)
		}
	}
}

func contrast(a, b float64) float64 { return (max(a, b) + .05) / (min(a, b) + .05) }

// luminance is the relative luminance of a colour such as #fff or #1b5fa6.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	digits := hex[1:]
	if len(digits) == 3 {
		digits = string([]byte{digits[0], digits[0], digits[1], digits[1], digits[2], digits[2]})
	}
	sum := 0.0
	for i, weight := range []float64{.2126, .7152, .0722} {
		n, err := strconv.ParseUint(digits[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(n) / 255
		if c <= .04045 {
			sum += weight * c / 12.92
		} else {
			sum += weight * math.Pow((c+.055)/1.055, 2.4)
		}
	}
	return sum
}
