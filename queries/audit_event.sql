-- name: CopyStagedEvents :copyfrom
INSERT INTO staged_event (
    event_id, occurred_at, account_key, kind_key, client_key, page_key, context_key,
    room_key, class, room_source, target, description, actor_name, extra
)
VALUES (@event_id, @occurred_at, @account_key, @kind_key, @client_key, @page_key, @context_key,
    @room_key, @class, @room_source, @target, @description, @actor_name, @extra);

-- name: MergeStagedEvents :one
-- Moves the staged events that are not known yet into audit_event, in rising
-- id (a listed, falling order makes the primary key nearly twice as large),
-- and adds them to the rollups. Returns how many there were and the date of the
-- oldest, year 1 if there were none.
-- Adding is exact because only rows that were really inserted are added; it is
-- in key order so that it can never deadlock with another writer.
WITH fresh AS (
    INSERT INTO audit_event (
        portal_id, run_id, event_id, occurred_at, account_key, kind_key, client_key, page_key,
        context_key, room_key, class, room_source, target, description, actor_name, extra
    )
    SELECT
        @portal_id::integer, @run_id::integer, s.event_id, s.occurred_at, s.account_key, s.kind_key, s.client_key, s.page_key,
        s.context_key, s.room_key, s.class, s.room_source, s.target, s.description, s.actor_name, s.extra
    FROM staged_event AS s
    ORDER BY s.event_id
    ON CONFLICT DO NOTHING
    RETURNING portal_id, room_key, account_key, class, room_source, occurred_at, (occurred_at AT TIME ZONE 'UTC')::date AS day
),
rooms AS (
    INSERT INTO room_day AS d (
        portal_id, room_key, account_key, day, views, edits, manages,
        view_first_at, view_last_at, edit_first_at, edit_last_at, manage_first_at, manage_last_at
    )
    SELECT
        f.portal_id, f.room_key, f.account_key, f.day,
        nullif(count(*) FILTER (WHERE f.class = 1), 0),
        nullif(count(*) FILTER (WHERE f.class = 2), 0),
        nullif(count(*) FILTER (WHERE f.class = 3), 0),
        min(f.occurred_at) FILTER (WHERE f.class = 1), max(f.occurred_at) FILTER (WHERE f.class = 1),
        min(f.occurred_at) FILTER (WHERE f.class = 2), max(f.occurred_at) FILTER (WHERE f.class = 2),
        min(f.occurred_at) FILTER (WHERE f.class = 3), max(f.occurred_at) FILTER (WHERE f.class = 3)
    FROM fresh AS f
    WHERE f.room_key IS NOT NULL AND f.class > 0
    GROUP BY f.portal_id, f.room_key, f.account_key, f.day
    ORDER BY f.portal_id, f.room_key, f.account_key, f.day
    ON CONFLICT (portal_id, room_key, account_key, day) DO UPDATE SET
        views = nullif(coalesce(d.views, 0) + coalesce(excluded.views, 0), 0),
        edits = nullif(coalesce(d.edits, 0) + coalesce(excluded.edits, 0), 0),
        manages = nullif(coalesce(d.manages, 0) + coalesce(excluded.manages, 0), 0),
        view_first_at = least(d.view_first_at, excluded.view_first_at),
        view_last_at = greatest(d.view_last_at, excluded.view_last_at),
        edit_first_at = least(d.edit_first_at, excluded.edit_first_at),
        edit_last_at = greatest(d.edit_last_at, excluded.edit_last_at),
        manage_first_at = least(d.manage_first_at, excluded.manage_first_at),
        manage_last_at = greatest(d.manage_last_at, excluded.manage_last_at)
),
years AS (
    INSERT INTO room_year AS y (portal_id, year, room_key, account_key, view_days, edit_days, manage_days)
    SELECT
        f.portal_id, extract(year FROM f.day), f.room_key, f.account_key,
        bit_or(f.day_bit) FILTER (WHERE f.class = 1),
        bit_or(f.day_bit) FILTER (WHERE f.class = 2),
        bit_or(f.day_bit) FILTER (WHERE f.class = 3)
    FROM (
        SELECT r.*, B'1'::bit(366) >> (extract(doy FROM r.day)::integer - 1) AS day_bit
        FROM fresh AS r
        WHERE r.room_key IS NOT NULL AND r.class > 0
    ) AS f
    GROUP BY f.portal_id, extract(year FROM f.day), f.room_key, f.account_key
    ORDER BY f.portal_id, extract(year FROM f.day), f.room_key, f.account_key
    ON CONFLICT (portal_id, year, room_key, account_key) DO UPDATE SET
        view_days = coalesce(y.view_days | excluded.view_days, y.view_days, excluded.view_days),
        edit_days = coalesce(y.edit_days | excluded.edit_days, y.edit_days, excluded.edit_days),
        manage_days = coalesce(y.manage_days | excluded.manage_days, y.manage_days, excluded.manage_days)
    -- Most days have their bit already.
    WHERE coalesce(y.view_days | excluded.view_days, excluded.view_days) <> coalesce(y.view_days, B'0'::bit(366))
        OR coalesce(y.edit_days | excluded.edit_days, excluded.edit_days) <> coalesce(y.edit_days, B'0'::bit(366))
        OR coalesce(y.manage_days | excluded.manage_days, excluded.manage_days) <> coalesce(y.manage_days, B'0'::bit(366))
),
accounts AS (
    INSERT INTO account_day AS d (portal_id, account_key, day, events, last_at)
    SELECT f.portal_id, f.account_key, f.day, count(*), max(f.occurred_at)
    FROM fresh AS f
    WHERE f.class >= 0
    GROUP BY f.portal_id, f.account_key, f.day
    ORDER BY f.portal_id, f.account_key, f.day
    ON CONFLICT (portal_id, account_key, day) DO UPDATE SET
        events = d.events + excluded.events,
        last_at = greatest(d.last_at, excluded.last_at)
),
days AS (
    INSERT INTO event_day AS d (portal_id, day, room_source, class, events)
    SELECT f.portal_id, f.day, f.room_source, f.class, count(*)
    FROM fresh AS f
    GROUP BY f.portal_id, f.day, f.room_source, f.class
    ORDER BY f.portal_id, f.day, f.room_source, f.class
    ON CONFLICT (portal_id, day, room_source, class) DO UPDATE SET events = d.events + excluded.events
)
SELECT count(*) AS new_events, coalesce(min(f.occurred_at), '0001-01-01 00:00:00+00')::timestamptz AS oldest_new
FROM fresh AS f;

