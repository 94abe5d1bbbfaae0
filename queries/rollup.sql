-- name: ListCountedDays :many
-- Those of the UTC days of which anything is counted. A day that has rows in room_day, account_day or event_hour has one in
-- event_day: who writes them keeps to that, since the rows of all other days are copied.
SELECT d.day::date AS day
FROM (SELECT unnest(@days::date[]) AS day) AS d
WHERE EXISTS (SELECT 1 FROM event_day AS e WHERE e.portal_id = @portal_id AND e.day = d.day);

-- name: CopyRoomDays :copyfrom
INSERT INTO room_day (
    portal_id, room_key, account_key, day, views, edits, manages,
    view_first_at, view_last_at, edit_first_at, edit_last_at, manage_first_at, manage_last_at
)
VALUES (@portal_id, @room_key, @account_key, @day, @views, @edits, @manages,
    @view_first_at, @view_last_at, @edit_first_at, @edit_last_at, @manage_first_at, @manage_last_at);

-- name: CopyAccountDays :copyfrom
INSERT INTO account_day (portal_id, account_key, day, events, last_at)
VALUES (@portal_id, @account_key, @day, @events, @last_at);

-- name: CopyEventHours :copyfrom
INSERT INTO event_hour (portal_id, hour, room_source, class, events)
VALUES (@portal_id, @hour, @room_source, @class, @events);

-- name: AddToRoomDays :exec
-- Adds counts, first and last times of events that were not counted yet. Counts of 0 and times in year 1 stand for none.
-- In key order, so that it can never deadlock with another writer.
INSERT INTO room_day AS d (
    portal_id, room_key, account_key, day, views, edits, manages,
    view_first_at, view_last_at, edit_first_at, edit_last_at, manage_first_at, manage_last_at
)
SELECT
    @portal_id::integer, g.room_key, g.account_key, g.day, nullif(g.views, 0), nullif(g.edits, 0), nullif(g.manages, 0),
    nullif(g.view_first_at, '0001-01-01 00:00:00+00'), nullif(g.view_last_at, '0001-01-01 00:00:00+00'),
    nullif(g.edit_first_at, '0001-01-01 00:00:00+00'), nullif(g.edit_last_at, '0001-01-01 00:00:00+00'),
    nullif(g.manage_first_at, '0001-01-01 00:00:00+00'), nullif(g.manage_last_at, '0001-01-01 00:00:00+00')
FROM (
    SELECT
        unnest(@room_keys::integer[]) AS room_key,
        unnest(@account_keys::integer[]) AS account_key,
        unnest(@days::date[]) AS day,
        unnest(@views::integer[]) AS views,
        unnest(@edits::integer[]) AS edits,
        unnest(@manages::integer[]) AS manages,
        unnest(@view_first_at::timestamptz[]) AS view_first_at,
        unnest(@view_last_at::timestamptz[]) AS view_last_at,
        unnest(@edit_first_at::timestamptz[]) AS edit_first_at,
        unnest(@edit_last_at::timestamptz[]) AS edit_last_at,
        unnest(@manage_first_at::timestamptz[]) AS manage_first_at,
        unnest(@manage_last_at::timestamptz[]) AS manage_last_at
) AS g
ORDER BY g.room_key, g.account_key, g.day
ON CONFLICT (portal_id, room_key, account_key, day) DO UPDATE SET
    views = nullif(coalesce(d.views, 0) + coalesce(excluded.views, 0), 0),
    edits = nullif(coalesce(d.edits, 0) + coalesce(excluded.edits, 0), 0),
    manages = nullif(coalesce(d.manages, 0) + coalesce(excluded.manages, 0), 0),
    view_first_at = least(d.view_first_at, excluded.view_first_at),
    view_last_at = greatest(d.view_last_at, excluded.view_last_at),
    edit_first_at = least(d.edit_first_at, excluded.edit_first_at),
    edit_last_at = greatest(d.edit_last_at, excluded.edit_last_at),
    manage_first_at = least(d.manage_first_at, excluded.manage_first_at),
    manage_last_at = greatest(d.manage_last_at, excluded.manage_last_at);

