package export_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/parquet-go/parquet-go"

	"roompulse/internal/audit"
	"roompulse/internal/export"
	"roompulse/internal/store"
	"roompulse/internal/testkit/bigportal"
	"roompulse/internal/testkit/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

var begin = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// warehouse is one with some of everything, and texts that files have trouble with.
type warehouse struct {
	conn   *pgx.Conn
	store  *store.Store
	reader *store.Reader
}

func newWarehouse(t testing.TB, events int) *warehouse {
	t.Helper()
	url := pgtest.New(t)
	conn, err := pgx.Connect(t.Context(), url)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	_, err = conn.Exec(t.Context(), "SET timezone = 'UTC'")
	must(t, err)
	must(t, bigportal.Load(t.Context(), conn, bigportal.Config{Rooms: 20, Memberships: 100, People: 30, Events: events, From: begin, Days: 20}))
	_, err = conn.Exec(t.Context(), hostileSQL)
	must(t, err)
	st, err := store.Open(t.Context(), url)
	must(t, err)
	t.Cleanup(st.Close)
	w, err := st.OpenWriter(t.Context(), bigportal.Host, func(context.Context) (string, error) { return "owner", nil }, begin)
	must(t, err)
	_, err = w.Repair(t.Context(), begin.AddDate(0, 0, 20), func(time.Time) {})
	must(t, err)
	w.Close()
	return &warehouse{conn: conn, store: st, reader: st.Reader(w.Portal)}
}

// hostileSQL: another portal, which no export has, and values of all kinds.
const hostileSQL = `
UPDATE audit_event SET occurred_at = occurred_at + INTERVAL '123456 microseconds', description = E'=1+1, "quoted"\r\nand a line; \\. ''' WHERE event_id % 7 = 0;
UPDATE audit_event SET description = NULL, target = NULL, page_key = NULL, context_key = NULL WHERE event_id % 7 = 1;
UPDATE audit_event SET description = '', target = '', extra = '{"deep": {"list": [1, null, "x\ny"]}, "big": 12345678901234567890.5}' WHERE event_id % 7 = 2;
UPDATE audit_event SET target = '1,2,=3,"four",', description = ' blank around ', actor_name = 'Łukasz 𝄞 العربية' WHERE event_id % 7 = 3;
UPDATE audit_event SET description = '''+49', actor_name = chr(9) || 'tab' || chr(1) || chr(8232) WHERE event_id % 7 = 4;
UPDATE room SET title = E'A "room",\nin two lines', created_at = NULL WHERE room_key % 3 = 0;
INSERT INTO portal (portal_id, host, created_at) VALUES (2, 'https://other.example.org', now());
INSERT INTO sync_run (portal_id, run_id, version, started_at, outcome) VALUES
	(1, 1, 'v1', '2026-03-04 05:00:00+00', 'done'), (1, 2, 'v1', '2026-03-20 05:00:00+00', 'running'), (2, 1, 'v1', '2026-03-05 05:00:00+00', 'done');
INSERT INTO reminder (portal_id, room_key, account_key, number, state, verdict, email, message_id, window_from, window_to, claimed_at)
SELECT 1, r, 1, n, 'failed', 'quiet', 'ann@example.org', 'm' || r || n, '2026-02-01', '2026-03-01', '2026-03-02'::timestamptz + n * INTERVAL '5 days'
FROM generate_series(1, 3) AS r, generate_series(1, 3) AS n;
UPDATE room_member SET valid_from = '2026-03-04 01:02:03.000004+00', valid_to = '2026-03-05' WHERE account_key % 5 = 0;
`

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *warehouse) export(t testing.TB, view, format string, window audit.Window) []byte {
	t.Helper()
	f, err := export.ParseFormat(format, "")
	must(t, err)
	var out bytes.Buffer
	_, err = export.Run(t.Context(), w.reader, view, window, f, &out)
	must(t, err)
	return out.Bytes()
}

