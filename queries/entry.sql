-- name: AddEntryEvents :exec
-- Notes events whose room the whereabouts of a file or folder may tell, and
-- whether the portal is to be asked where it lies. It is not if it has
-- answered since.
WITH events AS (
    SELECT
        unnest(@folders::boolean[]) AS is_folder, unnest(@entry_ids::text[]) AS entry_id, unnest(@event_ids::bigint[]) AS event_id,
        unnest(@occurred::timestamptz[]) AS occurred_at, unnest(@asks::boolean[]) AS asks, unnest(@moves::boolean[]) AS is_move
),
noted AS (
    INSERT INTO entry_event (portal_id, is_folder, entry_id, event_id)
    SELECT @portal_id::integer, n.is_folder, n.entry_id, n.event_id
    FROM events AS n
    ON CONFLICT DO NOTHING
)
INSERT INTO entry AS e (portal_id, is_folder, entry_id, ask_at, has_moves)
SELECT @portal_id::integer, n.is_folder, n.entry_id, max(n.occurred_at) FILTER (WHERE n.asks), bool_or(n.is_move)
FROM events AS n
WHERE n.asks OR n.is_move
GROUP BY n.is_folder, n.entry_id
ON CONFLICT (portal_id, is_folder, entry_id) DO UPDATE SET
    ask_at = CASE
        WHEN e.is_gone OR e.asked_at >= excluded.ask_at THEN e.ask_at
        ELSE coalesce(e.ask_at, excluded.ask_at)
    END,
    has_moves = e.has_moves OR excluded.has_moves;

-- name: SettleAsks :exec
-- Takes back what was to be asked by now and what logs have told meanwhile.
UPDATE entry AS e
SET ask_at = NULL
WHERE e.portal_id = @portal_id AND e.ask_at <= @asked_at::timestamptz
    AND NOT EXISTS (
        SELECT
        FROM entry_event AS o
        INNER JOIN audit_event AS a ON a.portal_id = o.portal_id AND a.event_id = o.event_id
        WHERE o.portal_id = e.portal_id AND o.is_folder = e.is_folder AND o.entry_id = e.entry_id AND a.room_source IN (7, 8)
    );

-- name: ListEntriesToAsk :many
-- The files and folders to ask the portal for: those under a title that several
-- rooms bore, or (destinations) folders that something was moved to. Those that
-- were asked for longest ago come first, so that none waits for others that get no answer.
SELECT e.is_folder, e.entry_id
FROM entry AS e
WHERE e.portal_id = @portal_id AND e.ask_at <= @asked_at::timestamptz
    AND EXISTS (
        SELECT
        FROM entry_event AS o
        INNER JOIN audit_event AS a ON a.portal_id = o.portal_id AND a.event_id = o.event_id
        WHERE o.portal_id = e.portal_id AND o.is_folder = e.is_folder AND o.entry_id = e.entry_id
            AND a.room_source = CASE WHEN @destinations::boolean THEN 8 ELSE 7 END
    )
ORDER BY e.asked_at NULLS FIRST, e.ask_at, e.is_folder, e.entry_id;

-- name: SetEntryAsked :exec
-- Notes that the portal was asked at asked_at, and when it is to be asked again.
UPDATE entry
SET asked_at = @asked_at::timestamptz, ask_at = @ask_at, is_gone = @is_gone
WHERE portal_id = @portal_id AND is_folder = @is_folder AND entry_id = @entry_id;

-- name: SetEntryTried :exec
-- Notes that the portal gave no answer.
UPDATE entry SET asked_at = @asked_at::timestamptz WHERE portal_id = @portal_id AND is_folder = @is_folder AND entry_id = @entry_id;