-- name: RaiseRoomLasts :exec
-- Notes the last times of events that were not counted yet, each room and account once. Times in year 1 stand for none.
-- A first sync goes backward in time and changes few rows: to look is cheaper than to run into a conflict.
INSERT INTO room_last AS l (portal_id, room_key, account_key, view_last_at, edit_last_at, manage_last_at)
SELECT
    @portal_id::integer, n.room_key, n.account_key,
    nullif(n.view_last_at, '0001-01-01 00:00:00+00'), nullif(n.edit_last_at, '0001-01-01 00:00:00+00'),
    nullif(n.manage_last_at, '0001-01-01 00:00:00+00')
FROM (
    SELECT
        unnest(@room_keys::integer[]) AS room_key,
        unnest(@account_keys::integer[]) AS account_key,
        unnest(@view_last_at::timestamptz[]) AS view_last_at,
        unnest(@edit_last_at::timestamptz[]) AS edit_last_at,
        unnest(@manage_last_at::timestamptz[]) AS manage_last_at
) AS n
LEFT JOIN LATERAL (
    SELECT o.view_last_at, o.edit_last_at, o.manage_last_at
    FROM room_last AS o
    WHERE o.portal_id = @portal_id AND o.room_key = n.room_key AND o.account_key = n.account_key
    OFFSET 0
) AS o ON true
WHERE n.view_last_at > coalesce(o.view_last_at, '0001-01-01 00:00:00+00')
    OR n.edit_last_at > coalesce(o.edit_last_at, '0001-01-01 00:00:00+00')
    OR n.manage_last_at > coalesce(o.manage_last_at, '0001-01-01 00:00:00+00')
ORDER BY n.room_key, n.account_key
ON CONFLICT (portal_id, room_key, account_key) DO UPDATE SET
    view_last_at = greatest(l.view_last_at, excluded.view_last_at),
    edit_last_at = greatest(l.edit_last_at, excluded.edit_last_at),
    manage_last_at = greatest(l.manage_last_at, excluded.manage_last_at);

-- name: AddToAccountDays :exec
-- As AddToRoomDays.
INSERT INTO account_day AS d (portal_id, account_key, day, events, last_at)
SELECT @portal_id::integer, a.account_key, a.day, a.events, a.last_at
FROM (
    SELECT
        unnest(@account_keys::integer[]) AS account_key,
        unnest(@days::date[]) AS day,
        unnest(@events::integer[]) AS events,
        unnest(@last_at::timestamptz[]) AS last_at
) AS a
ORDER BY a.account_key, a.day
ON CONFLICT (portal_id, account_key, day) DO UPDATE SET
    events = d.events + excluded.events,
    last_at = greatest(d.last_at, excluded.last_at);

-- name: RaiseAccountLasts :exec
-- As RaiseRoomLasts.
INSERT INTO account_last AS l (portal_id, account_key, last_at)
SELECT @portal_id::integer, n.account_key, n.last_at
FROM (SELECT unnest(@account_keys::integer[]) AS account_key, unnest(@last_at::timestamptz[]) AS last_at) AS n
LEFT JOIN LATERAL (
    SELECT o.last_at FROM account_last AS o WHERE o.portal_id = @portal_id AND o.account_key = n.account_key OFFSET 0
) AS o ON true
WHERE n.last_at > coalesce(o.last_at, '-infinity')
ORDER BY n.account_key
ON CONFLICT (portal_id, account_key) DO UPDATE SET last_at = excluded.last_at;

