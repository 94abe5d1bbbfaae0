package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/rivo/uniseg"

	"roompulse/internal/audit"
)

// printer writes the lines of a report for people. Errors of the writer show
// when it is flushed.
type printer struct {
	*bufio.Writer
	Options
	zone *time.Location
}

func newPrinter(w io.Writer, o Options, zone *time.Location) printer {
	return printer{bufio.NewWriter(w), o, zone}
}

func (p printer) line(text string) {
	p.WriteString(text) //nolint:errcheck // Flush tells
	p.WriteByte('\n')   //nolint:errcheck // Flush tells
}

func (p printer) styled(style, text string) { p.line(styled(text, style, p.Color)) }

// prose writes text behind a head, wrapped at the terminal's width and indented
// as wide as the head.
func (p printer) prose(head, style, text string) {
	size := uniseg.StringWidth(head)
	for i, text := range wrap(text, p.Width-size) {
		if i > 0 {
			head = strings.Repeat(" ", size)
		}
		p.styled(style, head+text)
	}
}

// wrap cuts text between words into lines of at most the given width, 0 or
// less: no limit. A command, which people copy, stays whole: it reaches from
// the name of the program to the next mark.
func wrap(text string, width int) []string {
	if width <= 0 {
		return []string{text}
	}
	var words []string
	inCommand := false
	for word := range strings.FieldsSeq(text) {
		if inCommand {
			words[len(words)-1] += " " + word
		} else {
			words = append(words, word)
		}
		inCommand = (inCommand || word == "roompulse") && !strings.ContainsRune(".;:", rune(word[len(word)-1]))
	}
	var lines []string
	for _, word := range words {
		last := len(lines) - 1
		if last >= 0 && uniseg.StringWidth(lines[last])+1+uniseg.StringWidth(word) <= width {
			lines[last] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}

// facts writes a list of facts, their texts below each other.
func (p printer) facts(facts []fact) {
	const least = 8
	widest := least
	for _, f := range facts {
		widest = max(widest, uniseg.StringWidth(f.Name))
	}
	for _, f := range facts {
		p.prose(indent+f.Name+strings.Repeat(" ", widest-uniseg.StringWidth(f.Name))+space, "", f.Text)
	}
}

func (p printer) notices(notices []string) {
	for _, notice := range notices {
		p.prose("! ", alarm, notice)
	}
	if len(notices) > 0 {
		p.line("")
	}
}

// rows prints a piece of the table under its columns' names.
func (p printer) rows(columns []column, widths []int, rows [][]cell) {
	for _, head := range heads(columns) {
		p.line(line(columns, widths, head, p.Color))
	}
	for _, row := range rows {
		p.line(line(columns, widths, row, p.Color))
	}
}

// leftOut names the columns that the terminal is too narrow for.
func (p printer) leftOut(columns []column, widths []int) {
	var names []string
	for i, c := range columns {
		if widths[i] == 0 {
			names = append(names, strings.TrimSpace(c.head[0]+" "+c.head[1]))
		}
	}
	if len(names) > 0 {
		p.prose("", "", fmt.Sprintf("Left out, for the terminal is narrow: %s.", strings.Join(names, ", ")))
	}
}

// layout lays out a table whose rows can show times to the minute or, where
// that is too wide, days only.
func (p printer) layout(columns []column, rows func(layout string) [][][]cell) (pieces [][][]cell, widths []int) {
	for _, layout := range []string{"2006-01-02 15:04", time.DateOnly} {
		pieces = rows(layout)
		widths = naturalWidths(columns, flatten(pieces))
		if p.Width <= 0 || lineWidth(widths) <= p.Width {
			return pieces, widths
		}
	}
	return pieces, fitColumns(columns, widths, p.Width)
}

func flatten(pieces [][][]cell) iter.Seq[[]cell] {
	return func(yield func([]cell) bool) {
		for _, rows := range pieces {
			for _, row := range rows {
				if !yield(row) {
					return
				}
			}
		}
	}
}

func (p printer) quality(q DataQuality, w audit.Window) {
	p.styled(bold, "Data quality")
	p.facts(qualityFacts(q, w))
	p.line("")
	for _, text := range wrap(recorded, cmp.Or(p.Width, 80)) {
		p.line(text)
	}
}

// title names a room by its title, cut if need be, and its id, and adds the rest.
func (p printer) title(id, title, rest string) string {
	if strings.TrimSpace(title) == "" {
		return plain(id) + rest
	}
	title, rest = plain(title), fmt.Sprintf(" (%s)%s", plain(id), rest)
	if p.Width > 0 {
		title = fit(title, max(p.Width-len(indent)-uniseg.StringWidth(rest), 8))
	}
	return title + rest
}

// personName names an account, if need be by its id.
func personName(name, id string) string {
	if strings.TrimSpace(name) == "" {
		return plain(id)
	}
	return plain(name)
}

func when(t Time, layout string, zone *time.Location) string {
	if t.IsZero() {
		return "-"
	}
	return t.In(zone).Format(layout)
}

// byText orders text as people look for it: case plays no part.
func byText(a, b string) int {
	return cmp.Or(strings.Compare(strings.ToLower(a), strings.ToLower(b)), strings.Compare(a, b))
}
