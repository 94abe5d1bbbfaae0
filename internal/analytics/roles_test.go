package analytics_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"roompulse/internal/store"
	"roompulse/internal/testkit/pgtest"
)

// Error codes of PostgreSQL.
const (
	insufficientPrivilege = "42501"
	undefined             = "42883" // no such function, or none that one may know of
	undefinedTable        = "42P01"
)

// refused checks that a statement fails for lack of a right.
func refused(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	_, err := conn.Exec(t.Context(), sql)
	failure, ok := errors.AsType[*pgconn.PgError](err)
	switch {
	case !ok:
		t.Errorf("an analyst may: %s (%v)", sql, err)
	case failure.Code != insufficientPrivilege:
		t.Errorf("%s: refused with %s %s, not for lack of a right", sql, failure.Code, failure.Message)
	}
}

// TestAnalystReads: all that the schema analytics has.
func TestAnalystReads(t *testing.T) {
	t.Parallel()
	analyst := asAnalyst(t, pgtest.New(t))
	views := list[string](t, analyst, "SELECT c.oid::regclass::text FROM pg_class AS c WHERE c.relnamespace = 'analytics'::regnamespace AND c.relkind = 'v'")
	if len(views) == 0 {
		t.Fatal("there are no views")
	}
	for _, view := range views {
		_, err := analyst.Exec(t.Context(), "SELECT * FROM "+view)
		must(t, err)
	}
	_, err := analyst.Exec(t.Context(), "SELECT * FROM activity('https://acme.example.org', now() - interval '1 day', now())")
	must(t, err)
	for setting, want := range map[string]string{"default_transaction_read_only": "on", "statement_timeout": "5min", "timezone": "UTC"} {
		if got := list[string](t, analyst, "SELECT current_setting($1)", setting)[0]; got != want {
			t.Errorf("%s is %s, want %s", setting, got, want)
		}
	}
}

// TestAnalystRunsRoompulse: whose views are all there is to see is told so, not to migrate.
func TestAnalystRunsRoompulse(t *testing.T) {
	t.Parallel()
	url := pgtest.New(t)
	_ = asAnalyst(t, url)
	st, err := store.Open(t.Context(), pgtest.As(t, url, store.AnalystRole))
	must(t, err)
	defer st.Close()
	if err := st.CheckSchema(t.Context()); err == nil || !strings.Contains(err.Error(), "may not read roompulse's tables") {
		t.Errorf("an analyst is told: %v", err)
	}
}

