package demoportal

import (
	"time"
)

const dateLayout = "2006-01-02T15:04:05.0000000Z07:00"

// dateField writes a date as most of the API does. The server looks for the
// portal's spring gap in the UTC reading of the clock, so once a year instants of
// one hour are listed an hour late.
func (c *call) dateField(name string, t time.Time) {
	t = t.Round(c.p.world.Precision()).UTC()
	zone := c.p.world.Zone()
	local := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), zone)
	if local.Hour() != t.Hour() {
		t = t.Add(time.Hour)
	}
	c.writeDate(name, t.In(zone))
}

// auditDateField writes a date as the audit endpoints do: by way of the local
// clock, whose repeated autumn hour is taken for the second pass.
func (c *call) auditDateField(name string, t time.Time) {
	local := t.In(c.p.world.Zone())
	_, offset := local.Zone()
	for _, shift := range []time.Duration{30 * time.Minute, time.Hour, 2 * time.Hour} {
		again := local.Add(shift)
		if _, later := again.Zone(); later == offset-int(shift.Seconds()) {
			local = again // the same reading of the clock, second pass
			break
		}
	}
	c.writeDate(name, local)
}

func (c *call) writeDate(name string, local time.Time) {
	c.w.key(name)
	c.w.comma()
	c.w.b = append(c.w.b, '"')
	c.w.b = local.AppendFormat(c.w.b, dateLayout)
	c.w.b = append(c.w.b, '"')
}

// parseDate reads a date of a query. Only whole seconds, milliseconds and 7
// digits are understood, and only with an offset.
func parseDate(s string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || len(s) < len("2006-01-02T15:04:05Z") {
		return time.Time{}, false
	}
	digits := 0
	if s[19] == '.' {
		for i := 20; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
			digits++
		}
	}
	return t.UTC(), digits == 0 || digits == 3 || digits == 7
}
