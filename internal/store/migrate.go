package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"roompulse/db"
	"roompulse/internal/audit"
	"roompulse/migrations"
)

// Migration is a step of the schema.
type Migration struct {
	Version int64
	Name    string
	Applied time.Time // zero if it is not
}

// withProvider runs f with goose on a connection of its own. A session lock
// lets one process migrate at a time; others wait.
func (s *Store) withProvider(f func(*goose.Provider) error) (err error) {
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return err
	}
	// goose stores when it applied a migration as local time of the session.
	config := s.pool.Config().ConnConfig
	config.RuntimeParams["timezone"] = "UTC"
	sqlDB := stdlib.OpenDB(*config)
	defer func() { err = errors.Join(err, sqlDB.Close()) }()
	provider, err := goose.NewProvider(goose.DialectPostgres, sqlDB, migrations.FS, goose.WithSessionLocker(locker))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	return f(provider)
}

// MigrateUp applies all migrations that are missing, and returns them. It also
// brings the table of actions up to this version's list, and lets analysts read new views. The error is
// ErrTooNew if a newer version has migrated the database.
func (s *Store) MigrateUp(ctx context.Context) (applied []Migration, err error) {
	if err := s.CheckSchema(ctx); errors.Is(err, ErrTooNew) {
		return nil, err
	}
	err = s.withProvider(func(p *goose.Provider) error {
		results, err := p.Up(ctx)
		applied = toMigrations(results)
		return err
	})
	if taken, ok := errors.AsType[*pgconn.PgError](err); ok && taken.Code == "42P07" {
		return applied, fmt.Errorf("migrate the database: %s and is not roompulse's: let DATABASE_URL name a database of its own", taken.Message)
	}
	if err != nil {
		return applied, fmt.Errorf("migrate the database: %w", err)
	}
	if err := s.grantAnalysts(ctx); err != nil {
		return applied, err
	}
	return applied, s.loadActions(ctx)
}

// MigrateDown takes back the latest migration and returns it; none if there is
// none. The error is ErrTooNew if a newer version has migrated the database.
func (s *Store) MigrateDown(ctx context.Context) (undone []Migration, err error) {
	if err := s.CheckSchema(ctx); errors.Is(err, ErrTooNew) {
		return nil, err
	}
	err = s.withProvider(func(p *goose.Provider) error {
		result, err := p.Down(ctx)
		if errors.Is(err, goose.ErrNoNextVersion) {
			return nil
		}
		if result != nil {
			undone = toMigrations([]*goose.MigrationResult{result})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("take back a migration: %w", err)
	}
	return undone, nil
}

func toMigrations(results []*goose.MigrationResult) []Migration {
	var list []Migration
	for _, r := range results {
		list = append(list, Migration{Version: r.Source.Version, Name: r.Source.Path})
	}
	return list
}

// Migrations returns all migrations, applied or not. It writes nothing.
func (s *Store) Migrations(ctx context.Context) (list []Migration, err error) {
	version, err := s.schemaVersion(ctx)
	if err != nil {
		return nil, err
	}
	err = s.withProvider(func(p *goose.Provider) error {
		if version == 0 { // to ask for the status would make goose's table
			for _, source := range p.ListSources() {
				list = append(list, Migration{Version: source.Version, Name: source.Path})
			}
			return nil
		}
		statuses, err := p.Status(ctx)
		for _, st := range statuses {
			list = append(list, Migration{Version: st.Source.Version, Name: st.Source.Path, Applied: st.AppliedAt})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the state of migrations: %w", err)
	}
	return list, nil
}

// CheckSchema returns ErrNotMigrated or ErrTooNew if the schema is not the one
// this version works with. Unlike Migrations it writes nothing.
func (s *Store) CheckSchema(ctx context.Context) error {
	have, err := s.schemaVersion(ctx)
	if err != nil {
		return err
	}
	want, err := latestMigration()
	if err != nil {
		return err
	}
	switch {
	case have == 0:
		return fmt.Errorf("%w: run `roompulse migrate up`", ErrNotMigrated)
	case have < want:
		return fmt.Errorf("%w: its schema is version %d, this roompulse needs %d: run `roompulse migrate up`", ErrNotMigrated, have, want)
	case have > want:
		return fmt.Errorf("%w: its schema is version %d, this roompulse knows %d: install a newer roompulse", ErrTooNew, have, want)
	}
	return nil
}

// Empty reports whether the database has no tables at all, so that it is
// roompulse's to fill without being asked.
func (s *Store) Empty(ctx context.Context) (bool, error) {
	var empty bool
	err := s.pool.QueryRow(ctx, `
		SELECT NOT EXISTS (
			SELECT FROM pg_class AS c
			INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
			WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
				AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
		)`).Scan(&empty)
	if err != nil {
		return false, fmt.Errorf("look for tables: %w", err)
	}
	return empty, nil
}

// schemaVersion is 0 for a database that roompulse has not migrated.
func (s *Store) schemaVersion(ctx context.Context) (int64, error) {
	var exists bool
	if err := s.pool.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", goose.DefaultTablename).Scan(&exists); err != nil {
		return 0, fmt.Errorf("look for the table of migrations: %w", err)
	}
	if !exists {
		return 0, s.checkTablesReadable(ctx)
	}
	var version sql.NullInt64
	if err := s.pool.QueryRow(ctx, "SELECT max(version_id) FROM "+goose.DefaultTablename+" WHERE is_applied").Scan(&version); err != nil {
		return 0, fmt.Errorf("read the version of the schema: %w", err)
	}
	return version.Int64, nil
}

// checkTablesReadable tells a database without tables from one whose tables are not for the
// connected role, such as that of analysts.
func (s *Store) checkTablesReadable(ctx context.Context) error {
	var role string
	err := s.pool.QueryRow(ctx, `
		SELECT coalesce(min(current_user::text), '')
		FROM pg_class AS c
		WHERE c.relname = $1 AND NOT has_table_privilege(c.oid, 'SELECT')`, goose.DefaultTablename).Scan(&role)
	if err != nil {
		return fmt.Errorf("look for the table of migrations: %w", err)
	}
	if role != "" {
		return audit.Usagef("%s may not read roompulse's tables: commands of roompulse need a DATABASE_URL of the role that owns them", role)
	}
	return nil
}

func latestMigration() (int64, error) {
	p, err := goose.NewProvider(goose.DialectPostgres, new(sql.DB), migrations.FS)
	if err != nil {
		return 0, fmt.Errorf("read migrations: %w", err)
	}
	sources := p.ListSources()
	return sources[len(sources)-1].Version, nil
}

// loadActions writes this version's list of actions over what is there. What
// events were stored as counting stays with the events.
func (s *Store) loadActions(ctx context.Context) error {
	var arg db.LoadActionsParams
	for _, a := range audit.Actions() {
		arg.ActionIDs = append(arg.ActionIDs, a.ID)
		arg.Names = append(arg.Names, a.Name)
		arg.Products = append(arg.Products, a.Product)
		arg.Locations = append(arg.Locations, a.Location)
		arg.Types = append(arg.Types, a.Type)
		arg.Entries = append(arg.Entries, strings.Join(a.Entries, ","))
		arg.Tracked = append(arg.Tracked, a.Tracked)
		arg.Classes = append(arg.Classes, int16(a.Class))
	}
	if err := s.q.LoadActions(ctx, arg); err != nil {
		return fmt.Errorf("load the list of actions: %w", err)
	}
	return nil
}
