// Package store is the only door to PostgreSQL: connections, migrations, locks,
// transactions, and the mapping between rows and audit types.
//
// Reports read through Store. All that sync writes goes through a Writer, which
// holds the portal's lock on the connection that it writes with.
package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/semaphore"

	"roompulse/db"
	"roompulse/internal/audit"
)

// oldestServer is the oldest PostgreSQL that has what the queries use:
// multiranges came with 14, and 15 is the oldest that is tested.
const oldestServer = 15

// cancelDelay is how long a server has to end a query that it was told to cancel. Then the connection is cut.
const cancelDelay = 2 * time.Second

// Errors that callers tell apart.
var (
	ErrUnreachable = errors.New("the database cannot be reached")
	ErrNotMigrated = errors.New("the database is not migrated")
	ErrTooNew      = errors.New("the database is newer than this roompulse")
	ErrLocked      = errors.New("another run holds the lock")
	ErrNoPortal    = errors.New("no such portal in the database")
	ErrPortalMoved = errors.New("the portal is known under another host")
	ErrOldServer   = errors.New("the PostgreSQL server is too old")
	ErrPooled      = errors.New("the connection goes through a transaction pooler")
)

// Store reads the warehouse. It is safe for concurrent use.
type Store struct {
	pool    *pgxpool.Pool
	q       *db.Queries
	reading *semaphore.Weighted // see readState
}

// Open connects to the database at url, in any form that libpq takes. It does
// not look at the schema; see CheckSchema.
func Open(ctx context.Context, url string) (*Store, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, badURL(err)
	}
	cfg.ConnConfig.RuntimeParams["application_name"] = "roompulse"
	// Days are UTC days, whatever zone the server or the role is set to.
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	// Cached plans of prepared statements outlive migrations in long runs; the
	// queries are few and heavy, so describing each anew costs nothing that counts.
	cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	// A cancelled query is cancelled on the server, and its connection lives on.
	cfg.ConnConfig.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: cancelDelay}
	}
	// Compiling a query takes longer than nearly all of them run. Not a startup parameter, which PgBouncer would refuse.
	cfg.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "SET jit = off")
		return err
	}
	cfg.MaxConns = 4
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, explainConnect(err)
	}
	s := &Store{pool: pool, q: db.New(pool), reading: semaphore.NewWeighted(1)}
	if err := s.checkServer(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close closes all connections. For a server that hangs it does not wait long.
func (s *Store) Close() {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		s.pool.Close() // waits up to 15 seconds for a server that hangs
	}()
	select {
	case <-closed:
	case <-time.After(cancelDelay):
	}
}

func (s *Store) checkServer(ctx context.Context) error {
	var version int
	if err := s.pool.QueryRow(ctx, "SELECT current_setting('server_version_num')::integer").Scan(&version); err != nil {
		return explainConnect(err)
	}
	if version/10000 < oldestServer {
		return fmt.Errorf("%w: it is version %d, roompulse needs %d or newer", ErrOldServer, version/10000, oldestServer)
	}
	return nil
}

// badURL says what is wrong with the URL without quoting it: pgx masks the
// passwords that it finds, which in a malformed URL may be anywhere.
func badURL(err error) error {
	reason := err.Error()
	if i := strings.LastIndex(reason, "`: "); i >= 0 {
		reason = reason[i+len("`: "):]
	}
	return audit.Usagef("DATABASE_URL is not valid: %s; give something like postgres://user:password@host:5432/database, "+
		"with %%40 for @ and %%2F for / in the password", reason)
}

// explainConnect says in one line why there is no connection; other errors
// stay as they are.
func explainConnect(err error) error {
	failure, ok := errors.AsType[*pgconn.ConnectError](err)
	if !ok {
		return err
	}
	if answer, ok := errors.AsType[*pgconn.PgError](err); ok {
		hint := "check DATABASE_URL"
		if strings.HasPrefix(answer.Code, "53") || strings.HasPrefix(answer.Code, "57") { // too busy, or starting up
			hint = "try again later"
		}
		return fmt.Errorf("%w: %s; %s", ErrUnreachable, answer.Message, hint)
	}
	// With and without encryption pgx tries twice, and fails for the same reason.
	reason := strings.TrimPrefix(failure.Unwrap().Error(), "hostname resolving error: ")
	reasons := slices.Compact(strings.Split(reason, "\n"))
	return fmt.Errorf("%w: %s; is it running, and is DATABASE_URL right?", ErrUnreachable, strings.Join(reasons, ", "))
}

