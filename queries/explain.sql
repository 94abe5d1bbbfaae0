-- What roompulse explain tells of one account in one room. Times that are not
-- known come as year 1, as in report.sql.

-- name: GetRoom :one
SELECT * FROM room WHERE portal_id = @portal_id AND NOT is_unresolved AND room_id = @room_id;

-- name: ListAccountsNamed :many
-- The account with the given id first, then those that bear it as their e-mail
-- address, in whatever case.
SELECT *
FROM account
WHERE portal_id = @portal_id AND (account_id = @name::text OR lower(email) = lower(@name::text))
ORDER BY (account_id = @name::text) DESC, account_id COLLATE "C";

-- name: ListMembershipSpans :many
-- When an account held which right in a room: its own, and those of groups while
-- the account was in them. group_id is empty for a right of its own. joined_at and joined_after are as in ListMembers.
WITH spans AS (
    SELECT
        ''::text AS group_id, ''::text AS group_name, m.valid_from, m.valid_to, m.joined_at, m.joined_after, m.access, m.is_owner
    FROM room_member AS m
    WHERE m.portal_id = @portal_id AND m.room_key = @room_key AND m.account_key = @account_key
    UNION ALL
    SELECT pg.group_id, pg.name, g.valid_from, g.valid_to, g.joined_at, g.joined_after, g.access, false
    FROM room_group_member AS g
    INNER JOIN people_group AS pg ON pg.portal_id = g.portal_id AND pg.group_key = g.group_key
    WHERE g.portal_id = @portal_id AND g.room_key = @room_key AND g.account_key = @account_key
)
SELECT
    s.group_id, s.group_name, s.access, s.is_owner,
    coalesce(nullif(s.valid_from, '-infinity'), '0001-01-01 00:00:00+00')::timestamptz AS valid_from,
    coalesce(nullif(s.valid_to, 'infinity'), '0001-01-01 00:00:00+00')::timestamptz AS valid_to,
    coalesce(nullif(s.joined_at, '-infinity'), '0001-01-01 00:00:00+00')::timestamptz AS joined_at,
    coalesce(nullif(s.joined_after, '-infinity'), '0001-01-01 00:00:00+00')::timestamptz AS joined_after
FROM spans AS s
ORDER BY s.valid_from, s.group_id;

-- name: ListUnresolvedTitles :many
-- The titles that a room bore at some time and under which there are events
-- whose room nobody knows, with the other rooms that bore them at some time.
WITH bearers AS (
    SELECT r.room_key, r.title FROM room AS r WHERE r.portal_id = @portal_id AND NOT r.is_unresolved
    UNION
    SELECT rr.room_key, rr.old_title FROM room_rename AS rr WHERE rr.portal_id = @portal_id
)
SELECT
    u.room_key, u.room_id AS title,
    coalesce(array_agg(r.room_id ORDER BY r.room_id COLLATE "C") FILTER (WHERE r.room_id IS NOT NULL), '{}')::text[] AS other_rooms
FROM bearers AS b
INNER JOIN room AS u ON u.portal_id = @portal_id AND u.is_unresolved AND u.room_id = b.title
LEFT JOIN bearers AS o ON o.title = b.title AND o.room_key <> b.room_key
LEFT JOIN room AS r ON r.portal_id = u.portal_id AND r.room_key = o.room_key
WHERE b.room_key = @room_key::integer
GROUP BY u.room_key, u.room_id
ORDER BY u.room_id COLLATE "C";