// selected returns the rows of a view in the window, straight from the database.
func (w *warehouse) selected(t testing.TB, view string, window audit.Window) []string {
	t.Helper()
	where := "true"
	switch {
	case view == "actions":
	case view == "events":
		where = "occurred_at >= $2 AND occurred_at < $3"
	case view == "reminders":
		where = "claimed_at >= $2 AND claimed_at < $3"
	case view == "sync_runs":
		where = "started_at >= $2 AND started_at < $3"
	case strings.HasSuffix(view, "_daily"):
		where = "(day + 1)::timestamptz > $2::timestamptz AND day::timestamptz < $3::timestamptz"
	case strings.HasSuffix(view, "_hourly"):
		where = "hour + INTERVAL '1 hour' > $2 AND hour < $3"
	case store.HasWindow(view):
		t.Fatalf("what is the window of %s?", view)
	}
	if view != "actions" {
		where += " AND portal = $1"
	} else {
		where += " AND $1 <> ''"
	}
	return w.rows(t, fmt.Sprintf("SELECT to_jsonb(v) FROM analytics.%s AS v WHERE %s AND $2::timestamptz < $3::timestamptz", view, where),
		bigportal.Host, window.From, window.To)
}

// rows returns the rows of a query for JSON, in an order of their own.
func (w *warehouse) rows(t testing.TB, query string, args ...any) []string {
	t.Helper()
	found, err := w.conn.Query(t.Context(), query, args...)
	must(t, err)
	raw, err := pgx.CollectRows(found, pgx.RowTo[json.RawMessage])
	must(t, err)
	var rows []string
	for _, row := range raw {
		rows = append(rows, normal(t, row))
	}
	slices.Sort(rows)
	return rows
}

// normal writes equal JSON objects in the same way, whatever the order of fields
// and the form of times.
func normal(t testing.TB, object []byte) string {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(object))
	decoder.UseNumber()
	var fields map[string]any
	must(t, decoder.Decode(&fields))
	for name, value := range fields {
		if text, ok := value.(string); ok {
			if at, err := time.Parse(time.RFC3339, text); err == nil {
				fields[name] = at.UTC().Format(time.RFC3339Nano)
			}
		}
	}
	out, err := json.Marshal(fields)
	must(t, err)
	return string(out)
}

// TestFormats: each view in each format has the rows that the database selects.
func TestFormats(t *testing.T) {
	t.Parallel()
	w := newWarehouse(t, 1500)
	window := audit.Window{From: begin.Add(50*time.Hour + 20*time.Minute), To: begin.Add(300*time.Hour + 123456*time.Microsecond), Zone: time.UTC}
	nothing := audit.Window{From: begin.AddDate(-1, 0, 0), To: begin.AddDate(-1, 0, 1), Zone: time.UTC}
	for _, view := range store.ExportViews() {
		for _, window := range []audit.Window{window, nothing} {
			want := w.selected(t, view, window)
			if empty := window == nothing && store.HasWindow(view); (len(want) == 0) != empty {
				t.Fatalf("%s has %d rows in %v: nothing is tested", view, len(want), window)
			}
			for format, read := range map[string]func(testing.TB, string, []byte) []string{
				"ndjson": readNDJSON, "parquet": readParquet, "csv": w.readCSV,
			} {
				got := read(t, view, w.export(t, view, format, window))
				slices.Sort(got)
				if !slices.Equal(got, want) {
					t.Errorf("%s as %s: %d rows, want %d%s", view, format, len(got), len(want), firstDifference(got, want))
				}
			}
		}
	}
}

func firstDifference(got, want []string) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("; the first that differ\n%s\n%s", got[i], want[i])
		}
	}
	return ""
}

// TestViews: all views of the contract can be exported.
func TestViews(t *testing.T) {
	t.Parallel()
	w := newWarehouse(t, 10)
	var views []string
	must(t, w.conn.QueryRow(t.Context(), `SELECT array_agg(viewname::text ORDER BY viewname) FROM pg_views WHERE schemaname = 'analytics'`).Scan(&views))
	if got := slices.Sorted(slices.Values(store.ExportViews())); !slices.Equal(got, views) {
		t.Errorf("%q can be exported, and there are %q", got, views)
	}
}

