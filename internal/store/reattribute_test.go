package store_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"roompulse/internal/audit"
	"roompulse/internal/testkit/bigportal"
	"roompulse/internal/testkit/pgtest"
)

// blocksRead counts the blocks of a table and its indexes that f reads, in memory or
// not, on connections other than conn.
func blocksRead(t *testing.T, conn *pgx.Conn, table string, f func()) int {
	t.Helper()
	count := func() (blocks int) {
		t.Helper()
		// Sessions tell their numbers now and then: this one is made to, others do at their end.
		_, err := conn.Exec(t.Context(), "SELECT pg_stat_force_next_flush()")
		must(t, err)
		_, err = conn.Exec(t.Context(), `
			SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`)
		must(t, err)
		must(t, conn.QueryRow(t.Context(), `
			SELECT heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit
			FROM pg_statio_user_tables WHERE relname = $1`, table).Scan(&blocks))
		return blocks
	}
	before := count()
	f()
	return count() - before
}

// TestRecountReadsTouchedDays: what logs correct costs the days that it touches,
// however long the past is.
func TestRecountReadsTouchedDays(t *testing.T) {
	t.Parallel()
	url := pgtest.New(t)
	conn := connect(t, url)
	_, err := conn.Exec(t.Context(), "ALTER TABLE audit_event SET (autovacuum_enabled = off)") // it reads blocks too
	must(t, err)
	from := now.AddDate(0, 0, -200)
	must(t, bigportal.Load(t.Context(), conn, bigportal.Config{
		Rooms: 20, Memberships: 400, People: 100, Events: 60_000, From: from, Days: 200,
	}))
	var table int
	must(t, conn.QueryRow(t.Context(), "SELECT pg_relation_size('audit_event') / 8192").Scan(&table))
	_, err = conn.Exec(t.Context(), `
		INSERT INTO room_day (portal_id, room_key, account_key, day, edits, edit_first_at, edit_last_at)
		SELECT 1, room_key, account_key, (occurred_at AT TIME ZONE 'UTC')::date AS day, count(*), min(occurred_at), max(occurred_at)
		FROM audit_event
		WHERE class = 2 AND room_key IS NOT NULL
		GROUP BY room_key, account_key, day`)
	must(t, err)
	// Twelve events of other rooms, on two days, each the first of several: which is the first then, only raw events tell.
	rows, err := conn.Query(t.Context(), `
		SELECT e.event_id, e.occurred_at
		FROM audit_event AS e
		INNER JOIN room_day AS d ON d.room_key = e.room_key AND d.account_key = e.account_key AND d.edit_first_at = e.occurred_at
		WHERE e.room_source = 6 AND e.class = 2 AND e.room_key <> 1 AND d.edits > 1 AND d.edit_last_at > d.edit_first_at
			AND d.day IN (($1::timestamptz AT TIME ZONE 'UTC')::date, ($2::timestamptz AT TIME ZONE 'UTC')::date)
		ORDER BY e.event_id % 7, e.event_id LIMIT 12`, from.AddDate(0, 0, 20), from.AddDate(0, 0, 150))
	must(t, err)
	entries, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (e audit.LogEntry, err error) {
		err = row.Scan(&e.EventID, &e.At)
		return e, err
	})
	must(t, err)

	blocks := blocksRead(t, conn, "audit_event", func() {
		st := open(t, url)
		w, err := st.OpenWriter(context.WithoutCancel(t.Context()), bigportal.Host, owner("owner"), now)
		must(t, err)
		defer w.Close()
		_, contradicted, err := w.PutLogs(t.Context(), []audit.LogTurn{{RoomID: "100001", Entries: entries}})
		must(t, err)
		if contradicted != 12 {
			t.Errorf("the log contradicted %d events, not 12", contradicted)
		}
	})
	// Two days are a hundredth of the table, once to recount and a few times more to look events up.
	if limit := table / 4; blocks > limit {
		t.Errorf("%d blocks read of a table of %d; at most %d were expected", blocks, table, limit)
	}
}

// TestConfirmationStaysInPlace: what logs confirm is written beside what was there, so that
// a day's events stay together and no index grows.
func TestConfirmationStaysInPlace(t *testing.T) {
	t.Parallel()
	url := pgtest.New(t)
	conn := connect(t, url)
	must(t, bigportal.Load(t.Context(), conn, bigportal.Config{
		Rooms: 100, Memberships: 1000, People: 100, Events: 20_000, From: now.AddDate(0, 0, -2), Days: 2,
	}))
	st := open(t, url)
	w, err := st.OpenWriter(t.Context(), bigportal.Host, owner("owner"), now)
	must(t, err)
	defer w.Close()
	for _, room := range []struct {
		key int
		id  string
	}{{3, "100003"}, {4, "100004"}, {5, "100005"}} {
		rows, err := conn.Query(t.Context(), "SELECT event_id, occurred_at FROM audit_event WHERE room_source = 6 AND room_key = $1", room.key)
		must(t, err)
		entries, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (e audit.LogEntry, err error) {
			err = row.Scan(&e.EventID, &e.At)
			return e, err
		})
		must(t, err)
		confirmed, _, err := w.PutLogs(t.Context(), []audit.LogTurn{{RoomID: room.id, Entries: entries}})
		must(t, err)
		if confirmed == 0 {
			t.Fatalf("the log of room %s confirmed nothing", room.id)
		}
	}
	w.Close()
	st.Close()
	var updates, inPlace int
	_ = blocksRead(t, conn, "audit_event", func() {})
	must(t, conn.QueryRow(t.Context(), `
		SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'audit_event'`).Scan(&updates, &inPlace))
	if updates == 0 || inPlace < updates*3/4 {
		t.Errorf("of %d updates %d stayed in place", updates, inPlace)
	}
}

// TestSpansNameHours: a query for the events of a span finds them by the index of hours, and not
// by the one that is for analysts, which has to be read from end to end.
func TestSpansNameHours(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../queries/*.sql")
	must(t, err)
	alias := regexp.MustCompile(`audit_event AS (\w+)`)
	spans := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(t, err)
		for _, query := range strings.Split(string(text), "-- name: ")[1:] {
			name, _, _ := strings.Cut(query, " ")
			for _, match := range alias.FindAllStringSubmatch(query, -1) {
				compared := regexp.MustCompile(`(?m)^\s*(?:AND |OR |WHERE |ON )?\(?`+match[1]+`\.occurred_at (?:[<>]|BETWEEN).*$`).FindAllString(query, -1)
				if len(compared) == 0 {
					continue
				}
				spans++
				for _, line := range compared {
					if !strings.HasSuffix(line, ") IS TRUE") {
						t.Errorf("%s: %s asks for a span of audit_event without IS TRUE, see report.sql: %s", filepath.Base(file), name, strings.TrimSpace(line))
					}
				}
				if !strings.Contains(query, "date_bin('1 hour', "+match[1]+".occurred_at, 'epoch')") {
					t.Errorf("%s: %s asks for a span of audit_event and does not name its hours", filepath.Base(file), name)
				}
			}
		}
	}
	if spans == 0 {
		t.Error("no query asks for a span of audit_event")
	}
}
