-- name: CopyEvents :copyfrom
INSERT INTO audit_event (
    portal_id, run_id, event_id, occurred_at, account_key, kind_key, client_key, page_key, context_key,
    room_key, class, room_source, target, description, actor_name, extra
)
VALUES (@portal_id, @run_id, @event_id, @occurred_at, @account_key, @kind_key, @client_key, @page_key, @context_key,
    @room_key, @class, @room_source, @target, @description, @actor_name, @extra);

-- name: CountHeld :one
-- How many rows the portal should list for a closed span: the events held, and
-- the items in quarantine from windows inside it. checked_at is when the part
-- that has been waiting longest was last checked.
SELECT
    (
        SELECT count(*) FROM audit_event AS e
        WHERE e.portal_id = @portal_id
            AND (e.occurred_at BETWEEN @since AND @until) IS TRUE
            AND date_bin('1 hour', e.occurred_at, 'epoch') BETWEEN date_bin('1 hour', @since::timestamptz, 'epoch') AND @until
    ) + (
        SELECT count(*) FROM quarantine AS q
        WHERE q.portal_id = @portal_id AND q.window_from >= @since AND q.window_to <= @until
    ) AS held,
    coalesce((
        SELECT min(w.checked_at) FROM sync_window AS w
        WHERE w.portal_id = @portal_id AND w.window_from < @until AND w.window_to > @since
    ), '0001-01-01 00:00:00+00')::timestamptz AS checked_at;

-- name: CountEventsBetween :one
-- Events held for a closed span.
SELECT count(*)
FROM audit_event AS e
WHERE e.portal_id = @portal_id
    AND (e.occurred_at BETWEEN @since AND @until) IS TRUE
    AND date_bin('1 hour', e.occurred_at, 'epoch') BETWEEN date_bin('1 hour', @since::timestamptz, 'epoch') AND @until;

-- name: GetIdentity :one
-- What tells an event from another one under the same id.
SELECT a.account_id, k.action_id, e.occurred_at
FROM audit_event AS e
INNER JOIN account AS a ON a.portal_id = e.portal_id AND a.account_key = e.account_key
INNER JOIN kind AS k ON k.portal_id = e.portal_id AND k.kind_key = e.kind_key
WHERE e.portal_id = @portal_id AND e.event_id = @event_id;

-- name: MoveEvents :many
-- Gives events other dates and returns the titles that their contexts name. The
-- caller recounts the rollups in the same transaction.
UPDATE audit_event AS e
SET occurred_at = m.moved_to
FROM (SELECT unnest(@event_ids::bigint[]) AS event_id, unnest(@moved_to::timestamptz[]) AS moved_to) AS m
WHERE e.portal_id = @portal_id AND e.event_id = m.event_id
RETURNING coalesce((
    SELECT c.title FROM context AS c WHERE c.portal_id = e.portal_id AND c.context_key = e.context_key
), '')::text AS title;

-- name: ListEventsOfContext :many
-- A chunk of the events of a context, after the given one, that have no room
-- or an inferred one, with what their room is judged by.
SELECT
    e.event_id, e.occurred_at, e.account_key, e.room_key, e.room_source, e.class, e.target,
    k.action_id, k.product, coalesce(e.extra ->> 'folderId', '')::text AS folder_id
FROM audit_event AS e
INNER JOIN kind AS k ON k.portal_id = e.portal_id AND k.kind_key = e.kind_key
WHERE e.portal_id = @portal_id
    AND e.context_key = @context_key
    AND e.room_source IN (0, 4, 5, 6, 7)
    AND e.event_id > @after_event_id
ORDER BY e.event_id
LIMIT @chunk;

-- name: ListEventsByID :many
-- The events among the given ids that are here, with what their room rests on.
-- The lateral query with its OFFSET 0 makes the planner look each id up by the key. Left
-- free and without statistics, as early in a first sync, it reads the whole table. Kinds are joined
-- afterwards: else it reads all of them for each event.
WITH held AS MATERIALIZED (
    SELECT e.event_id, e.occurred_at, e.account_key, e.kind_key, e.room_key, e.room_source, e.class
    FROM (SELECT unnest(@event_ids::bigint[]) AS event_id) AS w
    CROSS JOIN LATERAL (
        SELECT o.event_id, o.occurred_at, o.account_key, o.kind_key, o.room_key, o.room_source, o.class
        FROM audit_event AS o
        WHERE o.portal_id = @portal_id AND o.event_id = w.event_id
        OFFSET 0
    ) AS e
)
SELECT h.event_id, h.occurred_at, h.account_key, h.room_key, h.room_source, h.class, k.action_id
FROM held AS h
INNER JOIN kind AS k ON k.portal_id = @portal_id AND k.kind_key = h.kind_key;

-- name: ListRangesHeld :many
-- The ranges of ids, both ends included, that have an event which is here, by their first ids.
SELECT r.first_id::bigint AS first_id
FROM (SELECT unnest(@first_ids::bigint[]) AS first_id, unnest(@last_ids::bigint[]) AS last_id) AS r
CROSS JOIN LATERAL (
    SELECT 1
    FROM audit_event AS o
    WHERE o.portal_id = @portal_id AND o.event_id BETWEEN r.first_id AND r.last_id
    ORDER BY o.event_id
    LIMIT 1
) AS e;

-- name: SetEventRooms :exec
-- Gives events another room (0: none), source or class. The caller recounts
-- the rollups in the same transaction.
UPDATE audit_event AS e
SET room_key = nullif(c.room_key, 0), room_source = c.room_source, class = c.class
FROM (
    SELECT
        unnest(@event_ids::bigint[]) AS event_id,
        unnest(@room_keys::integer[]) AS room_key,
        unnest(@room_sources::smallint[]) AS room_source,
        unnest(@classes::smallint[]) AS class
) AS c
WHERE e.portal_id = @portal_id AND e.event_id = c.event_id;

-- name: ListPendingHistory :many
-- What logs say of events which were not here when the log was read.
SELECT h.event_id, r.room_id, (m.actor_id IS NOT NULL)::boolean AS own_membership
FROM history_pending AS h
INNER JOIN room AS r ON r.portal_id = h.portal_id AND r.room_key = h.room_key
LEFT JOIN membership_change AS m
    ON m.portal_id = h.portal_id AND m.event_id = h.event_id AND m.actor_id = m.account_id
WHERE h.portal_id = @portal_id AND h.event_id = ANY(@event_ids::bigint[]);

-- name: AddPendingHistory :exec
INSERT INTO history_pending (portal_id, event_id, room_key)
SELECT @portal_id::integer, unnest(@event_ids::bigint[]), unnest(@room_keys::integer[])
ON CONFLICT DO NOTHING;

-- name: DeletePendingHistory :exec
DELETE FROM history_pending WHERE portal_id = @portal_id AND event_id = ANY(@event_ids::bigint[]);