// Health is what doctor asks a database.
type Health struct {
	Version string // of the server
	Size    int64  // of the database, in bytes
}

// Health returns the server's version and the size of the database.
func (s *Store) Health(ctx context.Context) (Health, error) {
	var h Health
	err := s.pool.QueryRow(ctx, "SELECT current_setting('server_version'), pg_database_size(current_database())").Scan(&h.Version, &h.Size)
	if err != nil {
		return h, fmt.Errorf("ask the database for its size: %w", err)
	}
	h.Version, _, _ = strings.Cut(h.Version, " ")
	return h, nil
}

// Syncing returns the ids of the portals that a sync or a repair writes to.
func (s *Store) Syncing(ctx context.Context) ([]int32, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT objid::integer FROM pg_locks
		WHERE locktype = 'advisory' AND classid::bigint = $1 AND granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`, lockSync)
	if err != nil {
		return nil, fmt.Errorf("look for a running sync: %w", err)
	}
	portals, err := pgx.CollectRows(rows, pgx.RowTo[int32])
	if err != nil {
		return nil, fmt.Errorf("look for a running sync: %w", err)
	}
	return portals, nil
}

// Portal is a portal that the warehouse has.
type Portal struct {
	ID      int32
	Host    string // base URL
	OwnerID string
}

// Portals returns all portals, by host.
func (s *Store) Portals(ctx context.Context) ([]Portal, error) {
	rows, err := s.q.ListPortals(ctx)
	if err != nil {
		return nil, fmt.Errorf("list portals: %w", err)
	}
	portals := make([]Portal, len(rows))
	for i, row := range rows {
		portals[i] = toPortal(row)
	}
	return portals, nil
}

// Portal returns the portal at host; ErrNoPortal if it was never synced.
func (s *Store) Portal(ctx context.Context, host string) (Portal, error) {
	row, err := s.q.GetPortalByHost(ctx, host)
	if errors.Is(err, pgx.ErrNoRows) {
		return Portal{}, fmt.Errorf("%w: %s; run `roompulse sync` first", ErrNoPortal, host)
	}
	if err != nil {
		return Portal{}, fmt.Errorf("look up portal %s: %w", host, err)
	}
	return toPortal(row), nil
}

// RenamePortal gives a portal that has moved its new host; all data stay.
func (s *Store) RenamePortal(ctx context.Context, oldHost, newHost string) error {
	if _, err := s.Portal(ctx, newHost); err == nil {
		return audit.Usagef("%s is a portal of this warehouse already, with data of its own", newHost)
	} else if !errors.Is(err, ErrNoPortal) {
		return err
	}
	renamed, err := s.q.RenamePortal(ctx, db.RenamePortalParams{OldHost: oldHost, NewHost: newHost})
	if err != nil {
		return fmt.Errorf("rename portal %s: %w", oldHost, err)
	}
	if renamed == 0 {
		return audit.Usagef("%s is no portal of this warehouse; `roompulse portal list` shows them", oldHost)
	}
	return nil
}

func toPortal(row db.Portal) Portal {
	p := Portal{ID: row.PortalID, Host: row.Host}
	if row.OwnerAccountID != nil {
		p.OwnerID = *row.OwnerAccountID
	}
	return p
}

// Unknown times are zero in Go and null in the database.

func zeroTime(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

func nullTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func toSpans[R any](rows []R, ends func(R) (from, to time.Time)) []audit.Span {
	spans := make([]audit.Span, len(rows))
	for i, row := range rows {
		from, to := ends(row)
		spans[i] = audit.Span{From: from.UTC(), To: to.UTC()}
	}
	return spans
}
