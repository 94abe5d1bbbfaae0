package demoportal

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// query reads a request's query as the server binds it. Enums are understood
// by number and by name.
type query struct{ values url.Values }

// Get returns a parameter; names are not case-sensitive.
func (q query) Get(name string) string {
	if v := q.values.Get(name); v != "" {
		return v
	}
	for k, v := range q.values {
		if strings.EqualFold(k, name) && len(v) > 0 {
			return v[0]
		}
	}
	return ""
}

func title(name string) string {
	r := []rune(name)
	return string(unicode.ToUpper(r[0])) + string(r[1:])
}

// integer reads a whole number within bounds, fallback if it is missing.
func (q query) integer(name string, lo, hi, fallback int) (int, error) {
	s := q.Get(name)
	if s == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(s)
	switch {
	case err != nil:
		return 0, badQuery(title(name), fmt.Sprintf("The value '%s' is not valid.", s))
	case n < lo || n > hi:
		return 0, badQuery(title(name), fmt.Sprintf("The field %s must be between %d and %d.", title(name), lo, hi))
	}
	return n, nil
}

// page reads count and startIndex.
func (q query) page() (start, count int, err error) {
	if count, err = q.integer("count", 1, 100, 100); err != nil {
		return 0, 0, err
	}
	start, err = q.integer("startIndex", 0, 1<<31-1, 0)
	return start, count, err
}

// enum reads a value of an enum; ok is false if it is missing.
func (q query) enum(name string, numbers map[string]int) (n int, ok bool, err error) {
	s := q.Get(name)
	if s == "" {
		return 0, false, nil
	}
	if n, err := strconv.Atoi(s); err == nil {
		return n, true, nil
	}
	for known, n := range numbers {
		if strings.EqualFold(known, s) {
			return n, true, nil
		}
	}
	return 0, false, badQuery(title(name), fmt.Sprintf("The value '%s' is not valid for %s.", s, title(name)))
}

// date reads an instant, zero if it is missing.
func (q query) date(name string) (time.Time, error) {
	s := q.Get(name)
	if s == "" {
		return time.Time{}, nil
	}
	t, ok := parseDate(s)
	if !ok {
		return time.Time{}, badQuery(title(name), fmt.Sprintf("The value '%s' is not valid for %s.", s, title(name)))
	}
	return t, nil
}

// flag reads a boolean.
func (q query) flag(name string, fallback bool) bool {
	v, err := strconv.ParseBool(q.Get(name))
	if err != nil {
		return fallback
	}
	return v
}