// TestAnalystMayNot: what is tried as an analyst who has switched off all that may be switched off.
func TestAnalystMayNot(t *testing.T) {
	t.Parallel()
	url := pgtest.New(t)
	owner := connect(t, url)
	// What a database may have in it beside the warehouse.
	_, err := owner.Exec(t.Context(), `
		CREATE SCHEMA other;
		CREATE FUNCTION other.answer() RETURNS integer LANGUAGE sql RETURN 42;
		CREATE FUNCTION public.powerful() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = public RETURN (SELECT count(*) FROM audit_event)`)
	must(t, err)
	analyst := asAnalyst(t, url)

	_, err = analyst.Exec(t.Context(), "CREATE TEMPORARY TABLE mine (x integer)")
	if failure, ok := errors.AsType[*pgconn.PgError](err); !ok || failure.Code != "25006" {
		t.Errorf("a session of an analyst does not begin read-only: %v", err)
	}
	_, err = analyst.Exec(t.Context(), "SET default_transaction_read_only = off; SET search_path = public, analytics")
	must(t, err)

	relations := list[string](t, owner, `
		SELECT format('%I.%I', n.nspname, c.relname)
		FROM pg_class AS c INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'analytics')`)
	if len(relations) < 20 {
		t.Errorf("there are only %v", relations)
	}
	for _, relation := range relations {
		refused(t, analyst, "SELECT FROM "+relation)
		refused(t, analyst, "TRUNCATE "+relation)
	}
	for _, statement := range []string{
		"INSERT INTO public.exclusion (portal_id, exclusion_id, kind, subject, reason, added_at) VALUES (1, 1, 'account', 'x', 'x', now())",
		"UPDATE public.audit_event SET class = 0",
		"UPDATE analytics.actions SET action = 'x'",
		"SELECT * FROM public.audit_event FOR UPDATE",
		"CREATE TABLE mine (x integer)",
		"CREATE TABLE analytics.mine (x integer)",
		"CREATE TEMPORARY TABLE mine (x integer)",
		"SELECT * INTO TEMPORARY mine FROM analytics.portals",
		"CREATE VIEW analytics.mine AS SELECT 1",
		"CREATE OR REPLACE VIEW analytics.portals AS SELECT 1",
		"CREATE FUNCTION analytics.mine() RETURNS integer LANGUAGE sql RETURN 1",
		"CREATE SCHEMA mine",
		"CREATE EXTENSION file_fdw",
		"CREATE ROLE mine",
		"CREATE DATABASE mine",
		"DROP SCHEMA analytics CASCADE",
		"ALTER ROLE roompulse_analyst SUPERUSER",
		"ALTER DATABASE " + pgx.Identifier{list[string](t, owner, "SELECT current_database()::text")[0]}.Sanitize() + " SET timezone = 'UTC'",
		"ALTER SYSTEM SET work_mem = '1MB'",
		"GRANT pg_read_all_data TO roompulse_analyst",
		"SET ROLE pg_read_all_data",
		"SET SESSION AUTHORIZATION " + list[string](t, owner, "SELECT quote_ident(current_user)")[0],
		"SET log_statement = 'none'",
		"COPY analytics.portals TO PROGRAM 'true'",
		"COPY (SELECT 1) TO PROGRAM 'true'",
		"COPY (SELECT 1) TO '/tmp/roompulse-analyst'",
		"COPY public.portal FROM '/etc/passwd'",
		"COPY public.audit_event TO STDOUT",
		"SELECT pg_read_file('/etc/passwd')",
		"SELECT pg_read_binary_file('PG_VERSION')",
		"SELECT pg_ls_dir('.')",
		"SELECT pg_stat_file('PG_VERSION')",
		"SELECT pg_advisory_lock(7301, 1)",
		"SELECT pg_try_advisory_xact_lock_shared(7301, 1)",
		"SELECT lo_creat(-1)",
		"SELECT lo_create(0)",
		"SELECT lo_from_bytea(0, 'x')",
		"SELECT lo_import('/etc/passwd')",
		"SELECT * FROM pg_authid",
		"SELECT * FROM pg_largeobject",
		"SELECT * FROM pg_statistic",
		"SELECT pg_reload_conf()",
		"SELECT pg_switch_wal()",
		"SELECT other.answer()",
		"SELECT public.powerful()",
		"DO $$ BEGIN EXECUTE 'SELECT FROM public.audit_event'; END $$",
	} {
		refused(t, analyst, statement)
	}
	if len(list[string](t, owner, "SELECT name::text FROM pg_available_extensions WHERE name = 'dblink'")) > 0 {
		_, err := owner.Exec(t.Context(), "CREATE EXTENSION dblink SCHEMA public")
		must(t, err)
		refused(t, analyst, "SELECT public.dblink_connect('host=/tmp')")
	}

	// What is not named by its schema cannot even be found.
	for statement, code := range map[string]string{"SELECT powerful()": undefined, "SELECT FROM audit_event": undefinedTable} {
		_, err := analyst.Exec(t.Context(), statement)
		if failure, ok := errors.AsType[*pgconn.PgError](err); !ok || failure.Code != code {
			t.Errorf("%s: %v, want %s", statement, err, code)
		}
	}
}

// TestNobodyElseConnects: once roles are set up, a login of another program of the server does not come in.
func TestNobodyElseConnects(t *testing.T) {
	t.Parallel()
	address := pgtest.New(t)
	login := newLogin(t, address, "")
	if err := try(t, pgtest.As(t, address, login)); err != nil {
		t.Fatalf("before: %v", err)
	}
	must(t, openStore(t, address).SetUpRoles(t.Context(), false))
	err := try(t, pgtest.As(t, address, login))
	if failure, ok := errors.AsType[*pgconn.PgError](err); !ok || failure.Code != insufficientPrivilege {
		t.Errorf("after: %v", err)
	}
}

