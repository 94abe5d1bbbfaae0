package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"roompulse/db"
)

// InPipeline runs f in a transaction as those of a Writer are.
func InPipeline(ctx context.Context, conn *pgx.Conn, f func(db.DBTX) error) error {
	return inPipeline(ctx, conn, func(p *pipeline) error { return f(p) })
}
