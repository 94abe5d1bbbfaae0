package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// AnalystRole reads the views of the schema analytics and nothing else. Roles
// belong to the whole server, so it is the same for all warehouses there.
const AnalystRole = "roompulse_analyst"

// pgInsufficientPrivilege is PostgreSQL's code for what a role may not do.
const pgInsufficientPrivilege = "42501"

// ErrNotAllowed says that the connected role may not set up roles.
var ErrNotAllowed = errors.New("not allowed")

// grantsSQL lets analysts read all that the schema analytics has.
const grantsSQL = `GRANT USAGE ON SCHEMA analytics TO ` + AnalystRole + `;
GRANT SELECT ON ALL TABLES IN SCHEMA analytics TO ` + AnalystRole + `;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA analytics TO ` + AnalystRole + `;
`

// lockFunctions choose, of pg_proc, what takes locks or makes large objects.
const lockFunctions = `pronamespace = 'pg_catalog'::regnamespace
            AND (proname LIKE 'pg\_%advisory%lock%' OR proname IN ('lo_creat', 'lo_create', 'lo_from_bytea'))`

// rolesSQL may be run any number of times. {database}, {schema} and {owner} are those of the
// tables; the owner may have held its rights as one of PUBLIC.
const rolesSQL = `-- The role for analysts. It gets no password here.
DO $$
BEGIN
    CREATE ROLE ` + AnalystRole + ` LOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$$;
ALTER ROLE ` + AnalystRole + ` IN DATABASE {database} SET default_transaction_read_only = on;
ALTER ROLE ` + AnalystRole + ` IN DATABASE {database} SET statement_timeout = '5min';
ALTER ROLE ` + AnalystRole + ` IN DATABASE {database} SET idle_in_transaction_session_timeout = '10min';
ALTER ROLE ` + AnalystRole + ` IN DATABASE {database} SET search_path = analytics;
ALTER ROLE ` + AnalystRole + ` IN DATABASE {database} SET timezone = 'UTC';

-- Nobody comes in, and nobody makes temporary tables, without being named.
GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {owner};
GRANT CONNECT ON DATABASE {database} TO ` + AnalystRole + `;
REVOKE ALL ON DATABASE {database} FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA {schema} TO {owner};
REVOKE ALL ON SCHEMA {schema} FROM PUBLIC;

-- Views and functions, and nothing else.
` + grantsSQL + `
-- What is left to everybody is to make large objects and to take the locks of a sync; only
-- a superuser can forbid that.
DO $$
DECLARE
    owner regrole := (SELECT relowner FROM pg_class WHERE oid = 'audit_event'::regclass);
    f regprocedure;
BEGIN
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        RETURN;
    END IF;
    FOR f IN
        SELECT oid FROM pg_proc
        WHERE ` + lockFunctions + `
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %s', f, owner);
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
    END LOOP;
END
$$;
`

// rolesReadySQL tells whether rolesSQL has nothing to do, to somebody who may not do it.
const rolesReadySQL = `
SELECT coalesce(
	has_database_privilege(r.oid, current_database(), 'CONNECT')
	AND has_schema_privilege(r.oid, 'analytics', 'USAGE')
	AND NOT EXISTS (
		SELECT FROM pg_class AS c
		WHERE c.relnamespace = 'analytics'::regnamespace AND c.relkind = 'v' AND NOT has_table_privilege(r.oid, c.oid, 'SELECT')
	)
	AND NOT EXISTS (
		SELECT FROM pg_proc AS p
		WHERE p.pronamespace = 'analytics'::regnamespace AND NOT has_function_privilege(r.oid, p.oid, 'EXECUTE')
	)
	AND NOT EXISTS (
		SELECT FROM pg_database AS d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) AS a
		WHERE (d.datname = current_database() OR $1::boolean AND d.datallowconn) AND a.grantee = 0
	)
	AND NOT EXISTS (
		SELECT FROM pg_namespace AS n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) AS a
		WHERE n.oid = (SELECT c.relnamespace FROM pg_class AS c WHERE c.oid = 'audit_event'::regclass) AND a.grantee = 0
	)
	AND EXISTS (
		SELECT FROM pg_db_role_setting AS s
		INNER JOIN pg_database AS d ON d.oid = s.setdatabase AND d.datname = current_database()
		WHERE s.setrole = r.oid AND s.setconfig @> ARRAY[
			'default_transaction_read_only=on', 'statement_timeout=5min', 'idle_in_transaction_session_timeout=10min',
			'search_path=analytics', 'TimeZone=UTC'
		]
	)
	AND EXISTS (
		SELECT FROM pg_class AS c
		WHERE c.oid = 'audit_event'::regclass
			AND has_database_privilege(c.relowner, current_database(), 'CONNECT') AND has_database_privilege(c.relowner, current_database(), 'TEMPORARY')
			AND has_schema_privilege(c.relowner, c.relnamespace, 'USAGE') AND has_schema_privilege(c.relowner, c.relnamespace, 'CREATE')
	)
	AND NOT EXISTS ( -- only a superuser can do something about it
		SELECT FROM pg_proc AS p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
		WHERE ` + lockFunctions + ` AND a.grantee = 0
			AND (SELECT u.rolsuper FROM pg_roles AS u WHERE u.rolname = current_user)
	), false)
FROM (SELECT to_regrole($2)::oid AS oid) AS r`

