-- A day is given as a date and as the instants that it begins and ends at.

-- name: NextDayHeld :one
-- The first UTC day from since on that raw events or rollups of days have; infinity if there is none.
SELECT coalesce(least(
    (
        SELECT (min(date_bin('1 hour', e.occurred_at, 'epoch')) AT TIME ZONE 'UTC')::date
        FROM audit_event AS e
        WHERE e.portal_id = @portal_id AND date_bin('1 hour', e.occurred_at, 'epoch') >= @begins
    ),
    (SELECT min(d.day) FROM room_day AS d WHERE d.portal_id = @portal_id AND d.day >= @since::date),
    (SELECT min(d.day) FROM account_day AS d WHERE d.portal_id = @portal_id AND d.day >= @since),
    (SELECT (min(h.hour) AT TIME ZONE 'UTC')::date FROM event_hour AS h WHERE h.portal_id = @portal_id AND h.hour >= @begins),
    (SELECT min(d.day) FROM event_day AS d WHERE d.portal_id = @portal_id AND d.day >= @since)
), '9999-12-31')::date AS day;

-- name: GetLastRoomKey :one
SELECT coalesce(max(room_key), 0)::integer AS room_key FROM room WHERE portal_id = @portal_id;

-- name: ListClassEvidence :many
-- What the class of a day's events rests on, by what it is, and how many events
-- have it; or each event for itself, with its id. An event is_torn if something it
-- names is not there.
SELECT
    coalesce(CASE WHEN @by_event::boolean THEN e.event_id END, 0)::bigint AS event_id,
    coalesce(k.action_id, 0)::integer AS action_id, k.type, k.product,
    coalesce(a.account_id = ANY(@nobodies::text[]), false)::boolean AS is_nobody,
    (c.ip IS NOT NULL)::boolean AS has_ip,
    (c.browser IS NOT NULL)::boolean AS has_browser,
    (e.page_key IS NOT NULL)::boolean AS has_page,
    CASE
        WHEN e.extra IS NULL THEN ''
        WHEN jsonb_typeof(e.extra -> 'entityType') = 'string' AND e.extra ->> 'entityType' <> '' THEN e.extra ->> 'entityType'
        WHEN jsonb_typeof(e.extra -> 'targetType') = 'string' AND e.extra ->> 'targetType' <> '' THEN e.extra ->> 'targetType'
        WHEN jsonb_typeof(e.extra -> 'entity') IN ('string', 'object') THEN e.extra ->> 'entity'
        ELSE ''
    END::text AS entity_type,
    CASE
        WHEN k.action_id = ANY(@joins::integer[]) THEN EXISTS (
            SELECT 1 FROM membership_change AS m
            WHERE m.portal_id = @portal_id AND m.event_id = e.event_id AND m.actor_id = m.account_id
        )
        ELSE false
    END::boolean AS own_membership,
    e.class,
    (
        a.account_key IS NULL OR k.kind_key IS NULL OR c.client_key IS NULL
        OR e.page_key IS NOT NULL AND p.page_key IS NULL
        OR e.context_key IS NOT NULL AND x.context_key IS NULL
        OR e.room_key IS NOT NULL AND r.room_key IS NULL
    )::boolean AS is_torn,
    count(*) AS events
FROM audit_event AS e
LEFT JOIN kind AS k ON k.portal_id = e.portal_id AND k.kind_key = e.kind_key
LEFT JOIN account AS a ON a.portal_id = e.portal_id AND a.account_key = e.account_key
LEFT JOIN client AS c ON c.portal_id = e.portal_id AND c.client_key = e.client_key
LEFT JOIN page AS p ON p.portal_id = e.portal_id AND p.page_key = e.page_key
LEFT JOIN context AS x ON x.portal_id = e.portal_id AND x.context_key = e.context_key
LEFT JOIN room AS r ON r.portal_id = e.portal_id AND r.room_key = e.room_key
WHERE e.portal_id = @portal_id
    AND date_bin('1 hour', e.occurred_at, 'epoch') >= @begins
    AND date_bin('1 hour', e.occurred_at, 'epoch') < @ends
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12;

