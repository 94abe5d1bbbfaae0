-- A window is given in parts: the whole UTC days [first_day, last_day), which
-- the rollups answer, and two ragged edges, which raw events answer. An edge
-- that is not there is empty (since = until).
-- A span of raw events is named by its hours, which have an index, and by itself with IS TRUE:
-- without that the planner would consult the index of occurred_at, too. That one is for
-- analysts, and has to be read from end to end.
-- Times that are not known come as year 1, the zero time of Go: sqlc takes
-- every expression for not null. An empty list of keys stands for all.

-- name: GetMembers :one
-- The members of rooms as of until, in one row: elements of the same place in all arrays are one
-- member. To read as many rows takes the program four times as long.
-- Members have a right of their own or come through groups; their own right beats that of
-- groups, and the highest of the groups counts.
WITH via_groups AS (
    SELECT
        g.room_key, g.account_key,
        min(g.joined_at) AS joined_at,
        min(g.joined_after) AS joined_after,
        min(array_position(ARRAY[1, 9, 11, 10, 7, 8, 5, 6, 2, 0]::smallint[], g.access)) AS rank
    FROM room_group_member AS g
    WHERE g.portal_id = @portal_id AND g.valid_from <= @until::timestamptz AND g.valid_to > @until::timestamptz
        AND (cardinality(@room_keys::integer[]) = 0 OR g.room_key = ANY(@room_keys::integer[]))
        AND (@only_account::integer = 0 OR g.account_key = @only_account::integer)
    GROUP BY g.room_key, g.account_key
),
own AS (
    SELECT m.room_key, m.account_key, m.access, m.is_owner, m.joined_at, m.joined_after
    FROM room_member AS m
    WHERE m.portal_id = @portal_id AND m.valid_from <= @until AND m.valid_to > @until
        AND (cardinality(@room_keys::integer[]) = 0 OR m.room_key = ANY(@room_keys::integer[]))
        AND (@only_account::integer = 0 OR m.account_key = @only_account::integer)
)
SELECT
    array_agg(coalesce(o.room_key, g.room_key))::integer[] AS room_keys,
    array_agg(coalesce(o.account_key, g.account_key))::integer[] AS account_keys,
    array_agg(coalesce(o.access, (ARRAY[1, 9, 11, 10, 7, 8, 5, 6, 2, 0]::smallint[])[g.rank], 0::smallint))::smallint[] AS accesses,
    array_agg(coalesce(o.is_owner, false))::boolean[] AS are_owners,
    array_agg(greatest(least(o.joined_at, g.joined_at), '0001-01-01 00:00:00+00'))::timestamptz[] AS joined_at,
    array_agg(greatest(least(o.joined_after, g.joined_after), '0001-01-01 00:00:00+00'))::timestamptz[] AS joined_after
FROM own AS o
FULL JOIN via_groups AS g ON g.room_key = o.room_key AND g.account_key = o.account_key;

-- name: GetLastActivity :one
-- When everybody was active last in each room before until, unresolved titles included, in one row
-- as GetMembers.
-- room_last knows it of all who were not active after until, and one row of room_day of each
-- who was, whatever the time in between. Of who was active on the day of until both before and
-- after, last_at is their first time on that day. Two queries in one, so that those of whom room_last
-- knows it cost no more than reading it.
WITH newest AS NOT MATERIALIZED (
    SELECT
        l.room_key, l.account_key,
        greatest(
            CASE WHEN @views::boolean THEN l.view_last_at END,
            CASE WHEN @edits::boolean THEN l.edit_last_at END,
            CASE WHEN @manages::boolean THEN l.manage_last_at END
        ) AS last_at
    FROM room_last AS l
    WHERE l.portal_id = @portal_id
        AND (cardinality(@room_keys::integer[]) = 0 OR l.room_key = ANY(@room_keys::integer[]))
        AND (@only_account::integer = 0 OR l.account_key = @only_account::integer)
)
SELECT
    array_agg(x.room_key)::integer[] AS room_keys,
    array_agg(x.account_key)::integer[] AS account_keys,
    array_agg(x.last_at)::timestamptz[] AS last_at