// TestOrder: rows come in the order of time and id, over the spans they are read in too.
func TestOrder(t *testing.T) {
	t.Parallel()
	w := newWarehouse(t, 60_000)
	window := audit.Window{From: begin.Add(time.Hour), To: begin.AddDate(0, 0, 30), Zone: time.UTC}
	type event struct {
		EventID    int64     `json:"event_id"`
		OccurredAt time.Time `json:"occurred_at"`
	}
	var last event
	rows := 0
	for line := range bytes.Lines(w.export(t, "events", "ndjson", window)) {
		var e event
		must(t, json.Unmarshal(line, &e))
		if e.OccurredAt.Before(last.OccurredAt) || e.OccurredAt.Equal(last.OccurredAt) && e.EventID <= last.EventID {
			t.Fatalf("%+v comes after %+v", e, last)
		}
		last = e
		rows++
	}
	var want int
	must(t, w.conn.QueryRow(t.Context(), "SELECT count(*) FROM audit_event WHERE occurred_at >= $1", window.From).Scan(&want))
	if rows != want || rows < 55_000 {
		t.Errorf("%d rows, want %d", rows, want)
	}
}

func readNDJSON(t testing.TB, _ string, file []byte) []string {
	t.Helper()
	var rows []string
	for line := range bytes.Lines(file) {
		rows = append(rows, normal(t, line))
	}
	return rows
}

// readCSV lets PostgreSQL read the file.
func (w *warehouse) readCSV(t testing.TB, view string, file []byte) []string {
	t.Helper()
	columns, err := w.conn.Query(t.Context(), `
		SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = ('analytics.' || $1)::regclass AND attnum > 0 ORDER BY attnum`, view)
	must(t, err)
	var names, fields []string
	var name, kind string
	_, err = pgx.ForEachRow(columns, []any{&name, &kind}, func() error {
		names = append(names, name)
		value := fmt.Sprintf(`regexp_replace(%q, '^''', '')::%s`, name, kind)
		if strings.HasSuffix(kind, "[]") {
			value = fmt.Sprintf(`%q::jsonb`, name)
		}
		fields = append(fields, fmt.Sprintf("'%s', to_jsonb(%s)", name, value))
		return nil
	})
	must(t, err)
	if header, _, _ := strings.Cut(string(file), "\r\n"); header != strings.Join(names, ",") {
		t.Errorf("%s: the columns are %s, want %q", view, header, names)
	}
	_, err = w.conn.Exec(t.Context(), `DROP TABLE IF EXISTS pg_temp.csv; CREATE TEMP TABLE csv ("`+strings.Join(names, `" text, "`)+`" text)`)
	must(t, err)
	_, err = w.conn.PgConn().CopyFrom(t.Context(), bytes.NewReader(file), "COPY csv FROM STDIN (FORMAT csv, HEADER)")
	must(t, err)
	return w.rows(t, "SELECT jsonb_build_object("+strings.Join(fields, ", ")+") FROM csv")
}

func readParquet(t testing.TB, _ string, file []byte) []string {
	t.Helper()
	f, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
	must(t, err)
	reader := parquet.NewGenericReader[any](f)
	defer func() { must(t, reader.Close()) }()
	names, leaves := f.Schema().Columns(), make([]parquet.LeafColumn, len(f.Schema().Columns()))
	for i, path := range names {
		leaves[i], _ = f.Schema().Lookup(path...)
	}
	var rows []string
	batch := make([]parquet.Row, 100)
	for {
		n, err := reader.ReadRows(batch)
		for _, row := range batch[:n] {
			fields := map[string]any{}
			for _, v := range row {
				name := names[v.Column()][0]
				list, isList := fields[name].([]any)
				switch value := fromParquet(t, leaves[v.Column()], v); {
				case len(names[v.Column()]) == 1:
					fields[name] = value
				case v.DefinitionLevel() == 0:
					fields[name] = nil
				case v.DefinitionLevel() == 1:
					fields[name] = []any{}
				case isList:
					fields[name] = append(list, value)
				default:
					fields[name] = []any{value}
				}
			}
			object, err := json.Marshal(fields)
			must(t, err)
			rows = append(rows, normal(t, object))
		}
		if errors.Is(err, io.EOF) {
			return rows
		}
		must(t, err)
	}
}