// roleExcessSQL tells what a role may do that analysts should not.
const roleExcessSQL = `
SELECT x.may
FROM pg_roles AS r
CROSS JOIN LATERAL (
	SELECT 'do anything, for it is a superuser' AS may, r.rolsuper AS may_it
	UNION ALL
	SELECT 'make roles or databases, or read all by replication, for it is CREATEROLE, CREATEDB or REPLICATION',
		r.rolcreaterole OR r.rolcreatedb OR r.rolreplication
	UNION ALL
	SELECT format('do what %s may, whose member it is', string_agg(quote_ident(pg_get_userbyid(m.roleid)), ', ' ORDER BY m.roleid)), count(*) > 0
	FROM pg_auth_members AS m
	WHERE m.member = r.oid
	UNION ALL
	SELECT 'read or change tables behind the views', EXISTS (
		SELECT FROM pg_class AS c
		WHERE c.relnamespace = (SELECT t.relnamespace FROM pg_class AS t WHERE t.oid = 'audit_event'::regclass) AND c.relkind IN ('r', 'p', 'v')
			AND (
				has_table_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')
				OR has_any_column_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE')
			)
	)
	UNION ALL
	SELECT 'take the locks of a sync, and make large objects, as everybody may until a superuser runs the SQL of --print',
		EXISTS (SELECT FROM pg_proc AS p WHERE ` + lockFunctions + ` AND has_function_privilege(r.oid, p.oid, 'EXECUTE'))
) AS x
WHERE r.rolname = $1 AND x.may_it`

// RoleExcess returns what a role may do beside reading the views for analysts: one that was there before
// may have rights of its own, and some things only a superuser can forbid.
func (s *Store) RoleExcess(ctx context.Context, role string) ([]string, error) {
	rows, err := s.pool.Query(ctx, roleExcessSQL, role)
	if err != nil {
		return nil, fmt.Errorf("look what %s may do: %w", role, err)
	}
	excess, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("look what %s may do: %w", role, err)
	}
	return excess, nil
}

// RolesSQL returns the statements that set up the roles of the warehouse: that of analysts, and
// what the owner of the tables needs once nothing is open to everybody any more. On a private server
// they close its other databases too.
func (s *Store) RolesSQL(ctx context.Context, private bool) (string, error) {
	var database, schema, owner string
	err := s.pool.QueryRow(ctx, `
		SELECT quote_ident(current_database()), quote_ident(n.nspname), quote_ident(pg_get_userbyid(c.relowner))
		FROM pg_class AS c
		INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
		WHERE c.oid = 'audit_event'::regclass`).Scan(&database, &schema, &owner)
	if err != nil {
		return "", fmt.Errorf("look for the owner of the tables: %w", err)
	}
	sql := strings.NewReplacer("{database}", database, "{schema}", schema, "{owner}", owner).Replace(rolesSQL)
	if !private {
		return sql, nil
	}
	rows, err := s.pool.Query(ctx, "SELECT quote_ident(datname) FROM pg_database WHERE datname <> current_database() AND datallowconn ORDER BY datname")
	if err != nil {
		return "", fmt.Errorf("list databases: %w", err)
	}
	others, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return "", fmt.Errorf("list databases: %w", err)
	}
	if len(others) == 0 {
		return sql, nil
	}
	return sql + "REVOKE ALL ON DATABASE " + strings.Join(others, ", ") + " FROM PUBLIC;\n", nil
}

// SetUpRoles does what RolesSQL says, unless it is done. Any number of processes may call it at
// once. The error is ErrNotAllowed, and nothing is changed, if the connected role may not do all of it.
func (s *Store) SetUpRoles(ctx context.Context, private bool) error {
	sql, err := s.RolesSQL(ctx, private)
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if err := holdRoles(ctx, tx); err != nil {
			return err
		}
		if ready, err := rolesReady(ctx, tx, private); err != nil || ready {
			return err
		}
		if _, err := tx.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			return err
		}
		// What one may not grant or revoke stays as it is, with no more than a warning.
		ready, err := rolesReady(ctx, tx, private)
		if err == nil && !ready {
			err = ErrNotAllowed
		}
		return err
	})
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok && refused.Code == pgInsufficientPrivilege {
		err = fmt.Errorf("%w: %s", ErrNotAllowed, refused.Message)
	}
	if err != nil {
		return fmt.Errorf("set up roles: %w", err)
	}
	return nil
}

func rolesReady(ctx context.Context, tx pgx.Tx, private bool) (ready bool, err error) {
	err = tx.QueryRow(ctx, rolesReadySQL, private, AnalystRole).Scan(&ready)
	return ready, err
}

// grantAnalysts lets analysts read what migrations have added, if there is a role for them.
func (s *Store) grantAnalysts(ctx context.Context) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if err := holdRoles(ctx, tx); err != nil {
			return err
		}
		var exists bool
		if err := tx.QueryRow(ctx, "SELECT to_regrole($1) IS NOT NULL", AnalystRole).Scan(&exists); err != nil || !exists {
			return err
		}
		_, err := tx.Exec(ctx, grantsSQL, pgx.QueryExecModeSimpleProtocol)
		return err
	})
	if err != nil {
		return fmt.Errorf("grant %s the schema analytics: %w", AnalystRole, err)
	}
	return nil
}

// holdRoles keeps others out until the transaction ends: two that grant at once would fail.
func holdRoles(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1, 0)", lockRoles)
	return err
}
