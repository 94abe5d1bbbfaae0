package analytics_test

import (
	"context"
	"flag"
	"testing"

	"github.com/jackc/pgx/v5"

	"roompulse/internal/store"
	"roompulse/internal/testkit/pgtest"
)

var update = flag.Bool("update", false, "write docs/schema.md and the contract anew from the database")

func TestMain(m *testing.M) { pgtest.Main(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	must(t, err)
	t.Cleanup(func() { must(t, conn.Close(context.WithoutCancel(t.Context()))) })
	return conn
}

func openStore(t *testing.T, url string) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), url)
	must(t, err)
	t.Cleanup(st.Close)
	return st
}

// asAnalyst sets up the roles of a database, and logs in as an analyst.
func asAnalyst(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	must(t, openStore(t, url).SetUpRoles(t.Context(), false))
	return connect(t, pgtest.As(t, url, store.AnalystRole))
}

// list returns the one column of a query.
func list[V any](t *testing.T, conn *pgx.Conn, sql string, args ...any) []V {
	t.Helper()
	rows, err := conn.Query(t.Context(), sql, args...)
	must(t, err)
	values, err := pgx.CollectRows(rows, pgx.RowTo[V])
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return values
}
