package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"roompulse/internal/attribution"
	"roompulse/internal/audit"
)

func writeExplanation(out io.Writer, e *ExplainReport, o Options) error {
	r := e.inactive
	p := newPrinter(out, o, r.query.Window.Zone)
	p.notices(r.Notices())
	p.prose("", bold, fmt.Sprintf("%s in %s: %s", personName(e.account.Name, e.account.ID), roomName(e.room.ID, e.room.Title), plain(r.Portal)))
	p.facts([]fact{
		{"Window", windowText(r.query.Window, r.DataQuality)},
		{"Account", e.accountText()},
		{"Room", e.roomText(p.zone)},
	})
	p.line("")
	verdict := []fact{{"Verdict", e.verdict}}
	if e.listed != "" {
		verdict = append(verdict, fact{"Listed", e.listed})
	}
	verdict = append(verdict, fact{"Counted", countedText(r.Activity, r.MinActivity)}, fact{"Events", e.eventsText()})
	if e.member != nil && isOlder(*e.member) {
		verdict = append(verdict, olderNote)
	}
	p.facts(append(verdict, fact{"Seen", e.seenText(p.zone)}))
	p.line("")
	e.writeMemberships(p)
	for _, list := range e.lists() {
		p.events(list)
	}
	p.quality(r.DataQuality, r.query.Window)
	return p.Flush()
}

func statusText(a audit.AccountFacts) string {
	text := map[audit.AccountStatus]string{
		audit.AccountSeen: "in no list of people", audit.AccountActive: "active", audit.AccountDisabled: "disabled",
		audit.AccountDeleted: "deleted", audit.AccountPending: "invitation not accepted",
	}[a.Status]
	if a.Guest {
		text += ", guest"
	}
	return text
}

func (e *ExplainReport) accountText() string {
	text := personName(e.account.Name, e.account.ID)
	if e.account.Email != "" {
		text += ", " + plain(e.account.Email)
	}
	return fmt.Sprintf("%s (%s): %s", text, plain(e.account.ID), statusText(e.account))
}

func (e *ExplainReport) roomText(zone *time.Location) string {
	text := roomName(e.room.ID, e.room.Title)
	if !e.room.Created.IsZero() {
		text += ", made " + Clock(e.room.Created.Truncate(time.Second), zone)
	}
	if e.room.Archived {
		text += ", archived"
	}
	if !e.room.Deleted.IsZero() {
		text += ", deleted " + Clock(e.room.Deleted.Truncate(time.Second), zone)
	}
	return text
}

func (e *ExplainReport) eventsText() string {
	text := fmt.Sprintf("%d counted in the room in the window", e.facts.Counted.Total())
	if e.member != nil {
		text += fmt.Sprintf("; last %s there: ", wordsOf(e.inactive.Activity).one) + lastActivity(e.inactive, *e.member, eventLayout)
	}
	return text
}

func (e *ExplainReport) seenText(zone *time.Location) string {
	last := e.facts.Last
	if last == nil {
		return "nowhere in the portal before the window's end"
	}
	place := "in no room"
	switch {
	case last.Unresolved:
		place = fmt.Sprintf("in a room with the title %q", plain(last.RoomID))
	case last.RoomID != "":
		place = "in " + roomName(last.RoomID, last.RoomTitle)
	}
	return fmt.Sprintf("last %s, %s %s", last.At.In(zone).Format(eventLayout), actionName(last.ActionID), place)
}

const eventLayout = "2006-01-02 15:04:05"

// actionName is DocSpace's name of an action.
func actionName(id int32) string {
	if action, ok := audit.LookupAction(id); ok {
		return action.Name
	}
	return fmt.Sprintf("action %d", id)
}

