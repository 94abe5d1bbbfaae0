package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"roompulse/db"
	"roompulse/internal/audit"
)

// exportView is how a view of the schema analytics is exported. What its columns
// are, the catalogue says.
type exportView struct {
	name string
	// at is the column that lies in the window: a time, a UTC day if byDay, or the start of an hour
	// if byHour. Empty: the view says how things are, and has no window.
	at            string
	byDay, byHour bool
	// order makes the same rows come in the same order each time.
	order string
	// everywhere: its rows are of no portal.
	everywhere bool
	// journal: its rows are what roompulse did, which is known up to now.
	journal bool
}

var exportViews = []exportView{
	{name: "events", at: "occurred_at", order: `occurred_at, event_id`},
	{name: "events_hourly", at: "hour", byHour: true, order: `hour, room_source COLLATE "C", class COLLATE "C"`},
	{name: "activity_daily", at: "day", byDay: true, order: `day, room_id COLLATE "C", account_id COLLATE "C"`},
	{name: "last_activity", order: `room_id COLLATE "C", account_id COLLATE "C"`},
	{name: "rooms", order: `room_id COLLATE "C"`},
	{name: "accounts", order: `account_id COLLATE "C"`},
	{name: "members", order: `room_id COLLATE "C", account_id COLLATE "C", group_id COLLATE "C" NULLS FIRST, valid_from NULLS FIRST`},
	{name: "reminders", at: "claimed_at", journal: true, order: `claimed_at, room_id COLLATE "C", account_id COLLATE "C", number`},
	{name: "coverage", order: `starts_at NULLS FIRST, ends_at, gap_id`},
	{name: "sync_runs", at: "started_at", journal: true, order: `started_at, run_id`},
	{name: "portals", order: `portal COLLATE "C"`},
	{name: "actions", order: `action_id`, everywhere: true},
}

// ExportViews returns the names of the views that can be exported.
func ExportViews() []string {
	names := make([]string, len(exportViews))
	for i, v := range exportViews {
		names[i] = v.name
	}
	return names
}

// HasWindow reports whether the rows of a view lie in time.
func HasWindow(view string) bool {
	return slices.ContainsFunc(exportViews, func(v exportView) bool { return v.name == view && v.at != "" })
}

// IsJournal reports whether the rows of a view are what roompulse itself did: they
// end now and lack nothing, wherever the portal's data end.
func IsJournal(view string) bool {
	return slices.ContainsFunc(exportViews, func(v exportView) bool { return v.name == view && v.journal })
}

// Export reads the rows of a view for analysts, those of a window if the view has
// one, from one state of the warehouse. head is called once, then row for each row
// with the values of [audit.ExportHead.Columns]; row must not keep the slice. Rows of a
// day or hour come if any of it is in the window.
func (r *Reader) Export(ctx context.Context, view string, w audit.Window, head func(audit.ExportHead) error, row func([]any) error) error {
	i := slices.IndexFunc(exportViews, func(v exportView) bool { return v.name == view })
	if i < 0 {
		return audit.Usagef("--view %q is not known: write %s", view, strings.Join(ExportViews(), ", "))
	}
	opts := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return pgx.BeginTxFunc(ctx, r.store.pool, opts, func(tx pgx.Tx) error {
		e := export{exportView: exportViews[i], tx: tx, q: r.store.q.WithTx(tx), portal: r.portal, row: row}
		return e.run(ctx, w, head)
	})
}

// export is an export at work.
type export struct {
	exportView
	tx     pgx.Tx
	q      *db.Queries
	portal Portal
	row    func([]any) error

	selected string // SELECT ... FROM ... WHERE
	scan     []any
	values   []func() (any, error) // of what was scanned
}