// newLogin makes a role of the server that goes with the test, together with what it owns in the database.
func newLogin(t *testing.T, address, attributes string) string {
	t.Helper()
	owner := connect(t, address)
	name := list[string](t, owner, "SELECT 'login_of_' || current_database()")[0]
	_, err := owner.Exec(t.Context(), "CREATE ROLE "+name+" LOGIN "+attributes)
	must(t, err)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		conn, err := pgx.Connect(ctx, address)
		must(t, err)
		// A session that has been closed is still dropping its temporary tables.
		_, err = conn.Exec(ctx, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = $1", name)
		must(t, err)
		_, err = conn.Exec(ctx, "REASSIGN OWNED BY "+name+" TO CURRENT_USER; DROP OWNED BY "+name+"; DROP ROLE "+name)
		must(t, errors.Join(err, conn.Close(ctx)))
	})
	return name
}

func try(t *testing.T, address string) error {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		return err
	}
	return conn.Close(t.Context())
}

// TestOwnerWithoutRights: an owner of the tables who is no superuser and no owner of the
// database changes nothing and has the SQL; when somebody else has run it, there is nothing left to do, and sync works on.
func TestOwnerWithoutRights(t *testing.T) {
	t.Parallel()
	address := pgtest.Empty(t)
	login := newLogin(t, address, "")
	admin := connect(t, address)
	_, err := admin.Exec(t.Context(), "GRANT CREATE ON DATABASE "+databaseOf(t, address)+" TO "+login+"; GRANT CREATE ON SCHEMA public TO "+login)
	must(t, err)
	st := openStore(t, pgtest.As(t, address, login))
	_, err = st.MigrateUp(t.Context())
	must(t, err)

	if err := st.SetUpRoles(t.Context(), false); !errors.Is(err, store.ErrNotAllowed) {
		t.Fatalf("got %v", err)
	}
	sql, err := st.RolesSQL(t.Context(), false)
	must(t, err)
	for range 2 { // it may be run again
		_, err = admin.Exec(t.Context(), sql)
		must(t, err)
	}
	must(t, st.SetUpRoles(t.Context(), false))
	w, err := st.OpenWriter(t.Context(), "https://acme.example.org", func(context.Context) (string, error) { return "boss", nil }, now)
	must(t, err)
	w.Close()
	owner := connect(t, pgtest.As(t, address, login))
	_, err = owner.Exec(t.Context(), "CREATE TEMPORARY TABLE staging (); CREATE TABLE later ()")
	must(t, err)
	_, err = connect(t, pgtest.As(t, address, store.AnalystRole)).Exec(t.Context(), "SELECT * FROM portals")
	must(t, err)

	_, err = admin.Exec(t.Context(), "REVOKE TEMPORARY ON DATABASE "+databaseOf(t, address)+" FROM "+login)
	must(t, err)
	if err := st.SetUpRoles(t.Context(), false); !errors.Is(err, store.ErrNotAllowed) {
		t.Errorf("without what a sync needs: %v", err)
	}
}

// TestRoleExcess: what a role of analysts may have been given before, or what only a superuser can take away, is told.
func TestRoleExcess(t *testing.T) {
	t.Parallel()
	address := pgtest.New(t)
	st := openStore(t, address)
	admin := connect(t, address)
	must(t, st.SetUpRoles(t.Context(), false))
	check := func(role string, want ...string) {
		t.Helper()
		got, err := st.RoleExcess(t.Context(), role)
		must(t, err)
		if len(got) != len(want) {
			t.Fatalf("%s may %q, want %q", role, got, want)
		}
		for i := range want {
			if !strings.Contains(got[i], want[i]) {
				t.Errorf("%s may %q, want %q", role, got[i], want[i])
			}
		}
	}
	check(store.AnalystRole)
	login := newLogin(t, address, "CREATEDB IN ROLE pg_read_server_files")
	check(login, "make roles or databases", "do what pg_read_server_files may")

	_, err := admin.Exec(t.Context(), "GRANT INSERT ON room TO "+store.AnalystRole+"; GRANT EXECUTE ON FUNCTION pg_try_advisory_lock(bigint) TO PUBLIC")
	must(t, err)
	check(store.AnalystRole, "read or change tables", "take the locks of a sync")
	must(t, st.SetUpRoles(t.Context(), false)) // by a superuser, who takes the locks from everybody
	check(store.AnalystRole, "read or change tables")
}

