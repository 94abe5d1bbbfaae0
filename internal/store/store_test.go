package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"roompulse/internal/audit"
	"roompulse/internal/store"
	"roompulse/internal/testkit/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, url string) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), url)
	must(t, err)
	t.Cleanup(st.Close)
	return st
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	must(t, err)
	t.Cleanup(func() { must(t, conn.Close(context.WithoutCancel(t.Context()))) })
	return conn
}

func owner(id string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return id, nil }
}

// TestEverythingHasAComment: the schema is the analysts' manual.
func TestEverythingHasAComment(t *testing.T) {
	t.Parallel()
	conn := connect(t, pgtest.New(t))
	rows, err := conn.Query(t.Context(), `
		SELECT c.relname || coalesce('.' || a.attname, '')
		FROM pg_class AS c
		LEFT JOIN LATERAL (
			SELECT attname, attnum FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped
			UNION ALL SELECT NULL, 0
		) AS a ON true
		WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') AND c.relname <> 'goose_db_version'
			AND coalesce(col_description(c.oid, a.attnum), CASE WHEN a.attnum = 0 THEN obj_description(c.oid, 'pg_class') END) IS NULL
		ORDER BY 1`)
	must(t, err)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	must(t, err)
	if len(names) > 0 {
		t.Errorf("no comment on %q", names)
	}
}

// TestKeysBeginWithPortal: so the schema can be distributed by portal_id.
func TestKeysBeginWithPortal(t *testing.T) {
	t.Parallel()
	conn := connect(t, pgtest.New(t))
	rows, err := conn.Query(t.Context(), `
		SELECT i.indexrelid::regclass::text
		FROM pg_index AS i
		INNER JOIN pg_class AS c ON c.oid = i.indrelid
		WHERE c.relnamespace = 'public'::regnamespace AND i.indisunique
			AND c.relname NOT IN ('goose_db_version', 'portal', 'action')
			AND pg_get_indexdef(i.indexrelid, 1, true) <> 'portal_id'
		ORDER BY 1`)
	must(t, err)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	must(t, err)
	if len(names) > 0 {
		t.Errorf("unique keys without portal_id: %q", names)
	}
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	st := open(t, url)
	ctx := t.Context()
	if err := st.CheckSchema(ctx); !errors.Is(err, store.ErrNotMigrated) {
		t.Errorf("empty database: %v", err)
	}
	if empty, err := st.Empty(ctx); err != nil || !empty {
		t.Errorf("empty: %v, %v", empty, err)
	}
	first, err := st.MigrateUp(ctx)
	must(t, err)
	must(t, st.CheckSchema(ctx))
	for range first {
		undone, err := st.MigrateDown(ctx)
		must(t, err)
		if len(undone) != 1 {
			t.Fatalf("took back %v", undone)
		}
	}
	if undone, err := st.MigrateDown(ctx); err != nil || len(undone) != 0 {
		t.Errorf("down from nothing: %v, %v", undone, err)
	}
	again, err := st.MigrateUp(ctx)
	must(t, err)
	if len(again) != len(first) {
		t.Errorf("up applied %d migrations, and %d after down", len(first), len(again))
	}
	_, err = connect(t, url).Exec(ctx, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)")
	must(t, err)
	if err := st.CheckSchema(ctx); !errors.Is(err, store.ErrTooNew) {
		t.Errorf("schema of a later version: %v", err)
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"postgres://u:s3cret@127.0.0.1:1/x?connect_timeout=1",
		"postgres://u:s3cret@[bad/x",
		"host=127.0.0.1 port=1 user=u password=s3cret connect_timeout=1 nonsense",
	} {
		_, err := store.Open(t.Context(), url)
		if err == nil {
			t.Fatalf("%s opened", url)
		}
		if text := err.Error(); strings.Contains(text, "s3cret") {
			t.Errorf("the password is in %q", text)
		}
	}
}

// TestWriterLock: one writer a portal; who loses the lock cannot write.
func TestWriterLock(t *testing.T) {
	t.Parallel()
	url := pgtest.New(t)
	st, ctx := open(t, url), t.Context()
	const host = "https://acme.example.org"
	first, err := st.OpenWriter(ctx, host, owner("o"), now)
	must(t, err)
	if _, err := open(t, url).OpenWriter(ctx, host, owner("o"), now); !errors.Is(err, store.ErrLocked) {
		t.Errorf("second writer: %v", err)
	}
	other, err := st.OpenWriter(ctx, "https://other.example.org", owner("p"), now)
	must(t, err)
	other.Close()
	first.Close()
	second, err := st.OpenWriter(ctx, host, owner("o"), now)
	must(t, err)
	_, err = second.StartRun(ctx, "test", now, now)
	must(t, err)
	_, err = connect(t, url).Exec(ctx, `
		SELECT pg_terminate_backend(pid, 5000) FROM pg_locks
		WHERE locktype = 'advisory' AND classid = 7301 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
	must(t, err)
	lost := second.SetFloor(ctx, now, true)
	if lost == nil {
		t.Error("a writer without the lock has written")
	}
	if err := second.Explain(lost); !errors.Is(err, store.ErrUnreachable) || !strings.Contains(err.Error(), "the next sync goes on from there") {
		t.Errorf("a lost connection reads %v", err)
	}
	must(t, second.FinishRun(ctx, audit.RunResult{Outcome: audit.RunFailed, FinishedAt: now}))
	second.Close()
	wantLastRun(t, st.Reader(second.Portal), "failed")
}

// TestDeadRun: a run is shown as running as long as somebody holds its lock.
func TestDeadRun(t *testing.T) {
	t.Parallel()
	st := open(t, pgtest.New(t))
	w, err := st.OpenWriter(t.Context(), "https://acme.example.org", owner("o"), now)
	must(t, err)
	_, err = w.StartRun(t.Context(), "test", now, now)
	must(t, err)
	wantLastRun(t, st.Reader(w.Portal), "running")
	w.Close()
	wantLastRun(t, st.Reader(w.Portal), "interrupted")
}

func wantLastRun(t *testing.T, r *store.Reader, outcome string) {
	t.Helper()
	facts, err := r.StatusFacts(t.Context())
	must(t, err)
	if len(facts.Runs) == 0 || facts.Runs[0].Outcome != outcome {
		t.Errorf("the last run is not %s: %+v", outcome, facts.Runs)
	}
}

func TestPortals(t *testing.T) {
	t.Parallel()
	st, ctx := open(t, pgtest.New(t)), t.Context()
	const before, after = "https://before.example.org", "https://after.example.org"
	w, err := st.OpenWriter(ctx, before, owner("o"), now)
	must(t, err)
	id := w.Portal.ID
	w.Close()
	if _, err := st.OpenWriter(ctx, after, owner("o"), now); !errors.Is(err, store.ErrPortalMoved) {
		t.Errorf("the same owner at another host: %v", err)
	}
	must(t, st.RenamePortal(ctx, before, after))
	w, err = st.OpenWriter(ctx, after, owner("nobody is asked"), now)
	must(t, err)
	w.Close()
	if w.Portal.ID != id {
		t.Errorf("portal %d became %d", id, w.Portal.ID)
	}
	if _, err := st.Portal(ctx, before); !errors.Is(err, store.ErrNoPortal) {
		t.Errorf("the old host: %v", err)
	}
	var usage audit.UsageError
	if err := st.RenamePortal(ctx, before, "https://x.example.org"); !errors.As(err, &usage) {
		t.Errorf("renaming a portal that is none: %v", err)
	}
}
