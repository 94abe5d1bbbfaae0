-- name: ListRooms :many
-- All rooms, unresolved titles left out.
SELECT * FROM room WHERE portal_id = @portal_id AND NOT is_unresolved ORDER BY room_id;

-- name: ListRoomsByID :many
-- As ListRooms, of the given ids.
SELECT * FROM room WHERE portal_id = @portal_id AND NOT is_unresolved AND room_id = ANY(@room_ids::text[]) ORDER BY room_id;

-- name: ListRoomRenames :many
-- By room, oldest first.
SELECT r.room_id, rr.event_id, rr.renamed_at, rr.old_title
FROM room_rename AS rr
INNER JOIN room AS r ON r.portal_id = rr.portal_id AND r.room_key = rr.room_key
WHERE rr.portal_id = @portal_id
ORDER BY rr.room_key, rr.renamed_at, rr.event_id;

-- name: AddRoomRenames :exec
INSERT INTO room_rename (portal_id, event_id, room_key, renamed_at, old_title)
SELECT
    @portal_id::integer, unnest(@event_ids::bigint[]), unnest(@room_keys::integer[]),
    unnest(@renamed_at::timestamptz[]), unnest(@old_titles::text[])
ON CONFLICT DO NOTHING;

-- name: AddRooms :many
-- Gives keys to rooms, or to unresolved titles, new ones to those not met before. What was seen in a new
-- room or moved there, when it passed for a folder, is to be judged again.
WITH wanted AS (
    SELECT unnest(@room_ids::text[]) AS room_id
),
added AS (
    INSERT INTO room AS a (portal_id, room_key, is_unresolved, room_id, title)
    SELECT
        @portal_id::integer,
        (SELECT coalesce(max(o.room_key), 0) FROM room AS o WHERE o.portal_id = @portal_id::integer)
            + row_number() OVER (ORDER BY w.room_id),
        @is_unresolved::boolean, w.room_id, CASE WHEN @is_unresolved THEN w.room_id ELSE '' END
    FROM wanted AS w
    WHERE NOT EXISTS (
        SELECT 1 FROM room AS o
        WHERE o.portal_id = @portal_id::integer AND o.is_unresolved = @is_unresolved::boolean AND o.room_id = w.room_id
    )
    RETURNING a.room_key, a.room_id
),
folders AS (
    INSERT INTO entry (portal_id, is_folder, entry_id, spreads)
    SELECT @portal_id::integer, true, a.room_id, true
    FROM added AS a
    WHERE NOT @is_unresolved::boolean
        AND (
            EXISTS (SELECT 1 FROM entry_sighting AS s WHERE s.portal_id = @portal_id::integer AND s.parent_id = a.room_id)
            OR EXISTS (SELECT 1 FROM entry_move AS m WHERE m.portal_id = @portal_id::integer AND m.parent_id = a.room_id)
        )
    ON CONFLICT (portal_id, is_folder, entry_id) DO UPDATE SET spreads = true
)
SELECT room_key, room_id, true AS is_new FROM added
UNION ALL
SELECT o.room_key, o.room_id, false
FROM room AS o
WHERE o.portal_id = @portal_id::integer AND o.is_unresolved = @is_unresolved::boolean AND o.room_id = ANY(@room_ids::text[]);

-- name: SetRoomListed :exec
-- What the portal's list says of a room, as of listed_at. A room that is listed exists.
UPDATE room
SET title = @title,
    title_at = @listed_at::timestamptz,
    room_type = @room_type::smallint,
    is_archived = @is_archived,
    is_third_party = @is_third_party,
    created_at = coalesce(@created_at, created_at),
    deleted_at = NULL,
    listed_at = @listed_at::timestamptz
WHERE portal_id = @portal_id AND room_key = @room_key;

-- name: SetRoomsGone :many
-- Rooms that the list of listed_at lacked are deleted, at the time of their
-- event if there was one. AI agents (type 9) come from a service of their own: a
-- list without any says nothing about them.
UPDATE room
SET deleted_at = @listed_at::timestamptz
WHERE portal_id = @portal_id
    AND NOT is_unresolved
    AND listed_at < @listed_at
    AND deleted_at IS NULL
    AND (room_type IS DISTINCT FROM 9 OR @has_agents::boolean)
RETURNING room_id;

-- name: SetRoomsKnown :exec
-- What events tell of rooms: their latest titles and their dates. A date in year 1 stands for none.
UPDATE room AS r
SET title = k.title,
    title_at = nullif(k.title_at, '0001-01-01 00:00:00+00'),
    created_at = nullif(k.created_at, '0001-01-01 00:00:00+00'),
    deleted_at = nullif(k.deleted_at, '0001-01-01 00:00:00+00')
FROM (
    SELECT
        unnest(@room_keys::integer[]) AS room_key,
        unnest(@titles::text[]) AS title,
        unnest(@title_at::timestamptz[]) AS title_at,
        unnest(@created_at::timestamptz[]) AS created_at,
        unnest(@deleted_at::timestamptz[]) AS deleted_at
) AS k
WHERE r.portal_id = @portal_id AND r.room_key = k.room_key;