FROM (
    SELECT n.room_key, n.account_key, n.last_at
    FROM newest AS n
    WHERE n.last_at < @until::timestamptz
    UNION ALL
    SELECT n.room_key, n.account_key, before.last_at
    FROM newest AS n
    CROSS JOIN LATERAL (
        SELECT greatest(
            CASE WHEN @views::boolean AND d.view_first_at < @until THEN CASE WHEN d.view_last_at < @until THEN d.view_last_at ELSE d.view_first_at END END,
            CASE WHEN @edits::boolean AND d.edit_first_at < @until THEN CASE WHEN d.edit_last_at < @until THEN d.edit_last_at ELSE d.edit_first_at END END,
            CASE WHEN @manages::boolean AND d.manage_first_at < @until THEN CASE WHEN d.manage_last_at < @until THEN d.manage_last_at ELSE d.manage_first_at END END
        ) AS last_at
        FROM room_day AS d
        WHERE d.portal_id = @portal_id AND d.room_key = n.room_key AND d.account_key = n.account_key AND d.day <= @until_date::date
            AND (
                @views::boolean AND d.view_first_at < @until
                OR @edits::boolean AND d.edit_first_at < @until
                OR @manages::boolean AND d.manage_first_at < @until
            )
        ORDER BY d.day DESC
        LIMIT 1
    ) AS before
    WHERE n.last_at >= @until
) AS x;

-- name: ListUnresolvedRooms :many
-- Unresolved titles, by their keys, and each room that bore one at some time; of some rooms or of all.
SELECT u.room_key AS title_key, t.room_key
FROM room AS u
INNER JOIN (
    SELECT r.room_key, r.title FROM room AS r WHERE r.portal_id = @portal_id AND NOT r.is_unresolved
    UNION
    SELECT rr.room_key, rr.old_title FROM room_rename AS rr WHERE rr.portal_id = @portal_id
) AS t ON t.title = u.room_id
WHERE u.portal_id = @portal_id AND u.is_unresolved
    AND (cardinality(@room_keys::integer[]) = 0 OR t.room_key = ANY(@room_keys::integer[]));

-- name: CountMemberActivity :many
-- How much everybody did in rooms in the window and when last, counted event
-- by event; doubtful_events are those under unresolved titles that the room bore at
-- some time, in rows of their own. The head begins at counted_from or, of a window within one
-- day, at midnight: what was before counted_from is not counted, but tells when somebody was active last.
WITH counted AS (
    SELECT x.room_key, x.account_key, sum(x.events)::bigint AS events, max(x.last_at) AS last_at
    FROM (
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
        FROM room_day AS d
        WHERE d.portal_id = @portal_id AND d.day >= @first_day::date AND d.day < @last_day::date
            AND (cardinality(@room_keys::integer[]) = 0 OR d.room_key = ANY(@room_keys::integer[]))
        UNION ALL
        SELECT e.room_key, e.account_key, (e.occurred_at >= @counted_from)::integer, e.occurred_at
        FROM audit_event AS e
        WHERE e.portal_id = @portal_id
            AND (
                (e.occurred_at >= @head_since AND e.occurred_at < @head_until) IS TRUE
                AND date_bin('1 hour', e.occurred_at, 'epoch') >= date_bin('1 hour', @head_since::timestamptz, 'epoch') AND date_bin('1 hour', e.occurred_at, 'epoch') < @head_until
                OR (e.occurred_at >= @tail_since AND e.occurred_at < @tail_until) IS TRUE
                AND date_bin('1 hour', e.occurred_at, 'epoch') >= date_bin('1 hour', @tail_since::timestamptz, 'epoch') AND date_bin('1 hour', e.occurred_at, 'epoch') < @tail_until
            )
            AND e.class = ANY(@classes::smallint[])
            AND (CASE WHEN cardinality(@room_keys::integer[]) = 0 THEN e.room_key IS NOT NULL ELSE e.room_key = ANY(@room_keys::integer[]) END)
    ) AS x
    WHERE x.last_at IS NOT NULL
        AND (@only_account::integer = 0 OR x.account_key = @only_account::integer)
    GROUP BY x.room_key, x.account_key
),
titles AS (
    SELECT r.room_key, r.title FROM room AS r WHERE r.portal_id = @portal_id AND NOT r.is_unresolved
    UNION
    SELECT rr.room_key, rr.old_title FROM room_rename AS rr WHERE rr.portal_id = @portal_id
)
SELECT c.room_key::integer AS room_key, c.account_key::integer AS account_key, c.events::bigint AS events, 0::bigint AS doubtful_events, c.last_at::timestamptz AS last_at
FROM counted AS c
UNION ALL
SELECT t.room_key, c.account_key, 0, c.events, '0001-01-01 00:00:00+00'
FROM room AS u
INNER JOIN titles AS t ON t.title = u.room_id
INNER JOIN counted AS c ON c.room_key = u.room_key
WHERE u.portal_id = @portal_id AND u.is_unresolved;

