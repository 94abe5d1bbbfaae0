package docspace

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"roompulse/internal/audit"
)

// text is a string, or a number taken for one: ids are numbers, but strings
// for what lies in third-party storage.
type text string

func (t *text) UnmarshalJSON(raw []byte) error {
	if s, ok := stringOf(raw); ok {
		*t = text(s)
		return nil
	}
	if !isNumber(raw) {
		if string(raw) == "null" {
			return nil
		}
		return fmt.Errorf("%.20q is neither text nor a number", raw)
	}
	*t = text(raw)
	return nil
}

// stringOf decodes a JSON string of valid JSON.
func stringOf(raw []byte) (string, bool) {
	b, ok := unquote(raw)
	return string(b), ok
}

// unquote is stringOf; what it returns may be a part of raw. What PostgreSQL
// cannot store in a text, the character NUL, becomes U+FFFD, as lone surrogates
// and broken UTF-8 do.
func unquote(raw []byte) ([]byte, bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return nil, false
	}
	if bytes.IndexByte(raw, '\\') < 0 && utf8.Valid(raw) {
		return raw[1 : len(raw)-1], true // nearly all of them
	}
	b, _ := jsontext.AppendUnquote(nil, raw) // an error tells what became U+FFFD
	return bytes.ReplaceAll(b, []byte{0}, []byte("\uFFFD")), true
}

func storable(s string) string { return strings.ReplaceAll(s, "\x00", "\uFFFD") }

func isNumber(raw []byte) bool {
	return len(raw) > 0 && (raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9')
}

// wholeNumber reads a JSON number, or a string that holds one.
func wholeNumber(raw []byte) (int64, bool) {
	digits := string(raw)
	if s, ok := stringOf(raw); ok {
		digits = strings.TrimSpace(s)
	}
	if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
		return n, true
	}
	if !isNumber([]byte(digits)) {
		return 0, false
	}
	f, err := strconv.ParseFloat(digits, 64) // 812.0 and 8.12e2 are whole, too
	if err != nil || f != math.Trunc(f) || math.Abs(f) >= 1<<53 {
		return 0, false
	}
	return int64(f), true
}

// enum maps the names of a DocSpace enum to its numbers. Portals list numbers;
// names are understood as well.
type enum map[string]int64

func newEnum(numbers map[string]int64) enum {
	e := make(enum, len(numbers))
	for name, n := range numbers {
		e[strings.ToLower(name)] = n
	}
	return e
}

// number reads a number, known or not, or a known name. It must lie within 0 and the limit.
func (e enum) number(raw json.RawMessage, limit int64) (int64, bool) {
	n, ok := wholeNumber(raw)
	if !ok {
		var name string
		if name, ok = stringOf(raw); ok {
			n, ok = e[strings.ToLower(name)]
		}
	}
	return n, ok && n >= 0 && n <= limit
}

// short is number for the enums that fit two bytes, -1 for what is none.
func (e enum) short(raw json.RawMessage) int16 {
	n, ok := e.number(raw, math.MaxInt16)
	if !ok {
		return -1
	}
	return int16(n) //nolint:gosec // limited above
}

var (
	actionTypes = newEnum(map[string]int64{
		"None": 0, "Create": 1, "Update": 2, "Delete": 3, "Link": 4, "Unlink": 5, "Attach": 6, "Detach": 7,
		"Send": 8, "Import": 9, "Export": 10, "UpdateAccess": 11, "Download": 12, "Upload": 13, "Copy": 14,
		"Move": 15, "Reassigns": 16, "Follow": 17, "Unfollow": 18, "Logout": 19,
	})
	products  = newEnum(map[string]int64{"Documents": 2, "Login": 3, "Settings": 7, "Contacts": 8})
	locations = newEnum(map[string]int64{
		"None": 0, "Files": 1, "Folders": 2, "DocumentsSettings": 3, "Rooms": 27, "Settings": 29, "Contacts": 30, "Agents": 31,
	})
	entryTypes = newEnum(map[string]int64{
		"None": 0, "File": 1, "Folder": 2, "User": 23, "Group": 24, "Room": 25, "Tag": 26, "Agent": 27,
	})
	roomTypes = newEnum(map[string]int64{
		"FillingFormsRoom": 1, "EditingRoom": 2, "CustomRoom": 5, "PublicRoom": 6, "VirtualDataRoom": 8, "AiRoom": roomTypeAgent,
	})
	folderTypes  = newEnum(map[string]int64{"Archive": folderTypeArchive})
	subjectTypes = newEnum(map[string]int64{
		"User": 0, "ExternalLink": 1, "Group": 2, "InvitationLink": 3, "PrimaryExternalLink": 4,
	})
	accesses = newEnum(map[string]int64{
		"None": 0, "ReadWrite": 1, "Read": 2, "Restrict": 3, "Varies": 4, "Review": 5, "Comment": 6,
		"FillForms": 7, "CustomFilter": 8, "RoomManager": 9, "Editing": 10, "ContentCreator": 11,
	})
	employeeStatuses = newEnum(map[string]int64{"Active": 1, "Terminated": 2, "Pending": 4, "Default": 5})

	actions = sync.OnceValue(func() enum {
		ids := make(map[string]int64)
		for _, a := range audit.Actions() {
			ids[a.Name] = int64(a.ID)
		}
		return newEnum(ids)
	})
)

const (
	roomTypeAgent     = 9
	folderTypeArchive = 20
)

// parseDate reads a date that says its offset from UTC; offset is in seconds
// east. A date without one could be any of 27 hours and is no date.
func parseDate(s string) (at time.Time, offset int, err error) {
	at, err = time.Parse(time.RFC3339, s)
	if err != nil {
		if _, e := time.Parse("2006-01-02T15:04:05", s); e == nil {
			return time.Time{}, 0, errors.New("the date has no offset from UTC")
		}
		return time.Time{}, 0, errors.New("the date is not one")
	}
	_, offset = at.Zone()
	return at.UTC(), offset, nil
}

// dateOf is parseDate for dates that may be missing: zero if so.
func dateOf(s string) time.Time {
	at, _, _ := parseDate(s) // zero with an error
	return at
}

// dateParam writes a date as a query wants it: whole seconds of UTC.
func dateParam(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }
