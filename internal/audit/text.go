package audit

import (
	"strings"
	"unicode"
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

// isUnseen reports whether r is an invisible format character, such as those
// that turn the direction of text. The joiners, which many scripts and emoji
// need, are not.
func isUnseen(r rune) bool {
	const nonJoiner, joiner, firstTag, lastTag = '\u200c', '\u200d', '\U000e0020', '\U000e007f'
	return unicode.Is(unicode.Cf, r) && r != nonJoiner && r != joiner && (r < firstTag || r > lastTag)
}
