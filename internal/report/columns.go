package report

import (
	"iter"
	"strings"

	"github.com/rivo/uniseg"
)

// column is a column of a table that is printed in several pieces, one per
// room, with the same widths.
type column struct {
	head  [2]string
	right bool // aligned, as numbers are
	// least is the narrowest width that is of use; 0: never narrowed.
	least int
	// spare says which columns are left out first on a narrow terminal, from 1
	// up; 0: never.
	spare int
}

// cell is a piece of text with the ANSI style to print it in, if colours are welcome.
type cell struct{ text, style string }

// ANSI styles.
const (
	bold    = "\x1b[1m"
	dim     = "\x1b[2m"
	red     = "\x1b[31m"
	green   = "\x1b[32m"
	yellow  = "\x1b[33m"
	magenta = "\x1b[35m"
	cyan    = "\x1b[36m"
	alarm   = "\x1b[1;31m"
	reset   = "\x1b[0m"
)

const (
	indent = "  "
	space  = "  " // between columns
)

// naturalWidths returns how wide each column is with nothing cut.
func naturalWidths(columns []column, rows iter.Seq[[]cell]) []int {
	widths := make([]int, len(columns))
	for i, c := range columns {
		widths[i] = max(uniseg.StringWidth(c.head[0]), uniseg.StringWidth(c.head[1]))
	}
	for row := range rows {
		for i, c := range row {
			widths[i] = max(widths[i], uniseg.StringWidth(c.text))
		}
	}
	return widths
}

// lineWidth returns the width of a line of columns; those of width 0 are left out.
func lineWidth(widths []int) int {
	line := 0
	for _, w := range widths {
		if w > 0 {
			line += len(space) + w
		}
	}
	return line // the indent is as wide as the space that the first column lacks
}

// fitColumns returns widths with which a line takes at most the given width,
// as far as that can be had: it leaves out columns until the rest can be
// narrowed enough, and then takes from the widest. Columns left out get 0.
func fitColumns(columns []column, natural []int, width int) []int {
	least := make([]int, len(columns))
	widths := make([]int, len(columns))
	for i, c := range columns {
		widths[i], least[i] = natural[i], natural[i]
		if c.least > 0 {
			least[i] = min(natural[i], c.least)
		}
	}
	for spare := 1; spare <= len(columns) && lineWidth(least) > width; spare++ {
		for i, c := range columns {
			if c.spare == spare {
				widths[i], least[i] = 0, 0
			}
		}
	}
	for lineWidth(widths) > width {
		widest := -1
		for i := range widths {
			if widths[i] > least[i] && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		widths[widest]--
	}
	return widths
}

// heads returns the two lines above the rows.
func heads(columns []column) [2][]cell {
	var lines [2][]cell
	for _, c := range columns {
		for i := range lines {
			lines[i] = append(lines[i], cell{c.head[i], dim})
		}
	}
	return lines
}

// line writes cells in their columns.
func line(columns []column, widths []int, cells []cell, color bool) string {
	var b strings.Builder
	blank := indent // owed before the next text, so that no line ends in blanks
	for i, c := range cells {
		if widths[i] == 0 {
			continue
		}
		text := fit(c.text, widths[i])
		pad := strings.Repeat(" ", widths[i]-uniseg.StringWidth(text))
		if columns[i].right {
			blank += pad
			pad = ""
		}
		if text != "" {
			b.WriteString(blank)
			b.WriteString(styled(text, c.style, color))
			blank = ""
		}
		blank += pad + space
	}
	return b.String()
}

func styled(text, style string, color bool) string {
	if !color || style == "" || text == "" {
		return text
	}
	return style + text + reset
}