-- name: SubtractFromRoomDays :many
-- Takes events away that have left the given rows; counts of 0 stand for none. Returns rows that need more
-- than that: is_unsure, the first or the last of a class has left and another one has to be found, between first_at and last_at;
-- else a class has come to nothing, which room_last has to hear of; is_empty, all have.
WITH changed AS (
    UPDATE room_day AS d
    SET
        views = nullif(d.views - g.views, 0),
        edits = nullif(d.edits - g.edits, 0),
        manages = nullif(d.manages - g.manages, 0),
        view_first_at = CASE WHEN d.views <> g.views THEN d.view_first_at END,
        view_last_at = CASE WHEN d.views <> g.views THEN d.view_last_at END,
        edit_first_at = CASE WHEN d.edits <> g.edits THEN d.edit_first_at END,
        edit_last_at = CASE WHEN d.edits <> g.edits THEN d.edit_last_at END,
        manage_first_at = CASE WHEN d.manages <> g.manages THEN d.manage_first_at END,
        manage_last_at = CASE WHEN d.manages <> g.manages THEN d.manage_last_at END
    FROM (
        SELECT
            unnest(@room_keys::integer[]) AS room_key,
            unnest(@account_keys::integer[]) AS account_key,
            unnest(@days::date[]) AS day,
            unnest(@views::integer[]) AS views,
            unnest(@edits::integer[]) AS edits,
            unnest(@manages::integer[]) AS manages,
            unnest(@view_first_at::timestamptz[]) AS view_first_at,
            unnest(@view_last_at::timestamptz[]) AS view_last_at,
            unnest(@edit_first_at::timestamptz[]) AS edit_first_at,
            unnest(@edit_last_at::timestamptz[]) AS edit_last_at,
            unnest(@manage_first_at::timestamptz[]) AS manage_first_at,
            unnest(@manage_last_at::timestamptz[]) AS manage_last_at
    ) AS g
    WHERE d.portal_id = @portal_id AND d.room_key = g.room_key AND d.account_key = g.account_key AND d.day = g.day
    RETURNING
        d.room_key, d.account_key, d.day,
        (
            g.views > 0 AND (g.view_first_at <= d.view_first_at OR g.view_last_at >= d.view_last_at)
            OR g.edits > 0 AND (g.edit_first_at <= d.edit_first_at OR g.edit_last_at >= d.edit_last_at)
            OR g.manages > 0 AND (g.manage_first_at <= d.manage_first_at OR g.manage_last_at >= d.manage_last_at)
        ) IS TRUE AS is_unsure,
        g.views > 0 AND d.views IS NULL OR g.edits > 0 AND d.edits IS NULL OR g.manages > 0 AND d.manages IS NULL AS is_less,
        d.views IS NULL AND d.edits IS NULL AND d.manages IS NULL AS is_empty,
        least(d.view_first_at, d.edit_first_at, d.manage_first_at) AS first_at,
        greatest(d.view_last_at, d.edit_last_at, d.manage_last_at) AS last_at
)
SELECT
    c.room_key, c.account_key, c.day, c.is_unsure::boolean AS is_unsure, c.is_empty::boolean AS is_empty,
    coalesce(c.first_at, '0001-01-01 00:00:00+00')::timestamptz AS first_at,
    coalesce(c.last_at, '0001-01-01 00:00:00+00')::timestamptz AS last_at
