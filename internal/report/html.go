package report

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"roompulse/internal/audit"
)

// The HTML report is one file: a page, its style and script, and the data that
// the script draws rooms from. Rooms are drawn as far as somebody looks, so a
// portal of 5,000 rooms opens like one of five. The data are compressed: the
// names and times of 100,000 members take 3 MB instead of 20.

var (
	//go:embed page/page.tmpl
	pageTemplate string
	//go:embed page/page.css
	pageStyle string
	//go:embed page/page.js
	pageScript string
)

var parsedPage = sync.OnceValue(func() *template.Template { return template.Must(template.New("page").Parse(pageTemplate)) })

// page is what the template shows.
type page struct {
	Policy              string // Content-Security-Policy
	Style, Data, Script template.HTML
	Title, Portal       string
	Lead                *lead
	Notices             []string
	Facts               []fact
	Totals              []pageTotal
	Steps               []string
	Notes               []fact
	Exclusions          []fact
	Quality             []fact
	Recorded            string
}

// lead is the number that says most.
type lead struct{ Figure, Text string }

type pageTotal struct {
	State   State
	Glyph   string
	Members int
	Meaning string
}

// pageData is what the script draws. Rows have a cell for each column, and if
// there is a heat map one more: the bucket in which the membership began.
type pageData struct {
	Columns []pageColumn `json:"columns"`
	States  []pageState  `json:"states"`
	People  [][]string   `json:"people"` // name and e-mail address
	Rooms   []pageRoom   `json:"rooms"`
	Heat    *pageHeat    `json:"heat"`
}

type pageColumn struct {
	Name string `json:"name"`
	Kind string `json:"kind"` // person, text, state, heat, num or time
}

type pageState struct {
	Name   string `json:"name"`
	Tile   State  `json:"tile"`
	Glyph  string `json:"glyph"`
	Listed bool   `json:"listed"` // has too little activity
}

type pageRoom struct {
	ID    string  `json:"id"`
	Title string  `json:"title"`
	Sum   string  `json:"sum"`
	Note  string  `json:"note,omitempty"`
	Rows  [][]any `json:"rows"`
	Sums  []int64 `json:"sums,omitempty"` // events by bucket of those whom the heat map shows
}

type pageHeat struct {
	First   string   `json:"first"` // date
	Days    int      `json:"days"`  // of a bucket
	Count   int      `json:"count"`
	Word    string   `json:"word"`
	Most    int      `json:"most"`
	Missing [][2]int `json:"missing"` // buckets of which events are missing
}

// stateGlyphs tell states apart without colour.
var stateGlyphs = map[State]string{
	StateNever: "○", StateQuiet: "◔", StateLow: "◑", StateUnknown: "?", StateNew: "+", StatePending: "…", StateActive: "●",
}

// writePage writes a page with its data.
func writePage(w io.Writer, p page, data pageData) error {
	packed, err := packData(data)
	if err != nil {
		return err
	}
	p.Policy = "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; style-src " + source(pageStyle) +
		"; script-src " + source(pageScript) + "; require-trusted-types-for 'script'; trusted-types 'none'"
	p.Recorded = recorded
	p.Style = template.HTML("<style>" + pageStyle + "</style>")                                         //nolint:gosec // a file of ours
	p.Script = template.HTML("<script>" + pageScript + "</script>")                                     //nolint:gosec // a file of ours
	p.Data = template.HTML(`<script type="application/octet-stream" id="data">` + packed + "</script>") //nolint:gosec // base64
	return parsedPage().Execute(w, p)
}

