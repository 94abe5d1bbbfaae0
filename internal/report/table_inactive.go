package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

var stateStyles = map[State]string{
	StateNever: red, StateQuiet: yellow, StateLow: yellow, StateUnknown: magenta, StateNew: cyan, StatePending: cyan, StateActive: green,
}

func writeInactiveTable(out io.Writer, r *InactiveReport, o Options) error {
	p := newPrinter(out, o, r.query.Window.Zone)
	p.notices(r.Notices())
	p.styled(bold, r.title()+": "+plain(r.Portal))
	p.facts(r.facts())
	p.line("")
	writeTotals(p, r)
	writeUnknown(p, r)
	writeRooms(p, r)
	if exclusions := r.exclusionFacts(); len(exclusions) > 0 {
		p.styled(bold, "Excluded")
		p.facts(exclusions)
		p.line("")
	}
	p.quality(r.DataQuality, r.query.Window)
	return p.Flush()
}

func writeTotals(p printer, r *InactiveReport) {
	for _, t := range r.totals() {
		const size = 20 // of the columns before the meaning
		lines := wrap(t.meaning, p.Width-size)
		state := styled(fmt.Sprintf("%-8s", t.state), stateStyles[t.state], p.Color)
		p.line(fmt.Sprintf("  %s  %6d  %s", state, t.members, lines[0]))
		for _, text := range lines[1:] {
			p.line(strings.Repeat(" ", size) + text)
		}
	}
	p.line("")
}

func writeUnknown(p printer, r *InactiveReport) {
	steps := r.unknownSteps()
	for _, step := range steps {
		p.prose(indent, "", step)
	}
	if len(steps) > 0 {
		p.line("")
	}
}

func inactiveColumns(r *InactiveReport) []column {
	return []column{
		{head: [2]string{"", "Member"}, least: 16},
		{head: [2]string{"", "E-mail"}, least: 18, spare: 5},
		{head: [2]string{"", "Access"}, least: 8, spare: 4},
		{head: [2]string{"", "State"}},
		{head: [2]string{"", "Events"}, right: true, spare: 3},
		{head: [2]string{"Last " + wordsOf(r.Activity).one, "in the room"}},
		{head: [2]string{"Last seen in", "the portal"}, spare: 2},
		{head: [2]string{"Member", "since"}, spare: 1},
	}
}

// roomsByTitle returns the rooms as people look for them: those with members
// listed and those without.
func (r *InactiveReport) roomsByTitle() (listed, empty []Room) {
	rooms := slices.Clone(r.Rooms)
	slices.SortStableFunc(rooms, func(a, b Room) int { return byText(a.Title, b.Title) })
	for _, room := range rooms {
		if len(room.Inactive) > 0 {
			listed = append(listed, room)
		} else {
			empty = append(empty, room)
		}
	}
	return listed, empty
}

// membersByState returns the members of a room as people read of them.
func membersByState(room Room) []Member {
	members := slices.Clone(room.Inactive)
	slices.SortStableFunc(members, func(a, b Member) int {
		return cmp.Or(cmp.Compare(rank(a.State), rank(b.State)), byText(a.DisplayName, b.DisplayName))
	})
	return members
}

func writeRooms(p printer, r *InactiveReport) {
	rooms, empty := r.roomsByTitle()
	columns := inactiveColumns(r)
	pieces, widths := p.layout(columns, func(layout string) [][][]cell {
		pieces := make([][][]cell, len(rooms))
		for i, room := range rooms {
			for _, m := range membersByState(room) {
				pieces[i] = append(pieces[i], memberCells(r, m, layout))
			}
		}
		return pieces
	})
	for i, room := range rooms {
		p.styled(bold, p.title(room.ID, room.Title, ": "+roomText(room)))
		p.membersNote(indent, room)
		p.rows(columns, widths, pieces[i])
		p.line("")
	}
	if len(empty) > 0 {
		p.styled(bold, "Nobody to list")
		for _, room := range empty {
			p.line(indent + p.title(room.ID, room.Title, ": "+roomText(room)))
			p.membersNote(indent+indent, room)
		}
		p.line("")
	}
	if len(rooms) == 0 {
		return
	}
	if slices.Contains(widths, 0) {
		p.leftOut(columns, widths)
		p.line("")
	}
	if notes := r.footnotes(listedOf); len(notes) > 0 {
		p.styled(bold, "Notes")
		p.facts(notes)
		p.line("")
	}
}

func (p printer) membersNote(head string, room Room) {
	if note := roomNote(room, p.zone); note != "" {
		p.prose(head, "", note)
	}
}

// memberCells has a cell for each of inactiveColumns.
func memberCells(r *InactiveReport, m Member, layout string) []cell {
	zone := r.query.Window.Zone
	return []cell{
		{text: personName(m.DisplayName, m.AccountID)},
		{text: plain(m.Email)},
		{text: accessText(m)},
		{stateText(m), stateStyles[m.State]},
		{text: strconv.FormatInt(m.Events, 10)},
		{text: lastActivity(r, m, layout)},
		{text: when(m.LastSeenAt, layout, zone)},
		{text: when(m.MemberSince, layout, zone)},
	}
}
