-- name: AddEntryEvents :exec
-- Notes events whose room the whereabouts of a file or folder may tell.
INSERT INTO entry_event (portal_id, is_folder, entry_id, event_id)
SELECT @portal_id::integer, unnest(@folders::boolean[]), unnest(@entry_ids::text[]), unnest(@event_ids::bigint[])
ON CONFLICT DO NOTHING;

-- name: ListEntriesToAsk :many
-- The files and folders of which there are events whose room nothing tells,
-- later than the portal's last answer: files under a title that several rooms
-- bore, or (destinations) folders that something was moved to.
SELECT DISTINCT o.is_folder, o.entry_id
FROM entry_event AS o
INNER JOIN audit_event AS e ON e.portal_id = o.portal_id AND e.event_id = o.event_id
LEFT JOIN entry AS n ON n.portal_id = o.portal_id AND n.is_folder = o.is_folder AND n.entry_id = o.entry_id
WHERE o.portal_id = @portal_id
    AND e.room_source = CASE WHEN @destinations::boolean THEN 8 ELSE 7 END
    AND n.is_gone IS NOT true
    AND coalesce(n.asked_at, '-infinity') < e.occurred_at
ORDER BY o.is_folder, o.entry_id;

-- name: DeleteEntryEvents :exec
-- Forgets events of which nothing will tell the room.
DELETE FROM entry_event WHERE portal_id = @portal_id AND is_folder = @is_folder AND entry_id = @entry_id AND event_id = ANY(@event_ids::bigint[]);

-- name: SetEntryAsked :exec
INSERT INTO entry (portal_id, is_folder, entry_id, asked_at, is_gone)
VALUES (@portal_id, @is_folder, @entry_id, @asked_at::timestamptz, @is_gone)
ON CONFLICT (portal_id, is_folder, entry_id) DO UPDATE SET asked_at = excluded.asked_at, is_gone = excluded.is_gone;

-- name: AddEntrySightings :exec
-- Notes where files and folders were, and that their events are to be judged
-- again. An empty parent_id is none.
WITH fresh AS (
    INSERT INTO entry_sighting (portal_id, is_folder, entry_id, seen_at, room_key, parent_id)
    SELECT
        @portal_id::integer, unnest(@folders::boolean[]), unnest(@entry_ids::text[]),
        unnest(@seen_at::timestamptz[]), unnest(@room_keys::integer[]), nullif(unnest(@parent_ids::text[]), '')
    ON CONFLICT DO NOTHING
    RETURNING portal_id, is_folder, entry_id
)
INSERT INTO entry AS e (portal_id, is_folder, entry_id, is_stale)
SELECT DISTINCT f.portal_id, f.is_folder, f.entry_id, true
FROM fresh AS f
ON CONFLICT (portal_id, is_folder, entry_id) DO UPDATE SET is_stale = true;

-- name: ListFolderMoves :many
-- When the given folders were moved from one room to another: what lies in them came along.
SELECT DISTINCT s.seen_at
FROM entry_sighting AS s
INNER JOIN entry_sighting AS o
    ON o.portal_id = s.portal_id AND o.is_folder AND o.entry_id = s.entry_id AND o.seen_at = s.seen_at AND o.room_key <> s.room_key
WHERE s.portal_id = @portal_id AND s.is_folder AND s.entry_id = ANY(@folder_ids::text[])
ORDER BY s.seen_at;

-- name: ListTwinned :many
-- Those of the given events of moves and copies that are one of two: what they
-- did crossed the border of a room. Each hour with such an event is read once.
WITH moves AS (
    SELECT
        m.event_id, m.occurred_at, m.account_key, m.target, date_bin('1 hour', m.occurred_at, 'epoch') AS hour
    FROM (SELECT unnest(@event_ids::bigint[]) AS event_id OFFSET 0) AS w
    INNER JOIN audit_event AS m ON m.portal_id = @portal_id AND m.event_id = w.event_id
)
SELECT DISTINCT m.event_id
FROM (SELECT DISTINCT hour FROM moves) AS h
CROSS JOIN LATERAL (
    SELECT e.event_id, e.occurred_at, e.account_key, e.target
    FROM audit_event AS e
    WHERE e.portal_id = @portal_id AND date_bin('1 hour', e.occurred_at, 'epoch') = h.hour
    OFFSET 0
) AS t
INNER JOIN moves AS m
    ON abs(extract(epoch FROM m.occurred_at - t.occurred_at)) <= 1
    AND m.account_key = t.account_key AND m.target = t.target AND m.event_id <> t.event_id