// source names a text in a Content-Security-Policy by its hash.
func source(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func packData(data pageData) (string, error) {
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	if err := json.NewEncoder(zip).Encode(data); err != nil {
		return "", err
	}
	if err := zip.Close(); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(packed.Bytes()), nil
}

// pagePeople numbers people, who may be in many rooms.
type pagePeople struct {
	numbers map[string]int // by account id
	list    [][]string
}

func newPagePeople() *pagePeople { return &pagePeople{make(map[string]int), [][]string{}} }

func (p *pagePeople) number(id, name, email string) int {
	n, ok := p.numbers[id]
	if !ok {
		n = len(p.list)
		p.numbers[id] = n
		p.list = append(p.list, []string{personName(name, id), plain(email)})
	}
	return n
}

func writeInactiveHTML(w io.Writer, r *InactiveReport, _ Options) error {
	p := page{
		Title: r.title(), Portal: plain(r.Portal), Lead: r.lead(), Notices: r.Notices(), Facts: r.facts(),
		Steps: r.unknownSteps(), Notes: r.footnotes(everybodyOf), Exclusions: r.exclusionFacts(), Quality: qualityFacts(r.DataQuality, r.query.Window),
	}
	for _, t := range r.totals() {
		p.Totals = append(p.Totals, pageTotal{t.state, stateGlyphs[t.state], t.members, t.meaning})
	}
	return writePage(w, p, r.pageData())
}

// lead counts those whose activity is known to be too little.
func (r *InactiveReport) lead() *lead {
	inactive, judged := 0, 0
	for state, n := range r.Totals {
		judged += n
		if state.IsListed() && state != StateUnknown {
			inactive += n
		}
	}
	text := fmt.Sprintf("of %s without recorded %s", count(judged, "membership"), wordsOf(r.Activity).plural)
	if r.MinActivity > 1 {
		text = fmt.Sprintf("of %s with less than %d events", count(judged, "membership"), r.MinActivity)
	}
	if n := r.Totals[StateUnknown]; n > 0 {
		text += fmt.Sprintf("; of %d it cannot be told", n)
	}
	return &lead{strconv.Itoa(inactive), text + "."}
}

// heatColumn is where the heat map stands.
const heatColumn = 3

func (r *InactiveReport) pageData() pageData {
	buckets := r.query.Window.Buckets()
	unit := "day"
	if buckets.Days > 1 {
		unit = "week"
	}
	counted := wordsOf(r.Activity)
	data := pageData{
		Columns: []pageColumn{
			{"Member", "person"},
			{"Access", "text"},
			{"State", "state"},
			{"Events", "num"},
			{"Last " + counted.one + " in the room", "time"},
			{"Last seen in the portal", "time"},
			{"Member since", "time"},
		},
		Rooms: make([]pageRoom, len(r.Rooms)),
	}
	if r.byDay {
		data.Columns = slices.Insert(data.Columns, heatColumn, pageColumn{fmt.Sprintf("Recorded %s by %s", counted.plural, unit), "heat"})
		data.Heat = &pageHeat{
			First: buckets.First.Format(time.DateOnly), Days: buckets.Days, Count: buckets.Count, Word: counted.plural, Most: mostActive,
			Missing: missingBuckets(r.DataQuality, buckets),
		}
	}
	states := make(map[string]int) // by text
	for _, s := range stateOrder {
		texts := []string{string(s)}
		if s == StateUnknown {
			texts = []string{unknownText(IncompleteData), unknownText(UnresolvedEvents)}
		}
		for _, text := range texts {
			states[text] = len(data.States)
			data.States = append(data.States, pageState{text, s, stateGlyphs[s], s.IsListed()})
		}
	}
	people := newPagePeople()
	zone := r.query.Window.Zone
	for i, room := range r.Rooms {
		rows := make([][]any, len(room.everybody))
		for j, m := range room.everybody {
			rows[j] = []any{
				people.number(m.AccountID, m.DisplayName, m.Email),
				accessText(m),
				states[stateText(m)],
				m.Events,
				lastActivity(r, m, toTheMinute),
				when(m.LastSeenAt, toTheMinute, zone),
				when(m.MemberSince, toTheMinute, zone),
			}
			if r.byDay {
				rows[j] = append(slices.Insert(rows[j], heatColumn, heatText(m)), firstBucket(m.MemberSince.Time, buckets))
			}
		}
		data.Rooms[i] = pageRoom{ID: plain(room.ID), Title: roomTitle(room.ID, room.Title), Sum: roomSum(room), Note: roomNote(room, zone), Rows: rows}
		if r.byDay {
			data.Rooms[i].Sums = bucketSums(room, buckets)
		}
	}
	data.People = people.list
	return data
}

func roomTitle(id, title string) string { return personName(title, id) }

// roomSum says how many members of a room have too little activity.
func roomSum(room Room) string {
	inactive, unknown := 0, 0
	for _, m := range room.everybody {
		switch {
		case m.State == StateUnknown:
			unknown++
		case m.State.IsListed():
			inactive++
		}
	}
	text := fmt.Sprintf("%d inactive", inactive)
	if unknown > 0 {
		text += fmt.Sprintf(", %d unknown", unknown)
	}
	text += " of " + count(room.Members, "member")
	if n := len(room.Excluded); n > 0 {
		text += fmt.Sprintf(", %d excluded", n)
	}
	return text
}

// heatText has a character for each bucket, up to the last with events; of a
// member whom the heat map does not show it is nil.
func heatText(m Member) any {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	if !m.inHeatMap {
		return nil
	}
	n := len(m.byBucket.Buckets)
	if n == 0 {
		return ""
	}
	text := bytes.Repeat([]byte{digits[0]}, int(m.byBucket.Buckets[n-1])+1)
	for i, bucket := range m.byBucket.Buckets {
		text[bucket] = digits[min(int(m.byBucket.Events[i]), len(digits)-1)]
	}
	return string(text)
}

func bucketSums(room Room, b audit.Buckets) []int64 {
	sums := make([]int64, b.Count)
	for _, m := range room.everybody {
		for i, bucket := range m.byBucket.Buckets {
			sums[bucket] += int64(m.byBucket.Events[i])
		}
	}
	return sums
}

// firstBucket is the bucket that a moment lies in, 0 if it is not known or before all.
func firstBucket(t time.Time, b audit.Buckets) int {
	if !t.After(b.First) {
		return 0
	}
	return int(t.Sub(b.First) / (time.Duration(b.Days) * 24 * time.Hour))
}

func missingBuckets(q DataQuality, b audit.Buckets) [][2]int {
	missing := [][2]int{}
	for _, gap := range q.Gaps {
		if gap.Accepted {
			continue
		}
		last := gap.To.Add(-1)
		missing = append(missing, [2]int{firstBucket(gap.From.Time, b), min(firstBucket(last, b)+1, b.Count)})
	}
	return missing
}

// activitySum says how much was done in a room.
func activitySum(rows []ActivityRow) string {
	sum := sumUp(rows)
	return fmt.Sprintf("%s of %s: view %d, edit %d, manage %d", count(int(sum.Events), "event"), people(len(rows)), sum.Views, sum.Edits, sum.Manages)
}

func writeActivityHTML(w io.Writer, r *ActivityReport, _ Options) error {
	data := pageData{States: []pageState{}, Rooms: []pageRoom{}}
	for _, c := range activityColumns {
		kind := "text"
		switch {
		case c.head[1] == "Person":
			kind = "person"
		case c.right:
			kind = "num"
		case c.head[1] == "activity":
			kind = "time"
		}
		data.Columns = append(data.Columns, pageColumn{strings.TrimSpace(c.head[0] + " " + c.head[1]), kind})
	}
	persons := newPagePeople()
	zone := r.query.Window.Zone
	for rows := range byRoom(r.Rows) {
		room := pageRoom{ID: plain(rows[0].RoomID), Title: roomTitle(rows[0].RoomID, rows[0].Title), Sum: activitySum(rows)}
		for _, a := range rows {
			room.Rows = append(room.Rows, []any{
				persons.number(a.AccountID, a.DisplayName, ""), memberText(a), a.Events, a.Views, a.Edits, a.Manages, a.ActiveDays,
				when(a.FirstActiveAt, toTheMinute, zone), when(a.LastActiveAt, toTheMinute, zone),
			})
		}
		data.Rooms = append(data.Rooms, room)
	}
	data.People = persons.list
	return writePage(w, page{
		Title: "Recorded activity", Portal: plain(r.Portal), Notices: r.Notices(), Facts: r.facts(), Quality: qualityFacts(r.DataQuality, r.query.Window),
	}, data)
}