-- name: ListAccountsSeen :many
-- Accounts, with the last event of each anywhere in the portal before until.
-- account_last knows it of all who were not seen after until, account_day of the others, but for those who were
-- seen on the day of until both before and after: raw events tell of them, and are not read where there are none.
WITH today AS (
    SELECT e.account_key, max(e.occurred_at) AS last_at
    FROM audit_event AS e
    WHERE EXISTS (
            SELECT 1 FROM account_day AS d
            WHERE d.portal_id = @portal_id AND d.day = @until_date::date AND d.last_at >= @until
                AND (cardinality(@account_keys::integer[]) = 0 OR d.account_key = ANY(@account_keys::integer[]))
        )
        AND e.portal_id = @portal_id
        AND (e.occurred_at < @until) IS TRUE
        AND date_bin('1 hour', e.occurred_at, 'epoch') >= @until_day AND date_bin('1 hour', e.occurred_at, 'epoch') < @until
        AND e.class >= 0
        AND (cardinality(@account_keys::integer[]) = 0 OR e.account_key = ANY(@account_keys::integer[]))
    GROUP BY e.account_key
)
SELECT
    a.account_key, a.account_id, a.name, a.email, a.status, a.is_guest, a.registered_at,
    coalesce(
        CASE WHEN l.last_at < @until THEN l.last_at ELSE coalesce(t.last_at, before.last_at) END, '0001-01-01 00:00:00+00'
    )::timestamptz AS last_seen_at
FROM account AS a
LEFT JOIN account_last AS l ON l.portal_id = a.portal_id AND l.account_key = a.account_key
LEFT JOIN today AS t ON t.account_key = a.account_key
LEFT JOIN LATERAL (
    SELECT d.last_at
    FROM account_day AS d
    WHERE l.last_at >= @until AND t.last_at IS NULL
        AND d.portal_id = @portal_id AND d.account_key = a.account_key AND d.day <= @until_date::date AND d.last_at < @until
    ORDER BY d.day DESC
    LIMIT 1
) AS before ON true
WHERE a.portal_id = @portal_id
    AND (cardinality(@account_keys::integer[]) = 0 OR a.account_key = ANY(@account_keys::integer[]));

