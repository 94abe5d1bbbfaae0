package analytics_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"roompulse/internal/audit"
	"roompulse/internal/demoportal/world"
	"roompulse/internal/report"
)

const cookbook = "../../docs/sql"

// question is a file of docs/sql.
type question struct {
	Name, Title string
	SQL         string // with psql's variables
	Variables   []string
}

var setting = regexp.MustCompile(`(?m)^\\set (\w+) '([^']*)'$\n`)

func questions(t *testing.T) (all []question) {
	t.Helper()
	files, err := filepath.Glob(cookbook + "/*.sql")
	must(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(t, err)
		q := question{Name: filepath.Base(file), SQL: setting.ReplaceAllString(string(text), "")}
		title, _, _ := strings.Cut(string(text), "\n")
		q.Title = strings.TrimPrefix(title, "-- ")
		for _, match := range setting.FindAllStringSubmatch(string(text), -1) {
			q.Variables = append(q.Variables, match[1])
		}
		all = append(all, q)
	}
	return all
}

// with returns the SQL with the variables' values in place, as psql puts them there.
func (q question) with(t *testing.T, values map[string]string) string {
	t.Helper()
	sql := q.SQL
	for _, name := range q.Variables {
		value, ok := values[name]
		if !ok || !strings.Contains(sql, ":'"+name+"'") {
			t.Errorf("%s: the variable %s has no value here or is not used", q.Name, name)
		}
		sql = strings.ReplaceAll(sql, ":'"+name+"'", "'"+strings.ReplaceAll(value, "'", "''")+"'")
	}
	return sql
}

// TestCookbookForm: each file says what it answers, and the list of them is whole.
func TestCookbookForm(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(cookbook + "/README.md")
	must(t, err)
	all := questions(t)
	if len(all) < 20 {
		t.Errorf("there are only %d questions", len(all))
	}
	for _, q := range all {
		if !regexp.MustCompile(`\A-- .+\?\n--\n-- Answer   [A-Z](?s:.+)\n-- Caveats  [A-Z](?s:.+)\n\n`).MatchString(q.SQL) {
			t.Errorf("%s does not begin with the question, its answer and its caveats", q.Name)
		}
		if row := fmt.Sprintf("| [%s](%s) | %s |\n", q.Name, q.Name, q.Title); strings.Count(string(readme), row) != 1 {
			t.Errorf("the README has not: %s", row)
		}
		if !strings.Contains(q.SQL, "portal = (SELECT portal FROM analytics.portals)") && q.Name != "data_quality.sql" {
			t.Errorf("%s does not say which portal it is about", q.Name)
		}
	}
	if rows := strings.Count(string(readme), "](") - strings.Count(string(readme), "](../"); rows != len(all) {
		t.Errorf("the README lists %d questions, and there are %d", rows, len(all))
	}
}

// The windows that are asked about; dates are what analysts write.
var (
	from  = time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC)
	to    = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	since = time.Date(2026, 11, 17, 0, 0, 0, 0, time.UTC)
	at    = time.Date(2026, 10, 15, 12, 0, 0, 0, time.UTC)
)

