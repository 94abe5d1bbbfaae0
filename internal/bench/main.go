// Command bench compares the report of inactive members, and its part that says who was active when last, with plain
// queries over the raw events that tell the same, in PostgreSQL and in DuckDB.
//
// It makes the events of an invented portal in a private PostgreSQL server and keeps them for
// the next run; DATABASE_URL names another, empty database to use instead. All are asked in turn, so that
// what else the machine does falls on all of them alike. It is a module of its own, since DuckDB is none of
// roompulse's business otherwise.
package main

import (
	"bufio"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"
	"github.com/jackc/pgx/v5"

	"roompulse/db"
	"roompulse/internal/audit"
	"roompulse/internal/localpg"
	"roompulse/internal/store"
	"roompulse/internal/testkit/bigportal"
)

func main() {
	var b bench
	flag.IntVar(&b.events, "events", 10_000_000, "`number` of events")
	flag.IntVar(&b.days, "days", 365, "`days` that they are spread over")
	flag.IntVar(&b.rounds, "rounds", 5, "how often each is asked; the median counts")
	flag.StringVar(&b.dir, "dir", "", "`folder` of the data (default: roompulse-bench-EVENTS-DAYS in the folder for temporary files)")
	flag.Parse()
	if err := b.run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type bench struct {
	events, days, rounds int
	dir                  string

	st     *store.Store
	portal store.Portal
	pg     *pgx.Conn
	duck   *sql.DB
	end    time.Time
}

func (b *bench) run(ctx context.Context) (err error) {
	b.dir = cmp.Or(b.dir, filepath.Join(os.TempDir(), fmt.Sprintf("roompulse-bench-%d-%d", b.events, b.days)))
	if err := os.MkdirAll(b.dir, 0o711); err != nil { // root's server is another user's
		return err
	}
	url := os.Getenv("DATABASE_URL")
	if url == "" {
		server, err := localpg.New(localpg.Config{Dir: filepath.Join(b.dir, "postgres"), Settings: map[string]string{"fsync": "off"}})
		if err != nil {
			return err
		}
		if err := server.Start(ctx); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, server.Stop(ctx)) }()
		url = server.URL()
	}
	if b.pg, err = pgx.Connect(ctx, url); err != nil {
		return err
	}
	defer b.pg.Close(ctx)
	if _, err := b.pg.Exec(ctx, "SET enable_memoize = off"); err != nil { // as reports do
		return err
	}
	if b.st, err = store.Open(ctx, url); err != nil {
		return err
	}
	defer b.st.Close()
	if err := b.load(ctx); err != nil {
		return err
	}
	if err := b.loadDuck(ctx); err != nil {
		return err
	}
	defer b.duck.Close()
	return b.compare(ctx)
}

// load makes the events and the rollups, unless they are there from an earlier run.
func (b *bench) load(ctx context.Context) error {
	if _, err := b.st.MigrateUp(ctx); err != nil {
		return err
	}
	from := time.Date(2026, 10, 28, 0, 0, 0, 0, time.UTC).AddDate(0, 0, -b.days)
	b.end = from.AddDate(0, 0, b.days)
	var err error
	if b.portal, err = b.st.Portal(ctx, bigportal.Host); err == nil {
		return nil
	} else if !errors.Is(err, store.ErrNoPortal) {
		return err
	}
	begin := time.Now()
	config := bigportal.Config{Rooms: 5000, Memberships: 100_000, People: 10_000, Events: b.events, From: from, Days: b.days}
	if err := bigportal.Load(ctx, b.pg, config); err != nil {
		return err
	}
	fmt.Printf("%d events loaded in %s\n", b.events, time.Since(begin).Round(time.Second))
	w, err := b.st.OpenWriter(ctx, bigportal.Host, func(context.Context) (string, error) { return "owner", nil }, b.end)
	if err != nil {
		return err
	}
	defer w.Close()
	b.portal = w.Portal
	for _, what := range []string{"made", "proved"} { // the first time all are wrong
		begin = time.Now()
		if _, err := w.Repair(ctx, b.end, func(time.Time) {}); err != nil {
			return err
		}
		fmt.Printf("rollups %s by verify in %s\n", what, time.Since(begin).Round(time.Second))
	}
	_, err = b.pg.Exec(ctx, "VACUUM ANALYZE room_day, room_last, account_day, account_last, event_hour, event_day")
	return err
}

