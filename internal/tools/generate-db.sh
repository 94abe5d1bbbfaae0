#!/bin/sh
# generate-db.sh writes db/ anew from migrations/ and queries/; with --check it only says whether that would change it.
# sqlc leaves behind what it once made of a query file that is gone, so it works on a copy of its inputs.
set -eu
cd "$(dirname "$0")/../.."

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
trap 'exit 1' HUP INT TERM
cp -R sqlc.yaml migrations queries "$copy"
"${GO:-go}" tool sqlc -f "$copy/sqlc.yaml" generate

if [ "${1:-}" = --check ]; then
	if ! diff -ru db "$copy/db"; then
		echo "generate-db: db/ is not what queries/ and migrations/ make; run: make generate" >&2
		exit 1
	fi
else
	rm -rf db
	mv "$copy/db" db
fi
