-- name: WantEntries :exec
-- Notes files and folders that the portal is to be asked for.
INSERT INTO entry AS e (portal_id, is_folder, entry_id, is_wanted)
SELECT @portal_id::integer, unnest(@folders::boolean[]), unnest(@entry_ids::text[]), true
ON CONFLICT (portal_id, is_folder, entry_id) DO UPDATE SET is_wanted = true WHERE NOT e.is_wanted;

-- name: ListEntriesToAsk :many
-- The files and folders that are wanted and of which there are events whose room
-- nothing tells, later than the portal's last answer.
SELECT e.is_folder, e.entry_id
FROM entry AS e
WHERE e.portal_id = @portal_id
    AND e.is_wanted AND NOT e.is_gone
    AND EXISTS (
        SELECT FROM audit_event AS a
        WHERE a.portal_id = e.portal_id AND md5(a.target) = md5(e.entry_id)
            AND a.room_source IN (4, 5, 7, 8) AND a.room_source = 7
            AND a.occurred_at > coalesce(e.asked_at, '-infinity')
    )
ORDER BY e.is_folder, e.entry_id;

-- name: ListDestinationsToAsk :many
-- The folders that unplaced moves went to and that have not been asked for.
SELECT DISTINCT split_part(a.target, ',', 2)::text AS folder_id
FROM audit_event AS a
LEFT JOIN entry AS e ON e.portal_id = a.portal_id AND e.is_folder AND e.entry_id = split_part(a.target, ',', 2)
WHERE a.portal_id = @portal_id
    AND a.room_source IN (4, 5, 7, 8) AND a.room_source = 8
    AND split_part(a.target, ',', 2) <> ''
    AND e.asked_at IS NULL
ORDER BY 1;

-- name: SetEntryAsked :exec
INSERT INTO entry (portal_id, is_folder, entry_id, asked_at, is_gone)
VALUES (@portal_id, @is_folder, @entry_id, @asked_at::timestamptz, @is_gone)
ON CONFLICT (portal_id, is_folder, entry_id) DO UPDATE SET asked_at = excluded.asked_at, is_gone = excluded.is_gone;

-- name: AddEntrySightings :exec
-- Notes where files and folders were, and that their events are to be judged again.
WITH fresh AS (
    INSERT INTO entry_sighting (portal_id, is_folder, entry_id, seen_at, room_key)
    SELECT
        @portal_id::integer, unnest(@folders::boolean[]), unnest(@entry_ids::text[]),
        unnest(@seen_at::timestamptz[]), unnest(@room_keys::integer[])
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
-- did crossed the border of a room.
SELECT DISTINCT m.event_id
FROM audit_event AS m
INNER JOIN audit_event AS t
    ON t.portal_id = m.portal_id AND t.occurred_at = m.occurred_at AND t.account_key = m.account_key AND t.target = m.target
    AND t.event_id <> m.event_id
WHERE m.portal_id = @portal_id AND m.event_id = ANY(@event_ids::bigint[])
ORDER BY m.event_id;

-- name: ListEntrySightings :many
-- Where the given files and folders were seen, by time; an empty room_id is no room.
SELECT s.is_folder, s.entry_id, s.seen_at, coalesce(r.room_id, '')::text AS room_id
FROM (SELECT unnest(@folders::boolean[]) AS is_folder, unnest(@entry_ids::text[]) AS entry_id) AS w
INNER JOIN entry_sighting AS s ON s.portal_id = @portal_id AND s.is_folder = w.is_folder AND s.entry_id = w.entry_id
LEFT JOIN room AS r ON r.portal_id = s.portal_id AND r.room_key = s.room_key
ORDER BY s.is_folder, s.entry_id, s.seen_at, s.room_key;

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
-- The events about the given files and folders (ids of both kinds alike) whose
-- room their whereabouts may tell.
SELECT
    e.event_id, e.occurred_at, e.account_key, e.room_key, e.room_source, e.class, e.target,
    k.action_id, k.product, c.context
FROM audit_event AS e
INNER JOIN kind AS k ON k.portal_id = e.portal_id AND k.kind_key = e.kind_key
INNER JOIN context AS c ON c.portal_id = e.portal_id AND c.context_key = e.context_key
INNER JOIN (SELECT DISTINCT unnest(@entry_ids::text[]) AS entry_id) AS w ON md5(e.target) = md5(w.entry_id)
WHERE e.portal_id = @portal_id AND e.room_source IN (4, 5, 7, 8) AND e.room_source <> 8 AND e.target = w.entry_id
ORDER BY e.event_id;

-- name: ListUnplacedActs :many
-- All events of the moves and copies of which at least one event is unplaced,
-- act by act, with the room that the folder they went to lies in (empty if it
-- is none or unknown), and whether that room's log has nothing more to tell of them.
SELECT DISTINCT
    t.event_id, t.occurred_at, t.account_key, t.room_key, t.room_source, t.class, t.target, tk.action_id,
    coalesce(r.room_id, '')::text AS room_id,
    coalesce(d.room_id, '')::text AS destination,
    coalesce(
        d.is_third_party OR d.deleted_at IS NOT NULL OR d.log_from <= t.occurred_at AND d.log_until >= t.occurred_at,
        false
    )::boolean AS is_settled
FROM audit_event AS u
INNER JOIN kind AS uk ON uk.portal_id = u.portal_id AND uk.kind_key = u.kind_key
INNER JOIN audit_event AS t
    ON t.portal_id = u.portal_id AND t.occurred_at = u.occurred_at AND t.account_key = u.account_key AND t.target = u.target
INNER JOIN kind AS tk ON tk.portal_id = t.portal_id AND tk.kind_key = t.kind_key AND tk.action_id = uk.action_id
LEFT JOIN room AS r ON r.portal_id = t.portal_id AND r.room_key = t.room_key AND NOT r.is_unresolved
LEFT JOIN LATERAL (
    SELECT s.room_key
    FROM entry_sighting AS s
    WHERE s.portal_id = u.portal_id AND s.is_folder AND s.entry_id = split_part(u.target, ',', 2)
    ORDER BY s.seen_at DESC
    LIMIT 1
) AS lies ON true
LEFT JOIN room AS d ON d.portal_id = u.portal_id AND d.room_key = lies.room_key
WHERE u.portal_id = @portal_id AND u.room_source IN (4, 5, 7, 8) AND u.room_source = 8
ORDER BY t.occurred_at, t.account_key, tk.action_id, t.target, t.event_id;

-- name: ListTwins :many
-- The events of the same moves and copies as the given ones that were placed by their number.
SELECT t.event_id, t.occurred_at, t.account_key, t.room_key, t.room_source, t.class, tk.action_id
FROM audit_event AS m
INNER JOIN kind AS mk ON mk.portal_id = m.portal_id AND mk.kind_key = m.kind_key
INNER JOIN audit_event AS t
    ON t.portal_id = m.portal_id AND t.occurred_at = m.occurred_at AND t.account_key = m.account_key AND t.target = m.target
    AND t.event_id <> m.event_id
INNER JOIN kind AS tk ON tk.portal_id = t.portal_id AND tk.kind_key = t.kind_key AND tk.action_id = mk.action_id
WHERE m.portal_id = @portal_id AND m.event_id = ANY(@event_ids::bigint[])
    AND t.room_source IN (4, 5, 7, 8) AND t.room_source = 5
ORDER BY t.event_id;