// duckTables are DuckDB's own tables, with what a report asks about.
var duckTables = []struct{ name, columns, query string }{
	{
		"audit_event", "{'occurred_at': 'TIMESTAMPTZ', 'room_key': 'INTEGER', 'account_key': 'INTEGER', 'class': 'SMALLINT', 'room_source': 'SMALLINT'}",
		"SELECT occurred_at, room_key, account_key, class, room_source FROM audit_event ORDER BY event_id",
	},
	{"room", "{'room_key': 'INTEGER', 'room_id': 'VARCHAR', 'title': 'VARCHAR'}", "SELECT room_key, room_id, title FROM room"},
	{
		"account", "{'account_key': 'INTEGER', 'account_id': 'VARCHAR', 'name': 'VARCHAR', 'email': 'VARCHAR', 'status': 'SMALLINT', 'is_guest': 'BOOLEAN'}",
		"SELECT account_key, account_id, name, email, status, is_guest FROM account",
	},
	{
		"room_member",
		"{'room_key': 'INTEGER', 'account_key': 'INTEGER', 'access': 'SMALLINT', 'is_owner': 'BOOLEAN', 'valid_from': 'TIMESTAMPTZ', 'valid_to': 'TIMESTAMPTZ'}",
		"SELECT room_key, account_key, access, is_owner, valid_from, valid_to FROM room_member",
	},
}

// loadDuck copies what is not in DuckDB yet.
func (b *bench) loadDuck(ctx context.Context) (err error) {
	if b.duck, err = sql.Open("duckdb", filepath.Join(b.dir, "events.duckdb")+"?threads=2"); err != nil {
		return err
	}
	for _, table := range duckTables {
		var known bool
		if err := b.duck.QueryRowContext(ctx, "SELECT count(*) > 0 FROM duckdb_tables() WHERE table_name = $1", table.name).Scan(&known); err != nil {
			return err
		}
		if known {
			continue
		}
		file := filepath.Join(b.dir, table.name+".csv")
		defer os.Remove(file)
		if err := b.copyOut(ctx, table.query, file); err != nil {
			return err
		}
		_, err := b.duck.ExecContext(ctx, "CREATE TABLE "+table.name+" AS SELECT * FROM read_csv('"+file+"', header = false, columns = "+table.columns+")")
		if err != nil {
			return fmt.Errorf("copy %s to DuckDB: %w", table.name, err)
		}
	}
	return nil
}

func (b *bench) copyOut(ctx context.Context, query, path string) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	out := bufio.NewWriter(file)
	_, err = b.pg.PgConn().CopyTo(ctx, out, "COPY ("+query+") TO STDOUT (FORMAT csv)")
	return errors.Join(err, out.Flush())
}

const (
	plainSQL = `
		SELECT room_key, account_key, count(*), max(occurred_at) FROM audit_event
		WHERE room_key IS NOT NULL AND class > 0 AND occurred_at >= $1 AND occurred_at < $2
		GROUP BY room_key, account_key`
	// The same with the index of hours.
	indexedSQL = `
		SELECT room_key, account_key, count(*), max(occurred_at) FROM audit_event
		WHERE portal_id = 1 AND room_key IS NOT NULL AND class > 0 AND occurred_at >= $1 AND occurred_at < $2
			AND date_bin('1 hour', occurred_at, 'epoch') BETWEEN date_bin('1 hour', $1, 'epoch') AND $2
		GROUP BY room_key, account_key`
	// What a report of all rooms tells: every member with names and rights, when each was active last in the room and seen last
	// in the portal, and the numbers of data quality. The events are read once for the former and once for the latter.
	membersSQL = `
		WITH acts AS (
			SELECT room_key, account_key, max(CASE WHEN class > 0 THEN occurred_at END) AS active_at, max(occurred_at) AS seen_at FROM audit_event
			WHERE class >= 0 AND occurred_at < $1
			GROUP BY room_key, account_key
		),
		seen AS (SELECT account_key, max(seen_at) AS seen_at FROM acts GROUP BY account_key)
		SELECT r.room_id, r.title, a.account_id, a.name, a.email, a.status, a.is_guest, m.access, m.is_owner, x.active_at, s.seen_at
		FROM room_member AS m
		INNER JOIN room AS r ON r.room_key = m.room_key
		INNER JOIN account AS a ON a.account_key = m.account_key
		LEFT JOIN acts AS x ON x.room_key = m.room_key AND x.account_key = m.account_key
		LEFT JOIN seen AS s ON s.account_key = m.account_key
		WHERE m.valid_from <= $1 AND m.valid_to > $1`
	qualitySQL = `
		SELECT room_source, class, count(*) FROM audit_event
		WHERE occurred_at >= $1 AND occurred_at < $2
		GROUP BY room_source, class`
	sizeSQL = `
		SELECT sum(pg_total_relation_size(oid))::float8 / (SELECT sum(events) FROM event_day) FROM pg_class
		WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`
)

// question has several ways to its answer, roompulse's first.
type question struct {
	name string
	ways []way
}

type way struct {
	name string
	ask  func(audit.Window) error
}

