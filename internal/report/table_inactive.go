package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"roompulse/internal/audit"
)

// stateStyles holds the states in the order in which people read of them.
var stateStyles = []struct {
	state State
	style string
}{
	{StateNever, red},
	{StateQuiet, yellow},
	{StateLow, yellow},
	{StateUnknown, magenta},
	{StateNew, cyan},
	{StatePending, cyan},
	{StateActive, green},
}

func rank(s State) int {
	for i, known := range stateStyles {
		if known.state == s {
			return i
		}
	}
	return len(stateStyles)
}

func writeInactiveTable(out io.Writer, r *InactiveReport, o Options) error {
	p := newPrinter(out, o, r.query.Window.Zone)
	p.notices(r.Notices())
	subject := "Members without recorded activity"
	if r.query.All {
		subject = "Members and their recorded activity"
	}
	p.styled(bold, subject+": "+plain(r.Portal))
	p.window(r.query.Window, r.DataQuality)
	p.fact("Counted", "%s", countedText(r.Activity, r.MinActivity))
	p.fact("Judged", "%s", judgedText(r))
	p.line("")
	writeTotals(p, r)
	writeUnknown(p, r)
	writeRooms(p, r)
	p.quality(r.DataQuality, r.query.Window)
	return p.Flush()
}

func countedText(activity audit.Filter, minActivity int64) string {
	what := string(activity) + " events"
	if activity == audit.FilterAny {
		what = "view, edit and manage events"
	}
	if minActivity == 1 {
		return what + "; one in the window makes a member active"
	}
	return fmt.Sprintf("%s; %d in the window make a member active", what, minActivity)
}

func judgedText(r *InactiveReport) string {
	memberships := 0
	for _, n := range r.Totals {
		memberships += n
	}
	text := fmt.Sprintf("%s of %s in %s", count(memberships, "membership"), people(r.People), count(len(r.Rooms), "room"))
	var without []string
	if !r.query.Owners {
		without = append(without, "room owners")
	}
	switch r.query.Guests {
	case GuestsExclude:
		without = append(without, "guests")
	case GuestsOnly:
		text += ", guests only"
	case GuestsInclude:
	}
	if !r.query.Archived && len(r.query.Rooms) == 0 {
		without = append(without, "archived rooms")
	}
	if len(without) > 0 {
		text += ", without " + enumerate(without)
	}
	return text
}

func people(n int) string {
	if n == 1 {
		return "1 person"
	}
	return fmt.Sprintf("%d people", n)
}

// meanings says what the states are.
func (r *InactiveReport) meanings() map[State]string {
	quiet := "none in the window; some before it"
	if since := r.noneSince; !since.IsZero() && since.Before(r.query.Window.To) {
		quiet += ", or none since data begin"
	}
	return map[State]string{
		StateNever:   "no recorded activity since they became a member",
		StateQuiet:   quiet,
		StateLow:     "some in the window, but too little",
		StateUnknown: "cannot be told",
		StateNew:     "a member for less than " + length(r.query.Grace),
		StatePending: "invitation not accepted",
		StateActive:  "enough in the window",
	}
}

func writeTotals(p printer, r *InactiveReport) {
	meaning := r.meanings()
	for _, s := range stateStyles {
		if r.MinActivity == 1 && s.state == StateLow {
			continue
		}
		const size = 20 // of the columns before the meaning
		lines := wrap(meaning[s.state], p.Width-size)
		state := styled(fmt.Sprintf("%-8s", s.state), s.style, p.Color)
		p.line(fmt.Sprintf("  %s  %6d  %s", state, r.Totals[s.state], lines[0]))
		for _, text := range lines[1:] {
			p.line(strings.Repeat(" ", size) + text)
		}
	}
	p.line("")
}

// unknownText is how the table says why a state is unknown.
func unknownText(because UnknownBecause) string {
	if because == IncompleteData {
		return "unknown, data"
	}
	return "unknown, room"
}

// unknownReason says in a sentence why a state is unknown.
func (r *InactiveReport) unknownReason(because UnknownBecause) string {
	if because == IncompleteData {
		return "events that may be theirs are missing; " + strings.Join(mend(r.coverage, r.query.Window, r.query.Now), "; ")
	}
	return "they did something in a room of that title; other rooms had it too, and DocSpace does not say which of them it was"
}

// writeUnknown says what would tell of those who are unknown.
func writeUnknown(p printer, r *InactiveReport) {
	counts := make(map[UnknownBecause]int)
	for _, room := range r.Rooms {
		for _, m := range room.Inactive {
			if m.UnknownBecause != nil {
				counts[*m.UnknownBecause]++
			}
		}
	}
	if n := counts[IncompleteData]; n > 0 {
		p.prose("  ", "", fmt.Sprintf("%s (%d): %s", unknownText(IncompleteData), n, r.unknownReason(IncompleteData)))
	}
	if n := counts[UnresolvedEvents]; n > 0 {
		p.prose("  ", "", fmt.Sprintf("%s (%d): %s; to see them, run roompulse explain --room ID --account ID",
			unknownText(UnresolvedEvents), n, r.unknownReason(UnresolvedEvents)))
	}
	if len(counts) > 0 {
		p.line("")
	}
}