func (e *export) run(ctx context.Context, w audit.Window, head func(audit.ExportHead) error) error {
	found := audit.ExportHead{Portal: e.portal.Host}
	var err error
	if found.Coverage, err = coverage(ctx, e.q, e.portal); err != nil {
		return err
	}
	if found.Columns, err = e.columns(ctx); err != nil {
		return err
	}
	if err := head(found); err != nil {
		return err
	}
	switch {
	case e.at == "":
		return e.query(ctx, "", nil)
	case e.byDay:
		return e.query(ctx, " AND day >= @from_day AND day <= @to_day", pgx.NamedArgs{"from_day": w.From.UTC(), "to_day": lastDay(w)})
	case e.name == "events":
		return e.events(ctx, w)
	case e.byHour:
		w.From = w.From.UTC().Truncate(time.Hour)
	}
	return e.query(ctx, fmt.Sprintf(" AND %[1]s >= @since AND %[1]s < @until", e.at), pgx.NamedArgs{"since": w.From, "until": w.To})
}

// lastDay is the last UTC day that a window holds some of.
func lastDay(w audit.Window) time.Time { return w.To.Add(-time.Microsecond).UTC() }

// events reads events span by span: sorted all at once they would have to go
// through a file on the server, and the first would come after the last was read.
func (e *export) events(ctx context.Context, w audit.Window) error {
	hours, err := e.q.ListEventsOfHours(ctx, db.ListEventsOfHoursParams{PortalID: e.portal.ID, Since: w.From, Until: w.To})
	if err != nil {
		return fmt.Errorf("count events by hour: %w", err)
	}
	for span := range spansOf(w, hours) {
		err := e.query(ctx, ` AND occurred_at >= @since AND occurred_at < @until
			AND occurred_hour >= date_bin('1 hour', @since::timestamptz, 'epoch') AND occurred_hour < @until::timestamptz`,
			pgx.NamedArgs{"since": span.From, "until": span.To})
		if err != nil {
			return err
		}
	}
	return nil
}

// spansOf cuts a window into spans of a number of events that is sorted in
// memory, or of one hour if that has more. All of the window is in one of them, also hours
// that have no events.
func spansOf(w audit.Window, hours []db.ListEventsOfHoursRow) func(yield func(audit.Span) bool) {
	const most = 50_000
	return func(yield func(audit.Span) bool) {
		from, events := w.From, int64(0)
		for _, h := range hours {
			if events > 0 && events+h.Events > most && h.Hour.After(from) {
				if !yield(audit.Span{From: from, To: h.Hour}) {
					return
				}
				from, events = h.Hour, 0
			}
			events += h.Events
		}
		yield(audit.Span{From: from, To: w.To})
	}
}

// columns reads what the view's columns are, and how to read them.
func (e *export) columns(ctx context.Context) ([]audit.Column, error) {
	found, err := e.q.ListViewColumns(ctx, "analytics."+e.name)
	if err != nil {
		return nil, fmt.Errorf("read the columns of analytics.%s: %w", e.name, err)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("the database has no view analytics.%s", e.name)
	}
	columns := make([]audit.Column, len(found))
	list := make([]string, len(found))
	for i, c := range found {
		t, cast := columnType(uint32(c.TypeID)) //nolint:gosec // an oid, as it came
		columns[i] = audit.Column{Name: c.Name, Type: t}
		list[i] = pgx.Identifier{c.Name}.Sanitize() + cast
		dest, value := cell(c.Name, t)
		e.scan, e.values = append(e.scan, dest), append(e.values, value)
	}
	e.selected = fmt.Sprintf("SELECT %s FROM analytics.%s AS v WHERE ", strings.Join(list, ", "), e.name)
	if e.everywhere {
		e.selected += "true"
	} else {
		e.selected += "portal = @portal"
	}
	return columns, nil
}