-- name: AddEntrySightings :many
-- Notes where files and folders were, and that their events are to be judged
-- again. An empty parent_id is none. Returns the rooms in which folders were seen to
-- lie where nobody had seen them before.
WITH fresh AS (
    INSERT INTO entry_sighting (portal_id, is_folder, entry_id, seen_at, room_key, parent_id, was_asked)
    SELECT
        @portal_id::integer, unnest(@folders::boolean[]), unnest(@entry_ids::text[]),
        unnest(@seen_at::timestamptz[]), unnest(@room_keys::integer[]), nullif(unnest(@parent_ids::text[]), ''), @was_asked::boolean
    ON CONFLICT DO NOTHING
    RETURNING portal_id, is_folder, entry_id, room_key, parent_id
),
stale AS (
    INSERT INTO entry AS e (portal_id, is_folder, entry_id, is_stale, has_moves)
    SELECT DISTINCT f.portal_id, f.is_folder, f.entry_id, true, f.is_folder
    FROM fresh AS f
    ON CONFLICT (portal_id, is_folder, entry_id) DO UPDATE SET is_stale = true, has_moves = e.is_folder
)
SELECT DISTINCT f.room_key
FROM fresh AS f
WHERE f.is_folder AND f.parent_id IS NOT NULL
    AND NOT EXISTS (
        SELECT
        FROM entry_sighting AS s -- as it was before
        WHERE s.portal_id = f.portal_id AND s.is_folder AND s.entry_id = f.entry_id AND s.room_key = f.room_key AND s.parent_id = f.parent_id
    );

-- name: AddEntryMoves :many
-- Notes which files and folders were moved or copied, and that their events are to be
-- judged again. Returns those of the events that moved folders and were not known before.
WITH fresh AS (
    INSERT INTO entry_move (portal_id, is_folder, entry_id, event_id, is_crossing)
    SELECT
        @portal_id::integer, unnest(@folders::boolean[]), unnest(@entry_ids::text[]),
        unnest(@event_ids::bigint[]), unnest(@crossings::boolean[])
    ON CONFLICT DO NOTHING
    RETURNING portal_id, is_folder, entry_id, event_id
),
stale AS (
    UPDATE entry AS e
    SET is_stale = true, has_moves = e.is_folder
    FROM (SELECT DISTINCT portal_id, is_folder, entry_id FROM fresh) AS f
    WHERE e.portal_id = f.portal_id AND e.is_folder = f.is_folder AND e.entry_id = f.entry_id
)
SELECT f.event_id FROM fresh AS f WHERE f.is_folder;

-- name: ListRoomsOfFolderMoves :many
-- The rooms in which moves of folders bear on where their files and folders were: of a move across
-- the border of a room those that bore the title that it names, all if it names none, as
-- ListDepartures has it; of others those in which the folder was seen.
SELECT r.room_key
FROM (SELECT unnest(@event_ids::bigint[]) AS event_id) AS w
INNER JOIN audit_event AS a ON a.portal_id = @portal_id AND a.event_id = w.event_id
INNER JOIN context AS c ON c.portal_id = @portal_id AND c.context_key = a.context_key
INNER JOIN entry_move AS x ON x.portal_id = @portal_id AND x.event_id = w.event_id AND x.is_folder AND x.entry_id = split_part(a.target, ',', 1)
INNER JOIN room AS r
    ON r.portal_id = @portal_id AND (
        x.is_crossing AND (
            c.title IS NULL OR r.title = c.title
            OR EXISTS (SELECT FROM room_rename AS n WHERE n.portal_id = @portal_id AND n.room_key = r.room_key AND n.old_title = c.title)
        )
        OR NOT x.is_crossing AND EXISTS (
            SELECT
            FROM entry_sighting AS s
            WHERE s.portal_id = @portal_id AND s.is_folder AND s.entry_id = x.entry_id AND s.room_key = r.room_key
        )
    )
GROUP BY r.room_key;

-- name: ListEntrySightings :many
-- Where the given files and folders were seen, by time, and when they crossed the
-- border of a room; an empty room_id is no room, or nobody knows which.
SELECT
    w.is_folder::boolean AS is_folder, w.entry_id::text AS entry_id, s.seen_at, s.room_key, coalesce(s.parent_id, '')::text AS parent_id,
    coalesce(r.room_id, '')::text AS room_id, s.was_asked::boolean AS was_asked, (p.room_key IS NOT NULL)::boolean AS parent_is_room
