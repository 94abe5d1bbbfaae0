package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// pipeline is a transaction that keeps statements without a result back until it is asked for
// one, and sends them together: a window has a dozen of them, and each way to the server and back costs both
// sides more than most of the statements.
//
// The error of such a statement comes from whatever sends it, with the statement's name. All that was kept back is
// described before the first of it runs, so no such statement may need what another one creates.
type pipeline struct {
	tx    pgx.Tx
	batch pgx.Batch
}

// inPipeline runs f in a transaction.
func inPipeline(ctx context.Context, conn *pgx.Conn, f func(*pipeline) error) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { // a rollback that is cancelled would cost the connection, and with it the portal's lock
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = tx.Rollback(ctx) // does nothing after the commit
	}()
	p := &pipeline{tx: tx}
	if err := f(p); err != nil {
		return err
	}
	if err := p.flush(ctx); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

func (p *pipeline) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if statement, ok := statementOf(sql); ok && strings.HasSuffix(statement, " :exec") {
		p.batch.Queue(sql, args...)
		return pgconn.CommandTag{}, nil
	}
	if err := p.flush(ctx); err != nil { // its number of rows is wanted
		return pgconn.CommandTag{}, err
	}
	return p.tx.Exec(ctx, sql, args...)
}

func (p *pipeline) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if err := p.flush(ctx); err != nil {
		return nil, err
	}
	return p.tx.Query(ctx, sql, args...)
}

func (p *pipeline) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if err := p.flush(ctx); err != nil {
		return failedRow{err}
	}
	return p.tx.QueryRow(ctx, sql, args...)
}

func (p *pipeline) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error) {
	if err := p.flush(ctx); err != nil {
		return 0, err
	}
	return p.tx.CopyFrom(ctx, table, columns, rows)
}

// flush sends what was kept back.
func (p *pipeline) flush(ctx context.Context) error {
	if p.batch.Len() == 0 {
		return nil
	}
	batch := p.batch
	p.batch = pgx.Batch{}
	results := p.tx.SendBatch(ctx, &batch)
	for _, query := range batch.QueuedQueries {
		if _, err := results.Exec(); err != nil {
			_ = results.Close() // fails for the same reason
			sql := query.SQL
			if unsent, ok := errors.AsType[pgx.ErrPreprocessingBatch](err); ok { // none has run
				sql = unsent.SQL()
			}
			statement, _ := statementOf(sql)
			return fmt.Errorf("%s: %w", strings.TrimSuffix(statement, " :exec"), err)
		}
	}
	return results.Close()
}

// statementOf is the name that sqlc gives a statement, with what it returns.
func statementOf(sql string) (statement string, ok bool) {
	line, _, _ := strings.Cut(sql, "\n")
	return strings.CutPrefix(line, "-- name: ")
}

// failedRow is the answer to a question that could not be asked.
type failedRow struct{ err error }

func (r failedRow) Scan(...any) error { return r.err }
