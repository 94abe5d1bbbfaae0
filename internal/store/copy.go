package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"roompulse/db"
)

// copyEvents copies the rows that next makes until it has no more. It makes them one by one, in another goroutine, while
// those before are on their way to the server, which saves a tenth of the time of loading. When it returns, also with
// an error, next is not running any more.
func (p *pipeline) copyEvents(ctx context.Context, next func() (row db.CopyEventsParams, ok bool)) (int64, error) {
	rows := &eventRows{pipeline: p, next: next}
	return db.New(rows).CopyEvents(ctx, rows.row[:])
}

// eventRows has the rows of CopyEvents made as they are sent. That statement takes a slice; it gets a slice of one row,
// which is made anew for each, and names the table, the columns and their order.
type eventRows struct {
	*pipeline
	row    [1]db.CopyEventsParams
	next   func() (row db.CopyEventsParams, ok bool)
	values func() ([]any, error) // of row, in the order of the columns
}

func (r *eventRows) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, row pgx.CopyFromSource) (int64, error) {
	r.values = row.Values
	return r.pipeline.CopyFrom(ctx, table, columns, r)
}

func (r *eventRows) Next() (ok bool) {
	r.row[0], ok = r.next()
	return ok
}

func (r *eventRows) Values() ([]any, error) { return r.values() }

func (r *eventRows) Err() error { return nil }
