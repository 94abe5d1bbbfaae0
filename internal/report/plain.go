package report

import (
	"strings"

	"github.com/rivo/uniseg"

	"roompulse/internal/audit"
)

// plain is [audit.Plain], which everything printed goes through.
func plain(s string) string { return audit.Plain(s) }

// fit shortens text to a width in columns of the terminal.
func fit(s string, width int) string {
	if uniseg.StringWidth(s) <= width {
		return s
	}
	var kept strings.Builder
	left := width - 1 // for the ellipsis
	for rest, state := s, -1; rest != ""; {
		var cluster string
		var columns int
		cluster, rest, columns, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if left -= columns; left < 0 {
			break
		}
		kept.WriteString(cluster)
	}
	return kept.String() + "…"
}