ORDER BY m.event_id;

-- name: ListEntrySightings :many
-- Where the given files and folders were seen, by time; an empty room_id is no
-- room. has_no_log says that the portal refuses the room's log, so that nobody knows when they came.
SELECT
    s.is_folder, s.entry_id, s.seen_at, s.room_key, coalesce(s.parent_id, '')::text AS parent_id,
    coalesce(r.room_id, '')::text AS room_id,
    (r.log_refused_at IS NOT NULL AND NOT r.is_third_party)::boolean AS has_no_log
FROM (SELECT unnest(@folders::boolean[]) AS is_folder, unnest(@entry_ids::text[]) AS entry_id) AS w
CROSS JOIN LATERAL ( -- by the key, also where the planner knows nothing of the table
    SELECT e.*
    FROM entry_sighting AS e
    WHERE e.portal_id = @portal_id AND e.is_folder = w.is_folder AND e.entry_id = w.entry_id
    OFFSET 0
) AS s
LEFT JOIN room AS r ON r.portal_id = s.portal_id AND r.room_key = s.room_key
ORDER BY s.is_folder, s.entry_id, s.seen_at, s.room_key;

-- name: ListDepartures :many
-- When folders were moved from or to the given rooms, and nobody knows from
-- where or to where: what lay in them has no event of its own.
SELECT s.room_key, s.entry_id, s.seen_at
FROM entry_sighting AS s
INNER JOIN entry_sighting AS o
    ON o.portal_id = s.portal_id AND o.is_folder AND o.entry_id = s.entry_id AND o.seen_at = s.seen_at AND o.room_key = 0
WHERE s.portal_id = @portal_id AND s.is_folder AND s.room_key = ANY(@room_keys::integer[])
ORDER BY s.room_key, s.seen_at, s.entry_id;

-- name: ListFolderParents :many
-- In which folders the folders of rooms lay when they were last seen; empty if nobody said.
SELECT DISTINCT ON (s.entry_id) s.entry_id, coalesce(s.parent_id, '')::text AS parent_id
FROM entry_sighting AS s
WHERE s.portal_id = @portal_id AND s.is_folder AND s.room_key = ANY(@room_keys::integer[])
ORDER BY s.entry_id, s.seen_at DESC;

-- name: SetRoomEntriesStale :exec
-- Has the events judged again of all that was ever seen in a room.
UPDATE entry AS e
SET is_stale = true
FROM entry_sighting AS s
WHERE e.portal_id = @portal_id
    AND s.portal_id = e.portal_id AND s.is_folder = e.is_folder AND s.entry_id = e.entry_id
    AND s.room_key = @room_key AND NOT e.is_stale;

-- name: ListStaleEntries :many
-- A chunk of the entries whose events are to be judged again.
SELECT is_folder, entry_id
FROM entry
WHERE portal_id = @portal_id AND is_stale
ORDER BY is_folder, entry_id
LIMIT @chunk;

-- name: SetEntriesFresh :exec
UPDATE entry AS e
SET is_stale = false
FROM (SELECT unnest(@folders::boolean[]) AS is_folder, unnest(@entry_ids::text[]) AS entry_id) AS f
WHERE e.portal_id = @portal_id AND e.is_folder = f.is_folder AND e.entry_id = f.entry_id;

-- name: ListEventsOfEntries :many
-- The events about the given files and folders whose room their whereabouts may tell.
SELECT
    e.event_id, e.occurred_at, e.account_key, e.room_key, e.room_source, e.class, e.target,
    k.action_id, k.product, c.context
FROM (SELECT unnest(@folders::boolean[]) AS is_folder, unnest(@entry_ids::text[]) AS entry_id) AS w
CROSS JOIN LATERAL ( -- by the keys, also where the planner knows nothing of the tables
    SELECT n.event_id
    FROM entry_event AS n
    WHERE n.portal_id = @portal_id AND n.is_folder = w.is_folder AND n.entry_id = w.entry_id
    OFFSET 0
) AS o
CROSS JOIN LATERAL (
    SELECT a.*
    FROM audit_event AS a
    WHERE a.portal_id = @portal_id AND a.event_id = o.event_id
    OFFSET 0
) AS e
INNER JOIN kind AS k ON k.portal_id = e.portal_id AND k.kind_key = e.kind_key
INNER JOIN context AS c ON c.portal_id = e.portal_id AND c.context_key = e.context_key
WHERE e.room_source IN (4, 5, 7) AND c.title IS NOT NULL
ORDER BY e.event_id;