// TestCookbook asks the demo portal's warehouse every question as an analyst, and compares the answers
// with what plain Go counts from the raw events, or with what reports say.
func TestCookbook(t *testing.T) {
	t.Parallel()
	h := newWarehouse(t)
	values := map[string]string{
		"from": from.Format(time.DateOnly), "to": to.Format(time.DateOnly), "since": since.Format(time.DateOnly),
		"at": at.Format(time.RFC3339), "room": h.room, "account": h.busiestAccount(), "zone": "Europe/Berlin",
	}
	h.checkTruth(t)
	answers := h.answers(t)
	for _, q := range questions(t) {
		want := answers[q.Name]
		delete(answers, q.Name)
		if len(want) == 0 {
			t.Errorf("%s: the demo portal has nothing to answer with, or nothing here says what", q.Name)
		}
		if got := h.ask(t, q.with(t, values)); !slices.Equal(got, want) {
			t.Errorf("%s: got\n%s\nwant\n%s", q.Name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	for name := range answers {
		t.Errorf("there is no question %s", name)
	}
}

// checkTruth compares the view of events with what happened in the demo portal.
func (h *warehouse) checkTruth(t *testing.T) {
	t.Helper()
	type seen struct {
		At                                     time.Time
		Account                                string
		Action                                 int32
		Room, Country, City, Browser, Platform *string
	}
	rows, err := h.analyst.Query(t.Context(), `
		SELECT event_id, occurred_at, account_id, action_id, room_id, country, city, browser, platform FROM events
		WHERE portal = $1 AND occurred_at < now() + INTERVAL '10 years'`, h.portal)
	must(t, err)
	held := make(map[int64]seen)
	for rows.Next() {
		var id int64
		var e seen
		must(t, rows.Scan(&id, &e.At, &e.Account, &e.Action, &e.Room, &e.Country, &e.City, &e.Browser, &e.Platform))
		held[id] = e
	}
	must(t, rows.Err())
	given := func(text string) *string {
		if text == "" {
			return nil
		}
		return &text
	}
	problems := 0
	for fact := range h.world.Truth(now).Events() {
		if !fact.Listed {
			continue
		}
		got := held[int64(fact.ID)]
		delete(held, int64(fact.ID))
		want := seen{
			fact.Date, fact.Actor.ID, int32(fact.Kind.ID), got.Room,
			given(fact.Client.Country), given(fact.Client.City), given(fact.Client.Browser), given(fact.Client.Platform),
		}
		room := got.Room == nil && fact.Evidence&(world.ByTarget|world.ByTitle) == 0 || got.Room != nil && fact.Room != nil && *got.Room == fact.Room.ID
		if got.At = got.At.UTC(); (!reflect.DeepEqual(got, want) || !room) && problems < 5 {
			problems++
			t.Errorf("event %d is %+v, want %+v in room %+v", fact.ID, got, want, fact.Room)
		}
	}
	if len(held) > 0 || len(h.events) == 0 {
		t.Errorf("%d events have never happened", len(held))
	}
}

// ask returns rows as text, columns apart by bars, null as nothing.
func (h *warehouse) ask(t *testing.T, sql string) (lines []string) {
	t.Helper()
	rows, err := h.analyst.Query(t.Context(), sql, pgx.QueryExecModeSimpleProtocol)
	must(t, err)
	for rows.Next() {
		var cells []string
		for _, value := range rows.RawValues() {
			cells = append(cells, string(value))
		}
		lines = append(lines, strings.Join(cells, "|"))
	}
	must(t, rows.Err())
	return lines
}

// line writes values as PostgreSQL shows them.
func line(values ...any) string {
	cells := make([]string, len(values))
	for i, v := range values {
		switch v := v.(type) {
		case time.Time:
			if !v.IsZero() {
				cells[i] = v.UTC().Format("2006-01-02 15:04:05.999999+00")
			}
		case *string:
			if v != nil {
				cells[i] = *v
			}
		case bool:
			cells[i] = map[bool]string{false: "f", true: "t"}[v]
		default:
			cells[i] = fmt.Sprint(v)
		}
	}
	return strings.Join(cells, "|")
}

func percent(part, whole int) string {
	return fmt.Sprintf("%.1f", math.Round(1000*float64(part)/float64(whole))/10)
}

func day(t time.Time) string { return t.Format(time.DateOnly) }

// set counts different things.
type set map[string]struct{}

func (s set) add(v string) { s[v] = struct{}{} }

// tally is what is counted of a group of events.
type tally struct {
	key                        string
	events, edits              int
	people, rooms, days, items set
	first, last                time.Time
}

// tallies groups events; the key of an event that is left out is empty. They come by key.
func tallies(events []event, key func(event) string) (list []*tally) {
	byKey := make(map[string]*tally)
	for _, e := range events {
		k := key(e)
		if k == "" {
			continue
		}
		g := byKey[k]
		if g == nil {
			g = &tally{key: k, people: set{}, rooms: set{}, days: set{}, items: set{}, first: e.At}
			byKey[k] = g
		}
		g.events++
		if e.Class == audit.ClassEdit {
			g.edits++
		}
		g.people.add(e.Account)
		g.days.add(day(e.At))
		if e.Room != nil {
			g.rooms.add(*e.Room)
		}
		if e.Target != nil {
			g.items.add(*e.Target)
		}
		g.first, g.last = audit.Earlier(g.first, e.At), audit.Later(g.last, e.At)
	}
	return slices.SortedFunc(maps.Values(byKey), func(a, b *tally) int { return cmp.Compare(a.key, b.key) })
}

// byEvents puts the biggest first, of equal ones the lower key.
func byEvents(list []*tally) []*tally {
	slices.SortStableFunc(list, func(a, b *tally) int { return cmp.Compare(b.events, a.events) })
	return list
}

// inRoom is the room of an event that counts.
func inRoom(e event) string {
	if !e.counts() {
		return ""
	}
	return *e.Room
}

// roomAndAccount are those of an event that counts.
func roomAndAccount(e event) string {
	if !e.counts() {
		return ""
	}
	return *e.Room + " " + e.Account
}

func byKey(list []*tally) map[string]*tally {
	m := make(map[string]*tally)
	for _, g := range list {
		m[g.key] = g
	}
	return m
}

func (h *warehouse) busiestAccount() string {
	return byEvents(tallies(h.events, func(e event) string { return e.Account }))[0].key
}

func (h *warehouse) title(room string) string {
	i := slices.IndexFunc(h.rooms, func(r audit.RoomFacts) bool { return r.ID == room })
	return h.rooms[i].Title
}

func (h *warehouse) name(account string) string {
	i := slices.IndexFunc(h.events, func(e event) bool { return e.Account == account })
	return h.events[i].Name
}

// answers are the right ones, by question.
func (h *warehouse) answers(t *testing.T) map[string][]string {
	t.Helper()
	answers := make(map[string][]string)
	add := func(question string, values ...any) { answers[question] = append(answers[question], line(values...)) }
	window := audit.Window{From: from, To: to, Zone: time.UTC}
	events := h.between(from, to)
	live := h.liveRooms()

	quality, err := report.Activity(t.Context(), h.reader, report.ActivityQuery{Window: window, Now: now, MaxLag: time.Hour})
	must(t, err)
	q := quality.DataQuality
	add("data_quality.sql", h.portal, q.CompleteFrom.Time, q.CompleteUntil.Time, q.Events, q.UnattributedEvents, q.InferredEvents)
	add("gaps.sql", "accepted_gap", "2025-03-01 00:00:00+00", "2025-03-02 00:00:00+00", "1 day", 1, "the portal was restored", "nobody worked")
	add("gaps.sql", "gap", "2025-04-01 08:00:00+00", "2025-04-01 08:00:01+00", "00:00:01", 2, "the portal would not list it", "")
	add("late_events.sql", 103, "2026-10-01 10:00:00+00", 7, 1, "25:00:00")
	add("late_events.sql", 102, "2026-10-03 10:00:00+00", 40, 3, "01:06:40")
	for _, row := range quality.Rows {
		add("activity.sql", row.RoomID, row.Title, row.AccountID, row.DisplayName, row.Member, row.Events, row.Views, row.Edits, row.Manages,
			row.ActiveDays, row.FirstActiveAt.Time, row.LastActiveAt.Time)
	}

	h.answerMembers(t, add, events, live)
	h.answerEvents(add, events)
	h.answerRooms(add, events)
	h.answerRest(t, add, events)
	return answers
}

type adder func(question string, values ...any)

func (h *warehouse) answerMembers(t *testing.T, add adder, events []event, live map[string]audit.RoomFacts) {
	t.Helper()
	inWindow := byKey(tallies(events, roomAndAccount))
	ever := byKey(tallies(h.events, roomAndAccount))

	type count struct{ members, inactive int }
	perRoom := make(map[string]*count)
	people := make(map[string]set)
	for _, m := range h.members {
		if people[m.RoomID] == nil {
			perRoom[m.RoomID], people[m.RoomID] = &count{}, set{}
		}
		people[m.RoomID].add(m.AccountID)
		if _, ok := live[m.RoomID]; !ok || m.Status != audit.AccountActive {
			continue
		}
		perRoom[m.RoomID].members++
		if inWindow[m.RoomID+" "+m.AccountID] == nil {
			perRoom[m.RoomID].inactive++
		}
	}
	rooms := slices.SortedFunc(maps.Keys(perRoom), func(a, b string) int {
		return cmp.Or(cmp.Compare(perRoom[b].inactive, perRoom[a].inactive), cmp.Compare(a, b))
	})
	for _, room := range rooms {
		if c := perRoom[room]; c.members > 0 {
			add("inactive_by_room.sql", room, h.title(room), c.members, c.inactive, percent(c.inactive, c.members))
		}
	}

	ofRoom := slices.DeleteFunc(slices.Clone(h.members), func(m audit.MemberFacts) bool { return m.RoomID != h.room })
	slices.SortFunc(ofRoom, func(a, b audit.MemberFacts) int {
		return cmp.Or(a.LastActiveAt.Compare(b.LastActiveAt), cmp.Compare(a.AccountID, b.AccountID))
	})
	for _, m := range ofRoom {
		days := 0
		if g := ever[m.RoomID+" "+m.AccountID]; g != nil {
			days = len(g.days)
		}
		add("last_activity.sql", m.AccountID, m.Name, m.Access, m.LastActiveAt, m.Events, days)
	}

	var dormant, absent []audit.RoomFacts
	last := byKey(tallies(h.events, inRoom))
	owners := make(map[string]audit.MemberFacts)
	for _, m := range h.members {
		if m.Owner {
			owners[m.RoomID] = m
		}
	}
	for id, room := range live {
		if g := last[id]; g == nil || g.last.Before(since) {
			dormant = append(dormant, room)
		}
		if owners[id].LastActiveAt.Before(since) {
			absent = append(absent, room)
		}
	}
	used := func(room audit.RoomFacts) time.Time {
		if g := last[room.ID]; g != nil {
			return g.last
		}
		return time.Time{}
	}
	slices.SortFunc(dormant, func(a, b audit.RoomFacts) int { return cmp.Or(used(a).Compare(used(b)), cmp.Compare(a.ID, b.ID)) })
	for _, room := range dormant {
		add("dormant_rooms.sql", room.ID, room.Title, room.Created, used(room), len(people[room.ID]))
	}
	slices.SortFunc(absent, func(a, b audit.RoomFacts) int {
		return cmp.Or(owners[a.ID].LastActiveAt.Compare(owners[b.ID].LastActiveAt), cmp.Compare(a.ID, b.ID))
	})
	for _, room := range absent {
		m := owners[room.ID]
		add("absent_owners.sql", room.ID, room.Title, m.AccountID, m.Name, map[audit.AccountStatus]string{1: "active", 2: "disabled", 3: "deleted"}[m.Status], m.LastActiveAt)
	}

	facts, err := h.reader.InactiveFacts(t.Context(), audit.Window{From: from, To: at, Zone: time.UTC}, nil, audit.FilterAny, 0)
	must(t, err)
	groups := make(map[string]string) // through which group, where it is not an own right
	for _, row := range list[[]string](t, h.owner, `
		SELECT ARRAY[a.account_id, min(g.name)]
		FROM room AS r
		JOIN room_group AS v USING (portal_id, room_key) JOIN people_group AS g USING (portal_id, group_key)
		JOIN account AS a USING (portal_id)
		WHERE r.room_id = $1 AND v.valid_from <= $2 AND v.valid_to > $2
			AND (EXISTS (SELECT FROM group_member AS m WHERE m.group_key = g.group_key AND m.account_key = a.account_key AND m.valid_from <= $2 AND m.valid_to > $2)
				OR g.group_id = $3)
			AND NOT EXISTS (SELECT FROM room_member AS m WHERE m.room_key = r.room_key AND m.account_key = a.account_key AND m.valid_from <= $2 AND m.valid_to > $2)
		GROUP BY a.account_id`, h.room, at, audit.GroupEveryone) {
		groups[row[0]] = row[1]
	}
	slices.SortFunc(facts.Members, func(a, b audit.MemberFacts) int { return cmp.Compare(a.AccountID, b.AccountID) })
	for _, m := range facts.Members {
		if m.RoomID == h.room {
			add("members_at.sql", m.AccountID, m.Name, m.Access, groups[m.AccountID], m.JoinedAt)
		}
	}
}

func (h *warehouse) answerEvents(add adder, events []event) {
	for _, g := range byEvents(tallies(events, func(e event) string {
		if e.Type == nil || *e.Type != "Download" || e.Class == audit.ClassNobody {
			return ""
		}
		return e.Account
	})) {
		add("downloads.sql", g.key, h.name(g.key), g.events, len(g.items), len(g.rooms), g.last)
	}

	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	local := func(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, berlin) }
	var hours [24]struct{ weekdays, weekends int }
	for _, e := range h.between(local(from), local(to)) {
		if at := e.At.In(berlin); e.Class.Counts() {
			if w := at.Weekday(); w == time.Saturday || w == time.Sunday {
				hours[at.Hour()].weekends++
			} else {
				hours[at.Hour()].weekdays++
			}
		}
	}
	for hour, n := range hours {
		if n.weekdays+n.weekends > 0 {
			add("activity_by_hour.sql", hour, n.weekdays, n.weekends)
		}
	}

	for _, g := range byEvents(tallies(events, func(e event) string {
		if e.Class == audit.ClassNobody {
			return ""
		}
		return fmt.Sprintf("%04d|%s|%s", e.ActionID, *e.Action, e.Class)
	})) {
		add("actions.sql", strings.TrimLeft(g.key, "0"), g.events, len(g.people))
	}
	for _, g := range byEvents(tallies(events, func(e event) string {
		switch {
		case !e.Class.Counts():
			return ""
		case e.Country == nil:
			return "~" // null comes last
		}
		return *e.Country
	})) {
		add("countries.sql", strings.Trim(g.key, "~"), g.events, len(g.people), len(g.rooms))
	}

	timeline := slices.DeleteFunc(slices.Clone(events), func(e event) bool { return e.Account != h.busiestAccount() })
	slices.SortFunc(timeline, func(a, b event) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(b.ID, a.ID)) })
	sources := []string{"none", "payload", "target", "history", "entry", "entry_nearby", "title", "unresolved", "unplaced_move"}
	for _, e := range timeline[:min(200, len(timeline))] {
		add("person_timeline.sql", e.At, e.ID, e.Action, e.Class, e.Room, e.Title, sources[e.Source], e.Unresolved, e.Description)
	}

	for _, g := range byEvents(tallies(events, func(e event) string {
		if e.Unresolved == nil || !e.Class.Counts() {
			return ""
		}
		return *e.Unresolved
	})) {
		var rooms []string
		for _, room := range h.rooms {
			if room.Title == g.key {
				rooms = append(rooms, room.ID)
			}
		}
		slices.Sort(rooms)
		bearers := ""
		if len(rooms) > 0 {
			bearers = "{" + strings.Join(rooms, ",") + "}"
		}
		add("unresolved_titles.sql", g.key, g.events, len(g.people), g.first, g.last, bearers)
	}

	month := func(t time.Time) string { return t.Format("2006-01") + "-01" }
	all := byKey(tallies(events, func(e event) string {
		if !e.Class.Counts() {
			return ""
		}
		return month(e.At)
	}))
	bySource := byEvents(tallies(events, func(e event) string {
		if !e.Class.Counts() {
			return ""
		}
		return month(e.At) + "|" + sources[e.Source]
	}))
	slices.SortStableFunc(bySource, func(a, b *tally) int { return cmp.Compare(a.key[:10], b.key[:10]) })
	for _, g := range bySource {
		add("room_sources.sql", g.key, g.events, percent(g.events, all[g.key[:10]].events))
	}
}

