package pgtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"roompulse/internal/audit"
	"roompulse/internal/localpg"
	"roompulse/internal/localpg/flock"
	"roompulse/internal/store"
	"roompulse/migrations"
)

const (
	urlVariable = "ROOMPULSE_TEST_DATABASE_URL"

	// A test's database is named by the prefix, the pid of its process's anchor, and a number; a template by the prefix
	// and the hash of the schema.
	testPrefix         = "roompulse_test_"
	templatePrefix     = "roompulse_template_"
	unfinishedTemplate = "roompulse_unfinished_template"

	// anchorPrefix and the hash of the schema are the application name of the anchors.
	anchorPrefix = "roompulse-pgtest "

	// lockKey is the advisory lock that guards templates and the removal of leftovers.
	lockKey = 0x706774657374 // "pgtest"

	// zone is that of the sessions in a test's database: not by whole hours from UTC, so that code which leans on the
	// session's zone is noticed.
	zone = "America/St_Johns"
)

// settings make the private server fast: it may lose its data with the machine, as tests make new ones.
var settings = map[string]string{
	"fsync":              "off",
	"full_page_writes":   "off",
	"synchronous_commit": "off",
	"autovacuum":         "off", // no test may depend on when it comes by; and it would hold up the copying of templates
	"max_connections":    "300", // packages times parallel tests times the connections of a pool
	"wal_level":          "minimal",
	"max_wal_senders":    "0",
	"shared_buffers":     "64MB", // each drop searches them all
}

// session is this process's use of the server.
type session struct {
	url    *url.URL
	pool   *pgxpool.Pool
	anchor *pgx.Conn // while it lives, the databases with its pid and the template of its hash are in use
	hash   string    // of the schema
	serial atomic.Int64

	templateOnce sync.Once
	templateErr  error

	// Of the private server; nil if the server is another one.
	server *localpg.Server
	users  *flock.File
}

// join connects this process to the server, once.
var join = sync.OnceValues(func() (_ *session, err error) {
	ctx := context.Background()
	hash, err := schemaHash()
	if err != nil {
		return nil, err
	}
	s := &session{hash: hash}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.leave())
		}
	}()
	address := os.Getenv(urlVariable)
	if address == "" {
		if err := s.joinPrivate(ctx); err != nil {
			return nil, err
		}
		address = s.server.URL()
	}
	if s.url, err = url.Parse(address); err != nil || s.url.Scheme == "" { // the error would show a password
		return nil, fmt.Errorf("%s must be a URL like postgres://user:password@host/database", urlVariable)
	}
	if s.pool, err = pgxpool.New(ctx, address); err != nil {
		return nil, err
	}
	cfg, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, err
	}
	cfg.RuntimeParams["application_name"] = anchorPrefix + hash
	if s.anchor, err = pgx.ConnectConfig(ctx, cfg); err != nil {
		return nil, err
	}
	if err := s.exclusively(ctx, s.sweep); err != nil {
		return nil, fmt.Errorf("remove what other test processes have left: %w", err)
	}
	joined.Store(s)
	return s, nil
})

// joinPrivate starts the private server, unless another process has, and notes that this one uses it.
func (s *session) joinPrivate(ctx context.Context) error {
	major, err := localpg.InstalledMajor(ctx)
	if err != nil {
		return err
	}
	dir, err := sharedDir()
	if err != nil {
		return err
	}
	dir = filepath.Join(dir, strconv.Itoa(major))
	if s.server, err = localpg.New(localpg.Config{Dir: dir, Settings: settings}); err != nil {
		return err
	}
	if s.users, err = flock.Open(dir + ".lock"); err != nil {
		return err
	}
	if err := s.users.Lock(ctx, flock.Shared); err != nil { // at most, somebody is just stopping the server
		return err
	}
	if err := s.server.Start(ctx); err != nil {
		return fmt.Errorf("%w\n(its data are only for tests: if they are broken, remove %s)", err, dir)
	}
	return nil
}

// sharedDir returns the folder of this user's servers for tests.
func sharedDir() (string, error) {
	user := os.Geteuid()
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("roompulse-pgtest-%d", user))
	// 0711: root's server is run by another user. Nothing is secret there.
	if err := os.Mkdir(dir, 0o711); err != nil && !errors.Is(err, fs.ErrExist) { //nolint:gosec // see above
		return "", err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", err
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; !info.IsDir() || int(owner) != user || info.Mode().Perm()&0o022 != 0 {
		return "", fmt.Errorf("%s is not a folder that only this user can write to", dir)
	}
	return dir, nil
}

// leave ends the session; the last process stops the private server.
func (s *session) leave() error {
	ctx := context.Background()
	if s.pool != nil {
		s.pool.Close()
	}
	var err error
	if s.anchor != nil {
		err = s.anchor.Close(ctx)
	}
	if s.users == nil {
		return err
	}
	// To give the lock up and ask for an exclusive one is not the same as to change its mode: of two processes that try
	// the latter at once, both may fail.
	path := s.users.File().Name()
	err = errors.Join(err, s.users.Close())
	users, openErr := flock.Open(path)
	if openErr != nil {
		return errors.Join(err, openErr)
	}
	last, lockErr := users.TryLock(flock.Exclusive)
	if last {
		err = errors.Join(err, s.server.Stop(ctx))
	}
	return errors.Join(err, lockErr, users.Close())
}