-- name: ListChangedIdentities :many
-- Staged events whose id is held already for another act: the portal has been
-- restored or moved and gives its ids anew. The date may differ by the hour, or
-- half of it, of a clock change.
SELECT s.event_id
FROM staged_event AS s
INNER JOIN audit_event AS e ON e.portal_id = @portal_id AND e.event_id = s.event_id
INNER JOIN kind AS known ON known.portal_id = @portal_id AND known.kind_key = e.kind_key
INNER JOIN kind AS listed ON listed.portal_id = @portal_id AND listed.kind_key = s.kind_key
WHERE e.account_key <> s.account_key
    OR known.action_id <> listed.action_id
    OR abs(extract(epoch FROM e.occurred_at - s.occurred_at)) NOT IN (0, 1800, 3600)
ORDER BY s.event_id
LIMIT 5;

-- name: CountHeld :one
-- How many rows the portal should list for a closed span: the events held, and
-- the items in quarantine from windows inside it. checked_at is when the part
-- that has been waiting longest was last checked.
SELECT
    (
        SELECT count(*) FROM audit_event AS e
        WHERE e.portal_id = @portal_id
            AND e.occurred_at BETWEEN @since AND @until
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
    AND e.occurred_at BETWEEN @since AND @until
    AND date_bin('1 hour', e.occurred_at, 'epoch') BETWEEN date_bin('1 hour', @since::timestamptz, 'epoch') AND @until;

-- name: GetIdentity :one
-- What tells an event from another one under the same id.
SELECT a.account_id, k.action_id, e.occurred_at
FROM audit_event AS e
INNER JOIN account AS a ON a.portal_id = e.portal_id AND a.account_key = e.account_key
INNER JOIN kind AS k ON k.portal_id = e.portal_id AND k.kind_key = e.kind_key
WHERE e.portal_id = @portal_id AND e.event_id = @event_id;

-- name: ListEventsToMove :many
-- Events that are held with a later date than they are staged with.
SELECT e.event_id, e.occurred_at, e.account_key, e.room_key, e.room_source, e.class, s.occurred_at AS moved_to, c.title
FROM staged_event AS s
INNER JOIN audit_event AS e ON e.portal_id = @portal_id AND e.event_id = s.event_id
LEFT JOIN context AS c ON c.portal_id = e.portal_id AND c.context_key = e.context_key
WHERE s.occurred_at < e.occurred_at
ORDER BY e.event_id;

-- name: MoveEvents :exec
UPDATE audit_event AS e
SET occurred_at = s.occurred_at
FROM staged_event AS s
WHERE e.portal_id = @portal_id AND e.event_id = s.event_id AND s.occurred_at < e.occurred_at;

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
SELECT e.event_id, e.occurred_at, e.account_key, e.room_key, e.room_source, e.class, k.action_id
FROM audit_event AS e
INNER JOIN kind AS k ON k.portal_id = e.portal_id AND k.kind_key = e.kind_key
WHERE e.portal_id = @portal_id AND e.event_id = ANY(@event_ids::bigint[]);

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
SELECT @portal_id::integer, unnest(@event_ids::bigint[]), @room_key::integer
ON CONFLICT DO NOTHING;

-- name: DeletePendingHistory :exec
DELETE FROM history_pending WHERE portal_id = @portal_id AND event_id = ANY(@event_ids::bigint[]);