func (h *warehouse) answerRooms(add adder, events []event) {
	rooms := byEvents(tallies(events, inRoom))
	for _, g := range rooms {
		add("busiest_rooms.sql", g.key, h.title(g.key), g.events, len(g.people), len(g.days))
	}
	for _, g := range tallies(events, func(e event) string {
		if !e.counts() {
			return ""
		}
		return day(e.day().AddDate(0, 0, -(int(e.At.Weekday())+6)%7))
	}) {
		add("weekly_active.sql", g.key, len(g.people), len(g.rooms), g.events)
	}

	active := make(map[time.Month]set)
	for _, e := range h.between(from.AddDate(0, -1, 0), to) {
		if e.counts() {
			if active[e.At.Month()] == nil {
				active[e.At.Month()] = set{}
			}
			active[e.At.Month()].add(e.Account)
		}
	}
	for m := from.Month(); m < to.Month(); m++ {
		back := 0
		for who := range active[m] {
			if _, ok := active[m-1][who]; ok {
				back++
			}
		}
		add("retention.sql", fmt.Sprintf("2026-%02d-01", m), len(active[m]), back)
	}

	type share struct {
		room, account string
		edits, of     int
	}
	var shares []share
	edits := make(map[string]int)
	for _, g := range rooms {
		edits[g.key] = g.edits
	}
	for _, g := range tallies(events, roomAndAccount) {
		room, account, _ := strings.Cut(g.key, " ")
		if edits[room] >= 20 && 10*g.edits >= 8*edits[room] {
			shares = append(shares, share{room, account, g.edits, edits[room]})
		}
	}
	slices.SortFunc(shares, func(a, b share) int {
		return cmp.Or(cmp.Compare(b.edits*a.of, a.edits*b.of), cmp.Compare(a.room, b.room))
	})
	for _, s := range shares {
		add("one_editor_rooms.sql", s.room, h.title(s.room), s.account, h.name(s.account), s.edits, s.of, percent(s.edits, s.of))
	}
}

