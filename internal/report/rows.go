package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"time"

	"roompulse/internal/audit"
)

// Formats of one row for each member, or for each person in a room. They have
// no place for what holds for the whole report.

// inactiveRow has the fields that JSON has.
type inactiveRow struct {
	RoomID string `json:"room_id"`
	Title  string `json:"title"`
	Member
}

var inactiveHeader = []string{
	"room_id", "title", "account_id", "display_name", "email", "access", "owner", "guest",
	"state", "unknown_because", "events", "last_active_at", "last_seen_at", "member_since",
}

func (m inactiveRow) record() []string {
	because := ""
	if m.UnknownBecause != nil {
		because = string(*m.UnknownBecause)
	}
	return []string{
		m.RoomID, m.Title, m.AccountID, m.DisplayName, m.Email, m.Access, strconv.FormatBool(m.Owner), strconv.FormatBool(m.Guest),
		string(m.State), because, strconv.FormatInt(m.Events, 10), stamp(m.LastActiveAt), stamp(m.LastSeenAt), stamp(m.MemberSince),
	}
}

var activityHeader = []string{
	"room_id", "title", "account_id", "display_name", "member", "events", "views", "edits", "manages",
	"active_days", "first_active_at", "last_active_at", "disabled",
}

func (a ActivityRow) record() []string {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	return []string{
		a.RoomID, a.Title, a.AccountID, a.DisplayName, strconv.FormatBool(a.Member), number(a.Events), number(a.Views), number(a.Edits),
		number(a.Manages), number(a.ActiveDays), stamp(a.FirstActiveAt), stamp(a.LastActiveAt), strconv.FormatBool(a.Disabled),
	}
}

// stamp writes a moment as JSON has it; not known is empty.
func stamp(t Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func (r *InactiveReport) rows(write func(inactiveRow) error) error {
	for _, room := range r.Rooms {
		for _, m := range room.Inactive {
			if err := write(inactiveRow{room.ID, room.Title, m}); err != nil {
				return err
			}
		}
	}
	return nil
}

func writeInactiveNDJSON(w io.Writer, r *InactiveReport, _ Options) error {
	enc := newLines(w)
	return r.rows(func(row inactiveRow) error { return enc.Encode(row) })
}

func writeActivityNDJSON(w io.Writer, r *ActivityReport, _ Options) error {
	enc := newLines(w)
	for _, row := range r.Rows {
		if err := enc.Encode(row); err != nil {
			return err
		}
	}
	return nil
}

func newLines(w io.Writer) *json.Encoder {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc
}

func writeInactiveCSV(w io.Writer, r *InactiveReport, _ Options) error {
	out := newCSV(w)
	if err := out.write(inactiveHeader); err != nil {
		return err
	}
	return r.rows(func(row inactiveRow) error { return out.write(row.record()) })
}

func writeActivityCSV(w io.Writer, r *ActivityReport, _ Options) error {
	out := newCSV(w)
	if err := out.write(activityHeader); err != nil {
		return err
	}
	for _, row := range r.Rows {
		if err := out.write(row.record()); err != nil {
			return err
		}
	}
	return nil
}

// csvWriter writes RFC 4180 with cells that no spreadsheet takes for formulas.
type csvWriter struct {
	out  io.Writer
	line bytes.Buffer
	csv  *csv.Writer
}

func newCSV(w io.Writer) *csvWriter {
	c := &csvWriter{out: w}
	c.csv = csv.NewWriter(&c.line)
	return c
}

// write ends the line by itself: with UseCRLF, [csv.Writer] would change line
// ends within cells too.
func (c *csvWriter) write(record []string) error {
	for i, text := range record {
		record[i] = audit.Inert(text)
	}
	c.line.Reset()
	if err := c.csv.Write(record); err != nil {
		return err
	}
	c.csv.Flush()
	c.line.Truncate(c.line.Len() - len("\n"))
	c.line.WriteString("\r\n")
	_, err := c.out.Write(c.line.Bytes())
	return err
}