func (e *ExplainReport) writeMemberships(p printer) {
	p.styled(bold, "Membership of the room")
	if known := e.room.MembersSince; !known.IsZero() {
		p.prose(indent, "", fmt.Sprintf("Its members were first listed %s and last %s; what was before is worked out from its log, if it has one.",
			Clock(known, p.zone), Clock(e.room.MembersAt, p.zone)))
	}
	for _, m := range e.facts.Memberships {
		p.prose(indent, "", membershipText(m, p.zone))
	}
	if len(e.facts.Memberships) == 0 {
		p.prose(indent, "", "None: as far as is known they never were a member.")
	}
	p.line("")
}

func membershipText(m audit.MembershipFacts, zone *time.Location) string {
	right := m.Access.String()
	if m.Access == audit.AccessNone {
		right = "a right that nobody knows"
	}
	through := "in their own right"
	if m.GroupID != "" {
		through = "by the group " + personName(m.GroupName, m.GroupID)
	}
	since, until := "an unknown day", "now"
	if !m.From.IsZero() {
		since = Clock(m.From, zone)
	}
	if !m.To.IsZero() {
		until = Clock(m.To, zone)
	}
	return fmt.Sprintf("%s to %s: %s %s (%s)", since, until, right, through, sinceText(m, zone))
}

// sinceText says how it is known since when a right was held.
func sinceText(m audit.MembershipFacts, zone *time.Location) string {
	switch {
	case m.From.IsZero() && m.JoinedAfter.IsZero():
		return "held before the first list of members; nothing tells since when"
	case m.From.IsZero():
		return "held before the first list of members, but not yet at " + Clock(m.JoinedAfter, zone)
	case m.GroupID != "" && m.JoinedAt.IsZero():
		return "held then; nothing tells since when"
	case m.JoinedAt.IsZero():
		return "another right before; a member before the first list of members"
	case !m.JoinedAt.Equal(m.From):
		return "another right before; a member since " + Clock(m.JoinedAt, zone)
	case m.JoinedAfter.Equal(m.JoinedAt):
		return "the moment is known"
	case m.JoinedAfter.IsZero():
		return "first listed then; nothing tells when they joined"
	}
	return "first listed then; not yet a member at " + Clock(m.JoinedAfter, zone)
}

// eventList is a list of events with a column of its own.
type eventList struct {
	audit.EventList
	subject string
	head    string // of the column
	cell    func(audit.EventDetail) string
	notes   []string
}

func (e *ExplainReport) lists() []eventList {
	f := e.facts
	context := func(d audit.EventDetail) string { return d.Context }
	return []eventList{
		{
			EventList: f.Counted, subject: "Events that counted", head: "Room known by",
			cell: func(d audit.EventDetail) string { return sourceText(attribution.Source(d.RoomSource)) },
		},
		{
			EventList: f.Uncounted, subject: "Events in the room that did not count", head: "Why not", cell: e.whyNot, notes: notCounted(f.Uncounted),
		},
		{
			EventList: f.Unresolved, subject: "Events under a title that this room bore, and no single room", head: "Context",
			cell: context, notes: e.titlesText(f.Unresolved.Newest),
		},
		{EventList: f.Unplaced, subject: "Moves and copies that may have been in this room", head: "Context", cell: context},
	}
}

// notCounted says what the table has no place for.
func notCounted(list audit.EventList) []string {
	if !slices.ContainsFunc(list.Newest, func(d audit.EventDetail) bool {
		return d.ActionID == audit.ActionRoomCreateUser || d.ActionID == audit.ActionRoomRemoveUser
	}) {
		return nil
	}
	return []string{"To add or remove a member counts only for who joins or leaves by themselves."}
}

// sourceText says how an event's room is known.
func sourceText(s attribution.Source) string {
	return map[attribution.Source]string{
		attribution.SourcePayload:     "its id",
		attribution.SourceTarget:      "being about it",
		attribution.SourceHistory:     "its log",
		attribution.SourceEntry:       "where the file lay",
		attribution.SourceEntryNearby: "the file (inferred)",
		attribution.SourceTitle:       "its title (inferred)",
	}[s]
}