func (h *warehouse) answerRest(t *testing.T, add adder, events []event) {
	t.Helper()
	type account struct {
		Key        int32
		ID, Name   string
		Email      *string
		Status     audit.AccountStatus
		Guest      bool
		Registered *time.Time
	}
	rows, err := h.owner.Query(t.Context(), `
		SELECT account_key, account_id, name, email, status, is_guest, registered_at FROM account
		WHERE status <> 0 ORDER BY registered_at, account_id COLLATE "C"`)
	must(t, err)
	accounts, err := pgx.CollectRows(rows, pgx.RowToStructByPos[account])
	must(t, err)
	seen := byKey(tallies(h.events, func(e event) string { return e.Account }))
	active := byKey(tallies(events, func(e event) string {
		if !e.counts() {
			return ""
		}
		return e.Account
	}))
	memberships := make(map[string]int)
	for _, m := range h.members {
		memberships[m.AccountID]++
	}
	type domain struct {
		name                     string
		accounts, active, events int
	}
	domains := make(map[string]*domain)
	for _, a := range accounts {
		if a.Guest && a.Status != audit.AccountDisabled && a.Status != audit.AccountDeleted && seen[a.ID] == nil {
			add("guests_never_seen.sql", a.ID, a.Name, map[audit.AccountStatus]string{1: "active", 4: "pending"}[a.Status], utc(a.Registered), memberships[a.ID])
		}
		if a.Status == audit.AccountDeleted || !audit.IsPerson(a.ID) {
			continue
		}
		name := ""
		if a.Email != nil {
			name = audit.EmailDomain(*a.Email)
		}
		if domains[name] == nil {
			domains[name] = &domain{name: name}
		}
		domains[name].accounts++
		if g := active[a.ID]; g != nil {
			domains[name].active++
			domains[name].events += g.events
		}
	}
	for _, d := range slices.SortedFunc(maps.Values(domains), func(a, b *domain) int {
		return cmp.Or(cmp.Compare(b.events, a.events), cmp.Compare(a.name, b.name))
	}) {
		add("email_domains.sql", d.name, d.accounts, d.active, d.events)
	}

	ever := byKey(tallies(h.events, roomAndAccount))
	type cohort struct{ joined, week, month int }
	cohorts := make(map[string]*cohort)
	for _, j := range list[[]string](t, h.owner, `
		SELECT ARRAY[s.room_id, s.account_id, to_char(min(s.joined) AT TIME ZONE 'UTC', 'YYYY-MM-DD')]
		FROM (
			SELECT r.room_id, a.account_id, m.joined_at AS joined
			FROM room_member AS m JOIN room AS r USING (portal_id, room_key) JOIN account AS a USING (portal_id, account_key)
			UNION ALL
			SELECT r.room_id, a.account_id, CASE WHEN '-infinity' IN (v.joined_at, m.valid_from) THEN timestamptz '-infinity' ELSE greatest(v.joined_at, m.valid_from) END
			FROM room_group AS v JOIN room AS r USING (portal_id, room_key)
			JOIN group_member AS m USING (portal_id, group_key) JOIN account AS a USING (portal_id, account_key)
			WHERE m.valid_from < v.valid_to AND v.valid_from < m.valid_to
			UNION ALL
			SELECT r.room_id, a.account_id, CASE WHEN v.joined_at = '-infinity' THEN v.joined_at ELSE greatest(v.joined_at, a.registered_at) END
			FROM room_group AS v JOIN room AS r USING (portal_id, room_key) JOIN people_group AS g USING (portal_id, group_key)
			JOIN account AS a ON a.status = 1 AND NOT a.is_guest AND coalesce(a.registered_at, '-infinity') < v.valid_to
			WHERE g.group_id = $1
		) AS s
		GROUP BY s.room_id, s.account_id
		HAVING bool_and(isfinite(s.joined))`, audit.GroupEveryone) {
		joined, err := time.Parse(time.DateOnly, j[2])
		must(t, err)
		month := j[2][:7] + "-01"
		if cohorts[month] == nil {
			cohorts[month] = &cohort{}
		}
		c := cohorts[month]
		c.joined++
		if g := ever[j[0]+" "+j[1]]; g != nil {
			for _, d := range slices.Sorted(maps.Keys(g.days)) {
				if d < j[2] {
					continue
				}
				if d < day(joined.AddDate(0, 0, 7)) {
					c.week++
				}
				if d < day(joined.AddDate(0, 0, 30)) {
					c.month++
				}
				break
			}
		}
	}
	for _, month := range slices.Sorted(maps.Keys(cohorts)) {
		c := cohorts[month]
		add("joiner_cohorts.sql", month, c.joined, c.week, c.month)
	}

	sent := make([]struct{ sent, back, before, after int }, 3)
	for _, row := range list[[]string](t, h.owner, `
		SELECT ARRAY[r.room_id, a.account_id, m.number::text]
		FROM reminder AS m JOIN room AS r USING (portal_id, room_key) JOIN account AS a USING (portal_id, account_key)
		WHERE m.state = 'sent'`) {
		number := int(row[2][0] - '0')
		claimed := time.Date(2026, 9, 1, 10, 30, 0, 0, time.UTC).AddDate(0, 0, 20*number)
		s := &sent[number]
		s.sent++
		days := set{}
		back := false
		for _, e := range h.events {
			if e.counts() && *e.Room == row[0] && e.Account == row[1] {
				days.add(day(e.At))
				back = back || e.At.After(claimed) && e.At.Before(claimed.AddDate(0, 0, 14))
			}
		}
		if back {
			s.back++
		}
		for d := range days {
			switch {
			case d >= day(claimed.AddDate(0, 0, -30)) && d < day(claimed):
				s.before++
			case d > day(claimed) && d <= day(claimed.AddDate(0, 0, 30)):
				s.after++
			}
		}
	}
	for number, s := range sent[1:] {
		add("reminders_effect.sql", number+1, s.sent, s.back, s.before, s.after)
	}
}

