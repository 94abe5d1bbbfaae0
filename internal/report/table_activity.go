package report

import (
	"cmp"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"time"
)

var activityColumns = []column{
	{head: [2]string{"", "Person"}, least: 16},
	{head: [2]string{"", "Member"}, spare: 2},
	{head: [2]string{"", "Events"}, right: true},
	{head: [2]string{"", "Views"}, right: true},
	{head: [2]string{"", "Edits"}, right: true},
	{head: [2]string{"", "Manages"}, right: true, spare: 3},
	{head: [2]string{"Active", "days"}, right: true},
	{head: [2]string{"First", "activity"}, spare: 1},
	{head: [2]string{"Last", "activity"}},
}

func writeActivityTable(out io.Writer, r *ActivityReport, o Options) error {
	p := newPrinter(out, o, r.query.Window.Zone)
	p.notices(r.Notices())
	p.styled(bold, "Recorded activity: "+plain(r.Portal))
	p.facts(r.facts())
	p.line("")

	rooms := r.roomsByTitle()
	pieces, widths := p.layout(activityColumns, func(layout string) [][][]cell {
		pieces := make([][][]cell, len(rooms))
		for i, rows := range rooms {
			for _, row := range rows {
				pieces[i] = append(pieces[i], activityCells(row, layout, p.zone))
			}
			pieces[i] = append(pieces[i], totalCells(rows, layout, p.zone))
		}
		return pieces
	})
	for i, rows := range rooms {
		p.styled(bold, p.title(rows[0].RoomID, rows[0].Title, ""))
		p.rows(activityColumns, widths, pieces[i])
		p.line("")
	}
	if len(rooms) > 0 && slices.Contains(widths, 0) {
		p.leftOut(activityColumns, widths)
		p.line("")
	}
	p.quality(r.DataQuality, r.query.Window)
	return p.Flush()
}

func (r *ActivityReport) facts() []fact {
	persons := make(map[string]struct{})
	rooms := make(map[string]struct{})
	var events int64
	for _, row := range r.Rows {
		persons[row.AccountID] = struct{}{}
		rooms[row.RoomID] = struct{}{}
		events += row.Events
	}
	return []fact{
		{"Window", windowText(r.query.Window, r.DataQuality)},
		{"Counted", fmt.Sprintf("%s of %s in %s (view, edit and manage)", count(int(events), "event"), people(len(persons)), count(len(rooms), "room"))},
	}
}

// roomsByTitle returns the rows of each room, rooms as people look for them,
// the busiest people first.
func (r *ActivityReport) roomsByTitle() [][]ActivityRow {
	rooms := slices.SortedStableFunc(byRoom(r.Rows), func(a, b []ActivityRow) int { return byText(a[0].Title, b[0].Title) })
	for i, rows := range rooms {
		rooms[i] = slices.Clone(rows)
		slices.SortStableFunc(rooms[i], func(a, b ActivityRow) int {
			return cmp.Or(cmp.Compare(b.Events, a.Events), byText(a.DisplayName, b.DisplayName))
		})
	}
	return rooms
}

// byRoom cuts rows, which are by room, into those of each room.
func byRoom(rows []ActivityRow) iter.Seq[[]ActivityRow] {
	return func(yield func([]ActivityRow) bool) {
		for len(rows) > 0 {
			n := slices.IndexFunc(rows, func(r ActivityRow) bool { return r.RoomID != rows[0].RoomID })
			if n < 0 {
				n = len(rows)
			}
			if !yield(rows[:n]) {
				return
			}
			rows = rows[n:]
		}
	}
}

func memberText(row ActivityRow) string {
	text := "no"
	if row.Member {
		text = "yes"
	}
	if row.Disabled {
		text += ", disabled"
	}
	return text
}

// totalCells is the line below the rows of a room.
func totalCells(rows []ActivityRow, layout string, zone *time.Location) []cell {
	sum := sumUp(rows)
	cells := activityCells(sum, layout, zone)
	cells[0].text, cells[1].text, cells[6].text = "Total", "", ""
	for i := range cells {
		cells[i].style = bold
	}
	return cells
}

// activityCells has a cell for each of activityColumns.
func activityCells(row ActivityRow, layout string, zone *time.Location) []cell {
	number := func(n int64) cell { return cell{text: strconv.FormatInt(n, 10)} }
	return []cell{
		{text: personName(row.DisplayName, row.AccountID)},
		{text: memberText(row)},
		number(row.Events), number(row.Views), number(row.Edits), number(row.Manages), number(row.ActiveDays),
		{text: when(row.FirstActiveAt, layout, zone)},
		{text: when(row.LastActiveAt, layout, zone)},
	}
}