FROM (SELECT unnest(@folders::boolean[]) AS is_folder, unnest(@entry_ids::text[]) AS entry_id) AS w
CROSS JOIN LATERAL ( -- by the keys, also where the planner knows nothing of the tables
    SELECT e.seen_at, e.room_key, e.parent_id, e.was_asked
    FROM entry_sighting AS e
    WHERE e.portal_id = @portal_id AND e.is_folder = w.is_folder AND e.entry_id = w.entry_id
    UNION ALL
    SELECT a.occurred_at, 0, NULL, false
    FROM entry_move AS x
    INNER JOIN audit_event AS a ON a.portal_id = x.portal_id AND a.event_id = x.event_id
    WHERE x.portal_id = @portal_id AND x.is_folder = w.is_folder AND x.entry_id = w.entry_id AND x.is_crossing
    OFFSET 0
) AS s
LEFT JOIN room AS r ON r.portal_id = @portal_id AND r.room_key = s.room_key
LEFT JOIN room AS p ON p.portal_id = @portal_id AND p.room_id = s.parent_id AND NOT p.is_unresolved
WHERE EXISTS (SELECT FROM entry_sighting AS o WHERE o.portal_id = @portal_id) -- else a first sync looks for each file of each window
ORDER BY w.is_folder, w.entry_id, s.seen_at, s.room_key;

-- name: ListDepartures :many
-- When folders were moved that may have left or entered one of the given rooms: what
-- lay in them has no event of its own. Moves from and to what is no room name no title; their room_key
-- is 0, and it may be any room.
SELECT DISTINCT coalesce(t.room_key, 0)::integer AS room_key, x.entry_id, a.occurred_at
FROM entry_move AS x
INNER JOIN audit_event AS a ON a.portal_id = x.portal_id AND a.event_id = x.event_id
INNER JOIN kind AS k ON k.portal_id = a.portal_id AND k.kind_key = a.kind_key AND k.action_id = ANY(@action_ids::integer[])
INNER JOIN context AS c ON c.portal_id = a.portal_id AND c.context_key = a.context_key
LEFT JOIN (
    SELECT r.room_key, r.title
    FROM room AS r
    WHERE r.portal_id = @portal_id AND r.room_key = ANY(@room_keys::integer[])
    UNION
    SELECT n.room_key, n.old_title
    FROM room_rename AS n
    WHERE n.portal_id = @portal_id AND n.room_key = ANY(@room_keys::integer[])
) AS t ON t.title = c.title
WHERE x.portal_id = @portal_id AND x.is_folder AND x.is_crossing AND (t.room_key IS NOT NULL OR c.title IS NULL);

-- name: ListMovesWithin :many
-- When the given files and folders were moved within a room, by time, and into which folder.
SELECT w.is_folder::boolean AS is_folder, w.entry_id::text AS entry_id, m.occurred_at, m.parent_id::text AS parent_id
FROM (SELECT unnest(@folders::boolean[]) AS is_folder, unnest(@entry_ids::text[]) AS entry_id) AS w
CROSS JOIN LATERAL (
    SELECT a.occurred_at, split_part(a.target, ',', 2) AS parent_id
    FROM entry_move AS x
    INNER JOIN audit_event AS a ON a.portal_id = x.portal_id AND a.event_id = x.event_id
    WHERE x.portal_id = @portal_id AND x.is_folder = w.is_folder AND x.entry_id = w.entry_id AND NOT x.is_crossing
    OFFSET 0
) AS m
ORDER BY w.is_folder, w.entry_id, m.occurred_at, m.parent_id;

-- name: SetRoomEntriesStale :exec
-- Has the events judged again of all that was ever seen in the rooms, and the moves placed again into such folders.
UPDATE entry AS e
SET is_stale = true, has_moves = e.is_folder
FROM entry_sighting AS s
WHERE e.portal_id = @portal_id
    AND s.portal_id = e.portal_id AND s.is_folder = e.is_folder AND s.entry_id = e.entry_id
    AND s.room_key = ANY(@room_keys::integer[]) AND NOT e.is_stale
    AND EXISTS (SELECT FROM entry_event AS o WHERE o.portal_id = e.portal_id AND o.is_folder = e.is_folder AND o.entry_id = e.entry_id);

-- name: ListStaleEntries :many
-- A chunk of the entries whose events are to be judged again, with how many these are.
SELECT e.is_folder, e.entry_id, n.events
FROM entry AS e
CROSS JOIN LATERAL (
    SELECT count(*) AS events
    FROM entry_event AS o
    WHERE o.portal_id = e.portal_id AND o.is_folder = e.is_folder AND o.entry_id = e.entry_id
) AS n
WHERE e.portal_id = @portal_id AND e.is_stale
ORDER BY e.is_folder, e.entry_id
LIMIT @chunk;

