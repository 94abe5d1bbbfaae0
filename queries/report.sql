-- A window is given in parts: the whole UTC days [first_day, last_day), which
-- the rollups answer, and two ragged edges, which raw events answer. An edge
-- that is not there is empty (since = until).
-- Times that are not known come as year 1, the zero time of Go: sqlc takes
-- every expression for not null.

-- name: ListMemberActivity :many
-- One row per room and member as of until, with what the member did there in
-- the window and when last before its end. Members come from the room's own
-- list, from groups, and from the group Everyone, which stands for all active
-- accounts but guests; a person's own right beats that of groups, and the
-- highest of the groups counts. With only_account, not 0, only_room's one member is read.
-- A member with as many active days as events are enough is active for certain, which
-- room_year tells in a glance: of them events is the number of active days and of events on the
-- edges, and last_active_at may be unknown. With enough = 0 everything is exact.
WITH grants AS (
    SELECT m.room_key, m.account_key, true AS is_own, m.access, m.is_owner, m.joined_at, m.joined_after
    FROM room_member AS m
    WHERE m.portal_id = @portal_id AND m.valid_from <= @until AND m.valid_to > @until
    UNION ALL
    SELECT
        g.room_key, p.account_key, false, g.access, false,
        CASE WHEN '-infinity' IN (g.joined_at, p.valid_from) THEN '-infinity' ELSE greatest(g.joined_at, p.valid_from) END,
        greatest(g.joined_after, p.joined_after)
    FROM room_group AS g
    INNER JOIN group_member AS p
        ON p.portal_id = g.portal_id AND p.group_key = g.group_key
        AND p.valid_from <= @until AND p.valid_to > @until
    WHERE g.portal_id = @portal_id AND g.valid_from <= @until AND g.valid_to > @until
    UNION ALL
    SELECT
        g.room_key, a.account_key, false, g.access, false,
        CASE WHEN g.joined_at = '-infinity' THEN '-infinity' ELSE greatest(g.joined_at, a.registered_at) END,
        greatest(g.joined_after, a.registered_at)
    FROM room_group AS g
    INNER JOIN people_group AS pg
        ON pg.portal_id = g.portal_id AND pg.group_key = g.group_key AND pg.group_id = @everyone::text
    INNER JOIN account AS a
        ON a.portal_id = g.portal_id AND a.status = 1 AND NOT a.is_guest
        AND coalesce(a.registered_at, '-infinity') <= @until
    WHERE g.portal_id = @portal_id AND g.valid_from <= @until AND g.valid_to > @until
),
members AS (
    SELECT DISTINCT ON (g.room_key, g.account_key)
        g.room_key, g.account_key, g.access, g.is_owner,
        min(g.joined_at) OVER paths AS joined_at,
        min(g.joined_after) OVER paths AS joined_after
    FROM grants AS g
    WINDOW paths AS (PARTITION BY g.room_key, g.account_key)
    ORDER BY
        g.room_key, g.account_key, g.is_own DESC,
        array_position(ARRAY[1, 9, 11, 10, 7, 8, 5, 6, 2]::smallint[], g.access)
),
active AS (
    SELECT y.room_key, y.account_key, sum(bit_count(substring(y.days FROM y.skipped + 1 FOR y.seen)))::bigint AS days
    FROM (
        SELECT
            r.room_key, r.account_key,
            greatest(w.first_day - make_date(r.year, 1, 1), 0) AS skipped,
            greatest(least(w.last_day - make_date(r.year, 1, 1), 366) - greatest(w.first_day - make_date(r.year, 1, 1), 0), 0) AS seen,
            CASE WHEN @views::boolean THEN coalesce(r.view_days, B'0'::bit(366)) ELSE B'0'::bit(366) END
            | CASE WHEN @edits::boolean THEN coalesce(r.edit_days, B'0'::bit(366)) ELSE B'0'::bit(366) END
            | CASE WHEN @manages::boolean THEN coalesce(r.manage_days, B'0'::bit(366)) ELSE B'0'::bit(366) END AS days
        FROM (SELECT @first_day::date AS first_day, @last_day::date AS last_day) AS w
        INNER JOIN room_year AS r
            ON r.portal_id = @portal_id
            AND r.year BETWEEN extract(year FROM w.first_day)::smallint AND extract(year FROM w.last_day)::smallint
        WHERE @enough::bigint > 0
    ) AS y
    INNER JOIN members AS m ON m.room_key = y.room_key AND m.account_key = y.account_key
    GROUP BY y.room_key, y.account_key
),
busy AS (
    SELECT a.room_key, a.account_key, a.days, CASE WHEN a.days >= @enough THEN a.days ELSE 0 END AS sure_days
    FROM active AS a
    WHERE a.days > 0
),
known_days AS (
    SELECT d.room_key, d.account_key, d.views, d.edits, d.manages, d.view_last_at, d.edit_last_at, d.manage_last_at
    FROM room_day AS d
    WHERE @enough = 0 AND d.portal_id = @portal_id AND d.day >= @first_day::date AND d.day < @last_day::date
        AND (@only_account::integer = 0 OR d.account_key = @only_account::integer)
    UNION ALL
    -- Of members with fewer active days than that, and of unresolved titles, the numbers count.
    SELECT d.room_key, d.account_key, d.views, d.edits, d.manages, d.view_last_at, d.edit_last_at, d.manage_last_at
    FROM busy AS a
    INNER JOIN room_day AS d ON d.portal_id = @portal_id AND d.room_key = a.room_key AND d.account_key = a.account_key
    WHERE a.days < @enough AND d.day >= @first_day::date AND d.day < @last_day::date
    UNION ALL
    SELECT d.room_key, d.account_key, d.views, d.edits, d.manages, d.view_last_at, d.edit_last_at, d.manage_last_at
    FROM room AS u
    INNER JOIN room_day AS d ON d.portal_id = u.portal_id AND d.room_key = u.room_key
    WHERE @enough > 0 AND u.portal_id = @portal_id AND u.is_unresolved AND d.day >= @first_day::date AND d.day < @last_day::date
),
acts AS (
    SELECT
        d.room_key, d.account_key,
        CASE WHEN @views::boolean THEN coalesce(d.views, 0) ELSE 0 END
        + CASE WHEN @edits::boolean THEN coalesce(d.edits, 0) ELSE 0 END
        + CASE WHEN @manages::boolean THEN coalesce(d.manages, 0) ELSE 0 END AS events,
        greatest(
            CASE WHEN @views::boolean THEN d.view_last_at END,
            CASE WHEN @edits::boolean THEN d.edit_last_at END,
            CASE WHEN @manages::boolean THEN d.manage_last_at END
        ) AS last_at
    FROM known_days AS d
    UNION ALL
    SELECT e.room_key, e.account_key, 1, e.occurred_at
    FROM audit_event AS e
    WHERE e.portal_id = @portal_id
        AND (
            e.occurred_at >= @head_since AND e.occurred_at < @head_until
            AND date_bin('1 hour', e.occurred_at, 'epoch') BETWEEN date_bin('1 hour', @head_since::timestamptz, 'epoch') AND @head_until
            OR e.occurred_at >= @tail_since AND e.occurred_at < @tail_until
            AND date_bin('1 hour', e.occurred_at, 'epoch') BETWEEN date_bin('1 hour', @tail_since::timestamptz, 'epoch') AND @tail_until
        )
        AND e.room_key IS NOT NULL
        AND e.class = ANY(@classes::smallint[])
        AND (@only_account::integer = 0 OR e.account_key = @only_account::integer)
),
counted AS (
    SELECT a.room_key, a.account_key, sum(a.events)::bigint AS events, max(a.last_at) AS last_at
    FROM acts AS a
    GROUP BY a.room_key, a.account_key
    HAVING sum(a.events) > 0
),
titles AS (
    SELECT r.room_key, r.title FROM room AS r WHERE r.portal_id = @portal_id AND NOT r.is_unresolved
    UNION
    SELECT rr.room_key, rr.old_title FROM room_rename AS rr WHERE rr.portal_id = @portal_id
),
doubtful AS (
    SELECT t.room_key, c.account_key, sum(c.events)::bigint AS events
    FROM counted AS c
    INNER JOIN room AS u ON u.portal_id = @portal_id AND u.room_key = c.room_key AND u.is_unresolved
    INNER JOIN titles AS t ON t.title = u.room_id
    GROUP BY t.room_key, c.account_key
),
today AS (
    SELECT
        e.room_key, e.account_key,
        max(e.occurred_at) FILTER (WHERE e.class = ANY(@classes::smallint[])) AS active_at,
        max(e.occurred_at) AS seen_at
    FROM audit_event AS e
    WHERE e.portal_id = @portal_id
        AND e.occurred_at >= @until_day AND e.occurred_at < @until
        AND date_bin('1 hour', e.occurred_at, 'epoch') BETWEEN date_bin('1 hour', @until_day::timestamptz, 'epoch') AND @until
        AND e.class >= 0
        AND (@only_account::integer = 0 OR e.account_key = @only_account::integer)
    GROUP BY e.room_key, e.account_key
),
seen AS (
    SELECT w.account_key, coalesce(max(t.seen_at), before.last_at) AS last_at
    FROM (SELECT DISTINCT m.account_key FROM members AS m) AS w
    LEFT JOIN today AS t ON t.account_key = w.account_key
    LEFT JOIN LATERAL (
        SELECT d.last_at
        FROM account_day AS d
        WHERE d.portal_id = @portal_id AND d.account_key = w.account_key AND d.day < @until_date::date
        ORDER BY d.day DESC
        LIMIT 1
    ) AS before ON true
    GROUP BY w.account_key, before.last_at
)
SELECT
    r.room_id, a.account_id, a.name, a.email, a.status, a.is_guest, a.registered_at,
    m.access, m.is_owner,
    coalesce(nullif(m.joined_at, '-infinity'), '0001-01-01 00:00:00+00')::timestamptz AS joined_at,
    coalesce(nullif(m.joined_after, '-infinity'), '0001-01-01 00:00:00+00')::timestamptz AS joined_after,
    (coalesce(c.events, 0) + coalesce(n.sure_days, 0))::bigint AS events,
    coalesce(x.events, 0)::bigint AS doubtful_events,
    coalesce(greatest(c.last_at, t.active_at, before.active_at), '0001-01-01 00:00:00+00')::timestamptz AS last_active_at,
    coalesce(s.last_at, '0001-01-01 00:00:00+00')::timestamptz AS last_seen_at
