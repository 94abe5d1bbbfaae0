package store_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"roompulse/internal/audit"
	"roompulse/internal/report"
	"roompulse/internal/store"
	"roompulse/internal/testkit/pgtest"
)

// rowsOf collects the rows of a query that may not fail.
func rowsOf[R any](ctx context.Context, t *rapid.T, conn *pgx.Conn, scan pgx.RowToFunc[R], sql string, args ...any) []R {
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	list, err := pgx.CollectRows(rows, scan)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return list
}

func checkActivityFunction(ctx context.Context, t *rapid.T, conn *pgx.Conn, reader *store.Reader, w audit.Window) {
	want, err := report.Activity(ctx, reader, report.ActivityQuery{Window: w, Now: now, MaxLag: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	got := rowsOf(ctx, t, conn, func(row pgx.CollectableRow) (r report.ActivityRow, err error) {
		err = row.Scan(&r.RoomID, &r.Title, &r.AccountID, &r.DisplayName, &r.Member, &r.Events, &r.Views, &r.Edits, &r.Manages,
			&r.ActiveDays, &r.FirstActiveAt.Time, &r.LastActiveAt.Time, &r.Disabled)
		r.FirstActiveAt.Time, r.LastActiveAt.Time = r.FirstActiveAt.UTC(), r.LastActiveAt.UTC()
		return r, err
	}, `
		SELECT f.*, a.status IN ('disabled', 'deleted')
		FROM analytics.activity($1, $2, $3) AS f
		INNER JOIN analytics.accounts AS a ON a.portal = $1 AND a.account_id = f.account_id
		ORDER BY f.room_id COLLATE "C", f.account_id COLLATE "C"`, reader.Portal().Host, w.From, w.To)
	if !slices.Equal(got, want.Rows) {
		t.Fatalf("activity of [%s, %s)\n got %+v\nwant %+v", w.From, w.To, got, want.Rows)
	}
}

// viewedMember is what the view and the report both say of a member.
type viewedMember struct {
	room, account, access string
	owner                 bool
	since, after          time.Time
}

// checkMembersView compares the members as of a window's end.
func checkMembersView(ctx context.Context, t *rapid.T, conn *pgx.Conn, reader *store.Reader, w audit.Window) {
	facts, err := reader.InactiveFacts(ctx, w, nil, audit.FilterAny, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []viewedMember{}
	for _, m := range facts.Members {
		want = append(want, viewedMember{room: m.RoomID, account: m.AccountID, access: m.Access.String(), owner: m.Owner, since: m.JoinedAt, after: m.JoinedAfter})
	}
	slices.SortFunc(want, func(a, b viewedMember) int {
		return cmp.Or(cmp.Compare(a.room, b.room), cmp.Compare(a.account, b.account))
	})
	got := rowsOf(ctx, t, conn, func(row pgx.CollectableRow) (m viewedMember, err error) {
		var since, after *time.Time
		err = row.Scan(&m.room, &m.account, &m.access, &m.owner, &since, &after)
		m.since, m.after = utc(since), utc(after)
		return m, err
	}, `
		SELECT DISTINCT ON (room_id COLLATE "C", account_id COLLATE "C")
			room_id, account_id, access, is_owner,
			nullif(min(coalesce(member_since, '-infinity')) OVER paths, '-infinity'),
			nullif(min(coalesce(joined_after, '-infinity')) OVER paths, '-infinity')
		FROM analytics.members
		WHERE portal = $1 AND (valid_from IS NULL OR valid_from <= $2) AND (valid_to IS NULL OR valid_to > $2)
		WINDOW paths AS (PARTITION BY room_id, account_id)
		ORDER BY room_id COLLATE "C", account_id COLLATE "C", is_direct DESC, access_rank`, reader.Portal().Host, w.To)
	if !slices.Equal(got, want) {
		t.Fatalf("members as of %s\n got %+v\nwant %+v", w.To, got, want)
	}
}

func utc(at *time.Time) time.Time {
	if at == nil {
		return time.Time{}
	}
	return at.UTC()
}

// TestCoverageView: for random windows and gaps, views say the same as reports of what is complete.
func TestCoverageView(t *testing.T) {
	t.Parallel()
	url := pgtest.New(t)
	st, conn := open(t, url), connect(t, url)
	ctx := context.WithoutCancel(t.Context())
	portal := 0
	rapid.Check(t, func(t *rapid.T) {
		portal++
		host := fmt.Sprintf("https://p%d.example.org", portal)
		batch := &pgx.Batch{}
		batch.Queue("INSERT INTO portal (portal_id, host, floor_at, floor_is_oldest, created_at) VALUES ($1, $2, $3, $4, $3)",
			portal, host, dayOne, rapid.Bool().Draw(t, "floor is oldest"))
		at := dayOne.AddDate(0, 0, rapid.IntRange(0, 1).Draw(t, "floor not reached"))
		for i := range rapid.IntRange(0, 6).Draw(t, "spans") {
			from, to := at, at.Add(time.Duration(rapid.IntRange(1, 100).Draw(t, "hours"))*time.Hour)
			at = to
			switch kind := rapid.SampledFrom([]string{"window", "empty window", "gap", "accepted gap", "closed gap", "nothing"}).Draw(t, "kind"); kind {
			case "window", "empty window":
				batch.Queue("INSERT INTO sync_window (portal_id, window_from, window_to, rows, read_at, checked_at, run_id) VALUES ($1, $2, $3, 0, $3, $3, 1)",
					portal, from, to)
				batch.Queue(`
					INSERT INTO sync_complete AS c VALUES ($1, tstzmultirange(tstzrange($2, $3)))
					ON CONFLICT (portal_id) DO UPDATE SET spans = c.spans + excluded.spans`,
					portal, from, to)
				if kind == "window" {
					held := from.Add(time.Duration(rapid.IntRange(0, 59).Draw(t, "minutes")) * time.Minute)
					batch.Queue(`
						WITH hour AS (
							INSERT INTO event_hour (portal_id, hour, room_source, class, events) VALUES ($1, date_bin('1 hour', $3, 'epoch'), 0, 0, 1)
						)
						INSERT INTO audit_event (portal_id, event_id, occurred_at, account_key, kind_key, client_key, room_source, class, run_id)
						VALUES ($1, $2, $3, 1, 1, 1, 0, 0, 1)`,
						portal, i, held)
				}
			case "gap", "accepted gap", "closed gap":
				batch.Queue(`
					INSERT INTO sync_gap (portal_id, gap_id, gap_from, gap_to, is_lost, cause, found_at, tried_at, accepted_at, closed_at)
					VALUES ($1, $2, $3, $4, false, 'why', $4, $4, CASE $5 WHEN 'accepted gap' THEN now() END, CASE $5 WHEN 'closed gap' THEN now() END)`,
					portal, i, from, to, kind)
			}
		}
		if err := conn.SendBatch(ctx, batch).Close(); err != nil {
			t.Fatal(err)
		}
		checkCoverageView(ctx, t, conn, st.Reader(store.Portal{ID: int32(portal), Host: host}))
	})
}

func checkCoverageView(ctx context.Context, t *rapid.T, conn *pgx.Conn, reader *store.Reader) {
	c, err := reader.Coverage(ctx)
	if err != nil {
		t.Fatal(err)
	}
	type state struct {
		name string
		audit.Span
	}
	var want []state
	for _, s := range c.Complete {
		want = append(want, state{"complete", s})
	}
	for _, g := range c.Gaps {
		want = append(want, state{map[bool]string{false: "gap", true: "accepted_gap"}[g.Accepted], g.Span})
	}
	if c.Floor.Before(c.CompleteUntil()) {
		for _, s := range c.NotFetched(audit.Span{From: c.Floor, To: c.CompleteUntil()}) {
			want = append(want, state{"not_fetched", s})
		}
	}
	slices.SortFunc(want, func(a, b state) int { return a.From.Compare(b.From) })
	host := reader.Portal().Host
	got := rowsOf(ctx, t, conn, func(row pgx.CollectableRow) (s state, err error) {
		err = row.Scan(&s.name, &s.From, &s.To)
		s.Span = audit.Span{From: s.From.UTC(), To: s.To.UTC()}
		return s, err
	}, "SELECT state, starts_at, ends_at FROM analytics.coverage WHERE portal = $1 ORDER BY starts_at", host)
	if !slices.Equal(got, want) {
		t.Fatalf("coverage\n got %v\nwant %v", got, want)
	}

	var from, until, oldest *time.Time
	err = conn.QueryRow(ctx, "SELECT complete_from, complete_until, oldest_event_at FROM analytics.portals WHERE portal = $1", host).Scan(&from, &until, &oldest)
	if err != nil {
		t.Fatal(err)
	}
	if !utc(from).Equal(c.CompleteFrom()) || !utc(until).Equal(c.CompleteUntil()) || !utc(oldest).Equal(c.OldestEvent) {
		t.Fatalf("complete from %v until %v, oldest event %v; want %s, %s, %s", from, until, oldest, c.CompleteFrom(), c.CompleteUntil(), c.OldestEvent)
	}
}

// TestAnalyticsKnowsNobody: the view and the product agree on which ids stand for nobody.
func TestAnalyticsKnowsNobody(t *testing.T) {
	t.Parallel()
	conn := connect(t, pgtest.New(t))
	ids := append(audit.Nobodies(), "somebody")
	for i, id := range ids {
		_, err := conn.Exec(t.Context(), "INSERT INTO account (portal_id, account_key, account_id) VALUES (1, $1, $2)", i, id)
		must(t, err)
	}
	rows, err := conn.Query(t.Context(), "SELECT account_id FROM analytics.accounts WHERE NOT is_person ORDER BY account_id")
	must(t, err)
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	must(t, err)
	want := audit.Nobodies()
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("ids of nobody: %q, want %q", got, want)
	}
}