func (b *bench) questions(ctx context.Context) []question {
	reader := b.st.Reader(b.portal)
	report := func(rooms []string, enough int64) []way {
		return []way{{"roompulse", func(w audit.Window) error {
			_, err := reader.InactiveFacts(ctx, w, rooms, audit.FilterAny, enough)
			return err
		}}}
	}
	return []question{
		{"who was active when last", []way{
			{"roompulse, room_last and room_day", func(w audit.Window) error { return b.lastActivity(ctx, w) }},
			{"PostgreSQL, by the index of hours", func(w audit.Window) error { return b.askPostgres(ctx, indexedSQL, w.From, w.To) }},
			{"PostgreSQL, as the planner likes", func(w audit.Window) error { return b.askPostgres(ctx, plainSQL, w.From, w.To) }},
			{"DuckDB", func(w audit.Window) error { return b.askDuck(ctx, plainSQL, w.From, w.To) }},
		}},
		{"report inactive", append(
			report(nil, 1),
			way{"PostgreSQL", func(w audit.Window) error {
				return errors.Join(b.askPostgres(ctx, membersSQL, w.To), b.askPostgres(ctx, qualitySQL, w.From, w.To))
			}},
			way{"DuckDB", func(w audit.Window) error {
				return errors.Join(b.askDuck(ctx, membersSQL, w.To), b.askDuck(ctx, qualitySQL, w.From, w.To))
			}},
		)},
		{"report inactive --min-activity 3", report(nil, 3)},
		{"report inactive --all", report(nil, 0)},
		{"report inactive --room", report([]string{bigportal.RoomID(2500)}, 1)},
	}
}

func (b *bench) compare(ctx context.Context) error {
	ragged := b.end.Add(-31 * time.Hour).Add(-17 * time.Minute)
	for _, window := range []struct {
		name string
		days int
		to   time.Time
	}{
		{"up to the end of the data", min(300, b.days-3), b.end},
		{"up to the end of the data", 30, b.end},
		{"ragged", min(300, b.days-3), ragged},
		{"ragged", 30, ragged},
		{"ragged, in the middle of the data", 30, ragged.AddDate(0, 0, 15-b.days/2)},
	} {
		w := audit.Window{From: window.to.AddDate(0, 0, -window.days), To: window.to, Zone: time.UTC}
		fmt.Printf("%d days, %s\n", window.days, window.name)
		if err := b.time(b.questions(ctx), w); err != nil {
			return err
		}
	}
	var size float64
	if err := b.pg.QueryRow(ctx, sizeSQL).Scan(&size); err != nil {
		return err
	}
	fmt.Printf("%.0f bytes an event\n", size)
	return nil
}

// slow is how long a way takes that is asked only once: other load matters little then.
const slow = 10 * time.Second

// time asks all questions in all ways in turn, so many rounds, and prints the medians, and how many times as long
// as roompulse the other ways take.
func (b *bench) time(questions []question, w audit.Window) error {
	took := make(map[*way][]time.Duration)
	for range b.rounds {
		for _, q := range questions {
			for i := range q.ways {
				way := &q.ways[i]
				if past := took[way]; len(past) > 0 && past[0] > slow {
					continue
				}
				begin := time.Now()
				if err := way.ask(w); err != nil {
					return fmt.Errorf("%s by %s: %w", q.name, way.name, err)
				}
				took[way] = append(took[way], time.Since(begin))
			}
		}
	}
	median := func(way *way) time.Duration {
		times := slices.Sorted(slices.Values(took[way]))
		return times[len(times)/2]
	}
	for _, q := range questions {
		ours := median(&q.ways[0])
		for i := range q.ways {
			m := median(&q.ways[i])
			fmt.Printf("  %-34s %-34s %10s %8.2f\n", q.name, q.ways[i].name, m.Round(100*time.Microsecond), float64(m)/float64(ours))
		}
	}
	return nil
}

// lastActivity is the part of a report that tells what GROUP BY does, of all who ever were active.
func (b *bench) lastActivity(ctx context.Context, w audit.Window) error {
	_, err := db.New(b.pg).GetLastActivity(ctx, db.GetLastActivityParams{
		PortalID: b.portal.ID, RoomKeys: []int32{}, Until: w.To, UntilDate: w.To.UTC().Truncate(24 * time.Hour), Views: true, Edits: true, Manages: true,
	})
	return err
}

func (b *bench) askPostgres(ctx context.Context, query string, args ...any) error {
	rows, err := b.pg.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	for rows.Next() {
		rows.RawValues()
	}
	return rows.Err()
}

func (b *bench) askDuck(ctx context.Context, query string, args ...any) error {
	rows, err := b.duck.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	values := make([]any, len(columns))
	for i := range values {
		values[i] = new(any)
	}
	for rows.Next() {
		if err := rows.Scan(values...); err != nil {
			return err
		}
	}
	return rows.Err()
}