-- name: ListUnplacedActs :many
-- All events of the moves and copies of which at least one event is unplaced (none
-- of them names a room, so that entry_event has them all; they have the same
-- second, but perhaps not the same fraction of it), act by act, with the room that the folder they went to lies in (empty if it
-- is none or unknown), and whether that room has no log that could tell.
SELECT DISTINCT
    t.event_id, t.occurred_at, t.account_key, t.room_key, t.room_source, t.class, t.target, tk.action_id,
    coalesce(r.room_id, '')::text AS room_id,
    coalesce(d.room_id, '')::text AS destination,
    coalesce(
        d.is_third_party OR d.deleted_at IS NOT NULL,
        false
    )::boolean AS is_settled
FROM entry_event AS o
INNER JOIN audit_event AS u ON u.portal_id = o.portal_id AND u.event_id = o.event_id
INNER JOIN kind AS uk ON uk.portal_id = u.portal_id AND uk.kind_key = u.kind_key
INNER JOIN entry_event AS ot ON ot.portal_id = o.portal_id AND ot.is_folder = o.is_folder AND ot.entry_id = o.entry_id
INNER JOIN audit_event AS t
    ON t.portal_id = ot.portal_id AND t.event_id = ot.event_id
    AND abs(extract(epoch FROM t.occurred_at - u.occurred_at)) <= 1 AND t.account_key = u.account_key AND t.target = u.target
INNER JOIN kind AS tk ON tk.portal_id = t.portal_id AND tk.kind_key = t.kind_key AND tk.action_id = uk.action_id
LEFT JOIN room AS r ON r.portal_id = t.portal_id AND r.room_key = t.room_key AND NOT r.is_unresolved
LEFT JOIN LATERAL (
    SELECT s.room_key
    FROM entry_sighting AS s
    WHERE s.portal_id = o.portal_id AND s.is_folder AND s.entry_id = o.entry_id
    ORDER BY s.seen_at DESC
    LIMIT 1
) AS lies ON true
LEFT JOIN room AS d ON d.portal_id = u.portal_id AND d.room_key = lies.room_key
WHERE o.portal_id = @portal_id AND u.room_source = 8
ORDER BY t.account_key, tk.action_id, t.target, t.occurred_at, t.event_id;

-- name: ListTwins :many
-- The events of the same moves and copies as the given ones that were placed by
-- their number. The lateral queries keep the planner to the primary keys: there
-- are few of all these, and it takes them for many.
SELECT t.event_id, t.occurred_at, t.account_key, t.room_key, t.room_source, t.class, tk.action_id
FROM (SELECT unnest(@event_ids::bigint[]) AS event_id) AS w
CROSS JOIN LATERAL (
    SELECT e.event_id, e.occurred_at, e.account_key, e.kind_key, e.target
    FROM audit_event AS e
    WHERE e.portal_id = @portal_id AND e.event_id = w.event_id
    OFFSET 0
) AS m
CROSS JOIN LATERAL (
    SELECT o.event_id
    FROM entry_event AS o
    WHERE o.portal_id = @portal_id AND o.is_folder AND o.entry_id = split_part(m.target, ',', 2) AND o.event_id <> m.event_id
    OFFSET 0
) AS n
CROSS JOIN LATERAL (
    SELECT e.*
    FROM audit_event AS e
    WHERE e.portal_id = @portal_id AND e.event_id = n.event_id
    OFFSET 0
) AS t
INNER JOIN kind AS mk ON mk.portal_id = @portal_id AND mk.kind_key = m.kind_key
INNER JOIN kind AS tk ON tk.portal_id = @portal_id AND tk.kind_key = t.kind_key AND tk.action_id = mk.action_id
WHERE t.room_source = 5 AND abs(extract(epoch FROM t.occurred_at - m.occurred_at)) <= 1 AND t.account_key = m.account_key AND t.target = m.target
ORDER BY t.event_id;
