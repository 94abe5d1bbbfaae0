package audit

import (
	"fmt"
	"strconv"
	"time"
)

// UsageError is a request that cannot be meant: one line that names the flag,
// what is wrong with it and the way out.
type UsageError string

func (e UsageError) Error() string { return string(e) }

// Usagef returns a [UsageError].
func Usagef(format string, args ...any) error { return UsageError(fmt.Sprintf(format, args...)) }

// ParseDuration reads the value of a flag such as --grace 14d: a whole number
// and one of w (seven days), d (24 hours), h, m (minutes) and s; or 0. The
// error is a [UsageError] that names the flag.
func ParseDuration(flag, value string) (time.Duration, error) {
	if value == "0" {
		return 0, nil
	}
	n, unit := parseAmount(value)
	size, ok := map[string]time.Duration{
		"w": 7 * day, "d": day, "h": time.Hour, "m": time.Minute, "s": time.Second,
	}[unit]
	if !ok {
		return 0, Usagef("%s %q is not a duration: write a number and w, d, h, m (minutes) or s, such as 14d, 24h or 15m", flag, value)
	}
	if n > int64(longest/size) {
		return 0, Usagef("%s %s is too long: a hundred years is the limit", flag, value)
	}
	return time.Duration(n) * size, nil
}

// longest is the longest duration that a flag may give.
const longest = 36500 * day

// parseAmount reads a whole number and its unit, all that follows the digits.
// The unit is empty if there is no such number.
func parseAmount(s string) (n int64, unit string) {
	digits := 0
	for digits < len(s) && '0' <= s[digits] && s[digits] <= '9' {
		digits++
	}
	n, err := strconv.ParseInt(s[:digits], 10, 64)
	if err != nil {
		return 0, ""
	}
	return n, s[digits:]
}
