package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"roompulse/db"
)

// state is one state of the database, which several connections can read at the same time.
type state struct {
	store *Store
	q     *db.Queries // on the connection that the state was first seen on; for one goroutine
	id    string      // by which transactions on others see it too
}

var readOnly = pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}

// forReports keeps the planner from storing the answers of lateral queries: reports ask for each
// room, person and day once, and storing what nobody asks for again takes as long as finding it.
const forReports = "SET LOCAL enable_memoize = off"

type readFunc func(context.Context, *db.Queries) error

// readState lets read see one state of the database. One at a time, since they take several
// connections of the pool each, and could wait for one another's.
func (s *Store) readState(ctx context.Context, read func(context.Context, state) error) error {
	s.stateMu.Lock()
	defer s.stateMu.Unlock()
	return pgx.BeginTxFunc(ctx, s.pool, readOnly, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, forReports); err != nil {
			return fmt.Errorf("set up the transaction: %w", err)
		}
		var id string
		if err := tx.QueryRow(ctx, "SELECT pg_export_snapshot()").Scan(&id); err != nil {
			return fmt.Errorf("share the state of the database: %w", err)
		}
		return read(ctx, state{store: s, q: s.q.WithTx(tx), id: id})
	})
}

// together reads the state in several ways at the same time: the first on the state's own
// connection, each other on one more.
func (s state) together(ctx context.Context, reads ...readFunc) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, read := range reads[1:] {
		group.Go(func() error {
			return pgx.BeginTxFunc(ctx, s.store.pool, readOnly, func(tx pgx.Tx) error {
				if _, err := tx.Exec(ctx, "SET TRANSACTION SNAPSHOT '"+s.id+"'; "+forReports); err != nil {
					return fmt.Errorf("take over the state of the database: %w", err)
				}
				return read(ctx, s.store.q.WithTx(tx))
			})
		})
	}
	group.Go(func() error { return reads[0](ctx, s.q) })
	return group.Wait()
}