// TestRolesSetUpAgain: whatever of it somebody has undone is done again.
func TestRolesSetUpAgain(t *testing.T) {
	t.Parallel()
	address := pgtest.New(t)
	st := openStore(t, address)
	admin := connect(t, address)
	must(t, st.SetUpRoles(t.Context(), false))
	state := func() string {
		t.Helper()
		return strings.Join(list[string](t, admin, `
			SELECT unnest(setconfig) FROM pg_db_role_setting AS s WHERE s.setrole = $1::text::regrole AND s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
			UNION ALL SELECT 'database ' || unnest(datacl)::text FROM pg_database WHERE datname = current_database()
			UNION ALL SELECT nspname || unnest(nspacl)::text FROM pg_namespace WHERE nspname IN ('public', 'analytics')
			UNION ALL SELECT relname || unnest(relacl)::text FROM pg_class WHERE relnamespace = 'analytics'::regnamespace AND relkind = 'v'
			UNION ALL SELECT oid::regprocedure || unnest(proacl)::text FROM pg_proc WHERE proacl IS NOT NULL
			ORDER BY 1`, store.AnalystRole), "\n")
	}
	want := state()
	database := databaseOf(t, address)
	inDatabase := "ALTER ROLE " + store.AnalystRole + " IN DATABASE " + database
	for _, undo := range []string{
		inDatabase + " RESET default_transaction_read_only",
		inDatabase + " SET statement_timeout = 0",
		inDatabase + " RESET idle_in_transaction_session_timeout",
		inDatabase + " SET search_path = public",
		inDatabase + " SET timezone = 'Europe/Berlin'",
		"GRANT CONNECT ON DATABASE " + database + " TO PUBLIC",
		"REVOKE CONNECT ON DATABASE " + database + " FROM " + store.AnalystRole,
		"GRANT USAGE ON SCHEMA public TO PUBLIC",
		"REVOKE SELECT ON analytics.members FROM " + store.AnalystRole,
		"REVOKE EXECUTE ON FUNCTION analytics.activity FROM " + store.AnalystRole,
		"GRANT EXECUTE ON FUNCTION pg_try_advisory_lock(integer, integer) TO PUBLIC",
		"GRANT EXECUTE ON FUNCTION lo_creat(integer) TO PUBLIC",
	} {
		_, err := admin.Exec(t.Context(), undo)
		must(t, err)
		if state() == want {
			t.Errorf("%s changes nothing", undo)
		}
		must(t, st.SetUpRoles(t.Context(), false))
		if got := state(); got != want {
			t.Errorf("after %s:\n%s\nwant\n%s", undo, got, want)
		}
	}
}

func databaseOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	must(t, err)
	return strings.TrimPrefix(u.Path, "/")
}

// TestRolesAtOnce: many processes set up the roles of the same and of other databases.
func TestRolesAtOnce(t *testing.T) {
	t.Parallel()
	addresses := []string{pgtest.New(t), pgtest.New(t)}
	errs := make([]error, 12)
	var group sync.WaitGroup
	for i := range errs {
		st := openStore(t, addresses[i%2])
		group.Go(func() { errs[i] = st.SetUpRoles(t.Context(), false) })
	}
	group.Wait()
	must(t, errors.Join(errs...))
}

// TestMigrationsGrant: views that a migration adds after the role was made are the analysts' too.
func TestMigrationsGrant(t *testing.T) {
	t.Parallel()
	address := pgtest.New(t)
	st := openStore(t, address)
	must(t, st.SetUpRoles(t.Context(), false))
	undone, err := st.MigrateDown(t.Context())
	must(t, err)
	for len(undone) > 0 && !strings.Contains(fmt.Sprint(undone), "analytics") {
		undone, err = st.MigrateDown(t.Context())
		must(t, err)
	}
	_, err = st.MigrateUp(t.Context())
	must(t, err)
	_, err = connect(t, pgtest.As(t, address, store.AnalystRole)).Exec(t.Context(), "SELECT * FROM portals")
	must(t, err)
}

// TestPrivateServer: on a server that is all ours, nobody but superusers gets into any database.
func TestPrivateServer(t *testing.T) {
	t.Parallel()
	address := pgtest.New(t)
	sql, err := openStore(t, address).RolesSQL(t.Context(), true)
	must(t, err)
	closed := regexp.MustCompile(`(?m)^REVOKE ALL ON DATABASE (.*) FROM PUBLIC;$`).FindAllStringSubmatch(sql, -1)
	if len(closed) != 2 || closed[0][1] != databaseOf(t, address) || !strings.Contains(closed[1][1], "postgres") || !strings.Contains(closed[1][1], "template1") {
		t.Errorf("closed are %v", closed)
	}
}
