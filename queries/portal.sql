-- name: GetPortalByHost :one
SELECT * FROM portal WHERE host = @host;

-- name: GetPortalByOwner :one
SELECT * FROM portal WHERE owner_account_id = @owner_account_id::text;

-- name: ListPortals :many
SELECT * FROM portal ORDER BY host;

-- name: LockPortal :exec
-- Others who lock the portal wait for the transaction's end; who only names it does not.
SELECT 1 FROM portal
WHERE portal_id = @portal_id
FOR NO KEY UPDATE;

-- name: CreatePortal :one
INSERT INTO portal (portal_id, host, owner_account_id, created_at)
SELECT coalesce(max(portal_id), 0) + 1, @host, @owner_account_id::text, @created_at
FROM portal
RETURNING *;

-- name: SetPortalFloor :exec
UPDATE portal
SET floor_at = @floor_at::timestamptz, floor_is_oldest = @floor_is_oldest
WHERE portal_id = @portal_id;

-- name: SetPortalClosed :exec
UPDATE portal
SET closed_until = greatest(closed_until, @closed_until::timestamptz)
WHERE portal_id = @portal_id;

-- name: RenamePortal :execrows
UPDATE portal SET host = @new_host WHERE host = @old_host;

-- name: GetNewestEventBefore :one
-- Date of the newest event held that is older than before; year 1 if there is none.
-- It is of the hour of before, or of the last hour with events that precedes it.
SELECT coalesce(max(e.occurred_at), '0001-01-01 00:00:00+00')::timestamptz AS newest_at
FROM audit_event AS e
WHERE e.portal_id = @portal_id
    AND (e.occurred_at < @before) IS TRUE
    AND date_bin('1 hour', e.occurred_at, 'epoch') BETWEEN (
        SELECT coalesce(max(h.hour), '-infinity')
        FROM event_hour AS h
        WHERE h.portal_id = @portal_id AND h.hour < date_bin('1 hour', @before::timestamptz, 'epoch')
    ) AND @before;

-- name: GetOldestEvent :one
-- Date of the oldest event held; year 1 if there is none.
SELECT coalesce(min(e.occurred_at), '0001-01-01 00:00:00+00')::timestamptz AS oldest_at
FROM audit_event AS e
WHERE e.portal_id = @portal_id
    AND date_bin('1 hour', e.occurred_at, 'epoch') = (
        SELECT min(h.hour) FROM event_hour AS h WHERE h.portal_id = @portal_id
    );

-- name: GetNewestEvent :one
-- Date of the newest event held; year 1 if there is none.
SELECT coalesce(max(e.occurred_at), '0001-01-01 00:00:00+00')::timestamptz AS newest_at
FROM audit_event AS e
WHERE e.portal_id = @portal_id
    AND date_bin('1 hour', e.occurred_at, 'epoch') >= (
        SELECT max(h.hour) FROM event_hour AS h WHERE h.portal_id = @portal_id
    );
