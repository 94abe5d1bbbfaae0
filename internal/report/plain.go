package report

import (
	"strings"
	"unicode"

	"github.com/rivo/uniseg"
)

// plain makes text that others chose safe to print in a line of a terminal: it
// cannot end the line, move the cursor, or change the order of what follows.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t', r == '\n', r == '\r', r == '\u2028', r == '\u2029':
			return ' '
		case unicode.IsControl(r), isUnseen(r):
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(s, string(unicode.ReplacementChar)))
}

// isUnseen reports whether r is an invisible format character, such as those
// that turn the direction of text. The joiners, which many scripts and emoji
// need, are not.
func isUnseen(r rune) bool {
	const nonJoiner, joiner, firstTag, lastTag = '\u200c', '\u200d', '\U000e0020', '\U000e007f'
	return unicode.Is(unicode.Cf, r) && r != nonJoiner && r != joiner && (r < firstTag || r > lastTag)
}

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
