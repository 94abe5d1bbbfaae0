package audit

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Plain makes text that others chose, such as a name or a title, safe in a line
// of text: it cannot end the line, move a cursor, or change the order of what
// follows.
func Plain(s string) string {
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

// Inert puts an apostrophe before text that a spreadsheet would take for a
// formula, and before text that has one: who finds an apostrophe first and
// drops it has the text. It is for all CSV that roompulse writes.
func Inert(s string) string {
	first, _ := utf8.DecodeRuneInString(s)
	// Of =, +, - and @, the full-width forms too, which some take for the same.
	if s != "" && strings.ContainsRune("'=+-@\t\r\n＝＋－＠", first) {
		return "'" + s
	}
	return s
}

// isUnseen reports whether r is an invisible format character, such as those
// that turn the direction of text. The joiners, which many scripts and emoji
// need, are not.
func isUnseen(r rune) bool {
	const nonJoiner, joiner, firstTag, lastTag = '\u200c', '\u200d', '\U000e0020', '\U000e007f'
	return unicode.Is(unicode.Cf, r) && r != nonJoiner && r != joiner && (r < firstTag || r > lastTag)
}
