// Package migrations holds the database schema as goose migrations.
package migrations

import "embed"

// FS holds the migrations, named NNNNN_noun.sql.
//
//go:embed *.sql
var FS embed.FS