FROM members AS m
INNER JOIN room AS r ON r.portal_id = @portal_id AND r.room_key = m.room_key
INNER JOIN account AS a ON a.portal_id = @portal_id AND a.account_key = m.account_key
LEFT JOIN counted AS c ON c.room_key = m.room_key AND c.account_key = m.account_key
LEFT JOIN doubtful AS x ON x.room_key = m.room_key AND x.account_key = m.account_key
LEFT JOIN today AS t ON t.room_key = m.room_key AND t.account_key = m.account_key
LEFT JOIN seen AS s ON s.account_key = m.account_key
LEFT JOIN busy AS n ON n.room_key = m.room_key AND n.account_key = m.account_key
-- Only where the window says nothing of it.
LEFT JOIN LATERAL (
    SELECT greatest(
        CASE WHEN @views::boolean THEN d.view_last_at END,
        CASE WHEN @edits::boolean THEN d.edit_last_at END,
        CASE WHEN @manages::boolean THEN d.manage_last_at END
    ) AS active_at
    FROM room_day AS d
    WHERE c.last_at IS NULL AND n.days IS NULL
        AND d.portal_id = @portal_id AND d.room_key = m.room_key AND d.account_key = m.account_key
        AND d.day < @until_date::date
        AND (
            @views::boolean AND d.views > 0
            OR @edits::boolean AND d.edits > 0
            OR @manages::boolean AND d.manages > 0
        )
    ORDER BY d.day DESC
    LIMIT 1
) AS before ON true
WHERE @only_account::integer = 0 OR m.room_key = @only_room::integer AND m.account_key = @only_account::integer
ORDER BY r.room_id COLLATE "C", a.account_id COLLATE "C";