// whyNot says why an event in the room is no activity.
func (e *ExplainReport) whyNot(d audit.EventDetail) string {
	switch {
	case d.Class.Counts():
		return fmt.Sprintf("not --activity %s", e.inactive.Activity)
	case d.Class == audit.ClassNobody && !audit.IsPerson(e.account.ID):
		return "no certain person"
	case d.Class == audit.ClassNobody:
		return "done by the portal"
	case d.ActionID == audit.ActionRoomCreateUser && d.Concerning != "":
		return "added " + d.Concerning
	case d.ActionID == audit.ActionRoomCreateUser:
		return "added somebody"
	case d.ActionID == audit.ActionRoomRemoveUser && d.Concerning != "":
		return "removed " + d.Concerning
	case d.ActionID == audit.ActionRoomRemoveUser:
		return "removed somebody"
	}
	return "no activity"
}

// titlesText says of the titles that events name which other rooms bore them.
func (e *ExplainReport) titlesText(events []audit.EventDetail) []string {
	var lines []string
	for _, t := range e.facts.Titles {
		if !slices.ContainsFunc(events, func(d audit.EventDetail) bool {
			title, _ := audit.Title(d.Context)
			return title == t.Title
		}) {
			continue
		}
		others := "no other room is known to have borne it; this one is not known to have borne it at that time"
		if len(t.OtherRooms) > 0 {
			ids := make([]string, len(t.OtherRooms))
			for i, id := range t.OtherRooms {
				ids[i] = plain(id)
			}
			others = "also borne by the rooms " + listed(ids)
			if len(ids) == 1 {
				others = "also borne by the room " + ids[0]
			}
		}
		lines = append(lines, fmt.Sprintf("%q: %s.", plain(t.Title), others))
	}
	return lines
}

func (p printer) events(list eventList) {
	if list.Total() == 0 {
		p.prose("", bold, list.subject+": none")
		p.line("")
		return
	}
	p.prose("", bold, fmt.Sprintf("%s: %d (%s)", list.subject, list.Total(), totalsText(list.EventList)))
	if len(list.Newest) < int(list.Total()) {
		p.prose(indent, "", fmt.Sprintf("The newest %d; --all-events lists them all.", len(list.Newest)))
	}
	for _, note := range list.notes {
		p.prose(indent, "", note)
	}
	columns := []column{
		{head: [2]string{"", "Time"}},
		{head: [2]string{"", "Class"}, spare: 1},
		{head: [2]string{"", "Action"}, least: 12},
		{head: [2]string{"", list.head}, least: 20, spare: 3},
		{head: [2]string{"", "What DocSpace says"}, least: 16, spare: 2},
	}
	var rows [][]cell
	for _, d := range list.Newest {
		what := d.Description
		if strings.TrimSpace(what) == "" {
			what = "target " + d.Target
		}
		rows = append(rows, []cell{
			{text: d.At.In(p.zone).Format(eventLayout)},
			{text: d.Class.String()},
			{text: actionName(d.ActionID)},
			{text: plain(list.cell(d))},
			{text: plain(what)},
		})
	}
	p.table(columns, rows)
}

func totalsText(list audit.EventList) string {
	var parts []string
	for _, part := range []struct {
		events int64
		name   string
	}{{list.Views, "view"}, {list.Edits, "edit"}, {list.Manages, "manage"}, {list.Nones, "no activity"}} {
		if part.events > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", part.name, part.events))
		}
	}
	return strings.Join(parts, ", ")
}

// table prints a table that stands alone.
func (p printer) table(columns []column, rows [][]cell) {
	widths := naturalWidths(columns, slices.Values(rows))
	if p.Width > 0 {
		widths = fitColumns(columns, widths, p.Width)
	}
	p.line(line(columns, widths, heads(columns)[1], p.Color))
	for _, row := range rows {
		p.line(line(columns, widths, row, p.Color))
	}
	p.leftOut(columns, widths)
	p.line("")
}