func utc(at *time.Time) time.Time {
	if at == nil {
		return time.Time{}
	}
	return at.UTC()
}

// plan is a node of what EXPLAIN tells.
type plan struct {
	Type     string `json:"Node Type"`
	Relation string `json:"Relation Name"`
	Hit      int    `json:"Shared Hit Blocks"`
	Read     int    `json:"Shared Read Blocks"`
	Plans    []plan `json:"Plans"`
}

func (p plan) walk(visit func(plan)) {
	visit(p)
	for _, child := range p.Plans {
		child.walk(visit)
	}
}

// explain runs a query and returns its plan, and how big the table of events is.
func explain(t *testing.T, analyst *pgx.Conn, sql string) (p plan) {
	t.Helper()
	var text []byte
	must(t, analyst.QueryRow(t.Context(), "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "+strings.TrimSpace(sql), pgx.QueryExecModeSimpleProtocol).Scan(&text))
	var plans []struct {
		Plan plan `json:"Plan"`
	}
	must(t, json.Unmarshal(text, &plans))
	return plans[0].Plan
}

// eventBlocks are the blocks of audit_event, and of its indexes, that a plan reads; by says how.
func (p plan) eventBlocks() (blocks int, by []string) {
	p.walk(func(node plan) {
		if node.Relation == "audit_event" {
			blocks += node.Hit + node.Read
			by = append(by, node.Type)
		}
	})
	return blocks, by
}