-- name: ListWrongRoomDays :many
-- The rows of a day that a recount of raw events does not give, and those that
-- it gives and are not there.
SELECT coalesce(c.room_key, d.room_key)::integer AS room_key, coalesce(c.account_key, d.account_key)::integer AS account_key
FROM (
    SELECT
        e.room_key, e.account_key,
        nullif(count(*) FILTER (WHERE e.class = 1), 0) AS views,
        nullif(count(*) FILTER (WHERE e.class = 2), 0) AS edits,
        nullif(count(*) FILTER (WHERE e.class = 3), 0) AS manages,
        min(e.occurred_at) FILTER (WHERE e.class = 1) AS view_first_at, max(e.occurred_at) FILTER (WHERE e.class = 1) AS view_last_at,
        min(e.occurred_at) FILTER (WHERE e.class = 2) AS edit_first_at, max(e.occurred_at) FILTER (WHERE e.class = 2) AS edit_last_at,
        min(e.occurred_at) FILTER (WHERE e.class = 3) AS manage_first_at, max(e.occurred_at) FILTER (WHERE e.class = 3) AS manage_last_at
    FROM audit_event AS e
    WHERE e.portal_id = @portal_id
        AND date_bin('1 hour', e.occurred_at, 'epoch') >= @begins
        AND date_bin('1 hour', e.occurred_at, 'epoch') < @ends
        AND e.room_key IS NOT NULL AND e.class > 0
    GROUP BY e.room_key, e.account_key
) AS c
FULL JOIN (SELECT * FROM room_day AS s WHERE s.portal_id = @portal_id AND s.day = @day::date) AS d
    ON d.room_key = c.room_key AND d.account_key = c.account_key
WHERE
    (c.room_key, c.views, c.edits, c.manages, c.view_first_at, c.view_last_at, c.edit_first_at, c.edit_last_at, c.manage_first_at, c.manage_last_at)
    IS DISTINCT FROM
    (d.room_key, d.views, d.edits, d.manages, d.view_first_at, d.view_last_at, d.edit_first_at, d.edit_last_at, d.manage_first_at, d.manage_last_at)
ORDER BY 1, 2;

-- name: ListWrongAccountDays :many
-- As ListWrongRoomDays.
SELECT coalesce(c.account_key, d.account_key)::integer AS account_key
FROM (
    SELECT e.account_key, count(*) AS events, max(e.occurred_at) AS last_at
    FROM audit_event AS e
    WHERE e.portal_id = @portal_id
        AND date_bin('1 hour', e.occurred_at, 'epoch') >= @begins
        AND date_bin('1 hour', e.occurred_at, 'epoch') < @ends
        AND e.class >= 0
    GROUP BY e.account_key
) AS c
FULL JOIN (SELECT * FROM account_day AS s WHERE s.portal_id = @portal_id AND s.day = @day::date) AS d ON d.account_key = c.account_key
WHERE (c.account_key, c.events, c.last_at) IS DISTINCT FROM (d.account_key, d.events, d.last_at)
ORDER BY 1;

-- name: CountWrongEventHours :one
-- How many rows of event_hour and of event_day are wrong, as in ListWrongRoomDays, and how many events the day has.
WITH counted AS (
    SELECT date_bin('1 hour', e.occurred_at, 'epoch') AS hour, e.room_source, e.class, count(*) AS events
    FROM audit_event AS e
    WHERE e.portal_id = @portal_id
        AND date_bin('1 hour', e.occurred_at, 'epoch') >= @begins
        AND date_bin('1 hour', e.occurred_at, 'epoch') < @ends
    GROUP BY 1, 2, 3
)
SELECT
    (
        SELECT count(*)
        FROM counted AS c
        FULL JOIN (SELECT * FROM event_hour AS s WHERE s.portal_id = @portal_id AND s.hour >= @begins AND s.hour < @ends) AS h
            ON h.hour = c.hour AND h.room_source = c.room_source AND h.class = c.class
        WHERE c.events IS DISTINCT FROM h.events
    )::bigint AS wrong_hours,
    (
        SELECT count(*)
        FROM (SELECT a.room_source, a.class, sum(a.events) AS events FROM counted AS a GROUP BY a.room_source, a.class) AS c
        FULL JOIN (SELECT * FROM event_day AS b WHERE b.portal_id = @portal_id AND b.day = @day::date) AS d
            ON d.room_source = c.room_source AND d.class = c.class
        WHERE c.events IS DISTINCT FROM d.events
    )::bigint AS wrong_days,
    coalesce((SELECT sum(c.events) FROM counted AS c), 0)::bigint AS events;

-- name: DeleteEventHours :exec
-- Clears the way for a recount of the day and its hours.
WITH days AS (
    DELETE FROM event_day AS d WHERE d.portal_id = @portal_id AND d.day = @day::date
)
DELETE FROM event_hour AS h WHERE h.portal_id = @portal_id AND h.hour >= @begins AND h.hour < @ends;

-- name: RecountEventHours :exec
-- Counts the day and its hours.
WITH counted AS (
    SELECT e.portal_id, date_bin('1 hour', e.occurred_at, 'epoch') AS hour, e.room_source, e.class, count(*) AS events
    FROM audit_event AS e
    WHERE e.portal_id = @portal_id
        AND date_bin('1 hour', e.occurred_at, 'epoch') >= @begins
        AND date_bin('1 hour', e.occurred_at, 'epoch') < @ends
    GROUP BY 1, 2, 3, 4
),
days AS (
    INSERT INTO event_day (portal_id, day, room_source, class, events)
    SELECT c.portal_id, @day::date, c.room_source, c.class, sum(c.events)
    FROM counted AS c
    GROUP BY c.portal_id, c.room_source, c.class
    ORDER BY c.room_source, c.class
)
INSERT INTO event_hour (portal_id, hour, room_source, class, events)
SELECT c.portal_id, c.hour, c.room_source, c.class, c.events
FROM counted AS c
ORDER BY c.hour, c.room_source, c.class;

