// Command bench compares the report of inactive members with the plain way to
// get its numbers, a GROUP BY over the raw events, in PostgreSQL and in DuckDB.
//
// It makes the events of an invented portal in a private PostgreSQL server and keeps them for
// the next run; DATABASE_URL names another, empty database to use instead. The three are asked in turn, so that
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
	_, err = b.pg.Exec(ctx, "VACUUM ANALYZE room_day, room_last, account_day, account_last, event_hour")
	return err
}

// loadDuck copies what a report counts into a table of DuckDB's own.
func (b *bench) loadDuck(ctx context.Context) error {
	path := filepath.Join(b.dir, "events.duckdb")
	_, statErr := os.Stat(path)
	var err error
	if b.duck, err = sql.Open("duckdb", path+"?threads=2"); err != nil {
		return err
	}
	if statErr == nil {
		return nil
	}
	file := filepath.Join(b.dir, "events.csv")
	defer os.Remove(file)
	if err := b.copyOut(ctx, file); err != nil {
		return err
	}
	_, err = b.duck.ExecContext(ctx, `
		CREATE TABLE audit_event AS
		SELECT * FROM read_csv('`+file+`', header = false, columns = {
			'occurred_at': 'TIMESTAMPTZ', 'room_key': 'INTEGER', 'account_key': 'INTEGER', 'class': 'SMALLINT', 'room_source': 'SMALLINT'})`)
	return err
}

func (b *bench) copyOut(ctx context.Context, path string) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	out := bufio.NewWriter(file)
	_, err = b.pg.PgConn().CopyTo(ctx, out, `
		COPY (SELECT occurred_at, room_key, account_key, class, room_source FROM audit_event ORDER BY event_id) TO STDOUT (FORMAT csv)`)
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
	sizeSQL = `
		SELECT sum(pg_total_relation_size(oid))::float8 / (SELECT sum(events) FROM event_hour) FROM pg_class
		WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`
)

// way is a way to an answer about a window.
type way struct {
	name string
	ask  func(audit.Window) error
}

func (b *bench) compare(ctx context.Context) error {
	reader := b.st.Reader(b.portal)
	report := func(rooms []string, enough int64) func(audit.Window) error {
		return func(w audit.Window) error {
			_, err := reader.InactiveFacts(ctx, w, rooms, audit.FilterAny, enough)
			return err
		}
	}
	ways := []way{
		{"report inactive", report(nil, 1)},
		{"report inactive --min-activity 3", report(nil, 3)},
		{"report inactive --all", report(nil, 0)},
		{"report inactive --room", report([]string{bigportal.RoomID(2500)}, 1)},
		{"GROUP BY, by the index of hours", func(w audit.Window) error { return b.group(ctx, indexedSQL, w) }},
		{"GROUP BY, as the planner likes", func(w audit.Window) error { return b.group(ctx, plainSQL, w) }},
		{"DuckDB", func(w audit.Window) error { return b.groupDuck(ctx, w) }},
	}
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
		if err := b.time(ways, w); err != nil {
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

// time asks all ways in turn, so many rounds, and prints the medians and how they compare with the
// last three: the faster GROUP BY, and DuckDB.
func (b *bench) time(ways []way, w audit.Window) error {
	took := make([][]time.Duration, len(ways))
	for range b.rounds {
		for i, way := range ways {
			begin := time.Now()
			if err := way.ask(w); err != nil {
				return fmt.Errorf("%s: %w", way.name, err)
			}
			took[i] = append(took[i], time.Since(begin))
		}
	}
	median := func(i int) time.Duration {
		slices.Sort(took[i])
		return took[i][len(took[i])/2]
	}
	n := len(ways)
	plain, duck := min(median(n-3), median(n-2)), median(n-1)
	for i, way := range ways {
		m := median(i)
		fmt.Printf("  %-34s %10s  %7.1f times GROUP BY  %6.2f times DuckDB\n", way.name, m.Round(100*time.Microsecond),
			float64(plain)/float64(m), float64(duck)/float64(m))
	}
	return nil
}

func (b *bench) group(ctx context.Context, query string, w audit.Window) error {
	rows, err := b.pg.Query(ctx, query, w.From, w.To)
	if err != nil {
		return err
	}
	for rows.Next() {
		rows.RawValues()
	}
	return rows.Err()
}

func (b *bench) groupDuck(ctx context.Context, w audit.Window) error {
	rows, err := b.duck.QueryContext(ctx, plainSQL, w.From, w.To)
	if err != nil {
		return err
	}
	defer rows.Close()
	var room, account int32
	var events int64
	var last time.Time
	for rows.Next() {
		if err := rows.Scan(&room, &account, &events, &last); err != nil {
			return err
		}
	}
	return rows.Err()
}