// TestCookbookReadsLittle: over 100 days of events, no question about 10 days reads all of them, and most read none.
func TestCookbookReadsLittle(t *testing.T) {
	t.Parallel()
	portal, analyst := newBigWarehouse(t)
	table := list[int](t, analyst, "SELECT (pg_relation_size(oid) / current_setting('block_size')::integer)::integer FROM pg_class WHERE relname = 'audit_event'")[0]
	values := map[string]string{
		"from": "2026-10-01", "to": "2026-10-11", "since": "2026-10-15", "at": "2026-10-15 12:00+00",
		"room": "100001", "account": list[string](t, analyst, "SELECT min(account_id) FROM accounts")[0], "zone": "Europe/Berlin",
	}
	reading := []string{ // the raw events
		"actions.sql", "activity.sql", "activity_by_hour.sql", "countries.sql", "downloads.sql", "person_timeline.sql", "unresolved_titles.sql",
		"data_quality.sql", // the hour of the oldest one
	}
	for _, q := range questions(t) {
		blocks, by := explain(t, analyst, q.with(t, values)).eventBlocks()
		switch {
		case slices.Contains(by, "Seq Scan"):
			t.Errorf("%s scans all events", q.Name)
		case blocks > table/4:
			t.Errorf("%s reads %d blocks of events, whose table has %d", q.Name, blocks, table)
		case blocks > 0 != slices.Contains(reading, q.Name):
			t.Errorf("%s reads %d blocks of events", q.Name, blocks)
		}
	}

	// What analysts write by themselves: a span is enough, and what has none reads everything.
	span := fmt.Sprintf("portal = '%s' AND occurred_at >= '2026-10-01' AND occurred_at < '2026-10-03'", portal)
	for sql, most := range map[string]int{
		"SELECT count(*) FROM events WHERE " + span: table / 8,
		"SELECT * FROM events WHERE " + span + " AND occurred_hour >= '2026-10-01' AND occurred_hour < '2026-10-03'":                        table / 8,
		"SELECT * FROM events WHERE " + span + " AND room_id = '100001' AND class = 'edit'":                                                 table / 8,
		"SELECT * FROM activity_daily WHERE portal = '" + portal + "' AND room_id = '100001'":                                               0,
		"SELECT * FROM events WHERE portal = '" + portal + "' AND event_id = 17":                                                            10,
		"SELECT last_seen_at FROM accounts WHERE portal = '" + portal + "'":                                                                 0,
		"SELECT * FROM activity('" + portal + "', '2026-09-01 12:00+00', '2026-11-01 12:00+00')":                                            table / 8,
		"SELECT room_id, sum(events) FROM activity('" + portal + "', '2026-09-01', '2026-11-01') WHERE room_id = '100001' GROUP BY room_id": 10,
	} {
		if blocks, by := explain(t, analyst, sql).eventBlocks(); blocks > most {
			t.Errorf("%s\nreads %d blocks of events by %v, most is %d of %d", sql, blocks, by, most, table)
		}
	}
	if blocks, _ := explain(t, analyst, "SELECT count(*) FROM events WHERE room_id = '100001'").eventBlocks(); blocks < table {
		t.Errorf("a query without a span reads %d of %d blocks: then the comment of events is wrong", blocks, table)
	}
}
