package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"roompulse/internal/audit"
	"roompulse/internal/store"
	"roompulse/internal/testkit/pgtest"
)

// TestReportsOnFewConnections: a report takes what connections the server gives it, one if there is no other.
func TestReportsOnFewConnections(t *testing.T) {
	t.Parallel()
	_, portal, conn := emptyPortal(t)
	for limit := 1; limit <= 3; limit++ {
		var role string
		must(t, conn.QueryRow(t.Context(), "SELECT format('few_%s_%s', current_database(), $1::integer)", limit).Scan(&role))
		name := pgx.Identifier{role}.Sanitize()
		_, err := conn.Exec(t.Context(), fmt.Sprintf("CREATE ROLE %s LOGIN CONNECTION LIMIT %d; GRANT pg_read_all_data TO %[1]s", name, limit))
		must(t, err)
		t.Cleanup(func() {
			_, err := conn.Exec(context.WithoutCancel(t.Context()), "DROP ROLE "+name)
			must(t, err)
		})
		few := open(t, pgtest.As(t, conn.Config().ConnString(), role))
		if _, err := few.Reader(portal).InactiveFacts(t.Context(), lastDay, nil, audit.FilterAny, 2); err != nil {
			t.Errorf("with %d connections: %v", limit, err)
		}
	}
}

// TestReportErrors: what a report says went wrong is what went wrong, on whichever connection.
func TestReportErrors(t *testing.T) {
	t.Parallel()
	st, portal, conn := emptyPortal(t)
	for _, table := range []string{"exclusion", "room_member", "quarantine"} {
		_, err := conn.Exec(t.Context(), "ALTER TABLE "+table+" RENAME TO gone")
		must(t, err)
		for range 3 {
			_, err := st.Reader(portal).InactiveFacts(t.Context(), lastDay, nil, audit.FilterAny, 2)
			if err == nil || !strings.Contains(err.Error(), table) {
				t.Errorf("without the table %s: %v", table, err)
			}
		}
		_, err = conn.Exec(t.Context(), "ALTER TABLE gone RENAME TO "+table)
		must(t, err)
	}
}

// TestReportThatTakesLong: it goes on where sessions may not idle, and another one that waits for it can be cancelled.
func TestReportThatTakesLong(t *testing.T) {
	t.Parallel()
	_, portal, conn := emptyPortal(t)
	_, err := conn.Exec(t.Context(), `
		DO $$ BEGIN
			EXECUTE format('ALTER DATABASE %I SET idle_in_transaction_session_timeout = 500', current_database());
		END $$`)
	must(t, err)
	reader := open(t, conn.Config().ConnString()).Reader(portal)
	_, err = conn.Exec(t.Context(), "BEGIN; LOCK TABLE quarantine") // from what counts events
	must(t, err)
	var long errgroup.Group
	long.Go(func() error {
		_, err := reader.InactiveFacts(t.Context(), lastDay, nil, audit.FilterAny, 1)
		return err
	})
	for waits, watch := false, connect(t, conn.Config().ConnString()); !waits; {
		must(t, watch.QueryRow(t.Context(), `
			SELECT EXISTS (
				SELECT FROM pg_stat_activity
				WHERE datname = current_database() AND wait_event_type = 'Lock' AND clock_timestamp() - state_change > interval '1 second'
			)`).Scan(&waits))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := reader.InactiveFacts(ctx, lastDay, nil, audit.FilterAny, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled report: %v", err)
	}
	_, err = conn.Exec(t.Context(), "ROLLBACK")
	must(t, err)
	if err := long.Wait(); err != nil {
		t.Errorf("a report that took longer than sessions may idle: %v", err)
	}
}

var lastDay = audit.Window{From: newYear.AddDate(0, 0, -1), To: newYear, Zone: time.UTC}

// emptyPortal returns a store with a portal that nothing is known of, and a connection to its database.
func emptyPortal(t *testing.T) (*store.Store, store.Portal, *pgx.Conn) {
	t.Helper()
	url := pgtest.New(t)
	st := open(t, url)
	w, err := st.OpenWriter(t.Context(), "https://one.example.org", owner("o"), newYear)
	must(t, err)
	w.Close()
	return st, w.Portal, connect(t, url)
}
