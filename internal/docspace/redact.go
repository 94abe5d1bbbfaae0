package docspace

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// What must not be stored hides in two places: addresses, whose queries hold
// share tokens and signatures and whose short links /s/TOKEN are the token, and
// link entries, which hold the link's password in clear. When an address is odd
// more of it goes, never less.
var (
	shortLink = regexp.MustCompile(`(?i)(^|/|\\|%(25)*2f|%(25)*5c)(s|%(25)*73|%(25)*53)(/|\\|%(25)*2f|%(25)*5c)`)
	queryMark = regexp.MustCompile(`(?i)[?#;&]|%(25)*(3f|23|3b|26)`)
	scheme    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:`)
	userInfo  = regexp.MustCompile(`^((?i:https?):)?[/\\]*[^/\\]*(@|%(25)*40)`)
	inner     = regexp.MustCompile(`(?i)[a-z][a-z0-9+.-]*(:|%(25)*3a)([/\\]|%(25)*(2f|5c))`)
	address   = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*:[/\\]{2}[^\s"'<>]*`)
	apiKey    = regexp.MustCompile(`(?i)\bsk-[0-9a-f]{16,}`)
)

// redactAddress keeps of an address where it leads and drops what opens it.
func redactAddress(s string) string {
	if plain, ok := cutPlainAddress(s); ok {
		return plain
	}
	return redactOddAddress(s)
}

// cutPlainAddress is redactOddAddress for nearly all of them: http or https, a
// plain host and path, perhaps a query. The expressions for the odd ones take
// longer than all the rest of an event.
func cutPlainAddress(s string) (string, bool) {
	rest, ok := strings.CutPrefix(s, "https://")
	if !ok {
		if rest, ok = strings.CutPrefix(s, "http://"); !ok {
			return "", false
		}
	}
	segment := 0 // where it begins
	for i := range len(rest) {
		switch c := rest[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_':
		case c == '/':
			if strings.EqualFold(rest[segment:i], "s") {
				return "", false // a short link
			}
			segment = i + 1
		case c == '?':
			return s[:len(s)-len(rest)+i], true
		default:
			return "", false
		}
	}
	return s, true
}

func redactOddAddress(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) { // browsers overlook them within an address
			return -1
		}
		return r
	}, s)
	s = strings.TrimSpace(s)
	if m := scheme.FindString(s); m != "" && !strings.EqualFold(m, "http:") && !strings.EqualFold(m, "https:") {
		return m
	}
	if at := queryMark.FindStringIndex(s); at != nil {
		s = s[:at[0]]
	}
	start := len(scheme.FindString(s))
	if at := inner.FindStringIndex(s[start:]); at != nil {
		s = s[:start+at[0]] // an address within the address
	}
	s = userInfo.ReplaceAllString(s, "$1//")
	if at := shortLink.FindStringIndex(s); at != nil {
		s = s[:at[1]]
	}
	return s
}

// redactText does the same to the addresses within a text.
func redactText(s string) string {
	s = apiKey.ReplaceAllString(s, "[redacted]")
	s = address.ReplaceAllStringFunc(s, redactAddress)
	if strings.HasPrefix(s, "/") && !strings.ContainsFunc(s, unicode.IsSpace) {
		return redactAddress(s)
	}
	return s
}

// isSecret knows the names of fields that are never stored, whatever they hold.
func isSecret(field string) bool {
	field = strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(field))
	for _, word := range []string{
		"password", "passwd", "token", "secret", "sharelink", "sharedlink", "sharedtolink", "signature",
		"streamauth", "apikey", "authorization", "cookie", "credential",
	} {
		if strings.Contains(field, word) {
			return true
		}
	}
	return false
}

func isAddress(field string) bool {
	field = strings.ToLower(field)
	for _, word := range []string{"page", "url", "uri", "href", "referer", "referrer"} {
		if strings.HasSuffix(field, word) {
			return true
		}
	}
	return false
}

// maxDepth and maxNumber bound what PostgreSQL's jsonb can surely hold.
const (
	maxDepth  = 100
	maxNumber = 100 // digits, and the exponent
)

// redactJSON returns a JSON value without secrets and in a form that jsonb can
// hold, otherwise unchanged in value: numbers keep all their digits.
func redactJSON(raw []byte) json.RawMessage {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		v = storable(strings.ToValidUTF8(string(raw), "\uFFFD"))
	}
	return encode(redactValue("", v, 0))
}

func encode(v any) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return json.RawMessage("null") // cannot be: v holds what a decoder made
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func redactValue(field string, v any, depth int) any {
	if depth > maxDepth {
		return "[nested too deep]"
	}
	switch v := v.(type) {
	case string:
		if isAddress(field) {
			return redactAddress(storable(v))
		}
		return redactText(storable(v))
	case json.Number:
		if !fitsNumeric(v.String()) {
			return v.String()
		}
	case []any:
		for i := range v {
			v[i] = redactValue(field, v[i], depth+1)
		}
	case map[string]any:
		clean := make(map[string]any, len(v))
		for name, value := range v {
			if !isSecret(name) {
				clean[redactText(storable(name))] = redactValue(name, value, depth+1)
			}
		}
		return clean
	}
	return v
}

// fitsNumeric keeps out the likes of 1e999999999, which PostgreSQL refuses.
func fitsNumeric(number string) bool {
	digits, exponent, _ := strings.Cut(strings.ToLower(number), "e")
	if exponent == "" {
		return len(digits) <= maxNumber
	}
	n, err := strconv.Atoi(exponent)
	return err == nil && len(digits) <= maxNumber && n >= -maxNumber && n <= maxNumber
}
