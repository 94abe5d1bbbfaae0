-- name: GetPortalByHost :one
SELECT * FROM portal WHERE host = @host;

-- name: GetPortalByOwner :one
SELECT * FROM portal WHERE owner_account_id = @owner_account_id::text;

-- name: ListPortals :many
SELECT * FROM portal ORDER BY host;

-- name: CreatePortal :one
INSERT INTO portal (portal_id, host, owner_account_id, created_at)
SELECT coalesce(max(portal_id), 0) + 1, @host, @owner_account_id::text, @created_at
FROM portal
RETURNING *;

-- name: SetPortalFloor :exec
UPDATE portal
SET floor_at = @floor_at::timestamptz, floor_is_oldest = @floor_is_oldest
WHERE portal_id = @portal_id;
