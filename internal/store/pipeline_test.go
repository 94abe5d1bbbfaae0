package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"roompulse/db"
	"roompulse/internal/store"
	"roompulse/internal/testkit/pgtest"
)

func TestPipeline(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), pgtest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // the test is over
	if _, err := conn.Exec(t.Context(), "CREATE TABLE number (n integer CHECK (n < 10))"); err != nil {
		t.Fatal(err)
	}
	const add = "-- name: AddNumber :exec\nINSERT INTO number VALUES ($1)"
	count := func(t *testing.T, row pgx.Row) (n int) {
		t.Helper()
		if err := row.Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	err = store.InPipeline(t.Context(), conn, func(p db.DBTX) error {
		for n := range 3 {
			if _, err := p.Exec(t.Context(), add, n); err != nil {
				return err
			}
		}
		if n := count(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM number")); n != 0 {
			t.Errorf("%d statements were sent before anything was asked", n)
		}
		if n := count(t, p.QueryRow(t.Context(), "SELECT count(*) FROM number")); n != 3 {
			t.Errorf("a question sees %d of 3 statements before it", n)
		}
		if _, err := p.Exec(t.Context(), add, 3); err != nil {
			return err
		}
		done, err := p.Exec(t.Context(), "-- name: RemoveNumbers :execrows\nDELETE FROM number WHERE n > 0")
		if n := done.RowsAffected(); n != 3 {
			t.Errorf("a statement whose number of rows is wanted did %d of 3", n)
		}
		if err != nil {
			return err
		}
		_, err = p.Exec(t.Context(), add, 4)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := count(t, conn.QueryRow(t.Context(), "SELECT sum(n) FROM number")); n != 4 {
		t.Errorf("what is left adds up to %d, want 4", n)
	}

	err = store.InPipeline(t.Context(), conn, func(p db.DBTX) error {
		_, _ = p.Exec(t.Context(), add, 5)
		_, err := p.Exec(t.Context(), add, 10) // too large
		if err != nil {
			t.Error("a late statement was sent at once")
		}
		return nil
	})
	if _, ok := errors.AsType[*pgconn.PgError](err); !ok || !strings.Contains(err.Error(), "AddNumber: ") {
		t.Errorf("the error of a late statement does not name it: %v", err)
	}
	if n := count(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM number WHERE n = 5")); n != 0 {
		t.Error("half of a transaction that failed is there")
	}

	err = store.InPipeline(t.Context(), conn, func(p db.DBTX) error {
		_, _ = p.Exec(t.Context(), add, 5)
		_, _ = p.Exec(t.Context(), "-- name: AddElsewhere :exec\nINSERT INTO nowhere VALUES ($1)", 5)
		return nil
	})
	if err == nil || !strings.HasPrefix(err.Error(), "AddElsewhere: ") {
		t.Errorf("the error of a late statement that makes no sense does not name it: %v", err)
	}
}

// TestPipelineBrokenOff: what breaks a transaction off does not cost the connection, which holds a lock.
func TestPipelineBrokenOff(t *testing.T) {
	t.Parallel()
	conn := connect(t, pgtest.Empty(t))
	ctx, cancel := context.WithCancel(t.Context())
	err := store.InPipeline(ctx, conn, func(db.DBTX) error {
		cancel()
		return ctx.Err()
	})
	if !errors.Is(err, context.Canceled) || conn.PgConn().TxStatus() != 'I' || conn.IsClosed() {
		t.Errorf("after a cancelled transaction: %v, status %c, closed %v", err, conn.PgConn().TxStatus(), conn.IsClosed())
	}
	func() {
		defer func() { _ = recover() }()
		_ = store.InPipeline(t.Context(), conn, func(db.DBTX) error { panic("broken") })
	}()
	if conn.PgConn().TxStatus() != 'I' || conn.IsClosed() {
		t.Errorf("after a panic: status %c, closed %v", conn.PgConn().TxStatus(), conn.IsClosed())
	}
}