-- name: WantRoomLogs :exec
-- Asks for the logs of rooms from the given times on.
UPDATE room AS r
SET log_wanted_from = least(r.log_wanted_from, w.wanted_from)
FROM (SELECT unnest(@room_keys::integer[]) AS room_key, unnest(@wanted_from::timestamptz[]) AS wanted_from) AS w
WHERE r.portal_id = @portal_id AND r.room_key = w.room_key AND NOT r.is_third_party;

-- name: SetRoomLogs :exec
-- Adds spans for which rooms' logs have been read. What is read of a log is kept as one span: if
-- a new one does not touch what was read before, that is forgotten. Who
-- wanted a log since wanted_from or later has been served.
UPDATE room AS r
SET log_from = CASE
        WHEN r.log_until >= l.log_from AND r.log_from <= l.log_until THEN least(r.log_from, l.log_from)
        ELSE l.log_from
    END,
    log_until = CASE
        WHEN r.log_until >= l.log_from AND r.log_from <= l.log_until THEN greatest(r.log_until, l.log_until)
        ELSE l.log_until
    END,
    log_wanted_from = CASE WHEN r.log_wanted_from < l.wanted_from THEN r.log_wanted_from END,
    log_asked_at = l.asked_at,
    log_refused_at = NULL
FROM (
    SELECT
        unnest(@room_keys::integer[]) AS room_key,
        unnest(@log_from::timestamptz[]) AS log_from,
        unnest(@log_until::timestamptz[]) AS log_until,
        unnest(@wanted_from::timestamptz[]) AS wanted_from,
        unnest(@asked_at::timestamptz[]) AS asked_at
) AS l
WHERE r.portal_id = @portal_id AND r.room_key = l.room_key;

-- name: ListLastEdits :many
-- When something was last edited or managed in each room: hardly any view is in a log.
SELECT r.room_id, max(greatest(l.edit_last_at, l.manage_last_at))::timestamptz AS last_at
FROM room_last AS l
INNER JOIN room AS r ON r.portal_id = l.portal_id AND r.room_key = l.room_key AND NOT r.is_unresolved
WHERE l.portal_id = @portal_id AND coalesce(l.edit_last_at, l.manage_last_at) IS NOT NULL
GROUP BY r.room_id;

-- name: SetRoomLogsAsked :exec
-- Notes that rooms' logs were asked for and not read. Year 1 as refused_at says that the portal did not refuse.
UPDATE room AS r
SET log_asked_at = l.asked_at, log_refused_at = coalesce(nullif(l.refused_at, '0001-01-01 00:00:00+00'), r.log_refused_at)
FROM (
    SELECT
        unnest(@room_keys::integer[]) AS room_key,
        unnest(@asked_at::timestamptz[]) AS asked_at,
        unnest(@refused_at::timestamptz[]) AS refused_at
) AS l
WHERE r.portal_id = @portal_id AND r.room_key = l.room_key;

-- name: SetOthersExplained :exec
-- Notes that no change of members in other rooms than the given ones waits for the room's log: logs that were
-- read for something else have explained them. Rooms that have no log keep what they have.
UPDATE room
SET unexplained_since = NULL
WHERE portal_id = @portal_id AND unexplained_since IS NOT NULL AND room_id <> ALL(coalesce(@room_ids::text[], '{}'))
    AND listed_at IS NOT NULL AND deleted_at IS NULL AND NOT is_third_party;

-- name: SetContextsStale :exec
-- Marks the contexts with one of the titles: more is known of who bore them.
-- The index has hashes, since titles can be too long for it.
UPDATE context AS c
SET is_stale = true
FROM (SELECT unnest(@titles::text[]) AS title) AS t
WHERE c.portal_id = @portal_id AND md5(c.title) = md5(t.title) AND c.title = t.title AND NOT c.is_stale;

-- name: ListStaleContexts :many
SELECT context_key, context FROM context WHERE portal_id = @portal_id AND is_stale ORDER BY context_key;

-- name: SetContextFresh :exec
UPDATE context SET is_stale = false WHERE portal_id = @portal_id AND context_key = @context_key;

-- name: WantRoomMembers :exec
-- Notes events that may have changed the members of rooms. Year 1 as
-- unexplained_at says that none of them waits for the room's log.
UPDATE room AS r
SET members_wanted_at = greatest(r.members_wanted_at, w.last_at),
    unexplained_since = least(r.unexplained_since, nullif(w.unexplained_at, '0001-01-01 00:00:00+00'))
FROM (
    SELECT
        unnest(@room_keys::integer[]) AS room_key,
        unnest(@unexplained_at::timestamptz[]) AS unexplained_at,
        unnest(@last_at::timestamptz[]) AS last_at
) AS w
WHERE r.portal_id = @portal_id AND r.room_key = w.room_key;

-- name: SetRoomsExplained :exec
UPDATE room SET unexplained_since = NULL WHERE portal_id = @portal_id AND room_key = ANY(@room_keys::integer[]);

-- name: ListRoomsToAsk :many
-- The rooms that the last list of rooms had and whose members have not been
-- asked for since asked_before, or not since an event that may have changed
-- them; those asked for longest ago come first.
SELECT room_id
FROM room
WHERE portal_id = @portal_id AND NOT is_unresolved AND listed_at IS NOT NULL AND deleted_at IS NULL
    AND (
        members_asked_at IS NULL
        OR members_asked_at <= members_wanted_at
        OR members_asked_at < @asked_before::timestamptz
    )
ORDER BY members_asked_at NULLS FIRST, room_id;