FROM changed AS c
WHERE c.is_unsure OR c.is_less;

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
-- Counts the given rows anew from raw events of the given hours; rows that come to nothing stay away.
-- The lateral query with its OFFSET 0 makes the planner read the events of each hour by their time, and the
-- one around it once, so that a few hours of a long past cost no more than these
-- hours. Left free, it reads the whole table once the keys are five or more.
WITH touched AS (
    SELECT
        unnest(@room_keys::integer[]) AS room_key,
        unnest(@account_keys::integer[]) AS account_key,
        unnest(@days::date[]) AS day
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
FROM (
    SELECT o.*
    FROM (SELECT unnest(@hours::timestamptz[]) AS hour) AS h
    CROSS JOIN LATERAL (
        SELECT a.portal_id, a.room_key, a.account_key, a.class, a.occurred_at
        FROM audit_event AS a
        WHERE a.portal_id = @portal_id AND date_bin('1 hour', a.occurred_at, 'epoch') = h.hour AND a.class > 0
            -- Most of an hour's events are of others; a list of numbers is searched faster than rows are joined.
            AND a.account_key = ANY(@account_keys::integer[]) AND a.room_key = ANY(@room_keys::integer[])
        OFFSET 0
    ) AS o
    OFFSET 0
) AS e
INNER JOIN touched AS t
    ON t.day = (e.occurred_at AT TIME ZONE 'UTC')::date AND t.room_key = e.room_key AND t.account_key = e.account_key
GROUP BY e.portal_id, e.room_key, e.account_key, t.day
ORDER BY e.portal_id, e.room_key, e.account_key, t.day;

-- name: DeleteRoomLasts :exec
-- Clears the way for a recount of the given rows.
DELETE FROM room_last AS l
USING (
    SELECT unnest(@room_keys::integer[]) AS room_key, unnest(@account_keys::integer[]) AS account_key
) AS t
WHERE l.portal_id = @portal_id AND l.room_key = t.room_key AND l.account_key = t.account_key;

-- name: RecountRoomLasts :exec
-- Makes the given rows anew from room_day, which has been recounted before.
WITH touched AS (
    SELECT unnest(@room_keys::integer[]) AS room_key, unnest(@account_keys::integer[]) AS account_key
)
INSERT INTO room_last (portal_id, room_key, account_key, view_last_at, edit_last_at, manage_last_at)
SELECT d.portal_id, d.room_key, d.account_key, max(d.view_last_at), max(d.edit_last_at), max(d.manage_last_at)
FROM touched AS t
INNER JOIN room_day AS d ON d.portal_id = @portal_id AND d.room_key = t.room_key AND d.account_key = t.account_key
GROUP BY d.portal_id, d.room_key, d.account_key
ORDER BY d.portal_id, d.room_key, d.account_key;

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

-- name: DeleteAccountLasts :exec
-- Clears the way for a recount of the given rows.
DELETE FROM account_last WHERE portal_id = @portal_id AND account_key = ANY(@account_keys::integer[]);

-- name: RecountAccountLasts :exec
-- Makes the given rows anew from account_day, which has been recounted before.
INSERT INTO account_last (portal_id, account_key, last_at)
SELECT d.portal_id, d.account_key, max(d.last_at)
FROM account_day AS d
WHERE d.portal_id = @portal_id AND d.account_key = ANY(@account_keys::integer[])
GROUP BY d.portal_id, d.account_key
ORDER BY d.portal_id, d.account_key;

-- name: AddToEventHours :exec
-- Adds differences, negative ones too, in key order.
INSERT INTO event_hour AS h (portal_id, hour, room_source, class, events)
SELECT @portal_id::integer, a.hour, a.room_source, a.class, a.events
FROM (
    SELECT
        unnest(@hours::timestamptz[]) AS hour,
        unnest(@room_sources::smallint[]) AS room_source,
        unnest(@classes::smallint[]) AS class,
        unnest(@events::integer[]) AS events
) AS a
ORDER BY a.hour, a.room_source, a.class
ON CONFLICT (portal_id, hour, room_source, class) DO UPDATE SET events = h.events + excluded.events;

-- name: AddToEventDays :exec
-- As AddToEventHours.
INSERT INTO event_day AS d (portal_id, day, room_source, class, events)
SELECT @portal_id::integer, a.day, a.room_source, a.class, a.events
FROM (
    SELECT
        unnest(@days::date[]) AS day,
        unnest(@room_sources::smallint[]) AS room_source,
        unnest(@classes::smallint[]) AS class,
        unnest(@events::integer[]) AS events
) AS a
ORDER BY a.day, a.room_source, a.class
ON CONFLICT (portal_id, day, room_source, class) DO UPDATE SET events = d.events + excluded.events;

-- name: DeleteEmptyEventHours :exec
-- Of the given hours and of their days.
WITH days AS (
    DELETE FROM event_day AS d
    WHERE d.portal_id = @portal_id AND d.events = 0
        AND d.day IN (SELECT (unnest(@hours::timestamptz[]) AT TIME ZONE 'UTC')::date)
)
DELETE FROM event_hour AS h WHERE h.portal_id = @portal_id AND h.events = 0 AND h.hour = ANY(@hours::timestamptz[]);