-- name: ListActivity :many
-- One row per room and account with counted events in the window, unresolved
-- titles left out. is_member is as of until.
WITH acts AS (
    SELECT
        d.room_key, d.account_key, d.day,
        coalesce(d.views, 0) AS views, coalesce(d.edits, 0) AS edits, coalesce(d.manages, 0) AS manages,
        least(d.view_first_at, d.edit_first_at, d.manage_first_at) AS first_at,
        greatest(d.view_last_at, d.edit_last_at, d.manage_last_at) AS last_at
    FROM room_day AS d
    WHERE d.portal_id = @portal_id AND d.day >= @first_day::date AND d.day < @last_day::date
    UNION ALL
    SELECT
        e.room_key, e.account_key, (e.occurred_at AT TIME ZONE 'UTC')::date,
        (e.class = 1)::integer, (e.class = 2)::integer, (e.class = 3)::integer,
        e.occurred_at, e.occurred_at
    FROM audit_event AS e
    WHERE e.portal_id = @portal_id
        AND (
            e.occurred_at >= @head_since AND e.occurred_at < @head_until
            AND date_bin('1 hour', e.occurred_at, 'epoch') BETWEEN date_bin('1 hour', @head_since::timestamptz, 'epoch') AND @head_until
            OR e.occurred_at >= @tail_since AND e.occurred_at < @tail_until
            AND date_bin('1 hour', e.occurred_at, 'epoch') BETWEEN date_bin('1 hour', @tail_since::timestamptz, 'epoch') AND @tail_until
        )
        AND e.room_key IS NOT NULL
        AND e.class > 0
)
SELECT
    r.room_id, r.title, a.account_id, a.name,
    (
        EXISTS (
            SELECT FROM room_member AS m
            WHERE m.portal_id = @portal_id AND m.room_key = r.room_key AND m.account_key = a.account_key
                AND m.valid_from <= @until AND m.valid_to > @until
        )
        OR EXISTS (
            SELECT FROM room_group AS g
            INNER JOIN group_member AS p ON p.portal_id = g.portal_id AND p.group_key = g.group_key
            WHERE g.portal_id = @portal_id AND g.room_key = r.room_key AND p.account_key = a.account_key
                AND g.valid_from <= @until AND g.valid_to > @until
                AND p.valid_from <= @until AND p.valid_to > @until
        )
        OR a.status = 1 AND NOT a.is_guest AND coalesce(a.registered_at, '-infinity') <= @until AND EXISTS (
            SELECT FROM room_group AS g
            INNER JOIN people_group AS pg ON pg.portal_id = g.portal_id AND pg.group_key = g.group_key
            WHERE g.portal_id = @portal_id AND g.room_key = r.room_key AND pg.group_id = @everyone::text
                AND g.valid_from <= @until AND g.valid_to > @until
        )
    )::boolean AS is_member,
    sum(x.views)::bigint AS views,
    sum(x.edits)::bigint AS edits,
    sum(x.manages)::bigint AS manages,
    count(DISTINCT x.day) AS active_days,
    min(x.first_at)::timestamptz AS first_at,
    max(x.last_at)::timestamptz AS last_at