-- name: ListActivity :many
-- One row per room and account with counted events in the window, unresolved
-- titles left out. is_member is as of until.
WITH days AS (
    SELECT
        d.room_key, d.account_key,
        coalesce(d.views, 0) AS views, coalesce(d.edits, 0) AS edits, coalesce(d.manages, 0) AS manages,
        least(d.view_first_at, d.edit_first_at, d.manage_first_at) AS first_at,
        greatest(d.view_last_at, d.edit_last_at, d.manage_last_at) AS last_at
    FROM room_day AS d
    WHERE d.portal_id = @portal_id AND d.day >= @first_day::date AND d.day < @last_day::date
        AND (cardinality(@room_keys::integer[]) = 0 OR d.room_key = ANY(@room_keys::integer[]))
    UNION ALL
    SELECT
        e.room_key, e.account_key,
        count(*) FILTER (WHERE e.class = 1), count(*) FILTER (WHERE e.class = 2), count(*) FILTER (WHERE e.class = 3),
        min(e.occurred_at), max(e.occurred_at)
    FROM audit_event AS e
    WHERE e.portal_id = @portal_id
        AND (
            (e.occurred_at >= @head_since AND e.occurred_at < @head_until) IS TRUE
            AND date_bin('1 hour', e.occurred_at, 'epoch') >= date_bin('1 hour', @head_since::timestamptz, 'epoch') AND date_bin('1 hour', e.occurred_at, 'epoch') < @head_until
            OR (e.occurred_at >= @tail_since AND e.occurred_at < @tail_until) IS TRUE
            AND date_bin('1 hour', e.occurred_at, 'epoch') >= date_bin('1 hour', @tail_since::timestamptz, 'epoch') AND date_bin('1 hour', e.occurred_at, 'epoch') < @tail_until
        )
        AND (CASE WHEN cardinality(@room_keys::integer[]) = 0 THEN e.room_key IS NOT NULL ELSE e.room_key = ANY(@room_keys::integer[]) END)
        AND e.class > 0
    GROUP BY e.room_key, e.account_key, e.occurred_at < @tail_since -- an edge is less than a day
),
acts AS (
    SELECT
        d.room_key, d.account_key,
        sum(d.views) AS views, sum(d.edits) AS edits, sum(d.manages) AS manages,
        count(*) AS active_days, min(d.first_at) AS first_at, max(d.last_at) AS last_at
    FROM days AS d
    GROUP BY d.room_key, d.account_key
),
members AS (
    SELECT m.room_key, m.account_key
    FROM room_member AS m
    WHERE m.portal_id = @portal_id AND m.valid_from <= @until AND m.valid_to > @until
    UNION
    SELECT g.room_key, g.account_key
    FROM room_group_member AS g
    WHERE g.portal_id = @portal_id AND g.valid_from <= @until AND g.valid_to > @until
)
SELECT
    r.room_id, r.title, a.account_id, a.name, a.status,
    (m.room_key IS NOT NULL)::boolean AS is_member,
    x.views::bigint AS views, x.edits::bigint AS edits, x.manages::bigint AS manages,
    x.active_days, x.first_at::timestamptz AS first_at, x.last_at::timestamptz AS last_at
FROM acts AS x
INNER JOIN room AS r ON r.portal_id = @portal_id AND r.room_key = x.room_key AND NOT r.is_unresolved
INNER JOIN account AS a ON a.portal_id = @portal_id AND a.account_key = x.account_key
LEFT JOIN members AS m ON m.room_key = x.room_key AND m.account_key = x.account_key;

-- name: ListEventCounts :many
-- All events of the window by how their room is known and what they count as: those of whole
-- days, those of whole hours before and after these, and those of the edges, which are less than an hour here, in rows of their own.
SELECT d.room_source, d.class, sum(d.events)::bigint AS events
FROM event_day AS d
WHERE d.portal_id = @portal_id AND d.day >= @first_day::date AND d.day < @last_day::date
GROUP BY d.room_source, d.class
UNION ALL
SELECT h.room_source, h.class, sum(h.events)
FROM event_hour AS h
WHERE h.portal_id = @portal_id
    AND (h.hour >= @head_hours_since AND h.hour < @head_hours_until OR h.hour >= @tail_hours_since AND h.hour < @tail_hours_until)
GROUP BY h.room_source, h.class
UNION ALL
SELECT e.room_source, e.class, count(*)
FROM audit_event AS e
WHERE e.portal_id = @portal_id
    AND (
        (e.occurred_at >= @head_since AND e.occurred_at < @head_until) IS TRUE
        AND date_bin('1 hour', e.occurred_at, 'epoch') >= date_bin('1 hour', @head_since::timestamptz, 'epoch') AND date_bin('1 hour', e.occurred_at, 'epoch') < @head_until
        OR (e.occurred_at >= @tail_since AND e.occurred_at < @tail_until) IS TRUE
        AND date_bin('1 hour', e.occurred_at, 'epoch') >= date_bin('1 hour', @tail_since::timestamptz, 'epoch') AND date_bin('1 hour', e.occurred_at, 'epoch') < @tail_until
    )
GROUP BY e.room_source, e.class;
