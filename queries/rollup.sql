-- name: DeleteRoomDays :exec
-- Clears the way for a recount of the given rows.
DELETE FROM room_day AS d
USING (
    SELECT
        unnest(@room_keys::integer[]) AS room_key,
        unnest(@account_keys::integer[]) AS account_key,
        unnest(@days::date[]) AS day
) AS t
WHERE d.portal_id = @portal_id AND d.room_key = t.room_key AND d.account_key = t.account_key AND d.day = t.day;

-- name: RecountRoomDays :exec
-- Counts the given rows anew from raw events; rows that come to nothing stay
-- away. A subtraction would not do: it keeps a wrong first and last.
-- The lateral query with its OFFSET 0 makes the planner read the events of each
-- touched day by their time, and once, so that a few days of a long past cost no more than these
-- days. Left free, it reads the whole table once the keys are five or more.
WITH touched AS (
    SELECT
        unnest(@room_keys::integer[]) AS room_key,
        unnest(@account_keys::integer[]) AS account_key,
        unnest(@days::date[]) AS day
),
days AS (
    SELECT DISTINCT day FROM touched
)
INSERT INTO room_day (
    portal_id, room_key, account_key, day, views, edits, manages,
    view_first_at, view_last_at, edit_first_at, edit_last_at, manage_first_at, manage_last_at
)
SELECT
    e.portal_id, e.room_key, e.account_key, t.day,
    nullif(count(*) FILTER (WHERE e.class = 1), 0),
    nullif(count(*) FILTER (WHERE e.class = 2), 0),
    nullif(count(*) FILTER (WHERE e.class = 3), 0),
    min(e.occurred_at) FILTER (WHERE e.class = 1), max(e.occurred_at) FILTER (WHERE e.class = 1),
    min(e.occurred_at) FILTER (WHERE e.class = 2), max(e.occurred_at) FILTER (WHERE e.class = 2),
    min(e.occurred_at) FILTER (WHERE e.class = 3), max(e.occurred_at) FILTER (WHERE e.class = 3)
FROM days AS d
CROSS JOIN LATERAL (
    SELECT o.portal_id, o.room_key, o.account_key, o.class, o.occurred_at
    FROM audit_event AS o
    WHERE o.portal_id = @portal_id
        AND date_bin('1 hour', o.occurred_at, 'epoch') >= d.day::timestamp AT TIME ZONE 'UTC'
        AND date_bin('1 hour', o.occurred_at, 'epoch') < (d.day + 1)::timestamp AT TIME ZONE 'UTC'
        AND o.class > 0
    OFFSET 0
) AS e
INNER JOIN touched AS t ON t.day = d.day AND t.room_key = e.room_key AND t.account_key = e.account_key
GROUP BY e.portal_id, e.room_key, e.account_key, t.day
ORDER BY e.portal_id, e.room_key, e.account_key, t.day;

-- name: DeleteRoomYears :exec
-- Clears the way for a recount of the given rows.
DELETE FROM room_year AS y
USING (
    SELECT
        unnest(@room_keys::integer[]) AS room_key,
        unnest(@account_keys::integer[]) AS account_key,
        unnest(@years::smallint[]) AS year
) AS t
WHERE y.portal_id = @portal_id AND y.year = t.year AND y.room_key = t.room_key AND y.account_key = t.account_key;

-- name: RecountRoomYears :exec
-- Makes the given rows anew from room_day, which has been recounted before.
WITH touched AS (
    SELECT
        unnest(@room_keys::integer[]) AS room_key,
        unnest(@account_keys::integer[]) AS account_key,
        unnest(@years::smallint[]) AS year
)
INSERT INTO room_year (portal_id, year, room_key, account_key, view_days, edit_days, manage_days)
SELECT
    d.portal_id, t.year, d.room_key, d.account_key,
    bit_or(B'1'::bit(366) >> (extract(doy FROM d.day)::integer - 1)) FILTER (WHERE d.views > 0),
    bit_or(B'1'::bit(366) >> (extract(doy FROM d.day)::integer - 1)) FILTER (WHERE d.edits > 0),
    bit_or(B'1'::bit(366) >> (extract(doy FROM d.day)::integer - 1)) FILTER (WHERE d.manages > 0)
FROM touched AS t
INNER JOIN room_day AS d
    ON d.portal_id = @portal_id AND d.room_key = t.room_key AND d.account_key = t.account_key
    AND d.day >= make_date(t.year, 1, 1) AND d.day <= make_date(t.year, 12, 31)
GROUP BY d.portal_id, t.year, d.room_key, d.account_key
ORDER BY d.portal_id, t.year, d.room_key, d.account_key;

-- name: DeleteAccountDays :exec
-- Clears the way for a recount of the given rows.
DELETE FROM account_day AS d
USING (
    SELECT unnest(@account_keys::integer[]) AS account_key, unnest(@days::date[]) AS day
) AS t
WHERE d.portal_id = @portal_id AND d.account_key = t.account_key AND d.day = t.day;

-- name: RecountAccountDays :exec
-- Counts the given rows anew from raw events, as RecountRoomDays.
WITH touched AS (
    SELECT unnest(@account_keys::integer[]) AS account_key, unnest(@days::date[]) AS day
),
days AS (
    SELECT DISTINCT day FROM touched
)
INSERT INTO account_day (portal_id, account_key, day, events, last_at)
SELECT e.portal_id, e.account_key, t.day, count(*), max(e.occurred_at)
FROM days AS d
CROSS JOIN LATERAL (
    SELECT o.portal_id, o.account_key, o.occurred_at
    FROM audit_event AS o
    WHERE o.portal_id = @portal_id
        AND date_bin('1 hour', o.occurred_at, 'epoch') >= d.day::timestamp AT TIME ZONE 'UTC'
        AND date_bin('1 hour', o.occurred_at, 'epoch') < (d.day + 1)::timestamp AT TIME ZONE 'UTC'
        AND o.class >= 0
    OFFSET 0
) AS e
INNER JOIN touched AS t ON t.day = d.day AND t.account_key = e.account_key
GROUP BY e.portal_id, e.account_key, t.day
ORDER BY e.portal_id, e.account_key, t.day;

-- name: AddToEventDays :exec
-- Adds differences, negative ones too.
INSERT INTO event_day AS d (portal_id, day, room_source, class, events)
SELECT
    @portal_id::integer, unnest(@days::date[]), unnest(@room_sources::smallint[]),
    unnest(@classes::smallint[]), unnest(@events::bigint[])
ON CONFLICT (portal_id, day, room_source, class) DO UPDATE SET events = d.events + excluded.events;

-- name: DeleteEmptyEventDays :exec
DELETE FROM event_day WHERE portal_id = @portal_id AND events = 0 AND day = ANY(@days::date[]);