-- name: ListExplainedEvents :many
-- The events of an account in a window that are of a room, or may be: the
-- newest of each list, by falling time, with the totals of the list. Lists: 1 counted,
-- 2 in the room but not counted, 3 under an unresolved title (title_keys) that
-- the room bore, 4 moves and copies without a room; of 3 and 4 only what would count.
-- concerning is who joined or left where the room's log tells.
-- One pass over the window's events by the index on their hours: an account has
-- no index of its own, which would take more room than this takes time.
WITH acts AS MATERIALIZED (
    SELECT
        e.event_id, e.occurred_at, e.kind_key, e.context_key, e.class, e.room_source, e.target, e.description,
        CASE
            WHEN e.room_key = @room_key::integer AND e.class = ANY(@classes::smallint[]) THEN 1
            WHEN e.room_key = @room_key::integer THEN 2
            WHEN e.room_source = 8 THEN 4
            ELSE 3
        END AS list
    FROM audit_event AS e
    WHERE e.portal_id = @portal_id
        AND (e.occurred_at >= @since AND e.occurred_at < @until) IS TRUE
        AND date_bin('1 hour', e.occurred_at, 'epoch') >= date_bin('1 hour', @since::timestamptz, 'epoch') AND date_bin('1 hour', e.occurred_at, 'epoch') < @until
        AND e.account_key = @account_key
        AND (
            e.room_key = @room_key::integer
            OR e.class = ANY(@classes::smallint[]) AND (e.room_source = 8 OR e.room_key = ANY(@title_keys::integer[]))
        )
),
totals AS (
    SELECT
        a.list,
        count(*) FILTER (WHERE a.class <= 0) AS nones,
        count(*) FILTER (WHERE a.class = 1) AS views,
        count(*) FILTER (WHERE a.class = 2) AS edits,
        count(*) FILTER (WHERE a.class = 3) AS manages
    FROM acts AS a
    GROUP BY a.list
),
ranked AS (
    SELECT a.*, row_number() OVER (PARTITION BY a.list ORDER BY a.occurred_at DESC, a.event_id DESC) AS position
    FROM acts AS a
)
SELECT
    r.list::integer AS list, t.nones, t.views, t.edits, t.manages,
    r.event_id, r.occurred_at, k.action_id, r.class, r.room_source,
    coalesce(r.target, '')::text AS target, coalesce(r.description, '')::text AS description, coalesce(c.context, '')::text AS context,
    coalesce(nullif(a.name, ''), m.account_id, '')::text AS concerning
FROM ranked AS r
INNER JOIN totals AS t ON t.list = r.list
INNER JOIN kind AS k ON k.portal_id = @portal_id AND k.kind_key = r.kind_key
LEFT JOIN context AS c ON c.portal_id = @portal_id AND c.context_key = r.context_key
LEFT JOIN membership_change AS m ON m.portal_id = @portal_id AND m.event_id = r.event_id
LEFT JOIN account AS a ON a.portal_id = @portal_id AND a.account_id = m.account_id
WHERE r.position <= @newest::bigint
ORDER BY r.list, r.occurred_at DESC, r.event_id DESC;

-- name: GetLastEvent :one
-- The last event of an account anywhere in the portal before until, nobody's
-- acts left out. The days with events are known, so at most two are searched:
-- the one that until lies in and the last before it.
SELECT
    e.event_id, e.occurred_at, k.action_id, e.class, e.room_source,
    coalesce(r.room_id, '')::text AS room_id, coalesce(r.title, '')::text AS room_title, coalesce(r.is_unresolved, false)::boolean AS is_unresolved
FROM account_day AS d
CROSS JOIN LATERAL (
    SELECT x.event_id, x.occurred_at, x.kind_key, x.class, x.room_source, x.room_key
    FROM audit_event AS x
    WHERE x.portal_id = @portal_id AND x.account_key = @account_key AND x.class >= 0
        AND (x.occurred_at < @until) IS TRUE
        AND date_bin('1 hour', x.occurred_at, 'epoch') >= d.day::timestamp AT TIME ZONE 'UTC'
        AND date_bin('1 hour', x.occurred_at, 'epoch') < (d.day + 1)::timestamp AT TIME ZONE 'UTC'
    ORDER BY x.occurred_at DESC, x.event_id DESC
    LIMIT 1
) AS e
INNER JOIN kind AS k ON k.portal_id = @portal_id AND k.kind_key = e.kind_key
LEFT JOIN room AS r ON r.portal_id = @portal_id AND r.room_key = e.room_key
WHERE d.portal_id = @portal_id AND d.account_key = @account_key AND d.day <= @until_date::date
ORDER BY d.day DESC
LIMIT 1;
