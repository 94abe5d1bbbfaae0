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
// A connection without a question holds the state while others read it, however long that takes.
const forReports = "SET LOCAL enable_memoize = off; SET LOCAL idle_in_transaction_session_timeout = 0"

type readFunc func(context.Context, *db.Queries) error

// readState lets read see one state of the database. One at a time, since they take several
// connections of the pool each, and could wait for one another's.
func (s *Store) readState(ctx context.Context, read func(context.Context, state) error) error {
	if err := s.reading.Acquire(ctx, 1); err != nil {
		return err
	}
	defer s.reading.Release(1)
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
// connection, each other on whichever is free first, that one or one more.
func (s state) together(ctx context.Context, reads ...readFunc) error {
	rest := make(chan readFunc, len(reads))
	for _, read := range reads[1:] {
		rest <- read
	}
	close(rest)
	group, ctx := errgroup.WithContext(ctx)
	wanted, enough := context.WithCancel(ctx)
	defer enough()
	for range reads[1:] {
		group.Go(func() error { return s.help(ctx, wanted, rest) })
	}
	group.Go(func() error {
		defer enough() // nothing is left for connections that are still to come
		if err := reads[0](ctx, s.q); err != nil {
			return err
		}
		return readAll(ctx, s.q, rest)
	})
	return group.Wait()
}

// help reads on one more connection, as long as one is wanted. If the server gives none, or the state is gone, the
// state's own connection reads everything, or tells what is wrong.
func (s state) help(ctx, wanted context.Context, rest <-chan readFunc) error {
	conn, err := s.store.pool.Acquire(wanted)
	if err != nil {
		return nil
	}
	defer conn.Release()
	tx, err := conn.BeginTx(ctx, readOnly)
	if err == nil {
		defer tx.Rollback(ctx) //nolint:errcheck // it only read
		_, err = tx.Exec(ctx, "SET TRANSACTION SNAPSHOT '"+s.id+"'; "+forReports)
	}
	if err != nil {
		return nil
	}
	return readAll(ctx, s.store.q.WithTx(tx), rest)
}

func readAll(ctx context.Context, q *db.Queries, reads <-chan readFunc) error {
	for read := range reads {
		if err := read(ctx, q); err != nil {
			return err
		}
	}
	return nil
}