// exclusively runs f while no other process is in it. Only one goroutine may call it at a time.
func (s *session) exclusively(ctx context.Context, f func(context.Context) error) error {
	if _, err := s.anchor.Exec(ctx, "SELECT pg_advisory_lock($1)", lockKey); err != nil {
		return err
	}
	err := f(ctx)
	_, unlockErr := s.anchor.Exec(ctx, "SELECT pg_advisory_unlock($1)", lockKey)
	return errors.Join(err, unlockErr)
}

// sweep drops the databases of processes that are gone, and templates that no process uses.
func (s *session) sweep(ctx context.Context) error {
	rows, err := s.anchor.Query(ctx, `
		WITH used AS (
			SELECT $1 || pid || '\_%' AS name FROM pg_stat_activity WHERE starts_with(application_name, $3) AND pid <> pg_backend_pid()
			UNION ALL
			SELECT $2 || substr(application_name, length($3) + 1) FROM pg_stat_activity WHERE starts_with(application_name, $3)
		)
		SELECT datname FROM pg_database
		WHERE (starts_with(datname, $1) OR starts_with(datname, $2)) AND NOT EXISTS (SELECT FROM used WHERE datname LIKE used.name)`,
		testPrefix, templatePrefix, anchorPrefix)
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := s.drop(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// template returns the name of the database to copy for a migrated one, and makes it if need be.
func (s *session) template(ctx context.Context) (string, error) {
	name := templatePrefix + s.hash
	s.templateOnce.Do(func() {
		s.templateErr = s.exclusively(context.WithoutCancel(ctx), func(ctx context.Context) error {
			var exists bool
			err := s.anchor.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&exists)
			if err != nil || exists {
				return err
			}
			return s.makeTemplate(ctx, name)
		})
	})
	return name, s.templateErr
}

// makeTemplate migrates a database and only then gives it its name: what is interrupted is never used.
func (s *session) makeTemplate(ctx context.Context, name string) error {
	if err := s.drop(ctx, unfinishedTemplate); err != nil {
		return err
	}
	if _, err := s.anchor.Exec(ctx, "CREATE DATABASE "+unfinishedTemplate+" TEMPLATE template0"); err != nil {
		return err
	}
	if err := migrate(ctx, s.databaseURL(unfinishedTemplate)); err != nil {
		return err
	}
	_, err := s.anchor.Exec(ctx, "ALTER DATABASE "+unfinishedTemplate+" RENAME TO "+name)
	return err
}

func migrate(ctx context.Context, url string) error {
	st, err := store.Open(ctx, url)
	if err != nil {
		return err
	}
	defer st.Close()
	_, err = st.MigrateUp(ctx)
	return err
}

// schemaHash identifies what migrate makes.
func schemaHash() (string, error) {
	hash := sha256.New()
	err := fs.WalkDir(migrations.FS, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := migrations.FS.ReadFile(path)
		hash.Write(fmt.Appendf(nil, "%s %d %s", path, len(text), text))
		return err
	})
	hash.Write(fmt.Append(nil, audit.Actions()))
	return hex.EncodeToString(hash.Sum(nil)[:6]), err
}

// rolePassword is that of roles on a server that asks for one.
const rolePassword = "pgtest"

// setPassword lets a role log in to a server that asks for passwords. Two that change a role at once would fail.
func (s *session) setPassword(ctx context.Context, role string) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", lockKey+1); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "ALTER ROLE "+pgx.Identifier{role}.Sanitize()+" PASSWORD '"+rolePassword+"'")
		return err
	})
}

// create makes a database as a copy of template.
func (s *session) create(ctx context.Context, template string) (name string, err error) {
	name = fmt.Sprintf("%s%d_%d", testPrefix, s.anchor.PgConn().PID(), s.serial.Add(1))
	// Without fsync FILE_COPY takes 15 to 20 ms for our schema, and less if several run at once; the default, WAL_LOG,
	// takes more than 200 ms.
	if _, err := s.pool.Exec(ctx, "CREATE DATABASE "+name+" TEMPLATE "+template+" STRATEGY FILE_COPY"); err != nil {
		return "", err
	}
	_, err = s.pool.Exec(ctx, "ALTER DATABASE "+name+" SET timezone = '"+zone+"'")
	return name, err
}

// drop removes a database if it exists, and ends the sessions in it.
func (s *session) drop(ctx context.Context, name string) error {
	if _, err := s.pool.Exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("drop the database %s: %w", name, err)
	}
	return nil
}

func (s *session) databaseURL(name string) string {
	u := *s.url
	u.Path = "/" + name
	return u.String()
}