-- name: GetLastOfChunk :one
-- The event of an entry that comes after the next skip ones; no row if there are fewer.
SELECT event_id
FROM entry_event
WHERE portal_id = @portal_id AND is_folder = @is_folder AND entry_id = @entry_id AND event_id > @after_event_id
ORDER BY event_id
OFFSET @skip LIMIT 1;

-- name: ListEventsOfEntries :many
-- The events about the given files and folders whose room their whereabouts may
-- tell, of those with ids above first_id and up to last_id.
SELECT
    e.event_id, e.occurred_at, e.account_key, e.room_key, e.room_source, e.class, e.target,
    k.action_id, k.product, c.context
FROM (SELECT unnest(@folders::boolean[]) AS is_folder, unnest(@entry_ids::text[]) AS entry_id) AS w
CROSS JOIN LATERAL ( -- by the keys, also where the planner knows nothing of the tables
    SELECT n.event_id
    FROM entry_event AS n
    WHERE n.portal_id = @portal_id AND n.is_folder = w.is_folder AND n.entry_id = w.entry_id
        AND n.event_id > @after_event_id::bigint AND n.event_id <= @last_event_id::bigint
    OFFSET 0
) AS o
CROSS JOIN LATERAL (
    SELECT a.*
    FROM audit_event AS a
    WHERE a.portal_id = @portal_id AND a.event_id = o.event_id
    OFFSET 0
) AS e
INNER JOIN kind AS k ON k.portal_id = @portal_id AND k.kind_key = e.kind_key
INNER JOIN context AS c ON c.portal_id = @portal_id AND c.context_key = e.context_key
WHERE e.room_source IN (4, 5, 7) AND c.title IS NOT NULL
ORDER BY e.event_id;

-- name: ListOpenMoves :many
-- All events of the moves and copies of which at least one event is unplaced, into a
-- chunk of the folders with such, act by act. None of them names a room, so
-- that entry_event has them all; they have the same second, but perhaps not the same fraction of it.
SELECT o.entry_id::text AS entry_id, o.event_id, o.occurred_at, o.account_key, o.room_key, o.room_source, o.class, o.target, o.action_id, o.room_id
FROM (
    SELECT
        f.entry_id, e.event_id, e.occurred_at, e.account_key, e.room_key, e.room_source, e.class, e.target, k.action_id,
        coalesce(r.room_id, '')::text AS room_id,
        bool_or(e.room_source = 8) OVER (PARTITION BY f.entry_id, e.account_key, k.action_id, e.target) AS is_open
    FROM (SELECT unnest(@entry_ids::text[]) AS entry_id) AS f
    CROSS JOIN LATERAL (
        SELECT n.event_id
        FROM entry_event AS n
        WHERE n.portal_id = @portal_id AND n.is_folder AND n.entry_id = f.entry_id
        OFFSET 0
    ) AS n
    CROSS JOIN LATERAL (
        SELECT a.*
        FROM audit_event AS a
        WHERE a.portal_id = @portal_id AND a.event_id = n.event_id AND split_part(a.target, ',', 2) = f.entry_id
        OFFSET 0
    ) AS e
    INNER JOIN kind AS k ON k.portal_id = @portal_id AND k.kind_key = e.kind_key
    LEFT JOIN room AS r ON r.portal_id = @portal_id AND r.room_key = e.room_key AND NOT r.is_unresolved
) AS o
WHERE o.is_open
ORDER BY o.entry_id, o.account_key, o.action_id, o.target, o.occurred_at, o.event_id;

-- name: ListFoldersWithMoves :many
-- A chunk of the folders whose moves are to be placed.
SELECT entry_id
FROM entry
WHERE portal_id = @portal_id AND has_moves AND entry_id > @after_entry_id
ORDER BY entry_id
LIMIT @chunk;

-- name: SetFoldersPlaced :exec
UPDATE entry SET has_moves = false WHERE portal_id = @portal_id AND is_folder AND entry_id = ANY(@entry_ids::text[]);