// fromParquet reads a value by what the file says of its type.
func fromParquet(t testing.TB, leaf parquet.LeafColumn, v parquet.Value) any {
	t.Helper()
	if v.IsNull() {
		return nil
	}
	logical := leaf.Node.Type().LogicalType()
	if logical == nil {
		return map[parquet.Kind]any{parquet.Boolean: v.Boolean(), parquet.Double: v.Double()}[v.Kind()]
	}
	switch name := logical.String(); name {
	case "TIMESTAMP(isAdjustedToUTC=true,unit=MICROS)":
		return time.UnixMicro(v.Int64()).UTC()
	case "DATE":
		return time.Unix(int64(v.Int32())*86400, 0).UTC().Format(time.DateOnly)
	case "INT(64,true)":
		return v.Int64()
	case "INT(16,true)", "INT(32,true)":
		return v.Int32()
	case "JSON":
		return json.RawMessage(v.ByteArray())
	case "STRING":
		return string(v.ByteArray())
	}
	t.Fatalf("column %v has a type that no column should have", leaf.Path)
	return nil
}

// TestParquetTypes: what readers see as the columns' types, in the order of the view.
func TestParquetTypes(t *testing.T) {
	t.Parallel()
	w := newWarehouse(t, 500)
	file := w.export(t, "events", "parquet", audit.Window{From: begin, To: begin.AddDate(0, 0, 1), Zone: time.UTC})
	f, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
	must(t, err)
	schema := f.Schema().String()
	for _, column := range []string{
		"optional binary portal (STRING);", "optional int64 event_id (INT(64,true));",
		"optional int64 occurred_at (TIMESTAMP(isAdjustedToUTC=true,unit=MICROS));", "optional boolean is_room_inferred;",
		"optional group target_ids (LIST) {", "optional binary extra (JSON);",
	} {
		at := strings.Index(schema, column)
		if at < 0 {
			t.Errorf("the schema has no %q in its place:\n%s", column, schema)
			continue
		}
		schema = schema[at:]
	}
	metadata := map[string]string{}
	for _, pair := range f.Metadata().KeyValueMetadata {
		metadata[pair.Key] = pair.Value
	}
	want := map[string]string{
		"roompulse.portal": bigportal.Host, "roompulse.view": "events", "roompulse.from": "2026-03-01T00:00:00Z", "roompulse.to": "2026-03-02T00:00:00Z",
		"roompulse.complete_from": "2026-03-01T00:00:00Z", "roompulse.complete_until": "2026-03-21T00:00:00Z",
	}
	if !maps.Equal(metadata, want) {
		t.Errorf("metadata %v, want %v", metadata, want)
	}
}

// sick is a source whose rows end with an error.
type sick struct{ *store.Reader }

var errSick = errors.New("the connection is gone")

func (s sick) Export(ctx context.Context, view string, w audit.Window, head func(audit.ExportHead) error, row func([]any) error) error {
	return errors.Join(s.Reader.Export(ctx, view, w, head, row), errSick)
}

// TestBrokenOff: rows that are not all are no whole file, of which a reader could think so.
func TestBrokenOff(t *testing.T) {
	t.Parallel()
	w := newWarehouse(t, 10)
	f, err := export.ParseFormat("parquet", "")
	must(t, err)
	var out bytes.Buffer
	if _, err := export.Run(t.Context(), sick{w.reader}, "rooms", audit.Window{}, f, &out); !errors.Is(err, errSick) {
		t.Errorf("error %v", err)
	}
	if _, err := parquet.OpenFile(bytes.NewReader(out.Bytes()), int64(out.Len())); err == nil {
		t.Error("half a file can be opened")
	}
}

func TestParseFormat(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, file, want, err string }{
		{"", "", "csv", ""},
		{"", "events", "csv", ""},
		{"", "a.csv/events.PARQUET", "parquet", ""},
		{"", "events.jsonl", "ndjson", ""},
		{"ndjson", "events.csv", "ndjson", ""},
		{"parquet", "events.xyz", "parquet", ""},
		{"", "events.xlsx", "", "events.xlsx: no format is known by .xlsx: give --format csv, ndjson, parquet"},
		{"html", "", "", `--format "html" is not known: write csv, ndjson, parquet`},
	} {
		f, err := export.ParseFormat(test.name, test.file)
		if _, usage := errors.AsType[audit.UsageError](err); f.Name != test.want || err != nil && (!usage || err.Error() != test.err) || (err == nil) != (test.err == "") {
			t.Errorf("%q, %q: %q, %v", test.name, test.file, f.Name, err)
		}
	}
}
