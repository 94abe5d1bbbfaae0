package report

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"roompulse/internal/audit"
)

// markdown writes GitHub's Markdown. Errors of the writer show when it is flushed.
type markdown struct{ *bufio.Writer }

func (m markdown) printf(format string, args ...any) {
	fmt.Fprintf(m, format, args...) //nolint:errcheck // Flush tells
}

// marks are the characters that mean something within a line, and those that
// make an address a link.
var marks = regexp.MustCompile("[\\\\`*_\\[\\]<>&|~!#$]|://|(?i:\\bwww\\.)")

// literal is text that others chose, without any meaning in Markdown.
func literal(s string) string {
	return marks.ReplaceAllStringFunc(plain(s), func(mark string) string {
		if i := strings.IndexByte(mark, '.'); i > 0 {
			return mark[:i] + `\.`
		}
		return `\` + mark
	})
}

func (m markdown) head(title string, notices []string, facts []fact) {
	m.printf("# %s\n\n", title)
	for _, notice := range notices {
		m.printf("> **%s**\n\n", literal(notice))
	}
	m.facts(facts)
}

func (m markdown) facts(facts []fact) {
	for _, f := range facts {
		if f.Name == "" {
			m.printf("  - %s\n", literal(f.Text))
		} else {
			m.printf("- **%s**: %s\n", literal(f.Name), literal(f.Text))
		}
	}
	m.printf("\n")
}

// row writes the cells of a table, whose text is literal already.
func (m markdown) row(cells ...string) {
	m.printf("| %s |\n", strings.Join(cells, " | "))
}

func (m markdown) columns(columns []column) {
	names := make([]string, len(columns))
	rules := make([]string, len(columns))
	for i, c := range columns {
		names[i], rules[i] = strings.TrimSpace(c.head[0]+" "+c.head[1]), "---"
		if c.right {
			rules[i] = "---:"
		}
	}
	m.row(names...)
	m.row(rules...)
}

func (m markdown) cells(cells []cell) {
	texts := make([]string, len(cells))
	for i, c := range cells {
		texts[i] = literal(c.text)
	}
	m.row(texts...)
}

func (m markdown) quality(q DataQuality, w audit.Window) error {
	m.printf("## Data quality\n\n")
	m.facts(qualityFacts(q, w))
	m.printf("%s\n", recorded)
	return m.Flush()
}

// roomName names a room by its title and id.
func roomName(id, title string) string {
	if strings.TrimSpace(title) == "" {
		return plain(id)
	}
	return fmt.Sprintf("%s (%s)", plain(title), plain(id))
}

const toTheMinute = "2006-01-02 15:04"

func writeInactiveMarkdown(w io.Writer, r *InactiveReport, _ Options) error {
	m := markdown{bufio.NewWriter(w)}
	m.head(r.title()+": "+literal(r.Portal), r.Notices(), r.facts())
	m.row("State", "Members", "Meaning")
	m.row("---", "---:", "---")
	for _, t := range r.totals() {
		m.row(string(t.state), strconv.Itoa(t.members), t.meaning)
	}
	m.printf("\n")
	for _, step := range r.unknownSteps() {
		m.printf("%s\n\n", literal(step))
	}

	rooms, empty := r.roomsByTitle()
	columns := inactiveColumns(r)
	for _, room := range rooms {
		m.room(room, r)
		m.columns(columns)
		for _, member := range membersByState(room) {
			m.cells(memberCells(r, member, toTheMinute))
		}
		m.printf("\n")
	}
	if len(empty) > 0 {
		m.printf("## Nobody to list\n\n")
		for _, room := range empty {
			m.printf("- %s: %s", literal(roomName(room.ID, room.Title)), roomText(room))
			if note := roomNote(room, r.query.Window.Zone); note != "" {
				m.printf(". %s", note)
			}
			m.printf("\n")
		}
		m.printf("\n")
	}
	for _, section := range []struct {
		title string
		facts []fact
	}{{"Notes", r.footnotes(listedOf)}, {"Excluded", r.exclusionFacts()}} {
		if len(section.facts) > 0 {
			m.printf("## %s\n\n", section.title)
			m.facts(section.facts)
		}
	}
	return m.quality(r.DataQuality, r.query.Window)
}

func (m markdown) room(room Room, r *InactiveReport) {
	m.printf("## %s\n\n%s\n\n", literal(roomName(room.ID, room.Title)), roomText(room))
	if note := roomNote(room, r.query.Window.Zone); note != "" {
		m.printf("%s\n\n", note)
	}
}

func writeActivityMarkdown(w io.Writer, r *ActivityReport, _ Options) error {
	m := markdown{bufio.NewWriter(w)}
	m.head("Recorded activity: "+literal(r.Portal), r.Notices(), r.facts())
	for _, rows := range r.roomsByTitle() {
		m.printf("## %s\n\n", literal(roomName(rows[0].RoomID, rows[0].Title)))
		m.columns(activityColumns)
		for _, row := range rows {
			m.cells(activityCells(row, toTheMinute, r.query.Window.Zone))
		}
		m.cells(totalCells(rows, toTheMinute, r.query.Window.Zone))
		m.printf("\n")
	}
	return m.quality(r.DataQuality, r.query.Window)
}