FROM acts AS x
INNER JOIN room AS r ON r.portal_id = @portal_id AND r.room_key = x.room_key AND NOT r.is_unresolved
INNER JOIN account AS a ON a.portal_id = @portal_id AND a.account_key = x.account_key
GROUP BY r.room_key, r.room_id, r.title, a.account_key, a.account_id, a.name, a.status, a.is_guest, a.registered_at
ORDER BY r.room_id COLLATE "C", a.account_id COLLATE "C";

-- name: ListEventCounts :many
-- All events of the window by how their room is known and what they count as.
SELECT x.room_source, x.class, sum(x.events)::bigint AS events
FROM (
    SELECT d.room_source, d.class, d.events
    FROM event_day AS d
    WHERE d.portal_id = @portal_id AND d.day >= @first_day::date AND d.day < @last_day::date
    UNION ALL
    SELECT e.room_source, e.class, 1
    FROM audit_event AS e
    WHERE e.portal_id = @portal_id
        AND (
            e.occurred_at >= @head_since AND e.occurred_at < @head_until
            AND date_bin('1 hour', e.occurred_at, 'epoch') BETWEEN date_bin('1 hour', @head_since::timestamptz, 'epoch') AND @head_until
            OR e.occurred_at >= @tail_since AND e.occurred_at < @tail_until
            AND date_bin('1 hour', e.occurred_at, 'epoch') BETWEEN date_bin('1 hour', @tail_since::timestamptz, 'epoch') AND @tail_until
        )
) AS x
GROUP BY x.room_source, x.class
ORDER BY x.room_source, x.class;