// columnType returns what a type of PostgreSQL is in a file, and the cast that makes
// it so: what files have no type for is text.
func columnType(oid uint32) (t audit.ColumnType, cast string) {
	switch oid {
	case pgtype.BoolOID:
		return audit.ColumnBool, ""
	case pgtype.Int2OID:
		return audit.ColumnInt16, ""
	case pgtype.Int4OID:
		return audit.ColumnInt32, ""
	case pgtype.Int8OID:
		return audit.ColumnInt64, ""
	case pgtype.Float4OID, pgtype.Float8OID:
		return audit.ColumnFloat, "::float8"
	case pgtype.TimestamptzOID:
		return audit.ColumnTime, ""
	case pgtype.DateOID:
		return audit.ColumnDate, ""
	case pgtype.JSONOID, pgtype.JSONBOID:
		return audit.ColumnJSON, "::text"
	case pgtype.TextArrayOID, pgtype.VarcharArrayOID:
		return audit.ColumnTexts, ""
	case pgtype.Int2ArrayOID, pgtype.Int4ArrayOID, pgtype.Int8ArrayOID:
		return audit.ColumnInts, "::bigint[]"
	}
	return audit.ColumnText, "::text"
}

// cell returns where to scan a value of a column, and what finds it there.
func cell(name string, t audit.ColumnType) (dest any, value func() (any, error)) {
	switch t {
	case audit.ColumnBool:
		v := new(pgtype.Bool)
		return v, func() (any, error) { return orNull(v.Valid, v.Bool), nil }
	case audit.ColumnInt16:
		v := new(pgtype.Int2)
		return v, func() (any, error) { return orNull(v.Valid, v.Int16), nil }
	case audit.ColumnInt32:
		v := new(pgtype.Int4)
		return v, func() (any, error) { return orNull(v.Valid, v.Int32), nil }
	case audit.ColumnInt64:
		v := new(pgtype.Int8)
		return v, func() (any, error) { return orNull(v.Valid, v.Int64), nil }
	case audit.ColumnFloat:
		v := new(pgtype.Float8)
		return v, func() (any, error) { return orNull(v.Valid, v.Float64), nil }
	case audit.ColumnTime:
		v := new(pgtype.Timestamptz)
		return v, func() (any, error) { return orNull(v.Valid, v.Time.UTC()), finite(name, v.InfinityModifier) }
	case audit.ColumnDate:
		v := new(pgtype.Date)
		return v, func() (any, error) { return orNull(v.Valid, v.Time), finite(name, v.InfinityModifier) }
	case audit.ColumnTexts:
		v := new([]*string)
		return v, func() (any, error) { return orNull(*v != nil, *v), nil }
	case audit.ColumnInts:
		v := new([]*int64)
		return v, func() (any, error) { return orNull(*v != nil, *v), nil }
	case audit.ColumnText, audit.ColumnJSON:
	}
	v := new(pgtype.Text)
	return v, func() (any, error) { return orNull(v.Valid, v.String), nil }
}

// orNull returns a value, nil if it is NULL.
func orNull[T any](valid bool, v T) any {
	if !valid {
		return nil
	}
	return v
}

// finite refuses times without end, which views show as NULL, and files have no
// value for.
func finite(column string, m pgtype.InfinityModifier) error {
	if m != pgtype.Finite {
		return fmt.Errorf("column %s has the time %s, which cannot be written", column, m)
	}
	return nil
}

// query hands on the rows of the view for which a condition holds.
func (e *export) query(ctx context.Context, condition string, args pgx.NamedArgs) error {
	named := pgx.NamedArgs{"portal": e.portal.Host}
	maps.Copy(named, args)
	rows, err := e.tx.Query(ctx, e.selected+condition+" ORDER BY "+e.order, named)
	if err != nil {
		return fmt.Errorf("read analytics.%s: %w", e.name, err)
	}
	defer rows.Close()
	row := make([]any, len(e.values))
	for rows.Next() {
		if err := rows.Scan(e.scan...); err != nil {
			return fmt.Errorf("read analytics.%s: %w", e.name, err)
		}
		for i, value := range e.values {
			if row[i], err = value(); err != nil {
				return fmt.Errorf("read analytics.%s: %w", e.name, err)
			}
		}
		if err := e.row(row); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read analytics.%s: %w", e.name, err)
	}
	return nil
}