-- name: SetMovesOpen :exec
-- Notes that more is known of the moves and copies with the given events.
UPDATE entry AS e
SET has_moves = true
FROM (SELECT unnest(@event_ids::bigint[]) AS event_id) AS w
CROSS JOIN LATERAL (
    SELECT split_part(a.target, ',', 2) AS entry_id
    FROM audit_event AS a
    WHERE a.portal_id = @portal_id AND a.event_id = w.event_id
    OFFSET 0
) AS m
WHERE e.portal_id = @portal_id AND e.is_folder AND e.entry_id = m.entry_id AND NOT e.has_moves;

-- name: DeleteEntryEvents :exec
-- Forgets events of which nothing will tell the room.
DELETE FROM entry_event WHERE portal_id = @portal_id AND is_folder = @is_folder AND entry_id = @entry_id AND event_id = ANY(@event_ids::bigint[]);

-- name: ListFolderParents :many
-- In which folders the folders of rooms were seen there, or moved to within the room.
SELECT s.room_key, s.entry_id, s.parent_id::text AS parent_id
FROM entry_sighting AS s
WHERE s.portal_id = @portal_id AND s.is_folder AND s.room_key = ANY(@room_keys::integer[]) AND s.parent_id IS NOT NULL
UNION
SELECT s.room_key, s.entry_id, split_part(a.target, ',', 2)
FROM entry_sighting AS s
INNER JOIN entry_move AS x ON x.portal_id = s.portal_id AND x.is_folder = s.is_folder AND x.entry_id = s.entry_id AND NOT x.is_crossing
INNER JOIN audit_event AS a ON a.portal_id = x.portal_id AND a.event_id = x.event_id
WHERE s.portal_id = @portal_id AND s.is_folder AND s.room_key = ANY(@room_keys::integer[])
ORDER BY room_key, entry_id, parent_id;

-- name: SetEntriesFresh :exec
UPDATE entry AS e
SET is_stale = false
FROM (SELECT unnest(@folders::boolean[]) AS is_folder, unnest(@entry_ids::text[]) AS entry_id) AS f
WHERE e.portal_id = @portal_id AND e.is_folder = f.is_folder AND e.entry_id = f.entry_id;

-- name: ListTwins :many
-- The events of the same moves and copies as the given ones that were placed by
-- their number. The lateral queries keep the planner to the primary keys: there
-- are few of all these, and it takes them for many. Many moves go to one folder,
-- so that the events of each are read once.
WITH moves AS MATERIALIZED (
    SELECT e.event_id, e.occurred_at, e.account_key, e.kind_key, e.target, split_part(e.target, ',', 2) AS folder_id
    FROM (SELECT unnest(@event_ids::bigint[]) AS event_id) AS w
    CROSS JOIN LATERAL (
        SELECT o.event_id, o.occurred_at, o.account_key, o.kind_key, o.target
        FROM audit_event AS o
        WHERE o.portal_id = @portal_id AND o.event_id = w.event_id
        OFFSET 0
    ) AS e
),
placed AS MATERIALIZED (
    SELECT t.event_id, t.occurred_at, t.account_key, t.kind_key, t.room_key, t.room_source, t.class, t.target
    FROM (SELECT DISTINCT folder_id FROM moves) AS f
    CROSS JOIN LATERAL (
        SELECT o.event_id
        FROM entry_event AS o
        WHERE o.portal_id = @portal_id AND o.is_folder AND o.entry_id = f.folder_id
        OFFSET 0
    ) AS n
    CROSS JOIN LATERAL (
        SELECT e.*
        FROM audit_event AS e
        WHERE e.portal_id = @portal_id AND e.event_id = n.event_id AND e.room_source = 5
        OFFSET 0
    ) AS t
)
SELECT DISTINCT t.event_id, t.occurred_at, t.account_key, t.room_key, t.room_source, t.class
FROM placed AS t
INNER JOIN moves AS m ON m.account_key = t.account_key AND m.target = t.target AND m.event_id <> t.event_id
INNER JOIN kind AS mk ON mk.portal_id = @portal_id AND mk.kind_key = m.kind_key
INNER JOIN kind AS tk ON tk.portal_id = @portal_id AND tk.kind_key = t.kind_key AND tk.action_id = mk.action_id
WHERE abs(extract(epoch FROM t.occurred_at - m.occurred_at)) <= 1
ORDER BY t.event_id;