var inactiveColumns = []column{
	{head: [2]string{"", "Member"}, least: 16},
	{head: [2]string{"", "E-mail"}, least: 18, spare: 5},
	{head: [2]string{"", "Access"}, least: 8, spare: 4},
	{head: [2]string{"", "State"}},
	{head: [2]string{"", "Events"}, right: true, spare: 3},
	{head: [2]string{"Last activity", "in the room"}},
	{head: [2]string{"Last seen in", "the portal"}, spare: 2},
	{head: [2]string{"Member", "since"}, spare: 1},
}

func writeRooms(p printer, r *InactiveReport) {
	rooms := slices.Clone(r.Rooms)
	slices.SortStableFunc(rooms, func(a, b Room) int { return byText(a.Title, b.Title) })
	var empty []Room
	rooms = slices.DeleteFunc(rooms, func(room Room) bool {
		if len(room.Inactive) == 0 {
			empty = append(empty, room)
		}
		return len(room.Inactive) == 0
	})

	viewers := false
	pieces, widths := p.layout(inactiveColumns, func(layout string) [][][]cell {
		pieces := make([][][]cell, len(rooms))
		for i, room := range rooms {
			members := slices.Clone(room.Inactive)
			slices.SortStableFunc(members, func(a, b Member) int {
				return cmp.Or(cmp.Compare(rank(a.State), rank(b.State)), byText(a.DisplayName, b.DisplayName))
			})
			for _, m := range members {
				viewers = viewers || isViewer(m)
				pieces[i] = append(pieces[i], memberCells(r, m, layout))
			}
		}
		return pieces
	})
	for i, room := range rooms {
		p.styled(bold, p.title(room.ID, room.Title, fmt.Sprintf(": %s, %d listed", count(room.Members, "member"), len(room.Inactive))))
		p.membersNote(indent, room)
		p.rows(inactiveColumns, widths, pieces[i])
		p.line("")
	}
	if len(empty) > 0 {
		p.styled(bold, "Nobody to list")
		for _, room := range empty {
			p.line(indent + p.title(room.ID, room.Title, ": "+count(room.Members, "member")))
			p.membersNote(indent+indent, room)
		}
		p.line("")
	}
	if len(rooms) > 0 {
		p.leftOut(inactiveColumns, widths)
	}
	if viewers {
		p.prose("* ", "", "Of a viewer, little but downloads and the viewing of media is recorded.")
	}
	if len(rooms) > 0 && (viewers || slices.Contains(widths, 0)) {
		p.line("")
	}
}

// membersNote says what is wrong with a room's list of members.
func (p printer) membersNote(head string, room Room) {
	since := clock(room.UnreadableSince.Time, p.zone)
	switch unreadable := !room.UnreadableSince.IsZero(); {
	case unreadable && room.MembersListed:
		p.prose(head, "", fmt.Sprintf("The portal shows no members of it since %s: these are the last known ones.", since))
	case unreadable:
		p.prose(head, "", fmt.Sprintf("The portal has not shown its members yet, and was first asked %s.", since))
	case !room.MembersListed:
		p.prose(head, "", "Its members are not listed yet: run roompulse sync")
	}
}

func isViewer(m Member) bool { return m.Access == audit.AccessViewer.String() }

func memberCells(r *InactiveReport, m Member, layout string) []cell {
	zone := r.query.Window.Zone
	access := m.Access
	if isViewer(m) {
		access += "*"
	}
	if m.Guest {
		access += " (guest)"
	}
	state := cell{string(m.State), stateStyles[rank(m.State)].style}
	if m.UnknownBecause != nil {
		state.text = unknownText(*m.UnknownBecause)
	}
	return []cell{
		{text: personName(m.DisplayName, m.AccountID)},
		{text: plain(m.Email)},
		{text: access},
		state,
		{text: strconv.FormatInt(m.Events, 10)},
		{text: lastActivity(r, m, layout)},
		{text: when(m.LastSeenAt, layout, zone)},
		{text: when(m.MemberSince, layout, zone)},
	}
}

func lastActivity(r *InactiveReport, m Member, layout string) string {
	zone := r.query.Window.Zone
	switch since := r.noneSince; {
	case !m.LastActiveAt.IsZero():
		return m.LastActiveAt.In(zone).Format(layout)
	case m.State == StateNever:
		return "none"
	case m.State == StateQuiet && !since.IsZero() && since.Before(r.query.Window.To):
		return "none since " + since.In(zone).Format(time.DateOnly)
	}
	return "none known"
}