-- name: ListWrongRoomLasts :many
-- The rows of some rooms that room_day does not give, and those that it gives and are not there.
SELECT coalesce(c.room_key, l.room_key)::integer AS room_key, coalesce(c.account_key, l.account_key)::integer AS account_key
FROM (
    SELECT
        d.room_key, d.account_key,
        max(d.view_last_at) AS view_last_at, max(d.edit_last_at) AS edit_last_at, max(d.manage_last_at) AS manage_last_at
    FROM room_day AS d
    WHERE d.portal_id = @portal_id AND d.room_key BETWEEN @first_room AND @last_room
    GROUP BY d.room_key, d.account_key
) AS c
FULL JOIN (
    SELECT * FROM room_last AS s WHERE s.portal_id = @portal_id AND s.room_key BETWEEN @first_room AND @last_room
) AS l ON l.room_key = c.room_key AND l.account_key = c.account_key
WHERE (c.room_key, c.view_last_at, c.edit_last_at, c.manage_last_at) IS DISTINCT FROM (l.room_key, l.view_last_at, l.edit_last_at, l.manage_last_at)
ORDER BY 1, 2;

-- name: GetLastAccountKey :one
SELECT coalesce(max(account_key), 0)::integer AS account_key FROM account WHERE portal_id = @portal_id;

-- name: ListWrongAccountLasts :many
-- As ListWrongRoomLasts, from account_day.
SELECT coalesce(c.account_key, l.account_key)::integer AS account_key
FROM (
    SELECT d.account_key, max(d.last_at) AS last_at
    FROM account_day AS d
    WHERE d.portal_id = @portal_id AND d.account_key BETWEEN @first_account AND @last_account
    GROUP BY d.account_key
) AS c
FULL JOIN (
    SELECT * FROM account_last AS s WHERE s.portal_id = @portal_id AND s.account_key BETWEEN @first_account AND @last_account
) AS l ON l.account_key = c.account_key
WHERE (c.account_key, c.last_at) IS DISTINCT FROM (l.account_key, l.last_at)
ORDER BY 1;

-- name: ListWindowsFrom :many
-- A chunk of the complete windows from since on, oldest first, with how many
-- rows are held for each, and whether it reaches into the next one.
SELECT
    w.window_from, w.window_to, w.rows,
    coalesce(lead(w.window_from) OVER (ORDER BY w.window_from) < w.window_to, false)::boolean AS overlaps,
    (
        SELECT count(*) FROM audit_event AS e
        WHERE e.portal_id = @portal_id
            AND (e.occurred_at BETWEEN w.window_from AND w.window_to) IS TRUE
            AND date_bin('1 hour', e.occurred_at, 'epoch') BETWEEN date_bin('1 hour', w.window_from, 'epoch') AND w.window_to
    ) + (
        SELECT count(*) FROM quarantine AS q
        WHERE q.portal_id = @portal_id AND q.window_from >= w.window_from AND q.window_to <= w.window_to
    ) AS held
FROM (
    SELECT * FROM sync_window AS s
    WHERE s.portal_id = @portal_id AND s.window_from >= @since
    ORDER BY s.window_from
    LIMIT @chunk
) AS w
ORDER BY w.window_from;

-- name: ListWrongComplete :many
-- Spans that are called complete and have no window, and those of windows that are not, oldest first.
SELECT lower(r)::timestamptz AS span_from, upper(r)::timestamptz AS span_to
FROM (
    SELECT unnest((kept.spans - made.spans) + (made.spans - kept.spans)) AS r
    FROM (
        SELECT coalesce(range_agg(tstzrange(w.window_from, w.window_to)), '{}'::tstzmultirange) AS spans
        FROM sync_window AS w
        WHERE w.portal_id = @portal_id
    ) AS made
    CROSS JOIN (
        SELECT coalesce((SELECT c.spans FROM sync_complete AS c WHERE c.portal_id = @portal_id), '{}'::tstzmultirange) AS spans
    ) AS kept
) AS wrong
ORDER BY 1;

-- name: RemakeComplete :exec
INSERT INTO sync_complete (portal_id, spans)
SELECT @portal_id, coalesce(range_agg(tstzrange(w.window_from, w.window_to)), '{}'::tstzmultirange)
FROM sync_window AS w
WHERE w.portal_id = @portal_id
ON CONFLICT (portal_id) DO UPDATE SET spans = excluded.spans;
